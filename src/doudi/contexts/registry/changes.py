"""Recording what happens to people and households: tell beforehand, propose, confirm, refuse, undo (登记变动).

A township proposes within its area and the county confirms; the county's own entry is in force at once. An event is
one transaction: its facts, its row and its entry in the log are all there or none is.
"""

from __future__ import annotations

import json
import secrets
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, may, record, require, take_turn
from doudi.contexts.registry.finding import index_households
from doudi.contexts.registry.kinds import KINDS, Asked, Kind
from doudi.contexts.registry.ledger import Ledger, UndoRefused, readdress, take_back
from doudi.contexts.registry.models import (
    EventPerson,
    FeedLoad,
    Household,
    Person,
    RegistryEvent,
)
from doudi.contexts.registry.people import HouseholdNotFound, homes_of, refuse_own_file
from doudi.contexts.registry.standing import ChangeRefused, refresh
from doudi.engine.errors import DoudiError

MERGE = "merge_people"
SETTLE = "settle"
FAMILY = "new_family"
DECISION = "decision"
EVENT_LABELS = {
    **{code: (kind.label, kind.label_en) for code, kind in KINDS.items()},
    MERGE: ("人员合并", "People merged"),
    SETTLE: ("以花名册为准", "Register followed"),
    FAMILY: ("新立户", "New family"),
    DECISION: ("审核确认决定", "Decision on an application"),
}
_MIN_GROUND = 4
_MAX_FEN = 10**13
_FIRST_DAY = date(1900, 1, 1)


class EventNotFound(DoudiError):
    """No such event, or not in the asker's area."""

    code = "event_not_found"


def change(
    household_no: str,
    kind: str,
    *,
    on: date,
    said: dict[str, Any],
    ground: str,
    by: User,
    token: str = "",
) -> RegistryEvent:
    """Record an event; from a township it waits for the county's word.

    ``token`` is the asker's own mark for this entry: the same one again gives the event that is already there.
    """
    with transaction.atomic():
        take_turn()
        number = _number(token)
        standing = RegistryEvent.objects.filter(number=number, proposed_by=by.username).first()
        if standing is not None:
            return standing
        found, asked = _ready(household_no, kind, on, said, by)
        direct = may(by, Act.CONFIRM_CHANGE)
        event = RegistryEvent.objects.create(
            number=number,
            kind=kind,
            happened_on=on,
            household=found,
            region_code=found.responsible_region,
            status=RegistryEvent.Status.PROPOSED,
            ground=_grounded(ground),
            details=json.dumps(said, ensure_ascii=False, default=str),
            proposed_by=by.username,
        )
        if direct:
            _carry_out(event, asked, by)
        else:
            event.told = json.dumps(_tried(event, asked, by), ensure_ascii=False)
            event.save(update_fields=["told"])
        _log(event, by, "confirmed" if direct else "proposed", ground)
        return event


def preview(household_no: str, kind: str, *, on: date, said: dict[str, Any], by: User) -> list[str]:
    """What the event would change, line by line; nothing is kept."""
    with transaction.atomic():
        take_turn()
        found, asked = _ready(household_no, kind, on, said, by)
        event = RegistryEvent.objects.create(
            number=_number(""),
            kind=kind,
            happened_on=on,
            household=found,
            region_code=found.responsible_region,
            status=RegistryEvent.Status.PROPOSED,
            ground="",
            details=json.dumps(said, ensure_ascii=False, default=str),
            proposed_by=by.username,
        )
        lines = _tried(event, asked, by)
        transaction.set_rollback(True)
    return lines


def confirm_change(number: str, *, by: User, note: str = "") -> RegistryEvent:
    """The county's yes to a township's proposal: now the registry changes."""
    with transaction.atomic():
        take_turn()
        event = _proposed(number, by)
        event.decision_note = note.strip()
        _carry_out(event, KINDS[event.kind], by)
        _log(event, by, "confirmed", note)
        return event


