"""The one window at the browser: taking in, the steps of an application, letters, the telephone, the department's Excel."""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.assistance.models import Application
from doudi.contexts.registry.models import Person
from tests.applying import PICTURE, applied, verified, visited
from tests.cast import Cast
from tests.small_county import TOWNSHIP_A, WANG_QIANG, make_id


def token_of(page: Any) -> str:
    return re.search(r'name="token" value="([0-9a-f]{32})"', page.content.decode())[1]  # type: ignore[index]


def start(desk: Client, **more: Any) -> Application:
    page = desk.get(reverse("window_new"), {"household": "H002"})
    person = Person.objects.get(name="王强")
    typed = {
        "household": "H002", "token": token_of(page), "kind": "DB", "applicant": str(person.pk), "phone": "",
        "reason": "没有收入来源", "papers": ["identity", "declaration", "authorisation"], **more,
    }  # fmt: skip
    answer = desk.post(reverse("window_new"), typed)
    found = Application.objects.get()
    assert answer["Location"] == reverse("application", args=[found.number])
    # the same form again is the same application
    desk.post(reverse("window_new"), typed)
    assert Application.objects.count() == 1
    return found


def do(desk: Client, found: Application, step: str, **typed: Any) -> Any:
    return desk.post(reverse("application_step", args=[found.number, step]), typed, follow=True)


def test_a_person_is_found_and_taken_in_and_the_receipt_printed(county: Cast, browser: Callable) -> None:
    desk = browser(county.township)
    found = desk.get(reverse("window_new"), {"q": WANG_QIANG}).content.decode()
    assert "H002" in found and "王强" in found

    application = start(desk)
    page = desk.get(reverse("application", args=[application.number])).content.decode()
    assert "必交，未收" not in page
    assert WANG_QIANG not in page
    printed = desk.post(
        reverse("issue_letter", args=[application.number]), {"letter": "回执", "form": "docx"}
    )
    assert printed.content.startswith(b"PK") and "attachment" in printed["Content-Disposition"]
    # with a QR code that leads to the progress page and names nobody
    kept = json.loads(application.letters.get().content)
    assert kept["code"] == f"http://testserver{reverse('apply_progress')}"
    assert application.receipt[:5] in json.dumps(kept, ensure_ascii=False)
    with zipfile.ZipFile(io.BytesIO(printed.content)) as word:
        assert [name for name in word.namelist() if name.startswith("word/media/")]


def test_somebody_who_is_not_on_the_register_is_not_sent_away(county: Cast, browser: Callable) -> None:
    desk = browser(county.township)
    number = make_id("19880808", 81)
    assert "新立户" in desk.get(reverse("window_new"), {"q": number}).content.decode()
    page = desk.get(reverse("window_family"))
    typed = {"token": token_of(page), "region_code": TOWNSHIP_A, "urban_rural": "城镇", "ground": "户口簿",
             "name_0": "何新", "id_0": number}  # fmt: skip
    typed |= {f"{name}_{row}": "" for name in ("name", "id", "relation") for row in range(1, 6)}
    answer = desk.post(reverse("window_family"), typed)
    assert answer.status_code == 302 and "household=XH" in answer["Location"]
    assert "何新" in desk.get(answer["Location"]).content.decode()

    wrong = desk.post(reverse("window_family"), {**typed, "token": "a" * 32, "id_0": "123"})
    assert wrong.status_code == 422 and "何新" in wrong.content.decode()


