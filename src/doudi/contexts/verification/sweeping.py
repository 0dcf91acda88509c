# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""A re-check of everybody on a programme in one pass (整批复查): loaded files of two days held against each other, set by set.

Nothing leaves the house. Whose authorisation is missing, expired or withdrawn is listed and not looked up; whose finding is
otherwise, or cannot be had from the files, becomes a request for people; of all others one record says that the last report was
confirmed. What was reckoned lies aside as files, what it leads to is one transaction: a pass that was killed begins
again and ends with the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, account, record, require, take_turn
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import Evidence, Programme
from doudi.contexts.verification.batching import batch_of
from doudi.contexts.verification.connecting import held_back
from doudi.contexts.verification.loaded import wired
from doudi.contexts.verification.models import (
    Authorisation,
    DeclaredItem,
    Exchange,
    Recheck,
    Report,
    RequestBatch,
    SourceState,
    SupportStatement,
    VerificationRequest,
)
from doudi.contexts.verification.requests import PersonAsked, StepRefused, open_many
from doudi.engine.feeds import FeedSpec, SnapshotSet
from doudi.engine.feeds.snapshots import INDEX, write_parquet
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification import Rules, changes_between
from doudi.engine.verification.lines import Lines, limits_of, line_of, write_lines
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
class _Side:
    """The files of one of the two days."""

    evidence: Evidence
    snapshots: SnapshotSet


def ask_whole(number: str, *, by: User) -> RequestBatch:
    """Have a re-check in one pass done by the next due job, in the asker's name (交办); it takes minutes, a page does not."""
    with transaction.atomic():
        take_turn()
        batch = _whole_batch(number, by=by)
        if not Recheck.objects.filter(batch=batch).exists():
            RequestBatch.objects.filter(pk=batch.pk).update(
                asked_by=by.username, asked_at=timezone.now(), problem=""
            )
            record(by=by, act=Act.QUERY_SOURCES, subject=f"batch:{number}", region_code=batch.region_code,
                   detail={"whole": True, "since": batch.since, "as_of": batch.as_of})  # fmt: skip
    return batch_of(number, by=by)


def waiting_whole() -> list[tuple[str, str]]:
    """Batches that somebody had done by the next job and that are not done: number and account."""
    return list(
        RequestBatch.objects.filter(whole=True, outcome=None)
        .exclude(asked_by="")
        .order_by("pk")
        .values_list("number", "asked_by")
    )


@transaction.atomic
def say_not_done(number: str, *, why: str) -> None:
    """Write down why a pass that was handed over could not be done; it waits until somebody hands it over again."""
    take_turn()
    RequestBatch.objects.filter(number=number, whole=True, outcome=None).update(
        asked_by="", problem=why[:300]
    )


def last_swept(purpose: str, region_code: str) -> date | None:
    """The day of the latest finished pass of a purpose over an area: the next one is held against it."""
    found = Recheck.objects.filter(batch__purpose=purpose, batch__region_code=region_code)
    return found.order_by("-batch__as_of").values_list("batch__as_of", flat=True).first()


def sweep(number: str, *, pack: Pack, rules: Rules, by: User) -> Recheck:
    """Do a re-check in one pass; done before, what it came to. ``pack`` must be kept by its hash by the caller.

    Raises :class:`StepRefused` where a source is not connected to loaded files, is held back, or has no file in force on
    either day: nothing is kept then.
    """
    batch = _whole_batch(number, by=by)
    standing = Recheck.objects.filter(batch=batch).first()
    if standing is not None:
        return standing
    assert batch.as_of is not None and batch.since is not None
    _may_be_asked(rules)
    now, then = (_side(pack.feeds, rules, day) for day in (batch.as_of, batch.since))
    begun = timezone.now()
    with (home().results / f"recheck-{batch.number}.lock").open("w") as lock:
        # two passes of one batch write the same files: the second waits and finds it done
        fcntl.flock(lock, fcntl.LOCK_EX)
        standing = Recheck.objects.filter(batch=batch).first()
        if standing is not None:
            return standing
        programme = _on_programme(batch, pack, rules, by)
        last = _last_requests(batch.purpose)
        listed, lacking = _gate(batch, programme, now, then, last, pack, rules)
        looked_at = {number: one for number, one in listed.items() if not one.result}
        for number, one in looked_at.items():
            one.said = last.declared.get(last.requests[number], {})
        lines = _judge_all(looked_at, now, then, batch.purpose, pack, rules)
        return _take_in(batch, listed, lines, lacking, programme, now, then, begun, pack, rules, by=by)


