"""The revisit after the closing (回访): whether the difficulty is over; where it is not, the household's case goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.clocks import responsible, wind
from doudi.contexts.monitoring.disposal import StepRefused, distinct
from doudi.contexts.monitoring.models import Revisit, Signal, WarningCase
from doudi.contexts.monitoring.notices import Word, tell
from doudi.contexts.monitoring.timeline import note
from doudi.engine.packs.handling import Handling


@transaction.atomic
def record_revisit(
    case: WarningCase,
    *,
    visited_on: date,
    visitors: Sequence[str],
    result: str,
    finding: str,
    by: User,
    handling: Handling,
) -> Revisit:
    """Record a revisit; an unsolved difficulty opens a warning linked to this one, or joins the one that is open."""
    require(by, Act.RECORD_REVISIT, region_code=case.region_code)
    take_turn()
    case.refresh_from_db()
    if case.status != WarningCase.Status.CLOSED:
        raise StepRefused(
            f"预警现为“{case.get_status_display()}”，办结之后才回访。",
            f"The warning is {case.status}; the revisit follows the closing.",
        )
    if case.revisited:
        raise StepRefused("这件预警已经回访过。", "The revisit of this warning is on record already.")
    people = distinct(visitors)
    if not people:
        raise StepRefused("请填写回访人员。", "Name who revisited.")
    if result not in Revisit.Result.values:
        raise StepRefused("请选择回访结果。", "Choose whether the difficulty is over.")
    if len(finding.strip()) < 4:
        raise StepRefused("请写明回访情况（至少四个字）。", "Say what was found.")
    closed = timezone.localdate(case.closed_at)
    if not closed <= visited_on <= timezone.localdate():
        raise StepRefused(
            f"回访日期应在办结（{closed}）之后、今天以前。",
            "The revisit lies before the closing or in the future.",
        )
    led_to = _go_on(case, finding, by, handling) if result == Revisit.Result.UNSOLVED else None
    made = Revisit.objects.create(
        case=case,
        visited_on=visited_on,
        visitors="、".join(people),
        result=result,
        finding=finding.strip(),
        led_to=led_to,
        recorded_by=by.username,
    )
    WarningCase.objects.filter(pk=case.pk).update(
        revisited=True, version=case.version + 1, remind_at=None, wound=True
    )
    case.refresh_from_db()
    after = f"；转入 {led_to.number}" if led_to is not None else ""
    note(
        case,
        by=by,
        kind="revisit",
        text=f"{visited_on} {made.visitors}回访：{made.get_result_display()}{after}。{made.finding}",
    )
    record(
        by=by,
        act=Act.RECORD_REVISIT,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        detail={"warning": case.number, "result": result, "led_to": led_to.number if led_to else ""},
    )
    return made


def _go_on(case: WarningCase, finding: str, by: User, handling: Handling) -> WarningCase:
    """The household's open warning, or a new one with the signals and level of the closed one."""
    found = WarningCase.objects.open().filter(household_no=case.household_no).first()
    if found is not None:
        note(found, by=by, kind="update", text=f"{case.number} 回访：困难未解决。{finding.strip()}")
        return found
    again = case.reopened.count() + 1
    today = timezone.localdate()
    made = WarningCase.objects.create(
        number=f"{case.number}-HF{again}"[:100],
        source=case.source,
        provisional=case.provisional,
        household_no=case.household_no,
        head_name=case.head_name,
        region_code=case.region_code,
        level=case.level,
        level_rank=case.level_rank,
        risk_level=case.risk_level,
        register_category=case.register_category,
        found_category=case.found_category,
        change=case.change,
        opened_on=today,
        as_of=case.as_of,
        reopens=case,
    )
    Signal.objects.bulk_create(
        Signal(case=made, code=signal.code, first_seen=today, last_seen=signal.last_seen)
        for signal in case.signals.filter(active=True)
    )
    note(made, by=by, kind="open", text=f"{case.number} 回访发现困难未解决，重新立案。{finding.strip()}")
    wind(made, handling)
    word = Word(
        "reopened",
        f"{case.number} 回访困难未解决，已立 {made.number}，请派单",
        f"{case.number}: the difficulty is not over; {made.number} was opened and waits for dispatch",
        f"/warnings/{made.number}/",
    )
    tell(responsible(made), word, key=f"reopened:{made.pk}")
    return made