def refuse_change(number: str, *, by: User, note: str) -> RegistryEvent:
    """The county's no, with a reason that the township reads; nothing changes."""
    with transaction.atomic():
        take_turn()
        event = _proposed(number, by)
        event.status = RegistryEvent.Status.REFUSED
        event.decision_note, event.decided_by, event.decided_at = _grounded(note), by.username, timezone.now()
        event.save()
        _log(event, by, "refused", note)
        return event


def undo_change(number: str, *, ground: str, by: User) -> RegistryEvent:
    """Take an event back: its facts are retracted and what it ended stands again, unless later facts stand on it."""
    with transaction.atomic():
        take_turn()
        event = _event(number, by, Act.CONFIRM_CHANGE)
        if event.status != RegistryEvent.Status.IN_FORCE:
            raise UndoRefused(
                f"事项 {number} 现为“{event.get_status_display()}”，不能撤销。",
                f"Event {number} is {event.status} and cannot be undone.",
            )
        if event.kind == DECISION:
            raise UndoRefused(
                "审核确认决定不在这里撤销；请在申请中作出变更或停止决定。",
                "A decision is not undone here; decide a change or an end of it.",
            )
        _refuse_if_stood_upon(event)
        now = timezone.now()
        again = take_back(event.changes, now)
        people = event.people.values("person_id")
        for earlier in RegistryEvent.objects.filter(
            pk__lt=event.pk, status=RegistryEvent.Status.IN_FORCE, people__person_id__in=people
        ).distinct():
            earlier.changes = readdress(earlier.changes, again)
            earlier.save(update_fields=["changes"])
        event.status = RegistryEvent.Status.UNDONE
        event.undone_at, event.undone_by, event.undo_ground = now, by.username, _grounded(ground)
        event.save()
        event.people.update(word=EventPerson.Word.UNDONE)
        index_households(_homes_of(event) | homes_of(event.people.values_list("person_id", flat=True)))
        _log(event, by, "undone", ground)
        return event


def changes(
    *, by: User, status: str = "", household_no: str = "", person_id: int = 0
) -> QuerySet[RegistryEvent]:
    """The events of the account's area, newest first."""
    require(by, Act.VIEW_HOUSEHOLDS)
    found = RegistryEvent.objects.select_related("household")
    if by.region_code:
        found = found.filter(region_code__startswith=by.region_code)
    if status:
        found = found.filter(status=status)
    if household_no:
        touched = Q(household__household_no=household_no) | Q(
            people__person__memberships__household__household_no=household_no
        )
        found = found.filter(touched).distinct()
    if person_id:
        found = found.filter(people__person_id=person_id)
    return found


def change_of(number: str, *, by: User) -> RegistryEvent:
    """One event of the account's area, or :class:`EventNotFound`; the look goes into the log."""
    event = _event(number, by, Act.VIEW_HOUSEHOLDS)
    record(by=by, act=Act.VIEW_HOUSEHOLDS, subject=f"event:{number}", region_code=event.region_code)
    return event


def told_of(event: RegistryEvent, *, by: User) -> list[str]:
    """What an event changes or changed, in words; only for who may see who it is."""
    return json.loads(event.told or "[]") if may(by, Act.REVEAL_IDENTITY) else []


def said_in(event: RegistryEvent) -> dict[str, Any]:
    """What was said of an event when it was recorded, for a step that follows from it."""
    return dict(json.loads(event.details))


def kinds_for(by: User) -> list[Kind]:
    """The kinds of event the account may record."""
    if not may(by, Act.CHANGE_REGISTRY):
        return []
    return [kind for kind in KINDS.values() if not kind.county_only or by.role == Role.COUNTY]


# ---- inside -------------------------------------------------------------------------------------------------------


def _number(token: str) -> str:
    mark = "".join(c for c in token if c.isalnum())[:24] or secrets.token_hex(6)
    return f"BG-{mark}"


