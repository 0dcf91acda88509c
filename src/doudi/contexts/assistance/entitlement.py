"""What every household of an area is due in a month, and in the months before, as it is known now (应发).

One reading of decisions, stops and deaths serves any number of months: the same walk gives this month's rows and shows
where an earlier month was rostered otherwise (补发、扣回).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from doudi.contexts.assistance.benefit_models import BenefitDecision
from doudi.contexts.assistance.recovery_models import PaymentStop
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import (
    Benefit,
    BenefitRules,
    Claim,
    Due,
    Line,
    Numbers,
    Recipient,
    due,
    month_text,
    next_month,
)

WHOLE = 0
"""The person of a household's own benefit."""
Key = tuple[str, int, str]
"""Household number, person (0: the household) and benefit."""


def in_force(rows: Sequence[BenefitDecision], month: date) -> BenefitDecision | None:
    """The decision that holds in a month among one benefit's rows in order: the last begun, unless it stops or ended."""
    undone = {row.reverses_id for row in rows if row.reverses_id}
    last = None
    for row in rows:
        if row.starts_on <= month and row.reverses_id is None and row.pk not in undone:
            last = row
    if last is None or last.kind == BenefitDecision.Kind.STOP:
        return None
    return None if last.ends_on is not None and last.ends_on < month else last


def as_kept(recipients: Iterable[Recipient], kept: Mapping[int, int]) -> tuple[Recipient, ...]:
    """The people of a decision under the records that they are today (人员合并以后)."""
    return tuple(replace(one, person_id=kept.get(one.person_id, one.person_id)) for one in recipients)


def applicable(
    decision: BenefitDecision,
    month: date,
    stops: Iterable[PaymentStop],
    people: Mapping[int, registry.PersonBrief],
    recipients: Sequence[Recipient] | None = None,
) -> tuple[list[Recipient], list[Line]]:
    """Who of a decision is counted in a month, and a line for everyone who is not: stopped, or dead since an earlier month.

    A stop holds against decisions that stood when it was recorded; a later grant brings a person back. ``recipients``
    are :func:`as_kept`; two records of a decision that have become one person are counted once.
    """
    standing = [
        stop for stop in stops if stop.stop_from <= month and stop.recorded_at >= decision.recorded_at
    ]
    counted: list[Recipient] = []
    left: list[Line] = []
    places: dict[int, int] = {}
    for one in decision.recipients if recipients is None else recipients:
        known = people.get(one.person_id)
        name = known.name if known else str(one.person_id)
        if (place := places.get(one.person_id)) is not None:
            before = counted[place]
            graded = before.failed_items if before.failed_items is not None else one.failed_items
            needs = tuple(dict.fromkeys((*before.needs, *one.needs)))
            counted[place] = replace(before, needs=needs, failed_items=graded)
            left.append(Line("不计入", f"{name}的两份登记已合并为一人，只计一次", None))
            continue
        stop = next((stop for stop in standing if stop.person_id in (None, one.person_id)), None)
        if stop is not None:
            left.append(
                Line("不计入", f"{name}自{month_text(stop.stop_from)}起停发：{stop.ground[:80]}", None)
            )
        elif known is not None and known.died_on is not None and next_month(known.died_on) <= month:
            left.append(Line("不计入", f"{name}于 {known.died_on} 死亡，次月起不发", None))
        else:
            places[one.person_id] = len(counted)
            counted.append(one)
    return counted, left


@dataclass(frozen=True)
class Entitled:
    """What one key is due in a month: the decision it rests on, who is counted, the sum and its lines."""

    key: Key
    decision: BenefitDecision
    persons: int
    due: Due


@dataclass
class _Benefit:
    """One benefit of one household: its decisions in order, each with its facts read once."""

    rows: list[BenefitDecision]
    claims: dict[int, Claim] = field(default_factory=dict)

    def claim(self, row: BenefitDecision) -> Claim:
        if row.pk not in self.claims:
            self.claims[row.pk] = row.claim
        return self.claims[row.pk]


