"""Resident identity numbers and names, read the way a civil-affairs clerk would read them.

In come the texts of cells; out come 18-digit numbers of GB 11643-1999 (or the one thing that is wrong with
them) and names in the spelling by which two spellings of one person are known to be the same. The address
code is never held against a list: obsolete codes stand on valid cards. Nothing here is logged or kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from operator import mul

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stdnum.cn import uscc


class IdFault(StrEnum):
    """The one thing that is wrong with an identity number (feeds contract, point 2)."""

    FORMAT = "id_format"
    BIRTH_DATE = "id_birth_date"
    CHECK_DIGIT = "id_check_digit"
    EXCEL_DAMAGED = "id_excel_damaged"


@dataclass(frozen=True)
class IdReading:
    """What one cell says: a valid 18-digit ``number``, or ``fault``.

    ``mended`` tells that the number differs from the text of the cell (outer white space aside),
    ``derived`` that it was made from a number of 15 digits.
    """

    number: str | None
    mended: bool = False
    derived: bool = False
    fault: IdFault | None = None


# GB 11643-1999 (ISO 7064 MOD 11-2)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_FIRST_YEAR = 1800

_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"
_BLANKS = "".join(chr(c) for c in (*range(33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029))
BLANK_CHARACTERS = _BLANKS + "\u202f\u205f\u3000" + _INVISIBLE
"""Everything that counts as white space in a cell: blanks of every width, control and invisible signs."""

_DROP_BLANKS: dict[int, int | str | None] = dict.fromkeys(map(ord, BLANK_CHARACTERS))
FULL_WIDTH: dict[int, int | str | None] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width ASCII to its plain form, for ``str.translate``."""

_MEND: dict[int, int | str | None] = {**_DROP_BLANKS, **FULL_WIDTH}
_X_LOOKALIKES = "x×✕✖хХχΧ"
_APOSTROPHES = "'’‘`´"
_EIGHTEEN = re.compile(r"[0-9]{17}[0-9X]")
_FIFTEEN = re.compile(r"[0-9]{15}")
_AS_NUMBER = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]{1,3}|[0-9]{16,}\.0*", re.IGNORECASE)


def check_digit(first17: str) -> str:
    """The 18th character that GB 11643-1999 asks for after 17 digits."""
    return _CHECK_CHARACTERS[sum(map(mul, _WEIGHTS, map(int, first17))) % 11]


def read_id(text: str, *, today: date | None = None) -> IdReading:
    """The identity number in a cell, mended where only its writing is wrong.

    Full-width signs, white space, a leading apostrophe and look-alikes of X are mended; 15 digits become 18
    (handbook 03 §3.8). A birth date after ``today`` is a fault; without ``today`` it is not looked at.

    Serials 996–999, which the 15-digit system gave to people born before 1900, are converted like any other and
    marked ``derived``: feeds.md makes no exception and the sample county counts them, though the handbook would leave
    them to a person. No one born before 1900 is left to be harmed by it.
    """
    trimmed = text.strip(BLANK_CHARACTERS)
    plain = _rewritten(trimmed)
    if _AS_NUMBER.fullmatch(plain):
        return IdReading(None, fault=IdFault.EXCEL_DAMAGED)
    derived = bool(_FIFTEEN.fullmatch(plain))
    if derived:
        plain = plain[:6] + "19" + plain[6:]
        plain += check_digit(plain)
    elif not _EIGHTEEN.fullmatch(plain):
        return IdReading(None, fault=IdFault.FORMAT)
    born = _date_in(plain)
    if born is None or (today is not None and born > today):
        return IdReading(None, fault=IdFault.BIRTH_DATE)
    if check_digit(plain[:17]) != plain[17]:
        return IdReading(None, fault=IdFault.CHECK_DIGIT)
    return IdReading(plain, mended=plain != trimmed, derived=derived)


def _rewritten(text: str) -> str:
    """The text without blanks, full-width signs, a leading apostrophe, and with X where something like it stands."""
    plain = text.translate(_MEND).lstrip(_APOSTROPHES)
    return plain[:17] + "X" if len(plain) == 18 and plain[17] in _X_LOOKALIKES else plain


def mend_id(text: str, *, today: date | None = None) -> str | None:
    """The valid 18-digit number in a text, or None where there is none."""
    return read_id(text, today=today).number


def birth_date_of(number: str) -> date:
    """The birth date inside a valid 18-digit number."""
    born = _date_in(number)
    if born is None:
        raise ValueError("not an 18-digit identity number")
    return born


def sex_of(number: str) -> str:
    """男 or 女, by the 17th digit of a valid number (odd is male)."""
    return "男" if int(number[16]) % 2 else "女"


def mask_id(number: str) -> str:
    """The number as screens show it: first 6 and last 4 stay (handbook 03 §3.7)."""
    if len(number) < 14:
        return "*" * len(number)
    return f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"


def mask_name(name: str) -> str:
    """The name as screens show it to those who need not know it: the first character stays (张**)."""
    return name[:1] + "*" * max(1, len(name) - 1) if name else ""


_NUMBERS = re.compile(
    r"(?<![0-9])(?:[0-9]{17}[0-9Xx]|[0-9]{15}|1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8})(?![0-9])"
)


