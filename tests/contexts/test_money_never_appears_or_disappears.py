"""Random decisions, retroactive changes, stops, rosters, returns and bounces: not a fen appears or disappears.

Beside the office runs a plain count that knows nothing of its code: what each household is due in each month, and what
the bank has paid. ``DOUDI_PAYROLL_SEQUENCES=10000`` is the long proof; ``DOUDI_SEQUENCE_SEED`` names its slices. Twelve
faults planted in the services show that it can fail.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.conf import settings as office_settings
from django.db import connection, transaction
from django.db.models import Q, Sum
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    invariant,
    rule,
)

from doudi import chain
from doudi.contexts.assistance import entitlement, paying, payroll, reckoning, rosters
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.roster_models import PayItem, RosterRow
from doudi.contexts.registry.models import Household, Person
from doudi.engine.benefits import Numbers, Recipient, load_benefits, months_between, shift
from doudi.engine.errors import DoudiError
from doudi.engine.packs import load_pack
from doudi.engine.packs.changing import with_parameters
from tests.cast import assemble
from tests.payday import COUNTY, PayOffice, open_office
from tests.small_county import TOWNSHIP_A

SEQUENCES = int(os.environ.get("DOUDI_PAYROLL_SEQUENCES", "40"))
SEED = int(os.environ.get("DOUDI_SEQUENCE_SEED", "0"))
OPENED = 50
"""Sequences that go out from one first month; the next fifty begin with another."""
START = date(2024, 1, 1)
HOMES = ("A1", "B2", "C3")
SIZE = 2
homes, months_on = st.sampled_from(HOMES), st.integers(0, 2)


class Payroll(RuleBasedStateMachine):
    """Three households of two people each under random acts."""

    office: PayOffice
    pack = load_pack(Path(office_settings.PROJECT) / "packs" / "reference")
    section = load_benefits(Path(office_settings.PROJECT) / "packs" / "reference")

    people: dict[str, list[int]]
    first: Payroll
    """Where every sequence begins: a month that was paid, so that each has money to lose."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()

        self.month, self.standard, self.count = self.first.month, self.first.standard, self.first.count
        self.told = defaultdict(list, {number: list(told) for number, told in self.first.told.items()})
        self.stopped: dict[str, list[tuple[date, int, int]]] = defaultdict(list)
        self.paid = defaultdict(int, self.first.paid)
        self.seen = dict(self.first.seen)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    @classmethod
    def opened(cls, office: PayOffice, chance: Random) -> type[Payroll]:
        """The machine in an office whose first month is paid, made once; a sequence takes back all it did after it."""
        made = type("Office", (cls,), {"office": office, "people": {}})
        first = made.first = object.__new__(made)
        first.month, first.standard, first.count = START, 60000, 0
        first.told, first.paid, first.seen = defaultdict(list), defaultdict(int), {}
        first.stopped = defaultdict(list)
        for place, number in enumerate(HOMES):
            Household.objects.create(
                household_no=number, region_code=TOWNSHIP_A, responsible_region=TOWNSHIP_A, urban_rural="城镇",
                head_name=number, persons=SIZE,
            )  # fmt: skip
            made.people[number] = [
                Person.objects.create(
                    id_blind=bytes([place, one] + [0] * 14), id_number="x", name=f"{number}{one}"
                ).pk
                for one in range(SIZE)
            ]
            first.decide(number, "grant", chance.choice([0, chance.randint(0, 50000)]), 1)
            first.account(number)
        first.month_is_paid(0)
        first.bank({serial for serial in (1, 2, 3) if chance.random() < 0.3}, True)
        first.every_way_gives_the_same_fen()
        return made

    def numbers(self) -> Numbers:
        return Numbers(
            with_parameters(
                self.pack,
                {
                    ("低保标准", ""): f"{self.standard / 100:.2f}元",
                    ("低保标准", COUNTY): f"{self.standard / 100:.2f}元",
                },
                document="参考规则",
            )
        )

    def tried(self, act, **told):
        try:
            return act(**told)
        except DoudiError:
            return None

    # ---- what happens -----------------------------------------------------------------------------------------------

    @rule(
        number=homes,
        kind=st.sampled_from(["grant", "change", "stop"]),
        income=st.integers(0, 70000),
        back=months_on,
    )
    def decide(self, number: str, kind: str, income: int, back: int) -> None:
        self.count += 1
        starts = shift(self.month, 1 - back)
        made = self.tried(
            payroll.record_decision, rules=self.section, numbers=self.numbers(), kind=kind, benefit="DB",
            household_no=number, region_code=TOWNSHIP_A, urban_rural="城镇",
            persons=() if kind == "stop" else [Recipient(one) for one in self.people[number]],
            per_capita_income_fen=income, decided_on=self.month, decision_no=f"n{self.count}", starts_on=starts,
            ground="补登", by=self.office.decider,
        )  # fmt: skip
        if made is not None:
            self.told[number].append((starts, self.count, kind, income, made.number))

    @rule(number=homes, place=st.integers(0, 5))
    def reverse(self, number: str, place: int) -> None:
        if self.told[number]:
            chosen = self.told[number][place % len(self.told[number])]
            payroll.reverse_decision(chosen[4], decision_no="撤", ground="登记错误", by=self.office.decider)
            self.told[number].remove(chosen)

    @rule(number=homes, who=st.integers(0, SIZE - 1), back=months_on)
    def stop_one(self, number: str, who: int, back: int) -> None:
        self.count += 1
        begins = shift(self.month, 1 - back)
        assistance.record_stop(
            source=f"stop{self.count}", household_no=number, person_id=self.people[number][who], person_name="x",
            region_code=TOWNSHIP_A, stop_from=begins, ground="停发", by=self.office.decider,
        )  # fmt: skip
        self.stopped[number].append((begins, self.count, who))

    @rule(fen=st.sampled_from([55000, 60000, 63050, 80001]))
    def other_standard(self, fen: int) -> None:
        self.standard = fen

    @rule(number=homes)
    def account(self, number: str) -> None:
        self.count += 1
        made = self.tried(
            payroll.propose_account, household_no=number, holder_name=number, card=f"9{self.count:09d}",
            by=self.office.decider,
        )  # fmt: skip
        if made is not None:
            payroll.confirm_account(made.pk, agree=True, by=self.office.cashier)

    @rule(on=st.integers(0, 2))
    def month_is_paid(self, on: int) -> None:
        self.month = shift(self.month, on)
        made = payroll.compute_roster(
            region_code=COUNTY,
            month=self.month,
            rules=self.section,
            numbers=self.numbers(),
            by=self.office.cast.county,
        )
        payroll.freeze_roster(made.number, note="", by=self.office.cast.director)
        self.rostered_is_due(made)

    @rule(failing=st.sets(st.integers(1, 4)), answered=st.booleans())
    def bank(self, failing: set[int], answered: bool) -> None:
        batch = self.tried(
            payroll.make_batch, region_code=COUNTY, layout="card", rules=self.section, by=self.office.cashier
        )
        self.nothing_is_left_behind()
        if batch is not None and answered:
            self.answer(batch, failing)

    @rule(failing=st.sets(st.integers(1, 4)))
    def a_whole_month(self, failing: set[int]) -> None:
        self.month_is_paid(1)
        self.bank(failing, True)

    @rule(failing=st.sets(st.integers(1, 4)))
    def late_answer(self, failing: set[int]) -> None:
        for batch in payroll.PayBatch.objects.filter(returns=None):
            self.answer(batch, failing)

    def answer(self, batch: payroll.PayBatch, failing: set[int]) -> None:
        payroll.take_return(
            batch.number, content=self.office.answer(batch, failing), file_name="r", rules=self.section,
            by=self.office.cashier,
        )  # fmt: skip
        for item in batch.items.all():
            if item.serial not in failing:
                self.paid[item.household_no] += item.amount_fen

    @rule(place=st.integers(0, 5))
    def bounces(self, place: int) -> None:
        items = PayItem.objects.filter(results__kind="paid").exclude(results__kind="bounced").order_by("pk")
        if items:
            item = items[place % len(items)]
            payroll.record_bounce(item.batch.number, item.serial, reason="退", by=self.office.cashier)
            self.paid[item.household_no] -= item.amount_fen

    # ---- what must hold ---------------------------------------------------------------------------------------------

    def due(self, number: str, month: date) -> int:
        """The plain count: the last decision begun, for those not stopped after it was taken."""
        begun = [told for told in self.told[number] if told[0] <= month]
        if not begun:
            return 0
        _starts, order, kind, income, _number = max(begun, key=lambda told: (told[0], told[1]))
        if kind == "stop":
            return 0
        gone = {who for begins, later, who in self.stopped[number] if begins <= month and later > order}
        return max(0, self.standard - (income or 0)) * (SIZE - len(gone))

    def rostered_is_due(self, roster: payroll.Roster) -> None:
        """After a roster nobody is owed, and who was paid too much receives nothing until it is made good."""
        rows = RosterRow.objects.filter(roster__status="frozen").exclude(kind="held").order_by()
        counted = rows.values_list("household_no", "for_month").annotate(
            fen=Sum("amount_fen"), here=Sum("amount_fen", filter=Q(roster=roster))
        )
        held: dict[str, dict[date, int]] = defaultdict(dict)
        net: dict[str, int] = defaultdict(int)
        for number, month, fen, here in counted:
            held[number][month] = fen
            net[number] += here or 0
        for number in HOMES:
            over = 0
            for month in months_between(shift(START, -2), roster.month):
                assert held[number].get(month, 0) >= self.due(number, month), (number, month)
                over += held[number].get(month, 0) - self.due(number, month)
            assert net[number] >= 0
            assert over == 0 or net[number] == 0, (number, over, net)

    def nothing_is_left_behind(self) -> None:
        """Once a file went to the bank, only what failed waits, and only while its account is still the one in force."""
        open_fen = dict(_asked(_OPEN))
        assert {number: fen for number, fen in open_fen.items() if fen} == dict(_asked(_WAITING))

    @invariant()
    def every_way_gives_the_same_fen(self) -> None:
        """After every step: whatever it touched ties out again; what no row of changed since it was proved, does still."""
        rosters = {("roster", row[0]): tuple(row) for row in _asked(_ROSTERS)}
        batches = {("batch", row[0]): tuple(row) for row in _asked(_BATCHES)}
        ledger = {("ledger", 0): (*_asked(_LEDGER)[0], sum(self.paid.values()))}
        stands = rosters | batches | ledger
        if stands == self.seen:
            return
        auditor = self.office.cast.auditor
        assert payroll.prove_ledger(COUNTY).faults == ()
        for roster in payroll.Roster.objects.filter(pk__in=self.touched(rosters)):
            assert payroll.tie_out(roster, by=auditor).whole
            assert payroll.proved(roster)
        for batch in payroll.PayBatch.objects.filter(pk__in=self.touched(batches)):
            assert payroll.tie_out_batch(batch, by=auditor).whole
        assert -payroll.balances(by=auditor)["bank"] == sum(self.paid.values())
        self.seen = stands

    def touched(self, stands: dict[tuple[str, int], tuple[object, ...]]) -> list[int]:
        return [key[1] for key, row in stands.items() if self.seen.get(key) != row]


