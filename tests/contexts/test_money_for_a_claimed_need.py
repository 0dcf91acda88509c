"""A claimed need gets its money out of a fund: the gap, the filing and the donor's story follow; two at once leave one."""

from __future__ import annotations

import threading

import pytest
from django.db import connections
from django.utils import timezone

from doudi import chain
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from tests import linked_county
from tests.cast import assemble
from tests.giving import House, open_house
from tests.small_county import WANG_QIANG

TODAY = timezone.localdate


@pytest.fixture
def linked(county, monkeypatch) -> linked_county.Linked:
    return linked_county.link(assemble(), monkeypatch)


def test_a_need_is_matched_paid_filed_and_told_to_the_donor_without_identity(linked) -> None:
    house = open_house(linked.cast)
    fund = house.fund(project_number=linked.project.number)
    gift = house.gift(fund, 30_000_00, receipt_no="黔捐1")
    with pytest.raises(DoudiError):
        chain.propose_for_claim(
            linked.claim.number, fund_number=fund.number, use=f"{WANG_QIANG} 住院", by=house.keeper
        )

    use = chain.propose_for_claim(
        linked.claim.number, fund_number=fund.number, use="补充医疗费用", by=house.keeper
    )
    assert (use.amount_fen, use.purpose, use.need_code) == (
        linked.claim.asked_fen,
        "MEDICAL",
        linked.need.code,
    )
    with pytest.raises(DoudiError):
        chain.propose_for_claim(linked.claim.number, fund_number=fund.number, use="再来一次", by=house.keeper)
    giving.decide_allocation(use.number, approve=True, note="同意", by=house.decider)
    chain.pay_use(use.number, on=TODAY(), by=house.payer)
    charity.record_outcome(
        linked.claim.number, result="solved", outcome="王强已出院，费用结清。", by=linked.cast.township
    )

    linked.claim.refresh_from_db()
    linked.need.refresh_from_db()
    assert (linked.claim.status, linked.claim.granted_fen) == ("granted", use.amount_fen)
    assert linked.need.gap_fen == 0
    story = giving.find_gift("黔捐1", giving.code_of(gift))
    told = next(step for step in story.steps if step.stage == "paid")
    assert (told.amount_fen, told.result) == (use.amount_fen, "solved")
    assert not any(
        secret in str(story.steps) for secret in ("王强", "H002", WANG_QIANG, linked.need.household_no)
    )
    assert use.need_code not in str(story.steps)


def test_more_than_the_gap_is_paid_to_nobody(linked) -> None:
    house = open_house(linked.cast)
    fund = house.fund()
    house.gift(fund, 90_000_00)
    use = chain.propose_for_claim(
        linked.claim.number,
        fund_number=fund.number,
        amount_fen=60_000_00,
        use="补充医疗费用",
        by=house.keeper,
    )
    giving.decide_allocation(use.number, approve=True, note="同意", by=house.decider)

    with pytest.raises(DoudiError) as refused:
        chain.pay_use(use.number, on=TODAY(), by=house.payer)

    assert refused.value.code == "over_gap"
    use.refresh_from_db()
    assert (use.paid_fen, giving.held(use)) == (0, 60_000_00)
    assert giving.prove(fund)


def test_case_8_a_household_tied_to_the_funds_donor_gets_nothing_out_of_it(linked) -> None:
    house = open_house(linked.cast)
    fund = house.fund()
    house.gift(fund, 30_000_00)
    giving.name_tied_person(
        name="王强", id_number=WANG_QIANG, relation="捐赠人的侄子", fund_number=fund.number, by=house.keeper
    )

    with pytest.raises(giving.Tied):
        chain.propose_for_claim(
            linked.claim.number, fund_number=fund.number, use="补充医疗费用", by=house.keeper
        )


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_the_same_moment_do_not_spend_the_same_fen(office, transactional_db) -> None:
    house: House = open_house(assemble())
    fund = house.fund()
    house.gift(fund, 1000)
    asked = [
        giving.propose_allocation(
            fund_number=fund.number, amount_fen=700, purpose="MEDICAL", region_code="520102016", use="住院费用",
            rules=chain.giving_rules(), by=house.keeper,
        ).number
        for _ in range(2)
    ]  # fmt: skip
    start, said = threading.Barrier(2), []

    def decide(number: str) -> None:
        start.wait()
        try:
            giving.decide_allocation(number, approve=True, note="同意", by=house.decider)
            said.append("done")
        except DoudiError as problem:
            said.append(problem.code)
        finally:
            connections.close_all()

    both = [threading.Thread(target=decide, args=(number,)) for number in asked]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert sorted(said) == ["done", "fund_too_small"]
    fund.refresh_from_db()
    assert (fund.free_money_fen, fund.held_money_fen) == (300, 700)
    assert giving.prove(fund)
