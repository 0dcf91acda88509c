"""Month closings (月结), who has not closed, and what a body gets back: its year, its coverage, its overlaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity.errors import FilingNotFound, StepRefused
from doudi.contexts.charity.filing import filings, month_of
from doudi.contexts.charity.models import (
    AidFiling,
    ClosingReceipt,
    FilingBatch,
    FilingOverlap,
    MonthClosing,
    Organisation,
)
from doudi.contexts.charity.organisations import organisations, own_organisation
from doudi.contexts.registry import services as registry
from doudi.engine.packs.linking import LinkageRules


def closing_due(month: date, rules: LinkageRules) -> date:
    """The last day for closing a month: the pack's day of the next one."""
    return (month_of(month)[1] + timedelta(days=1)).replace(day=rules.month_closes_on)


@transaction.atomic
def close_month(month: date, *, nothing: bool = False, rules: LinkageRules, by: User) -> MonthClosing:
    """Say that a month's aid is filed whole; without any it is a nil return that must be said to be one (零报告).

    What is filed for the month afterwards is marked as a supplement. A second click gives the first closing.
    """
    require(by, Act.FILE_AID)
    body = own_organisation(by)
    take_turn()
    first, last = month_of(month)
    today = timezone.localdate()
    standing = body.closings.filter(month=first).first()
    if standing is not None:
        return standing
    if last >= today:
        raise StepRefused(
            f"{first:%Y年%m月}还没有过完，下月再结。", "The month is not over yet.", code="month_running"
        )
    open_batch = body.batches.filter(
        month=first, status__in=(FilingBatch.Status.MAPPING, FilingBatch.Status.READ)
    ).first()
    if open_batch is not None:
        raise StepRefused(
            f"表 {open_batch.number} 还没有确认备案，请先确认或作废。",
            f"Batch {open_batch.number} waits for confirmation; confirm or drop it first.",
            code="batch_open",
        )
    sums = AidFiling.objects.filter(organisation=body, aided_on__range=(first, last)).aggregate(
        fen=Sum("amount_fen"),
        count=Count("pk", filter=Q(reverses=None, reversed_by=None)),
    )
    if bool(sums["count"]) == nothing:
        raise StepRefused(
            f"{first:%Y年%m月}已有备案 {sums['count']} 笔，不是零报告。" if nothing else
            f"{first:%Y年%m月}没有备案。如确实没有帮扶，请勾选“零报告”。",
            "The month has filings; it is no nil return." if nothing else
            "The month has no filing; tick the nil return if none was given.",
            code="nil_return",
        )  # fmt: skip
    closed = MonthClosing.objects.create(
        organisation=body,
        month=first,
        filings=sums["count"],
        amount_fen=sums["fen"] or 0,
        nothing=nothing,
        due_on=closing_due(first, rules),
        closed_on=today,
        closed_by=by.username,
    )
    record(
        by=by,
        act=Act.FILE_AID,
        subject=f"organisation:{body.code}",
        region_code=body.region_code,
        detail={"step": "close_month", "month": first, "filings": sums["count"], "nothing": nothing},
    )
    return closed


@transaction.atomic
def acknowledge_month(pk: int, *, by: User) -> ClosingReceipt:
    """Say that the county has a body's month (收讫); a second click gives the first receipt."""
    take_turn()
    closing = MonthClosing.objects.select_related("organisation").filter(pk=pk).first()
    require(by, Act.RECEIVE_FILINGS, region_code=closing.organisation.region_code if closing else None)
    if closing is None:
        raise FilingNotFound("没有找到这份月结。", "No such closing.")
    standing = ClosingReceipt.objects.filter(closing=closing).first()
    if standing is not None:
        return standing
    receipt = ClosingReceipt(closing=closing, received_on=timezone.localdate(), received_by=by.username)
    receipt.save()
    record(
        by=by,
        act=Act.RECEIVE_FILINGS,
        subject=f"organisation:{closing.organisation.code}",
        region_code=closing.organisation.region_code,
        detail={"month": closing.month},
    )
    return receipt


@dataclass(frozen=True)
class Filer:
    """A member body and a month: how much it filed, how much of it late, when it closed; ``missing`` past the day."""

    organisation: Organisation
    filings: int
    late: int
    amount_fen: int
    closing: MonthClosing | None
    due_on: date
    missing: bool


