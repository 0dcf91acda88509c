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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import Programme
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
)
from doudi.contexts.verification.requests import PersonAsked, StepRefused, open_many
from doudi.contexts.verification.sweep_gate import (
    FOR_PEOPLE,
    OPEN,
    RESULTS,
    UNAUTHORISED,
    Listed,
    Side,
    gate,
    last_requests,
    on_programme,
    side,
)
from doudi.contexts.verification.sweep_judging import judge_all
from doudi.contexts.verification.swept import hash_of
from doudi.engine.feeds.snapshots import write_parquet
from doudi.engine.packs import Pack
from doudi.engine.verification import Rules
from doudi.engine.verification.lines import Lines
from doudi.house.paths import home


def ask_whole(number: str, *, pack: Pack, rules: Rules, by: User) -> RequestBatch:
    """Have a re-check in one pass done by the next due job, in the asker's name (交办); it takes minutes, a page does not.

    What would stop the job at once is told at once (:class:`StepRefused`, as :func:`sweep`).
    """
    with transaction.atomic():
        take_turn()
        batch = _whole_batch(number, by=by)
        _both_sides(batch, pack, rules)
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
    now, then = _both_sides(batch, pack, rules)
    begun = timezone.now()
    with (home().results / f"recheck-{batch.number}.lock").open("w") as lock:
        # two passes of one batch write the same files: the second waits and finds it done
        fcntl.flock(lock, fcntl.LOCK_EX)
        standing = Recheck.objects.filter(batch=batch).first()
        if standing is not None:
            return standing
        programme = on_programme(batch, pack, rules, by)
        last = last_requests(batch.purpose)
        listed, lacking = gate(batch, programme, now, then, last, pack, rules)
        looked_at = {number: one for number, one in listed.items() if not one.result}
        for number, one in looked_at.items():
            one.said = last.declared.get(last.requests[number], {})
        lines = judge_all(looked_at, now, then, batch.purpose, pack, rules)
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


def _both_sides(batch: RequestBatch, pack: Pack, rules: Rules) -> tuple[Side, Side]:
    """The files of the two days; refused where a source cannot answer from them."""
    assert batch.as_of is not None and batch.since is not None
    _may_be_asked(rules)
    return side(pack.feeds, rules, batch.as_of), side(pack.feeds, rules, batch.since)


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


@transaction.atomic
def _take_in(
    batch: RequestBatch,
    listed: dict[str, Listed],
    lines: Lines,
    unsigned: Mapping[str, int],
    programme: Programme,
    now: Side,
    then: Side,
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
        list_hash=hash_of(path),
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


def _withdrawn_meanwhile(listed: dict[str, Listed], programme: Programme, begun: datetime) -> None:
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


def _requests(batch: RequestBatch, listed: Mapping[str, Listed], rules: Rules, *, by: User) -> dict[str, str]:
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


def _write_list(listed: Mapping[str, Listed], requests: Mapping[str, str]) -> Path:
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
