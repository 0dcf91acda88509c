"""Sources asked without a file between: interface, database view, loaded files; the gate stands before each of them."""

from __future__ import annotations

import json
import os
import socket
from datetime import date, timedelta

import pytest
from django.utils import timezone

from doudi.contexts.accounts.services import audit_entries
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.connecting import PAUSES
from doudi.contexts.verification.connectors import Asked, Connection, SourceUnavailable
from doudi.contexts.verification.connectors.database import DatabaseSource
from doudi.contexts.verification.models import Exchange, Query, Reply, SourceState
from doudi.contexts.verification.services import ConnectorsInvalid, StepRefused
from doudi.engine.status import Status
from doudi.engine.verification import State
from doudi.house import locked_zip, signing
from tests.contexts.verification.desk import answer_all, feed_file, started
from tests.contexts.verification.sources import SECRET, connect, department
from tests.small_county import LI_LI, WANG_QIANG, ZHANG_WEI

SAVED = {
    "name": "张伟", "id_number": ZHANG_WEI, "institution": "甲银行", "balance": "10000.50", "balance_on": "2024-11-01",
}  # fmt: skip


def ask(rules, pack, by, source="deposit"):
    return verification.ask_source(source, rules=rules, specs=pack.feeds, by=by)


def of(source: str) -> dict[str, str]:
    return {
        query.person.name: query.status
        for query in Query.objects.filter(source=source).select_related("person")
    }


@pytest.fixture
def asked(opened, sign, rules, verifier, clerk):
    return started(opened, sign, rules, verifier, clerk)


# ---- the interface ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", signing.ALGORITHMS)
def test_a_signed_question_gets_a_signed_answer(algorithm, asked, verifier, make_user, rules, pack):
    with department({"deposit": {ZHANG_WEI: [SAVED]}}) as (_peer, address):
        connect(deposit={"way": "http", "address": address, "algorithm": algorithm})
        outcome = ask(rules, pack, verifier)
        assert (outcome.asked, outcome.known, outcome.no_record, outcome.refused) == (2, 1, 1, 0)
        assert ask(rules, pack, verifier).asked == 0
    assert of("deposit") == {"张伟": Status.KNOWN, "李丽": Status.NO_RECORD}
    kept = Reply.objects.get(row_count=1)
    assert json.loads(kept.rows)[0]["balance"] == 10000_50
    assert kept.source_as_of == date(2024, 11, 10)
    asked.refresh_from_db()
    assert asked.state == State.PARTIAL
    entry = audit_entries(by=make_user("auditor1", "auditor", "520102"), act="ask_source").get()
    assert entry.detail["requests"] == [asked.number]
    assert "张伟" not in json.dumps(entry.detail, ensure_ascii=False)


def test_nothing_is_sent_for_who_has_not_signed_or_has_withdrawn(opened, sign, clerk, verifier, rules, pack):
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    given = sign("张伟", ZHANG_WEI)
    verification.start_queries(request.number, rules=rules, by=verifier)
    sent = []
    with department({}) as (peer, address):
        connect(deposit={"way": "http", "address": address})
        answer = peer._answer
        peer._answer = lambda body: sent.append(json.loads(body)) or answer(body)
        ask(rules, pack, verifier)
        assert [query["name"] for query in sent[0]["queries"]] == ["张伟"]
        assert sent[0]["queries"][0]["authorisation"] == given.number

        verification.start_queries(request.number, rules=rules, by=verifier, again=["deposit"])
        verification.withdraw_authorisation(given.number, why="本人要求撤回", by=clerk)
        assert ask(rules, pack, verifier).asked == 0
        assert len(sent) == 1


@pytest.mark.parametrize("way", ["http", "database", "snapshot"])
def test_every_way_asks_the_gate(way, opened, sign, clerk, verifier, rules, pack):
    """The authorisation runs out after the query was made: whichever way is set up, it does not go out."""
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    given = sign("张伟", ZHANG_WEI)
    verification.start_queries(request.number, rules=rules, by=verifier)
    type(given).objects.filter(pk=given.pk).update(valid_to=timezone.localdate() - timedelta(days=1))
    # nobody listens at these addresses: a call would fail and not be silent
    address = {"http": "http://127.0.0.1:9/", "database": "postgresql://x@127.0.0.1:9/x"}.get(way, "")
    connect(deposit={"way": way, "address": address, "view": "v"})
    outcome = ask(rules, pack, verifier)
    assert (outcome.asked, outcome.problem) == (0, "")
    assert of("deposit") == {"张伟": Status.UNAUTHORISED, "李丽": Status.UNAUTHORISED}


