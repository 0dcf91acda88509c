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


_PLAIN = {
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


def yuan(fen: int) -> Decimal:
    """Fen as an exact decimal of 元, for spreadsheet cells."""
    return Decimal(fen).scaleb(-2)


# ---- whole columns -------------------------------------------------------------------------------------------

FAULTS = tuple(MoneyFault)
_COMMON = r"^([0-9]{1,13}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.[0-9]{1,2}0*)?元?$"
_FEN = pa.decimal128(17, 2)


def parse_column(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """A column of trimmed cells, null where empty, to int64 fen and faults (0, or 1 + place in ``FAULTS``)."""
    faults = np.zeros(len(texts), np.int8)
    common = pc.fill_null(pc.match_substring_regex(texts, _COMMON), False)
    plain = pc.replace_substring_regex(pc.if_else(common, texts, pa.scalar(None, pa.string())), "[,元]", "")
    plain = pc.replace_substring_regex(plain, r"(\.[0-9]{2})0+$", r"\1")
    fen = pc.cast(pc.multiply(pc.cast(plain, _FEN), pa.scalar(Decimal(100), pa.decimal128(3, 0))), pa.int64())
    others = pc.and_(pc.invert(common), texts.is_valid())
    places = np.flatnonzero(others.to_numpy(zero_copy_only=False))
    if places.size == 0:
        return fen, faults
    seen: dict[str, tuple[int | None, MoneyFault | None]] = {}
    found: list[int | None] = []
    for place, text in zip(places.tolist(), texts.take(pa.array(places)).to_pylist(), strict=True):
        answer = seen.get(text)
        if answer is None:
            answer = seen[text] = parse_fen(text)
        found.append(answer[0])
        if answer[1] is not None:
            faults[place] = 1 + FAULTS.index(answer[1])
    return pc.replace_with_mask(fen, others, pa.array(found, pa.int64())), faults
