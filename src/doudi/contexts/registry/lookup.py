"""Finding households and showing what is known of one, within the asker's area, every look in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, may, record, require
from doudi.contexts.registry.dated_areas import areas_of, date_areas
from doudi.contexts.registry.finding import index_households, matching
from doudi.contexts.registry.in_force import every_load_in_force, folder_of_register_on, snapshots_on
from doudi.contexts.registry.listing import age_on, masked_phone
from doudi.contexts.registry.models import (
    AreaRecord,
    CategoryRecord,
    FeedLoad,
    Household,
    HouseholdQuerySet,
    Membership,
    Person,
    SupportTie,
)
from doudi.contexts.registry.people import HouseholdNotFound, but_own, people_by_blind, refuse_own_file
from doudi.contexts.registry.precedence import RANKS, TEMPORARY_AID
from doudi.contexts.registry.regions import divisions_whole, region_known
from doudi.contexts.registry.standing import HEAD
from doudi.engine import identity, money
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import ColumnSpec, FeedSpec
from doudi.engine.feeds.snapshots import HOUSEHOLDS, INDEX, MEMBERS


@dataclass(frozen=True)
class Member:
    """A person of a household on a date, the ID masked unless it was asked for with a reason."""

    person_id: int
    name: str
    id_shown: str
    sex: str
    age: int | None
    relation: str
    living_together: bool
    category: str
    category_since: date | None
    left_on: date | None
    phone: str
    address: str
    registered: bool = True
    """Whether the register of households has the person here (户籍家庭)."""
    basis: str = ""
    """Why the person counts or does not count in the family that lives together, where the office said so."""
    labels: tuple[str, ...] = ()
    """Every category the person holds, the one that counts first."""


@dataclass(frozen=True)
class FactRow:
    """One row of a department's file about a member: Chinese header → value as written for people."""

    member: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FeedFacts:
    """What one department says about a household, with the source and date of the statement."""

    feed: str
    label: str
    supplier: str
    as_of: date | None
    file_name: str
    status: str
    rows: tuple[FactRow, ...]


def households(
    *, by: User, text: str = "", region_code: str = "", category: str = "", with_own: bool = False
) -> HouseholdQuerySet:
    """Current households that ``by`` may see: by what :mod:`finding` understands of a text, region and category.

    The asker's own files are left out, unless the caller refuses them one by one and counts them (``with_own``).
    For a page of a great register ask :func:`lists.household_page`, which reads no more than the page.
    """
    require(by, Act.VIEW_HOUSEHOLDS)
    found = Household.objects.visible_to(by).current()
    if not with_own:
        found = but_own(found, by=by, household="household_no")
    if text.strip():
        found = found.filter(matching(text, by=by))
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    if category:
        found = found.filter(category="" if category == "none" else category)
    return found.order_by("household_no")


def household(household_no: str, *, by: User) -> Household:
    """One household within the asker's area, or :class:`HouseholdNotFound`."""
    require(by, Act.VIEW_HOUSEHOLDS)
    found = Household.objects.visible_to(by).filter(household_no=household_no).first()
    if found is None:
        raise HouseholdNotFound(
            f"没有找到户编号 {household_no}，或该户不在您的辖区。请核对编号。",
            f"No household {household_no} in your area; check the number.",
        )
    refuse_own_file(household_no, by=by)
    return found


@transaction.atomic
def look_at_household(household_no: str, *, by: User, reason: str = "") -> Household:
    """:func:`household`, with the look in the audit log."""
    found = household(household_no, by=by)
    record(
        by=by,
        act=Act.VIEW_HOUSEHOLDS,
        subject=f"household:{household_no}",
        region_code=found.region_code,
        reason=reason,
        detail={"finances": may(by, Act.VIEW_FINANCES)},
    )
    return found


def members(
    found: Household, *, by: User, on: date | None = None, known_at: datetime | None = None
) -> list[Member]:
    """The members on a date as known at a moment (default: now), head first; IDs and telephone numbers masked."""
    identified = may(by, Act.REVEAL_IDENTITY)
    held: dict[int, list[CategoryRecord]] = {}
    for fact in _on(CategoryRecord, found, on, known_at):
        if fact.category != TEMPORARY_AID:
            held.setdefault(fact.person_id, []).append(fact)
    day = on or timezone.localdate()
    shown = []
    for membership in _memberships(found, on, known_at):
        person = membership.person
        labels = sorted(
            held.get(person.pk, []),
            key=lambda fact: (fact.left_on is not None and fact.left_on <= day, RANKS.get(fact.category, 99)),
        )
        category = labels[0] if labels else None
        shown.append(
            Member(
                person_id=person.pk,
                name=person.name if identified else identity.mask_name(person.name),
                id_shown=identity.mask_id(person.id_number),
                sex=person.sex,
                age=age_on(person.born_on, on or date.today()),  # noqa: DTZ011 — the office's own calendar day
                relation=membership.relation,
                living_together=membership.living_together,
                category=category.category if category else "",
                category_since=category.since if category else None,
                left_on=category.left_on if category else None,
                phone=masked_phone(person.phone),
                address=person.address if identified else "",
                registered=membership.registered,
                basis=membership.basis,
                labels=tuple(
                    dict.fromkeys(
                        fact.category
                        for fact in labels
                        if fact.category and (fact.left_on is None or fact.left_on > day)
                    )
                ),
            )
        )
    return shown