def _grounded(ground: str) -> str:
    if len(ground.strip()) < _MIN_GROUND:
        raise ChangeRefused(
            "请写明依据（至少四个字），例如：死亡证明、户口簿、判决书文号。",
            "State the ground (four characters or more): a certificate, a household book, a judgment.",
        )
    return ground.strip()


def _ready(household_no: str, kind: str, on: date, said: dict[str, Any], by: User) -> tuple[Household, Kind]:
    require(by, Act.CHANGE_REGISTRY)
    asked = KINDS.get(kind)
    if asked is None:
        raise ChangeRefused("没有这种变动。", "No such kind of event.")
    if asked.county_only:
        require(by, Act.CONFIRM_CHANGE)
    found = Household.objects.visible_to(by).filter(household_no=household_no).first()
    if found is None:
        raise HouseholdNotFound(
            f"没有找到户编号 {household_no}，或该户不在您的辖区。请核对编号。",
            f"No household {household_no} in your area; check the number.",
        )
    refuse_own_file(household_no, by=by)
    if not _FIRST_DAY <= on <= timezone.localdate():
        raise ChangeRefused("发生日期不能晚于今天。", "The date of the event cannot be after today.")
    _require_complete(asked, said)
    return found, asked


def _require_complete(kind: Kind, said: dict[str, Any]) -> None:
    names = {ask.name for ask in kind.asks}
    if strange := set(said) - names:
        raise ChangeRefused(
            f"“{kind.label}”不认识这些项：{'、'.join(sorted(strange))}。",
            f"{kind.code} does not know: {', '.join(sorted(strange))}.",
        )
    for ask in kind.asks:
        value = said.get(ask.name)
        if value in (None, "", []):
            if not ask.optional:
                raise ChangeRefused(f"请填写“{ask.label}”。", f"Give {ask.name}.")
            continue
        if not _readable(ask, value):
            raise ChangeRefused(f"“{ask.label}”填写不对，请核对。", f"{ask.name} is not valid; check it.")


def _readable(ask: Asked, value: Any) -> bool:
    if ask.kind == "choice":
        return value in ask.choices
    if ask.kind == "member":
        return str(value).isdecimal()
    if ask.kind == "members":
        return isinstance(value, list) and all(str(one).isdecimal() for one in value)
    if ask.kind == "region":
        return isinstance(value, str) and value.isdecimal() and len(value) in (6, 9, 12)
    if ask.kind == "money":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_FEN
    if ask.kind == "date":
        return isinstance(value, date) or _is_day(value)
    return isinstance(value, str) and len(value) <= 200 and value.isprintable()