def _whole_batch(number: str, *, by: User) -> RequestBatch:
    batch = batch_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=batch.region_code)
    require(by, Act.ISSUE_REPORT, region_code=batch.region_code)
    if not batch.whole:
        raise StepRefused(
            f"批次 {number} 不是整批比对的复查。",
            f"Batch {number} is no re-check in one pass.",
            code="not_whole",
        )
    return batch


def _may_be_asked(rules: Rules) -> None:
    """Every source answers from loaded files and nobody stopped it."""
    connected, now = wired(rules), timezone.now()
    states = {state.source: state for state in SourceState.objects.filter(source__in=list(connected))}
    for code, source in rules.sources.items():
        why = "没有设为本地快照（connectors.yaml）"
        if code in connected:
            why = held_back(states.get(code) or SourceState(source=code), connected[code], now)
        if why:
            raise StepRefused(
                f"来源“{source.label}”不能整批比对：{why}。请改为逐户复查，或处理后再办。",
                f"Source {code} cannot be compared in one pass; re-check household by household, or settle it first.",
                code="source_held_back",
            )


def _side(specs: Mapping[str, FeedSpec], rules: Rules, day: date) -> _Side:
    evidence = registry.evidence_on(_wanted(specs, rules), day)
    if evidence.missing:
        labels = "、".join(specs[feed].label for feed in evidence.missing)
        raise StepRefused(
            f"{day} 没有《{labels}》的数据，不能整批比对。请先装载，或改为逐户复查。",
            f"No file of {', '.join(evidence.missing)} is in force on {day}; load it, or re-check one by one.",
            code="feed_missing",
        )
    return _side_of(specs, rules, evidence)


def _side_of(specs: Mapping[str, FeedSpec], rules: Rules, evidence: Evidence) -> _Side:
    wanted = _wanted(specs, rules)
    # what no source speaks of is not asked, here as for a single household
    rest = {feed: Status.NOT_ASKED for feed in specs if feed not in wanted}
    return _Side(evidence, replace(registry.snapshots_of(wanted, evidence), missing=rest))


def _wanted(specs: Mapping[str, FeedSpec], rules: Rules) -> dict[str, FeedSpec]:
    feeds = (registry.REGISTER, *(source.feed for source in rules.sources.values()))
    return {feed: specs[feed] for feed in feeds}


# ---- who may be looked at ------------------------------------------------------------------------------------


@dataclass
class _Household:
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


def _on_programme(batch: RequestBatch, pack: Pack, rules: Rules, by: User) -> Programme:
    return registry.on_programme(
        _labels(batch.purpose, pack, rules),
        region_code=batch.region_code,
        hands=[by, account(batch.made_by)],
    )


@dataclass(frozen=True)
class _Last:
    """By household the request of its last report for the purpose."""

    requests: Mapping[str, int]
    supported: frozenset[int]
    declared: Mapping[int, Mapping[str, int]]


def _last_requests(purpose: str) -> _Last:
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
    return _Last(requests, frozenset(supported.values_list("request_id", flat=True)), declared)


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


def _gate(
    batch: RequestBatch,
    programme: Programme,
    now: _Side,
    then: _Side,
    last: _Last,
    pack: Pack,
    rules: Rules,
) -> tuple[dict[str, _Household], dict[str, int]]:
    """Every household of the programme, ``result`` empty for those that may be looked at; by source who did not authorise it."""
    labels = _labels(batch.purpose, pack, rules)
    listed = {
        number: _Household(number, region, urban, category)
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


def _desk(programme: Programme, papers: pa.Table, now: _Side) -> duckdb.DuckDBPyConnection:
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
        f" FROM {_parquet(folder / 'members.parquet')} m JOIN {_parquet(folder / INDEX)} i USING (person_key)"
        f" JOIN {_parquet(folder / 'households.parquet')} h ON h.household_key = m.household_key"
        " SEMI JOIN households o ON o.household_no = h.household_no"
    )
    desk.execute(f"CREATE VIEW registered_homes AS SELECT * FROM {_parquet(folder / 'households.parquet')}")
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
    desk: duckdb.DuckDBPyConnection, side: _Side, labels: Sequence[str], region_code: str, pack: Pack
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
        f" SELECT i.id_blind FROM {_parquet(side.snapshots.register / INDEX)} i SEMI JOIN held USING (person_key)"
        ") USING (id_blind)"
    ).fetchall()
    return {number for (number,) in rows}


