"""Queries (查询): asking sources through the gate, taking replies in, and the four values that are never mixed up.

未查, 查无, 失败 and 未授权 stay what they are from the source to the letter (handbook 03 §3.5). A query is asked of one
source about one person; a reply is kept as it came and never changed.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, own_blinds, record, require, take_turn
from doudi.contexts.verification.authorising import Unauthorised, authorisation_for, covering
from doudi.contexts.verification.models import (
    Authorisation,
    Erasure,
    Query,
    QueryBatch,
    Reply,
    SourceState,
    VerificationRequest,
)
from doudi.contexts.verification.requests import (
    StepRefused,
    go,
    latest_queries,
    note,
    request_of,
    settle,
)
from doudi.contexts.verification.returning import review_reply
from doudi.engine import feeds, identity
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import (
    ASKABLE,
    Rules,
    State,
    canonical,
    rows_from_plain,
    rows_to_plain,
    sha256_of,
)
from doudi.engine.workdays import add_workdays
from doudi.house import locked_zip

NUMBER_HEADER = "查询编号"


@dataclass(frozen=True)
class ReplyOutcome:
    """What came of a reply file: queries answered, with rows, without; rows of nobody who was asked; bad rows."""

    answered: int
    with_rows: int
    no_record: int
    not_asked_for: int
    quarantined: int
    late: int
    unread: int = 0
    """Queries left open because a bad row speaks of their person: what is not understood is not 查无."""


@transaction.atomic
def start_queries(
    number: str,
    *,
    rules: Rules,
    by: User,
    again: Sequence[str] = (),
    only: Sequence[int] = (),
    seen: int | None = None,
) -> dict[str, int]:
    """Ask every source of a request about every person who authorised it; the others are 未授权 and nothing goes out.

    Asking twice asks nobody twice; ``again`` names sources to ask anew (a failed or contested one), ``only`` limits
    it to persons (by key). Returns the number of queries by status.
    """
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=request.region_code)
    if request.state not in ASKABLE:
        raise StepRefused(
            f"委托单 {number} 现为“{State(request.state).label}”，不能查询。",
            f"Request {number} is {request.state}; nothing can be asked now.",
        )
    today = timezone.localdate()
    standing = {
        (query.person_id, query.source): query for query in latest_queries(request) if not query.place
    }
    counts = {"asked": 0, "unauthorised": 0, "standing": 0}
    people = list(request.people.all())
    covered = covering(people, purpose=request.purpose, on=today)
    questions: list[Query] = []
    for person in people:
        for code in request.sources:
            earlier = standing.get((person.pk, code))
            anew = code in again and (not only or person.pk in only)
            refused_before = earlier is not None and earlier.status == Status.UNAUTHORISED
            if earlier is not None and not anew and not refused_before:
                counts["standing"] += 1
                continue
            given = covered(person, code)
            if given is None and refused_before and not anew:
                counts["unauthorised"] += 1
                continue
            question = Query(
                request=request,
                person=person,
                source=code,
                round=1 if earlier is None else earlier.round + 1,
                status=Status.UNAUTHORISED if given is None else Status.NOT_ARRIVED,
                authorisation=given,
                asked_at=None if given is None else timezone.now(),
                asked_by=by.username,
                due_on=None if given is None else add_workdays(today, rules.sources[code].days),
                problem="没有有效授权，未发出查询" if given is None else "",
            )
            questions.append(question)
            counts["unauthorised" if given is None else "asked"] += 1
    Query.objects.bulk_create(questions)
    if request.state in (State.ACCEPTED, State.AUTHORISED):
        go(request, State.QUERYING, seen=seen)
    note(
        request,
        by=by,
        kind="query",
        text=f"发出查询 {counts['asked']} 项，未授权不发 {counts['unauthorised']} 项",
    )
    record(
        by=by,
        act=Act.QUERY_SOURCES,
        subject=f"verification:{number}",
        region_code=request.region_code,
        detail={**counts, "sources": list(again) or request.sources},
    )
    settle(request, by=by)
    return counts


def pass_gate(query: Query, *, on: date) -> Authorisation:
    """The gate: the authorisation that covers the query at this very moment, or :class:`Unauthorised`.

    Every road that sends a query calls it immediately before; what it refuses is marked 未授权.
    """
    given = authorisation_for(query.person, purpose=query.request.purpose, source=query.source, on=on)
    if given is None:
        Query.objects.filter(pk=query.pk, status=Status.NOT_ARRIVED).update(
            status=Status.UNAUTHORISED, problem="授权已失效，查询停止"
        )
        raise Unauthorised(
            f"{query.person.name}没有有效授权，不得查询。请先补签授权书。",
            "No authorisation in force for this person: the query must not go out.",
        )
    return given


def open_queries(source: str, *, by: User) -> QuerySet[Query]:
    """Queries of the asker's area that a source has still to answer."""
    require(by, Act.QUERY_SOURCES)
    return (
        # a verifier's own file and that of kin is for somebody else (回避), in lists too
        Query.objects.exclude(person__id_blind__in=own_blinds(by))
        .filter(
            source=source,
            place="",
            status=Status.NOT_ARRIVED,
            request__region_code__startswith=by.region_code,
        )
        .exclude(request__state=State.ARCHIVED)
        .select_related("person", "request")
    )


