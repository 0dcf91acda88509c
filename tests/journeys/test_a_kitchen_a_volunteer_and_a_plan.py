"""Three ways through the browser: a bad batch to its recall, a volunteer's month to points spent, a plan to an opened site."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from doudi.contexts.accounts.services import Role, create_user, system_user
from doudi.contexts.meals import safety, volunteering
from doudi.contexts.meals import services as meals
from doudi.contexts.meals.models import Service, Site
from tests.a_meal_place import cook, enrol, open_canteen
from tests.cast import CANTEEN, PASSWORD, Cast, assemble
from tests.contexts.test_a_volunteers_month import id_of

PICTURE = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02picture\xff\xd9"
)


@pytest.fixture
def cast(county) -> Cast:
    return assemble()


@pytest.fixture
def place(cast) -> meals.Site:
    found = open_canteen(cast)
    cook(cast, found)
    return found


def fill(desk, step: str, **typed: str) -> str:
    """Fill one form of the place's page in and send it; gives what the page then says."""
    for name, value in typed.items():
        field = desk.page.locator(f"#{step}_{name}")
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(**({"label": value} if not value.isdigit() else {"value": value}))
        else:
            field.fill(value)
    desk.press(f"form[action$='/do/{step}/'] button")
    return desk.page.inner_text("#messages")


def hand_out(desk, person: meals.Diner, *, meal: str = "lunch", price: str = "") -> None:
    """Hand a meal out at the till."""
    desk.open(f"/meals/till/?meal={meal}")
    desk.page.fill("#l-key", person.code)
    desk.page.fill("#l-price", price)
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_selector("#h-given")
    assert person.name in desk.page.inner_text("#h-given")


def test_a_bad_batch_to_its_recall(cast, place, sit_down) -> None:
    diners = [enrol(cast, place, serial=101 + row) for row in range(2)]
    create_user(
        username="county2", password=PASSWORD, display_name="马监管", role=Role.COUNTY, region_code="520102",
        by=system_user(),
    )  # fmt: skip
    at = f"/meals/safety/{CANTEEN}/"
    today = f"{timezone.localdate():%Y-%m-%d}"

    # the kitchen takes meat in and says which dish it went into
    kitchen = sit_down("canteen")
    kitchen.open(f"{at}?tab=stock")
    fill(kitchen, "supplier", name="城南肉铺", licence_no="JY1520102", contact="13800001111")
    said = fill(
        kitchen, "batch", supplier="城南肉铺", product="五花肉", quantity="12", unit="公斤", batch_no="20261129A",
        shelf_life_until=f"{timezone.localdate() + timedelta(days=3):%Y-%m-%d}",
    )  # fmt: skip
    assert "进货已登记" in said
    number = kitchen.page.inner_text("tbody td.id a")
    fill(kitchen, "use", batch=f"{number} 五花肉", dish="红烧肉", meal="午餐", day=today)
    kitchen.open(f"{at}?tab=cook")
    assert "留样已登记" in fill(kitchen, "sample", dish="红烧肉", grams="130", taken_by="田师傅")
    hand_out(kitchen, diners[0])

    # the supplier calls: the batch is bad; dish and sample stand still at once
    kitchen.open(f"{at}?tab=trouble")
    kitchen.page.select_option("#incident_batch", label=f"{number} 五花肉")
    said = fill(kitchen, "incident", kind="问题批次", text="供货者来电：这批检出不合格")
    assert "请在时限内报告" in said
    incident = re.search(r"SJ\d{8}-\d{4}", kitchen.page.url).group()
    hand_out(kitchen, diners[1])
    left = diners[1].meals.get()
    assert left.dishes.count(",") == 2, "the stopped dish is left out, the other is handed out"

    # the county finds everyone who ate it, the kitchen reports, two people close and free it
    county = sit_down("county")
    county.open(f"/meals/safety/incidents/{incident}/")
    county.press(f"main a[href='/meals/safety/batches/{number}/']")
    county.press("form[action$='/recall/'] button")
    assert diners[0].name in county.text() and diners[1].name not in county.text()
    kitchen.open(f"/meals/safety/incidents/{incident}/")
    kitchen.press(f"form[action='/meals/safety/incidents/{incident}/report/'] button")
    assert "已登记报告" in kitchen.page.inner_text("#messages")
    county.open(f"/meals/safety/incidents/{incident}/")
    county.page.fill("#cl", "抽检不合格，已全部销毁，用餐人员无不适")
    county.press(f"form[action='/meals/safety/incidents/{incident}/close/'] button")
    assert "已结案" in county.page.inner_text("#messages")
    other = sit_down("county2")
    other.open(f"{at}?tab=trouble")
    other.page.fill("form[action*='/lift/'] input[name=why]", "换用新批次，现场检查合格")
    other.press("form[action*='/lift/'] button")
    hand_out(kitchen, diners[1], meal="dinner", price="12")
    assert diners[1].meals.get(meal="dinner").paid_fen and not safety.is_stopped(place)

    # anybody reads the score on a telephone
    board = sit_down("volunteer", size=(390, 844))
    board.open("/meals/open/")
    assert place.name in board.text() and diners[0].name not in board.text()
    assert board.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert kitchen.troubles == county.troubles == other.troubles == []


