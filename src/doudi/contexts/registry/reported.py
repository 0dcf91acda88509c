"""Who a department's file speaks of: the registered person behind each row, and whether the names agree.

A resolved snapshot holds keys and no names; where a person must judge a name (a death, handbook 02 case 7), the sealed
original is read again. What comes out names people and is for the caller's decision, never for a log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.compute as pc
from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.in_force import register_on
from doudi.contexts.registry.models import CategoryRecord, FeedLoad, Household, Membership, Person
from doudi.contexts.registry.originals import opened
from doudi.contexts.registry.people import people_by_blind
from doudi.contexts.registry.precedence import RANKS, TEMPORARY_AID
from doudi.engine import feeds
from doudi.engine.feeds import FeedSpec
from doudi.engine.identity import normal_name
from doudi.house.keyring import keyring

_BATCH = 500


@dataclass(frozen=True)
class Reported:
    """One registered person whom a row of a file names by ID, in one household of the present register."""

    person_id: int
    name: str
    household_no: str
    region_code: str
    """The area that answers for the household."""
    category: str
    """The person's registered category, or the household's where the person bears none."""
    grade: str
    """A: ID and name; B: the name differs by a variant or separator; C: the name is another one (feeds.md point 3)."""
    name_reported: str
    values: dict[str, Any]


def reported_in(load: FeedLoad, spec: FeedSpec, *, where: tuple[str, str] | None = None) -> list[Reported]:
    """The registered people whom a load names by ID, from its sealed original; ``where`` keeps rows of one value."""
    with opened(load) as original:
        parsed = feeds.parse_file(spec, original, today=timezone.localdate(load.loaded_at))
    held = parsed.rows
    if where is not None:
        column, value = where
        held = held.filter(pc.equal(held[column], value))
    rows = [row for row in held.to_pylist() if row["id_number"]]
    blinds = keyring().digests([row["id_number"] for row in rows], purpose=ID_PURPOSE)
    people = people_by_blind(blinds)
    homes = _homes([person.pk for person in people.values()])
    return [
        Reported(
            person_id=person.pk,
            name=person.name,
            household_no=household.household_no,
            region_code=household.responsible_region,
            category=category or household.category,
            grade=_grade(person.name, row["name"]),
            name_reported=row["name"],
            values={name: value for name, value in row.items() if spec.has(name)},
        )
        for row, blind in zip(rows, blinds, strict=True)
        if blind in people
        for person in [people[blind]]
        for household, category in homes[person.pk]
    ]


def where_registered(person_id: int) -> list[Reported]:
    """The households in which a person stands now, told as :func:`reported_in` tells of a row that names the person.

    For what the office itself registers of somebody, before it changes where the person stands.
    """
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        return []
    return [
        Reported(
            person_id=person_id,
            name=person.name,
            household_no=household.household_no,
            region_code=household.responsible_region,
            category=category or household.category,
            grade="A",
            name_reported=person.name,
            values={},
        )
        for household, category in _homes([person_id])[person_id]
    ]


def _grade(registered: str, reported: str) -> str:
    if registered == reported:
        return "A"
    return "B" if normal_name(registered) == normal_name(reported) else "C"


def _homes(people: list[int]) -> dict[int, list[tuple[Household, str]]]:
    """Person → households of the present register with the person's category there: of several labels the first."""
    found: dict[int, list[tuple[Household, str]]] = defaultdict(list)
    today = timezone.localdate()
    for start in range(0, len(people), _BATCH):
        batch = people[start : start + _BATCH]
        categories: dict[tuple[int, int], str] = {}
        for row in CategoryRecord.objects.filter(person__in=batch, valid_to=None, retracted_at=None):
            left = row.left_on is not None and row.left_on <= today
            if row.category and row.category != TEMPORARY_AID and not left:
                key = row.person_id, row.household_id
                categories[key] = min(
                    row.category, categories.get(key, row.category), key=lambda label: RANKS.get(label, 99)
                )
        for place in Membership.objects.filter(
            person__in=batch, valid_to=None, retracted_at=None
        ).select_related("household"):
            category = categories.get((place.person_id, place.household_id), "")
            found[place.person_id].append((place.household, category))
    return found


@dataclass(frozen=True)
class Standing:
    """What the register says of a person whom a higher context knows by number: where, which category, whether alive."""

    person_id: int
    household_no: str
    region_code: str
    """The area that answers for the household, '' where the person stands in none."""
    registered_region: str
    category: str
    died_on: date | None


def standing_of(numbers: Iterable[str]) -> dict[str, Standing]:
    """ID number → standing of the registered person, for a caller that holds the numbers itself; others are left out."""
    wanted = list(dict.fromkeys(numbers))
    blinds = keyring().digests(wanted, purpose=ID_PURPOSE)
    people = people_by_blind(blinds)
    homes = _homes([person.pk for person in people.values()])
    found = {}
    for number, blind in zip(wanted, blinds, strict=True):
        person = people.get(blind)
        if person is None:
            continue
        first = min(homes[person.pk], key=lambda home: (not home[0].listed, home[0].pk), default=None)
        household, category = first if first is not None else (None, "")
        found[number] = Standing(
            person.pk,
            household.household_no if household is not None else "",
            household.responsible_region if household is not None else "",
            household.region_code if household is not None else "",
            category or (household.category if household is not None else ""),
            person.died_on,
        )
    return found


def people_by_place(numbers: Iterable[str], on: date) -> dict[str, list[Person]]:
    """Household number → its people on a date in the order of their IDs, as the snapshots number them."""
    register = register_on(on)
    when = register.as_of if register is not None else on
    wanted = sorted(set(numbers))
    found: dict[str, list[Person]] = defaultdict(list)
    for start in range(0, len(wanted), _BATCH):
        standing = Membership.objects.filter(
            household__household_no__in=wanted[start : start + _BATCH],
            retracted_at=None,
            valid_from__lte=when,
        ).select_related("person", "household")
        for place in standing:
            if place.valid_to is None or place.valid_to > when:
                found[place.household.household_no].append(place.person)
    for people in found.values():
        people.sort(key=lambda person: person.id_number)
    return found
