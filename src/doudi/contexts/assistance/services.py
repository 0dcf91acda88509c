"""What an office does for a household: give a measure, push a need, answer one."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, may, record, require, take_turn
from doudi.contexts.assistance.accepting import (
    accept_application,
    extend_application,
    kin_records,
    missing_papers,
    paper_scan,
    pause_application,
    register_kin,
    resume_application,
    resume_where_over,
    take_paper,
    tell_missing,
    withdraw_application,
)
from doudi.contexts.assistance.aid_given import AidGiven, aid_given
from doudi.contexts.assistance.applications import (
    Applicant,
    ApplicationNotFound,
    DecisionInForce,
    application,
    application_counts,
    applications,
    decisions_in_force,
    following_states,
    look_at_application,
    name_household,
    start_application,
    start_by_oneself,
)
from doudi.contexts.assistance.deciding import (
    aid_first,
    complete_papers,
    decide_application,
    reasons_for,
)
from doudi.contexts.assistance.decisions import (
    DecisionNotFound,
    change_decision,
    decision,
    decisions,
    end_decision,
    end_expired,
    look_at_decision,
)
from doudi.contexts.assistance.entitlements import Entitlement, entitlements, entitlements_of, standing_of
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.investigating import (
    give_opinion,
    link_verification,
    record_application_visit,
    record_meeting,
    report_of_application,
)
from doudi.contexts.assistance.letters import (
    LETTER_FORMS,
    LetterFile,
    issue_letter,
    letter_file,
    letters_due,
)
from doudi.contexts.assistance.models import (
    Account,
    Application,
    Decision,
    LedgerEntry,
    MeasureGiven,
    PaymentStop,
    Recovery,
    Referral,
    ReferralQuerySet,
    SampleDraw,
    WriteOffRequest,
)
from doudi.contexts.assistance.payment_stops import is_stopped, record_stop, stops_recorded
from doudi.contexts.assistance.procedure import State as ApplicationState
from doudi.contexts.assistance.publicity import close_notice, notice_text, object_to_notice, post_notice
from doudi.contexts.assistance.recovery import (
    RecoveryNotFound,
    VoucherUsed,
    agree_plan,
    ask_write_off,
    decide_write_off,
    deposit_cash,
    even_instalments,
    look_at_recovery,
    open_recovery,
    plan_of,
    prove,
    receive,
    recoveries,
    recovery_for,
    recovery_of,
    reduce_claim,
    refund,
    reverse_entry,
    trial_balance,
)
from doudi.contexts.assistance.recovery_models import RecoveryQuerySet
from doudi.contexts.assistance.rectification import FORMATS as RECTIFICATION_FORMATS
from doudi.contexts.assistance.rectification import (
    Rectification,
    export_rectification,
    paper_of,
    rectify,
)
from doudi.contexts.assistance.referral_book import referral_workbook, take_referral_workbook
from doudi.contexts.assistance.resource_book import resource_workbook, take_resource_workbook
from doudi.contexts.assistance.resource_models import Resource
from doudi.contexts.assistance.resources import (
    ResourceNotFound,
    confirm_resource,
    end_resource,
    is_stale,
    keep_resource,
    keeps,
    public_resources,
    resource,
    resources,
)
from doudi.contexts.assistance.sampling import (
    assign_sample,
    draw_sample,
    drawn,
    record_sample_result,
    remind_samples,
    sample_officers,
    sample_visits,
    samples,
)
from doudi.contexts.assistance.self_service import Progress, application_progress, hand_in_paper
from doudi.contexts.assistance.sheets import Answered, SheetRefused
from doudi.contexts.assistance.traces import known_as, traces_of
from doudi.contexts.assistance.transfers import (
    late_transfers,
    remind_transfers,
    reroute_transfer,
    settle_transfer,
    transfer_application,
    transfers_of,
)
from doudi.contexts.assistance.webhooks import emit
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling
from doudi.engine.workdays import add_workdays

__all__ = [
    "LETTER_FORMS",
    "RECTIFICATION_FORMATS",
    "Account",
    "AidGiven",
    "Answered",
    "Applicant",
    "Application",
    "ApplicationNotFound",
    "ApplicationState",
    "Decision",
    "DecisionInForce",
    "DecisionNotFound",
    "Entitlement",
    "LedgerEntry",
    "LetterFile",
    "MeasureGiven",
    "PaymentStop",
    "Progress",
    "Recovery",
    "RecoveryNotFound",
    "RecoveryQuerySet",
    "Rectification",
    "Referral",
    "ReferralNotFound",
    "ReferralQuerySet",
    "Resource",
    "ResourceNotFound",
    "SampleDraw",
    "SheetRefused",
    "StepRefused",
    "VoucherUsed",
    "WriteOffRequest",
    "accept_application",
    "accept_referral",
    "agree_plan",
    "aid_first",
    "aid_given",
    "answer_referral",
    "application",
    "application_counts",
    "application_progress",
    "applications",
    "ask_write_off",
    "assign_sample",
    "change_decision",
    "close_notice",
    "complete_papers",
    "confirm_resource",
    "decide_application",
    "decide_write_off",
    "decision",
    "decisions",
    "decisions_in_force",
    "deposit_cash",
    "draw_sample",
    "drawn",
    "end_decision",
    "end_expired",
    "end_resource",
    "entitlements",
    "entitlements_of",
    "even_instalments",
    "export_rectification",
    "extend_application",
    "following_states",
    "give_measure",
    "give_opinion",
    "hand_in_paper",
    "has_pending",
    "is_stale",
    "is_stopped",
    "issue_letter",
    "keep_resource",
    "keeps",
    "kin_records",
    "known_as",
    "late_transfers",
    "letter_file",
    "letters_due",
    "link_verification",
    "look_at_application",
    "look_at_decision",
    "look_at_recovery",
    "look_at_referral",
    "measures_given",
    "missing_papers",
    "name_household",
    "notice_text",
    "object_to_notice",
    "open_recovery",
    "paper_of",
    "paper_scan",
    "pause_application",
    "plan_of",
    "post_notice",
    "prove",
    "public_resources",
    "reasons_for",
    "receive",
    "record_application_visit",
    "record_meeting",
    "record_sample_result",
    "record_stop",
    "recoveries",
    "recovery_for",
    "recovery_of",
    "rectify",
    "reduce_claim",
    "referral",
    "referral_counts",
    "referral_workbook",
    "referrals",
    "referrals_of",
    "refund",
    "register_kin",
    "remind_samples",
    "remind_transfers",
    "report_of_application",
    "reroute_transfer",
    "resource",
    "resource_workbook",
    "resources",
    "resume_application",
    "resume_where_over",
    "return_referral",
    "reverse_entry",
    "sample_officers",
    "sample_visits",
    "samples",
    "send_referral",
    "standing_of",
    "start_application",
    "start_by_oneself",
    "stops_recorded",
    "take_paper",
    "take_referral_workbook",
    "take_resource_workbook",
    "tell_missing",
    "traces_of",
    "transfer_application",
    "transfers_of",
    "trial_balance",
    "withdraw_application",
]


class ReferralNotFound(DoudiError):
    """No such referral that the asker may see."""

    code = "referral_not_found"


@transaction.atomic
def give_measure(
    *,
    warning_number: str,
    household_no: str,
    region_code: str,
    code: str,
    label: str,
    amount_fen: int,
    given_on: date,
    ground: str,
    by: User,
) -> MeasureGiven:
    """Record a measure given to a household, with the officer's ground; ``amount_fen`` is 0 for goods or services."""
    require(by, Act.GIVE_MEASURE, region_code=region_code)
    if amount_fen < 0:
        raise StepRefused("金额不能为负。", "The amount is not negative.")
    if len(ground.strip()) < 4:
        raise StepRefused("请写明给予措施的依据与说明。", "State the ground of the measure.")
    if given_on > timezone.localdate():
        raise StepRefused("给予日期不能晚于今天。", "The date cannot lie in the future.")
    given = MeasureGiven.objects.create(
        warning_number=warning_number,
        household_no=household_no,
        region_code=region_code,
        code=code,
        label=label,
        amount_fen=amount_fen,
        given_on=given_on,
        ground=ground.strip(),
        given_by=by.username,
        given_by_name=by.display_name or by.username,
    )
    record(
        by=by,
        act=Act.GIVE_MEASURE,
        subject=f"household:{household_no}",
        region_code=region_code,
        detail={"measure": code, "amount_fen": amount_fen, "warning": warning_number},
    )
    return given


