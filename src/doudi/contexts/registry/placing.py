"""Where people of the register stand, for a caller that has settled who may know it, and how many households are alike.

In come identity numbers or a place; out come household numbers and counts. Nothing here shows a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta
from django.db.models import Count, Q

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.models import Household, Membership
from doudi.contexts.registry.people import batches, people_by_blind
from doudi.house.keyring import keyring


@dataclass(frozen=True)
class Placed:
    """A person of the register and the household he lives in today; ``household_no`` '' stands in none."""

    person_id: int
    name: str
    household_no: str
    responsible_region: str
    lives_in: str
    category: str
    died_on: date | None


def placed(numbers: Iterable[str]) -> dict[str, Placed]:
    """Valid 18-digit number → where the register has that person today; who is not in it is not in the answer."""
    wanted = sorted(set(numbers))
    blinds = dict(zip(wanted, keyring().digests(wanted, purpose=ID_PURPOSE), strict=True))
    people = people_by_blind(blinds.values())
    homes: dict[int, Household] = {}
    for batch in batches({person.pk for person in people.values()}):
        standing = (
            Membership.objects.filter(
                person__in=batch, valid_to=None, retracted_at=None, household__listed=True
            )
            .select_related("household")
            # the family that lives together counts before the register of households
            .order_by("living_together", "pk")
        )
        for membership in standing:
            homes[membership.person_id] = membership.household
    found = {}
    for number, blind in blinds.items():
        person = people.get(blind)
        if person is None:
            continue
        home = homes.get(person.pk)
        found[number] = Placed(
            person_id=person.pk,
            name=person.name,
            household_no=home.household_no if home else "",
            responsible_region=home.responsible_region if home else "",
            lives_in=home.region_code if home else "",
            category=home.category if home else "",
            died_on=person.died_on,
        )
    return found


def people_in(household_no: str) -> list[tuple[str, bytes]]:
    """Names and blind indexes of a household's current members: to compare with, not to show."""
    standing = Membership.objects.filter(
        household__household_no=household_no, valid_to=None, retracted_at=None
    ).select_related("person")
    return [(membership.person.name, bytes(membership.person.id_blind)) for membership in standing]


def households_alike(
    region_code: str, *, ages: Collection[tuple[int, int]], on: date, among: Collection[str] | None = None
) -> int:
    """How many current households live in an area and have a living member of each age span (years, both included).

    ``among`` counts only those household numbers.
    """
    found = Household.objects.current().filter(region_code__startswith=region_code)
    if among is not None:
        found = found.filter(household_no__in=among)
    for youngest, oldest in set(ages) - {(0, 150)}:
        members = Membership.objects.filter(
            Q(valid_to=None), retracted_at=None, person__died_on=None,
            person__born_on__lte=on - relativedelta(years=youngest),
            person__born_on__gt=on - relativedelta(years=oldest + 1),
        )  # fmt: skip
        found = found.filter(pk__in=members.values("household_id"))
    return found.count()


def households_in_need(region_code: str) -> dict[str, int]:
    """How many current households have a category, by the township that answers for them (9 digits, or the county)."""
    found = (
        Household.objects.current().filter(responsible_region__startswith=region_code).exclude(category="")
    )
    counts: Counter[str] = Counter()
    for region, number in (
        found.order_by()
        .values("responsible_region")
        .annotate(number=Count("pk"))
        .values_list("responsible_region", "number")
    ):
        counts[region[:9]] += number
    return dict(counts)
