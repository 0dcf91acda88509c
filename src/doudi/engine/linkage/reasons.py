"""Why two records look like one person, in a clerk's words (理由); numbers masked but for the signs that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from doudi.engine.identity import mend_id
from doudi.engine.linkage.records import PersonRecord, plain_id


@dataclass(frozen=True)
class Reason:
    """One comparison in words; ``speaks`` is "for", "against", or "" where it is not known."""

    comparison: str
    zh: str
    en: str
    speaks: str


_NAME = {
    "equal": ("姓名相同", "same name", "for"),
    "variant": ("姓名是异体字或写法不同", "name in variant characters", "for"),
    "untyped": (
        "姓名有打不出的字，其余相同",
        "a character of the name was not typed, the others are the same",
        "for",
    ),
    "sound": ("姓名同音", "names sound the same", "for"),
    "close_sound": ("姓名读音相近（平翘舌、鼻边音、前后鼻音）", "names sound alike in dialect", "for"),
    "shape": ("姓名有形近字", "characters of like shape in the name", "for"),
    "order": ("姓名的字或部分次序不同", "parts of the name in another order", "for"),
    "one_sign": ("姓名差一个字", "one character of the name differs", "for"),
    "similar": ("姓名拼音相近", "names alike in pinyin", "for"),
    "part": ("姓名的一部分相同", "a part of the name is the same", "for"),
    "surname": ("只有姓相同", "only the surname is the same", "against"),
    "other": ("姓名不同", "names differ", "against"),
}
_NUMBER = {
    "equal": ("证件号相同", "same ID number", "for"),
    "one_sign": (
        "证件号差一位或相邻两位颠倒",
        "one digit of the ID differs, or two neighbours are swapped",
        "for",
    ),
    "one_in_serial": (
        "证件号只有顺序码差一位（也可能是双胞胎）",
        "only one digit of the ID's serial differs (twins may have that too)",
        "for",
    ),
    "two_signs": ("证件号差两位", "two digits of the ID differ", "for"),
    "place_and_birth": (
        "证件号的地区和出生日期相同，顺序码不同",
        "same place and birth date in the ID, another serial",
        "against",
    ),
    "other": ("证件号不同", "ID numbers differ", "against"),
}
_BORN = {
    "equal": ("出生日期相同", "same birth date", "for"),
    "day_and_month": ("出生月日颠倒", "day and month of birth swapped", "for"),
    "one_sign": ("出生日期差一位", "one digit of the birth date differs", "for"),
    "year_beside": ("出生年差一年，月日相同", "birth year differs by one, same day", "for"),
    "two_signs": ("出生日期差两位", "two digits of the birth date differ", "against"),
    "other": ("出生日期不同", "birth dates differ", "against"),
}
_ADDRESS = {
    "equal": ("住址相同", "same address", "for"),
    "same_numbers": ("住址门牌相同，写法不同", "same numbers in the address, written differently", "for"),
    "much": ("住址大部分相同", "addresses mostly the same", "for"),
    "some": ("住址一部分相同", "addresses partly the same", ""),
    "other": ("住址不同", "addresses differ", "against"),
}
_PHONE = {
    "equal": ("电话相同", "same telephone", "for"),
    "one_sign": ("电话差一位", "one digit of the telephone differs", "for"),
    "other": ("电话不同", "telephones differ", "against"),
}
_WORDS = {"name": _NAME, "id_number": _NUMBER, "born": _BORN, "address": _ADDRESS, "phone": _PHONE}
_NOT_KNOWN = {
    "name": ("姓名一方未知", "name not known on one side"),
    "id_number": ("证件号一方未知", "ID not known on one side"),
    "born": ("出生日期一方未知", "birth date not known on one side"),
    "address": ("住址一方未知", "address not known on one side"),
    "phone": ("电话一方未知", "telephone not known on one side"),
}


def reasons(one: PersonRecord, other: PersonRecord, grades: Mapping[str, str]) -> list[Reason]:
    """A sentence for each comparison, always in the same order, with what differs; a whole number is never told."""
    told = []
    # grades that come back from PostgreSQL stand in an order of their own
    for comparison in (known for known in _WORDS if known in grades):
        grade = grades[comparison]
        if grade == "unknown":
            told.append(Reason(comparison, *_NOT_KNOWN[comparison], ""))
            continue
        zh, en, speaks = _WORDS[comparison][grade]
        detail_zh, detail_en = _detail(comparison, grade, one, other)
        told.append(Reason(comparison, zh + detail_zh, en + detail_en, speaks))
    return told


def _detail(comparison: str, grade: str, one: PersonRecord, other: PersonRecord) -> tuple[str, str]:
    if comparison == "name" and grade != "equal":
        return f"（{one.name}／{other.name}）", f" ({one.name} / {other.name})"
    if comparison == "id_number" and grade not in ("equal", "other", "place_and_birth"):
        return _differing_signs(one.id_number, other.id_number)
    if comparison == "id_number" and grade == "equal" and one.id_number != other.id_number:
        return "（15位与18位）", " (15 and 18 digits)"
    if comparison == "born" and grade != "equal" and one.born_on and other.born_on:
        return f"（{one.born_on}／{other.born_on}）", f" ({one.born_on} / {other.born_on})"
    return "", ""


def _differing_signs(one: str, other: str) -> tuple[str, str]:
    """（第17位 3／8）, and which of the two fails its check digit: that one was mistyped."""
    places = differing_places(one, other)
    left, right = plain_id(one), plain_id(other)
    zh = "、".join(f"第{place + 1}位 {left[place]}／{right[place]}" for place in places)
    en = ", ".join(f"place {place + 1}: {left[place]} / {right[place]}" for place in places)
    wrong = [side for side, number in (("左", one), ("右", other)) if mend_id(number) is None]
    if len(wrong) == 1:
        zh += f"；{wrong[0]}方校验码不对"
        en += f"; the {'left' if wrong == ['左'] else 'right'} one fails its check digit"
    return (f"（{zh}）", f" ({en})") if zh else ("", "")


def differing_places(one: str, other: str) -> list[int]:
    """The places, from 0, at which two identity numbers differ, the check digit left out when another differs too."""
    left, right = plain_id(one), plain_id(other)
    if len(left) != len(right):
        return []
    places = [place for place, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    body = [place for place in places if place < 17] if len(left) == 18 else places
    return body or places
