"""How long raw rows of banks and the like are kept (保存期限): deleted in time, with proof, unless somebody holds them.

个人信息保护法 第十九条: no longer than is needed. After the days that the marks of its data elements give, counted from
the final report, only totals and digests are left; a report can still be computed again from them. What is on backups is older
than they say and goes with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, system_user, take_turn
from doudi.contexts.verification.asking import rows_of
from doudi.contexts.verification.models import Erasure, Reply, RequestEvent, VerificationRequest
from doudi.contexts.verification.requests import StepRefused, note, request_of
from doudi.engine.feeds import FeedSpec
from doudi.engine.verification import Retention, Rules, State, canonical, rows_to_plain, sha256_of, totals_of

_FINAL = (State.REPORTED, State.REVIEWED, State.ARCHIVED)
_ENDED = (State.RETURNED, State.WITHDRAWN)


@dataclass(frozen=True)
class Due:
    """A reply whose rows are to be deleted, and since when its time runs."""

    reply: Reply
    since: date


def due_for_erasure(rules: Rules, *, today: date, most: int = 1000) -> list[Due]:
    """Replies past the time of their data elements, counted from the final report or the end of their request."""
    before = {code: today - timedelta(days=kept.days) for code, kept in _kept(rules).items()}
    old = Q(pk__in=[])
    for code, day in before.items():
        old |= Q(query__source=code, received_at__date__lte=day)
    waiting = (
        Reply.objects.filter(old, erasure=None, row_count__gt=0, query__request__hold_why="")
        .select_related("query__request")
        .order_by("pk")
    )
    ended = {
        event.request_id: timezone.localdate(event.at)
        for event in RequestEvent.objects.filter(kind="end", request__state__in=_ENDED).order_by("pk")
    }
    due: list[Due] = []
    last: dict[int, date | None] = {}
    for reply in waiting.filter(query__request__state__in=[*_FINAL, *_ENDED])[: most * 10]:
        request = reply.query.request
        if request.pk not in last:
            final = request.reports.order_by("-pk").first()
            last[request.pk] = final.issued_on if final is not None else ended.get(request.pk)
        since = last[request.pk]
        if since is not None and since <= before[reply.query.source]:
            due.append(Due(reply, since))
            if len(due) == most:
                break
    return due


def _kept(rules: Rules) -> dict[str, Retention]:
    """How long each source's rows are kept, of those that have an end."""
    found = {source.code: rules.elements.retention_of(source.feed) for source in rules.sources.values()}
    return {code: kept for code, kept in found.items() if kept is not None}


def erase_raw(rules: Rules, specs: Mapping[str, FeedSpec], *, today: date | None = None) -> int:
    """Delete what is due, request by request, with proof; gives how many replies. Safe to run twice and at two places."""
    when = today or timezone.localdate()
    by_request: dict[str, list[Due]] = {}
    for due in due_for_erasure(rules, today=when):
        by_request.setdefault(due.reply.query.request.number, []).append(due)
    return sum(_erase(number, dues, rules, specs) for number, dues in by_request.items())


@transaction.atomic
def _erase(number: str, dues: list[Due], rules: Rules, specs: Mapping[str, FeedSpec]) -> int:
    take_turn()
    by = system_user()
    request = VerificationRequest.objects.get(number=number)
    if request.hold_why or State(request.state) not in (*_FINAL, *_ENDED):
        return 0
    proof = []
    kept = _kept(rules)
    for due in dues:
        reply = due.reply
        if Erasure.objects.filter(reply=reply).exists():
            continue
        source = rules.sources[reply.query.source]
        spec = specs[source.feed]
        body = canonical(rows_to_plain(spec, totals_of(spec, rows_of(reply, spec), kept[source.code].totals)))
        Erasure.objects.create(
            reply=reply,
            days=kept[source.code].days,
            since=due.since,
            rows=body.decode(),
            kept_hash=sha256_of(body),
        )
        # the one change that a reply ever sees; the proof beside it says when and why
        Reply.objects.filter(pk=reply.pk).update(rows="")
        proof.append([reply.pk, reply.raw_hash, sha256_of(body)])
    if proof:
        note(
            request, by=by, kind="erase", text=f"保存期满，{len(proof)} 份回复的原始记录已删除，留合计和摘要"
        )
        days = sorted({kept[due.reply.query.source].days for due in dues})
        record(by=by, act="erase_raw", subject=f"verification:{number}", region_code=request.region_code,
               detail={"replies": len(proof), "days": days, "proof": sha256_of(canonical(proof))})  # fmt: skip
    return len(proof)


@transaction.atomic
def hold_evidence(number: str, *, why: str, by: User) -> None:
    """Keep a request's evidence beyond its time (证据保全, legal hold), with the reason; empty lifts the hold."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.HOLD_EVIDENCE, region_code=request.region_code)
    if why and len(why.strip()) < 4:
        raise StepRefused("请写明保全理由（至少四个字）。", "State the reason (four characters or more).")
    if bool(why) == bool(request.hold_why):
        return
    VerificationRequest.objects.filter(pk=request.pk).update(
        hold_why=why.strip()[:300], held_by=by.username if why else ""
    )
    note(request, by=by, kind="hold", text=f"证据保全：{why.strip()}" if why else "解除证据保全")
    record(by=by, act=Act.HOLD_EVIDENCE, subject=f"verification:{number}", region_code=request.region_code,
           reason=why, detail={"held": bool(why)})  # fmt: skip