# how each roster, each batch and the ledger stand, row by row weighted by its place, so that two sums that change places show
_ROSTERS = """
select r.id, r.sha256, r.total_fen,
  (select sum(w.amount_fen * w.place + w.id) from assistance_rosterrow w where w.roster_id = r.id),
  (select sum(i.amount_fen * i.attempt + i.id) from assistance_payitem i where i.roster_id = r.id),
  (select sum(p.id) from assistance_payresult p join assistance_payitem i on i.id = p.item_id where i.roster_id = r.id)
from assistance_roster r where r.status = 'frozen'
"""
_BATCHES = """
select b.id, b.total_fen,
  (select sum(i.amount_fen * i.serial + i.id) from assistance_payitem i where i.batch_id = b.id),
  (select sum(p.id) from assistance_payresult p join assistance_payitem i on i.id = p.item_id where i.batch_id = b.id),
  (select sum(t.paid_fen * 7 + t.failed_fen * 3 + t.id) from assistance_bankreturn t where t.batch_id = b.id)
from assistance_paybatch b
"""
_LEDGER = "select count(*), sum(l.amount_fen * l.id) from assistance_payline l"
_STANDS = """
(select i.household_no, i.person_id, i.roster_id, i.amount_fen, i.account_id, i.attempt,
  (select p.kind from assistance_payresult p where p.item_id = i.id order by p.id desc limit 1) as kind
from assistance_payitem i)
"""
_OPEN = f"""
select household_no, sum(fen) from (
  select w.household_no, w.amount_fen as fen from assistance_rosterrow w
    join assistance_roster r on r.id = w.roster_id where r.status = 'frozen'
  union all select household_no, -amount_fen from {_STANDS} s where kind is null or kind = 'paid'
) o group by household_no
"""
_WAITING = f"""
select s.household_no, sum(s.amount_fen) from {_STANDS} s
  join assistance_payaccount a on a.id = s.account_id and a.status = 'in_force'
where s.kind in ('failed', 'bounced') and s.attempt = (
  select max(i.attempt) from assistance_payitem i
  where i.roster_id = s.roster_id and i.household_no = s.household_no and i.person_id = s.person_id)
group by s.household_no
"""


