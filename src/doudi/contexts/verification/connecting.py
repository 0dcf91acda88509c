"""Asking connected sources (直连查询): claim, pass the gate, call, take the answers in; nothing lost, nothing doubled.

A claim and the gate stand in one short transaction, the call outside of any, and the answers in another one: a source
that is slow holds nobody up. A claim that was not followed by an answer runs out and is asked again under a new batch; of
two answers the first counts. What fails is tried again with growing pauses, and after the last try it is 失败, never 查无.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.verification.asking import keep_reply, open_queries, pass_gate
from doudi.contexts.verification.authorising import Unauthorised
from doudi.contexts.verification.connectors import (
    Answered,
    Asked,
    Connection,
    ConnectorsInvalid,
    SourceLied,
    SourceUnavailable,
    Told,
    connection_of,
    connections,
    open_connector,
)
from doudi.contexts.verification.connectors.checking import CheckedRows, checked_rows
from doudi.contexts.verification.models import Exchange, Query, SourceState, VerificationRequest
from doudi.contexts.verification.requests import StepRefused, note, settle
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import Rules, Source, State

PAUSES = (1, 5, 15, 60, 240, 720)
"""Minutes before each further try, the last one repeated; up to a quarter is taken off at random."""
LEASE = timedelta(minutes=5)
BREAKER_REST = timedelta(minutes=2)
"""How long a source rests after so many failures in a row as its connection says."""


@dataclass
class AskOutcome:
    """What came of asking a source: queries asked, by what was told; ``refused`` answers that were not used; why not."""

    source: str
    asked: int = 0
    known: int = 0
    no_record: int = 0
    pending: int = 0
    failed: int = 0
    again: int = 0
    """Queries that are tried again later."""
    refused: int = 0
    held_back: str = ""
    """Why nothing was asked: resting, out of hours, over the rate, suspended."""
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class _Claim:
    batch: str
    queries: Mapping[str, Query] = field(default_factory=dict)
    asked: Sequence[Asked] = ()
    held_back: str = ""


def ask_source(
    code: str, *, rules: Rules, specs: Mapping[str, FeedSpec], by: User, most: int = 100_000
) -> AskOutcome:
    """Ask a connected source everything that is open in the asker's area, batch by batch, until nothing is due.

    Raises :class:`ConnectorsInvalid` where the source has no connection, or one that cannot be used.
    """
    require(by, Act.QUERY_SOURCES)
    source = rules.sources.get(code)
    connection = connection_of(source, rules) if source is not None else None
    if source is None or connection is None:
        raise ConnectorsInvalid(
            f"来源“{source.label if source else code}”没有设置直连，请用查询清单。",
            f"Source {code} has no connection; use its query list.",
            code="not_connected",
        )
    # what goes wrong is said of 银行 and not of deposit
    connector = open_connector(source, replace(connection, name=source.label), specs)
    outcome = AskOutcome(code)
    while outcome.asked < most:
        claim = _claim(source, connection, by=by)
        outcome.held_back = claim.held_back
        if not claim.asked:
            break
        begun = time.monotonic()
        answered: Answered | None = None
        problem: DoudiError | None = None
        try:
            answered = connector.ask(claim.batch, claim.asked)
        except (SourceUnavailable, SourceLied) as failed:
            problem = failed
        except ConnectorsInvalid:
            _let_go(claim)
            raise
        took = int((time.monotonic() - begun) * 1000)
        _take_in(claim, answered, problem, took, source, connection, specs[source.feed], outcome, by=by)
        if problem is not None:
            outcome.problem = problem.zh
    return outcome


@transaction.atomic
def _claim(source: Source, connection: Connection, *, by: User) -> _Claim:
    """Take what may be asked now, every query through the gate; what is taken nobody else takes for the lease."""
    take_turn()
    now = timezone.now()
    batch = f"PC{timezone.localdate():%Y%m%d}-{secrets.token_hex(8)}"
    state, _fresh = SourceState.objects.get_or_create(source=source.code)
    why = held_back(state, connection, now)
    if why:
        return _Claim(batch, held_back=why)
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    due = Q(next_try_at=None) | Q(next_try_at__lte=now)
    ready: dict[str, Query] = {}
    asked: list[Asked] = []
    stopped: dict[int, VerificationRequest] = {}
    open_now = open_queries(source.code, by=by).filter(free & due, place="").exclude(via="文件")
    seen: set[bytes] = set()
    for query in open_now.order_by("pk")[: connection.batch]:
        if bytes(query.person.id_blind) in seen:
            # of two requests about one person the second is asked in the next batch: rows go by person
            continue
        seen.add(bytes(query.person.id_blind))
        try:
            given = pass_gate(query, on=timezone.localdate())
        except Unauthorised:
            stopped[query.request_id] = query.request
            continue
        key = f"Q{query.pk}"
        ready[key] = query
        asked.append(
            Asked(
                key, query.person.name, query.person.id_number, bytes(query.person.id_blind),
                query.request.purpose, given.number, given.valid_to,
            )
        )  # fmt: skip
    for request in stopped.values():
        settle(request, by=by)
    if not asked:
        return _Claim(batch)
    Query.objects.filter(pk__in=[query.pk for query in ready.values()]).update(
        batch=batch, claimed_until=now + LEASE, via=connection.way
    )
    if state.window_start is None or now - state.window_start >= timedelta(minutes=1):
        state.window_start, state.window_calls = now, 0
    state.window_calls += 1
    state.save(update_fields=["window_start", "window_calls"])
    record(
        by=by,
        act="ask_source",
        subject=f"source:{source.code}",
        region_code=by.region_code,
        detail={
            "batch": batch,
            "way": connection.way,
            "queries": len(asked),
            "requests": sorted({query.request.number for query in ready.values()})[:50],
            "refused_at_the_gate": sorted(request.number for request in stopped.values()),
        },
    )
    return _Claim(batch, ready, asked)


def held_back(state: SourceState, connection: Connection, now: datetime) -> str:
    """Why a source must not be asked now; empty: it may."""
    if state.suspended_at is not None:
        return f"已停用：{state.suspended_why}"
    if not connection.within_hours(timezone.localtime(now).time()):
        return "不在约定的查询时段"
    if state.open_until is not None and now < state.open_until:
        return f"连续失败 {state.failures} 次，暂停到 {timezone.localtime(state.open_until):%H:%M:%S}"
    if (
        state.window_start is not None
        and now - state.window_start < timedelta(minutes=1)
        and state.window_calls >= connection.per_minute
    ):
        return f"已到每分钟 {connection.per_minute} 次的上限"
    return ""


def _let_go(claim: _Claim) -> None:
    Query.objects.filter(batch=claim.batch, status=Status.NOT_ARRIVED).update(claimed_until=None, via="")


@transaction.atomic
def _take_in(
    claim: _Claim,
    answered: Answered | None,
    problem: DoudiError | None,
    took: int,
    source: Source,
    connection: Connection,
    spec: FeedSpec,
    outcome: AskOutcome,
    *,
    by: User,
) -> None:
    """Write down what came back; a query that meanwhile ended (withdrawn, answered by file, claimed anew) stays as it is."""
    take_turn()
    now = timezone.now()
    told = dict(answered.told) if answered is not None else {}
    typed: Mapping[str, CheckedRows] = {}
    if answered is not None and answered.typed:
        typed = {key: [dict(row) for row in one.rows] for key, one in told.items()}
    elif answered is not None:
        whose = {key: query.person.id_number for key, query in claim.queries.items()}
        typed = checked_rows(spec, told, whose)
    standing = Query.objects.filter(
        pk__in=[query.pk for query in claim.queries.values()], batch=claim.batch, status=Status.NOT_ARRIVED
    ).select_related("person", "request")
    by_key = {f"Q{query.pk}": query for query in standing}
    counts = dict.fromkeys(("known", "no_record", "pending", "failed", "again"), 0)
    refused = (answered.refused if answered is not None else 0) + len(set(told) - set(by_key))
    touched: dict[int, VerificationRequest] = {}
    given_up: dict[int, str] = {}
    for key, query in by_key.items():
        one = told.get(key)
        rows = typed.get(key)
        if one is not None and isinstance(rows, str):
            one, refused = Told(Status.FAILED, why=rows), refused + 1
        if one is not None and answered is not None and one.status.decided:
            assert not isinstance(rows, str)
            keep_reply(
                query,
                rows or [],
                spec=spec,
                as_of=answered.as_of,
                by=by,
                file_name=f"{connection.way}:{claim.batch}",
            )
            counts["known" if rows else "no_record"] += 1
            touched[query.request_id] = query.request
        elif one is not None and one.status is Status.NOT_ARRIVED:
            _wait(query, now, one.why, count=False)
            counts["pending"] += 1
        else:
            why = (
                one.why or "来源答复失败"
                if one is not None
                else (problem.zh if problem else "来源没有答复这一项")
            )
            if query.tries + 1 >= connection.tries:
                Query.objects.filter(pk=query.pk).update(
                    status=Status.FAILED, problem=why[:300], answered_at=now, tries=query.tries + 1, claimed_until=None
                )  # fmt: skip
                counts["failed"] += 1
                given_up.setdefault(query.request_id, why)
                touched[query.request_id] = query.request
            else:
                _wait(query, now, why, count=True)
                counts["again"] += 1
    for request in touched.values():
        if request.pk in given_up:
            note(request, by=by, kind="failed", text=f"{source.label}查询失败：{given_up[request.pk][:200]}")
        settle(request, by=by)
    _health(source, connection, now, problem)
    Exchange.objects.create(
        source=source.code,
        way=connection.way,
        batch=claim.batch,
        region_code=by.region_code,
        asked_by=by.username,
        milliseconds=took,
        asked=len(claim.asked),
        known=counts["known"],
        no_record=counts["no_record"],
        pending=counts["pending"],
        failed=counts["failed"] + counts["again"],
        refused=refused,
        fee_fen=source.fee_fen * (counts["known"] + counts["no_record"]),
        problem=problem.zh[:300] if problem is not None else "",
    )
    record(
        by=by,
        act="take_reply",
        subject=f"source:{source.code}",
        region_code=by.region_code,
        detail={
            "batch": claim.batch,
            **counts,
            "refused": refused,
            "problem": problem.code if problem else "",
        },
    )
    outcome.asked += len(claim.asked)
    outcome.refused += refused
    for name, count in counts.items():
        setattr(outcome, name, getattr(outcome, name) + count)


def _wait(query: Query, now: datetime, why: str, *, count: bool) -> None:
    """Leave a query open and have it asked again after a pause, a little earlier or later than others."""
    minutes = PAUSES[min(query.tries, len(PAUSES) - 1)]
    pause = timedelta(seconds=minutes * 60 * (1 - secrets.randbelow(250) / 1000))
    Query.objects.filter(pk=query.pk, status=Status.NOT_ARRIVED).update(
        tries=query.tries + count, next_try_at=now + pause, claimed_until=None, problem=why[:300]
    )


def _health(source: Source, connection: Connection, now: datetime, problem: DoudiError | None) -> None:
    state = SourceState.objects.get(source=source.code)
    state.failures = 0 if problem is None else state.failures + 1
    state.last_problem = "" if problem is None else problem.zh[:300]
    # after its rest one call is let through; if that fails too, the source rests again
    state.open_until = now + BREAKER_REST if state.failures >= connection.breaker else None
    state.save(update_fields=["failures", "last_problem", "open_until"])


# ---- stopping a source -----------------------------------------------------------------------------------------


@transaction.atomic
def suspend_source(code: str, *, why: str, rules: Rules, by: User) -> None:
    """Stop asking a source by connection (停用来源), with the reason; open queries stay open."""
    require(by, Act.QUERY_SOURCES)
    take_turn()
    if code not in rules.sources or len(why.strip()) < 4:
        raise StepRefused("请选择来源，写明停用理由（至少四个字）。", "Choose a source and state the reason.")
    state, _fresh = SourceState.objects.get_or_create(source=code)
    if state.suspended_at is None:
        state.suspended_at, state.suspended_by, state.suspended_why = (
            timezone.now(),
            by.username,
            why.strip()[:300],
        )
        state.save(update_fields=["suspended_at", "suspended_by", "suspended_why"])
        record(by=by, act="suspend_source", subject=f"source:{code}", region_code=by.region_code, reason=why)


@transaction.atomic
def resume_source(code: str, *, by: User) -> None:
    """Ask a suspended or resting source again (恢复来源)."""
    require(by, Act.QUERY_SOURCES)
    take_turn()
    done = SourceState.objects.filter(source=code).update(
        suspended_at=None, suspended_by="", suspended_why="", failures=0, open_until=None
    )
    if done:
        record(by=by, act="resume_source", subject=f"source:{code}", region_code=by.region_code)


def connected_work(rules: Rules) -> list[tuple[str, str]]:
    """(source, account) pairs for which connected queries are due: each account's own are asked in its name."""
    now = timezone.now()
    wired = [code for code in connections() if code in rules.sources]
    found = (
        Query.objects.filter(source__in=wired, status=Status.NOT_ARRIVED, place="")
        .filter(
            Q(claimed_until=None) | Q(claimed_until__lt=now), Q(next_try_at=None) | Q(next_try_at__lte=now)
        )
        .exclude(via="文件")
        .exclude(request__state=State.ARCHIVED)
        .order_by()
        .values_list("source", "asked_by")
        .distinct()
    )
    return sorted(found)
