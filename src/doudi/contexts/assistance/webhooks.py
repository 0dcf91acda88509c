"""Events for departments with systems of their own, as CloudEvents 1.0 (部门接口推送).

An event is written in the transaction of the act it tells of and sent by the worker until it arrived, each time with the
same id. It names the referral and where to ask for it; who the person is, the department's system asks by its own key.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.models import Referral
from doudi.contexts.assistance.webhook_models import WebhookDelivery, WebhookEvent, WebhookSubscription
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling
from doudi.house import outward, signing

TYPES = {
    "cn.doudi.referral.sent": "需求推送或转办",
    "cn.doudi.referral.accepted": "部门已接收",
    "cn.doudi.referral.answered": "部门已反馈",
    "cn.doudi.referral.returned": "部门已退回",
}
TRIAL = "cn.doudi.trial"
"""An event without a matter, to try a subscription with."""
MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
SECONDS = 10
MOST = 64 << 10
"""Bytes of an answer; it is not kept."""


class WebhookNotFound(DoudiError):
    """No such subscription or delivery for the asker."""

    code = "webhook_not_found"


# ---- subscriptions --------------------------------------------------------------------------------------------------


def webhooks(*, by: User) -> QuerySet[WebhookSubscription]:
    """Subscriptions of the asker's area; a department sees its own."""
    return WebhookSubscription.objects.visible_to(by, require(by, Act.VIEW_WEBHOOKS))


@transaction.atomic
def subscribe(
    *, department: str, url: str, types: Iterable[str], algorithm: str, handling: Handling, by: User
) -> tuple[WebhookSubscription, str]:
    """Let a department's events go to an address; gives the signing secret, which is told once.

    The deployer declares which hosts may be called (``DOUDI_WEBHOOK_HOSTS``): an officer cannot make this machine call
    any other.
    """
    require(by, Act.KEEP_WEBHOOKS)
    take_turn()
    wanted = sorted(set(types))
    if department not in handling.departments:
        raise StepRefused(
            f"请选择部门：{'、'.join(handling.departments)}。",
            f"Choose a department: {', '.join(handling.departments)}.",
        )
    if not wanted or set(wanted) - set(TYPES):
        raise StepRefused("请选择要推送的事件。", f"Choose events: {', '.join(TYPES)}.")
    if algorithm not in signing.ALGORITHMS:
        raise StepRefused("请选择签名算法。", f"Choose an algorithm: {', '.join(signing.ALGORITHMS)}.")
    _require_callable(url)
    if webhooks(by=by).filter(active=True, department=department, url=url).exists():
        raise StepRefused(
            "这个部门已经订阅到这个地址。要改事件，请先停用原来的订阅。",
            "This department is subscribed to that address already; end that one first.",
            code="webhook_twice",
        )
    secret = secrets.token_urlsafe(32)
    area = by.region_code[:6]
    made = WebhookSubscription.objects.create(
        number=f"DY{area}-{WebhookSubscription.objects.filter(region_code=area).count() + 1:03d}",
        region_code=area,
        department=department,
        url=url,
        secret=secret,
        algorithm=algorithm,
        types=wanted,
        made_by=by.username,
    )
    _log(made, by, "subscribe", host=urlsplit(url).hostname, types=wanted)
    return made, secret


def _require_callable(url: str) -> None:
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= 500
    whole = parts.scheme in ("http", "https") and parts.hostname and port and "@" not in parts.netloc
    if not plain or not whole or parts.fragment or parts.hostname is None:
        raise StepRefused(
            "接收地址须是 http(s):// 开头的完整网址，不带账号密码。",
            "The address is a whole http(s) URL without credentials.",
        )
    if parts.hostname not in settings.WEBHOOK_HOSTS:
        raise StepRefused(
            f"主机 {parts.hostname} 没有声明为可以推送。请部署人员写入 DOUDI_WEBHOOK_HOSTS。",
            f"Host {parts.hostname} is not declared in DOUDI_WEBHOOK_HOSTS; ask who runs this server.",
            code="webhook_host",
        )
    try:
        outward.judged_address("接收地址", parts.hostname, port)
    except OSError:
        raise StepRefused(
            f"找不到主机 {parts.hostname}。", f"Host {parts.hostname} is not known.", code="webhook_host"
        ) from None


@transaction.atomic
def renew_secret(number: str, *, by: User) -> str:
    """Give a subscription another secret; the old one signs nothing from now on."""
    found = _kept(number, by)
    secret = secrets.token_urlsafe(32)
    found.secret = secret
    found.save(update_fields=["secret"])
    _log(found, by, "renew_secret")
    return secret


@transaction.atomic
def end_webhook(number: str, *, by: User) -> WebhookSubscription:
    """End a subscription (停用); what still waits for it is not sent any more and stays readable."""
    found = _kept(number, by)
    found.active, found.ended_by, found.ended_at = False, by.username, timezone.now()
    found.save(update_fields=["active", "ended_by", "ended_at"])
    found.deliveries.filter(status=WebhookDelivery.Status.WAITING).update(
        status=WebhookDelivery.Status.GIVEN_UP, last_error="订阅已停用"
    )
    _log(found, by, "end")
    return found