@pytest.mark.parametrize("role", ["county", "township", "director", "auditor", "admin", "department"])
def test_no_other_role_asks_by_connection(role, asked, make_user, rules, pack):
    connect(deposit={"way": "http", "address": "http://127.0.0.1:9/"})
    somebody = make_user(f"some_{role}", role, "520102", "医保" if role == "department" else "")
    with pytest.raises(Exception, match="无权"):
        ask(rules, pack, somebody)
    assert not Exchange.objects.exists()


def test_a_verifier_of_another_county_asks_nothing_of_ours(asked, make_user, rules, pack):
    connect(deposit={"way": "http", "address": "http://127.0.0.1:9/"})
    assert ask(rules, pack, make_user("far", "verifier", "610102")).asked == 0


LIES = {
    "stranger": Status.KNOWN,
    "other_person": Status.NOT_ARRIVED,
    "twice": Status.NOT_ARRIVED,
    "contradiction": Status.NOT_ARRIVED,
    "unsigned": Status.NOT_ARRIVED,
    "other_batch": Status.NOT_ARRIVED,
    "garbage": Status.NOT_ARRIVED,
    "missing": Status.NOT_ARRIVED,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_never_used(lie, asked, verifier, rules, pack):
    from doudi.cli import reference_source

    place = (reference_source.LIES.index(lie) + 0.5) / len(reference_source.LIES)
    with department({"deposit": {ZHANG_WEI: [SAVED]}}, faults={"lie": 1.0}, dice=lambda: place) as (
        _peer,
        address,
    ):
        connect(deposit={"way": "http", "address": address})
        outcome = ask(rules, pack, verifier)
    assert of("deposit")["张伟"] == LIES[lie]
    assert outcome.refused + outcome.again > 0
    assert not any("110105" in reply.rows for reply in Reply.objects.all())


def test_a_dead_source_rests_is_tried_again_and_is_failed_in_the_end(asked, verifier, rules, pack):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/"
    connect(deposit={"way": "http", "address": dead, "tries": "3", "breaker": "2", "seconds": "1"})
    first = ask(rules, pack, verifier)
    assert (first.again, first.failed) == (2, 0)
    assert "连不上" in first.problem
    query = Query.objects.filter(source="deposit").first()
    assert timedelta(0) < query.next_try_at - timezone.now() <= timedelta(minutes=PAUSES[0])
    # nothing is due before the pause is over
    assert ask(rules, pack, verifier).asked == 0

    def over(**more):
        Query.objects.filter(source="deposit").update(next_try_at=None)
        SourceState.objects.update(**more)

    over()
    ask(rules, pack, verifier)
    over()
    assert "暂停到" in ask(rules, pack, verifier).held_back
    over(open_until=None)
    last = ask(rules, pack, verifier)
    assert last.failed == 2
    # worked case 10 over the network: 失败, never 查无
    assert set(of("deposit").values()) == {Status.FAILED}
    assert Exchange.objects.count() == 3

    # the source recovers: asked anew in another round, and the answer counts
    with department({"deposit": {ZHANG_WEI: [SAVED]}}) as (_peer, address):
        connect(deposit={"way": "http", "address": address})
        verification.resume_source("deposit", by=verifier)
        verification.start_queries(asked.number, rules=rules, by=verifier, again=["deposit"])
        assert ask(rules, pack, verifier).known == 1


def test_a_source_has_its_hours_its_rate_and_its_stop(asked, verifier, rules, pack):
    now = timezone.localtime()
    closed = f"{(now.hour + 2) % 24:02}:00-{(now.hour + 3) % 24:02}:00"
    with department({}) as (peer, address):
        connect(deposit={"way": "http", "address": address, "hours": closed})
        assert "时段" in ask(rules, pack, verifier).held_back
        connect(deposit={"way": "http", "address": address, "batch": "1", "per_minute": "1"})
        outcome = ask(rules, pack, verifier)
        assert outcome.asked == 1
        assert "上限" in outcome.held_back
        verification.suspend_source("deposit", why="怀疑数据外泄", rules=rules, by=verifier)
        SourceState.objects.update(window_start=None)
        assert "停用" in ask(rules, pack, verifier).held_back
        assert peer.asked == 1
        verification.resume_source("deposit", by=verifier)
        assert ask(rules, pack, verifier).asked == 1


def test_only_the_declared_host_is_called(asked, verifier, rules, pack, monkeypatch):
    for bad in ("ftp://bank/", "http://bank.example/", "https://user:pw@bank/", "https://bank/?next=1"):
        connect(deposit={"way": "http", "address": bad})
        with pytest.raises(ConnectorsInvalid):
            ask(rules, pack, verifier)
    # a name that leads to the machine's own metadata is not called
    connect(deposit={"way": "http", "address": "https://bank.example/"})
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_n: [(2, 1, 6, "", ("169.254.169.254", 443))])
    with pytest.raises(ConnectorsInvalid, match=r"169\.254"):
        ask(rules, pack, verifier)
    assert set(of("deposit").values()) == {Status.NOT_ARRIVED}
    assert not Query.objects.exclude(claimed_until=None).exists()