def holds_number(text: str) -> bool:
    """Whether a text holds what looks like an ID or a telephone number, however it is spaced or written full-width."""
    plain = re.sub(r"(?<=[0-9])[\s\u3000·.-](?=[0-9])", "", text.translate(FULL_WIDTH))
    return _NUMBERS.search(plain) is not None


def valid_uscc(code: str) -> bool:
    """Whether a 统一社会信用代码 is right by GB 32100-2015 (check character included)."""
    return bool(uscc.is_valid(code))


def _date_in(number: str) -> date | None:
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return born if born.year >= _FIRST_YEAR else None


# ---- names ---------------------------------------------------------------------------------------------------

_SEPARATORS = "·•・.．‧"
_VARIANT_PAIRS = "峰峯 群羣 杰傑 强強 云雲 丽麗 黄黃 吕呂 张張 刘劉 陈陳 杨楊 赵趙 吴吳 龙龍 华華 国國 兰蘭 凤鳳"  # feeds contract, point 3
SAME_NAME: dict[int, int | str | None] = {
    **_DROP_BLANKS,
    **dict.fromkeys(map(ord, _SEPARATORS)),
    **{ord(pair[1]): pair[0] for pair in _VARIANT_PAIRS.split()},
}


def normal_name(name: str) -> str:
    """The spelling by which variant characters, separators and white space make no difference.

    Two names with one ID that are equal so, but not letter by letter, are match grade B (handbook 03 §3.8).
    """
    return name.translate(SAME_NAME)


# ---- whole columns -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IdColumn:
    """A column of identity numbers read at once; each array has the length of the column.

    ``number`` is null where the cell is empty or at fault; ``fault`` holds 0 or 1 + the place in ``FAULTS``.
    """

    number: pa.Array
    mended: np.ndarray
    derived: np.ndarray
    fault: np.ndarray


FAULTS = tuple(IdFault)
_FAULT_CODE = {fault: place + 1 for place, fault in enumerate(FAULTS)}
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def read_ids(texts: pa.Array, *, today: date) -> IdColumn:
    """A column of trimmed cells, null where empty, read like :func:`read_id` one by one.

    Numbers that are right as they stand are checked with array arithmetic; only the others are looked at singly.
    """
    size = len(texts)
    mended = np.zeros(size, bool)
    derived = np.zeros(size, bool)
    fault = np.zeros(size, np.int8)
    right = _right_as_they_stand(texts, today)
    rest = np.flatnonzero(~right & texts.is_valid().to_numpy(zero_copy_only=False))
    if rest.size == 0:
        return IdColumn(texts, mended, derived, fault)
    written = texts.take(pa.array(rest)).to_pylist()
    found: list[str | None] = [_rewritten(text) for text in written]
    right_once_rewritten = _right_as_they_stand(pa.array(found, pa.string()), today)
    mended[rest[right_once_rewritten]] = True
    for place in np.flatnonzero(~right_once_rewritten).tolist():
        reading = read_id(written[place], today=today)
        found[place] = reading.number
        mended[rest[place]] = reading.mended
        derived[rest[place]] = reading.derived
        if reading.fault is not None:
            fault[rest[place]] = _FAULT_CODE[reading.fault]
    number = pc.if_else(pa.array(right), texts, pa.scalar(None, pa.string()))
    looked_at = np.zeros(size, bool)
    looked_at[rest] = True
    number = pc.replace_with_mask(number, pa.array(looked_at), pa.array(found, pa.string()))
    return IdColumn(number, mended, derived, fault)


def _right_as_they_stand(texts: pa.Array, today: date) -> np.ndarray:
    right = np.zeros(len(texts), bool)
    long_enough = pc.fill_null(pc.equal(pc.binary_length(texts), 18), False).to_numpy(zero_copy_only=False)
    places = np.flatnonzero(long_enough)
    if places.size == 0:
        return right
    # 18 bytes each and nothing between them: the characters are a table of numbers
    characters = texts.take(pa.array(places)).buffers()[2]
    signs = np.frombuffer(characters, np.uint8, places.size * 18).reshape(-1, 18).astype(np.int16) - ord("0")
    digits, last = signs[:, :17], signs[:, 17]
    plausible = ((digits >= 0) & (digits <= 9)).all(axis=1)
    last_is_x = last == ord("X") - ord("0")
    plausible &= ((last >= 0) & (last <= 9)) | last_is_x
    year = digits[:, 6].astype(np.int32) * 1000 + digits[:, 7] * 100 + digits[:, 8] * 10 + digits[:, 9]
    month = digits[:, 10] * 10 + digits[:, 11]
    day = digits[:, 12] * 10 + digits[:, 13]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    month_is_real = (month >= 1) & (month <= 12)
    days = _DAYS[np.where(month_is_real, month, 0)] + (leap & (month == 2))
    born = year * 10000 + month * 100 + day
    last_day = today.year * 10000 + today.month * 100 + today.day
    plausible &= month_is_real & (day >= 1) & (day <= days) & (year >= _FIRST_YEAR) & (born <= last_day)
    remainder = (digits * np.array(_WEIGHTS, np.int16)).sum(axis=1, dtype=np.int32) % 11
    wanted = (12 - remainder) % 11  # 10 stands for X
    plausible &= np.where(last_is_x, 10, last) == wanted
    right[places[plausible]] = True
    return right