@transaction.atomic
def make_query_list(
    source: str, *, rules: Rules, specs: Mapping[str, FeedSpec], by: User
) -> tuple[QueryBatch, bytes]:
    """The list of a source's open queries as a workbook in the source's own layout (查询清单), to send by hand.

    Each row bears its query number; the department fills its columns and sends the workbook back. The gate is asked
    again for each row. Raises :class:`StepRefused` where nothing is open.
    """
    take_turn()
    spec = specs[_declared(rules, source).feed]
    ready: list[Query] = []
    stopped: dict[int, VerificationRequest] = {}
    for query in open_queries(source, by=by):
        try:
            pass_gate(query, on=timezone.localdate())
        except Unauthorised:
            stopped[query.request_id] = query.request
        else:
            ready.append(query)
    for request in stopped.values():
        settle(request, by=by)
    if not ready:
        raise StepRefused(
            f"{rules.sources[source].label}没有待查询的人。",
            f"Nothing is open for {source}.",
            code="nothing_open",
        )
    batch_number = f"CX{timezone.localdate():%Y%m%d}-{source}-{secrets.token_hex(3)}"
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("查询清单")
        text = book.add_format({"num_format": "@"})
        headers = [NUMBER_HEADER, *[column.label for column in spec.columns]]
        sheet.write_row(0, 0, headers)
        sheet.set_column(0, len(headers), 20, text)
        places = {column.name: place for place, column in enumerate(spec.columns, 1)}
        for line, query in enumerate(ready, 1):
            sheet.write_string(line, 0, f"Q{query.pk}", text)
            sheet.write_string(line, places["name"], query.person.name, text)
            sheet.write_string(line, places["id_number"], query.person.id_number, text)
    content = buffer.getvalue()
    batch = QueryBatch.objects.create(
        number=batch_number,
        source=source,
        region_code=by.region_code,
        made_by=by.username,
        file_hash=sha256_of(content),
    )
    batch.queries.set(ready)
    Query.objects.filter(pk__in=[query.pk for query in ready]).update(via="文件")
    record(
        by=by,
        act="export_query_list",
        subject=f"source:{source}",
        region_code=by.region_code,
        detail={
            "batch": batch.number,
            "queries": len(ready),
            "content": batch.file_hash,
            "refused_at_the_gate": sorted(request.number for request in stopped.values()),
        },
    )
    return batch, content


def _answerable(source: str, by: User) -> list[Query]:
    """The newest question of each request and person that went out and has no answer; a source that failed may recover."""
    newest: dict[tuple[int, int], Query] = {}
    for query in (
        Query.objects.filter(source=source, place="", request__region_code__startswith=by.region_code)
        .exclude(request__state__in=[State.ARCHIVED, State.RETURNED, State.WITHDRAWN])
        .select_related("person", "request")
        .order_by("round")
    ):
        newest[(query.request_id, query.person_id)] = query
    return [query for query in newest.values() if query.status in (Status.NOT_ARRIVED, Status.FAILED)]


