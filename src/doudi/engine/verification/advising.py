"""The advice of a report: 符合, 不符合 or 需入户核实 against local limits, never a decision (handbook 03 §3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doudi.engine.packs import Pack
from doudi.engine.screening import Explained
from doudi.engine.verification.comparing import MATERIAL, UNDECLARED, Difference
from doudi.engine.verification.declarations import Purpose
from doudi.engine.verification.evidence import Situation

FITS, FITS_NOT, VISIT = "符合", "不符合", "需入户核实"


@dataclass(frozen=True)
class Advice:
    """The advice with its reasons, each a sentence for the family, and the clauses it rests on."""

    advice: str
    reasons: tuple[str, ...]
    clauses: tuple[str, ...]


def advise(pack: Pack, purpose: Purpose, situation: Situation, differences: Sequence[Difference]) -> Advice:
    """What the finding means for the purpose; whatever is undecided, held or unexplained sends a person to look."""
    open_points = [
        f"{d.item}与申报差异{d.grade}，须申请人说明" for d in differences if d.grade in (MATERIAL, UNDECLARED)
    ]
    open_points += [
        f"有{rows}条记录证件号相同而姓名不同（{feed}），须人工核对" for feed, rows in situation.held.items()
    ]
    conditions = _conditions(purpose, situation, pack)
    failed = [told for told in conditions if told.value is False]
    clauses = tuple(dict.fromkeys([purpose.clause, *[told.clause for told in conditions if told.clause]]))
    holds = _holds(purpose, situation, pack)
    if holds is None:
        undecided = [f"{told.name}待核" for told in conditions if told.value is None]
        return Advice(VISIT, (*undecided, *open_points), clauses)
    if holds and not open_points:
        met = tuple(told.sentence for told in conditions if told.value is True)
        return Advice(FITS, met or (situation.explanation.paragraph,), clauses)
    if holds:
        return Advice(VISIT, tuple(open_points), clauses)
    reasons = tuple(dict.fromkeys(told.sentence for told in failed)) or (situation.explanation.paragraph,)
    return Advice(FITS_NOT, (*reasons, *open_points), clauses)


def _holds(purpose: Purpose, situation: Situation, pack: Pack) -> bool | None:
    """Whether a category of the purpose holds, whatever the categories below it may still be; None: not decided."""
    told = {found.name: found.value for found in situation.explanation.variables if found.member is None}
    names = [category.name for category in pack.categories if category.code in purpose.categories]
    values = [told.get(f"类别:{name}") for name in names]
    if True in values:
        return True
    return None if None in values else False


def _conditions(purpose: Purpose, situation: Situation, pack: Pack) -> list[Explained]:
    """The conditions of the purpose's own category that a sentence is written for, in the order they are met."""
    told = {found.name: found for found in situation.explanation.variables if found.member is None}
    wanted = next(category for category in pack.categories if category.code == purpose.categories[-1])
    conditions: list[Explained] = []

    def walk(name: str) -> None:
        found = told.get(name)
        if found is None or found in conditions:
            return
        if name in pack.variables and pack.variables[name].missed:
            conditions.append(found)
        for inner in found.inputs:
            walk(inner)

    walk(f"类别:{wanted.name}")
    return conditions
