"""Charity's money by program: the same rules as on the pages, a retry is no second gift, nobody helped is named."""

from __future__ import annotations

from django.utils import timezone

from tests import small_county as sc
from tests.cast import Cast
from tests.giving import open_house


def test_a_gift_to_its_payment_by_program(county: Cast, desk, by_key) -> None:
    house = open_house(county)
    fund, today = house.fund(), f"{timezone.localdate()}"
    keeper, decider, payer, officer = (
        desk(house.keeper),
        desk(house.decider),
        desk(house.payer),
        desk(county.county),
    )
    gift = {"amount_fen": 50_000, "received_on": today, "handler": "冯慈善", "way": "bank", "donor_name": "李捐款",
            "receipt_no": "黔捐1"}  # fmt: skip

    one = keeper.post(f"/funds/{fund.number}/gifts", gift, **{"Idempotency-Key": "gift-0001"})
    two = keeper.post(f"/funds/{fund.number}/gifts", gift, **{"Idempotency-Key": "gift-0001"})
    assert one.json() == two.json() and one.json()["donor"] == "李捐款"
    assert officer.get("/gifts").json()["items"][0]["donor"] == "李**"
    use = {"amount_fen": 20_000, "purpose": "MEDICAL", "region_code": sc.TOWNSHIP_A, "use": "住院自付费用"}
    asked = keeper.post(f"/funds/{fund.number}/uses", use).json()
    assert keeper.post(f"/uses/{asked['number']}/decide", {"approve": True}).json()["code"] == "same_person"
    decider.post(f"/uses/{asked['number']}/decide", {"approve": True})
    paid = payer.post(f"/uses/{asked['number']}/pay", {"on": today}).json()
    told = {"result": "solved", "people": 1, "text": "费用结清。王强", "on": today}
    keeper.post(f"/uses/{asked['number']}/outcome", told)

    assert (paid["status"], paid["paid_fen"], paid["held_fen"]) == ("paid", 20_000, 0)
    assert officer.get("/funds").json()["items"][0]["free_money_fen"] == 30_000
    balances = officer.get(f"/funds/{fund.number}/balance").json()["balances"]
    assert balances["money"] == 30_000 and sum(balances.values()) == 0
    assert officer.get("/disclosures").json()["total"] == 0
    restricted = keeper.post(f"/funds/{fund.number}/uses", {**use, "purpose": "EDUCATION"})
    assert (restricted.status_code, restricted.json()["code"]) == (422, "fund_restricted")
    assert desk(county.stranger).get("/funds").json()["total"] == 0
    assert desk(county.stranger).get(f"/funds/{fund.number}/balance").status_code == 404
