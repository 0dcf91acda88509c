"""Rounds: planned from the day's orders, driven by couriers, handed over with proof, and what a shut door starts (送餐)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.meals.delivery_models import Delivery, DoorCall, Round, Stop
from doudi.contexts.meals.diner_models import Diner, DinerEvent
from doudi.contexts.meals.order_models import MealOrder, MealServed
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.contexts.meals.till import Given, Tap, serve_order
from doudi.engine import routing
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import DoorRules, NetworkRules, PriceRules


class RoundNotFound(DoudiError):
    """No such round that the asker may see."""

    code = "round_not_found"


@transaction.atomic
def plan_delivery(place: Site, *, day: date, meal: str, rules: NetworkRules, by: User) -> Delivery:
    """Plan the rounds of a meal from its orders (安排送餐); every door that no hot meal reaches is named with the reason.

    The usual sequence is kept unless a new one drives less by the pack's share. Planned again while nobody has left, the
    new plan takes the place of the old one.
    """
    require_at(by, Act.PLAN_DELIVERY, place)
    take_turn()
    hours = place.hours.filter(meal=meal).first()
    kitchen = place.kitchen
    if hours is None or kitchen.longitude is None or kitchen.latitude is None:
        raise StepRefused(
            "安排送餐要先登记供餐时段和厨房的经纬度。",
            "Planning needs the hours of the meal and the kitchen's coordinates.",
        )
    before = Delivery.objects.filter(site=place, day=day, meal=meal, current=True).first()
    if before is not None and before.rounds.exclude(left_at=None).exists():
        raise StepRefused(
            "已有送餐员出发，路线不能重排。",
            "A courier has left already; the rounds stand.",
            code="round_left",
        )
    wanted = list(
        MealOrder.objects.filter(
            site=place, day=day, meal=meal, delivery=True, state=MealOrder.State.ORDERED
        ).select_related("diner")
    )
    located = [one for one in wanted if one.diner.longitude is not None and one.diner.latitude is not None]
    carry = rules.delivery
    opens, closes = _minutes(hours.serves_from), _minutes(hours.serves_until)
    doors = [
        routing.Stop(
            one.number, 1, one.diner.longitude, one.diner.latitude, opens, closes, carry.service_minutes
        )
        for one in located
    ]
    travel = routing.straight_travel(
        (kitchen.longitude, kitchen.latitude), doors, detour=carry.detour, speed_kmh=carry.speed_kmh
    )
    fleet = routing.Fleet(
        carry.capacity, carry.hot_minutes, carry.vehicles, max(0.0, opens - carry.hot_minutes)
    )
    made = routing.plan_routes(doors, travel, fleet, time_limit=carry.search_seconds)
    served = {key for one in made.routes for key in one.stops}
    usual = _usual(place, day, meal, located)
    known = None
    if usual:
        picked = [i for i, door in enumerate(doors) if door.id in served]
        rows = [0, *(i + 1 for i in picked)]
        known = routing.usual_plan(
            usual, [doors[i] for i in picked], routing.Travel(travel.minutes[rows][:, rows]), fleet
        )
    keep = (
        known is not None and float(known.total_minutes) * float(1 - carry.change_gain) <= made.total_minutes
    )
    routes = known.routes if known is not None and keep else made.routes
    names = {one.number: one for one in wanted}
    unserved = [
        {"order": one.id, "diner": names[one.id].diner.name, "code": one.code, "why": one.why}
        for one in made.unserved
    ]
    unserved += [
        {
            "order": one.number,
            "diner": one.diner.name,
            "code": "no_place",
            "why": "没有登记经纬度，排不进路线。 / No coordinates on record.",
        }
        for one in wanted
        if one not in located
    ]
    if before is not None:
        Delivery.objects.filter(pk=before.pk).update(current=False)
    kept = Delivery.objects.create(
        site=place,
        day=day,
        meal=meal,
        minutes=sum(one.minutes for one in routes),
        usual_minutes=known.total_minutes if known is not None else None,
        kept_usual=keep,
        unserved=unserved,
        planned_by=by.username,
    )
    for number, route in enumerate(routes, start=1):
        trip = Round.objects.create(
            delivery=kept,
            place=number,
            leaves_at=_clock(route.start),
            minutes=route.minutes,
            load=int(route.load),
        )
        Stop.objects.bulk_create(
            Stop(round=trip, order=names[key], place=at, due_at=_clock(moment))
            for at, (key, moment) in enumerate(zip(route.stops, route.arrivals, strict=True), start=1)
        )
    record(
        by=by,
        act=Act.PLAN_DELIVERY,
        subject=f"site:{place.code}",
        region_code=place.region_code,
        detail={"day": day, "meal": meal, "rounds": len(routes), "unserved": len(unserved)},
    )
    return kept


def _minutes(at: time) -> float:
    return at.hour * 60.0 + at.minute


def _clock(minutes: float) -> time:
    whole = min(int(minutes + 0.5), 24 * 60 - 1)
    return time(whole // 60, whole % 60)


def _usual(place: Site, day: date, meal: str, today: Sequence[MealOrder]) -> list[list[str]]:
    """The rounds of the last day before, in the numbers of today's orders."""
    last = Delivery.objects.filter(site=place, meal=meal, day__lt=day, current=True).order_by("-day").first()
    if last is None:
        return []
    now = {one.diner_id: one.number for one in today}
    return [
        [
            now[stop.order.diner_id]
            for stop in trip.stops.select_related("order")
            if stop.order.diner_id in now
        ]
        for trip in last.rounds.all()
    ]


