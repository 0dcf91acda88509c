"""Chinese names as a clerk hears, reads and mistypes them (姓名): variants, sounds, shapes, parts and unreadable characters.

In comes a name as written; out comes what two spellings of one person's name still share. Readings are pypinyin's,
surnames by their own readings; variant and shape tables lie beside this file as text with their source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

from doudi.engine.identity import BLANK_CHARACTERS

GAP = "_"
"""Where a character could not be typed: □, ?, a private-use code point, * of a masked copy."""

_HERE = Path(__file__).parent
_DOTS = re.compile(r"[·•・‧∙⋅.．﹒˙●]+")
_UNTYPED = re.compile(r"[□■▯〓?？＊*\ufffd\ue000-\uf8ff]|[\U000f0000-\U0010ffff]")
_BLANKS = re.compile(f"[{re.escape(BLANK_CHARACTERS)}]+")
_MOST_READINGS = 8  # of one name; 单解仇 would have 3 × 3 × 2

_SURNAME_READINGS = {
    reading[0]: reading[1:]
    for reading in [
        "单shan",
        "查zha",
        "仇qiu",
        "区ou",
        "解xie",
        "任ren",
        "曾zeng",
        "华hua",
        "盖ge",
        "翟zhai",
        "朴piao",
        "尉yu",
        "员yun",
        "缪miao",
        "乐yue",
        "召shao",
        "逄pang",
        "纪ji",
        "冼xian",
        "洗xian",
        "覃qin",
        "黑he",
        "秘bi",
        "折she",
        "种chong",
        "宓fu",
        "车che",
        "隗kui",
        "尹yin",
        "葛ge",
        "应ying",
        "宁ning",
    ]
}
"""Surnames that are not read as the character is (姓氏异读)."""

_TRANSLITERATED = {
    reading[0]: reading[1:]
    for reading in ["阿a", "艾ai", "卜bu", "不bu", "都du", "提ti", "古gu", "热re", "夏xia", "哈ha", "格ge"]
}
"""What these are read as in names of other languages (音译用字), and first in any name."""

_TWO_CHARACTER_SURNAMES = frozenset(
    "欧阳 上官 司马 诸葛 夏侯 皇甫 尉迟 公孙 慕容 令狐 司徒 司空 东方 长孙 宇文 端木 万俟 独孤 南宫 西门 呼延 澹台".split()  # noqa: SIM905
)

# what speakers of the south-west, Hunan and the north-west do not tell apart
_CLOSE_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("hu", "f"), ("r", "l"))
_CLOSE_FINALS = (("ing", "in"), ("eng", "en"), ("ang", "an"))


def _groups(name: str) -> Iterator[str]:
    for line in (_HERE / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield from line.split()


@lru_cache(maxsize=1)
def _variants() -> dict[int, str]:
    return {ord(other): group[0] for group in _groups("variants.txt") for other in group[1:]}


@lru_cache(maxsize=1)
def _shapes() -> dict[str, frozenset[str]]:
    alike: dict[str, set[str]] = {}
    for group in _groups("shapes.txt"):
        for character in group:
            alike.setdefault(character, set()).update(group)
    return {character: frozenset(others) for character, others in alike.items()}


@dataclass(frozen=True)
class NameReading:
    """What is compared of one name; every list is empty where the name is."""

    written: str
    """The name with one kind of dot and blank, nothing else changed."""
    normal: str
    """Variant characters as the common ones, separators gone, ``_`` for what could not be typed."""
    surname: str
    sounds: tuple[str, ...]
    """The readings without tone; several where a character has several."""
    close_sounds: tuple[str, ...]
    """The readings as a speaker hears them who does not tell zh from z, n from l, ing from in."""
    lookalikes: tuple[str, ...]
    """The normal spelling and each one in which one character is taken for another of its shape."""
    holes: tuple[str, ...]
    """The normal spelling and, of three characters or more, each with one left out: one shared, one character differs."""
    ordered: str
    """The same whatever the order of parts or characters."""
    parts: tuple[str, ...]
    """The close sounds of the parts of a name with dots or blanks, of the whole for another of four characters or more."""


def read_name(text: str) -> NameReading:
    """A name as written in a cell, ready to be compared."""
    written = unicodedata.normalize("NFKC", _DOTS.sub("·", _BLANKS.sub(" ", text)).strip(" ·")).casefold()
    written = _UNTYPED.sub(GAP, written)
    if not any(_is_han(character) for character in written):
        pieces = re.split(r"[ ·,\-']+", written)
    else:
        pieces = written.replace(" ", "").split("·")
    pieces = [piece.translate(_variants()) for piece in pieces if piece]
    normal = "".join(pieces)
    surname = pieces[0] if len(pieces) > 1 else _surname(normal)
    per_part = [_sounds(piece, surname=len(pieces) == 1) for piece in pieces]
    sounds = tuple(dict.fromkeys("".join(c) for c in _some(per_part)))
    ordered = "·".join(sorted(pieces)) if len(pieces) > 1 else "".join(sorted(normal))
    return NameReading(
        written=written,
        normal=normal,
        surname=surname,
        sounds=tuple(dict.fromkeys(sound.replace(" ", "") for sound in sounds)),
        close_sounds=tuple(dict.fromkeys(_close(sound) for sound in sounds)),
        lookalikes=_lookalikes(normal),
        holes=_holes(normal),
        ordered=ordered,
        parts=tuple(dict.fromkeys(_close(part[0]) for part in per_part)) if len(normal) > 3 else (),
    )


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or character >= "\U00020000"


def _surname(normal: str) -> str:
    return normal[:2] if normal[:2] in _TWO_CHARACTER_SURNAMES else normal[:1]


@lru_cache(maxsize=40_000)
def _readings(character: str) -> tuple[str, ...]:
    """The readings of one character, the commonest first; itself where it has none."""
    if not _is_han(character):
        return (character,)
    from pypinyin import Style, pinyin

    found = pinyin(character, style=Style.NORMAL, heteronym=True, v_to_u=False, errors="default")
    usual = (_TRANSLITERATED[character],) if character in _TRANSLITERATED else ()
    return tuple(dict.fromkeys((*usual, *found[0])))


def _sounds(piece: str, *, surname: bool) -> tuple[str, ...]:
    """The readings of a piece, each with a blank before every syllable."""
    if not any(_is_han(character) for character in piece):
        return (f" {piece}",)
    # a long name is a transliteration or has two surnames: its characters are read the usual way
    readings = 3 if len(piece) < 4 else 1
    each = [_readings(character)[:readings] for character in piece]
    if surname and piece[0] in _SURNAME_READINGS and piece[:2] not in _TWO_CHARACTER_SURNAMES:
        each[0] = (_SURNAME_READINGS[piece[0]],)
    return tuple("".join(f" {syllable}" for syllable in syllables) for syllables in _some(each))


def _some(each: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The first combinations of one of each; a name whose every character has several readings stays short."""
    found: list[tuple[str, ...]] = []
    for combination in product(*each):
        found.append(combination)
        if len(found) == _MOST_READINGS:
            break
    return found


