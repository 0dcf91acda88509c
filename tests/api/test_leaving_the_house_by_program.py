"""Reports upward and departments' events by program."""

from __future__ import annotations

import pytest

from tests.payday import COUNTY, PayOffice, open_office


@pytest.fixture
def pay(county) -> PayOffice:
    return open_office(county)


def test_a_month_is_reported_and_answered_by_program(pay: PayOffice, desk) -> None:
    pay.decide("H001")
    pay.frozen()
    county = desk(pay.cast.county)

    made = county.post("/upward", {"code": "pay", "region": COUNTY, "month": "2024-11-01"}).json()
    again = county.post("/upward", {"code": "pay", "region": COUNTY, "month": "2024-11-01"})
    rows = county.get(f"/upward/{made['number']}/rows").json()["items"]
    told = {"answers": [{"key": rows[0]["key"], "accepted": False, "reason": "姓名不符"}]}
    first = county.post(f"/upward/{made['number']}/answers", told)
    second = county.post(f"/upward/{made['number']}/answers", told)
    rejected = county.get(f"/upward/{made['number']}/rows", state="rejected").json()["items"]

    assert (made["count"], made["total_fen"]) == (1, 129000)
    assert (again.status_code, again.json()["code"]) == (422, "upward_nothing")
    assert "id_number" not in rows[0]
    assert first.json() == second.json() == {"accepted_count": 0, "rejected_count": 1}
    assert [(row["key"], row["reason"]) for row in rejected] == [(rows[0]["key"], "姓名不符")]
    assert desk(pay.cast.stranger).get(f"/upward/{made['number']}/rows").status_code == 404
    assert desk(pay.cast.township).get("/upward").status_code == 403
    assert desk(pay.cast.department).get("/webhook-events").json()["total"] == 0
