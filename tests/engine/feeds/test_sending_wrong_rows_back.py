"""The sender's own workbook comes back with what is wrong marked, and does nothing of itself when opened."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doudi.engine.feeds import FileUnreadable, returning, write_quarantine
from tests.engine.feeds.outbox import DEPOSIT, MEDICAL, SPECS, bill, csv_file, number, read, xlsx_file

WRONG = "FFFFC7CE"


def returned(feed: str, path: Path, to: Path) -> Any:
    written = write_quarantine(read(feed, path), path, to)
    sheet = openpyxl.load_workbook(to).active
    assert written == sum(1 for row in sheet.iter_rows() if str(row[-1].value or "").startswith("原第"))
    return sheet


def marked(sheet: Any, row: int) -> list[str]:
    return [cell.column_letter for cell in sheet[row] if cell.fill.start_color.rgb == WRONG]


def test_titles_header_order_and_sheet_are_the_sender_s(tmp_path: Path) -> None:
    rows = [
        ["某县农商银行存款", None, None, None, None], ["余额（元）", "姓 名", "公民身份号码", "余额日期", "机构"],
        [5, "虚小一", number(1), datetime(2024, 3, 1), "行"], ["约两千", "虚小二", number(2), datetime(2024, 3, 1), "行"],
        [7.5, "虚小三", 5.29900195708227e17, "不详", None], ["合计", None, None, None, None],
    ]  # fmt: skip
    path = xlsx_file(tmp_path, rows, merge=["A1:E1"])
    book = openpyxl.load_workbook(path)
    book.active.title = "存款明细"
    book.save(path)

    sheet = returned("deposit", path, tmp_path / "退回.xlsx")

    assert sheet.title == "存款明细"
    assert [str(area) for area in sheet.merged_cells.ranges] == ["A1:E1"]
    assert sheet["A1"].value == "某县农商银行存款"
    assert [cell.value for cell in sheet[2]] == [
        "余额（元）",
        "姓 名",
        "公民身份号码",
        "余额日期",
        "机构",
        "退回原因",
    ]
    assert sheet.max_row == 4
    assert [cell.value for cell in sheet[3]][:5] == [
        "约两千",
        "虚小二",
        number(2),
        datetime(2024, 3, 1),
        "行",
    ]
    assert marked(sheet, 3) == ["A"] and marked(sheet, 4) == ["C", "D", "E"]
    assert sheet["F3"].value == "原第 4 行：“余额”不是金额（元，至多两位小数，不写文字）"
    assert sheet["F4"].value.startswith("原第 5 行：“身份证号”身份证号被 Excel 当成数字")
    assert "“余额日期”日期不存在" in sheet["F4"].value and "“机构”不能空" in sheet["F4"].value
    assert sheet["C4"].value == "5.29900195708227E+17" and sheet["C4"].number_format == "@"


def test_a_text_file_comes_back_as_a_workbook(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path,
        [["某县医疗结算"], MEDICAL, bill("虚小一", "012345")],
        name="医疗结算.csv",
        encoding="gb18030",
    )

    sheet = returned("medical", path, tmp_path / "退回.xlsx")

    assert sheet.title == "医疗结算"
    assert sheet["A1"].value == "某县医疗结算"
    assert sheet["B3"].value == "012345" and sheet["B3"].data_type == "s"
    assert marked(sheet, 3) == ["B"]


@pytest.mark.parametrize(
    "attack",
    ["=1+1", "=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "{=1+1}", "http://x.invalid/"],
)
def test_no_cell_comes_back_as_a_formula_or_a_link(tmp_path: Path, attack: str) -> None:
    path = csv_file(tmp_path, [[attack], MEDICAL, bill(attack, "坏")])

    sheet = returned("medical", path, tmp_path / "退回.xlsx")

    assert (sheet["A1"].data_type, sheet["A3"].data_type) == ("s", "s")
    assert sheet["A3"].value == attack and sheet["A3"].hyperlink is None
    with zipfile.ZipFile(tmp_path / "退回.xlsx") as package:
        assert b"<f>" not in package.read("xl/worksheets/sheet1.xml")


def test_a_mended_copy_can_be_sent_as_it_is(tmp_path: Path) -> None:
    path = xlsx_file(
        tmp_path,
        [["标题"], MEDICAL, bill("虚小一", number(1), on="不详"), bill("虚小二", number(2), on="20240301")],
    )
    to = tmp_path / "退回.xlsx"
    write_quarantine(read("medical", path), path, to)
    book = openpyxl.load_workbook(to)
    book.active["C3"] = "2024-03-02"
    book.save(to)

    again = read("medical", to)

    assert (again.read, again.good) == (1, 1)
    assert again.rows["settled_on"].to_pylist() == [date(2024, 3, 2)]


def test_a_copy_still_wrong_keeps_one_column_of_reasons(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [MEDICAL, bill("虚小一", number(1), on="不详")])
    write_quarantine(read("medical", path), path, tmp_path / "一.xlsx")

    sheet = returned("medical", tmp_path / "一.xlsx", tmp_path / "二.xlsx")

    assert [cell.value for cell in sheet[1]].count("退回原因") == 1
    assert sheet.max_column == 7


def test_a_table_away_from_the_corner_stays_there(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [[], [None, *DEPOSIT], [None, "虚小一", "坏", "行", 5, "2024-03-01"]])

    sheet = returned("deposit", path, tmp_path / "退回.xlsx")

    assert sheet["B2"].value == "姓名" and sheet["C3"].value == "坏" and sheet["G2"].value == "退回原因"
    assert marked(sheet, 3) == ["C"]


def test_parquet_rows_come_back_too(tmp_path: Path) -> None:
    table = pa.table(
        {**{header: ["x"] for header in DEPOSIT}, "余额": [float("inf")], "余额日期": [date(1850, 1, 1)]}
    )
    pq.write_table(table, tmp_path / "存款.parquet")

    sheet = returned("deposit", tmp_path / "存款.parquet", tmp_path / "退回.xlsx")

    assert marked(sheet, 2) == ["B", "D"]


def test_a_wholly_wrong_column_is_shown_not_written_out_a_million_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returning, "MOST_ROWS", 3)
    path = csv_file(tmp_path, [MEDICAL, *(bill("虚小一", "坏") for _ in range(5))])

    sheet = returned("medical", path, tmp_path / "退回.xlsx")

    assert sheet.max_row == 5 and "另有 2 行" in sheet["G5"].value


def test_nothing_is_left_where_the_original_is_gone(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [MEDICAL, bill("虚小一", "坏")])
    parsed = read("medical", path)
    path.write_bytes(b"")

    with pytest.raises(FileUnreadable):
        write_quarantine(parsed, path, tmp_path / "out" / "退回.xlsx")

    assert not (tmp_path / "out").exists()


def test_every_reason_has_words_for_every_kind_of_column() -> None:
    for spec in SPECS.values():
        for column in spec.columns:
            for code in ("date_invalid", "money_invalid", "money_negative", "code_unknown", "value_missing"):
                told = returning.reason_text(spec, returning.Fault(2, column.name, code))
                assert column.label in told and len(told) > len(column.label) + 4