@transaction.atomic
def send_referral(
    *,
    warning_number: str,
    household: registry.Household,
    region_code: str,
    department: str,
    need: str,
    by: User,
    handling: Handling,
) -> Referral:
    """Push a need to a department with a limit for its answer; the same need is not pushed twice while it is open."""
    require(by, Act.SEND_REFERRAL, region_code=region_code)
    take_turn()
    if department not in handling.departments:
        raise StepRefused(
            f"请选择推送部门：{'、'.join(handling.departments)}。",
            f"Choose a department: {', '.join(handling.departments)}.",
        )
    if len(need.strip()) < 4:
        raise StepRefused("请写明需求（至少四个字）。", "State the need (four characters or more).")
    sent = Referral.objects.filter(warning_number=warning_number, department=department)
    if sent.pending().exists():
        raise StepRefused(
            f"该预警已推送{department}，正在等待反馈，不必重复推送。",
            f"This warning has already been pushed to {department}; an answer is awaited.",
            code="already_sent",
        )
    contact = registry.contact_of(household)
    referral = Referral.objects.create(
        number=f"TS-{warning_number}-{department}-{sent.count() + 1}",
        warning_number=warning_number,
        household_no=household.household_no,
        region_code=region_code,
        department=department,
        person_name=contact.name,
        id_number=contact.id_number,
        phone=contact.phone,
        category=household.category,
        need=need.strip(),
        due_on=add_workdays(timezone.localdate(), handling.feedback_workdays),
        sent_by=by.username,
    )
    record(
        by=by,
        act=Act.SEND_REFERRAL,
        subject=f"household:{household.household_no}",
        region_code=region_code,
        detail={"referral": referral.number, "department": department},
    )
    emit(referral)
    return referral


