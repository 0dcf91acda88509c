"""What people do with a warning: dispatch, visit, note, close (派单、核实、处置、办结).

Each act is one transaction that changes the warning only if nobody changed it since the actor saw it, writes one line
of the timeline and one audit entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.monitoring.clocks import responsible, wind
from doudi.contexts.monitoring.disposal import CONSENT_WAYS, Outrun, StepRefused, ask_for, distinct
from doudi.contexts.monitoring.handover import officer_for
from doudi.contexts.monitoring.models import Visit, WarningCase
from doudi.contexts.monitoring.notices import Word, people, send_out, tell
from doudi.contexts.monitoring.timeline import note
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling

__all__ = [
    "Outrun", "StepRefused", "WarningNotFound", "close_warning", "dispatch_warning", "note", "record_visit", "tell_suppliers",
    "warning",
]  # fmt: skip


class WarningNotFound(DoudiError):
    """No such warning in the asker's area."""

    code = "warning_not_found"


def warning(number: str, *, by: User) -> WarningCase:
    """One warning within the asker's area, or :class:`WarningNotFound`."""
    require(by, Act.VIEW_WARNINGS)
    found = WarningCase.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise WarningNotFound(
            f"没有找到预警 {number}，或不在您的辖区。", f"No warning {number} in your area; check the number."
        )
    registry.refuse_own_file(found.household_no, by=by)
    return found


def _advance(case: WarningCase, *, from_status: tuple[str, ...], seen: int | None, **changes: Any) -> None:
    """Change a warning by a conditional update: of two people who act at once one wins and the other is told."""
    take_turn()
    version = case.version if seen is None else seen
    done = WarningCase.objects.filter(pk=case.pk, version=version, status__in=from_status).update(
        version=version + 1, **changes
    )
    if not done:
        now = WarningCase.objects.get(pk=case.pk)
        last = now.events.order_by("-pk").first()
        who = f"{last.actor_name}已于 {timezone.localtime(last.at):%m-%d %H:%M} {last.text}" if last else ""
        raise Outrun(
            f"预警 {case.number} 刚被他人处理，现为“{now.get_status_display()}”。{who} 请刷新后再办。",
            f"Warning {case.number} was just handled by somebody else and is now {now.status}; reload the page.",
        )
    case.refresh_from_db()


@transaction.atomic
def dispatch_warning(
    case: WarningCase,
    *,
    to: str,
    by: User,
    handling: Handling,
    remark: str = "",
    assignee: str = "",
    seen: int | None = None,
) -> WarningCase:
    """Send a warning to the township ``to`` (9 digits or more), which has the level's limit to visit.

    ``assignee`` names one of the township's officers; without one the warning is the whole township's.

    ``seen`` is the version the officer looked at; where it is older than the present one the act is refused.
    """
    require(by, Act.DISPATCH_WARNING, region_code=case.region_code)
    if len(to) not in (9, 12) or not to.isdigit():
        raise StepRefused(
            "请选择要派往的乡镇（街道）。", "Choose the township to dispatch to (a code of 9 or 12 digits)."
        )
    require(by, Act.DISPATCH_WARNING, region_code=to)
    officer = officer_for(assignee, to) if assignee else None
    _advance(
        case,
        # who saw that it was dispatched may send it on; a second click, which saw nothing, may not
        from_status=(WarningCase.Status.NEW,)
        if seen is None
        else (WarningCase.Status.NEW, WarningCase.Status.DISPATCHED),
        seen=seen,
        status=WarningCase.Status.DISPATCHED,
        region_code=to,
        assignee=assignee,
        dispatched_at=timezone.now(),
        wound=False,
    )
    wind(case, handling)
    given = f"给{officer.display_name or officer.username}" if officer is not None else ""
    within = f"（{timezone.localtime(case.due_at):%m-%d %H:%M} 前）" if case.due_at else ""
    note(case, by=by, kind="dispatch", text=f"派单{given}，入户期限 {case.due_on}{within}。{remark}".strip())
    record(
        by=by,
        act=Act.DISPATCH_WARNING,
        subject=f"household:{case.household_no}",
        region_code=to,
        detail={"warning": case.number, "due_on": case.due_on, "assignee": assignee},
    )
    word = Word(
        "dispatch",
        f"{case.number} 派给您入户核实，期限 {case.due_on}",
        f"{case.number} waits for your visit by {case.due_on}",
        f"/warnings/{case.number}/",
    )
    key, to_whom = f"dispatch:{case.pk}:{case.version}", responsible(case)
    tell(to_whom, word, key=key)
    send_out(
        word, key=key, region_code=case.region_code, to=to_whom, warning=case.number, due_on=f"{case.due_on}"
    )
    return case


