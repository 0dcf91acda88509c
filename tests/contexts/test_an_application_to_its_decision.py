"""An application from the window to the decision and the letter, with everything that must not be skipped.

Worked cases 6 and 9 of handbook 01 and case 7 of handbook 04 §4.1 stand here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, system_user
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.applications import go
from doudi.contexts.assistance.procedure import NEXT, State, may_go
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import CategoryRecord, Person
from doudi.contexts.verification import services as verification
from doudi.engine.packs.procedures import load_procedures
from doudi.engine.workdays import add_workdays
from tests.applying import PICTURE, SCAN, applied, verified, visited
from tests.cast import Cast, assemble
from tests.small_county import LI_LI, TOWNSHIP_A, WANG_QIANG, ZHANG_WEI, make_id

PACKS = Path(__file__).resolve().parents[2] / "packs"


@pytest.fixture
def cast(county: Path) -> Cast:
    return assemble()


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[date], None]:
    """Let it be another day."""

    def go(day: date) -> None:
        monkeypatch.setattr(timezone, "localdate", lambda *_a, **_k: day)

    return go


@pytest.fixture
def wang(cast: Cast) -> assistance.Application:
    """王强, alone and seriously ill, applies for the allowance."""
    return applied(cast.township, name="王强", id_number=WANG_QIANG, household_no="H002")


def to_notice(found: assistance.Application, cast: Cast, folder: Path, **rows: Any) -> None:
    chain.accept_application(found.number, by=cast.township)
    verified(found.number, by=cast.township, verifier=cast.verifier, folder=folder, **rows)
    visited(found.number, by=cast.township)
    chain.give_opinion(found.number, grant=True, ground="符合条件", by=cast.township)


def hung(found: assistance.Application, by: Any) -> Any:
    return chain.post_notice(
        found.number,
        place="花果园街道公示栏",
        posted_on=timezone.localdate(),
        evidence=PICTURE,
        evidence_name="公示.jpg",
        by=by,
    )


def to_decision(found: assistance.Application, cast: Cast, folder: Path, on: Callable[[date], None]) -> None:
    to_notice(found, cast, folder)
    hung(found, cast.township)
    on(timezone.localdate() + timedelta(days=8))
    chain.close_notice(found.number, by=cast.township)


# ---- the whole way -----------------------------------------------------------------------------------------------


def test_from_the_window_to_the_register_and_the_letter(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    assert wang.receipt and len(wang.receipt) == 10
    to_notice(wang, cast, tmp_path)
    wang.refresh_from_db()
    assert wang.state == State.NOTICE

    notice = hung(wang, cast.township)
    assert "王强" not in notice.text and "王" in notice.text
    assert WANG_QIANG not in notice.text
    assert notice.last_day == notice.posted_on + timedelta(days=7)
    on(notice.last_day)
    with pytest.raises(assistance.StepRefused, match="期满"):
        chain.close_notice(wang.number, by=cast.township)
    on(notice.last_day + timedelta(days=1))
    chain.close_notice(wang.number, by=cast.township)

    decided = chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)
    person = registry.person_by_id(WANG_QIANG)
    assert person is not None
    following = (timezone.localdate().replace(day=1) + timedelta(days=32)).replace(day=1)
    assert (decided.valid_from, decided.persons, decided.counted, decided.income_fen) == (
        following,
        [person.pk],
        1,
        0,
    )
    held = CategoryRecord.objects.get(person=person, category="低保", retracted_at=None)
    assert (held.valid_from, held.document_no, held.source) == (following, decided.number, "own")
    assert registry.household("H002", by=cast.county).category == "低保"

    # worked case 1's rule, read by who pays: nothing this month, the whole from the next
    assert assistance.decisions_in_force(timezone.localdate(), "520102") == []
    (row,) = assistance.decisions_in_force(following, "520102")
    assert (row.household_no, row.per_capita_income_fen, row.number) == ("H002", 0, decided.number)
    assert assistance.decisions_in_force(following, "520103") == []

    # and it is booked as what is to be paid: once, from the same month
    (booked,) = payroll.decisions(by=cast.county, household_no="H002")
    assert (booked.benefit, booked.starts_on, booked.decision_no) == ("DB", following, decided.number)
    again_booked = chain.book_decision(decided.number, by=cast.county)
    assert again_booked is not None and again_booked.pk == booked.pk
    assert chain.unbooked_decisions(by=cast.county) == []

    letter = chain.issue_letter(decision_number=decided.number, by=cast.township)
    again = chain.issue_letter(decision_number=decided.number, by=cast.township)
    assert letter.number == again.number
    for part in ("低于", "745", "行政复议", "社会救助暂行办法", decided.number):
        assert part in letter.content, part
    word = assistance.letter_file(letter.number, "docx", by=cast.township)
    assert word.content.startswith(b"PK")


def test_a_refusal_names_clause_value_line_and_what_would_change_it(
    wang: assistance.Application, cast: Cast, tmp_path: Path
) -> None:
    wages = [
        {
            "name": "王强",
            "id_number": WANG_QIANG,
            "kind": "工资薪金",
            "amount": "12000",
            "month": f"2024-{m:02d}",
        }
        for m in (8, 9, 10)
    ]
    chain.accept_application(wang.number, by=cast.township)
    report = verified(
        wang.number, by=cast.township, verifier=cast.verifier, folder=tmp_path, rows={"tax_income": wages}
    )
    visited(wang.number, by=cast.township)
    chain.give_opinion(wang.number, grant=False, ground="收入高于标准", by=cast.township)
    wang.refresh_from_db()
    assert wang.state == State.PROPOSED  # nothing is published of who gets nothing

    decided = chain.decide_application(wang.number, grant=False, ground="收入高于标准", by=cast.county)
    assert decided.report_number == report.number
    (due,) = chain.letters_due(by=cast.county)
    assert (due.decision, due.due_on) == (decided, add_workdays(decided.decided_on, 3))
    assert "不低于低保标准745" in decided.sentence and "多" in decided.sentence
    assert "收入低于标准" in decided.change_sentence and "暂行办法 第九条" in decided.change_sentence
    letter = chain.issue_letter(decision_number=decided.number, by=cast.county)
    for part in ("不予确认", "暂行办法 第九条", "745", "什么变化会改变这一结论", "六十日内", "人民政府"):
        assert part in letter.content, part
    assert not CategoryRecord.objects.filter(household__household_no="H002", category="低保").exists()
    assert chain.letters_due(by=cast.county) == []


# ---- papers ------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_told_once_and_nothing_more_is_asked_for(cast: Cast) -> None:
    found = chain.start_application(
        kind="DB",
        applicant=assistance.Applicant("王强", WANG_QIANG),
        reason="没有收入来源",
        household_no="H002",
        token="t1",
        by=cast.township,
    )
    with pytest.raises(assistance.StepRefused, match="还缺"):
        chain.accept_application(found.number, by=cast.township)
    chain.take_paper(found.number, "identity", by=cast.township, seen_original=True)
    told = chain.tell_missing(found.number, by=cast.township)
    assert told.missing == ["declaration", "authorisation"]
    with pytest.raises(assistance.StepRefused, match="一次性告知过"):
        chain.tell_missing(found.number, by=cast.township)
    letter = chain.issue_letter(letter="一次性告知", application_number=found.number, by=cast.township)
    assert "核对授权书" in letter.content and "不再要求其他材料" in letter.content

    progress = chain.application_progress(found.receipt, WANG_QIANG[-4:])
    assert progress.missing == ("家庭经济状况申报书", "核对授权书")
    assert not chain.application_progress(found.receipt, "0000").found

    for code in told.missing:
        chain.take_paper(found.number, code, by=cast.township, evidence=SCAN, evidence_name="a.pdf")
    accepted = chain.accept_application(found.number, by=cast.township)
    assert accepted.state == State.INVESTIGATING


def test_the_same_form_twice_is_one_application_and_a_second_one_is_refused(cast: Cast) -> None:
    terms: dict[str, Any] = {
        "kind": "DB",
        "applicant": assistance.Applicant("王强", WANG_QIANG),
        "reason": "没有收入来源",
        "household_no": "H002",
        "by": cast.township,
    }
    first = chain.start_application(token="same", **terms)
    assert chain.start_application(token="same", **terms).pk == first.pk
    with pytest.raises(assistance.StepRefused, match="已有在办"):
        chain.start_application(token="other", **terms)


def test_another_township_and_another_county_see_nothing(wang: assistance.Application, cast: Cast) -> None:
    for somebody in (cast.other_township, cast.stranger):
        with pytest.raises(assistance.ApplicationNotFound):
            assistance.look_at_application(wang.number, by=somebody)
        assert not assistance.applications(by=somebody).exists()
    for somebody in (cast.charity, cast.department, cast.admin):
        with pytest.raises(NotAllowed):
            assistance.applications(by=somebody)


# ---- steps -------------------------------------------------------------------------------------------------------


def test_no_state_may_be_jumped() -> None:
    assert not may_go(State.SUBMITTED, State.GRANTED)
    assert not may_go(State.INVESTIGATING, State.GRANTED)
    assert not may_go(State.OBJECTED, State.GRANTED)
    assert not may_go(State.NOTICE, State.GRANTED)
    assert [state for state in State if State.GRANTED in NEXT[state]] == [State.PROPOSED, State.AIDED]


def test_every_illegal_step_is_refused(wang: assistance.Application, cast: Cast) -> None:
    for step in (
        lambda: visited(wang.number, by=cast.township),
        lambda: chain.give_opinion(wang.number, grant=True, ground="符合条件", by=cast.township),
        lambda: hung(wang, cast.township),
        lambda: chain.close_notice(wang.number, by=cast.township),
        lambda: chain.decide_application(wang.number, grant=True, ground="符合条件", by=cast.county),
        lambda: assistance.object_to_notice(wang.number, ground="他家有车", by_whom="", by=cast.township),
    ):
        with pytest.raises(assistance.StepRefused):
            step()
    chain.accept_application(wang.number, by=cast.township)
    with pytest.raises(assistance.StepRefused, match="还没有入户"):
        chain.give_opinion(wang.number, grant=True, ground="符合条件", by=cast.township)
    visited(wang.number, by=cast.township)
    with pytest.raises(assistance.StepRefused, match="委托核对"):
        chain.give_opinion(wang.number, grant=True, ground="符合条件", by=cast.township)


def test_nobody_investigates_alone(wang: assistance.Application, cast: Cast) -> None:
    chain.accept_application(wang.number, by=cast.township)
    for others in ((), ("李乡办",), (" ", "李乡办")):
        with pytest.raises(assistance.StepRefused, match="2 名以上"):
            visited(wang.number, by=cast.township, others=others)


def test_an_expired_report_supports_no_decision(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    on(timezone.localdate() + timedelta(days=200))
    with pytest.raises(verification.StepRefused, match="过期"):
        chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)


def test_a_decision_against_the_report_says_why(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    with pytest.raises(assistance.StepRefused, match="与决定不同"):
        chain.decide_application(wang.number, grant=False, ground="不符合条件", by=cast.county)
    decided = chain.decide_application(
        wang.number, grant=False, ground="入户发现有未申报的门面出租，月收入三千元", by=cast.county
    )
    assert decided.departs


@pytest.mark.parametrize("who", ["acceptor", "opinion", "investigator"])
def test_who_accepted_investigated_or_proposed_does_not_decide(
    who: str, wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    hand = assistance.Application.objects.filter(pk=wang.pk)
    if who == "acceptor":
        hand.update(accepted_by=cast.county.username)
    elif who == "opinion":
        chain_opinion = wang.opinions.model.objects.filter(application=wang)
        chain_opinion.update(given_by=cast.county.username)
    else:
        wang.visits.update(recorded_by=cast.county.username)
    with pytest.raises(assistance.StepRefused, match="另一人"):
        chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)
    assert chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.director).number


def test_roles_that_may_not_decide(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    for somebody in (cast.township, cast.verifier, cast.auditor, cast.department, cast.admin, cast.stranger):
        with pytest.raises((NotAllowed, assistance.StepRefused, assistance.ApplicationNotFound)):
            chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=somebody)


def test_who_comes_second_is_told_and_changes_nothing(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    first = assistance.Application.objects.get(pk=wang.pk)
    second = assistance.Application.objects.get(pk=wang.pk)

    go(first, State.REFUSED)
    with pytest.raises(assistance.StepRefused, match="他人"):
        go(second, State.GRANTED)
    with pytest.raises(assistance.StepRefused, match="不能审核确认"):
        chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)
    assert not assistance.Decision.objects.exists()


# ---- objection ---------------------------------------------------------------------------------------------------


def test_an_objection_leads_to_a_review_and_a_new_opinion(
    wang: assistance.Application, cast: Cast, tmp_path: Path
) -> None:
    to_notice(wang, cast, tmp_path)
    hung(wang, cast.township)
    assistance.object_to_notice(wang.number, ground="他家有一辆货车", by_whom="邻居", by=cast.township)
    wang.refresh_from_db()
    assert wang.state == State.OBJECTED
    with pytest.raises(assistance.StepRefused, match="重新入户"):
        chain.give_opinion(wang.number, grant=True, ground="查无货车", by=cast.township)
    assistance.record_meeting(
        wang.number,
        held_on=timezone.localdate(),
        present=9,
        in_favour=8,
        summary="货车系其弟所有",
        evidence=SCAN,
        evidence_name="评议记录.pdf",
        by=cast.township,
    )
    chain.give_opinion(wang.number, grant=True, ground="货车系其弟所有", by=cast.township)
    wang.refresh_from_db()
    assert wang.state == State.NOTICE  # and the new opinion hangs again
    assert hung(wang, cast.township).outcome == ""


def test_villagers_are_asked_only_when_somebody_objected(wang: assistance.Application, cast: Cast) -> None:
    chain.accept_application(wang.number, by=cast.township)
    with pytest.raises(assistance.StepRefused, match="只在有异议时"):
        assistance.record_meeting(
            wang.number,
            held_on=timezone.localdate(),
            present=9,
            in_favour=9,
            summary="同意",
            evidence=SCAN,
            evidence_name="a.pdf",
            by=cast.township,
        )


def test_a_mere_recognition_is_not_published(cast: Cast, tmp_path: Path) -> None:
    found = applied(cast.township, kind="BY", name="王强", id_number=WANG_QIANG, household_no="H002")
    chain.accept_application(found.number, by=cast.township)
    verified(found.number, by=cast.township, verifier=cast.verifier, folder=tmp_path)
    visited(found.number, by=cast.township)
    chain.give_opinion(found.number, grant=True, ground="符合低保边缘条件", by=cast.township)
    found.refresh_from_db()
    assert found.state == State.PROPOSED
    with pytest.raises(assistance.StepRefused, match="不公示"):
        hung(found, cast.township)


# ---- clocks ------------------------------------------------------------------------------------------------------


def test_worked_case_9_thirty_working_days_over_qingming(
    wang: assistance.Application, cast: Cast, on: Callable
) -> None:
    on(date(2024, 3, 4))
    accepted = chain.accept_application(wang.number, by=cast.township)
    assert accepted.due_on == date(2024, 4, 16)
    assert accepted.step_due_on == date(2024, 3, 7)  # the investigation begins within three working days

    on(date(2024, 3, 11))
    chain.pause_application(wang.number, until_on=date(2024, 3, 29), ground="申请人住院", by=cast.township)
    on(date(2024, 3, 18))
    resumed = chain.resume_application(wang.number, by=cast.township)
    assert resumed.due_on == date(2024, 4, 23)  # five working days stood still
    extended = chain.extend_application(wang.number, ground="异地核对未回复", by=cast.township)
    assert extended.due_on is not None and extended.due_on > date(2024, 4, 30)


def test_a_pause_that_is_over_hides_no_lateness(
    wang: assistance.Application, cast: Cast, on: Callable
) -> None:
    on(date(2024, 3, 4))
    chain.accept_application(wang.number, by=cast.township)
    chain.pause_application(wang.number, until_on=date(2024, 3, 15), ground="申请人住院", by=cast.township)
    assert not assistance.applications(by=cast.county, state="overdue").exists()
    on(date(2024, 6, 3))
    assert assistance.applications(by=cast.county, state="overdue").count() == 1
    assert chain.run_jobs()["clocks_resumed"] == 1
    assert chain.run_jobs()["clocks_resumed"] == 0
    wang.refresh_from_db()
    assert wang.paused_on is None


def test_a_region_with_limits_of_its_own() -> None:
    rules = load_procedures(PACKS / "cn")
    assert rules.of("DB", "330102").limits["总"].amount == 20
    assert rules.of("DB", "520102").limits["总"].amount == 30
    assert rules.of("BY", "330102").limits["总"].amount == 30


# ---- one person alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "kind", "grade", "illness", "may"),
    [
        ("BY", "精神", 3, False, True),  # worked case 6
        ("BY", "肢体", 3, False, False),  # worked case 6
        ("BY", "智力", 3, False, True),
        ("BY", "视力", 2, False, True),
        ("BY", "", None, True, True),
        ("GX", "精神", 1, False, False),
        ("BY", "", None, False, False),
    ],
)
def test_worked_case_6_who_may_apply_alone(
    family: str, kind: str, grade: int | None, illness: bool, may: bool
) -> None:
    rule = load_procedures(PACKS / "cn").alone
    assert rule.may(family=family, disability=kind, grade=grade, illness=illness) is may


def test_who_applies_alone_must_be_of_a_marginal_family(cast: Cast, tmp_path: Path, on: Callable) -> None:
    person = Person.objects.get(name="李丽")
    found = applied(
        cast.township, name="李丽", id_number=LI_LI, household_no="H001", persons=[person.pk], alone=True
    )
    with pytest.raises(assistance.StepRefused, match="单人申请"):
        chain.accept_application(found.number, by=cast.township, disability="肢体", grade=3)
    chain.accept_application(found.number, by=cast.township, disability="精神", grade=3)
    verified(found.number, by=cast.township, verifier=cast.verifier, folder=tmp_path)
    visited(found.number, by=cast.township)
    chain.give_opinion(found.number, grant=True, ground="单人申请", by=cast.township)
    hung(found, cast.township)
    on(timezone.localdate() + timedelta(days=8))
    chain.close_notice(found.number, by=cast.township)
    with pytest.raises(assistance.StepRefused, match="前提"):  # the family itself is within the allowance
        chain.decide_application(found.number, grant=True, ground="单人申请", by=cast.county)


# ---- kin, delegation, sample -------------------------------------------------------------------------------------


def test_kin_of_staff_are_visited_by_the_county(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    assistance.register_kin(
        staff_name="王乡长",
        staff_post="副乡长",
        relation="兄弟",
        name="王强",
        id_number=WANG_QIANG,
        by=cast.county,
    )
    to_decision(wang, cast, tmp_path, on)
    wang.refresh_from_db()
    assert wang.kin and "王乡长" in wang.kin_of
    with pytest.raises(assistance.StepRefused, match="县级须逐户入户"):
        chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.director)
    visited(wang.number, by=cast.county, others=("县局刘某",), county=True)
    with pytest.raises(assistance.StepRefused, match="另一人"):
        chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)
    assert chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.director).number


def test_delegated_decisions_are_sampled_by_a_seed_that_anybody_can_check(
    wang: assistance.Application,
    cast: Cast,
    tmp_path: Path,
    on: Callable,
    make_user: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = chain.procedures()
    delegated = dataclasses.replace(
        rules, kinds={**rules.kinds, "DB": dataclasses.replace(rules.kinds["DB"], delegated=True)}
    )
    monkeypatch.setattr("doudi.chain.packs.procedures", lambda: delegated)
    to_decision(wang, cast, tmp_path, on)
    with pytest.raises(assistance.StepRefused, match="另一人"):
        chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.township)
    head = make_user("head", "township", TOWNSHIP_A)
    decided = chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=head)
    assert decided.delegated

    today = timezone.localdate()
    draw = chain.draw_sample(first=today.replace(day=1), last=today, by=cast.county)
    assert draw.chosen == [decided.number]
    assert chain.draw_sample(first=today.replace(day=1), last=today, by=cast.county).pk == draw.pk
    again = assistance.drawn(
        draw.population, seed=draw.seed, share=rules.sample_share, least=rules.sample_least
    )
    assert again == draw.chosen
    terms: dict[str, Any] = {
        "correct": True,
        "findings": "入户核实无误",
        "checked_on": today,
        "by": cast.county,
    }
    visit = assistance.sample_visits(by=cast.county, open_only=True, mine=True).get()
    assert (visit.decision_number, visit.assigned_to) == (decided.number, "county")
    assert visit.due_on == add_workdays(today, rules.sample_limit.amount)
    other = make_user("county-two", "county", "520102")
    for wrong in ("head", "stranger"):
        with pytest.raises(assistance.StepRefused, match="另一名经办"):
            assistance.assign_sample(draw.number, decided.number, to=wrong, by=cast.county)
    assistance.assign_sample(draw.number, decided.number, to="county-two", by=cast.county)
    with pytest.raises(assistance.StepRefused, match="county-two 抽查"):
        assistance.record_sample_result(draw.number, decided.number, **terms)
    assert assistance.remind_samples() == 0
    later = today + timedelta(days=60)
    assert (assistance.remind_samples(today=later), assistance.remind_samples(today=later)) == (1, 0)
    assistance.record_sample_result(draw.number, decided.number, **{**terms, "by": other})
    assert not assistance.sample_visits(by=cast.county, open_only=True).exists()
    with pytest.raises(assistance.StepRefused, match="已登记"):
        assistance.record_sample_result(draw.number, decided.number, **terms)


def test_a_draw_takes_its_share_and_depends_on_the_seed() -> None:
    from fractions import Fraction

    numbers = [f"JD-{n:04d}" for n in range(100)]
    one = assistance.drawn(numbers, seed="a", share=Fraction(3, 10), least=1)
    assert len(one) == 30 and set(one) < set(numbers)
    assert one == assistance.drawn(numbers[::-1], seed="a", share=Fraction(3, 10), least=1)
    assert one != assistance.drawn(numbers, seed="b", share=Fraction(3, 10), least=1)
    assert one != assistance.drawn(numbers[:-1], seed="a", share=Fraction(3, 10), least=1)


# ---- temporary aid -----------------------------------------------------------------------------------------------


def test_an_emergency_grant_at_night_with_the_papers_after(cast: Cast, make_user: Callable) -> None:
    night = chain.start_application(
        kind="JN",
        applicant=assistance.Applicant("王强", WANG_QIANG),
        reason="夜间房屋失火，无处安身",
        household_no="H002",
        token="night",
        by=cast.township,
    )
    with pytest.raises(assistance.StepRefused, match="不超过"):
        chain.aid_first(night.number, amount_fen=2_235_01, ground="房屋失火", by=cast.township)
    given = chain.aid_first(night.number, amount_fen=2_000_00, ground="房屋失火，无处安身", by=cast.township)
    night.refresh_from_db()
    assert night.state == State.AIDED and given.amount_fen == 2_000_00
    assert night.step_due_on is not None
    with pytest.raises(assistance.StepRefused):
        chain.aid_first(night.number, amount_fen=1_000_00, ground="再给一次", by=cast.township)

    with pytest.raises(assistance.StepRefused, match="另一人"):
        chain.complete_papers(night.number, note_text="补齐", by=cast.township)
    head = make_user("head", "township", TOWNSHIP_A)
    with pytest.raises(assistance.StepRefused, match="还缺"):
        chain.complete_papers(night.number, note_text="补齐", by=head)
    for code in ("identity", "hardship"):
        chain.take_paper(night.number, code, by=cast.township, seen_original=True)
    visited(night.number, by=cast.township)
    done = chain.complete_papers(night.number, note_text="材料和入户补齐", by=head)
    assert done.state == State.GRANTED
    assert CategoryRecord.objects.filter(category="临时救助", document_no=given.number).exists()
    # a township books nothing; the county sees what waits
    assert [made.number for made in chain.unbooked_decisions(by=cast.county)] == [given.number]
    booked = chain.book_decision(given.number, by=cast.county)
    assert booked is not None and (booked.benefit, booked.fixed_fen) == ("LS", 2_000_00)
    # single sums are no monthly benefit
    assert assistance.decisions_in_force(date(2099, 1, 1), "") == []


def test_aid_first_to_kin_of_staff_is_visited_by_the_county(cast: Cast, make_user: Callable) -> None:
    assistance.register_kin(
        staff_name="王乡长",
        staff_post="副乡长",
        relation="兄弟",
        name="王强",
        id_number=WANG_QIANG,
        by=cast.county,
    )
    night = applied(cast.township, kind="JN", name="王强", id_number=WANG_QIANG, household_no="H002")
    chain.aid_first(night.number, amount_fen=500_00, ground="房屋失火，无处安身", by=cast.township)
    visited(night.number, by=cast.township)
    head = make_user("head", "township", TOWNSHIP_A)
    with pytest.raises(assistance.StepRefused, match="县级须逐户入户"):
        chain.complete_papers(night.number, note_text="补齐", by=head)
    visited(night.number, by=cast.county, others=("县局刘某",), county=True)
    assert chain.complete_papers(night.number, note_text="补齐", by=head).state == State.GRANTED


def test_worked_case_7_of_handbook_04_the_ceiling_of_temporary_aid() -> None:
    kind = load_procedures(PACKS / "cn").kinds["LS"]
    assert kind.most_fen(600_00, 3) == 5_400_00


def test_small_sums_are_the_townships_and_more_is_the_countys(
    cast: Cast, make_user: Callable, tmp_path: Path
) -> None:
    found = applied(cast.township, kind="LS", name="张伟", id_number=ZHANG_WEI, household_no="H001")
    chain.accept_application(found.number, by=cast.township)
    visited(found.number, by=cast.township)
    chain.give_opinion(found.number, grant=True, ground="突发困难", by=cast.township)
    head = make_user("head", "township", TOWNSHIP_A)
    with pytest.raises(NotAllowed, match="1500"):
        chain.decide_application(found.number, grant=True, ground="突发困难", amount_fen=1_500_01, by=head)
    decided = chain.decide_application(
        found.number, grant=True, ground="突发困难", amount_fen=1_500_00, by=head
    )
    assert decided.amount_fen == 1_500_00
    # aid is published after it was given
    assert "已给予" in hung(found, cast.township).text


# ---- what follows ------------------------------------------------------------------------------------------------


def test_a_change_and_an_end_follow_the_decision_and_alter_nothing(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    first = chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)
    assert first.valid_from is not None
    later = (first.valid_from + timedelta(days=62)).replace(day=1)
    changed = chain.change_decision(
        first.number,
        from_on=later,
        ground="务工收入增加",
        clause="暂行办法 第十三条",
        income_fen=300_00,
        by=cast.county,
    )
    assert [d.number for d in assistance.decisions_in_force(first.valid_from, "")] == [first.number]
    (row,) = assistance.decisions_in_force(later, "")
    assert (row.number, row.per_capita_income_fen) == (changed.number, 300_00)
    with pytest.raises(assistance.StepRefused, match="最新"):
        assistance.end_decision(
            first.number, ends_on=later, ground="收入超标", clause="第十三条", by=cast.county
        )

    end = (later + timedelta(days=62)).replace(day=1)
    ended = chain.end_decision(
        changed.number, ends_on=end, ground="就业后收入超过标准", clause="暂行办法 第十三条", by=cast.county
    )
    assert assistance.decisions_in_force(end, "") == []
    assert len(assistance.decisions_in_force(end - timedelta(days=1), "")) == 1
    assert registry.household("H002", by=cast.county).category == ""
    letter = chain.issue_letter(decision_number=ended.number, by=cast.county)
    assert "停止" in letter.content and first.number not in ended.ground


def test_a_recognition_ends_by_itself_when_its_time_has_run_out(
    wang: assistance.Application, cast: Cast, tmp_path: Path, on: Callable
) -> None:
    to_decision(wang, cast, tmp_path, on)
    made = chain.decide_application(wang.number, grant=True, ground="符合低保条件", by=cast.county)
    assert made.valid_from is not None
    # as a rigid-expenditure household's, twelve months
    assert chain.procedures().kinds["GX"].valid_months == 12
    over = (made.valid_from + timedelta(days=366)).replace(day=1)
    assistance.Decision.objects.filter(pk=made.pk).update(valid_to=over)
    on(over - timedelta(days=1))
    assert assistance.end_expired(by=system_user()) == 0
    on(over)
    assert assistance.end_expired(by=system_user()) == 1
    assert assistance.end_expired(by=system_user()) == 0
    assert registry.household("H002", by=cast.county).category == ""
    assert assistance.decisions_in_force(over, "") == []


# ---- a new family, the telephone, the transfer -------------------------------------------------------------------


def test_a_family_that_is_not_on_the_register_applies_all_the_same(cast: Cast) -> None:
    head, child = make_id("19880808", 81), make_id("20150505", 82)
    people = [registry.NewMember("何新", head, "户主"), registry.NewMember("何小", child, "子")]
    terms: dict[str, Any] = {
        "region_code": TOWNSHIP_A, "urban_rural": "城镇", "people": people, "ground": "户口簿", "token": "fam1",
    }  # fmt: skip
    family = registry.register_family(**terms, by=cast.township)
    assert registry.register_family(**terms, by=cast.township).pk == family.pk
    assert (family.persons, family.head_name, family.category, family.listed) == (2, "何新", "", True)
    found = applied(cast.township, name="何新", id_number=head, household_no=family.household_no)
    assert found.region_code == TOWNSHIP_A
    with pytest.raises(registry.ChangeRefused, match="已是户"):
        registry.register_family(
            region_code=TOWNSHIP_A,
            urban_rural="城镇",
            people=[registry.NewMember("王强", WANG_QIANG, "户主")],
            ground="户口簿",
            token="fam2",
            by=cast.township,
        )


def test_a_start_on_the_telephone_is_taken_on_by_the_township(cast: Cast) -> None:
    terms: dict[str, Any] = {
        "kind": "DB",
        "applicant": assistance.Applicant("王强", WANG_QIANG, "13900000000"),
        "reason": "没有收入来源",
        "region_code": TOWNSHIP_A,
        "address": "10.0.0.1",
    }
    found = chain.start_by_oneself(token="phone", **terms)
    assert chain.start_by_oneself(token="phone", **terms).pk == found.pk
    assert found.household_no == ""
    with pytest.raises(assistance.StepRefused, match="查明"):
        chain.accept_application(found.number, by=cast.township)
    with pytest.raises(assistance.StepRefused, match="不是户"):
        assistance.name_household(found.number, household_no="H001", by=cast.township)
    assistance.name_household(found.number, household_no="H002", by=cast.township)
    assert chain.application_progress(found.receipt, WANG_QIANG[-4:]).state == "已提交"


def test_a_transfer_is_closed_by_the_receiver_alone(cast: Cast, on: Callable) -> None:
    found = applied(cast.township, kind="MED", name="王强", id_number=WANG_QIANG, household_no="H002")
    with pytest.raises(assistance.StepRefused, match="转办"):
        chain.accept_application(found.number, by=cast.township)
    sent = chain.transfer_application(
        found.number, department="医保", why="大病费用，由医保负责", by=cast.township
    )
    for somebody in (cast.township, cast.county):
        with pytest.raises(NotAllowed):
            chain.answer_referral(sent.number, result="solved", answer="已经办结", by=somebody)
    assert not assistance.late_transfers(by=cast.county).exists()
    on(timezone.localdate() + timedelta(days=10))
    assert [late.number for late in assistance.late_transfers(by=cast.county)] == [sent.number]
    assert assistance.remind_transfers() == 1
    assert assistance.remind_transfers() == 0

    chain.return_referral(sent.number, why="属于教育部门", by=cast.department)
    again = chain.reroute_transfer(sent.number, department="医保", why="经核确属医疗费用", by=cast.county)
    chain.accept_referral(again.number, by=cast.department)
    chain.answer_referral(
        again.number, result="solved", answer="已给予医疗救助", amount_fen=8_000_00, by=cast.department
    )
    found.refresh_from_db()
    assert found.state == State.CLOSED
    assert not assistance.late_transfers(by=cast.county).exists()