def deliveries(*, by: User, day: date) -> QuerySet[Delivery]:
    """The plans in force of a day at the places an account may see."""
    scope = require(by, Act.VIEW_DINERS)
    return (
        Delivery.objects.filter(reach(scope, by, "site__"), day=day, current=True)
        .select_related("site")
        .prefetch_related("rounds__stops__order__diner")
    )


@transaction.atomic
def look_at_delivery(pk: int, *, by: User) -> Delivery:
    """One plan with every name and address on it, for the sheet that is printed; the look is in the log."""
    scope = require(by, Act.VIEW_DINERS)
    found = (
        Delivery.objects.filter(reach(scope, by, "site__"), pk=pk)
        .select_related("site")
        .prefetch_related("rounds__stops__order__diner")
        .first()
    )
    if found is None:
        raise RoundNotFound("没有这份送餐计划。", "No such delivery plan for you.")
    record(
        by=by,
        act="print_route_sheet",
        subject=f"site:{found.site.code}",
        region_code=found.site.region_code,
        detail={"day": found.day, "fields": ["name", "address"]},
    )
    return found


@dataclass(frozen=True)
class Unreached:
    """An old person whom no hot meal reached, how often in the time, and where the person lives."""

    number: str
    longitude: float
    latitude: float
    times: int
    township: str


@transaction.atomic
def unreached(*, by: User, first: date, last: date) -> list[Unreached]:
    """Whom the rounds of a time could not serve hot, as demand for siting; no name goes with it, the look is in the log."""
    scope = require(by, Act.VIEW_DINERS)
    plans = Delivery.objects.filter(reach(scope, by, "site__"), day__range=(first, last), current=True)
    left = [one["order"] for plan in plans for one in plan.unserved]
    times: Counter[int] = Counter(MealOrder.objects.filter(number__in=left).values_list("diner", flat=True))
    people = (
        Diner.objects.filter(pk__in=times).exclude(longitude=None).exclude(latitude=None).order_by("number")
    )
    record(by=by, act="unreached_demand", region_code=by.region_code, detail={"people": len(times)})
    return [
        Unreached(one.number, one.longitude or 0.0, one.latitude or 0.0, times[one.pk], one.region_code[:9])
        for one in people
    ]


# ---- the courier -------------------------------------------------------------------------------------------------


def rounds(*, by: User, day: date | None = None) -> QuerySet[Round]:
    """The rounds of a day that a courier took or may take."""
    scope = require(by, Act.DELIVER_MEAL)
    return (
        Round.objects.filter(
            reach(scope, by, "delivery__site__"),
            delivery__day=day or timezone.localdate(),
            delivery__current=True,
        )
        .filter(Q(courier="") | Q(courier=by.username))
        .select_related("delivery__site")
        .order_by("delivery__meal", "place")
    )


@transaction.atomic
def take_round(pk: int, *, by: User) -> Round:
    """Take a round on and leave (出发): from now on its doors, names and telephones are the courier's; in the log."""
    found = round_of(pk, by=by)
    take_turn()
    done = Round.objects.filter(pk=found.pk, courier="").update(courier=by.username, left_at=timezone.now())
    found = round_of(pk, by=by)
    if done:
        record(
            by=by,
            act="take_round",
            subject=f"site:{found.delivery.site.code}",
            region_code=found.delivery.site.region_code,
            detail={"round": found.pk, "stops": found.stops.count(), "fields": ["name", "address", "phone"]},
        )
    return found


