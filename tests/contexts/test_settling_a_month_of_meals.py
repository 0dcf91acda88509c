"""A month with an operator: from proofs alone, odd meals held back, three people, and a place's own account."""

from __future__ import annotations

import io
from datetime import datetime, time, timedelta
from uuid import uuid4

import pytest
from dateutil.relativedelta import relativedelta
from django.utils import timezone
from openpyxl import load_workbook

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.policies import NotAllowed
from doudi.contexts.accounts.services import Role
from doudi.contexts.meals import services as meals
from tests.a_meal_place import enrol, open_canteen, today
from tests.cast import PASSWORD, Cast, assemble

LAST = today().replace(day=1) - timedelta(days=1)
MONTH = f"{LAST:%Y-%m}"


@pytest.fixture
def cast(db: None, office) -> Cast:
    return assemble()


@pytest.fixture
def canteen(cast) -> meals.Site:
    return open_canteen(cast, operator="褚氏餐饮", operator_account="褚氏餐饮 6222")


@pytest.fixture
def cashier(cast):
    return accounts.create_user(
        username="cashier", password=PASSWORD, display_name="钱出纳", role=Role.COUNTY, region_code="520102",
        by=accounts.system_user(),
    )  # fmt: skip


def ate(
    cast: Cast,
    place: meals.Site,
    person: meals.Diner,
    *,
    day=LAST,
    minute: int = 0,
    second: int = 0,
    meal="lunch",
):
    """A meal of last month, as the till kept it then."""
    at = timezone.make_aware(datetime.combine(day, time(11, minute, second)))
    given = chain.serve_meal(
        place.code,
        meals.Tap(uuid4(), person.code, meal, timezone.now(), list_fen=2000, offline=True),
        by=cast.canteen,
    )
    meals.MealServed.objects.filter(pk=given.serving.pk).update(day=day, at=at)
    return given.serving


def settle(cast: Cast, place: meals.Site, month: str = MONTH) -> meals.Settlement:
    return meals.make_settlement(place, month=month, rules=chain.meal_network(), by=cast.county)


def test_a_month_is_made_checked_and_paid_by_three_people(cast, canteen, cashier) -> None:
    for serial in (101, 103):
        ate(cast, canteen, enrol(cast, canteen, serial=serial), minute=serial % 60)

    made = settle(cast, canteen)
    assert (made.meals, made.due_fen, made.disputed_meals) == (2, 400, 0)
    assert settle(cast, canteen).pk == made.pk
    with pytest.raises(meals.StepRefused, match="不同的人"):
        meals.check_settlement(made.number, by=cast.county)
    meals.check_settlement(made.number, by=cast.director)
    for who in (cast.county,):
        with pytest.raises(meals.StepRefused, match="不同的人"):
            meals.pay_settlement(made.number, voucher="B1", paid_on=today(), by=who)
    with pytest.raises(NotAllowed):
        meals.pay_settlement(made.number, voucher="B1", paid_on=today(), by=cast.director)
    rows = list(load_workbook(io.BytesIO(meals.payment_file(month=MONTH, by=cashier))).active.values)
    assert rows[1][2:] == ("褚氏餐饮", "褚氏餐饮 6222", MONTH, 2, "4.00") and rows[2][6] == "4.00"

    paid = meals.pay_settlement(made.number, voucher="B1", paid_on=today(), by=cashier)
    again = meals.pay_settlement(made.number, voucher="B1", paid_on=today(), by=cashier)

    assert (paid.state, again.state) == ("paid", "paid")
    with pytest.raises(meals.StepRefused, match="拨付一次"):
        meals.pay_settlement(made.number, voucher="B2", paid_on=today(), by=cashier)
    income = meals.account_of(canteen, by=cast.canteen)[0].by_kind
    assert income["补贴"] == 400


def test_a_month_that_is_not_over_is_not_settled(cast, canteen) -> None:
    with pytest.raises(meals.StepRefused, match="还没有过完"):
        settle(cast, canteen, f"{today():%Y-%m}")


def test_odd_meals_are_held_back_until_somebody_else_decides(cast, canteen) -> None:
    people = [enrol(cast, canteen, serial=101 + 2 * i) for i in range(8)]
    for i, person in enumerate(people):
        ate(cast, canteen, person, minute=5, second=i * 5)
    sick = enrol(cast, canteen, serial=201)
    ate(cast, canteen, sick, minute=30)
    meals.record_stop(sick, kind="hospital", since=LAST, until=LAST, source="县医院", by=cast.township)

    made = settle(cast, canteen)

    assert (made.meals, made.disputed_meals, made.disputed_fen) == (0, 9, 1800)
    codes = {line.serving.diner: line.anomalies for line in made.lines.all()}
    assert codes[sick] == ["hospital"] and all(codes[person] == ["burst"] for person in people)
    line = made.lines.get(serving__diner=people[0])
    with pytest.raises(meals.StepRefused, match="不同的人"):
        meals.decide_line(made.number, line.pk, allowed=True, ground="现场核对过", by=cast.county)
    meals.decide_line(made.number, line.pk, allowed=True, ground="一家人同时就餐", by=cast.director)
    meals.decide_line(made.number, made.lines.get(serving__diner=sick).pk, allowed=False, ground="当日住院", by=cast.director)  # fmt: skip
    made.refresh_from_db()
    assert (made.meals, made.due_fen, made.disputed_meals) == (1, 200, 7)


