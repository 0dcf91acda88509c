"""Checks that another house makes for us (异地协查), our side: entrust, deliver, collect; overdue is said in the report.

What was asked elsewhere counts with what was asked here: until it is answered, the source is not answered for the
household. Every query passes the gate when it is sent, and a withdrawal is told to the other house.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.verification.asking import keep_reply, pass_gate
from doudi.contexts.verification.authorising import Unauthorised, authorisation_for
from doudi.contexts.verification.connecting import PAUSES
from doudi.contexts.verification.connectors import (
    ConnectorsInvalid,
    Peer,
    SourceLied,
    SourceUnavailable,
    Told,
    peers,
    secret_of,
)
from doudi.contexts.verification.connectors.calling import call
from doudi.contexts.verification.connectors.checking import checked_rows
from doudi.contexts.verification.models import EntrustedCheck, Query, RequestPerson
from doudi.contexts.verification.requests import StepRefused, go, note, request_of, settle
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import ASKABLE, Rules, State
from doudi.engine.workdays import add_workdays

PATH = "/api/v1/verification/entrusted"
KIND = "cross_region"
ASK_AGAIN = timedelta(minutes=10)
"""How often the other house is asked whether it has answered."""
LEASE = timedelta(minutes=5)


def _peer(code: str) -> Peer:
    found = peers().get(code)
    if found is None:
        raise ConnectorsInvalid(
            f"connectors.yaml 的 peers 里没有“{code}”。",
            f"No peer {code!r} in connectors.yaml.",
            code="peer_unknown",
        )
    return found


@transaction.atomic
def entrust(
    number: str, *, peer: str, sources: Sequence[str], rules: Rules, by: User, people: Sequence[int] = ()
) -> EntrustedCheck:
    """Entrust another house with sources of a request, for who authorised them (``people`` by key, empty: everybody).

    A second time for the same house and sources gives the check that stands. It is delivered by the worker, or at once
    by :func:`carry_entrusted`.
    """
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=request.region_code)
    if request.state not in ASKABLE:
        raise StepRefused(
            f"委托单 {number} 现为“{State(request.state).label}”，不能委托异地协查。",
            f"Request {number} is {request.state}; nothing can be entrusted now.",
        )
    unknown = [source for source in sources if source not in request.sources]
    if unknown or not sources:
        raise StepRefused("请选择本委托单查询范围内的来源。", "Choose sources of this request.")
    other = _peer(peer)
    standing = request.entrusted.filter(peer=peer).exclude(state=EntrustedCheck.State.REFUSED)
    for check in standing:
        if set(sources) <= set(check.sources):
            return check
        if set(sources) & set(check.sources):
            raise StepRefused(
                f"其中有的来源已委托{check.peer_label}（{check.number}），请只选其余的。",
                f"Some of the sources are entrusted already by {check.number}.",
                code="already_entrusted",
            )
    today = timezone.localdate()
    due_on = add_workdays(today, rules.kinds[KIND].report)
    asked = 0
    for person in request.people.all():
        if people and person.pk not in people:
            continue
        for source in sources:
            given = authorisation_for(person, purpose=request.purpose, source=source, on=today)
            Query.objects.create(
                request=request,
                person=person,
                source=source,
                place=peer,
                round=1
                + Query.objects.filter(request=request, person=person, source=source, place=peer).count(),
                status=Status.UNAUTHORISED if given is None else Status.NOT_ARRIVED,
                authorisation=given,
                asked_at=None if given is None else timezone.now(),
                asked_by=by.username,
                due_on=None if given is None else due_on,
                via="异地协查",
                problem="没有有效授权，未发出查询" if given is None else "",
            )
            asked += given is not None
    if not asked:
        raise Unauthorised(
            "没有人的授权有效，不能委托异地协查。请先补签授权书。",
            "Nobody's authorisation is in force: nothing can be entrusted.",
        )
    check = EntrustedCheck.objects.create(
        request=request,
        number=f"XC{today:%Y%m%d}-{secrets.token_hex(5)}",
        peer=peer,
        peer_label=other.label,
        sources=list(sources),
        asked_on=today,
        asked_by=by.username,
        due_on=due_on,
    )
    if request.state in (State.ACCEPTED, State.AUTHORISED):
        go(request, State.QUERYING)
    labels = "、".join(rules.sources[source].label for source in sources)
    note(request, by=by, kind="entrust", text=f"委托{other.label}协查：{labels}，{due_on} 前答复")
    record(by=by, act="entrust_check", subject=f"verification:{number}", region_code=request.region_code,
           detail={"check": check.number, "peer": peer, "sources": list(sources), "queries": asked})  # fmt: skip
    settle(request, by=by)
    return check


def entrusted_due() -> QuerySet[EntrustedCheck]:
    """Checks that are to be delivered, or asked after, now."""
    waiting = (EntrustedCheck.State.SENDING, EntrustedCheck.State.RECEIVED)
    return EntrustedCheck.objects.filter(
        Q(next_try_at=None) | Q(next_try_at__lte=timezone.now()), state__in=waiting
    ).exclude(request__state=State.ARCHIVED)


def carry_entrusted(number: str, *, rules: Rules, specs: Mapping[str, FeedSpec], by: User) -> EntrustedCheck:
    """Deliver a check, or ask whether it was answered and take the answers in; a house that cannot be reached is tried later.

    Two at once carry it once. Raises :class:`ConnectorsInvalid` where the connection cannot be used.
    """
    require(by, Act.QUERY_SOURCES)
    check = _claim(number, by=by)
    if check is None:
        return EntrustedCheck.objects.get(number=number)
    try:
        peer = _peer(check.peer)
        token = secret_of(peer.token, what=peer.label)
        if check.state == EntrustedCheck.State.SENDING:
            content = _content(check, by=by)
            if content is not None:
                _receipted(check, call(peer.connection, "POST", PATH, content, token=token), by=by)
        else:
            _tell_withdrawals(check, peer, token, by=by)
            told = call(peer.connection, "GET", f"{PATH}/{quote(check.number)}", token=token)
            _collect(check, told, rules, specs, by=by)
    except (SourceUnavailable, SourceLied) as problem:
        refused = problem.code == "source_refused" and check.state == EntrustedCheck.State.SENDING
        _put_off(check, problem, refused=refused, by=by)
    check.refresh_from_db()
    return check


@transaction.atomic
def _claim(number: str, *, by: User) -> EntrustedCheck | None:
    take_turn()
    check = (
        EntrustedCheck.objects.select_related("request")
        .filter(number=number, request__region_code__startswith=by.region_code)
        .first()
    )
    if check is None:
        raise StepRefused(f"没有找到协查 {number}。", f"No check {number}.", code="check_not_found")
    if check.state in (EntrustedCheck.State.ANSWERED, EntrustedCheck.State.REFUSED):
        return None
    done = EntrustedCheck.objects.filter(
        pk=check.pk, tries=check.tries, next_try_at=check.next_try_at
    ).update(tries=check.tries + 1, next_try_at=timezone.now() + LEASE)
    if not done:
        return None
    check.refresh_from_db()
    return check


@transaction.atomic
def _content(check: EntrustedCheck, *, by: User) -> dict[str, Any] | None:
    """What is sent: people and sources for which the gate is open now; None where it is open for nobody."""
    take_turn()
    request = check.request
    by_person: dict[int, tuple[RequestPerson, dict[str, Any], list[str]]] = {}
    for query in _queries(check).filter(status=Status.NOT_ARRIVED):
        try:
            given = pass_gate(query, on=timezone.localdate())
        except Unauthorised:
            continue
        paper = {
            "number": given.number,
            "signed_on": given.signed_on.isoformat(),
            "valid_to": given.valid_to.isoformat(),
            "way": given.way,
            "signer": given.signer,
            "guardian_relation": given.guardian_relation,
            "evidence_sha256": given.evidence_hash,
        }
        by_person.setdefault(query.person_id, (query.person, paper, []))[2].append(query.source)
    if not by_person:
        EntrustedCheck.objects.filter(pk=check.pk).update(
            state=EntrustedCheck.State.REFUSED, problem="授权已失效，没有发出"
        )
        note(request, by=by, kind="entrust", text=f"协查 {check.number} 没有有效授权，未发出")
        settle(request, by=by)
        return None
    record(by=by, act="send_entrusted", subject=f"verification:{request.number}", region_code=request.region_code,
           detail={"check": check.number, "peer": check.peer, "people": len(by_person)})  # fmt: skip
    return {
        "number": check.number,
        "purpose": request.purpose,
        "as_of": request.as_of.isoformat(),
        "urban_rural": request.urban_rural,
        "requested_by": request.requested_by,
        "due_on": check.due_on.isoformat(),
        "people": [
            {
                "position": person.position,
                "name": person.name,
                "id_number": person.id_number,
                "relation": person.relation,
                "sources": sorted(sources),
                "authorisation": paper,
            }
            for person, paper, sources in sorted(by_person.values(), key=lambda found: found[0].position)
        ],
    }


def _queries(check: EntrustedCheck) -> QuerySet[Query]:
    return check.request.queries.filter(place=check.peer, source__in=check.sources).select_related(
        "person", "request"
    )


@transaction.atomic
def _receipted(check: EntrustedCheck, told: Mapping[str, Any], *, by: User) -> None:
    take_turn()
    receipt = told.get("receipt")
    if not isinstance(receipt, str) or not 1 <= len(receipt) <= 60 or told.get("number") != check.number:
        raise SourceLied(f"{check.peer_label}的回执不对。", "The receipt is not one.")
    EntrustedCheck.objects.filter(pk=check.pk).update(
        state=EntrustedCheck.State.RECEIVED, receipt=receipt, received_at=timezone.now(), next_try_at=None,
        tries=0, problem="",
    )  # fmt: skip
    note(
        check.request,
        by=by,
        kind="entrust",
        text=f"{check.peer_label}已签收协查 {check.number}，回执 {receipt}",
    )
    record(by=by, act="entrusted_receipt", subject=f"verification:{check.request.number}",
           region_code=check.request.region_code, detail={"check": check.number, "receipt": receipt})  # fmt: skip


def _tell_withdrawals(check: EntrustedCheck, peer: Peer, token: str, *, by: User) -> None:
    """Tell the other house who withdrew since; it stops what it has not been answered yet."""
    stopped = _queries(check).filter(status=Status.UNAUTHORISED).exclude(asked_at=None)
    positions = sorted({query.person.position for query in stopped} - set(check.withdrawn))
    if not positions:
        return
    call(
        peer.connection,
        "POST",
        f"{PATH}/{quote(check.number)}/withdraw",
        {"positions": positions},
        token=token,
    )
    with transaction.atomic():
        take_turn()
        EntrustedCheck.objects.filter(pk=check.pk).update(withdrawn=sorted({*check.withdrawn, *positions}))
        note(
            check.request,
            by=by,
            kind="entrust",
            text=f"已告知{check.peer_label}：{len(positions)} 人撤回授权",
        )
        record(by=by, act="tell_withdrawal", subject=f"verification:{check.request.number}",
               region_code=check.request.region_code, detail={"check": check.number, "people": len(positions)})  # fmt: skip


@transaction.atomic
def _collect(
    check: EntrustedCheck, told: Mapping[str, Any], rules: Rules, specs: Mapping[str, FeedSpec], *, by: User
) -> None:
    """Take the answers in, each checked as a file's rows are; what is not answered stays open."""
    take_turn()
    request = check.request
    answers = _read(check, told)
    counts = {"known": 0, "no_record": 0, "failed": 0, "refused": 0}
    for query in _queries(check).filter(status__in=[Status.NOT_ARRIVED, Status.FAILED]):
        answer = answers.get((query.person.position, query.source))
        if answer is None:
            continue
        as_of, one = answer
        if one.status is Status.FAILED:
            counts["failed"] += Query.objects.filter(pk=query.pk, status=Status.NOT_ARRIVED).update(
                status=Status.FAILED, problem=(one.why or f"{check.peer_label}答复失败")[:300], answered_at=timezone.now()
            )  # fmt: skip
            continue
        spec = specs[rules.sources[query.source].feed]
        rows = checked_rows(spec, {"Q": one}, {"Q": query.person.id_number})["Q"]
        if isinstance(rows, str):
            counts["refused"] += 1
            Query.objects.filter(pk=query.pk).update(problem=rows[:300])
            continue
        keep_reply(query, rows, spec=spec, as_of=as_of, by=by, file_name=f"{check.peer}:{check.number}")
        counts["known" if rows else "no_record"] += 1
    left = _queries(check).filter(status=Status.NOT_ARRIVED).exists()
    now = timezone.now()
    if left:
        EntrustedCheck.objects.filter(pk=check.pk).update(next_try_at=now + ASK_AGAIN, tries=0, problem="")
    else:
        EntrustedCheck.objects.filter(pk=check.pk).update(
            state=EntrustedCheck.State.ANSWERED, answered_at=now, problem="", next_try_at=None
        )
    if any(counts.values()):
        note(
            request, by=by, kind="entrust",
            text=f"{check.peer_label}答复协查：查得 {counts['known']}，查无 {counts['no_record']}，失败 {counts['failed']}",
        )  # fmt: skip
        record(by=by, act="collect_entrusted", subject=f"verification:{request.number}",
               region_code=request.region_code, detail={"check": check.number, **counts})  # fmt: skip
        settle(request, by=by)


