"""A gift to a fund for meals: it pays a part of each meal, the month ties out to the fen, the donor reads how many meals."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.contexts.charity import giving
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.engine.meals import Eater, Gift, SoFar, price
from tests.a_meal_place import enrol, tap, today
from tests.cast import PASSWORD, Cast, assemble
from tests.giving import House, open_house
from tests.small_county import TOWNSHIP_A

LAST = today().replace(day=1) - timedelta(days=1)
MONTH = f"{LAST:%Y-%m}"
FUND = "幸福餐桌"


@pytest.fixture
def cast(db: None, office) -> Cast:
    return assemble()


@pytest.fixture
def house(cast) -> House:
    return open_house(cast)


@pytest.fixture
def gift(house) -> giving.Donation:
    return house.gift(house.fund(FUND, purposes=["MEALS"]), 10_000)


def behind(house: House, place: meals.Site, fen: int = 10_000, *, per_meal: int = 300, **how):
    """An approved arrangement of the fund that pays a part of each meal of a place."""
    fund = giving.funds(by=house.keeper).get(name=FUND)
    use = house.arranged(fund, fen, purpose="MEALS", region_code=TOWNSHIP_A, use="补老人午餐")
    asked = {"since": LAST, "until": today() + timedelta(days=30), **how}
    return chain.keep_meal_gift(
        use.number, site_code=place.code, per_meal_fen=per_meal, by=house.keeper, **asked
    )


def eat(cast: Cast, place: meals.Site, person: meals.Diner, **more) -> meals.MealServed:
    return chain.serve_meal(place.code, tap(person, **more), by=cast.canteen).serving


def of_last_month(*served: meals.MealServed) -> None:
    at = timezone.make_aware(datetime.combine(LAST, time(11)))
    for number, one in enumerate(served):
        meals.MealServed.objects.filter(pk=one.pk).update(day=LAST, at=at + timedelta(minutes=2 * number))


def test_the_receipt_names_who_paid_what(cast, house, gift, canteen) -> None:
    kept = behind(house, canteen)

    served = eat(cast, canteen, enrol(cast, canteen))

    assert (served.list_fen, served.discount_fen, served.subsidy_fen) == (2000, 200, 200)
    assert (served.given_fen, served.paid_fen, served.gift) == (300, 1300, kept)
    line = next(one for one in served.receipt if one["code"] == "GIFT")
    assert line["zh"] == f"慈善资金“{FUND}”捐助 3.00元" and line["fen"] == -300
    assert sum(one["fen"] for one in served.receipt) == served.paid_fen


def test_never_more_than_is_left_nor_below_what_the_person_pays_nor_twice_a_day(
    cast, house, gift, canteen
) -> None:
    behind(house, canteen, 5_00, per_meal=3_00)
    one, two, three = (enrol(cast, canteen, serial=serial) for serial in (101, 103, 105))

    first, again = eat(cast, canteen, one), eat(cast, canteen, one, meal="dinner", list_fen=2000)
    second, third = eat(cast, canteen, two), eat(cast, canteen, three)

    assert [meal.given_fen for meal in (first, again, second, third)] == [300, 0, 200, 0]
    meals.reverse_serving(first.number, ground="登记错了人", by=cast.canteen)
    assert eat(cast, canteen, three, meal="dinner", list_fen=2000).given_fen == 300


def test_the_engine_leaves_the_least_that_the_person_pays() -> None:
    scheme = chain.meal_prices().on(today())
    eater = Eater(72, "520102", "520102")

    got = price(scheme, eater, 500, SoFar(), Gift(FUND, 10_000))

    assert got.paid_fen == scheme.least_paid_fen and got.giver == FUND
    assert got.list_fen - got.discount_fen - got.subsidy_fen - got.given_fen == got.paid_fen
    assert price(scheme, eater, 500, SoFar(stopped="住院"), Gift(FUND, 100)).given_fen == 0


def test_only_for_whom_it_is_meant_and_not_in_hospital(cast, house, gift, canteen) -> None:
    behind(house, canteen, categories=["低保"])
    poor, other, sick = (enrol(cast, canteen, serial=serial) for serial in (101, 103, 105))
    meals.Diner.objects.filter(pk__in=(poor.pk, sick.pk)).update(category="低保")
    meals.record_stop(sick, kind="hospital", since=today(), source="县医院", by=cast.township)

    assert [eat(cast, canteen, one).given_fen for one in (poor, other, sick)] == [300, 0, 0]


def test_the_month_is_paid_by_settlement_to_the_fen_and_the_donor_reads_the_meals(
    cast, house, gift, canteen
) -> None:
    kept = behind(house, canteen)
    people = [enrol(cast, canteen, serial=serial) for serial in (101, 103, 105)]
    of_last_month(*(eat(cast, canteen, one) for one in people))
    settled = meals.make_settlement(canteen, month=MONTH, rules=chain.meal_network(), by=cast.county)
    assert (settled.due_fen, settled.given_fen, settled.meals) == (600, 900, 3)

    # before the county has checked it, nothing is owed; who decided does not pay; nor is it paid twice
    with pytest.raises(meals.StepRefused, match="还没有复核"):
        meals.pay_meal_gift(kept.allocation, settlement=settled.number, on=today(), by=house.payer)
    meals.check_settlement(settled.number, by=cast.director)
    with pytest.raises(giving.SamePerson):
        meals.pay_meal_gift(kept.allocation, settlement=settled.number, on=today(), by=house.decider)
    for _twice in range(2):
        paid = meals.pay_meal_gift(kept.allocation, settlement=settled.number, on=today(), by=house.payer)

    standing = meals.gift_standing(kept.allocation, by=house.keeper)
    use = giving.allocation_of(kept.allocation, by=house.keeper)
    assert (paid.amount_fen, paid.meals, paid.people) == (900, 3, 3)
    assert (standing.given_fen, standing.paid_fen, standing.left_fen, standing.whole) == (
        900,
        900,
        9100,
        True,
    )
    assert (use.paid_fen, giving.held(use)) == (900, 9100) and giving.prove(use.fund)
    donation = [line for line in meals.account_lines(canteen, by=cast.canteen) if line.kind == "donation"]
    assert [line.amount_fen for line in donation] == [900]
    (step,) = giving.story(gift).steps
    assert (step.stage, step.people, step.text) == ("paid", 3, f"到 {MONTH} 为止，已为老人补 3 餐。")
    assert not any(one.name in str(step) for one in people)


def test_what_is_in_doubt_is_not_paid_and_money_behind_meals_goes_no_other_way(
    cast, house, gift, canteen
) -> None:
    kept = behind(house, canteen)
    fine, dead = (enrol(cast, canteen, serial=serial) for serial in (101, 103))
    of_last_month(eat(cast, canteen, fine), eat(cast, canteen, dead))
    meals.record_stop(dead, kind="death", since=LAST - timedelta(days=3), source="派出所", by=cast.township)
    settled = meals.make_settlement(canteen, month=MONTH, rules=chain.meal_network(), by=cast.county)
    meals.check_settlement(settled.number, by=cast.director)

    assert settled.given_fen == 300
    for refused in (
        lambda: chain.pay_use(kept.allocation, on=today(), by=house.payer),
        lambda: chain.release_use(kept.allocation, reason="余额不用了", by=house.decider),
    ):
        with pytest.raises(DoudiError):
            refused()
    meals.pay_meal_gift(kept.allocation, settlement=settled.number, on=today(), by=house.payer)
    meals.stop_meal_gift(kept.allocation, by=house.keeper)
    with pytest.raises(meals.StepRefused, match="没有结算拨付"):
        chain.release_use(kept.allocation, reason="余额不用了", by=house.decider)
    (line,) = settled.lines.filter(state="disputed")
    meals.decide_line(settled.number, line.pk, allowed=False, ground="死亡之后", by=cast.director)
    released = chain.release_use(kept.allocation, reason="余额不用了", by=house.decider)

    assert (released.paid_fen, giving.held(released)) == (300, 0)
    released.fund.refresh_from_db()
    assert released.fund.free_money_fen == 9700 and giving.prove(released.fund)
    assert meals.gift_standing(kept.allocation, by=house.keeper).whole
    assert eat(cast, canteen, fine).given_fen == 0


def test_money_for_something_else_and_other_bodies_pay_no_meals(cast, house, gift, canteen) -> None:
    medical = house.fund("大病")
    house.gift(medical, 1_000)
    use = house.arranged(medical, 1_000)
    asked = {"site_code": canteen.code, "per_meal_fen": 100, "since": today(), "until": today()}
    with pytest.raises(meals.StepRefused, match="用途为助餐"):
        chain.keep_meal_gift(use.number, by=house.keeper, **asked)
    kept = behind(house, canteen)
    with pytest.raises(DoudiError):
        meals.gift_standing(kept.allocation, by=cast.canteen)
    stranger = accounts.create_user(
        username="other_charity", password=PASSWORD, display_name="别家", role=Role.CHARITY, region_code="520102",
        organisation="CH-9", by=accounts.system_user(),
    )  # fmt: skip
    for refused in (
        lambda: meals.stop_meal_gift(kept.allocation, by=stranger),
        lambda: meals.gift_standing(kept.allocation, by=stranger),
    ):
        with pytest.raises(DoudiError):
            refused()
    assert meals.gift_standing(kept.allocation, by=cast.county).whole
