"""Doubts, stops, the ledger and the report on the workbench: what each role sees, does, and is refused."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import audit_entries, system_user
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.house import documents
from tests import small_county as sc

AS_OF = date(2024, 12, 31)


@pytest.fixture
def doubted(county, tmp_path: Path):
    """The small county with payments to the late 赵国 found as a doubt."""
    days = ["2024-10-10", "2024-11-10", "2024-12-10"]
    rows = [["赵国", sc.ZHAO_GUO, "低保金", "452.30", day] for day in days]
    path = sc.write_csv(tmp_path / "救助发放.csv", ["姓名", "身份证号", "救助项目", "金额", "发放日期"], rows)
    chain.take_in_file("grant", path, as_of=AS_OF, by=system_user())
    chain.find_doubts(as_of=AS_OF, by=system_user())
    return county


def number() -> str:
    return monitoring.doubts(by=system_user(), status="all").get().number


def recovered(cast) -> str:
    """The doubt concluded and half of the money back; gives the recovery's number."""
    doubt = chain.assign_doubt(number(), to="钱村干", by=cast.county)
    monitoring.add_evidence(doubt, label="火化证明", content=b"%PDF-1.4", by=cast.other_township)
    chain.check_doubt(
        doubt.number, checked_on=AS_OF, checkers=["吴乡办", "钱村干"], finding="火化证明与流水核对一致。",
        conclusion="A", overpaid_fen=None, heard="家属愿意退还。", by=cast.other_township,
    )  # fmt: skip
    chain.review_doubt(doubt.number, approve=True, note="同意，证据充分", by=cast.county)
    recovery = assistance.recovery_for(doubt.number, by=cast.county)
    assistance.receive(recovery.number, amount_fen=45230, voucher="S-1", on=AS_OF, by=cast.county)
    return recovery.number


def test_the_list_and_the_page_say_which_payment_counts_and_why(doubted, browser) -> None:
    desk = browser(doubted.county)

    rows = desk.get(reverse("doubts")).content.decode()
    page = desk.get(reverse("doubt", args=[number()])).content.decode()

    assert "死亡后仍发放" in rows and "904.60" in rows
    assert "2024-10当月及以前，照发" in page and "2024-10的次月起" in page


def test_a_director_sees_the_number_and_no_family(doubted, browser) -> None:
    page = browser(doubted.director).get(reverse("doubt", args=[number()])).content.decode()

    assert "904.60" in page and "赵国" not in page and "赵*" in page
    assert "2024-11-10" not in page


def test_a_wrong_file_is_told_and_a_right_one_comes_back_as_a_download(doubted, browser) -> None:
    chain.assign_doubt(number(), to="钱村干", by=doubted.county)
    desk = browser(doubted.other_township)
    address = reverse("evidence", args=[number()])

    wrong = desk.post(
        address, {"label": "证明", "file": SimpleUploadedFile("a.pdf", b"<script>alert(1)</script>")}
    )
    right = desk.post(address, {"label": "证明", "file": SimpleUploadedFile("x.exe", b"%PDF-1.4 ok")})
    paper = monitoring.doubt_of(number(), by=system_user()).evidence.get()
    answer = desk.get(reverse("paper", args=[number(), paper.pk]))

    assert wrong.status_code == 422 and "只收 JPG、PNG 照片或 PDF 扫描件" in wrong.content.decode()
    assert right.status_code == 302
    assert answer.content == b"%PDF-1.4 ok" and answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment")


def test_the_check_that_is_refused_keeps_what_was_typed(doubted, browser) -> None:
    chain.assign_doubt(number(), to="钱村干", by=doubted.county)
    typed = {
        "checked_on": "2024-12-20", "checker_1": "吴乡办", "checker_2": "钱村干", "finding": "火化证明与流水一致，属实。",
        "heard": "", "conclusion": "A", "overpaid": "",
    }  # fmt: skip

    page = browser(doubted.other_township).post(reverse("check_doubt", args=[number()]), typed)

    assert page.status_code == 422
    assert "听取家庭陈述" in page.content.decode() and "火化证明与流水一致，属实。" in page.content.decode()


def test_a_stop_is_decided_on_its_page(doubted, browser) -> None:
    stop = monitoring.stops(by=doubted.county).get()
    desk = browser(doubted.county)
    assert "赵国" in desk.get(reverse("stops")).content.decode()

    answer = desk.post(
        reverse("decide_stop", args=[stop.number]),
        {"confirm": "yes", "stop_from": "2024-11-01", "ground": "火化证明已核"},
        follow=True,
    )

    assert "已记录从 2024-11 起停发" in answer.content.decode()
    assert browser(doubted.township).get(reverse("stop", args=[stop.number])).status_code == 404


