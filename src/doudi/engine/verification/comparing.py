"""What was declared against what was found, with the grade of each difference (差异, handbook 03 §3.6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification.changing import is_minor
from doudi.engine.verification.declarations import Item, Rules
from doudi.engine.verification.evidence import Answer, HouseholdMember, Situation

SAME, MINOR, OTHER, MATERIAL, UNDECLARED, UNKNOWN = "一致", "轻微", "一般", "重大", "未申报", "待核"
"""The grades. 一般: more than minor, and the category stays what it is."""


@dataclass(frozen=True)
class DeclaredAmount:
    """One declared item of one member (申报): a year's income or a balance in fen, or a count."""

    id_number: str
    item: str
    amount: int


@dataclass(frozen=True)
class Difference:
    """An item of the household, declared and found; ``found`` None where a source has not answered."""

    item: str
    measure: str
    declared: int
    found: int | None
    grade: str
    category_declared: str = ""
    """The category that the declaration alone would have given, where it was worked out."""

    def to_json(self) -> dict[str, Any]:
        return {
            "item": self.item,
            "measure": self.measure,
            "declared": self.declared,
            "found": self.found,
            "grade": self.grade,
            "category_declared": self.category_declared,
        }


def compare(
    rules: Rules,
    specs: Mapping[str, FeedSpec],
    situation: Situation,
    declared: Sequence[DeclaredAmount],
    answers: Mapping[str, Answer],
    *,
    members: Sequence[HouseholdMember],
    as_of: date,
    category_again: Callable[[Mapping[str, Answer]], str],
) -> list[Difference]:
    """Every declared item against the finding.

    Minor: an income gap within both limits of the pack, an asset gap within its part of the limit. Material: with
    what was declared in the place of what was found, the same rules give another category; ``category_again`` puts
    them to changed answers. Undeclared: a thing (vehicle, dwelling) or an account of which nothing was declared.
    """
    everything = ""

    def declared_alone() -> str:
        """The category that the declaration of every item would have given."""
        nonlocal everything
        everything = everything or category_again(
            _as_declared(list(rules.items.values()), declared, answers, specs, members, as_of)
        )
        return everything

    told: list[Difference] = []
    for item in rules.items.values():
        own = [line for line in declared if line.item == item.name]
        said = sum(line.amount for line in own)
        found = _found(item, situation)
        if found is None:
            told.append(Difference(item.name, item.measure, said, None, UNKNOWN))
            continue
        if found <= said:
            # who declared more than was found hid nothing
            grade = (
                SAME if found == said else MINOR if _is_minor(item, said, found, rules, situation) else OTHER
            )
            told.append(Difference(item.name, item.measure, said, found, grade))
            continue
        if item.measure == "数" or said == 0:
            told.append(Difference(item.name, item.measure, said, found, UNDECLARED))
            continue
        if _is_minor(item, said, found, rules, situation):
            told.append(Difference(item.name, item.measure, said, found, MINOR))
            continue
        other = category_again(_as_declared([item], own, answers, specs, members, as_of))
        material = other != situation.explanation.category
        if not material:
            # two things that each refuse alone hide each other: seen from the declaration, does this one change it?
            rest = [one for one in rules.items.values() if one is not item]
            only_this = category_again(_as_declared(rest, declared, answers, specs, members, as_of))
            other = declared_alone()
            material = only_this != other
        grade = MATERIAL if material else OTHER
        told.append(Difference(item.name, item.measure, said, found, grade, other))
    return told


def _found(item: Item, situation: Situation) -> int | None:
    total = 0
    for name in item.found:
        value = situation.value(name)
        if value is None:
            return None
        total += int(value) * item.factor
    return total


def limit_of(item: Item, situation: Situation) -> Fraction | None:
    """What an item's minor part is taken of; None where a part of it is not known."""
    limit = Fraction(1)
    for name in item.limit:
        factor = situation.value(name)
        if factor is None:
            return None
        limit *= Fraction(factor)
    return limit


def _is_minor(item: Item, said: int, found: int, rules: Rules, situation: Situation) -> bool:
    return is_minor(rules, item, said, found, limit_of(item, situation) if item.measure == "额" else None)


def _as_declared(
    items: Sequence[Item],
    declared: Sequence[DeclaredAmount],
    answers: Mapping[str, Answer],
    specs: Mapping[str, FeedSpec],
    members: Sequence[HouseholdMember],
    as_of: date,
) -> dict[str, Answer]:
    """The answers with the declaration in the place of the rows that speak of the items."""
    changed = dict(answers)
    names = {member.id_number: member.name for member in members}
    for item in items:
        if any(not changed[feed].status.decided for feed in item.replaced if feed in changed):
            continue
        for feed, marks in item.replaced.items():
            kept = tuple(
                row
                for row in changed[feed].rows
                if marks and any(str(row.get(column)) != value for column, value in marks.items())
            )
            changed[feed] = Answer(changed[feed].status if kept else Status.NO_RECORD, kept)
        written = _declared_rows(item, declared, specs[item.written], names, as_of)
        standing = changed.get(item.written, Answer(Status.NO_RECORD)).rows
        if written:
            changed[item.written] = Answer(Status.KNOWN, (*standing, *written))
    return changed


def _declared_rows(
    item: Item, declared: Sequence[DeclaredAmount], spec: FeedSpec, names: Mapping[str, str], as_of: date
) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for line in declared:
        if line.item != item.name:
            continue
        for number in range(line.amount if item.measure == "数" else 1):
            row: dict[str, Any] = {"id_number": line.id_number, "name": names.get(line.id_number, "")}
            for column, text in item.row.items():
                row[column] = _cell(spec.column(column).type, text, as_of, number)
            if item.amount_column:
                row[item.amount_column] = line.amount
            rows.append(row)
    return rows


def _cell(kind: str, text: str, as_of: date, number: int) -> Any:
    if kind == "date":
        return as_of if text == "当日" else date.fromisoformat(text)
    if kind == "month":
        return as_of.year * 12 + as_of.month - 2
    if kind == "decimal":
        return Decimal(text)
    # two declared vehicles are two rows and not one repeated
    return f"{text}{number + 1}" if text == "申报" else text
