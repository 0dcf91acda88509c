"""Sources whose files are loaded here answer a request in one go: through the gate, sealed, audited, nothing twice."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, audit_entries, verify_audit
from doudi.contexts.verification.models import Authorisation, Exchange, Query, Reply, SourceState
from doudi.engine.feeds import load_feed_specs, lookup
from doudi.engine.status import Status
from tests.contexts.verification.sources import connect
from tests.small_county import TOWNSHIP_A, WANG_QIANG

SOURCES = ("medical", "deposit", "population")


@pytest.fixture
def asked(county, make_user):
    """王强, who has one medical row in the small county's files, has signed; every source is asked."""
    window = make_user("window", "township", TOWNSHIP_A)
    verifier = make_user("verifier1", "verifier", "520102")
    opened = chain.verify_household(
        "H002", declared={}, kind="new", purpose="rigid", as_of=date(2024, 11, 15), requested_by="街道", by=window
    )  # fmt: skip
    chain.authorise_verification(
        name="王强", id_number=WANG_QIANG, region_code=TOWNSHIP_A, purposes=["rigid"], sources=opened.sources,
        signed_on=timezone.localdate(), way="paper", signer="王强", evidence=b"%PDF-1.4 x", evidence_name="a.pdf", by=window,
    )  # fmt: skip
    return opened, verifier


def wire() -> None:
    connect(**{source: {"way": "snapshot"} for source in SOURCES})


def test_they_answer_with_the_asking_and_only_once(asked, make_user) -> None:
    opened, verifier = asked
    wire()

    told = chain.query_sources(opened.number, by=verifier)

    assert told["answered"] == Reply.objects.count() == Exchange.objects.count() > 1
    statuses = dict(Query.objects.filter(source__in=SOURCES).values_list("source", "status"))
    assert (statuses["medical"], statuses["deposit"]) == (Status.KNOWN, Status.NO_RECORD)
    assert set(Query.objects.exclude(source__in=SOURCES).values_list("status", flat=True)) == {
        Status.NOT_ARRIVED
    }
    [row] = json.loads(Reply.objects.get(query__source="medical").rows)
    assert row["id_number"] == WANG_QIANG
    entry = audit_entries(by=make_user("auditor1", "auditor", "520102"), act="ask_source").get()
    assert entry.detail["sources"] == sorted(SOURCES) and "王强" not in json.dumps(
        entry.detail, ensure_ascii=False
    )
    assert verify_audit().whole
    again = chain.ask_loaded(opened.number, by=verifier)
    assert set(again.values()) == {0} and Reply.objects.count() == told["answered"]


def test_the_gate_stands_before_them_too(asked, make_user) -> None:
    opened, verifier = asked
    chain.query_sources(opened.number, by=verifier)
    wire()
    Authorisation.objects.update(valid_to=timezone.localdate() - timedelta(days=1))

    told = chain.ask_loaded(opened.number, by=verifier)

    assert (told["unauthorised"], told["known"], told["no_record"]) == (len(SOURCES), 0, 0)
    assert not Reply.objects.exists()
    for role in ("county", "township", "auditor"):
        with pytest.raises(NotAllowed):
            chain.ask_loaded(opened.number, by=make_user(f"some_{role}", role, "520102"))


def test_a_source_that_was_stopped_or_never_loaded_stays_open(asked) -> None:
    opened, verifier = asked
    chain.query_sources(opened.number, by=verifier)
    connect(
        medical={"way": "snapshot"}, deposit={"way": "snapshot"}, custody={"way": "http", "address": "http://127.0.0.1:9/"}
    )  # fmt: skip
    SourceState.objects.create(source="medical", suspended_at=timezone.now(), suspended_why="怀疑数据外泄")

    told = chain.ask_loaded(opened.number, by=verifier)

    assert (told["known"], told["no_record"]) == (0, 1)
    assert Query.objects.get(source="medical").status == Status.NOT_ARRIVED
    assert Query.objects.get(source="custody").status == Status.NOT_ARRIVED


def test_an_index_gives_back_what_the_file_holds(tmp_path: Path) -> None:
    spec = load_feed_specs(Path(__file__).resolve().parents[3] / "packs" / "reference" / "feeds")[
        "real_estate"
    ]
    rows = {
        "household_key": [0, 0, 3], "person_key": [1, 1, 7], "unit_no": ["甲 1", "乙", None], "use": ["住宅", "商业", "住宅"],
        "area": [Decimal("12.5"), Decimal("90"), Decimal("0.0001")], "share": [Decimal(100), Decimal(25), None],
        "registered_on": [date(2020, 2, 29), None, date(1999, 12, 31)], "row_digest": [-1, 2**62, None],
    }  # fmt: skip
    types = {"area": pa.decimal128(18, 4), "share": pa.decimal128(18, 4), "registered_on": pa.date32()}
    path = tmp_path / "real_estate-1.parquet"
    pq.write_table(pa.table({name: pa.array(cells, types.get(name)) for name, cells in rows.items()}), path)

    found = lookup.rows_in(spec, [path], [1, 5, 7])

    assert [(key, row) for key, row in found] == [
        (
            rows["person_key"][at],
            {name: rows[name][at] for name in rows if name not in ("household_key", "person_key")},
        )
        for at in range(3)
    ]
    assert lookup.build_rows(path) == tmp_path / "real_estate-1.rows"
    assert lookup.rows_in(spec, [path], []) == []
