"""One's own account and those an administrator looks after, at the workbench."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from doudi.contexts.accounts.models import AuditEntry, SecondFactor, SignIn
from doudi.contexts.accounts.services import key_uri
from doudi.house import qrcode
from tests import small_county as sc
from tests.cast import PASSWORD
from tests.contexts.test_coming_in import code_of

pytestmark = pytest.mark.django_db


def _sign_in(client, name: str, password: str = PASSWORD):
    return client.post(reverse("login"), {"username": name, "password": password}, follow=True)


def test_codes_are_put_into_use_and_asked_for_at_the_next_sign_in(cast, browser, client):
    desk = browser(cast.county)
    page = desk.get(reverse("second_factor")).content.decode()
    assert re.search(r'<code class="secret">(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}</code>', page)
    square = desk.get(reverse("second_factor_code"))
    assert (square["Content-Type"], square["Cache-Control"]) == ("image/svg+xml", "no-store")
    assert f'src="{reverse("second_factor_code")}"' in page
    factor = SecondFactor.objects.get(user=cast.county)
    assert square.content.decode() == qrcode.to_svg(key_uri(factor, "county"))
    wrong = desk.post(reverse("second_factor"), {"code": "000000"})
    assert wrong.status_code == 422

    shown = desk.post(reverse("second_factor"), {"code": code_of(cast.county)}).content.decode()
    codes = re.findall(r"<code>([0-9a-f]{5}-[0-9a-f]{5})</code>", shown)
    assert len(codes) == 10
    assert desk.get("/warnings/").status_code == 200, "who set it up goes on"
    assert desk.get(reverse("second_factor_code")).status_code >= 400, "the secret is shown no more"

    _sign_in(client, "county")
    for address in ("/", "/warnings/", "/users/"):
        assert client.get(address)["Location"] == reverse("second_factor_check")
    api = client.get("/api/v1/warnings")
    assert (api.status_code, api.json()["code"]) == (403, "sign_in_unfinished")
    assert client.post(reverse("second_factor_check"), {"code": "123456"}).status_code == 422
    answer = client.post(
        reverse("second_factor_check"), {"code": codes[0], "next": "https://elsewhere.example/"}
    )
    assert answer["Location"] == reverse("home")
    assert client.get("/warnings/").status_code == 200
    assert client.get("/api/v1/warnings").status_code == 200


def test_a_role_that_needs_codes_sets_them_up_first(cast, browser, settings):
    settings.SECOND_FACTOR = ["auditor"]
    desk = browser(cast.auditor)

    assert desk.get(reverse("audit"))["Location"] == reverse("second_factor")
    assert desk.get(reverse("second_factor_code")).status_code == 200, "the page's own picture"
    desk.post(
        reverse("second_factor"),
        {"code": code_of(cast.auditor) if desk.get(reverse("second_factor")) else ""},
    )

    assert desk.get(reverse("audit")).status_code == 200


def test_who_comes_in_is_told_of_the_last_time(cast, client):
    _sign_in(client, "county")
    client.post(reverse("logout"))

    page = _sign_in(client, "county").content.decode()

    assert "上次登录" in page and "127.0.0.1" in page
    assert SignIn.objects.filter(ended_how="signed_out").count() == 1
    assert AuditEntry.objects.filter(act="sign_in", actor="county").count() == 2


def test_other_sessions_are_seen_and_ended(cast, browser):
    here, there = browser(cast.county), browser(cast.county)
    here.get("/"), there.get("/")
    assert here.get(reverse("account")).content.decode().count("登录中") == 1

    here.post(reverse("end_sessions"))

    assert there.get("/")["Location"].startswith(reverse("login"))
    assert here.get("/").status_code == 200


def test_an_idle_session_is_led_to_the_log_in(cast, browser, settings):
    desk = browser(cast.county)
    desk.get("/")
    session = desk.session
    session["seen"] -= settings.IDLE_MINUTES * 60 + 1
    session.save()

    answer = desk.get("/warnings/?level=red", follow=True)

    assert "next=/warnings/" in answer.redirect_chain[0][0]
    assert "长时间没有操作" in answer.content.decode()
    assert desk.get("/api/v1/me").status_code == 401


def test_a_first_password_is_changed_before_anything_else(cast, browser, client):
    admin = browser(cast.admin)
    admin.post(reverse("staff_step", args=["county", "password"]), {"password": "a-first-password-7"})
    _sign_in(client, "county", "a-first-password-7")
    assert client.get("/warnings/")["Location"] == reverse("password")

    new = "my-own-password-77"
    client.post(
        reverse("password"),
        {"old_password": "a-first-password-7", "new_password1": new, "new_password2": new},
    )

    assert client.get("/warnings/").status_code == 200


def test_an_account_is_closed_with_its_work_handed_over(county, browser):
    admin, leaving = browser(county.admin), browser(county.township)
    browser(county.county).post(
        reverse("dispatch", args=["YJ20241115-H002"]), {"to": sc.TOWNSHIP_A, "assignee": "township"}
    )
    leaving.get("/")
    address = reverse("staff_step", args=["township", "close"])
    refused = admin.post(address, {"ground": "调离岗位"})
    assert refused.status_code == 422 and "未办完" in refused.content.decode()

    county.other_township.region_code = sc.TOWNSHIP_A
    county.other_township.save()
    done = admin.post(address, {"ground": "调离岗位", "hand_to": "other_township"})

    assert done.status_code == 302
    assert "停用" in admin.get(reverse("staff", args=["township"])).content.decode()
    assert leaving.get("/")["Location"].startswith(reverse("login"))


def test_the_file_of_kin_is_refused_in_plain_words_and_on_record(county, browser):
    admin, desk = browser(county.admin), browser(county.county)
    typed = {"relation": "配偶", "id_number": sc.WANG_QIANG}
    page = admin.post(
        reverse("staff_step", args=["county", "own_person"]), typed, follow=True
    ).content.decode()
    assert sc.WANG_QIANG not in page and sc.WANG_QIANG[-4:] in page

    for address in (reverse("household", args=["H002"]), reverse("warning", args=["YJ20241115-H002"])):
        answer = desk.get(address)
        assert answer.status_code == 403
        text = answer.content.decode()
        assert "回避" in text and "王强" not in text
    assert desk.get("/api/v1/households/H002").json()["code"] == "own_file"

    flags = AuditEntry.objects.filter(act="own_file", actor="county")
    assert {flag.subject for flag in flags} == {"household:H002"} and flags.count() == 3


def test_an_administrator_of_another_place_does_not_find_the_account(cast, browser):
    cast.admin.region_code = "61"
    cast.admin.save()

    assert browser(cast.admin).get(reverse("staff", args=["county"])).status_code == 404


def test_a_list_is_taken_behind_a_password(county, browser):
    from doudi import chain
    from doudi.contexts.registry.services import HOUSEHOLDS, Conditions
    from tests.house.test_a_locked_workbook import opened

    export = chain.request_export(
        HOUSEHOLDS, Conditions(), columns=["household_no"], reason="年度核查名单", by=county.county
    )
    desk = browser(county.county)
    address = reverse("take_export", args=[export.pk])
    weak = desk.post(address, {"password": "short"})
    assert weak.status_code == 422 and "打开密码" in weak.content.decode()

    locked = b"".join(desk.post(address, {"password": "a-good-password"}).streaming_content)

    assert locked[:8].hex() == "d0cf11e0a1b11ae1"
    assert opened(locked, "a-good-password").startswith(b"PK\x03\x04")