def test_decided_after_the_check_it_is_paid_with_the_next_month(cast, canteen) -> None:
    earlier = LAST.replace(day=1) - timedelta(days=1)
    month = f"{earlier:%Y-%m}"
    person = enrol(cast, canteen)
    ate(cast, canteen, person, day=earlier)
    meals.record_stop(person, kind="hospital", since=earlier, until=earlier, source="误报", by=cast.township)
    first = settle(cast, canteen, month)
    meals.check_settlement(first.number, by=cast.director)
    line = first.lines.get()

    carried = meals.decide_line(
        first.number, line.pk, allowed=True, ground="医院更正了日期", by=cast.director
    )
    second = settle(cast, canteen)

    assert carried.state == "carried"
    first.refresh_from_db()
    assert (first.due_fen, second.meals, second.due_fen) == (0, 1, 200)
    third = (LAST + relativedelta(days=1)).replace(day=1)
    assert third  # nothing of it is due a third time
    assert not meals.SettlementLine.objects.filter(serving=line.serving, state="due").exclude(
        settlement=second
    )


def test_an_operator_objects_and_a_county_questions(cast, canteen) -> None:
    ate(cast, canteen, enrol(cast, canteen))
    made = settle(cast, canteen)
    line = made.lines.get()

    meals.dispute_line(made.number, line.pk, ground="签名不像本人", by=cast.county)
    meals.decide_line(made.number, line.pk, allowed=False, ground="本人否认就餐", by=cast.director)
    meals.dispute_line(made.number, line.pk, ground="有监控为证", by=cast.canteen)

    line.refresh_from_db()
    assert line.state == "disputed"
    assert [event.kind for event in made.events.all()] == ["make", "dispute", "decide", "dispute"]


def test_a_reversed_or_unsubsidised_meal_is_not_settled(cast, canteen) -> None:
    person = enrol(cast, canteen)
    wrong = ate(cast, canteen, person)
    meals.reverse_serving(wrong.number, ground="刷错了卡", by=cast.canteen)
    ate(cast, canteen, enrol(cast, canteen, serial=103, registered_region="610102"))

    assert settle(cast, canteen).meals == 0


def test_a_withdrawn_settlement_frees_its_meals(cast, canteen) -> None:
    ate(cast, canteen, enrol(cast, canteen))
    made = settle(cast, canteen)

    meals.withdraw_settlement(made.number, ground="漏了补传的餐", by=cast.county)

    assert settle(cast, canteen).meals == 1


def test_settlements_of_others_are_not_there(cast, canteen) -> None:
    made = settle(cast, canteen)
    for who in (cast.stranger, cast.township, cast.courier):
        with pytest.raises((NotAllowed, meals.SettlementNotFound)):
            meals.settlement(made.number, by=who)
    with pytest.raises(NotAllowed):
        settle_by_canteen = {"month": MONTH, "rules": chain.meal_network(), "by": cast.canteen}
        meals.make_settlement(canteen, **settle_by_canteen)


def test_the_account_of_a_place_tells_whether_it_can_go_on(cast, canteen) -> None:
    chain.serve_meal(
        canteen.code,
        meals.Tap(uuid4(), enrol(cast, canteen).code, "lunch", timezone.now(), list_fen=2000),
        by=cast.canteen,
    )
    food = meals.keep_account_line(
        canteen, on=today(), kind="food", amount_fen=2000, memo="买菜", by=cast.canteen
    )
    meals.keep_account_line(
        canteen, on=today(), kind="donation", amount_fen=200, memo="邻里捐赠", by=cast.canteen
    )

    month = meals.account_of(canteen, by=cast.canteen)[0]
    assert (month.income_fen, month.cost_fen, month.result) == (1800, 2000, -10.0)
    meals.reverse_account_line(canteen, food.pk, memo="记错了", by=cast.canteen)
    meals.reverse_account_line(canteen, food.pk, memo="记错了", by=cast.canteen)
    assert meals.account_of(canteen, by=cast.canteen)[0].cost_fen == 0
    with pytest.raises(meals.StepRefused, match="系统计入"):
        meals.keep_account_line(
            canteen, on=today(), kind="subsidy", amount_fen=100, memo="x", by=cast.canteen
        )