def _parquet(path: Path) -> str:
    return "read_parquet('" + str(path).replace("'", "''") + "')"


# ---- what is otherwise ---------------------------------------------------------------------------------------


def _judge_all(
    looked_at: Mapping[str, _Household], now: _Side, then: _Side, purpose: str, pack: Pack, rules: Rules
) -> Lines:
    """Say of every household that was looked at whether its finding is what it was; the lines of now."""
    with TemporaryDirectory(dir=home().work) as folder:
        lines = [
            write_lines(pack, rules, purpose, side.snapshots, looked_at, Path(folder) / f"{name}.parquet")
            for name, side in (("now", now), ("then", then))
        ]
        _compare(looked_at, lines[0], lines[1], rules)
    return lines[0]


def _compare(looked_at: Mapping[str, _Household], now: Lines, then: Lines, rules: Rules) -> None:
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as desk:
        columns = [name for name in pq.read_schema(now.path).names if name not in _FACTS]
        same = " AND ".join(f't."{name}" IS NOT DISTINCT FROM n."{name}"' for name in columns)
        cells = ", ".join(f'{side}."{name}" AS {side}_{name}' for side in "nt" for name in columns)
        found = desk.execute(
            f"SELECT n.household_no, t.household_no IS NULL AS new, {cells} FROM {_parquet(now.path)} n"
            f" LEFT JOIN {_parquet(then.path)} t ON t.household_no = n.household_no"
            f" WHERE t.household_no IS NULL OR NOT ({same})"
        )
        names = [column[0] for column in found.description or []]
        while block := found.fetchmany(10_000):
            for row in block:
                told = dict(zip(names, row, strict=True))
                _judge(looked_at[told["household_no"]], told, now, rules)
    for one in looked_at.values():
        if one.doubt_then and not one.result:
            one.result, one.why = CHANGED, "上次比对那天有来源没有答复"
        one.result = one.result or UNCHANGED


_FACTS = ("household_no", "region_code", "urban_rural", "registered")


def _judge(one: _Household, row: Mapping[str, Any], now: Lines, rules: Rules) -> None:
    if row["new"]:
        one.result, one.why = CHANGED, "上次比对那天不在花名册"
        return
    sides = [
        {name[2:]: value for name, value in row.items() if name.startswith(side)} for side in ("t_", "n_")
    ]
    told = changes_between(
        rules,
        line_of(rules, sides[0]),
        line_of(rules, sides[1]),
        said=one.said or {},
        limits=limits_of(rules, sides[1], now.scales),
    )
    if told:
        one.result, one.why = CHANGED, "、".join(told)[:300]


# ---- what it leads to ----------------------------------------------------------------------------------------


@transaction.atomic
def _take_in(
    batch: RequestBatch,
    listed: dict[str, _Household],
    lines: Lines,
    unsigned: Mapping[str, int],
    programme: Programme,
    now: _Side,
    then: _Side,
    begun: datetime,
    pack: Pack,
    rules: Rules,
    *,
    by: User,
) -> Recheck:
    take_turn()
    _withdrawn_meanwhile(listed, programme, begun)
    requests = _requests(batch, listed, rules, by=by)
    path = _write_list(listed, requests)
    counts = dict.fromkeys(RESULTS, 0)
    for one in listed.values():
        counts[one.result] += 1
    sources = _sources(lines, unsigned, rules)
    outcome = Recheck.objects.create(
        batch=batch,
        begun_at=begun,
        swept_by=by.username,
        pack_hash=pack.hash,
        snapshots=now.snapshots.digest,
        snapshots_then=then.snapshots.digest,
        loads=list(now.evidence.loads),
        loads_then=list(then.evidence.loads),
        counts={**counts, "own": len(programme.own)},
        sources=sources,
        listed=path.name,
        list_hash=_hash_of(path),
    )
    Exchange.objects.bulk_create(
        [
            Exchange(
                source=code, way="snapshot", batch=batch.number, region_code=batch.region_code, asked_by=by.username,
                milliseconds=0, asked=told["asked"], known=told["known"], no_record=told["no_record"],
            )
            for code, told in sources.items()
        ]
    )  # fmt: skip
    RequestBatch.objects.filter(pk=batch.pk).update(opened=len(requests), refused=counts[OPEN])
    record(by=by, act="sift_recheck", subject=f"batch:{batch.number}", region_code=batch.region_code,
           detail={**counts, "requests": len(requests), "list": outcome.list_hash, "since": batch.since, "as_of": batch.as_of,
                   "fields": ["id_number"] if requests else []})  # fmt: skip
    return outcome


