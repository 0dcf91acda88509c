"""Enrolled, ordered, served once: the till over all places, the register behind it, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.policies import NotAllowed
from doudi.contexts.meals import safety
from doudi.contexts.meals import services as meals
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from tests.a_meal_place import POINT, STRANGE, cook, enrol, open_canteen, tap, today
from tests.cast import CANTEEN, Cast, assemble
from tests.small_county import TOWNSHIP_A, TOWNSHIP_B, ZHANG_WEI, ZHAO_GUO, make_id

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def cast(db: None, office) -> Cast:
    return assemble()


def test_case_1_at_the_till_and_the_receipt_says_each_fen(cast, canteen) -> None:
    person = enrol(cast, canteen)

    given = chain.serve_meal(canteen.code, tap(person), by=cast.canteen)

    meal = given.serving
    assert (meal.list_fen, meal.discount_fen, meal.subsidy_fen, meal.paid_fen) == (2000, 200, 200, 1600)
    assert [line["code"] for line in meal.receipt] == ["LIST", "D60", "B", "PAID"]
    assert meal.pack_hash == chain.rules()[0].hash


def test_the_same_token_again_is_the_same_meal(cast, canteen) -> None:
    person = enrol(cast, canteen)
    once = tap(person)

    first = chain.serve_meal(canteen.code, once, by=cast.canteen)
    again = chain.serve_meal(canteen.code, once, by=cast.canteen)

    assert again.again and again.serving.pk == first.serving.pk
    assert meals.servings(by=cast.canteen).count() == 1
    other = enrol(cast, canteen, serial=102)
    with pytest.raises(meals.SentDifferently):
        chain.serve_meal(canteen.code, tap(other, token=once.token), by=cast.canteen)


def test_case_4_one_subsidy_a_day_over_all_places(cast, canteen) -> None:
    point = open_canteen(cast, code=POINT, organisation=CANTEEN)
    cook(cast, point, price_fen=900, meal="dinner")
    person = enrol(cast, canteen)
    chain.serve_meal(canteen.code, tap(person), by=cast.canteen)

    same = chain.serve_meal(canteen.code, tap(person), by=cast.canteen).serving
    dinner = chain.serve_meal(point.code, tap(person, meal="dinner"), by=cast.canteen).serving

    assert (same.subsidy_fen, same.receipt[-2]["code"]) == (0, "SAME_MEAL")
    assert (dinner.subsidy_fen, dinner.paid_fen, dinner.receipt[-2]["code"]) == (0, 810, "TIMES")


def test_a_reversed_meal_gives_the_subsidy_back(cast, canteen) -> None:
    person = enrol(cast, canteen)
    wrong = chain.serve_meal(canteen.code, tap(person), by=cast.canteen).serving

    meals.reverse_serving(wrong.number, ground="刷错了卡", by=cast.canteen)
    right = chain.serve_meal(canteen.code, tap(person), by=cast.canteen).serving

    assert right.subsidy_fen == 200
    assert meals.reverse_serving(wrong.number, ground="刷错了卡", by=cast.canteen).state == "reversed"


def test_a_queue_cut_off_is_sent_whole_and_priced_by_its_day(cast, canteen) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    person = enrol(cast, canteen)
    queued = tap(person, at=yesterday, list_fen=2000, offline=True)

    first = chain.serve_meal(canteen.code, queued, by=cast.canteen).serving
    chain.serve_meal(canteen.code, queued, by=cast.canteen)
    now = chain.serve_meal(canteen.code, tap(person), by=cast.canteen).serving

    assert (first.day, first.offline, first.subsidy_fen) == (today() - timedelta(days=1), True, 200)
    assert now.subsidy_fen == 200
    with pytest.raises(meals.StepRefused, match="终端时钟"):
        old = tap(person, at=timezone.now() - timedelta(days=41), list_fen=2000, offline=True)
        chain.serve_meal(canteen.code, old, by=cast.canteen)


def test_nothing_is_subsidised_in_hospital_and_after_death(cast, canteen) -> None:
    person = enrol(cast, canteen)
    meals.record_stop(person, kind="hospital", since=today(), source="县医院", by=cast.township)

    meal = chain.serve_meal(canteen.code, tap(person), by=cast.canteen).serving

    assert (meal.subsidy_fen, meal.paid_fen) == (0, 1800)
    assert "住院" in meal.receipt[-2]["zh"]
    with pytest.raises(DoudiError, match="住院"):
        chain.place_order(
            person.number,
            site_code=canteen.code,
            day=today(),
            meal="dinner",
            channel="phone",
            by=cast.canteen,
        )


def test_the_register_brings_category_death_and_custody(cast, canteen) -> None:
    person = enrol(cast, canteen, age=66)
    standing = registry.Standing(9, "H9", TOWNSHIP_A, TOWNSHIP_A, "低保", None)
    number = make_id(f"{today().year - 66}0101", 101)

    told = meals.follow_register(
        {number: standing}, [(9, today() + timedelta(days=1), None)], by=cast.township
    )

    assert (told.categories, told.stops) == (1, 1)
    again = meals.follow_register(
        {number: standing}, [(9, today() + timedelta(days=1), None)], by=cast.township
    )
    assert (again.categories, again.stops) == (0, 0)
    meal = chain.serve_meal(canteen.code, tap(person, list_fen=900), by=cast.canteen).serving
    assert (meal.subsidy_code, meal.paid_fen) == ("A", 310)


def test_a_category_is_the_register_s_word(county, canteen_of_county) -> None:
    cast, place = canteen_of_county
    told = meals.Enrolment(
        name="赵国", id_number=ZHAO_GUO, region_code=TOWNSHIP_B, site_code=place.code, channel="village",
        consent_on=today(), consent_by="本人", consent_how="本人签字",
    )  # fmt: skip

    person = chain.enrol_diner(told, by=cast.county)

    assert (person.category, person.household_no) == ("低保", "H003")
    assert registry.standing_of([ZHANG_WEI])[ZHANG_WEI].region_code == TOWNSHIP_A
    followed = chain.follow_register(on=today(), by=cast.county)
    # the small county's file of deaths has him, though nobody corrected the register yet
    assert (followed.diners, followed.categories, followed.stops) == (1, 0, 1)


def told_by_file(folder: Path, title: str, rows: list[list[str]]) -> None:
    """A department's workbook, taken in as of today."""
    path = folder / f"{title}-{len(rows)}-{rows[0][-1] or 'open'}.csv"
    header = ["姓名", "身份证号", "入院日期", "出院日期"]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
    chain.take_in_file("hospital", path, as_of=today(), by=accounts.system_user())


