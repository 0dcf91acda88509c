"""A courier's telephone out of reach: the round taken along, doors and hand-overs kept, the browser killed, sent back once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from doudi import chain
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from tests.a_meal_place import cook, enrol, open_canteen, today
from tests.cast import Cast, assemble
from tests.journeys import telephone as telephone_of
from tests.journeys.conftest import until
from tests.journeys.telephone import PIN, a_photo

NAMES = ("何一", "何二", "何三", "何四")
SECRETS = ("何一", "虚构路1号", "10012340001", "何女", "10011112222", "门锁着")


class Telephone(telephone_of.Telephone):
    """A courier's telephone with the offline round."""

    address = "/courier/"

    def take_along(self, doors: int) -> None:
        self.page.click("#take")
        expect(self.page.locator("#rounds article")).to_have_count(doors)
        self.shell_kept()

    def at_door(self, name: str) -> None:
        self.page.locator("#rounds article", has_text=name).locator("button").click()
        expect(self.page.locator("#who")).to_contain_text(name)

    def hand(self) -> None:
        self.page.click("#hand")

    def home_again(self) -> None:
        self.page.click("#back")
        expect(self.page.locator("#list")).to_be_visible()

    def said_of(self, name: str) -> str:
        return self.page.locator("#rounds article", has_text=name).inner_text()


@pytest.fixture
def phone_of(telephones: Callable[..., Any]) -> Callable[..., Telephone]:
    return lambda name="one": telephones(Telephone, name)


@pytest.fixture
def cast(transactional_db: None, county: Path) -> Cast:
    return assemble()


@pytest.fixture
def people(cast: Cast) -> list[meals.Diner]:
    place = open_canteen(cast)
    cook(cast, place)
    made = []
    for number, name in enumerate(NAMES, start=1):
        made.append(
            enrol(
                cast, place, serial=100 + number, name=name, delivered=True, longitude=106.70 + number / 500, latitude=26.57,
                address=f"虚构路{number}号", phone=f"1001234000{number}", carer_name="何女", carer_phone="10011112222",
            )
        )  # fmt: skip
        chain.place_order(
            made[-1].number, site_code=place.code, day=today(), meal="lunch", channel="phone", by=cast.canteen
        )
    meals.plan_delivery(place, day=today(), meal="lunch", rules=chain.meal_network(), by=cast.canteen)
    return made


