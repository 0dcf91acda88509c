"""How applications are handled, as the pack says (申请办理规程): kinds, steps, limits, papers, notices, letters.

Limits differ by place: a region's own row lies over the kind's. All of it is data; the code knows no day and no paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.clocks import Clock, Pause, Unit
from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file
from doudi.engine.packs.units import parse_quantity

FILE = "procedures.yaml"
VERIFY, VISIT, NOTICE, TRANSFER = STEPS = ("核对", "入户", "公示", "转办")
LETTERS = ("回执", "受理", "一次性告知", "确认", "不予确认", "停发", "变更")
WORDS = frozenset(
    {"姓名", "户编号", "事项", "编号", "申请日", "受理日", "时限", "查询码", "缺件", "文号", "原文号", "对象", "起", "止",
     "金额", "理由", "依据", "改变", "复议"}
)  # fmt: skip
"""What a letter's paragraphs may name in braces."""
_LIMIT = re.compile(r"(\d{1,3})(工|天)")
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Limit:
    """A limit of a step, counted from the day after it begins."""

    amount: int
    unit: Unit

    @property
    def told(self) -> str:
        return f"{self.amount}{'个工作日' if self.unit is Unit.WORKDAYS else '天'}"

    def due_on(self, began: datetime, pauses: tuple[Pause, ...] = ()) -> Any:
        """The last day, with the days left out on which the clock stood still."""
        return Clock(began, self.amount, self.unit, time(17, 30), pauses).due_on


@dataclass(frozen=True)
class PaperAsked:
    """A paper that an application needs (材料)."""

    code: str
    label: str
    label_en: str
    required: bool


@dataclass(frozen=True)
class Procedure:
    """One kind of application (事项) with its steps and limits, as they hold in one region."""

    code: str
    label: str
    label_en: str
    layer: str
    department: str
    category: str
    """The label of the register that a positive decision gives; '' where it gives none."""
    benefit: str
    """The benefit of ``benefits.yaml`` that a positive decision is paid as; '' for a mere recognition."""
    outcomes: tuple[str, ...]
    """Categories of a report (codes of the pack) that support a positive decision."""
    purpose: str
    steps: tuple[str, ...]
    investigators: int
    notice_days: int
    notice_after: bool
    """The notice follows the aid (救助后公示) instead of preceding the decision."""
    delegated: bool
    """The township decides on the county's delegation (委托乡镇确认)."""
    small_fen: int
    """Sums up to this the township decides itself (小额); 0 where there is none."""
    months: int
    times_a_year: int
    aid_first: bool
    alone: bool
    valid_months: int
    limits: Mapping[str, Limit]
    papers: tuple[PaperAsked, ...]
    clause: str

    @property
    def transfers(self) -> bool:
        """Another department is responsible; the window takes the application and hands it on."""
        return TRANSFER in self.steps

    @property
    def once(self) -> bool:
        """A single sum instead of a monthly allowance (一次性)."""
        return self.months > 0

    def most_fen(self, standard_fen: int, persons: int) -> int:
        """The ceiling of one single sum in fen: standard × persons × months (手册 04 §4.1)."""
        return standard_fen * persons * self.months

    def limit(self, name: str) -> Limit | None:
        return self.limits.get(name)


@dataclass(frozen=True)
class AloneRule:
    """Who may apply for the allowance alone (单人保): the family's category first, then the person's own hardship."""

    categories: tuple[str, ...]
    grades: tuple[tuple[str, frozenset[int]], ...]
    illness: bool
    clause: str

    def may(
        self, *, family: str, disability: str = "", grade: int | None = None, illness: bool = False
    ) -> bool:
        """Whether a member of a family of category ``family`` (a code) may apply without the family being counted."""
        if family not in self.categories:
            return False
        if illness and self.illness:
            return True
        return grade is not None and any(
            grade in grades and kind in ("任何", disability) for kind, grades in self.grades
        )


@dataclass(frozen=True)
class Letter:
    """A letter's title and paragraphs, with names of :data:`WORDS` in braces (文书)."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Procedures:
    """The kinds of application of a pack with what is common to them."""

    kinds: Mapping[str, Procedure]
    regional: tuple[tuple[str, frozenset[str], Mapping[str, Limit], str], ...]
    alone: AloneRule
    sample_share: Fraction
    sample_least: int
    sample_limit: Limit
    """By when a sampled household is visited, from the draw (抽查入户期限)."""
    longest_pause: int
    review_words: str
    letters: Mapping[str, Letter]
    exclusive: tuple[tuple[str, ...], ...]
    """Groups of measures of which a person has one at a time (互斥)."""
    standard: str
    """The parameter of which months make the ceiling of a single sum (一次性救助上限)."""

    def of(self, code: str, region_code: str) -> Procedure:
        """The kind as it holds in a region: the longest prefix that says otherwise lies over the kind's own."""
        kind = self.kinds.get(code)
        if kind is None:
            known = "、".join(f"{k.code}（{k.label}）" for k in self.kinds.values())
            raise DoudiError(
                f"没有“{code}”这个事项。可选：{known}。", f"No such kind: {code}.", code="kind_unknown"
            )
        own = [row for row in self.regional if region_code.startswith(row[0]) and code in row[1]]
        for _prefix, _codes, limits, clause in sorted(own, key=lambda row: len(row[0])):
            kind = replace(kind, limits={**kind.limits, **limits}, clause=f"{kind.clause}；{clause}")
        return kind