def _declared(rules: Rules, source: str) -> Any:
    found = rules.sources.get(source)
    if found is None:
        raise StepRefused(
            f"没有声明的数据来源“{source}”。可选：{'、'.join(s.label for s in rules.sources.values())}。",
            f"No source {source!r}; choose one of {', '.join(rules.sources)}.",
            code="source_unknown",
        )
    return found


def password_for(source: str, *, rules: Rules, by: User) -> str:
    """The password agreed with a source for encrypted files, made at the first asking (约定口令); the look is in the log."""
    require(by, Act.QUERY_SOURCES)
    _declared(rules, source)
    password = _password(source)
    record(by=by, act="view_source_password", subject=f"source:{source}", region_code=by.region_code)
    return password


@transaction.atomic
def _password(source: str) -> str:
    take_turn()
    state, _fresh = SourceState.objects.get_or_create(source=source)
    if not state.password:
        state.password = locked_zip.new_password()
        state.save(update_fields=["password"])
    return str(state.password)


def lock_for(source: str, name: str, content: bytes, *, by: User) -> bytes:
    """A file in an AES-256 zip that opens with the source's password alone (加密压缩包)."""
    require(by, Act.QUERY_SOURCES)
    return locked_zip.lock(name, content, _password(source))


def _unlocked(source: str, path: Path) -> Path | bytes:
    """A reply as it was packed: an encrypted zip is opened with the agreed password, everything else is as it is."""
    if path.stat().st_size > locked_zip.LIMIT:
        return path
    content = path.read_bytes()
    return locked_zip.unlock(content, _password(source))[1] if locked_zip.is_zip(content) else path


@transaction.atomic
def take_reply_file(
    source: str,
    path: Path,
    *,
    rules: Rules,
    specs: Mapping[str, FeedSpec],
    as_of: date,
    by: User,
    complete: bool = True,
    file_name: str = "",
) -> ReplyOutcome:
    """Take in a department's reply: its rows go to the open queries of the persons they name, the rest is not kept.

    With ``complete`` a person without a row is 查无; otherwise the person stays unanswered. The same file again
    answers nothing twice. A late reply, for a request that has its report, leads to a review and a second report.
    Raises a feed error where the file cannot be read; nothing is kept then.
    """
    require(by, Act.QUERY_SOURCES)
    take_turn()
    spec = specs[_declared(rules, source).feed]
    original = _unlocked(source, path)
    parsed = feeds.parse_file(spec, original, today=timezone.localdate())
    by_person: dict[str, list[dict[str, Any]]] = {}
    for row in parsed.rows.drop_columns(["row_no", "row_digest"]).to_pylist():
        if row["id_number"]:
            by_person.setdefault(row["id_number"], []).append(row)
    asked: set[str] = set()
    unread_ids = {number for number, _name in parsed.unread if number is not None}
    unread_names = {identity.normal_name(name) for number, name in parsed.unread if number is None}
    outcome = {"answered": 0, "with_rows": 0, "no_record": 0, "late": 0, "unread": 0}
    touched: dict[int, VerificationRequest] = {}
    for query in _answerable(source, by):
        asked.add(query.person.id_number)
        rows = by_person.get(query.person.id_number, [])
        person = query.person
        if person.id_number in unread_ids or identity.normal_name(person.name) in unread_names:
            outcome["unread"] += 1
            continue
        if not rows and not complete:
            continue
        late = State(query.request.state) in (State.REPORTED, State.REVIEWED)
        keep_reply(query, rows, spec=spec, as_of=as_of, by=by, file_name=file_name or path.name)
        outcome["answered"] += 1
        outcome["with_rows" if rows else "no_record"] += 1
        outcome["late"] += late
        touched[query.request_id] = query.request
    for request in touched.values():
        note(request, by=by, kind="reply", text=f"{rules.sources[source].label}回复（数据日期 {as_of}）")
        settle(request, by=by)
    strangers = sum(len(rows) for number, rows in by_person.items() if number not in asked)
    review_reply(
        source,
        parsed,
        original,
        spec=spec,
        as_of=as_of,
        today=timezone.localdate(),
        strangers=strangers,
        file_name=file_name or path.name,
        by=by,
    )
    record(
        by=by,
        act="take_reply",
        subject=f"source:{source}",
        region_code=by.region_code,
        detail={**outcome, "file": parsed.file_hash, "not_asked_for": strangers},
    )
    return ReplyOutcome(**outcome, not_asked_for=strangers, quarantined=parsed.quarantined)