def _read(check: EntrustedCheck, told: Mapping[str, Any]) -> dict[tuple[int, str], tuple[date, Told]]:
    """By position and source: the date of the data and the answer; what has not been decided there is left out."""
    decided = {
        str(Status.KNOWN): Status.KNOWN,
        str(Status.NO_RECORD): Status.NO_RECORD,
        str(Status.FAILED): Status.FAILED,
    }
    found: dict[tuple[int, str], tuple[date, Told]] = {}
    try:
        if told["number"] != check.number:
            raise ValueError("number")
        for answer in told["answers"]:
            status = decided.get(answer["status"])
            if status is None:
                continue
            rows = tuple(answer.get("rows") or ())
            if (status is Status.KNOWN) != bool(rows) or not all(
                isinstance(row, dict) and all(isinstance(cell, str) for cell in row.values()) for row in rows
            ):
                raise ValueError("rows")
            as_of = date.fromisoformat(answer["as_of"]) if status.decided else check.asked_on
            key = (int(answer["position"]), str(answer["source"]))
            if key in found:
                raise ValueError("twice")
            found[key] = (as_of, Told(status, rows, str(answer.get("why") or "")[:200]))
    except (KeyError, TypeError, ValueError) as problem:
        raise SourceLied(
            f"{check.peer_label}的答复不合格式（{problem}），不采用。",
            f"The peer's answer is malformed ({problem}).",
        ) from None
    return found


