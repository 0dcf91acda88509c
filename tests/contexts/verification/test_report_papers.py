"""A report as PDF and Word, what it says, and what a stranger with its code may know."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from docx import Document

from doudi.contexts.accounts.services import audit_entries
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import Report
from doudi.contexts.verification.papers import _paper
from doudi.contexts.verification.services import PersonAsked, ReportNotFound, StepRefused
from doudi.house import documents, qrcode
from tests.contexts.verification.desk import answer_all, started
from tests.small_county import LI_LI, ZHANG_WEI

ADDRESS = "https://hedui.example.cn"


@pytest.fixture
def report(opened, sign, rules, verifier, clerk, pack, tmp_path):
    people = [
        PersonAsked("张伟", ZHANG_WEI, "户主", declared={"工资": 12_000_00}),
        PersonAsked("李丽", LI_LI, "配偶"),
    ]
    request = started(opened, sign, rules, verifier, clerk, people=people)
    answer_all(pack, rules, tmp_path, verifier, besides=("deposit",))
    verification.mark_failed(request.number, "deposit", why="银行接口停机", rules=rules, by=verifier)
    return verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)


def words(content: bytes) -> str:
    document = Document(io.BytesIO(content))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    heads = [p.text for p in document.sections[0].header.paragraphs]
    return "\n".join([p.text for p in document.paragraphs] + cells + heads)


def test_the_word_paper_says_what_the_report_says(report, rules, verifier, make_user):
    told = words(
        verification.report_paper(report.number, form="docx", address=ADDRESS, rules=rules, by=verifier)
    )
    for part in (
        report.number, "张伟", "失败", "部分结果", "待核", "是审核确认的参考依据，不是决定", report.sha256, report.sm3,
        report.check_code, "盖章", "verifier1", "意见：需入户核实", "社会救助暂行办法",
    ):  # fmt: skip
        assert part in told, part
    assert ZHANG_WEI not in told
    assert f"{ZHANG_WEI[:6]}" in told  # masked as everywhere
    entry = audit_entries(by=make_user("auditor1", "auditor", "520102"), act="export_report").first()
    assert (entry.detail["report"], entry.detail["form"]) == (report.number, "docx")


def test_the_pdf_is_set_with_a_code_a_seal_place_and_rare_characters(report, rules, verifier):
    made = verification.report_paper(report.number, form="pdf", address=ADDRESS, rules=rules, by=verifier)
    assert made.startswith(b"%PDF-")
    assert made.count(b"/FontFile") >= 1  # fonts are inside: an office without them reads the same
    paper = _paper(report, ADDRESS, verification.sight_of(rules, verifier), verifier)
    assert paper.code == f"{ADDRESS}/check/{report.check_code}/"
    # a name outside the basic plane is set, and from a font that has it, where this machine has one
    rare = documents.Paper("核对报告", "𠮷㼆䶮", (documents.text("𠮷㼆䶮"),), ())
    assert documents.to_pdf(rare).startswith(b"%PDF-")


def test_who_may_not_see_identities_gets_surnames(report, rules, make_user):
    auditor = make_user("auditor1", "auditor", "520102")
    told = words(verification.report_paper(report.number, form="docx", address="", rules=rules, by=auditor))
    assert "张伟" not in told
    assert "张*" in told
    with pytest.raises(ReportNotFound):
        verification.report_paper(
            report.number, form="pdf", address="", rules=rules, by=make_user("far", "verifier", "610102")
        )
    with pytest.raises(StepRefused):
        verification.report_paper(report.number, form="exe", address="", rules=rules, by=auditor)


def test_a_stranger_with_the_code_learns_whether_it_stands_and_nothing_of_the_family(report):
    page = Client().get(f"/check/{report.check_code.lower()}/")
    said = page.content.decode()
    assert page.status_code == 200
    assert report.number in said and report.sha256 in said and "有效" in said
    assert not any(part in said for part in ("张", "520102", report.advice, ZHANG_WEI[:6]))
    Report.objects.filter(pk=report.pk).update(valid_to=timezone.localdate() - timedelta(days=1))
    assert "已过有效期" in Client().get(f"/check/{report.check_code}/").content.decode()
    assert Client().get("/check/0000000000000000/").status_code == 404
    assert Client().get(f"/check/{report.check_code[:15]}/").status_code == 404


def test_a_paper_without_the_new_parts_has_the_digest_it_always_had():
    paper = documents.Paper("题", "副题", (documents.text("一"),), ("落款",))
    before = (
        '{"blocks":[{"header":[],"kind":"text","numbers":[],"rows":[],"words":"一"}],"foot":["落款"],'
        '"subtitle":"副题","title":"题"}'
    )
    assert paper.digest == hashlib.sha256(before.encode()).hexdigest()


# made by this module and equal, module by module, to what segno 1.6.6 draws for the same version, level and mask
_KNOWN = {
    "Hd7kHd7kHd7kHd": "e3f2c218a531b377",
    ("Hd7k" * 100)[:122]: "ca247debbefcbc5c",
    ("Hd7k" * 100)[:213]: "602caa8b60bbd252",
}  # fmt: skip


@pytest.mark.parametrize("text", _KNOWN, ids=len)
def test_codes_are_those_that_another_program_draws(text):
    made = "\n".join("".join("#" if dark else "." for dark in row) for row in qrcode.matrix(text))
    assert hashlib.sha256(made.encode()).hexdigest()[:16] == _KNOWN[text]
