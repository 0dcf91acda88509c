"""What became of the households that a threshold raised: by month, within the area, and only where somebody went."""

from __future__ import annotations

from datetime import date

import pytest

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.services import Outcome
from tests import small_county as sc

pytestmark = pytest.mark.django_db
D = date.fromisoformat(sc.AS_OF)
JUNE = date(2024, 6, 30)
INCOME = "城镇人均可支配收入"
# 王强 paid 30,000 yuan on 2024-06-01; half of 46,000 yuan is the line
ABOVE, BELOW = {(INCOME, "520102"): "70000"}, {(INCOME, "520102"): "5万"}


@pytest.fixture
def officer(county, make_user):
    return make_user("officer", "county", "520102")


def visit_wang(make_user, result_code: str) -> None:
    worker = make_user("worker", "township", sc.TOWNSHIP_A)
    [case] = monitoring.warnings(by=system_user()).filter(household_no="H002")
    chain.dispatch(case.number, to=sc.TOWNSHIP_A, by=system_user())
    chain.record_visit(
        case.number,
        by=worker,
        visited_on=D,
        visitors=["李乡办", "吴乡办"],
        result_code=result_code,
        finding="本人住院，家中没有其他收入，情况属实。",
    )


def test_a_warning_seen_in_november_belongs_to_the_rise_of_june(officer, make_user):
    visit_wang(make_user, "C")

    found = chain.back_test("M1", as_of=D, alternatives=[ABOVE, BELOW], by=officer)

    present, above, below = found.trials
    assert {month: one for month, one in present.outcomes.items() if one != Outcome()} == {
        JUNE: Outcome(1, 1, 1)
    }
    assert present.trial.new[JUNE] == ("H002",) == below.trial.new[JUNE]
    assert present.precision == 1.0
    assert above.trial.total == 0
    assert (above.outcome, above.precision) == (Outcome(), None)


def test_a_visit_that_found_no_hardship_is_visited_and_not_confirmed(officer, make_user):
    visit_wang(make_user, "F")

    [present] = chain.back_test("M1", as_of=D, alternatives=[], by=officer).trials

    assert present.outcome == Outcome(warned=1, visited=1, helped=0)
    assert present.precision == 0.0


def test_a_warning_nobody_has_visited_yet_is_only_a_warning(officer):
    [present] = chain.back_test("M1", as_of=D, alternatives=[], by=officer).trials

    assert present.outcome == Outcome(warned=1, visited=0, helped=0)


def test_a_rise_before_the_months_looked_back_on_does_not_count(officer):
    [present] = chain.back_test("M1", as_of=D, alternatives=[], months=4, by=officer).trials

    assert present.trial.total == 0 and present.outcome == Outcome()
    assert present.trial.by_month()[0]["raised"] == 1


def test_a_stranger_of_another_county_has_no_households_and_no_warnings(county, make_user):
    stranger = make_user("stranger", "county", "610102")

    found = chain.back_test("M1", as_of=D, alternatives=[], by=stranger)
    simulated = chain.simulate(as_of=D, changes={("低保标准", ""): "2000"}, by=stranger)

    assert found.test.households == simulated.households == 0
    assert found.trials[0].outcome == Outcome() and simulated.movers == ()


def test_an_area_outside_the_own_one_is_refused(officer):
    with pytest.raises(NotAllowed):
        chain.simulate(as_of=D, changes={("低保标准", "610102"): "2000"}, by=officer, region_code="610102")
    with pytest.raises(NotAllowed):
        chain.back_test("M1", as_of=D, alternatives=[], by=officer, region_code="52")


def test_one_township_of_the_area_alone(officer):
    found = chain.back_test("M1", as_of=D, alternatives=[], by=officer, region_code=sc.TOWNSHIP_B)

    assert found.test.households == 1 and found.trials[0].trial.total == 0


@pytest.mark.parametrize("role", ["township", "auditor", "department", "admin"])
def test_only_the_county_and_its_director_try_numbers(county, make_user, role):
    someone = make_user("someone", role, "520102", department="医保" if role == "department" else "")

    with pytest.raises(NotAllowed):
        chain.back_test("M1", as_of=D, alternatives=[], by=someone)
    with pytest.raises(NotAllowed):
        chain.simulate(as_of=D, changes={("低保标准", ""): "800"}, by=someone)


def test_a_director_gets_the_sums_and_a_county_officer_the_households(officer, make_user):
    director = make_user("director", "director", "520102")
    changes = {("城镇低保标准", "520102"): "900"}

    for_officer = chain.simulate(as_of=D, changes=changes, by=officer)
    for_director = chain.simulate(as_of=D, changes=changes, by=director)

    assert [(m.household_no, m.gains, m.cost_after - m.cost_before) for m in for_officer.movers] == [
        ("H001", True, 2 * (900 - 745) * 100),
        ("H002", True, (900 - 745) * 100),
    ]
    assert for_director.movers == ()
    assert for_director.flows == for_officer.flows


def test_nothing_is_kept_and_no_warning_changes(officer):
    def state():
        return (
            list(monitoring.WarningCase.objects.values_list("number", "version", "level")),
            monitoring.ScreeningRun.objects.count(),
        )

    before = state()

    chain.back_test("M1", as_of=D, alternatives=[BELOW], by=officer)
    chain.simulate(as_of=D, changes={("城镇低保标准", "520102"): "900"}, by=officer)

    assert state() == before