def test_the_ledger_page_enters_and_a_director_decides_the_write_off(doubted, browser) -> None:
    recovery = recovered(doubted)
    desk, director = browser(doubted.county), browser(doubted.director)

    page = desk.get(reverse("recovery", args=[recovery])).content.decode()
    over = desk.post(
        reverse("recovery_receive", args=[recovery]),
        {"amount": "1000", "voucher": "S-2", "on": "2024-12-20", "into": "bank"},
    )
    desk.post(
        reverse("recovery_ask-write-off", args=[recovery]),
        {"amount": "452.30", "ground": "债务人死亡，无遗产可供执行。"},
    )
    director.post(
        reverse("recovery_decide-write-off", args=[recovery]),
        {"approve": "yes", "document": "虚构核销〔2024〕1号", "note": "同意核销"},
    )

    assert "账实相符" in page
    assert over.status_code == 422 and "超过未追回的" in over.content.decode()
    found = assistance.recovery_of(recovery, by=doubted.county)
    assert (found.written_off_fen, found.outstanding_fen) == (45230, 0)
    refused = director.post(reverse("recovery_receive", args=[recovery]), {})
    assert refused.status_code == 403


def report_file(desk, form: str):
    today = timezone.localdate()
    return desk.get(
        reverse("rectification_file", args=[form]), {"since": f"{today:%Y}-01-01", "until": f"{today}"}
    )


def test_the_report_says_the_same_on_the_page_in_word_and_in_the_log(doubted, browser) -> None:
    from docx import Document

    recovered(doubted)
    desk = browser(doubted.auditor)
    page = desk.get(reverse("rectification")).content.decode()

    answer = report_file(desk, "docx")
    word = Document(io.BytesIO(answer.content))
    said = "\n".join(paragraph.text for paragraph in word.paragraphs)
    by_kind = [[cell.text for cell in row.cells] for row in word.tables[0].rows]

    assert "共发现疑点1条，已核查1条，其中属实1条" in said
    assert "应追缴904.60元，已追回452.30元，已核销0.00元，未追回452.30元" in said
    assert by_kind[1] == ["死亡后仍发放", "1", "1", "1", "0", "0", "1", "904.60", "452.30", "0.00", "452.30"]
    assert by_kind[-1][1:] == by_kind[1][1:]
    for figure in ("904.60", "452.30"):
        assert figure in page
    assert "赵国" not in said + str([[c.text for c in row.cells] for t in word.tables for row in t.rows])
    entry = audit_entries(by=doubted.auditor, act="export_rectification").first()
    assert entry.detail["content"] == answer["X-Content-Hash"]


def test_the_pdf_is_set_in_a_chinese_font_or_refused_in_plain_words(
    doubted, browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        family = documents.chinese_font()
    except documents.FontMissing:
        pytest.skip("没有中文字体 no Chinese font on this machine")
    desk = browser(doubted.county)

    answer = report_file(desk, "pdf")
    monkeypatch.setattr(documents, "_FAMILIES", ("No Such Font",))
    refused = report_file(desk, "pdf")

    assert answer.content.startswith(b"%PDF-")
    assert (
        family.replace(" ", "").encode() in answer.content.replace(b"-", b"").replace(b"#20", b"")
        or b"CJK" in answer.content
    )
    assert refused.status_code == 400 and "没有中文字体" in refused.content.decode()


@pytest.mark.parametrize("who", ["county", "director", "auditor", "other_township"])
def test_the_pages_are_english_where_asked(doubted, browser, who: str) -> None:
    desk = browser(getattr(doubted, who), "en")

    for name in ("doubts", "stops", "recoveries"):
        page = desk.get(reverse(name)).content.decode()
        assert '<html lang="en"' in page
    assert "Paid after death" in desk.get(reverse("doubts")).content.decode()


def test_each_number_of_the_report_has_its_own_list_behind_it(doubted, browser) -> None:
    desk = browser(doubted.county)
    page = desk.get(reverse("rectification"), {"since": "2020-01-01", "until": "2020-12-31"}).content.decode()
    behind = desk.get(
        reverse("doubts"), {"status": "all", "since": "2020-01-01", "until": "2020-12-31"}
    ).content.decode()

    assert "这段时间没有疑点" in page
    assert "没有符合条件的疑点" in behind and "只看 2020-01-01 至 2020-12-31" in behind
    assert "status=all&amp;since=2020-01-01&amp;until=2020-12-31" in page


def test_the_day_begins_with_the_deaths_that_wait(doubted, browser) -> None:
    assert "停发建议" in browser(doubted.county).get(reverse("home")).content.decode()
    assert reverse("stops") in browser(doubted.other_township).get(reverse("home")).content.decode()
    assert reverse("stops") not in browser(doubted.township).get(reverse("home")).content.decode()
