"""The one window by program: entitlements with their reasons, an application taken in once, lists within the area."""

from __future__ import annotations

import json
from typing import Any

from doudi import chain
from doudi.contexts.accounts.services import household_looks
from tests.applying import applied
from tests.cast import Cast
from tests.small_county import WANG_QIANG


def test_a_program_asks_what_a_household_may_get(county: Cast, desk: Any) -> None:
    answer = desk(county.township).get("/households/H001/entitlements")

    assert answer.status_code == 200
    found = {one["code"]: one for one in answer.json()["entitlements"]}
    assert found["DB_AID"]["answer"] == "yes" and found["DB_AID"]["clause"]
    assert set(chain.rules()[0].measures) <= set(found)
    assert household_looks("H001").filter(act="view_entitlements").exists()
    assert desk(county.stranger).get("/households/H001/entitlements").status_code == 404


def test_a_program_takes_an_application_in_once(county: Cast, desk: Any) -> None:
    asked = {"kind": "DB", "name": "王强", "id_number": WANG_QIANG, "reason": "没有收入来源", "household_no": "H002",
             "token": "by-program-1"}  # fmt: skip
    township = desk(county.township)
    first, second = (
        township.post("/applications", json.dumps(asked), content_type="application/json") for _ in range(2)
    )
    assert first.status_code == 200 and first.json()["number"] == second.json()["number"]
    assert WANG_QIANG not in first.content.decode()
    number = first.json()["number"]
    assert desk(county.director).get(f"/applications/{number}").json()["applicant_name"] == "王*"
    assert desk(county.other_township).get(f"/applications/{number}").status_code == 404
    refused = township.get(f"/applications?text={WANG_QIANG}")
    assert refused.status_code == 422


def test_lists_stay_within_the_area(county: Cast, desk: Any) -> None:
    applied(county.township, name="王强", id_number=WANG_QIANG, household_no="H002")

    assert desk(county.county).get("/applications").json()["total"] == 1
    assert desk(county.other_township).get("/applications").json()["total"] == 0
    assert desk(county.county).get("/decisions").json()["total"] == 0