def test_a_volunteers_month_to_points_spent(cast, place, sit_down) -> None:
    diner = enrol(cast, place, name="罗奶奶")

    # the desk registers the volunteer and plans a shift
    desk = sit_down("canteen")
    desk.open("/meals/volunteers/")
    for name, value in (("name", "蒋志愿"), ("id_number", id_of(1)), ("username", "volunteer")):
        desk.page.fill(f"#register_{name}", value)
    desk.press("form[action='/meals/volunteers/register/'] button")
    number = re.search(r"ZY\d{8}-\d{4}", desk.page.url).group()
    desk.open("/meals/volunteers/")
    starts = timezone.localtime() - timedelta(minutes=10)
    for name, value in (
        ("starts_at", f"{starts:%Y-%m-%dT%H:%M}"), ("ends_at", f"{starts + timedelta(hours=3):%Y-%m-%dT%H:%M}"),
        ("receiver_name", "罗奶奶"), ("receiver_no", diner.number),
    ):  # fmt: skip
        desk.page.fill(f"#shift_{name}", value)
    desk.press("form[action='/meals/volunteers/shifts/plan/'] button")
    shift = re.search(r"BC\d{8}-\d{4}", desk.page.url).group()

    # the volunteer signs up, comes and goes on a telephone
    me = sit_down("volunteer", size=(390, 844))
    me.press(f"form[action='/meals/volunteers/shifts/{shift}/sign-up/'] button")
    me.press("form[action$='/in/'] button")
    me.press("form[action$='/out/'] button")
    service = Service.objects.get()
    Service.objects.filter(pk=service.pk).update(minutes=120)

    # the place confirms, and the receiver by the own meal code, without an account
    desk.open("/meals/volunteers/")
    desk.page.click(f"details:has(#mi-{service.pk}) summary")
    desk.press("form[action$='/site/'] button")
    assert volunteering.balance(service.volunteer) == 0
    public = sit_down("township", size=(390, 844))
    public.open("/meals/receipt/")
    public.page.fill("#id_number", shift)
    public.page.fill("#id_code", diner.code)
    public.press("main form button")
    assert "已确认 1 位" in public.text()

    # four points buy a lunch, which the desk hands over
    me.open(f"/meals/volunteers/{number}/")
    me.page.check("input[name=offer][value=lunch]")
    me.press("form[action$='/do/redeem/'] button")
    assert "凭兑换号" in me.page.inner_text("#messages")
    desk.open(f"/meals/volunteers/{number}/")
    desk.press("form[action$='/give/'] button")
    assert "已兑付" in desk.page.inner_text("#messages")
    assert volunteering.totals() == volunteering.Totals(issued=4, held=0, redeemed=4, expired=0, pool=0)
    assert me.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert desk.troubles == me.troubles == public.troubles == []


def test_a_plan_to_an_opened_site(cast, sit_down, tmp_path) -> None:
    demand = tmp_path / "需求点.csv"
    rows = [
        f"52010201700{i},{106.7 + 0.02 * i},26.6,{n},520102017" for i, n in enumerate((10, 20, 50, 20, 30))
    ]
    demand.write_text("\n".join(["id,lon,lat,weight,group", *rows]) + "\n", encoding="utf-8")

    # the county asks and reads what is proven
    county = sit_down("county")
    county.open("/meals/plan/")
    county.page.fill("#id_name", "老城助餐点")
    county.page.fill("#id_sites", "2")
    county.page.select_option("#id_demand", value="file")
    county.page.set_input_files("#id_demand_file", str(demand))
    county.press("form[action='/meals/plan/make/'] button")
    plan = re.search(r"XZ\d{8}-\d{4}", county.page.url).group()
    assert "已证明最优" in county.text()
    county.page.wait_for_selector("#map[data-drawn=yes]")
    assert county.page.locator("#map .pin").count() == 2

    # a change on the map, tried: one pin closed, one candidate opened
    county.page.locator("#map .pin").first.click(force=True)
    county.page.select_option("#open-sites", value="520102017001")
    county.press(f"form[action='/meals/plan/{plan}/try/'] button")
    assert "按给定的点计算" in county.text()
    assert county.page.url.split("/")[-2] != plan
    county.page.select_option("#cmp", value=plan)
    county.press("form[action='/meals/plan/compare/'] button")
    assert "比较两个方案" in county.text()

    # the leader adopts the first plan; the county opens a place once its licence is there
    leader = sit_down("director")
    leader.open(f"/meals/plan/{plan}/")
    leader.press(f"form[action='/meals/plan/{plan}/adopt/'] button")
    assert "规划中" in leader.text()
    site = Site.objects.get(code=f"{plan}-1")
    county.open(f"/meals/sites/{site.code}/")
    county.page.select_option("#s-state", value="open")
    county.page.fill("#s-why", "装修完成")
    county.press("form[action$='/do/state/'] button")
    assert "许可证" in county.page.inner_text("main [role=alert]")
    county.page.fill("#p-no", "JY35201020099")
    county.page.fill("#p-until", f"{timezone.localdate() + timedelta(days=900):%Y-%m-%d}")
    county.press("form[action$='/do/paper/'] button")
    county.page.select_option("#s-state", value="open")
    county.page.fill("#s-why", "取得许可证")
    county.press("form[action$='/do/state/'] button")
    county.open("/meals/open/")
    assert site.name in county.text()
    assert safety.open_place(site.code) == site
    # the refused step is a 422, which the browser's console tells
    assert leader.troubles == [] and all("422" in trouble for trouble in county.troubles)
