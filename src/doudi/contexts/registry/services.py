"""What an office does with the registry: take files in, find households, look at one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Count, QuerySet, Sum

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.registry.intake import (
    REGISTER,
    Evidence,
    FolderOutcome,
    LoadOutcome,
    bring_up_to_date,
    check_file,
    counts_of,
    covers_office,
    date_missing,
    evidence_on,
    load_file,
    load_folder,
    loads_in_force,
    quarantine_workbook,
    register_on,
    require_whole_office,
    snapshots_of,
    snapshots_on,
    spec_for,
    sweep_work,
)
from doudi.contexts.registry.lookup import (
    FactRow,
    FeedFacts,
    HouseholdNotFound,
    Member,
    contact_of,
    entrust,
    facts,
    household,
    households,
    look_at_household,
    members,
    names_by_key,
    people_for,
    require_division,
    reveal_identity,
    shown_cell,
)
from doudi.contexts.registry.models import FeedLoad, Household
from doudi.contexts.registry.receipts import Receipt, different_names, people_of_keys, receipts
from doudi.contexts.registry.regions import (
    LEVEL_NAMES,
    children,
    counties_taken_in,
    divisions_whole,
    load_divisions,
    path_of,
    region_name,
    region_path,
)
from doudi.contexts.registry.reported import Reported, people_by_place, reported_in
from doudi.contexts.registry.roll import ID_PURPOSE

__all__ = [
    "ID_PURPOSE",
    "LEVEL_NAMES",
    "REGISTER",
    "Evidence",
    "FactRow",
    "FeedFacts",
    "FeedLoad",
    "FolderOutcome",
    "Household",
    "HouseholdNotFound",
    "LoadOutcome",
    "Member",
    "Receipt",
    "Reported",
    "bring_up_to_date",
    "category_counts",
    "check_file",
    "children",
    "contact_of",
    "counties_taken_in",
    "counts_of",
    "covers_office",
    "date_missing",
    "different_names",
    "divisions_whole",
    "entrust",
    "evidence_on",
    "facts",
    "household",
    "household_briefs",
    "households",
    "latest_register_date",
    "load_divisions",
    "load_file",
    "load_folder",
    "loads",
    "loads_in_force",
    "look_at_household",
    "members",
    "names_by_key",
    "numbers_answered_for",
    "path_of",
    "people_by_place",
    "people_for",
    "people_of_keys",
    "quarantine_workbook",
    "receipts",
    "region_name",
    "region_path",
    "register_on",
    "reported_in",
    "require_division",
    "require_whole_office",
    "reveal_identity",
    "shown_cell",
    "snapshots_of",
    "snapshots_on",
    "spec_for",
    "sweep_work",
]


def loads(*, by: User) -> QuerySet[FeedLoad]:
    """Every file that was sent, newest first, taken or refused."""
    require(by, Act.VIEW_LOADS)
    require_whole_office(by)
    return FeedLoad.objects.order_by("-loaded_at", "-pk")


def numbers_answered_for(by: User) -> set[str]:
    """The numbers of the current households that the account's area answers for."""
    return set(Household.objects.visible_to(by).current().values_list("household_no", flat=True))


def household_briefs(numbers: list[str]) -> dict[str, Household]:
    """Households by number, for a caller that has already settled who may see them."""
    return {found.household_no: found for found in Household.objects.filter(household_no__in=numbers)}


def latest_register_date() -> date | None:
    """The date of the latest register, None before the first."""
    return (
        FeedLoad.objects.filter(feed=REGISTER, status=FeedLoad.Status.IN_FORCE)
        .order_by("-as_of")
        .values_list("as_of", flat=True)
        .first()
    )


def category_counts(*, by: User) -> list[dict[str, Any]]:
    """Households and persons of the account's area by registered category."""
    require(by, Act.VIEW_DASHBOARD)
    counted = (
        Household.objects.visible_to(by)
        .current()
        .order_by()
        .values("category")
        .annotate(households=Count("pk"), persons=Sum("persons"))
        .order_by("-households")
    )
    return [dict(row) for row in counted]