def _asked(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def run(sequences: int, begins: int = SEED, phases: tuple[Phase, ...] = tuple(Phase)) -> None:
    """So many random sequences, the same for the same seed."""
    office = open_office(assemble())
    for turn, done in enumerate(range(0, sequences, OPENED)):
        number = begins * 10_000 + turn
        with transaction.atomic():
            machine = Payroll.opened(office, Random(number))
            asked = settings(
                max_examples=min(OPENED, sequences - done), stateful_step_count=16, deadline=None,
                suppress_health_check=list(HealthCheck), database=None, phases=phases, print_blob=False,
            )  # fmt: skip
            seed(number)(get_state_machine_test(machine, settings=asked))()
            transaction.set_rollback(True)


@pytest.mark.slow
def test_money_never_appears_or_disappears(office, db) -> None:
    run(SEQUENCES)

    assert chain.benefit_rules().benefits


# ---- planted faults: what the sequences would not notice, they do not prove ------------------------------------------


def _not_booked(kind: str) -> Callable[..., Any]:
    def plant(there: Callable[..., Any]) -> Callable[..., Any]:
        return lambda voucher, **told: None if told["kind"] == kind else there(voucher, **told)

    return plant


def _sent_again(there: Callable[..., Any]) -> Callable[..., Any]:
    def last(rosters: Any) -> dict[Any, tuple[int, str, str, int | None]]:
        return {
            key: (attempt, "new" if state == "sent" else state, why, account)
            for key, (attempt, state, why, account) in there(rosters).items()
        }

    return last


def _a_fen_more(there: Callable[..., Any]) -> Callable[..., Any]:
    def item(*told: Any) -> PayItem:
        made = there(*told)
        made.amount_fen += 1
        return made

    return item


def _without(kind: str) -> Callable[..., Any]:
    def plant(there: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *told: (row for row in there(*told) if row["kind"] != kind)

    return plant


def _below_nought(there: Callable[..., Any]) -> Callable[..., Any]:
    def netted(payees: Any, claimed: int, agreement: Any, roster: Any) -> Any:
        for mine in payees.values():
            yield from (*mine.plus, *mine.minus)

    return netted


FAULTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "what failed at the bank is not owed again": (paying, "enter", _not_booked("failed")),
    "what bounced is not owed again": (paying, "enter", _not_booked("bounced")),
    "what is on its way goes out again": (paying, "_last_attempts", _sent_again),
    "a payment is a fen more than the roster": (paying, "_item", _a_fen_more),
    "what failed never goes out again": (paying, "standing_of", lambda there: (
        lambda one: "failed" if one.state == "failed" else there(one)
    )),
    "what was rostered is rostered again": (reckoning, "_rostered", lambda there: lambda *told: {}),
    "an earlier month is not made up": (reckoning, "_netted", _without("backpay")),
    "what was paid too much is not taken back": (reckoning, "_netted", _without("clawback")),
    "a payee nets below nought": (reckoning, "_netted", _below_nought),
    "who was stopped is still paid": (entitlement, "applicable", lambda there: (
        lambda row, month, stops, people, **more: there(row, month, (), people, **more)
    )),
    "a decision that was reversed still counts": (entitlement, "in_force", lambda there: (
        lambda rows, month: there([row for row in rows if not row.reverses_id], month)
    )),
    "the ledger owes what the roster does not say": (rosters, "accrue", lambda there: (
        lambda roster, **told: None if roster.rows_count > 4 else there(roster, **told)
    )),
}  # fmt: skip
"""What is done wrong → where, and the step that does it wrong."""


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found(fault: str, office, db, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, plant = FAULTS[fault]
    monkeypatch.setattr(module, name, plant(getattr(module, name)))

    with pytest.raises(AssertionError):
        run(100, begins=1, phases=(Phase.generate,))
