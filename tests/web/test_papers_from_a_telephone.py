"""Pictures of papers from who applied: stripped, sealed, counted, and nobody else's application."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from doudi import chain
from doudi.contexts.assistance import self_service
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.models import Application
from doudi.house.attachments import LIMIT, open_attachment
from tests.cast import Cast
from tests.engine.test_pictures import END, JFIF, SCAN, TABLE, segment
from tests.small_county import TOWNSHIP_A, WANG_QIANG

PLACE = segment(0xE1, b"Exif\x00\x00GPS 26.5 106.7")
PLAIN = b"\xff\xd8" + JFIF + TABLE + SCAN + END
PHOTO = b"\xff\xd8" + JFIF + PLACE + TABLE + SCAN + END


@pytest.fixture
def found(county: Cast) -> Application:
    return chain.start_by_oneself(
        kind="DB",
        applicant=assistance.Applicant("王强", WANG_QIANG, "13900000000"),
        reason="没有收入来源",
        region_code=TOWNSHIP_A,
        token="a" * 32,
    )


def send(client: Client, found: Application, content: bytes = PHOTO, code: str = "identity", **more: str):
    typed = {"receipt": found.receipt, "tail": WANG_QIANG[-4:], "code": code, **more}
    return client.post(
        reverse("apply_papers"), {**typed, "picture": SimpleUploadedFile("../../身份证.jpg", content)}
    )


def test_a_picture_is_stripped_sealed_and_shown_as_received(
    county: Cast, found: Application, client: Client, office: Path
) -> None:
    asked = client.post(reverse("apply_progress"), {"receipt": found.receipt, "tail": WANG_QIANG[-4:]})
    said = send(client, found).content.decode()
    again = send(client, found)

    assert "必交，未收" in asked.content.decode()
    assert "照片已收到" in said and "王强" not in said and WANG_QIANG not in said
    paper = found.papers.get()
    assert again.status_code == 200, "the same picture again is the same paper"
    assert open_attachment(paper.evidence_hash) == (PLAIN, "image/jpeg")
    assert (paper.evidence_name, paper.seen_original) == ("手机照片", False)
    assert not any(
        b"GPS" in path.read_bytes() or PLAIN in path.read_bytes() for path in (office / "evidence").iterdir()
    )


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"<svg onload=alert(1)>", "identity", "只收"),
        (b"%PDF-1.7 with a script", "identity", "只收"),
        (b"GIF89a", "identity", "只收"),
        (PHOTO[:40], "identity", "损坏"),
        (b"", "identity", "空的"),
        (PHOTO, "passport", "不能从手机补交"),
    ],
)
def test_what_is_no_picture_of_an_asked_paper_is_refused_in_words(
    found: Application, client: Client, content: bytes, code: str, words: str
) -> None:
    said = send(client, found, content, code)
    assert said.status_code == 422
    assert words in said.content.decode()
    assert not found.papers.exists()


def test_size_and_number_are_bounded(
    found: Application, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(client, found, PHOTO + b"x" * LIMIT).status_code in (413, 422)
    monkeypatch.setattr(self_service, "MOST_PICTURES", 2)
    for number in range(3):
        said = send(client, found, b"\xff\xd8" + JFIF + segment(0xDB, bytes([number])) + SCAN + END)
    assert said.status_code == 422 and found.papers.count() == 2


def test_a_wrong_code_adds_nothing_and_is_counted(found: Application, client: Client) -> None:
    wrong = send(client, found, tail="0000")
    assert "不对" in wrong.content.decode() and not found.papers.exists()
    for _ in range(chain.outreach().looks_per_address):
        last = send(client, found, b"junk", receipt="AAAAAAAAAA")
    assert last.status_code == 429, "a refusal does not undo the count"
    assert client.get(reverse("apply_papers")).status_code == 405


def test_what_is_missing_is_told_once_and_the_window_takes_over(
    county: Cast, found: Application, client: Client, browser
) -> None:
    send(client, found)
    chain.tell_missing(found.number, by=county.township)
    said = send(client, found, code="declaration").content.decode()

    assert "一次性告知日期" in said and "核对授权书" in said
    page = browser(county.township).get(reverse("application", args=[found.number])).content.decode()
    assert "看扫描件" in page
    send(client, found, code="authorisation")
    assistance.name_household(found.number, household_no="H002", by=county.township)
    chain.accept_application(found.number, by=county.township)
    late = send(client, found, code="income")
    assert late.status_code == 422 and "受理窗口" in late.content.decode()