def test_the_steps_of_an_application_and_a_refusal_keeps_what_was_typed(
    county: Cast, browser: Callable, tmp_path: Path
) -> None:
    desk = browser(county.township)
    found = start(desk)
    assert "已受理" in do(desk, found, "accept", kin_of="").content.decode()
    verified(found.number, by=county.township, verifier=county.verifier, folder=tmp_path)
    today = f"{timezone.localdate():%Y-%m-%d}"
    alone = do(
        desk,
        found,
        "visit",
        visited_on=today,
        investigators="李乡办",
        findings="住房两间，无车辆",
        agrees="yes",
    )
    assert alone.status_code == 422
    assert "2 名以上" in alone.content.decode() and "住房两间，无车辆" in alone.content.decode()
    do(
        desk,
        found,
        "visit",
        visited_on=today,
        investigators="周某、吴某",
        findings="住房两间，无车辆",
        agrees="yes",
    )
    do(desk, found, "opinion", grant="yes", ground="符合条件")
    picture = SimpleUploadedFile("公示.jpg", PICTURE, content_type="image/jpeg")
    page = do(desk, found, "notice", place="公示栏", posted_on=today, evidence=picture).content.decode()
    assert "公示已登记" in page
    found.refresh_from_db()
    assert found.state == "notice"
    text = found.notices.get().text
    assert "王强" not in text

    # the county sees it, its desk offers no decision before the notice has ended
    county_page = browser(county.county).get(reverse("application", args=[found.number])).content.decode()
    assert 'id="s-decide"' not in county_page


def test_the_decision_page_and_its_letter(county: Cast, browser: Callable, tmp_path: Path) -> None:
    found = applied(county.township, kind="BY", name="王强", id_number=WANG_QIANG, household_no="H002")
    chain.accept_application(found.number, by=county.township)
    verified(found.number, by=county.township, verifier=county.verifier, folder=tmp_path)
    visited(found.number, by=county.township)
    chain.give_opinion(found.number, grant=False, ground="收入更低，应申请低保", by=county.township)
    desk = browser(county.county)
    page = desk.get(reverse("application", args=[found.number])).content.decode()
    assert 'id="s-decide"' in page
    answer = do(desk, found, "decide", grant="no", ground="收入低于低保标准，应申请低保")
    assert "决定已作出" in answer.content.decode()
    made = found.decisions.get()
    shown = desk.get(reverse("decision", args=[made.number])).content.decode()
    assert "什么变化会改变这一结论" in shown and made.report_number in shown
    # the family is poorer than marginal: the reason is the allowance that it should apply for
    assert "符合低保" in made.sentence and "低保边缘" not in made.sentence
    letter = desk.post(
        reverse("issue_letter", args=[found.number]), {"decision": made.number, "form": "docx"}
    )
    assert letter.content.startswith(b"PK")
    # a director reads masked names, an auditor no reason of the family
    for who in (county.director, county.auditor):
        other = browser(who).get(reverse("application", args=[found.number])).content.decode()
        assert "王强" not in other and "失去劳动能力" not in other


@pytest.mark.parametrize("who", ["other_township", "stranger"])
def test_another_area_finds_no_such_page(who: str, county: Cast, browser: Callable) -> None:
    found = applied(county.township, name="王强", id_number=WANG_QIANG, household_no="H002")
    desk = browser(getattr(county, who))
    assert desk.get(reverse("application", args=[found.number])).status_code == 404
    assert do(desk, found, "accept").status_code == 404


def test_every_page_of_the_window_stands_in_both_languages(
    county: Cast, browser: Callable, tmp_path: Path
) -> None:
    found = applied(county.township, name="王强", id_number=WANG_QIANG, household_no="H002")
    chain.accept_application(found.number, by=county.township)
    chain.keep_resource(
        {"name": "补助", "layer": "special", "provider": "局", "department": "医保", "basis": "文件", "content": "cash",
         "channel": "窗口", "valid_from": timezone.localdate()}, by=county.county,
    )  # fmt: skip
    for language in ("zh-hans", "en"):
        for who in (county.township, county.county):
            desk = browser(who, language)
            for address in (
                reverse("window"), reverse("window_new"), reverse("window_family"), reverse("kin"),
                reverse("application", args=[found.number]), reverse("application_verify", args=[found.number]),
                reverse("entitlements", args=["H002"]), reverse("resources"),
                reverse("resource", args=["ZY-520102-0001"]),
            ):  # fmt: skip
                page = desk.get(address)
                assert page.status_code == 200, address
                text = page.content.decode()
                assert len(re.findall(r"<h1", text)) == 1, address
                levels = [int(n) for n in re.findall(r"<h([1-6])", text)]
                assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), (address, levels)
                ids = re.findall(r'\sid="([^"]+)"', text)
                assert len(ids) == len(set(ids)), (address, [i for i in ids if ids.count(i) > 1])
                assert not re.search(r"\son\w+=|<style|style=", text), address
                assert all(f'id="{name}"' in text for name in re.findall(r'<label for="([^"]+)"', text)), (
                    address
                )


