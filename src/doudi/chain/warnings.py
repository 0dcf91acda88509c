"""From a warning to its end (派单、核实、处置、反馈、办结、回访), and what is due by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError


@transaction.atomic
def dispatch(
    number: str, *, to: str, by: User, remark: str = "", assignee: str = "", seen: int | None = None
) -> monitoring.WarningCase:
    """Send a warning to a township, which from then on answers for the household (派单)."""
    take_turn()
    case = monitoring.warning(number, by=by)
    household = None if case.provisional else registry.household(case.household_no, by=by)
    registry.require_division(to, near=household, also=case.region_code)
    done = monitoring.dispatch_warning(
        case, to=to, by=by, handling=packs.rules()[1], remark=remark, assignee=assignee, seen=seen
    )
    if household is not None:
        registry.entrust(household, to)
    return done


@transaction.atomic
def record_visit(number: str, *, by: User, **visit: Any) -> monitoring.Visit:
    """Record a visit and its result (入户核实)."""
    take_turn()
    pack, handling = packs.rules()
    case = monitoring.warning(number, by=by)
    done = monitoring.record_visit(case, by=by, handling=handling, **visit)
    if handling.results[done.result_code].tell_supplier:
        monitoring.tell_suppliers(case, pack.suppliers_of(monitoring.active_codes(case)), by=by)
    return done


@transaction.atomic
def reassign(number: str, *, to: str, ground: str, by: User, **more: Any) -> monitoring.WarningCase:
    """Give a dispatched warning to another officer or township (改派)."""
    take_turn()
    case = monitoring.warning(number, by=by)
    household = None if case.provisional else registry.household(case.household_no, by=by)
    if household is not None:
        registry.require_division(to, near=household, also=case.region_code)
    done = monitoring.reassign_warning(case, to=to, ground=ground, by=by, handling=packs.rules()[1], **more)
    if household is not None:
        registry.entrust(household, to)
    return done


@dataclass(frozen=True)
class Dispatched:
    """What became of each of many warnings: sent to which township, or why not."""

    sent: tuple[monitoring.WarningCase, ...]
    refused: tuple[tuple[str, DoudiError], ...]


def dispatch_many(numbers: Iterable[str], *, by: User) -> Dispatched:
    """Send each warning to the township its household lives in; one that cannot be sent holds up no other (批量派单)."""
    sent, refused = [], []
    for number in dict.fromkeys(numbers):
        try:
            home = monitoring.township_of(monitoring.warning(number, by=by))
            sent.append(dispatch(number, to=home, by=by))
        except DoudiError as problem:
            refused.append((number, problem))
    return Dispatched(tuple(sent), tuple(refused))


def record_attempt(number: str, *, by: User, **attempt: Any) -> monitoring.Attempt:
    """Record a visit at which nobody was found (寻访未遇)."""
    return monitoring.record_attempt(monitoring.warning(number, by=by), by=by, **attempt)


def suspend_clock(number: str, *, until_on: date, ground: str, by: User) -> monitoring.Suspension:
    """Let a warning's clock stand still until a day (时限中止)."""
    case = monitoring.warning(number, by=by)
    return monitoring.suspend_clock(case, until_on=until_on, ground=ground, by=by, handling=packs.rules()[1])


def resume_clock(number: str, *, by: User) -> monitoring.Suspension:
    """Let a clock go on before its day (恢复计时)."""
    return monitoring.resume_clock(monitoring.warning(number, by=by), by=by, handling=packs.rules()[1])


def record_revisit(number: str, *, by: User, **revisit: Any) -> monitoring.Revisit:
    """Record the revisit; an unsolved difficulty goes on as a linked warning (回访)."""
    return monitoring.record_revisit(
        monitoring.warning(number, by=by), by=by, handling=packs.rules()[1], **revisit
    )


@transaction.atomic
def close_account(username: str, *, by: User, hand_to: str = "", ground: str = "") -> User:
    """Close an account once nobody waits for it; its open work may be handed over in the same act (停用账号)."""
    take_turn()
    if hand_to:
        monitoring.hand_over(username, hand_to, ground=ground, by=by)
    monitoring.refuse_while_work_is_left(username)
    return accounts.close_account(username, by=by)