def test_a_stay_in_hospital_comes_with_the_insurers_file_and_ends_with_a_later_one(
    county, canteen_of_county, settings, tmp_path, nobody_died
) -> None:
    settings.PACK = PROJECT / "packs" / "cn"
    cast, place = canteen_of_county
    cook(cast, place)
    told = meals.Enrolment(
        name="赵国", id_number=ZHAO_GUO, region_code=TOWNSHIP_B, site_code=place.code, channel="village",
        consent_on=today(), consent_by="本人", consent_how="本人签字",
    )  # fmt: skip
    person = chain.enrol_diner(told, by=cast.county)
    since, until = today() - timedelta(days=3), today() - timedelta(days=1)

    told_by_file(tmp_path, "住院登记", [["赵国", ZHAO_GUO, f"{since}", ""]])
    assert chain.follow_register(on=today(), by=cast.county).stops == 1
    assert chain.follow_register(on=today(), by=cast.county).stops == 0
    stay = person.stops.get()
    assert (stay.kind, stay.since, stay.until, stay.source) == ("hospital", since, None, "医保部门数据")
    meal = chain.serve_meal(place.code, tap(person), by=cast.canteen).serving
    assert meal.subsidy_fen == 0 and "住院" in meal.receipt[-2]["zh"]
    meals.reverse_serving(meal.number, ground="刷错了卡", by=cast.canteen)

    # home again: the later file ends the same stay, and what the township entered by hand stays
    by_hand = meals.record_stop(
        person, kind="hospital", since=today() - timedelta(days=90), until=today() - timedelta(days=80),
        source="村委会", by=cast.county,
    )  # fmt: skip
    told_by_file(tmp_path, "住院登记", [["赵国", ZHAO_GUO, f"{since}", f"{until}"]])
    chain.follow_register(on=today(), by=cast.county)
    assert [(one.since, one.until) for one in person.stops.all()] == [
        (since, until), (by_hand.since, by_hand.until),
    ]  # fmt: skip
    assert chain.serve_meal(place.code, tap(person), by=cast.canteen).serving.subsidy_fen > 0


@pytest.fixture
def canteen_of_county(county) -> tuple[Cast, meals.Site]:
    cast = assemble()
    return cast, open_canteen(cast)


