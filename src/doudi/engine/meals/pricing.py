"""The price of one meal for one person: discount → threshold → subsidy → caps → payer → gift, explained fen by fen.

In come a scheme of the pack, what is known of the person and what was subsidised already; out comes a receipt whose
lines add up. Money is whole fen; the discount is rounded half-up, once, at its end (handbook 05 §5.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import floor

from doudi.engine.errors import DoudiError
from doudi.engine.money import show_yuan

WITHIN = {"本省": 2, "本市": 4, "本县": 6}
"""户籍 of a condition → how many digits of the two division codes must agree."""


class PriceRefused(DoudiError):
    """A sum that cannot be a price."""

    code = "price_refused"


@dataclass(frozen=True)
class Eater:
    """What the rules may ask of a person on the day of the meal; an empty category means none is on record."""

    age: int
    residence: str
    registered: str
    category: str = ""
    disability: int | None = None
    living: str = ""


@dataclass(frozen=True)
class Condition:
    """Whom a rule is for; what is left open asks nothing."""

    age_from: int = 0
    age_to: int = 200
    registered: str = ""
    """One of 本省, 本市, 本县: the registration lies in the same one as the residence; empty: wherever."""
    categories: frozenset[str] = frozenset()
    disability_to: int | None = None
    """Grades up to this one (一级 is the gravest)."""
    living: frozenset[str] = frozenset()

    def met_by(self, eater: Eater) -> bool:
        if not self.age_from <= eater.age <= self.age_to:
            return False
        if self.registered:
            digits = WITHIN[self.registered]
            if eater.registered[:digits] != eater.residence[:digits] or len(eater.registered) < digits:
                return False
        if self.categories and eater.category not in self.categories:
            return False
        if self.disability_to is not None and not (
            eater.disability is not None and eater.disability <= self.disability_to
        ):
            return False
        return not self.living or eater.living in self.living


@dataclass(frozen=True)
class Discount:
    """A share of the list price that the agency gives up (优惠)."""

    code: str
    label: str
    label_en: str
    when: Condition
    share: Fraction
    clause: str


@dataclass(frozen=True)
class Subsidy:
    """A fixed sum per meal above a threshold (助餐补贴), and who pays it."""

    code: str
    label: str
    label_en: str
    when: Condition
    threshold_fen: int
    amount_fen: int
    payer: str
    clause: str


@dataclass(frozen=True)
class PriceScheme:
    """The rules of one area from a day on; caps in fen, None where there is none."""

    name: str
    since: date
    clause: str
    base_discounted: bool
    """Whether the threshold is tested on the discounted sum (折后) or on the list price (标价)."""
    stack: bool
    """Whether several subsidies add up; else the highest alone counts."""
    discounts: tuple[Discount, ...]
    subsidies: tuple[Subsidy, ...]
    times_a_day: int | None
    per_meal_fen: int | None
    per_day_fen: int | None
    per_month_fen: int | None
    least_paid_fen: int
    free_categories: frozenset[str]
    """Categories that may pay nothing at all."""


@dataclass(frozen=True)
class SoFar:
    """What the person got before this meal, over all places; ``stopped`` says why nothing is subsidised, if so."""

    subsidised_today: int = 0
    fen_today: int = 0
    fen_this_month: int = 0
    this_meal: bool = False
    """Whether this very meal of the day was subsidised already, anywhere."""
    stopped: str = ""
    stopped_en: str = ""
    gifts_today: int = 0
    """How many meals of the day charity paid for already."""


@dataclass(frozen=True)
class Gift:
    """Charity's part of a meal (慈善捐助), after every subsidy: at most ``most_fen`` out of the fund that ``payer`` names."""

    payer: str
    most_fen: int
    times_a_day: int = 1


@dataclass(frozen=True)
class ReceiptLine:
    """One step: what it is, by how many fen it changes the price, the price after it, why, and the clause."""

    code: str
    zh: str
    en: str
    fen: int
    left_fen: int
    clause: str = ""


