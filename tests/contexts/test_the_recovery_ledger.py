"""The recovery ledger ties out to the fen, whatever is entered in whatever order, and nothing is ever changed."""

from __future__ import annotations

import os
from datetime import date

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from doudi.contexts.accounts.services import system_user
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.services import Account, LedgerEntry
from doudi.engine.errors import DoudiError
from tests.cast import Cast, assemble

SEQUENCES = int(os.environ.get("DOUDI_LEDGER_SEQUENCES", "300"))
"""Random sequences of acts; DOUDI_LEDGER_SEQUENCES=10000 for the long proof."""
TODAY = date(2024, 12, 1)


@pytest.fixture
def people(office, db) -> Cast:
    return assemble()


def open_case(amount_fen: int, by=None, doubt: str = "YD20241201-Y1-H003-5") -> assistance.Recovery:
    return assistance.open_recovery(
        doubt_number=doubt,
        kind="Y1",
        household_no="H003",
        debtor_name="赵国",
        region_code="520102017",
        amount_fen=amount_fen,
        by=by or system_user(),
    )


def test_the_same_receipt_sent_twice_is_one_and_another_under_its_number_is_refused(people: Cast) -> None:
    case = open_case(90460, people.county)

    first = assistance.receive(case.number, amount_fen=40000, voucher="S-001", on=TODAY, by=people.county)
    second = assistance.receive(case.number, amount_fen=40000, voucher="S-001", on=TODAY, by=people.county)

    assert first.pk == second.pk
    with pytest.raises(assistance.VoucherUsed):
        assistance.receive(case.number, amount_fen=50000, voucher="S-001", on=TODAY, by=people.county)
    case.refresh_from_db()
    assert (case.received_fen, case.outstanding_fen) == (40000, 50460)


def test_more_than_is_owed_is_not_taken(people: Cast) -> None:
    case = open_case(10000, people.county)

    with pytest.raises(DoudiError) as refused:
        assistance.receive(case.number, amount_fen=10001, voucher="S-1", on=TODAY, by=people.county)

    assert "超过未追回的 100.00元" in refused.value.zh


def test_instalments_add_up_to_the_fen_and_the_oldest_is_paid_first(people: Cast) -> None:
    case = open_case(90460, people.county)
    dues = assistance.even_instalments(90460, 3, date(2025, 1, 31))
    assert dues == [(date(2025, 1, 31), 30154), (date(2025, 2, 28), 30153), (date(2025, 3, 31), 30153)]

    assistance.agree_plan(case.number, dues=dues, by=people.county)
    assistance.receive(case.number, amount_fen=40000, voucher="S-1", on=TODAY, by=people.county)

    case.refresh_from_db()
    assert [due.paid_fen for due in assistance.plan_of(case)] == [30154, 9846, 0]
    assert case.next_due_on == date(2025, 2, 28)
    assert case in assistance.recoveries(by=people.county, status="late")
    with pytest.raises(DoudiError):
        assistance.agree_plan(case.number, dues=dues, by=people.county)  # no longer what is outstanding


def test_a_write_off_needs_a_document_and_a_second_person(people: Cast) -> None:
    case = open_case(90460, people.county)
    assistance.ask_write_off(
        case.number, amount_fen=50460, ground="债务人死亡，无遗产可供执行。", by=people.county
    )

    with pytest.raises(DoudiError):
        assistance.decide_write_off(
            case.number, approve=True, document="虚构核销〔2024〕1号", note="同意核销", by=people.county
        )
    with pytest.raises(DoudiError):
        assistance.decide_write_off(
            case.number, approve=True, document="", note="同意核销", by=people.director
        )
    assistance.decide_write_off(
        case.number, approve=True, document="虚构核销〔2024〕1号", note="同意核销", by=people.director
    )

    case.refresh_from_db()
    assert (case.written_off_fen, case.outstanding_fen) == (50460, 40000)
    entry = case.entries.get(kind=LedgerEntry.Kind.WRITE_OFF)
    assert (entry.by, entry.second) == ("director", "county")


def test_a_claim_that_was_too_high_owes_the_family_money_back(people: Cast) -> None:
    case = open_case(50000, people.county)
    assistance.receive(case.number, amount_fen=50000, voucher="S-1", on=TODAY, by=people.county)

    assistance.reduce_claim(
        case.number,
        amount_fen=20000,
        document="复查决定1号",
        voucher="J-1",
        on=TODAY,
        ground="死亡日期更正",
        by=people.county,
    )
    case.refresh_from_db()
    assert (case.due_fen, case.outstanding_fen, case.refund_fen) == (30000, 0, 20000)

    assistance.refund(case.number, amount_fen=20000, voucher="T-1", on=TODAY, by=people.county)
    case.refresh_from_db()
    assert (case.received_fen, case.refund_fen, case.settled) == (30000, 0, True)


def test_a_wrong_entry_is_reversed_once_and_never_changed(people: Cast) -> None:
    case = open_case(50000, people.county)
    wrong = assistance.receive(case.number, amount_fen=5000, voucher="S-1", on=TODAY, by=people.county)

    back = assistance.reverse_entry(
        case.number, entry=wrong.pk, voucher="C-1", ground="记错了家庭", on=TODAY, by=people.county
    )

    assert dict(back.lines.values_list("account", "amount_fen")) == {"bank": -5000, "receivable": 5000}
    for again in (wrong, back):
        with pytest.raises(DoudiError):
            assistance.reverse_entry(
                case.number, entry=again.pk, voucher="C-2", ground="再冲一次", on=TODAY, by=people.county
            )
    with pytest.raises(TypeError):
        wrong.memo = "改一改"
        wrong.save()
    with pytest.raises(TypeError):
        wrong.delete()


