"""The rows that a report takes its cells from (上报取数): of frozen rosters, and of decisions; for the services alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta

from doudi.contexts.assistance.application_models import Decision
from doudi.contexts.assistance.roster_models import Roster, RosterRow
from doudi.contexts.registry import services as registry
from doudi.engine.packs.upward import DECIDED, PAID, UpwardPack, Value


@dataclass(frozen=True)
class Source:
    """One row that can be reported: its lasting number, whose it is, its sum in fen, and its facts by field."""

    key: str
    household_no: str
    region_code: str
    amount_fen: int
    facts: dict[str, Value]


def rows_of(pack: UpwardPack, *, region_code: str, month: date) -> list[Source]:
    """Everything of a month and area that a layout reports, in a lasting order."""
    found = _READ[pack.source](pack, region_code, month)
    heads = registry.head_identities(row.household_no for row in found)
    places = {code: registry.region_path(code) for code in {row.region_code for row in found}}
    for row in found:
        head = heads.get(row.household_no)
        row.facts.update(
            {
                "业务编号": row.key,
                "户编号": row.household_no,
                "户主姓名": head.name if head else "",
                "证件号": head.id_number if head else "",
                "城乡": head.urban_rural if head else "",
                "区划": row.region_code,
                "地区": places[row.region_code],
                "金额": row.amount_fen,
            }
        )
    return found


def _paid(pack: UpwardPack, region_code: str, month: date) -> list[Source]:
    rows = (
        RosterRow.objects.filter(
            roster__status=Roster.Status.FROZEN, roster__month=month, roster__region_code=region_code
        )
        .exclude(kind=RosterRow.Kind.HELD)
        .select_related("roster")
        .order_by("roster_id", "place")
    )
    if pack.benefits:
        rows = rows.filter(benefit__in=pack.benefits)
    if pack.kinds:
        rows = rows.filter(kind__in=pack.kinds)
    return [
        Source(
            f"{row.roster.number}-{row.place}",
            row.household_no,
            row.region_code,
            row.amount_fen,
            {
                "姓名": row.payee_name, "人数": row.persons, "待遇": row.benefit, "种类": row.kind,
                "所属月": row.for_month, "发放月": row.roster.month, "决定编号": row.decision,
            },
        )
        for row in rows.iterator(chunk_size=5_000)
    ]  # fmt: skip


def _decided(pack: UpwardPack, region_code: str, month: date) -> list[Source]:
    rows = (
        Decision.objects.filter(
            region_code__startswith=region_code,
            decided_on__gte=month,
            decided_on__lt=month + relativedelta(months=1),
        )
        .exclude(household_no="")
        .order_by("pk")
    )
    if pack.kinds:
        rows = rows.filter(kind__in=pack.kinds)
    return [
        Source(
            row.number,
            row.household_no,
            row.region_code,
            row.amount_fen or 0,
            {
                "人数": row.counted or len(row.persons), "事项": row.kind, "类别": row.category,
                "结果": row.result, "文号": row.number, "决定日期": row.decided_on, "自": row.valid_from,
                "至": row.valid_to, "月收入": row.income_fen, "理由": row.ground, "依据": row.clause,
            },
        )
        for row in rows
    ]  # fmt: skip


_READ: Mapping[str, Callable[[UpwardPack, str, date], list[Source]]] = {PAID: _paid, DECIDED: _decided}
