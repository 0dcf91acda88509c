"""What the demonstration gives a relative and the township to do about meals."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from doudi import chain
from doudi.cli.seeds import dining as seed
from doudi.contexts.accounts.services import Role
from doudi.contexts.meals import services as meals
from doudi.engine import identity
from tests.cast import assemble
from tests.small_county import TOWNSHIP_A


@pytest.mark.django_db
def test_a_daughter_has_a_code_and_an_old_man_waits_to_be_confirmed(county, monkeypatch) -> None:
    cast = assemble()
    people = {Role(person.role): person for person in cast.everybody() if person is not cast.stranger}
    people[Role.TOWNSHIP] = cast.township
    elders = [(f"何老{number}", f"520102194503010{number:02d}") for number in range(10, 14)]

    register = [
        SimpleNamespace(name=name, id_number=first + identity.check_digit(first)) for name, first in elders
    ]
    monkeypatch.setattr(seed, "_elders", lambda clerk, township: register)

    seed.seed(people, TOWNSHIP_A)

    code, tail = re.search(r"code (\S+).+four (\w{4})", seed.family_note().read_text("utf-8")).groups()
    view = chain.family_view(code, tail)
    assert view.name.startswith("何") and any(slot.ordered for slot in view.slots)
    assert [one.name for one in meals.diners(by=cast.township, status="applied")] == ["骆大爷"]
    sick = next(one for one in meals.diners(by=cast.township) if one.stops.exists())
    assert sick.stops.get().kind == "hospital"
    assert not sick.meals.filter(day__gte=sick.stops.get().since, subsidy_fen__gt=0).exists()