def test_enrolment_by_a_canteen_waits_for_the_township(cast, canteen) -> None:
    person = enrol(cast, canteen, by=cast.canteen)

    assert person.status == "applied"
    with pytest.raises(meals.StepRefused, match="核实"):
        chain.serve_meal(canteen.code, tap(person), by=cast.canteen)
    eaten = chain.serve_meal(canteen.code, tap(person, offline=True), by=cast.canteen).serving
    assert (eaten.subsidy_fen, eaten.receipt[-2]["code"]) == (0, "STOPPED")
    with pytest.raises(NotAllowed):
        meals.confirm_diner(person, by=cast.canteen)
    assert meals.confirm_diner(person, by=cast.township).status == "active"
    assert enrol(cast, canteen, by=cast.township).pk == person.pk


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"consent_on": None}, "同意"),
        ({"id_number": "123"}, "身份证号不对"),
        ({"id_number": make_id("20000101", 5)}, "60 周岁"),
        ({"registered_region": ""}, "户籍地"),
        ({"diets": ("nothing",)}, "膳食要求"),
    ],
)
def test_what_is_missing_is_said(cast, canteen, told, says) -> None:
    whole = {
        "name": "何老", "id_number": make_id("19500101", 7), "region_code": TOWNSHIP_A, "site_code": CANTEEN,
        "channel": "village", "consent_on": today(), "consent_by": "本人", "consent_how": "本人签字",
        "registered_region": "520102",
    }  # fmt: skip

    with pytest.raises(meals.StepRefused, match=says):
        chain.enrol_diner(meals.Enrolment(**{**whole, **told}), by=cast.township)


def test_case_5_the_registered_elsewhere_pay_with_the_discount_alone(cast, canteen) -> None:
    person = enrol(cast, canteen, age=70, registered_region=STRANGE)

    assert chain.serve_meal(canteen.code, tap(person), by=cast.canteen).serving.paid_fen == 1800


def test_orders_by_weekday_pause_and_the_kitchens_count(cast, canteen) -> None:
    soft = enrol(cast, canteen, serial=101, texture="soft")
    halal = enrol(cast, canteen, serial=103, halal=True, allergies=("花生",))
    every_day = [1, 2, 3, 4, 5, 6, 7]
    for person in (soft, halal):
        meals.keep_pattern(
            person, place=canteen, meal="lunch", weekdays=every_day, since=today(), by=cast.canteen
        )
    rules = chain.meal_network()

    made = meals.orders_from_patterns(canteen, day=today(), rules=rules, by=cast.canteen)
    assert (made.made, made.refused) == (2, ())
    assert meals.orders_from_patterns(canteen, day=today(), rules=rules, by=cast.canteen).made == 0

    count = meals.kitchen_count(canteen, day=today(), meal="lunch", rules=rules, by=cast.canteen)
    assert (count.portions, count.by_texture["软食"], count.by_diet["清真"]) == (2, 1, 1)
    clash = next(one.clash for one in count.special if one.diner == halal)
    assert "“红烧肉”不合“清真”" in clash and "“花生拌菠菜”含过敏原“花生”" in clash

    meals.pause(halal, since=today(), until=today() + timedelta(days=2), ground="走亲戚", by=cast.canteen)
    left = meals.orders_from_patterns(canteen, day=today() + timedelta(days=1), rules=rules, by=cast.canteen)
    assert left.made == 1
    assert meals.kitchen_count(canteen, day=today(), meal="lunch", rules=rules, by=cast.canteen).portions == 1


def test_an_order_is_one_and_a_full_place_says_so(cast) -> None:
    place = open_canteen(cast, capacity=1)
    person, other = enrol(cast, place), enrol(cast, place, serial=103)
    wanted = {"site_code": place.code, "day": today(), "meal": "lunch", "channel": "phone"}

    first = chain.place_order(person.number, by=cast.canteen, **wanted)
    assert chain.place_order(person.number, by=cast.canteen, **wanted).pk == first.pk
    with pytest.raises(meals.StepRefused, match="已订满"):
        chain.place_order(other.number, by=cast.canteen, **wanted)
    meals.cancel_order(first.number, by=cast.canteen)
    assert chain.place_order(other.number, by=cast.canteen, **wanted).state == "ordered"


def test_who_ate_this_dish_on_this_day(cast, canteen) -> None:
    person = enrol(cast, canteen)
    chain.serve_meal(canteen.code, tap(person), by=cast.canteen)
    dish = meals.dishes(canteen).get(name="红烧肉")

    assert [meal.diner for meal in meals.served(canteen, today(), dish.pk)] == [person]
    assert not meals.served(canteen, today(), dish.pk + 1000)
    assert not meals.served(canteen, today() - timedelta(days=1), dish.pk)


def test_others_see_and_serve_nobody(cast, canteen) -> None:
    person = enrol(cast, canteen)

    for who in (cast.stranger, cast.other_township, cast.volunteer, cast.department):
        with pytest.raises(DoudiError):
            meals.diner(person.number, by=who)
    for who in (cast.township, cast.county, cast.courier):
        with pytest.raises(NotAllowed):
            chain.serve_meal(canteen.code, tap(person), by=who)
    other = open_canteen(cast, code="CT-520102-3")
    with pytest.raises(DoudiError):
        chain.serve_meal(other.code, tap(person), by=cast.canteen)