@transaction.atomic
def give_measure(
    number: str, *, code: str, amount_fen: int, given_on: date, ground: str, by: User
) -> assistance.MeasureGiven:
    """Give the household a measure of the pack (给予措施)."""
    case = _visited(number, by)
    measure = packs.rules()[0].measures.get(code)
    if measure is None:
        raise DoudiError("请选择措施。", "Choose a measure.", code="measure_unknown")
    given = assistance.give_measure(
        warning_number=number,
        household_no=case.household_no,
        region_code=case.region_code,
        code=code,
        label=measure.name,
        amount_fen=amount_fen,
        given_on=given_on,
        ground=ground,
        by=by,
    )
    amount = f" {amount_fen // 100}.{amount_fen % 100:02d}元" if amount_fen else ""
    monitoring.note(case, by=by, kind="measure", text=f"给予{measure.name}{amount}：{given.ground}")
    return given


@transaction.atomic
def push_need(number: str, *, department: str, need: str, by: User) -> assistance.Referral:
    """Push the household's need to a department (需求推送)."""
    case = _visited(number, by)
    if case.provisional:
        raise monitoring.StepRefused(
            "这户尚未与花名册对上（临时户号），部门无法核对身份。请先“查明是哪一户”，再推送。",
            "This family is not matched to the register yet, so a department could not identify it. Match it first.",
        )
    referral = assistance.send_referral(
        warning_number=number,
        household=registry.household(case.household_no, by=by),
        region_code=case.region_code,
        department=department,
        need=need,
        by=by,
        handling=packs.rules()[1],
    )
    monitoring.note(
        case, by=by, kind="referral", text=f"推送{department}：{referral.need}（{referral.due_on} 前反馈）"
    )
    return referral


def _visited(number: str, by: User) -> monitoring.WarningCase:
    take_turn()
    case = monitoring.warning(number, by=by)
    if case.status != monitoring.WarningCase.Status.VISITED:
        raise monitoring.StepRefused(
            f"预警现为“{case.get_status_display()}”，入户核实之后、办结之前才能给予措施或推送。",
            f"The warning is {case.status}; measures and referrals follow a visit and precede the closing.",
        )
    return case


@transaction.atomic
def accept_referral(number: str, *, by: User) -> assistance.Referral:
    """The department takes the need on (接收)."""
    referral = assistance.accept_referral(number, by=by)
    _note_referral(referral, by, f"{referral.department}已接收")
    return referral


@transaction.atomic
def answer_referral(
    number: str, *, result: str, answer: str, amount_fen: int = 0, by: User
) -> assistance.Referral:
    """The department's answer comes back to the warning (反馈)."""
    referral = assistance.answer_referral(number, result=result, answer=answer, amount_fen=amount_fen, by=by)
    amount = f"，{amount_fen // 100}.{amount_fen % 100:02d}元" if amount_fen else ""
    _note_referral(
        referral, by, f"{referral.department}反馈：{referral.get_result_display()}{amount}。{answer.strip()}"
    )
    return referral


@transaction.atomic
def return_referral(number: str, *, why: str, by: User) -> assistance.Referral:
    """The department sends the need back, and the warning says why (退回)."""
    referral = assistance.return_referral(number, why=why, by=by)
    _note_referral(referral, by, f"{referral.department}退回：{why.strip()}")
    return referral


def _note_referral(referral: assistance.Referral, by: User, text: str) -> None:
    if referral.warning_number:  # a transfer of an application has its own timeline
        monitoring.note(monitoring.case_of(referral.warning_number), by=by, kind="answer", text=text)


@transaction.atomic
def close(number: str, *, closing_note: str, by: User, seen: int | None = None) -> monitoring.WarningCase:
    """Close a warning once every department has answered (办结)."""
    take_turn()
    case = monitoring.warning(number, by=by)
    if assistance.has_pending(number):
        raise monitoring.StepRefused(
            "还有部门没有反馈，不能办结。请等反馈，或由部门退回。",
            "A department has still to answer; the warning cannot be closed yet.",
        )
    return monitoring.close_warning(
        case, closing_note=closing_note, by=by, handling=packs.rules()[1], seen=seen
    )
