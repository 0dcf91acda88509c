"""异地协查: two houses on the loopback, each with its own process, state folder, accounts and keys."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from doudi.contexts.verification import services as verification
from doudi.contexts.verification.connectors import SourceLied, peers
from doudi.contexts.verification.connectors.calling import call
from doudi.contexts.verification.entrusting import PATH
from doudi.contexts.verification.models import EntrustedCheck, Query
from doudi.contexts.verification.services import PersonAsked, StepRefused, Unauthorised
from doudi.engine.status import Status
from doudi.engine.verification import State
from doudi.house.paths import home
from tests.contexts.verification.desk import answer_all, feed_file, started
from tests.small_county import LI_LI, WANG_QIANG, ZHANG_WEI

SECRET = "secret-of-two-houses-2024"
PEER = "gz-a-and-sn-b"
SAVED = {
    "name": "张伟", "id_number": ZHANG_WEI, "institution": "西安某银行", "balance": "40000.00", "balance_on": "2024-11-01",
}  # fmt: skip


class SecondHouse:
    """The other county's doudi, served by its own process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("DOUDI_", "DJANGO_"))
            },
            "DOUDI_HOME": str(folder),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.token = self.do("setup", PEER, SECRET)["token"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from doudi.cli import main; main()", "serve", "--port", str(self.port)],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._wait()

    def do(self, *arguments: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("second_house.py")), *arguments],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def _wait(self) -> None:
        # on a machine that much else runs on, a server takes its time to start
        ends = time.monotonic() + 600
        while time.monotonic() < ends:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=10):
                    return
            except OSError:
                assert self.process.poll() is None, "the second house did not start"
                time.sleep(0.1)
        raise AssertionError("the second house does not answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    house = SecondHouse(tmp_path_factory.mktemp("second") / "home")
    yield house
    house.stop()


def know(port: int, token: str = "none", secret: str = SECRET) -> None:
    """Write the other house into this one's connection data."""
    verification.keep_secret("peer-b", secret)
    os.environ["TEST_PEER_TOKEN"] = token
    (home().root / "connectors.yaml").write_text(
        f"peers:\n  xian: {{label: 西安核对中心, regions: ['6101'], address: 'http://127.0.0.1:{port}/', "
        f"key: {PEER}, algorithm: HMAC-SM3, secret: {{sealed: peer-b}}, token: {{env: TEST_PEER_TOKEN}}}}\n",
        encoding="utf-8",
    )


@pytest.fixture
def carry(rules, pack, verifier):
    def carry_(check):
        EntrustedCheck.objects.filter(pk=check.pk).update(next_try_at=None)
        return verification.carry_entrusted(check.number, rules=rules, specs=pack.feeds, by=verifier)

    return carry_


@pytest.mark.slow
def test_savings_in_another_province_come_into_the_report(
    second, opened, sign, clerk, verifier, rules, pack, tmp_path, carry
):
    know(second.port, second.token)
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier)
    request.refresh_from_db()
    assert request.state == State.COMPARING

    # entrusted: what was whole is not whole any more
    check = verification.entrust(request.number, peer="xian", sources=["deposit"], rules=rules, by=verifier)
    assert (
        verification.entrust(request.number, peer="xian", sources=["deposit"], rules=rules, by=verifier)
        == check
    )
    request.refresh_from_db()
    assert request.state == State.PARTIAL
    check = carry(check)
    assert check.state == EntrustedCheck.State.RECEIVED
    assert check.receipt.startswith("HD")

    # delivered twice, as after a lost answer: one request there, the same receipt
    receipt = check.receipt
    EntrustedCheck.objects.update(state=EntrustedCheck.State.SENDING, receipt="")
    assert carry(check).receipt == receipt

    # nothing yet: it stays open, and the report says overdue
    assert carry(check).state == EntrustedCheck.State.RECEIVED
    EntrustedCheck.objects.update(due_on=timezone.localdate() - timedelta(days=1))
    assert [late.number for late in verification.overdue_entrusted(by=verifier)] == [check.number]
    verification.close_queries(request.number, by=verifier)
    first = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    content = json.loads(first.content)
    assert first.partial
    assert content["recorded"]["entrusted"][0]["overdue"]
    assert content["computed"]["situation"]["missing"]["deposit"] == "not_arrived"
    elsewhere = content["computed"]["sources"][-1]
    assert (elsewhere["label"], elsewhere["people"][0]["label"]) == ("银行（异地：西安核对中心）", "未到")

    # their verifier asks their bank; the late answer leads to a second report
    done = second.do("work", receipt, "deposit", str(feed_file(pack, tmp_path, "deposit", [SAVED])))
    assert done["asked"] == 2 and done["answered"] == 2
    assert carry(check).state == EntrustedCheck.State.ANSWERED
    request.refresh_from_db()
    assert request.state == State.REVIEWING
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    assert not report.partial
    assert report.advice == "不符合"
    assert any("40,000元" in reason for reason in json.loads(report.content)["computed"]["advice"]["reasons"])
    assert verification.check_report(report, pack=pack, rules=rules).equal
    assert verification.check_report(first, pack=pack, rules=rules).equal


