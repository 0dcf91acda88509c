"""An old person's meal from the enrolment to the operator's money, and a door that stayed shut to a visit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from tests.a_meal_place import cook, enrol, open_canteen, today
from tests.cast import CANTEEN, PASSWORD, Cast, assemble
from tests.small_county import TOWNSHIP_A, make_id


@pytest.fixture
def cast(transactional_db: None, county) -> Cast:
    return assemble()


@pytest.fixture
def canteen(cast) -> meals.Site:
    place = open_canteen(cast)
    cook(cast, place)
    return place


def tick(desk, name: str) -> None:
    desk.page.check(f"input[name={name}]")


def test_from_enrolment_to_the_monthly_settlement(cast, canteen, sit_down) -> None:
    # the township enrols an old person who lives alone
    office = sit_down("township")
    office.open("/meals/diners/new/")
    for name, value in {
        "name": "何老太", "id_number": make_id("19480101", 77), "region_code": TOWNSHIP_A, "registered_region": "520102",
        "address": "虚构路8号", "phone": "10012340001", "longitude": "106.705", "latitude": "26.571",
    }.items():  # fmt: skip
        office.page.fill(f"#id_{name}", value)
    office.page.select_option("#id_site_code", CANTEEN)
    office.page.select_option("#id_texture", "soft")
    tick(office, "delivered")
    office.page.select_option("#id_consent_how", "本人签字")
    office.press("main form button:has-text('登记')")
    assert "取餐码" in office.text()
    person = meals.diners(by=cast.township).get()

    # she calls the canteen: number, Enter, Enter
    kitchen = sit_down("canteen")
    kitchen.open("/meals/orders/phone/")
    kitchen.page.keyboard.type("10012340001")
    with kitchen.page.expect_navigation():
        kitchen.page.keyboard.press("Enter")
    kitchen.page.fill("input[name=day]", f"{today()}")
    kitchen.press("button:has-text('订餐')")
    assert "已订" in kitchen.page.inner_text("#messages")

    # the kitchen counts, the round is planned
    kitchen.open(f"/meals/sites/{CANTEEN}/count/?day={today()}&meal=lunch")
    assert "何老太" in kitchen.text() and "软食" in kitchen.text()
    kitchen.open(f"/meals/deliveries/?day={today()}&meal=lunch")
    kitchen.press("button:has-text('按订单排路线')")
    assert "何老太" in kitchen.text()

    # the courier takes it to the door and types her code
    road = sit_down("courier", size=(390, 844))
    road.page.click("main ul a")
    road.press("button:has-text('我来送')")
    assert "虚构路8号" in road.text()
    road.page.fill("input[name=key]", person.code)
    road.press("button:has-text('已交付')")
    assert "自付" in road.page.inner_text("#messages") and "已办 1 / 1" in road.text()

    # the receipt explains each fen
    kitchen.open(f"/meals/diners/{person.number}/")
    kitchen.press("a[href^='/meals/served/']")
    assert "优惠 10%" in kitchen.text() and "16.00" in kitchen.text()

    # the month is over: made, checked, paid by three people
    last = today().replace(day=1) - timedelta(days=1)
    meals.MealServed.objects.update(day=last, at=timezone.now() - timedelta(days=31))
    accounts.create_user(
        username="cashier", password=PASSWORD, display_name="钱出纳", role=Role.COUNTY, region_code="520102",
        by=accounts.system_user(),
    )  # fmt: skip
    county = sit_down("county")
    county.open("/meals/settlements/")
    county.press("button:has-text('编制结算')")
    county.press("td a")
    number = county.page.url.rstrip("/").rpartition("/")[2]
    assert "2.00" in county.text() and "复核同意" not in county.text()
    leader = sit_down("director")
    leader.open(f"/meals/settlements/{number}/")
    leader.press("button:has-text('复核同意')")
    payer = sit_down("cashier")
    payer.open(f"/meals/settlements/{number}/")
    payer.page.fill("input[name=voucher]", "B-2026-1")
    payer.press("button:has-text('登记拨付')")
    assert "已拨付" in payer.text() and "B-2026-1" in payer.text()
    kitchen.open(f"/meals/sites/{CANTEEN}/account/")
    assert "助餐补贴" in kitchen.text()
    assert [desk.troubles for desk in (office, kitchen, road, county, leader, payer)] == [[]] * 6


def test_a_door_that_stays_shut_becomes_a_visit(cast, canteen, sit_down) -> None:
    from doudi import chain

    person = enrol(
        cast, canteen, delivered=True, longitude=106.705, latitude=26.571, address="虚构路9号", phone="10012340002",
        carer_name="何女", carer_phone="10012340003",
    )  # fmt: skip
    chain.place_order(
        person.number, site_code=canteen.code, day=today(), meal="lunch", channel="phone", by=cast.canteen
    )
    meals.plan_delivery(canteen, day=today(), meal="lunch", rules=chain.meal_network(), by=cast.canteen)

    # nobody opens; the person and the daughter do not answer
    road = sit_down("courier", size=(390, 844))
    road.page.click("main ul a")
    road.press("button:has-text('我来送')")
    road.press("button:has-text('敲门无人应')")
    assert "10012340002" in road.text()
    road.press("button:has-text('未接通')")
    assert "何女" in road.text()
    road.press("button:has-text('未接通')")
    assert "已立预警" in road.text()

    # the county is told and sends the township, which visits
    case = monitoring.warnings(by=cast.county).get(source="service")
    county = sit_down("county")
    county.open("/notices/")
    assert case.number in county.text()
    county.open(f"/warnings/{case.number}/")
    assert "送餐敲门无人应" in county.text()
    chain.dispatch(case.number, to=TOWNSHIP_A, by=cast.county)
    office = sit_down("township")
    office.open(f"/warnings/{case.number}/")
    assert "待核实" in office.text()
    done = chain.record_visit(
        case.number, visited_on=today(), visitors=["李乡办", "村医"], result_code="A", finding="老人摔倒，已送医。",
        by=cast.township,
    )  # fmt: skip
    assert done.case.number == case.number
    kitchen = sit_down("canteen")
    kitchen.open("/meals/deliveries/")
    assert case.number in kitchen.text()
    assert [desk.troubles for desk in (road, county, office, kitchen)] == [[]] * 4


def test_a_till_goes_on_while_the_network_is_cut(cast, canteen, sit_down) -> None:
    person, other = enrol(cast, canteen), enrol(cast, canteen, serial=103)
    desk = sit_down("canteen")
    desk.open("/meals/till/?meal=lunch")

    desk.page.fill("#l-key", person.code)
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_selector("#h-given")
    desk.page.context.set_offline(True)
    for key in (other.code, person.code):
        desk.page.fill("#l-key", key)
        desk.page.keyboard.press("Enter")
        expect(desk.page.locator("#l-key")).to_have_value("")
    assert "2 份" in desk.page.inner_text("#till-queue")
    desk.page.context.set_offline(False)
    expect(desk.page.locator("#till-queue")).to_be_hidden(timeout=40_000)

    served = meals.servings(by=cast.canteen)
    assert served.count() == 3
    assert sorted(served.values_list("subsidy_fen", flat=True)) == [0, 200, 200]
