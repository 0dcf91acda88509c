"""A re-check of everybody over loaded files in one pass says of each household what going from door to door would say."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from doudi import chain
from doudi.chain import batches
from doudi.contexts.accounts.services import NotAllowed, account, verify_audit
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.contexts.verification import sweep_judging, sweeping, swept
from doudi.contexts.verification.models import (
    Authorisation,
    Query,
    Recheck,
    RequestBatch,
    RequestPerson,
    SourceState,
    VerificationRequest,
)
from doudi.contexts.verification.services import StepRefused
from doudi.engine.packs import load_pack
from doudi.engine.verification import State, load_rules
from doudi.house.paths import home
from tests.cast import Cast, assemble
from tests.conftest import kept_once
from tests.contexts.verification.desk import feed_file
from tests.contexts.verification.sources import connect
from tests.small_county import REGISTER_HEADER, TOWNSHIP_A, TOWNSHIP_B, make_id, write_csv

THEN, NOW = date(2024, 6, 15), date(2024, 11, 15)
HOUSEHOLDS = 26
PACK = Path(__file__).resolve().parents[3] / "packs" / "reference"


def families(draw: random.Random) -> dict[str, list[tuple[str, str]]]:
    """Household → its people, name and number, the head first."""
    serial = iter(range(1, 999))
    return {
        f"H{place:03d}": [
            (f"户{place}员{one}", make_id(f"{draw.randrange(1940, 2005)}0{one + 1}11", next(serial)))
            for one in range(draw.randrange(1, 4))
        ]
        for place in range(1, HOUSEHOLDS + 1)
    }


def load_register(homes, folder: Path, as_of: date, by) -> None:
    rows = [
        [name, number, home_no, "户主" if place == 0 else "其他", TOWNSHIP_A if int(home_no[1:]) % 2 else TOWNSHIP_B,
         "城镇", "是", "低保", "2024-01-01", "", "", ""]
        for home_no, people in homes.items() for place, (name, number) in enumerate(people)
    ]  # fmt: skip
    path = write_csv(folder / f"花名册-{as_of}.csv", REGISTER_HEADER, rows)
    chain.take_in_file("household_register", path, as_of=as_of, by=by)


def cell(draw: random.Random, column) -> str:
    if column.codes:
        return draw.choice(column.codes)
    return {
        "money": str(draw.choice([0, 120, 800, 3000, 90_000])), "date": f"2024-0{draw.randrange(1, 7)}-03", "int": "1",
        "month": f"2024-0{draw.randrange(1, 7)}", "bool": draw.choice("是否"), "decimal": str(draw.randrange(1, 90)),
        "region": TOWNSHIP_A,
    }.get(column.type, f"文{draw.randrange(9)}")  # fmt: skip


def rows_of(draw: random.Random, pack, rules, homes) -> dict[str, list[dict[str, str]]]:
    told: dict[str, list[dict[str, str]]] = {}
    for source in rules.sources.values():
        rows = told.setdefault(source.feed, [])
        for people in homes.values():
            if draw.random() < 0.12:
                name, number = draw.choice(people)
                drawn = {column.name: cell(draw, column) for column in pack.feeds[source.feed].columns}
                rows.append({**drawn, "name": name, "id_number": number})
    return told


def moved(draw: random.Random, told, homes) -> dict[str, list[dict[str, str]]]:
    """Half a year later: some rows gone, some new, some a little otherwise, a few of somebody else's name or unreadable."""
    after = {feed: [dict(row) for row in rows] for feed, rows in told.items()}
    for rows in after.values():
        if rows and draw.random() < 0.15:
            rows.pop(draw.randrange(len(rows)))
        for row in rows:
            if "balance" in row and draw.random() < 0.4:
                row["balance"] = str(int(row["balance"]) + draw.choice([1, 5000]))
    people = [one for found in homes.values() for one in found]
    for name, number in draw.sample(people, 3):
        after["vehicle"].append(
            {"name": name, "id_number": number, "plate": f"虚A{number[-4:]}", "vehicle_type": "小型", "use": "非营运",
             "registered_on": "2024-08-01", "status": "正常"}
        )  # fmt: skip
    (name, number), (other, its) = draw.sample(people, 2)
    death = after["death"]
    death.append({"name": "另一人", "id_number": number, "died_on": "2024-09-01", "cremated_on": ""})
    death.append({"name": other, "id_number": its, "died_on": "去年", "cremated_on": ""})
    return after


