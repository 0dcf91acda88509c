"""Households for another system that speaks an interface standard (标准接口查询): a page at a time, every look in the log.

What comes out is what the account may see at the workbench: its area, numbers masked, own and kin's files closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import QuerySet

from doudi.contexts.accounts.services import ID_PURPOSE, Act, User, record, require
from doudi.contexts.registry.lookup import Member, households, members
from doudi.contexts.registry.models import Household
from doudi.contexts.registry.people import people_by_blind, refuse_own_file
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

SIZE_COMPARISONS = {
    "eq": "persons",
    "lt": "persons__lt",
    "le": "persons__lte",
    "gt": "persons__gt",
    "ge": "persons__gte",
}
"""Comparisons of a household's size (人数), by the standard's operator."""
ORDERS = ("household_no", "persons")


@dataclass(frozen=True)
class Asked:
    """What another system looks for; all that is set must hold."""

    household_no: str = ""
    id_number: str = ""
    """A whole identity number of a member."""
    region: str = ""
    category: str = ""
    urban_rural: str = ""
    size: Mapping[str, int] = field(default_factory=dict)
    """Operator of :data:`SIZE_COMPARISONS` → number of people."""
    order: str = "household_no"
    descending: bool = False


@dataclass(frozen=True)
class Exchanged:
    """One household with its present members, and which of them was asked for by number."""

    household: Household
    members: list[Member]
    asked_for: int | None


@transaction.atomic
def exchange_households(
    asked: Asked, *, by: User, reason: str, page: int, page_size: int
) -> tuple[int, list[Exchanged]]:
    """How many households fit, and one page of them; each household shown is one entry of the log."""
    require(by, Act.VIEW_HOUSEHOLDS)
    found = _fitting(asked, by)
    ordered = found.order_by(f"{'-' if asked.descending else ''}{asked.order}", "household_no")
    start = (page - 1) * page_size
    person = _person(asked.id_number) if asked.id_number else None
    shown = []
    for household in ordered[start : start + page_size]:
        try:
            refuse_own_file(household.household_no, by=by)
        except DoudiError:
            continue  # closed to this account whatever was asked; the refusal stands in the log
        record(
            by=by,
            act=Act.VIEW_HOUSEHOLDS,
            subject=f"household:{household.household_no}",
            region_code=household.region_code,
            reason=reason,
            detail={"interface": "dci"},
        )
        shown.append(Exchanged(household, members(household, by=by), person))
    return found.count(), shown


def _fitting(asked: Asked, by: User) -> QuerySet[Household]:
    found = households(by=by, text=asked.id_number, region_code=asked.region, category=asked.category)
    if asked.household_no:
        found = found.filter(household_no=asked.household_no)
    if asked.urban_rural:
        found = found.filter(urban_rural=asked.urban_rural)
    return found.filter(**{SIZE_COMPARISONS[operator]: number for operator, number in asked.size.items()})


def _person(number: str) -> int | None:
    blind = keyring().digests([number], purpose=ID_PURPOSE)[0]
    found = people_by_blind([blind]).get(blind)
    return found.pk if found is not None else None
