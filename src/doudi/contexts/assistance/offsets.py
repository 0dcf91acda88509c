"""What a family agreed to have kept back from its benefit towards a recovery (扣抵协议); it may end it at any time."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.benefit_models import OffsetAgreement
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.recovery import recovery_of


@transaction.atomic
def agree_offset(
    recovery_number: str, *, monthly_fen: int, agreed_on: date, ground: str, by: User
) -> OffsetAgreement:
    """Record a family's written consent; nothing is kept back without one. The same again changes nothing."""
    take_turn()
    recovery = recovery_of(recovery_number, by=by)
    require(by, Act.KEEP_RECOVERY, region_code=recovery.region_code)
    standing = OffsetAgreement.objects.filter(recovery_number=recovery_number).first()
    if standing is not None:
        if (standing.monthly_fen, standing.agreed_on) == (monthly_fen, agreed_on):
            return standing
        raise StepRefused("这笔追缴已有扣抵协议，一笔只立一份。", "An agreement stands already.")
    if not 0 < monthly_fen <= recovery.outstanding_fen:
        raise StepRefused(
            "每月扣抵金额应大于零、不超过未追回金额。", "More than nought, no more than is owed."
        )
    if agreed_on > timezone.localdate() or len(ground.strip()) < 4:
        raise StepRefused("请填写同意日期和协议编号或凭据。", "Give the day and the paper of the consent.")
    made = OffsetAgreement.objects.create(
        recovery_number=recovery_number,
        household_no=recovery.household_no,
        region_code=recovery.region_code,
        monthly_fen=monthly_fen,
        agreed_on=agreed_on,
        ground=ground.strip()[:200],
        recorded_by=by.username,
    )
    record(
        by=by,
        act=Act.KEEP_RECOVERY,
        subject=f"household:{recovery.household_no}",
        region_code=recovery.region_code,
        detail={"recovery": recovery_number, "offset_monthly_fen": monthly_fen},
    )
    return made


@transaction.atomic
def end_offset(recovery_number: str, *, by: User) -> OffsetAgreement:
    """End an agreement (终止扣抵): the next roster keeps nothing back."""
    take_turn()
    recovery = recovery_of(recovery_number, by=by)
    require(by, Act.KEEP_RECOVERY, region_code=recovery.region_code)
    found = OffsetAgreement.objects.filter(recovery_number=recovery_number).first()
    if found is None:
        raise StepRefused("这笔追缴没有扣抵协议。", "There is no agreement.")
    if found.ended_at is None:
        found.ended_at, found.ended_by = timezone.now(), by.username
        found.save()
        record(
            by=by,
            act=Act.KEEP_RECOVERY,
            subject=f"household:{recovery.household_no}",
            region_code=recovery.region_code,
            detail={"recovery": recovery_number, "offset": "ended"},
        )
    return found


def offset_stands(recovery_number: str) -> bool:
    """Whether a recovery has an agreement that has not ended, for a caller that has settled who may see it."""
    return OffsetAgreement.objects.filter(recovery_number=recovery_number, ended_at=None).exists()
