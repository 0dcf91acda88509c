"""The clocks of a warning (预警时限): when each step is due, who is told before and after, and when a clock stands still.

A clock is reckoned from what the warning itself says: its step, when that began, its level and its suspensions. What
was told is a row that can be written once, so a wall clock that jumps ahead loses no reminder and one that jumps back
repeats none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from doudi.contexts.accounts.services import (
    Act,
    Role,
    User,
    record,
    require,
    system_user,
    take_turn,
    users_of,
)
from doudi.contexts.monitoring.models import (
    LEVELS,
    OPEN,
    CaseEvent,
    Reminder,
    Suspension,
    WarningCase,
    WarningQuerySet,
)
from doudi.contexts.monitoring.notices import Word, people, send_out, tell
from doudi.contexts.monitoring.timeline import note
from doudi.contexts.registry import services as registry
from doudi.engine.clocks import Clock, Pause, Unit
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling

_BATCH = 200
_Status = WarningCase.Status
STEPS = {
    _Status.NEW: ("dispatch", "派单", "dispatch"),
    _Status.DISPATCHED: ("visit", "入户核实", "visit"),
    _Status.VISITED: ("dispose", "处置", "disposal"),
    _Status.CLOSED: ("revisit", "回访", "revisit"),
}
"""Status → the step that runs, in the code, in Chinese, in English."""


class ClockRefused(DoudiError):
    """A clock cannot be stopped or let go on so."""

    code = "clock_refused"


def clock_of(case: WarningCase, handling: Handling) -> Clock | None:
    """The clock that runs on a warning, or None where nothing is due."""
    limits = handling.limits_of(case.urgency)
    pauses = tuple(_pause(one) for one in case.suspensions.all())
    if case.status == _Status.NEW:
        return _clock(case.opened_at, limits.dispatch, Unit.WORKDAYS, handling, pauses)
    if case.status == _Status.DISPATCHED and case.dispatched_at is not None:
        if case.urgency == "red" and _in_danger(case, handling):
            return _clock(case.dispatched_at, handling.safety_hours, Unit.HOURS, handling, pauses)
        return _clock(case.dispatched_at, limits.visit, Unit.WORKDAYS, handling, pauses)
    if case.status == _Status.VISITED:
        return _clock(case.dispatched_at or case.opened_at, limits.dispose, Unit.WORKDAYS, handling, pauses)
    if case.status == _Status.CLOSED and case.closed_at and case.revisit_on and not case.revisited:
        closed = timezone.localtime(case.closed_at)
        return _clock(closed, (case.revisit_on - closed.date()).days, Unit.DAYS, handling, ())
    return None


def _clock(
    started: datetime, amount: int, unit: Unit, handling: Handling, pauses: tuple[Pause, ...]
) -> Clock:
    return Clock(timezone.localtime(started), amount, unit, handling.closing, pauses)


def _pause(one: Suspension) -> Pause:
    until = timezone.make_aware(datetime.combine(one.until_on, datetime.min.time()))
    ends = min(until, one.ended_at) if one.ended_at else until
    return Pause(timezone.localtime(one.began_at), timezone.localtime(ends))


def _in_danger(case: WarningCase, handling: Handling) -> bool:
    return any(signal.active and signal.code in handling.safety_codes for signal in case.signals.all())


def wind(case: WarningCase, handling: Handling, *, told: Iterable[int] | None = None) -> None:
    """Set a warning's limit and its next reminder by its clock; the caller holds the transaction and saves nothing else."""
    clock = clock_of(case, handling)
    found: dict[str, Any] = {"wound": True, "clock_rank": _rank(case), "remind_at": None, "due_at": None}
    if clock is not None:
        done = set(_told(case, clock)) if told is None else set(told)
        left = [stage for stage in handling.reminders.stages if stage not in done]
        found["remind_at"] = clock.moment(left[0]) if left else None
        if case.status == _Status.CLOSED:
            found["revisit_on"] = clock.due_on
        else:
            found["due_on"] = clock.due_on
            found["due_at"] = clock.due if clock.unit is Unit.HOURS else None
    for name, value in found.items():
        setattr(case, name, value)
    WarningCase.objects.filter(pk=case.pk).update(**found)


def _rank(case: WarningCase) -> int:
    return max(LEVELS.index(case.level), LEVELS.index(case.risk_level))


def _told(case: WarningCase, clock: Clock) -> Any:
    return Reminder.objects.filter(
        case=case, step=STEPS[_Status(case.status)][0], started_at=clock.started, rank=_rank(case)
    ).values_list("percent", flat=True)


