"""What a decision makes due in one month, line by line: parameter, value, document, clause (待遇计算).

``due`` takes a decision's facts as a :class:`Claim` and the pack's numbers; it returns whole fen, or what is missing:
a number that the pack does not hold is never nought (未知不是零).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from doudi.engine.benefits.rules import DIFFERENCE, HARDSHIP, Benefit, BenefitRules
from doudi.engine.money import format_yuan
from doudi.engine.packs.model import Pack, ParameterValue


@dataclass(frozen=True)
class Recipient:
    """A person of a decision: special needs (分类施保) and, for 特困, failed items of the self-care test (0–6, None: not tested)."""

    person_id: int
    name: str = ""
    needs: tuple[str, ...] = ()
    failed_items: int | None = None


@dataclass(frozen=True)
class Claim:
    """The facts of a decision that its sum follows from; ``fixed_fen`` is a sum set by the decision itself (核定、渐退)."""

    benefit: str
    region_code: str
    urban_rural: str
    recipients: tuple[Recipient, ...]
    per_capita_fen: int = 0
    band: str = ""
    fixed_fen: int | None = None
    single: bool = False
    taper: bool = False


@dataclass(frozen=True)
class Line:
    """One line of a reckoning as it is shown to a citizen; ``fen`` is what it adds, None where it only explains."""

    item: str
    text: str
    fen: int | None
    parameter: str = ""
    value: str = ""
    valid_from: str = ""
    document: str = ""
    clause: str = ""

    def plain(self) -> list[str | int | None]:
        """The line as a list, for a frozen row."""
        return [
            self.item, self.text, self.fen, self.parameter, self.value, self.valid_from, self.document, self.clause,
        ]  # fmt: skip


@dataclass(frozen=True)
class Due:
    """What is due in a month: fen, or None with ``missing`` saying which number the pack does not hold."""

    fen: int | None
    lines: tuple[Line, ...] = ()
    missing: str = ""


@dataclass
class Numbers:
    """A pack's parameter values by name, region, 城乡 and month, each looked up once; values are exact, in fen for money."""

    pack: Pack
    _seen: dict[tuple[str, str, str, date], ParameterValue | None] = field(default_factory=dict)

    def get(self, name: str, region: str, urban_rural: str, month: date) -> ParameterValue | None:
        """The value in force on the first day of a month; None where the pack holds none."""
        key = (name, region, urban_rural, month)
        if key not in self._seen:
            parameter = self.pack.parameters.get(name)
            self._seen[key] = (
                parameter.lookup(region=region, urban_rural=urban_rural, on=month) if parameter else None
            )
        return self._seen[key]

    def document(self, name: str) -> str:
        """A document as it is cited: full title and number."""
        found = self.pack.documents.get(name)
        if found is None:
            return name
        return f"{found.title}（{found.number}）" if found.number not in ("", "无") else found.title


class _Missing(Exception):
    """A number that the reckoning needs and the pack does not hold."""


@dataclass
class _Reckoning:
    rules: BenefitRules
    numbers: Numbers
    claim: Claim
    month: date
    explain: bool
    lines: list[Line] = field(default_factory=list)

    def number(self, name: str) -> ParameterValue:
        found = self.numbers.get(name, self.claim.region_code, self.claim.urban_rural, self.month)
        if found is None:
            raise _Missing(name)
        return found

    def rounded(self, sum_fen: Fraction) -> int:
        unit = self.rules.round_to
        whole, rest = divmod(sum_fen, unit)
        up = rest > 0 if self.rules.round_up else rest * 2 >= unit
        return int((whole + up) * unit)

    def add(self, item: str, text: str, fen: int | None, by: ParameterValue | None, clause: str) -> None:
        self.lines.append(
            Line(
                item,
                text,
                fen,
                parameter=by.parameter if by else "",
                value=by.text if by else "",
                valid_from=(str(by.valid_from) if by.valid_from else "始终") if by else "",
                document=self.numbers.document(by.document) if by else "",
                clause=clause,
            )
        )


def due(
    rules: BenefitRules,
    numbers: Numbers,
    claim: Claim,
    month: date,
    *,
    recipients: Sequence[Recipient] | None = None,
    explain: bool = True,
) -> Due:
    """What ``claim`` makes due in ``month`` for ``recipients`` (default: all of the decision's people).

    Nobody left is nought. With ``explain`` false the lines are left out, for sums over many months.
    """
    benefit = rules.benefit(claim.benefit)
    people = claim.recipients if recipients is None else tuple(recipients)
    if not people:
        return Due(0)
    reckoning = _Reckoning(rules, numbers, claim, month, explain)
    try:
        fen = _sum(reckoning, benefit, people)
    except _Missing as missing:
        name = str(missing)
        return Due(None, tuple(reckoning.lines), f"政策包里没有“{name}”在该地区、该月的数")
    return Due(fen, tuple(reckoning.lines) if explain else ())


