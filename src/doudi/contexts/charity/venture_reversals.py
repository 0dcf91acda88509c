"""Counter-entries of venture payments (冲正): asked by who pays, confirmed by another; the payment itself stays.

A milestone whose payment was reversed is accepted and unpaid again, so that the right payment can follow.
"""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, require, take_turn
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.funds import another, reasoned
from doudi.contexts.charity.milestones import milestone_of, unused
from doudi.contexts.charity.venture_models import Milestone, VentureReversal
from doudi.contexts.charity.ventures import noted
from doudi.engine.money import show_yuan

__all__ = ["ask_reversal", "decide_reversal", "waiting_reversal"]


def waiting_reversal(found: Milestone) -> VentureReversal | None:
    """The counter-entry that waits for a second person."""
    return found.reversals.filter(status=VentureReversal.Status.ASKED).first()


@transaction.atomic
def ask_reversal(pk: int, *, voucher: str, on: date, ground: str, by: User) -> VentureReversal:
    """Ask that the payment of a milestone be reversed (提出冲正); the same voucher again is the same request."""
    take_turn()
    found = milestone_of(pk, by=by)
    call = found.application.call
    require(by, Act.PAY_VENTURE, region_code=call.region_code)
    waiting = waiting_reversal(found)
    if waiting is not None:
        if waiting.voucher == voucher.strip():
            return waiting
        raise StepRefused("这笔拨付的冲正已在等待确认。", "A counter-entry waits already.")
    payment = found.payment
    if payment is None:
        raise StepRefused("这个里程碑没有可冲正的拨付。", "The milestone has no payment to reverse.")
    if not payment.on <= on <= timezone.localdate():
        raise StepRefused(
            "冲正日期须在拨付之后、今天或以前。", "The counter-entry lies between the payment and today."
        )
    unused(voucher)
    asked = VentureReversal.objects.create(
        payment=payment,
        amount_fen=-payment.amount_fen,
        on=on,
        voucher=reasoned(voucher, "冲正凭证号", "the voucher", 2),
        ground=reasoned(ground)[:300],
        asked_by=by.username,
    )
    text = f"{found.application.blind} 里程碑 {found.place} 提出冲正 {payment.voucher}：{asked.ground}"
    noted(call, by, Act.PAY_VENTURE, "reverse", text)
    return asked


@transaction.atomic
def decide_reversal(pk: int, *, confirm: bool, note: str, by: User) -> VentureReversal:
    """Confirm a counter-entry or refuse it (确认冲正), by another person than who asked; a second click is the first."""
    take_turn()
    found = milestone_of(pk, by=by)
    call = found.application.call
    require(by, Act.PAY_VENTURE, region_code=call.region_code)
    asked = waiting_reversal(found)
    wanted = VentureReversal.Status.CONFIRMED if confirm else VentureReversal.Status.REFUSED
    if asked is None:
        last = found.reversals.last()
        if last is not None and last.decided_by == by.username and last.status == wanted:
            return last
        raise StepRefused("没有待确认的冲正。", "No counter-entry waits.")
    another(by, asked.asked_by)
    asked.status, asked.decided_by, asked.decided_at = wanted, by.username, timezone.now()
    asked.note = note.strip()[:300] if confirm else reasoned(note)[:300]
    asked.save(update_fields=["status", "decided_by", "decided_at", "note"])
    if confirm:
        found.status = Milestone.Status.ACCEPTED
        found.save(update_fields=["status"])
    said = f"冲正 {show_yuan(asked.amount_fen)}" if confirm else "不予冲正"
    text = f"{found.application.blind} 里程碑 {found.place} {said}（{asked.voucher}）"
    noted(call, by, Act.PAY_VENTURE, "reversed", text)
    return asked
