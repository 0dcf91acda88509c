"""The food safety desk: a kitchen keeps its ledgers, the county supervises, the public reads and says its word."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.meals import safety
from doudi.contexts.meals.models import FoodBatch, FoodStop, Incident, MorningCheck, PublicWord, Tour
from doudi.web.views.kitchen.desk import STEPS
from tests.a_kitchen import Kitchen, open_kitchen

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02picture\xff\xd9"


@pytest.fixture
def kitchen(cast) -> Kitchen:
    return open_kitchen(cast.county)


def do(desk, kitchen, step: str, **typed):
    return desk.post(reverse("kitchen_step", args=[kitchen.site.code, step]), typed)


def test_a_kitchen_keeps_its_morning(cast, browser, kitchen) -> None:
    desk = browser(cast.canteen)
    today = f"{timezone.localdate():%Y-%m-%d}"

    do(desk, kitchen, "worker", name="田师傅", job="厨师", joined_on=today, ready_food="on")
    worker = safety.workers_of(kitchen.site).get()
    page = do(desk, kitchen, "morning", worker=worker.pk, tenths="36.5")
    assert page.status_code == 302 and not MorningCheck.objects.get().fit
    do(desk, kitchen, "certificate", worker=worker.pk, number="52-1", issued_on=today)
    do(desk, kitchen, "morning", worker=worker.pk, tenths="36.5")
    wrong = do(desk, kitchen, "morning", worker=worker.pk, tenths="三十六度")

    assert [check.fit for check in MorningCheck.objects.order_by("pk")] == [False, True]
    assert wrong.status_code == 422 and "不是温度" in wrong.content.decode()
    shown = desk.get(reverse("kitchen_place", args=[kitchen.site.code])).content.decode()
    assert "36.5 ℃" in shown and "可以" in shown


def test_a_delivery_sent_twice_is_one_and_a_refusal_keeps_what_was_typed(cast, browser, kitchen) -> None:
    desk = browser(cast.canteen)
    do(desk, kitchen, "supplier", name="惠民粮油", licence_no="JY1", contact="13800001111")
    seller = safety.suppliers_of(kitchen.site).get()
    typed = {
        "token": "a" * 32, "supplier": seller.pk, "product": "菜籽油", "quantity": "4", "unit": "桶",
        "shelf_life_until": "2099-01-01", "received_on": f"{timezone.localdate():%Y-%m-%d}",
    }  # fmt: skip

    do(desk, kitchen, "batch", **typed)
    do(desk, kitchen, "batch", **typed)
    refused = do(desk, kitchen, "batch", **{**typed, "token": "b" * 32, "shelf_life_until": "2020-01-01"})

    assert FoodBatch.objects.count() == 1
    first = FoodBatch.objects.get()
    right = do(
        desk, kitchen, "batch",
        **{**typed, "token": "e" * 32, "quantity": "3", "corrects": first.pk, "ground": "数量写错"},
    )  # fmt: skip
    assert right.status_code == 302 and first.corrected_by.quantity == 3
    assert refused.status_code == 422
    assert "已过期" in refused.content.decode() and 'value="菜籽油"' in refused.content.decode()


@pytest.mark.parametrize("name", sorted(STEPS))
def test_who_only_reads_presses_nothing(cast, browser, kitchen, name: str) -> None:
    for who in (cast.auditor, cast.director):
        answer = do(browser(who), kitchen, name, token="a" * 32, name="甲", why="试按", dish="", stars="5")
        assert answer.status_code in (403, 422), f"{who.username} {name} {answer.status_code}"
    assert not FoodStop.objects.exists() and not Tour.objects.exists() and not PublicWord.objects.exists()


def test_another_county_finds_no_place(cast, browser, kitchen) -> None:
    desk = browser(cast.stranger)

    assert desk.get(reverse("kitchen_place", args=[kitchen.site.code])).status_code == 404
    assert do(desk, kitchen, "stop", why="外县想停").status_code == 404
    assert kitchen.site.name not in desk.get(reverse("safety")).content.decode()


def test_the_county_inspects_with_photos_and_accepts_the_rectification(cast, browser, kitchen) -> None:
    county, canteen = browser(cast.county), browser(cast.canteen)
    photo = SimpleUploadedFile("灶台.jpg", JPEG, content_type="image/jpeg")

    do(
        county, kitchen, "tour", token="c" * 32, kind="supervision", on=f"{timezone.localdate():%Y-%m-%d}",
        inspector="何某", fault_S3="标签不全", photos=photo,
    )  # fmt: skip
    fault = safety.mendings(by=cast.county).get()
    canteen.post(reverse("mend", args=[fault.pk]), {"how": "已补齐全部标签"})
    done = county.post(reverse("accept_mending", args=[fault.pk]), {"accept": "yes"})
    picture = county.get(reverse("safety_photo", args=[fault.tour.photos.get().pk]))

    fault.refresh_from_db()
    assert done.status_code == 302 and fault.state == "accepted"
    assert picture["Content-Type"] == "image/jpeg" and picture["X-Content-Type-Options"] == "nosniff"
    assert "已验收" in county.get(f"/meals/safety/{kitchen.site.code}/?tab=tours").content.decode()


def test_a_bad_batch_is_recalled_on_the_page_and_the_look_is_logged(cast, browser, kitchen) -> None:
    kitchen.serve(kitchen.diners[0], [kitchen.tofu])
    seller = safety.enter_supplier(
        kitchen.site,
        name="豆腐坊",
        licence_no="1",
        licence_until=date(2099, 1, 1),
        contact="1",
        by=cast.canteen,
    )
    batch = safety.enter_batch(
        kitchen.site, token="d" * 32, supplier=seller, product="豆腐", quantity=30, unit="公斤",
        received_on=timezone.localdate(), shelf_life_until=date(2099, 1, 1), rules=chain.food_safety(),
        by=cast.canteen,
    )  # fmt: skip
    safety.use_batch(batch, dish=kitchen.tofu, day=timezone.localdate(), meal="lunch", by=cast.canteen)
    county = browser(cast.county)

    before = county.get(reverse("food_batch", args=[batch.number])).content.decode()
    after = county.post(reverse("food_recall", args=[batch.number])).content.decode()

    assert "罗奶奶" not in before and "罗奶奶" in after and "石爷爷" not in after
    assert browser(cast.township).post(reverse("food_recall", args=[batch.number])).status_code == 403


def test_an_incident_from_the_form_stops_the_place(cast, browser, kitchen) -> None:
    desk = browser(cast.canteen)
    typed = {
        "token": "e" * 32, "kind": "illness", "text": "三位老人饭后呕吐", "people": "3",
        "found_at": f"{timezone.localtime():%Y-%m-%dT%H:%M}",
    }  # fmt: skip

    first, second = do(desk, kitchen, "incident", **typed), do(desk, kitchen, "incident", **typed)
    number = Incident.objects.get().number
    desk.post(reverse("incident_report", args=[number]), {"to": ["县市场监督管理局"]})
    closing = browser(cast.county).post(reverse("incident_close", args=[number]), {"conclusion": "检验阴性"})

    assert first["Location"] == second["Location"] == f"/meals/safety/incidents/{number}/"
    assert safety.is_stopped(kitchen.site)
    assert closing.status_code == 302 and Incident.objects.get().state == "closed"


def test_the_public_reads_scores_and_says_its_word_without_an_account(client, cast, kitchen) -> None:
    codes = safety.issue_rating_codes(kitchen.site, count=1, by=cast.township)

    board = client.get(reverse("open_scores")).content.decode()
    rated = client.post(reverse("rate_meal"), {"code": codes[0], "stars": "5", "text": "好吃"})
    again = client.post(reverse("rate_meal"), {"code": codes[0], "stars": "5"})
    form = {"token": "f" * 32, "text": "饭菜是凉的", "contact": "13900001234"}
    complaint = reverse("complain_of_meal", args=[kitchen.site.code])
    said = [client.post(complaint, form), client.post(complaint, form)]
    robot = client.post(complaint, {**form, "token": "9" * 32, "website": "http://spam"})

    assert kitchen.site.name in board and "田师傅" not in board
    assert rated.status_code == 200 and again.status_code == 422 and "已经用过" in again.content.decode()
    assert [one.status_code for one in said] == [200, 200] and robot.status_code == 200
    assert PublicWord.objects.filter(kind="complaint").count() == 1
    assert client.get("/meals/open/NOWHERE/complain/").status_code == 404


def test_the_place_does_not_see_the_complainers_telephone(client, cast, browser, kitchen) -> None:
    form = {"token": "f" * 32, "text": "饭菜是凉的", "contact": "13900001234"}
    client.post(reverse("complain_of_meal", args=[kitchen.site.code]), form)

    for address in (reverse("safety"), f"/meals/safety/{kitchen.site.code}/?tab=trouble"):
        assert "13900001234" not in browser(cast.canteen).get(address).content.decode()
    assert "13900001234" in browser(cast.county).get(reverse("safety")).content.decode()
