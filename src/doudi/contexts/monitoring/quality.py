"""How well the warnings work (监测质量, handbook 02 §2.7): precision, coverage, timeliness, the loop, silent villages.

In come a period and who asks; out come figures of the asker's area, each as a numerator and a denominator with the
list of cases behind it, by indicator and by township. A figure without a denominator is not known; it is not 0 %.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db.models import Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.monitoring.models import Signal, Visit, WarningCase
from doudi.contexts.monitoring.whatif import HELPING
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling

MEASURES = {
    "precision": "预警准确率",
    "coverage": "预警覆盖率",
    "timeliness": "核实及时率",
    "loop": "推送反馈率",
}
LISTED = ("yes", "no")


_LONGEST_LIMIT = timedelta(days=120)
"""A visit is due at most so long after the dispatch (30 working days and the holidays between)."""


class PeriodInvalid(DoudiError):
    """The period ends before it begins, or is longer than two years."""

    code = "period_invalid"


@dataclass(frozen=True)
class Item:
    """One case, newly recognised household or referral that a figure counts: where it is, whether it counts above too."""

    number: str
    """The number of the warning, household or referral."""
    household_no: str
    region_code: str
    codes: tuple[str, ...]
    """Indicators raised, for the figures by indicator; none where a figure knows no indicator."""
    on: date
    counts: bool
    """Whether it stands in the numerator."""


@dataclass
class Figure:
    """One figure: ``above`` ÷ ``below``; None where nothing stands below."""

    items: list[Item] = field(default_factory=list)

    @property
    def below(self) -> int:
        return len(self.items)

    @property
    def above(self) -> int:
        return sum(item.counts for item in self.items)

    @property
    def share(self) -> float | None:
        return self.above / self.below if self.items else None


@dataclass(frozen=True)
class Quality:
    """The figures of an area and a period, as a whole, by township and by indicator."""

    first: date
    last: date
    whole: Mapping[str, Figure]
    by_township: Mapping[str, Mapping[str, Figure]]
    by_code: Mapping[str, Mapping[str, Figure]]
    silent: tuple[tuple[str, int], ...]
    """Villages of the register with households and without one warning in the period: code, households."""
    village_unknown: int
    """Households of which the register names no village: whether theirs is silent is not known."""


def period(first: date | None, last: date | None, *, today: date) -> tuple[date, date]:
    """The period asked for; without one the twelve months up to today."""
    last = last or today
    first = first or last - timedelta(days=364)
    if first > last or (last - first).days > 731:
        raise PeriodInvalid(
            "统计期间的起止日期不对：起不能晚于止，最长两年。",
            "The period must begin before it ends and last two years at most.",
        )
    return first, last


def quality(
    *,
    first: date,
    last: date,
    by: User,
    handling: Handling,
    recognised: Iterable[tuple[str, str, date]],
    referrals: Iterable[tuple[str, str, str, date, bool]],
    villages: Mapping[str, int],
    village_of: Callable[[list[str]], Mapping[str, str]],
) -> Quality:
    """Count a period for the asker's area.

    What lies in other contexts is given by the caller, already narrowed to the area: ``recognised`` are newly
    recognised households (number, responsible area, date), ``referrals`` pushes (number, warning, area, sent on,
    answered), ``villages`` the households of each village, ``village_of`` the village of a household by its number.
    """
    require(by, Act.VIEW_QUALITY)
    recognised = [row for row in recognised if first <= row[2] <= last]
    referrals = [row for row in referrals if first <= row[3] <= last]
    cases = _cases(by, first, last, {row[0] for row in recognised}, {row[1] for row in referrals})
    figures = {
        "precision": Figure(_precision(cases, first, last)),
        "coverage": Figure(_coverage(cases, recognised, first, last)),
        "timeliness": Figure(_timeliness(cases, first, last, handling)),
        "loop": Figure(_loop(cases, referrals, first, last)),
    }
    # a dispatched warning bears the township's code, so the village is that of the household
    opened = [case.household_no for case in cases.values() if first <= case.opened_on <= last]
    spoke = set(village_of(sorted(set(opened))).values())
    return Quality(
        first,
        last,
        figures,
        _split(figures, lambda item: (item.region_code[:9],)),
        _split(figures, lambda item: item.codes),
        tuple(
            sorted((code, count) for code, count in villages.items() if len(code) == 12 and code not in spoke)
        ),
        sum(count for code, count in villages.items() if len(code) < 12),
    )


@dataclass(frozen=True)
class _Case:
    number: str
    household_no: str
    region_code: str
    urgency: str
    opened_on: date
    dispatched_on: date | None
    first_visit: date | None
    result_code: str
    result_on: date | None
    codes: tuple[str, ...]


def _cases(by: User, first: date, last: date, households: set[str], numbers: set[str]) -> dict[str, _Case]:
    """The warnings of the area that the period's figures speak of, with visits, last result and indicators."""
    seen = WarningCase.objects.visible_to(by).filter(
        Q(opened_on__range=(first, last))
        | Q(pk__in=Visit.objects.filter(visited_on__range=(first, last)).values("case"))
        | Q(dispatched_at__date__range=(first - _LONGEST_LIMIT, last))
        | Q(household_no__in=households)
        | Q(number__in=numbers)
    )
    codes: dict[int, list[str]] = defaultdict(list)
    for case_id, code in (
        Signal.objects.filter(case__in=seen).order_by("code").values_list("case_id", "code").distinct()
    ):
        codes[case_id].append(code)
    visits: dict[int, list[tuple[date, str]]] = defaultdict(list)
    for case_id, on, result in (
        Visit.objects.filter(case__in=seen).order_by("pk").values_list("case_id", "visited_on", "result_code")
    ):
        visits[case_id].append((on, result))
    return {
        case.number: _Case(
            case.number,
            case.household_no,
            case.region_code,
            case.urgency,
            case.opened_on,
            timezone.localdate(case.dispatched_at) if case.dispatched_at else None,
            min((on for on, _result in visits[case.pk]), default=None),
            case.result_code,
            visits[case.pk][-1][0] if visits[case.pk] else None,
            tuple(codes[case.pk]),
        )
        for case in seen.iterator(chunk_size=2000)
    }