def test_a_redirect_is_a_refusal(asked, verifier, rules, pack):
    with department({}) as (target, elsewhere), department({}) as (peer, address):
        peer.handle = lambda *_a: (302, b"{}", {"Location": f"{elsewhere}/v1/queries"})
        connect(deposit={"way": "http", "address": address})
        assert "302" in ask(rules, pack, verifier).problem
        assert target.asked == 0


def test_a_replayed_or_changed_request_is_refused():
    from doudi.cli.reference_source import ReferenceSource

    peer = ReferenceSource({}, {"longli": SECRET}, date(2024, 11, 10))
    body = b'{"batch": "1", "source": "deposit", "queries": []}'
    headers = signing.sign("POST", "/v1/queries", body, key="longli", secret=SECRET)

    def status(given=body, path="/v1/queries", **more):
        return peer.handle("POST", path, {**headers, **more}, given)[0]

    assert status() == 200
    assert status() == 401  # the same nonce again
    fresh = signing.sign("POST", "/v1/queries", body, key="longli", secret=SECRET)
    assert status(given=body + b" ", **fresh) == 401
    assert status(path="/other/v1/queries", **fresh) == 401
    assert status(**{**fresh, signing.TIME: str(int(fresh[signing.TIME]) - 1)}) == 401
    assert status(**signing.sign("POST", "/v1/queries", body, key="nobody", secret=SECRET)) == 401
    with pytest.raises(signing.SignatureRefused) as stale:
        signing.check("POST", "/v1/queries", body, fresh, secret=SECRET, now=float(fresh[signing.TIME]) + 301)
    assert stale.value.code == "signature_stale"


def test_two_requests_about_one_person_get_each_their_rows(opened, sign, rules, verifier, clerk, pack):
    first = started(opened, sign, rules, verifier, clerk)
    second = opened(household_no="H001")
    verification.accept_request(second.number, rules=rules, by=clerk)
    verification.start_queries(second.number, rules=rules, by=verifier)
    with department({"deposit": {ZHANG_WEI: [SAVED]}}) as (_peer, address):
        connect(deposit={"way": "http", "address": address})
        outcome = ask(rules, pack, verifier)
    assert (outcome.known, outcome.no_record) == (2, 2)
    for request in (first, second):
        assert request.queries.filter(source="deposit", status=Status.KNOWN).count() == 1


# ---- databases ------------------------------------------------------------------------------------------------

_TABLE = [
    "create table v_deposit (xm varchar(40), sfzh varchar(20), jg varchar(40), ye decimal(14,2), rq date)",
    f"insert into v_deposit values ('张伟', '{ZHANG_WEI}', '甲银行', 10000.50, '2024-11-01')",
    f"insert into v_deposit values ('李丽', '{LI_LI.replace('X', 'x')}', '乙银行', 5.00, '2024-11-01')",
    f"insert into v_deposit values ('王强', '{WANG_QIANG}', '丙银行', 7.00, '2024-11-01')",
]  # fmt: skip
_COLUMNS = {"name": "xm", "id_number": "sfzh", "institution": "jg", "balance": "ye", "balance_on": "rq"}