def referrals(*, by: User, status: str = "") -> ReferralQuerySet:
    """Referrals that ``by`` may see: a department its own inbox, an area its own; ``status`` or ``pending``."""
    scope = require(by, Act.VIEW_REFERRALS)
    found = registry.but_own(Referral.objects.visible_to(by, scope), by=by, household="household_no")
    if status == "pending":
        return found.pending().order_by("due_on", "pk")
    return (found.filter(status=status) if status else found).order_by("-sent_at")


def referral(number: str, *, by: User) -> Referral:
    """One referral that ``by`` may see, or :class:`ReferralNotFound`; a department's look goes into the log."""
    found = Referral.objects.visible_to(by, require(by, Act.VIEW_REFERRALS)).filter(number=number).first()
    if found is None:
        raise ReferralNotFound(f"没有找到推送 {number}。", f"No referral {number} for you.")
    registry.refuse_own_file(found.household_no, by=by)
    return found


@transaction.atomic
def look_at_referral(number: str, *, by: User) -> Referral:
    """:func:`referral`, with the look at the person in the audit log."""
    found = referral(number, by=by)
    record(
        by=by,
        act=Act.VIEW_REFERRALS,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        reason=f"推送 {number}",
        detail={"fields": ["person_name", "id_number", "phone", "need"]},
    )
    return found


def referrals_of(warning_number: str, *, by: User) -> list[Referral]:
    """The referrals of one warning."""
    return list(referrals(by=by).filter(warning_number=warning_number).order_by("pk"))


def has_pending(warning_number: str) -> bool:
    """Whether a department has still to answer for this warning."""
    return Referral.objects.filter(warning_number=warning_number).pending().exists()


def _step(
    number: str,
    by: User,
    *,
    from_status: tuple[str, ...],
    what: str,
    detail: dict[str, object],
    **changes: object,
) -> Referral:
    take_turn()
    found = referral(number, by=by)
    require(by, Act.ANSWER_REFERRAL, region_code=found.region_code, department=found.department)
    if not Referral.objects.filter(pk=found.pk, status__in=from_status).update(**changes):
        raise StepRefused(
            f"推送 {number} 现为“{found.get_status_display()}”，不能{what}。",
            f"Referral {number} is {found.status}; this step does not fit.",
        )
    record(
        by=by,
        act=Act.ANSWER_REFERRAL,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"referral": number, **detail},
    )
    found.refresh_from_db()
    if found.application_number:
        settle_transfer(found, by=by)
    emit(found)
    return found