def _is_day(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _done(event: RegistryEvent, kind: Kind, by: User, said: dict[str, Any]) -> Ledger:
    ledger = Ledger(event, timezone.now())
    assert event.household is not None
    home = ledger.touches(event.household)
    if isinstance(said.get("decided_on"), str) and said["decided_on"]:
        said = {**said, "decided_on": date.fromisoformat(said["decided_on"])}
    kind.act(ledger, home, event.happened_on, said)
    for household in list(ledger.households.values()):
        if not household.responsible_region.startswith(by.region_code) and household is not home:
            raise ChangeRefused(
                "这项变动涉及您辖区以外的家庭，请由上级经办办理。",
                "The event touches a household outside your area; ask the office above.",
            )
        refresh(ledger, household, event.happened_on)
    return ledger


def _tried(event: RegistryEvent, kind: Kind, by: User) -> list[str]:
    point = transaction.savepoint()
    try:
        return _done(event, kind, by, json.loads(event.details)).told
    finally:
        transaction.savepoint_rollback(point)


def _carry_out(event: RegistryEvent, kind: Kind, by: User) -> None:
    finish(event, _done(event, kind, by, json.loads(event.details)), by)


def finish(event: RegistryEvent, ledger: Ledger, by: User) -> None:
    """Put an event in force with what its ledger did."""
    event.status = RegistryEvent.Status.IN_FORCE
    event.decided_at, event.decided_by = ledger.at, by.username
    event.changes = ledger.written()
    event.told = json.dumps(ledger.told, ensure_ascii=False)
    event.save()
    index_households(set(ledger.households) | homes_of(ledger.people))
    word = EventPerson.Word
    EventPerson.objects.bulk_create(
        EventPerson(event=event, person_id=key, word=word.STANDING if asserts else word.NONE)
        for key, asserts in ledger.people.items()
    )


def _event(number: str, by: User, act: Act) -> RegistryEvent:
    require(by, act)
    found = RegistryEvent.objects.select_related("household").filter(number=number)
    if by.region_code:
        found = found.filter(region_code__startswith=by.region_code)
    event = found.first()
    if event is None:
        raise EventNotFound(f"没有找到事项 {number}，或不在您的辖区。", f"No event {number} in your area.")
    return event


def _proposed(number: str, by: User) -> RegistryEvent:
    event = _event(number, by, Act.CONFIRM_CHANGE)
    if event.status != RegistryEvent.Status.PROPOSED:
        raise ChangeRefused(
            f"事项 {number} 已由 {event.decided_by} 处理，现为“{event.get_status_display()}”。",
            f"Event {number} was decided by {event.decided_by} and is {event.status}.",
        )
    return event


def _homes_of(event: RegistryEvent) -> set[int]:
    """The households that an event changed."""
    named = {key for _, label, key, _ in json.loads(event.changes) if label.endswith(".Household")}
    return named | ({event.household_id} if event.household_id is not None else set())


def _refuse_if_stood_upon(event: RegistryEvent) -> None:
    people = list(event.people.values_list("person_id", flat=True))
    homes = _homes_of(event)
    later = (
        RegistryEvent.objects.filter(pk__gt=event.pk, status=RegistryEvent.Status.IN_FORCE)
        .filter(Q(people__person__in=people) | Q(household__in=homes))
        .order_by("pk")
        .first()
    )
    if later is not None:
        raise UndoRefused(
            f"后来的事项 {later.number}（{EVENT_LABELS[later.kind][0]}，{later.happened_on}）以它为前提，请先撤销后来的事项。",
            f"The later event {later.number} ({EVENT_LABELS[later.kind][1]}) stands on it; undo that first.",
        )
    confirmed = event.people.filter(word__in=(EventPerson.Word.CONFIRMED, EventPerson.Word.YIELDED)).first()
    if confirmed is not None:
        day = FeedLoad.objects.filter(pk=confirmed.load_id or 0).values_list("as_of", flat=True).first()
        raise UndoRefused(
            f"{day} 的花名册已经印证这项变动，不能撤销；如有错误，请登记一项更正。",
            f"The register of {day} has confirmed the event; record a correction instead.",
        )


def _log(event: RegistryEvent, by: User, step: str, reason: str) -> None:
    record(
        by=by,
        act=Act.CHANGE_REGISTRY,
        subject=f"event:{event.number}",
        region_code=event.region_code,
        reason=reason,
        detail={
            "step": step,
            "kind": event.kind,
            "household": event.household.household_no if event.household else "",
            "people": sorted(event.people.values_list("person_id", flat=True)),
        },
    )


def open_event(
    kind: str, *, household: Household | None, region_code: str, ground: str, by: User, details: Any
) -> RegistryEvent:
    """An event of a kind that has its own service (merging, settling); :func:`finish` puts it in force."""
    return RegistryEvent.objects.create(
        number=_number(""),
        kind=kind,
        happened_on=timezone.localdate(),
        household=household,
        region_code=region_code,
        status=RegistryEvent.Status.PROPOSED,
        ground=_grounded(ground),
        details=json.dumps(details, ensure_ascii=False, default=str),
        proposed_by=by.username,
    )


def people_of(event: RegistryEvent) -> QuerySet[Person]:
    """The people an event concerns."""
    return Person.objects.filter(events__event=event)