def _running() -> WarningQuerySet:
    return WarningCase.objects.filter(
        Q(status__in=OPEN) | Q(status=_Status.CLOSED, revisit_on__isnull=False, revisited=False)
    )


def run_clocks(handling: Handling, *, now: datetime | None = None) -> int:
    """Wind what is not wound and say what has to be said by ``now``; gives the stages told. May be run at any time."""
    now = now or timezone.now()
    ready = _running().filter(
        Q(wound=False) | Q(remind_at__lte=now) | (Q(status__in=OPEN) & ~Q(clock_rank=F("level_rank")))
    )
    numbers = list(ready.order_by("pk").values_list("pk", flat=True))
    told = 0
    for start in range(0, len(numbers), _BATCH):
        with transaction.atomic():
            take_turn()
            batch = _running().filter(pk__in=numbers[start : start + _BATCH])
            for case in batch.order_by("pk").prefetch_related("signals", "suspensions"):
                told += _say(case, handling, now)
    return told


def _say(case: WarningCase, handling: Handling, now: datetime) -> int:
    """Tell every stage of a warning's clock that has come and was not told, and set the next one."""
    clock = clock_of(case, handling)
    if clock is None:
        wind(case, handling)
        return 0
    told = set(_told(case, clock))
    fresh = [stage for stage in handling.reminders.stages if stage not in told and clock.moment(stage) <= now]
    for stage in fresh:
        _remind(case, clock, stage, handling)
    wind(case, handling, told=told | set(fresh))
    return len(fresh)


def _remind(case: WarningCase, clock: Clock, stage: int, handling: Handling) -> None:
    step, zh, en = STEPS[_Status(case.status)]
    reminder = Reminder.objects.create(
        case=case,
        step=step,
        started_at=clock.started,
        rank=_rank(case),
        percent=stage,
        due_on=clock.due_on,
    )
    late = stage >= 100
    said = Word(
        kind="late" if late else "reminder",
        zh=f"{case.number} {zh}{'已超过' if late else '将到'}时限 {clock.due_on}（{stage}%）",
        en=f"{case.number}: the limit for the {en}, {clock.due_on}, {'has passed' if late else 'draws near'} ({stage}%)",
        link=f"/warnings/{case.number}/",
    )
    to = _whom(case, stage, handling)
    names = "、".join(sorted({person.display_name or person.username for person in to}))
    CaseEvent.objects.create(
        case=case,
        actor=system_user().username,
        actor_name="系统",
        kind="remind",
        text=f"{zh}时限 {clock.due_on}，已到 {stage}%，已提醒：{names or '没有对应的账号'}",
    )
    key = f"reminder:{reminder.pk}"
    tell(to, said, key=key)
    send_out(
        said, key=key, region_code=case.region_code, to=to, warning=case.number, due_on=f"{clock.due_on}"
    )


def responsible(case: WarningCase) -> list[User]:
    """Whose the present step is: the officer named, or the township's; before the dispatch the county's officers."""
    if case.status == _Status.NEW:
        return people(Role.COUNTY, case.region_code)
    township = people(Role.TOWNSHIP, case.region_code)
    named = [person for person in township if person.username == case.assignee]
    return named or township or people(Role.COUNTY, case.region_code)


def supervisors(case: WarningCase) -> list[User]:
    """Who answers for the one responsible: the county's officers, for their own step the county leader."""
    return people(Role.DIRECTOR if case.status == _Status.NEW else Role.COUNTY, case.region_code)


def _whom(case: WarningCase, stage: int, handling: Handling) -> list[User]:
    rules = handling.reminders
    to = responsible(case) if stage >= rules.responsible else []
    if stage >= rules.supervisor:
        to = [*to, *supervisors(case)]
    if stage >= rules.leader:
        to = [*to, *people(Role.DIRECTOR, case.region_code)]
    return to


# ---- a clock that stands still -----------------------------------------------------------------------------------