@transaction.atomic
def accept_referral(number: str, *, by: User) -> Referral:
    """The department takes a referral on (接收)."""
    return _step(
        number,
        by,
        from_status=(Referral.Status.SENT,),
        what="接收",
        detail={"status": "accepted"},
        status=Referral.Status.ACCEPTED,
        accepted_at=timezone.now(),
        accepted_by=by.username,
    )


@transaction.atomic
def return_referral(number: str, *, why: str, by: User) -> Referral:
    """The department sends a referral back with the reason (退回)."""
    if len(why.strip()) < 4:
        raise StepRefused("请写明退回理由。", "Say why it is returned.")
    return _step(
        number,
        by,
        from_status=(Referral.Status.SENT, Referral.Status.ACCEPTED),
        what="退回",
        detail={"status": "returned"},
        status=Referral.Status.RETURNED,
        answer=why.strip(),
        answered_at=timezone.now(),
        answered_by=by.username,
    )


@transaction.atomic
def answer_referral(number: str, *, result: str, answer: str, amount_fen: int = 0, by: User) -> Referral:
    """The department says what came of it (反馈)."""
    if result not in Referral.Result.values:
        raise StepRefused("请选择办理结果。", f"Choose a result: {', '.join(Referral.Result.values)}.")
    if len(answer.strip()) < 4:
        raise StepRefused("请写明办理情况（至少四个字）。", "Say what was done (four characters or more).")
    if amount_fen < 0:
        raise StepRefused("金额不能为负。", "The amount is not negative.")
    return _step(
        number,
        by,
        from_status=(Referral.Status.SENT, Referral.Status.ACCEPTED),
        what="反馈",
        detail={"status": "answered", "result": result, "amount_fen": amount_fen},
        status=Referral.Status.ANSWERED,
        result=result,
        amount_fen=amount_fen,
        answer=answer.strip(),
        answered_at=timezone.now(),
        answered_by=by.username,
    )


def measures_given(*, by: User, warning_number: str = "", household_no: str = "") -> list[MeasureGiven]:
    """Measures given on a warning or to a household, within the asker's area; none to who may not see finances."""
    require(by, Act.VIEW_WARNINGS)
    if not may(by, Act.VIEW_FINANCES):
        return []
    found = MeasureGiven.objects.filter(region_code__startswith=by.region_code)
    found = registry.but_own(found, by=by, household="household_no")
    if warning_number:
        found = found.filter(warning_number=warning_number)
    if household_no:
        found = found.filter(household_no=household_no)
    return list(found.order_by("pk"))


def referral_counts(*, by: User) -> dict[str, int]:
    """Referrals of the account's area: sent, answered, returned, pending, overdue (推送闭环)."""
    require(by, Act.VIEW_DASHBOARD)
    found = (
        Referral.objects.filter(region_code__startswith=by.region_code)
        if by.region_code
        else Referral.objects
    )
    today = timezone.localdate()
    return found.aggregate(
        sent=Count("pk"),
        answered=Count("pk", filter=Q(status=Referral.Status.ANSWERED)),
        returned=Count("pk", filter=Q(status=Referral.Status.RETURNED)),
        pending=Count("pk", filter=Q(status__in=[Referral.Status.SENT, Referral.Status.ACCEPTED])),
        overdue=Count(
            "pk", filter=Q(status__in=[Referral.Status.SENT, Referral.Status.ACCEPTED], due_on__lt=today)
        ),
    )


def referral_facts(*, by: User, first: date, last: date) -> list[tuple[str, str, str, date, bool]]:
    """Referrals of the area sent in a period: number, warning, area, sent on, whether the department answered.

    One that was sent back is an answer too: the department said why not.
    """
    require(by, Act.VIEW_QUALITY)
    sent = Referral.objects.filter(
        region_code__startswith=by.region_code, sent_at__date__range=(first, last)
    ).order_by("pk")
    return [
        (row.number, row.warning_number, row.region_code, timezone.localdate(row.sent_at),
         row.status in (Referral.Status.ANSWERED, Referral.Status.RETURNED))
        for row in sent
    ]  # fmt: skip
