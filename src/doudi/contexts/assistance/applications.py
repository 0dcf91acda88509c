"""Applications (申请): finding them, taking them in, and what decisions on them are in force.

Papers, acceptance and clocks stand in ``accepting``; then come ``investigating`` (visits, opinions), ``publicity``
(notices) and ``deciding``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.assistance.application_models import (
    Application,
    ApplicationEvent,
    ApplicationQuerySet,
    Decision,
)
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.procedure import NEXT, State, may_go
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.packs.outreach import Outreach
from doudi.engine.packs.procedures import Procedure, Procedures
from doudi.house.keyring import keyring

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_MARK = 40
_RECEIPT = 10
MAX_REASON = 1000


class ApplicationNotFound(DoudiError):
    """No such application in the asker's area."""

    code = "application_not_found"


# ---- finding -----------------------------------------------------------------------------------------------------


def applications(*, by: User, state: str = "", kind: str = "", text: str = "") -> ApplicationQuerySet:
    """Applications of the asker's area; ``state`` a state, ``open``, ``overdue`` or empty for all."""
    require(by, Act.VIEW_APPLICATIONS)
    found = registry.but_own(
        Application.objects.visible_to(by), by=by, household="household_no", blind="id_blind"
    )
    if state == "open":
        found = found.open().order_by("due_on", "pk")
    elif state == "overdue":
        found = found.overdue(timezone.localdate()).order_by("due_on", "pk")
    elif state:
        found = found.filter(state=state)
    if kind:
        found = found.filter(kind=kind)
    if text.strip():
        typed = text.strip()
        match = Q(number__icontains=typed) | Q(household_no=typed) | Q(applicant_name__startswith=typed)
        mended = identity.mend_id(typed)
        if mended is not None:
            match |= Q(id_blind=keyring().digest(mended, purpose=ID_PURPOSE))
        found = found.filter(match)
    return found


def application_counts(*, by: User) -> dict[str, int]:
    """Applications of the area that wait: submitted, to supplement, to decide, overdue, open."""
    require(by, Act.VIEW_APPLICATIONS)
    today = timezone.localdate()
    found = Application.objects.visible_to(by)
    counted = found.aggregate(
        submitted=Count("pk", filter=Q(state=State.SUBMITTED)),
        supplement=Count("pk", filter=Q(state=State.SUPPLEMENT)),
        investigating=Count("pk", filter=Q(state__in=[State.INVESTIGATING, State.OBJECTED])),
        notice=Count("pk", filter=Q(state=State.NOTICE)),
        proposed=Count("pk", filter=Q(state=State.PROPOSED)),
        aided=Count("pk", filter=Q(state=State.AIDED)),
    )
    return {**counted, "overdue": found.overdue(today).count()}


def application(number: str, *, by: User) -> Application:
    """One application within the asker's area, or :class:`ApplicationNotFound`."""
    require(by, Act.VIEW_APPLICATIONS)
    found = Application.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise ApplicationNotFound(
            f"没有找到申请 {number}，或不在您的辖区。请核对编号。",
            f"No application {number} in your area; check the number.",
        )
    registry.refuse_own_record(
        f"application:{number}", by=by, household_no=found.household_no, blind=found.id_blind
    )
    return found


@transaction.atomic
def look_at_application(number: str, *, by: User) -> Application:
    """:func:`application`, with the look at the applicant in the audit log."""
    found = application(number, by=by)
    record(
        by=by,
        act=Act.VIEW_APPLICATIONS,
        subject=f"application:{number}",
        region_code=found.region_code,
        detail={"fields": ["applicant_name", "phone", "reason", "visits"]},
    )
    return found


def note(found: Application, *, by: User, kind: str, text: str) -> ApplicationEvent:
    """One line on the timeline."""
    return ApplicationEvent.write(application=found, by=by, kind=kind, text=text)


def go(found: Application, to: State, **changes: Any) -> None:
    """Move to a state, only where the state allows it and nobody was faster."""
    if not may_go(State(found.state), to):
        raise StepRefused(
            f"申请 {found.number} 现为“{State(found.state).label}”，不能转为“{to.label}”。",
            f"Application {found.number} is {found.state}; it cannot become {to}.",
        )
    moved = Application.objects.filter(pk=found.pk, state=found.state).update(state=to, **changes)
    if not moved:
        raise StepRefused("这件申请刚被他人办理，请刷新。", "Somebody else was faster; reload the page.")
    found.refresh_from_db()


def following_states(found: Application) -> frozenset[State]:
    """The states that may follow."""
    return NEXT[State(found.state)]


def needs_state(found: Application, *states: State, what: str) -> None:
    """Refuse a step that does not fit the state."""
    if found.state not in states:
        raise StepRefused(
            f"申请 {found.number} 现为“{State(found.state).label}”，不能{what}。",
            f"Application {found.number} is {found.state}; this step does not fit.",
        )