def test_an_application_on_the_telephone_and_its_progress(county: Cast, client: Client) -> None:
    page = client.get(reverse("apply"), {"at": TOWNSHIP_A})
    typed = {"at": TOWNSHIP_A, "token": token_of(page), "village": "", "kind": "DB", "name": "王强",
             "id_number": WANG_QIANG, "phone": "13900000000", "reason": "没有收入来源", "consent": "on", "website": ""}  # fmt: skip
    done = client.post(reverse("apply"), typed).content.decode()
    code = re.search(r'id="receipt">([A-Z0-9]{5}-[A-Z0-9]{5})<', done)
    assert code is not None
    found = Application.objects.get()
    assert (found.channel, found.region_code) == ("self", TOWNSHIP_A)

    told = client.post(
        reverse("apply_progress"), {"receipt": code[1], "tail": WANG_QIANG[-4:]}
    ).content.decode()
    assert "已提交" in told and "王强" not in told
    wrong = client.post(reverse("apply_progress"), {"receipt": code[1], "tail": "0000"}).content.decode()
    assert "不对" in wrong and "已提交" not in wrong
    for _ in range(chain.outreach().looks_per_address):
        last = client.post(reverse("apply_progress"), {"receipt": "AAAAA-AAAAA", "tail": "0000"})
    assert last.status_code == 429

    # a program that fills in every field betrays itself
    again = client.post(reverse("apply"), {**typed, "token": "b" * 32, "website": "http://x"})
    assert again.status_code == 200 and Application.objects.count() == 1


def test_a_department_downloads_and_returns_its_workbook(county: Cast, browser: Callable) -> None:
    found = applied(county.township, kind="MED", name="王强", id_number=WANG_QIANG, household_no="H002")
    sent = chain.transfer_application(found.number, department="医保", why="由医保负责", by=county.township)
    desk = browser(county.department)
    assert "下载待办表格" in desk.get(reverse("inbox")).content.decode()
    content = desk.get(reverse("referral_book")).content
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.active
    header = [cell.value for cell in sheet[2]]
    for label, text in (("办理结果", "解决"), ("金额（元）", "3000"), ("办理情况", "已给予医疗救助")):
        sheet.cell(3, header.index(label) + 1).value = text
    out = io.BytesIO()
    book.save(out)
    page = desk.post(reverse("referral_book"), {"file": SimpleUploadedFile("回传.xlsx", out.getvalue())})
    assert "已受理。" in page.content.decode()
    sent.refresh_from_db()
    found.refresh_from_db()
    assert (sent.status, found.state) == ("answered", "closed")
    marked = desk.post(
        reverse("referral_book"), {"file": SimpleUploadedFile("回传.xlsx", out.getvalue()), "answer": "xlsx"}
    )
    assert marked.content.startswith(b"PK")


def test_the_county_keeps_kin_samples_and_late_transfers(county: Cast, browser: Callable) -> None:
    desk = browser(county.county)
    typed = {
        "staff_name": "王乡长",
        "staff_post": "副乡长",
        "relation": "兄弟",
        "name": "王强",
        "id_number": WANG_QIANG,
    }
    assert "已备案" in desk.post(reverse("kin"), typed, follow=True).content.decode()
    assert WANG_QIANG not in desk.get(reverse("kin")).content.decode()
    refused = desk.post(reverse("samples"), {"first": "2024-01-01", "last": "2024-01-31"})
    assert refused.status_code == 422 and "没有乡镇受委托确认" in refused.content.decode()
    assert desk.get(reverse("transfers")).status_code == 200