def load_feeds(told, pack, rules, folder: Path, as_of: date, by) -> None:
    for source in rules.sources.values():
        path = feed_file(pack, folder / str(as_of), source.feed, told[source.feed])
        chain.take_in_file(source.feed, path, as_of=as_of, by=by)


def sign(homes, rules, by, *, besides=()) -> None:
    for people in homes.values():
        for name, number in people:
            if number not in besides:
                chain.authorise_verification(
                    name=name, id_number=number, region_code=by.region_code, purposes=["dibao"],
                    sources=list(rules.sources), signed_on=timezone.localdate(), way="paper", signer=name,
                    evidence=b"%PDF-1.4 " + name.encode(), evidence_name="a.pdf", by=by,
                )  # fmt: skip


def verify_in_june(cast, seed: int, folder: Path) -> None:
    """Everybody was verified on the files of June; the files of November are in. One household has no report yet."""
    pack, rules, draw = load_pack(PACK), load_rules(PACK), random.Random(seed)
    homes = families(draw)
    load_register(homes, folder, THEN, cast.county)
    before = rows_of(draw, pack, rules, homes)
    load_feeds(before, pack, rules, folder, THEN, cast.county)
    connect(**{source: {"way": "snapshot"} for source in rules.sources})
    sign(homes, rules, cast.county)
    for home_no in list(homes)[:-1]:
        declared = {}
        if draw.random() < 0.5:
            # keys of people are the database's own
            found = registry.household(home_no, by=cast.county)
            head = registry.people_for(found, by=cast.county, reason="核对")[0].person_id
            declared = {head: {"工资": 1200_00 * draw.randrange(3), "存款": 800_00 * draw.randrange(3)}}
        opened = chain.verify_household(
            home_no,
            declared=declared,
            kind="new",
            purpose="dibao",
            as_of=THEN,
            requested_by="县",
            by=cast.county,
        )
        chain.query_sources(opened.number, by=cast.verifier)
        if VerificationRequest.objects.get(pk=opened.pk).state == State.PARTIAL:
            # a row that cannot be read is about one of them
            verification.close_queries(opened.number, by=cast.verifier)
        chain.issue_report(opened.number, by=cast.verifier)
    load_feeds(moved(draw, before, homes), pack, rules, folder, NOW, cast.county)


@pytest.fixture
def cast(office, db, _kept, tmp_path_factory, request):
    """The accounts, in an office where everybody was verified; made once for each seed."""
    seed = request.param if hasattr(request, "param") else 1
    kept_once(
        f"june{seed}", _kept, office, tmp_path_factory.mktemp("june"),
        lambda folder: verify_in_june(assemble(), seed, folder),
    )  # fmt: skip
    return Cast(**{part.name: account(part.name) for part in fields(Cast)})


def one_by_one(cast) -> dict[str, str]:
    """What a re-check from door to door says of each household; nothing of it stays."""
    with transaction.atomic():
        batch = chain.begin_recheck("dibao", as_of=NOW, requested_by="县", by=cast.county)
        chain.ask_batch(batch.number, by=cast.verifier)
        chain.sift_batch(batch.number, by=cast.verifier)
        said = {
            request.household_no: request.sifted or "incomplete"
            for request in VerificationRequest.objects.filter(batch=batch)
        }
        transaction.set_rollback(True)
    return said


def in_one_pass(cast):
    batch = chain.begin_whole_recheck("dibao", as_of=NOW, since=THEN, requested_by="县民政局", by=cast.county)
    return batch, chain.sweep_batch(batch.number, by=cast.verifier)


def listed(outcome) -> dict[str, str]:
    return {
        row["household_no"]: row["result"]
        for row in pq.read_table(home().results / outcome.listed).to_pylist()
    }


