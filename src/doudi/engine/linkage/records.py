"""A person's record as it is compared: identity number, birth date and address taken apart into what errors leave alone.

Nothing here is kept: the columns live in memory for as long as a comparison takes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from doudi.engine.identity import BLANK_CHARACTERS, FULL_WIDTH, check_digit
from doudi.engine.linkage.names import GAP, NameReading, read_name


@dataclass(frozen=True)
class PersonRecord:
    """What is known of one person; an empty text or None is not known, and speaks neither for nor against."""

    key: int
    name: str = ""
    id_number: str = ""
    born_on: date | None = None
    address: str = ""
    phone: str = ""


_UNIT = "组号栋幢单元楼室队社巷弄排"
_NUMERALS = str.maketrans("一二三四五六七八九", "123456789")
_COUNTED = re.compile(f"(?<=[{_UNIT}村路街道])?([一二三四五六七八九十]{{1,3}})(?=[{_UNIT}])")
_DIVISION = re.compile(
    r"^(?:[^\d\s]{2,8}?(?:省|自治区|特别行政区))?(?:[^\d\s]{2,10}?(?:市|自治州|地区|盟))?"
    r"(?:[^\d\s]{1,12}?(?:自治县|自治旗|县|区|旗|市))?(?:[^\d\s]{1,10}?(?:街道办事处|街道|镇|乡))?"
)
_PUNCTUATION = re.compile(r"[，,。.、;；:：（）()\-—–#_/\\]+")
_NUMBERED = re.compile(f"\\d+[{_UNIT}]?")
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"[a-z0-9]+")


def plain_id(text: str) -> str:
    """The 18 signs of an identity number, a number of 15 digits rewritten as the same person's of 18; else as written."""
    plain = re.sub(r"[\W_]+", "", text.translate(FULL_WIDTH).upper())
    if re.fullmatch(r"\d{15}", plain):
        first = f"{plain[:6]}19{plain[6:]}"
        return first + check_digit(first)
    return plain


def plain_phone(text: str) -> str:
    """The digits of a telephone number without the country's code."""
    digits = "".join(_DIGITS.findall(text.translate(FULL_WIDTH)))
    return digits.removeprefix("86") if len(digits) == 13 else digits


def plain_address(text: str) -> str:
    """An address without the divisions above the village, its numerals as digits (3组 for 三组)."""
    plain = text.translate(FULL_WIDTH).translate(dict.fromkeys(map(ord, BLANK_CHARACTERS), " ")).casefold()
    plain = _PUNCTUATION.sub(" ", plain).strip()
    if plain.isascii():
        return plain
    plain = _COUNTED.sub(lambda found: _in_digits(found[1]), plain.replace(" ", ""))
    rest = _DIVISION.sub("", plain, count=1)
    return rest or plain


def _in_digits(numeral: str) -> str:
    tens, ten, ones = numeral.partition("十")
    if not ten:
        return numeral.translate(_NUMERALS)
    return str(int(tens.translate(_NUMERALS) or 1) * 10 + int(ones.translate(_NUMERALS) or 0))


def address_pieces(plain: str) -> tuple[str, ...]:
    """What two writings of one address share: words, or pairs of characters, and numbers with what they count (3组)."""
    if plain.isascii():
        return tuple(dict.fromkeys(_WORDS.findall(plain)))
    pieces = _NUMBERED.findall(plain)
    for run in _NUMBERED.split(plain):
        pieces += [run[i : i + 2] for i in range(len(run) - 1)]
    return tuple(dict.fromkeys(pieces))


_TEXT, _LIST = pa.string(), pa.list_(pa.string())
KEYS = (
    "k_id",
    "k_born_surname",
    "k_born_given",
    "k_sound_year",
    "k_sound_serial",
    "k_phone",
    "k_address",
    "k_place",
    "k_place_given",
    "k_numbers",
    "k_numbers_given",
    "k_postcode",
    "k_postcode_given",
    "k_born",
    "k_name",
)
"""Two records are compared when they share one of these; see :func:`columns_of`."""
SWAPPED = (
    ("k_place", "k_place_given"),
    ("k_numbers", "k_numbers_given"),
    ("k_postcode", "k_postcode_given"),
)
"""Or one of these, crosswise: given name and surname written in each other's field."""
_MOST_NAMESAKES = 50
"""Beyond so many a name alone is no reason to look closer."""

