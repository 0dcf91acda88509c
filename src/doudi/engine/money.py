"""Money: 元 as people write it, integer fen as doudi keeps it.

In come the texts and numbers of cells; out come whole fen, or what is wrong. Nothing is rounded that a person
would notice: more than two decimals is a fault, not a sum.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doudi.engine.identity import BLANK_CHARACTERS, FULL_WIDTH


class MoneyFault(StrEnum):
    """What is wrong with a sum (feeds contract, point 2)."""

    INVALID = "money_invalid"
    NEGATIVE = "money_negative"


_PLAIN: dict[int, int | str | None] = {
    **dict.fromkeys(map(ord, BLANK_CHARACTERS)),
    **FULL_WIDTH,
    ord("−"): "-",
    ord("﹣"): "-",
    ord("–"): "-",
}
_SUM = re.compile(r"([+-]?)[¥￥]?([+-]?)([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.([0-9]{0,2})0*)?元?")
_WHOLE_FEN = 1e-4
_LARGEST_CELL = 1e13  # a spreadsheet keeps 15 digits: above this the fen are no longer there


def parse_fen(text: str) -> tuple[int | None, MoneyFault | None]:
    """A sum in 元 as text (``1,234.50元``, ``１２３４．５``, ``－300``) to fen, or its fault."""
    plain = text.translate(_PLAIN)
    bracketed = len(plain) > 2 and plain[0] == "(" and plain[-1] == ")"  # accountants' minus
    found = _SUM.fullmatch(plain[1:-1] if bracketed else plain)
    if found is None:
        return None, MoneyFault.INVALID
    sign, inner_sign, whole, part = found.groups()
    if (sign and inner_sign) or (bracketed and (sign or inner_sign)):
        return None, MoneyFault.INVALID
    fen = int(whole.replace(",", "")) * 100 + int((part or "").ljust(2, "0"))
    if fen and (bracketed or "-" in (sign, inner_sign)):
        return None, MoneyFault.NEGATIVE
    return fen, None


def cell_text(number: float) -> str:
    """A number cell of a workbook as the 元 text a clerk sees: ``138414560.03``, never binary dust.

    A number that is no whole number of fen keeps its decimals, so that :func:`parse_fen` refuses it.
    """
    if abs(number) < _LARGEST_CELL and abs(number * 100 - round(number * 100)) < _WHOLE_FEN:
        return f"{number:.2f}"
    return repr(number)


def format_yuan(fen: int) -> str:
    """Fen as plain 元 with two decimals, for files: ``1234.50``."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def show_yuan(fen: int) -> str:
    """Fen as a reader likes it, for letters and pages: ``1,234.50元``."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}元"


_DIGITS = "零壹贰叁肆伍陆柒捌玖"


def capital_yuan(fen: int) -> str:
    """Fen in the capital numerals of vouchers (大写金额): ``壹仟贰佰叁拾元整``, ``壹元零伍分``; not below nought."""
    if fen < 0:
        raise ValueError("capital numerals are for sums of nought and more")
    yuan, rest = divmod(fen, 100)
    said = f"{_capital(yuan)}元" if yuan else ""
    jiao, cent = divmod(rest, 10)
    if not rest:
        return f"{said or '零元'}整"
    if jiao:
        said += f"{_DIGITS[jiao]}角"
    elif said:
        said += "零"
    return said + (f"{_DIGITS[cent]}分" if cent else "整")


def _capital(number: int) -> str:
    """A whole number above nought in capital numerals, by groups of four (万, 亿, 万亿)."""
    groups: list[str] = []
    zero = False
    for place, unit in ((12, "万亿"), (8, "亿"), (4, "万"), (0, "")):
        group = number // 10**place % 10_000
        if not group:
            zero = zero or bool(groups)
            continue
        if groups and (zero or group < 1000):
            groups.append("零")
        inner, gap = "", False
        for digit, weight in zip(f"{group:04d}", ("仟", "佰", "拾", ""), strict=True):
            if digit == "0":
                gap = gap or bool(inner)
                continue
            inner += ("零" if gap else "") + _DIGITS[int(digit)] + weight
            gap = False
        groups.append(inner + unit)
        zero = False
    return "".join(groups)


# ---- whole columns -------------------------------------------------------------------------------------------

FAULTS = tuple(MoneyFault)
_BARE = r"^[0-9]{1,13}(\.[0-9]{1,2})?$"
_DRESSED = r"^[0-9]{1,3}(,[0-9]{3}){0,3}(\.[0-9]{1,2})?元?$"
_YUAN = pa.decimal128(17, 2)


def parse_column(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """A column of trimmed cells, null where empty, to int64 fen and faults (0, or 1 + place in ``FAULTS``).

    Bare sums (``1234.5``) and dressed ones (``1,234.50元``) are read by the column, the others one by one.
    """
    faults = np.zeros(len(texts), np.int8)
    bare = pc.fill_null(pc.match_substring_regex(texts, _BARE), False)
    fen = _fen_of(pc.if_else(bare, texts, pa.scalar(None, pa.string())))
    others = pc.and_(pc.invert(bare), texts.is_valid())
    places = np.flatnonzero(others.to_numpy(zero_copy_only=False))
    if places.size == 0:
        return fen, faults
    written = texts.filter(others)
    dressed = pc.match_substring_regex(written, _DRESSED)
    plain = pc.replace_substring_regex(
        pc.if_else(dressed, written, pa.scalar(None, pa.string())), "[,元]", ""
    )
    found: list[int | None] = _fen_of(plain).to_pylist()
    for place in np.flatnonzero(~dressed.to_numpy(zero_copy_only=False)).tolist():
        found[place], fault = parse_fen(written[place].as_py())
        if fault is not None:
            faults[places[place]] = 1 + FAULTS.index(fault)
    return pc.replace_with_mask(fen, others, pa.array(found, pa.int64())), faults


def _fen_of(plain: pa.Array) -> pa.Array:
    # made here and not above: a decimal makes pyarrow look for pandas, a fifth of a second of every command
    hundred = pa.scalar(Decimal(100), pa.decimal128(3, 0))
    return pc.cast(pc.multiply(pc.cast(plain, _YUAN), hundred), pa.int64())
