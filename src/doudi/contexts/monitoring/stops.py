"""A death that arrives asks, within one working day, whether payment stops; a person answers (停发建议).

It arrives in a department's file or because the office itself registers it. The system never stops a payment: it opens
a proposal with the match it rests on. A name that differs from the register is marked and must be confirmed before the
stop can be (handbook 02, worked case 7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.cases import Outrun, StepRefused
from doudi.contexts.monitoring.doubt_models import StopProposalQuerySet
from doudi.contexts.monitoring.models import DeathScan, StopProposal
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs.doubting import DoubtRules


class StopNotFound(DoudiError):
    """No such proposal in the asker's area."""

    code = "stop_not_found"


@transaction.atomic
def propose_stops(rules: DoubtRules, *, by: User, anew: Collection[int] = ()) -> int:
    """Open a proposal for every recipient whom a load of deaths names; returns how many were opened.

    Each load is read once for each register; the same death reported twice, or by two sources, is one proposal, unless
    the earlier one was refused: then the later report is news. For the people ``anew`` every load is read again: they
    stood nowhere while the office held them for dead.
    """
    take_turn()
    today = timezone.localdate()
    register = registry.register_on(today)
    if register is None:
        return 0
    opened = 0
    for rank, death in enumerate(rules.stop.deaths):
        spec = rules.pack.feeds[death.feed]
        for load in registry.loads_in_force(spec, today):
            _scan, fresh = DeathScan.objects.get_or_create(load_number=load.pk, register_number=register.pk)
            if not fresh and not anew:
                continue
            for found in registry.reported_in(load, spec, where=death.when):
                if not fresh and found.person_id not in anew:
                    continue
                died_on = found.values[death.column]
                if found.category in rules.stop.categories and not (rank and _asked(found)):
                    opened += _propose(rules, found, died_on, today, by, load=load.pk)
    return opened


@transaction.atomic
def propose_stops_of(
    event: str, found: Iterable[registry.Reported], *, died_on: date, rules: DoubtRules, by: User
) -> int:
    """Open a proposal where the office itself registers a recipient's death (登记死亡); returns how many were opened.

    ``found`` is where the person stood before. What a file has asked already is not asked a second time.
    """
    take_turn()
    today = timezone.localdate()
    return sum(
        _propose(rules, one, died_on, today, by, event=event)
        for one in found
        if one.category in rules.stop.categories and not _asked(one)
    )


@transaction.atomic
def withdraw_stops(event: str, *, ground: str, by: User) -> int:
    """Answer the open proposals of an event that was refused or undone with its ground; returns how many there were.

    What somebody decided meanwhile stays decided: a stop is taken back by a new decision on the benefit.
    """
    take_turn()
    waiting = StopProposal.objects.filter(event_number=event, status=StopProposal.Status.OPEN)
    for found in list(waiting):
        record(
            by=by,
            act="withdraw_stop",
            subject=f"household:{found.household_no}",
            region_code=found.region_code,
            detail={"proposal": found.number, "event": event},
        )
    return waiting.update(
        status=StopProposal.Status.REFUSED,
        ground=f"死亡登记 {event} 已撤回：{ground.strip()}",
        decided_by=by.username,
        decided_at=timezone.now(),
    )


def _asked(found: registry.Reported) -> bool:
    """Whether another source's word already asks the question: a registration is often cancelled weeks after a death."""
    asked = StopProposal.objects.filter(person_id=found.person_id, household_no=found.household_no)
    return asked.exclude(status=StopProposal.Status.REFUSED).exists()


