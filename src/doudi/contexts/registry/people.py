"""Finding a person by number (the one in use, a former one, that of a merged record), and where people stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from doudi.contexts.accounts.services import (
    ID_PURPOSE,
    Act,
    Known,
    OwnFile,
    User,
    once_a_request,
    own_blinds,
    refuse_own,
    require,
)
from doudi.contexts.registry.models import Membership, Person, PersonAlias
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

BATCH = 500
T = TypeVar("T")
Found = TypeVar("Found", bound=QuerySet[Any])


class HouseholdNotFound(DoudiError):
    """No such household, or not in the asker's area: the answer is the same, so that nothing is given away."""

    code = "household_not_found"


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """``items`` in lists short enough for one statement of every database."""
    pending = iter(items)
    while batch := list(islice(pending, BATCH)):
        yield batch


def people_by_blind(blinds: Iterable[bytes]) -> dict[bytes, Person]:
    """Blind index → the person it leads to today: aliases and merged records lead to the one that was kept."""
    found: dict[bytes, Person] = {}
    for batch in batches(blinds):
        for person in Person.objects.filter(id_blind__in=batch).select_related("merged_into"):
            found[bytes(person.id_blind)] = person.merged_into or person
        for alias in PersonAlias.objects.filter(id_blind__in=batch).select_related("person__merged_into"):
            found.setdefault(bytes(alias.id_blind), alias.person.merged_into or alias.person)
    return found


def homes_of(people: Iterable[int]) -> set[int]:
    """Every household that people stand or stood in: what is said of them anew is to be found there, or no more."""
    homes: set[int] = set()
    for batch in batches(people):
        homes.update(Membership.objects.filter(person__in=batch).values_list("household_id", flat=True))
    return homes


def person_by_id(number: str) -> Person | None:
    """The person whom a valid 18-digit number means or once meant."""
    blind = keyring().digest(number, purpose=ID_PURPOSE)
    return people_by_blind([blind]).get(blind)


@dataclass(frozen=True)
class PersonToTell:
    """A person who asks about the own data: every record that is or was the person's, and where the person stood."""

    name: str
    persons: frozenset[int]
    household_nos: frozenset[str]
    region_code: str
    blinds: frozenset[bytes] = frozenset()
    """The blind indexes of every number the person has or had."""


def numbers_meant(number: str) -> frozenset[bytes]:
    """The blind indexes of every number of the person whom a number means, of the number alone where none is registered."""
    reading = identity.read_id(number)
    if reading.number is None:
        return frozenset()
    found = person_by_id(reading.number)
    records = records_of(found.pk) if found is not None else frozenset()
    own = Person.objects.filter(pk__in=records).values_list("id_blind", flat=True)
    former = PersonAlias.objects.filter(person__in=records).values_list("id_blind", flat=True)
    return frozenset(
        {keyring().digest(reading.number, purpose=ID_PURPOSE), *(bytes(one) for one in own.union(former))}
    )


def person_to_tell(number: str, *, by: User, known: Sequence[Known] = ()) -> PersonToTell:
    """The person of a number within the asker's area, with every household ever stood in (告知本人).

    ``known`` is where other rooms know the number from: an applicant or a diner need not be registered.
    """
    require(by, Act.TELL_LOOKS)
    reading = identity.read_id(number)
    found = person_by_id(reading.number) if reading.number else None
    records = records_of(found.pk) if found else frozenset()
    standing = list(Membership.objects.filter(person__in=records).select_related("household").order_by("pk"))
    inside = [one for one in standing if one.household.responsible_region.startswith(by.region_code)]
    elsewhere = [one for one in known if one.region_code.startswith(by.region_code)]
    if not inside and not elsewhere:
        raise DoudiError(
            "本辖区的登记里没有这个证件号的人。请核对证件号，或请本人到户籍所在地查询。",
            "Nobody of this number is registered in your area; check the number.",
            code="person_not_found",
        )
    return PersonToTell(
        name=found.name if found is not None else elsewhere[-1].name,
        persons=records,
        household_nos=frozenset(one.household.household_no for one in standing),
        region_code=inside[-1].household.responsible_region if inside else elsewhere[-1].region_code,
        blinds=numbers_meant(number),
    )


@dataclass(frozen=True)
class OwnFiles:
    """What an officer keeps away from (回避): households, people of the register, and numbers known to nobody else."""

    households: frozenset[str] = frozenset()
    persons: frozenset[int] = frozenset()
    blinds: frozenset[bytes] = frozenset()


def own_files(*, by: User) -> OwnFiles:
    """The files that are the officer's own or kin's: under former numbers, in merged records, in former households too."""
    return once_a_request(by, "own_files", lambda: _own_files(by))


def _own_files(by: User) -> OwnFiles:
    blinds = own_blinds(by)
    if not blinds:
        return OwnFiles()
    persons = set(Person.objects.filter(id_blind__in=blinds).values_list("pk", flat=True))
    persons |= set(PersonAlias.objects.filter(id_blind__in=blinds).values_list("person_id", flat=True))
    persons = {record for person in persons for record in records_of(person)}
    standing = Membership.objects.filter(person__in=persons, retracted_at=None)
    return OwnFiles(
        frozenset(standing.values_list("household__household_no", flat=True)),
        frozenset(persons),
        frozenset(blinds),
    )


def but_own(
    found: Found, *, by: User, household: str = "", persons: Sequence[str] = (), blind: str = ""
) -> Found:
    """Rows of a list without those of the asker's own files: every list and export of people passes here.

    ``household``, ``persons`` and ``blind`` are the fields that hold a household's number, keys of people of the
    register and the blind index of an identity number. One row opened by its number is refused by
    :func:`refuse_own_record` instead, so that the try is on record.
    """
    own = own_files(by=by)
    if not own.blinds:
        return found
    near = Q()
    if household:
        near |= Q(**{f"{household}__in": own.households})
    for field in persons:
        near |= Q(**{f"{field}__in": own.persons})
    if blind:
        near |= Q(**{f"{blind}__in": own.blinds})
    return found.exclude(near)


def refuse_own_file(household_no: str, *, by: User) -> None:
    """Refuse who belongs to a household, or whose kin does (回避); every look at one household passes here."""
    if household_no and household_no in own_files(by=by).households:
        raise OwnFile(f"household:{household_no}")


def refuse_own_record(
    subject: str,
    *,
    by: User,
    household_no: str = "",
    blind: bytes | memoryview | None = None,
    person_id: int = 0,
) -> None:
    """Refuse a record of another room that is of the officer's own household, number or person (回避)."""
    refuse_own_file(household_no, by=by)
    refuse_own([blind] if blind else [], subject=subject, by=by)
    if person_id and person_id in own_files(by=by).persons:
        raise OwnFile(subject)


def kept_persons(keys: Iterable[int]) -> dict[int, int]:
    """Which record each key means today: the one that a merged record went into, else itself."""
    found: dict[int, int] = {}
    for batch in batches(keys):
        for key, into in Person.objects.filter(pk__in=batch).values_list("pk", "merged_into"):
            found[key] = key if into is None else kept_persons([into]).get(into, into)
    return found


def records_of(person_id: int) -> frozenset[int]:
    """Every record that is this person today: the kept one and all that went into it."""
    found = {kept_persons([person_id]).get(person_id, person_id)}
    layer = set(found)
    while layer:
        layer = set(Person.objects.filter(merged_into__in=layer).values_list("pk", flat=True)) - found
        found |= layer
    return frozenset(found)
