"""What a pack says of verification: kinds with their clocks, purposes, sources, and what declared items are held against.

All of it is the county's to set (handbook 03, marked assumed); the code knows no source and no limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from doudi.engine import money
from doudi.engine.errors import DoudiError
from doudi.engine.packs.layers import read_stack
from doudi.engine.packs.problems import Report
from doudi.engine.verification.elements import GRADES, LEFT, Element, Elements, load_elements
from doudi.engine.verification.supporting import SupportRules

WAYS = {"文件": "file", "接口": "http", "数据库": "database", "快照": "snapshot"}
"""Word of a pack → how a source is asked: file out and file back, HTTP interface, database view, loaded department files."""


@dataclass(frozen=True)
class Kind:
    """A kind of request (委托种类): working days to the start of the queries and to the report."""

    code: str
    label: str
    label_en: str
    start: int
    report: int


@dataclass(frozen=True)
class Purpose:
    """What a verification is for (用途): the categories that satisfy it, its own the last of them, with the clause."""

    code: str
    label: str
    label_en: str
    categories: tuple[str, ...]
    clause: str


@dataclass(frozen=True)
class Source:
    """A source (数据来源): the feed whose layout its replies have, working days to reply.

    ``ways`` are the ways it may be asked, of :data:`WAYS`; the first that the office has set up is used, and by file it
    can always be asked. ``fee_fen``: what one query costs, fen. ``basis``: the clause or agreement it is asked under.
    How sensitive its columns are and how long its rows stay is said by the data elements.
    """

    code: str
    label: str
    feed: str
    days: int
    ways: tuple[str, ...] = ("file",)
    fee_fen: int = 0
    basis: str = ""


@dataclass(frozen=True)
class Item:
    """A declared item (申报项) and how it is held against what was found.

    ``measure``: 年 (a year's income, fen), 额 (a balance, fen) or 数 (a count). ``found`` are variables of the pack, ×
    ``factor``. In the declared world the rows of ``replaced`` (feed → column values that mark a row, empty = every
    row) are left out and one row ``row`` of the feed ``written`` says what was declared.
    """

    name: str
    measure: str
    found: tuple[str, ...]
    factor: int
    replaced: Mapping[str, Mapping[str, str]]
    written: str
    amount_column: str
    row: Mapping[str, str]
    limit: tuple[str, ...]


@dataclass(frozen=True)
class Watch:
    """What makes looks at people unusual (异常查询): by night, above a day's most, or so many times an account's usual day."""

    night_from: time
    night_to: time
    most_a_day: int
    times_usual: int
    least: int
    """Looks of a day below which a jump is none."""

    def by_night(self, moment: time) -> bool:
        if self.night_from <= self.night_to:
            return self.night_from <= moment < self.night_to
        return moment >= self.night_from or moment < self.night_to


@dataclass(frozen=True)
class Rules:
    """The verification rules of a pack (核对规则)."""

    kinds: Mapping[str, Kind]
    purposes: Mapping[str, Purpose]
    sources: Mapping[str, Source]
    items: Mapping[str, Item]
    report_months: int
    authorisation_months: int
    explanation_days: int
    minor_income_ratio: Fraction
    minor_income_fen: int
    minor_asset_ratio: Fraction
    explained_grades: frozenset[str]
    elements: Elements
    """The marks of every value; of a pack from before there were any, what it said of keeping bank rows."""
    support: SupportRules | None = None
    """None: a pack without a formula for the support of those who live apart."""
    watch: Watch | None = None
    """None: a pack of before the watch was declared."""


def load_rules(folder: Path) -> Rules:
    """The verification rules of a pack folder: its own ``verification.yaml``, or that of the nearest layer below it."""
    layers = [layer.folder for layer in reversed(read_stack(folder, Report()).layers)]
    marked = next((path for layer in layers if (path := layer / "data_elements.yaml").is_file()), None)
    for layer in layers:
        path = layer / "verification.yaml"
        if path.is_file():
            return _read(path, load_elements(marked) if marked is not None else None)
    raise DoudiError(
        f"{folder} 和它的上级里都没有 verification.yaml（核对的种类、用途、来源）。请从 packs/cn 复制一份修改。",
        f"Neither {folder} nor its parents hold a verification.yaml; copy the one of packs/cn and change it.",
        code="verification_rules_missing",
    )


def _read(path: Path, elements: Elements | None) -> Rules:
    """Every scalar is text and converted here, with the place in the message."""
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        rules = Rules(
            kinds={
                row["码"]: Kind(row["码"], row["名"], row["英"], int(row["启动"]), int(row["出报告"]))
                for row in raw["种类"]
            },
            purposes={
                row["码"]: Purpose(row["码"], row["名"], row["英"], tuple(row["符合类别"]), row["依据"])
                for row in raw["用途"]
            },
            sources={row["码"]: _source(row, raw.get("查询依据", "")) for row in raw["来源"]},
            items={row["项"]: _item(row) for row in raw["对照"]},
            report_months=int(raw["报告有效月数"]),
            authorisation_months=int(raw["授权有效月数"]),
            explanation_days=int(raw["说明时限"]),
            minor_income_ratio=_percent(raw["差异"]["轻微收入比例"]),
            minor_income_fen=_fen(raw["差异"]["轻微收入年额"]),
            minor_asset_ratio=_percent(raw["差异"]["轻微资产比例"]),
            explained_grades=frozenset(raw["差异"]["须说明"]),
            elements=elements if elements is not None else _before_marks(raw),
            support=SupportRules(**_support(raw["赡养"])) if "赡养" in raw else None,
            watch=_watch(raw["异常查询"]) if "异常查询" in raw else None,
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：核对规则缺项或写法不对（{problem}）。请对照 packs/cn/verification.yaml。",
            f"{path}: a verification rule is missing or malformed ({problem}); compare packs/cn/verification.yaml.",
            code="verification_rules_invalid",
        ) from None
    return rules


def _watch(row: Mapping[str, str]) -> Watch:
    begin, end = (time.fromisoformat(part) for part in row["夜间"].split("-"))
    return Watch(begin, end, int(row["每日上限"]), int(row["突增倍数"]), int(row["突增起算"]))


_SUPPORT = {
    "数据": "feed", "应付": "amount", "计入": "counted", "都没有": "formula", "依据列": "evidence", "金额列": "agreed",
    "类别列": "category", "人口列": "persons", "收入列": "income", "老人数列": "parents", "序号列": "serial",
}  # fmt: skip


def _support(row: Mapping[str, Any]) -> dict[str, Any]:
    judged, paid = row["先后"]
    return {**{name: row[word] for word, name in _SUPPORT.items()}, "facts": (judged, paid)}


def _before_marks(raw: Mapping[str, Any]) -> Elements:
    """A pack of before there were data elements says how long bank rows stay, and nothing of who sees what."""
    return Elements(
        tuple(
            Element(
                f"{row['码']}.{column}", row["名"], row["码"], "", "", GRADES[-1], "隐去", frozenset(),
                days=int(raw["原始数据保存天数"]), left=LEFT[0], columns=(f"{row['数据']}.{column}",),
            )
            for row in raw["来源"] for column in row.get("到期留合计", ())
        ),
        "",
    )  # fmt: skip


def _source(row: Mapping[str, Any], basis: str) -> Source:
    return Source(
        row["码"],
        row["名"],
        row["数据"],
        int(row["时限"]),
        ways=tuple(WAYS[word] for word in row.get("途径", ["文件"])),
        fee_fen=_fen(row["每次费用"]) if "每次费用" in row else 0,
        basis=row.get("依据", basis),
    )


def _item(row: Mapping[str, Any]) -> Item:
    replaced: dict[str, Mapping[str, str]] = {}
    for entry in row["取代"]:
        replaced.update({entry: {}} if isinstance(entry, str) else entry)
    if row["计"] not in ("年", "额", "数"):
        raise ValueError(f"计: {row['计']}")
    return Item(
        name=row["项"],
        measure=row["计"],
        found=tuple(row["查得"]),
        factor=int(row["乘"]),
        replaced=replaced,
        written=row["写入"],
        amount_column=row.get("金额列", ""),
        row=dict(row["行"]),
        limit=tuple(row.get("限额", ())),
    )


def _percent(text: str) -> Fraction:
    if not text.endswith("%"):
        raise ValueError(f"{text}: 比例写成百分数")
    return Fraction(text.removesuffix("%")) / 100


def _fen(text: str) -> int:
    fen, fault = money.parse_fen(text)
    if fen is None:
        raise ValueError(f"{text}: {fault}")
    return fen