@pytest.mark.parametrize("cast", range(2), indirect=True)
def test_it_says_what_going_from_door_to_door_says(cast) -> None:
    paper = Authorisation.objects.get(name="户7员0")
    verification.withdraw_authorisation(paper.number, why="不再申请", by=cast.county)

    expected = one_by_one(cast)
    batch, outcome = in_one_pass(cast)

    said = listed(outcome)
    # who did not authorise is told apart from what the files cannot answer
    assert {n: r if r != "unauthorised" else "incomplete" for n, r in said.items()} == expected
    assert list(said.values()).count("unauthorised") == 1
    assert len(set(said.values())) >= 4  # unchanged, changed, first, incomplete: the draw holds them all
    requests = VerificationRequest.objects.filter(batch=batch)
    assert {r.household_no: r.sifted for r in requests} == {
        n: r for n, r in said.items() if r in ("changed", "first", "incomplete")
    }
    assert {r.state for r in requests} == {State.ACCEPTED} and not Query.objects.filter(
        request__batch=batch
    ).exists()
    assert {n: c for n, c in outcome.counts.items() if c} == Counter(said.values())
    assert verify_audit().whole
    assert chain.check_recheck(batch.number, by=cast.verifier) == []


def test_what_was_opened_goes_the_way_of_all_requests(cast) -> None:
    batch, _outcome = in_one_pass(cast)
    changed = VerificationRequest.objects.filter(batch=batch, sifted="changed").first()
    assert changed is not None and changed.created_by == cast.county.username
    told = chain.query_sources(changed.number, by=cast.verifier)
    assert told["asked"] == told["answered"] > 0
    report = chain.issue_report(changed.number, by=cast.verifier)
    assert verification.check_report(report, pack=load_pack(PACK), rules=chain.verification_rules()).equal
    assert RequestPerson.objects.filter(request=changed).exists()


def test_it_is_done_once_and_a_killed_pass_ends_with_the_same(cast, monkeypatch) -> None:
    batch = chain.begin_whole_recheck("dibao", as_of=NOW, since=THEN, requested_by="县", by=cast.county)
    assert (
        chain.begin_whole_recheck("dibao", as_of=NOW, since=THEN, requested_by="县", by=cast.county) == batch
    )

    class Killed(Exception):
        pass

    def die(*_args, **_more):
        raise Killed

    for module, place in ((sweep_judging, "compare"), (sweeping, "_write_list")):
        with monkeypatch.context() as at:
            at.setattr(module, place, die)
            with pytest.raises(Killed):
                chain.sweep_batch(batch.number, by=cast.verifier)
        assert not Recheck.objects.exists() and not VerificationRequest.objects.filter(batch=batch).exists()

    outcome = chain.sweep_batch(batch.number, by=cast.verifier)
    opened = VerificationRequest.objects.filter(batch=batch).count()
    assert opened == RequestBatch.objects.get(pk=batch.pk).opened > 0
    assert chain.sweep_batch(batch.number, by=cast.verifier) == outcome
    assert VerificationRequest.objects.filter(batch=batch).count() == opened
    # the next pass is held against this one, and leaves out what is in people's hands already
    with pytest.raises(StepRefused, match="晚于"):
        chain.begin_whole_recheck("dibao", as_of=NOW - timedelta(days=1), requested_by="县", by=cast.county)


def test_who_withdraws_while_it_runs_is_let_go(cast, monkeypatch) -> None:
    real = sweep_judging.compare

    def and_meanwhile(looked_at, *more):
        real(looked_at, *more)
        home_no = next(n for n, one in looked_at.items() if one.result == "unchanged")
        paper = Authorisation.objects.get(name=f"户{int(home_no[1:])}员0")
        verification.withdraw_authorisation(paper.number, why="不再申请", by=cast.county)
        and_meanwhile.home = home_no

    monkeypatch.setattr(sweep_judging, "compare", and_meanwhile)
    _batch, outcome = in_one_pass(cast)
    assert listed(outcome)[and_meanwhile.home] == "unauthorised"


