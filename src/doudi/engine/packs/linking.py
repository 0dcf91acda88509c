"""How government and charity go hand in hand, as the pack says (慈善衔接): limits, kinds of need, anonymity, columns.

All of it is the county's to set: no published document gives the days, the smallest cell or the list of kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file

FILE = "linkage.yaml"
NAME, ID_NUMBER, AIDED_ON, AMOUNT, KIND, WAY, WHAT, PROJECT, MONEY, CONSENT, COUNT = COLUMNS = (
    "姓名",
    "身份证号",
    "帮扶日期",
    "金额",
    "需求种类",
    "帮扶方式",
    "内容",
    "项目",
    "资金来源",
    "本人同意",
    "人数",
)
"""The fields of a member body's monthly workbook (备案表)."""


@dataclass(frozen=True)
class Term:
    """A word of the pack with its code, the ways people write it, and for kinds the public measures that count first.

    ``ages`` is the span of years by which the register can count a group, or who may have a kind of need; None where it
    cannot. ``broader`` is the class that a kind belongs to, '' for
    none.
    """

    code: str
    label: str
    label_en: str
    written: tuple[str, ...] = ()
    measures: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    ages: tuple[int, int] | None = None
    broader: str = ""


@dataclass(frozen=True)
class LinkageRules:
    """Days are working days where the name says so; ``smallest_cell`` is the k of k-anonymity in households."""

    file_workdays: int
    month_closes_on: int
    overlap_days: int
    most_rows: int
    kinds: Mapping[str, Term]
    broader_kinds: Mapping[str, Term]
    groups: Mapping[str, Term]
    money: Mapping[str, Term]
    tiers: Mapping[int, Term]
    smallest_cell: int
    known_months: int
    withdraw_workdays: int
    consent_months: int
    diseases: tuple[str, ...]
    keep_workdays: int
    remind_days: int
    columns: Mapping[str, tuple[str, ...]]
    benefits: Mapping[str, str] = field(default_factory=dict)
    """Code → name of the benefits that the same pack pays, for reading."""

    def public_label(self, code: str, label: str) -> str:
        """What an aid of the public hand is called: a benefit by its name and what follows, else as it was recorded."""
        return f"{self.benefits[code]} {label}".strip() if code in self.benefits else label

    def kind_word(self, code: str) -> Term | None:
        """The word of a kind of need, or of a class of kinds, under which a need is shown."""
        return self.kinds.get(code) or self.broader_kinds.get(code)

    def kinds_in(self, code: str) -> frozenset[str]:
        """The kinds of a class, or the kind itself."""
        within = frozenset(kind for kind, term in self.kinds.items() if term.broader == code)
        return within or frozenset({code})

    def meets(self, kind: str, *, measure: str, giver: str) -> bool:
        """Whether a public measure, or a department's answer without one, meets a kind of need."""
        term = self.kinds.get(kind)
        if term is None:
            return False
        return measure in term.measures if measure else giver in term.departments


def load_linkage(folder: Path) -> LinkageRules:
    """The rules of a pack folder: its own ``linkage.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, FILE, about="慈善衔接", code="linkage_missing"))


def _read(path: Path) -> LinkageRules:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        filing, publishing = raw["备案"], raw["发布"]
        found = LinkageRules(
            file_workdays=_days(filing, "时限工作日"),
            month_closes_on=_days(filing, "月结日"),
            overlap_days=_days(filing, "重叠天数"),
            most_rows=_days(filing, "表内最多行"),
            kinds=_terms(raw["需求种类"]),
            broader_kinds=_terms(raw.get("需求大类", [])),
            groups=_terms(raw["人群"]),
            money=_terms(raw["资金来源"]),
            tiers={int(row["级"]): Term(row["级"], row["名"], row["英"]) for row in raw["紧急等级"]},
            smallest_cell=_days(publishing, "最小户数"),
            # a pack from before kinds were counted has no months of its own: as long as a consent lasts
            known_months=_days(publishing, "记录月数" if "记录月数" in publishing else "同意最长月"),
            withdraw_workdays=_days(publishing, "撤回工作日"),
            consent_months=_days(publishing, "同意最长月"),
            diseases=tuple(publishing["病名"]),
            keep_workdays=_days(raw["认领"], "保留工作日"),
            remind_days=_days(raw["衔接跟踪"], "议定事项提前天"),
            columns={name: tuple(raw["备案表"][name]) for name in COLUMNS},
        )
        if found.month_closes_on > 28:
            raise ValueError("月结日须在 1 到 28 之间")
        if found.smallest_cell < 2:
            raise ValueError("最小户数至少为 2，一户的格子就是这一户本身")
        for code, term in found.kinds.items():
            if term.broader and term.broader not in found.broader_kinds:
                raise ValueError(f"需求种类 {code} 的大类")
        if set(found.kinds) & set(found.broader_kinds):
            raise ValueError("需求大类和需求种类的码不能相同")
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：慈善衔接的规则缺项或写法不对（{problem}）。请对照 packs/reference/{FILE}。",
            f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/{FILE}.",
            code="linkage_invalid",
        ) from None
    return found


def _days(section: Mapping[str, str], name: str) -> int:
    value = int(section[name])
    if value < 1:
        raise ValueError(f"{name} 须大于零")
    return value


def _terms(rows: list[dict[str, Any]]) -> dict[str, Term]:
    found = {}
    for row in rows:
        ages = tuple(int(age) for age in row["年龄"]) if "年龄" in row else None
        if ages is not None and (len(ages) != 2 or ages[0] > ages[1]):
            raise ValueError(f"年龄 {row['码']}")
        if row["码"] in found:
            raise ValueError(f"码 {row['码']} 写了两次")
        found[row["码"]] = Term(
            row["码"],
            row["名"],
            row["英"],
            tuple(row.get("说法", ())),
            frozenset(row.get("政府措施", ())),
            frozenset(row.get("部门", ())),
            (ages[0], ages[1]) if ages else None,
            row.get("大类", ""),
        )
    return found
