"""What a department would send: small files of fictitious people on the unassigned district 529900."""

from __future__ import annotations

import csv
import hmac
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl

from doudi.engine.feeds import FeedSpec, ParsedFile, load_feed_specs, parse_file
from doudi.engine.identity import check_digit

PROJECT = Path(__file__).resolve().parents[3]
SAMPLE = PROJECT / "samples" / "longli"
SPECS = load_feed_specs(PROJECT / "packs" / "reference" / "feeds")
TODAY = date(2024, 11, 15)


def blind(texts: Sequence[str]) -> list[bytes]:
    """Keyed digests under a key of the tests."""
    return [hmac.digest(b"a key for tests", text.encode(), "sha256")[:16] for text in texts]


def number(serial: int, born: str = "19800101") -> str:
    """A valid identity number of nobody."""
    first17 = f"529900{born}{serial:03d}"
    return first17 + check_digit(first17)


def csv_file(
    folder: Path, rows: Sequence[Sequence[str]], name: str = "表.csv", encoding: str = "utf-8"
) -> Path:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    path = folder / name
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def xlsx_file(
    folder: Path, rows: Sequence[Sequence[Any]], name: str = "表.xlsx", merge: Sequence[str] = ()
) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for area in merge:
        sheet.merge_cells(area)
    path = folder / name
    book.save(path)
    return path


def read(feed: str, path: Path | bytes) -> ParsedFile:
    return parse_file(SPECS[feed], path, today=TODAY)


def spec(feed: str) -> FeedSpec:
    return SPECS[feed]


def faults_of(parsed: ParsedFile) -> list[tuple[int, str, str]]:
    return [(fault.row_no, fault.column, fault.code) for fault in parsed.faults]


MEDICAL = ["姓名", "身份证号", "结算日期", "总费用", "个人自付", "重病登记"]
DEPOSIT = ["姓名", "身份证号", "机构", "余额", "余额日期"]
REGISTER = [
    "姓名", "身份证号", "户编号", "与户主关系", "行政区划代码", "城乡类型", "是否共同生活", "现有类别", "认定日期",
    "退出日期", "联系电话", "住址",
]  # fmt: skip


def bill(
    name: str, id_number: Any, on: Any = "2024-03-01", paid: Any = "100.00", ill: str = "否"
) -> list[Any]:
    """One row of 医疗结算."""
    return [name, id_number, on, "200.00", paid, ill]


def member(
    name: str, id_number: str, household: str, relation: str = "户主", region: str = "520102001001"
) -> list[str]:
    """One row of 低收入家庭花名册."""
    return [name, id_number, household, relation, region, "农村", "是", "低保", "2023-01-01", "", "", ""]