SCHEMA = pa.schema(
    [
        ("unique_id", pa.int64()),
        *((name, _TEXT) for name in ("name", "name_normal", "name_surname", "name_ordered", "name_like")),
        *((name, _LIST) for name in ("name_sounds", "name_close", "name_alike", "name_holes", "name_parts")),
        *((name, _TEXT) for name in ("id_number", "id_head", "id_tail")),
        ("born", _TEXT),
        ("address", _TEXT),
        ("address_numbers", _TEXT),
        ("address_pieces", _LIST),
        ("phone", _TEXT),
        *((name, _TEXT) for name in KEYS),
    ]
)


def columns_of(people: Iterable[PersonRecord], *, most_alike: int | None) -> tuple[pa.Table, int]:
    """The table that the model compares, and how many keys were too common to be used.

    A key that more than ``most_alike`` people share (everyone whose birthday was put down as 1 January) finds
    nobody and costs its square, so it is dropped; the other keys of those people remain.
    """
    rows = [_row(person) for person in people]
    dropped = 0
    if most_alike is not None:
        for key in KEYS:
            most = min(most_alike, _MOST_NAMESAKES) if key == "k_name" else most_alike
            common = {v for v, n in Counter(row[key] for row in rows).items() if v is not None and n > most}
            dropped += len(common)
            for row in rows:
                if row[key] in common:
                    row[key] = None
    return pa.Table.from_pylist(rows, SCHEMA), dropped


def _row(person: PersonRecord) -> dict[str, object]:
    name = read_name(person.name)
    number = plain_id(person.id_number)
    whole = len(number) == 18
    born = f"{person.born_on:%Y%m%d}" if person.born_on else None
    address = plain_address(person.address)
    numbers = " ".join(_DIGITS.findall(address))
    several = numbers if " " in numbers else None
    # a house has three figures at most; in an address of names alone a postcode is its steadiest part
    postcode = next((number for number in reversed(numbers.split()) if len(number) in (4, 5, 6)), None)
    sound = name.close_sounds[0] if name.close_sounds else ""
    surname = name.parts[-1] if name.parts else _first_sound(name)
    given = name.parts[0] if name.parts else sound.removeprefix(surname)
    phone = plain_phone(person.phone)
    return {
        "unique_id": person.key,
        "name": name.written or None,
        "name_normal": name.normal or None,
        "name_surname": name.surname or None,
        "name_ordered": name.ordered or None,
        "name_like": name.normal if GAP in name.normal and len(name.normal) > 1 else None,
        "name_sounds": name.sounds,
        "name_close": name.close_sounds,
        "name_alike": name.lookalikes,
        "name_holes": name.holes,
        "name_parts": name.parts,
        "id_number": number or None,
        "id_head": (number[:14] if whole else number) or None,
        "id_tail": number[14:17] if whole else "",
        "born": born,
        "address": address or None,
        "address_numbers": numbers,
        "address_pieces": address_pieces(address),
        "phone": phone or None,
        "k_id": number or None,
        "k_born_surname": _key(born, surname),
        "k_born_given": _key(born, given),
        "k_sound_year": _key(sound, born and born[:4]),
        "k_sound_serial": _key(sound, number[-4:]),
        "k_phone": _key(phone, surname),
        "k_address": _key(address, given),
        "k_place": _key(surname, *_place(address)),
        "k_place_given": _key(given, *_place(address)),
        "k_numbers": _key(surname, several),
        "k_numbers_given": _key(given, several),
        "k_postcode": _key(surname, postcode),
        "k_postcode_given": _key(given, postcode),
        "k_born": born,
        "k_name": name.ordered or None,
    }


def _place(address: str) -> tuple[str | None, str | None]:
    """The first number of an address and the first piece without one: what is left when its end is written otherwise."""
    number = _DIGITS.search(address)
    named = next((piece for piece in address_pieces(address) if not _DIGITS.search(piece)), None)
    return (number[0] if number else None, named)


def _first_sound(name: NameReading) -> str:
    return read_name(name.surname).close_sounds[0] if name.surname else ""


def _key(*pieces: str | None) -> str | None:
    return "|".join(piece for piece in pieces if piece) if all(pieces) else None


def one_sign_apart(number: str) -> Sequence[str]:
    """Every identity number that a slip of one digit, or two neighbours swapped, makes of this one.

    The check digit is set right in each: the register holds valid numbers only, so a wrong one that stands in it
    was given its own check digit.
    """
    plain = plain_id(number)
    if not re.fullmatch(r"\d{17}[\dX]", plain):
        return ()
    body = plain[:17]
    bodies = {body}
    for place, digit in enumerate(body):
        bodies.update(f"{body[:place]}{other}{body[place + 1 :]}" for other in "0123456789" if other != digit)
        if place < 16:
            bodies.add(body[:place] + body[place + 1] + digit + body[place + 2 :])
    return sorted(body + check_digit(body) for body in bodies)
