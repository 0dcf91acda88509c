"""From a register file to dated facts: people, households, memberships and categories (花名册入库)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.dated_areas import areas_of, date_areas
from doudi.contexts.registry.differences import hold_against, show_local_households
from doudi.contexts.registry.finding import index_households
from doudi.contexts.registry.ledger import copy_of
from doudi.contexts.registry.models import (
    CategoryRecord,
    DatedFact,
    FeedLoad,
    Household,
    ListChange,
    Membership,
    Person,
)
from doudi.contexts.registry.people import BATCH as _BATCH
from doudi.contexts.registry.people import batches, homes_of, people_by_blind
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

Row = dict[str, Any]


class HouseholdNumberShared(DoudiError):
    """One number for households of two counties: an office cannot tell them apart."""

    code = "household_number_shared"


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
    _refuse_shared_numbers(rows)
    before = _found_where()
    people, changed = _people(rows, update=next_date is None)
    households = _households(rows, load, update=next_date is None)
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
    held = hold_against(load, memberships, categories)
    moved = _follow(
        Membership, memberships, ("relation", "living_together"), load.as_of, next_date, held, registered=True
    )
    _follow(
        CategoryRecord,
        categories,
        ("category", "since", "left_on"),
        load.as_of,
        next_date,
        held,
        source=CategoryRecord.Source.REGISTER,
    )
    if next_date is None:
        show_local_households(held)
    index_households(homes_of(changed) | moved | {pk for pk, _area in before ^ _found_where()})


def _found_where() -> set[tuple[int, str]]:
    """Every household that stands in the register, with the area it is found in."""
    return set(Household.objects.current().values_list("pk", "responsible_region"))


def _people(rows: Sequence[Row], *, update: bool) -> tuple[dict[str, Person], set[int]]:
    """The people of a register by ID, and the keys of those of whom it says something new."""
    numbers = sorted({row["id_number"] for row in rows})
    named = set(numbers)
    blinds = dict(zip(numbers, keyring().digests(numbers, purpose=ID_PURPOSE), strict=True))
    known = people_by_blind(blinds.values())
    fresh: list[Person] = []
    differs: dict[int, tuple[Person, dict[str, str]]] = {}
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
        elif person.id_number != number and person.id_number in named:
            pass  # a former number beside the present one: the row of the present number says who it is
        elif update and number not in people and any(getattr(person, k) != v for k, v in facts.items()):
            differs[person.pk] = person, facts
        people[number] = person
    changed = _said_anew(differs)
    Person.objects.bulk_create(fresh, batch_size=_BATCH)
    Person.objects.bulk_update(changed, ["name", "phone", "address"], batch_size=_BATCH)
    return people, {person.pk for person in changed}


def _said_anew(differs: dict[int, tuple[Person, dict[str, str]]]) -> list[Person]:
    """The people whose register says something new, with it set.

    A telephone or address that the office changed through a returned workbook stands until the register brings
    another than the one the office replaced: a register that merely lags does not undo it.
    """
    replaced: dict[tuple[int, str], set[str]] = {}
    own: dict[tuple[int, str], str] = {}
    for batch in batches(differs):
        words = ListChange.objects.filter(person_id__in=batch, field__in=("phone", "address")).order_by("pk")
        for word in words:
            place = (word.person_id or 0, word.field)
            replaced.setdefault(place, set()).add(word.before)
            own[place] = word.after
    changed = []
    for key, (person, facts) in differs.items():
        new = {
            name: value
            for name, value in facts.items()
            if getattr(person, name) != value
            and not (own.get((key, name)) == getattr(person, name) and value in replaced[key, name])
        }
        for name, value in new.items():
            setattr(person, name, value)
        if new:
            changed.append(person)
    return changed


def _households(rows: Sequence[Row], load: FeedLoad, *, update: bool) -> dict[str, Household]:
    as_of = load.as_of
    heads = {row["household_no"]: row for row in rows if row["is_head"]}
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row["household_no"]] = sizes.get(row["household_no"], 0) + 1
    known: dict[str, Household] = {}
    for batch in batches(heads):
        known.update({h.household_no: h for h in Household.objects.filter(household_no__in=batch)})
    if update:
        Household.objects.filter(listed=True).exclude(register_date=as_of).update(listed=False)
        Household.objects.filter(register_date=as_of).update(listed=False)
    fresh: list[Household] = []
    before = {household.pk: areas_of(household) for household in known.values()}
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
        moved = ((home, before[home.pk]) for home in old if areas_of(home) != before[home.pk])
        date_areas(moved, on=as_of, load=load)
    return known


def _follow(
    model: type[DatedFact],
    wanted: dict[tuple[int, int], Any],
    facts: tuple[str, ...],
    as_of: date,
    next_date: date | None,
    held: set[int],
    **of_register: Any,
) -> set[int]:
    """Bring the dated facts of one kind to what the register of ``as_of`` says.

    An unchanged fact goes on; a changed one ends on ``as_of`` and its successor begins; a fact that a file of the
    same date said otherwise is retracted, not ended. People in ``held`` stay as the office recorded them, and so do
    facts that no register speaks of (other than ``of_register``). Returns the keys of the households of which
    something changed.
    """
    now = timezone.now()
    for key in [key for key in wanted if key[1] in held]:
        del wanted[key]
    standing: QuerySet[Any] = model.objects.filter(retracted_at=None, **of_register)
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
        if fact.person_id in held:
            continue
        successor = wanted.get(key)
        if successor is not None and all(getattr(fact, k) == getattr(successor, k) for k in facts):
            del wanted[key]
            continue
        if next_date is not None and (fact.valid_to is None or fact.valid_to > next_date):
            # what the next register says again goes on from there
            going_on.append(copy_of(fact, valid_from=next_date))
        if fact.valid_from == as_of:
            fact.retracted_at = now
            retracted.append(fact)
        elif fact.valid_to is None:
            fact.valid_to, fact.ended_at = as_of, now
            ended.append(fact)
        else:
            # its end was known otherwise until now: that is kept, and the shorter one recorded beside it
            going_on.append(copy_of(fact, valid_to=as_of))
            fact.retracted_at = now
            retracted.append(fact)
    manager = model.objects
    manager.bulk_update(ended, ["valid_to", "ended_at"], batch_size=_BATCH)
    manager.bulk_update(retracted, ["retracted_at"], batch_size=_BATCH)
    for fact in wanted.values():
        fact.valid_to = next_date
    manager.bulk_create([*wanted.values(), *going_on], batch_size=_BATCH)
    return {fact.household_id for fact in (*ended, *retracted, *wanted.values(), *going_on)}


def _refuse_shared_numbers(rows: Sequence[Row]) -> None:
    """Refuse a register in which one number stands for households of two counties, or takes another county's over.

    A household that moved between counties brings at least one of its people along.
    """
    county: dict[str, str] = {}
    people: dict[str, set[str]] = {}
    for row in rows:
        number, code = row["household_no"], row["region_code"][:6]
        people.setdefault(number, set()).add(row["id_number"])
        if county.setdefault(number, code) != code:
            raise _shared(number, county[number], code)
    for batch in batches(county):
        for known in Household.objects.filter(household_no__in=batch):
            number = known.household_no
            if known.region_code[:6] == county[number]:
                continue
            members = set(
                Membership.objects.filter(household=known, retracted_at=None).values_list(
                    "person__id_blind", flat=True
                )
            )
            same = {bytes(blind) for blind in members}.intersection(
                keyring().digests(sorted(people[number]), purpose=ID_PURPOSE)
            )
            if members and not same:
                raise _shared(number, known.region_code[:6], county[number])


def _shared(number: str, one: str, other: str) -> HouseholdNumberShared:
    return HouseholdNumberShared(
        f"户编号 {number} 同时用在 {one} 和 {other} 两个县，成员互不相同，无法区分，整份花名册没有装载。"
        "请在户编号前加县码后再装载。",
        f"Household number {number} stands for different families in {one} and {other}; the register was not loaded. "
        "Put the county code before the number.",
    )