@dataclass(frozen=True)
class Receipt:
    """``list_fen − discount_fen − subsidy_fen − given_fen = paid_fen``; the lines say how each came about."""

    list_fen: int
    discount_fen: int
    subsidy_fen: int
    paid_fen: int
    subsidy_code: str = ""
    payer: str = ""
    lines: tuple[ReceiptLine, ...] = field(default=())
    given_fen: int = 0
    giver: str = ""


def half_up(value: Fraction) -> int:
    """The nearest whole number, a half upward."""
    return floor(value + Fraction(1, 2))


def price(
    scheme: PriceScheme, eater: Eater, list_fen: int, so_far: SoFar | None = None, gift: Gift | None = None
) -> Receipt:
    """The receipt of one meal of ``list_fen``; deterministic, and never above the list price or below nothing."""
    if list_fen < 0:
        raise PriceRefused("标价不能是负数。", "A list price cannot be negative.")
    so_far = so_far or SoFar()
    lines = [ReceiptLine("LIST", "标价", "List price", list_fen, list_fen)]
    least = 0 if eater.category and eater.category in scheme.free_categories else scheme.least_paid_fen
    least = min(least, list_fen)

    discount_fen = _discount(scheme, eater, list_fen, least, lines)
    after = list_fen - discount_fen
    won, subsidy_fen = _subsidy(scheme, eater, list_fen, after, so_far, lines)
    subsidy_fen = _capped(scheme, subsidy_fen, so_far, after, lines)
    if after - subsidy_fen < least:
        cut = subsidy_fen - (after - least)
        subsidy_fen -= cut
        lines.append(
            ReceiptLine(
                "LEAST",
                f"有偿服务，个人至少付 {show_yuan(least)}，补贴减少 {show_yuan(cut)}",
                f"The person pays at least {show_yuan(least)}: the subsidy is less by {show_yuan(cut)}",
                cut,
                after - subsidy_fen,
                scheme.clause,
            )
        )
    given_fen = _given(gift, after - subsidy_fen, least, so_far, lines) if gift is not None else 0
    paid = after - subsidy_fen - given_fen
    lines.append(ReceiptLine("PAID", "个人支付", "Paid by the person", 0, paid))
    return Receipt(
        list_fen,
        discount_fen,
        subsidy_fen,
        paid,
        "+".join(one.code for one in won) if subsidy_fen else "",
        "、".join(dict.fromkeys(one.payer for one in won)) if subsidy_fen else "",
        tuple(lines),
        given_fen,
        gift.payer if gift is not None and given_fen else "",
    )


def _given(gift: Gift, left: int, least: int, so_far: SoFar, lines: list[ReceiptLine]) -> int:
    """What charity pays of what is left: nothing where nothing is subsidised, nor oftener a day than agreed."""
    if so_far.stopped or so_far.gifts_today >= gift.times_a_day:
        return 0
    fen = max(0, min(gift.most_fen, left - least))
    if fen:
        lines.append(
            ReceiptLine(
                "GIFT",
                f"慈善资金“{gift.payer}”捐助 {show_yuan(fen)}",
                f"Given by the charity fund {gift.payer}: {show_yuan(fen)}",
                -fen,
                left - fen,
                "慈善法（捐赠人限定用途）",
            )
        )
    return fen


def _discount(scheme: PriceScheme, eater: Eater, list_fen: int, least: int, lines: list[ReceiptLine]) -> int:
    """The best discount that fits; discounts never add up."""
    fitting = [one for one in scheme.discounts if one.when.met_by(eater)]
    if not fitting:
        return 0
    best = max(fitting, key=lambda one: (one.share, one.code))
    fen = min(half_up(list_fen * best.share), list_fen - least)
    percent = float(best.share * 100)
    lines.append(
        ReceiptLine(
            best.code,
            f"{best.label}，优惠 {percent:g}%",
            f"{best.label_en}: {percent:g} % off",
            -fen,
            list_fen - fen,
            best.clause,
        )
    )
    return fen