@pytest.fixture(params=["postgresql", "mariadb"])
def view(request):
    """A department's real database with a view; skipped in plain words where there is none."""
    name = f"doudi_source_{os.getpid()}"
    if request.param == "postgresql":
        psycopg = pytest.importorskip("psycopg")
        try:
            server = psycopg.connect(
                "postgresql://postgres@127.0.0.1:5432/postgres", autocommit=True, connect_timeout=2
            )
        except psycopg.Error as problem:
            pytest.skip(f"no PostgreSQL on 127.0.0.1:5432: {problem}")
        server.execute(f"create database {name}")
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:5432/{name}", autocommit=True) as inside:
            for statement in _TABLE:
                inside.execute(statement)
        yield f"postgresql://postgres@127.0.0.1:5432/{name}"
        server.execute(f"drop database {name} with (force)")
        server.close()
        return
    pymysql = pytest.importorskip("pymysql", reason="PyMySQL is not installed")
    try:
        server = pymysql.connect(
            host="127.0.0.1", port=3306, user="root", password="", autocommit=True, connect_timeout=2
        )
    except pymysql.Error as problem:
        pytest.skip(f"no MariaDB on 127.0.0.1:3306: {problem}")
    with server.cursor() as cursor:
        cursor.execute(f"create database {name} character set utf8mb4")
        cursor.execute(f"use {name}")
        for statement in _TABLE:
            cursor.execute(statement)
    yield f"mysql://root@127.0.0.1:3306/{name}"
    with server.cursor() as cursor:
        cursor.execute(f"drop database {name}")
    server.close()


def test_a_departments_view_answers_for_whom_it_is_asked(view, asked, verifier, rules, pack):
    connect(deposit={"way": "database", "address": view, "view": "v_deposit", "columns": _COLUMNS})
    outcome = ask(rules, pack, verifier)
    assert (outcome.asked, outcome.known, outcome.refused, outcome.problem) == (2, 2, 0, "")
    rows = [json.loads(reply.rows)[0] for reply in Reply.objects.order_by("query__person__position")]
    assert [(row["id_number"], row["balance"]) for row in rows] == [(ZHANG_WEI, 1000050), (LI_LI, 500)]


def test_a_view_can_be_read_and_nothing_else(view, pack):
    connection = Connection(
        "deposit", "database", view, seconds=1, more={"view": "v_deposit", "columns": _COLUMNS}
    )
    source = DatabaseSource("deposit", connection, pack.feeds["deposit"])
    from doudi.contexts.verification.connectors import database

    opened = database._postgres if view.startswith("postgres") else database._mysql
    for statement in (
        "delete from v_deposit",
        "select pg_sleep(5)" if view.startswith("postgres") else "select sleep(5)",
    ):
        with pytest.raises(SourceUnavailable), opened(connection) as cursor:
            cursor.execute(statement)
    hostile = f"x' or '1'='1 {ZHANG_WEI}"
    asked = [Asked("Q1", "张伟", hostile, b"", "dibao", "SQ", date(2030, 1, 1))]
    assert source.ask("b", asked).told["Q1"].status is Status.NO_RECORD


def test_a_view_that_is_not_there_is_a_failure(view, asked, verifier, rules, pack):
    connect(
        deposit={
            "way": "database",
            "address": view,
            "view": 'no";drop table v_deposit;--',
            "columns": _COLUMNS,
        }
    )
    outcome = ask(rules, pack, verifier)
    assert outcome.again == 2
    assert "稍后" in outcome.problem
    assert set(of("deposit").values()) == {Status.NOT_ARRIVED}


# ---- loaded files ----------------------------------------------------------------------------------------------


def test_loaded_files_answer_for_the_registered(county, make_user, rules, pack):
    from doudi import chain
    from tests.small_county import TOWNSHIP_A

    window = make_user("window", "township", TOWNSHIP_A)
    verifier = make_user("verifier1", "verifier", "520102")
    opened = chain.verify_household(
        "H002",
        declared={},
        kind="new",
        purpose="rigid",
        as_of=date(2024, 11, 15),
        requested_by="街道",
        by=window,
    )
    chain.authorise_verification(
        name="王强", id_number=WANG_QIANG, region_code=TOWNSHIP_A, purposes=["rigid"], sources=opened.sources,
        signed_on=timezone.localdate(), way="paper", signer="王强", evidence=b"%PDF-1.4 x", evidence_name="a.pdf", by=window,
    )  # fmt: skip
    chain.query_sources(opened.number, by=verifier)
    connect(medical={"way": "snapshot"}, deposit={"way": "snapshot"})
    assert chain.ask_source("medical", by=verifier).known == 1
    assert chain.ask_source("deposit", by=verifier).no_record == 1
    [row] = json.loads(Reply.objects.get(query__source="medical").rows)
    assert row["id_number"] == WANG_QIANG
    assert Reply.objects.get(query__source="medical").source_as_of == date(2024, 11, 15)


