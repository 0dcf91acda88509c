"""The list of resource projects as a workbook out and in (资源清单表格)."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.assistance.resource_models import Resource
from doudi.contexts.assistance.resources import keep_resource, resources
from doudi.contexts.assistance.sheets import Answered, read_rows, written
from doudi.engine import money
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack

COLUMNS: dict[str, str] = {
    "项目编号": "resource_no", "项目名称": "name", "层次": "layer", "提供单位": "provider", "主管部门": "department",
    "依据": "basis", "对象类别": "categories", "年龄自": "age_from", "年龄至": "age_to", "性别": "sex", "条件式": "rule",
    "条件说明": "condition", "内容": "content", "内容说明": "description", "标准或算法": "amount", "申请渠道": "channel",
    "材料": "papers", "时限": "time_limit", "联系方式": "contact", "地址": "address", "有效自": "valid_from",
    "有效至": "valid_to", "预算（元）": "budget_fen", "余额（元）": "balance_fen", "不能同时享受": "exclusive_with",
    "可以叠加": "stackable_with", "对外公开": "public", "最近核对": "checked_on",
}  # fmt: skip
_LISTS = ("categories", "exclusive_with", "stackable_with")
_SUMS = ("budget_fen", "balance_fen")
_DAYS = ("valid_from", "valid_to", "checked_on")
_AGES = ("age_from", "age_to")


@transaction.atomic
def resource_workbook(
    *, by: User, text: str = "", layer: str = "", stale: bool = False, ended: bool = False
) -> bytes:
    """The list as the asker sees it, to be kept by Excel and taken in again."""
    found = list(resources(by=by, text=text, layer=layer, stale=stale, ended=ended))
    record(by=by, act="export_resources", region_code=by.region_code, detail={"rows": len(found)})
    return written(
        list(COLUMNS),
        [[_shown(one, name) for name in COLUMNS.values()] for one in found],
        choices={
            "层次": [label for _value, label in Resource.Layer.choices],
            "内容": [label for _value, label in Resource.Content.choices],
            "对外公开": ["是", "否"],
        },
    )


def _shown(one: Resource, name: str) -> str:
    value = getattr(one, name)
    if value is None:
        return ""
    if name == "layer":
        return str(one.get_layer_display())
    if name == "content":
        return str(one.get_content_display())
    if name in _LISTS:
        return "、".join(value)
    if name in _SUMS:
        return money.format_yuan(value)
    if name == "public":
        return "是" if value else "否"
    return value.isoformat() if isinstance(value, date) else str(value)


def take_resource_workbook(path: Path, *, pack: Pack, by: User) -> Answered:
    """Take a workbook in, row by row: a number changes that project, none enters a new one; each row is answered."""
    require(by, Act.KEEP_RESOURCES)
    book = read_rows(path, ("项目名称", "层次", "提供单位", "主管部门"))
    for row in book.rows:
        number = row.cells.get("项目编号", "")
        try:
            with transaction.atomic():
                facts = {name: _read(name, row.cells.get(label, "")) for label, name in COLUMNS.items()
                         if name not in ("resource_no", "checked_on") and label in book.header}  # fmt: skip
                before = Resource.objects.filter(resource_no=number).values_list("version", flat=True).first()
                kept = keep_resource(facts, pack=pack, by=by, resource_no=number)
        except DoudiError as problem:
            row.mark, row.said = "wrong", problem.zh
        except ValueError as problem:
            row.mark, row.said = "wrong", f"{problem}，请核对。"
        else:
            same = before == kept.version
            row.mark = "same" if same else "good"
            row.said = "没有变化。" if same else f"已保存为 {kept.resource_no}。"
            row.cells["项目编号"] = kept.resource_no
    record(
        by=by,
        act="import_resources",
        region_code=by.region_code,
        detail={"taken": book.count("good"), "wrong": book.count("wrong")},
    )
    return book


def _read(name: str, text: str) -> Any:
    if name in _LISTS:
        return [part for part in re.split(r"[、,，;；\s]+", text) if part]
    if name in _SUMS:
        if not text:
            return None
        fen, fault = money.parse_fen(text)
        if fen is None or fault is not None:
            raise ValueError(f"金额“{text}”读不懂")
        return fen
    if name in _DAYS:
        if not text:
            return None
        return date.fromisoformat(text.replace("/", "-").replace(".", "-"))
    if name in _AGES:
        return int(text) if text else None
    if name == "public":
        return text != "否"
    if name == "layer":
        return {label: value for value, label in Resource.Layer.choices}.get(text, text)
    if name == "content":
        return {label: value for value, label in Resource.Content.choices}.get(text, text)
    return text
