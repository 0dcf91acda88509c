"""Who accepts, checks, decides and pays are different people: each pair, on each road from the window to the bank."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doudi import chain
from doudi.contexts.accounts.policies import POLICY
from doudi.contexts.accounts.services import Act, Role
from doudi.contexts.assistance import deciding, payroll
from doudi.contexts.assistance.application_models import (
    Application,
    ApplicationVisit,
    Decision,
    Opinion,
)
from doudi.contexts.assistance.errors import StepRefused
from tests.cast import assemble
from tests.payday import COUNTY, PayOffice, open_office
from tests.rows import made
from tests.small_county import TOWNSHIP_A

AREA = {"region_code": TOWNSHIP_A, "household_no": "H001"}
HANDS = ("created", "accepted", "visited", "opined", "decided")


@pytest.fixture
def pay(county: Path) -> PayOffice:
    return open_office(assemble())


def application_by(hand: str, name: str) -> Application:
    """An application in which ``name`` had one hand and nobody known the others."""
    found = made(
        Application, **AREA, created_by=name if hand == "created" else "x",
        accepted_by=name if hand == "accepted" else "x",
    )  # fmt: skip
    made(
        ApplicationVisit, application=found, recorded_by=name if hand == "visited" else "x", investigators=[]
    )
    made(Opinion, application=found, given_by=name if hand == "opined" else "x")
    made(Decision, **AREA, application=found, number="JD-1", decided_by=name if hand == "decided" else "x")
    return found


@pytest.mark.parametrize("hand", HANDS)
def test_who_had_a_hand_in_an_application_does_not_pay_on_it(pay: PayOffice, hand: str) -> None:
    application_by(hand, "cashier")
    pay.decide("H001", source="decision:JD-1")
    pay.accounts(["H001"])
    pay.frozen()

    with pytest.raises(payroll.SamePerson):
        pay.sent()
    other = chain.make_batch(region_code=COUNTY, layout="card", by=made_officer("fourth"))
    assert other.count == 1


def made_officer(name: str) -> Any:
    from doudi.contexts.accounts import services as accounts

    return accounts.create_user(
        username=name, password="a-long-test-password", display_name=name, role=Role.COUNTY, region_code=COUNTY,
        by=accounts.system_user(),
    )  # fmt: skip


@pytest.mark.parametrize("hand", ["accepted", "visited", "opined"])
def test_who_accepted_or_checked_does_not_decide(pay: PayOffice, hand: str) -> None:
    found = application_by(hand, "county")
    with pytest.raises(StepRefused) as refused:
        deciding._refuse_own_hand(found, pay.cast.county)
    assert refused.value.code == "same_person"
    deciding._refuse_own_hand(found, pay.decider)


def test_no_one_role_may_accept_and_check_by_the_electronic_check() -> None:
    for accepts, checks in ((Act.TAKE_APPLICATION, Act.ISSUE_REPORT), (Act.TAKE_APPLICATION, Act.QUERY_SOURCES),
                            (Act.ISSUE_REPORT, Act.DECIDE_APPLICATION), (Act.ISSUE_REPORT, Act.PAY_ROSTER),
                            (Act.GIVE_OPINION, Act.PAY_ROSTER), (Act.INVESTIGATE_APPLICATION, Act.PAY_ROSTER)):  # fmt: skip
        assert not set(POLICY[accepts]) & set(POLICY[checks]), (accepts, checks)
