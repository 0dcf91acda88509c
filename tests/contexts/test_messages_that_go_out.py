"""Messages on their way out: kept with the act, tried with growing pauses, sent once, never lost."""

from __future__ import annotations

import http.server
import json
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.monitoring import notices
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.models import Push
from doudi.engine.errors import DoudiError
from tests import small_county as sc
from tests.cast import assemble

pytestmark = pytest.mark.django_db


class Gateway(http.server.BaseHTTPRequestHandler):
    """A gateway that refuses as often as it is told to, and keeps what it took by its key."""

    refuse = 0
    taken: dict[str, dict] = {}
    asked = 0

    def do_POST(self):
        type(self).asked += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).refuse:
            type(self).refuse -= 1
            self.send_response(503)
        else:
            assert self.headers["Authorization"] == "Bearer secret-token"
            type(self).taken[self.headers["Idempotency-Key"]] = json.loads(body)
            self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def gateway(settings):
    Gateway.refuse, Gateway.taken, Gateway.asked = 0, {}, 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.PUSH_URL = f"http://127.0.0.1:{server.server_port}/send"
    settings.PUSH_TOKEN = "secret-token"
    yield Gateway
    server.shutdown()


@pytest.fixture
def cast(county):
    return assemble()


def dispatched(cast) -> str:
    number = monitoring.household_warnings("H002", by=cast.county).first().number
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=cast.county)
    return number


def test_nothing_goes_out_where_no_gateway_is_declared(cast):
    dispatched(cast)

    assert not Push.objects.exists()
    assert monitoring.unread_count(cast.township) == 1


def test_a_gateway_that_is_down_gets_it_later_and_once(cast, gateway):
    gateway.refuse = 3
    number = dispatched(cast)
    now = timezone.now()
    pauses = []

    for _ in range(3):
        assert monitoring.deliver(now=now)["failed"] == 1
        push = Push.objects.get()
        assert "503" in push.last_error
        assert monitoring.deliver(now=now)["failed"] == 0, "not before its time"
        pauses.append(push.next_at - now)
        now = push.next_at
    assert monitoring.deliver(now=now) == {"sent": 1, "failed": 0, "given_up": 0}
    assert monitoring.deliver(now=now + timedelta(days=1))["sent"] == 0

    assert pauses == sorted(pauses) and len(set(pauses)) == 3
    told = gateway.taken[push.key]
    assert (told["warning"], told["accounts"]) == (number, ["township"])
    assert "王强" not in json.dumps(told, ensure_ascii=False)


def test_a_worker_killed_between_sending_and_writing_sends_again_with_the_same_key(cast, gateway):
    dispatched(cast)
    now = timezone.now()

    def killed(push):
        notices._post(push)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monitoring.deliver(now=now, send=killed)
    assert Push.objects.get().status == "waiting"
    assert monitoring.deliver(now=now)["sent"] == 0, "another worker leaves it until the lease is over"

    assert monitoring.deliver(now=now + notices.LEASE)["sent"] == 1
    assert gateway.asked == 2 and len(gateway.taken) == 1


def test_an_act_that_fails_leaves_no_message(cast, gateway):
    number = monitoring.household_warnings("H002", by=cast.county).first().number

    with pytest.raises(DoudiError):
        chain.dispatch(number, to="999999999", by=cast.county)

    assert not Push.objects.exists()


def test_one_that_was_given_up_is_shown_and_can_be_sent_again(cast, gateway):
    dispatched(cast)
    Push.objects.update(tries=notices.MOST_TRIES - 1)
    gateway.refuse = 1
    assert monitoring.deliver(now=timezone.now())["given_up"] == 1

    shown = monitoring.outbox(by=cast.county, status="given_up").get()
    monitoring.send_again(shown.pk, by=cast.county)

    assert monitoring.deliver(now=timezone.now())["sent"] == 1
    with pytest.raises(DoudiError):
        monitoring.outbox(by=cast.township)
    assert not monitoring.outbox(by=cast.stranger).exists()


def test_notices_are_the_accounts_own(cast):
    dispatched(cast)

    assert monitoring.notices(by=cast.other_township).count() == 0
    assert monitoring.read_notices(None, by=cast.other_township) == 0
    assert monitoring.read_notices(None, by=cast.township) == 1
    assert monitoring.unread_count(cast.township) == 0
