"""The verification desk: who may press what, and what stays on the page when a step is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from doudi import chain
from doudi.contexts.verification.models import (
    Authorisation,
    Query,
    SupportStatement,
    VerificationRequest,
)
from doudi.web.views.verification.requests import _STEPS


@pytest.fixture
def request_(county) -> VerificationRequest:
    return chain.verify_household(
        "H001", declared={}, kind="new", purpose="dibao", as_of=date(2024, 11, 15), requested_by="窗口",
        by=county.township,
    )  # fmt: skip


def step(desk, request_, name: str, **typed):
    return desk.post(reverse("verification_step", args=[request_.number, name]), typed)


@pytest.mark.parametrize("name", sorted(_STEPS))
def test_who_only_reads_presses_nothing(county, browser, request_, name: str) -> None:
    before = VerificationRequest.objects.values().get(pk=request_.pk)

    answer = step(browser(county.auditor), request_, name, why="审计试按", person="1")

    assert answer.status_code in (403, 422), answer.status_code
    assert VerificationRequest.objects.values().get(pk=request_.pk) == before
    assert not Query.objects.exists() and not Authorisation.objects.exists()


def test_another_county_finds_no_request_and_no_button(county, browser, request_) -> None:
    desk = browser(county.stranger)

    assert desk.get(reverse("verification", args=[request_.number])).status_code == 404
    assert step(desk, request_, "withdraw", why="外县想撤销").status_code == 404
    assert request_.number not in desk.get(reverse("verifications"), {"state": "all"}).content.decode()


def test_a_refused_step_says_why_and_keeps_what_was_typed(county, browser, request_) -> None:
    person = request_.people.first()
    paper = SimpleUploadedFile("授权书.exe", b"MZ not a picture", content_type="application/pdf")

    answer = step(
        browser(county.township), request_, "authorise",
        person=str(person.pk), signed_on="2024-11-14", way="paper", signer=person.name, evidence=paper,
    )  # fmt: skip

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "JPG、PNG" in page
    assert f'name="signer" maxlength="80" value="{person.name}"' in page
    assert not Authorisation.objects.exists()


def test_the_second_click_on_a_step_is_told_and_changes_nothing(county, browser, request_) -> None:
    desk = browser(county.township)

    first = step(desk, request_, "withdraw", why="申请人撤回申请")
    second = step(desk, request_, "withdraw", why="申请人撤回申请")

    assert (first.status_code, second.status_code) == (302, 422)
    assert "现为“撤销”" in second.content.decode()
    assert request_.events.filter(kind="end").count() == 1


def test_the_verifier_reads_names_and_masked_numbers(county, browser, request_) -> None:
    page = browser(county.verifier).get(reverse("verification", args=[request_.number])).content.decode()

    for person in request_.people.all():
        assert person.name in page
        assert person.id_number not in page


LINE = {
    "o0-name": "张小红", "o0-relation": "女", "o0-supported": ["1"], "o0-category": "其他", "o0-persons": "3",
    "o0-income": "4800", "o0-parents": "2", "o0-judged": "", "o0-paid": "",
}  # fmt: skip


def test_the_reference_pack_declares_no_support_and_offers_none(county, browser, request_) -> None:
    desk = browser(county.township)

    assert "登记赡养情况" not in desk.get(reverse("verification", args=[request_.number])).content.decode()
    assert desk.get(reverse("verification_support", args=[request_.number])).status_code == 302


def test_supporters_are_stated_on_the_page_and_shown_in_the_comparison(
    county, browser, request_, settings
) -> None:
    settings.PACK = Path(__file__).resolve().parents[2] / "packs" / "cn"
    desk, page = browser(county.township), reverse("verification_support", args=[request_.number])
    assert 'for="id_o0-supported_0"' in desk.get(page).content.decode()

    empty = desk.post(page, {"o0-name": "", "o0-supported": []})
    assert empty.status_code == 422 and "没有填任何赡养人" in empty.content.decode()
    half = desk.post(page, LINE | {"o0-parents": ""})
    assert half.status_code == 422 and 'value="张小红"' in half.content.decode()
    assert not SupportStatement.objects.exists()
    assert desk.post(page, LINE).status_code == 302
    assert 'value="4800.00"' in desk.get(page).content.decode()
    assert browser(county.verifier).get(page).status_code == 403

    VerificationRequest.objects.filter(pk=request_.pk).update(state="comparing")
    shown = browser(county.verifier).get(reverse("verification", args=[request_.number])).content.decode()
    assert "赡养费核算" in shown and "公式核算" in shown and "赡养线倍数=2倍" in shown
    assert "张小红" not in shown

    chain.issue_report(request_.number, by=county.verifier)
    report = request_.reports.get()
    assert (
        "公式核算"
        in browser(county.verifier).get(reverse("verification_report", args=[report.number])).content.decode()
    )
    paper = chain.report_paper(report.number, form="docx", address="", by=county.verifier)
    assert paper[:2] == b"PK"
    assert chain.check_report(report.number, by=county.verifier).equal