def test_a_changed_list_and_a_changed_file_are_found(cast) -> None:
    batch, outcome = in_one_pass(cast)
    path = home().results / outcome.listed
    rows = pq.read_table(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    [found] = chain.check_recheck(batch.number, by=cast.verifier)
    assert found["path"] == "list"

    results = rows["result"].to_pylist()
    at = results.index("unchanged")
    results[at] = "changed"
    pq.write_table(rows.set_column(2, "result", [results]), path)
    Recheck.objects.filter(pk=outcome.pk).update(list_hash=swept.hash_of(path))
    paths = {one["path"] for one in chain.check_recheck(batch.number, by=cast.verifier)}
    assert paths == {"counts", f"list/{rows['household_no'][at].as_py()}"}


def test_it_is_refused_where_a_source_cannot_answer(cast, rules) -> None:
    batch = chain.begin_whole_recheck("dibao", as_of=NOW, since=THEN, requested_by="县", by=cast.county)
    SourceState.objects.create(source="deposit", suspended_at=timezone.now(), suspended_why="怀疑外泄")
    with pytest.raises(StepRefused, match=r"银行.*停用"):
        chain.sweep_batch(batch.number, by=cast.verifier)
    SourceState.objects.all().delete()
    connect(**{source: {"way": "snapshot"} for source in rules.sources if source != "vehicle"})
    with pytest.raises(StepRefused, match=r"车辆.*快照"):
        chain.sweep_batch(batch.number, by=cast.verifier)
    connect(**{source: {"way": "snapshot"} for source in rules.sources})
    early = chain.begin_whole_recheck(
        "dibao", as_of=NOW - timedelta(days=1), since=date(2024, 6, 14), requested_by="县", by=cast.county
    )
    with pytest.raises(Exception, match="2024-06-14"):
        chain.sweep_batch(early.number, by=cast.verifier)
    assert not Recheck.objects.exists()
    for who in (cast.county, cast.auditor):
        with pytest.raises(NotAllowed):
            chain.sweep_batch(batch.number, by=who)
    with pytest.raises(StepRefused, match="第一次"):
        chain.begin_whole_recheck("rigid", as_of=NOW, requested_by="县", by=cast.county)


def test_the_pages_and_the_job(cast) -> None:
    desk = {}
    for who in (cast.county, cast.verifier, cast.auditor):
        desk[who] = Client()
        desk[who].force_login(who, backend="django.contrib.auth.backends.ModelBackend")
    page = desk[cast.county].post(
        "/verification/batches/recheck/",
        {"purpose": "dibao", "as_of": str(NOW), "requested_by": "县民政局", "whole": "1", "since": str(THEN)},
        follow=True,
    )
    batch = RequestBatch.objects.get(whole=True)
    assert "等核对人员在本页点“整批比对”" in page.content.decode()
    page = desk[cast.verifier].post(f"/verification/batches/{batch.number}/ask/", follow=True)
    assert "下次运行 doudi worker 时比对" in page.content.decode()
    assert batches.sweep_waiting() == 1 and batches.sweep_waiting() == 0
    page = desk[cast.auditor].get(f"/verification/batches/{batch.number}/?show=changed").content.decode()
    changed = VerificationRequest.objects.filter(batch=batch, sifted="changed").first()
    assert changed is not None and changed.number in page and "各来源人数" in page
    assert "没有有效授权" not in page
    assert desk[cast.auditor].get(f"/verification/batches/{batch.number}/?show=x&page=99").status_code == 200


def test_a_pass_that_the_job_could_not_do_says_why_on_its_page(cast) -> None:
    batch = chain.begin_whole_recheck("dibao", as_of=NOW, since=THEN, requested_by="县", by=cast.county)
    chain.ask_whole_batch(batch.number, by=cast.verifier)
    SourceState.objects.create(source="deposit", suspended_at=timezone.now(), suspended_why="怀疑外泄")
    assert batches.sweep_waiting() == 0
    desk = Client()
    desk.force_login(cast.verifier, backend="django.contrib.auth.backends.ModelBackend")
    page = desk.get(f"/verification/batches/{batch.number}/").content.decode()
    assert "怀疑外泄" in page and "<button>整批比对</button>" in page
    assert verification.waiting_whole() == []
    # pressed again while it still stands: told at once, and nothing is handed over
    page = desk.post(f"/verification/batches/{batch.number}/ask/", follow=True).content.decode()
    assert "停用" in page and verification.waiting_whole() == []
