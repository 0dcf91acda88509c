"""The benefits section of a pack (待遇): ways of reckoning, exclusive benefits, bank layouts, rhythms of review.

The numbers themselves are the pack's dated parameters; here stands which of them is used. All of it is the county's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file

DIFFERENCE, HARDSHIP, SET = "补差", "特困", "核定"
_SCHEMA = Path(__file__).with_name("benefits.schema.json")
_UNITS = {"分": 1, "角": 10, "元": 100}


@dataclass(frozen=True)
class Benefit:
    """One benefit (待遇): how it is reckoned, for a household or a person, month by month or once."""

    code: str
    label: str
    label_en: str
    category: str
    """The registered category whose people receive it; '' where none does by itself."""
    of_person: bool
    monthly: bool
    way: str
    standard: str
    months: str
    """With ``核定``: the parameter that bounds one grant in months of the standard."""
    clause: str


@dataclass(frozen=True)
class CareGrade:
    """A grade of care (护理档次) for up to so many failed items of the six."""

    label: str
    label_en: str
    up_to: int
    parameter: str


@dataclass(frozen=True)
class Layout:
    """How a bank wants its payment file and answers it (代发文件版式)."""

    code: str
    label: str
    label_en: str
    encoding: str
    separator: str
    newline: str
    header: bool
    columns: Mapping[str, str]
    """Field (序号, 姓名, 账号, 金额, 摘要, 户编号, 开户行) → header text, in the order of the file."""
    in_fen: bool
    head: str
    foot: str
    returned: Mapping[str, str]
    """Field of the return file (序号, 账号, 金额, 结果, 原因) → header text, or the column's place from 1."""
    success: frozenset[str]


@dataclass(frozen=True)
class Rhythm:
    """How often a kind of household is reviewed (复查周期), in months."""

    code: str
    label: str
    label_en: str
    months: int


@dataclass(frozen=True)
class Column:
    """A column of a monthly table: what is counted (户数、人数、行数、金额) of which rows."""

    code: str
    label: str
    label_en: str
    counts: str
    benefits: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def is_money(self) -> bool:
        return self.counts == "金额"


@dataclass(frozen=True)
class Table:
    """A monthly table (报表) as the county or its superior wants it."""

    code: str
    label: str
    label_en: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class BenefitRules:
    """The benefits section of a pack."""

    benefits: Mapping[str, Benefit]
    exclusive: tuple[tuple[str, ...], ...]
    hardship_factor: str
    hardship_clause: str
    care: tuple[CareGrade, ...]
    uplift: str
    uplift_kinds: Mapping[str, tuple[str, str]]
    uplift_clause: str
    bands: Mapping[str, str]
    band_clause: str
    single_clause: str
    taper_months: int
    taper_longest: int
    taper_factor: str
    taper_clause: str
    start_next_month: bool
    start_clause: str
    round_to: int
    """Sums are whole multiples of so many fen."""
    round_up: bool
    months_back: int
    rhythms: Mapping[str, Rhythm]
    refusals: int
    refusal_clause: str
    follow_up_days: tuple[int, ...]
    layouts: Mapping[str, Layout]
    tables: Mapping[str, Table]

    def benefit(self, code: str) -> Benefit:
        """The benefit of a code, or a refusal that names those there are."""
        found = self.benefits.get(code)
        if found is None:
            listed = "、".join(f"{one.code} {one.label}" for one in self.benefits.values())
            raise DoudiError(
                f"政策包里没有待遇“{code}”。可用：{listed}。",
                f"The pack has no benefit {code!r}; it has {', '.join(self.benefits)}.",
                code="benefit_unknown",
            )
        return found

    def layout(self, code: str) -> Layout:
        """The bank layout of a code, or a refusal."""
        found = self.layouts.get(code)
        if found is None:
            raise DoudiError(
                f"政策包里没有银行版式“{code}”。可用：{'、'.join(self.layouts)}。",
                f"The pack has no bank layout {code!r}; it has {', '.join(self.layouts)}.",
                code="layout_unknown",
            )
        return found