@lru_cache(maxsize=8_000)
def _close_syllable(syllable: str) -> str:
    if syllable == "hu":
        return "fu"
    for ending, other in _CLOSE_FINALS:
        if syllable.endswith(ending):
            syllable = syllable.removesuffix(ending) + other
            break
    for beginning, other in _CLOSE_INITIALS:
        if syllable.startswith(beginning):
            return other + syllable.removeprefix(beginning)
    return syllable


def _close(sounds: str) -> str:
    return "".join(_close_syllable(syllable) for syllable in sounds.split(" ") if syllable)


def _holes(normal: str) -> tuple[str, ...]:
    shorter = (
        [normal[:place] + normal[place + 1 :] for place in range(len(normal))] if len(normal) > 2 else []
    )
    return tuple(dict.fromkeys((normal, *shorter))) if normal else ()


def _lookalikes(normal: str) -> tuple[str, ...]:
    """The spelling with a mark in the place of each character that has look-alikes, and of the look-alikes.

    Two names that differ in one character of one group share a member: the group's mark stands in the same place.
    """
    shapes = _shapes()
    found = []
    for place, character in enumerate(normal):
        for other in sorted(shapes.get(character, ())):
            if other > character:
                found.append(f"{normal[:place]}{character}{other}{normal[place + 1 :]}")
            elif other < character:
                found.append(f"{normal[:place]}{other}{character}{normal[place + 1 :]}")
    return tuple(found)