def test_who_is_not_on_the_register_is_not_answered_from_files(
    county, clerk, verifier, opened, sign, rules, pack
):
    stranger = [verification.PersonAsked("新来", "11010519491231002X", "户主")]
    request = opened(people=stranger)
    verification.accept_request(request.number, rules=rules, by=clerk)
    sign("新来", "11010519491231002X")
    verification.start_queries(request.number, rules=rules, by=verifier)
    connect(medical={"way": "snapshot"})
    outcome = ask(rules, pack, verifier, "medical")
    assert (outcome.pending, outcome.no_record) == (1, 0)
    assert "名册" in Query.objects.get(source="medical").problem


def _deposit_file(pack, folder, *rows):
    return feed_file(pack, folder, "deposit", [
        {"name": name, "id_number": number, "institution": "甲银行", "balance": balance, "balance_on": "2024-11-01"}
        for name, number, balance in rows
    ])  # fmt: skip


@pytest.mark.parametrize(
    "bad", [("张伟", ZHANG_WEI, "六万"), ("张 伟", "52010219", "100")], ids=["its figure", "its number"]
)
@pytest.mark.parametrize("before", [False, True], ids=["loaded now", "loaded before this was written down"])
def test_a_bad_row_about_somebody_is_never_no_record(
    bad, before, county, clerk, verifier, opened, sign, rules, pack, tmp_path
):
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.registry import services as registry
    from doudi.contexts.registry.models import UnreadRow

    path = _deposit_file(pack, tmp_path, ("王强", WANG_QIANG, "60000"), bad)
    loaded = registry.load_file(pack.feeds, "deposit", path, as_of=date(2024, 11, 16), by=system_user())
    assert loaded.counts["quarantined"] == 1
    if before:
        UnreadRow.objects.all().delete()
    request = opened(
        people=[
            verification.PersonAsked("张伟", ZHANG_WEI, "户主"),
            verification.PersonAsked("李丽", LI_LI, "配偶"),
        ]
    )
    verification.accept_request(request.number, rules=rules, by=clerk)
    for name, number in (("张伟", ZHANG_WEI), ("李丽", LI_LI)):
        sign(name, number)
    verification.start_queries(request.number, rules=rules, by=verifier)
    connect(deposit={"way": "snapshot"})

    outcome = ask(rules, pack, verifier, "deposit")

    assert (outcome.pending, outcome.no_record) == (1, 1)
    assert of("deposit") == {"张伟": Status.NOT_ARRIVED, "李丽": Status.NO_RECORD}
    assert "隔离" in Query.objects.get(source="deposit", person__name="张伟").problem

    # the department sends it again without the fault: the person is answered
    mended = _deposit_file(pack, tmp_path, ("王强", WANG_QIANG, "60000"))
    registry.load_file(pack.feeds, "deposit", mended, as_of=date(2024, 11, 16), by=system_user())
    Query.objects.update(next_try_at=None)
    assert ask(rules, pack, verifier, "deposit").no_record == 1


# ---- encrypted files -------------------------------------------------------------------------------------------


def test_a_list_and_its_reply_go_in_encrypted_archives(asked, verifier, rules, pack, tmp_path):
    password = verification.password_for("deposit", rules=rules, by=verifier)
    batch, book = verification.make_query_list("deposit", rules=rules, specs=pack.feeds, by=verifier)
    locked = verification.lock_for("deposit", f"{batch.number}.xlsx", book, by=verifier)
    assert ZHANG_WEI.encode() not in locked
    assert locked_zip.unlock(locked, password) == (f"{batch.number}.xlsx", book)
    with pytest.raises(locked_zip.ZipRefused):
        locked_zip.unlock(locked, "another password")

    plain = feed_file(pack, tmp_path, "deposit", [SAVED])
    sealed = tmp_path / "回复.zip"
    sealed.write_bytes(locked_zip.lock("回复.csv", plain.read_bytes(), password))
    outcome = verification.take_reply_file(
        "deposit", sealed, rules=rules, specs=pack.feeds, as_of=date(2024, 11, 10), by=verifier
    )
    assert (outcome.with_rows, outcome.no_record) == (1, 1)


def test_a_bad_row_about_somebody_is_not_no(asked, verifier, rules, pack, tmp_path):
    """The file says something of 李丽 that cannot be read: she stays open, and is not 查无."""
    bad = {**SAVED, "name": "李丽", "id_number": LI_LI, "balance": "很多"}
    path = feed_file(pack, tmp_path, "deposit", [SAVED, bad])
    outcome = verification.take_reply_file(
        "deposit", path, rules=rules, specs=pack.feeds, as_of=date(2024, 11, 10), by=verifier
    )
    assert (outcome.with_rows, outcome.no_record, outcome.unread, outcome.quarantined) == (1, 0, 1, 1)
    assert of("deposit") == {"张伟": Status.KNOWN, "李丽": Status.NOT_ARRIVED}


