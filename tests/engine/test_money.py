"""Money: what people write in a cell, and not a fen more or less."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doudi.engine import money
from doudi.engine.money import MoneyFault

INVALID, NEGATIVE = MoneyFault.INVALID, MoneyFault.NEGATIVE


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("1234.5", 123450), ("1,234.50", 123450), ("１２３４．５０", 123450), ("1234.5元", 123450), ("0", 0),
        ("12,345.00元", 1234500), (" 1 234.50 ", 123450), ("￥5", 500), ("1234.5000", 123450), ("0.01", 1),
        ("138414560.03", 13841456003), ("1，234．50元", 123450), ("+3", 300), ("-0", 0), ("9999999999999.99", 999999999999999),
    ],
)  # fmt: skip
def test_the_ways_people_write_a_sum(text: str, fen: int) -> None:
    assert money.parse_fen(text) == (fen, None)


@pytest.mark.parametrize("text", ["-300", "－300", "-1,200", "−5", "(1,200)", "¥-3", "-0.01元"])
def test_a_negative_sum_is_named_so(text: str) -> None:
    assert money.parse_fen(text) == (None, NEGATIVE)


@pytest.mark.parametrize(
    "text",
    [
        "约两千",
        "见附件",
        "12.3.4",
        "3000USD",
        "1.234",
        "1,23",
        "12,34,567",
        "1.2E+05",
        "",
        "元",
        "--5",
        "1.5万元",
        "nan",
    ],
)
def test_what_is_no_sum_is_refused_not_guessed(text: str) -> None:
    assert money.parse_fen(text) == (None, INVALID)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (138414560.03, "138414560.03"),
        (0.1 + 0.2, "0.30"),
        (1120.0, "1120.00"),
        (-1.1, "-1.10"),
        (4.35 * 100, "435.00"),
    ],
)
def test_a_number_cell_is_read_as_the_clerk_sees_it(cell: float, text: str) -> None:
    assert money.cell_text(cell) == text


@pytest.mark.parametrize("cell", [1 / 3, 12.345, 1e15, float("inf")])
def test_a_number_cell_that_is_no_whole_fen_is_not_rounded(cell: float) -> None:
    assert money.parse_fen(money.cell_text(cell)) == (None, INVALID)


def test_sums_are_shown_two_ways() -> None:
    assert money.format_yuan(123450) == "1234.50"
    assert money.format_yuan(-5) == "-0.05"
    assert money.show_yuan(123450) == "1,234.50元"
    assert money.show_yuan(-123) == "-1.23元"


sums = st.integers(0, 10**14)


@given(sums)
def test_every_sum_comes_back_from_every_way_of_writing_it(fen: int) -> None:
    full_width = str.maketrans("0123456789.", "０１２３４５６７８９．")

    for text in (money.format_yuan(fen), money.show_yuan(fen), money.format_yuan(fen).translate(full_width)):
        assert money.parse_fen(text) == (fen, None)


@given(st.integers(0, 10**13))
def test_every_sum_survives_a_number_cell(fen: int) -> None:
    assert money.parse_fen(money.cell_text(fen / 100)) == (fen, None)


@given(
    st.lists(
        st.one_of(
            st.none(), sums.map(money.show_yuan), st.text("0123456789,.元-（１ ", min_size=1, max_size=8)
        )
    )
)
def test_a_column_is_read_like_its_cells(cells: list[str | None]) -> None:
    fen, faults = money.parse_column(pa.array(cells, pa.string()))

    for place, cell in enumerate(cells):
        wanted = (None, None) if cell is None else money.parse_fen(cell)
        fault = money.FAULTS[faults[place] - 1] if faults[place] else None
        assert (fen[place].as_py(), fault) == wanted