def round_of(pk: int, *, by: User) -> Round:
    """One round that ``by`` took or may take, or :class:`RoundNotFound`."""
    scope = require(by, Act.DELIVER_MEAL)
    found = (
        Round.objects.filter(reach(scope, by, "delivery__site__"), pk=pk)
        .filter(Q(courier="") | Q(courier=by.username))
        .select_related("delivery__site")
        .first()
    )
    if found is None:
        raise RoundNotFound(
            "没有这条路线，或已由别的送餐员接走。",
            "No such round for you; another courier may have taken it.",
        )
    return found


@dataclass(frozen=True)
class Contact:
    """Whom to call: the name and telephone, and what was heard, if they were called."""

    whom: str
    label: str
    name: str
    phone: str
    called: str


@dataclass(frozen=True)
class Door:
    """One door as its courier needs it; telephones are whole once the round was taken."""

    stop: Stop
    diner: Diner
    address: str
    phone: str
    contacts: list[Contact]
    next: Contact | None
    """Who is to be called now, where the door stayed shut."""


def doors(found: Round, *, rules: DoorRules, by: User) -> list[Door]:
    """The doors of a round taken by ``by``, in their order."""
    if found.courier != by.username:
        return []
    listed = found.stops.select_related("order__diner").prefetch_related("calls")
    return [_door(stop, rules) for stop in listed]


def _door(stop: Stop, rules: DoorRules) -> Door:
    person = stop.order.diner
    chain = _chain(stop, rules)
    waiting = next((one for one in chain if not one.called), None) if stop.state == Stop.State.SHUT else None
    return Door(stop, person, person.address, person.phone, chain, waiting)


def _chain(stop: Stop, rules: DoorRules) -> list[Contact]:
    person = stop.order.diner
    known = {
        "diner": (person.name, person.phone),
        "carer": (person.carer_name, person.carer_phone),
        "worker": (person.worker_name, person.worker_phone),
    }
    heard = {call.whom: call.result for call in stop.calls.all()}
    return [
        Contact(whom, str(DoorCall.Whom(whom).label), *known[whom], heard.get(whom, ""))
        for whom in rules.chain
        if known[whom][1]
    ]


def stop_of(pk: int, *, by: User) -> Stop:
    """One door of a round that ``by`` took."""
    scope = require(by, Act.DELIVER_MEAL)
    found = (
        Stop.objects.filter(reach(scope, by, "round__delivery__site__"), pk=pk, round__courier=by.username)
        .select_related("round__delivery__site__supplied_by", "order__diner", "order__site__supplied_by")
        .first()
    )
    if found is None:
        raise RoundNotFound("没有这个送餐点，或不在您的路线上。", "No such door on a round of yours.")
    return found


@transaction.atomic
def hand_over(
    pk: int, tap: Tap, *, prices: PriceRules, rules: NetworkRules, pack_hash: str, by: User
) -> Given:
    """Hand a meal over at the door with a proof (交付); it becomes a meal with its receipt, once."""
    found = stop_of(pk, by=by)
    take_turn()
    found.refresh_from_db()
    before = handed_before(found)
    if before is not None:
        return Given(before, again=True)
    given = serve_order(found.order, tap, prices=prices, rules=rules, pack_hash=pack_hash, by=by)
    Stop.objects.filter(pk=found.pk).update(state=Stop.State.HANDED, done_at=tap.at)
    return given


def handed_before(found: Stop) -> MealServed | None:
    """The meal that was handed over at this door, if one was and it stands."""
    if found.state != Stop.State.HANDED:
        return None
    return MealServed.objects.filter(order=found.order, state=MealServed.State.VALID).first()


@transaction.atomic
def door_shut(pk: int, *, by: User, at: datetime | None = None) -> Stop:
    """Nobody opened (敲门无人应), now or at a moment that a telephone kept: the call chain begins."""
    found = stop_of(pk, by=by)
    take_turn()
    done = Stop.objects.filter(pk=found.pk, state=Stop.State.WAITING).update(
        state=Stop.State.SHUT, done_at=at or timezone.now()
    )
    found.refresh_from_db()
    if done:
        DinerEvent.write(by=by, kind="door", text="送餐敲门无人应", diner=found.order.diner)
        record(
            by=by,
            act="door_shut",
            subject=f"diner:{found.order.diner.number}",
            region_code=found.round.delivery.site.region_code,
            detail={"order": found.order.number},
        )
    return found