def _withdrawn_meanwhile(listed: dict[str, _Household], programme: Programme, begun: datetime) -> None:
    """Who took an authorisation back while the files were compared: what was found of the household is let go."""
    gone = {
        bytes(blind)
        for blind in Authorisation.objects.filter(withdrawn_at__gte=begun).values_list("id_blind", flat=True)
    }
    if not gone:
        return
    for number, blind in zip(
        programme.members["household_no"].to_pylist(), programme.members["id_blind"].to_pylist(), strict=True
    ):
        if blind in gone and listed[number].result != OPEN:
            listed[number] = replace(listed[number], result=UNAUTHORISED, why="比对期间撤回授权", said=None)


def _requests(
    batch: RequestBatch, listed: Mapping[str, _Household], rules: Rules, *, by: User
) -> dict[str, str]:
    """A request for every household that people have to look at, in the name of who wanted the re-check; by household."""
    wanted = [one for one in listed.values() if one.result in FOR_PEOPLE]
    declared = _declared_of([one.household_no for one in wanted], batch.purpose)
    people: dict[str, list[PersonAsked]] = {}
    for number, found in registry.identities_of([one.household_no for one in wanted]):
        lines = declared.get(number, {})
        people[number] = [
            PersonAsked(
                name=one.name,
                id_number=one.id_number,
                relation=one.relation,
                living_together=one.living_together,
                category=listed[number].category,
                declared=lines.get(one.id_blind),
            )
            for one in found
        ]
    return open_many(
        rules,
        [
            {
                "household_no": one.household_no,
                "region_code": one.region_code,
                "urban_rural": one.urban_rural,
                "sifted": one.result,
                "why": f"整批复查：{one.why}",
                "people": people[one.household_no],
            }
            for one in wanted
        ],
        batch=batch,
        by=by,
    )


def _declared_of(numbers: Sequence[str], purpose: str) -> dict[str, dict[bytes, dict[str, int]]]:
    """What the members of some households declared when a report was last made, by household and blind index."""
    told: dict[str, dict[bytes, dict[str, int]]] = {}
    for start in range(0, len(numbers), 500):
        found = Report.objects.filter(
            request__purpose=purpose, request__household_no__in=numbers[start : start + 500]
        )
        latest = dict(found.order_by("pk").values_list("request__household_no", "request_id"))
        of_request = {request: number for number, request in latest.items()}
        lines = DeclaredItem.objects.filter(person__request__in=list(of_request))
        for request, blind, item, amount in lines.values_list(
            "person__request_id", "person__id_blind", "item", "amount"
        ):
            told.setdefault(of_request[request], {}).setdefault(bytes(blind), {})[item] = amount
    return told


def _write_list(listed: Mapping[str, _Household], requests: Mapping[str, str]) -> Path:
    rows = sorted(listed.values(), key=lambda one: one.household_no)
    table = pa.table(
        {
            "household_no": pa.array([one.household_no for one in rows], pa.string()),
            "region_code": pa.array([one.region_code for one in rows], pa.string()),
            "result": pa.array([one.result for one in rows], pa.string()),
            "why": pa.array([one.why for one in rows], pa.string()),
            "request": pa.array([requests.get(one.household_no, "") for one in rows], pa.string()),
            # of who was looked at: what it was held against, so that it can be judged again
            "said": pa.array(
                [None if one.said is None else json.dumps(one.said, sort_keys=True) for one in rows],
                pa.string(),
            ),
            "doubt_then": pa.array([one.doubt_then for one in rows], pa.bool_()),
        }
    )
    facts = [str(cell) for column in table.columns for cell in column.to_pylist()]
    name = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]
    path = home().results / f"recheck-{name}.parquet"
    write_parquet(table, path)
    return path


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sources(lines: Lines, unsigned: Mapping[str, int], rules: Rules) -> dict[str, dict[str, int]]:
    """By source how many people were looked up, found, not found, and not authorised for it."""
    return {
        code: {
            "asked": lines.persons,
            "known": (known := lines.known.get(source.feed, 0)),
            "no_record": lines.persons - known,
            "unauthorised": unsigned[code],
        }
        for code, source in rules.sources.items()
    }


