"""Two people pay, or freeze, at the same moment: the money goes out once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection, connections

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.contexts.assistance import payroll
from doudi.engine.errors import DoudiError
from tests.cast import PASSWORD, assemble
from tests.payday import COUNTY, NOV, PayOffice, open_office


@pytest.fixture
def pay(transactional_db: None, county: Path) -> PayOffice:
    return open_office(assemble())


def at_once(*acts: Callable[[], object]) -> list[str]:
    barrier, outcomes = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            act()
            outcomes.append("done")
        except DoudiError as told:
            outcomes.append(told.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.close()
    return sorted(outcomes)


def test_two_cashiers_make_one_batch(pay: PayOffice) -> None:
    other = accounts.create_user(
        username="cashier2", password=PASSWORD, display_name="吕出纳", role=Role.COUNTY, region_code=COUNTY,
        by=accounts.system_user(),
    )  # fmt: skip
    pay.decide("H001")
    pay.accounts(["H001"])
    roster = pay.frozen(NOV)

    said = at_once(
        *(
            lambda who=who: chain.make_batch(region_code=COUNTY, layout="card", by=who)
            for who in (pay.cashier, other)
        )
    )

    assert said == ["done", "step_refused"]
    assert payroll.PayItem.objects.count() == 1
    assert payroll.tie_out(roster, by=pay.cashier).whole and payroll.prove_ledger(COUNTY).whole


def test_the_same_return_sent_twice_at_once_is_booked_once(pay: PayOffice) -> None:
    pay.decide("H001")
    pay.accounts(["H001"])
    pay.frozen(NOV)
    batch = pay.sent()
    content = pay.answer(batch)

    said = at_once(
        *(
            lambda: chain.take_bank_return(batch.number, content=content, file_name="r", by=pay.cashier)
            for _ in range(2)
        )
    )

    assert said == ["done", "done"]
    assert payroll.BankReturn.objects.count() == 1
    assert payroll.prove_ledger(COUNTY).whole
