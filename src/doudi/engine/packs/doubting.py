"""What an audit asks of those who are paid, as the pack says: kinds of doubt, clocks, conclusions (疑点核查规则).

A kind's condition is a formula of the pack itself, so the screen's own compiled query answers it; how the overpaid
months are counted is one of a few named ways. All of it is the county's to set (marked assumed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.engine.packs.layers import read_stack
from doudi.engine.packs.loading import build_pack
from doudi.engine.packs.model import Pack
from doudi.engine.packs.problems import Report
from doudi.engine.packs.source import Node, read_file
from doudi.engine.packs.terms import PERSON
from doudi.engine.workdays import add_workdays

FROM_NEXT_MONTH, SAME_MONTH, BY_HAND = "次月起", "重复月", "人工核定"
_WAYS = (FROM_NEXT_MONTH, SAME_MONTH, BY_HAND)
TWO_COUNTIES = "两县在册"


@dataclass(frozen=True)
class DatedColumn:
    """A date column of a feed; ``when`` keeps the rows in which a column has a value."""

    feed: str
    column: str
    when: tuple[str, str] | None = None


@dataclass(frozen=True)
class DoubtKind:
    """One kind of doubt (疑点种类)."""

    code: str
    label: str
    label_en: str
    of_person: bool
    variable: str
    """The derived pack's variable that holds where the doubt is; '' for a comparison that the engine knows."""
    comparison: str
    begins: tuple[DatedColumn, ...]
    ends: DatedColumn | None
    counting: str
    """How overpaid months are counted: ``次月起``, ``重复月``, or ``人工核定`` (a person sets the sum)."""
    programme: str
    """With ``重复月``: the programme whose payments of that month are counted as overpaid."""
    facts: tuple[str, ...]
    """Feeds whose rows are shown as what the doubt stands on."""
    clause: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Conclusion:
    """What a check may come to (核查结论) and what it asks for."""

    code: str
    label: str
    label_en: str
    recover: bool
    stop: bool
    hearing: bool
    """The family must have been heard before it stands (停发、追缴前须听取陈述)."""
    checkers: int


@dataclass(frozen=True)
class StopRule:
    """When a death proposes that payment stops, and for whom."""

    workdays: int
    deaths: tuple[DatedColumn, ...]
    """Where a death is reported and on which date, the surest source first."""
    categories: tuple[str, ...]

    def due(self, opened: date) -> date:
        return add_workdays(opened, self.workdays)


@dataclass(frozen=True)
class DoubtRules:
    """The doubt rules of a pack, with the pack in which their conditions are variables."""

    pack: Pack
    kinds: Mapping[str, DoubtKind]
    conclusions: Mapping[str, Conclusion]
    paid_feed: str
    paid_on: str
    paid_sum: str
    paid_programme: str
    programmes: tuple[str, ...]
    """Programmes paid month by month, whose payments count (按月待遇)."""
    months_back: int
    assign_workdays: int
    check_workdays: int
    review_workdays: int
    stop: StopRule

    def check_due(self, assigned: date) -> date:
        return add_workdays(assigned, self.check_workdays)

    def assign_due(self, found: date) -> date:
        return add_workdays(found, self.assign_workdays)

    def review_due(self, checked: date) -> date:
        return add_workdays(checked, self.review_workdays)


def load_doubts(folder: Path) -> DoubtRules:
    """The doubt rules of a pack folder: its own ``doubts.yaml``, or that of the nearest layer below it."""
    report = Report()
    stack = read_stack(folder, report)
    for layer in reversed(stack.layers):
        path = layer.folder / "doubts.yaml"
        if path.is_file():
            shown = "doubts.yaml" if layer is stack.top else f"{layer.name}:doubts.yaml"
            node = read_file(path, shown, report)
            report.raise_if_any()
            assert node is not None
            break
    else:
        raise DoudiError(
            f"{folder} 和它的上级里都没有 doubts.yaml（疑点核查规则）。请从 packs/reference 复制一份修改。",
            f"Neither {folder} nor its parents hold a doubts.yaml; copy the one of packs/reference and change it.",
            code="doubts_missing",
        )
    try:
        kinds = node.get("疑点")
        assert kinds is not None
        for kind in kinds.elements():
            if kind.get("条件") is not None:
                stack.maps.setdefault("变量", {}).update(_conditions(kind))
        cases = node.get("例")
        stack.cases.extend(cases.elements() if cases is not None else [])
        pack = build_pack(stack, report)
        return _read(node, pack)
    except (KeyError, ValueError, AssertionError, AttributeError) as problem:
        raise DoudiError(
            f"{path}：疑点规则缺项或写法不对（{problem}）。请对照 packs/reference/doubts.yaml。",
            f"{path}: a doubt rule is missing or malformed ({problem}); compare packs/reference/doubts.yaml.",
            code="doubts_invalid",
        ) from None