# ---- decisions in force, for rosters -------------------------------------------------------------------------


@dataclass(frozen=True)
class DecisionInForce:
    """A monthly benefit or recognition that a decision carries in a month, as rosters read it.

    Money in fen a month. ``persons`` are keys of people of the register. ``per_capita_income_fen`` is rounded down;
    reckon differences from ``household_income_fen`` and ``counted``. ``valid_to`` is the first day it no longer holds.
    """

    number: str
    kind: str
    category: str
    household_no: str
    region_code: str
    urban_rural: str
    persons: tuple[int, ...]
    household_income_fen: int | None
    counted: int | None
    per_capita_income_fen: int | None
    valid_from: date
    valid_to: date | None
    decided_on: date
    decided_by: str


def decisions_in_force(month: date, region_code: str) -> list[DecisionInForce]:
    """The decisions that hold on the first day of a month in an area, single sums left out, by household.

    For a caller that has settled who may see them. A decision that was followed by a change or an end holds until
    that begins.
    """
    first = month.replace(day=1)
    found = (
        Decision.objects.filter(
            region_code__startswith=region_code,
            result__in=(Decision.Result.GRANTED, Decision.Result.CHANGED),
            amount_fen=None,
            valid_from__lte=first,
        )
        .filter(Q(valid_to=None) | Q(valid_to__gt=first))
        .filter(Q(followed_by=None) | Q(followed_by__valid_from__gt=first))
        .select_related("followed_by")
        .order_by("household_no", "pk")
    )
    kept = registry.kept_persons({key for row in found for key in row.persons})
    shown = []
    for row in found:
        following = getattr(row, "followed_by", None)
        ends = [day for day in (row.valid_to, following.valid_from if following else None) if day]
        assert row.valid_from is not None
        shown.append(
            DecisionInForce(
                number=row.number,
                kind=row.kind,
                category=row.category,
                household_no=row.household_no,
                region_code=row.region_code,
                urban_rural=row.urban_rural,
                persons=tuple(dict.fromkeys(kept.get(key, key) for key in row.persons)),
                household_income_fen=row.income_fen,
                counted=row.counted,
                per_capita_income_fen=row.per_capita_fen,
                valid_from=row.valid_from,
                valid_to=min(ends) if ends else None,
                decided_on=row.decided_on,
                decided_by=row.decided_by,
            )
        )
    return shown


# ---- taking in ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Applicant:
    """Who applies: name, 18-digit number, telephone."""

    name: str
    id_number: str
    phone: str = ""


@transaction.atomic
def start_application(
    *,
    kind: str,
    applicant: Applicant,
    reason: str,
    rules: Procedures,
    token: str,
    by: User,
    household_no: str = "",
    region_code: str = "",
    persons: Sequence[int] = (),
    alone: bool = False,
    warning_number: str = "",
) -> Application:
    """Take an application in at the window; the same form sent again is the same application.

    The household is one of the register, or comes later (``region_code`` then says where). ``persons`` are keys of
    its members, all where empty; ``alone`` is an application of one member without the family (单人保).
    """
    require(by, Act.TAKE_APPLICATION)
    if household_no:
        household = registry.household(household_no, by=by)
        region_code = household.responsible_region
        members = {key for key, *_rest in registry.people_of_household(household_no)}
        if not set(persons) <= members:
            raise StepRefused("申请对象须是本户成员。", "Whom it covers must be members of the household.")
    require(by, Act.TAKE_APPLICATION, region_code=region_code or by.region_code)
    return _take_in(
        rules.of(kind, region_code or by.region_code),
        applicant=applicant,
        reason=reason,
        token=token,
        by=by,
        channel=Application.Channel.OFFICE if warning_number else Application.Channel.WINDOW,
        household_no=household_no,
        region_code=region_code or by.region_code,
        persons=[int(key) for key in persons],
        alone=alone,
        warning_number=warning_number,
    )


@transaction.atomic
def start_by_oneself(
    *,
    kind: str,
    applicant: Applicant,
    reason: str,
    region_code: str,
    rules: Procedures,
    limits: Outreach,
    token: str,
    address: str = "",
    device: str = "",
) -> Application:
    """Take the beginning of an application from a telephone: a clerk of the township then takes it on.

    Nothing of the register is read or told. ``address`` and ``device`` are whom the limits count.
    """
    take_turn()
    again = Application.objects.filter(token=_mark(token)).first()
    if again is not None:
        return again
    monitoring.let_through("apply", address, limits.per_address, minutes=limits.window_minutes)
    monitoring.let_through(
        "apply", device and f"device:{device}", limits.per_device, minutes=limits.window_minutes
    )
    if not any(region_code.startswith(code) for code, _name in monitoring.served_counties()):
        raise StepRefused("请选择所在的乡镇（街道）。", "Choose your township.")
    return _take_in(
        rules.of(kind, region_code),
        applicant=applicant,
        reason=reason,
        token=token,
        by=monitoring.passer_by(),
        channel=Application.Channel.SELF,
        region_code=region_code,
    )


