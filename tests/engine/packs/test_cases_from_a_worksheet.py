"""The law officer's table of worked cases, as a workbook or CSV, is read like the cases in YAML."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import openpyxl
import pytest

from doudi.engine.packs import check_pack, load_pack, new_pack
from doudi.engine.packs.cases import run_cases

HEADER = ["名", "日", "城乡", "参数.低保标准(元)", "家庭人口(人)", "家庭月收入（元）", "应为．收入低于标准"]


@pytest.fixture
def county(tmp_path: Path) -> Path:
    return new_pack("cn", "520103", tmp_path / "yunyan")


def table(folder: Path, *rows: list[object], name: str = "own.xlsx", sheet: str = "线上线下") -> Path:
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.save(folder / "cases" / name)
    return folder


def own_cases(folder: Path):
    pack = load_pack(folder)
    kept = tuple(case for case in pack.cases if case.place.layer == pack.name)
    object.__setattr__(pack, "cases", kept)
    return pack, run_cases(pack)


def test_each_row_is_a_case_and_a_wrong_one_is_told_with_its_cell(county: Path) -> None:
    table(
        county,
        HEADER,
        ["差一分", "2024-11-15", "城镇", 600, 2, 1199.99, "是"],
        ["刚好", "2024-11-15", "城镇", 600, 2, 1200, "是"],
        ["没查到", "2024-11-15", "城镇", 600, 2, "查询失败", "待核"],
        ["# 不算", "2024-11-15", "城镇", 600, 2, 0, "否"],
    )

    _, report = own_cases(county)

    assert report.cases == 3
    (failure,) = report.failures
    assert (failure.case, failure.expected, failure.found) == ("刚好", "是", "否")
    assert "cases/own.xlsx 工作表“线上线下” 单元格 A3" in failure.place


def test_members_and_the_rows_of_departments_go_on_below_their_case(county: Path) -> None:
    table(
        county,
        ["名", "日", "成员.与户主关系", "成员.现有类别", "救助发放.救助项目", "救助发放.金额(元)", "救助发放.发放日期", "应为.标签",
         "应为.家庭临时救助次数(次)", "未到"],
        ["一家三口", "2024-11-15", "户主", "低保", "临时救助", 800, "2024-03-01", "DB LS; LS; 无", 3, "水电用量、出生信息"],
        ["", "", "", "", "临时救助", 500, "2024-05-01", ""],
        ["", "", "配偶", "", "临时救助", 100, "2024-06-01", ""],
        ["", "", "子"],
        ["另一家", "2024-11-15", "户主", "", "", "", "", "无"],
    )  # fmt: skip

    pack, report = own_cases(county)

    assert (report.cases, report.failures) == (2, [])
    assert [len(case.members or ()) for case in pack.cases] == [3, 1]
    assert pack.cases[0].not_arrived == ("utility_use", "birth")


@pytest.mark.parametrize(
    ("rows", "code", "cell"),
    [
        ([["名", "家庭人口数", "应为.类别"], ["甲", 2, "低保"]], "name", "B2"),
        ([["名", "家庭月收入", "应为.类别"], ["甲", 1200, "低保"]], "number", "B2"),
        ([["名", "应为.类别"], ["甲", "XX"]], "name", "B2"),
        ([["家庭月收入(元)"], [1200]], "worksheet", "A1"),
        ([["名", "家庭月收入(元)"], ["", 1200]], "worksheet", "A2"),
        ([["名", "日", "应为.类别"], ["甲", "2024-02-30", "低保"]], "dates", "B2"),
        ([["名", "日", "日"], ["甲", "2024-02-28", ""]], "duplicate_key", "C1"),
    ],
)
def test_a_fault_names_file_sheet_and_cell(
    county: Path, rows: list[list[object]], code: str, cell: str
) -> None:
    table(county, *rows)

    problems = check_pack(county)

    assert (code, f"cases/own.xlsx 工作表“线上线下” 单元格 {cell}") in {(p.code, p.file) for p in problems}


def test_a_percentage_a_date_and_a_tick_are_read_as_an_officer_means_them(county: Path) -> None:
    table(
        county, ["名", "日", "参数.刚性支出占比", "家庭月收入(元)", "刚性支出(元)", "应为.刚性支出超过占比"]
    )
    path = county / "cases" / "own.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.active
    sheet.append(["占比刚好", date(2024, 11, 15), 0.6, 4000, 28800, False])
    sheet["C2"].number_format = "0%"
    book.save(path)

    pack, report = own_cases(county)

    assert (report.cases, report.failures, pack.cases[0].parameters) == (1, [], {"刚性支出占比": "60%"})


def test_a_csv_of_an_old_office_program_is_read_too(county: Path) -> None:
    text = (
        "名,日,参数.低保标准(元),家庭人口(人),家庭月收入(元),应为.收入低于标准\n甲,2024-11-15,600,1,600,否\n"
    )
    (county / "cases" / "more.csv").write_bytes(text.encode("gb18030"))

    _, report = own_cases(county)

    assert (report.cases, report.failures) == (1, [])


def test_what_is_no_workbook_is_refused_in_words(county: Path) -> None:
    (county / "cases" / "own.xlsx").write_bytes(b"PK\x03\x04 not a workbook")

    assert [(p.code, p.file) for p in check_pack(county)] == [("worksheet", "cases/own.xlsx")]


def test_a_new_pack_brings_a_template_that_passes(county: Path) -> None:
    assert (county / "cases" / "own.xlsx").is_file()
    assert check_pack(county) == []
    assert load_pack(county).cases[0].place.layer == "cn"
