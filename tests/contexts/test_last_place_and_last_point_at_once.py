"""Two ask at the same moment for the last place of a shift, the last points, one paper code, one incident form."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from doudi import chain
from doudi.contexts.meals import safety
from doudi.contexts.meals import volunteering as v
from doudi.contexts.meals.models import Incident, PublicWord
from doudi.contexts.meals.services import StepRefused
from tests.a_kitchen import open_kitchen
from tests.cast import assemble
from tests.contexts.test_a_volunteers_month import id_of, planned, served
from tests.contexts.test_two_tills_at_once import at_once


@pytest.mark.django_db(transaction=True)
def test_what_is_there_once_is_given_once(office) -> None:
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads do not share SQLite's database in memory")
    cast = assemble()
    kitchen, rules, limits = open_kitchen(cast.county), chain.volunteer_rules(), chain.food_safety()
    one, two = (
        v.register_volunteer(kitchen.site, name=f"志愿{row}", id_number=id_of(row), by=cast.canteen)
        for row in (1, 2)
    )
    served(kitchen, cast, rules, one, minutes=120)
    shift = planned(kitchen, cast, rules, begun=-24, places=1)
    (code,) = safety.issue_rating_codes(kitchen.site, count=1, by=cast.county)
    form = {
        "token": "i" * 32,
        "kind": "illness",
        "text": "两人呕吐",
        "found_at": timezone.now() - timedelta(minutes=1),
    }

    seats = at_once(*[
        lambda who=who: v.sign_up(shift.number, who, rules=rules, by=cast.canteen) for who in (one, two)
    ])  # fmt: skip
    lunches = at_once(*[
        lambda token=token: v.redeem(
            one, offer="lunch", site=kitchen.site, token=token * 32, rules=rules, by=cast.canteen
        )
        for token in "ab"
    ])  # fmt: skip
    stars = at_once(*[lambda: safety.rate_by_code(code, stars=5, rules=limits, scale=rules)] * 2)
    incidents = at_once(
        *[lambda: safety.open_incident(kitchen.site, rules=limits, by=cast.canteen, **form)] * 2
    )

    assert sum(isinstance(result, StepRefused) for result in seats) == 1
    assert sum(isinstance(result, StepRefused) for result in lunches) == 1
    assert sum(isinstance(result, StepRefused) for result in stars) == 1
    assert len({result.pk for result in incidents}) == 1
    assert v.totals() == v.Totals(issued=4, held=0, redeemed=4, expired=0, pool=0)
    assert (PublicWord.objects.count(), Incident.objects.count()) == (1, 1)
