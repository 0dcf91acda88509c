# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""Whom a re-check in one pass may look at (整批复查): everybody of the programme, less who did not sign or must be looked at by people.

In come the files of the two days and the authorisations; out comes every household, with why it is not looked at or without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import duckdb
import pyarrow as pa
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from doudi.contexts.accounts.services import User, account
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import Evidence, Programme
from doudi.contexts.verification.models import (
    Authorisation,
    DeclaredItem,
    Report,
    RequestBatch,
    SupportStatement,
    VerificationRequest,
)
from doudi.contexts.verification.requests import StepRefused
from doudi.engine.feeds import FeedSpec, SnapshotSet
from doudi.engine.feeds.snapshots import INDEX, rows_of
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification import Rules
from doudi.house.paths import home

UNCHANGED, CHANGED, FIRST, INCOMPLETE = "unchanged", "changed", "first", "incomplete"
UNAUTHORISED, OPEN = "unauthorised", "open"
RESULTS = {
    UNCHANGED: "无变化",
    CHANGED: "有变化",
    FIRST: "首次",
    INCOMPLETE: "不完整",
    UNAUTHORISED: "未授权",
    OPEN: "已有在办",
}
FOR_PEOPLE = (CHANGED, FIRST, INCOMPLETE)
"""What becomes a request. Who did not authorise is asked for a signature first, and is on the list."""
_NEVER = "没有以前的核对报告，须人工办理"


@dataclass(frozen=True)
class Side:
    """The files of one of the two days."""

    evidence: Evidence
    snapshots: SnapshotSet


def side(specs: Mapping[str, FeedSpec], rules: Rules, day: date) -> Side:
    evidence = registry.evidence_on(_wanted(specs, rules), day)
    if evidence.missing:
        labels = "、".join(specs[feed].label for feed in evidence.missing)
        raise StepRefused(
            f"{day} 没有《{labels}》的数据，不能整批比对。请先装载，或改为逐户复查。",
            f"No file of {', '.join(evidence.missing)} is in force on {day}; load it, or re-check one by one.",
            code="feed_missing",
        )
    return side_of(specs, rules, evidence)


def side_of(specs: Mapping[str, FeedSpec], rules: Rules, evidence: Evidence) -> Side:
    wanted = _wanted(specs, rules)
    # what no source speaks of is not asked, here as for a single household
    rest = {feed: Status.NOT_ASKED for feed in specs if feed not in wanted}
    return Side(evidence, replace(registry.snapshots_of(wanted, evidence), missing=rest))


def _wanted(specs: Mapping[str, FeedSpec], rules: Rules) -> dict[str, FeedSpec]:
    feeds = (registry.REGISTER, *(source.feed for source in rules.sources.values()))
    return {feed: specs[feed] for feed in feeds}


@dataclass
class Listed:
    household_no: str
    region_code: str
    urban_rural: str
    category: str
    result: str = ""
    why: str = ""
    doubt_then: bool = False
    """On the day it is held against, a file said something about its people that answered neither yes nor no."""
    said: Mapping[str, int] | None = None


def _labels(purpose: str, pack: Pack, rules: Rules) -> list[str]:
    wanted = rules.purposes[purpose].categories
    return [label for found in pack.categories if found.code in wanted for label in found.registered_as]


def on_programme(batch: RequestBatch, pack: Pack, rules: Rules, by: User) -> Programme:
    return registry.on_programme(
        _labels(batch.purpose, pack, rules),
        region_code=batch.region_code,
        hands=[by, account(batch.made_by)],
    )


@dataclass(frozen=True)
class Last:
    """By household the request of its last report for the purpose."""

    requests: Mapping[str, int]
    supported: frozenset[int]
    declared: Mapping[int, Mapping[str, int]]


