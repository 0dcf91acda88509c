"""From a decision to a tie-out: reckoned, checked, frozen, paid, answered, and nothing frozen is ever changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, audit_entries
from doudi.contexts.assistance import frozen as guard
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.payroll import Roster, RosterRow
from doudi.contexts.assistance.roster_models import PayItem
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BankFileRefused, Recipient
from doudi.engine.errors import DoudiError
from tests import small_county
from tests.cast import assemble
from tests.payday import COUNTY, DEC, JAN, NOV, PayOffice, open_office


@pytest.fixture
def pay(county: Path) -> PayOffice:
    return open_office(assemble())


def rows(roster: Roster, number: str = "") -> list[tuple[str, str, int, int]]:
    found = roster.rows.filter(household_no=number) if number else roster.rows
    return [(row.kind, row.benefit, row.for_month.month, row.amount_fen) for row in found.order_by("place")]


# ---- reckoning --------------------------------------------------------------------------------------------------------


def test_payment_begins_in_the_month_after_the_decision(pay: PayOffice) -> None:
    decision = pay.decide("H001", decided_on=date(2024, 10, 20))
    assert decision.starts_on == NOV

    october = chain.compute_roster(region_code=COUNTY, month=date(2024, 10, 1), by=pay.cast.county)
    assert rows(october) == []
    payroll.return_roster(october.number, note="十月没有人", by=pay.cast.director)
    november = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)

    # 520102 城镇 745, two persons at 100.00 each
    assert rows(november) == [("regular", "DB", 11, 2 * (74500 - 10000))]
    line = november.rows.get().lines[0]
    assert line[3:5] == ["低保标准", "745元"] and line[6] and line[7] == "暂行办法 第十二条"


def test_an_earlier_start_asks_for_a_reason(pay: PayOffice) -> None:
    with pytest.raises(DoudiError) as refused:
        pay.decide("H001", starts_on=date(2024, 10, 1))
    assert "次月" in refused.value.zh

    assert (
        pay.decide("H001", starts_on=date(2024, 10, 1), ground="县政府文件规定自申请月起发").starts_on.month
        == 10
    )


def test_the_same_decision_again_is_one_and_another_under_its_source_is_refused(pay: PayOffice) -> None:
    first = pay.decide("H001", source="application:1")
    assert pay.decide("H001", source="application:1").pk == first.pk
    with pytest.raises(DoudiError):
        pay.decide("H001", source="application:1", per_capita_income_fen=20000)
    with pytest.raises(DoudiError) as refused:
        pay.decide("H001", source="application:2")
    assert "已享受" in refused.value.zh


def test_a_late_grant_is_paid_for_the_months_that_were_missed(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.frozen(NOV)
    pay.decide("H003", decided_on=date(2024, 9, 20))

    december = chain.compute_roster(region_code=COUNTY, month=DEC, by=pay.cast.county)

    assert [(row[0], row[2]) for row in rows(december, "H003")] == [
        ("backpay", 10), ("backpay", 11), ("regular", 12),
    ]  # fmt: skip


def test_a_higher_income_known_late_is_taken_back_from_what_is_paid_and_never_below_nought(
    pay: PayOffice,
) -> None:
    pay.decide("H001")
    pay.frozen(NOV)
    pay.decide(
        "H001", "change", per_capita_income_fen=70000, starts_on=NOV, ground="补报工资", decision_no="调整1"
    )

    december = pay.frozen(DEC)

    # November held 1290.00 and is due 90.00: 1200.00 too much, of which December's 90.00 is taken
    assert rows(december, "H001") == [
        ("regular", "DB", 12, 9000), ("clawback", "DB", 11, -9000), ("held", "DB", 12, 0),
    ]  # fmt: skip
    assert "1110.00" in december.rows.get(kind="held").remark
    january = pay.frozen(JAN)
    assert rows(january, "H001")[1] == ("clawback", "DB", 11, -9000)


def test_a_standard_raised_retroactively_pays_the_difference_of_two_rosters(
    pay: PayOffice, settings, tmp_path
) -> None:
    pay.decide("H001")
    pay.frozen(NOV)
    raised = tmp_path / "raised"
    (raised / "parameters").mkdir(parents=True)
    (raised / "pack.yaml").write_text(
        "名称: raised\n版本: '1'\n上级: reference\n虚构: 是\n", encoding="utf-8"
    )
    (raised / "parameters" / "own.yaml").write_text(
        "参数:\n  低保标准:\n    值:\n"
        '      - {地区: "520102", 城乡: 城镇, 自: 2024-11-01, 为: 800元, 文件: 参考规则, 标: "[fictitious]"}\n',
        encoding="utf-8",
    )
    settings.PACK = raised

    december = chain.compute_roster(region_code=COUNTY, month=DEC, by=pay.cast.county)

    assert rows(december, "H001") == [
        ("backpay", "DB", 11, 2 * 5500), ("regular", "DB", 12, 2 * (80000 - 10000)),
    ]  # fmt: skip
    assert december.rows.filter(kind="backpay").get().remark == "2024年11月应发 1400.00元，已列 1290.00元"


def test_a_stop_takes_the_person_and_a_death_the_share_from_the_month_after(pay: PayOffice) -> None:
    pay.decide("H001")
    _first, second = pay.people("H001")
    assistance.record_stop(
        source="TF-1",
        household_no="H001",
        person_id=second.person_id,
        person_name="李丽",
        region_code=small_county.TOWNSHIP_A,
        stop_from=DEC,
        ground="入狱服刑",
        by=pay.decider,
    )
    november = pay.frozen(NOV)
    december = pay.frozen(DEC)

    assert rows(november) == [("regular", "DB", 11, 129000)]
    assert rows(december) == [("regular", "DB", 12, 64500)]
    assert "自2024年12月起停发：入狱服刑" in str(december.rows.get().lines)
    with pytest.raises(DoudiError) as refused:
        pay.decide("H001", "change", decision_no="调整2", per_capita_income_fen=20000, starts_on=JAN)
    assert "已决定停发" in refused.value.zh


def test_a_death_that_nobody_decided_on_is_shown_to_the_checker(pay: PayOffice) -> None:
    pay.decide("H003", persons=pay.people("H003"))

    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)

    assert "停发建议还没有决定" in made.rows.get(kind="regular").remark


def test_hardship_support_and_the_allowance_exclude_each_other(pay: PayOffice) -> None:
    first, second = pay.people("H001")
    pay.decide("H001", benefit="TK", persons=[Recipient(first.person_id, failed_items=3)])

    with pytest.raises(payroll.ExclusiveBenefit):
        pay.decide("H001", persons=[first, second])
    pay.decide("H001", persons=[second])
    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)

    assert rows(made) == [("regular", "DB", 11, 64500), ("regular", "TK", 11, 96850 + 30000)]


def test_a_tail_goes_on_for_six_months_and_ends_above_twice_the_standard(pay: PayOffice) -> None:
    pay.decide("H001")
    told = {
        "household_no": "H001",
        "benefit": "DB",
        "decision_no": "渐退1",
        "ground": "务工",
        "by": pay.decider,
    }

    with pytest.raises(DoudiError):
        chain.taper_benefit(per_capita_income_fen=149001, decided_on=date(2024, 11, 5), **told)
    tail = chain.taper_benefit(per_capita_income_fen=100000, decided_on=date(2024, 11, 5), **told)

    assert (tail.starts_on, tail.ends_on) == (DEC, date(2025, 5, 1))
    assert rows(pay.frozen(DEC), "H001")[-1] == ("regular", "DB", 12, 129000)
    after = chain.compute_roster(region_code=COUNTY, month=date(2025, 6, 1), by=pay.cast.county)
    assert all(row[2] < 6 for row in rows(after, "H001"))


def test_one_off_aid_is_paid_once_in_its_month_and_has_a_ceiling(pay: PayOffice) -> None:
    with pytest.raises(DoudiError) as refused:
        pay.decide("H002", benefit="LS", amount_fen=74500 * 3 + 1, decided_on=date(2024, 11, 8))
    assert "超过上限" in refused.value.zh
    pay.decide("H002", benefit="LS", amount_fen=100000, decided_on=date(2024, 11, 8))

    assert rows(pay.frozen(NOV)) == [("regular", "LS", 11, 100000)]
    assert rows(pay.frozen(DEC)) == []


def test_a_reversed_decision_is_taken_back_as_if_it_had_never_been(pay: PayOffice) -> None:
    decision = pay.decide("H001")
    pay.decide("H001", "change", per_capita_income_fen=0, decision_no="调3", starts_on=DEC)
    pay.frozen(NOV)
    change = payroll.decisions(by=pay.cast.county, household_no="H001").get(kind="change")

    undone = payroll.reverse_decision(change.number, decision_no="撤1", ground="录错了收入", by=pay.decider)

    assert (
        payroll.reverse_decision(change.number, decision_no="撤1", ground="录错了收入", by=pay.decider)
        == undone
    )
    assert payroll.standing("H001", "DB", DEC) == decision


def test_a_pack_without_the_number_holds_the_row_and_takes_nothing_back(pay: PayOffice, settings) -> None:
    pay.decide("H001")
    pay.frozen(NOV)
    settings.PACK = settings.PACK.parent / "cn"

    december = chain.compute_roster(region_code=COUNTY, month=DEC, by=pay.cast.county)

    assert rows(december) == [("held", "DB", 12, 0)]
    assert "低保标准" in december.rows.get().remark


def test_a_recovery_keeps_back_what_the_family_agreed_to_and_no_more_than_is_owed(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.accounts(["H001"])
    case = assistance.open_recovery(
        doubt_number="YD1", kind="Y1", household_no="H001", debtor_name="张伟",
        region_code=small_county.TOWNSHIP_A, amount_fen=30000, by=pay.decider,
    )  # fmt: skip
    with pytest.raises(DoudiError):
        payroll.agree_offset(
            case.number, monthly_fen=30001, agreed_on=date(2024, 11, 1), ground="扣抵协议", by=pay.decider
        )
    for _ in range(2):
        payroll.agree_offset(
            case.number, monthly_fen=20000, agreed_on=date(2024, 11, 1), ground="扣抵协议", by=pay.decider
        )

    november = pay.frozen(NOV)
    assert rows(november) == [("regular", "DB", 11, 129000), ("offset", "DB", 11, -20000)]
    batch = pay.sent()
    case.refresh_from_db()
    assert (batch.total_fen, case.outstanding_fen) == (109000, 10000)
    december = pay.frozen(DEC)
    assert rows(december)[-1] == ("offset", "DB", 12, -10000)

    # before December is paid the family pays the rest itself: what was kept back goes home in January
    assistance.receive(case.number, amount_fen=10000, voucher="现1", on=date(2024, 12, 2), by=pay.decider)
    pay.returned(batch)
    pay.sent()
    january = pay.frozen(JAN)
    assert rows(january)[-1] == ("offset", "DB", 1, 10000)
    assert payroll.prove_ledger(COUNTY).whole


def test_an_agreement_that_ended_keeps_nothing_back(pay: PayOffice) -> None:
    pay.decide("H001")
    case = assistance.open_recovery(
        doubt_number="YD1", kind="Y1", household_no="H001", debtor_name="张伟",
        region_code=small_county.TOWNSHIP_A, amount_fen=30000, by=pay.decider,
    )  # fmt: skip
    payroll.agree_offset(
        case.number, monthly_fen=20000, agreed_on=date(2024, 11, 1), ground="扣抵协议", by=pay.decider
    )
    payroll.end_offset(case.number, by=pay.decider)

    assert rows(pay.frozen(NOV)) == [("regular", "DB", 11, 129000)]


# ---- freezing ---------------------------------------------------------------------------------------------------------


def test_who_reckoned_does_not_check_and_a_second_freeze_changes_nothing(pay: PayOffice) -> None:
    pay.decide("H001")
    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)

    with pytest.raises(payroll.SamePerson):
        payroll.freeze_roster(made.number, note="", by=pay.cast.county)
    with pytest.raises(NotAllowed):
        payroll.freeze_roster(made.number, note="", by=pay.cast.township)
    once = payroll.freeze_roster(made.number, note="好", by=pay.cast.director, sha256=made.sha256)
    twice = payroll.freeze_roster(made.number, note="好", by=pay.cast.director)

    assert (once.checked_at, payroll.proved(once)) == (twice.checked_at, True)
    assert len(once.sha256) == 64


def test_one_roster_waits_at_a_time_and_no_month_before_a_frozen_one_is_reckoned(pay: PayOffice) -> None:
    pay.decide("H001")
    made = chain.compute_roster(region_code=COUNTY, month=DEC, by=pay.cast.county)
    with pytest.raises(DoudiError) as refused:
        chain.compute_roster(region_code=COUNTY, month=DEC, by=pay.cast.county)
    assert made.number in refused.value.zh
    payroll.freeze_roster(made.number, note="", by=pay.cast.director)

    with pytest.raises(DoudiError) as refused:
        chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)
    assert "补发或扣回" in refused.value.zh


def test_a_frozen_roster_cannot_be_changed_by_any_path(pay: PayOffice) -> None:
    pay.decide("H001")
    roster = pay.frozen(NOV)
    row = roster.rows.get()
    assert guard.guarded()

    row.amount_fen += 1
    for attempt in (row.save, row.delete):
        with pytest.raises(TypeError):
            attempt()
    fresh = RosterRow(
        roster=roster, place=9, kind="regular", benefit="DB", for_month=NOV, household_no="H009", amount_fen=1
    )
    roster.total_fen += 1
    paths = [
        lambda: RosterRow.objects.filter(pk=row.pk).update(amount_fen=1),
        lambda: RosterRow.objects.bulk_update([row], ["amount_fen"]),
        lambda: RosterRow.objects.filter(pk=row.pk).delete(),
        lambda: RosterRow.objects.bulk_create([fresh]),
        fresh.save,
        roster.save,
        lambda: Roster.objects.filter(pk=roster.pk).update(status="computing"),
        lambda: Roster.objects.filter(pk=roster.pk)._raw_delete("default"),
        lambda: sql("update assistance_rosterrow set amount_fen = 1"),
        lambda: sql("delete from assistance_rosterrow"),
        lambda: sql("update assistance_roster set sha256 = ''"),
        lambda: sql("delete from assistance_roster"),
    ]
    if connection.vendor == "sqlite":
        paths += [
            lambda: sql("insert or replace into assistance_roster select * from assistance_roster"),
            lambda: sql("insert or replace into assistance_rosterrow select * from assistance_rosterrow"),
        ]
    for attempt in paths:
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()

    roster.refresh_from_db()
    assert payroll.proved(roster)
    assert roster.rows.get().amount_fen == 129000


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_rows_changed_behind_the_guard_are_found_by_the_hash(pay: PayOffice) -> None:
    pay.decide("H001")
    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)
    guard.unguard()
    RosterRow.objects.filter(roster=made).update(amount_fen=999)
    guard.guard()

    with pytest.raises(DoudiError) as refused:
        payroll.freeze_roster(made.number, note="", by=pay.cast.director)
    assert "摘要不符" in refused.value.zh


# ---- paying -----------------------------------------------------------------------------------------------------------


def test_from_decision_to_tie_out_with_a_failed_card_worked_off(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.decide("H002", per_capita_income_fen=30000)
    pay.accounts(["H001", "H002"])
    roster = pay.frozen(NOV)
    batch = pay.sent()
    text = chain.payment_file(batch.number, by=pay.cashier).decode("gb18030")
    assert "6222020000000000018,1290.00" in text and text.rstrip().endswith("合计,2,,1735.00,,")

    pay.returned(batch, failed=[2])
    tied = payroll.tie_out(roster, by=pay.cast.auditor)
    assert (tied.roster_fen, tied.paid_fen, tied.failed_fen, tied.whole, tied.settled) == (
        173500, 129000, 44500, True, False,
    )  # fmt: skip
    failed = payroll.open_payments(by=pay.cast.county, state="failed")
    assert [(one.household_no, one.reason) for one in failed] == [("H002", "账户已销户")]
    assert payroll.failed_count(by=pay.cast.county) == 1
    with pytest.raises(DoudiError):
        pay.sent()  # the same card again would fail again

    made = payroll.propose_account(
        household_no="H002",
        holder_name="王强",
        card="6222020000000000042",
        ground="原卡销户",
        by=pay.cast.township,
    )
    payroll.confirm_account(made.pk, agree=True, by=pay.decider)
    second = pay.sent()
    pay.returned(second)

    assert (second.count, second.total_fen) == (1, 44500)
    assert payroll.tie_out(roster, by=pay.cast.auditor).settled
    assert payroll.failed_count(by=pay.cast.county) == 0
    assert payroll.open_payments(by=pay.cast.county) == []
    assert payroll.tie_out_batch(batch, by=pay.cast.auditor).whole
    assert payroll.prove_ledger(COUNTY).whole
    assert payroll.balances(by=pay.cast.auditor) == {
        "expense": 173500, "payable": 0, "offset": 0, "transit": 0, "bank": -173500,
    }  # fmt: skip


def test_each_pair_of_steps_is_two_people(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.accounts(["H001"])
    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)
    with pytest.raises(payroll.SamePerson):  # reckons – checks
        payroll.freeze_roster(made.number, note="", by=pay.cast.county)
    payroll.freeze_roster(made.number, note="", by=pay.cashier)

    for person in (pay.cast.county, pay.cashier, pay.decider):  # reckons, checks, decides – pays
        with pytest.raises(payroll.SamePerson):
            chain.make_batch(region_code=COUNTY, layout="card", by=person)
    for person in (pay.cast.director, pay.cast.township, pay.cast.auditor, pay.cast.stranger):
        with pytest.raises(NotAllowed):
            chain.make_batch(region_code=COUNTY, layout="card", by=person)
    with pytest.raises(payroll.SamePerson):  # enters an account – confirms it
        mine = payroll.propose_account(
            household_no="H001", holder_name="x", card="1234567890", by=pay.cashier
        )
        payroll.confirm_account(mine.pk, agree=True, by=pay.cashier)


def test_the_same_return_twice_is_one_and_a_contradicting_one_is_refused(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.decide("H002", per_capita_income_fen=30000)
    pay.accounts(["H001", "H002"])
    pay.frozen(NOV)
    batch = pay.sent()

    part = pay.returned(batch, only=[1])
    again = pay.returned(batch, only=[1])
    whole = pay.returned(batch, failed=[2])

    assert part.pk == again.pk
    assert (part.paid_fen, whole.paid_fen, whole.failed_fen) == (129000, 0, 44500)
    with pytest.raises(DoudiError) as refused:
        pay.returned(batch, failed=[1, 2])
    assert "相反" in refused.value.zh
    with pytest.raises(BankFileRefused):
        chain.take_bank_return(batch.number, content=b"\x00\x01", file_name="x", by=pay.cashier)
    assert batch.returns.count() == 2
    assert payroll.prove_ledger(COUNTY).whole


def test_money_that_bounces_is_owed_again(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.accounts(["H001"])
    roster = pay.frozen(NOV)
    batch = pay.sent()
    pay.returned(batch)

    first = payroll.record_bounce(batch.number, 1, reason="户名不符", by=pay.cashier)
    assert payroll.record_bounce(batch.number, 1, reason="户名不符", by=pay.cashier).pk == first.pk

    tied = payroll.tie_out(roster, by=pay.cashier)
    assert (tied.paid_fen, tied.failed_fen, tied.whole) == (0, 129000, True)
    assert payroll.prove_ledger(COUNTY).whole


def test_without_an_account_the_payment_waits_and_is_not_lost(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.decide("H002", per_capita_income_fen=30000)
    pay.accounts(["H001"])
    roster = pay.frozen(NOV)

    batch = pay.sent()

    assert batch.count == 1
    assert [one.household_no for one in payroll.open_payments(by=pay.cast.county, state="no_account")] == [
        "H002"
    ]
    assert payroll.tie_out(roster, by=pay.cast.county).unsent_fen == 44500
    # whoever decided may not send what was left, either
    pay.accounts(["H002"])
    assert pay.sent().total_fen == 44500


def test_a_card_with_a_wrong_digit_is_refused_and_its_number_stays_sealed(pay: PayOffice) -> None:
    pay.decide("H001")
    with pytest.raises(DoudiError) as refused:
        payroll.propose_account(
            household_no="H001", holder_name="张伟", card="6222020000000000019", by=pay.decider
        )
    assert "校验位" in refused.value.zh
    made = payroll.propose_account(
        household_no="H001", holder_name="张伟", card="6222 0200 0000 0000 018", by=pay.decider
    )

    with connection.cursor() as cursor:
        cursor.execute("select card from assistance_payaccount")
        sealed = bytes(cursor.fetchone()[0])
    assert made.last4 == "0018" and b"622202" not in sealed
    entry = audit_entries(by=pay.cast.admin, act="propose_account").first()
    assert entry is not None and "622202" not in str(entry.detail)


def test_a_township_sees_its_own_rows_and_a_stranger_none(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.decide("H003")
    roster = pay.frozen(NOV)

    def shown(who) -> set[str]:
        found = payroll.rosters(by=who).filter(pk=roster.pk).first()
        return set(payroll.rows_of(found, by=who).values_list("household_no", flat=True)) if found else set()

    assert shown(pay.cast.township) == {"H001"}
    assert shown(pay.cast.other_township) == {"H003"}
    assert shown(pay.cast.auditor) == {"H001", "H003"}
    assert shown(pay.cast.stranger) == set()
    with pytest.raises(payroll.RosterNotFound):
        payroll.look_at_roster(roster.number, by=pay.cast.stranger)


# ---- opening the books ------------------------------------------------------------------------------------------------


def test_the_books_are_opened_from_the_register_and_again_only_with_what_is_new(pay: PayOffice) -> None:
    opened = chain.open_books(region_code=COUNTY, month=DEC, decision_no="开账1", by=pay.decider)
    again = chain.open_books(region_code=COUNTY, month=DEC, decision_no="开账1", by=pay.decider)

    assert dict(opened.recorded) == {"DB": 2}
    assert dict(again.recorded) == {}
    december = pay.frozen(DEC)
    first = registry.counted_members("H001")
    assert rows(december, "H001") == [("regular", "DB", 12, 2 * 74500)]
    assert len(first) == 2
    assert not december.rows.filter(kind="backpay").exists()


def test_accounts_come_by_list_and_are_confirmed_by_another(pay: PayOffice, tmp_path: Path) -> None:
    pay.decide("H001")
    pay.decide("H002", per_capita_income_fen=30000)
    listed = tmp_path / "账户.csv"
    listed.write_text("户编号,户名,账号\nH001,张伟,6222020000000000018\nH002,王强,12\n", encoding="utf-8")
    with pytest.raises(DoudiError) as refused:
        payroll.import_accounts(listed, by=pay.decider)
    assert "第3行" in refused.value.zh
    listed.write_text(
        "户编号,户名,账号\nH001,张伟,6222020000000000018\nH002,王强,6222020000000000026\n", encoding="utf-8"
    )

    assert payroll.import_accounts(listed, by=pay.decider) == 2
    assert payroll.import_accounts(listed, by=pay.decider) == 2  # still the same two, waiting
    assert payroll.confirm_imported(by=pay.decider) == 0
    assert payroll.confirm_imported(by=pay.cashier) == 2
    assert PayItem.objects.count() == 0
