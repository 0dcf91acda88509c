"""Through the browser: the union's monthly Excel to filed and acknowledged; a need matched, given and its outcome told."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from django.utils import timezone

from doudi.contexts.charity import services as charity
from doudi.contexts.charity.models import AidFiling, Claim, ClosingReceipt, Need
from tests.cast import Cast, assemble
from tests.linked_county import STORY, TEXT, bodies, small_cells
from tests.small_county import WANG_QIANG, ZHANG_WEI


@pytest.fixture
def cast(county, monkeypatch) -> Cast:
    people = assemble()
    small_cells(monkeypatch)
    bodies(people)
    return people


def last_month() -> str:
    first = timezone.localdate().replace(day=1)
    return f"{first - timedelta(days=2):%Y-%m-%d}"


def workbook(to: Path) -> Path:
    made = openpyxl.Workbook()
    page = made.active
    page.append(["县总工会帮扶情况（虚构）"])
    page.append(["序号", "困难职工姓名", "身份证号码", "慰问时间", "慰问金（元）", "救助类型"])
    page.append([1, "王强", WANG_QIANG, last_month(), 2000, "大病"])
    page.append([2, "张伟", ZHANG_WEI, last_month(), "叁百", "送温暖"])
    made.save(to)
    return to


def test_the_unions_excel_to_filed_and_acknowledged(cast: Cast, sit_down, tmp_path: Path) -> None:
    union = sit_down("member")
    union.open("/linkage/books/")
    union.page.set_input_files("#id_file", str(workbook(tmp_path / "本月.xlsx")))
    union.page.fill("#id_month", last_month())
    union.press(".side-steps button")

    # the first time its columns are assigned; most are guessed
    assert "第一次见到这样的表头" in union.text()
    assert union.page.input_value("#id_columns-c2") == "慰问时间"
    union.page.select_option("#id_columns-money", "UNION")
    union.page.select_option("#id_columns-way", "cash")
    union.press("form[action$='/do/columns/'] button")
    assert "第 4 行" in union.text() and "金额读不懂" in union.text()
    union.press("form[action$='/do/take/'] button")
    assert AidFiling.objects.get().household_no == "H002"

    # the workbook comes back marked
    with union.page.expect_download() as coming:
        union.page.click("a[href$='marked.xlsx']")
    marked = openpyxl.load_workbook(BytesIO(Path(coming.value.path()).read_bytes())).active
    assert marked["G2"].value == "备案结果"
    assert "已备案" in marked["G3"].value and "金额读不懂" in marked["G4"].value

    # the month is closed, and the county has it
    union.open("/linkage/filings/months/")
    union.page.fill("#id_month", last_month())
    union.press(".side-steps button")
    county = sit_down("county")
    county.open("/linkage/filings/months/")
    county.press("form[action$='/receive/'] button")
    assert ClosingReceipt.objects.get().received_by == "county"
    union.open("/linkage/filings/months/")
    assert "县级收讫" in union.text()
    assert union.troubles + county.troubles == []


def test_a_need_is_matched_given_and_its_outcome_told(cast: Cast, sit_down, tmp_path: Path) -> None:
    charity.open_project(
        name="大病补充",
        kinds=["MEDICAL"],
        budget_fen=100_000_00,
        starts_on=timezone.localdate(),
        by=cast.charity,
    )
    paper = tmp_path / "同意书.pdf"
    paper.write_bytes(b"%PDF-1.4 signed")

    window = sit_down("township")
    window.open("/households/H002/")
    window.press("a[href='/linkage/received/H002/']")
    window.press("a[href='/linkage/needs/new/H002/']")
    window.page.select_option("#id_kind", "MEDICAL")
    window.page.select_option("#id_group", "ILL")
    window.page.select_option("#id_tier", "1")
    window.page.fill("#id_need_fen", "50000")
    window.page.fill("#id_story", STORY)
    window.press("main form button")
    code = re.search(r"XQ-\w{7}", window.page.url).group()
    window.page.fill("#id_consent-signer", "王强")
    window.page.set_input_files("#id_consent-evidence", str(paper))
    window.press("form[action$='/do/consent/'] button")

    # the county checks the text: a name is refused and stays to be mended
    county = sit_down("county")
    county.open(f"/linkage/needs/one/{code}/")
    county.page.fill("#id_publish-public_text", "王强家中有人重病，希望补充费用。")
    county.press("form[action$='/do/publish/'] button")
    assert "姓名" in county.text()
    county.page.fill("#id_publish-public_text", TEXT)
    county.press("form[action$='/do/publish/'] button")
    assert Need.objects.get().status == "published"
    county.open("/linkage/matching/")
    county.press("main form button")
    county.press("button[value=accept]")

    # the charity sees what is missing and never who
    body = sit_down("charity", size=(390, 844))
    body.open("/")
    assert code in body.text() or Claim.objects.get().number in body.text()
    body.press(f"a[href='/linkage/claims/{Claim.objects.get().number}/']")
    assert TEXT in body.text()
    assert "王强" not in body.page.content() and "H002" not in body.page.content()
    assert body.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    body.page.select_option("#id_grant-way", "cash")
    body.page.fill("#id_grant-amount_fen", "50000")
    body.page.select_option("#id_grant-money", "DONATION")
    body.press("form[action$='/do/grant/'] button")

    window.open(f"/linkage/claims/{Claim.objects.get().number}/")
    window.page.select_option("#id_outcome-result", "solved")
    window.page.fill("#id_outcome-outcome", "欠费已结清，继续治疗。")
    window.press("form[action$='/do/outcome/'] button")
    window.open("/linkage/received/H002/")
    assert "虚构县慈善会" in window.text() and "50,000.00" in window.text()
    assert (Claim.objects.get().result, Need.objects.get().status) == ("solved", "met")
    assert window.troubles + body.troubles == []
