"""One cell at a time: what a date, month, code or number may look like, and what it is.

In come trimmed texts; out come values, or the reason code that says what is wrong. Readings where the contract
(feeds.md) is silent, each found to agree with the sample county:

* a date or month cell may carry full-width digits, a time of day, or dots (2024.3.1);
* an Excel serial is a number of five digits (1927 to 2173), so a lone year is not taken for one;
* a month cell may hold a true date of that month, which is what Excel makes of ``2024-03`` when it is typed;
* a decimal (area, share) may carry its unit, and is kept to four places; a wrong one is ``money_invalid``,
  a negative one ``money_negative``, since the contract has no other word for a wrong number;
* a region code is 6, 9 or 12 digits, anything else is ``code_unknown``; no list of places is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from doudi.engine import money
from doudi.engine.feeds.spec import ColumnSpec
from doudi.engine.feeds.tables import Cell
from doudi.engine.identity import BLANK_CHARACTERS, FULL_WIDTH

REASONS = (
    "id_format", "id_birth_date", "id_check_digit", "id_excel_damaged", "date_invalid", "money_invalid",
    "money_negative", "code_unknown", "value_missing", "row_shifted", "row_torn",
)  # fmt: skip
"""Reason codes of the contract; ``row_shifted``: a line of text with more cells than the header row; ``row_torn``: one in
which the file breaks off."""

PLACE = {code: place + 1 for place, code in enumerate(REASONS)}
"""Reason code to its number in a fault array, where 0 is no fault."""

Read = Callable[[str], tuple[Any, int]]
"""The value of a trimmed, non-empty text and 0; or None and the fault's number."""

_TIME = r"(?:[ T]?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_DATE = re.compile(
    rf"([0-9]{{4}})([-/.])([0-9]{{1,2}})\2([0-9]{{1,2}}){_TIME}|([0-9]{{4}})年([0-9]{{1,2}})月([0-9]{{1,2}})日?{_TIME}"
)
_MONTH = re.compile(r"([0-9]{4})(?:[-/.]|年)([0-9]{1,2})月?|([0-9]{4})([0-9]{2})")
_SERIAL_ZERO = date(1899, 12, 30)
_FIRST_YEAR = 1800
_NUMBER = re.compile(
    r"([+-]?)([0-9]{1,13}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(\.[0-9]*)?(?:%|㎡|m²|m2|平方米|平米)?"
)
_REGION = re.compile(r"[0-9]{6}|[0-9]{9}|[0-9]{12}")
_FOUR_PLACES = Decimal("0.0001")
_MINUS: dict[int, int | str | None] = {ord("−"): "-", ord("﹣"): "-", ord("–"): "-"}
_PLAIN: dict[int, int | str | None] = {**FULL_WIDTH, **_MINUS, ord("\u3000"): " ", ord("\u00a0"): " "}
_WITHOUT_BLANKS: dict[int, int | str | None] = {**_PLAIN, **dict.fromkeys(map(ord, BLANK_CHARACTERS))}


def read_date(text: str) -> tuple[date | None, int]:
    """A real date in one of the five styles; a future date is real."""
    plain = text.translate(_PLAIN)
    if plain.isascii() and plain.isdecimal():
        return _date_of_digits(plain)
    found = _DATE.fullmatch(plain) or _DATE.fullmatch(text.translate(_WITHOUT_BLANKS))
    if found is None:
        return None, PLACE["date_invalid"]
    year, month, day = [int(part) for part in found.groups() if part is not None and part.isdecimal()]
    return _real(year, month, day)


