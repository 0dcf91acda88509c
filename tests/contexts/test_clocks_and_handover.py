"""The chain after the dispatch: limits, reminders, suspensions, tries, disposal, revisit, and work that changes hands."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.models import CaseEvent, Notice, Reminder, WarningCase
from doudi.engine.errors import DoudiError
from tests import small_county as sc
from tests.cast import assemble

pytestmark = pytest.mark.django_db
VISIT = {"visitors": ["甲", "乙"], "finding": "住院花费大，家里没有积蓄，已核对票据。"}


@pytest.fixture
def cast(county):
    return assemble()


def number_of(household_no: str, by) -> str:
    return monitoring.household_warnings(household_no, by=by).first().number


def dispatched(cast, household_no: str = "H002", **more) -> str:
    number = number_of(household_no, cast.county)
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=cast.county, **more)
    return number


def at(day: date, hour: int = 12) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(hour)))


def run(now: datetime) -> int:
    return monitoring.run_clocks(chain.rules()[1], now=now)


def begin(number: str, when: datetime) -> WarningCase:
    """As if the warning had been dispatched then."""
    WarningCase.objects.filter(number=number).update(dispatched_at=when, wound=False, remind_at=None)
    run(when)
    return WarningCase.objects.get(number=number)


# ---- reminders -----------------------------------------------------------------------------------------------------


def test_reminders_go_to_the_officer_then_the_supervisor_then_the_county_leader(cast):
    number = dispatched(cast)
    case = begin(number, at(date(2024, 3, 4), 9))
    assert case.due_on == date(2024, 3, 11)
    Notice.objects.all().delete()

    assert run(at(date(2024, 3, 8), 17)) == 0
    assert run(at(date(2024, 3, 8), 18)) == 1
    assert set(Notice.objects.values_list("account", flat=True)) == {"township"}
    assert run(at(date(2024, 3, 12), 0)) == 1
    assert run(at(date(2024, 3, 15), 0)) == 1

    told = [(n.account, n.text[-5:]) for n in Notice.objects.order_by("pk")]
    assert sorted(told) == sorted(
        [
            ("township", "（80%）"),
            ("county", "100%）"), ("township", "100%）"),
            ("county", "150%）"), ("director", "150%）"), ("township", "150%）"),
        ]
    )  # fmt: skip
    assert list(Reminder.objects.filter(step="visit").values_list("percent", flat=True)) == [80, 100, 150]
    assert CaseEvent.objects.filter(case=case, kind="remind").count() == 3


def test_a_wall_clock_that_jumps_loses_none_and_repeats_none(cast):
    number = dispatched(cast)
    begin(number, at(date(2024, 3, 4), 9))

    assert run(at(date(2024, 5, 1))) == 3, "three stages passed while the machine was off"
    assert run(at(date(2024, 5, 1))) == 0
    assert run(at(date(2024, 3, 8), 18)) == 0, "the clock was set back"
    assert run(at(date(2024, 6, 1))) == 0
    assert Reminder.objects.filter(step="visit").count() == 3


def test_another_township_begins_its_own_limit_and_its_own_reminders(cast):
    number = dispatched(cast)
    begin(number, at(date(2024, 3, 4), 9))
    run(at(date(2024, 3, 8), 18))

    chain.reassign(number, to=sc.TOWNSHIP_B, ground="该户已搬到乙镇居住", by=cast.county)

    case = WarningCase.objects.get(number=number)
    assert case.region_code == sc.TOWNSHIP_B
    assert timezone.localdate(case.dispatched_at) == timezone.localdate()
    assert case.remind_at > timezone.now()


def test_danger_to_a_person_is_visited_within_a_day_by_the_hour(cast):
    number = number_of("H002", cast.county)
    case = WarningCase.objects.get(number=number)
    WarningCase.objects.filter(pk=case.pk).update(level="red", level_rank=4)
    case.signals.create(code="S1", first_seen=case.opened_on, last_seen=case.opened_on)

    chain.dispatch(number, to=sc.TOWNSHIP_A, by=cast.county)

    case.refresh_from_db()
    assert case.due_at - case.dispatched_at == timedelta(hours=24)
    WarningCase.objects.filter(pk=case.pk).update(
        dispatched_at=timezone.now() - timedelta(hours=25), wound=False
    )
    run(timezone.now())
    assert [c.pk for c in monitoring.warnings(by=cast.county, overdue=True)].count(case.pk) == 1


def test_a_level_that_rises_shortens_the_limit(cast):
    number = dispatched(cast)
    case = begin(number, at(date(2024, 3, 4), 9))

    WarningCase.objects.filter(pk=case.pk).update(level="red", level_rank=4)
    run(at(date(2024, 3, 4), 10))

    case.refresh_from_db()
    assert case.due_on == date(2024, 3, 6)


def test_warnings_that_a_screen_opened_have_a_clock_at_once(cast):
    case = WarningCase.objects.get(household_no="H003")

    assert case.wound and case.remind_at is not None and case.due_on is not None


# ---- a clock that stands still -------------------------------------------------------------------------------------


def test_a_family_away_for_treatment_stops_the_clock_until_its_day(cast):
    number = dispatched(cast)
    before = WarningCase.objects.get(number=number).due_on
    until = timezone.localdate() + timedelta(days=14)

    chain.suspend_clock(number, until_on=until, ground="户主外出就医，邻居证实", by=cast.township)

    case = WarningCase.objects.get(number=number)
    assert case.due_on > until > before - timedelta(days=14)
    assert Notice.objects.filter(account="county", kind="suspend").count() == 1
    with pytest.raises(DoudiError, match="已在中止中"):
        chain.suspend_clock(number, until_on=until, ground="再中止一次", by=cast.township)

    chain.resume_clock(number, by=cast.township)
    case.refresh_from_db()
    assert case.due_on == before


@pytest.mark.parametrize(
    ("days", "ground", "said"),
    [(40, "外出就医四十天", "最长 30 天"), (0, "外出就医", "明天"), (5, "病", "事由")],
)
def test_a_suspension_has_a_day_and_a_ground(cast, days, ground, said):
    number = dispatched(cast)
    with pytest.raises(DoudiError, match=said):
        chain.suspend_clock(
            number, until_on=timezone.localdate() + timedelta(days=days), ground=ground, by=cast.township
        )


def test_another_township_cannot_stop_it(cast):
    number = dispatched(cast)
    with pytest.raises(DoudiError):
        chain.suspend_clock(
            number,
            until_on=timezone.localdate() + timedelta(days=3),
            ground="外出就医",
            by=cast.other_township,
        )


# ---- what a result asks for ----------------------------------------------------------------------------------------


def test_not_found_needs_three_tries_on_different_days(cast):
    number = dispatched(cast)
    today = timezone.localdate()
    WarningCase.objects.filter(number=number).update(dispatched_at=timezone.now() - timedelta(days=5))
    not_found = {
        "visited_on": today,
        "visitors": ["甲"],
        "result_code": "I",
        "finding": "三次上门都没有人，邻居也不知去向。",
    }

    with pytest.raises(DoudiError, match="不同的 3 天寻访，现有 1 天"):
        chain.record_visit(number, by=cast.township, **not_found)
    chain.record_attempt(
        number,
        tried_on=today - timedelta(days=4),
        visitors=["甲"],
        finding="门锁着，无人应",
        by=cast.township,
    )
    with pytest.raises(DoudiError, match="已记录过"):
        chain.record_attempt(
            number,
            tried_on=today - timedelta(days=4),
            visitors=["乙"],
            finding="下午又去一次",
            by=cast.township,
        )
    with pytest.raises(DoudiError, match="现有 2 天"):
        chain.record_visit(number, by=cast.township, **not_found)
    chain.record_attempt(
        number, tried_on=today - timedelta(days=2), visitors=["甲"], finding="仍无人应", by=cast.township
    )

    assert chain.record_visit(number, by=cast.township, **not_found).result_code == "I"


@pytest.mark.parametrize(
    ("more", "goes"),
    [({}, False), ({"witnesses": ["村主任王某"]}, False), ({"witnesses": ["王某", "王某 "]}, False),
     ({"witnesses": ["王某", "李某"]}, True), ({"signed": True}, True)],
)  # fmt: skip
def test_a_refusal_of_help_is_signed_or_witnessed_by_two(cast, more, goes):
    number = dispatched(cast)
    visit = {"visited_on": timezone.localdate(), "result_code": "J", **VISIT, **more}

    if goes:
        assert chain.record_visit(number, by=cast.township, **visit).signed is bool(more.get("signed"))
    else:
        with pytest.raises(DoudiError, match="本人签字，或写明两名见证人"):
            chain.record_visit(number, by=cast.township, **visit)


def test_wrong_data_are_told_to_the_department_that_sent_them(cast):
    number = dispatched(cast)

    chain.record_visit(number, by=cast.township, visited_on=timezone.localdate(), result_code="G", **VISIT)

    said = Notice.objects.get(account="department", kind="wrong_data")
    assert number in said.text and "王强" not in said.text
    assert CaseEvent.objects.filter(case__number=number, kind="wrong_data", text__contains="医保").exists()


def test_consent_is_on_record_with_who_gave_it_and_how(cast):
    number = dispatched(cast)

    visit = chain.record_visit(
        number, by=cast.township, visited_on=timezone.localdate(), result_code="E", consent=True,
        consent_by="王强", consent_how="书面", **VISIT,
    )  # fmt: skip

    assert (visit.consent, visit.consent_by, visit.consent_how) == (True, "王强", "书面")


# ---- revisit -------------------------------------------------------------------------------------------------------


def closed(cast) -> str:
    number = dispatched(cast)
    chain.record_visit(number, by=cast.township, visited_on=timezone.localdate(), result_code="C", **VISIT)
    chain.close(number, closing_note="临时救助已发放", by=cast.county)
    return number


def test_a_solved_revisit_ends_the_chain(cast):
    number = closed(cast)
    assert [c.number for c in monitoring.warnings(by=cast.township, status="revisit")] == [number]

    chain.record_revisit(
        number,
        visited_on=timezone.localdate(),
        visitors=["甲"],
        result="solved",
        finding="生活已稳定",
        by=cast.township,
    )

    assert not monitoring.warnings(by=cast.township, status="revisit").exists()
    with pytest.raises(DoudiError, match="已经回访过"):
        chain.record_revisit(
            number,
            visited_on=timezone.localdate(),
            visitors=["甲"],
            result="solved",
            finding="再记一次",
            by=cast.township,
        )


def test_an_unsolved_revisit_opens_a_linked_warning_that_waits_for_dispatch(cast):
    number = closed(cast)

    done = chain.record_revisit(
        number,
        visited_on=timezone.localdate(),
        visitors=["甲"],
        result="unsolved",
        finding="救助用完，又住院",
        by=cast.township,
    )

    again = done.led_to
    assert (again.status, again.reopens.number, again.level) == ("new", number, "orange")
    assert {s.code for s in again.signals.all()} == {"M1", "M2"}
    assert again.due_on is not None
    assert Notice.objects.filter(account="county", kind="reopened").exists()


def test_an_unsolved_revisit_joins_the_warning_that_is_open_already(cast):
    number = closed(cast)
    first = WarningCase.objects.get(number=number)
    standing = WarningCase.objects.create(
        number="YJ-other", household_no="H002", region_code=sc.TOWNSHIP_A, level="yellow", level_rank=2, found_category="DB",
        change="same", opened_on=first.opened_on, as_of=first.as_of,
    )  # fmt: skip

    done = chain.record_revisit(
        number,
        visited_on=timezone.localdate(),
        visitors=["甲"],
        result="unsolved",
        finding="仍有困难",
        by=cast.township,
    )

    assert done.led_to == standing
    assert "困难未解决" in standing.events.last().text


# ---- work that changes hands ---------------------------------------------------------------------------------------


def test_many_are_sent_each_to_its_own_township_and_one_that_cannot_holds_up_no_other(cast):
    numbers = [number_of("H002", cast.county), "YJ-nowhere", number_of("H003", cast.county)]

    done = chain.dispatch_many(numbers, by=cast.county)

    assert [case.region_code[:9] for case in done.sent] == [sc.TOWNSHIP_A, sc.TOWNSHIP_B]
    assert [number for number, _problem in done.refused] == ["YJ-nowhere"]


def test_a_warning_given_to_one_officer_reminds_that_one_alone(cast, make_user):
    make_user("second", "township", sc.TOWNSHIP_A)
    number = dispatched(cast, assignee="second")

    assert set(Notice.objects.filter(kind="dispatch").values_list("account", flat=True)) == {"second"}
    chain.reassign(number, to=sc.TOWNSHIP_A, assignee="township", ground="二号经办外出培训", by=cast.township)
    assert Notice.objects.filter(kind="reassign", account="township").exists()
    with pytest.raises(DoudiError, match="不是该乡镇"):
        chain.reassign(number, to=sc.TOWNSHIP_A, assignee="other_township", ground="换人办理", by=cast.county)


def test_who_leaves_hands_over_first(cast, make_user, by):
    make_user("leaver", "township", sc.TOWNSHIP_A)
    number = dispatched(cast, assignee="leaver")
    with pytest.raises(DoudiError, match="还有 1 件未办完"):
        chain.close_account("leaver", by=by)

    plan = monitoring.preview_handover("leaver", "township", by=cast.county)
    assert [case.number for case in plan.cases] == [number]
    assert WarningCase.objects.get(number=number).assignee == "leaver", "a preview changes nothing"
    stuck = monitoring.preview_handover("leaver", "other_township", by=cast.county)
    assert (len(stuck.cases), len(stuck.left)) == (0, 1)
    monitoring.hand_over("leaver", "township", ground="调离本单位", by=cast.county)

    assert WarningCase.objects.get(number=number).assignee == "township"
    assert not chain.close_account("leaver", by=by).is_active
    with pytest.raises(NotAllowed):
        monitoring.preview_handover("township", "leaver", by=cast.township)


def test_my_clocks_shows_the_township_its_own_and_the_county_all(cast):
    number = dispatched(cast)

    mine = [case.number for case in monitoring.my_clocks(by=cast.township)]
    counties = [case.number for case in monitoring.my_clocks(by=cast.county)]

    assert mine == [number]
    assert set(counties) == {number, number_of("H003", cast.county)}
    assert monitoring.as_running(monitoring.my_clocks(by=cast.township)[0]).step == "入户核实"