def _item(case: _Case, on: date, *, counts: bool) -> Item:
    return Item(case.number, case.household_no, case.region_code, case.codes, on, counts)


def _precision(cases: Mapping[str, _Case], first: date, last: date) -> list[Item]:
    """Warnings leading to A–E or H ÷ warnings visited in the period."""
    return [
        _item(case, case.result_on, counts=case.result_code in HELPING)
        for case in cases.values()
        if case.result_on is not None and first <= case.result_on <= last
    ]


def _timeliness(cases: Mapping[str, _Case], first: date, last: date, handling: Handling) -> list[Item]:
    """Visited within the limit ÷ due in the period; the limit counts working days from the dispatch."""
    found = []
    for case in cases.values():
        if case.dispatched_on is None:
            continue
        due = handling.limits_of(case.urgency).visit_due(case.dispatched_on)
        if first <= due <= last:
            found.append(_item(case, due, counts=case.first_visit is not None and case.first_visit <= due))
    return found


def _coverage(
    cases: Mapping[str, _Case], recognised: Iterable[tuple[str, str, date]], first: date, last: date
) -> list[Item]:
    """New cases that had an earlier warning ÷ all newly recognised in the period."""
    warned: dict[str, list[_Case]] = defaultdict(list)
    for case in cases.values():
        warned[case.household_no].append(case)
    found = []
    for household_no, region_code, on in recognised:
        if first <= on <= last:
            earlier = [case for case in warned[household_no] if case.opened_on < on]
            codes = tuple(sorted({code for case in earlier for code in case.codes}))
            found.append(Item(household_no, household_no, region_code, codes, on, bool(earlier)))
    return found


def _loop(
    cases: Mapping[str, _Case],
    referrals: Iterable[tuple[str, str, str, date, bool]],
    first: date,
    last: date,
) -> list[Item]:
    """Pushes with feedback ÷ pushes sent in the period."""
    found = []
    for number, warning, region_code, sent_on, answered in referrals:
        if first <= sent_on <= last:
            case = cases.get(warning)
            household, codes = (case.household_no, case.codes) if case else ("", ())
            found.append(Item(number, household, region_code, codes, sent_on, answered))
    return found


def _split(
    figures: Mapping[str, Figure], keys: Callable[[Item], Iterable[str]]
) -> dict[str, dict[str, Figure]]:
    """The same items again, each under every key it bears; a case of two indicators stands under both."""
    parts: dict[str, dict[str, Figure]] = {}
    for measure, figure in figures.items():
        for item in figure.items:
            for key in keys(item):
                parts.setdefault(key, {name: Figure() for name in figures})[measure].items.append(item)
    return dict(sorted(parts.items()))


def behind(
    found: Quality, measure: str, *, township: str = "", code: str = "", counts: str = ""
) -> list[Item]:
    """The list behind one number: the whole, a township's or an indicator's, those that count above or those that do not."""
    if measure not in MEASURES:
        raise PeriodInvalid(f"没有“{measure}”这一指标。", f"No measure {measure!r}.", code="measure_unknown")
    return [
        item
        for item in found.whole[measure].items
        if item.region_code.startswith(township)
        and (not code or code in item.codes)
        and (counts not in LISTED or item.counts == (counts == "yes"))
    ]


def precision_in_the_database(*, first: date, last: date, by: User) -> tuple[int, int]:
    """Precision by a second road, counted by the database alone, to hold the first against; (above, below).

    It looks at the last visit of each warning, as the list does.
    """
    from django.db.models import OuterRef, Subquery

    newest = Visit.objects.filter(case=OuterRef("pk")).order_by("-pk").values("visited_on")[:1]
    visited = WarningCase.objects.visible_to(by).annotate(on=Subquery(newest)).filter(on__range=(first, last))
    return visited.filter(result_code__in=HELPING).count(), visited.count()