@transaction.atomic
def record_call(
    pk: int, *, whom: str, result: str, by: User, note: str = "", at: datetime | None = None
) -> Stop:
    """Keep what a call brought; the same person is called once. Who is safe ends the chain."""
    found = stop_of(pk, by=by)
    take_turn()
    found.refresh_from_db()
    if found.state != Stop.State.SHUT:
        raise StepRefused("先记“敲门无人应”，再记联络。", "Record the shut door first.")
    if whom not in DoorCall.Whom.values or result not in DoorCall.Result.values:
        raise StepRefused("请选择联系了谁、结果如何。", "Choose whom you called and what you heard.")
    if found.calls.filter(whom=whom).exists():
        return found
    call = DoorCall.objects.create(
        stop=found, whom=whom, result=result, note=note.strip()[:200], by=by.username, at=at or timezone.now()
    )
    if result == DoorCall.Result.SAFE:
        Stop.objects.filter(pk=found.pk).update(state=Stop.State.SAFE)
        MealOrder.objects.filter(pk=found.order.pk, state=MealOrder.State.ORDERED).update(
            state=MealOrder.State.MISSED
        )
    found.refresh_from_db()
    DinerEvent.write(
        by=by,
        kind="call",
        text=f"联系{call.get_whom_display()}：{call.get_result_display()} {call.note}".strip(),
        diner=found.order.diner,
    )
    record(
        by=by,
        act="door_call",
        subject=f"diner:{found.order.diner.number}",
        region_code=found.round.delivery.site.region_code,
        detail={"whom": whom, "result": result},
    )
    return found


def is_unreachable(found: Stop, rules: DoorRules) -> bool:
    """Whether a shut door's whole chain was called and nobody said the old person is safe."""
    return (
        found.state == Stop.State.SHUT
        and not found.warning_no
        and all(one.called for one in _chain(found, rules))
    )


@transaction.atomic
def mark_raised(pk: int, warning_no: str, *, by: User) -> Stop:
    """The warning that a shut door became; the meal counts as not taken."""
    found = stop_of(pk, by=by)
    Stop.objects.filter(pk=found.pk, warning_no="").update(warning_no=warning_no)
    MealOrder.objects.filter(pk=found.order.pk, state=MealOrder.State.ORDERED).update(
        state=MealOrder.State.MISSED
    )
    DinerEvent.write(by=by, kind="raised", text=f"联系不上，已立预警 {warning_no}", diner=found.order.diner)
    found.refresh_from_db()
    return found


@dataclass(frozen=True)
class ShutDoor:
    """What a warning has to know of a door that stayed shut."""

    number: str
    household_no: str
    name: str
    region_code: str
    category: str
    text: str


def told_of_door(found: Stop) -> ShutDoor:
    """The facts of a shut door for the warning: who, where, whom the courier called."""
    person = found.order.diner
    calls = "；".join(
        f"{call.get_whom_display()}{call.get_result_display()}{'（' + call.note + '）' if call.note else ''}"
        for call in found.calls.all()
    )
    at = timezone.localtime(found.done_at)
    return ShutDoor(
        number=f"SC{found.round.delivery.day:%Y%m%d}-{found.pk:06d}",
        household_no=person.household_no,
        name=person.name,
        region_code=person.region_code,
        category=person.category,
        text=f"{Meal(found.order.meal).label}送餐 {at:%m-%d %H:%M} 敲门无人应。{calls or '没有登记联系电话'}。",
    )


def open_doors(*, by: User, day: date) -> QuerySet[Stop]:
    """Doors of a day that stayed shut, for who answers for the places or the people."""
    scope = require(by, Act.VIEW_DINERS)
    reached: Any = reach(scope, by, "round__delivery__site__")
    if scope is not Scope.ORGANISATION:
        reached |= Q(order__diner__region_code__startswith=by.region_code)
    return (
        Stop.objects.filter(reached, round__delivery__day=day, round__delivery__current=True)
        .filter(Q(state=Stop.State.SHUT) | ~Q(warning_no=""))
        .select_related("order__diner", "round__delivery__site")
    )
