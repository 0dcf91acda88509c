"""From a bad delivery to everyone who ate of it; a stop that no till passes; a clock to the report; an open score."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, Role, audit_entries, create_user, system_user
from doudi.contexts.meals import safety
from doudi.contexts.meals.models import FoodStop, Incident, PublicWord
from doudi.contexts.meals.safety_incidents import meals_with
from doudi.contexts.meals.services import StepRefused
from doudi.contexts.monitoring import services as monitoring
from tests.a_kitchen import Kitchen, open_kitchen
from tests.a_meal_place import cook, enrol, open_canteen, tap
from tests.cast import Cast, assemble


@pytest.fixture
def cast(office, db) -> Cast:
    return assemble()


@pytest.fixture
def kitchen(cast) -> Kitchen:
    return open_kitchen(cast.county)


@pytest.fixture
def rules():
    return chain.food_safety()


@pytest.fixture
def second_county(cast):
    """Another officer of the county: who frees and closes is not who stopped and entered."""
    return create_user(
        username="county2", password="a-long-test-password", display_name="马监管", role=Role.COUNTY,
        region_code="520102", by=system_user(),
    )  # fmt: skip


@pytest.fixture
def tofu_batch(cast, kitchen, rules):
    seller = safety.enter_supplier(
        kitchen.site,
        name="豆腐坊",
        licence_no="JY9",
        licence_until=date(2030, 1, 1),
        contact="1",
        by=cast.canteen,
    )
    batch = safety.enter_batch(
        kitchen.site, token="d" * 32, supplier=seller, product="豆腐", quantity=Decimal(30), unit="公斤",
        received_on=timezone.localdate(), shelf_life_until=timezone.localdate() + timedelta(days=2), rules=rules,
        by=cast.canteen,
    )  # fmt: skip
    safety.use_batch(batch, dish=kitchen.tofu, day=timezone.localdate(), meal="lunch", by=cast.canteen)
    return batch


def enter(place, cast, rules, **more) -> Incident:
    asked = {
        "token": "e" * 32,
        "kind": "illness",
        "text": "三位老人饭后呕吐",
        "found_at": timezone.now(),
        **more,
    }
    return safety.open_incident(place, rules=rules, by=more.pop("by", cast.canteen), **asked)


def test_everyone_who_ate_of_a_batch_is_found_in_one_query(
    cast, kitchen, tofu_batch, django_assert_num_queries
) -> None:
    luo, shi = kitchen.diners
    kitchen.serve(luo, [kitchen.tofu, kitchen.soup])
    kitchen.serve(shi, [kitchen.soup])
    kitchen.serve(shi, [kitchen.tofu], meal="dinner")
    kitchen.serve(shi, [kitchen.tofu], day=timezone.localdate() - timedelta(days=1))

    uses = list(tofu_batch.uses.select_related("dish", "site"))
    with django_assert_num_queries(1):
        assert [meal.diner.name for meal in meals_with(uses)] == ["罗奶奶"]
    found = safety.recall(tofu_batch.number, by=cast.county)

    assert [(row.meal.diner.name, row.sure) for row in found.eaten] == [("罗奶奶", True)]
    look = audit_entries(by=cast.auditor, act="trace_batch").get()
    assert look.detail["diners"] == [luo.number]


def test_a_meal_whose_dishes_were_not_noted_may_have_held_it(cast, kitchen, tofu_batch) -> None:
    luo, shi = kitchen.diners
    kitchen.serve(luo, [kitchen.tofu])
    kitchen.serve(shi, [])

    found = safety.recall(tofu_batch.number, by=cast.canteen)

    assert {row.meal.diner.name: row.sure for row in found.eaten} == {"罗奶奶": True, "石爷爷": False}
    assert found.people == 2
    for who in (cast.volunteer, cast.township, cast.auditor):
        with pytest.raises((NotAllowed, safety.SafetyNotFound)):
            safety.recall(tofu_batch.number, by=who)
    with pytest.raises(safety.SafetyNotFound):
        safety.recall(tofu_batch.number, by=cast.stranger)


def test_a_batch_stops_the_dishes_that_it_went_into(cast, kitchen, tofu_batch, rules) -> None:
    sample = safety.keep_sample(
        kitchen.site, dish=kitchen.tofu, day=timezone.localdate(), meal="lunch", grams=130, taken_by="田",
        taken_at=timezone.now() - timedelta(hours=49), rules=rules, by=cast.canteen,
    )  # fmt: skip
    assert not safety.is_stopped(kitchen.site, kitchen.tofu)

    incident = enter(kitchen.site, cast, rules, kind="batch", batch=tofu_batch)
    again = enter(kitchen.site, cast, rules, kind="batch", batch=tofu_batch)

    assert again.pk == incident.pk
    assert safety.is_stopped(kitchen.site, kitchen.tofu)
    assert not safety.is_stopped(kitchen.site, kitchen.soup)
    assert not safety.is_stopped(kitchen.site)
    assert not safety.is_stopped(kitchen.site, kitchen.tofu, on=timezone.localdate() - timedelta(days=1))
    sample.refresh_from_db()
    assert sample.held
    with pytest.raises(StepRefused, match="封存"):
        safety.end_sample(sample, ended_by="田", why="想扔掉", rules=rules, by=cast.canteen)


def test_illness_stops_the_whole_place_and_those_it_cooks_for(cast, kitchen, rules) -> None:
    point = open_kitchen(
        cast.county, code="CT-520102-9", name="遵义路助餐点", kind="point", supplied_by=kitchen.site
    ).site

    enter(kitchen.site, cast, rules)

    assert safety.is_stopped(kitchen.site) and safety.is_stopped(kitchen.site, kitchen.soup)
    assert safety.is_stopped(point), "the kitchen's stop holds where it delivers"


def test_the_report_has_two_hours_and_the_county_is_told(cast, kitchen, rules, second_county) -> None:
    found_at = timezone.now() - timedelta(hours=3)
    incident = enter(kitchen.site, cast, rules, found_at=found_at, people=3)

    assert incident.report_due_at == found_at + timedelta(hours=2)
    assert [row.number for row in safety.incidents(by=cast.county, state="late")] == [incident.number]
    assert monitoring.notices(by=cast.county).filter(kind="food_incident").count() == 1
    with pytest.raises(StepRefused, match="先报告"):
        safety.close_incident(incident.number, conclusion="误报，已核实", by=cast.county)
    safety.report_incident(incident.number, to=["县市场监督管理局"], by=cast.canteen)
    safety.report_incident(incident.number, to=["别处"], by=cast.county)
    done = safety.close_incident(incident.number, conclusion="检验为阴性，结案", by=cast.county)

    assert done.reported_to == ["县市场监督管理局"]
    assert [line.kind for line in done.lines.all()] == ["open", "stop", "hold", "report", "close"]
    assert "超过时限" in done.lines.get(kind="report").text


def test_who_stopped_it_does_not_free_it(cast, kitchen, second_county) -> None:
    by_canteen = safety.stop_food(kitchen.site, dish=kitchen.tofu, why="有异味", by=cast.canteen)
    twice = safety.stop_food(kitchen.site, dish=kitchen.tofu, why="有异味", by=cast.county)
    by_county = safety.stop_food(kitchen.site, why="灶具故障", by=cast.county)

    assert twice.pk == by_canteen.pk
    with pytest.raises(NotAllowed):
        safety.lift_stop(by_canteen.pk, why="已换新批次", by=cast.canteen)
    with pytest.raises(StepRefused, match="不能自己恢复"):
        safety.lift_stop(by_county.pk, why="已修好，检查合格", by=cast.county)
    safety.lift_stop(by_county.pk, why="已修好，检查合格", by=second_county)
    safety.lift_stop(by_canteen.pk, why="已换新批次", by=cast.county)
    assert not FoodStop.objects.filter(lifted_at=None).exists()
    assert not safety.is_stopped(kitchen.site, kitchen.tofu)


# ---- what the public sees and says -------------------------------------------------------------------------------


def test_an_open_incident_or_a_lapsed_licence_makes_the_score_nought(cast, kitchen, rules) -> None:
    today = timezone.localdate()
    cook = safety.enter_worker(kitchen.site, name="田师傅", job="厨师", joined_on=today, by=cast.canteen)
    safety.keep_certificate(cook, number="1", issued_on=today, rules=rules, by=cast.canteen)
    for number, kind in enumerate(("daily", "weekly", "monthly")):
        safety.make_tour(
            kitchen.site, token=f"{number}" * 32, kind=kind, on=today, inspector="田", faults={}, rules=rules,
            by=cast.canteen,
        )  # fmt: skip
    good = safety.score_of(kitchen.site, rules=rules, on=today)
    lapsed = safety.score_of(kitchen.site, rules=rules, on=date(2031, 1, 1))
    enter(kitchen.site, cast, rules)
    after = safety.open_scores(rules=rules)[0]

    assert (good.points, good.grade.label, good.red_lines) == (100, "良好", [])
    assert lapsed.points == 0 and lapsed.red_lines[0][0] == "licence"
    assert after.points == 0 and {code for code, _words in after.red_lines} == {"incident", "stopped"}


def test_a_score_counts_what_was_done_of_what_was_due(rules) -> None:
    assert rules.score({"健康证": (1, 2), "留样": (3, 3)}, red_lines=[]) == 75
    assert rules.score({"晨检": (0, 5)}, red_lines=[]) == 0
    assert rules.score({}, red_lines=[]) == 0
    assert rules.score({"健康证": (2, 2)}, red_lines=["licence"]) == 0


def test_a_code_on_paper_rates_once(cast, kitchen, rules) -> None:
    scale = chain.volunteer_rules()
    code, _other = safety.issue_rating_codes(kitchen.site, count=2, by=cast.township)

    word = safety.rate_by_code(f"{code[:5]}-{code[5:].lower()}", stars=5, rules=rules, scale=scale)

    assert (word.site, word.stars, word.channel) == (kitchen.site, 5, "code")
    with pytest.raises(StepRefused, match="已经用过"):
        safety.rate_by_code(code, stars=1, rules=rules, scale=scale)
    with pytest.raises(StepRefused, match="没有这个评价码"):
        safety.rate_by_code("AAAAABBBBB", stars=5, rules=rules, scale=scale)
    with pytest.raises(NotAllowed):
        safety.issue_rating_codes(kitchen.site, count=1, by=cast.canteen)
    with pytest.raises(NotAllowed):
        safety.record_rating(
            kitchen.site, token="f" * 32, channel="phone", stars=5, on=timezone.localdate(), scale=scale,
            by=cast.canteen,
        )  # fmt: skip


def test_codes_cannot_be_tried_out(cast, kitchen, rules) -> None:
    scale = chain.volunteer_rules()
    for _try in range(rules.per_address):
        with pytest.raises(StepRefused):
            _outside_atomic(rules, scale)
    with pytest.raises(monitoring.TooMany):
        _outside_atomic(rules, scale)


def _outside_atomic(rules, scale) -> None:
    safety.rate_by_code("ZZZZZZZZZZ", stars=5, rules=rules, scale=scale, address="203.0.113.9")


def test_a_complaint_is_answered_by_the_supervisor_and_not_by_the_place(cast, kitchen, rules) -> None:
    asked = {"text": "饭菜经常是凉的", "contact": "13800002222", "rules": rules}
    said = safety.complain(kitchen.site, token="c" * 32, **asked)
    twice = safety.complain(kitchen.site, token="c" * 32, **asked)

    assert twice.pk == said.pk and PublicWord.objects.count() == 1
    with pytest.raises(NotAllowed):
        safety.answer_word(said.number, answer="不属实，没有的事", by=cast.canteen)
    with pytest.raises(safety.SafetyNotFound):
        safety.answer_word(said.number, answer="不在我的县里", by=cast.stranger)
    done = safety.answer_word(said.number, answer="已现场核查并增加保温箱", by=cast.county)
    assert done.answered_by == "county"
    assert not safety.words(by=cast.county, open_only=True).exists()


# ---- the till and the clock --------------------------------------------------------------------------------------


def test_the_till_refuses_what_is_stopped_and_takes_what_was_eaten_meanwhile(
    cast, rules, second_county
) -> None:
    place = open_canteen(cast)
    dish = cook(cast, place).dishes.first()
    diners = [enrol(cast, place, serial=101 + row) for row in range(3)]
    chain.serve_meal(place.code, tap(diners[0]), by=cast.canteen)
    seller = safety.enter_supplier(
        place, name="菜行", licence_no="JY", licence_until=date(2030, 1, 1), contact="1", by=cast.canteen
    )
    batch = safety.enter_batch(
        place, token="k" * 32, supplier=seller, product="肉末", quantity=Decimal(3), unit="公斤",
        received_on=timezone.localdate(), shelf_life_until=date(2099, 1, 1), rules=rules, by=cast.canteen,
    )  # fmt: skip
    safety.use_batch(batch, dish=dish, day=timezone.localdate(), meal="lunch", by=cast.canteen)

    enter(place, cast, rules, kind="batch", batch=batch)
    without = chain.serve_meal(place.code, tap(diners[1]), by=cast.canteen)
    offline = chain.serve_meal(place.code, tap(diners[2], offline=True), by=cast.canteen)
    found = safety.recall(batch.number, by=cast.county)
    safety.stop_food(place, why="整改期间停餐", by=cast.county)
    with pytest.raises(StepRefused) as refused:
        chain.serve_meal(place.code, tap(diners[1], meal="dinner"), by=cast.canteen)

    assert f",{dish.pk}," not in without.serving.dishes, "the stopped dish is left out"
    assert refused.value.code == "food_stopped"
    assert offline.serving.offline, "it was eaten before anybody knew"
    assert {row.meal.diner_id for row in found.eaten} == {diners[0].pk, diners[2].pk}


def test_a_report_that_is_late_is_told_to_the_leaders_once(cast, kitchen, rules) -> None:
    incident = enter(kitchen.site, cast, rules, found_at=timezone.now() - timedelta(hours=3))

    assert [safety.remind_of_reports() for _look in range(2)] == [1, 0]
    assert monitoring.notices(by=cast.director).filter(kind="food_report_late").count() == 1
    safety.report_incident(incident.number, to=["县卫生健康局"], by=cast.canteen)
    assert safety.remind_of_reports(now=timezone.now() + timedelta(days=1)) == 0
