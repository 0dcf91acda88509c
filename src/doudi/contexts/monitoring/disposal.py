"""What a result of a visit asks for before it is taken (处置代码的要求), and the tries at which nobody was found.

The requirements are the pack's (``handling.yaml``); each refusal names what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.models import Attempt, WarningCase
from doudi.contexts.monitoring.timeline import note
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import VisitResult

CONSENT_WAYS = ("书面", "口头（两人在场）", "监护人")


class StepRefused(DoudiError):
    """The step does not fit how far the warning has come, or something it needs is missing."""

    code = "step_refused"


class Outrun(DoudiError):
    """Somebody else acted first."""

    code = "outrun"


def distinct(names: Sequence[str]) -> list[str]:
    """Names as written, without empty and repeated ones."""
    return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def ask_for(
    result: VisitResult,
    *,
    case: WarningCase,
    visited_on: date,
    visitors: Sequence[str],
    finding: str,
    consent: bool,
    signed: bool,
    witnesses: Sequence[str],
) -> None:
    """Refuse a result that lacks what the pack asks for, and say what it lacks."""
    if len(visitors) < result.visitors:
        raise StepRefused(
            f"“{result.label}”须由 {result.visitors} 名入户人员共同核实，现只填了 {len(visitors)} 名。",
            f"Result {result.code} needs {result.visitors} visitors; {len(visitors)} given.",
        )
    least = 10 if result.ground else 4
    if len(finding.strip()) < least:
        raise StepRefused(
            f"“{result.label}”须写明核实情况和理由（至少 {least} 个字）。",
            f"Result {result.code} needs a written ground of {least} characters or more.",
        )
    if (result.consent or result.follow_up == "charity") and not consent:
        raise StepRefused(
            "转介慈善须先征得本人同意，请勾选“本人同意”。", "Referral to charity needs the person's consent."
        )
    if result.signature and not signed and len(set(witnesses) - {""}) < 2:
        raise StepRefused(
            f"“{result.label}”须有本人签字，或写明两名见证人；现有见证人 {len(set(witnesses) - {''})} 名。",
            f"Result {result.code} needs the person's signature or two witnesses.",
        )
    if result.tries:
        days = {visited_on, *case.attempts.values_list("tried_on", flat=True)}
        if len(days) < result.tries:
            raise StepRefused(
                f"“{result.label}”须在不同的 {result.tries} 天寻访，现有 {len(days)} 天"
                f"（{'、'.join(str(day) for day in sorted(days))}）。请先逐次记录寻访未遇。",
                f"Result {result.code} needs tries on {result.tries} different days; {len(days)} on record.",
            )


@transaction.atomic
def record_attempt(
    case: WarningCase, *, tried_on: date, visitors: Sequence[str], finding: str, by: User
) -> Attempt:
    """Record a visit at which nobody was found; the limit to visit goes on running (寻访未遇)."""
    require(by, Act.RECORD_VISIT, region_code=case.region_code)
    take_turn()
    case.refresh_from_db()
    if case.status not in (WarningCase.Status.DISPATCHED, WarningCase.Status.VISITED):
        raise StepRefused(
            f"预警现为“{case.get_status_display()}”，派单后才能记录寻访。",
            f"The warning is {case.status}; a try follows the dispatch.",
        )
    people = distinct(visitors)
    if not people:
        raise StepRefused("请填写寻访人员。", "Name who tried.")
    if len(finding.strip()) < 4:
        raise StepRefused(
            "请写明寻访情况（至少四个字），例如问过哪位邻居。", "Say what was found at the door."
        )
    today = timezone.localdate()
    begun = timezone.localdate(case.dispatched_at or case.opened_at)
    if not begun <= tried_on <= today:
        raise StepRefused(
            f"寻访日期应在派单（{begun}）之后、今天以前。",
            "The try lies before the dispatch or in the future.",
        )
    if case.attempts.filter(tried_on=tried_on).exists():
        raise StepRefused(
            f"{tried_on} 的寻访已记录过；不同的日子才算另一次。", "A try of that day is on record already."
        )
    made = Attempt.objects.create(
        case=case,
        tried_on=tried_on,
        visitors="、".join(people),
        finding=finding.strip(),
        recorded_by=by.username,
    )
    note(case, by=by, kind="attempt", text=f"{tried_on} {made.visitors}寻访未遇：{made.finding}")
    record(
        by=by,
        act=Act.RECORD_VISIT,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        detail={"warning": case.number, "attempt": tried_on},
    )
    return made
