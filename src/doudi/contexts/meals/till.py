"""The till: a meal is handed out against a card, a code or a signature, with its receipt; once, wherever (就餐登记).

One subsidy per meal and person over all places, also when two tills serve at the same moment: every act takes its turn,
and the database holds the rule besides. A token made by the till names each meal, so that a queue that was cut off can
be sent again whole.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner, DinerEvent
from doudi.contexts.meals.diners import age_on, by_proof
from doudi.contexts.meals.gift_models import MealGift
from doudi.contexts.meals.gifts import gift_for
from doudi.contexts.meals.menus import clashes_of, menu_of
from doudi.contexts.meals.order_models import Dish, MealOrder, MealServed, Menu, ServingReversal
from doudi.contexts.meals.safety_incidents import is_stopped, stop_in_force
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.contexts.meals.standing import stop_on
from doudi.engine.errors import DoudiError
from doudi.engine.meals import Eater, Gift, Receipt, SoFar, price
from doudi.engine.packs.meals import NetworkRules, PriceRules


class ServingNotFound(DoudiError):
    """No such meal that the asker may see."""

    code = "serving_not_found"


class SentDifferently(DoudiError):
    """A meal of this token was taken in before, for somebody else or with another price."""

    code = "serving_differs"


@dataclass(frozen=True)
class Tap:
    """One meal as the till sends it: ``key`` is a card or meal code, ``at`` when it was handed out.

    ``list_fen`` is typed only where there is no menu; ``offline`` says that it waited in the till's queue.
    """

    token: UUID
    key: str
    meal: str
    at: datetime
    proof: str = MealServed.Proof.CODE
    proof_file: str = ""
    list_fen: int | None = None
    offline: bool = False


@dataclass(frozen=True)
class Quoted:
    """What a meal would cost somebody now, and what on the menu is not for them."""

    diner: Diner
    receipt: Receipt
    clash: list[str]
    order: MealOrder | None


@dataclass(frozen=True)
class Given:
    """A meal that was taken in: ``again`` where it was before."""

    serving: MealServed
    again: bool


def quote(
    place: Site,
    *,
    key: str,
    meal: str,
    on: date,
    prices: PriceRules,
    network: NetworkRules,
    by: User,
    list_fen: int | None = None,
) -> Quoted:
    """The price of a meal before it is handed out (试算); changes nothing."""
    require_at(by, Act.SERVE_MEAL, place)
    person = _who(key)
    menu = menu_of(place, on, meal)
    receipt, _gift = _receipt(place, person, meal, on, _list_price(menu, list_fen), prices, network)
    clash = [one.zh for one in clashes_of(person, menu, network)]
    if menu is not None:
        clash += [
            f"“{dish.name}”已暂停供应，不能出餐"
            for dish in menu.dishes.all()
            if is_stopped(place, dish, on=on)
        ]
    return Quoted(person, receipt, clash, _order_of(person, on, meal))


@transaction.atomic
def serve_meal(
    place: Site, tap: Tap, *, prices: PriceRules, rules: NetworkRules, pack_hash: str, by: User
) -> Given:
    """Hand out a meal at a place and keep it with its receipt; the same token again gives the one that is there."""
    require_at(by, Act.SERVE_MEAL, place)
    take_turn()
    person = _who(tap.key)
    return _serve(place, person, tap, prices, rules, pack_hash, by)


@transaction.atomic
def serve_order(
    found: MealOrder, tap: Tap, *, prices: PriceRules, rules: NetworkRules, pack_hash: str, by: User
) -> Given:
    """Hand a delivered meal over at the door; the order says to whom, the proof that it was."""
    require_at(by, Act.DELIVER_MEAL, found.site)
    take_turn()
    if tap.proof in (MealServed.Proof.CARD, MealServed.Proof.CODE):
        person = _who(tap.key)
        if person.pk != found.diner_id:
            raise StepRefused(
                "取餐码不是这位老人的，请核对门牌和姓名。", "The code belongs to somebody else; check name and door.",
                code="wrong_person",
            )  # fmt: skip
    elif not tap.proof_file:
        raise StepRefused(
            "请拍照或请老人签字，作为交付凭据。",
            "Take a photo or a signature as the proof.",
            code="proof_missing",
        )
    return _serve(found.site, found.diner, tap, prices, rules, pack_hash, by, delivered=True)


def _serve(
    place: Site,
    person: Diner,
    tap: Tap,
    prices: PriceRules,
    rules: NetworkRules,
    pack_hash: str,
    by: User,
    *,
    delivered: bool = False,
) -> Given:
    before = MealServed.objects.select_related("diner", "site").filter(token=tap.token).first()
    if before is not None:
        if before.diner_id != person.pk or before.site_id != place.pk or before.meal != tap.meal:
            raise SentDifferently(
                "这个流水号此前已登记为另一餐，没有改动。请重新取号登记。",
                "This token was taken in before for another meal; nothing was changed.",
            )
        return Given(before, again=True)
    now = timezone.now()
    if not now - timedelta(days=rules.queue_days) <= tap.at <= now + timedelta(minutes=10):
        raise StepRefused(
            f"就餐时间 {timezone.localtime(tap.at):%Y-%m-%d %H:%M} 不对：只补收 {rules.queue_days} 天内的。请核对终端时钟。",
            f"The time of the meal is not within {rules.queue_days} days; check the clock of the till.",
            code="time_refused",
        )
    if tap.meal not in Meal.values or tap.proof not in MealServed.Proof.values:
        raise StepRefused("请选择餐次和凭据。", "Choose the meal and the proof.")
    day = timezone.localdate(tap.at)
    # what was eaten while the network was cut was eaten: only a meal of this moment can still be refused
    if not tap.offline:
        _refuse(place, person)
    menu = menu_of(place, day, tap.meal)
    dishes = _handed_out(place, menu, day, offline=tap.offline)
    list_fen = _list_price(menu, tap.list_fen)
    receipt, gift = _receipt(place, person, tap.meal, day, list_fen, prices, rules)
    order = _order_of(person, day, tap.meal)
    serving = MealServed.objects.create(
        token=tap.token,
        number=f"JC{day:%y%m%d}-{tap.token.hex[:12].upper()}",
        diner=person,
        site=place,
        kitchen=place.kitchen,
        order=order if order is not None and order.state != MealOrder.State.SERVED else None,
        day=day,
        meal=tap.meal,
        at=tap.at,
        offline=tap.offline,
        delivered=delivered,
        proof=tap.proof,
        proof_file=tap.proof_file,
        dishes="".join(f",{dish.pk}" for dish in dishes) + "," if dishes else "",
        list_fen=receipt.list_fen,
        discount_fen=receipt.discount_fen,
        subsidy_fen=receipt.subsidy_fen,
        given_fen=receipt.given_fen,
        gift=gift if receipt.given_fen else None,
        paid_fen=receipt.paid_fen,
        subsidy_code=receipt.subsidy_code[:20],
        payer=receipt.payer[:40],
        receipt=[asdict(line) for line in receipt.lines],
        pack_hash=pack_hash,
        served_by=by.username,
    )
    if serving.order is not None:
        MealOrder.objects.filter(pk=serving.order.pk).update(state=MealOrder.State.SERVED)
    record(
        by=by,
        act=Act.SERVE_MEAL,
        subject=f"diner:{person.number}",
        region_code=place.region_code,
        detail={"meal": serving.number, "subsidy_fen": serving.subsidy_fen, "offline": tap.offline},
    )
    return Given(serving, again=False)


def _refuse(place: Site, person: Diner) -> None:
    if place.state != Site.State.OPEN:
        raise StepRefused(
            f"{place.name} 现在不营业，不能登记就餐。", f"{place.name} is not open.", code="site_stopped"
        )
    if person.status != Diner.Status.ACTIVE:
        raise StepRefused(
            f"{person.name} 的助餐登记“{person.get_status_display()}”，请先由乡镇（街道）核实。",
            f"The enrolment of {person.name} is not in force.",
            code="diner_not_active",
        )


def _handed_out(place: Site, menu: Menu | None, day: date, *, offline: bool) -> list[Dish]:
    """The dishes of the menu that may be handed out now: a stopped one is left out, a stopped place refuses."""
    planned = list(menu.dishes.all()) if menu is not None else []
    if offline:
        return planned
    whole = stop_in_force(place)
    kept = [dish for dish in planned if not is_stopped(place, dish, on=day)] if whole is None else []
    if whole is not None or (planned and not kept):
        why = whole.why if whole is not None else "菜品全部暂停供应"
        raise StepRefused(
            f"{place.name} 已暂停供应（{why}），不能登记就餐。",
            f"{place.name} is stopped ({why}).",
            code="food_stopped",
        )
    return kept


def _who(key: str) -> Diner:
    found = by_proof(key)
    if found is None:
        raise StepRefused(
            "没有这个取餐码或卡号，请核对后重输。", "No such meal code or card; check it.", code="key_unknown"
        )
    return found


def _list_price(menu: Menu | None, typed: int | None) -> int:
    if typed is not None:
        return typed
    if menu is None:
        raise StepRefused(
            "这一餐还没有菜单和标价。请先公布菜单，或输入标价。", "There is no menu for this meal: publish it, or type the price.",
            code="price_missing",
        )  # fmt: skip
    return menu.price_fen


def _order_of(person: Diner, day: date, meal: str) -> MealOrder | None:
    return (
        MealOrder.objects.filter(diner=person, day=day, meal=meal)
        .exclude(state=MealOrder.State.CANCELLED)
        .first()
    )


def _receipt(
    place: Site,
    person: Diner,
    meal: str,
    day: date,
    list_fen: int,
    prices: PriceRules,
    rules: NetworkRules,
) -> tuple[Receipt, MealGift | None]:
    """The receipt by the rules of the day, over what the person got that day and month at all places, and whose gift."""
    subsidised = Q(subsidy_fen__gt=0)
    got = MealServed.objects.filter(
        diner=person, state=MealServed.State.VALID, day__year=day.year, day__month=day.month
    ).aggregate(
        times=Count("pk", filter=subsidised & Q(day=day)),
        today=Sum("subsidy_fen", filter=Q(day=day)),
        month=Sum("subsidy_fen"),
        same=Count("pk", filter=subsidised & Q(day=day, meal=meal)),
        given=Count("pk", filter=Q(given_fen__gt=0, day=day)),
    )
    stop = stop_on(person, day)
    why = f"{stop.since} 起{stop.get_kind_display()}" if stop is not None else ""
    why_en = f"{stop.kind} since {stop.since}" if stop is not None else ""
    if person.status != Diner.Status.ACTIVE:
        # a till that was offline says what was eaten, not who may be subsidised
        why, why_en = f"助餐登记{person.get_status_display()}", f"the enrolment is {person.status}"
    eater = Eater(
        age=age_on(person.born_on, day),
        residence=person.region_code,
        registered=person.registered_region,
        category=person.category,
        disability=person.disability,
        living=person.living,
    )
    so_far = SoFar(
        subsidised_today=got["times"],
        fen_today=got["today"] or 0,
        fen_this_month=got["month"] or 0,
        this_meal=got["same"] > 0,
        stopped=why,
        stopped_en=why_en,
        gifts_today=got["given"],
    )
    gift, room = gift_for(place, person, day)
    given = Gift(gift.payer, room, rules.gifts_a_day) if gift is not None else None
    return price(prices.on(day), eater, list_fen, so_far, given), gift


@transaction.atomic
def reverse_serving(number: str, *, ground: str, by: User) -> MealServed:
    """Take back a meal that was entered wrongly by a counter-entry (冲销); a settled one is for the settlement."""
    found = serving(number, by=by)
    require_at(by, Act.SERVE_MEAL, found.site)
    take_turn()
    if len(ground.strip()) < 4:
        raise StepRefused("请写明冲销理由（至少四个字）。", "Say why in four characters or more.")
    found.refresh_from_db()
    if found.state == MealServed.State.REVERSED:
        return found
    if found.settled.exclude(settlement__state="withdrawn").exists():
        raise StepRefused(
            "这一餐已列入结算，请在结算里提出异议。",
            "This meal stands in a settlement; dispute it there.",
            code="settled",
        )
    ServingReversal.objects.create(serving=found, ground=ground.strip(), by=by.username)
    MealServed.objects.filter(pk=found.pk).update(state=MealServed.State.REVERSED)
    if found.order is not None:
        MealOrder.objects.filter(pk=found.order.pk).update(state=MealOrder.State.ORDERED)
    DinerEvent.write(
        by=by, kind="reverse", text=f"冲销就餐 {found.number}：{ground.strip()}", diner=found.diner
    )
    record(
        by=by,
        act="reverse_serving",
        subject=f"diner:{found.diner.number}",
        region_code=found.site.region_code,
        reason=ground,
        detail={"meal": found.number},
    )
    found.refresh_from_db()
    return found


def servings(*, by: User, day: date | None = None, place: Site | None = None) -> QuerySet[MealServed]:
    """Meals handed out at the places an account may see, newest first."""
    scope = require(by, Act.VIEW_DINERS)
    found = MealServed.objects.filter(reach(scope, by, "site__")).select_related("diner", "site", "order")
    if day is not None:
        found = found.filter(day=day)
    if place is not None:
        found = found.filter(site=place)
    return found


def serving(number: str, *, by: User) -> MealServed:
    """One meal with its receipt, or :class:`ServingNotFound`."""
    found = servings(by=by).filter(number=number).first()
    if found is None:
        raise ServingNotFound(f"没有找到就餐记录 {number}。", f"No meal {number} for you.")
    return found