def _mark(token: str) -> str:
    """A form's mark as it is kept: a program may send a longer one than a page does."""
    return token if len(token) <= _MARK else hashlib.sha256(token.encode()).hexdigest()[:_MARK]


def _take_in(
    kind: Procedure, *, applicant: Applicant, reason: str, token: str, by: User, **facts: Any
) -> Application:
    take_turn()
    again = Application.objects.filter(token=_mark(token)).first()
    if again is not None:
        return again
    reading = identity.read_id(applicant.id_number, today=timezone.localdate())
    if reading.number is None:
        raise StepRefused(
            "申请人的身份证号不对，请核对。", "The applicant's ID number is not valid; check it."
        )
    if not applicant.name.strip():
        raise StepRefused("请填写申请人姓名。", "Give the applicant's name.")
    if len(reason.strip()) < 4 or len(reason) > MAX_REASON:
        raise StepRefused(
            f"请写明申请理由（4 到 {MAX_REASON} 个字）。", f"Give the reason in 4 to {MAX_REASON} characters."
        )
    if facts.get("alone") and not kind.alone:
        raise StepRefused(
            f"“{kind.label}”以家庭申请，不能单人申请。", "This kind is applied for by household."
        )
    if facts.get("alone") and len(facts.get("persons", ())) != 1:
        raise StepRefused("单人申请请选择一名成员。", "Choose the one member who applies alone.")
    blind = keyring().digest(reading.number, purpose=ID_PURPOSE)
    same = Application.objects.open().filter(kind=kind.code)
    same = same.filter(
        Q(id_blind=blind) | Q(household_no=facts["household_no"])
        if facts.get("household_no")
        else Q(id_blind=blind)
    ).filter(alone=facts.get("alone", False))
    standing = same.first()
    if standing is not None:
        raise StepRefused(
            f"已有在办的“{kind.label}”申请（{standing.number}），不必重复申请。"
            if facts["channel"] != Application.Channel.SELF
            else "您已有同一事项的申请在办，请用查询码查询进度，或到乡镇（街道）窗口询问。",
            "An application of this kind is already being handled.",
            code="already_open",
        )
    today = timezone.localdate()
    count = Application.objects.filter(number__startswith=f"SQ{today:%Y%m%d}-").count()
    found = Application.objects.create(
        number=f"SQ{today:%Y%m%d}-{count + 1:04d}",
        receipt="".join(secrets.choice(_ALPHABET) for _ in range(_RECEIPT)),
        token=_mark(token),
        kind=kind.code,
        applicant_name=applicant.name.strip(),
        id_number=reading.number,
        id_blind=blind,
        phone=applicant.phone.strip(),
        reason=reason.strip(),
        submitted_on=today,
        created_by=by.username,
        **facts,
    )
    note(found, by=by, kind="submit", text=f"提交“{kind.label}”申请（{found.get_channel_display()}）")
    record(
        by=by,
        act=Act.TAKE_APPLICATION,
        subject=f"application:{found.number}",
        region_code=found.region_code,
        detail={"kind": kind.code, "channel": found.channel, "household": found.household_no},
    )
    return found


@transaction.atomic
def name_household(number: str, *, household_no: str, persons: Sequence[int] = (), by: User) -> Application:
    """Say which household of the register an application of a telephone or of a new family is of (查明户)."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    needs_state(found, State.SUBMITTED, State.SUPPLEMENT, State.AIDED, what="认定所在户")
    household = registry.household(household_no, by=by)
    members = {key for key, *_rest in registry.people_of_household(household_no)}
    person = registry.person_by_id(found.id_number)
    if person is None or person.pk not in members:
        raise StepRefused(
            f"申请人不是户 {household_no} 的成员，请核对；代他人申请的，请以本人名义申请。",
            f"The applicant is no member of {household_no}; check.",
        )
    if not set(persons) <= members:
        raise StepRefused("申请对象须是本户成员。", "Whom it covers must be members of the household.")
    Application.objects.filter(pk=found.pk).update(
        household_no=household_no, region_code=household.responsible_region, persons=[int(p) for p in persons]
    )
    found.refresh_from_db()
    note(found, by=by, kind="household", text=f"所在户：{household_no}")
    log_step(found, by, Act.TAKE_APPLICATION, step="household", household=household_no)
    return found


# ---- inside ----------------------------------------------------------------------------------------------------


def is_township(by: User) -> bool:
    """Whether a township's clerk acts: some decisions are the county's alone."""
    return by.role == Role.TOWNSHIP


def log_step(found: Application, by: User, act: Act, **detail: Any) -> None:
    record(
        by=by,
        act=act,
        subject=f"application:{found.number}",
        region_code=found.region_code,
        detail=dict(detail),
    )
