"""A warning is found, dispatched, visited, helped, answered and closed, and nobody acts out of turn."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from django.db import connection, connections
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from tests import small_county as sc

pytestmark = pytest.mark.django_db
D = date.fromisoformat(sc.AS_OF)
VISIT = {"visitors": ["甲", "乙"], "finding": "住院花费大，家里没有积蓄。"}


@pytest.fixture
def officer(make_user):
    return make_user("officer", "county", "520102")


@pytest.fixture
def worker(make_user):
    return make_user("worker", "township", sc.TOWNSHIP_A)


@pytest.fixture
def hospital_office(make_user):
    return make_user("hospital_office", "department", "520102", "医保")


def _number(household_no: str, by) -> str:
    return monitoring.household_warnings(household_no, by=by).first().number


def test_a_screen_opens_one_warning_per_household_with_its_codes(county, by):
    found = {case.household_no: case for case in monitoring.warnings(by=by)}

    assert sorted(found) == ["H002", "H003"]
    assert {s.code for s in found["H002"].signals.all()} == {"M1", "M2"}
    assert (found["H002"].level, found["H002"].risk_level) == ("orange", "none")
    assert {s.code for s in found["H003"].signals.all()} == {"K1"}
    assert (found["H003"].level, found["H003"].risk_level) == ("none", "red")


def test_the_whole_way(county, officer, worker, hospital_office):
    number = _number("H002", officer)

    chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer)
    chain.record_visit(number, by=worker, visited_on=timezone.localdate(), result_code="C", **VISIT)
    chain.give_measure(
        number, code=next(iter(chain.rules()[0].measures)), amount_fen=200_000, given_on=timezone.localdate(),
        ground="临时救助，先行给予", by=worker,
    )  # fmt: skip
    referral = chain.push_need(number, department="医保", need="医疗救助核报", by=worker)
    with pytest.raises(DoudiError, match="还有部门没有反馈"):
        chain.close(number, closing_note="已办", by=officer)
    chain.accept_referral(referral.number, by=hospital_office)
    chain.answer_referral(
        referral.number, result="solved", answer="已核报医疗救助", amount_fen=800_000, by=hospital_office
    )
    case = chain.close(number, closing_note="救助到位，已告知家庭", by=officer)

    assert case.status == "closed"
    assert case.revisit_on is not None
    told = [(event.actor, event.kind) for event in case.events.all()]
    assert told == [
        ("system", "open"), ("officer", "dispatch"), ("worker", "visit"), ("worker", "measure"), ("worker", "referral"),
        ("hospital_office", "answer"), ("hospital_office", "answer"), ("officer", "close"),
    ]  # fmt: skip


def test_the_visit_is_due_in_working_days_of_the_level(county, officer):
    from doudi.engine.workdays import add_workdays

    case = chain.dispatch(_number("H002", officer), to=sc.TOWNSHIP_A, by=officer)

    assert case.due_on == add_workdays(timezone.localdate(), 5)


def test_a_stale_page_is_told_and_changes_nothing(county, officer):
    number = _number("H002", officer)
    seen = monitoring.warning(number, by=officer).version
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer, seen=seen)

    with pytest.raises(monitoring.Outrun, match="刚被他人处理"):
        chain.dispatch(number, to=sc.TOWNSHIP_B, by=officer, seen=seen)

    case = monitoring.warning(number, by=officer)
    assert case.region_code == sc.TOWNSHIP_A
    assert case.events.filter(kind="dispatch").count() == 1


@pytest.mark.parametrize(
    ("visit", "said"),
    [
        ({"result_code": "A", "visitors": ["甲"]}, "2 名入户人员"),
        ({"result_code": "A", "visitors": ["甲", "甲 "]}, "2 名入户人员"),
        ({"result_code": "F", "finding": "没有"}, "理由"),
        ({"result_code": "E"}, "本人同意"),
        ({"result_code": "Z"}, "核实结果"),
        ({"result_code": "C", "visited_on": date(2999, 1, 1)}, "不能晚于今天"),
    ],
)
def test_a_visit_without_what_its_result_asks_is_refused(county, officer, worker, visit, said):
    number = _number("H002", officer)
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer)

    with pytest.raises(DoudiError, match=said):
        chain.record_visit(number, by=worker, **{"visited_on": timezone.localdate(), **VISIT, **visit})

    assert monitoring.warning(number, by=officer).status == "dispatched"
    assert monitoring.warning(number, by=officer).visits.count() == 0


def test_a_worker_sees_and_touches_the_own_township_alone(county, officer, worker):
    assert [case.household_no for case in monitoring.warnings(by=worker)] == ["H002"]
    assert [h.household_no for h in registry.households(by=worker)] == ["H001", "H002"]
    with pytest.raises(DoudiError):
        registry.household("H003", by=worker)
    with pytest.raises(DoudiError):
        chain.record_visit(
            _number("H003", officer), by=worker, visited_on=timezone.localdate(), result_code="G", **VISIT
        )


def test_a_household_known_to_the_county_only_goes_to_the_township_it_is_dispatched_to(
    county, by, officer, worker, tmp_path
):
    rows = [[*row[:4], "520102", *row[5:]] if row[0] == "赵敏" else row for row in sc.REGISTER]
    register = sc.write_csv(tmp_path / "册.csv", sc.REGISTER_HEADER, rows)
    chain.take_in_file("household_register", register, as_of=date(2024, 11, 20), by=by)
    assert "H003" not in [h.household_no for h in registry.households(by=worker)]

    chain.dispatch(_number("H003", officer), to=sc.TOWNSHIP_A, by=officer)

    assert "H003" in [h.household_no for h in registry.households(by=worker)]


def test_a_department_sees_its_own_inbox_and_no_finances(county, officer, worker, hospital_office, make_user):
    schools = make_user("schools", "department", "520102", "教育")
    number = _number("H002", officer)
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer)
    chain.record_visit(number, by=worker, visited_on=timezone.localdate(), result_code="D", **VISIT)
    referral = chain.push_need(number, department="医保", need="医疗救助核报", by=worker)

    assert [r.number for r in assistance.referrals(by=hospital_office)] == [referral.number]
    assert not assistance.referrals(by=schools).exists()
    with pytest.raises(DoudiError):
        chain.accept_referral(referral.number, by=schools)
    with pytest.raises(NotAllowed):
        registry.households(by=hospital_office)
    with pytest.raises(NotAllowed):
        monitoring.warnings(by=hospital_office)


def test_the_director_reads_warnings_and_no_single_persons_finances(county, make_user):
    director = make_user("director", "director", "520102")
    household = registry.household("H002", by=director)

    assert registry.members(household, by=director)[0].name != "王强"
    with pytest.raises(NotAllowed):
        registry.facts(household, chain.rules()[0].feeds, on=D, by=director)


def test_a_screen_that_finds_the_same_changes_nothing(county, by):
    before = [(e.case_id, e.kind) for e in monitoring.CaseEvent.objects.all()]

    run = chain.screen(as_of=D, by=by)

    assert run.warnings == {"opened": 0, "updated": 0, "closed": 0}
    assert [(e.case_id, e.kind) for e in monitoring.CaseEvent.objects.all()] == before


def test_a_new_signal_joins_the_open_warning(county, by, tmp_path):
    unemployment = sc.write_csv(
        tmp_path / "失业登记.csv",
        ["姓名", "身份证号", "登记日期", "月失业金", "领取截止"],
        [["王强", sc.WANG_QIANG, "2024-09-01", "", ""]],
    )
    insurance = sc.write_csv(
        tmp_path / "社保.csv", ["姓名", "身份证号", "险种", "单位名称", "缴费基数", "缴费月份"], []
    )
    chain.take_in_file("unemployment", unemployment, as_of=D, by=by)
    chain.take_in_file("social_insurance", insurance, as_of=D, by=by)

    run = chain.screen(as_of=D, by=by)

    assert run.warnings == {"opened": 0, "updated": 1, "closed": 0}
    case = monitoring.household_warnings("H002", by=by).get()
    assert {s.code for s in case.signals.filter(active=True)} == {"M1", "M2", "U1"}


def test_a_warning_nobody_was_sent_to_clears_when_its_signals_are_gone(county, by, tmp_path):
    alive = sc.write_csv(
        tmp_path / "花名册.csv", sc.REGISTER_HEADER, [row for row in sc.REGISTER if row[0] != "赵国"]
    )
    chain.take_in_file("household_register", alive, as_of=date(2024, 11, 20), by=by)

    run = chain.screen(as_of=date(2024, 11, 20), by=by)

    assert run.warnings["closed"] == 1
    assert monitoring.household_warnings("H003", by=by).get().status == "cleared"


def test_what_was_judged_is_not_raised_again_the_next_night(county, by, officer, worker):
    number = _number("H002", officer)
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer)
    chain.record_visit(
        number, by=worker, visited_on=timezone.localdate(), result_code="F", visitors=["甲"],
        finding="费用已由商业保险全部赔付，没有困难。",
    )  # fmt: skip
    chain.close(number, closing_note="核实无困难", by=officer)

    run = chain.screen(as_of=D, by=by)

    assert run.warnings["opened"] == 0


def test_a_screen_of_an_earlier_date_is_a_replay_and_leaves_warnings_alone(county, by, tmp_path):
    october = sc.write_csv(tmp_path / "10月.csv", sc.REGISTER_HEADER, sc.REGISTER)
    chain.take_in_file("household_register", october, as_of=date(2024, 10, 1), by=by)

    run = chain.screen(as_of=date(2024, 10, 1), by=by)

    assert run.warnings == {"opened": 0, "updated": 0, "closed": 0}
    assert monitoring.warnings(by=by).count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_officers_at_the_same_moment_one_wins(office, tmp_path, make_user, by):
    files = sc.write_county(tmp_path / "files")
    chain.take_in_folder(files, as_of=D, by=by)
    chain.screen(as_of=D, by=by)
    officers = [make_user(f"officer{n}", "county", "520102") for n in range(2)]
    number = _number("H002", officers[0])
    seen = monitoring.warning(number, by=officers[0]).version
    barrier, outcomes = threading.Barrier(2), []

    def dispatch(officer, township):
        barrier.wait()
        try:
            chain.dispatch(number, to=township, by=officer, seen=seen)
            outcomes.append("won")
        except monitoring.Outrun:
            outcomes.append("told")
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=dispatch, args=pair)
        for pair in zip(officers, (sc.TOWNSHIP_A, sc.TOWNSHIP_B), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["told", "won"]
    assert monitoring.warning(number, by=officers[0]).events.filter(kind="dispatch").count() == 1
    connection.close()
