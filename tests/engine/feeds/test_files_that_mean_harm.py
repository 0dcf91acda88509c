"""Broken and hostile files: each is refused in plain words, quickly, and none fills the memory."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import pytest

from doudi.engine.feeds import FileUnreadable, recognise, workbooks
from tests.engine.feeds.outbox import MEDICAL, SPECS, bill, csv_file, number, read, xlsx_file


def refused(source: Path | bytes) -> FileUnreadable:
    started = time.monotonic()
    with pytest.raises(FileUnreadable) as found:
        read("medical", source)
    with pytest.raises(FileUnreadable):
        recognise(SPECS, source)
    assert time.monotonic() - started < 20
    assert found.value.zh and found.value.en
    return found.value


def workbook_with(folder: Path, part: str, content: bytes) -> Path:
    """A good workbook in which one part is replaced."""
    good = xlsx_file(folder, [MEDICAL, bill("虚小一", number(1))], name="good.xlsx")
    path = folder / "bad.xlsx"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, content if entry.filename == part else old.read(entry))
    return path


def test_nothing_at_all() -> None:
    assert "空文件" in refused(b"").zh


def test_a_file_of_blanks() -> None:
    assert "没有内容" in refused(b" \n,,\n").zh


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 and then nothing",
        b"PAR1 and then nothing",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    ],
)
def test_a_beginning_without_an_end(content: bytes) -> None:
    refused(content)


def test_a_workbook_cut_short(tmp_path: Path) -> None:
    whole = xlsx_file(tmp_path, [MEDICAL, bill("虚小一", number(1))]).read_bytes()

    for length in range(100, len(whole), 97):
        refused(whole[:length])


def test_an_old_workbook_cut_short() -> None:
    whole = (Path(__file__).parent / "old_format.xls").read_bytes()

    for length in (512, 1024, 2048, 4000):
        refused(whole[:length])


def test_an_old_workbook_with_one_cell_at_the_end_of_the_world() -> None:
    content = bytearray((Path(__file__).parent / "old_format.xls").read_bytes())
    cell = content.index(b"\x03\x02\x0e\x00")  # a NUMBER record: row and column follow
    content[cell + 4 : cell + 8] = b"\xff\xff\xff\xff"

    refused(bytes(content))


def test_a_sheet_with_a_row_beyond_the_last(tmp_path: Path) -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="4000000000"><c r="A4000000000"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )

    assert refused(workbook_with(tmp_path, "xl/worksheets/sheet1.xml", sheet)).code == "file_too_large"


def test_a_zip_that_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("readme.txt", "hello")

    assert "不是 Excel 工作簿" in refused(path).zh


@pytest.fixture
def bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workbook that unpacks to 40 MiB where 8 are allowed (in earnest it is 1 GiB)."""
    monkeypatch.setattr(workbooks, "_MAX_UNPACKED", 8 << 20)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        package.writestr("xl/workbook.xml", "<workbook/>")
        package.writestr("xl/sharedStrings.xml", b" " * (40 << 20))
    return path


def test_a_zip_bomb(bomb: Path) -> None:
    assert refused(bomb).code == "file_too_large"


def test_a_zip_bomb_that_lies_about_its_size(bomb: Path) -> None:
    size, lie = (40 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    content = bomb.read_bytes()
    assert content.count(size) == 2
    bomb.write_bytes(content.replace(size, lie))

    assert refused(bomb).code == "file_too_large"


def test_a_sheet_with_one_cell_at_the_end_of_the_world(tmp_path: Path) -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )

    assert refused(workbook_with(tmp_path, "xl/worksheets/sheet1.xml", sheet)).code == "file_too_large"


def test_a_sheet_that_is_no_xml(tmp_path: Path) -> None:
    refused(
        workbook_with(tmp_path, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row r='1'><c r='A1'")
    )


def test_an_entity_in_a_sheet_reads_no_file(tmp_path: Path) -> None:
    sheet = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>&f;</t></is></c></row></sheetData></worksheet>'
    )
    path = workbook_with(tmp_path, "xl/worksheets/sheet1.xml", sheet)

    with pytest.raises(Exception) as found:
        read("medical", path)

    assert "root:" not in str(found.value)
    assert hasattr(found.value, "zh")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"<html><table><tr><td>x</td></tr></table></html>", "网页"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0", "图片"),
        (b"MZ\0\0\x01\0\0\0", "不是工作簿"),
    ],
)
def test_another_kind_of_file_under_a_table_s_name(content: bytes, word: str) -> None:
    assert word in refused(content).zh


def test_a_workbook_behind_a_password() -> None:
    content = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + b"\0" * 504
        + "EncryptedPackage".encode("utf-16-le")
        + b"\0" * 2048
    )

    assert refused(content).code == "file_encrypted"


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [MEDICAL])
    content = bytearray(path.read_bytes())
    place = 0
    while (place := content.find(b"PK\x01\x02", place)) >= 0:
        content[place + 8] |= 1
        place += 4

    assert refused(bytes(content)).code == "file_encrypted"


def test_a_text_in_no_known_encoding(tmp_path: Path) -> None:
    good = csv_file(tmp_path, [MEDICAL, *(bill("虚小一", number(n)) for n in range(9))]).read_bytes()

    assert "编码" in refused(good + b"\xff\xff\xff").zh
    assert "编码" in refused(good + "虚".encode()[:2]).zh


@pytest.mark.parametrize("rows_after", [1, 400])
def test_a_quote_without_an_end_swallows_no_rows(tmp_path: Path, rows_after: int) -> None:
    path = csv_file(tmp_path, [MEDICAL, *(bill("虚小一", number(n % 999)) for n in range(60))])
    rest = "".join(",".join(bill("虚小二", number(n % 999))) + "\n" for n in range(rows_after))
    path.write_text(path.read_text("utf-8") + f'"虚小三,{number(5)},2024-03-01,1,1,否\n' + rest, "utf-8")

    with pytest.raises(FileUnreadable, match="引号"):
        read("medical", path)


def test_a_cell_longer_than_any_cell(tmp_path: Path) -> None:
    refused(csv_file(tmp_path, [MEDICAL, bill("虚" * 200_000, number(1))]))


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path)
    assert refused(tmp_path / "nowhere.csv").retry
