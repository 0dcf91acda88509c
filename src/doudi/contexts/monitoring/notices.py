"""Words to people: inside the workbench to an account, and out of the house to a gateway (站内消息、外发消息).

Both are written in the transaction of the act they tell of, so that they stand or fall with it; both carry a key, so
that the same matter is told once. What goes out is tried by the worker, with growing pauses, and never dropped.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, users_of
from doudi.contexts.monitoring.models import Notice, Outgoing, Push
from doudi.engine.errors import DoudiError

PAUSES = (1, 2, 5, 10, 30, 60, 120, 240, 480, 720)
"""Minutes before each further try; the last one is repeated."""
MOST_TRIES = 30
"""After so many tries, about a fortnight, a person decides whether it is tried again."""
LEASE = timedelta(minutes=5)
"""How long a worker that took a push has to say what became of it before another may take it."""
SECONDS = 10
"""How long the gateway may take to answer."""
Send = Callable[[Push], None]


class PushFailed(DoudiError):
    """The gateway did not take a message."""

    code = "push_failed"


@dataclass(frozen=True)
class Word:
    """What is told, in both languages, and the page it leads to."""

    kind: str
    zh: str
    en: str
    link: str = ""


def tell(accounts: Iterable[User], word: Word, *, key: str) -> int:
    """Tell each account once; gives how many had not been told. The caller holds the transaction."""
    names = sorted({account.username for account in accounts})
    told = set(Notice.objects.filter(key=key, account__in=names).values_list("account", flat=True))
    fresh = [
        Notice(account=name, key=key, kind=word.kind, text=word.zh, text_en=word.en, link=word.link)
        for name in names
        if name not in told
    ]
    Notice.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def send_out(word: Word, *, key: str, region_code: str, to: Iterable[User], **facts: Any) -> None:
    """Put a message into the outbox, where a gateway is declared (``DOUDI_PUSH_URL``); the caller holds the transaction."""
    if not settings.PUSH_URL:
        return
    Push.objects.get_or_create(
        key=key,
        defaults={
            "kind": word.kind,
            "region_code": region_code,
            "body": {
                "key": key,
                "kind": word.kind,
                "text": word.zh,
                "text_en": word.en,
                "accounts": sorted({account.username for account in to}),
                **facts,
            },
            "next_at": timezone.now(),
        },
    )


def people(role: Role, region_code: str) -> list[User]:
    """The active accounts of a role that answer for an area."""
    return list(users_of(region_code, role))


# ---- a person's own notices --------------------------------------------------------------------------------------


def notices(*, by: User, unread: bool = False) -> Any:
    """The account's own notices, newest first."""
    found = Notice.objects.all().of(by)
    return found.unread() if unread else found


def unread_count(by: User) -> int:
    """How many notices the account has not read, up to 100."""
    return len(Notice.objects.all().of(by).unread().values_list("pk", flat=True)[:100])


@transaction.atomic
def read_notices(numbers: Iterable[int] | None, *, by: User) -> int:
    """Mark own notices as read; None marks all."""
    mine = Notice.objects.all().of(by).unread()
    if numbers is not None:
        mine = mine.filter(pk__in=list(numbers))
    return mine.update(read_at=timezone.now())


# ---- the outbox --------------------------------------------------------------------------------------------------


def outbox(*, by: User, status: str = "") -> Any:
    """Messages on their way out, of the account's area, newest first."""
    require(by, Act.VIEW_OUTBOX)
    found = Push.objects.filter(region_code__startswith=by.region_code)
    return found.filter(status=status) if status else found


@transaction.atomic
def send_again(number: int, *, by: User) -> Push:
    """Let a message that waits or was given up be tried at once (重新发送)."""
    require(by, Act.VIEW_OUTBOX)
    push = Push.objects.filter(pk=number, region_code__startswith=by.region_code).first()
    if push is None:
        raise DoudiError("没有找到这条外发消息。", "No such message.", code="push_not_found")
    release(push)
    record(by=by, act="send_again", subject=f"push:{push.pk}", region_code=push.region_code)
    push.refresh_from_db()
    return push


def release(out: Outgoing) -> None:
    """Let something that waits or was given up be tried at once; the caller has settled who may."""
    if out.status == Outgoing.Status.SENT:
        raise DoudiError("这条消息已送达，不再发送。", "The message has arrived already.", code="push_sent")
    rows = type(out)._default_manager.filter(pk=out.pk).exclude(status=Outgoing.Status.SENT)
    rows.update(status=Outgoing.Status.WAITING, tries=0, next_at=timezone.now())


def deliver(*, now: datetime | None = None, send: Send | None = None, most: int = 200) -> dict[str, int]:
    """Try what is ready in the outbox; gives how many were sent, failed and given up."""
    send = send or _post
    now = now or timezone.now()
    counts = {"sent": 0, "failed": 0, "given_up": 0}
    for push in list(Push.objects.all().ready(now).order_by("next_at")[:most]):
        came = attempt(push, send, now=now)
        if came:
            counts[came] += 1
    return counts


def attempt(out: Outgoing, send: Callable[[Any], None], *, now: datetime) -> str:
    """Try one thing on its way out: ``sent``, ``failed``, ``given_up``, or '' where another worker has it.

    It is claimed by moving its next try beyond the lease, so that two workers never try one at once, and a worker that
    is killed leaves it to be tried again with the same key.
    """
    rows = type(out)._default_manager
    claimed = rows.filter(
        pk=out.pk, status=Outgoing.Status.WAITING, next_at=out.next_at, tries=out.tries
    ).update(next_at=now + LEASE, tries=out.tries + 1)
    if not claimed:
        return ""
    tries = out.tries + 1
    try:
        send(out)
    except Exception as problem:
        gave_up = tries >= MOST_TRIES
        rows.filter(pk=out.pk, tries=tries).update(
            status=Outgoing.Status.GIVEN_UP if gave_up else Outgoing.Status.WAITING,
            next_at=now + timedelta(minutes=PAUSES[min(tries, len(PAUSES)) - 1]),
            last_error=f"{type(problem).__name__}: {problem}"[:300],
        )
        return "given_up" if gave_up else "failed"
    rows.filter(pk=out.pk).update(status=Outgoing.Status.SENT, sent_at=timezone.now(), last_error="")
    return "sent"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for the declared gateway: an answer that points elsewhere is a failure."""

    def redirect_request(self, *_arguments: Any, **_named: Any) -> None:
        return None


def _post(push: Push) -> None:
    """One HTTP POST of JSON; the gateway knows a repeated one by ``Idempotency-Key``."""
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": push.key.encode("ascii", "replace").decode(),
    }
    if settings.PUSH_TOKEN:
        headers["Authorization"] = f"Bearer {settings.PUSH_TOKEN}"
    request = urllib.request.Request(  # noqa: S310 — the address is the deployer's setting, http(s) only
        settings.PUSH_URL,
        data=json.dumps(push.body, ensure_ascii=False).encode(),
        headers=headers,
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as problem:
        status = problem.code
    if not 200 <= status < 300:
        raise PushFailed(f"网关答复 {status}", f"the gateway answered {status}")
