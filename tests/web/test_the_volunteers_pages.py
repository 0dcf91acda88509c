"""Volunteers' pages: a volunteer signs up and spends points, the desk confirms, the receiver has the last word."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from doudi.contexts.meals import volunteering as v
from doudi.contexts.meals.models import Redemption, Service, Shift, Volunteer
from tests.a_kitchen import Kitchen, open_kitchen
from tests.contexts.test_a_volunteers_month import id_of


@pytest.fixture
def kitchen(cast) -> Kitchen:
    return open_kitchen(cast.county)


@pytest.fixture
def mine(cast, kitchen) -> Volunteer:
    return v.register_volunteer(
        kitchen.site, name="蒋志愿", id_number=id_of(1), username="volunteer", by=cast.canteen
    )


def plan(desk, kitchen, **more):
    starts = timezone.localtime() - timedelta(minutes=20)
    typed = {
        "token": "a" * 32, "site": kitchen.site.code, "post": "serve", "starts_at": f"{starts:%Y-%m-%dT%H:%M}",
        "ends_at": f"{starts + timedelta(hours=2):%Y-%m-%dT%H:%M}", "places_wanted": "2", "receiver_name": "罗奶奶",
        "receiver_no": kitchen.diners[0].number, **more,
    }  # fmt: skip
    return desk.post(reverse("plan_shift"), typed)


def test_a_shift_from_the_roster_to_points_spent(client, cast, browser, kitchen, mine) -> None:
    canteen, me = browser(cast.canteen), browser(cast.volunteer)
    plan(canteen, kitchen)
    plan(canteen, kitchen)
    shift = Shift.objects.get()

    assert "可以报名的班次" in me.get("/").content.decode()
    me.post(reverse("sign_up", args=[shift.number]))
    service = Service.objects.get()
    me.post(reverse("service_step", args=[service.pk, "in"]))
    me.post(reverse("service_step", args=[service.pk, "out"]))
    Service.objects.filter(pk=service.pk).update(minutes=120)
    canteen.post(reverse("service_step", args=[service.pk, "site"]), {"minutes": "120", "refuse": ""})
    wrong = client.post(reverse("service_receipt"), {"number": shift.number, "code": "999999"})
    right = client.post(reverse("service_receipt"), {"number": shift.number, "code": kitchen.diners[0].code})

    assert wrong.status_code == 422 and "取餐码不对" in wrong.content.decode()
    assert "已确认 1 位" in right.content.decode()
    assert v.balance(mine) == 4
    redeem = {"token": "r" * 32, "offer": "lunch"}
    me.post(reverse("volunteer_step", args=[mine.number, "redeem"]), redeem)
    me.post(reverse("volunteer_step", args=[mine.number, "redeem"]), redeem)
    short = me.post(reverse("volunteer_step", args=[mine.number, "redeem"]), {**redeem, "token": "s" * 32})
    assert short.status_code == 422 and "不够 4 分" in short.content.decode()
    number = Redemption.objects.get().number
    canteen.post(reverse("redemption", args=[number, "give"]))
    assert Redemption.objects.get().state == "given"
    assert me.post(reverse("volunteer_certificate", args=[mine.number])).content.startswith(b"%PDF")


def test_a_volunteer_presses_no_desk_button(cast, browser, kitchen, mine) -> None:
    me, canteen = browser(cast.volunteer), browser(cast.canteen)
    plan(canteen, kitchen)
    other = v.register_volunteer(kitchen.site, name="别人", id_number=id_of(2), by=cast.canteen)
    service = Service.objects.create(shift=Shift.objects.get(), volunteer=mine, state="out", minutes=60)

    assert plan(me, kitchen, token="b" * 32).status_code == 403
    assert me.post(reverse("service_step", args=[service.pk, "site"])).status_code == 403
    assert me.post(reverse("service_step", args=[service.pk, "call"])).status_code == 403
    assert me.get(reverse("volunteer", args=[other.number])).status_code == 404
    assert "别人" not in me.get(reverse("volunteers")).content.decode()
    service.refresh_from_db()
    assert service.site_at is None and service.receiver_at is None


def test_a_wrong_form_is_shown_again_as_it_was_typed(cast, browser, kitchen) -> None:
    desk = browser(cast.canteen)

    wrong_id = desk.post(
        reverse("register_volunteer"),
        {"site": kitchen.site.code, "name": "甲", "id_number": "123", "serves": "on"},
    )
    too_long = plan(desk, kitchen, ends_at="2099-01-01T10:00")

    assert wrong_id.status_code == 422 and 'value="甲"' in wrong_id.content.decode()
    assert too_long.status_code == 422 and "12 小时" in too_long.content.decode()
    assert not Volunteer.objects.exists() and not Shift.objects.exists()


def test_an_account_without_a_registration_is_told_where_to_go(cast, browser, kitchen) -> None:
    page = browser(cast.volunteer).get("/").content.decode()

    assert "还没有登记为志愿者" in page


def test_the_office_sees_that_the_ledger_is_balanced(cast, browser, kitchen, mine) -> None:
    assert "总账" in browser(cast.county).get(reverse("volunteers")).content.decode()
    assert "总账" not in browser(cast.township).get(reverse("volunteers")).content.decode()


def test_neighbours_form_a_group_on_the_page(cast, browser, kitchen, mine) -> None:
    desk = browser(cast.canteen)
    made = desk.post(
        reverse("form_group"),
        {"site": kitchen.site.code, "name": "三栋互助组", "leader": mine.number, "formed_on": "2026-11-01"},
    )
    number = v.groups(by=cast.canteen).get().number
    join = reverse("join_group", args=[number])
    desk.post(join, {"diner": kitchen.diners[0].number})
    desk.post(join, {"diner": kitchen.diners[0].number})
    wrong = desk.post(join, {"volunteer": mine.number, "diner": kitchen.diners[1].number}, follow=True)
    member = v.group(number, by=cast.canteen).members.get(diner=kitchen.diners[0])

    assert made["Location"] == reverse("mutual_group", args=[number])
    assert "罗奶奶" in desk.get(made["Location"]).content.decode()
    assert "请选择一名志愿者或一位助餐老人" in wrong.content.decode()
    assert browser(cast.volunteer).post(reverse("leave_group", args=[number, member.pk])).status_code == 403
    desk.post(reverse("leave_group", args=[number, member.pk]))
    assert "罗奶奶" not in desk.get(made["Location"]).content.decode()
