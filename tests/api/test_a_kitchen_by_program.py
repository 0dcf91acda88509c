"""A probe sends temperatures, a supervisor's platform reads scores and finds who ate, and nothing else leaves."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.meals import safety
from doudi.contexts.meals.models import Reading
from tests.a_kitchen import Kitchen, open_kitchen


@pytest.fixture
def kitchen(county) -> Kitchen:
    return open_kitchen(county.county)


def test_a_probe_sends_the_same_reading_twice_and_it_is_one(county, desk, kitchen) -> None:
    probe = desk(county.canteen)
    sent = {
        "site": kitchen.site.code, "point": "core", "what": "红烧肉", "tenths": 745,
        "at": timezone.now().isoformat(),
    }  # fmt: skip

    first, again = (probe.post("/meals/safety/readings", sent) for _try in range(2))
    cold = probe.post("/meals/safety/readings", {**sent, "tenths": 600})
    stranger = desk(county.stranger).post("/meals/safety/readings", sent)

    assert first.status_code == again.status_code == 200 and Reading.objects.count() == 1
    assert first.json()["passed"] is True
    assert (cold.status_code, cold.json()["code"]) == (422, "action_missing")
    assert stranger.status_code == 403


def test_a_platform_finds_who_ate_by_number_and_without_names(county, desk, kitchen) -> None:
    kitchen.serve(kitchen.diners[0], [kitchen.tofu])
    seller = safety.enter_supplier(
        kitchen.site,
        name="豆腐坊",
        licence_no="1",
        licence_until=date(2099, 1, 1),
        contact="1",
        by=county.canteen,
    )
    batch = safety.enter_batch(
        kitchen.site, token="d" * 32, supplier=seller, product="豆腐", quantity=30, unit="公斤",
        received_on=timezone.localdate(), shelf_life_until=date(2099, 1, 1), rules=chain.food_safety(),
        by=county.canteen,
    )  # fmt: skip
    safety.use_batch(batch, dish=kitchen.tofu, day=timezone.localdate(), meal="lunch", by=county.canteen)
    office = desk(county.county)

    found = office.post(f"/meals/safety/batches/{batch.number}/recall")
    scores = office.get("/meals/safety/scores").json()
    listed = office.get("/meals/safety/batches", text="豆腐").json()

    assert found.json()["people"] == 1
    assert found.json()["meals"][0]["diner"] == kitchen.diners[0].number
    assert "罗奶奶" not in found.content.decode()
    assert scores[0]["site"] == kitchen.site.code and 0 <= scores[0]["points"] <= 100
    assert [row["number"] for row in listed["items"]] == [batch.number]
    assert desk(county.stranger).get("/meals/safety/batches").json()["total"] == 0
    assert desk(county.stranger).post(f"/meals/safety/batches/{batch.number}/recall").status_code == 404
    assert office.get("/meals/points").json()["whole"] is True