def test_a_wrong_key_and_a_closed_place_are_refused(cast, canteen) -> None:
    person = enrol(cast, canteen)
    nobody = meals.Tap(uuid4(), "000000" if person.code != "000000" else "111111", "lunch", timezone.now())
    with pytest.raises(meals.StepRefused, match="取餐码"):
        chain.serve_meal(canteen.code, nobody, by=cast.canteen)

    meals.change_site_state(canteen, state="suspended", ground="停电检修", by=cast.county)
    with pytest.raises(meals.StepRefused, match="不营业"):
        chain.serve_meal(canteen.code, tap(person), by=cast.canteen)


def test_a_stopped_dish_is_not_handed_out_and_a_stopped_place_serves_nobody(cast, canteen) -> None:
    person, other = enrol(cast, canteen), enrol(cast, canteen, serial=103)
    pork = meals.dishes(canteen).get(name="红烧肉")
    safety.stop_food(canteen, dish=pork, why="原料有问题", by=cast.canteen)

    chain.serve_meal(canteen.code, tap(person), by=cast.canteen)
    quoted = chain.quote_meal(canteen.code, key=other.code, meal="lunch", on=today(), by=cast.canteen)
    assert not meals.served(canteen, today(), pork.pk)
    assert "“红烧肉”已暂停供应，不能出餐" in quoted.clash

    safety.stop_food(canteen, why="停水", by=cast.canteen)
    with pytest.raises(meals.StepRefused, match="停水"):
        chain.serve_meal(canteen.code, tap(other), by=cast.canteen)


def test_a_place_opens_with_a_licence_alone_and_is_warned_before_it_runs_out(cast) -> None:
    place = open_canteen(cast, state="planned")
    meals.keep_paper(
        place, kind="licence", number="JY1", valid_until=today() + timedelta(days=30), by=cast.county
    )

    opened = meals.change_site_state(place, state="open", ground="开业", by=cast.county)

    assert opened.state == "open"
    soon = meals.expiring(by=cast.county, within_days=chain.meal_network().expiry_days)
    assert [(row.what, row.days) for row in soon] == [("食品经营许可证", 30)]
    meals.keep_paper(
        place, kind="licence", number="JY1", valid_until=today() - timedelta(days=1), by=cast.county
    )
    with pytest.raises(meals.StepRefused, match="许可证"):
        meals.change_site_state(place, state="open", ground="开业", by=cast.county)


def hear(cast, place, stars: list[int]) -> None:
    """So many people say how they liked it, on paper, entered by the township."""
    for one in stars:
        safety.record_rating(
            place, token=uuid4().hex, channel="paper", stars=one, on=today(), scale=chain.volunteer_rules(),
            by=cast.township,
        )  # fmt: skip


def test_the_evaluation_of_a_demonstration_agency(cast, canteen) -> None:
    scores = {
        "food_safety": 28, "coverage": 18, "price": 8, "operation": 12, "charity": 3, "information": 4,
    }  # fmt: skip
    asked = {
        "scores": scores, "best_stars": 5, "income_fen": 95_00, "cost_fen": 100_00, "accident": False,
        "evaluated_on": today(), "rules": chain.meal_network().evaluation, "by": cast.county,
    }  # fmt: skip

    hear(cast, canteen, [4] * 20 + [5] * 9)
    few = meals.evaluate_site(canteen, **asked)
    hear(cast, canteen, [5])
    good = meals.evaluate_site(canteen, **asked)
    loss = meals.evaluate_site(canteen, **{**asked, "income_fen": 89_00})
    accident = meals.evaluate_site(canteen, **{**asked, "accident": True})
    typed = meals.evaluate_site(canteen, **{**asked, "scores": {**scores, "satisfaction": 15}})

    # 29 replies are too few; with the thirtieth 130 stars ÷ 30 ÷ 5 × 15 = 13
    assert (few.total, few.replies, few.passed) == (73, 29, False)
    assert (good.total, good.replies, good.scores["satisfaction"]) == (86, 30, 13)
    assert (good.passed, good.valid_until.year) == (True, today().year + 2)
    assert (loss.total, loss.passed) == (74, False)
    assert (accident.total, accident.passed, accident.red_lines) == (58, False, ["accident"])
    assert typed.scores["satisfaction"] == 13  # what people said, not what was typed


def test_ratings_of_other_places_and_of_long_ago_make_no_marks(cast, canteen) -> None:
    other = open_canteen(cast, code=POINT, organisation=CANTEEN)
    hear(cast, other, [5] * 3)
    hear(cast, canteen, [4])
    rules = chain.meal_network().evaluation

    assert meals.heard_of(canteen, on=today(), rules=rules, best=5).replies == 1
    later = today() + timedelta(days=rules.heard_days + 1)
    assert meals.heard_of(canteen, on=later, rules=rules, best=5).replies == 0
    assert meals.heard_of(other, on=today(), rules=rules, best=5).marks == 0
