"""Yearly spending and administration of a charity (年度支出和管理费用): reached or not, and by how much.

Shares are exact fractions; a share is never rounded before it is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from doudi.engine.money import show_yuan


@dataclass(frozen=True)
class Band:
    """One band of net assets: what is the base, how much of it is spent at least, how much of the spending is administration."""

    from_net_fen: int
    base: str
    """``income`` (上年总收入) or ``net`` (上年末净资产)."""
    spend_at_least: Fraction
    admin_at_most: Fraction
    mean_instead: bool
    """Whether the mean of the three years before may stand for last year's income (前三年平均)."""


@dataclass(frozen=True)
class Class:
    """A class of charities with its bands, the highest first."""

    code: str
    label: str
    label_en: str
    basis: str
    mark: str
    bands: tuple[Band, ...]

    def band(self, net_fen: int) -> Band:
        """The band that net assets fall into."""
        return next((band for band in self.bands if net_fen >= band.from_net_fen), self.bands[-1])


@dataclass(frozen=True)
class Year:
    """A charity's year, in fen; ``mean_income_fen`` and ``net_fen`` None where not known."""

    spent_fen: int
    """Spending on charity (慈善活动支出)."""
    admin_fen: int
    total_fen: int
    """The whole year's spending, of which administration is a share (当年总支出)."""
    last_income_fen: int | None
    mean_income_fen: int | None
    net_fen: int | None


@dataclass(frozen=True)
class Verdict:
    """The answer for a year; None where a figure it needs is not known (待核)."""

    spending: bool | None
    spending_why: str
    spending_why_en: str
    administration: bool | None
    administration_why: str
    administration_why_en: str

    @property
    def must_explain(self) -> bool:
        """Whether the charity reports to its authority and explains publicly (第六十一条第二款)."""
        return self.spending is False or self.administration is False


def judge_year(year: Year, rules: Class) -> Verdict:
    """Whether the year's spending and administration keep within ``rules``, with both reckonings in words."""
    if year.net_fen is None and len(rules.bands) > 1:
        unknown = "上年末净资产没有填报，待核。"
        unknown_en = "Net assets at the end of last year are not given: undecided."
        return Verdict(None, unknown, unknown_en, None, unknown, unknown_en)
    band = rules.band(year.net_fen or 0)
    spending, why, why_en = _spending(year, band)
    admin, admin_why, admin_en = _administration(year, band)
    return Verdict(spending, why, why_en, admin, admin_why, admin_en)


def _spending(year: Year, band: Band) -> tuple[bool | None, str, str]:
    share = _percent(band.spend_at_least)
    spent = show_yuan(year.spent_fen)
    bases = (
        [("上年末净资产", "last year's net assets", year.net_fen)]
        if band.base == "net"
        else [("上年总收入", "last year's income", year.last_income_fen)]
        + ([("前三年平均收入", "the mean of three years", year.mean_income_fen)] if band.mean_instead else [])
    )
    said, said_en, unknown = [], [], False
    for name, name_en, base in bases:
        if base is None:
            unknown = True
            continue
        least = base * band.spend_at_least
        said.append(f"{name} {show_yuan(base)} 的 {share} 为 {show_yuan(_up(least))}")
        said_en.append(f"{share} of {name_en} ({show_yuan(base)}) is {show_yuan(_up(least))}")
        if year.spent_fen >= least:
            return (
                True,
                "；".join(said) + f"，慈善活动支出 {spent}，达到。",
                "; ".join(said_en) + f"; spent on charity: {spent}: reached.",
            )
    if unknown:
        head = "；".join(said) + "；" if said else ""
        head_en = "; ".join(said_en) + "; " if said_en else ""
        return None, f"{head}尚缺上年或前三年的收入，待核。", f"{head_en}an income is missing: undecided."
    return (
        False,
        "；".join(said) + f"，慈善活动支出 {spent}，未达到。",
        "; ".join(said_en) + f"; spent on charity: {spent}: not reached.",
    )


def _administration(year: Year, band: Band) -> tuple[bool, str, str]:
    most = _percent(band.admin_at_most)
    if year.total_fen == 0:
        return year.admin_fen == 0, "当年没有支出。", "Nothing was spent in the year."
    share = Fraction(year.admin_fen, year.total_fen)
    within = share <= band.admin_at_most
    shown = f"{float(share * 100):.1f}%"
    return (
        within,
        f"管理费用 {show_yuan(year.admin_fen)} 占当年总支出 {show_yuan(year.total_fen)} 的 {shown}，"
        f"{'不超过' if within else '超过'} {most}。",
        f"Administration {show_yuan(year.admin_fen)} is {shown} of the year's spending {show_yuan(year.total_fen)}, "
        f"{'within' if within else 'above'} {most}.",
    )


def _up(fen: Fraction) -> int:
    return -(-fen.numerator // fen.denominator)


def _percent(share: Fraction) -> str:
    whole = share * 100
    return f"{int(whole)}%" if whole.denominator == 1 else f"{float(whole):g}%"