def _sum(at: _Reckoning, benefit: Benefit, people: tuple[Recipient, ...]) -> int:
    claim = at.claim
    if claim.fixed_fen is not None:
        return _fixed(at, benefit, people)
    if benefit.way == DIFFERENCE:
        total = _band(at, people) if claim.band else _difference(at, benefit, people)
        return total + _uplift(at, benefit, people)
    if benefit.way == HARDSHIP:
        return _hardship(at, benefit, people)
    raise _Missing("核定金额")


def _fixed(at: _Reckoning, benefit: Benefit, people: tuple[Recipient, ...]) -> int:
    claim = at.claim
    fen = claim.fixed_fen or 0
    if claim.taper and len(people) < len(claim.recipients):
        # who is no longer counted takes the own share of the tail along
        fen = at.rounded(Fraction(fen * len(people), len(claim.recipients)))
    if at.explain:
        item, clause = ("渐退", at.rules.taper_clause) if claim.taper else ("核定", benefit.clause)
        told = "按渐退前的月标准继续发" if claim.taper else "决定核定的金额"
        at.add(item, f"{told} {format_yuan(fen)}元", fen, None, clause)
    return fen


def _difference(at: _Reckoning, benefit: Benefit, people: tuple[Recipient, ...]) -> int:
    standard = at.number(benefit.standard)
    each = max(Fraction(0), standard.value - at.claim.per_capita_fen)
    fen = at.rounded(each * len(people))
    if at.explain:
        at.add(
            "补差",
            f"（标准 {standard.text} − 人均月收入 {format_yuan(at.claim.per_capita_fen)}元）× {len(people)}人"
            f" = {format_yuan(fen)}元",
            fen,
            standard,
            benefit.clause,
        )
        if at.claim.single:
            at.add("单人保", "只计本人，不计其他家庭成员", None, None, at.rules.single_clause)
    return fen


def _band(at: _Reckoning, people: tuple[Recipient, ...]) -> int:
    name = at.rules.bands.get(at.claim.band)
    if name is None:
        raise _Missing(f"分档 {at.claim.band}")
    value = at.number(name)
    fen = at.rounded(value.value * len(people))
    if at.explain:
        at.add(
            f"{at.claim.band}档",
            f"{at.claim.band}档 {value.text} × {len(people)}人 = {format_yuan(fen)}元",
            fen,
            value,
            at.rules.band_clause,
        )
    return fen


def _uplift(at: _Reckoning, benefit: Benefit, people: tuple[Recipient, ...]) -> int:
    special = [person for person in people if person.needs]
    if not special:
        return 0
    share, standard = at.number(at.rules.uplift), at.number(benefit.standard)
    fen = at.rounded(share.value * standard.value * len(special))
    if at.explain:
        kinds = "、".join(
            dict.fromkeys(at.rules.uplift_kinds.get(p.needs[0], (p.needs[0], ""))[0] for p in special)
        )
        at.add(
            "分类施保",
            f"标准 {standard.text} × {share.text} × {len(special)}人（{kinds}）= {format_yuan(fen)}元，每人只计一次",
            fen,
            share,
            at.rules.uplift_clause,
        )
    return fen


def _hardship(at: _Reckoning, benefit: Benefit, people: tuple[Recipient, ...]) -> int:
    standard, factor = at.number(benefit.standard), at.number(at.rules.hardship_factor)
    total = 0
    for person in people:
        base = at.rounded(standard.value * factor.value)
        total += base
        if at.explain:
            at.add(
                "基本生活",
                f"标准 {standard.text} × {factor.text} = {format_yuan(base)}元",
                base,
                factor,
                at.rules.hardship_clause,
            )
        if person.failed_items is None:
            if at.explain:
                at.add(
                    "照料护理", "未作生活自理能力评估，暂不发照料护理费", None, None, at.rules.hardship_clause
                )
            continue
        grade = next((one for one in at.rules.care if person.failed_items <= one.up_to), at.rules.care[-1])
        value = at.number(grade.parameter)
        care = at.rounded(value.value)
        total += care
        if at.explain:
            at.add(
                "照料护理",
                f"{person.failed_items}项不能自理，{grade.label} {value.text}",
                care,
                value,
                at.rules.hardship_clause,
            )
    return total


def one_off_ceiling(
    rules: BenefitRules, numbers: Numbers, claim: Claim, month: date
) -> tuple[int | None, Line | None]:
    """The most that one grant of a one-off benefit may be: standard × persons × months; None where not known or not bounded."""
    benefit = rules.benefit(claim.benefit)
    at = _Reckoning(rules, numbers, claim, month, explain=True)
    if not benefit.months:
        return None, None
    try:
        standard, months = at.number(benefit.standard), at.number(benefit.months)
    except _Missing:
        return None, None
    ceiling = int(standard.value * len(claim.recipients) * months.value)
    at.add(
        "上限",
        f"标准 {standard.text} × {len(claim.recipients)}人 × {months.text} = {format_yuan(ceiling)}元",
        ceiling,
        months,
        benefit.clause,
    )
    return ceiling, at.lines[0]
