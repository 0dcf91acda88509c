"""What the demonstration gives the charity to do: every desk has work, the books tie out, it takes seconds."""

from __future__ import annotations

import time

import pytest

from doudi.cli.seeds import giving as seed
from doudi.contexts.accounts.services import Role, account
from doudi.contexts.charity import giving, ventures
from tests.cast import assemble
from tests.small_county import TOWNSHIP_A


@pytest.mark.django_db
def test_every_desk_of_the_charity_has_work_and_the_books_tie_out(office) -> None:
    cast = assemble()
    people = {Role(person.role): person for person in cast.everybody() if person is not cast.stranger}
    began = time.process_time()

    seed.seed({**people, Role.TOWNSHIP: cast.township}, TOWNSHIP_A)

    assert time.process_time() - began < 20
    keeper = cast.charity
    assert [
        giving.allocations(by=keeper, status=state).count() for state in ("proposed", "approved", "paid")
    ] == [1, 1, 1]
    assert all(giving.prove(fund) for fund in giving.funds(by=keeper))
    assert giving.campaigns(by=cast.county, status="filed").count() == 1
    assert ventures.calls(by=cast.township).get().status == "published"
    assert account("charity-decider").organisation == keeper.organisation
