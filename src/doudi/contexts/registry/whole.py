"""The register read at once, for work on everybody (整批): who is on a programme, and of whom a file cannot be believed.

For a service that has its own policy and writes its own audit entry; a list for a person passes :mod:`listing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from django.db.models import QuerySet

from doudi.contexts.accounts.services import User
from doudi.contexts.registry.in_force import REGISTER, Evidence
from doudi.contexts.registry.models import FeedLoad, Grading, Household, Membership
from doudi.contexts.registry.people import own_files
from doudi.contexts.registry.standing import HEAD
from doudi.contexts.registry.unread import name_mark, unread_marks
from doudi.engine.feeds import FeedSpec

_BLOCK = 100_000


@dataclass(frozen=True)
class Programme:
    """Who is registered on a programme in an area: households, and their standing members by the blind index of the ID."""

    households: pa.Table
    """household_no, region_code (that answers for it), urban_rural, category"""
    members: pa.Table
    """household_no, id_blind, relation, living_together"""
    own: frozenset[str]
    """Files of those who work on it and their kin, which are in neither: they are for somebody else (回避)."""


def on_programme(labels: Sequence[str], *, region_code: str, hands: Sequence[User]) -> Programme:
    """The current households registered as one of ``labels`` in an area, with their members; ``hands``: who works on it."""
    own = frozenset(number for hand in hands for number in own_files(by=hand).households)
    found = _registered(labels, region_code)
    rows = [
        row
        for row in found.order_by().values_list(
            "household_no", "responsible_region", "urban_rural", "category"
        )
        if row[0] not in own
    ]
    names = ("household_no", "region_code", "urban_rural", "category")
    households = pa.table(
        {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(names)}
    )
    standing = (
        Membership.objects.as_known()
        .filter(household__in=found)
        .order_by()
        .values_list("household__household_no", "person__id_blind", "relation", "living_together")
    )
    schema = pa.schema(
        [
            ("household_no", pa.string()), ("id_blind", pa.binary()), ("relation", pa.string()),
            ("living_together", pa.bool_()),
        ]
    )  # fmt: skip
    blocks = [
        pa.RecordBatch.from_arrays(
            [
                pa.array(column, field.type)
                for column, field in zip(zip(*block, strict=True), schema, strict=True)
            ],
            schema=schema,
        )
        for block in _blocks(
            (number, bytes(blind), relation, together)
            for number, blind, relation, together in standing.iterator(chunk_size=10_000)
            if number not in own
        )
    ]
    return Programme(households, pa.Table.from_batches(blocks, schema), own)


@dataclass(frozen=True)
class Doubts:
    """Of whom the loads of a date say something that answers neither yes nor no."""

    keys: frozenset[int]
    """Person keys of the date's register: a row bears this ID and another name."""
    marks: frozenset[bytes]
    """Blind indexes of IDs, and marks of names, of quarantined rows."""
    everybody: bool
    """A load of before such rows were written down: they may be about anybody."""


def doubts_of(specs: Mapping[str, FeedSpec], evidence: Evidence) -> Doubts:
    """The people about whom a file that is in force was not wholly understood."""
    loads = list(FeedLoad.objects.filter(pk__in=evidence.loads))
    register = next(load for load in loads if load.feed == REGISTER)
    keys: set[int] = set()
    marks: set[bytes] = set()
    everybody = False
    feeds = [load for load in loads if load.feed in specs and load.feed != REGISTER]
    for grading in Grading.objects.filter(load__in=feeds, register_hash=register.file_hash):
        everybody = everybody or bool(
            grading.grades.get("grades", {}).get("C") and "held" not in grading.grades
        )
        keys.update(grading.grades.get("held", ()))
    for load in feeds:
        found = unread_marks(specs[load.feed], load)
        everybody = everybody or found is None
        marks |= found or set()
    return Doubts(frozenset(keys), frozenset(marks), everybody)


@dataclass(frozen=True)
class Identity:
    """A standing member with the whole number, for an act that needs it."""

    household_no: str
    name: str
    id_number: str
    id_blind: bytes
    relation: str
    living_together: bool


def identities_of(numbers: Sequence[str]) -> Iterator[tuple[str, list[Identity]]]:
    """By household its standing members, the head first; the caller writes down why it asked."""
    for start in range(0, len(numbers), 500):
        found: dict[str, list[Identity]] = {number: [] for number in numbers[start : start + 500]}
        facts = Membership.objects.as_known().filter(household__household_no__in=list(found))
        for fact in facts.select_related("person", "household").order_by("pk"):
            found[fact.household.household_no].append(
                Identity(
                    fact.household.household_no, fact.person.name, fact.person.id_number,
                    bytes(fact.person.id_blind), fact.relation, fact.living_together,
                )
            )  # fmt: skip
        for number, people in found.items():
            yield number, sorted(people, key=lambda one: one.relation != HEAD)


def marked_names(labels: Sequence[str], marks: frozenset[bytes], *, region_code: str) -> frozenset[bytes]:
    """The blind indexes of those on a programme whose name a quarantined row without a number bears."""
    if not marks:
        return frozenset()
    people = Membership.objects.as_known().filter(household__in=_registered(labels, region_code)).order_by()
    named = people.values_list("person__name", "person__id_blind").iterator(chunk_size=10_000)
    return frozenset(bytes(blind) for name, blind in named if name and name_mark(name) in marks)


def own_numbers(*, by: User) -> frozenset[str]:
    """The households that are the asker's own files or kin's, for a list that is no query of the database."""
    return own_files(by=by).households


def _registered(labels: Sequence[str], region_code: str) -> QuerySet[Household]:
    found = Household.objects.current().filter(category__in=labels)
    return found.filter(responsible_region__startswith=region_code)


def _blocks(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while block := list(islice(rows, _BLOCK)):
        yield block