def _conditions(kind: Node) -> dict[str, Node]:
    """The condition of a kind as variables of the pack: the person's where it is of a person, and the household's."""
    condition, clause = kind.get("条件"), kind.get("依据")
    assert condition is not None and clause is not None, "依据"
    of_person = kind.text_of("对象") == "人员"

    def word(text: str) -> Node:
        return Node(text, condition.file, condition.line)

    def variable(entity: str, formula: Node) -> Node:
        parts = {"对象": word(entity), "类型": word("是否"), "依据": clause, "公式": formula}
        return Node(parts, condition.file, condition.line)

    code = kind.text_of("码")
    if not of_person:
        return {f"有疑点{code}": variable("家庭", condition)}
    return {
        f"疑点{code}": variable("人员", condition),
        f"有疑点{code}": variable("家庭", word(f"任一成员(疑点{code})")),
    }


def _read(node: Node, pack: Pack) -> DoubtRules:
    raw = node.plain()
    paid = {key: _column(pack, raw["发放数据"][key]) for key in ("列", "金额", "项目")}
    stop = raw["停发建议"]
    return DoubtRules(
        pack=pack,
        kinds={row["码"]: _kind(row, pack) for row in raw["疑点"]},
        conclusions={
            row["码"]: Conclusion(
                code=row["码"],
                label=row["名"],
                label_en=row["英"],
                recover=row["追缴"] == "是",
                stop=row["停发"] == "是",
                hearing=row["须陈述"] == "是",
                checkers=int(row["核查人数"]),
            )
            for row in raw["结论"]
        },
        paid_feed=paid["列"].feed,
        paid_on=paid["列"].column,
        paid_sum=paid["金额"].column,
        paid_programme=paid["项目"].column,
        programmes=tuple(raw["按月待遇"]),
        months_back=int(raw["回看月数"]),
        assign_workdays=int(raw["核查时限"]["派单"]),
        check_workdays=int(raw["核查时限"]["核查"]),
        review_workdays=int(raw["核查时限"]["复核"]),
        stop=StopRule(
            int(stop["时限"]), tuple(_dated(pack, row) for row in stop["死亡"]), tuple(stop["类别"])
        ),
    )


def _kind(row: dict[str, Any], pack: Pack) -> DoubtKind:
    of_person = row["对象"] == "人员"
    counting = row["多发"]
    if counting not in _WAYS:
        raise ValueError(f"{row['码']} 多发: {counting}；可用 {'、'.join(_WAYS)}")
    if (row.get("比对") or TWO_COUNTIES) != TWO_COUNTIES or not (row.get("比对") or row.get("条件")):
        raise ValueError(f"{row['码']} 须写条件，或 比对: {TWO_COUNTIES}")
    begins = tuple(_dated(pack, found) for found in row.get("起", ()))
    variable = f"{'' if of_person else '有'}疑点{row['码']}" if row.get("条件") else ""
    assert not variable or (pack.variables[variable].entity == PERSON) == of_person
    return DoubtKind(
        code=row["码"],
        label=row["名"],
        label_en=row["英"],
        of_person=of_person,
        variable=variable,
        comparison=row.get("比对", ""),
        begins=begins,
        ends=_dated(pack, row["止"]) if row.get("止") else None,
        counting=counting,
        programme=row["多发项目"] if counting == SAME_MONTH else "",
        facts=tuple(
            dict.fromkeys(
                [*(_feed(pack, name) for name in row.get("事实", ())), *(found.feed for found in begins)]
            )
        ),
        clause=row["依据"],
        evidence=tuple(row["证据"]),
    )


def _dated(pack: Pack, row: dict[str, str]) -> DatedColumn:
    found = _column(pack, row["列"])
    if not row.get("当"):
        return found
    spec = pack.feeds[found.feed]
    when = next(column.name for column in spec.columns if column.label == row["当"])
    return DatedColumn(found.feed, found.column, (when, row["为"]))


def _column(pack: Pack, written: str) -> DatedColumn:
    label, _dot, header = written.partition(".")
    feed = _feed(pack, label)
    found = [column.name for column in pack.feeds[feed].columns if column.label == header]
    if not found:
        raise ValueError(f"数据“{label}”没有列“{header}”")
    return DatedColumn(feed, found[0])


def _feed(pack: Pack, label: str) -> str:
    for spec in pack.feeds.values():
        if label in (spec.label, spec.name):
            return str(spec.name)
    raise ValueError(f"没有叫“{label}”的部门数据")
