"""Chinese people entered twice, with the slips that offices make: the labelled set of the linkage benchmark.

Surnames: the first ten with their millions by the public-security ministry's report for 2018 (公安部《2018年全国姓名分析》:
王 101.5, 李 100.9, 张 95.4, 刘 72.1, 陈 63.3, 杨 46.2, 黄 33.7, 赵 28.6, 吴 27.8, 周 26.8), the other ninety of the
first hundred falling with their rank to the 85 % that the hundred cover; two-character and rarer ones take the rest.
Given names are drawn from the characters of :mod:`benchmarks.population` with a Zipf fall, one character in three.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate

from benchmarks.population import _GIVEN, _SURNAMES
from doudi.engine.identity import birth_date_of, check_digit
from doudi.engine.linkage import PersonRecord
from doudi.engine.linkage.names import _groups, _readings, _shapes, read_name

_MILLIONS = {
    "王": 101.5,
    "李": 100.9,
    "张": 95.4,
    "刘": 72.1,
    "陈": 63.3,
    "杨": 46.2,
    "黄": 33.7,
    "赵": 28.6,
    "吴": 27.8,
    "周": 26.8,
}
_OTHERS = [s for s in dict.fromkeys(_SURNAMES) if s not in _MILLIONS]
_RARE = [*"单查仇区解闵岑亓逯佘", "欧阳", "上官", "司马", "诸葛", "夏侯", "令狐", "皇甫"]
# parts of names of other languages, some with a second usual writing
_PARTS = "阿卜杜拉 买买提 艾山 古丽米热 吐尔逊 热合曼 艾合买提 努尔兰 米吉提 阿依古丽 库尔班 玉素甫 依明 哈力克 帕提古丽".split()  # noqa: SIM905
_PART_WRITTEN = dict(
    pair.split("/")
    for pair in "阿卜杜拉/阿不都拉 买买提/麦麦提 艾合买提/艾合麦提 热合曼/热合满 玉素甫/玉苏甫 依明/伊明 吐尔逊/吐尔孙".split()  # noqa: SIM905
)
_TOWNS = [
    f"{town}镇" for town in ["龙山", "冠山", "谷脚", "醒狮", "洗马", "湾滩河", "羊场", "巴江", "金谷", "云雾"]
]
_VILLAGES = [f"{a}{b}村" for a in "上下大小新老高平水石" for b in "坝寨田坪冲井桥湾"]
_NUMERALS = "零一二三四五六七八九"
_AREAS = [f"5227{i:02d}" for i in range(1, 33)]


@dataclass(frozen=True)
class Entry:
    """A record as an office entered it, and who it really is."""

    record: PersonRecord
    person: int


class _Names:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        rest = 1400 * 0.85 - sum(_MILLIONS.values())
        falls = [1 / (rank + 8) for rank in range(len(_OTHERS))]
        self.surnames = [*_MILLIONS, *_OTHERS, *_RARE]
        weights = [*_MILLIONS.values(), *(rest * fall / sum(falls) for fall in falls)]
        weights += [1400 * 0.02 / len(_RARE)] * len(_RARE)
        self.surname_weights = list(accumulate(weights))
        self.given = list(dict.fromkeys(_GIVEN))
        self.given_weights = list(accumulate(1 / (rank + 12) for rank in range(len(self.given))))
        self.by_sound: dict[str, list[str]] = defaultdict(list)
        self.by_close: dict[str, list[str]] = defaultdict(list)
        pool = "".join(dict.fromkeys(_GIVEN + _HOMOPHONES))
        for character in pool:
            self.by_sound[_readings(character)[0]].append(character)
            self.by_close[read_name(f"王{character}").close_sounds[0]].append(character)
        self.variants = {group[0]: group[1:] for group in _groups("variants.txt")}

    def surname(self) -> str:
        return self.chance.choices(self.surnames, cum_weights=self.surname_weights)[0]

    def given_name(self) -> str:
        size = 1 if self.chance.random() < 0.3 else 2
        return "".join(self.chance.choices(self.given, cum_weights=self.given_weights, k=size))

    def slip(self, name: str) -> str:
        """The name as somebody else wrote it."""
        if "·" in name:
            return self._other_writing(name)
        kind = self.chance.choices(
            ("sound", "close", "shape", "variant", "gap", "order", "other"), (32, 14, 22, 12, 6, 2, 12)
        )[0]
        places = list(range(len(name)))
        self.chance.shuffle(places)
        if kind == "order":
            return name[0] + name[:0:-1]
        for place in places:
            others = self._others(kind, name[place])
            if others:
                return name[:place] + self.chance.choice(others) + name[place + 1 :]
        return name

    def _others(self, kind: str, character: str) -> list[str]:
        if kind == "gap":
            return ["□", "?", "\ue5f0"]
        if kind == "variant":
            return list(self.variants.get(character, ""))
        if kind == "shape":
            return [c for c in _shapes().get(character, ()) if c != character]
        if kind == "other":
            return self.given
        pool = (
            self.by_sound[_readings(character)[0]]
            if kind == "sound"
            else self.by_close[read_name(f"王{character}").close_sounds[0]]
        )
        return [c for c in pool if c != character]

    def _other_writing(self, name: str) -> str:
        parts = [self._part(part) for part in name.split("·")]
        style = self.chance.random()
        if style < 0.25:
            return parts[0]
        return self.chance.choice("·•.・").join(parts)

    def _part(self, part: str) -> str:
        return _PART_WRITTEN.get(part, part) if self.chance.random() < 0.6 else part


_HOMOPHONES = (
    "薇微卫唯维炜玮芬纷雯闻方芳静婧菁竞颖莹瑛迎映雪学莉俐丽立磊蕾垒洋阳扬勇永咏艳燕雁彦杰洁捷娟涓涛韬明鸣铭超朝霞遐平萍苹刚钢岗桂贵英瑛应玉育裕毓郁兰岚蓝"
    "红宏洪鸿虹梅玫鹏朋飞菲非斐波博斌彬宾宇雨羽语浩皓昊凯恺健建俊骏峻军君钧帆凡婷庭慧惠会林琳霖晶京倩茜云芸龙隆凤奉国文闻志智致海山珊春秋冬夏福富寿喜希熙"
    "安康宁顺舜德才财材义毅艺仁任信欣新心礼理力峰锋枫丰群强蔷敏闽娜纳伟纬胜圣生声辉晖慧玲灵伶铃"
)


def entries(persons: int, *, twice: float = 0.1, seed: int = 1) -> Iterator[Entry]:
    """``persons`` people in households; a share ``twice`` of them has a second record with slips, a few a third."""
    chance = random.Random(seed)
    names = _Names(chance)
    made = key = 0
    while made < persons:
        for original in _household(chance, names):
            person, made = made, made + 1
            yield Entry(replace(original, key=key), person)
            key += 1
            while chance.random() < twice:
                yield Entry(replace(_again(original, chance, names), key=key), person)
                key += 1
                if chance.random() > 0.1:
                    break


def _household(chance: random.Random, names: _Names) -> Iterator[PersonRecord]:
    surname, address, phone = names.surname(), _address(chance), _phone(chance)
    area = chance.choice(_AREAS) if chance.random() < 0.15 else _AREAS[0]
    ethnic = chance.random() < 0.03
    born: date | None = None
    for place in range(chance.choices((1, 2, 3, 4, 5), (30, 27, 22, 14, 7))[0]):
        own = surname if place != 1 or chance.random() < 0.1 else names.surname()  # the wife keeps hers
        twin = place > 2 and born is not None and chance.random() < 0.025
        if not twin:
            born = date(1930, 1, 1) + timedelta(days=chance.randrange(33_000))
        assert born is not None
        name = "·".join(chance.sample(_PARTS, 2)) if ethnic else own + names.given_name()
        number = f"{area}{born:%Y%m%d}{chance.randrange(1, 400):03d}"
        yield PersonRecord(
            key=0,
            name=name,
            id_number=number + check_digit(number),
            born_on=born,
            address=address,
            phone=phone if chance.random() < 0.4 else (_phone(chance) if chance.random() < 0.6 else ""),
        )


def _address(chance: random.Random) -> str:
    return (
        f"贵州省黔南州龙里县{chance.choice(_TOWNS)}{chance.choice(_VILLAGES)}"
        f"{chance.randrange(1, 10)}组{chance.randrange(1, 200)}号"
    )


def _phone(chance: random.Random) -> str:
    return f"1{chance.choice('3578')}{chance.randrange(10**9):09d}"


def _again(one: PersonRecord, chance: random.Random, names: _Names) -> PersonRecord:
    """The same person as another office, another year or another form has entered them."""
    number, born, derived = one.id_number, one.born_on, True
    fate = chance.random()
    if fate < 0.25:
        number = ""
    elif fate < 0.35 and one.born_on and one.born_on.year < 2000:
        number = number[:6] + number[8:17]
    elif fate < 0.80:
        number = _wrong_number(number, chance)
    if number and len(number) == 18:
        try:
            born = birth_date_of(number)
        except ValueError:
            derived = False
    if not number or not derived:
        slip = chance.random()
        if slip < 0.15:
            born = _wrong_date(one.born_on or date(1950, 1, 1), chance)
        elif slip < 0.25:
            born = None
    name = names.slip(one.name) if chance.random() < 0.55 else one.name
    address = one.address
    fate = chance.random()
    if fate < 0.35:
        address = _rewritten(address, chance)
    elif fate < 0.5:
        address = _address(chance)
    elif fate < 0.6:
        address = ""
    phone, fate = one.phone, chance.random()
    if fate < 0.3:
        phone = ""
    elif fate < 0.55:
        phone = _phone(chance)
    elif fate < 0.62 and phone:
        phone = _one_wrong(phone, chance, range(2, 11))
    return replace(one, name=name, id_number=number, born_on=born, address=address, phone=phone)


def _wrong_number(number: str, chance: random.Random) -> str:
    body = number[:17]
    for _ in range(2 if chance.random() < 0.12 else 1):
        if chance.random() < 0.3:
            place = chance.randrange(16)
            body = body[:place] + body[place + 1] + body[place] + body[place + 2 :]
        else:
            body = _one_wrong(body, chance, range(17))
    return body + (check_digit(body) if chance.random() < 0.5 else number[17])


def _one_wrong(digits: str, chance: random.Random, places: range) -> str:
    place = chance.choice(places)
    return (
        digits[:place] + chance.choice([d for d in "0123456789" if d != digits[place]]) + digits[place + 1 :]
    )


def _wrong_date(born: date, chance: random.Random) -> date:
    if chance.random() < 0.3 and born.day <= 12:
        return born.replace(month=born.day, day=born.month)
    if chance.random() < 0.4:
        return born.replace(year=born.year + chance.choice((-1, 1)), day=min(born.day, 28))
    while True:
        text = _one_wrong(f"{born:%Y%m%d}", chance, range(2, 8))
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            continue


def _rewritten(address: str, chance: random.Random) -> str:
    style = chance.random()
    if style < 0.4:
        return address.removeprefix("贵州省黔南州")
    if style < 0.6:
        return address.removeprefix("贵州省黔南州龙里县").rpartition("组")[0] + "组"
    head, _, tail = address.rpartition("村")
    return f"{head}村{_NUMERALS[int(tail[0])]}{tail[1:]}"
