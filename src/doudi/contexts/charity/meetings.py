"""Meetings of the mechanism (联席会议): agenda, decisions, who does what by when, and what came of it.

民发〔2023〕46号: a working mechanism that consults, reports and solves problems.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity.errors import MeetingNotFound, StepRefused
from doudi.contexts.charity.models import AgendaItem, Meeting, Organisation, Resolution
from doudi.contexts.charity.organisations import organisations
from doudi.engine import identity


@transaction.atomic
def call_meeting(
    *, title: str, held_on: date, place: str = "", bodies: Sequence[str] = (), by: User
) -> Meeting:
    """Call a meeting of bodies of the county, by their codes; the same title on the same day gives the one there."""
    require(by, Act.HOLD_MEETING)
    take_turn()
    if len(title.strip()) < 4:
        raise StepRefused("请填写会议名称（至少四个字）。", "Give the meeting a title.")
    standing = Meeting.objects.filter(
        title=title.strip(), held_on=held_on, region_code=by.region_code
    ).exclude(status=Meeting.Status.CANCELLED).first()  # fmt: skip
    if standing is not None:
        return standing
    invited = list(organisations(by=by).filter(code__in=list(bodies)))
    if len(invited) != len(set(bodies)):
        raise StepRefused("有的单位没有登记或不在本县。", "A body is not entered here.")
    today = timezone.localdate()
    earlier = Meeting.objects.filter(number__startswith=f"HY{today:%Y}").count()
    meeting = Meeting.objects.create(
        number=f"HY{today:%Y}-{earlier + 1:03d}",
        title=title.strip(),
        region_code=by.region_code,
        held_on=held_on,
        place=place.strip(),
        called_by=by.username,
    )
    meeting.bodies.set(invited)
    record(
        by=by, act=Act.HOLD_MEETING, subject=f"meeting:{meeting.number}", region_code=meeting.region_code,
        detail={"step": "call", "bodies": len(invited)},
    )  # fmt: skip
    return meeting


def meetings(*, by: User) -> QuerySet[Meeting]:
    """Meetings of the area; a body sees those it is invited to."""
    scope = require(by, Act.VIEW_MEETINGS)
    if scope is Scope.ORGANISATION:
        return Meeting.objects.filter(bodies__code=by.organisation)
    return Meeting.objects.filter(region_code__startswith=by.region_code)


def meeting_of(number: str, *, by: User) -> Meeting:
    """One meeting that ``by`` may see, or :class:`MeetingNotFound`."""
    found = meetings(by=by).filter(number=number).first()
    if found is None:
        raise MeetingNotFound(f"没有找到会议 {number}。", f"No meeting {number} for you.")
    return found


def _held_by(number: str, by: User, *, running: bool = True) -> Meeting:
    take_turn()
    found = meeting_of(number, by=by)
    require(by, Act.HOLD_MEETING, region_code=found.region_code)
    if running and found.status == Meeting.Status.CANCELLED:
        raise StepRefused("会议已取消。", "The meeting is cancelled.")
    return found


@transaction.atomic
def add_item(number: str, *, subject: str, need_code: str = "", by: User) -> AgendaItem:
    """Put a case or problem on the agenda; without names or numbers of people, for every body reads it."""
    found = _held_by(number, by)
    subject = subject.strip()
    if len(subject) < 4:
        raise StepRefused("请写明议题（至少四个字）。", "State the subject.")
    if identity.holds_number(subject):
        raise StepRefused(
            "议题里有像证件号或电话的数字。参会单位都看得到，请改用需求编号。",
            "The subject holds an ID or telephone number; use the code of the need.",
            code="identity_in_text",
        )
    standing = found.items.filter(subject=subject, need_code=need_code).first()
    if standing is not None:
        return standing
    item = AgendaItem.objects.create(
        meeting=found,
        position=found.items.count() + 1,
        subject=subject[:200],
        need_code=need_code,
        raised_by=by.username,
    )
    record(
        by=by, act=Act.HOLD_MEETING, subject=f"meeting:{number}", region_code=found.region_code,
        detail={"step": "item", "position": item.position},
    )  # fmt: skip
    return item


@transaction.atomic
def resolve(
    number: str, position: int, *, what: str, responsible: str = "", due_on: date, by: User
) -> Resolution:
    """Keep what was decided on an item: who (a body's code, '' the county) does what by when."""
    found = _held_by(number, by)
    item = found.items.filter(position=position).first()
    if item is None:
        raise MeetingNotFound("没有这项议题。", "No such item.")
    if len(what.strip()) < 4:
        raise StepRefused("请写明议定事项（至少四个字）。", "State what was decided.")
    if identity.holds_number(what):
        raise StepRefused(
            "议定事项里有像证件号或电话的数字，请改用需求编号。", "The text holds an ID or telephone number.",
            code="identity_in_text",
        )  # fmt: skip
    if due_on < found.held_on:
        raise StepRefused("期限早于会议日期。", "The limit lies before the meeting.")
    body = None
    if responsible:
        body = Organisation.objects.filter(code=responsible, closed_on=None, meetings=found).first()
        if body is None:
            raise StepRefused("责任单位须是参会单位。", "The responsible body takes part in the meeting.")
    made, new = Resolution.objects.get_or_create(
        item=item, what=what.strip()[:300], responsible=body,
        defaults={"due_on": due_on, "decided_by": by.username},
    )  # fmt: skip
    if new:
        Meeting.objects.filter(pk=found.pk, status=Meeting.Status.PLANNED).update(status=Meeting.Status.HELD)
        record(
            by=by, act=Act.HOLD_MEETING, subject=f"meeting:{number}", region_code=found.region_code,
            detail={"step": "resolve", "item": position, "responsible": responsible, "due_on": due_on},
        )  # fmt: skip
    return made


@transaction.atomic
def report_resolution(pk: int, *, outcome: str, by: User) -> Resolution:
    """Say what came of a decision: the responsible body, or the county for its own."""
    scope = require(by, Act.REPORT_RESOLUTION)
    take_turn()
    found = Resolution.objects.select_related("item__meeting", "responsible").filter(pk=pk).first()
    if found is None or not _is_theirs(found, by, scope):
        raise MeetingNotFound("没有找到由您办理的议定事项。", "No decision that is yours to do.")
    if len(outcome.strip()) < 4:
        raise StepRefused("请写明办理结果（至少四个字）。", "Say what was done.")
    done = Resolution.objects.filter(pk=pk, status=Resolution.Status.OPEN).update(
        status=Resolution.Status.DONE,
        outcome=outcome.strip(),
        done_on=timezone.localdate(),
        done_by=by.username,
    )
    if not done:
        raise StepRefused("该事项已办结。", "It is done already.", code="already_done")
    record(
        by=by, act=Act.REPORT_RESOLUTION, subject=f"meeting:{found.item.meeting.number}",
        region_code=found.item.meeting.region_code, detail={"step": "report", "resolution": pk},
    )  # fmt: skip
    found.refresh_from_db()
    return found


def _is_theirs(found: Resolution, by: User, scope: Scope) -> bool:
    if scope is Scope.ORGANISATION:
        return found.responsible is not None and found.responsible.code == by.organisation
    return found.responsible is None and found.item.meeting.region_code.startswith(by.region_code)


def resolutions(*, by: User, overdue: bool = False) -> QuerySet[Resolution]:
    """Open decisions, the first due first; a body sees those it is responsible for."""
    scope = require(by, Act.VIEW_MEETINGS)
    found = Resolution.objects.select_related("item__meeting", "responsible").filter(
        status=Resolution.Status.OPEN
    )
    if scope is Scope.ORGANISATION:
        found = found.filter(responsible__code=by.organisation)
    else:
        found = found.filter(item__meeting__region_code__startswith=by.region_code)
    return found.filter(due_on__lt=timezone.localdate()) if overdue else found


@transaction.atomic
def keep_minutes(number: str, *, minutes: str, by: User) -> Meeting:
    """Keep the minutes of a meeting; they are read by every body invited (纪要)."""
    found = _held_by(number, by)
    if identity.holds_number(minutes):
        raise StepRefused(
            "纪要里有像证件号或电话的数字，请改用需求编号。", "The minutes hold an ID or telephone number.",
            code="identity_in_text",
        )  # fmt: skip
    Meeting.objects.filter(pk=found.pk).update(minutes=minutes.strip(), status=Meeting.Status.HELD)
    record(
        by=by, act=Act.HOLD_MEETING, subject=f"meeting:{number}", region_code=found.region_code,
        detail={"step": "minutes"},
    )  # fmt: skip
    found.refresh_from_db()
    return found
