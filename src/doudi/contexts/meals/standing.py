"""When nothing is subsidised (不补贴期间), and following the register: category, death, custody, hospital."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner, DinerEvent, DinerStop
from doudi.contexts.meals.sites import StepRefused
from doudi.contexts.registry import services as registry


@transaction.atomic
def record_stop(
    found: Diner, *, kind: str, since: date, source: str, by: User, until: date | None = None
) -> DinerStop:
    """Record a stay in hospital or custody, or a death: from then on no meal is subsidised; a later end is added."""
    require(by, Act.CONFIRM_DINER, region_code=found.region_code)
    take_turn()
    if kind not in DinerStop.Kind.values or (until is not None and until < since) or not source.strip():
        raise StepRefused("请填写事项、起止日期和来源。", "Give what, from when to when, and who says so.")
    kept = _keep_stop(found, kind, since, until, source.strip(), by)
    record(
        by=by,
        act="stop_subsidy",
        subject=f"diner:{found.number}",
        region_code=found.region_code,
        detail={"kind": kind},
    )
    return kept


def _keep_stop(found: Diner, kind: str, since: date, until: date | None, source: str, by: User) -> DinerStop:
    kept, new = DinerStop.objects.get_or_create(
        diner=found,
        kind=kind,
        since=since,
        defaults={"until": until, "source": source[:80], "recorded_by": by.username},
    )
    if not new and until is not None and kept.until is None:
        DinerStop.objects.filter(pk=kept.pk, until=None).update(until=until)
        kept.refresh_from_db()
        new = True
    if new:
        ends = f" 至 {kept.until}" if kept.until else ""
        DinerEvent.write(
            by=by,
            kind="stop",
            text=f"{kept.get_kind_display()} {since}{ends}（{source}），不补贴",
            diner=found,
        )
    return kept


def stop_on(found: Diner, day: date) -> DinerStop | None:
    """What keeps a meal of that day from being subsidised."""
    return next((stop for stop in found.stops.all() if stop.covers(day)), None)


Stay = tuple[int, date, date | None]
"""A person's key, and the first and last day in custody or in hospital; no last day where it goes on, or of a death."""


@dataclass(frozen=True)
class Followed:
    """What following the register changed: categories, deaths, stays in custody and hospital."""

    diners: int
    categories: int
    stops: int


def numbers_to_follow(*, by: User) -> list[str]:
    """The ID numbers of the area's diners, for comparing with the register; goes no further than the chain."""
    require(by, Act.CONFIRM_DINER)
    found = Diner.objects.filter(region_code__startswith=by.region_code).exclude(status=Diner.Status.LEFT)
    return [diner.id_number for diner in found.only("id_number")]


@transaction.atomic
def follow_register(
    standing: Mapping[str, registry.Standing],
    custody: Iterable[Stay],
    *,
    by: User,
    hospital: Iterable[Stay] = (),
    deaths: Iterable[Stay] = (),
) -> Followed:
    """Take over what the register and the departments' files say: category, death, custody, stays in hospital.

    What a township entered stays as it is; a file adds, and ends a stay of its own first day that had no end yet.
    """
    require(by, Act.CONFIRM_DINER)
    take_turn()
    held: dict[int, list[tuple[str, str, date, date | None]]] = {}
    for kind, source, stays in (
        (DinerStop.Kind.CUSTODY, "司法部门数据", custody),
        (DinerStop.Kind.HOSPITAL, "医保部门数据", hospital),
        (DinerStop.Kind.DEATH, "公安、殡葬数据", deaths),
    ):
        for person, since, until in stays:
            if until is None or until >= since:
                held.setdefault(person, []).append((kind, source, since, until))
    today = timezone.localdate()
    found = Diner.objects.filter(region_code__startswith=by.region_code).exclude(status=Diner.Status.LEFT)
    changed = stops = 0
    for diner in found:
        said = standing.get(diner.id_number)
        if said is None:
            continue
        if (diner.category, diner.household_no) != (said.category, said.household_no):
            DinerEvent.write(
                by=by,
                kind="category",
                text=f"救助类别由“{diner.category or '无'}”变为“{said.category or '无'}”",
                diner=diner,
            )
            changed += 1
        Diner.objects.filter(pk=diner.pk).update(
            category=said.category, household_no=said.household_no, category_on=today
        )
        before = diner.stops.count()
        if said.died_on is not None:
            _keep_stop(diner, DinerStop.Kind.DEATH, said.died_on, None, "人员登记", by)
        known = said.died_on is not None or diner.stops.filter(kind=DinerStop.Kind.DEATH).exists()
        for what, source, since, until in held.get(said.person_id, []):
            if what == DinerStop.Kind.DEATH and known:
                continue
            _keep_stop(diner, what, since, until, source, by)
        stops += diner.stops.count() - before
    record(
        by=by,
        act="follow_register",
        region_code=by.region_code,
        detail={"diners": found.count(), "categories": changed, "stops": stops},
    )
    return Followed(found.count(), changed, stops)
