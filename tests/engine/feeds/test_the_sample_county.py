"""The whole post of the fictitious county: twenty-four files, each with its traps, and what each must answer."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from doudi.engine.feeds import build_register, counts, recognise, resolve_feed, write_quarantine
from tests.engine.feeds.outbox import SAMPLE, SPECS, blind, read

FILES = {
    row["feed"]: SAMPLE / row["file"]
    for row in csv.DictReader((SAMPLE / "manifest.csv").read_text("utf-8").splitlines())
}
EXPECTED = json.loads((SAMPLE / "expected_load.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / "register"
    build_register(read("household_register", FILES["household_register"]), folder, blind=blind)
    return folder


def test_there_are_twenty_four_feeds() -> None:
    assert set(SPECS) == set(FILES) == set(EXPECTED)
    assert len(SPECS) == 24


@pytest.mark.parametrize("feed", FILES)
def test_a_file_tells_what_it_is(feed: str) -> None:
    assert recognise(SPECS, FILES[feed]).name == feed


@pytest.mark.parametrize("feed", FILES)
def test_a_load_answers_exactly_as_agreed(feed: str, register: Path, tmp_path: Path) -> None:
    parsed = read(feed, FILES[feed])
    grades = None
    if feed != "household_register":
        grades = resolve_feed(parsed, register, tmp_path / "feed.parquet", blind=blind)

    answer = counts(parsed, grades)

    assert answer == EXPECTED[feed]
    if grades is not None:
        assert pq.read_metadata(tmp_path / "feed.parquet").num_rows >= grades.a + grades.b
        assert grades.held.num_rows >= grades.c
        matched = sum(answer["grades"].values()) + answer["leads"] + answer["not_registered"]
        assert matched + answer["duplicates"] == answer["good"]


@pytest.mark.parametrize("feed", ["household_register", "business"])
def test_as_many_rows_go_back_as_were_set_aside(feed: str, tmp_path: Path) -> None:
    parsed = read(feed, FILES[feed])

    written = write_quarantine(parsed, FILES[feed], tmp_path / "退回.xlsx")

    assert written == parsed.quarantined == EXPECTED[feed]["quarantined"]


def test_the_same_file_gives_the_same_rows(register: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        resolve_feed(read("grant", FILES["grant"]), register, tmp_path / name, blind=blind)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_name_and_no_number_of_a_person_stands_in_a_resolved_file(register: Path, tmp_path: Path) -> None:
    resolve_feed(read("marriage", FILES["marriage"]), register, tmp_path / "marriage.parquet", blind=blind)
    people = read("household_register", FILES["household_register"]).rows
    secrets = {
        *people["id_number"].to_pylist(),
        *people["name"].to_pylist(),
        *people["phone"].to_pylist(),
    } - {None}

    for path in (*register.iterdir(), tmp_path / "marriage.parquet"):
        for column in pq.read_table(path).columns:
            assert secrets.isdisjoint(cell for cell in column.to_pylist() if isinstance(cell, str))
