"""The meal network's pages: enrolled, ordered by telephone, counted, served, delivered, settled, by who may and no one else."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from tests.a_meal_place import cook, enrol, open_canteen, today
from tests.cast import CANTEEN, Cast, assemble
from tests.small_county import TOWNSHIP_A, make_id


@pytest.fixture
def network(db: None, office) -> tuple[Cast, meals.Site]:
    cast = assemble()
    place = open_canteen(cast)
    cook(cast, place)
    return cast, place


def text_of(answer) -> str:
    return answer.content.decode()


ENROL = {
    "name": "何老太", "id_number": make_id("19500101", 77), "channel": "village", "site_code": CANTEEN,
    "region_code": TOWNSHIP_A, "registered_region": "520102", "texture": "soft", "diets": ["low_salt"],
    "allergies": "花生、虾", "consent_on": f"{today()}", "consent_by": "本人", "consent_how": "本人签字", "phone": "10012341234",
}  # fmt: skip


def test_an_old_person_is_enrolled_and_a_fault_keeps_what_was_typed(network, browser) -> None:
    cast, _place = network
    desk = browser(cast.township)

    wrong = desk.post(reverse("diner_new"), {**ENROL, "id_number": "520102"})
    assert wrong.status_code == 422
    assert "身份证号不对" in text_of(wrong) and "何老太" in text_of(wrong)

    page = desk.post(reverse("diner_new"), ENROL, follow=True)
    person = meals.diners(by=cast.township).get()
    assert person.code in text_of(page) and ENROL["id_number"] not in text_of(page)
    assert (person.diets, person.allergies) == (["low_salt"], ["花生", "虾"])


def test_a_diet_changes_and_the_history_names_it_without_repeating_it(network, browser) -> None:
    cast, place = network
    person = enrol(cast, place, phone="10012340009")
    desk = browser(cast.township)
    here = reverse("diner_change", args=[person.number])
    assert 'value="10012340009"' in text_of(desk.get(here))

    changed = {
        "site_code": place.code,
        "texture": "minced",
        "diets": ["low_sugar"],
        "allergies": "虾",
        "phone": "10012340010",
    }
    page = text_of(desk.post(here, changed, follow=True))

    person.refresh_from_db()
    assert (person.texture, person.diets, person.allergies) == ("minced", ["low_sugar"], ["虾"])
    assert meals.diners(by=cast.township, text="10012340010").get() == person
    line = person.events.last().text
    assert "食物质地" in line and "电话" in line and "10012340010" not in line
    assert "变更" in page
    assert browser(cast.stranger).get(here).status_code == 404


def test_an_order_by_telephone_is_two_requests(network, browser) -> None:
    cast, place = network
    person = enrol(cast, place, phone="10012345678")
    desk = browser(cast.canteen)

    found = text_of(desk.get(reverse("phone_order"), {"text": "10012345678"}))
    assert person.number in found and "autofocus" in found
    tomorrow = today() + timedelta(days=1)
    typed = {"diner": person.number, "site": place.code, "day": f"{tomorrow}", "meal": "lunch"}
    typed |= {"channel": "family", "placed_for": "何女"}
    said = text_of(desk.post(reverse("phone_order"), typed, follow=True))
    again = text_of(desk.post(reverse("phone_order"), {**typed, "meal": "breakfast"}))

    order = meals.orders(by=cast.canteen).get()
    assert order.number in said and (order.channel, order.placed_for) == ("family", "何女")
    assert "不供早餐" in again


def test_the_count_and_the_labels(network, browser) -> None:
    cast, place = network
    person = enrol(cast, place, texture="soft", allergies=("花生",))
    chain.place_order(
        person.number, site_code=place.code, day=today(), meal="lunch", channel="phone", by=cast.canteen
    )
    desk = browser(cast.canteen)

    page = text_of(desk.get(reverse("kitchen_count", args=[place.code])))
    assert "含过敏原“花生”" in page and "软食" in page
    labels = desk.get(reverse("kitchen_labels", args=[place.code]))
    assert labels["Content-Type"] == "application/pdf" and labels.content.startswith(b"%PDF")


def test_the_till_serves_quotes_and_explains(network, browser) -> None:
    cast, place = network
    person = enrol(cast, place)
    desk = browser(cast.canteen)
    typed = {"site": place.code, "meal": "lunch", "key": person.code, "token": str(uuid4())}

    quoted = text_of(desk.post(reverse("till"), {**typed, "do": "quote"}))
    assert "16.00" in quoted and meals.servings(by=cast.canteen).count() == 0
    served = text_of(desk.post(reverse("till"), {**typed, "do": "serve"}))
    desk.post(reverse("till"), {**typed, "do": "serve"})
    unknown = desk.post(reverse("till"), {**typed, "key": "99999", "token": str(uuid4())})

    assert "60至79岁户籍老人" in served and meals.servings(by=cast.canteen).count() == 1
    assert unknown.status_code == 422 and "没有这个取餐码" in text_of(unknown)
    meal = meals.servings(by=cast.canteen).get()
    english = text_of(browser(cast.canteen, "en").get(reverse("meal_receipt", args=[meal.number])))
    assert "Aged 60 to 79: 10 % off" in english
    short = desk.post(reverse("meal_reverse", args=[meal.number]), {"ground": "错"})
    assert short.status_code == 422
    desk.post(reverse("meal_reverse", args=[meal.number]), {"ground": "刷错了卡"})
    meal.refresh_from_db()
    assert meal.state == "reversed"


def test_the_queue_of_a_till_is_taken_whole_again_and_again(network, browser) -> None:
    cast, place = network
    person = enrol(cast, place)
    desk = browser(cast.canteen)
    at = (timezone.now() - timedelta(hours=1)).isoformat()
    rows = [
        {"token": str(uuid4()), "key": person.code, "meal": "lunch", "at": at, "price": "20"},
        {"token": str(uuid4()), "key": "nobody", "meal": "lunch", "at": at, "price": "20"},
        {"token": "x", "key": person.code, "meal": "lunch", "at": "yesterday"},
    ]

    def send(what: object):
        return desk.post(reverse("till_queue"), json.dumps(what), content_type="application/json")

    first = send({"site": place.code, "meals": rows}).json()["results"]
    again = send({"site": place.code, "meals": rows}).json()["results"]

    assert (
        [one["state"] for one in first] == ["taken", "refused", "refused"] == [one["state"] for one in again]
    )
    assert meals.servings(by=cast.canteen).get().offline
    for hostile in (
        [],
        {"site": place.code},
        {"site": place.code, "meals": ["a"]},
        "x",
        {"site": 1, "meals": 3},
    ):
        assert send(hostile).status_code == 400


def test_a_round_on_the_courier_s_telephone_to_a_warning(network, browser) -> None:
    cast, place = network
    people = [
        enrol(
            cast,
            place,
            serial=serial,
            delivered=True,
            longitude=106.70 + serial / 1e5,
            latitude=26.57,
            address="虚构路9号",
            phone=phone,
        )
        for serial, phone in ((101, "10011110001"), (103, ""))
    ]
    for person in people:
        chain.place_order(
            person.number, site_code=place.code, day=today(), meal="lunch", channel="phone", by=cast.canteen
        )
    kitchen, road = browser(cast.canteen), browser(cast.courier)
    kitchen.post(reverse("deliveries"), {"site": place.code, "day": f"{today()}", "meal": "lunch"})
    trip = meals.rounds(by=cast.courier).get()
    assert kitchen.get(reverse("delivery_sheet", args=[trip.delivery_id])).content.startswith(b"%PDF")
    assert "虚构路9号" not in text_of(road.get(reverse("round", args=[trip.pk])))

    road.post(reverse("round_take", args=[trip.pk]))
    page = text_of(road.get(reverse("round", args=[trip.pk])))
    assert "虚构路9号" in page and 'href="tel:10011110001"' in page
    stops = {stop.order.diner_id: stop for stop in trip.stops.all()}
    here, silent = (reverse("door_step", args=[stops[person.pk].pk, "hand"]) for person in people)
    wrong = road.post(here, {"token": str(uuid4()), "key": people[1].code})
    assert wrong.status_code == 422 and "不是这位老人的" in text_of(wrong)
    assert road.post(here, {"token": str(uuid4()), "key": people[0].code}).status_code == 302
    shut = road.post(silent.replace("/hand/", "/shut/"), follow=True)

    case = monitoring.warnings(by=cast.county).get()
    assert case.number in text_of(shut)
    assert case.number in text_of(browser(cast.township).get(reverse("deliveries")))
    assert "送餐敲门无人应" in text_of(browser(cast.county).get(reverse("warning", args=[case.number])))


def test_a_place_with_its_papers_menu_and_account(network, browser) -> None:
    cast, place = network
    county, kitchen = browser(cast.county), browser(cast.canteen)
    new = {
        "code": "CT-520102-7", "name": "河边助餐点", "kind": "point", "region_code": TOWNSHIP_A, "operator": "褚氏",
        "address": "虚构路7号", "seats": "20",
    }  # fmt: skip

    county.post(reverse("meal_site_new"), new)
    step = reverse("meal_site_step", args=["CT-520102-7", "state"])
    assert "许可证" in text_of(county.post(step, {"state": "open", "ground": "开业"}))
    county.post(
        step.replace("/state/", "/paper/"),
        {"kind": "licence", "number": "JY7", "valid_until": f"{today() + timedelta(days=20)}"},
    )
    county.post(step, {"state": "open", "ground": "开业"})
    assert meals.site("CT-520102-7", by=cast.county).state == "open"
    assert "河边助餐点" in text_of(county.get(reverse("meal_sites")))
    county.post(
        step.replace("/state/", "/hours/"),
        {"meal": "lunch", "serves_from": "11:00", "serves_until": "12:30", "capacity": "40"},
    )
    assert "11:00–12:30" in text_of(county.get(reverse("meal_site", args=["CT-520102-7"])))

    kitchen.post(
        reverse("meal_menus"),
        {
            "do": "dish",
            "site": place.code,
            "name": "蒸蛋",
            "ingredients": "鸡蛋 水",
            "allergens": ["蛋"],
            "textures": ["soft"],
            "amount_鱼肉蛋": "60",
        },
    )
    dish = meals.dishes(place).get(name="蒸蛋")
    tomorrow = today() + timedelta(days=1)
    page = kitchen.post(
        reverse("meal_menus"),
        {
            "do": "menu",
            "site": place.code,
            "day": f"{tomorrow}",
            "meal": "lunch",
            "price": "12.5",
            "dishes": [dish.pk],
        },
    )
    assert meals.menu_of(place, tomorrow, "lunch").price_fen == 1250, text_of(page)
    bad = kitchen.post(
        reverse("meal_menus"),
        {
            "do": "menu",
            "site": place.code,
            "day": f"{tomorrow}",
            "meal": "lunch",
            "price": "一",
            "dishes": [dish.pk],
        },
    )
    assert bad.status_code == 422 and "金额" in text_of(bad)

    kitchen.post(
        reverse("meal_account", args=[place.code]),
        {"on": f"{today()}", "kind": "food", "amount": "88.80", "memo": "买菜"},
    )
    assert "88.80" in text_of(kitchen.get(reverse("meal_account", args=[place.code])))


def test_a_settlement_on_its_pages(network, browser) -> None:
    cast, place = network
    last = today().replace(day=1) - timedelta(days=1)
    given = chain.serve_meal(
        place.code, meals.Tap(uuid4(), enrol(cast, place).code, "lunch", timezone.now()), by=cast.canteen
    )
    meals.MealServed.objects.filter(pk=given.serving.pk).update(
        day=last, at=timezone.now() - timedelta(days=31)
    )
    county, director = browser(cast.county), browser(cast.director)

    county.post(reverse("settlements"), {"month": f"{last:%Y-%m}", "site": place.code})
    made = meals.settlements(by=cast.county).get()
    here = reverse("settlement", args=[made.number])
    assert "2.00" in text_of(county.get(here)) and "复核同意" not in text_of(county.get(here))
    refused = county.post(f"{here}do/check/")
    assert refused.status_code == 422 and "不同的人" in text_of(refused)
    assert "复核同意" in text_of(director.get(here))
    director.post(f"{here}do/check/")
    made.refresh_from_db()
    assert made.state == "checked"
    book = county.get(reverse("settlement_payment"), {"month": made.month})
    assert book.content.startswith(b"PK")
    assert "2.00" in text_of(browser(cast.canteen).get(here))
    assert browser(cast.stranger).get(here).status_code == 404


def test_pages_ask_the_database_no_more_for_more_people(
    network, browser, django_assert_max_num_queries
) -> None:
    cast, place = network
    for serial in range(101, 121, 2):
        person = enrol(cast, place, serial=serial)
        chain.place_order(
            person.number, site_code=place.code, day=today(), meal="lunch", channel="phone", by=cast.canteen
        )
        chain.serve_meal(
            place.code, meals.Tap(uuid4(), person.code, "lunch", timezone.now()), by=cast.canteen
        )
    desk = browser(cast.canteen)

    for name in ("home", "till", "meal_orders", "diners", "deliveries", "meal_menus"):
        with django_assert_max_num_queries(30):
            assert desk.get(reverse(name)).status_code == 200


# ---- the public's pages ------------------------------------------------------------------------------------------


def test_a_daughter_orders_on_the_public_page_and_reads_nothing_of_her_mother(network, browser) -> None:
    cast, place = network
    mother = enrol(cast, place, name="何桂兰", illness="糖尿病", address="虚构路一号", phone="10012340001")
    tomorrow = today() + timedelta(days=1)
    cook(cast, place, day=tomorrow)
    desk = browser(cast.canteen)
    there = reverse("diner_step", args=[mother.number, "family"])
    page = text_of(desk.post(there, {"who": "女儿何小妹", "consent_how": "本人签字"}, follow=True))
    code = page.split("家属码 ")[1][:11]
    assert code not in text_of(desk.get(reverse("diner", args=[mother.number])))

    daughter, here = Client(), reverse("meal_family")
    wrong = daughter.post(here, {"code": code, "tail": "0000"})
    assert wrong.status_code == 422 and "何" not in text_of(wrong)
    proof = {"code": code, "tail": mother.id_number[-4:]}
    page = text_of(daughter.post(here, proof))
    assert "红烧肉" in page and "20.00" in page and "何**" in page
    for secret in ("桂兰", "糖尿病", "虚构路", mother.code, mother.number, mother.id_number, "10012340001"):
        assert secret not in page
    slot = f"{tomorrow:%Y-%m-%d}.lunch"
    order = {**proof, "step": "order", "shown": [slot], "want": [slot]}
    assert "已订 1 餐，已退 0 餐" in text_of(daughter.post(here, order))
    assert "已订 0 餐，已退 0 餐" in text_of(daughter.post(here, order))
    assert meals.orders(by=cast.canteen, day=tomorrow).get().placed_for == "女儿何小妹"
    for typed in ({"since": "", "until": ""}, {"since": f"{tomorrow}", "until": f"{today()}"}):
        assert daughter.post(here, {**proof, "step": "pause", **typed}).status_code == 422
    paused = {**proof, "step": "pause", "since": f"{tomorrow}", "until": f"{tomorrow}"}
    assert "已暂停订餐" in text_of(daughter.post(here, paused))
    assert meals.orders(by=cast.canteen, day=tomorrow).get().state == "cancelled"

    key = meals.family_codes(mother).get().pk
    desk.post(reverse("diner_step", args=[mother.number, "family-end"]), {"pk": f"{key}"})
    assert daughter.post(here, proof).status_code == 422


def test_who_asks_for_meals_on_the_public_page_is_confirmed_by_the_township(county, browser) -> None:
    cast = county
    place = open_canteen(cast)
    asker, here = Client(), reverse("meal_join")
    assert place.name in text_of(asker.get(here))
    assert asker.get(here, {"at": "CT-NONE"}).status_code == 404
    assert "谁在填" in text_of(asker.get(here, {"at": place.code}))
    number = make_id("19500101", 77)
    typed = {
        "at": place.code, "channel": "family", "name": "何老太", "id_number": number, "home": "here",
        "region_code": TOWNSHIP_A, "address": "虚构路二号", "phone": "10012341234", "texture": "soft",
        "allergies": "花生、虾", "carer_name": "何小妹", "carer_phone": "10012341235", "consent": "on",
    }  # fmt: skip
    refused = asker.post(here, {**typed, "id_number": "520102"})
    assert refused.status_code == 422 and "身份证号不对" in text_of(refused) and "何老太" in text_of(refused)
    assert asker.post(here, {**typed, "consent": ""}).status_code == 422
    assert "申请已收到" in text_of(asker.post(here, {**typed, "website": "http://x"}))
    assert not meals.diners(by=cast.township).exists()

    received = text_of(asker.post(here, typed))
    assert "申请已收到" in received and number not in received
    desk = browser(cast.township)
    assert "1 人等待核实" in text_of(desk.get(reverse("diners")))
    person = meals.diners(by=cast.township, status="applied").get()
    assert (person.allergies, person.registered_region, person.consent_how) == (
        ["花生", "虾"], "520102", "网上勾选同意",
    )  # fmt: skip
    desk.post(reverse("diner_step", args=[person.number, "confirm"]))
    person.refresh_from_db()
    assert person.status == "active" and "人等待核实" not in text_of(desk.get(reverse("diners")))
