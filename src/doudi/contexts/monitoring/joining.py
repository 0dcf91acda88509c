"""What people notice becomes a warning, or joins the one that the household has already (并案).

A report of the public and an unopened door go the same way: the open warning of a household keeps its place, takes the
signal up and can rise in level but never fall.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.monitoring.models import LEVELS, OPEN, Signal, WarningCase
from doudi.contexts.monitoring.notices import Word, people, tell
from doudi.contexts.monitoring.timeline import note
from doudi.engine.packs.handling import Handling


@dataclass(frozen=True)
class Noticed:
    """What somebody noticed of a household; a provisional number stands for a family that is not on the register."""

    number: str
    source: str
    household_no: str
    provisional: bool
    head_name: str
    region_code: str
    level: str
    category: str
    signal: str


def open_or_join(told: Noticed, *, handling: Handling) -> tuple[WarningCase, str]:
    """The household's open warning with the signal in it, and ``open`` or ``update``; the caller holds turn and log."""
    case = WarningCase.objects.filter(household_no=told.household_no, status__in=OPEN).first()
    today = timezone.localdate()
    if case is None:
        case = WarningCase.objects.create(
            number=told.number,
            source=told.source,
            household_no=told.household_no,
            provisional=told.provisional,
            head_name=told.head_name[:80],
            region_code=told.region_code,
            level=told.level,
            level_rank=LEVELS.index(told.level),
            register_category=told.category,
            found_category="",
            change="",
            opened_on=today,
            as_of=today,
            due_on=handling.limits_of(told.level).dispatch_due(today),
        )
        kind = "open"
    else:
        raised = max(case.level, told.level, key=LEVELS.index)
        rank = max(case.level_rank, LEVELS.index(raised))
        WarningCase.objects.filter(pk=case.pk).update(level=raised, level_rank=rank, version=case.version + 1)
        case.refresh_from_db()
        kind = "update"
    signal, fresh = Signal.objects.get_or_create(
        case=case, code=told.signal, defaults={"first_seen": today, "last_seen": today, "level": told.level}
    )
    if not fresh:
        highest = max(signal.level or told.level, told.level, key=LEVELS.index)
        Signal.objects.filter(pk=signal.pk).update(last_seen=today, active=True, level=highest)
    return case, kind


@transaction.atomic
def raise_from_service(told: Noticed, *, text: str, handling: Handling, by: User) -> WarningCase:
    """A service at the door noticed something (服务发现): a warning at once, and the county's officers are told."""
    require(by, Act.RAISE_WARNING, region_code=told.region_code)
    take_turn()
    case, kind = open_or_join(told, handling=handling)
    note(case, by=by, kind=kind, text=text)
    tell(
        people(Role.COUNTY, told.region_code),
        Word(
            "raised",
            f"服务人员发现险情，已立预警 {case.number}，请尽快派单。",
            f"Somebody at the door raised warning {case.number}; dispatch it soon.",
            f"/warnings/{case.number}/",
        ),
        key=f"raised:{told.number}",
    )
    record(
        by=by,
        act=Act.RAISE_WARNING,
        subject=f"household:{told.household_no}",
        region_code=told.region_code,
        detail={"warning": case.number, "signal": told.signal, "level": told.level},
    )
    return case
