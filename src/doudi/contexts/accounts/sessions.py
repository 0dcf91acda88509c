"""Sessions of people at the workbench (登录会话): how long they last, how many there are, and how they end.

In comes what a face keeps in the session; out comes whether the person goes on, and what is still to be done first
(a second factor, an own password). Settings: ``DOUDI_IDLE_MINUTES``, ``DOUDI_SESSION_HOURS``, ``DOUDI_SESSIONS``.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.audit import record
from doudi.contexts.accounts.models import SignIn, User
from doudi.contexts.accounts.second_factor import needs_second_factor

_NOTED_EVERY = 60
_SESSION, _SEEN, _SINCE, _FACTOR = "sign_in", "seen", "since", "second_factor"
_SIGN_ON = "single_sign_on"


class Admission(StrEnum):
    """Whether a signed-in person goes on."""

    GO_ON = "go_on"
    IDLE = "idle"
    """Nothing was done for too long."""
    ENDED = "ended"
    """Ended by the person elsewhere, by the administrator, or because too many were open."""
    TYPE_CODE = "type_code"
    """The one-time code is still to be typed."""
    SET_UP_CODE = "set_up_code"
    """The role asks for a second factor and the account has none."""
    CHANGE_PASSWORD = "change_password"  # noqa: S105
    """The password was set by somebody else."""


def admit(user: User, session: MutableMapping[str, Any], *, address: str, device: str) -> Admission:
    """Note that the person is there, and say whether to go on; called once for each request of a session."""
    now = timezone.now()
    at = int(now.timestamp())
    seen, since = session.get(_SEEN, at), session.get(_SINCE, at)
    idle = at - seen > settings.IDLE_MINUTES * 60
    if idle or at - since > settings.SESSION_HOURS * 3600:
        _end(SignIn.objects.filter(pk=session.get(_SESSION, 0), ended_at=None), "idle")
        return Admission.IDLE
    if _SESSION not in session:
        session[_SESSION] = _begin(user, address=address, device=device).pk
        session[_SINCE] = session[_SEEN] = at
    elif not SignIn.objects.filter(pk=session[_SESSION], user_id=user.pk, ended_at=None).exists():
        return Admission.ENDED
    if at - seen >= _NOTED_EVERY:
        session[_SEEN] = at
        SignIn.objects.filter(pk=session[_SESSION]).update(seen_at=now)
    if user.second_factor and not session.get(_FACTOR):
        return Admission.TYPE_CODE
    # somebody else knows the first password; whom the sign-on let in did not use it
    if user.must_change_password and not came_by_sign_on(session):
        return Admission.CHANGE_PASSWORD
    if not user.second_factor and needs_second_factor(user):
        return Admission.SET_UP_CODE
    return Admission.GO_ON


def second_factor_passed(session: MutableMapping[str, Any]) -> None:
    """Note in the session that its person has typed a right code."""
    session[_FACTOR] = True


@transaction.atomic
def _begin(user: User, *, address: str, device: str) -> SignIn:
    """Note a session; the oldest beyond the number that is allowed ends."""
    made = SignIn.objects.create(
        user_id=user.pk, seen_at=timezone.now(), address=address[:64], device=device[:200]
    )
    kept = SignIn.objects.filter(user_id=user.pk, ended_at=None).values_list("pk", flat=True)[
        : settings.SESSIONS
    ]
    _end(SignIn.objects.filter(user_id=user.pk, ended_at=None).exclude(pk__in=list(kept)), "too_many")
    return made


def _end(sign_ins: Any, how: str) -> int:
    return int(sign_ins.update(ended_at=timezone.now(), ended_how=how))


def previous_sign_in(user: User, session: MutableMapping[str, Any]) -> SignIn | None:
    """The session before this one, to be told of when somebody comes in."""
    return SignIn.objects.filter(user_id=user.pk).exclude(pk=session.get(_SESSION, 0)).order_by("-pk").first()


def own_sessions(*, by: User, session: MutableMapping[str, Any]) -> list[SignIn]:
    """The open sessions of one's own account, and those of the last 30 days; ``here`` marks the present one."""
    since = timezone.now() - timedelta(days=30)
    found = list(SignIn.objects.filter(user_id=by.pk, begun_at__gte=since)[:50])
    for one in found:
        one.here = one.pk == session.get(_SESSION)  # type: ignore[attr-defined]
    return found


@transaction.atomic
def end_sessions(user: User, *, by: User, but: MutableMapping[str, Any] | None = None) -> int:
    """End every open session of an account; one's own but for the present one, whose mapping is given."""
    found = SignIn.objects.filter(user_id=user.pk, ended_at=None)
    if but is not None:
        found = found.exclude(pk=but.get(_SESSION, 0))
    ended = _end(found, "ended")
    record(
        by=by,
        act="end_sessions",
        subject=f"user:{user.username}",
        region_code=user.region_code,
        detail={"ended": ended},
    )
    return ended


def came_by_sign_on(session: MutableMapping[str, Any]) -> bool:
    """Whether the government's sign-on opened the session, and not a password."""
    return bool(session.get(_SIGN_ON))


def note_sign_on(session: MutableMapping[str, Any]) -> None:
    """Note in the session that the government's sign-on opened it."""
    session[_SIGN_ON] = True


def note_sign_in(user: User, *, address: str, session: MutableMapping[str, Any]) -> None:
    """Put a sign-in at the workbench into the log."""
    record(
        by=user,
        act="sign_in",
        subject=f"user:{user.username}",
        region_code=user.region_code,
        detail={"address": address} | ({"way": _SIGN_ON} if came_by_sign_on(session) else {}),
    )


@transaction.atomic
def end_this(session: MutableMapping[str, Any]) -> None:
    """The person signs out."""
    _end(SignIn.objects.filter(pk=session.get(_SESSION, 0), ended_at=None), "signed_out")


def drop_expired_sessions() -> int:
    """Remove what is kept of sessions that are over; their sign-ins stay in the account's list."""
    gone, _what = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return gone