@pytest.mark.slow
def test_a_withdrawal_reaches_the_other_house(second, opened, sign, clerk, verifier, rules, carry):
    know(second.port, second.token)
    request = opened(people=[PersonAsked("王强", WANG_QIANG, "户主"), PersonAsked("李丽", LI_LI, "配偶")])
    verification.accept_request(request.number, rules=rules, by=clerk)
    given = sign("王强", WANG_QIANG)
    verification.start_queries(request.number, rules=rules, by=verifier)
    check = carry(
        verification.entrust(request.number, peer="xian", sources=["deposit"], rules=rules, by=verifier)
    )
    elsewhere = dict(request.queries.filter(place="xian").values_list("person__name", "status"))
    assert elsewhere == {"王强": Status.NOT_ARRIVED, "李丽": Status.UNAUTHORISED}

    verification.withdraw_authorisation(given.number, why="本人要求撤回", by=clerk)
    check = carry(check)
    assert check.withdrawn == [1]
    told = second.do("work", check.receipt, "deposit", "-")
    assert told == {"asked": 0, "standing": 0, "unauthorised": 1, "answered": 0}
    assert set(request.queries.filter(place="xian").values_list("status", flat=True)) == {Status.UNAUTHORISED}


@pytest.mark.slow
def test_the_other_house_lets_in_nobody_unsigned_twice_or_under_another_key(second, clerk, verifier):
    know(second.port, second.token, secret="another-secret-altogether")
    with pytest.raises(SourceLied) as refused:
        call(peers()["xian"].connection, "GET", f"{PATH}/XC20241115-0", token=second.token)
    assert refused.value.code == "signature_refused_there"
    know(second.port, second.token)
    with pytest.raises(SourceLied, match="401"):
        call(peers()["xian"].connection, "GET", f"{PATH}/XC20241115-0", token="doudi_0000000000_" + "x" * 43)
    # signed and with a key, and still nothing of anybody else's
    with pytest.raises(SourceLied, match="404"):
        call(peers()["xian"].connection, "GET", f"{PATH}/XC20241115-0", token=second.token)


def test_nobody_is_entrusted_without_an_authorisation(opened, clerk, verifier, rules):
    know(9)
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    with pytest.raises(Unauthorised):
        verification.entrust(request.number, peer="xian", sources=["deposit"], rules=rules, by=verifier)
    assert not Query.objects.exists()
    assert not EntrustedCheck.objects.exists()


def test_an_authorisation_that_ran_out_stops_the_check_at_the_gate(
    opened, sign, clerk, verifier, rules, carry
):
    know(9)  # nobody listens there: a call would be a failure and not a stop
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    given = sign("张伟", ZHANG_WEI)
    check = verification.entrust(request.number, peer="xian", sources=["deposit"], rules=rules, by=verifier)
    type(given).objects.filter(pk=given.pk).update(valid_to=date(2020, 1, 1))
    check = carry(check)
    assert (check.state, check.problem) == (EntrustedCheck.State.REFUSED, "授权已失效，没有发出")
    assert set(request.queries.values_list("status", flat=True)) == {Status.UNAUTHORISED}


def test_a_house_that_cannot_be_reached_is_tried_again(opened, sign, clerk, verifier, rules, carry, pack):
    know(9)
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    sign("李丽", LI_LI)
    check = carry(
        verification.entrust(request.number, peer="xian", sources=["deposit"], rules=rules, by=verifier)
    )
    assert check.state == EntrustedCheck.State.SENDING
    assert "连不上" in check.problem
    assert check.next_try_at > timezone.now()
    assert not verification.entrusted_due().exists()
    with pytest.raises(StepRefused, match="已委托"):
        verification.entrust(
            request.number, peer="xian", sources=["deposit", "vehicle"], rules=rules, by=verifier
        )


@pytest.mark.parametrize("role", ["county", "township", "director", "auditor", "admin"])
def test_no_other_role_entrusts(role, opened, clerk, make_user, rules):
    know(9)
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    with pytest.raises(Exception, match="无权"):
        verification.entrust(
            request.number,
            peer="xian",
            sources=["deposit"],
            rules=rules,
            by=make_user(f"some_{role}", role, "520102"),
        )