@transaction.atomic
def _put_off(check: EntrustedCheck, problem: DoudiError, *, refused: bool, by: User) -> None:
    take_turn()
    pause = timedelta(minutes=PAUSES[min(check.tries, len(PAUSES)) - 1])
    changes: dict[str, Any] = {"problem": problem.zh[:300], "next_try_at": timezone.now() + pause}
    if refused:
        changes |= {"state": EntrustedCheck.State.REFUSED, "next_try_at": None}
        _queries(check).filter(status=Status.NOT_ARRIVED).update(
            status=Status.FAILED, problem=problem.zh[:300], answered_at=timezone.now()
        )
        note(check.request, by=by, kind="entrust", text=f"{check.peer_label}不受理协查：{problem.zh[:200]}")
        settle(check.request, by=by)
    EntrustedCheck.objects.filter(pk=check.pk).update(**changes)
    record(by=by, act="entrusted_problem", subject=f"verification:{check.request.number}",
           region_code=check.request.region_code, detail={"check": check.number, "problem": problem.code})  # fmt: skip


def overdue_entrusted(*, by: User, today: date | None = None) -> QuerySet[EntrustedCheck]:
    """Checks of the account's area that were not answered in time (超期)."""
    require(by, Act.VIEW_VERIFICATION)
    return EntrustedCheck.objects.filter(
        request__region_code__startswith=by.region_code,
        state__in=(EntrustedCheck.State.SENDING, EntrustedCheck.State.RECEIVED),
        due_on__lt=today or timezone.localdate(),
    )
