"""Two hundred requests at once against a source that is slow, fails, cuts the line and lies: none lost, none doubled."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections, transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Role, create_user, system_user, verify_audit
from doudi.contexts.verification import connecting
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import Exchange, Query, Reply, SourceState
from doudi.engine.packs import load_pack
from doudi.engine.status import Status
from doudi.engine.verification import load_rules
from tests.contexts.verification.sources import AS_OF, connect, department
from tests.small_county import TOWNSHIP_A, make_id

PACK = Path(__file__).resolve().parents[2] / "packs" / "reference"
REQUESTS, WORKERS = 200, 8
PEOPLE = [make_id("19700101", serial) for serial in range(100, 100 + REQUESTS)]
ROWS = {
    number: [
        {"name": f"户主{place}", "id_number": number, "institution": "甲", "balance": f"{place}.00", "balance_on": "2024-11-01"}
    ]
    for place, number in enumerate(PEOPLE)
    if place % 2
}  # fmt: skip


@pytest.fixture
def desk(office, transactional_db):
    """Two hundred households, each signed and asked of the bank; gives the rules and two verifiers."""
    rules = load_rules(PACK)

    def make(name: str, role: Role, region: str):
        return create_user(
            username=name, password="a-long-enough-password-1", display_name=name, role=role, region_code=region, by=system_user()
        )  # fmt: skip

    clerk = make("window", Role.TOWNSHIP, TOWNSHIP_A)
    verifier = make("verifier1", Role.VERIFIER, "520102")
    with transaction.atomic():
        for place, number in enumerate(PEOPLE):
            name = f"户主{place}"
            request = verification.open_request(
                rules, kind="new", purpose="dibao", people=[verification.PersonAsked(name, number, "户主")],
                region_code=TOWNSHIP_A, urban_rural="城镇", as_of=AS_OF, requested_by="街道", by=clerk, sources=["deposit"],
            )  # fmt: skip
            verification.accept_request(request.number, rules=rules, by=clerk)
            verification.authorise(
                rules, name=name, id_number=number, region_code=TOWNSHIP_A, purposes=["dibao"], sources=["deposit"],
                signed_on=timezone.localdate(), way="paper", signer=name, evidence=b"%PDF-1.4 " + name.encode(),
                evidence_name="a.pdf", by=clerk,
            )  # fmt: skip
            verification.start_queries(request.number, rules=rules, by=verifier)
    return rules, load_pack(PACK), verifier


def work(rules, pack, verifier, monkeypatch, *, tries: str):
    """Eight workers ask until nothing is open, every call about a few people."""
    monkeypatch.setattr(connecting, "PAUSES", (0,))
    fallen: list[BaseException] = []

    def until_nothing_is_open() -> None:
        try:
            while Query.objects.filter(status=Status.NOT_ARRIVED).exists():
                verification.ask_source("deposit", rules=rules, specs=pack.feeds, by=verifier)
        except BaseException as problem:
            fallen.append(problem)
        finally:
            connections.close_all()

    thrown, lock = random.Random(20241115), threading.Lock()

    def dice() -> float:
        with lock:
            return thrown.random()

    faults = {"slow": 0.1, "fail": 0.15, "cut": 0.15, "lie": 0.3}
    with department({"deposit": ROWS}, faults=faults, slow_seconds=0.05, dice=dice) as (peer, address):
        connect(
            deposit={
                "way": "http", "address": address, "batch": "4", "per_minute": "60000", "breaker": "1000", "tries": tries,
            }
        )  # fmt: skip
        with ThreadPoolExecutor(WORKERS) as pool:
            for _worker in range(WORKERS):
                pool.submit(until_nothing_is_open)
    assert fallen == []
    return peer


@pytest.mark.slow
def test_none_is_lost_and_none_doubled(desk, monkeypatch):
    rules, pack, verifier = desk
    peer = work(rules, pack, verifier, monkeypatch, tries="100")

    assert peer.asked > REQUESTS / 4 * 1.3  # there was something to survive
    assert Query.objects.count() == Reply.objects.count() == REQUESTS
    for query in Query.objects.select_related("person"):
        [reply] = query.replies.all()
        rows = json.loads(reply.rows)
        expected = ROWS.get(query.person.id_number)
        assert query.status == (Status.KNOWN if expected else Status.NO_RECORD)
        assert [row["id_number"] for row in rows] == ([query.person.id_number] if expected else [])
    assert verification.requests(by=verifier, state="comparing").count() == REQUESTS
    assert Exchange.objects.exclude(problem="").exists()
    assert SourceState.objects.get(source="deposit").source == "deposit"
    assert verify_audit().whole


@pytest.mark.slow
def test_what_never_answers_is_failed_and_not_no(desk, monkeypatch):
    rules, pack, verifier = desk
    work(rules, pack, verifier, monkeypatch, tries="2")

    failed = Query.objects.filter(status=Status.FAILED)
    assert failed.exists()
    assert not Reply.objects.filter(query__in=failed).exists()
    assert Reply.objects.count() == REQUESTS - failed.count()
    wrong = [
        query.person.id_number
        for query in Query.objects.filter(status=Status.NO_RECORD).select_related("person")
        if query.person.id_number in ROWS
    ]
    assert wrong == []