def load_benefits(folder: Path) -> BenefitRules:
    """The benefits of a pack folder: its own ``benefits.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, "benefits.yaml", about="待遇与发放", code="benefits_missing"))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(_SCHEMA.read_text("utf-8")))


def _invalid(path: Path, where: str) -> DoudiError:
    return DoudiError(
        f"{path}：待遇的规则缺项或写法不对（{where}）。请对照 packs/reference/benefits.yaml。",
        f"{path}: a benefit rule is missing or malformed ({where}); compare packs/reference/benefits.yaml.",
        code="benefits_invalid",
    )


def _read(path: Path) -> BenefitRules:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    except yaml.YAMLError as problem:
        raise _invalid(path, str(problem).splitlines()[0]) from None
    fault = next(iter(sorted(_validator().iter_errors(raw), key=lambda error: str(error.path))), None)
    if fault is not None:
        raise _invalid(
            path, f"{' → '.join(map(str, fault.absolute_path)) or '文件顶层'}: {fault.message[:120]}"
        )
    benefits = {row["码"]: _benefit(row) for row in raw["待遇"]}
    if strange := {code for row in raw["互斥"] for code in row} - set(benefits):
        raise _invalid(path, f"互斥 {'、'.join(sorted(strange))}")
    return BenefitRules(
        benefits=benefits,
        exclusive=tuple(tuple(row) for row in raw["互斥"]),
        hardship_factor=raw["特困"]["倍数"],
        hardship_clause=raw["特困"]["依据"],
        care=tuple(
            sorted(
                (CareGrade(row["名"], row["英"], int(row["至"]), row["标准"]) for row in raw["护理"]),
                key=lambda grade: grade.up_to,
            )
        ),
        uplift=raw["分类施保"]["比例"],
        uplift_kinds={row["码"]: (row["名"], row["英"]) for row in raw["分类施保"]["对象"]},
        uplift_clause=raw["分类施保"]["依据"],
        bands=dict(raw["分档"]["档"]),
        band_clause=raw["分档"]["依据"],
        single_clause=raw["单人保"]["依据"],
        taper_months=int(raw["渐退"]["默认月数"]),
        taper_longest=int(raw["渐退"]["最长月数"]),
        taper_factor=raw["渐退"]["倍数"],
        taper_clause=raw["渐退"]["依据"],
        start_next_month=raw["起发"]["月"] == "次月",
        start_clause=raw["起发"]["依据"],
        round_to=_UNITS[raw["取整"]["到"]],
        round_up=raw["取整"]["方式"] == "进位",
        months_back=int(raw["追溯月数"]["为"]),
        rhythms={row["码"]: Rhythm(row["码"], row["名"], row["英"], int(row["月数"])) for row in raw["复查"]},
        refusals=int(raw["拒绝工作次数"]["为"]),
        refusal_clause=raw["拒绝工作次数"].get("依据", ""),
        follow_up_days=tuple(sorted(int(days) for days in raw["随访天数"])),
        layouts={row["码"]: _layout(row) for row in raw["银行"]},
        tables={row["码"]: _table(row) for row in raw["报表"]},
    )


def _table(row: Mapping[str, Any]) -> Table:
    columns = (
        Column(one["码"], one["名"], one["英"], one["数"], tuple(one["待遇"]), tuple(one["种类"]))
        for one in row["列"]
    )
    return Table(row["码"], row["名"], row["英"], tuple(columns))


def _benefit(row: Mapping[str, str]) -> Benefit:
    return Benefit(
        code=row["码"],
        label=row["名"],
        label_en=row["英"],
        category=row.get("类别", ""),
        of_person=row["按"] == "人员",
        monthly=row["周期"] == "按月",
        way=row["算法"],
        standard=row["标准"],
        months=row.get("月数", ""),
        clause=row["依据"],
    )


def _layout(row: Mapping[str, Any]) -> Layout:
    return Layout(
        code=row["码"],
        label=row["名"],
        label_en=row["英"],
        encoding=row["编码"],
        separator=row["分隔"],
        newline="\r\n" if row["换行"] == "crlf" else "\n",
        header=row["表头"] == "是",
        columns=dict(row["列"]),
        in_fen=row["金额单位"] == "分",
        head=row["批头"],
        foot=row["批尾"],
        returned={field: text for field, text in row["回盘"].items() if field != "成功"},
        success=frozenset(row["回盘"]["成功"]),
    )
