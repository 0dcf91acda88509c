"""Charity's money that pays for meals (助餐捐助): a fund's arrangement stands behind the meals of a place.

The till takes a part of each meal out of it, after every subsidy; the month's settlement says what is owed, and the
charity pays that and no more. So what the fund paid is the sum of the receipts that name it, to the fen. Who ate is
never told to the charity or its donors: meals and people are counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity import giving
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.gift_models import MealGift, MealGiftPayment
from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.settlement_models import AccountLine, Settlement, SettlementLine
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused
from doudi.engine.money import show_yuan
from doudi.engine.packs.meals import NetworkRules

_COUNTED = (SettlementLine.State.DUE, SettlementLine.State.ALLOWED)
_TO_PAY = (Settlement.State.CHECKED, Settlement.State.PAID)


def gift_for(place: Site, person: Diner, day: date) -> tuple[MealGift | None, int]:
    """Whose money helps with a meal of that day, and at most how many fen; the caller holds the turn where it is spent."""
    standing = MealGift.objects.filter(site=place, since__lte=day, until__gte=day).filter(
        Q(stopped_on=None) | Q(stopped_on__gt=day)
    )
    for gift in standing:
        if gift.categories and person.category not in gift.categories:
            continue
        room = min(gift.per_meal_fen, gift.budget_fen - given_of(gift))
        if room > 0:
            return gift, room
    return None, 0


def given_of(gift: MealGift) -> int:
    """What the receipts of standing meals name as this gift's, in fen."""
    found = MealServed.objects.filter(gift=gift, state=MealServed.State.VALID)
    return int(found.aggregate(fen=Sum("given_fen"))["fen"] or 0)


def gift_places(*, by: User) -> list[Site]:
    """Open places of the area whose meals a charity may pay for."""
    require(by, Act.KEEP_FUNDS)
    return list(
        Site.objects.filter(state=Site.State.OPEN, region_code__startswith=by.region_code).order_by("name")
    )


@transaction.atomic
def keep_meal_gift(
    allocation: str,
    *,
    site_code: str,
    per_meal_fen: int,
    since: date,
    until: date,
    rules: NetworkRules,
    by: User,
    categories: Sequence[str] = (),
) -> MealGift:
    """Put an approved arrangement of a fund behind the meals of a place (登记助餐捐助); the same again is the one there."""
    use = giving.allocation_of(allocation, by=by)
    require(by, Act.KEEP_FUNDS, region_code=use.organisation.region_code, organisation=use.organisation.code)
    take_turn()
    before = MealGift.objects.filter(allocation=use.number).first()
    if before is not None:
        return before
    if use.asset != giving.Asset.MONEY or use.purpose not in rules.gift_purposes or use.claim:
        raise StepRefused(
            "只有用途为助餐的资金安排可以用于助餐捐助（政策包“捐助 → 用途”）。",
            "Only money arranged for meals may pay for meals.",
            code="purpose_not_meals",
        )
    if use.status != giving.Allocation.Status.APPROVED or use.paid_fen:
        raise StepRefused(
            "安排须已批准、还没有拨付。", "The arrangement has to be approved, and nothing paid yet."
        )
    place = Site.objects.filter(
        code=site_code, state=Site.State.OPEN, region_code__startswith=by.region_code
    ).first()
    if place is None:
        raise StepRefused("请选择本地区营业中的助餐点。", "Choose an open place of the area.")
    if per_meal_fen <= 0 or until < since or until < timezone.localdate():
        raise StepRefused(
            "请填写每餐捐助金额和起止日期，止期不能早于今天。",
            "Give the sum per meal, and from when to when.",
        )
    kept = MealGift.objects.create(
        allocation=use.number,
        organisation=use.organisation.code,
        payer=use.fund.name,
        site=place,
        per_meal_fen=per_meal_fen,
        categories=sorted(set(categories)),
        budget_fen=use.amount_fen,
        since=since,
        until=until,
        kept_by=by.username,
    )
    _log(kept, by, "keep_meal_gift", per_meal_fen=per_meal_fen)
    return kept


@transaction.atomic
def stop_meal_gift(allocation: str, *, by: User) -> MealGift:
    """End a gift from today on (停止捐助): what was eaten is still owed, the rest may be released."""
    found = _own(allocation, by, Act.KEEP_FUNDS)
    take_turn()
    done = MealGift.objects.filter(pk=found.pk, stopped_on=None).update(stopped_on=timezone.localdate())
    if done:
        _log(found, by, "stop_meal_gift")
    found.refresh_from_db()
    return found


@dataclass(frozen=True)
class Owed:
    """What a settlement asks of a gift: meals, people who ate them, fen; ``settlement`` is its number."""

    settlement: str
    month: str
    meals: int
    people: int
    fen: int


def owed(gift: MealGift) -> list[Owed]:
    """The checked settlements that name the gift and were not paid out of it yet, the earliest first."""
    rows = (
        SettlementLine.objects.filter(
            serving__gift=gift, state__in=_COUNTED, given_fen__gt=0, settlement__state__in=_TO_PAY
        )
        .exclude(settlement__in=gift.payments.values("settlement"))
        .values(number=F("settlement__number"), month=F("settlement__month"))
        .annotate(meals=Count("pk"), people=Count("serving__diner", distinct=True), fen=Sum("given_fen"))
        .order_by("month", "number")
    )
    return [Owed(row["number"], row["month"], row["meals"], row["people"], int(row["fen"])) for row in rows]


