"""When something is wrong with food (食品安全事件): stop it, keep the samples, report in time, find who ate it.

A stop is in force the moment it is entered; only the county frees what was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, take_turn
from doudi.contexts.meals.eaten import served
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.order_models import Dish, MealServed
from doudi.contexts.meals.safety_models import (
    DishUse,
    FoodBatch,
    FoodSample,
    FoodStop,
    Incident,
    IncidentLine,
)
from doudi.contexts.meals.safety_papers import one, seen
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, require_at
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.packs.food_safety import FoodSafety

# ---- stops -------------------------------------------------------------------------------------------------------


def stop_in_force(place: Site, dish: Dish | None = None, *, on: date | None = None) -> FoodStop | None:
    """The stop that forbids handing out food here, or this dish on that day; None where there is none.

    A stop of the place, or of the kitchen that cooks for it, forbids everything; a stop of a delivery forbids the
    dishes that it went into that day. For the till: it asks for no account.
    """
    kitchens = [place.pk, place.kitchen.pk]
    whole = Q(site__in=kitchens, dish=None, batch=None)
    asked = whole
    if dish is not None:
        used = DishUse.objects.filter(dish=dish, day=on or timezone.localdate()).values("batch")
        asked = whole | Q(dish=dish) | Q(batch__in=used)
    return FoodStop.objects.filter(asked, lifted_at=None).order_by("pk").first()


def is_stopped(place: Site, dish: Dish | None = None, *, on: date | None = None) -> bool:
    """Whether the till must refuse the place, or this dish."""
    return stop_in_force(place, dish, on=on) is not None


@transaction.atomic
def stop_food(
    place: Site,
    *,
    why: str,
    by: User,
    dish: Dish | None = None,
    batch: FoodBatch | None = None,
    incident: Incident | None = None,
) -> FoodStop:
    """Stop a dish, a delivery or, with neither, the whole place at once (暂停供应); stopped twice is stopped once."""
    require_at(by, Act.STOP_MEAL, place)
    take_turn()
    if len(why.strip()) < 2:
        raise StepRefused("请写明暂停原因。", "Say why it is stopped.")
    if (dish is not None and dish.kitchen_id not in (place.pk, place.kitchen.pk)) or (
        batch is not None and batch.site_id not in (place.pk, place.kitchen.pk)
    ):
        raise StepRefused("这个菜品或批次不是本厨房的。", "The dish or delivery is not this kitchen's.")
    there = FoodStop.objects.filter(site=place, dish=dish, batch=batch, lifted_at=None).first()
    if there is not None:
        return there
    kept = FoodStop.objects.create(
        site=place, dish=dish, batch=batch, incident=incident, why=why.strip(), stopped_by=by.username
    )
    record(
        by=by,
        act="stop_food",
        subject=f"site:{place.code}",
        region_code=place.region_code,
        reason=why,
        detail={"dish": dish.pk if dish else None, "batch": batch.number if batch else ""},
    )
    return kept


@transaction.atomic
def lift_stop(pk: int, *, why: str, by: User) -> FoodStop:
    """Free what was stopped; the county does it, and not who stopped it, with the ground."""
    take_turn()
    stop: FoodStop = one(FoodStop, by, pk=pk)
    require_at(by, Act.SUPERVISE_SAFETY, stop.site)
    if stop.lifted_at is not None:
        return stop
    if stop.stopped_by == by.username:
        raise StepRefused(
            "暂停的人不能自己恢复供应，请另一位监管人员办理。",
            "Who stopped it does not free it; let another supervisor do it.",
            code="same_person",
        )
    if len(why.strip()) < 4:
        raise StepRefused("请写明恢复供应的依据（至少四个字）。", "Say on what ground it is freed.")
    stop.lifted_at, stop.lifted_by, stop.lifted_why = timezone.now(), by.username, why.strip()
    stop.save(update_fields=["lifted_at", "lifted_by", "lifted_why"])
    record(
        by=by,
        act="lift_stop",
        subject=f"site:{stop.site.code}",
        region_code=stop.site.region_code,
        reason=why,
    )
    return stop


def stops(*, by: User) -> QuerySet[FoodStop]:
    """Stops in force, newest first."""
    return seen(FoodStop, by).filter(lifted_at=None).select_related("site", "dish", "batch", "incident")


# ---- incidents ---------------------------------------------------------------------------------------------------


@transaction.atomic
def open_incident(
    place: Site,
    *,
    token: str,
    kind: str,
    found_at: datetime,
    text: str,
    rules: FoodSafety,
    by: User,
    people: int = 0,
    batch: FoodBatch | None = None,
    stop_place: bool = False,
) -> Incident:
    """Enter an incident: stop the delivery or the place, hold the samples, start the clock to the report (食品安全法 art.103).

    Every county officer of the area is told at once. ``token`` names the form; sent twice it is one incident.
    """
    require_at(by, Act.STOP_MEAL, place)
    take_turn()
    again = Incident.objects.filter(token=token).first()
    if again is not None:
        return again
    if kind not in Incident.Kind.values or len(text.strip()) < 4:
        raise StepRefused(
            "请选择种类并写明情况（至少四个字）。", "Choose the kind and describe what happened."
        )
    if found_at > timezone.now() + timedelta(minutes=5):
        raise StepRefused("发现时间不能在将来。", "It cannot be found in the future.")
    if kind == Incident.Kind.BATCH and batch is None:
        raise StepRefused("问题批次请选择进货记录。", "Choose the delivery that is bad.")
    incident = Incident.objects.create(
        number=next_number(Incident, "SJ", timezone.localdate()),
        token=token,
        site=place,
        kind=kind,
        found_at=found_at,
        report_due_at=rules.report_due(found_at),
        text=text.strip(),
        people=people,
        batch=batch,
        opened_by=by.username,
    )
    _line(incident, by, "open", f"登记事件：{incident.get_kind_display()}")
    if batch is not None:
        stop_food(batch.site, batch=batch, incident=incident, why=f"事件 {incident.number}", by=by)
        _line(incident, by, "stop", f"暂停使用 {batch.number} {batch.product}")
    if stop_place or batch is None:
        stop_food(place, incident=incident, why=f"事件 {incident.number}", by=by)
        _line(incident, by, "stop", f"暂停供餐 {place.name}")
    held = _samples_of(incident).update(held=True)
    _line(incident, by, "hold", f"封存留样 {held} 份")
    due = timezone.localtime(incident.report_due_at)
    monitoring.tell(
        monitoring.people(Role.COUNTY, place.region_code),
        monitoring.Word(
            "food_incident",
            f"{place.name} 食品安全事件 {incident.number}，请在 {due:%m月%d日 %H:%M} 前报告。",
            f"Food incident {incident.number} at {place.name}: report by {due:%m-%d %H:%M}.",
            f"/meals/safety/incidents/{incident.number}/",
        ),
        key=f"food_incident:{incident.number}",
    )
    record(
        by=by,
        act="open_incident",
        subject=f"incident:{incident.number}",
        region_code=place.region_code,
        detail={"site": place.code, "kind": kind, "samples_held": held},
    )
    return incident


def _samples_of(incident: Incident) -> QuerySet[FoodSample]:
    """The samples that must not go: of the dishes the delivery went into, else all that are still there."""
    there = FoodSample.objects.filter(ended_at=None)
    if incident.batch is None:
        return there.filter(site__in=[incident.site_id, incident.site.kitchen.pk])
    return there.filter(
        dish__uses__batch=incident.batch, dish__uses__day=F("day"), dish__uses__meal=F("meal")
    ).distinct()


def _line(incident: Incident, by: User, kind: str, text: str) -> None:
    IncidentLine.write(by=by, kind=kind, text=text, incident=incident)


def incident(number: str, *, by: User) -> Incident:
    """One incident that ``by`` may see; the look is in the audit log."""
    found: Incident = one(Incident, by, number=number)
    record(by=by, act="look_at_incident", subject=f"incident:{number}", region_code=found.site.region_code)
    return found


def incidents(*, by: User, state: str = "") -> QuerySet[Incident]:
    """Incidents, newest first: by state, or ``late`` for those past their report limit."""
    found = seen(Incident, by).select_related("site", "batch")
    if state == "late":
        return found.filter(state=Incident.State.OPEN, report_due_at__lt=timezone.now())
    return found.filter(state=state) if state else found


@transaction.atomic
def report_incident(number: str, *, to: Sequence[str], by: User, at: datetime | None = None) -> Incident:
    """Say when and to whom it was reported (报告); said twice the first stands."""
    take_turn()
    found: Incident = one(Incident, by, number=number)
    require_at(by, Act.STOP_MEAL, found.site)
    if found.reported_at is not None:
        return found
    told = [name.strip() for name in to if name.strip()]
    when = at or timezone.now()
    if not told or when > timezone.now() + timedelta(minutes=5) or when < found.found_at:
        raise StepRefused(
            "请选择报告对象；报告时间应在发现之后、现在之前。",
            "Say to whom it was reported, after it was found and not in the future.",
        )
    found.state, found.reported_at, found.reported_to = Incident.State.REPORTED, when, told
    found.save(update_fields=["state", "reported_at", "reported_to"])
    late = when > found.report_due_at
    _line(found, by, "report", f"报告{'、'.join(told)}{'（超过时限）' if late else ''}")
    record(
        by=by,
        act="report_incident",
        subject=f"incident:{number}",
        region_code=found.site.region_code,
        detail={"to": told, "late": late},
    )
    return found


@transaction.atomic
def close_incident(number: str, *, conclusion: str, by: User) -> Incident:
    """Close an incident with its conclusion, after it was reported; samples are free again, stops are freed one by one.

    The county closes it, and not who entered it.
    """
    take_turn()
    found: Incident = one(Incident, by, number=number)
    require_at(by, Act.SUPERVISE_SAFETY, found.site)
    if found.state == Incident.State.CLOSED:
        return found
    if found.state != Incident.State.REPORTED or len(conclusion.strip()) < 4:
        raise StepRefused(
            "先报告，再写结论（至少四个字）结案。", "Report it first, then close it with a conclusion."
        )
    if found.opened_by == by.username:
        raise StepRefused(
            "登记事件的人不能自己结案。", "Who entered the incident does not close it.", code="same_person"
        )
    held_elsewhere = Incident.objects.exclude(pk=found.pk).exclude(state=Incident.State.CLOSED)
    found.state, found.closed_at, found.conclusion = Incident.State.CLOSED, timezone.now(), conclusion.strip()
    found.save(update_fields=["state", "closed_at", "conclusion"])
    if not held_elsewhere.filter(site__in=[found.site_id, found.site.kitchen.pk]).exists():
        _samples_of(found).update(held=False)
    _line(found, by, "close", f"结案：{conclusion.strip()}")
    record(by=by, act="close_incident", subject=f"incident:{number}", region_code=found.site.region_code)
    return found


# ---- recall ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Eaten:
    """A meal that may have held the bad delivery; ``sure`` where the dish is on its record, else only its meal is."""

    meal: MealServed
    sure: bool


@dataclass(frozen=True)
class Recall:
    """Whom a delivery reached (追溯): its uses in dishes, the meals handed out with them, each with its diner."""

    batch: FoodBatch
    uses: list[DishUse]
    eaten: list[Eaten]

    @property
    def people(self) -> int:
        """How many people."""
        return len({row.meal.diner_id for row in self.eaten})


def meals_with(uses: Sequence[DishUse]) -> QuerySet[MealServed]:
    """Every meal handed out with one of these dishes, and those of the same kitchen and meal whose dishes were not noted.

    One query, whatever the number of uses.
    """
    if not uses:
        return MealServed.objects.none()
    parts = []
    for use in uses:
        dish = served(use.site, use.day, use.dish_id).filter(meal=use.meal)
        unknown = served(use.site, use.day).filter(meal=use.meal, dishes="")
        parts += [dish, unknown]
    return reduce(or_, parts)


@transaction.atomic
def recall(batch_number: str, *, by: User) -> Recall:
    """From a delivery to everyone who ate of it (召回); the look at these people is in the audit log by their numbers."""
    batch: FoodBatch = one(FoodBatch, by, number=batch_number)
    require_at(by, Act.TRACE_MEAL, batch.site)
    uses = list(batch.uses.select_related("dish", "site"))
    meals = list(meals_with(uses))
    found = [Eaten(meal, bool(meal.dishes)) for meal in meals]
    record(
        by=by,
        act="trace_batch",
        subject=f"batch:{batch_number}",
        region_code=batch.site.region_code,
        detail={"meals": len(meals), "diners": sorted({meal.diner.number for meal in meals})},
    )
    return Recall(batch, uses, found)


def remind_of_reports(*, now: datetime | None = None) -> int:
    """Tell the county's leaders once of every incident whose limit passed without a report; gives how many."""
    moment = now or timezone.now()
    late = Incident.objects.filter(state=Incident.State.OPEN, report_due_at__lt=moment).select_related("site")
    told = 0
    for found in late:
        region = found.site.region_code
        people = [*monitoring.people(Role.COUNTY, region), *monitoring.people(Role.DIRECTOR, region)]
        with transaction.atomic():
            told += bool(
                monitoring.tell(
                    people,
                    monitoring.Word(
                        "food_report_late",
                        f"{found.site.name} 食品安全事件 {found.number} 已过报告时限，仍未报告。",
                        f"Food incident {found.number} at {found.site.name} is past its limit and not reported.",
                        f"/meals/safety/incidents/{found.number}/",
                    ),
                    key=f"food_report_late:{found.number}",
                )
            )
    return told