@dataclass(frozen=True)
class HouseholdThen:
    """What a household was on a day, as it was known at a moment: what its row says is of today."""

    head_name: str
    persons: int
    category: str
    region_code: str
    responsible_region: str


def household_then(
    found: Household, *, on: date | None = None, known_at: datetime | None = None
) -> HouseholdThen:
    """Head, size, category and areas on a day as known at a moment (default: now).

    The category is the head's first label, else the first of any member; areas of which no change is dated are today's.
    """
    if on is None and known_at is None:
        return HouseholdThen(
            found.head_name, found.persons, found.category, found.region_code, found.responsible_region
        )
    day = on or timezone.localdate(known_at)
    standing = _memberships(found, on, known_at)
    head = next((one for one in standing if one.relation == HEAD), None)
    labels: dict[int, list[str]] = {}
    for fact in _on(CategoryRecord, found, on, known_at):
        left = fact.left_on is not None and fact.left_on <= day
        if fact.category and fact.category != TEMPORARY_AID and not left:
            labels.setdefault(fact.person_id, []).append(fact.category)
    every = [label for held in labels.values() for label in held]
    dated = areas(found, on=on, known_at=known_at)
    place = dated[0] if dated else found
    return HouseholdThen(
        head_name=head.person.name if head else "",
        persons=len(standing),
        category=min(
            (labels.get(head.person_id) if head else None) or every or [""],
            key=lambda label: RANKS.get(label, 99),
        ),
        region_code=place.region_code,
        responsible_region=place.responsible_region,
    )


@transaction.atomic
def reveal_identity(found: Household, person_id: int, *, by: User, reason: str) -> Person:
    """A member with the whole ID and telephone number, for a stated reason that goes into the log."""
    require(by, Act.REVEAL_IDENTITY, region_code=found.responsible_region)
    if len(reason.strip()) < 4:
        raise DoudiError(
            "请写明查看完整证件号的事由（至少四个字），它会记入审计日志。",
            "State why the whole ID is needed (four characters or more); it goes into the audit log.",
            code="reason_missing",
        )
    member = next((m for m in _memberships(found, None) if m.person_id == person_id), None)
    if member is None:
        raise HouseholdNotFound("该户没有这名成员。", "No such member in this household.")
    record(
        by=by,
        act=Act.REVEAL_IDENTITY,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        reason=reason,
        detail={"person": person_id, "fields": ["id_number", "phone"]},
    )
    return member.person


@transaction.atomic
def people_for(found: Household, *, by: User, reason: str) -> list[Membership]:
    """The current members with whole identity, for an act that needs it, head first; the look is in the log."""
    require(by, Act.REVEAL_IDENTITY, region_code=found.responsible_region)
    standing = _memberships(found, None)
    record(
        by=by,
        act=Act.REVEAL_IDENTITY,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        reason=reason,
        detail={"people": len(standing), "fields": ["id_number"]},
    )
    return standing


def require_division(code: str, *, near: Household | None, also: str = "") -> None:
    """Refuse a township that is neither in the table of divisions, where it is whole, nor of the household's areas."""
    own = (near.region_code, near.responsible_region, also) if near is not None else (also,)
    if divisions_whole() and not region_known(code) and not any(area.startswith(code) for area in own):
        raise DoudiError(
            f"行政区划代码 {code} 不在区划表里。请从列表中选择乡镇（街道）。",
            f"{code} is no known division; choose a township of the list.",
            code="division_unknown",
        )


@transaction.atomic
def entrust(found: Household, region_code: str) -> None:
    """Make a township answer for a household (负责地区); its residence in the register stays as it is."""
    if found.responsible_region != region_code:
        before = areas_of(found)
        found.responsible_region = region_code
        found.save(update_fields=["responsible_region"])
        date_areas([(found, before)], on=timezone.localdate())
        index_households([found.pk])


def contact_of(found: Household) -> Person:
    """The member a department calls: the head, or the first who has a telephone."""
    people = [membership.person for membership in _memberships(found, None)]
    if not people:
        raise HouseholdNotFound(
            "该户在册成员为空，无法推送。", "The household has no member on the register."
        )
    return next((person for person in people if person.phone), people[0])