def test_the_township_sees_its_ledger_and_enters_nothing(people: Cast) -> None:
    case = open_case(50000, people.county)

    assert assistance.recovery_of(case.number, by=people.other_township)
    for person in (people.township, people.stranger):
        with pytest.raises(assistance.RecoveryNotFound):
            assistance.recovery_of(case.number, by=person)
    with pytest.raises(DoudiError):
        assistance.receive(case.number, amount_fen=1, voucher="S-1", on=TODAY, by=people.other_township)


class Ledger(RuleBasedStateMachine):
    """One recovery under random acts, beside a plain count of who owes whom what."""

    people: Cast

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.number = 0

    def teardown(self) -> None:
        assert not hasattr(self, "owed") or assistance.prove(self.case)
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    @initialize(claim=st.integers(1, 10_000_000))
    def claim(self, claim: int) -> None:
        self.case = open_case(claim, self.people.county)
        self.owed, self.cash, self.bank, self.off, self.back, self.due = claim, 0, 0, 0, 0, claim
        self.undo: list[tuple[int, dict[str, int]]] = []

    def voucher(self) -> str:
        self.number += 1
        return f"V-{self.number}"

    def tried(self, fits: bool, act, **given) -> LedgerEntry | None:
        """The act is done where the plain count allows it and refused where it does not."""
        try:
            entry = act(self.case.number, voucher=self.voucher(), on=TODAY, by=self.people.county, **given)
        except DoudiError:
            assert not fits
            return None
        assert fits
        return entry

    @rule(fen=st.integers(-1, 6_000_000), into=st.sampled_from(["cash", "bank"]))
    def receive(self, fen: int, into: str) -> None:
        entry = self.tried(0 < fen <= self.owed, assistance.receive, amount_fen=fen, into=into)
        if entry:
            self.owed -= fen
            setattr(self, into, getattr(self, into) + fen)
            self.undo.append((entry.pk, {"owed": fen, into: -fen}))

    @rule(fen=st.integers(1, 3_000_000))
    def pay_in(self, fen: int) -> None:
        entry = self.tried(fen <= self.cash, assistance.deposit_cash, amount_fen=fen)
        if entry:
            self.cash, self.bank = self.cash - fen, self.bank + fen
            self.undo.append((entry.pk, {"cash": fen, "bank": -fen}))

    @rule(fen=st.integers(1, 6_000_000))
    def reduce(self, fen: int) -> None:
        entry = self.tried(
            fen <= self.due - self.off,
            assistance.reduce_claim,
            amount_fen=fen,
            document="决定1号",
            ground="金额更正",
        )
        if entry:
            part = min(fen, self.owed)
            self.due, self.owed, self.back = self.due - fen, self.owed - part, self.back + fen - part
            self.undo.append((entry.pk, {"due": fen, "owed": part, "back": part - fen}))

    @rule(fen=st.integers(1, 3_000_000))
    def pay_back(self, fen: int) -> None:
        entry = self.tried(fen <= self.back and fen <= self.bank, assistance.refund, amount_fen=fen)
        if entry:
            self.back, self.bank = self.back - fen, self.bank - fen
            self.undo.append((entry.pk, {"back": fen, "bank": fen}))

    @rule(fen=st.integers(1, 3_000_000))
    def write_off(self, fen: int) -> None:
        try:
            assistance.ask_write_off(
                self.case.number, amount_fen=fen, ground="无财产可供执行，已终结。", by=self.people.county
            )
        except DoudiError:
            assert fen > self.owed
            return
        assistance.decide_write_off(
            self.case.number, approve=True, document="核销1号", note="同意核销", by=self.people.director
        )
        self.owed, self.off = self.owed - fen, self.off + fen

    @rule(place=st.integers(0, 20))
    def reverse(self, place: int) -> None:
        if not self.undo:
            return
        entry, change = self.undo[place % len(self.undo)]
        after = {name: getattr(self, name) + fen for name, fen in change.items()}
        fits = all(fen >= 0 for fen in after.values())
        if self.tried(fits, assistance.reverse_entry, entry=entry, ground="登记错误"):
            self.undo.remove((entry, change))
            for name, fen in after.items():
                setattr(self, name, fen)

    @invariant()
    def it_ties_out(self) -> None:
        if not hasattr(self, "owed"):
            return
        self.case.refresh_from_db()
        found = assistance.trial_balance(by=self.people.county)
        assert sum(found.values()) == 0
        assert found == {
            Account.RECEIVABLE: self.owed, Account.EXPENSE: -self.due, Account.CASH: self.cash, Account.BANK: self.bank,
            Account.WRITTEN_OFF: self.off, Account.REFUND: -self.back,
        }  # fmt: skip
        assert min(self.owed, self.cash, self.bank, self.off, self.back, self.due) >= 0
        case = self.case
        assert (
            case.due_fen + case.refund_fen == case.received_fen + case.written_off_fen + case.outstanding_fen
        )
        assert assistance.prove(case)


@pytest.mark.slow
def test_random_sequences_of_acts_tie_out(people: Cast) -> None:
    machine = type("OneOffice", (Ledger,), {"people": people})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=6,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert timezone.localdate() > TODAY