# ---- the board -------------------------------------------------------------------------------------------------


def test_the_board_tells_hits_lag_failures_and_cost(asked, verifier, rules, pack, tmp_path):
    from dataclasses import replace

    dear = replace(rules, sources={**rules.sources, "deposit": replace(rules.sources["deposit"], fee_fen=50)})
    with department({"deposit": {ZHANG_WEI: [SAVED]}}) as (_peer, address):
        connect(
            deposit={"way": "http", "address": address},
            vehicle={"way": "http", "address": "http://127.0.0.1:9/"},
        )
        ask(dear, pack, verifier)
        ask(dear, pack, verifier, "vehicle")
    board = {row["source"].code: row for row in verification.source_board(dear, by=verifier)}
    bank, cars = board["deposit"], board["vehicle"]
    assert (bank["hit_rate"], bank["fee_fen"], bank["way"], bank["broken"]) == (0.5, 100, "http", 0)
    assert 0 <= bank["lag_hours"] < 1
    assert (cars["calls"], cars["broken"], cars["known"]) == (1, 1, 0)
    assert board["pension"]["way"] == "file"


def test_a_late_answer_over_the_network_reopens_the_report(asked, verifier, rules, pack, tmp_path):
    answer_all(pack, rules, tmp_path, verifier, besides=("deposit",))
    verification.close_queries(asked.number, by=verifier)
    first = verification.issue_report(asked.number, pack=pack, rules=rules, by=verifier)
    assert first.partial
    with department({"deposit": {}}) as (_peer, address):
        connect(deposit={"way": "http", "address": address})
        ask(rules, pack, verifier)
    asked.refresh_from_db()
    assert asked.state == State.REVIEWING
    assert not verification.issue_report(asked.number, pack=pack, rules=rules, by=verifier).partial


def test_bad_connection_data_are_named_with_their_place(asked, verifier, rules, pack):
    from doudi.house.paths import home

    for text, said in (
        ("sources: {deposit: {way: telepathy}}", "sources.deposit.way"),
        ("sources: {deposit: {way: http, address: 'https://b/', secret: plain-text}}", "密钥不写在文件里"),
        ("sources: {deposit: {way: http, address: 'https://b/', seconds: '0'}}", "1 到 300"),
        ("sources: [", "connectors.yaml"),
        ("sources: {deposit: {way: database, address: 'postgresql://a:pw@h/d', view: v}}", "口令写在 secret"),
    ):
        (home().root / "connectors.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConnectorsInvalid, match=said):
            ask(rules, pack, verifier)
    with pytest.raises((ConnectorsInvalid, StepRefused)):
        verification.suspend_source("nothing", why="没有这个来源", rules=rules, by=verifier)


def test_bad_rows_go_back_to_the_department_in_its_own_layout_once(asked, verifier, rules, pack, tmp_path):
    bad = {**SAVED, "name": "李丽", "id_number": LI_LI, "balance": "很多"}
    stranger = {**SAVED, "name": "王强", "id_number": WANG_QIANG}
    path = feed_file(pack, tmp_path, "deposit", [SAVED, SAVED, bad, stranger])
    verification.take_reply_file(
        "deposit", path, rules=rules, specs=pack.feeds, as_of=date(2024, 11, 10), by=verifier
    )
    row = next(
        one for one in verification.source_board(rules, by=verifier) if one["source"].code == "deposit"
    )
    review = row["review"]
    assert (review.read, review.bad, review.repeated, review.strangers) == (4, 1, 1, 1)
    assert review.overdue_days > 0  # a quarterly feed of 2024
    (tmp_path / "back.xlsx").write_bytes(verification.take_return("deposit", by=verifier))
    from python_calamine import CalamineWorkbook

    lines = CalamineWorkbook.from_path(tmp_path / "back.xlsx").get_sheet_by_index(0).to_python()
    said = str(lines)
    assert "很多" in said and LI_LI in said and "机构" in said
    assert WANG_QIANG not in said and ZHANG_WEI not in said  # good rows of others do not go round
    with pytest.raises(StepRefused, match="取走"):
        verification.take_return("deposit", by=verifier)
