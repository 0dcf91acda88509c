"""How many people stand in which category: each counted once by precedence, every label kept (低收入人口统计).

A person who holds several labels is counted under the first of TK > DB > BY > GX > FP > TC > LS > QT. TC and LS are
derived: who left 特困 or 低保 less than N months ago, and who was decided temporary aid less than N months ago.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Substr
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.registry.models import CategoryRecord, Household, Person
from doudi.contexts.registry.precedence import CODES, DERIVED, RANKS, TAILED, TEMPORARY_AID
from doudi.contexts.registry.regions import region_name

_LABELS = tuple(RANKS)
NOWHERE = "-"
"""An area that no household lies in."""


@dataclass(frozen=True)
class Tails:
    """For how many months somebody is watched after leaving (TC) and after temporary aid (LS)."""

    left_months: int
    aid_months: int


@dataclass(frozen=True)
class Line:
    """One township: people counted once by category, and people bearing each label."""

    region_code: str
    region_name: str
    once: tuple[int, ...]
    labelled: tuple[int, ...]

    @property
    def people(self) -> int:
        return sum(self.once)


@dataclass(frozen=True)
class Statistics:
    """The table on a day as it was known at a moment; the columns are the categories in their precedence."""

    on: date
    known_at: datetime | None
    categories: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    total: Line


def end_of(day: date | None) -> datetime | None:
    """The last moment of a day: what was known on it is what was recorded until its end."""
    return None if day is None else timezone.make_aware(datetime.combine(day, time.max))


def months_before(on: date, months: int) -> date:
    """The same day ``months`` earlier, or the last of that month."""
    year, month = divmod(on.year * 12 + on.month - 1 - months, 12)
    return date(year, month + 1, min(on.day, calendar.monthrange(year, month + 1)[1]))


def statistics(
    *, on: date, by: User, tails: Tails, region_code: str = "", known_at: datetime | None = None
) -> Statistics:
    """The people of an area by township and category on a day, as it was known at a moment (default: now)."""
    require(by, Act.VIEW_DASHBOARD)
    once: dict[str, list[int]] = {}
    labelled: dict[str, list[int]] = {}
    scope = _scope(by, region_code)
    for township, rank, people in _counted(on, known_at, scope, tails, once=True):
        once.setdefault(township, [0] * len(_LABELS))[rank] = people
    for township, rank, people in _counted(on, known_at, scope, tails, once=False):
        labelled.setdefault(township, [0] * len(_LABELS))[rank] = people
    none = [0] * len(_LABELS)
    lines = tuple(
        Line(code, region_name(code), tuple(once.get(code, none)), tuple(labelled[code]))
        for code in sorted(labelled)
    )
    return Statistics(
        on=on,
        known_at=known_at,
        categories=tuple((label, CODES[label]) for label in _LABELS),
        lines=lines,
        total=Line(
            scope,
            "",
            tuple(sum(column) for column in zip(*(line.once for line in lines), strict=True)) or tuple(none),
            tuple(sum(column) for column in zip(*(line.labelled for line in lines), strict=True))
            or tuple(none),
        ),
    )


@transaction.atomic
def people_counted(
    *,
    on: date,
    by: User,
    tails: Tails,
    label: str,
    region_code: str = "",
    known_at: datetime | None = None,
    once: bool = True,
) -> list[tuple[Person, str]]:
    """The people behind one cell, each with the number of a household; the cell's figure is the length of this list.

    The list names people: opening it goes into the audit log.
    """
    require(by, Act.VIEW_HOUSEHOLDS)
    scope = _scope(by, region_code)
    union, parameters = _labels(on, known_at, scope, tails)
    chosen = "min(rank)" if once else "max(case when rank = %s then rank end)"
    sql = (
        f"select person_id, min(household_id) from ({union}) held group by person_id "  # noqa: S608 — built here, values bound
        f"having {chosen} = %s order by person_id"
    )
    rank = RANKS[label]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, *([] if once else [rank]), rank])
        rows = cursor.fetchall()
    people: dict[int, Person] = {}
    homes: dict[int, str] = {}
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        people.update({p.pk: p for p in Person.objects.filter(pk__in=[row[0] for row in part])})
        homes.update(
            Household.objects.filter(pk__in=[row[1] for row in part]).values_list("pk", "household_no")
        )
    record(
        by=by,
        act=Act.VIEW_HOUSEHOLDS,
        subject=f"statistics:{label}",
        region_code=by.region_code if scope == NOWHERE else scope,
        detail={"on": on, "known_at": known_at, "once": once, "people": len(rows)},
    )
    return [(people[person], homes[home]) for person, home in rows]


def _scope(by: User, region_code: str) -> str:
    """The narrower of the account's area and the one asked for; an area outside gives the account's own, empty."""
    if region_code.startswith(by.region_code):
        return region_code
    return by.region_code if by.region_code.startswith(region_code) else NOWHERE


def _counted(
    on: date, known_at: datetime | None, scope: str, tails: Tails, *, once: bool
) -> list[tuple[str, int, int]]:
    union, parameters = _labels(on, known_at, scope, tails)
    group = "min(rank) as rank" if once else "rank"
    by_person = f"select person_id, min(township) as township, {group} from ({union}) held group by person_id"  # noqa: S608
    if not once:
        by_person += ", rank"
    sql = f"select township, rank, count(*) from ({by_person}) counted group by township, rank"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [(row[0], int(row[1]), int(row[2])) for row in cursor.fetchall()]


def _labels(on: date, known_at: datetime | None, scope: str, tails: Tails) -> tuple[str, list[Any]]:
    """SQL of every label that holds on a day: person, household, township, rank; tails only where TK and DB do not."""
    known = CategoryRecord.objects.filter(household__responsible_region__startswith=scope)
    known = known.filter(Q(person__died_on=None) | Q(person__died_on__gt=on))
    if known_at is not None:
        known = known.filter(recorded_at__lte=known_at).filter(
            Q(retracted_at=None) | Q(retracted_at__gt=known_at)
        )
        ended = Q(valid_to__isnull=False) & (Q(ended_at=None) | Q(ended_at__lte=known_at))
    else:
        known = known.filter(retracted_at=None)
        ended = Q(valid_to__isnull=False)
    over = Q(left_on__lte=on) | (ended & Q(valid_to__lte=on))
    begun = known.filter(valid_from__lte=on)
    holding = begun.filter(category__in=set(RANKS) - set(DERIVED)).exclude(over)
    left = begun.filter(category__in=TAILED).filter(
        Q(left_on__gt=months_before(on, tails.left_months), left_on__lte=on)
        | (ended & Q(valid_to__gt=months_before(on, tails.left_months), valid_to__lte=on))
    )
    aided = begun.filter(category=TEMPORARY_AID).filter(
        since__gt=months_before(on, tails.aid_months), since__lte=on
    )
    still = known.filter(valid_from__lte=on, category__in=TAILED).exclude(over).values("person_id")
    parts = [
        _ranked(
            holding,
            Case(*(When(category=c, then=Value(r)) for c, r in RANKS.items()), output_field=IntegerField()),
        ),
        _ranked(left.exclude(person_id__in=still), Value(RANKS[DERIVED[0]])),
        _ranked(aided, Value(RANKS[DERIVED[1]])),
    ]
    queries = [part.query.sql_with_params() for part in parts]
    return " union all ".join(sql for sql, _ in queries), [value for _, values in queries for value in values]


def _ranked(found: QuerySet[CategoryRecord], rank: Any) -> Any:
    return (
        found.order_by()
        .annotate(
            township=Substr(F("household__responsible_region"), 1, 9),
            rank=rank,
        )
        .values("person_id", "household_id", "township", "rank")
    )