@dataclass(frozen=True)
class GiftStanding:
    """How a gift stands, in fen and counts: given on receipts, paid to operators, what is left, and whether it ties out."""

    gift: MealGift
    meals: int
    people: int
    given_fen: int
    paid_fen: int
    left_fen: int
    owed: list[Owed]
    whole: bool
    """Whether the payments are the fund's own grants and no more than the receipts, to the fen."""


def gift_standing(allocation: str, *, by: User) -> GiftStanding | None:
    """How the gift of an arrangement stands, None where it pays for no meals."""
    use = giving.allocation_of(allocation, by=by)
    gift = MealGift.objects.select_related("site").filter(allocation=use.number).first()
    if gift is None:
        return None
    eaten = MealServed.objects.filter(gift=gift, state=MealServed.State.VALID).aggregate(
        meals=Count("pk"), people=Count("diner", distinct=True)
    )
    given = given_of(gift)
    paid = int(gift.payments.aggregate(fen=Sum("amount_fen"))["fen"] or 0)
    return GiftStanding(
        gift,
        eaten["meals"],
        eaten["people"],
        given,
        paid,
        gift.budget_fen - given,
        owed(gift),
        paid == use.paid_fen and paid <= given <= gift.budget_fen,
    )


@transaction.atomic
def pay_meal_gift(allocation: str, *, settlement: str, on: date, by: User) -> MealGiftPayment:
    """Pay out of the fund what a checked settlement asks of it (按结算拨付捐助); the same settlement once.

    The operator's account takes it as a donation, and the donors read how many meals it was.
    """
    found = _own(allocation, by, Act.PAY_FUNDS)
    take_turn()
    before = found.payments.filter(settlement__number=settlement).first()
    if before is not None:
        return before
    due = next((one for one in owed(found) if one.settlement == settlement), None)
    if due is None:
        raise StepRefused(
            "这份结算没有要由这项资金拨付的助餐，或还没有复核。",
            "Nothing of this settlement is owed by this fund, or it was not checked yet.",
            code="nothing_owed",
        )
    memo = f"助餐捐助 {due.month} {found.site.name} {due.meals} 餐"
    paid = giving.pay(
        found.allocation, on=on, amount_fen=due.fen, memo=memo, token=f"meals:{due.settlement}", by=by
    )
    kept = MealGiftPayment.objects.create(
        gift=found,
        settlement=Settlement.objects.get(number=settlement),
        amount_fen=due.fen,
        meals=due.meals,
        people=due.people,
        voucher=paid.entry.voucher,
        paid_on=on,
        by=by.username,
    )
    AccountLine.objects.create(
        site=found.site,
        on=on,
        kind=AccountLine.Kind.DONATION,
        amount_fen=due.fen,
        memo=f"{memo} {paid.entry.voucher}"[:200],
        by=by.username,
    )
    every = found.payments.aggregate(meals=Sum("meals"))["meals"] or 0
    people = (
        MealServed.objects.filter(gift=found, state=MealServed.State.VALID)
        .filter(settled__settlement__in=found.payments.values("settlement"), settled__state__in=_COUNTED)
        .aggregate(people=Count("diner", distinct=True))["people"]
    )
    giving.record_outcome(
        found.allocation,
        result=giving.Outcome.Result.SOLVED,
        people=people,
        text=f"到 {due.month} 为止，已为老人补 {every} 餐。",
        on=on,
        by=by,
    )
    _log(found, by, "pay_meal_gift", settlement=settlement, amount_fen=due.fen)
    return kept


def is_meal_gift(allocation: str) -> bool:
    """Whether an arrangement pays for meals, so that it is paid by settlements and in no other way."""
    return MealGift.objects.filter(allocation=allocation).exists()


def refuse_release(allocation: str) -> None:
    """Refuse to release an arrangement whose meals were eaten and are not paid, or may still be."""
    found = MealGift.objects.filter(allocation=allocation).first()
    if found is None:
        return
    today = timezone.localdate()
    if found.stopped_on is None and found.until >= today:
        raise StepRefused(
            "这项安排正在用于助餐，请先停止捐助，再撤回余额。", "It pays for meals: stop it first, then release the rest.",
            code="gift_in_force",
        )  # fmt: skip
    open_fen = given_of(found) - int(found.payments.aggregate(fen=Sum("amount_fen"))["fen"] or 0)
    rejected = SettlementLine.objects.filter(
        serving__gift=found, state=SettlementLine.State.REJECTED, serving__state=MealServed.State.VALID
    ).exclude(settlement__state=Settlement.State.WITHDRAWN)
    open_fen -= int(rejected.aggregate(fen=Sum("given_fen"))["fen"] or 0)
    if open_fen > 0:
        raise StepRefused(
            f"还有 {show_yuan(open_fen)} 的助餐没有结算拨付，付清后才能撤回余额。",
            f"Meals of {show_yuan(open_fen)} are not settled and paid yet.",
            code="gift_owed",
        )


def _own(allocation: str, by: User, act: Act) -> MealGift:
    use = giving.allocation_of(allocation, by=by)
    require(by, act, region_code=use.organisation.region_code, organisation=use.organisation.code)
    found = MealGift.objects.select_related("site").filter(allocation=use.number).first()
    if found is None:
        raise StepRefused("这项安排没有用于助餐。", "This arrangement pays for no meals.")
    return found


def _log(found: MealGift, by: User, act: str, **detail: object) -> None:
    record(
        by=by,
        act=act,
        subject=f"allocation:{found.allocation}",
        region_code=found.site.region_code,
        detail={"site": found.site.code, **detail},
    )
