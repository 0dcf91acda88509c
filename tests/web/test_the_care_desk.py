"""Services on the workbench: each hand on its own page."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from doudi.contexts.assistance import care
from doudi.contexts.charity import services as charity
from doudi.contexts.registry import services as registry
from tests.cast import CHARITY
from tests.payday import COUNTY, PayOffice, open_office

PICTURE = b"\xff\xd8\xff\xe0 a picture"


@pytest.fixture
def pay(county) -> PayOffice:
    charity.register_organisation(
        code=CHARITY, name="虚构慈善会", kind="charity", region_code=COUNTY, registered_on=date(2020, 1, 1), by=county.county
    )  # fmt: skip
    return open_office(county)


@pytest.fixture
def first() -> date:
    return (timezone.localdate().replace(day=1) - timedelta(days=1)).replace(day=1)


def typed_order(first: date) -> dict[str, str]:
    return {
        "person_id": str(registry.counted_members("H002")[0].person_id), "item": "care_visit", "units": "3",
        "starts_on": str(first), "ends_on": str(first + timedelta(days=60)), "address": "虚构路2号",
        "consent_on": str(first), "consent": "本人签字同意书",
    }  # fmt: skip


def test_from_an_order_to_its_payment(pay: PayOffice, browser, first: date) -> None:
    town, chooser, body, county, director, cashier = (
        browser(who)
        for who in (
            pay.cast.township, pay.decider, pay.cast.charity, pay.cast.county, pay.cast.director, pay.cashier,
        )
    )  # fmt: skip
    assert "王强" in town.get("/care/?household=H002").content.decode()
    assert "没有找到" in town.get("/care/?household=H003").content.decode()  # another township's
    refused = town.post("/care/?household=H002", {**typed_order(first), "consent": " "})
    assert refused.status_code == 422 and "虚构路2号" in refused.content.decode()
    assert town.post("/care/?household=H002", typed_order(first)).status_code == 302
    order = care.CareOrder.objects.get()
    address = f"/care/{order.number}/"

    assert order.code in town.get(address).content.decode()
    assert body.get(address).status_code == 404
    assert chooser.post(address, {"step": "assign", "provider": CHARITY}).status_code == 302
    seen = body.get(address).content.decode()
    assert "王强" in seen and "虚构路2号" in seen
    assert order.code not in seen and "H002" not in seen and "同意书" not in seen
    watched = director.get(address).content.decode()
    assert "虚构路2号" not in watched and "王强" not in watched and order.code not in watched

    visit = {
        "step": "visit", "begun_at": f"{first}T09:30", "place": "虚构路2号", "units": "1", "worker": "护理员甲",
        "code": "wrong",
    }  # fmt: skip
    wrong = body.post(address, visit)
    assert wrong.status_code == 422 and "确认码不对" in wrong.content.decode()
    assert care.CareOrder.objects.get().wrong_codes == 1
    proof = {**visit, "code": order.code, "photo": SimpleUploadedFile("a.jpg", PICTURE)}
    assert body.post(address, proof).status_code == 302
    made = care.CareVisit.objects.get()
    assert b"".join(town.get(f"/care-visits/{made.pk}/photo/")) == PICTURE
    assert browser(pay.cast.other_township).get(f"/care-visits/{made.pk}/photo/").status_code == 404

    told = {"region": COUNTY, "provider": CHARITY, "month": f"{first:%Y-%m}"}
    assert county.post("/care-settlements/", told).status_code == 302
    settlement = f"/care-settlements/{care.CareSettlement.objects.get().number}/"
    assert "复核无误" not in county.get(settlement).content.decode()
    assert director.post(settlement, {"step": "check"}).status_code == 302
    paid = {"step": "pay", "voucher": "付1", "paid_on": str(timezone.localdate())}
    assert chooser.post(settlement, paid).status_code == 422  # who chose the provider
    assert cashier.post(settlement, paid).status_code == 302
    assert care.CareSettlement.objects.get().state == "paid"
    assert "40.00" in body.get(settlement).content.decode()
    for desk in (town, body, browser(pay.cast.member), county, director):
        for page in ("/care/", "/care-settlements/"):
            assert desk.get(page).content.decode().count("<h1") == 1


def test_a_complaint_is_written_and_decided_on_the_page(pay: PayOffice, browser, first: date) -> None:
    town = browser(pay.cast.township)
    town.post("/care/?household=H002", typed_order(first))
    address = f"/care/{care.CareOrder.objects.get().number}/"

    said = {"step": "complaint", "kind": "no_show", "visit": "", "said_on": str(first), "text": "约好没有来"}
    assert town.post(address, said).status_code == 302
    found = care.CareComplaint.objects.get()
    decided = {"step": "decide", "complaint": str(found.pk), "upheld": "yes", "finding": "机构承认排班漏了"}
    town.post(address, decided)
    found.refresh_from_db()
    assert found.state == "open"  # who wrote it down does not decide it
    assert browser(pay.cast.county).post(address, decided).status_code == 302
    found.refresh_from_db()
    assert found.state == "upheld"
    english = browser(pay.cast.county, "en").get(address).content.decode()
    assert "Nobody came" in english