def _date_of_digits(digits: str) -> tuple[date | None, int]:
    if len(digits) == 8:
        return _real(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    if len(digits) == 5 and digits[0] != "0":
        return _SERIAL_ZERO + timedelta(days=int(digits)), 0
    return None, PLACE["date_invalid"]


def _real(year: int, month: int, day: int) -> tuple[date | None, int]:
    try:
        found = date(year, month, day)
    except ValueError:
        return None, PLACE["date_invalid"]
    return (found, 0) if year >= _FIRST_YEAR else (None, PLACE["date_invalid"])


def read_month(text: str) -> tuple[int | None, int]:
    """A month as year × 12 + (month − 1)."""
    found = _MONTH.fullmatch(text.translate(_WITHOUT_BLANKS))
    if found is None:
        day, fault = read_date(text)
        return (day.year * 12 + day.month - 1, 0) if day else (None, fault)
    year, month = int(found[1] or found[3]), int(found[2] or found[4])
    if year < _FIRST_YEAR or not 1 <= month <= 12:
        return None, PLACE["date_invalid"]
    return year * 12 + month - 1, 0


def read_bool(text: str) -> tuple[bool | None, int]:
    """是 or 否."""
    return {"是": (True, 0), "否": (False, 0)}.get(text, (None, PLACE["code_unknown"]))


def read_decimal(text: str) -> tuple[Decimal | None, int]:
    """An area or a share, to four places."""
    found = _NUMBER.fullmatch(text.translate(_WITHOUT_BLANKS))
    if found is None:
        return None, PLACE["money_invalid"]
    sign, whole, part = found.groups()
    value = Decimal(whole.replace(",", "") + (part or "")).quantize(_FOUR_PLACES, ROUND_HALF_UP)
    if sign == "-" and value:
        return None, PLACE["money_negative"]
    return value, 0


def read_region(text: str) -> tuple[str | None, int]:
    """A region code of 6, 9 or 12 digits."""
    plain = text.translate(_WITHOUT_BLANKS)
    return (plain, 0) if _REGION.fullmatch(plain) else (None, PLACE["code_unknown"])


def reader_of(column: ColumnSpec) -> Read:
    """The function that reads one text of this column (identity numbers and money are read by whole columns)."""
    if column.type == "code":
        return _one_of(column.codes)
    if column.type == "int":
        return _whole_number(column.codes)
    return _READERS[column.type]


_READERS: dict[str, Read] = {
    "date": read_date,
    "month": read_month,
    "bool": read_bool,
    "decimal": read_decimal,
    "region": read_region,
}


def _one_of(codes: tuple[str, ...]) -> Read:
    known = frozenset(codes)

    def read(text: str) -> tuple[str | None, int]:
        return (text, 0) if not known or text in known else (None, PLACE["code_unknown"])

    return read


def _whole_number(codes: tuple[str, ...]) -> Read:
    known = frozenset(codes)

    def read(text: str) -> tuple[int | None, int]:
        plain = text.translate(_WITHOUT_BLANKS)
        if known and plain not in known:
            return None, PLACE["code_unknown"]
        if not (plain.isascii() and plain.isdecimal() and len(plain) <= 18):
            return None, PLACE["money_invalid"]
        return int(plain), 0

    return read


def text_of(cell: Cell, kind: str) -> str:
    """A raw cell of a workbook or Parquet file as the text that a column of type ``kind`` reads.

    A number of 16 digits or more in an identity column becomes its scientific form: the workbook has lost digits,
    whatever they look like.
    """
    if isinstance(cell, str):
        return cell
    if type(cell) is float:
        return _text_of_number(cell, kind)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return ("是" if cell else "否") if kind == "bool" else str(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, int):
        return _text_of_number(float(cell), kind)
    return str(cell)


_FLOAT_IS_EXACT_BELOW = 1e15


def _text_of_number(number: float, kind: str) -> str:
    if kind == "money":
        return money.cell_text(number)
    if kind == "date" and 1 <= number < 100_000:
        return str(int(number))  # the fraction of a serial is the time of day
    if abs(number) < _FLOAT_IS_EXACT_BELOW and number == int(number):
        return str(int(number))
    if abs(number) >= _FLOAT_IS_EXACT_BELOW:
        return f"{number:.14E}"
    return f"{number:.15g}"
