"""What an office does with the registry: take files in, find households, look at one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Count, Min, QuerySet, Sum

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.registry.changes import (
    EVENT_LABELS,
    MERGE,
    EventNotFound,
    change,
    change_of,
    changes,
    confirm_change,
    kinds_for,
    people_of,
    preview,
    refuse_change,
    said_in,
    told_of,
    undo_change,
)
from doudi.contexts.registry.deciding import (
    NewMember,
    blinds_of_household,
    people_of_household,
    record_decision,
    record_end,
    register_family,
)
from doudi.contexts.registry.disabilities import (
    disabilities_at_hand,
    follow_disabilities,
    require_disabilities_known,
    with_disabilities,
)
from doudi.contexts.registry.duplicates import (
    PairDecided,
    PairNotFound,
    PairShown,
    PossibleDuplicate,
    SearchOutcome,
    decide_pair,
    duplicate_counts,
    duplicate_pair,
    duplicate_pairs,
    find_duplicates,
    look_at_pair,
    possible_duplicates,
    possible_duplicates_of,
    reopen_pair,
    shown,
)
from doudi.contexts.registry.elders import EldersOfPlace, elders_by_place
from doudi.contexts.registry.exchange import (
    ORDERS as EXCHANGE_ORDERS,
)
from doudi.contexts.registry.exchange import (
    SIZE_COMPARISONS,
    Asked,
    Exchanged,
    exchange_households,
)
from doudi.contexts.registry.exporting import (
    EXPORT_COLUMNS,
    ExportNotFound,
    ExportRefused,
    asked_of,
    decide_export,
    drop_expired_exports,
    export_of,
    exports,
    request_export,
    take_export,
)
from doudi.contexts.registry.finding import (
    ID_PURPOSE,
    KIND_LABELS,
    Found,
    Hit,
    Kind,
    find,
    index_everything,
    index_households,
    index_if_missing,
)
from doudi.contexts.registry.in_force import (
    REGISTER,
    Evidence,
    bring_up_to_date,
    counted,
    counts_of,
    evidence_on,
    loads_in_force,
    register_on,
    snapshots_of,
    snapshots_on,
)
from doudi.contexts.registry.intake import (
    FolderOutcome,
    LoadOutcome,
    check_file,
    date_missing,
    load_file,
    load_folder,
    spec_for,
)
from doudi.contexts.registry.kinds import KINDS, entered_in
from doudi.contexts.registry.kinds import Kind as EventKind
from doudi.contexts.registry.listing import (
    COLUMNS,
    DISABILITY,
    HOUSEHOLDS,
    PERSONS,
    SUBJECTS,
    Conditions,
    ListInvalid,
    ListPage,
    Row,
    list_page,
    subtree,
    told,
)
from doudi.contexts.registry.lookup import (
    FactRow,
    FeedFacts,
    HouseholdThen,
    Member,
    areas,
    contact_of,
    entrust,
    facts,
    household,
    household_then,
    households,
    look_at_household,
    members,
    names_by_key,
    people_for,
    require_division,
    reveal_identity,
    shown_cell,
    ties,
)
from doudi.contexts.registry.merging import (
    Merge,
    TwoHomes,
    left_in_two_homes,
    merge_people,
    merged_pair,
    unmerge,
)
from doudi.contexts.registry.models import (
    CategoryRecord,
    DuplicatePair,
    FeedLoad,
    Household,
    ListExport,
    Person,
    RegistryEvent,
)
from doudi.contexts.registry.office import covers_office, office_region, require_whole_office
from doudi.contexts.registry.operations import BASES, RELATIONS
from doudi.contexts.registry.originals import quarantine_workbook, sweep_work
from doudi.contexts.registry.people import (
    HouseholdNotFound,
    PersonToTell,
    but_own,
    kept_persons,
    numbers_meant,
    person_by_id,
    person_to_tell,
    records_of,
    refuse_own_file,
    refuse_own_record,
)
from doudi.contexts.registry.placing import Placed, households_alike, households_in_need, people_in, placed
from doudi.contexts.registry.precedence import CODES as CATEGORY_CODES
from doudi.contexts.registry.precedence import RANKS
from doudi.contexts.registry.receipts import (
    Receipt,
    different_names,
    people_of_keys,
    receipts,
    receipts_by_source,
)
from doudi.contexts.registry.recipients import (
    PersonBrief,
    RecipientHousehold,
    counted_members,
    head_identities,
    heads_of,
    layers_of,
    people_briefs,
    recipients,
)
from doudi.contexts.registry.regions import (
    LEVEL_NAMES,
    children,
    counties_taken_in,
    divisions_whole,
    load_divisions,
    name_divisions,
    path_of,
    region_known,
    region_name,
    region_path,
)
from doudi.contexts.registry.reported import (
    Reported,
    Standing,
    people_by_place,
    reported_in,
    standing_of,
    where_registered,
)
from doudi.contexts.registry.return_answer import marked_return
from doudi.contexts.registry.returned_book import ReturnNotFound, ReturnRefused, held_return, hold_return
from doudi.contexts.registry.returning import Return, Verdict, read_return, take_return
from doudi.contexts.registry.saved import choose_columns, columns_of, delete_list, save_list, saved_lists
from doudi.contexts.registry.settling import DifferenceNotFound, differences, settle
from doudi.contexts.registry.snapshot_rows import PersonRows, SnapshotRows, rows_of_people
from doudi.contexts.registry.standing import ChangeRefused
from doudi.contexts.registry.statistics import Statistics, Tails, end_of, people_counted, statistics
from doudi.contexts.registry.whole import (
    Doubts,
    Identity,
    Programme,
    doubts_of,
    identities_of,
    marked_names,
    on_programme,
    own_numbers,
)
from doudi.engine.errors import DoudiError

__all__ = [
    "BASES",
    "CATEGORY_CODES",
    "COLUMNS",
    "DISABILITY",
    "EVENT_LABELS",
    "EXCHANGE_ORDERS",
    "EXPORT_COLUMNS",
    "HOUSEHOLDS",
    "ID_PURPOSE",
    "KINDS",
    "KIND_LABELS",
    "LEVEL_NAMES",
    "MERGE",
    "PERSONS",
    "RANKS",
    "REGISTER",
    "RELATIONS",
    "SIZE_COMPARISONS",
    "SUBJECTS",
    "Asked",
    "ChangeRefused",
    "Conditions",
    "DifferenceNotFound",
    "Doubts",
    "DuplicatePair",
    "EldersOfPlace",
    "EventKind",
    "EventNotFound",
    "Evidence",
    "Exchanged",
    "ExportNotFound",
    "ExportRefused",
    "FactRow",
    "FeedFacts",
    "FeedLoad",
    "FolderOutcome",
    "Found",
    "Hit",
    "Household",
    "HouseholdNotFound",
    "HouseholdThen",
    "Identity",
    "Kind",
    "ListExport",
    "ListInvalid",
    "ListPage",
    "LoadOutcome",
    "Member",
    "Merge",
    "NewMember",
    "PairDecided",
    "PairNotFound",
    "PairShown",
    "Person",
    "PersonBrief",
    "PersonRows",
    "PersonToTell",
    "Placed",
    "PossibleDuplicate",
    "Programme",
    "Receipt",
    "RecipientHousehold",
    "RegistryEvent",
    "Reported",
    "Return",
    "ReturnNotFound",
    "ReturnRefused",
    "Row",
    "SearchOutcome",
    "SnapshotRows",
    "Standing",
    "Statistics",
    "Tails",
    "TwoHomes",
    "Verdict",
    "areas",
    "asked_of",
    "blinds_of_household",
    "bring_up_to_date",
    "but_own",
    "category_counts",
    "change",
    "change_of",
    "changes",
    "check_file",
    "children",
    "choose_columns",
    "columns_of",
    "confirm_change",
    "contact_of",
    "counted",
    "counted_members",
    "counties_taken_in",
    "counts_of",
    "covers_office",
    "date_missing",
    "decide_export",
    "decide_pair",
    "delete_list",
    "differences",
    "different_names",
    "disabilities_at_hand",
    "divisions_whole",
    "doubts_of",
    "drop_expired_exports",
    "duplicate_counts",
    "duplicate_pair",
    "duplicate_pairs",
    "elders_by_place",
    "end_of",
    "entered_in",
    "entrust",
    "evidence_on",
    "exchange_households",
    "export_of",
    "exports",
    "facts",
    "find",
    "find_duplicates",
    "follow_disabilities",
    "head_identities",
    "heads_of",
    "held_return",
    "hold_return",
    "household",
    "household_briefs",
    "household_then",
    "households",
    "households_alike",
    "households_by_village",
    "households_in_need",
    "identities_of",
    "index_everything",
    "index_households",
    "index_if_missing",
    "kept_persons",
    "kinds_for",
    "latest_register_date",
    "layers_of",
    "left_in_two_homes",
    "list_page",
    "load_divisions",
    "load_file",
    "load_folder",
    "loads",
    "loads_in_force",
    "look_at_household",
    "look_at_pair",
    "marked_names",
    "marked_return",
    "members",
    "merge_people",
    "merged_pair",
    "name_divisions",
    "names_by_key",
    "newly_recognised",
    "numbers_answered_for",
    "numbers_meant",
    "office_region",
    "on_programme",
    "own_numbers",
    "path_of",
    "people_briefs",
    "people_by_place",
    "people_counted",
    "people_for",
    "people_in",
    "people_of",
    "people_of_household",
    "people_of_keys",
    "person_by_id",
    "person_to_tell",
    "placed",
    "possible_duplicates",
    "possible_duplicates_of",
    "preview",
    "quarantine_workbook",
    "read_return",
    "receipts",
    "receipts_by_source",
    "recipients",
    "record_decision",
    "record_end",
    "records_of",
    "refuse_change",
    "refuse_own_file",
    "refuse_own_record",
    "region_known",
    "region_name",
    "region_path",
    "register_family",
    "register_on",
    "reopen_pair",
    "reported_in",
    "request_export",
    "require_disabilities_known",
    "require_division",
    "require_register_date",
    "require_whole_office",
    "reveal_identity",
    "rows_of_people",
    "said_in",
    "save_list",
    "saved_lists",
    "settle",
    "shown",
    "shown_cell",
    "snapshots_of",
    "snapshots_on",
    "spec_for",
    "standing_of",
    "statistics",
    "subtree",
    "sweep_work",
    "take_export",
    "take_return",
    "ties",
    "told",
    "told_of",
    "undo_change",
    "unmerge",
    "villages_of",
    "where_registered",
    "with_disabilities",
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


def require_register_date() -> date:
    """The date of the latest register; refused before the first."""
    latest = latest_register_date()
    if latest is None:
        raise DoudiError(
            "还没有花名册，无法回测。请先装载数据。",
            "There is no register yet to back-test on.",
            code="no_register",
        )
    return latest


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


def newly_recognised(
    *, by: User, first: date, last: date, categories: set[str]
) -> list[tuple[str, str, date]]:
    """Households of the area recognised in a period: number, responsible area, the first day of recognition in it."""
    require(by, Act.VIEW_HOUSEHOLDS)
    found = (
        CategoryRecord.objects.filter(
            household__responsible_region__startswith=by.region_code,
            retracted_at=None,
            category__in=categories,
            since__range=(first, last),
        )
        .order_by("household__household_no")
        .values_list("household__household_no", "household__responsible_region")
        .annotate(on=Min("since"))
    )
    return list(found)


def households_by_village(*, by: User) -> dict[str, int]:
    """Current households of the area per division they live in."""
    require(by, Act.VIEW_HOUSEHOLDS)
    counted = (
        Household.objects.visible_to(by)
        .current()
        .order_by()
        .values_list("region_code")
        .annotate(n=Count("pk"))
    )
    return dict(counted)


def villages_of(numbers: list[str]) -> dict[str, str]:
    """Where households live, by number, for a caller that has already settled who may see them."""
    found: dict[str, str] = {}
    for start in range(0, len(numbers), 500):
        batch = numbers[start : start + 500]
        found |= dict(
            Household.objects.filter(household_no__in=batch).values_list("household_no", "region_code")
        )
    return found