def load_procedures(folder: Path) -> Procedures:
    """The procedures of a pack folder: its own file, or that of the nearest layer below it."""
    return _read(nearest_file(folder, FILE, about="申请办理规程", code="procedures_missing"))


def _read(path: Path) -> Procedures:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        papers = {
            row["码"]: PaperAsked(row["码"], row["名"], row["英"], row["必交"] == "是")
            for row in raw["材料名"]
        }
        kinds = {row["码"]: _kind(row, papers) for row in raw["事项"]}
        alone = raw["单人保"]
        share = parse_quantity(raw["抽查"]["比例"], "%")
        if share is None or not 0 < share <= 1:
            raise ValueError(f"抽查比例 {raw['抽查']['比例']}")
        return Procedures(
            kinds=kinds,
            regional=tuple(
                (row["地区"], frozenset(_known(row["事项"], kinds)), _limits(row["时限"]), row["依据"])
                for row in raw.get("地区另定", [])
            ),
            alone=AloneRule(
                categories=tuple(alone["户类别"]),
                grades=tuple((row["类"], frozenset(int(g) for g in row["级"])) for row in alone["残疾"]),
                illness=alone["重病"] == "是",
                clause=alone["依据"],
            ),
            sample_share=share,
            sample_least=int(raw["抽查"]["最少"]),
            sample_limit=_limits({"入户期限": raw["抽查"].get("入户期限", "15工")})["入户期限"],
            longest_pause=int(raw["中止最长"]["天数"]),
            review_words=raw["复议"],
            letters={name: _letter(raw["文书"][name]) for name in LETTERS},
            exclusive=tuple(tuple(group) for group in raw.get("互斥措施", [])),
            standard=raw["标准"],
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：申请办理规程缺项或写法不对（{problem}）。请对照 packs/reference/{FILE}。",
            f"{path}: a procedure is missing or malformed ({problem}); compare packs/reference/{FILE}.",
            code="procedures_invalid",
        ) from None


def _plain(value: Any) -> Any:
    """A number as it is written, or that of ``{为: …, 标: 假定}``."""
    return value["为"] if isinstance(value, Mapping) else value


def _kind(row: Mapping[str, Any], papers: Mapping[str, PaperAsked]) -> Procedure:
    row = {name: value if name in ("时限", "出处") else _plain(value) for name, value in row.items()}
    if strange := set(row["步骤"]) - set(STEPS):
        raise ValueError(f"{row['码']} 步骤 {'、'.join(strange)}")
    small = parse_quantity(row["小额"], "元") if row.get("小额") else Fraction(0)
    if small is None:
        raise ValueError(f"{row['码']} 小额 {row['小额']}")
    return Procedure(
        code=row["码"],
        label=row["名"],
        label_en=row["英"],
        layer=row["层"],
        department=row["部门"],
        category=row.get("类别", ""),
        benefit=row.get("待遇", ""),
        outcomes=tuple(row.get("结论", ())),
        purpose=row.get("核对用途", ""),
        steps=tuple(row["步骤"]),
        investigators=int(row.get("入户人数", "0")),
        notice_days=int(row.get("公示天数", "0")),
        notice_after=row.get("公示") == "救助后",
        delegated=row.get("确认") == "委托乡镇",
        small_fen=int(small),
        months=int(row.get("月数上限", "0")),
        times_a_year=int(row.get("年次数", "0")),
        aid_first=row.get("先行救助") == "是",
        alone=row.get("单人") == "是",
        valid_months=int(row.get("有效月数") or "0"),
        limits=_limits(row["时限"]),
        papers=tuple(papers[code] for code in row["材料"]),
        clause=row["依据"],
    )


def _known(codes: list[str], kinds: Mapping[str, Procedure]) -> list[str]:
    return [kinds[code].code for code in codes]


def _limits(raw: Mapping[str, Any]) -> dict[str, Limit]:
    found = {}
    for name, written in raw.items():
        text = _plain(written)
        read = _LIMIT.fullmatch(text.strip())
        if read is None:
            raise ValueError(f"时限 {name} {text}（写成 30工 或 7天）")
        found[name] = Limit(int(read[1]), Unit.WORKDAYS if read[2] == "工" else Unit.DAYS)
    return found


def _letter(raw: Mapping[str, Any]) -> Letter:
    paragraphs = tuple(raw["段"])
    if strange := {name for text in paragraphs for name in _BRACES.findall(text)} - WORDS:
        raise ValueError(f"文书里不认识的词 {'、'.join(sorted(strange))}")
    return Letter(raw["题"], paragraphs)


def filled(text: str, words: Mapping[str, str]) -> str:
    """A paragraph with its words put in."""
    return _BRACES.sub(lambda found: words.get(found[1], ""), text)
