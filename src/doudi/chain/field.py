"""Visits that come back from a telephone (离线入户)."""

from __future__ import annotations

from django.db import transaction

from doudi.chain import warnings
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.monitoring import services as monitoring


@transaction.atomic
def take_field_visit(sent: monitoring.SentVisit, *, by: User) -> monitoring.FieldVisit:
    """Take a visit from a telephone in: recorded as any visit, or kept for a person; sent again it is the same (回传)."""
    take_turn()
    before = monitoring.sent_before(sent, by=by)
    if before is not None:
        return before
    kept = monitoring.keep_field_visit(sent, by=by)
    if kept.state != monitoring.FieldVisit.State.RECORDED:
        return kept
    return monitoring.mark_recorded(kept, _record_sent(sent, by))


def _record_sent(sent: monitoring.SentVisit, by: User) -> monitoring.Visit | None:
    if sent.attempt:
        warnings.record_attempt(sent.number, by=by, **sent.for_record())
        return None
    return warnings.record_visit(sent.number, by=by, **sent.for_record())


@transaction.atomic
def settle_field_visit(number: int, *, to: str, ground: str, by: User) -> monitoring.FieldVisit:
    """Settle a visit that waits for a person; one that is taken up is recorded as any visit (处理冲突)."""
    take_turn()
    kept = monitoring.field_visit(number, by=by)
    taken_up = to == monitoring.FieldVisit.State.RECORDED
    sent = monitoring.sent_visit(kept)
    visit = _record_sent(sent, by) if taken_up else None
    return monitoring.settle_field_visit(kept, to=to, ground=ground, by=by, visit=visit)
