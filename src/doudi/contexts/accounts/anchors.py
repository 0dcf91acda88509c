"""Signed ends of the audit chain (日志锚点), one a day, that are printed or sent away.

Who holds the keys of the office could write the whole log anew. An anchor on paper in another drawer does not change
with it: :func:`compare_anchor` says whether the log of today still holds what the log said then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.acts import Act
from doudi.contexts.accounts.audit import record, take_turn
from doudi.contexts.accounts.models import AuditAnchor, AuditEntry, User
from doudi.contexts.accounts.policies import is_office_hand, require
from doudi.engine.errors import DoudiError
from doudi.house.keyring import signing_key

_FIELDS = ("on", "entries", "head", "made_at", "public_key")


class AnchorRefused(DoudiError):
    """The text is no anchor."""

    code = "anchor_unreadable"


@dataclass(frozen=True)
class AnchorReport:
    """Whether an anchor is signed by this office's key, and whether the log still holds what it says."""

    entries: int
    on: str
    signed: bool
    own_key: bool
    in_the_log: bool

    @property
    def whole(self) -> bool:
        return self.signed and self.own_key and self.in_the_log


@transaction.atomic
def anchor_audit(*, by: User, today: date | None = None) -> AuditAnchor:
    """Sign the end of the log as it stands; the first call of a day makes the anchor, later ones give the same."""
    if not is_office_hand(by):
        require(by, Act.VIEW_AUDIT)
    on = today or timezone.localdate()
    head = take_turn()
    there = AuditAnchor.objects.filter(on=on).first()
    if there is not None:
        return there
    key = signing_key()
    anchor = AuditAnchor(
        on=on,
        number=head.number,
        digest=bytes(head.digest).hex(),
        made_at=timezone.now(),
        public_key=key.public_key().public_bytes_raw().hex(),
    )
    anchor.signature = key.sign(_content(told(anchor))).hex()
    anchor.save()
    record(
        by=by, act="anchor_audit", subject="office", detail={"entries": anchor.number, "head": anchor.digest}
    )
    return anchor


def anchor_if_due(*, by: User) -> int:
    """1 where today's anchor was made just now, for the worker; asks before it waits for its turn to write."""
    if AuditAnchor.objects.filter(on=timezone.localdate()).exists():
        return 0
    anchor_audit(by=by)
    return 1


def anchors(*, by: User) -> QuerySet[AuditAnchor]:
    """The anchors that were made, newest first."""
    require(by, Act.VIEW_AUDIT)
    return AuditAnchor.objects.all()


def told(anchor: AuditAnchor) -> dict[str, str | int]:
    """An anchor as it is printed: what is signed, and the signature where there is one already."""
    said: dict[str, str | int] = {
        "on": f"{anchor.on:%Y-%m-%d}",
        "entries": anchor.number,
        "head": anchor.digest,
        "made_at": _stamp(anchor.made_at),
        "public_key": anchor.public_key,
    }
    return said | ({"signature": anchor.signature} if anchor.signature else {})


def compare_anchor(text: str, *, by: User) -> AnchorReport:
    """Hold an anchor that was kept elsewhere (its JSON) against the log of today."""
    if not is_office_hand(by):
        require(by, Act.VIEW_AUDIT)
    try:
        said = json.loads(text)
        kept = {name: said[name] for name in _FIELDS}
        entries, head = int(said["entries"]), str(said["head"])
        key, signature = bytes.fromhex(said["public_key"]), bytes.fromhex(said["signature"])
        checker = Ed25519PublicKey.from_public_bytes(key)
    except (ValueError, KeyError, TypeError):
        raise AnchorRefused(
            "这不是日志锚点，请使用 doudi audit anchor 生成的文件。",
            "This is no anchor of the log; take a file that doudi audit anchor made.",
        ) from None
    try:
        checker.verify(signature, _content(kept))
        signed = True
    except InvalidSignature:
        signed = False
    entry = AuditEntry.objects.filter(number=entries).first()
    return AnchorReport(
        entries=entries,
        on=str(said["on"]),
        signed=signed,
        own_key=key == signing_key().public_key().public_bytes_raw(),
        in_the_log=entries == 0 or (entry is not None and bytes(entry.digest).hex() == head),
    )


def _content(said: dict[str, str | int]) -> bytes:
    return json.dumps(
        ["doudi audit anchor 1", *(said[name] for name in _FIELDS)], ensure_ascii=False, separators=(",", ":")
    ).encode()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(timezone.get_fixed_timezone(0)).isoformat(timespec="microseconds")
