"""From a register file to dated facts: people, households, memberships and categories (花名册入库)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Min, Q, QuerySet
from django.db.models.base import ModelState
from django.utils import timezone

from doudi.contexts.registry.finding import ID_PURPOSE, index_households
from doudi.contexts.registry.models import (
    CategoryRecord,
    DatedFact,
    FeedLoad,
    Household,
    Membership,
    Person,
)
from doudi.engine import identity
from doudi.house.keyring import keyring

_BATCH = 500
Row = dict[str, Any]
T = TypeVar("T")


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    pending = iter(items)
    while batch := list(islice(pending, _BATCH)):
        yield batch


def enter_register(rows: Sequence[Row], load: FeedLoad) -> None:
    """Enter one register; the caller holds the transaction.

    A register is the whole state on its date: whoever is not in it any more leaves on that date. One that arrives
    late, older than the latest, fills the time up to the next one and leaves the present alone.
    """
    next_date = (
        FeedLoad.objects.filter(feed=load.feed, status=FeedLoad.Status.IN_FORCE, as_of__gt=load.as_of)
        .exclude(pk=load.pk)
        .aggregate(first=Min("as_of"))["first"]
    )
    before = _found_where()
    people, changed = _people(rows, update=next_date is None)
    households = _households(rows, load.as_of, update=next_date is None)
    memberships = {
        (households[row["household_no"]].pk, people[row["id_number"]].pk): Membership(
            household=households[row["household_no"]],
            person=people[row["id_number"]],
            relation=row["relation"],
            living_together=bool(row["living_together"]),
            valid_from=load.as_of,
            load=load,
        )
        for row in rows
    }
    categories = {
        (households[row["household_no"]].pk, people[row["id_number"]].pk): CategoryRecord(
            household=households[row["household_no"]],
            person=people[row["id_number"]],
            category=row["category"] or "",
            since=row["category_since"],
            left_on=row["left_on"],
            valid_from=load.as_of,
            load=load,
        )
        for row in rows
    }
    renamed = {household for household, person in memberships if person in changed}
    moved = _follow(Membership, memberships, ("relation", "living_together"), load.as_of, next_date)
    index_households(renamed | moved | {pk for pk, _area in before ^ _found_where()})
    _follow(CategoryRecord, categories, ("category", "since", "left_on"), load.as_of, next_date)


def _found_where() -> set[tuple[int, str]]:
    """Every household that stands in the register, with the area it is found in."""
    return set(Household.objects.current().values_list("pk", "responsible_region"))


def _people(rows: Sequence[Row], *, update: bool) -> tuple[dict[str, Person], set[int]]:
    """The people of a register by ID, and the keys of those of whom it says something new."""
    numbers = sorted({row["id_number"] for row in rows})
    blinds = dict(zip(numbers, keyring().digests(numbers, purpose=ID_PURPOSE), strict=True))
    known: dict[bytes, Person] = {}
    for batch in _batches(blinds.values()):
        known.update({bytes(p.id_blind): p for p in Person.objects.filter(id_blind__in=batch)})
    fresh: list[Person] = []
    changed: list[Person] = []
    people: dict[str, Person] = {}
    for row in rows:
        number = row["id_number"]
        facts = {"name": row["name"], "phone": row["phone"] or "", "address": row["address"] or ""}
        person = people.get(number) or known.get(blinds[number])
        if person is None:
            person = Person(
                id_blind=blinds[number],
                id_number=number,
                sex=identity.sex_of(number),
                born_on=identity.birth_date_of(number),
                **facts,
            )
            fresh.append(person)
        elif update and number not in people and any(getattr(person, k) != v for k, v in facts.items()):
            for key, value in facts.items():
                setattr(person, key, value)
            changed.append(person)
        people[number] = person
    Person.objects.bulk_create(fresh, batch_size=_BATCH)
    Person.objects.bulk_update(changed, ["name", "phone", "address"], batch_size=_BATCH)
    return people, {person.pk for person in changed}


def _households(rows: Sequence[Row], as_of: date, *, update: bool) -> dict[str, Household]:
    heads = {row["household_no"]: row for row in rows if row["is_head"]}
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row["household_no"]] = sizes.get(row["household_no"], 0) + 1
    known: dict[str, Household] = {}
    for batch in _batches(heads):
        known.update({h.household_no: h for h in Household.objects.filter(household_no__in=batch)})
    if update:
        Household.objects.filter(listed=True).exclude(register_date=as_of).update(listed=False)
        Household.objects.filter(register_date=as_of).update(listed=False)
    fresh: list[Household] = []
    for number, head in heads.items():
        household = known.setdefault(number, Household(household_no=number))
        if household.pk is None or update:
            if household.responsible_region in ("", household.region_code):
                # where somebody entrusted the household to another area, that stands (人户分离)
                household.responsible_region = head["region_code"]
            household.region_code = head["region_code"]
            household.urban_rural = head["urban_rural"]
            household.category = head["category"] or ""
            household.head_name = head["name"]
            household.persons = sizes[number]
            household.register_date = as_of
            household.listed = update
        if household.pk is None:
            fresh.append(household)
    old = [household for household in known.values() if household.pk is not None]
    Household.objects.bulk_create(fresh, batch_size=_BATCH)
    if update:
        Household.objects.bulk_update(
            old,
            [
                "region_code",
                "responsible_region",
                "urban_rural",
                "category",
                "head_name",
                "persons",
                "register_date",
                "listed",
            ],
            batch_size=_BATCH,
        )
    return known


def _follow(
    model: type[DatedFact],
    wanted: dict[tuple[int, int], Any],
    facts: tuple[str, ...],
    as_of: date,
    next_date: date | None,
) -> set[int]:
    """Bring the dated facts of one kind to what the register of ``as_of`` says.

    An unchanged fact goes on; a changed one ends on ``as_of`` and its successor begins; a fact that a file of the
    same date said otherwise is retracted, not ended. Returns the keys of the households of which something changed.
    """
    standing: QuerySet[Any] = model.objects.filter(retracted_at=None)  # type: ignore[attr-defined]
    standing = (
        standing.filter(valid_to=None)
        if next_date is None
        else standing.filter(valid_from__lte=as_of).filter(Q(valid_to=None) | Q(valid_to__gt=as_of))
    )
    going_on: list[Any] = []
    ended: list[Any] = []
    retracted: list[Any] = []
    for fact in standing.iterator(chunk_size=2000):
        key = (fact.household_id, fact.person_id)
        successor = wanted.get(key)
        if successor is not None and all(getattr(fact, k) == getattr(successor, k) for k in facts):
            del wanted[key]
            continue
        if next_date is not None and (fact.valid_to is None or fact.valid_to > next_date):
            # what the next register says again goes on from there
            going_on.append(_copy_of(fact, next_date))
        if fact.valid_from == as_of:
            fact.retracted_at = timezone.now()
            retracted.append(fact)
        else:
            fact.valid_to = as_of
            ended.append(fact)
    manager = model.objects  # type: ignore[attr-defined]
    manager.bulk_update(ended, ["valid_to"], batch_size=_BATCH)
    manager.bulk_update(retracted, ["retracted_at"], batch_size=_BATCH)
    for fact in wanted.values():
        fact.valid_to = next_date
    manager.bulk_create([*wanted.values(), *going_on], batch_size=_BATCH)
    return {fact.household_id for fact in (*ended, *retracted, *wanted.values(), *going_on)}


def _copy_of(fact: Any, valid_from: date) -> Any:
    """The same fact from a later day on, to its old end."""
    copied = copy(fact)
    copied.pk = None
    copied._state = ModelState()
    copied.valid_from = valid_from
    return copied
