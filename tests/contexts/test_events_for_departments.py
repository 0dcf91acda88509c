"""A department's own system hears of its referrals: CloudEvents 1.0, signed, each at least once, with the same id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance import webhooks
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.models import Referral
from doudi.contexts.assistance.webhook_models import WebhookDelivery, WebhookEvent
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.house import signing
from tests import small_county as sc
from tests.cast import DEPARTMENT, Cast, assemble

RECEIVER = Path(__file__).with_name("webhook_receiver.py")
SENT = "cn.doudi.referral.sent"


@pytest.fixture
def cast(county: Path, settings: Any) -> Cast:
    settings.WEBHOOK_HOSTS = frozenset({"127.0.0.1"})
    return assemble()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Receiver:
    """A department's own system: a process of its own that writes down every event it answered, and may be killed."""

    def __init__(self, port: int, book: Path) -> None:
        self.port, self.book = port, book
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, dies_after: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(RECEIVER), str(self.port), str(self.book), str(dies_after)]
        )
        for _ in range(400):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("the receiver did not start")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def heard(self) -> list[dict[str, Any]]:
        return (
            [json.loads(line) for line in self.book.read_text("utf-8").splitlines()]
            if self.book.exists()
            else []
        )


@pytest.fixture
def receiver(port: int, tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(port, tmp_path / "heard.jsonl")
    yield made
    made.stop()


def subscribed(cast: Cast, port: int, **more: Any) -> tuple[Any, str]:
    told = {
        "department": DEPARTMENT, "url": f"http://127.0.0.1:{port}/hook?from=doudi", "types": list(webhooks.TYPES),
        "algorithm": "HMAC-SHA256", "by": cast.county,
    }  # fmt: skip
    return chain.subscribe_webhook(**{**told, **more})


def pushed(cast: Cast, number: int, department: str = DEPARTMENT) -> Referral:
    return assistance.send_referral(
        warning_number=f"YJ-{number}",
        household=registry.household("H002", by=cast.county),
        region_code=sc.TOWNSHIP_A,
        department=department,
        need="医疗救助核报",
        by=cast.township,
        handling=chain.rules()[1],
    )


def test_every_event_arrives_though_the_receiver_is_killed_half_way(
    cast: Cast, receiver: Receiver, port: int
) -> None:
    subscription, secret = subscribed(cast, port)
    sent = [pushed(cast, number) for number in range(8)]
    receiver.start(dies_after=4)

    assert webhooks.deliver_events() == 3, "the fourth was heard, but the receiver died before it answered"
    receiver.stop()
    later = timezone.now() + timedelta(minutes=2)
    assert webhooks.deliver_events(now=later) == 0, "nobody is there"
    receiver.start()
    assert webhooks.deliver_events(now=later + timedelta(minutes=30)) == 5

    heard = receiver.heard()
    events = [json.loads(one["body"]) for one in heard]
    assert {event["data"]["referral"] for event in events} == {one.number for one in sent}
    assert len(events) == 9 and len({event["id"] for event in events}) == 8, "one twice, with the same id"
    assert not WebhookDelivery.objects.exclude(status="sent").exists()
    for one, event in zip(heard, events, strict=True):
        assert one["headers"]["Content-Type"].startswith("application/cloudevents+json")
        signing.check("POST", one["path"], one["body"].encode(), one["headers"], secret=secret, now=one["at"])
        assert one["headers"][signing.KEY] == subscription.number
        assert (event["specversion"], event["type"], event["source"]) == ("1.0", SENT, "/doudi/520102")
        uuid.UUID(event["id"])
        assert event["time"].endswith("Z") and datetime.fromisoformat(event["time"])
        # no person in it: number and address are enough to ask by key
        assert not any(text in one["body"] for text in ("王强", sc.WANG_QIANG, "医疗救助核报"))


def test_an_event_stands_and_falls_with_its_act(cast: Cast, port: int) -> None:
    subscribed(cast, port)
    with suppress(RuntimeError), transaction.atomic():
        pushed(cast, 1)
        raise RuntimeError
    assert not WebhookEvent.objects.exists()

    number = pushed(cast, 2).number
    pushed(cast, 3, department="教育")
    chain_free = (assistance.accept_referral, assistance.answer_referral)
    chain_free[0](number, by=cast.department)
    chain_free[1](number, result="solved", answer="已按规定报销", by=cast.department)

    kinds = list(WebhookEvent.objects.filter(subject=number).values_list("type", flat=True))
    assert kinds == [SENT, "cn.doudi.referral.accepted", "cn.doudi.referral.answered"]
    assert WebhookEvent.objects.count() == 3, "the other department has no subscription"


def test_only_declared_hosts_are_called_and_only_whole_addresses(
    cast: Cast, port: int, settings: Any
) -> None:
    for url in (
        "http://169.254.169.254/latest/meta-data", "https://example.org/hook", "ftp://127.0.0.1/x", "127.0.0.1",
        "http://user:pw@127.0.0.1/", "http://127.0.0.1:99999/", "http://127.0.0.1/#x", "http://127.0.0.1/a b",
    ):  # fmt: skip
        with pytest.raises(StepRefused):
            subscribed(cast, port, url=url)
    settings.WEBHOOK_HOSTS = frozenset({"169.254.169.254"})
    with pytest.raises(DoudiError) as refused:
        subscribed(cast, port, url="http://169.254.169.254/latest/meta-data")
    assert refused.value.code == "address_refused"
    settings.WEBHOOK_HOSTS = frozenset({"127.0.0.1"})
    made, _secret = subscribed(cast, port)
    with pytest.raises(StepRefused):
        subscribed(cast, port)
    pushed(cast, 1)
    settings.WEBHOOK_HOSTS = frozenset()
    assert webhooks.deliver_events() == 0
    assert "不再声明" in WebhookDelivery.objects.get(subscription=made).last_error


def test_what_was_given_up_waits_for_a_person(cast: Cast, port: int) -> None:
    made, secret = subscribed(cast, port, algorithm="HMAC-SM3")
    pushed(cast, 1)
    now = timezone.now()

    def refuse(_one: Any) -> None:
        raise monitoring.PushFailed("对方答复 500", "answered 500")

    for day in range(40):
        webhooks.deliver_events(now=now + timedelta(days=day), send=refuse)
    (dead,) = webhooks.deliveries(by=cast.county, status="given_up")
    assert dead.tries == 30 and "500" in dead.last_error
    assert list(webhooks.deliveries(by=cast.department)) == [dead], "the department sees its own"
    with pytest.raises(NotAllowed):
        webhooks.deliver_again(dead.pk, by=cast.department)
    again = webhooks.deliver_again(dead.pk, by=cast.county)
    assert (again.status, again.tries) == ("waiting", 0)

    assert webhooks.renew_secret(made.number, by=cast.county) != secret
    webhooks.try_webhook(made.number, by=cast.county)
    webhooks.end_webhook(made.number, by=cast.county)
    assert not WebhookDelivery.objects.filter(status="waiting").exists()
    with pytest.raises(webhooks.WebhookNotFound):
        webhooks.deliver_again(dead.pk, by=cast.county)
    pushed(cast, 2)
    assert WebhookEvent.objects.count() == 2, "an ended subscription gets nothing"


def test_who_may(cast: Cast, port: int) -> None:
    for person in (cast.township, cast.department, cast.auditor, cast.admin):
        with pytest.raises(NotAllowed):
            subscribed(cast, port, by=person)
    made, _secret = subscribed(cast, port)
    assert list(webhooks.webhooks(by=cast.department)) == [made]
    assert not webhooks.webhooks(by=cast.stranger).exists()
    with pytest.raises(webhooks.WebhookNotFound):
        webhooks.end_webhook(made.number, by=cast.stranger)