def _on(model: Any, found: Household, on: date | None, known_at: datetime | None = None) -> Any:
    return model.objects.as_known(at=known_at, valid_on=on).filter(household=found).select_related("person")


def _memberships(found: Household, on: date | None, known_at: datetime | None = None) -> list[Membership]:
    standing = list(_on(Membership, found, on, known_at))
    standing.sort(key=lambda m: (m.relation != HEAD, m.person.id_number))
    return standing


def ties(
    found: Household, *, by: User, on: date | None = None, known_at: datetime | None = None
) -> list[SupportTie]:
    """The duties of support of and towards the members (赡养、抚养、扶养) on a day as known at a moment."""
    require(by, Act.VIEW_HOUSEHOLDS)
    people = Membership.objects.as_known(at=known_at, valid_on=on).filter(household=found).values("person")
    standing = SupportTie.objects.as_known(at=known_at, valid_on=on)
    return list(
        standing.filter(Q(obligor__in=people) | Q(supported__in=people))
        .select_related("obligor", "supported")
        .order_by("kind", "pk")
    )


def areas(found: Household, *, on: date | None = None, known_at: datetime | None = None) -> list[AreaRecord]:
    """Where the household was registered and who answered for it, where that ever changed."""
    return list(AreaRecord.objects.as_known(at=known_at, valid_on=on).filter(household=found))


def names_by_key(found: Household, on: date) -> list[str]:
    """Members' names in the order of their person keys: the snapshots number a household's people by ID.

    The register itself says who they are; what the office recorded since (a death, a corrected ID) does not move them.
    """
    folder = folder_of_register_on(on)
    if folder is None or not folder.exists():
        return []
    with duckdb.connect(config={"threads": 1}) as db:
        rows = db.execute(
            "select distinct m.person_key, i.id_blind from read_parquet($1) m "
            "join read_parquet($2) h using (household_key) join read_parquet($3) i using (person_key) "
            "where h.household_no = $4 order by m.person_key",
            [*(str(folder / name) for name in (MEMBERS, HOUSEHOLDS, INDEX)), found.household_no],
        ).fetchall()
    people = people_by_blind([bytes(row[1]) for row in rows])
    return [people[bytes(row[1])].name if bytes(row[1]) in people else "" for row in rows]


def facts(found: Household, specs: Mapping[str, FeedSpec], *, on: date, by: User) -> list[FeedFacts]:
    """What every department says about a household on a date; 未到 and 失败 are said, not left out."""
    require(by, Act.VIEW_FINANCES, region_code=found.responsible_region)
    snapshots = snapshots_on(specs, on)
    with duckdb.connect(config={"threads": 1}) as db:
        key = db.execute(
            "select household_key from read_parquet($1) where household_no = $2",
            [str(snapshots.register / "households.parquet"), found.household_no],
        ).fetchone()
        if key is None:
            return []
        first = db.execute(
            "select person_key from read_parquet($1) where household_key = $2 order by person_key",
            [str(snapshots.register / "members.parquet"), key[0]],
        ).fetchall()
        who = dict(zip([row[0] for row in first], names_by_key(found, on), strict=False))
        gathered = []
        in_force = every_load_in_force(specs, on)
        for name, spec in specs.items():
            if name == "household_register":
                continue
            if name in snapshots.missing:
                gathered.append(
                    FeedFacts(name, spec.label, spec.supplier, None, "", snapshots.missing[name].label, ())
                )
                continue
            answer = db.execute(
                "select * from read_parquet($1, union_by_name = true) where household_key = $2 order by person_key",
                [[str(path) for path in snapshots.feeds[name]], key[0]],
            )
            columns = [column[0] for column in answer.description or []]
            rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
            newest = in_force[name][-1]
            gathered.append(_told(spec, newest, rows, who))
        return gathered


def _told(spec: FeedSpec, load: FeedLoad, rows: list[dict[str, Any]], who: dict[int, str]) -> FeedFacts:
    seen: dict[int, FactRow] = {}
    for row in rows:
        values = tuple(
            (column.label, shown)
            for column in spec.columns
            if column.name in row and (shown := shown_cell(column, row[column.name])) != ""
        )
        seen[row["row_digest"]] = FactRow(member=who.get(row["person_key"], ""), values=values)
    status = "已知" if seen else "查无"
    return FeedFacts(
        spec.name, spec.label, spec.supplier, load.as_of, load.file_name, status, tuple(seen.values())
    )


def shown_cell(column: ColumnSpec, value: Any) -> str:
    """A cell of a department's file as written for people: 1234.50元, 2024年3月, 是."""
    if value is None:
        return ""
    if column.type == "money":
        return f"{money.format_yuan(value)}元"
    if column.type == "month":
        return f"{value // 12}年{value % 12 + 1}月"
    if column.type == "bool":
        return "是" if value else "否"
    if column.type == "decimal":
        return f"{value.normalize():f}"
    return str(value)
