"""Identity numbers as they stand on cards, in worksheets, and in worksheets that Excel has been at."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from doudi.engine import identity
from doudi.engine.identity import IdFault

TODAY = date(2024, 11, 15)

# facts tabulated from the test files of python-stdnum (LGPL-2.1+) and id-validator.py (MIT)
VALID = [
    "360426199101010071", "44011320141005001X", "440308199901101512", "500154199804106120", "412723199010050012",
    "110102199101010078", "120110198012010073", "120110199212010072", "362324198001010014", "362324198101010011",
    "362324198201010019", "430302199312194239", "810000199408230021", "830000199201300022",
]  # fmt: skip
WRONG = [
    ("440308199901101513", IdFault.CHECK_DIGIT),
    ("36042619910102009X", IdFault.CHECK_DIGIT),
    ("110105194912310021", IdFault.CHECK_DIGIT),
    ("44030819990110", IdFault.FORMAT),
    ("T60426199101010078", IdFault.FORMAT),
    ("52990019O604057961", IdFault.FORMAT),
    ("5299001990043094871", IdFault.FORMAT),
    ("", IdFault.FORMAT),
    ("440308199902301512", IdFault.BIRTH_DATE),
    ("610104620932690", IdFault.BIRTH_DATE),
    ("360426199113010079", IdFault.BIRTH_DATE),
    ("529900202411160012", IdFault.BIRTH_DATE),
    ("5.2010219490101E+17", IdFault.EXCEL_DAMAGED),
    ("5.29900195708227e+17", IdFault.EXCEL_DAMAGED),
    ("529900195708227000.0", IdFault.EXCEL_DAMAGED),
]


@pytest.mark.parametrize("number", VALID)
def test_a_number_on_a_real_card_is_taken_as_it_stands(number: str) -> None:
    reading = identity.read_id(number, today=TODAY)

    assert (reading.number, reading.mended, reading.fault) == (number, False, None)


@pytest.mark.parametrize("area", ["111111", "990426", "110111"])
def test_the_address_code_is_held_against_no_list(area: str) -> None:
    number = area + "19911207001"

    assert identity.mend_id(number + identity.check_digit(number)) is not None


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_a_wrong_number_has_exactly_one_fault(text: str, fault: IdFault) -> None:
    assert identity.read_id(text, today=TODAY).fault is fault


@pytest.mark.parametrize(
    "text",
    [
        "11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002ｘ", "11010519491231002×",
        " 110105 19491231 002X\u3000", "'11010519491231002X", "\ufeff11010519491231002X", "\t11010519491231002X",
        "’11010519491231002X", "1101051949\u00a01231002X", "110105\u200b19491231002X",
    ],
)  # fmt: skip
def test_what_is_only_badly_written_is_mended(text: str) -> None:
    assert identity.read_id(text, today=TODAY).number == "11010519491231002X"


def test_white_space_around_the_cell_is_no_mending_but_inside_it_is() -> None:
    assert not identity.read_id(" 11010519491231002X\t").mended
    assert identity.read_id("110105 19491231002X").mended


def test_fifteen_digits_become_eighteen_and_say_so() -> None:
    reading = identity.read_id("110105491231002")

    assert (reading.number, reading.derived, reading.mended) == ("11010519491231002X", True, True)


def test_sex_and_birth_date_stand_in_the_number() -> None:
    assert identity.birth_date_of("430302199312194239") == date(1993, 12, 19)
    assert identity.sex_of("430302199312194239") == "男"
    assert identity.sex_of("11010519491231002X") == "女"


def test_a_child_born_today_has_a_number() -> None:
    first17 = "52990020241115001"

    assert identity.mend_id(first17 + identity.check_digit(first17), today=TODAY)


def test_screens_show_six_and_four_digits_and_one_character() -> None:
    assert identity.mask_id("610102199001011234") == "610102********1234"
    assert identity.mask_id("5299001234") == "**********"
    assert identity.mask_name("欧阳修") == "欧**"
    assert identity.mask_name("") == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("买买提·艾力", "买买提•艾力"), ("买买提·艾力", "买买提艾力"), ("买买提.艾力", "买买提．艾力"),
        ("张国华", "張國華"), ("朱军", "朱 军"), ("傅明", "傅\u3000明"), ("杨丽", "楊麗"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_name(one: str, other: str) -> None:
    assert one != other
    assert identity.normal_name(one) == identity.normal_name(other)


def test_two_people_keep_two_names() -> None:
    assert identity.normal_name("张伟") != identity.normal_name("李强")


def test_a_credit_code_is_checked_by_its_last_character() -> None:
    assert identity.valid_uscc("91110000600037341L")
    assert not identity.valid_uscc("91110000600037342L")


# ---- properties

birth_dates = st.dates(min_value=date(1900, 1, 1), max_value=TODAY)
numbers = st.builds(
    lambda area, born, serial: (
        (first17 := f"{area:06d}{born:%Y%m%d}{serial:03d}") + identity.check_digit(first17)
    ),
    st.integers(110000, 659999),
    birth_dates,
    st.integers(0, 999),
)


@given(numbers)
def test_every_number_made_by_the_standard_is_valid_and_the_library_agrees(number: str) -> None:
    assert identity.read_id(number, today=TODAY).number == number
    assert ric.calc_check_digit(number) == number[-1]


@given(numbers, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_never_passes(number: str, place: int, add: int) -> None:
    wrong = number[:place] + str((int(number[place]) + add) % 10) + number[place + 1 :]

    assert identity.read_id(wrong, today=TODAY).number is None


@given(numbers, st.integers(0, 16))
def test_two_neighbours_swapped_never_pass(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    assert swapped == number or identity.read_id(swapped, today=TODAY).number is None


@given(
    st.lists(numbers, max_size=3), st.lists(st.text("0123456789Xx ×ＥE.+'１２３", max_size=20), max_size=20)
)
def test_a_column_is_read_like_its_cells(good: list[str], odd: list[str]) -> None:
    cells: list[str | None] = [None, *good, *(text for text in odd), *(number.lower() for number in good)]
    cells = [None if cell is None else cell.strip(identity.BLANK_CHARACTERS) or None for cell in cells]

    column = identity.read_ids(pa.array(cells, pa.string()), today=TODAY)

    for place, cell in enumerate(cells):
        reading = identity.IdReading(None) if cell is None else identity.read_id(cell, today=TODAY)
        code = column.fault[place]
        assert column.number[place].as_py() == reading.number
        assert (identity.FAULTS[code - 1] if code else None) == reading.fault
        assert (column.mended[place], column.derived[place]) == (reading.mended, reading.derived)