def _propose(
    rules: DoubtRules,
    found: registry.Reported,
    died_on: date,
    today: date,
    by: User,
    *,
    load: int | None = None,
    event: str = "",
) -> int:
    due = rules.stop.due(today)
    told = event or f"{found.person_id}-{died_on:%m%d}{found.grade}"
    fact = f"{found.person_id}:{found.household_no}:{died_on}:{found.grade}"
    proposal, fresh = StopProposal.objects.get_or_create(
        fact=f"{event}:{found.household_no}" if event else fact,
        defaults={
            "number": f"TF{today:%Y%m%d}-{found.household_no}-{told}",
            "household_no": found.household_no,
            "person_id": found.person_id,
            "person_name": found.name,
            "category": found.category,
            "region_code": found.region_code,
            "grade": found.grade,
            "name_reported": found.name_reported,
            "died_on": died_on,
            "load_number": load,
            "event_number": event,
            "opened_on": today,
            "due_on": due,
        },
    )
    if fresh:
        record(
            by=by,
            act="propose_stop",
            subject=f"household:{found.household_no}",
            region_code=found.region_code,
            detail={"proposal": proposal.number, "grade": found.grade, "due_on": due},
        )
    return int(fresh)


def stops(*, by: User, status: str = "open", region_code: str = "", event: str = "") -> StopProposalQuerySet:
    """Proposals of the account's area, the nearest limit first; ``status`` is a status or ``all``.

    ``event`` keeps those that an event of the registry opened.
    """
    require(by, Act.VIEW_DOUBTS)
    found = registry.but_own(StopProposal.objects.visible_to(by), by=by, household="household_no")
    if status != "all":
        found = found.filter(status=status)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    if event:
        found = found.filter(event_number=event)
    return found.order_by("due_on", "pk")


def stop_of(number: str, *, by: User) -> StopProposal:
    """One proposal within the asker's area, or :class:`StopNotFound`."""
    require(by, Act.VIEW_DOUBTS)
    found = StopProposal.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise StopNotFound(
            f"没有找到停发建议 {number}，或不在您的辖区。",
            f"No proposal {number} in your area; check the number.",
        )
    registry.refuse_own_file(found.household_no, by=by)
    return found


@transaction.atomic
def decide_stop(
    number: str,
    *,
    confirm: bool,
    ground: str,
    by: User,
    stop_from: date | None = None,
    identity_confirmed: bool = False,
) -> StopProposal:
    """Confirm or refuse a proposal with the ground (决定停发); ``stop_from`` is a day of the first month not paid.

    The month after the death is the default. Where the name differs the officer says that the identity was checked.
    """
    take_turn()
    found = stop_of(number, by=by)
    require(by, Act.DECIDE_STOP, region_code=found.region_code)
    if found.status != StopProposal.Status.OPEN:
        raise Outrun(
            f"停发建议 {number} 已由 {found.decided_by} 决定（{found.get_status_display()}）。",
            f"Proposal {number} was decided by {found.decided_by} ({found.status}).",
        )
    if len(ground.strip()) < 4:
        raise StepRefused("请写明决定的理由（至少四个字）。", "State the ground (four characters or more).")
    if confirm and found.name_differs and not identity_confirmed:
        raise StepRefused(
            f"来文姓名与花名册不同（{found.get_grade_display()}）。请核对身份后勾选“已核对是同一人”。",
            "The reported name differs from the register; check the identity and confirm it first.",
        )
    earliest = month_after(found.died_on)
    month = (stop_from or earliest).replace(day=1)
    if confirm and month < earliest:
        raise StepRefused(
            f"死亡当月照发，最早从 {earliest:%Y-%m} 起停发。",
            f"The month of death is paid; stop from {earliest:%Y-%m}.",
        )
    StopProposal.objects.filter(pk=found.pk).update(
        status=StopProposal.Status.CONFIRMED if confirm else StopProposal.Status.REFUSED,
        stop_from=month if confirm else None,
        ground=ground.strip(),
        identity_confirmed=identity_confirmed,
        decided_by=by.username,
        decided_at=timezone.now(),
    )
    record(
        by=by,
        act=Act.DECIDE_STOP,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"proposal": number, "confirm": confirm, "stop_from": month if confirm else None},
    )
    found.refresh_from_db()
    return found


def month_after(day: date) -> date:
    """The first day of the month after a day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def stops_waiting(region_code: str) -> list[str]:
    """Households of an area with a proposed stop that nobody has decided, for a caller that has settled who may see it."""
    found = StopProposal.objects.filter(region_code__startswith=region_code, status=StopProposal.Status.OPEN)
    return list(found.values_list("household_no", flat=True).distinct())
