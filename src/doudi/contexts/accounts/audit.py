"""The audit log: a hash chain of every look, change, export and decision (审计日志).

In come acts of accounts; out come entries, what an auditor may read of them, and whether the chain is whole. It never
holds personal content, only the names of fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.acts import Act
from doudi.contexts.accounts.models import AuditEntry, AuditHead, User
from doudi.contexts.accounts.policies import require
from doudi.house.keyring import keyring


def _content(entry: AuditEntry) -> bytes:
    facts = [
        entry.number,
        entry.at.astimezone(timezone.get_fixed_timezone(0)).isoformat(timespec="microseconds"),
        entry.actor,
        entry.role,
        entry.act,
        entry.subject,
        entry.region_code,
        entry.reason,
        entry.detail,
    ]
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def take_turn() -> AuditHead:
    """Wait for this office's turn to write, and hold it to the end of the transaction.

    Every act takes its turn before it reads what it will change: so two acts never wait for each other crosswise, and
    what was read still stands when it is written.
    """
    head = AuditHead.objects.select_for_update().filter(pk=1).first()
    if head is None:
        AuditHead.objects.get_or_create(pk=1)
        head = AuditHead.objects.select_for_update().get(pk=1)
    return head


@transaction.atomic(savepoint=False)
def record(
    *,
    by: User,
    act: Act | str,
    subject: str = "",
    region_code: str = "",
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry to the audit chain, in the transaction of the act it tells of.

    ``subject`` is like ``household:LL00001``; ``detail`` names fields and counts, never their personal content.
    """
    head = take_turn()
    entry = AuditEntry(
        number=head.number + 1,
        at=timezone.now(),
        actor=by.username,
        role=by.role,
        act=str(act),
        subject=subject[:120],
        region_code=region_code,
        reason=reason[:300],
        detail=json.loads(json.dumps(detail or {}, ensure_ascii=False, default=str)),
        previous=bytes(head.digest),
    )
    entry.digest = keyring().chain(bytes(entry.previous), _content(entry))
    entry.save(force_insert=True)
    head.number, head.digest = entry.number, entry.digest
    head.seal = _seal_of(head)
    head.save()
    return entry


@dataclass(frozen=True)
class AuditReport:
    """The state of the chain: how many entries, whether whole, and the number of the first broken one."""

    entries: int
    whole: bool
    first_break: int | None


def verify_audit() -> AuditReport:
    """Walk the chain from its beginning; a changed, removed, inserted or cut-off entry breaks it."""
    ring = keyring()
    previous, expected = b"\x00" * 32, 1
    for entry in _in_order():
        whole = (
            entry.number == expected
            and bytes(entry.previous) == previous
            and ring.chain(previous, _content(entry)) == bytes(entry.digest)
        )
        if not whole:
            return AuditReport(entries=AuditEntry.objects.count(), whole=False, first_break=expected)
        previous, expected = bytes(entry.digest), expected + 1
    head = AuditHead.objects.filter(pk=1).first()
    ends = (
        expected == 1
        if head is None or head.number == 0
        else head.number == expected - 1
        and bytes(head.digest) == previous
        and bytes(head.seal) == _seal_of(head)
    )
    if not ends:
        return AuditReport(entries=expected - 1, whole=False, first_break=expected)
    return AuditReport(entries=expected - 1, whole=True, first_break=None)


def last_entry_at() -> datetime | None:
    """When the newest entry was written; None in an empty log."""
    return AuditEntry.objects.order_by("-number").values_list("at", flat=True).first()


def _seal_of(head: AuditHead) -> bytes:
    """What only the key can say of the chain's end: an earlier entry put there as the last does not have it."""
    return keyring().chain(b"head", f"{head.number}:".encode() + bytes(head.digest))


def _in_order() -> Iterator[AuditEntry]:
    return AuditEntry.objects.order_by("number").iterator(chunk_size=2000)


def audit_entries(*, by: User, actor: str = "", act: str = "", subject: str = "") -> QuerySet[AuditEntry]:
    """The log as ``by`` may read it, newest first, narrowed by account, act and subject."""
    require(by, Act.VIEW_AUDIT)
    found = AuditEntry.objects.order_by("-number")
    if by.region_code:
        # an entry about the whole office tells of every area: it is for those who answer for all of them
        found = found.filter(region_code__startswith=by.region_code)
    if actor:
        found = found.filter(actor=actor)
    if act:
        found = found.filter(act=act)
    if subject:
        found = found.filter(subject__icontains=subject)
    return found


def moments_of(
    acts: Iterable[str], *, since: datetime, until: datetime
) -> list[tuple[str, str, str, datetime]]:
    """(account, act, area, moment) of the entries of some acts; for jobs that count, no subject and no person."""
    found = AuditEntry.objects.filter(act__in=list(acts), at__gte=since, at__lt=until)
    return list(found.order_by("number").values_list("actor", "act", "region_code", "at"))


def read_audit(*, by: User, actor: str = "", act: str = "", subject: str = "") -> QuerySet[AuditEntry]:
    """:func:`audit_entries`, with the reading itself put into the log."""
    found = audit_entries(by=by, actor=actor, act=act, subject=subject)
    record(
        by=by,
        act=Act.VIEW_AUDIT,
        region_code=by.region_code,
        detail={"actor": actor, "act": act, "subject": subject},
    )
    return found


def household_looks(household_no: str) -> QuerySet[AuditEntry]:
    """Who looked at this household and why, newest first."""
    return AuditEntry.objects.filter(subject=f"household:{household_no}").order_by("-number")
