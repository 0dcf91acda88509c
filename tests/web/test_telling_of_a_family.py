"""The public's form without an account, and the office's triage page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from doudi import chain
from doudi.contexts.monitoring import services as monitoring
from doudi.web.addresses import client_address
from tests.cast import Cast
from tests.small_county import TOWNSHIP_A


def typed(page: str, **other: Any) -> dict[str, Any]:
    token = re.search(r'name="token" value="([0-9a-f]{32})"', page)
    return {
        "at": TOWNSHIP_A,
        "token": token[1] if token else "0" * 32,
        "family_name": "钱生",
        "place": "",
        "difficulty": "ILLNESS",
        "text": "老人病了没人管。",
        "channel": "neighbour",
        "consent": "on",
        **other,
    }


@pytest.fixture
def passer_by(county: Cast) -> Client:
    return Client()


def test_anybody_tells_and_asks_how_far_it_is(passer_by: Client, county: Cast, browser) -> None:
    where = passer_by.get("/tell/")
    assert f"?at={TOWNSHIP_A}" in where.content.decode()
    page = passer_by.get("/tell/", {"at": TOWNSHIP_A}).content.decode()

    told = passer_by.post("/tell/", typed(page))

    receipt = re.search(r'id="receipt">([\w-]+)<', told.content.decode())[1]
    answer = passer_by.post("/tell/status/", {"receipt": receipt.lower()}).content.decode()
    assert "已收到，正在分办" in answer
    assert "钱生" not in answer
    desk = browser(county.township)
    report = monitoring.reports(by=county.township).get()
    shown = desk.get(reverse("report", args=[report.number])).content.decode()
    assert "老人病了没人管" in shown and "钱生" in shown
    opened = desk.post(reverse("report_open", args=[report.number]), {"do": "unlisted"}, follow=True)
    assert "群众报告" in opened.content.decode()
    assert "已受理" in passer_by.post("/tell/status/", {"receipt": receipt}).content.decode()


def test_what_is_typed_comes_back_as_text_and_not_as_markup(passer_by: Client) -> None:
    nasty = '"><script>alert(1)</script>'
    page = passer_by.get("/tell/", {"at": TOWNSHIP_A}).content.decode()

    answers = [
        passer_by.post("/tell/", typed(page, family_name=nasty, place=nasty, text="")),
        passer_by.post("/tell/status/", {"receipt": nasty}),
        passer_by.get("/tell/", {"at": nasty, "family_name": nasty}),
    ]

    assert answers[0].status_code == 422
    for answer in answers:
        assert "<script>alert" not in answer.content.decode()
        assert (
            "'unsafe-inline'"
            not in answer["Content-Security-Policy"].partition("script-src")[2].partition(";")[0]
        )


def test_the_form_needs_its_own_token_against_forgery(county: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)

    assert strict.post("/tell/", typed("")).status_code == 403


def test_a_program_that_fills_in_every_field_leaves_nothing(passer_by: Client, county: Cast) -> None:
    page = passer_by.get("/tell/", {"at": TOWNSHIP_A}).content.decode()

    answer = passer_by.post("/tell/", typed(page, website="http://x"))

    assert answer.status_code == 200
    assert not monitoring.reports(by=county.county, status="all").exists()


def test_a_second_click_gives_the_same_receipt(passer_by: Client, county: Cast) -> None:
    page = passer_by.get("/tell/", {"at": TOWNSHIP_A}).content.decode()

    first, second = passer_by.post("/tell/", typed(page)), passer_by.post("/tell/", typed(page))

    assert re.search(r'id="receipt">[\w-]+<', first.content.decode())[0] in second.content.decode()
    assert monitoring.reports(by=county.county, status="all").count() == 1


def test_too_much_and_too_often_are_refused(passer_by: Client, county: Cast) -> None:
    page = passer_by.get("/tell/", {"at": TOWNSHIP_A}).content.decode()
    assert passer_by.post("/tell/", typed(page, text="长" * (monitoring.MAX_TEXT + 1))).status_code == 422
    most = chain.outreach().per_device

    answers = [passer_by.post("/tell/", typed("", token=f"{n:032x}")).status_code for n in range(most + 1)]

    assert answers == [200] * most + [429]


def test_a_township_outside_the_office_is_not_a_place_to_tell_of(passer_by: Client) -> None:
    answer = passer_by.post("/tell/", typed("", at="110101001"))

    assert 'name="token"' not in answer.content.decode()
    assert "?at=520102" in answer.content.decode()


def test_an_address_is_believed_only_from_the_offices_own_proxies(rf, settings) -> None:
    def seen(forwarded: str, direct: str = "10.1.1.1") -> str:
        return client_address(rf.get("/tell/", HTTP_X_FORWARDED_FOR=forwarded, REMOTE_ADDR=direct))

    settings.PROXIES = 0
    assert seen("1.2.3.4") == "10.1.1.1"
    settings.PROXIES = 1
    assert seen("9.9.9.9, 1.2.3.4") == "1.2.3.4"
    assert seen("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert seen("", "127.0.0.1") == "127.0.0.1"
    settings.PROXIES = 2
    assert seen("9.9.9.9, 1.2.3.4, 10.0.0.7") == "1.2.3.4"


def test_the_hotlines_file_is_taken_in_on_the_page(county: Cast, browser, tmp_path: Path) -> None:
    path = tmp_path / "热线.csv"
    path.write_text(
        "工单号,来电时间,内容,地址\nGD1,2024-11-20,没有饭吃,虚构路\nGD2,哪天,没有饭吃,\n", encoding="utf-8"
    )
    desk = browser(county.county)

    with path.open("rb") as file:
        page = desk.post("/reports/hotline/", {"file": file}).content.decode()

    assert "新收 1 件，重复 0 件，读不了 1 件" in page
    assert "第 3 行" in page
    assert desk.get("/reports/hotline-answers.xlsx").status_code == 200


def test_an_auditor_sees_that_a_report_exists_and_not_what_was_said(county: Cast, browser) -> None:
    report = chain.take_report(
        token="a" * 32,
        channel="self",
        region_code=TOWNSHIP_A,
        difficulty="INCOME",
        text="失业三个月。",
        family_name="钱生",
        contact="10000000001",
    )

    page = browser(county.auditor).get(reverse("report", args=[report.number])).content.decode()

    assert report.number in page
    assert not any(secret in page for secret in ("失业三个月", "钱生", "10000000001"))
