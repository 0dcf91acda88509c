"""Where households live and who answers for them, dated (住址地区、负责地区): whatever moves one, what stood before stays known.

A register moves many at once, a dispatch or a returned workbook one; an event does it through its ledger (:mod:`operations`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from django.db.models import Min
from django.utils import timezone

from doudi.contexts.registry.models import AreaRecord, FeedLoad, Household, Membership
from doudi.contexts.registry.people import batches

Areas = tuple[str, str]
"""Where a household lives and which area answers for it."""


def areas_of(household: Household) -> Areas:
    """What the household's row says now."""
    return household.region_code, household.responsible_region


def date_areas(moved: Iterable[tuple[Household, Areas]], *, on: date, load: FeedLoad | None = None) -> None:
    """Date the areas of households whose rows were changed; each comes with its areas of before. In the caller's transaction."""
    now = timezone.now()
    for batch in batches(moved):
        keys = [home.pk for home, _before in batch]
        standing: dict[int, list[AreaRecord]] = {}
        for fact in AreaRecord.objects.as_known().filter(household__in=keys):
            standing.setdefault(fact.household_id, []).append(fact)
        begun = first_known(key for key in keys if key not in standing)
        made: list[AreaRecord] = []
        for home, before in batch:
            facts = standing.get(home.pk)
            if facts is None and home.pk in begun and begun[home.pk][0] < on:
                since, known_at = begun[home.pk]
                made.append(_record(home, before, since, known_at, valid_to=on, ended_at=now))
            for fact in facts or ():
                if fact.valid_from >= on:
                    fact.retracted_at = now
                else:
                    fact.valid_to, fact.ended_at = on, now
            made.append(_record(home, areas_of(home), on, now, load=load))
        ended = [fact for facts in standing.values() for fact in facts]
        AreaRecord.objects.bulk_update(ended, ["valid_to", "ended_at", "retracted_at"])
        AreaRecord.objects.bulk_create(made)


def first_known(households: Iterable[int]) -> dict[int, tuple[date, datetime]]:
    """Since when a household is on the register, and when that became known."""
    found = Membership.objects.filter(household__in=list(households), retracted_at=None).order_by()
    rows = found.values_list("household").annotate(since=Min("valid_from"), known=Min("recorded_at"))
    return {key: (since, known) for key, since, known in rows}


def _record(
    home: Household,
    areas: Areas,
    since: date,
    known_at: datetime,
    *,
    valid_to: date | None = None,
    ended_at: datetime | None = None,
    load: FeedLoad | None = None,
) -> AreaRecord:
    return AreaRecord(
        household=home,
        region_code=areas[0],
        responsible_region=areas[1],
        valid_from=since,
        recorded_at=known_at,
        valid_to=valid_to,
        ended_at=ended_at,
        load=load,
    )
