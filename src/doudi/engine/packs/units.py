"""Kinds and units of a pack's values: what may be added to, compared with and multiplied by what.

Money is integer fen; a percentage or multiple is an exact fraction; a count is an integer. 元/月 and 元/年
never meet in a sum or a comparison.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Kind(StrEnum):
    """The kinds of value of a formula."""

    MONEY = "金额"
    NUMBER = "整数"
    BOOL = "是否"
    TEXT = "文本"
    DATE = "日期"
    MONTH = "月份"


@dataclass(frozen=True)
class Unit:
    """Exponents of 元, 月 and 年; persons, vehicles, dwellings, % and 倍 are pure numbers."""

    yuan: int = 0
    month: int = 0
    year: int = 0

    def times(self, other: Unit) -> Unit:
        return Unit(self.yuan + other.yuan, self.month + other.month, self.year + other.year)

    def __str__(self) -> str:
        over = "元" if self.yuan == 1 else f"元^{self.yuan}" if self.yuan else ""
        for name, power in (("月", self.month), ("年", self.year)):
            if power > 0:
                over += name if power == 1 else f"{name}^{power}"
            elif power < 0:
                over = (over or "1") + "/" + (name if power == -1 else f"{name}^{-power}")
        return over or "无单位"


PURE = Unit()
YUAN = Unit(1)
YUAN_PER_MONTH = Unit(1, -1)
YUAN_PER_YEAR = Unit(1, 0, -1)

_MONEY_UNITS = {
    "元": YUAN,
    "分": YUAN,
    "元/月": YUAN_PER_MONTH,
    "分/月": YUAN_PER_MONTH,
    "元/年": YUAN_PER_YEAR,
    "分/年": YUAN_PER_YEAR,
}
_RATIO_UNITS = {"%": 100, "倍": 1}
_COUNT_UNITS = {
    "": PURE, "人": PURE, "户": PURE, "辆": PURE, "套": PURE, "间": PURE, "次": PURE, "个": PURE,
    "岁": PURE, "项": PURE, "宗": PURE, "级": PURE, "天": PURE, "工作日": PURE, "笔": PURE, "档": PURE,
    "月": Unit(0, 1), "年": Unit(0, 0, 1),
}  # fmt: skip


def kind_and_unit(unit: str) -> tuple[Kind, Unit] | None:
    """The kind and dimension a written unit stands for; None for a unit nobody declared."""
    if unit in _MONEY_UNITS:
        return Kind.MONEY, _MONEY_UNITS[unit]
    if unit in _RATIO_UNITS:
        return Kind.NUMBER, PURE
    if unit in _COUNT_UNITS:
        return Kind.NUMBER, _COUNT_UNITS[unit]
    return None


_NUMBER = re.compile(r"^([+-]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(万)?$")


def parse_quantity(text: str, unit: str) -> Fraction | None:
    """A written quantity in the unit's own measure: fen for money, the plain number for counts and ratios.

    ``745.00元`` under 元/月 is 74500; ``60%`` is 3/5; ``1.5倍`` is 3/2. None where the text is not such a
    quantity, where money has a part of a fen, or where a count is not whole.
    """
    body = unicodedata.normalize("NFKC", text).replace(" ", "")
    found = kind_and_unit(unit)
    if found is None:
        return None
    kind, _ = found
    suffixes: tuple[str, ...]
    if kind is Kind.MONEY:
        suffixes = (unit, "元") if unit.startswith("元") else (unit, unit.replace("分", "元"), "元", "分")
    elif unit == "月":
        suffixes = ("个月", "月")
    else:
        suffixes = (unit,) if unit else ()
    in_fen = False
    for suffix in suffixes:
        if suffix and body.endswith(suffix):
            body = body[: -len(suffix)]
            in_fen = suffix.startswith("分")
            break
    else:
        if kind is Kind.MONEY or unit == "%":
            return None
    match = _NUMBER.match(body)
    if match is None:
        return None
    sign, whole, decimals, ten_thousand = match.groups()
    value = Fraction(f"{whole.replace(',', '')}.{decimals or '0'}")
    if ten_thousand:
        value *= 10_000
    if sign == "-":
        value = -value
    if kind is Kind.MONEY:
        value = value if in_fen else value * 100
        return value if value.denominator == 1 else None
    if unit in _RATIO_UNITS:
        return value / _RATIO_UNITS[unit]
    return value if value.denominator == 1 else None


def show_quantity(value: Fraction | int, kind: Kind, unit: str) -> str:
    """A value as a clerk writes it: 1,279.99元, 60%, 1.5倍, 2人."""
    exact = Fraction(value)
    if kind is Kind.MONEY:
        return show_money(exact) + "元"
    if unit == "%":
        return _decimal(exact * 100, 4) + "%"
    return _decimal(exact, 6) + ("个月" if unit == "月" else unit)


def show_money(fen: Fraction | int) -> str:
    """Fen as 1,279.99; a whole sum without decimals, a part of a fen with as many as it needs."""
    exact = Fraction(fen) / 100
    if exact.denominator == 1:
        return f"{int(exact):,}"
    places = 2 if (exact * 100).denominator == 1 else 4
    sign = "-" if exact < 0 else ""
    scaled = abs(exact) * 10**places
    whole = int(scaled)
    return f"{sign}{whole // 10**places:,}.{whole % 10**places:0{places}d}"


def _decimal(value: Fraction, places: int) -> str:
    if value.denominator == 1:
        return f"{int(value):,}"
    sign = "-" if value < 0 else ""
    scaled = round(abs(value) * 10**places)
    digits = f"{scaled % 10**places:0{places}d}".rstrip("0")
    return f"{sign}{scaled // 10**places:,}" + (f".{digits}" if digits else "")
