"""What an awarded venture does for its money (公益创投): milestones, reports, acceptance, payment, evaluation.

Who pays did not accept; a payment is never changed, only reversed by a counter-entry (:mod:`venture_reversals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.funds import FundNotFound, another, reasoned
from doudi.contexts.charity.grants import public_words
from doudi.contexts.charity.venture_models import (
    Application,
    Call,
    Evaluation,
    Milestone,
    VenturePayment,
    VentureReversal,
)
from doudi.contexts.charity.ventures import application_of, noted
from doudi.engine.money import show_yuan
from doudi.engine.packs.giving import GivingRules
from doudi.house.attachments import keep_attachment, open_attachment

__all__ = [
    "accept_milestone",
    "evaluate",
    "milestone_evidence",
    "milestone_of",
    "paid_of",
    "pay_milestone",
    "plan_milestones",
    "report_milestone",
    "unused",
]


def milestone_of(pk: int, *, by: User) -> Milestone:
    """One milestone, or :class:`FundNotFound`."""
    found = (
        Milestone.objects.select_related("application__call", "application__organisation")
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise FundNotFound("没有这个里程碑。", "No such milestone.")
    application_of(found.application.number, by=by)
    return found


@transaction.atomic
def plan_milestones(
    number: str, *, steps: Sequence[tuple[str, date, int]], rules: GivingRules, by: User
) -> list[Milestone]:
    """Agree on the milestones of an award: they add up to it, the first not above its share (约定里程碑)."""
    take_turn()
    found = application_of(number, by=by)
    require(by, Act.RUN_VENTURE, region_code=found.call.region_code)
    if found.status != Application.Status.AWARDED:
        raise StepRefused("只有获资助的项目约定里程碑。", "Only an awarded project has milestones.")
    if found.milestones.exists():
        return list(found.milestones.all())
    if not steps or sum(fen for _title, _due, fen in steps) != found.awarded_fen:
        raise StepRefused(
            f"各里程碑拨付合计须等于资助 {show_yuan(found.awarded_fen)}。",
            "The milestones add up to the award.",
        )
    days = [due for _title, due, _fen in steps]
    if days != sorted(set(days)) or any(fen <= 0 or not title.strip() for title, _due, fen in steps):
        raise StepRefused(
            "里程碑须有内容、金额大于零，期限由先到后、不重复。",
            "Milestones have words, sums and ascending days.",
        )
    if len(steps) > 1 and steps[0][2] > found.awarded_fen * rules.first_payment_most:
        raise StepRefused(
            f"首款不超过资助的 {int(rules.first_payment_most * 100)}%。",
            "The first payment is above its share.",
        )
    if len(steps) == 1 and rules.first_payment_most < 1:
        raise StepRefused("请至少分两个里程碑拨付。", "Pay in two milestones or more.")
    made = [
        Milestone.objects.create(
            application=found, place=place, title=title.strip(), due_on=due, amount_fen=fen
        )
        for place, (title, due, fen) in enumerate(steps, 1)
    ]
    noted(
        found.call,
        by,
        Act.RUN_VENTURE,
        "plan",
        f"{found.blind} 约定 {len(made)} 个里程碑",
        application=number,
    )
    return made


@transaction.atomic
def report_milestone(pk: int, *, report: str, by: User, evidence: bytes = b"") -> Milestone:
    """The charity reports a milestone as reached, with evidence (报告完成)."""
    take_turn()
    found = milestone_of(pk, by=by)
    body = found.application.organisation
    require(by, Act.APPLY_VENTURE, organisation=body.code)
    if found.status not in (Milestone.Status.PLANNED, Milestone.Status.RETURNED):
        raise StepRefused("这个里程碑已经报告。", "The milestone is reported already.")
    earlier = found.application.milestones.filter(place__lt=found.place)
    if earlier.exclude(status__in=(Milestone.Status.ACCEPTED, Milestone.Status.PAID)).exists():
        raise StepRefused("请先完成前面的里程碑。", "Earlier milestones come first.")
    found.report, found.reported_by = public_words(report, "完成情况"), by.username
    found.evidence = keep_attachment(evidence).digest if evidence else ""
    found.status = Milestone.Status.REPORTED
    found.save()
    noted(
        found.application.call,
        by,
        Act.APPLY_VENTURE,
        "report",
        f"{found.application.blind} 报告里程碑 {found.place}",
    )
    return found


@transaction.atomic
def milestone_evidence(pk: int, *, by: User) -> tuple[bytes, str]:
    """The scan or picture that a milestone was reported with, and its media type; the look is in the log."""
    found = milestone_of(pk, by=by)
    if not found.evidence:
        raise FundNotFound("这个里程碑没有凭证。", "The milestone has no evidence.")
    call = found.application.call
    record(
        by=by,
        act="view_evidence",
        subject=f"venture:{call.number}",
        region_code=call.region_code,
        detail={"milestone": pk},
    )
    return open_attachment(found.evidence)


@transaction.atomic
def accept_milestone(pk: int, *, accept: bool, note: str, by: User) -> Milestone:
    """The county accepts what was reported, or returns it (验收)."""
    take_turn()
    found = milestone_of(pk, by=by)
    call = found.application.call
    require(by, Act.RUN_VENTURE, region_code=call.region_code)
    if found.status != Milestone.Status.REPORTED:
        raise StepRefused("没有待验收的报告。", "No report waits.")
    if accept:
        found.status, found.accepted_by = Milestone.Status.ACCEPTED, by.username
        found.accepted_on, found.note = timezone.localdate(), note.strip()[:300]
    else:
        found.status, found.note = Milestone.Status.RETURNED, reasoned(note)[:300]
    found.save()
    said = "验收" if accept else "退回"
    noted(call, by, Act.RUN_VENTURE, "accept", f"{found.application.blind} 里程碑 {found.place} {said}")
    return found


@transaction.atomic
def pay_milestone(pk: int, *, voucher: str, on: date, by: User) -> VenturePayment:
    """Pay an accepted milestone (拨付), by another person than who accepted it; a second click is the same payment."""
    take_turn()
    found = milestone_of(pk, by=by)
    call = found.application.call
    require(by, Act.PAY_VENTURE, region_code=call.region_code)
    standing = found.payment
    if found.status == Milestone.Status.PAID and standing is not None:
        if standing.voucher == voucher.strip():
            return standing
        raise StepRefused("这个里程碑已经拨付。", "The milestone is paid already.")
    if found.status != Milestone.Status.ACCEPTED:
        raise StepRefused("验收之后才能拨付。", "A milestone is paid after it was accepted.")
    another(by, found.accepted_by)
    if on > timezone.localdate() or (found.accepted_on is not None and on < found.accepted_on):
        raise StepRefused(
            "拨付日期须在验收之后、今天或以前。", "The payment lies between acceptance and today."
        )
    unused(voucher)
    paid = VenturePayment.objects.create(
        milestone=found,
        turn=found.payments.count() + 1,
        amount_fen=found.amount_fen,
        on=on,
        voucher=reasoned(voucher, "凭证号", "the voucher", 2),
        paid_by=by.username,
    )
    found.status = Milestone.Status.PAID
    found.save(update_fields=["status"])
    noted(
        call,
        by,
        Act.PAY_VENTURE,
        "pay",
        f"{found.application.blind} 里程碑 {found.place} 拨付 {show_yuan(paid.amount_fen)}",
    )
    return paid


def unused(voucher: str) -> None:
    """Refuse a voucher that a payment or a counter-entry bears already."""
    plain = voucher.strip()
    payments = VenturePayment.objects.filter(voucher=plain)
    if payments.exists() or VentureReversal.objects.filter(voucher=plain).exists():
        raise StepRefused(f"凭证号 {voucher} 已经用过。", f"Voucher {voucher} is used.", code="voucher_used")


def paid_of(application: Application) -> int:
    """What was paid on an award and not reversed, in fen."""
    paid = VenturePayment.objects.filter(milestone__application=application)
    back = VentureReversal.objects.filter(
        payment__milestone__application=application, status=VentureReversal.Status.CONFIRMED
    )
    return sum(int(rows.aggregate(t=Sum("amount_fen"))["t"] or 0) for rows in (paid, back))


@transaction.atomic
def evaluate(number: str, *, grade: str, people: int, text: str, by: User) -> Evaluation:
    """Say what a funded project came to, once everything was paid or the rest will not be (绩效评价)."""
    take_turn()
    found = application_of(number, by=by)
    require(by, Act.RUN_VENTURE, region_code=found.call.region_code)
    if found.status != Application.Status.AWARDED or not found.milestones.exists():
        raise StepRefused("只评价获资助并约定了里程碑的项目。", "Only an awarded project is evaluated.")
    if found.milestones.exclude(status=Milestone.Status.PAID).exists():
        raise StepRefused("还有里程碑没有拨付。", "A milestone is still to be paid.")
    if VentureReversal.objects.filter(
        payment__milestone__application=found, status=VentureReversal.Status.ASKED
    ).exists():
        raise StepRefused("有一笔拨付正等待冲正确认。", "A counter-entry waits for its second person.")
    if (again := Evaluation.objects.filter(application=found).first()) is not None:
        return again
    if grade not in Evaluation.Grade.values or people < 0:
        raise StepRefused("请选择等次并填写受益人数。", "Choose a grade and give how many were helped.")
    made = Evaluation.objects.create(
        application=found,
        grade=grade,
        people=people,
        text=public_words(text, "评价")[:500],
        on=timezone.localdate(),
        by=by.username,
    )
    awarded = found.call.applications.filter(status=Application.Status.AWARDED)
    if not awarded.filter(evaluation=None).exists():
        Call.objects.filter(pk=found.call_id).update(status=Call.Status.FINISHED)
    noted(found.call, by, Act.RUN_VENTURE, "evaluate", f"{found.blind} 评价：{made.get_grade_display()}")
    return made
