"""Levels of a household's warnings (预警等级): merging, escalation, muting and waking, without a database.

Handbook 02 §2.4: the highest of the open signals; different signals of one colour within the pack's days make the
next colour; within the window of leaving assistance one level more; downward signals never touch the upward level.
What the numbers are lies in the pack (``等级合并``, ``处置规则``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any

from doudi.contexts.monitoring.models import LEVELS
from doudi.engine.packs import Pack
from doudi.engine.packs.handling import Handling
from doudi.engine.packs.model import MergeRule
from doudi.engine.packs.units import Kind

Amounts = Mapping[str, int | None]
"""How much a signal is for each person (blind index; '' for the household as a whole), in fen or a count."""
HOUSEHOLD = ""


@dataclass(frozen=True)
class Found:
    """One signal as a screen found it."""

    code: str
    level: str
    up: bool
    amounts: Amounts = field(default_factory=lambda: {HOUSEHOLD: None})
    observed_on: date | None = None
    """The date the data speak of: the newest file of the indicator's sources."""
    in_fen: bool = False
    name_differs: bool = False
    """The ID is the person's, the name in the source differs by a variant character: for a person to compare."""

    @property
    def value(self) -> int | None:
        """The largest of its amounts."""
        return max((amount for amount in self.amounts.values() if amount is not None), default=None)


@dataclass(frozen=True)
class Mute:
    """What was judged and closed: the level and amount of one signal of one person."""

    level: str
    amount: int | None


Mutes = Mapping[tuple[str, str], Mute]
"""(code, person) → what is muted; the person '' stands for everybody of the household."""


@dataclass(frozen=True)
class Freshness:
    """What a screen's sources are worth: per indicator the date its data speak of, and whether they are too old."""

    observed_on: Mapping[str, date]
    stale: frozenset[str]
    """Indicators all of whose sources are late: what they say is no longer known."""
    doubtful: frozenset[str]
    """Indicators one of whose sources is late: that they are not raised is no longer known."""
    different_names: Mapping[str, Set[int]] = field(default_factory=dict)
    """Per indicator the person keys whom a source names otherwise than the register."""


def signals_of(
    row: Mapping[str, Any], pack: Pack, freshness: Freshness, people: Mapping[int, str]
) -> list[Found]:
    """The signals of one result row, those that rest on late sources alone left out."""
    found = []
    for code in row["warnings"]:
        if code in freshness.stale:
            continue
        indicator = pack.indicators[code]
        told = row["details"].get(code) or {None: None}
        amounts = {
            HOUSEHOLD if key is None else people.get(key, HOUSEHOLD): value for key, value in told.items()
        }
        found.append(
            Found(
                code=code,
                level=row["warning_levels"].get(code, "none"),
                up=indicator.up,
                amounts=amounts,
                observed_on=freshness.observed_on.get(code),
                in_fen=indicator.value is not None and indicator.value.kind is Kind.MONEY,
                name_differs=bool(freshness.different_names.get(code, set()) & told.keys()),
            )
        )
    return found


def unknown_of(row: Mapping[str, Any], freshness: Freshness) -> dict[str, str]:
    """Indicators that are neither raised nor ruled out for a household, and why: ``late`` or ``undecided``."""
    unknown = dict.fromkeys(row["undecided"], "undecided")
    raised = set(row["warnings"])
    unknown.update(dict.fromkeys(freshness.doubtful - raised, "late"))
    unknown.update(dict.fromkeys(freshness.stale, "late"))
    return unknown


def awake(signals: Iterable[Found], mutes: Mutes, growth: Fraction) -> list[Found]:
    """The signals that are not muted, each narrowed to the persons for whom it is not.

    A muted one wakes when its amount has grown by ``growth`` or its level has risen since it was judged.
    """
    waking = []
    for signal in signals:
        amounts = {
            person: amount
            for person, amount in signal.amounts.items()
            if _wakes(
                signal,
                amount,
                mutes.get((signal.code, person)) or mutes.get((signal.code, HOUSEHOLD)),
                growth,
            )
        }
        if amounts:
            waking.append(replace(signal, amounts=amounts))
    return waking


def _wakes(signal: Found, amount: int | None, mute: Mute | None, growth: Fraction) -> bool:
    if mute is None or LEVELS.index(signal.level) > LEVELS.index(mute.level):
        return True
    if amount is None or mute.amount is None:
        return False
    return amount > mute.amount and amount >= mute.amount * (1 + growth)


def levels_of(signals: Sequence[Found], pack: Pack, handling: Handling) -> tuple[str, str]:
    """The upward level and the downward risk level of a household with these open signals."""
    risk = max((s.level for s in signals if not s.up), key=LEVELS.index, default="none")
    up = [s for s in signals if s.up and s.level != "none"]
    level = max((s.level for s in up), key=LEVELS.index, default="none")
    for rule in pack.merge_rules:
        if _merges(up, rule, handling.merge_days):
            level = max(level, rule.becomes, key=LEVELS.index)
    if level != "none" and any(s.up and pack.indicators[s.code].raises_level for s in signals):
        level = LEVELS[min(LEVELS.index(level) + 1, len(LEVELS) - 1)]
    return level, risk


def _merges(signals: Sequence[Found], rule: MergeRule, days: int) -> bool:
    """Whether enough different signals of the rule's colour lie within so many days of one another."""
    of_colour = {s.code: s.observed_on for s in signals if s.level == rule.of}
    undated = sum(1 for when in of_colour.values() if when is None)
    dates = sorted(when for when in of_colour.values() if when is not None)
    return any(
        undated + sum(1 for when in dates if 0 <= (when - first).days <= days) >= rule.count
        for first in dates or [date.min]
    )


def freshness(
    pack: Pack,
    dates: Mapping[str, date | None],
    late: Iterable[str],
    as_of: date,
    different_names: Mapping[str, Set[int]],
) -> Freshness:
    """What the receipts of a date mean for each indicator of a pack.

    ``dates`` is the date of each feed's newest data, ``late`` the feeds that are too old. A feed that never came is
    the engine's to tell: its indicators are undecided there.
    """
    too_old = set(late)
    differing: dict[str, set[int]] = {}
    observed: dict[str, date] = {}
    stale, doubtful = set(), set()
    for code in pack.indicators:
        differing[code] = set().union(*(different_names.get(feed, ()) for feed in pack.feeds_of(code)))
        arrived = {feed for feed in pack.feeds_of(code) if dates.get(feed) is not None}
        observed[code] = max((when for feed in arrived if (when := dates[feed]) is not None), default=as_of)
        if arrived & too_old:
            doubtful.add(code)
            if arrived <= too_old:
                stale.add(code)
    return Freshness(observed, frozenset(stale), frozenset(doubtful), differing)
