"""Follow-ups at 30, 90 and 180 days, reviews by rhythm, refused work, and exits that are heard first."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.assistance import payroll
from doudi.engine.errors import DoudiError
from tests.cast import assemble
from tests.payday import DEC, NOV, PayOffice, open_office


@pytest.fixture
def pay(county: Path) -> PayOffice:
    return open_office(assemble())


def planned(pay: PayOffice) -> list[payroll.FollowUp]:
    payroll.plan_follow_ups(chain.benefit_rules())
    return list(payroll.follow_ups(by=pay.cast.county))


def test_a_grant_is_looked_at_after_30_90_and_180_days_once_each(pay: PayOffice) -> None:
    pay.decide("H001", decided_on=date(2024, 10, 20))

    first = planned(pay)
    again = planned(pay)

    assert [(one.day, one.due_on) for one in first] == [
        (30, date(2024, 11, 19)), (90, date(2025, 1, 18)), (180, date(2025, 4, 18)),
    ]  # fmt: skip
    assert len(again) == 3
    assert first[0].before_income_fen == 10000


def test_what_was_not_solved_says_what_is_missing_and_is_counted_by_measure_and_township(
    pay: PayOffice,
) -> None:
    pay.decide("H001")
    pay.decide("H003")
    looks = planned(pay)
    mine = next(one for one in looks if one.household_no == "H001")
    theirs = next(one for one in looks if one.household_no == "H003")
    told = {"done_on": date(2024, 12, 1), "note": "入户看过"}

    with pytest.raises(DoudiError):
        payroll.record_follow_up(mine.pk, result="partly", by=pay.cast.township, **told)
    payroll.record_follow_up(
        mine.pk,
        result="partly",
        unmet="缺护理人",
        satisfaction=4,
        repeat_need=True,
        by=pay.cast.township,
        **told,
    )
    payroll.record_follow_up(theirs.pk, result="solved", satisfaction=5, by=pay.cast.other_township, **told)
    with pytest.raises(payroll.FollowUpNotFound):
        payroll.record_follow_up(theirs.pk, result="solved", by=pay.cast.township, **told)
    with pytest.raises(NotAllowed):
        payroll.record_follow_up(looks[-1].pk, result="solved", by=pay.cast.director, **told)
    with pytest.raises(DoudiError):
        payroll.record_follow_up(mine.pk, result="solved", by=pay.cast.township, **told)

    (figures,) = payroll.outcome_figures(by=pay.cast.director)
    assert (figures.key, figures.planned, figures.done, figures.partly, figures.solved) == ("DB", 6, 2, 1, 1)
    assert (figures.met_rate, figures.satisfaction, figures.repeats, figures.unmet) == (0.5, 4.5, 1, 1)
    towns = payroll.outcome_figures(by=pay.cast.director, along="township")
    assert [(one.key, one.done) for one in towns] == [("520102016", 1), ("520102017", 1)]
    # the same number by the other road: the list behind the cell
    assert payroll.follow_ups(by=pay.cast.director, measure="DB", result="partly").count() == figures.partly
    assert payroll.follow_ups(by=pay.cast.director, measure="DB", state="late").count() == figures.late
    assert [one.household_no for one in payroll.follow_ups(by=pay.cast.director, unmet=True)] == ["H001"]


def test_the_same_aid_twice_in_a_year_is_shown(pay: PayOffice) -> None:
    for number, on in (("1", date(2024, 6, 3)), ("2", date(2024, 11, 5))):
        pay.decide("H002", benefit="LS", amount_fen=50000, decided_on=on, decision_no=f"临{number}")

    (found,) = payroll.repeated_aid(by=pay.cast.county, on=DEC)

    assert (found.household_no, found.times, found.total_fen) == ("H002", 2, 100000)
    assert payroll.repeated_aid(by=pay.cast.other_township, on=DEC) == []


def test_reviews_follow_the_rhythm_of_the_household(pay: PayOffice) -> None:
    pay.decide("H001", decided_on=date(2024, 1, 10), decision_no="a")  # able-bodied: half a year
    rules = chain.benefit_rules()

    assert payroll.open_reviews(rules, today=date(2024, 6, 1)) == 0
    assert payroll.open_reviews(rules, today=date(2024, 6, 15)) == 1
    assert payroll.open_reviews(rules, today=date(2024, 6, 16)) == 0
    (review,) = payroll.reviews(by=pay.cast.township)
    assert (review.rhythm, review.due_on) == ("irregular", date(2024, 7, 10))
    payroll.record_review(
        review.pk, result="keep", finding="收入没有变化", reviewed_on=date(2024, 7, 1), by=pay.cast.township
    )
    assert payroll.open_reviews(rules, today=date(2024, 8, 1)) == 0
    assert payroll.open_reviews(rules, today=date(2024, 12, 10)) == 1


def test_an_exit_is_heard_first_and_decided_by_another(pay: PayOffice) -> None:
    pay.decide("H001", decided_on=date(2024, 1, 10))
    payroll.open_reviews(chain.benefit_rules())
    (review,) = payroll.reviews(by=pay.cast.county)
    today = timezone.localdate()

    payroll.record_review(
        review.pk, result="exit", finding="成员稳定就业", reviewed_on=today, by=pay.cast.county
    )
    with pytest.raises(DoudiError) as refused:
        chain.decide_exit(review.pk, agree=True, decision_no="退1", by=pay.decider)
    assert "听取" in refused.value.zh
    payroll.record_hearing(review.pk, heard_on=today, heard="同意退出", by=pay.cast.county)
    with pytest.raises(payroll.SamePerson):
        chain.decide_exit(review.pk, agree=True, decision_no="退1", by=pay.cast.county)
    done = chain.decide_exit(review.pk, agree=True, decision_no="退1", by=pay.decider)

    stop = payroll.decision_of(done.decision, by=pay.cast.auditor)
    assert (stop.kind, stop.decision_no, done.status) == ("stop", "退1", "done")
    assert payroll.standing("H001", "DB", stop.starts_on) is None


def test_three_refusals_in_a_row_propose_a_review_of_that_person(pay: PayOffice) -> None:
    pay.decide("H001", decided_on=date(2024, 1, 10))
    person = pay.people("H001")[0].person_id

    def offer(place: int, **more) -> None:
        told = {"accepted": False, "justified": False, "reason": "不想去", **more}
        chain.record_offer(
            household_no="H001", person_id=person, offered_on=NOV + timedelta(days=place), job=f"保洁{place}",
            by=pay.cast.township, **told,
        )  # fmt: skip

    offer(1)
    offer(2)
    offer(3, justified=True, reason="住院")
    offer(4)
    offer(5)
    assert not payroll.reviews(by=pay.cast.county).exists()
    offer(6)
    offer(6)  # the same offer again is one

    (review,) = payroll.reviews(by=pay.cast.county)
    assert payroll.refusals_in_a_row(person) == 3
    assert "连续3次" in review.finding and "第四十五条" in review.finding