def filers(month: date, *, rules: LinkageRules, by: User) -> list[Filer]:
    """Every member body of the area for one month, those who are missing first (未报名单)."""
    require(by, Act.VIEW_FILINGS)
    first, last = month_of(month)
    due_on, today = closing_due(first, rules), timezone.localdate()
    bodies = list(organisations(by=by, kind=Organisation.Kind.MEMBER))
    sums = {
        row["organisation"]: row
        for row in AidFiling.objects.filter(organisation__in=bodies, aided_on__range=(first, last))
        .order_by()
        .values("organisation")
        .annotate(
            count=Count("pk", filter=Q(reverses=None, reversed_by=None)),
            late=Count("pk", filter=Q(reverses=None, reversed_by=None, late_workdays__gt=0)),
            fen=Sum("amount_fen"),
        )
    }
    closings = {
        closing.organisation_id: closing
        for closing in MonthClosing.objects.select_related("receipt").filter(
            organisation__in=bodies, month=first
        )
    }
    found = []
    for body in bodies:
        told: Mapping[str, Any] = sums.get(body.pk, {})
        closing = closings.get(body.pk)
        found.append(
            Filer(
                organisation=body,
                filings=told.get("count", 0),
                late=told.get("late", 0),
                amount_fen=told.get("fen", 0) or 0,
                closing=closing,
                due_on=due_on,
                missing=closing is None and today > due_on,
            )
        )
    return sorted(found, key=lambda row: (not row.missing, row.organisation.name))


@dataclass(frozen=True)
class MonthRow:
    """One month of a body's year: filings, people or counted heads, fen, how many late, when closed."""

    month: date
    filings: int
    people: int
    amount_fen: int
    late: int
    closed_on: date | None


def year_table(year: int, *, organisation: str, by: User) -> list[MonthRow]:
    """A body's own year, month by month (年度台账)."""
    rows: dict[int, dict[str, int]] = {month: defaultdict(int) for month in range(1, 13)}
    heads: dict[int, set[bytes]] = defaultdict(set)
    found = filings(by=by, organisation=organisation).filter(aided_on__year=year)
    # a counter-entry takes its sum back; neither it nor what it counters is a filing any more
    for on, fen in found.order_by().values_list("aided_on", "amount_fen"):
        rows[on.month]["fen"] += fen
    told = found.standing().order_by().values_list("aided_on", "group_count", "id_blind", "late_workdays")
    for on, count, blind, late in told:
        row = rows[on.month]
        row["filings"] += 1
        row["late"] += late > 0
        row["heads"] += count or 0
        if blind is not None:
            heads[on.month].add(bytes(blind))
    closings = dict(
        MonthClosing.objects.filter(organisation__code=organisation, month__year=year).values_list(
            "month__month", "closed_on"
        )
    )
    return [
        MonthRow(
            month=date(year, month, 1),
            filings=row["filings"],
            people=len(heads[month]) + row["heads"],
            amount_fen=row["fen"],
            late=row["late"],
            closed_on=closings.get(month),
        )
        for month, row in rows.items()
    ]


@dataclass(frozen=True)
class Covered:
    """A township (9 digits, or the county where no more is known): what a body's aid reached there, and who is in need.

    ``in_need``: households on the register with a category; None where they are fewer than the pack's smallest cell.
    """

    area: str
    homes: int
    filings: int
    amount_fen: int
    in_need: int | None


def coverage(year: int, *, rules: LinkageRules, by: User, organisation: str = "") -> list[Covered]:
    """Where a body's aid of a year went, beside where households are in need, also where none went (覆盖情况)."""
    found = filings(by=by, organisation=organisation).standing().filter(aided_on__year=year)
    homes: dict[str, set[str]] = defaultdict(set)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for region, household, fen in found.order_by().values_list("region_code", "household_no", "amount_fen"):
        at = region[:9]
        homes[at].add(household)
        sums[at][0] += 1
        sums[at][1] += fen
    area = by.region_code
    if require(by, Act.VIEW_FILINGS) is Scope.ORGANISATION:
        body = Organisation.objects.filter(code=by.organisation, closed_on=None).first()
        area = body.region_code if body else "-"
    in_need = registry.households_in_need(area)
    return [
        Covered(
            at,
            len(homes[at] - {""}),
            *sums[at],
            in_need=n if (n := in_need.get(at, 0)) >= rules.smallest_cell else None,
        )
        for at in sorted({*sums, *in_need})
    ]


def overlaps(*, by: User, organisation: str = "", year: int | None = None) -> QuerySet[FilingOverlap]:
    """What filings met, newest first; a body sees its own filings' (重叠帮扶)."""
    scope = require(by, Act.VIEW_FILINGS)
    countered = AidFiling.objects.exclude(reversed_by=None).values("number")
    found = (
        FilingOverlap.objects.select_related("filing__organisation")
        .filter(filing__reversed_by=None)
        .exclude(source__in=(FilingOverlap.Source.OTHER, FilingOverlap.Source.SAME), label__in=countered)
    )
    if scope is Scope.ORGANISATION:
        found = found.filter(filing__organisation__code=by.organisation)
    elif by.region_code:
        found = found.filter(filing__region_code__startswith=by.region_code)
    found = registry.but_own(found, by=by, household="filing__household_no", blind="filing__id_blind")
    if organisation:
        found = found.filter(filing__organisation__code=organisation)
    if year is not None:
        found = found.filter(filing__aided_on__year=year)
    return found.order_by("-pk")