def last_requests(purpose: str) -> Last:
    found = Report.objects.filter(request__purpose=purpose).exclude(request__household_no="")
    requests = dict(found.order_by("pk").values_list("request__household_no", "request_id"))
    wanted = set(requests.values())
    declared: dict[int, dict[str, int]] = {}
    lines = DeclaredItem.objects.filter(person__request__purpose=purpose).order_by()
    for request, item, amount in lines.values_list("person__request_id", "item", "amount"):
        if request in wanted:
            own = declared.setdefault(request, {})
            own[item] = own.get(item, 0) + amount
    supported = SupportStatement.objects.filter(request__purpose=purpose)
    return Last(requests, frozenset(supported.values_list("request_id", flat=True)), declared)


def _papers(purpose: str, rules: Rules, on: date) -> pa.Table:
    """Authorisations in force for the purpose: blind index and which sources, as bits in the order of the pack."""
    bits = {code: 1 << place for place, code in enumerate(rules.sources)}
    read: dict[tuple[str, str], int] = {}
    blinds, masks = [], []
    found = (
        Authorisation.objects.filter(withdrawn_at=None, signed_on__lte=on, valid_to__gte=on)
        .order_by()
        .values_list("id_blind", Cast("purposes", TextField()), Cast("sources", TextField()))
    )
    for blind, purposes, sources in found.iterator(chunk_size=10_000):
        mask = read.get((purposes, sources))
        if mask is None:
            covers = purpose in json.loads(purposes)
            mask = sum(bits.get(code, 0) for code in set(json.loads(sources))) if covers else 0
            read[purposes, sources] = mask
        if mask:
            blinds.append(bytes(blind))
            masks.append(mask)
    return pa.table({"id_blind": pa.array(blinds, pa.binary()), "mask": pa.array(masks, pa.int64())})


def gate(
    batch: RequestBatch,
    programme: Programme,
    now: Side,
    then: Side,
    last: Last,
    pack: Pack,
    rules: Rules,
) -> tuple[dict[str, Listed], dict[str, int]]:
    """Every household of the programme, ``result`` empty for those that may be looked at; by source who did not authorise it."""
    labels = _labels(batch.purpose, pack, rules)
    listed = {
        number: Listed(number, region, urban, category)
        for number, region, urban, category in zip(
            *(programme.households[name].to_pylist() for name in programme.households.column_names),
            strict=True,
        )
    }
    open_ones = set(
        VerificationRequest.objects.open()
        .filter(kind="periodic", purpose=batch.purpose)
        .exclude(household_no="")
        .values_list("household_no", flat=True)
    )
    with _desk(programme, _papers(batch.purpose, rules, timezone.localdate()), now) as desk:
        lacking = dict(
            desk.execute(
                "SELECT household_no, count(*) FROM covered WHERE mask <> ? GROUP BY household_no",
                [(1 << len(rules.sources)) - 1],
            ).fetchall()
        )
        masks = desk.execute(
            "SELECT mask, count(*) FROM (SELECT DISTINCT id_blind, mask FROM covered) GROUP BY mask"
        ).fetchall()
        strange = _strange(desk)
        doubtful = _doubtful(desk, now, labels, batch.region_code, pack)
        doubtful_then = _doubtful(desk, then, labels, batch.region_code, pack)
    for number, one in listed.items():
        if number in open_ones:
            one.result, one.why = OPEN, "已有同一用途的在办委托单"
        elif number in lacking:
            one.result, one.why = UNAUTHORISED, f"{lacking[number]} 人没有有效授权或范围不够，未查"
        elif number in strange:
            one.result, one.why = INCOMPLETE, "登记的成员或地区与花名册不同，须人工办理"
        elif number in doubtful:
            one.result, one.why = INCOMPLETE, "有记录待人工核对或读不懂，须人工办理"
        elif last.requests.get(number) in last.supported:
            one.result, one.why = INCOMPLETE, "上次登记了赡养情况，须人工重新登记"
        elif number not in last.requests:
            one.result, one.why = FIRST, _NEVER
        one.doubt_then = number in doubtful_then
    unsigned = {
        code: sum(people for mask, people in masks if not mask >> place & 1)
        for place, code in enumerate(rules.sources)
    }
    return listed, unsigned


