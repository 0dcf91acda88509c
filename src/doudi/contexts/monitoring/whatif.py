"""What if, for an office's own area: other numbers for everyone, and a warning's threshold put to the past (测算、回测).

In come changed parameters; out come figures. Nothing is kept and no warning changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from doudi.contexts.accounts.services import Act, Scope, User, may, record, require
from doudi.contexts.monitoring.models import Signal, WarningCase, WarningQuerySet
from doudi.contexts.registry import services as registry
from doudi.engine import screening
from doudi.engine.packs import Pack

HELPING = ("A", "B", "C", "D", "E", "H")
"""Results of a visit that ended in help (handbook 02 §2.7)."""
NAMED = 2_000
"""At most so many gainers and losers are listed."""
Changes = Mapping[tuple[str, str], str]


def simulate(
    pack: Pack, *, as_of: date, changes: Changes, by: User, region_code: str = ""
) -> screening.Simulation:
    """What other numbers would do to the households of the account's area, or of ``region_code`` within it.

    Households are named to those who may see them.
    """
    area = _area(by, region_code)
    named = ["；".join(f"{name}@{region}={value}" for (name, region), value in changes.items())]
    record(by=by, act=Act.SIMULATE, region_code=area, detail={"changes": named, "named": may_see_movers(by)})
    return screening.simulate(
        pack,
        registry.snapshots_on(pack.feeds, as_of),
        changes=changes,
        region=area,
        name_up_to=NAMED if may_see_movers(by) else 0,
    )


def _area(by: User, region_code: str) -> str:
    area = region_code or by.region_code
    require(by, Act.SIMULATE, region_code=area)
    return area


def may_see_movers(by: User) -> bool:
    """Whether the account sees which households gain and lose, or the sums alone."""
    return require(by, Act.SIMULATE) is not Scope.AGGREGATE and may(by, Act.VIEW_FINANCES)


@dataclass(frozen=True)
class Outcome:
    """What became of newly raised households: warnings opened, visited, and ended in help (已确认)."""

    warned: int = 0
    visited: int = 0
    helped: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.warned + other.warned, self.visited + other.visited, self.helped + other.helped)

    def to_json(self) -> dict[str, int]:
        return {"warned": self.warned, "visited": self.visited, "helped": self.helped}


@dataclass(frozen=True)
class TrialOutcome:
    """One value of a threshold with what happened to those it raises, by month.

    A household that the office was never warned of has no outcome: not unconfirmed, unknown.
    """

    trial: screening.Trial
    outcomes: Mapping[date, Outcome]

    @property
    def outcome(self) -> Outcome:
        return sum(self.outcomes.values(), Outcome())

    @property
    def precision(self) -> float | None:
        """Warnings that ended in help ÷ warnings visited; None before the first visit."""
        return self.outcome.helped / self.outcome.visited if self.outcome.visited else None

    def to_json(self) -> dict[str, Any]:
        told = self.trial.to_json()
        for row, outcome in zip(told["months"], self.outcomes.values(), strict=True):
            row |= outcome.to_json()
        return told | {"outcome": self.outcome.to_json(), "precision": self.precision}


@dataclass(frozen=True)
class BackTested:
    """A threshold's back-test joined with what the office's warnings came to."""

    test: screening.BackTest
    trials: tuple[TrialOutcome, ...]

    def to_json(self) -> dict[str, Any]:
        return self.test.to_json() | {"trials": [trial.to_json() for trial in self.trials]}


def back_test(
    pack: Pack,
    *,
    indicator: str,
    alternatives: Sequence[Changes],
    as_of: date,
    months: int = 12,
    by: User,
    region_code: str = "",
) -> BackTested:
    """Put a warning's threshold to the last whole months of the account's area, or of ``region_code`` within it.

    A warning with the indicator's code belongs to its household's latest rise in or before the month in which the code
    was first seen: files come late, so a rise of March may be seen in April. Only what was seen by ``as_of`` counts.
    """
    area = _area(by, region_code)
    test = screening.back_test(
        pack,
        registry.snapshots_on(pack.feeds, as_of),
        indicator=indicator,
        alternatives=alternatives,
        months=months,
        region=area,
    )
    inside = WarningCase.objects.visible_to(by).in_region(area)
    seen = _seen(indicator, test.months[0].replace(day=1), as_of, inside)
    return BackTested(test, tuple(TrialOutcome(trial, _outcomes(trial, seen)) for trial in test.trials))


def _seen(
    indicator: str, since: date, until: date, inside: WarningQuerySet
) -> dict[str, list[tuple[date, str]]]:
    """Household → (first seen, result of the visit) of those of its warnings that have a code."""
    found: dict[str, list[tuple[date, str]]] = {}
    rows = Signal.objects.filter(
        code=indicator,
        first_seen__range=(since, until),
        case__in=inside.order_by(),
    ).values_list("case__household_no", "first_seen", "case__result_code")
    for household_no, first_seen, result in rows:
        found.setdefault(household_no, []).append((first_seen, result))
    return found


def _outcomes(trial: screening.Trial, seen: Mapping[str, list[tuple[date, str]]]) -> dict[date, Outcome]:
    rises: dict[str, list[date]] = {}
    for month, numbers in trial.new.items():
        for number in numbers:
            if number in seen:
                rises.setdefault(number, []).append(month)
    outcomes = dict.fromkeys(trial.new, Outcome())
    for number, months in rises.items():
        for first_seen, result in seen[number]:
            at = bisect_right([month.replace(day=1) for month in months], first_seen)
            if at:
                outcomes[months[at - 1]] += Outcome(1, int(bool(result)), int(result in HELPING))
    return outcomes


def record_export(what: str, *, rows: int, detail: Mapping[str, Any], by: User) -> None:
    """One audit entry for figures that leave the house."""
    require(by, Act.SIMULATE)
    record(
        by=by,
        act="export_simulation",
        subject=what,
        region_code=by.region_code,
        detail={"rows": rows, **detail},
    )