@transaction.atomic
def record_visit(
    case: WarningCase,
    *,
    visited_on: date,
    visitors: list[str],
    result_code: str,
    finding: str,
    by: User,
    handling: Handling,
    consent: bool = False,
    consent_by: str = "",
    consent_how: str = "",
    signed: bool = False,
    witnesses: Sequence[str] = (),
    seen: int | None = None,
) -> Visit:
    """Record what the visitors found; the result says what must come next.

    A result that leads to a decision needs two visitors (《最低生活保障审核确认办法》), one that ends the case a ground,
    a referral to charity the person's consent (民发〔2023〕46号).
    """
    require(by, Act.RECORD_VISIT, region_code=case.region_code)
    result = handling.results.get(result_code)
    if result is None:
        raise StepRefused("请选择核实结果。", f"Choose a result: {', '.join(handling.results)}.")
    if visited_on > timezone.localdate():
        raise StepRefused("入户日期不能晚于今天。", "The visit cannot lie in the future.")
    if consent_how and consent_how not in CONSENT_WAYS:
        raise StepRefused(
            f"同意方式应为{'、'.join(CONSENT_WAYS)}之一。",
            f"How consent was given is one of: {', '.join(CONSENT_WAYS)}.",
        )
    visitors, witnesses = distinct(visitors), distinct(witnesses)
    ask_for(
        result,
        case=case,
        visited_on=visited_on,
        visitors=visitors,
        finding=finding,
        consent=consent,
        signed=signed,
        witnesses=witnesses,
    )
    _advance(
        case,
        from_status=(WarningCase.Status.DISPATCHED, WarningCase.Status.VISITED),
        seen=seen,
        status=WarningCase.Status.VISITED,
        result_code=result.code,
        wound=False,
    )
    wind(case, handling)
    visit = Visit.objects.create(
        case=case,
        visited_on=visited_on,
        visitors="、".join(visitors),
        result_code=result.code,
        finding=finding.strip(),
        consent=consent,
        consent_by=(consent_by.strip() or case.head_name) if consent else "",
        consent_how=consent_how.strip() if consent else "",
        signed=signed,
        witnesses="、".join(witnesses),
        recorded_by=by.username,
    )
    note(
        case,
        by=by,
        kind="visit",
        text=f"{visited_on} 由{visit.visitors}入户核实：{result.label}。{visit.finding}",
    )
    record(
        by=by,
        act=Act.RECORD_VISIT,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        detail={"warning": case.number, "result": result.code},
    )
    return visit


@transaction.atomic
def close_warning(
    case: WarningCase, *, closing_note: str, by: User, handling: Handling, seen: int | None = None
) -> WarningCase:
    """Close a visited warning with a word on how it ended; the level sets the day of the revisit (回访)."""
    require(by, Act.CLOSE_WARNING, region_code=case.region_code)
    if len(closing_note.strip()) < 4:
        raise StepRefused(
            "请写明办结情况（至少四个字）。", "Say how the case ended (four characters or more)."
        )
    today = timezone.localdate()
    _advance(
        case,
        from_status=(WarningCase.Status.VISITED,),
        seen=seen,
        status=WarningCase.Status.CLOSED,
        closed_at=timezone.now(),
        closing_note=closing_note.strip(),
        revisit_on=handling.limits_of(case.urgency).revisit_on(today),
        due_on=None,
        due_at=None,
        wound=False,
    )
    wind(case, handling)
    note(case, by=by, kind="close", text=f"办结：{case.closing_note}")
    record(
        by=by,
        act=Act.CLOSE_WARNING,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        detail={"warning": case.number, "result": case.result_code},
    )
    return case


@transaction.atomic
def tell_suppliers(case: WarningCase, suppliers: Iterable[str], *, by: User) -> list[str]:
    """Tell each department whose data were found wrong (告知来源部门); one without an account here is left to the county.

    The department is told which signal of which warning, and nothing of the household.
    """
    take_turn()
    told = sorted({supplier for supplier in suppliers if supplier})
    for supplier in told:
        here = [one for one in people(Role.DEPARTMENT, case.region_code) if one.department == supplier]
        word = Word(
            "wrong_data",
            f"{case.number} 入户核实发现{supplier}提供的数据有误，请与民政部门核对更正",
            f"{case.number}: a visit found the data supplied by {supplier} to be wrong; please check with civil affairs",
            "" if here else f"/warnings/{case.number}/",
        )
        key = f"wrong_data:{case.pk}:{case.version}:{supplier}"
        to = here or people(Role.COUNTY, case.region_code)
        tell(to, word, key=key)
        send_out(word, key=key, region_code=case.region_code, to=to, warning=case.number, supplier=supplier)
    if told:
        note(case, by=by, kind="wrong_data", text=f"数据有误，已告知来源：{'、'.join(told)}")
    return told