def test_a_round_without_a_signal_is_sent_back_once_and_leaves_nothing_readable(
    cast: Cast, people: list[meals.Diner], phone_of: Callable[..., Telephone]
) -> None:
    phone = phone_of()
    phone.sign_in("courier")
    phone.set_pin()
    phone.page.click("#take")
    # nobody's name before the round is taken
    expect(phone.page.locator("#rounds")).to_contain_text("4 份")
    assert "何一" not in phone.page.content()
    phone.page.click("button:has-text('我来送，出发')")
    expect(phone.page.locator("#rounds article")).to_have_count(4)
    phone.shell_kept()

    # out of reach: a code, mistyped first
    phone.away()
    phone.at_door("何一")
    wrong = f"{(int(people[0].code) + 1) % 10**6:06d}"
    phone.page.fill("#key", wrong)
    phone.hand()
    expect(phone.page.locator("#wrong")).to_contain_text("取餐码不对")
    phone.page.fill("#key", people[0].code)
    phone.hand()
    expect(phone.page.locator("#waiting")).to_contain_text("1 件没有传回")
    assert "已交付" in phone.said_of("何一")

    # no code: a signature; and a photo at the next door
    phone.at_door("何二")
    phone.hand()
    expect(phone.page.locator("#wrong")).to_contain_text("请老人签字")
    phone.sign()
    until(phone.page, "document.getElementById('photo_said') !== null")
    phone.page.wait_for_timeout(500)
    phone.hand()
    expect(phone.page.locator("#waiting")).to_contain_text("2 件")
    phone.at_door("何三")
    phone.page.set_input_files("#photo", {"name": "IMG.jpg", "mimeType": "image/jpeg", "buffer": a_photo()})
    expect(phone.page.locator("#photo_said")).to_contain_text("照片已存进手机")
    phone.hand()
    expect(phone.page.locator("#waiting")).to_contain_text("3 件")

    # nobody opens: both are called, neither answers
    phone.at_door("何四")
    phone.page.click("#shut")
    expect(phone.page.locator("#calls")).to_contain_text("10012340004")
    phone.page.click("button:has-text('未接通')")
    expect(phone.page.locator("#calls")).to_contain_text("10011112222")
    phone.page.fill("#note", "门锁着")
    phone.page.click("button:has-text('不知去向')")
    expect(phone.page.locator("#calls")).to_contain_text("110 或 120")

    # the battery dies: nothing readable lies on the disk, everything is there again behind the PIN
    phone.page.wait_for_timeout(400)
    phone.switch_off_and_on()
    stored = phone.stored()
    for secret in (*SECRETS, people[0].code):
        for encoding in ("utf-8", "utf-16-le"):
            assert secret.encode(encoding) not in stored, secret
    assert b"SECRET-TELEPHONE" not in stored and PIN.encode() not in stored
    phone.away()
    phone.page.goto(f"{phone.url}/courier/")
    phone.unlock("wrong-pin")
    expect(phone.page.locator("#message")).to_contain_text("还可以试 9 次")
    phone.unlock()
    expect(phone.page.locator("#waiting")).to_contain_text("6 件没有传回")
    assert "敲门无人应" in phone.said_of("何四") and not meals.MealServed.objects.exists()

    # back in reach: the first answer gets lost on the way, the rest goes by itself
    lost: list[str] = []

    def swallow(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.fetch()
            route.abort()

    phone.page.route("**/api/v1/rounds/acts", swallow)
    phone.back()
    expect(phone.page.locator("#message")).to_contain_text("没有网络")
    phone.page.click("#send")
    expect(phone.page.locator("#waiting")).to_have_text("", timeout=60_000)

    proofs = {meal.diner.name: meal.proof for meal in meals.servings(by=cast.canteen)}
    assert proofs == {"何一": "code", "何二": "signature", "何三": "photo"}
    assert all(meal.offline and meal.subsidy_fen == 200 for meal in meals.servings(by=cast.canteen))
    photo, _media_type = meals.look_at_proof(
        meals.servings(by=cast.canteen).get(proof="photo").number, by=cast.county
    )
    assert photo.startswith(b"\xff\xd8") and b"SECRET-TELEPHONE" not in photo
    case = monitoring.warnings(by=cast.county).get(source="service")
    assert "不知去向（门锁着）" in case.events.first().text
    phone.page.click("#take")
    expect(phone.page.locator("#message")).to_be_hidden()
    phone.at_door("何四")
    expect(phone.page.locator("#happened")).to_contain_text(case.number)
    assert phone.files_kept("doudi-round") == 0
    assert phone.troubles == []


def test_two_telephones_on_one_round_double_nothing(
    cast: Cast, people: list[meals.Diner], phone_of: Callable[..., Telephone]
) -> None:
    meals.take_round(meals.rounds(by=cast.courier).first().pk, by=cast.courier)
    one, two = phone_of("one"), phone_of("two")
    for phone in (one, two):
        phone.sign_in("courier")
        phone.set_pin()
        phone.take_along(4)
        phone.away()

    for phone in (one, two):
        phone.at_door("何一")
        phone.page.fill("#key", people[0].code)
        phone.hand()
    one.at_door("何二")
    one.page.fill("#key", people[1].code)
    one.hand()
    two.at_door("何二")
    two.page.click("#shut")
    expect(two.page.locator("#calls")).to_be_visible()
    two.home_again()
    for phone in (one, two):
        phone.back()
        phone.page.click("#send")
        expect(phone.page.locator("#waiting")).to_have_text("", timeout=60_000)

    assert "没有重复" in two.said_of("何一") and "只记入时间线" in two.said_of("何二")
    assert "已交付" in two.said_of("何二")
    assert sorted(meal.diner.name for meal in meals.servings(by=cast.canteen)) == ["何一", "何二"]
    assert not monitoring.warnings(by=cast.county).filter(source="service").exists()
    assert one.troubles == two.troubles == []
