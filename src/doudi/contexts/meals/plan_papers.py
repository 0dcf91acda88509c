"""A siting plan for others (选址方案导出): a workbook, a map file, and a paper for the meeting."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import xlsxwriter
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.meals.plan_models import SitePlan
from doudi.contexts.meals.planning import Place, site_plan
from doudi.contexts.meals.sites import StepRefused
from doudi.contexts.registry import services as registry
from doudi.house.documents import Paper, heading, table, text, to_pdf

FORMS = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",
    "pdf": "application/pdf",
}
_DIVISION = re.compile(r"(?<!\d)(?:\d{12}|\d{9})(?!\d)")
STATUS = {
    "optimal": "已证明最优",
    "feasible": "可行，未证明最优",
    "infeasible": "无解",
    "given": "按给定的点计算",
}

AIMS = {
    "hard": "先：困难老人覆盖（人）",
    "all": "再：全部老年人覆盖（人）",
    "distance": "再：平均路程（米／人）",
    "cost": "再：费用",
}
"""The aims of a coverage plan in their order (docs/reference/meals-plan.md)."""


def steps_of(plan: SitePlan) -> list[dict[str, Any]]:
    """The aims in their order with value, bound and proven gap; none for a plan of one aim, or of an older office."""
    return [
        {"aim": AIMS[aim], "value": value, "bound": bound, "gap": gap}
        for aim, value, bound, gap in plan.result.get("steps", [])
    ]


def sites_of(plan: SitePlan) -> list[tuple[Place, float]]:
    """The sites of a plan with the persons for whom each is the nearest within reach, most first."""
    chosen = set(plan.result["sites"])
    loads = plan.result.get("loads", {})
    rows = [(Place(*row), float(loads.get(row[0], 0.0))) for row in plan.candidates if row[0] in chosen]
    return sorted(rows, key=lambda row: (-row[1], row[0].id))


def groups_of(plan: SitePlan) -> list[dict[str, Any]]:
    """The coverage table: a line per township or county with persons covered, by delivery too, and of the hard-off."""
    rows = [
        {
            "group": name,
            "name": registry.region_name(name) if name.isdigit() and len(name) in (6, 9, 12) else name or "—",
            "covered": numbers[0],
            "total": numbers[1],
            "share": numbers[0] / numbers[1] if numbers[1] else None,
            "hard_covered": numbers[2],
            "hard_total": numbers[3],
            "with_delivery": numbers[4],
        }
        for name, numbers in plan.result["groups"].items()
    ]
    return sorted(rows, key=lambda row: (row["share"] if row["share"] is not None else 2, row["group"]))


def _percent(gap: float | None) -> str:
    return "未得到" if gap is None else f"{gap:.2%}"


def _many(count: float) -> str:
    """Persons, metres or costs as 2,436,914; a plain ``g`` writes a province as 2.43691e+06."""
    return f"{count:,.0f}"


def notes_of(plan: SitePlan) -> list[tuple[str, str]]:
    """What the plan has to say of itself, in Chinese and English; in Chinese divisions stand by name, not by code."""
    return [
        (_DIVISION.sub(lambda code: registry.region_name(code[0]), zh), en)
        for zh, en in [*plan.result["reasons"], *plan.notes]
    ]


def gap_words(plan: SitePlan) -> str:
    """How far from the best it may be, always said."""
    gap = plan.result.get("gap")
    if plan.result["status"] == "infeasible":
        return "无解"
    return "未得到界" if gap is None else _percent(gap)


@transaction.atomic
def export_plan(number: str, *, form: str, by: User) -> bytes:
    """A plan as a workbook, a map file or a paper; the export is in the audit log."""
    plan = site_plan(number, by=by)
    require(by, Act.VIEW_PLANS, region_code=plan.region_code)
    if form not in FORMS:
        raise StepRefused("只能导出 Excel、GeoJSON 或 PDF。", "A workbook, GeoJSON or PDF.")
    content = _written(plan, form)
    record(
        by=by,
        act="export_plan",
        subject=f"plan:{number}",
        region_code=plan.region_code,
        detail={"form": form, "bytes": len(content)},
    )
    return content


def _written(plan: SitePlan, form: str) -> bytes:
    if form == "pdf":
        return to_pdf(_paper(plan))
    return _workbook(plan) if form == "xlsx" else _geojson(plan)


def _facts(plan: SitePlan) -> list[tuple[str, ...]]:
    result, asked = plan.result, plan.settings
    communities, point, delivery = result["communities"]
    both = f"{(point + delivery) / communities:.1%}" if communities else "—"
    share = f"{result['covered'] / result['total']:.1%}" if result["total"] else "—"
    return [
        ("方案号", plan.number),
        ("状态", STATUS[result["status"]]),
        ("与最优的差距（已证明）", gap_words(plan)),
        *(
            (step["aim"], f"{_many(step['value'])}；界 {_many(step['bound'])}；差距 {_percent(step['gap'])}")
            for step in steps_of(plan)
        ),
        ("开点数", f"{len(result['sites'])}"),
        ("步行半径（米）／绕行系数", f"{asked['radius']:g} / {asked['detour']:g}"),
        ("步行距离", "按路网距离表" if plan.roads else "按直线距离×绕行系数"),
        ("人员覆盖率（步行）", f"{_many(result['covered'])} / {_many(result['total'])} = {share}"),
        ("困难老人覆盖", f"{_many(result['hard_covered'])} / {_many(result['hard_total'])}"),
        (
            "社区覆盖率（有点或送餐）",
            f"{point + delivery} / {communities} = {both}；只有点 {point}，只送餐 {delivery}",
        ),
        ("计算用时（秒）", f"{result['seconds']:g}"),
        ("编制", f"{plan.made_by} {timezone.localtime(plan.made_at):%Y-%m-%d %H:%M}"),
    ]


def _workbook(plan: SitePlan) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        bold, people = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0"})
        summary = book.add_worksheet("摘要")
        summary.set_column(0, 0, 28)
        summary.set_column(1, 1, 60)
        notes = [("说明", zh) for zh, _en in notes_of(plan)]
        for row, (name, words) in enumerate([("名称", plan.name), *_facts(plan), *notes]):
            summary.write_string(row, 0, name, bold)
            summary.write_string(row, 1, words)
        sites = book.add_worksheet("点位")
        header = ("编号", "名称", "经度", "纬度", "所属", "就近人数", "现有", "合成坐标")
        sites.set_column(0, 1, 22)
        sites.set_column(4, 4, 18)
        sites.write_row(0, 0, header, bold)
        for row, (place, load) in enumerate(sites_of(plan), 1):
            sites.write_string(row, 0, place.id)
            sites.write_string(row, 1, place.name)
            sites.write_number(row, 2, round(place.lon, 6))
            sites.write_number(row, 3, round(place.lat, 6))
            known = registry.region_known(place.group)
            sites.write_string(row, 4, registry.region_name(place.group) if known else place.group)
            sites.write_number(row, 5, load, people)
            sites.write_string(row, 6, "是" if place.existing else "")
            sites.write_string(row, 7, "是" if place.synthetic else "")
        groups = book.add_worksheet("覆盖")
        header = ("区划代码", "名称", "老年人", "步行覆盖", "覆盖率", "困难老人", "困难覆盖", "含送餐覆盖")
        groups.set_column(0, 1, 18)
        groups.write_row(0, 0, header, bold)
        percent = book.add_format({"num_format": "0.0%"})
        for row, line in enumerate(groups_of(plan), 1):
            groups.write_string(row, 0, line["group"])
            groups.write_string(row, 1, line["name"])
            groups.write_number(row, 2, line["total"], people)
            groups.write_number(row, 3, line["covered"], people)
            groups.write_number(row, 4, line["share"] or 0.0, percent)
            groups.write_number(row, 5, line["hard_total"], people)
            groups.write_number(row, 6, line["hard_covered"], people)
            groups.write_number(row, 7, line["with_delivery"], people)
    return out.getvalue()


def _geojson(plan: SitePlan) -> bytes:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [round(place.lon, 6), round(place.lat, 6)]},
            "properties": {
                "id": place.id,
                "name": place.name,
                "group": place.group,
                "persons": load,
                "existing": place.existing,
                "synthetic": place.synthetic,
            },
        }
        for place, load in sites_of(plan)
    ]
    head = {
        "type": "FeatureCollection",
        "name": plan.name,
        "plan": plan.number,
        "coordinate_system": "CGCS2000 / WGS84",
        "status": plan.result["status"],
        "gap": plan.result["gap"],
        "notes": [note for pair in plan.notes for note in pair],
        "features": features,
    }
    return json.dumps(head, ensure_ascii=False).encode()


def _paper(plan: SitePlan) -> Paper:
    where = registry.region_name(plan.region_code) if plan.region_code else "全部辖区"
    notes = [zh for zh, _en in notes_of(plan)]
    sites = sites_of(plan)
    shown: list[tuple[str, ...]] = [(f"{row + 1}", place.name or place.id, f"{place.lon:.5f}, {place.lat:.5f}", _many(load),
              "现有" if place.existing else "新建") for row, (place, load) in enumerate(sites[:120])]  # fmt: skip
    more = [text(f"另有 {len(sites) - 120} 个点，见 Excel。")] if len(sites) > 120 else []
    covered: list[tuple[str, ...]] = [
        (line["name"], _many(line["total"]), _many(line["covered"]),
         "—" if line["share"] is None else f"{line['share']:.1%}", f"{_many(line['hard_covered'])} / {_many(line['hard_total'])}")
        for line in groups_of(plan)
    ]  # fmt: skip
    return Paper(
        title=f"老年助餐选址方案：{plan.name}",
        subtitle=f"{where} {plan.number}",
        blocks=(
            heading("一、结果"),
            table(("项目", "数值"), _facts(plan)),
            *(text(note) for note in notes),
            heading("二、点位"),
            table(
                ("序", "名称", "坐标（CGCS2000）", "就近人数", "类别"), shown or [("—",) * 5], numbers=(3,)
            ),
            *more,
            heading("三、覆盖情况"),
            table(("地区", "老年人", "步行覆盖", "覆盖率", "困难老人"), covered, numbers=(1, 2, 3, 4)),
        ),
        foot=(f"{timezone.localdate()}", "供会议讨论，采纳前不作为开点依据"),
    )