@dataclass
class Books:
    """Decisions, stops and deaths of an area, read once."""

    rules: BenefitRules
    numbers: Numbers
    households: dict[str, dict[str, _Benefit]]
    stops: dict[str, list[PaymentStop]]
    people: dict[int, registry.PersonBrief]
    elsewhere: dict[tuple[int, str], list[str]]
    """Person and benefit → the households in which decisions name the person, where there is more than one way to be paid."""

    @classmethod
    def read(cls, region_code: str, rules: BenefitRules, numbers: Numbers, household_no: str = "") -> Books:
        """The books of an area (of one household of it where it is named)."""
        found = BenefitDecision.objects.filter(region_code__startswith=region_code)
        halted = PaymentStop.objects.filter(region_code__startswith=region_code)
        if household_no:
            found = found.filter(household_no=household_no)
            halted = halted.filter(household_no=household_no)
        households: dict[str, dict[str, _Benefit]] = {}
        ids: set[int] = set()
        read: list[tuple[BenefitDecision, _Benefit]] = []
        for row in found.order_by("starts_on", "pk").iterator(chunk_size=5000):
            mine = households.setdefault(row.household_no, {}).setdefault(row.benefit, _Benefit([]))
            mine.rows.append(row)
            if not row.people:
                continue
            read.append((row, mine))
            ids.update(one.person_id for one in mine.claim(row).recipients)
        kept = registry.kept_persons(ids)
        homes: dict[tuple[int, str], list[str]] = {}
        for row, mine in read:
            claim = mine.claim(row)
            if any(kept.get(one.person_id, one.person_id) != one.person_id for one in claim.recipients):
                claim = mine.claims[row.pk] = replace(claim, recipients=as_kept(claim.recipients, kept))
            for one in claim.recipients:
                known = homes.setdefault((one.person_id, row.benefit), [])
                if row.household_no not in known:
                    known.append(row.household_no)
        stops: dict[str, list[PaymentStop]] = {}
        for stop in halted.iterator(chunk_size=5000):
            stops.setdefault(stop.household_no, []).append(stop)
        before = {other for group in rules.exclusive for other in group[:-1]}
        return cls(
            rules,
            numbers,
            households,
            stops,
            registry.people_briefs(ids | set(kept.values())),
            {key: where for key, where in homes.items() if key[1] in before or len(where) > 1},
        )

    def named(self, number: str, benefit: str) -> set[int]:
        """The people whom any decision of a household on a benefit names, as they are today."""
        mine = self.households.get(number, {}).get(benefit)
        return {one.person_id for row in mine.rows for one in mine.claim(row).recipients} if mine else set()

    def first_month(self, number: str) -> date:
        """The earliest month of which a household's decisions speak."""
        return min(row.starts_on for one in self.households[number].values() for row in one.rows)

    def due_in(self, number: str, month: date, *, explain: bool = False) -> Iterator[Entitled]:
        """Everything a household is due in a month."""
        for code, mine in self.households[number].items():
            benefit = self.rules.benefits.get(code)
            if benefit is None:
                continue
            if not benefit.monthly:
                yield from self._one_off(number, benefit, mine, month, explain)
                continue
            row = in_force(mine.rows, month)
            if row is not None:
                yield from self._monthly(number, benefit, mine, row, month, explain)

    def _monthly(
        self, number: str, benefit: Benefit, mine: _Benefit, row: BenefitDecision, month: date, explain: bool
    ) -> Iterator[Entitled]:
        claim = mine.claim(row)
        counted, left = applicable(
            row, month, self.stops.get(number, ()), self.people, recipients=claim.recipients
        )
        if self.elsewhere:
            counted, more = self._not_twice(number, benefit.code, counted, month)
            left += more
        groups = [[one] for one in counted] if benefit.of_person else [counted]
        for group in groups:
            found = due(self.rules, self.numbers, claim, month, recipients=group, explain=explain)
            if explain and left:
                found = Due(found.fen, (*found.lines, *left), found.missing)
            person = group[0].person_id if benefit.of_person else WHOLE
            yield Entitled((number, person, benefit.code), row, len(group), found)

    def _one_off(
        self, number: str, benefit: Benefit, mine: _Benefit, month: date, explain: bool
    ) -> Iterator[Entitled]:
        undone = {row.reverses_id for row in mine.rows if row.reverses_id}
        grants = [
            row
            for row in mine.rows
            if row.kind == BenefitDecision.Kind.GRANT and row.starts_on == month and row.pk not in undone
        ]
        if not grants:
            return
        # several grants of a month are one sum of the key; the row rests on the last and its lines tell of each
        found = [due(self.rules, self.numbers, mine.claim(row), month, explain=explain) for row in grants]
        lines = tuple(line for part in found for line in part.lines)
        total = Due(sum(part.fen or 0 for part in found), lines)
        yield Entitled(
            (number, WHOLE, benefit.code), grants[-1], len(mine.claim(grants[-1]).recipients), total
        )

    def _not_twice(
        self, number: str, code: str, counted: list[Recipient], month: date
    ) -> tuple[list[Recipient], list[Line]]:
        """Leave out who has an exclusive benefit, or the same one in another household decided earlier."""
        kept, left = [], []
        for one in counted:
            other = self._holds_other(number, code, one.person_id, month)
            if other:
                name = self.people[one.person_id].name if one.person_id in self.people else one.person_id
                left.append(Line("不计入", f"{name}本月已享受{other}，不重复享受", None))
            else:
                kept.append(one)
        return kept, left

    def _holds_other(self, number: str, code: str, person: int, month: date) -> str:
        for group in self.rules.exclusive:
            if code in group:
                for other in group[: group.index(code)]:
                    if any(
                        self._holds(home, other, person, month)
                        for home in self.elsewhere.get((person, other), ())
                    ):
                        return self.rules.benefit(other).label
        for home in self.elsewhere.get((person, code), ()):
            if home == number:
                return ""
            if self._holds(home, code, person, month):
                return f"{self.rules.benefit(code).label}（户 {home}）"
        return ""

    def _holds(self, home: str, code: str, person: int, month: date) -> bool:
        mine = self.households.get(home, {}).get(code)
        row = in_force(mine.rows, month) if mine is not None else None
        if mine is None or row is None:
            return False
        counted, _ = applicable(
            row, month, self.stops.get(home, ()), self.people, recipients=mine.claim(row).recipients
        )
        return any(one.person_id == person for one in counted)
