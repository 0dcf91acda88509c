"""Two records become one person after benefits were decided and paid: the reckoning and the accounts follow, and back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from doudi import chain
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance.outcome_models import WorkRefusal
from doudi.contexts.assistance.reviews import refusals_in_a_row
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import Person
from doudi.engine.benefits import Recipient
from doudi.engine.errors import DoudiError
from tests.cast import assemble
from tests.payday import CARDS, COUNTY, DEC, JAN, NOV, PayOffice, open_office


@pytest.fixture
def pay(county: Path) -> PayOffice:
    return open_office(assemble())


def person(name: str) -> Person:
    return Person.objects.get(name=name)


def merged(pay: PayOffice, keep: str, away: str) -> registry.RegistryEvent:
    # the small county has no twins: one record was entered with the wrong sex
    Person.objects.filter(name=away).update(sex=person(keep).sex)
    return chain.merge_people(person(keep), person(away), ground="村委会证明为同一人", by=pay.cast.county)


def rows(roster: payroll.Roster, number: str) -> list[tuple[str, str, int, int, int]]:
    found = roster.rows.filter(household_no=number).order_by("place")
    return [(row.kind, row.benefit, row.for_month.month, row.person_id, row.amount_fen) for row in found]


def test_what_the_former_record_was_paid_is_what_the_person_was_paid(pay: PayOffice) -> None:
    """A 特困 person is paid under a record that is merged away: no second payment, nothing taken back."""
    former = person("王强").pk
    pay.decide("H002", benefit="TK", persons=[Recipient(former, failed_items=0)])
    november = pay.frozen(NOV)
    (paid,) = rows(november, "H002")

    merge = merged(pay, "赵敏", "王强")
    kept = person("赵敏").pk
    december = pay.frozen(DEC)

    assert rows(december, "H002") == [("regular", "TK", 12, kept, paid[4])]
    assert (paid[3], december.total_fen) == (former, november.total_fen)

    chain.undo_change(merge.number, ground="实为两人", by=pay.cast.county)
    january = pay.frozen(JAN)
    assert rows(january, "H002") == [("regular", "TK", 1, former, paid[4])]


def test_two_records_of_one_decision_are_counted_once_and_the_line_says_so(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.frozen(NOV)

    merged(pay, "张伟", "李丽")
    made = chain.compute_roster(region_code=COUNTY, month=DEC, by=pay.cast.county)

    # 745.00 less 100.00 for one; November held two
    assert rows(made, "H001")[:2] == [
        ("regular", "DB", 12, 0, 64500), ("clawback", "DB", 11, 0, -64500),
    ]  # fmt: skip
    (regular,) = made.rows.filter(kind="regular")
    assert (regular.persons, [line[1] for line in regular.lines if line[0] == "不计入"]) == (
        1, ["张伟的两份登记已合并为一人，只计一次"],
    )  # fmt: skip
    decision = payroll.standing("H001", "DB", DEC)
    assert decision is not None and (
        chain.explain_decision(decision.number, month=DEC, by=pay.decider).fen == 64500
    )


def test_a_person_of_two_households_is_paid_in_the_one_decided_earlier(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.decide("H002", per_capita_income_fen=0)
    merged(pay, "张伟", "王强")

    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)

    assert [(row.household_no, row.persons) for row in made.rows.filter(kind="regular")] == [("H001", 2)]
    with pytest.raises(payroll.ExclusiveBenefit):
        pay.decide("H001", benefit="TK", persons=[Recipient(person("王强").pk)], decision_no="特困1")
    with pytest.raises(DoudiError) as twice:
        pay.decide(
            "H003",
            persons=[Recipient(person("张伟").pk), Recipient(person("王强").pk)],
            decision_no="虚构3",
        )
    assert "写了两次" in twice.value.zh


def test_the_account_of_the_former_record_pays_until_the_kept_one_has_its_own(pay: PayOffice) -> None:
    former = person("王强").pk
    pay.decide("H002", benefit="TK", persons=[Recipient(former, failed_items=0)])
    old = account(pay, former, CARDS["H002"])
    merged(pay, "赵敏", "王强")
    pay.frozen(NOV)

    (ready,) = payroll.open_payments(by=pay.cashier, state="ready")
    assert ready.account is not None and (ready.account.pk, ready.person_id) == (old.pk, person("赵敏").pk)
    pay.returned(pay.sent(), failed=[1])
    (failed,) = payroll.open_payments(by=pay.cashier, state="failed")
    assert failed.reason == "账户已销户"

    new = account(pay, person("赵敏").pk, CARDS["H003"])
    (again,) = payroll.open_payments(by=pay.cashier, state="ready")
    assert again.account is not None and again.account.pk == new.pk
    old.refresh_from_db()
    assert old.status == "replaced"


def account(pay: PayOffice, key: int, card: str) -> payroll.PayAccount:
    made = payroll.propose_account(
        household_no="H002", person_id=key, holder_name="王强", card=card, by=pay.decider
    )
    return payroll.confirm_account(made.pk, agree=True, by=pay.cashier)


def test_refusals_of_both_records_are_refusals_of_the_person(pay: PayOffice) -> None:
    for place, name in enumerate(("王强", "赵敏", "王强"), 1):
        WorkRefusal.objects.create(
            household_no="H002", person_id=person(name).pk, region_code="520102016",
            offered_on=date(2024, 11, place), job="保洁", recorded_by="t",
        )  # fmt: skip
    assert refusals_in_a_row(person("王强").pk) == 2

    merged(pay, "赵敏", "王强")

    assert refusals_in_a_row(person("赵敏").pk) == refusals_in_a_row(person("王强").pk) == 3
