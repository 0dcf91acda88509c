"""What a row must look like to be counted, and what is said of it where it does not."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doudi.engine.feeds import cells
from tests.engine.feeds.outbox import (
    DEPOSIT,
    MEDICAL,
    REGISTER,
    bill,
    csv_file,
    faults_of,
    member,
    number,
    read,
    xlsx_file,
)

DAY = date(2024, 3, 1)
MONTH = 2024 * 12 + 2


# ---- dates and months


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01", "2024/3/1", "20240301", "2024年3月1日", "2024年03月01日", "45352", "2024-03-01 00:00:00",
        "２０２４－０３－０１", "2024.3.1", "2024 年 3 月 1 日", "2024-03-01T08:30:00",
    ],
)  # fmt: skip
def test_the_ways_people_write_a_day(text: str) -> None:
    assert cells.read_date(text) == (DAY, 0)


@pytest.mark.parametrize(
    "text",
    [
        "不详",
        "2023/2/29",
        "2024-13-01",
        "20240231",
        "2024",
        "2024-03",
        "2024-3/1",
        "1",
        "99999999",
        "0202-03-01",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    assert cells.read_date(text) == (None, cells.PLACE["date_invalid"])


def test_a_future_day_is_real() -> None:
    assert cells.read_date("2199-12-31") == (date(2199, 12, 31), 0)


@pytest.mark.parametrize(
    "text", ["2024-03", "202403", "2024年3月", "2024/3", "2024年03月", "2024-03-01", "45352", "２０２４０３"]
)
def test_the_ways_people_write_a_month(text: str) -> None:
    assert cells.read_month(text) == (MONTH, 0)


@pytest.mark.parametrize("text", ["2024-13", "202400", "三月", "2024", "0"])
def test_what_is_no_month_is_refused(text: str) -> None:
    assert cells.read_month(text) == (None, cells.PLACE["date_invalid"])


@given(st.dates(min_value=date(1927, 6, 1), max_value=date(2173, 1, 1)))
def test_every_day_comes_back_from_every_way_of_writing_it(day: date) -> None:
    serial = (day - date(1899, 12, 30)).days
    ways = [
        day.isoformat(), f"{day:%Y%m%d}", f"{day.year}/{day.month}/{day.day}", f"{day.year}年{day.month}月{day.day}日",
        str(serial), cells.text_of(float(serial), "date"), cells.text_of(serial + 0.75, "date"),
        cells.text_of(float(f"{day:%Y%m%d}"), "date"), cells.text_of(day, "date"),
        cells.text_of(datetime(day.year, day.month, day.day, 23, 59), "date"),
    ]  # fmt: skip

    assert {cells.read_date(way) for way in ways} == {(day, 0)}


# ---- rows


def test_a_row_says_everything_that_is_wrong_with_it(tmp_path: Path) -> None:
    rows = [
        MEDICAL,
        ["虚小一", number(1)[:-1], "2023/2/29", "约两千", "-5", "也许"],
        ["", "5.2990019800101E+17", "", "", "", ""],
    ]

    parsed = read("medical", csv_file(tmp_path, rows))

    assert sorted(faults_of(parsed)) == [
        (2, "id_number", "id_format"),
        (2, "own_paid", "money_negative"),
        (2, "serious_illness", "code_unknown"),
        (2, "settled_on", "date_invalid"),
        (2, "total_cost", "money_invalid"),
        (3, "id_number", "id_excel_damaged"),
        (3, "name", "value_missing"),
        (3, "own_paid", "value_missing"),
        (3, "serious_illness", "value_missing"),
        (3, "settled_on", "value_missing"),
        (3, "total_cost", "value_missing"),
    ]
    assert (parsed.read, parsed.good, parsed.quarantined) == (2, 0, 2)
    assert parsed.reasons["value_missing"] == 1


def test_a_number_cell_of_sixteen_digits_is_damage_whatever_its_check_digit(tmp_path: Path) -> None:
    lucky = next(n for serial in range(1000) if (n := number(serial)).endswith("0"))
    fifteen = 529900800101123
    rows = [
        MEDICAL,
        *(bill("虚小一", cell) for cell in (int(lucky), 1234567890123456, float(fifteen), lucky)),
    ]

    parsed = read("medical", xlsx_file(tmp_path, rows))

    assert faults_of(parsed) == [(2, "id_number", "id_excel_damaged"), (3, "id_number", "id_excel_damaged")]
    assert parsed.rows["id_derived"].to_pylist() == [True, False]


def test_a_repeat_in_another_style_is_counted_once(tmp_path: Path) -> None:
    rows = [
        ["姓名", "身份证号", "机构", "余额", "余额日期"],
        ["虚小一", number(2), "行", "1,234.50", "2024/3/1"],
        ["虚小一", "529900 19800101" + number(2)[14:], "行", "１２３４．５元", "45352"],
        ["虚小一", number(2), "行", "1234.51", "2024/3/1"],
        ["虚 小一", number(2), "行", "1234.50", "2024/3/1"],
    ]

    parsed = read("deposit", csv_file(tmp_path, rows))

    assert (parsed.good, parsed.duplicates, parsed.mended) == (4, 1, 1)
    assert parsed.rows["row_no"].to_pylist() == [2, 4, 5]


def test_a_wrong_row_is_no_ground_for_a_repeat(tmp_path: Path) -> None:
    wrong = ["虚小一", number(1), "行", "约两千", "2024/3/1"]

    parsed = read("deposit", csv_file(tmp_path, [DEPOSIT, wrong, wrong]))

    assert (parsed.quarantined, parsed.duplicates) == (2, 0)


def test_equal_rows_in_two_files_have_one_digest(tmp_path: Path) -> None:
    one = read("medical", csv_file(tmp_path, [MEDICAL, bill("虚小一", number(1))], name="一.csv"))
    two = read(
        "medical",
        csv_file(tmp_path, [["另一份"], MEDICAL[::-1], bill("虚小一", number(1))[::-1]], name="二.csv"),
    )

    assert one.rows["row_digest"].to_pylist() == two.rows["row_digest"].to_pylist()


def test_a_state_needs_its_day_unless_all_is_well(tmp_path: Path) -> None:
    header = ["姓名", "身份证号", "性别", "状态", "状态日期", "行政区划代码"]
    rows = [
        header,
        *(
            ["虚小一", number(n), "女", state, "", "520102"]
            for n, state in enumerate(("正常", "死亡", "失踪"))
        ),
    ]

    parsed = read("population", csv_file(tmp_path, rows))

    assert parsed.rows["id_number"].to_pylist() == [number(0)]
    assert faults_of(parsed) == [
        (3, "status_on", "value_missing"),
        (4, "status", "code_unknown"),
        (4, "status_on", "value_missing"),
    ]


def test_the_register_needs_every_number_the_other_feeds_do_not(tmp_path: Path) -> None:
    register = read("household_register", csv_file(tmp_path, [REGISTER, member("虚小一", "", "LL1")]))
    medical = read("medical", csv_file(tmp_path, [MEDICAL, bill("虚小一", "")]))

    assert faults_of(register) == [(2, "id_number", "value_missing")]
    assert medical.rows["id_number"].to_pylist() == [None]


@pytest.mark.parametrize("region", ["520102", "520102001", "520102001001", 520102001.0])
def test_a_region_has_six_nine_or_twelve_digits(tmp_path: Path, region: Any) -> None:
    row: list[Any] = member("虚小一", number(1), "LL1")
    row[4] = region

    parsed = read("household_register", xlsx_file(tmp_path, [REGISTER, row]))

    assert parsed.rows["region_code"].to_pylist() == [str(region).removesuffix(".0")]


def test_a_region_of_seven_digits_is_unknown(tmp_path: Path) -> None:
    parsed = read(
        "household_register",
        csv_file(tmp_path, [REGISTER, member("虚小一", number(1), "LL1", region="5201020")]),
    )

    assert faults_of(parsed) == [(2, "region_code", "code_unknown")]


def test_money_with_a_bare_comma_shifts_the_line_and_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_text(
        f"{','.join(DEPOSIT)}\n虚小一,{number(1)},行,1,234.50,2024-03-01\n虚小二,{number(2)},行,5,2024-03-01\n",
        "utf-8",
    )

    parsed = read("deposit", path)

    assert faults_of(parsed) == [(2, "", "row_shifted")]
    assert parsed.rows["balance"].to_pylist() == [500]


def test_empty_text_cells_are_null_never_an_empty_word(tmp_path: Path) -> None:
    parsed = read(
        "household_register",
        csv_file(tmp_path, [REGISTER, [*member("虚小一", number(1), "LL1")[:7], " ", "", "", "\u3000", ""]]),
    )

    assert [parsed.rows[name][0].as_py() for name in ("category", "category_since", "left_on", "phone")] == [
        None
    ] * 4


def test_a_file_of_only_headers_arrived_and_says_nobody(tmp_path: Path) -> None:
    parsed = read("medical", csv_file(tmp_path, [MEDICAL]))

    assert (parsed.read, parsed.rows.num_rows, parsed.faults) == (0, 0, ())


def test_a_birth_after_the_day_of_loading_is_a_fault(tmp_path: Path) -> None:
    tomorrow = f"{date(2024, 11, 15) + timedelta(days=1):%Y%m%d}"

    parsed = read("medical", csv_file(tmp_path, [MEDICAL, bill("虚小一", number(1, born=tomorrow))]))

    assert faults_of(parsed) == [(2, "id_number", "id_birth_date")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([number(1), number(2), "", "12", number(3).lower(), " " + number(2)]),
            st.sampled_from(["2024-03-01", "2024/3/1", "不详", ""]),
            st.sampled_from(["5", "5.00元", "-5", "五"]),
        ),
        max_size=30,
    )
)
def test_every_row_is_counted_exactly_once(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    parsed = read(
        "medical", csv_file(tmp_path, [MEDICAL, *(bill("虚小一", i, on=d, paid=m) for i, d, m in rows)])
    )

    assert parsed.read == len(rows)
    assert parsed.good + parsed.quarantined == parsed.read
    assert parsed.rows.num_rows + parsed.duplicates == parsed.good
    assert parsed.quarantined == len({fault.row_no for fault in parsed.faults})
    mended = [tuple(row.values()) for row in parsed.rows.drop_columns(["row_no", "id_derived"]).to_pylist()]
    assert len(set(mended)) == len(mended)