@transaction.atomic
def keep_reply(
    query: Query,
    rows: Sequence[Mapping[str, Any]],
    *,
    spec: FeedSpec,
    as_of: date,
    by: User,
    file_name: str = "",
) -> Reply:
    """Keep one answer to one query; the caller holds the turn. A query that was answered keeps its first answer."""
    done = Query.objects.filter(pk=query.pk, status__in=[Status.NOT_ARRIVED, Status.FAILED]).update(
        status=Status.KNOWN if rows else Status.NO_RECORD, answered_at=timezone.now(), problem=""
    )
    if not done:
        raise StepRefused(
            f"{query.person.name}的这一项查询已有结果，不能再次写入；需要重查请另起一轮。",
            "This query has been answered; ask anew in another round.",
            code="answered",
        )
    found = reply_of(query, rows, spec=spec, as_of=as_of, by=by, file_name=file_name)
    found.save()
    return found


def reply_of(
    query: Query,
    rows: Sequence[Mapping[str, Any]],
    *,
    spec: FeedSpec,
    as_of: date,
    by: User,
    file_name: str,
) -> Reply:
    """One answer as it is kept, not written yet."""
    plain = rows_to_plain(spec, rows)
    body = canonical(plain)
    return Reply(
        query=query,
        received_by=by.username,
        source_as_of=as_of,
        rows=body.decode(),
        row_count=len(plain),
        raw_hash=sha256_of(body),
        file_name=file_name[-255:],
    )


@transaction.atomic
def mark_failed(number: str, source: str, *, why: str, rules: Rules, by: User) -> int:
    """Say that a source failed for a request (失败): its open queries are failed, never 查无. Returns how many."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=request.region_code)
    _declared(rules, source)
    if len(why.strip()) < 2:
        raise StepRefused("请写明失败原因。", "Say why it failed.")
    failed = request.queries.filter(source=source, place="", status=Status.NOT_ARRIVED).update(
        status=Status.FAILED, problem=why.strip()[:300], answered_at=timezone.now()
    )
    if failed:
        note(request, by=by, kind="failed", text=f"{rules.sources[source].label}查询失败：{why.strip()}")
        record(by=by, act=Act.QUERY_SOURCES, subject=f"verification:{number}", region_code=request.region_code,
               reason=why, detail={"source": source, "failed": failed})  # fmt: skip
        settle(request, by=by)
    return failed


@transaction.atomic
def close_queries(number: str, *, by: User, seen: int | None = None) -> VerificationRequest:
    """Go on to the comparison though sources are still out: they are 未到 in the report, which says so (部分结果)."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=request.region_code)
    go(request, State.COMPARING, seen=seen)
    note(request, by=by, kind="state", text="未等齐全部来源，先行比对，报告注明部分结果")
    record(by=by, act=Act.QUERY_SOURCES, subject=f"verification:{number}", region_code=request.region_code,
           detail={"state": request.state, "partial": True})  # fmt: skip
    return request


def rows_of(reply: Reply, spec: FeedSpec) -> list[dict[str, Any]]:
    """The typed rows of a reply, its content held against its digest; :class:`EvidenceChanged` where it differs.

    Of a reply whose rows were deleted when their time was over the totals that were left.
    """
    body, digest = (reply.rows or "[]").encode(), reply.raw_hash
    if not reply.rows:
        erased = Erasure.objects.filter(reply=reply).first()
        if erased is not None:
            body, digest = erased.rows.encode(), erased.kept_hash
    if sha256_of(body) != digest:
        raise EvidenceChanged(
            f"回复 {reply.pk} 的内容与登记的摘要不符。", f"Reply {reply.pk} is not what was registered."
        )
    return rows_from_plain(spec, json.loads(body))


class EvidenceChanged(DoudiError):
    """A kept reply is not what its digest says."""

    code = "evidence_changed"