# ---- looking at it, and checking it again --------------------------------------------------------------------


def outcome_of(batch: RequestBatch, *, by: User) -> Recheck | None:
    """What a batch in one pass came to; None while it is not done."""
    require(by, Act.VIEW_VERIFICATION, region_code=batch.region_code)
    return Recheck.objects.filter(batch=batch).first()


def list_of(
    outcome: Recheck, *, by: User, result: str, start: int = 0, most: int = 25
) -> tuple[list[dict[str, str]], int]:
    """Some rows of a pass's list in the asker's area, own files left out, and how many there are of the result."""
    require(by, Act.VIEW_VERIFICATION, region_code=outcome.batch.region_code)
    path = home().results / outcome.listed
    if not path.is_file():
        raise StepRefused(
            "名单文件不在状态目录里，请从备份恢复。",
            "The list's file is missing; restore a backup.",
            code="list_missing",
        )
    own = list(registry.own_numbers(by=by))
    with duckdb.connect(config={"threads": 1, "memory_limit": "500MB"}) as desk:
        where = (
            f"FROM {_parquet(path)} WHERE result = $result AND starts_with(region_code, $region)"
            " AND NOT list_contains($own, household_no)"
        )
        asked = {"result": result, "region": by.region_code, "own": own or [""]}
        [[total]] = desk.execute(f"SELECT count(*) {where}", asked).fetchall()
        rows = desk.execute(
            f"SELECT household_no, why, request {where} ORDER BY household_no LIMIT {int(most)} OFFSET {int(start)}",
            asked,
        ).fetchall()
    return [dict(zip(("household_no", "why", "request"), row, strict=True)) for row in rows], int(total)


def check_recheck(number: str, *, pack: Pack, rules: Rules, by: User) -> list[dict[str, Any]]:
    """Reckon a pass again from the files and the pack of then; each difference ``{"path", "stored", "recomputed"}``."""
    batch = batch_of(number, by=by)
    outcome = Recheck.objects.filter(batch=batch).first()
    if outcome is None:
        raise StepRefused(f"批次 {number} 还没有比对。", f"Batch {number} was not compared.", code="not_done")
    path = home().results / outcome.listed
    if not path.is_file() or _hash_of(path) != outcome.list_hash:
        there = _hash_of(path) if path.is_file() else None
        return [{"path": "list", "stored": outcome.list_hash, "recomputed": there}]
    rows = pq.read_table(path).to_pylist()
    told: list[dict[str, Any]] = []
    counts = dict.fromkeys(RESULTS, 0)
    for row in rows:
        counts[row["result"]] += 1
    told += _differing("counts", {name: outcome.counts[name] for name in RESULTS}, counts)
    assert batch.as_of is not None and batch.since is not None
    now, then = (
        _side_of(pack.feeds, rules, Evidence(day, tuple(loads), {}))
        for day, loads in ((batch.as_of, outcome.loads), (batch.since, outcome.loads_then))
    )
    told += _differing("snapshots", outcome.snapshots, now.snapshots.digest)
    told += _differing("snapshots_then", outcome.snapshots_then, then.snapshots.digest)
    again = {
        row["household_no"]: _Household(
            row["household_no"],
            row["region_code"],
            "",
            "",
            doubt_then=row["doubt_then"],
            said=json.loads(row["said"]),
        )
        for row in rows
        if row["said"] is not None
    }
    _judge_all(again, now, then, batch.purpose, pack, rules)
    for row in rows:
        if row["household_no"] in again:
            one = again[row["household_no"]]
            told += _differing(f"list/{row['household_no']}", row["result"], one.result)
    return told


def _differing(path: str, stored: Any, recomputed: Any) -> Iterable[dict[str, Any]]:
    return [] if stored == recomputed else [{"path": path, "stored": stored, "recomputed": recomputed}]
