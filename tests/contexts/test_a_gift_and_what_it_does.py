"""A gift from the receipt to what it did: restrictions hold, three people take three steps, nobody helped is named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import verify_audit
from doudi.contexts.charity import giving
from doudi.engine.errors import DoudiError
from doudi.house.documents import to_word
from tests import small_county as sc
from tests.cast import Cast, assemble
from tests.giving import House, open_house

TODAY = timezone.localdate


@pytest.fixture
def house(office, db) -> House:
    return open_house(assemble())


def free(fund: giving.Fund) -> int:
    fund.refresh_from_db()
    return fund.free_money_fen


def test_a_gift_is_held_paid_and_told_to_its_donor_without_a_name(house: House) -> None:
    fund = house.fund()
    first = house.gift(fund, 60_000, receipt_no="黔捐0001")
    second = house.gift(fund, 50_000, receipt_no="黔捐0002", donor_name="李捐款")

    arranged = house.paid(fund, 80_000, recipient_name="王强", recipient_id=sc.WANG_QIANG)
    giving.record_outcome(
        arranged.number, result="partly", people=1, text="缓解了住院押金。", on=TODAY(), by=house.keeper
    )

    assert [(step.stage, step.amount_fen) for step in giving.story(first).steps] == [("paid", 60_000)]
    told = giving.find_gift("黔捐0002", giving.code_of(second).lower())
    assert [(step.stage, step.amount_fen, step.result) for step in told.steps] == [
        ("paid", 20_000, "partly"),
        ("free", 30_000, ""),
    ]
    assert "王强" not in str(told.steps) and sc.WANG_QIANG not in str(told.steps)
    assert giving.prove(fund) and verify_audit().whole


def test_a_wrong_code_finds_nothing_and_says_not_which_of_the_two_was_wrong(house: House) -> None:
    gift = house.gift(house.fund(), 100, receipt_no="黔捐0009")

    for number, code in ((gift.number, "AAAAAAAAAA"), ("JZ2024-000099", giving.code_of(gift)), ("", "")):
        with pytest.raises(giving.GiftUnknown) as refused:
            giving.find_gift(number, code)
        assert "核对" in refused.value.zh


def test_the_same_form_sent_twice_is_one_gift(house: House) -> None:
    fund = house.fund()

    one = house.gift(fund, 500, token="form-1")
    two = house.gift(fund, 500, token="form-1")

    assert one.pk == two.pk
    assert free(fund) == 500
    house.gift(fund, 500, receipt_no="N1")
    with pytest.raises(DoudiError) as refused:
        house.gift(fund, 700, receipt_no="N1")
    assert refused.value.code == "receipt_used"


def test_a_receipt_tells_what_article_38_asks_and_an_anonymous_gift_leaves_a_record(house: House) -> None:
    fund = house.fund()
    named = house.gift(fund, 123_456, receipt_no="黔捐7")
    unnamed = house.gift(fund, 100, anonymous=True, donor_name="")

    paper = giving.receipt(named.number, by=house.keeper)[1]
    record = giving.receipt(unnamed.number, by=house.keeper)[1]

    rows = dict(paper.blocks[0].rows)
    assert rows["捐赠人"] == "热心市民" and rows["经手人"] == "冯经手" and rows["捐赠票据号"] == "黔捐7"
    assert "壹仟贰佰叁拾肆元伍角陆分" in rows["捐赠财产的种类及数量"]
    assert (record.title, dict(record.blocks[0].rows)["捐赠人"]) == ("捐赠记录", "匿名")
    assert to_word(paper)[:2] == b"PK"
    with pytest.raises(DoudiError):
        house.gift(fund, 100, receipt_declined=False)


def test_the_office_sees_a_donor_masked_and_another_charity_nothing(house: House) -> None:
    gift = house.gift(house.fund(), 100, donor_name="李捐款", receipt_no="K1")

    assert giving.donor_shown(gift, house.keeper) == "李捐款"
    assert giving.donor_shown(gift, house.cast.county) == "李**"
    assert giving.donor_shown(gift, None) == "爱心人士"
    for stranger in (house.cast.stranger,):
        assert not giving.donations(by=stranger).exists()
        with pytest.raises(giving.FundNotFound):
            giving.fund_of(gift.fund.number, by=stranger)
    for reader in (house.cast.county, house.cast.auditor):
        with pytest.raises(DoudiError):
            giving.record_gift(
                fund_number=gift.fund.number, amount_fen=1, received_on=TODAY(), handler="甲", way="bank",
                anonymous=True, by=reader,
            )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"purpose": "EDUCATION"}, "用途不在"),
        ({"group": "CHILD"}, "受益群体不在"),
        ({"region_code": "520102017"}, "使用地区不在"),
    ],
)
def test_a_restricted_gift_goes_only_to_its_purpose_group_and_area(house: House, how, words) -> None:
    fund = house.fund(groups=["ELDER"], regions=["520102016"])
    house.gift(fund, 1000)

    with pytest.raises(giving.Restricted) as refused:
        house.arranged(fund, 100, **{"group": "ELDER", **how})

    assert words in refused.value.zh
    assert house.arranged(fund, 100, group="ELDER").status == "approved"


def test_who_proposed_does_not_decide_and_who_decided_does_not_pay(house: House) -> None:
    fund = house.fund()
    house.gift(fund, 1000)
    asked = giving.propose_allocation(
        fund_number=fund.number, amount_fen=400, purpose="MEDICAL", region_code="520102016", use="住院费用",
        rules=chain.giving_rules(), by=house.keeper,
    )  # fmt: skip

    with pytest.raises(giving.SamePerson):
        giving.decide_allocation(asked.number, approve=True, note="", by=house.keeper)
    with pytest.raises(DoudiError):
        giving.pay(asked.number, on=TODAY(), by=house.payer)
    giving.decide_allocation(asked.number, approve=True, note="", by=house.decider)
    with pytest.raises(giving.SamePerson):
        giving.pay(asked.number, on=TODAY(), by=house.decider)
    giving.pay(asked.number, on=TODAY(), amount_fen=100, by=house.payer, token="p1")
    giving.pay(asked.number, on=TODAY(), amount_fen=100, by=house.payer, token="p1")

    asked.refresh_from_db()
    assert (asked.paid_fen, giving.held(asked)) == (100, 300)


def test_case_8_a_donors_nephew_is_no_beneficiary(house: House) -> None:
    fund = house.fund()
    house.gift(fund, 1000)
    giving.name_tied_person(
        name="王强",
        id_number=sc.WANG_QIANG,
        relation="捐赠人的侄子",
        fund_number=fund.number,
        by=house.keeper,
    )

    with pytest.raises(giving.Tied):
        house.gift(fund, 1000, beneficiary_tied=True)
    with pytest.raises(giving.Tied):
        house.arranged(fund, 100, recipient_id=sc.WANG_QIANG)
    assert house.arranged(fund, 100, recipient_id=sc.ZHANG_WEI).status == "approved"


def test_no_fund_is_spent_twice_and_the_database_itself_refuses_a_sum_below_nought(house: House) -> None:
    fund = house.fund()
    house.gift(fund, 1000)
    asked = [
        giving.propose_allocation(
            fund_number=fund.number, amount_fen=700, purpose="MEDICAL", region_code="520102016", use="住院费用",
            rules=chain.giving_rules(), by=house.keeper,
        )
        for _ in range(2)
    ]  # fmt: skip

    giving.decide_allocation(asked[0].number, approve=True, note="", by=house.decider)
    with pytest.raises(giving.NotEnough):
        giving.decide_allocation(asked[1].number, approve=True, note="", by=house.decider)

    assert free(fund) == 300
    with pytest.raises(IntegrityError), transaction.atomic():
        giving.Fund.objects.filter(pk=fund.pk).update(free_money_fen=-1)


def test_what_comes_back_is_held_again_and_released_to_the_gifts_it_came_from(house: House) -> None:
    fund = house.fund()
    one, two = house.gift(fund, 1000), house.gift(fund, 1000)
    found = house.paid(fund, 1500)

    giving.take_back(found.number, amount_fen=700, on=TODAY(), reason="医院退费", by=house.payer)
    giving.release(found.number, reason="不再需要", by=house.decider)

    found.refresh_from_db()
    assert (found.paid_fen, found.status, free(fund)) == (800, "paid", 1200)
    assert [(s.stage, s.amount_fen) for s in giving.story(one).steps] == [("paid", 800), ("free", 200)]
    assert [(s.stage, s.amount_fen) for s in giving.story(two).steps] == [("free", 1000)]
    assert giving.prove(fund)


def test_a_gift_is_reversed_by_another_person_and_only_while_nothing_of_it_is_arranged(house: House) -> None:
    fund = house.fund()
    gift = house.gift(fund, 1000)
    found = house.arranged(fund, 10)

    for by, why in ((house.keeper, "same_person"), (house.decider, "step_refused")):
        with pytest.raises(DoudiError) as refused:
            giving.reverse_entry(gift.entry.voucher, reason="银行退票", on=TODAY(), by=by)
        assert refused.value.code == why
    giving.release(found.number, reason="安排有误", by=house.decider)
    giving.reverse_entry(gift.entry.voucher, reason="银行退票", on=TODAY(), by=house.decider)

    fund.refresh_from_db()
    assert (fund.balance_fen, fund.given_fen) == (0, 0)
    assert [(step.stage, step.amount_fen) for step in giving.story(gift).steps] == [("reversed", 1000)]
    with pytest.raises(DoudiError):
        giving.reverse_entry(gift.entry.voucher, reason="再冲一次", on=TODAY(), by=house.decider)
    with pytest.raises(TypeError):
        gift.entry.delete()


def test_goods_that_expire_first_go_first_and_expired_ones_are_taken_off_the_books(house: House) -> None:
    fund = house.fund(kind="general", purposes=[])
    long = {"goods_name": "大米", "unit": "袋", "asset": "goods", "way": "handed"}
    late = house.gift(fund, 3001, quantity=3, goods_expire_on=TODAY() + timedelta(days=90), **long)
    soon = house.gift(fund, 2000, quantity=2, goods_expire_on=TODAY() + timedelta(days=9), **long)

    found = house.arranged(fund, asset="goods", goods_name="大米", quantity=3)

    assert found.amount_fen == 2000 + 3001 // 3
    assert giving.story(soon).steps[0].amount_fen == 2000
    with pytest.raises(giving.NotEnough):
        house.arranged(fund, asset="goods", goods_name="大米", quantity=3)
    late.parts.update(expires_on=TODAY() - timedelta(days=1))
    with pytest.raises(giving.NotEnough):
        house.arranged(fund, asset="goods", goods_name="大米", quantity=1)
    with pytest.raises(giving.SamePerson):
        giving.write_off_expired(fund.number, on=TODAY(), memo="销毁两袋", by=house.keeper)
    giving.write_off_expired(fund.number, on=TODAY(), memo="销毁两袋", by=house.decider)
    fund.refresh_from_db()
    assert (fund.free_goods_fen, fund.held_goods_fen) == (0, 3000)
    assert giving.prove(fund)


def test_administration_stays_within_what_was_agreed_with_the_donors(house: House) -> None:
    fund = house.fund(admin_permille=50)
    house.gift(fund, 10_000)

    giving.charge_admin(fund.number, amount_fen=500, on=TODAY(), memo="银行手续费", by=house.payer)
    with pytest.raises(giving.Restricted):
        giving.charge_admin(fund.number, amount_fen=1, on=TODAY(), memo="银行手续费", by=house.payer)

    fund.refresh_from_db()
    assert (fund.admin_fen, fund.free_money_fen) == (500, 9500)


def test_another_use_needs_the_donors_consent_and_a_second_person(house: House) -> None:
    fund, other = house.fund(), house.fund("助学", purposes=["EDUCATION"])
    gift, kept = house.gift(fund, 1000), house.gift(fund, 400)
    asked = {"target": other.number, "basis": "consent", "document": "同意书1号", "reason": "受助人已痊愈"}

    with pytest.raises(DoudiError):
        giving.ask_move(fund.number, by=house.keeper, **asked)
    move = giving.ask_move(fund.number, by=house.keeper, donation_number=gift.number, **asked)
    with pytest.raises(giving.SamePerson):
        giving.decide_move(move.number, approve=True, reason="", by=house.keeper)
    giving.decide_move(move.number, approve=True, reason="", by=house.decider)

    assert (free(fund), free(other)) == (400, 1000)
    assert [step.fund for step in giving.story(gift).steps] == ["助学"]
    assert giving.story(kept).steps[0].fund == fund.name
    assert giving.prove(fund) and giving.prove(other)


def test_a_remainder_goes_to_a_similar_purpose_after_the_fund_expired(house: House) -> None:
    fund = house.fund(purposes=["MEDICAL", "REHAB"], opened_on=TODAY() - timedelta(days=400),
                      expires_on=TODAY() - timedelta(days=30))  # fmt: skip
    like, unlike = house.fund("大病二期"), house.fund("助学", purposes=["EDUCATION"])
    house.gift(fund, 900, received_on=TODAY() - timedelta(days=40))
    asked = {"document": "理事会决议1号", "reason": "基金期满", "by": house.keeper}

    with pytest.raises(giving.Restricted):
        house.arranged(fund, 100)
    for target, basis in ((unlike, "similar"), (like, "agreed")):
        with pytest.raises(DoudiError):
            giving.ask_move(fund.number, target=target.number, basis=basis, **asked)
    move = giving.ask_move(fund.number, target=like.number, basis="similar", **asked)
    giving.decide_move(move.number, approve=True, reason="", by=house.decider)
    giving.close_fund(fund.number, reason="基金期满", by=house.decider)

    assert free(like) == 900
    with pytest.raises(DoudiError):
        house.gift(fund, 100)


def test_the_balance_of_any_day_is_that_of_its_entries(house: House) -> None:
    fund = house.fund(opened_on=TODAY() - timedelta(days=200))
    days = [TODAY() - timedelta(days=ago) for ago in (150, 100, 70, 31, 3, 0)]
    for day in days:
        house.gift(fund, 100, received_on=day)

    assert [giving.balance_on(fund, "money", day) for day in days] == [100, 200, 300, 400, 500, 600]
    assert giving.balance_on(fund, "money", days[0] - timedelta(days=1)) == 0
    assert giving.balance_on(fund, "money", days[1] + timedelta(days=5)) == 200


def test_words_that_are_published_hold_no_number_of_a_person(house: House) -> None:
    fund = house.fund()
    house.gift(fund, 1000)
    found = house.paid(fund, 100, recipient_name="王强")

    for text in (f"身份证 {sc.WANG_QIANG}", "电话 13800001234 已联系", "王强已经出院"):
        with pytest.raises(DoudiError) as refused:
            giving.record_outcome(
                found.number, result="solved", people=1, text=text, on=TODAY(), by=house.keeper
            )
        assert refused.value.code == "identity_in_text"


def test_a_capital_sum_reads_as_on_a_voucher() -> None:
    from doudi.engine.money import capital_yuan

    said = {
        0: "零元整", 5: "伍分", 100: "壹元整", 105: "壹元零伍分", 1_000_000: "壹万元整", 10_010_00: "壹万零壹拾元整",
        1_0000_0001_00: "壹亿零壹元整", 10_0500_10: "壹拾万零伍佰元壹角整", 2_050_00: "贰仟零伍拾元整",
    }  # fmt: skip

    assert {fen: capital_yuan(fen) for fen in said} == said


def test_a_stranger_of_the_cast_sees_no_fund(house: House) -> None:
    house.fund()
    people: Cast = house.cast

    assert giving.funds(by=people.county).count() == 1
    assert giving.funds(by=people.stranger).count() == 0
    for person in (people.township, people.department, people.member, people.director):
        with pytest.raises(DoudiError):
            giving.funds(by=person)
