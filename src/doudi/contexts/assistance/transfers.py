"""Transfers to the department that is responsible (转办): never a refusal at the door.

Handbook 04 §4.3: whoever cannot say which department is responsible is taken in and handed on. The receiver accepts or
returns within its limit and its result closes the transfer; the sender cannot. What is late goes to the supervisor.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.assistance.application_models import Application
from doudi.contexts.assistance.applications import application, go, note
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.models import PENDING, Referral
from doudi.contexts.assistance.procedure import State
from doudi.contexts.assistance.webhooks import emit
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.packs.handling import Handling
from doudi.engine.packs.procedures import Procedures
from doudi.engine.workdays import add_workdays


@transaction.atomic
def transfer_application(
    number: str, *, department: str, why: str, rules: Procedures, handling: Handling, by: User
) -> Referral:
    """Hand an application to the responsible department, with the person, the need and the reason (转办)."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    known = {*handling.departments, *(kind.department for kind in rules.kinds.values())} - {"民政"}
    if department not in known:
        raise StepRefused(f"请选择部门：{'、'.join(sorted(known))}。", "Choose the department.")
    if len(why.strip()) < 4:
        raise StepRefused("请写明转办理由（至少四个字）。", "Say why it is transferred.")
    go(found, State.TRANSFERRED, due_on=None, step_due_on=None)
    sent = _send(found, department, why, rules, by)
    note(found, by=by, kind="transfer", text=f"转办{department}（{sent.number}）：{why.strip()}")
    _log(sent, by, Act.TAKE_APPLICATION)
    return sent


@transaction.atomic
def reroute_transfer(number: str, *, department: str, why: str, rules: Procedures, by: User) -> Referral:
    """The county sends a returned transfer on to another department, or back to the same with a reason (督办改派)."""
    require(by, Act.SUPERVISE_TRANSFER)
    take_turn()
    back = Referral.objects.filter(number=number, region_code__startswith=by.region_code).first()
    if back is None or not back.application_number or back.status != Referral.Status.RETURNED:
        raise StepRefused("只有退回的转办才能改派。", "Only a returned transfer is sent on.")
    if Referral.objects.filter(application_number=back.application_number, pk__gt=back.pk).exists():
        raise StepRefused("这件转办已经改派。", "It was sent on already.")
    if len(why.strip()) < 4:
        raise StepRefused("请写明改派理由（至少四个字）。", "Say why it is sent there.")
    found = Application.objects.get(number=back.application_number)
    sent = _send(found, department, why, rules, by)
    note(found, by=by, kind="transfer", text=f"改派{department}（{sent.number}）：{why.strip()}")
    _log(sent, by, Act.SUPERVISE_TRANSFER)
    return sent


def _send(found: Application, department: str, why: str, rules: Procedures, by: User) -> Referral:
    kind = rules.of(found.kind, found.region_code)
    accept, answer = kind.limit("接收"), kind.limit("反馈")
    today = timezone.localdate()
    count = Referral.objects.filter(application_number=found.number).count()
    brief = (
        registry.household_briefs([found.household_no]).get(found.household_no)
        if found.household_no
        else None
    )
    sent = Referral.objects.create(
        number=f"ZB-{found.number}-{count + 1}",
        application_number=found.number,
        household_no=found.household_no,
        region_code=found.region_code,
        department=department,
        person_name=found.applicant_name,
        id_number=found.id_number,
        phone=found.phone,
        category=brief.category if brief is not None else "",
        need=f"{kind.label}：{found.reason}",
        why_here=why.strip(),
        accept_due_on=add_workdays(today, accept.amount if accept is not None else 2),
        due_on=add_workdays(today, answer.amount if answer is not None else 15),
        sent_by=by.username,
    )
    emit(sent)
    return sent


def settle_transfer(sent: Referral, *, by: User) -> None:
    """The receiver's word comes back to the application: a result closes it, a return goes to the supervisor.

    The caller holds the transaction and has asked whether ``by`` may answer.
    """
    found = Application.objects.filter(number=sent.application_number).first()
    if found is None:
        return
    if sent.status == Referral.Status.ANSWERED:
        go(found, State.CLOSED, ended_why=sent.answer)
        note(
            found, by=by, kind="answer", text=f"{sent.department}：{sent.get_result_display()}。{sent.answer}"
        )
    elif sent.status == Referral.Status.RETURNED:
        note(found, by=by, kind="answer", text=f"{sent.department}退回：{sent.answer}")
        _tell_supervisor(sent, "退回", "was returned")
    else:
        note(found, by=by, kind="answer", text=f"{sent.department}已接收")


def transfers_of(application_number: str, *, by: User) -> list[Referral]:
    """The transfers of an application of the asker's area, the first one first."""
    found = application(application_number, by=by)
    return list(Referral.objects.filter(application_number=found.number).order_by("pk"))


def late_transfers(*, by: User) -> QuerySet[Referral]:
    """Transfers that wait too long for acceptance or a result, and returned ones that nobody sent on (督办)."""
    require(by, Act.SUPERVISE_TRANSFER)
    return _late().filter(region_code__startswith=by.region_code).order_by("due_on", "pk")


def _late() -> QuerySet[Referral]:
    today = timezone.localdate()
    waiting = Application.objects.filter(state=State.TRANSFERRED).values("number")
    late = Q(status=Referral.Status.SENT, accept_due_on__lt=today) | Q(status__in=PENDING, due_on__lt=today)
    returned = Q(status=Referral.Status.RETURNED, application_number__in=waiting) & ~Q(
        application_number__in=Referral.objects.filter(status__in=PENDING)
        .exclude(application_number="")
        .values("application_number")
    )
    return Referral.objects.exclude(application_number="").filter(late | returned)


@transaction.atomic
def remind_transfers() -> int:
    """Tell the county's supervisors of every late transfer, each once; returns how many were told (到期任务)."""
    return sum(_tell_supervisor(sent, "超期", "is overdue") for sent in _late())


def _tell_supervisor(sent: Referral, zh: str, en: str) -> int:
    return monitoring.tell(
        monitoring.people(Role.COUNTY, sent.region_code),
        monitoring.Word(
            "transfer",
            f"转办 {sent.number}（{sent.department}）{zh}，请督办。",
            f"Transfer {sent.number} to {sent.department} {en}.",
            f"/inbox/{sent.number}/",
        ),
        key=f"transfer:{sent.number}:{en}",
    )


def _log(sent: Referral, by: User, act: Act) -> None:
    record(
        by=by,
        act=act,
        subject=f"application:{sent.application_number}",
        region_code=sent.region_code,
        detail={"transfer": sent.number, "department": sent.department},
    )