def _subsidy(
    scheme: PriceScheme,
    eater: Eater,
    list_fen: int,
    after: int,
    so_far: SoFar,
    lines: list[ReceiptLine],
) -> tuple[Sequence[Subsidy], int]:
    """Which subsidies count and their sum before the caps; a line says why there is none."""

    def none(code: str, zh: str, en: str) -> tuple[Sequence[Subsidy], int]:
        lines.append(ReceiptLine(code, zh, en, 0, after, scheme.clause))
        return (), 0

    fitting = [one for one in scheme.subsidies if one.when.met_by(eater)]
    if not fitting:
        return none("NOT_FOR", "不在补贴对象范围内，只享受优惠", "Not among those subsidised: discount only")
    if so_far.stopped:
        return none(
            "STOPPED", f"不补贴：{so_far.stopped}", f"No subsidy: {so_far.stopped_en or so_far.stopped}"
        )
    if so_far.this_meal:
        return none("SAME_MEAL", "本餐已在别处补贴过", "This meal was subsidised already")
    if scheme.times_a_day is not None and so_far.subsidised_today >= scheme.times_a_day:
        return none(
            "TIMES",
            f"今天已补贴 {so_far.subsidised_today} 次（每人每天 {scheme.times_a_day} 次）",
            f"Subsidised {so_far.subsidised_today} times today; {scheme.times_a_day} a day",
        )
    base, words, words_en = (
        (after, "折后", "discounted sum") if scheme.base_discounted else (list_fen, "标价", "list price")
    )
    reached = [one for one in fitting if base >= one.threshold_fen]
    if not reached:
        nearest = min(fitting, key=lambda one: (one.threshold_fen, one.code))
        return none(
            "THRESHOLD",
            f"{words} {show_yuan(base)} 未满 {show_yuan(nearest.threshold_fen)}，不补贴",
            f"The {words_en} of {show_yuan(base)} is under {show_yuan(nearest.threshold_fen)}: no subsidy",
        )
    won = sorted(reached, key=lambda one: (-one.amount_fen, one.code))
    if not scheme.stack:
        won = won[:1]
    left = after
    for one in won:
        left -= one.amount_fen
        lines.append(
            ReceiptLine(
                one.code,
                f"{one.label}：{words}满 {show_yuan(one.threshold_fen)}，补 {show_yuan(one.amount_fen)}（{one.payer}）",
                f"{one.label_en}: {words_en} from {show_yuan(one.threshold_fen)} on, "
                f"{show_yuan(one.amount_fen)} ({one.payer})",
                -one.amount_fen,
                left,
                one.clause,
            )
        )
    return won, sum(one.amount_fen for one in won)


def _capped(
    scheme: PriceScheme, subsidy_fen: int, so_far: SoFar, after: int, lines: list[ReceiptLine]
) -> int:
    """The subsidy within the caps per meal, day and month, and never above the price."""
    caps = (
        ("PER_MEAL", "每餐", "per meal", scheme.per_meal_fen, 0),
        ("PER_DAY", "每天", "per day", scheme.per_day_fen, so_far.fen_today),
        ("PER_MONTH", "每月", "per month", scheme.per_month_fen, so_far.fen_this_month),
    )
    for code, zh, en, cap, used in caps:
        if cap is None:
            continue
        room = max(0, cap - used)
        if subsidy_fen > room:
            cut, subsidy_fen = subsidy_fen - room, room
            lines.append(
                ReceiptLine(
                    code,
                    f"{zh}补贴上限 {show_yuan(cap)}，已用 {show_yuan(used)}，减少 {show_yuan(cut)}",
                    f"At most {show_yuan(cap)} {en}, {show_yuan(used)} used: less by {show_yuan(cut)}",
                    cut,
                    after - subsidy_fen,
                    scheme.clause,
                )
            )
    return subsidy_fen if subsidy_fen <= after else _no_more_than(after, subsidy_fen, lines)


def _no_more_than(after: int, subsidy_fen: int, lines: list[ReceiptLine]) -> int:
    lines.append(
        ReceiptLine(
            "PRICE",
            "补贴不超过餐费",
            "No more than the price of the meal",
            subsidy_fen - after,
            0,
        )
    )
    return after
