"""Finding the table in what a department sends: titles, sheets, encodings, headers under another name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doudi.engine.feeds import FeedNotRecognised, HeaderMismatch, recognise
from tests.engine.feeds.outbox import (
    DEPOSIT,
    MEDICAL,
    SPECS,
    bill,
    csv_file,
    faults_of,
    number,
    read,
    xlsx_file,
)

HERE = Path(__file__).parent


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_a_text_is_read_in_the_encoding_it_came_in(tmp_path: Path, encoding: str) -> None:
    path = csv_file(tmp_path, [["某县医疗结算"], MEDICAL, bill("买买提·艾力", number(1))], encoding=encoding)

    parsed = read("medical", path)

    assert parsed.rows["name"].to_pylist() == ["买买提·艾力"]
    assert parsed.rows["own_paid"].to_pylist() == [10000]
    assert parsed.rows["settled_on"].to_pylist() == [date(2024, 3, 1)]


def test_a_rare_character_of_gb18030_survives(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [MEDICAL, bill("王𫠆", number(1))], encoding="gb18030")

    assert read("medical", path).rows["name"].to_pylist() == ["王𫠆"]


def test_titles_blank_rows_and_totals_are_no_rows(tmp_path: Path) -> None:
    blank = [None] * 6
    rows = [
        ["某县医保局医疗结算", *blank[1:]], ["填报单位：医保局", *blank[1:]], MEDICAL, bill("虚小一", number(1)), blank,
        bill("虚小二", number(2)), blank, ["合计", None, None, None, 200.0, None], ["总 计", None, None, None, 200.0, None],
    ]  # fmt: skip
    path = xlsx_file(tmp_path, rows, merge=["A1:F1", "A2:F2"])

    parsed = read("medical", path)

    assert (parsed.read, parsed.good, parsed.quarantined) == (2, 2, 0)
    assert parsed.rows["row_no"].to_pylist() == [4, 6]


def test_a_short_total_line_in_a_text_shifts_nothing(tmp_path: Path) -> None:
    rows = [
        MEDICAL,
        *(bill("虚小一", number(n)) for n in range(3)),
        ["合计", "3"],
        [],
        bill("虚小二", number(9)),
    ]
    path = csv_file(tmp_path, rows)

    parsed = read("medical", path)

    assert parsed.rows["row_no"].to_pylist() == [2, 3, 4, 7]


def test_headers_in_other_words_other_order_and_with_units(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [["余额（元）", "公民身份号码", "姓 名", "余额 日期", "机构\n名称(支行)"]])

    with pytest.raises(HeaderMismatch, match="机构"):
        read("deposit", path)

    path = xlsx_file(
        tmp_path,
        [
            ["余额（元）", "公民身份号码", "姓 名", "余额 日期", "机 构"],
            [5, number(1), "虚小一", 45352, "行"],
        ],
    )
    parsed = read("deposit", path)
    assert parsed.rows["balance"].to_pylist() == [500]
    assert parsed.rows["balance_on"].to_pylist() == [date(2024, 3, 1)]


def test_an_unknown_column_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [["某行"], ["姓名", "身份证号", "机构", "余额", "余额日"]])

    with pytest.raises(HeaderMismatch) as refused:
        read("deposit", path)

    assert "余额日" in refused.value.zh and "第 2 行" in refused.value.zh and "第 5 列" in refused.value.zh
    assert "余额日期" in refused.value.zh and "balance_on" in refused.value.en


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [["姓名", "身份证号", "机构", "余额日期"]])

    with pytest.raises(HeaderMismatch, match="余额") as refused:
        read("deposit", path)

    assert refused.value.code == "header_mismatch" and "balance" in refused.value.en


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeaderMismatch, match="两次"):
        read("deposit", csv_file(tmp_path, [[*DEPOSIT, "公民身份号码"]]))


def test_content_under_no_header_is_not_overlooked(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [[*DEPOSIT, None], ["虚小一", number(1), "行", 5, 45352, "另有一笔 300"]])

    with pytest.raises(HeaderMismatch, match="第 6 列有内容"):
        read("deposit", path)


def test_a_file_without_any_header_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HeaderMismatch, match="应有：姓名"):
        read("deposit", csv_file(tmp_path, [["虚小一", number(1), "行", "5", "2024-03-01"]]))


def test_a_header_merged_over_two_rows(tmp_path: Path) -> None:
    rows = [
        ["姓名", "身份证号", "结算", None, None, "重病登记"],
        [None, None, "结算日期", "总费用", "个人自付", None],
        bill("虚小一", number(1)),
    ]
    path = xlsx_file(tmp_path, rows, merge=["A1:A2", "B1:B2", "C1:E1", "F1:F2"])

    assert read("medical", path).good == 1


def test_a_name_merged_over_its_rows_counts_for_each_but_a_sum_does_not(tmp_path: Path) -> None:
    rows = [
        MEDICAL,
        bill("虚小一", number(1)),
        bill(None, None, on="2024-03-02"),
        bill(None, None, on="2024-03-03", paid=None),
    ]
    path = xlsx_file(tmp_path, rows, merge=["A2:A4", "B2:B4", "E3:E4"])

    parsed = read("medical", path)

    assert parsed.rows["id_number"].to_pylist() == [number(1)] * 2
    assert faults_of(parsed) == [(4, "own_paid", "value_missing")]


def test_an_empty_or_explaining_second_sheet_is_passed_over(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [MEDICAL, bill("虚小一", number(1))])
    book = openpyxl.load_workbook(path)
    book.create_sheet("Sheet2")
    book.create_sheet("填表说明").append(["姓名", "按身份证填写"])
    book.save(path)

    assert read("medical", path).good == 1


def test_one_feed_on_two_sheets_is_refused_rather_than_half_read(tmp_path: Path) -> None:
    path = xlsx_file(tmp_path, [MEDICAL, bill("虚小一", number(1))])
    book = openpyxl.load_workbook(path)
    second = book.create_sheet("二月")
    second.append(MEDICAL)
    second.append(bill("虚小二", number(2)))
    book.save(path)

    with pytest.raises(HeaderMismatch, match="二月"):
        read("medical", path)


def test_a_table_that_does_not_begin_in_the_corner(tmp_path: Path) -> None:
    rows = [[], [], [None, None, *MEDICAL], [None, None, *bill("虚小一", number(1))], [None, None, "合计"]]

    parsed = read("medical", xlsx_file(tmp_path, rows))

    assert parsed.rows["row_no"].to_pylist() == [4]


def test_an_old_workbook(tmp_path: Path) -> None:
    """old_format.xls was written with xlwt 1.3.0: a title, a true date, a 15-digit and a 18-digit number cell."""
    parsed = read("housing_fund", HERE / "old_format.xls")

    assert parsed.rows["base"].to_pylist() == [320050, 320000]
    assert parsed.rows["month"].to_pylist() == [2024 * 12 + 8] * 2
    assert parsed.rows["id_derived"].to_pylist() == [False, True]
    assert faults_of(parsed) == [(5, "id_number", "id_excel_damaged")]
    assert recognise(SPECS, HERE / "old_format.xls").name == "housing_fund"


def test_parquet_keeps_all_digits_of_a_number(tmp_path: Path) -> None:
    whole = next(int(n) for serial in range(99) if (n := number(serial))[-1] != "X")
    table = pa.table(
        {
            "姓名": ["虚小一", None],
            "id_number": [whole, None],
            "机构": pa.array(["行", "行"]).dictionary_encode(),
            "余额": [12.34, 5.0],
            "余额日期": [date(2024, 3, 1)] * 2,
        }
    )
    pq.write_table(table, tmp_path / "存款.parquet")

    parsed = read("deposit", tmp_path / "存款.parquet")

    assert parsed.rows["id_number"].to_pylist() == [str(whole)]
    assert parsed.rows["balance"].to_pylist() == [1234]
    assert faults_of(parsed) == [(3, "name", "value_missing")]


def test_bytes_are_read_like_a_file(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [MEDICAL, bill("虚小一", number(1))])

    assert read("medical", path.read_bytes()).rows.equals(read("medical", path).rows)


def test_tabs_and_semicolons_divide_cells_too(tmp_path: Path) -> None:
    for sign in "\t;":
        path = tmp_path / "表.csv"
        path.write_text(
            "\n".join(sign.join(map(str, row)) for row in (MEDICAL, bill("虚小一", number(1)))), "utf-8"
        )

        assert read("medical", path).good == 1


# ---- which feed is it


def test_two_feeds_with_equal_headers_are_told_apart_by_the_file_name(tmp_path: Path) -> None:
    twin = {
        **SPECS,
        "twin": SPECS["deposit"].__class__(
            **{**vars(SPECS["deposit"]), "name": "twin", "label": "信用社存款"}
        ),
    }

    assert recognise(twin, csv_file(tmp_path, [DEPOSIT], name="2024信用社存款.csv")).name == "twin"
    with pytest.raises(FeedNotRecognised, match="适合几种数据"):
        recognise(twin, csv_file(tmp_path, [DEPOSIT], name="数据.csv"))


def test_a_file_of_no_feed_names_the_nearest_and_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FeedNotRecognised) as refused:
        recognise(SPECS, csv_file(tmp_path, [[*DEPOSIT[:4], "开户网点"]]))

    assert "银行存款" in refused.value.zh
    assert "余额日期" in refused.value.zh and "开户网点" in refused.value.zh


def test_a_shopping_list_is_no_feed(tmp_path: Path) -> None:
    with pytest.raises(FeedNotRecognised, match="找不到表头行"):
        recognise(SPECS, csv_file(tmp_path, [["萝卜", "白菜"], ["3", "5"]]))