@transaction.atomic
def suspend_clock(
    case: WarningCase, *, until_on: date, ground: str, by: User, handling: Handling
) -> Suspension:
    """Let an open warning's clock stand still until a day, as when the family is away for treatment (时限中止)."""
    require(by, Act.SUSPEND_CLOCK, region_code=case.region_code)
    take_turn()
    case.refresh_from_db()
    now, today = timezone.now(), timezone.localdate()
    if case.status not in OPEN:
        raise ClockRefused("预警已不在办理中，没有时限可中止。", "The warning is not open; no clock runs.")
    if len(ground.strip()) < 4:
        raise ClockRefused("请写明中止事由（至少四个字）。", "Say why the clock stands still.")
    if not today < until_on <= today + timedelta(days=handling.longest_pause):
        raise ClockRefused(
            f"恢复日期应在明天到 {today + timedelta(days=handling.longest_pause)} 之间"
            f"（一次最长 {handling.longest_pause} 天）；到期仍不能办的再中止一次。",
            f"The clock may stand still for at most {handling.longest_pause} days at a time.",
        )
    if standing_still(case, now) is not None:
        raise ClockRefused(
            "时限已在中止中，请先恢复。", "The clock stands still already; let it go on first."
        )
    made = Suspension.objects.create(
        case=case, began_at=now, until_on=until_on, ground=ground.strip(), by=by.username
    )
    _changed(case, by, "suspend", f"时限中止，{until_on} 恢复。{made.ground}", handling)
    record(
        by=by,
        act=Act.SUSPEND_CLOCK,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        reason=made.ground,
        detail={"warning": case.number, "until": until_on},
    )
    said = Word(
        "suspend",
        f"{case.number} 的时限由{by.display_name or by.username}中止到 {until_on}：{made.ground}"[:300],
        f"{case.number}: the clock stands still until {until_on}, by {by.username}",
        f"/warnings/{case.number}/",
    )
    tell([person for person in supervisors(case) if person.pk != by.pk], said, key=f"suspension:{made.pk}")
    return made


@transaction.atomic
def resume_clock(case: WarningCase, *, by: User, handling: Handling) -> Suspension:
    """Let a clock go on before its day (恢复计时)."""
    require(by, Act.SUSPEND_CLOCK, region_code=case.region_code)
    take_turn()
    case.refresh_from_db()
    now = timezone.now()
    found = standing_still(case, now)
    if found is None:
        raise ClockRefused("时限没有在中止。", "The clock does not stand still.")
    found.ended_at, found.ended_by = now, by.username
    found.save(update_fields=["ended_at", "ended_by"])
    _changed(case, by, "resume", "时限恢复计算。", handling)
    record(
        by=by,
        act=Act.SUSPEND_CLOCK,
        subject=f"household:{case.household_no}",
        region_code=case.region_code,
        detail={"warning": case.number, "resumed": True},
    )
    return found


def _changed(case: WarningCase, by: User, kind: str, text: str, handling: Handling) -> None:
    wind(case, handling)
    WarningCase.objects.filter(pk=case.pk).update(version=F("version") + 1)
    case.refresh_from_db()
    note(case, by=by, kind=kind, text=f"{text}现时限 {case.due_on}。")


def standing_still(case: WarningCase, at: datetime) -> Suspension | None:
    """The suspension that holds at a moment."""
    today = timezone.localdate(at)
    holding = [one for one in case.suspensions.all() if one.ended_at is None and one.until_on > today]
    return max(holding, key=lambda one: one.pk, default=None)


# ---- my clocks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """One line of the supervisor's view: a warning, its step, and how far its limit has gone."""

    case: WarningCase
    step: str
    percent: int
    """The latest stage told, 0 before the first."""
    late: bool
    still: Suspension | None


def my_clocks(*, by: User) -> WarningQuerySet:
    """The warnings whose running step the account answers for or supervises, the nearest limit first."""
    require(by, Act.VIEW_WARNINGS)
    found = registry.but_own(_running().visible_to(by), by=by, household="household_no")
    if by.role == Role.TOWNSHIP:
        found = found.exclude(status=_Status.NEW).filter(assignee__in=["", by.username])
    return found.order_by(
        F("due_on").asc(nulls_last=True), "revisit_on", "-level_rank", "pk"
    ).prefetch_related("suspensions", "reminders")


def as_running(case: WarningCase) -> Running:
    """A warning of :func:`my_clocks` as it is shown."""
    now, today = timezone.now(), timezone.localdate()
    step = STEPS[_Status(case.status)]
    due = case.revisit_on if case.status == _Status.CLOSED else case.due_on
    told = [one.percent for one in case.reminders.all() if one.step == step[0]]
    still = next(
        (one for one in case.suspensions.all() if one.ended_at is None and one.until_on > today), None
    )
    late = bool((due and due < today) or (case.due_at and case.due_at < now))
    return Running(case, step[1], max(told, default=0), late, still)


def officers_of(region_code: str) -> list[User]:
    """The township's officers a warning may be given to."""
    return list(users_of(region_code[:9], Role.TOWNSHIP).order_by("username"))
