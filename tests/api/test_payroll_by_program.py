"""Rosters by program: reckoned by one account, frozen by another, read line by line within the area."""

from __future__ import annotations

import pytest

from doudi.contexts.assistance import payroll
from tests.payday import COUNTY, PayOffice, open_office


@pytest.fixture
def pay(county) -> PayOffice:
    return open_office(county)


def test_a_roster_is_reckoned_by_one_key_and_frozen_by_another(pay: PayOffice, desk) -> None:
    pay.decide("H001")
    county, director = desk(pay.cast.county), desk(pay.cast.director)

    made = county.post("/rosters/compute", {"region": COUNTY, "month": "2024-11-01"}).json()
    rows = county.get(f"/rosters/{made['number']}/rows").json()["items"]
    own = county.post(f"/rosters/{made['number']}/freeze", {"sha256": made["sha256"], "note": ""})
    frozen = director.post(f"/rosters/{made['number']}/freeze", {"sha256": made["sha256"], "note": "对"})

    assert (made["status"], made["total_fen"]) == ("computed", 129000)
    assert rows[0]["lines"][0]["parameter"] == "低保标准"
    assert (own.status_code, own.json()["code"]) == (422, "same_person")
    assert (frozen.status_code, frozen.json()["unsent_fen"], frozen.json()["whole"]) == (200, 129000, True)
    assert payroll.Roster.objects.get().is_frozen


def test_nobody_reads_the_rows_of_another_area(pay: PayOffice, desk) -> None:
    pay.decide("H001")
    roster = pay.frozen()

    assert desk(pay.cast.other_township).get(f"/rosters/{roster.number}/rows").json()["total"] == 0
    assert desk(pay.cast.stranger).get(f"/rosters/{roster.number}").status_code == 404
    assert desk(pay.cast.stranger).get("/benefits/H001").json()["total"] == 0
    assert desk(pay.cast.member).get("/rosters").status_code == 403