@transaction.atomic
def try_webhook(number: str, *, by: User) -> WebhookDelivery:
    """Send a subscription an event without a matter, to try it (试推)."""
    found = _kept(number, by)
    event = _event(TRIAL, found.region_code, found.number, {"subscription": found.number})
    _log(found, by, "try")
    return WebhookDelivery.objects.create(event=event, subscription=found, next_at=timezone.now())


def _kept(number: str, by: User) -> WebhookSubscription:
    require(by, Act.KEEP_WEBHOOKS)
    take_turn()
    found = webhooks(by=by).filter(number=number, active=True).first()
    if found is None:
        raise WebhookNotFound(f"没有在用的订阅 {number}。", f"No active subscription {number}.")
    return found


def _log(found: WebhookSubscription, by: User, step: str, **more: Any) -> None:
    record(
        by=by,
        act=Act.KEEP_WEBHOOKS,
        subject=f"webhook:{found.number}",
        region_code=found.region_code,
        detail={"step": step, "department": found.department, **more},
    )


# ---- events ---------------------------------------------------------------------------------------------------------


def emit(referral: Referral) -> None:
    """Write the event of a referral's present state for who wants it; the caller holds the transaction."""
    kind = f"cn.doudi.referral.{referral.status}"
    wanting = [
        one
        for one in WebhookSubscription.objects.filter(active=True, department=referral.department)
        if kind in one.types and referral.region_code.startswith(one.region_code)
    ]
    if not wanting:
        return
    event = _event(
        kind,
        referral.region_code,
        referral.number,
        {
            "referral": referral.number,
            "department": referral.department,
            "status": referral.status,
            "due_on": referral.due_on.isoformat(),
            "href": f"/api/v1/referrals/{quote(referral.number)}",
        },
    )
    now = timezone.now()
    WebhookDelivery.objects.bulk_create(
        [WebhookDelivery(event=event, subscription=one, next_at=now) for one in wanting]
    )


def _event(kind: str, region_code: str, subject: str, data: dict[str, Any]) -> WebhookEvent:
    return WebhookEvent.objects.create(
        event_id=uuid.uuid4(),
        type=kind,
        region_code=region_code,
        subject=subject,
        data=data,
        at=timezone.now(),
    )


def cloud_event(event: WebhookEvent) -> dict[str, Any]:
    """An event in the JSON format of CloudEvents 1.0, structured mode."""
    return {
        "specversion": "1.0",
        "id": str(event.event_id),
        "source": f"/doudi/{event.region_code[:6]}",
        "type": event.type,
        "subject": quote(event.subject),
        "time": event.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": event.data,
    }


# ---- out of the house -----------------------------------------------------------------------------------------------


def deliver_events(
    *, now: datetime | None = None, send: Callable[[WebhookDelivery], None] | None = None, most: int = 200
) -> int:
    """Send what is ready, in its order; a receiver that fails is left alone until its pause is over. Gives how many arrived."""
    now = now or timezone.now()
    failing: set[int] = set()
    arrived = 0
    ready = WebhookDelivery.objects.all().ready(now).select_related("event", "subscription")
    for one in list(ready.order_by("pk")[:most]):
        if one.subscription_id in failing:
            continue
        came = monitoring.attempt(one, send or _post, now=now)
        if came == "sent":
            arrived += 1
        elif came:
            failing.add(one.subscription_id)
    return arrived


def _post(one: WebhookDelivery) -> None:
    """One signed POST; only an answer of 2xx says that it arrived."""
    to = one.subscription
    parts = urlsplit(to.url)
    if parts.hostname not in settings.WEBHOOK_HOSTS:
        raise monitoring.PushFailed(
            f"主机 {parts.hostname} 不再声明为可以推送", f"host {parts.hostname} is not declared any more"
        )
    body = json.dumps(cloud_event(one.event), ensure_ascii=False).encode()
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = signing.sign("POST", target, body, key=to.number, secret=to.secret, algorithm=to.algorithm) | {
        "Content-Type": MEDIA_TYPE,
        "User-Agent": "doudi",
    }
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        answer = outward.exchange(
            to.url, "POST", target, body, headers, name=to.number, seconds=SECONDS, most=MOST, tls=tls
        )
    except (OSError, http.client.HTTPException) as problem:
        raise monitoring.PushFailed(
            f"连不上（{type(problem).__name__}）", f"cannot be reached ({type(problem).__name__})"
        ) from None
    if not 200 <= answer.status < 300:
        raise monitoring.PushFailed(f"对方答复 {answer.status}", f"answered {answer.status}")


def deliveries(*, by: User, status: str = "") -> QuerySet[WebhookDelivery]:
    """Events on their way to the asker's subscriptions, newest first; ``given_up`` are those that wait for a person."""
    mine = webhooks(by=by).values("pk")
    found = WebhookDelivery.objects.filter(subscription__in=mine).select_related("event", "subscription")
    return found.filter(Q(status=status)) if status else found.all()


@transaction.atomic
def deliver_again(pk: int, *, by: User) -> WebhookDelivery:
    """Let an event that waits or was given up be tried at once (重新推送)."""
    require(by, Act.KEEP_WEBHOOKS)
    found = deliveries(by=by).filter(pk=pk, subscription__active=True).first()
    if found is None:
        raise WebhookNotFound("没有这条推送，或订阅已停用。", "No such event, or its subscription has ended.")
    monitoring.release(found)
    _log(found.subscription, by, "again", event=str(found.event.event_id))
    found.refresh_from_db()
    return found
