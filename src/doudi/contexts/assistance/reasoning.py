"""What a letter says of a decision (说理): clause, value and line from the report, and what would change the result.

The words are those of the report, computed by the pack's own rules; nothing is reckoned a second time here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from doudi.engine.packs import Pack
from doudi.engine.packs.procedures import Procedure
from doudi.engine.screening.grounds import grounds_of


@dataclass(frozen=True)
class Reasons:
    """What a report says for a kind: whether it supports it, the sentences, the sums they rest on."""

    supports: bool | None
    """None where data are missing: unknown is not no."""
    category: str
    sentence: str
    clauses: tuple[str, ...]
    changes: str
    income_fen: int | None
    counted: int | None
    advice: str


def reasons_of(content: Mapping[str, Any], kind: Procedure, pack: Pack) -> Reasons:
    """Read a report's content (its canonical form) for a kind of application."""
    situation = content["computed"]["situation"]
    said = {v["name"]: v for v in situation["variables"] if v["person"] is None}
    found = str(situation["category"])
    wanted = [c for c in pack.categories if c.code in kind.outcomes and c.condition is not None]
    told = [said[f"类别:{c.name}"] for c in wanted if f"类别:{c.name}" in said]
    verdicts = [entry["value"] for entry in told]
    supports: bool | None = found in kind.outcomes
    if not supports and (None in verdicts or found not in {c.code for c in pack.categories}):
        supports = None
    of_found = [
        said[f"类别:{c.name}"] for c in pack.categories if c.code == found and f"类别:{c.name}" in said
    ]
    holds = supports
    if supports:
        telling = [entry for entry in told if entry in of_found] or told
    elif told and all(entry["value"] is True for entry in told):
        # it would be of the kind, but a category that comes before it holds: that one is the reason
        telling, holds = of_found or told, True
    else:
        # 特困 is registered by people, not found by a screen: it only tells something where it holds
        telling = [
            entry for entry in told if entry["value"] is not True and not _registered_only(entry, pack)
        ] or told
    return Reasons(
        supports=supports,
        category=found,
        sentence="；".join(str(entry["sentence"]) for entry in telling),
        clauses=tuple(dict.fromkeys(str(entry["clause"]) for entry in telling if entry["clause"])),
        changes=_changes(telling, said, pack, holds=holds),
        income_fen=_whole(said.get(pack.figures.get("monthly_income", ""))),
        counted=_whole(said.get(pack.figures.get("counted_persons", ""))),
        advice=str(content["computed"]["advice"]["advice"]),
    )


def _registered_only(entry: Mapping[str, Any], pack: Pack) -> bool:
    highest = max((c.rank for c in pack.categories), default=0)
    return any(f"类别:{c.name}" == entry["name"] and c.rank == highest for c in pack.categories)


def _changes(
    telling: list[dict[str, Any]], said: Mapping[str, Any], pack: Pack, *, holds: bool | None
) -> str:
    """The conditions that stand against it (or carry it), each with its present value and clause."""
    grounds = grounds_of(pack, frozenset())
    lines: dict[str, None] = {}
    for entry in telling:
        for name in grounds[entry["name"]].inputs:
            variable = said.get(name)
            if variable is None or not isinstance(variable["value"], bool | None):
                continue
            if holds and variable["value"] is True:
                lines[f"“{name}”不再成立（现在：{variable['sentence']}；{variable['clause']}）"] = None
            elif not holds and variable["value"] is False:
                lines[f"“{name}”成立（现在：{variable['sentence']}；{variable['clause']}）"] = None
            elif not holds and variable["value"] is None:
                lines[f"“{name}”的数据到齐（现在：{variable['sentence']}）"] = None
    return "；".join(lines) + "。" if lines else ""


def _whole(variable: Mapping[str, Any] | None) -> int | None:
    """A value in whole fen (or persons), rounded down; None where it is not known."""
    if variable is None or variable["value"] is None:
        return None
    exact = Fraction(str(variable["value"]))
    return exact.numerator // exact.denominator
