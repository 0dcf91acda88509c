"""Finding a person by number (the one in use, a former one, that of a merged record), and where people stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from doudi.contexts.accounts.services import ID_PURPOSE, Act, User, refuse_own, require
from doudi.contexts.registry.models import Membership, Person, PersonAlias
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

BATCH = 500
T = TypeVar("T")


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


def person_to_tell(number: str, *, by: User) -> PersonToTell:
    """The person of a number within the asker's area, with every household ever stood in (告知本人)."""
    require(by, Act.TELL_LOOKS)
    reading = identity.read_id(number)
    found = person_by_id(reading.number) if reading.number else None
    records = (
        {found.pk, *Person.objects.filter(merged_into=found).values_list("pk", flat=True)} if found else set()
    )
    standing = list(Membership.objects.filter(person__in=records).select_related("household").order_by("pk"))
    inside = [one for one in standing if one.household.responsible_region.startswith(by.region_code)]
    if found is None or not inside:
        raise DoudiError(
            "本辖区的登记里没有这个证件号的人。请核对证件号，或请本人到户籍所在地查询。",
            "Nobody of this number is registered in your area; check the number.",
            code="person_not_found",
        )
    return PersonToTell(
        name=found.name,
        persons=frozenset(records),
        household_nos=frozenset(one.household.household_no for one in standing),
        region_code=inside[-1].household.responsible_region,
    )


def refuse_own_file(household_no: str, *, by: User) -> None:
    """Refuse who belongs to a household, or whose kin does (回避); every look at one household passes here."""
    standing = Membership.objects.filter(household__household_no=household_no, retracted_at=None)
    former = PersonAlias.objects.filter(person__in=standing.values("person")).values_list(
        "id_blind", flat=True
    )
    blinds = standing.values_list("person__id_blind", flat=True).union(former)
    refuse_own(blinds, subject=f"household:{household_no}", by=by)


def kept_persons(keys: Iterable[int]) -> dict[int, int]:
    """Which record each key means today: the one that a merged record went into, else itself."""
    found: dict[int, int] = {}
    for batch in batches(keys):
        found |= dict(Person.objects.filter(pk__in=batch, merged_into=None).values_list("pk", "pk"))
        for key, into in (
            Person.objects.filter(pk__in=batch).exclude(merged_into=None).values_list("pk", "merged_into")
        ):
            assert into is not None  # excluded above
            found[key] = kept_persons([into]).get(into, into)
    return found


def records_of(person_id: int) -> frozenset[int]:
    """Every record that is this person today: the kept one and all that went into it."""
    found = {kept_persons([person_id]).get(person_id, person_id)}
    layer = set(found)
    while layer:
        layer = set(Person.objects.filter(merged_into__in=layer).values_list("pk", flat=True)) - found
        found |= layer
    return frozenset(found)
