"""Settling a month of services with a provider from proofs alone (服务结算): made, checked and paid by three people.

A visit with an open complaint, or after the receiver's death, waits; one whose complaint was found true is not paid, and
is taken back from the next settlement where it was. A settlement is never below nought: the rest comes back later.
"""

from __future__ import annotations

from datetime import date

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.assistance.care_models import (
    CareComplaint,
    CareLine,
    CareOrder,
    CareSettlement,
    CareVisit,
)
from doudi.contexts.assistance.care_orders import CareNotFound
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.rosters import SamePerson
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import first_of

State = CareSettlement.State
Line = CareLine.State
COUNTY = 6


def care_settlements(*, by: User, state: str = "") -> QuerySet[CareSettlement]:
    """Settlements of the asker's area, a provider's own ones alone; a township sees none of the county's."""
    scope = require(by, Act.VIEW_CARE)
    found = CareSettlement.objects.filter(region_code__startswith=by.region_code)
    if scope is Scope.ORGANISATION:
        found = found.filter(provider=by.organisation).exclude(provider="")
    return found.filter(state=state) if state else found


def care_settlement(number: str, *, by: User) -> CareSettlement:
    """One settlement that the asker may see."""
    found = care_settlements(by=by).filter(number=number).first()
    if found is None:
        raise CareNotFound(f"没有找到结算 {number}。", f"No settlement {number} for you.")
    return found


def providers_to_settle(*, by: User) -> list[tuple[str, str]]:
    """Code and name of every provider that orders of the area were given to."""
    require(by, Act.VIEW_CARE)
    found = CareOrder.objects.filter(region_code__startswith=by.region_code).exclude(provider="")
    return sorted(dict(found.order_by("pk").values_list("provider", "provider_name")).items())


@transaction.atomic
def settle_care(*, region_code: str, provider: str, month: date, by: User) -> CareSettlement:
    """Make the settlement of a provider for a month that is over (编制); the same again is the one that is there."""
    require(by, Act.SETTLE_CARE, region_code=region_code)
    take_turn()
    if len(region_code) != COUNTY:
        raise StepRefused("服务结算按县（六位区划代码）办理。", "A settlement is a county's: six digits.")
    month = first_of(month)
    end = month + relativedelta(months=1)
    mine = CareSettlement.objects.filter(region_code=region_code, provider=provider)
    before = mine.filter(month=month).exclude(state=State.WITHDRAWN).first()
    if before is not None:
        return before
    if timezone.localdate() < end:
        raise StepRefused(f"{month:%Y-%m} 还没有过完，不能结算。", f"{month:%Y-%m} is not over yet.")
    orders = CareOrder.objects.filter(region_code__startswith=region_code, provider=provider)
    name = orders.values_list("provider_name", flat=True).first()
    if name is None:
        raise StepRefused("这家机构在本县没有服务单。", "The provider has no order in this county.")
    made = CareSettlement.objects.create(
        number=f"FWJS{region_code}-{month:%Y%m}-{CareSettlement.objects.count() + 1:04d}",
        region_code=region_code,
        provider=provider,
        provider_name=name,
        month=month,
        state=State.MADE,
        made_by=by.username,
    )
    lines = _due(made, orders, end)
    lines += _back(made, orders, sum(line.amount_fen for line in lines))
    if not lines:
        raise StepRefused("没有可以结算的服务。", "There is nothing to settle.")
    CareLine.objects.bulk_create(lines)
    made.due_fen = sum(line.amount_fen for line in lines)
    made.save(update_fields=["due_fen"])
    _log(made, by, Act.SETTLE_CARE)
    return made


def _due(made: CareSettlement, orders: QuerySet[CareOrder], end: date) -> list[CareLine]:
    paid = CareLine.objects.filter(state=Line.DUE).values("visit")
    visits = (
        CareVisit.objects.filter(order__in=orders, reverses=None, reversed_by=None)
        .exclude(pk__in=paid)
        .exclude(complaints__state=CareComplaint.State.UPHELD)
        .select_related("order")
        .order_by("begun_at", "pk")
    )
    found = [one for one in visits if timezone.localdate(one.begun_at) < end]
    ids = {one.order.person_id for one in found}
    kept = registry.kept_persons(ids)
    people = registry.people_briefs(kept.values())
    doubted = set(
        CareComplaint.objects.filter(visit__in=found, state=CareComplaint.State.OPEN).values_list(
            "visit", flat=True
        )
    )
    lines = []
    for one in found:
        person = people.get(kept.get(one.order.person_id, one.order.person_id))
        died = person.died_on if person else None
        why = "有投诉待处理" if one.pk in doubted else ""
        if died is not None and timezone.localdate(one.begun_at) > died:
            why = f"服务对象已于 {died} 死亡"
        lines.append(
            CareLine(
                settlement=made,
                visit=one,
                state=Line.HELD if why else Line.DUE,
                amount_fen=0 if why else one.amount_fen,
                why=why,
            )
        )
    return lines


