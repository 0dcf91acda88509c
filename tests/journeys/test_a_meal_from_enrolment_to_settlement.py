"""An old person's meal from the enrolment to the operator's money, and a door that stayed shut to a visit."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from tests.a_meal_place import enrol, today
from tests.cast import CANTEEN, PASSWORD, Cast, assemble
from tests.small_county import TOWNSHIP_A, make_id


@pytest.fixture
def cast(transactional_db: None, county) -> Cast:
    return assemble()


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
    enrol(
        cast, canteen, delivered=True, longitude=106.705, latitude=26.571, address="虚构路9号", phone="10012340002",
        carer_name="何女", carer_phone="10012340003",
    )  # fmt: skip
    kitchen = sit_down("canteen")
    kitchen.open("/meals/orders/phone/?text=10012340002")
    kitchen.page.fill("input[name=day]", f"{today()}")
    kitchen.press("button:has-text('订餐')")
    kitchen.open(f"/meals/deliveries/?day={today()}&meal=lunch")
    kitchen.press("button:has-text('按订单排路线')")

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
    county.page.select_option("#dispatch_to", TOWNSHIP_A)
    county.press("form[action$='/dispatch/'] button")
    office = sit_down("township")
    office.press(f"a:has-text('{case.number}'), main table a")
    assert "待核实" in office.text() and "送餐敲门无人应" in office.text()
    for field, typed in {"visitor_1": "李乡办", "visitor_2": "村医", "finding": "老人摔倒，已送医。"}.items():
        office.page.fill(f"#visit_{field}", typed)
    office.page.click("input[name=result_code][value=A]")
    office.press("form[action$='/visit/'] button")
    assert "入户核实已记录" in office.page.inner_text("#messages")
    assert monitoring.warning(case.number, by=cast.county).status == "visited"
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


def test_an_order_by_telephone_is_a_number_and_two_enters(cast, canteen, sit_down) -> None:
    person = enrol(cast, canteen, phone="10012340009")
    desk = sit_down("canteen")
    desk.open("/meals/orders/phone/")
    began = time.monotonic()

    # the field is ready: eleven digits, Enter finds the caller, Enter orders
    for key in ("10012340009", None):
        if key:
            desk.page.keyboard.type(key)
        with desk.page.expect_navigation():
            desk.page.keyboard.press("Enter")

    took = time.monotonic() - began
    assert f"{person.name} 的午餐已订" in desk.page.inner_text("#messages")
    assert took < 20, f"{took:.1f} s"
    # and the field is ready for the next caller
    assert desk.page.evaluate("document.activeElement.id") == "t-text"
    assert desk.troubles == []


def test_a_gift_pays_for_meals_and_the_donor_reads_how_many(cast, canteen, sit_down) -> None:
    from doudi.contexts.charity import giving
    from tests.giving import open_house

    open_house(cast)
    person = enrol(cast, canteen)

    # the charity opens a fund for meals, takes a gift in and proposes its use; another person decides
    keeper = sit_down("charity")
    keeper.open("/funds/new/")
    keeper.page.select_option("select[name=kind]", value="restricted")
    keeper.page.fill("input[name=name]", "幸福餐桌")
    keeper.page.check("input[name=purposes][value=MEALS]")
    keeper.press("main form button")
    fund_page = keeper.page.url
    step(keeper, "gift", amount="100", donor_name="热心市民", handler="冯经手", receipt_no="黔捐0008")
    keeper.page.goto(fund_page)
    step(keeper, "use", amount="60", purpose="MEALS", use="补老人午餐")
    use = giving.allocations(by=cast.charity).get().number
    decider = sit_down("decider")
    decider.open(f"/funds/uses/{use}/")
    decider.page.check("input[name=approve][value=yes]")
    decider.press("form[action$='/do/decide/'] button")

    # it stands behind the meals of a place; the receipt names the fund
    keeper.open(f"/funds/uses/{use}/")
    keeper.page.click("summary:has-text('用于助餐')")
    keeper.page.select_option("#meals_site_code", value=CANTEEN)
    keeper.page.fill("#meals_per_meal", "3")
    keeper.page.fill("#meals_since", f"{today() - timedelta(days=40)}")
    keeper.page.fill("#meals_until", f"{today() + timedelta(days=40)}")
    keeper.press("form[action$='/do/meals/'] button")
    assert "幸福餐桌" not in keeper.page.inner_text("#messages") and "全部助餐对象" in keeper.text()
    till = sit_down("canteen")
    till.open("/meals/till/?meal=lunch")
    till.page.fill("#l-key", person.code)
    till.page.keyboard.press("Enter")
    till.page.wait_for_selector("#h-given")
    assert "慈善资金“幸福餐桌”捐助 3.00元" in till.text() and "13.00" in till.text()

    # the month is over: settled and checked by the county, paid by the charity's cashier to the fen
    last = today().replace(day=1) - timedelta(days=1)
    meals.MealServed.objects.update(day=last, at=timezone.now() - timedelta(days=31))
    county = sit_down("county")
    county.open("/meals/settlements/")
    county.press("button:has-text('编制结算')")
    county.press("td a")
    assert "慈善资金另付" in county.text() and "3.00" in county.text()
    number = county.page.url.rstrip("/").rpartition("/")[2]
    leader = sit_down("director")
    leader.open(f"/meals/settlements/{number}/")
    leader.press("button:has-text('复核同意')")
    payer = sit_down("payer")
    payer.open(f"/funds/uses/{use}/")
    payer.press("form[action$='/do/meals-pay/'] button")
    assert "已按结算拨付" in payer.page.inner_text("#messages")
    standing = meals.gift_standing(use, by=cast.charity)
    assert (standing.given_fen, standing.paid_fen, standing.whole) == (300, 300, True)

    # the donor, without an account, reads the meals and nobody's name
    gift = giving.donations(by=cast.charity).get()
    donor = sit_down("volunteer", size=(390, 844))
    donor.open("/charity/gift/")
    donor.page.fill("#number", "黔捐0008")
    donor.page.fill("#code", giving.code_of(gift))
    donor.press("main form.card button")
    assert "已为老人补 1 餐" in donor.text() and person.name not in donor.text()
    desks = (keeper, decider, till, county, leader, payer, donor)
    assert [desk.troubles for desk in desks] == [[]] * len(desks)


def step(desk, name: str, **typed: str) -> None:
    """Open a step's form on a page, fill it in and send it."""
    form = desk.page.locator(f"form[action$='/do/{name}/']")
    box = form.locator("xpath=ancestor::details")
    if box.get_attribute("open") is None:
        box.locator("summary").first.click()
    for field, value in typed.items():
        found = form.locator(f"[name={field}]").first
        if found.evaluate("one => one.tagName") == "SELECT":
            found.select_option(value=value)
        else:
            found.fill(value)
    desk.press(f"form[action$='/do/{name}/'] button:not([type=button])")
