"""Orders: by weekday, by telephone, by the family; pauses; what the kitchen has to make (订餐)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner, DinerEvent
from doudi.contexts.meals.menus import clashes_of, menu_of
from doudi.contexts.meals.order_models import MealOrder, OrderPattern, OrderPause
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.contexts.meals.standing import stop_on
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import NetworkRules


class OrderNotFound(DoudiError):
    """No such order that the asker may see."""

    code = "order_not_found"


@transaction.atomic
def place_order(
    person: Diner,
    *,
    place: Site,
    day: date,
    meal: str,
    channel: str,
    rules: NetworkRules,
    by: User,
    delivery: bool | None = None,
    placed_for: str = "",
) -> MealOrder:
    """Order one meal (订餐); the same diner and meal again is the same order. Clashes with the menu are kept and shown."""
    require_at(by, Act.TAKE_ORDER, place)
    take_turn()
    return keep_order(person, place, day, meal, channel, rules, by, delivery, placed_for)


def keep_order(
    person: Diner,
    place: Site,
    day: date,
    meal: str,
    channel: str,
    rules: NetworkRules,
    by: User,
    delivery: bool | None,
    placed_for: str,
) -> MealOrder:
    """Keep an order that its caller may take, or refuse it; one that stands is given back."""
    today = timezone.localdate()
    before = (
        MealOrder.objects.filter(diner=person, day=day, meal=meal)
        .exclude(state=MealOrder.State.CANCELLED)
        .first()
    )
    if before is not None:
        return before
    if meal not in Meal.values or channel not in MealOrder.Channel.values:
        raise StepRefused("请选择餐次。", "Choose the meal.")
    if not today <= day <= today + timedelta(days=rules.order_days):
        raise StepRefused(
            f"可订今天起 {rules.order_days} 天内的餐，{day} 不在其中。",
            f"Meals can be ordered from today on for {rules.order_days} days; {day} is outside.",
        )
    if person.status != Diner.Status.ACTIVE:
        raise StepRefused(
            f"{person.name} 的助餐登记“{person.get_status_display()}”，不能订餐。",
            f"The enrolment of {person.name} is not in force.",
        )
    if place.state != Site.State.OPEN:
        raise StepRefused(f"{place.name} 现在不营业。", f"{place.name} is not open.")
    hours = place.hours.filter(meal=meal).first()
    if hours is None:
        raise StepRefused(
            f"{place.name} 不供{Meal(meal).label}。",
            f"{place.name} does not serve {meal}.",
            code="meal_not_served",
        )
    stop = stop_on(person, day)
    if stop is not None:
        raise StepRefused(
            f"{person.name} {stop.since} 起{stop.get_kind_display()}，不能订餐。",
            f"{person.name}: {stop.kind} since {stop.since}.",
            code="diner_stopped",
        )
    taken = (
        MealOrder.objects.filter(site=place, day=day, meal=meal)
        .exclude(state=MealOrder.State.CANCELLED)
        .count()
    )
    if taken >= hours.capacity:
        raise StepRefused(
            f"{place.name} {day} {Meal(meal).label}已订满（{hours.capacity} 份）。请改订别处。",
            f"{place.name} is full on {day} ({hours.capacity} portions).",
            code="full",
        )
    found = clashes_of(person, menu_of(place, day, meal), rules)
    kept = MealOrder.objects.create(
        number=f"DC{day:%y%m%d}{meal[0].upper()}-{person.pk:06d}-{MealOrder.objects.filter(diner=person, day=day, meal=meal).count() + 1}",
        diner=person,
        site=place,
        day=day,
        meal=meal,
        delivery=person.delivered if delivery is None else delivery,
        channel=channel,
        clash=[clash.zh for clash in found],
        placed_by=by.username,
        placed_for=placed_for.strip()[:80],
    )
    record(
        by=by,
        act=Act.TAKE_ORDER,
        subject=f"diner:{person.number}",
        region_code=place.region_code,
        detail={"order": kept.number, "channel": channel},
    )
    return kept


@transaction.atomic
def cancel_order(number: str, *, by: User) -> MealOrder:
    """Cancel an order that was not served yet; again changes nothing."""
    found = order(number, by=by)
    require_at(by, Act.TAKE_ORDER, found.site)
    take_turn()
    return undo_order(found, by=by)


def undo_order(found: MealOrder, *, by: User) -> MealOrder:
    """Cancel an order whose caller may; one that was handed out stands."""
    done = MealOrder.objects.filter(pk=found.pk, state=MealOrder.State.ORDERED).update(
        state=MealOrder.State.CANCELLED, cancelled_by=by.username
    )
    found.refresh_from_db()
    if not done and found.state != MealOrder.State.CANCELLED:
        raise StepRefused("这一餐已取，不能取消。", "This meal was handed out; it cannot be cancelled.")
    if done:
        record(
            by=by,
            act="cancel_order",
            subject=f"diner:{found.diner.number}",
            region_code=found.site.region_code,
            detail={"order": found.number},
        )
    return found


@transaction.atomic
def keep_pattern(
    person: Diner,
    *,
    place: Site,
    meal: str,
    weekdays: Sequence[int],
    since: date,
    by: User,
    delivery: bool | None = None,
    until: date | None = None,
    placed_for: str = "",
) -> OrderPattern:
    """Want a meal on the same weekdays (按周订餐), in place of what stood before; no weekday ends it."""
    require_at(by, Act.TAKE_ORDER, place)
    take_turn()
    if meal not in Meal.values or any(day not in range(1, 8) for day in weekdays):
        raise StepRefused("请选择餐次和星期。", "Choose the meal and the weekdays.")
    OrderPattern.objects.filter(diner=person, meal=meal, until=None).update(until=since - timedelta(days=1))
    kept = OrderPattern.objects.create(
        diner=person,
        site=place,
        meal=meal,
        weekdays=sorted(set(weekdays)),
        delivery=person.delivered if delivery is None else delivery,
        since=since,
        until=until if weekdays else since,
        placed_by=by.username,
        placed_for=placed_for.strip()[:80],
    )
    days = "、".join("一二三四五六日"[day - 1] for day in kept.weekdays) or "停止"
    DinerEvent.write(by=by, kind="pattern", text=f"按周订餐：{Meal(meal).label} 周{days}", diner=person)
    record(by=by, act="keep_order_pattern", subject=f"diner:{person.number}", region_code=place.region_code)
    return kept


@transaction.atomic
def pause(person: Diner, *, since: date, until: date, by: User, ground: str = "") -> OrderPause:
    """Want nothing for some days; orders of those days that were not served are cancelled."""
    require_at(by, Act.TAKE_ORDER, person.site)
    take_turn()
    return keep_pause(person, since=since, until=until, by=by, ground=ground)


def keep_pause(
    person: Diner, *, since: date, until: date, by: User, ground: str = "", keep: Sequence[int] = ()
) -> OrderPause:
    """Keep a pause that its caller may make; orders whose keys are in ``keep`` stand, as their meal is being made."""
    if until < since or until < timezone.localdate():
        raise StepRefused(
            "暂停的日期不对：先起后止，止日不早于今天。",
            "The days of the pause are the wrong way round or past.",
        )
    kept = OrderPause.objects.create(
        diner=person, since=since, until=until, ground=ground.strip()[:120], placed_by=by.username
    )
    wanted = MealOrder.objects.filter(
        diner=person, day__range=(since, until), state=MealOrder.State.ORDERED
    ).exclude(pk__in=keep)
    wanted.update(state=MealOrder.State.CANCELLED, cancelled_by=by.username)
    DinerEvent.write(by=by, kind="pause", text=f"暂停订餐 {since} 至 {until} {ground}".strip(), diner=person)
    record(by=by, act="pause_orders", subject=f"diner:{person.number}", region_code=person.site.region_code)
    return kept


@dataclass(frozen=True)
class Made:
    """Orders that the weekly patterns of a day became, and those that could not, with the reason."""

    made: int
    refused: tuple[tuple[Diner, DoudiError], ...]


@transaction.atomic
def orders_from_patterns(place: Site, *, day: date, rules: NetworkRules, by: User) -> Made:
    """Turn the weekly patterns of a place into orders of a day; done again it adds nothing.

    A pause holds; an order that was cancelled for that day stays cancelled.
    """
    require_at(by, Act.TAKE_ORDER, place)
    take_turn()
    wanted = (
        OrderPattern.objects.filter(site=place, since__lte=day)
        .filter(Q(until=None) | Q(until__gte=day))
        .select_related("diner__site")
        .order_by("pk")
    )
    made, refused = 0, []
    for pattern in wanted:
        person = pattern.diner
        if day.isoweekday() not in pattern.weekdays:
            continue
        if person.pauses.filter(since__lte=day, until__gte=day).exists():
            continue
        if MealOrder.objects.filter(diner=person, day=day, meal=pattern.meal).exists():
            continue
        try:
            keep_order(
                person,
                place,
                day,
                pattern.meal,
                MealOrder.Channel.PATTERN,
                rules,
                by,
                pattern.delivery,
                pattern.placed_for,
            )
            made += 1
        except DoudiError as problem:
            refused.append((person, problem))
    return Made(made, tuple(refused))


# ---- reading -----------------------------------------------------------------------------------------------------


def orders(
    *, by: User, day: date | None = None, meal: str = "", place: Site | None = None
) -> QuerySet[MealOrder]:
    """Orders at the places an account may see, by place, meal and diner."""
    scope = require(by, Act.VIEW_DINERS)
    found = MealOrder.objects.filter(reach(scope, by, "site__")).select_related("diner", "site__supplied_by")
    if day is not None:
        found = found.filter(day=day)
    if meal:
        found = found.filter(meal=meal)
    if place is not None:
        found = found.filter(site=place)
    return found.order_by("day", "meal", "site__name", "diner__name")


def order(number: str, *, by: User) -> MealOrder:
    """One order, or :class:`OrderNotFound`."""
    found = orders(by=by).filter(number=number).first()
    if found is None:
        raise OrderNotFound(f"没有找到订餐 {number}。", f"No order {number} for you.")
    return found


@dataclass(frozen=True)
class Count:
    """What a kitchen makes for one meal: portions by place, texture and diet, and every order with a clash."""

    day: date
    meal: str
    portions: int
    delivered: int
    by_site: dict[str, int]
    by_texture: dict[str, int]
    by_diet: dict[str, int]
    special: list[MealOrder]
    orders: list[MealOrder]


@transaction.atomic
def kitchen_count(kitchen: Site, *, day: date, meal: str, rules: NetworkRules, by: User) -> Count:
    """The kitchen's count sheet (备餐单) of one meal, for itself and the places it supplies; the look is in the log."""
    scope = require(by, Act.VIEW_DINERS, region_code=kitchen.region_code)
    if scope is Scope.ORGANISATION:
        require_at(by, Act.VIEW_DINERS, kitchen)
    found = list(
        MealOrder.objects.filter(Q(site=kitchen) | Q(site__supplied_by=kitchen), day=day, meal=meal)
        .exclude(state=MealOrder.State.CANCELLED)
        .select_related("diner", "site")
        .order_by("site__name", "diner__name")
    )
    by_site = Counter(one.site.name for one in found)
    textures = Counter(str(one.diner.get_texture_display()) for one in found)
    diets: Counter[str] = Counter()
    special = []
    for one in found:
        codes = [*one.diner.diets, *(["halal"] if one.diner.halal and "halal" not in one.diner.diets else [])]
        for code in codes:
            diets[rules.diets[code].label if code in rules.diets else code] += 1
        if one.clash or codes or one.diner.allergies or one.diner.texture != Diner.Texture.ORDINARY:
            special.append(one)
    record(
        by=by,
        act="kitchen_count",
        subject=f"site:{kitchen.code}",
        region_code=kitchen.region_code,
        detail={"day": day, "meal": meal, "portions": len(found)},
    )
    return Count(
        day,
        meal,
        len(found),
        sum(one.delivery for one in found),
        dict(by_site),
        dict(textures),
        dict(diets),
        special,
        found,
    )
