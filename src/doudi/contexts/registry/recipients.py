"""Who stands in a benefit's category today, and what the register knows of people who are paid.

For callers above that have already settled who may see them: nothing here is scoped by an account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Q

from doudi.contexts.registry.models import CategoryRecord, Household, Membership, Person
from doudi.contexts.registry.people import batches
from doudi.contexts.registry.precedence import CODES, RANKS


@dataclass(frozen=True)
class PersonBrief:
    """What paying a person asks of the register."""

    person_id: int
    name: str
    born_on: date | None
    died_on: date | None


@dataclass(frozen=True)
class RecipientHousehold:
    """A current household with the people who hold a category in it."""

    household: Household
    people: tuple[PersonBrief, ...]


def people_briefs(ids: Iterable[int]) -> dict[int, PersonBrief]:
    """People by key."""
    found: dict[int, PersonBrief] = {}
    for batch in batches(sorted(set(ids))):
        for row in Person.objects.filter(pk__in=batch).values_list("pk", "name", "born_on", "died_on"):
            found[row[0]] = PersonBrief(*row)
    return found


def recipients(category: str, *, region_code: str, on: date) -> Iterator[RecipientHousehold]:
    """Current households of an area with the living members who hold ``category`` and have not left it by ``on``."""
    held: dict[int, list[int]] = {}
    facts = (
        CategoryRecord.objects.as_known()
        .filter(
            category=category, household__responsible_region__startswith=region_code, household__listed=True
        )
        .filter(Q(left_on=None) | Q(left_on__gt=on))
        .order_by("household_id", "person_id")
    )
    for household, person in facts.values_list("household_id", "person_id"):
        held.setdefault(household, []).append(person)
    together = set()
    for batch in batches(held):
        together |= set(
            Membership.objects.as_known()
            .filter(household__in=batch, living_together=True)
            .values_list("household_id", "person_id")
        )
    people = people_briefs(person for persons in held.values() for person in persons)
    for batch in batches(held):
        for household in Household.objects.filter(pk__in=batch).order_by("household_no"):
            counted = tuple(
                people[person]
                for person in dict.fromkeys(held[household.pk])
                if (household.pk, person) in together and people[person].died_on is None
            )
            if counted:
                yield RecipientHousehold(household, counted)


def heads_of(numbers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Household number → name of the head and responsible area."""
    found: dict[str, tuple[str, str]] = {}
    for batch in batches(sorted(set(numbers))):
        rows = Household.objects.filter(household_no__in=batch)
        found |= {
            number: (name, area)
            for number, name, area in rows.values_list("household_no", "head_name", "responsible_region")
        }
    return found


@dataclass(frozen=True)
class HeadIdentity:
    """The head of a household as a form of another system asks for: name, whole number, urban or rural."""

    name: str
    id_number: str
    urban_rural: str


def head_identities(numbers: Iterable[str]) -> dict[str, HeadIdentity]:
    """Household number → its head with the whole number; a household without a registered head has none."""
    found: dict[str, HeadIdentity] = {}
    for batch in batches(sorted(set(numbers))):
        heads = (
            Membership.objects.as_known()
            .filter(household__household_no__in=batch, relation="户主")
            .select_related("person", "household")
            .order_by("pk")
        )
        for row in heads:
            found[row.household.household_no] = HeadIdentity(
                row.person.name, row.person.id_number, row.household.urban_rural
            )
    return found


def layers_of(household_nos: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Household number → the first of its registered categories by precedence ('' for none) and its living members."""
    found: dict[str, tuple[str, int]] = {}
    for batch in batches(sorted(set(household_nos))):
        living = (
            Membership.objects.as_known()
            .filter(household__household_no__in=batch, living_together=True, person__died_on=None)
            .order_by()
            .values_list("household__household_no")
            .annotate(n=Count("person", distinct=True))
        )
        people = dict(living)
        held = (
            CategoryRecord.objects.as_known()
            .filter(household__household_no__in=batch, left_on=None, category__in=RANKS)
            .values_list("household__household_no", "category")
        )
        first: dict[str, str] = {}
        for number, label in held:
            first[number] = min(label, first.get(number, label), key=RANKS.__getitem__)
        found |= {
            number: (CODES[first[number]] if number in first else "", people.get(number, 0))
            for number in batch
        }
    return found


def counted_members(household_no: str) -> tuple[PersonBrief, ...]:
    """The members of a household who live together, for choosing who receives."""
    found = (
        Membership.objects.as_known()
        .filter(household__household_no=household_no, living_together=True)
        .select_related("person")
        .order_by("pk")
    )
    return tuple(
        PersonBrief(row.person_id, row.person.name, row.person.born_on, row.person.died_on) for row in found
    )