def _desk(programme: Programme, papers: pa.Table, now: Side) -> duckdb.DuckDBPyConnection:
    """A session with the programme, its people's authorisations (``covered``) and the register of the day (``registered``)."""
    desk = duckdb.connect(config={"threads": 2, "memory_limit": "2GB", "temp_directory": str(home().work)})
    for name, table in (
        ("households", programme.households), ("members", programme.members), ("papers", papers),
    ):  # fmt: skip
        desk.register(name, table)
    desk.execute(
        "CREATE TABLE covered AS SELECT m.household_no, m.id_blind, coalesce(bit_or(p.mask), 0) AS mask"
        " FROM members m LEFT JOIN papers p USING (id_blind) GROUP BY ALL"
    )
    folder = now.snapshots.register
    desk.execute(
        "CREATE TABLE registered AS SELECT h.household_no, i.id_blind, m.relation, m.living_together"
        f" FROM {rows_of(folder / 'members.parquet')} m JOIN {rows_of(folder / INDEX)} i USING (person_key)"
        f" JOIN {rows_of(folder / 'households.parquet')} h ON h.household_key = m.household_key"
        " SEMI JOIN households o ON o.household_no = h.household_no"
    )
    desk.execute(f"CREATE VIEW registered_homes AS SELECT * FROM {rows_of(folder / 'households.parquet')}")
    return desk


def _strange(desk: duckdb.DuckDBPyConnection) -> set[str]:
    """Households that the office knows otherwise than the register of the day: its files would answer for other people."""
    marks = "household_no, count(*) AS n, bit_xor(hash(id_blind, relation, living_together)) AS mark"
    rows = desk.execute(
        f"WITH ours AS (SELECT {marks} FROM members GROUP BY household_no),"
        f" theirs AS (SELECT {marks} FROM registered GROUP BY household_no),"
        " homes AS (SELECT household_no, any_value(region_code) AS region_code, any_value(urban_rural) AS urban_rural,"
        " any_value(category) AS category, count(*) AS n FROM registered_homes GROUP BY household_no)"
        " SELECT h.household_no FROM households h LEFT JOIN ours o USING (household_no)"
        " LEFT JOIN theirs t USING (household_no) LEFT JOIN homes r USING (household_no)"
        " WHERE (o.n = t.n AND o.mark = t.mark AND r.n = 1 AND r.region_code = h.region_code"
        " AND r.urban_rural = h.urban_rural AND r.category = h.category) IS NOT TRUE"
    ).fetchall()
    return {number for (number,) in rows}


def _doubtful(
    desk: duckdb.DuckDBPyConnection, side: Side, labels: Sequence[str], region_code: str, pack: Pack
) -> set[str]:
    """Households with a person about whom a file of the day was not wholly understood."""
    doubts = registry.doubts_of(pack.feeds, side.evidence)
    if doubts.everybody:
        return {number for (number,) in desk.execute("SELECT household_no FROM households").fetchall()}
    marks = doubts.marks | registry.marked_names(labels, doubts.marks, region_code=region_code)
    desk.register("held", pa.table({"person_key": pa.array(sorted(doubts.keys), pa.int64())}))
    desk.register("marked", pa.table({"id_blind": pa.array(sorted(marks), pa.binary())}))
    rows = desk.execute(
        "SELECT household_no FROM members SEMI JOIN ("
        " SELECT id_blind FROM marked UNION ALL"
        f" SELECT i.id_blind FROM {rows_of(side.snapshots.register / INDEX)} i SEMI JOIN held USING (person_key)"
        ") USING (id_blind)"
    ).fetchall()
    return {number for (number,) in rows}