def _back(made: CareSettlement, orders: QuerySet[CareOrder], left: int) -> list[CareLine]:
    """What was paid for visits that were found untrue later, oldest first, as far as this settlement reaches."""
    wrong = (
        CareVisit.objects.filter(
            order__in=orders, complaints__state=CareComplaint.State.UPHELD, lines__state=Line.DUE
        )
        .exclude(pk__in=CareLine.objects.filter(state=Line.BACK).values("visit"))
        .select_related("order")
        .order_by("begun_at", "pk")
        .distinct()
    )
    lines = []
    for one in wrong:
        if one.amount_fen > left:
            break
        left -= one.amount_fen
        lines.append(
            CareLine(
                settlement=made, visit=one, state=Line.BACK, amount_fen=-one.amount_fen, why="投诉属实，扣回"
            )
        )
    return lines


@transaction.atomic
def check_care_settlement(number: str, *, by: User) -> CareSettlement:
    """A second person finds a settlement right (复核); a complaint since it was made sends it back."""
    take_turn()
    found = care_settlement(number, by=by)
    require(by, Act.CHECK_CARE, region_code=found.region_code)
    if found.state == State.CHECKED and found.checked_by == by.username:
        return found
    _apart(by, found.made_by)
    _still_right(found)
    if not CareSettlement.objects.filter(pk=found.pk, state=State.MADE).update(
        state=State.CHECKED, checked_by=by.username
    ):
        raise StepRefused("这份结算不在待复核状态。", "The settlement does not wait to be checked.")
    found.refresh_from_db()
    _log(found, by, Act.CHECK_CARE)
    return found


def _still_right(found: CareSettlement) -> None:
    complained = found.lines.filter(state=Line.DUE, visit__complaints__state__in=("open", "upheld"))
    if complained.exists():
        raise StepRefused(
            "结算编制以后，其中的服务有了投诉。请作废后重新编制。",
            "A visit of it was complained of since; withdraw it and make it anew.",
            code="care_complained",
        )
    if (found.lines.aggregate(fen=Sum("amount_fen"))["fen"] or 0) != found.due_fen:
        raise StepRefused("结算的合计与明细不符，请作废后重新编制。", "Sum and lines differ.")


def _apart(by: User, *others: str) -> None:
    if by.username in others:
        raise SamePerson(
            "编制、复核、拨付须由三个人办理，派单的人也不拨付。",
            "Making, checking and paying are for three people, and who chose the provider does not pay.",
        )


@transaction.atomic
def pay_care_settlement(number: str, *, voucher: str, paid_on: date, by: User) -> CareSettlement:
    """A third person says with the voucher that a checked settlement was paid (拨付)."""
    take_turn()
    found = care_settlement(number, by=by)
    require(by, Act.PAY_CARE, region_code=found.region_code)
    if found.state == State.PAID and (found.paid_by, found.voucher) == (by.username, voucher.strip()):
        return found
    choosers = found.lines.values_list("visit__order__assigned_by", flat=True)
    _apart(by, found.made_by, found.checked_by, *choosers)
    _still_right(found)
    if not voucher.strip() or paid_on > timezone.localdate():
        raise StepRefused("请填写拨付凭证号，日期不能晚于今天。", "Give the voucher; not in the future.")
    if not CareSettlement.objects.filter(pk=found.pk, state=State.CHECKED).update(
        state=State.PAID, paid_by=by.username, paid_on=paid_on, voucher=voucher.strip()[:80]
    ):
        raise StepRefused("这份结算还没有复核，或已拨付。", "The settlement is not checked, or paid already.")
    found.refresh_from_db()
    _log(found, by, Act.PAY_CARE)
    return found


@transaction.atomic
def withdraw_care_settlement(number: str, *, reason: str, by: User) -> CareSettlement:
    """Put an unpaid settlement aside (作废): its visits are free for the next."""
    take_turn()
    found = care_settlement(number, by=by)
    require(by, Act.SETTLE_CARE, region_code=found.region_code)
    if found.state == State.WITHDRAWN:
        return found
    if len(reason.strip()) < 4:
        raise StepRefused("请写明作废的原因（至少四个字）。", "Say why.")
    if not CareSettlement.objects.filter(pk=found.pk, state__in=(State.MADE, State.CHECKED)).update(
        state=State.WITHDRAWN, note=reason.strip()[:200]
    ):
        raise StepRefused("已拨付的结算不能作废。", "A paid settlement stands.")
    found.lines.update(state=Line.RELEASED)
    found.refresh_from_db()
    _log(found, by, "withdraw_care_settlement")
    return found


def _log(found: CareSettlement, by: User, act: Act | str) -> None:
    record(
        by=by,
        act=act,
        subject=f"care_settlement:{found.number}",
        region_code=found.region_code,
        detail={
            "provider": found.provider,
            "month": found.month,
            "due_fen": found.due_fen,
            "state": found.state,
        },
    )
