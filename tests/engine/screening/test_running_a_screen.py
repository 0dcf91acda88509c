"""A screen in ranges: killed and taken up, run again without work, compared, simulated; events sent twice are one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from doudi.engine.errors import DoudiError
from doudi.engine.packs import load_pack, with_parameters
from doudi.engine.screening import (
    ScreeningError,
    compare_results,
    compile_pack,
    read_result,
    screen,
    simulate,
    write_export,
)
from tests.engine.screening.county import REFERENCE
from tests.engine.screening.families import Families
from tests.engine.screening.small_files import write_snapshots

PACK = load_pack(REFERENCE)
DAY = date(2024, 11, 15)
ROOT = Path(__file__).resolve().parents[3]


def family(**rows: list[dict]) -> list[dict]:
    """One 户主 of rural Longli, aged nothing in particular, with some departments' rows."""
    member = {
        "id_number": 1, "relation": "户主", "living_together": True, "category": "低保", "urban_rural": "农村",
        "region_code": "520199", "category_since": None, "left_on": None, "rows": rows,
    }  # fmt: skip
    return [member]


def test_the_same_screen_again_does_no_work(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(1, DAY).some(50), tmp_path, PACK.feeds, as_of=DAY)
    first = screen(PACK, snapshots, to=tmp_path / "result", chunks=5)
    before = {path: path.stat().st_mtime_ns for path in first.files}

    again = screen(PACK, snapshots, to=tmp_path / "result", chunks=5)

    assert again.digest == first.digest
    assert again.resumed == 5
    assert {path: path.stat().st_mtime_ns for path in again.files} == before


def test_another_pack_or_date_starts_anew(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(1, DAY).some(50), tmp_path, PACK.feeds, as_of=DAY)
    first = screen(PACK, snapshots, to=tmp_path / "result", chunks=5)

    dearer = screen(
        with_parameters(PACK, {("低保标准", ""): "900元"}), snapshots, to=tmp_path / "result", chunks=5
    )
    earlier = screen(PACK, replace(snapshots, as_of=date(2024, 6, 30)), to=tmp_path / "result", chunks=2)

    assert dearer.resumed == earlier.resumed == 0
    assert len({first.digest, dearer.digest, earlier.digest}) == 3
    assert sorted(path.name for path in (tmp_path / "result").glob("part-*")) == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]


def test_progress_is_told_range_by_range(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(2, DAY).some(30), tmp_path, PACK.feeds, as_of=DAY)
    told: list[tuple[int, int]] = []

    screen(
        PACK,
        snapshots,
        to=tmp_path / "result",
        chunks=3,
        on_progress=lambda done, of: told.append((done, of)),
    )

    assert told == [(1, 3), (2, 3), (3, 3)]


_KILLED = """
import sys
from datetime import date
from pathlib import Path
from doudi.engine.packs import load_pack
from doudi.engine.screening import screen
from tests.engine.screening.county import REFERENCE
from tests.engine.screening.families import Families
from tests.engine.screening.small_files import write_snapshots
pack = load_pack(REFERENCE)
folder = Path(sys.argv[1])
snapshots = write_snapshots(Families(3, date(2024, 11, 15)).some(200), folder, pack.feeds, as_of=date(2024, 11, 15))
print("ready", flush=True)
screen(pack, snapshots, to=folder / "result", chunks=6)
"""


@pytest.mark.slow
@pytest.mark.parametrize("parts", [0, 1, 4])
def test_a_killed_screen_is_taken_up_and_ends_the_same(tmp_path: Path, parts: int) -> None:
    families = Families(3, DAY).some(200)
    snapshots = write_snapshots(families, tmp_path / "whole", PACK.feeds, as_of=DAY)
    screen(PACK, snapshots, to=tmp_path / "whole" / "result", chunks=6)
    result = tmp_path / "killed" / "result"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path / "killed")], stdout=subprocess.PIPE, env=environment
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    while len(list(result.glob("part-*.parquet"))) < parts:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(ScreeningError):
        list(read_result(result))
    left = len(list(result.glob("part-*.parquet")))

    snapshots = write_snapshots(families, tmp_path / "killed", PACK.feeds, as_of=DAY)
    taken_up = screen(PACK, snapshots, to=result, chunks=6)

    assert taken_up.resumed == left
    write_export(result, tmp_path / "killed.csv")
    write_export(tmp_path / "whole" / "result", tmp_path / "whole.csv")
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(result.glob("*.aside"))


def test_the_result_files_are_the_same_to_the_byte(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(4, DAY).some(300), tmp_path, PACK.feeds, as_of=DAY)

    one = screen(PACK, snapshots, to=tmp_path / "one", chunks=2)
    two = screen(PACK, snapshots, to=tmp_path / "two", chunks=2)

    assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]


def test_an_event_sent_in_two_files_is_one_event(tmp_path: Path) -> None:
    grant = {"programme": "临时救助", "amount": 100, "granted_on": DAY}
    snapshots = write_snapshots([family(grant=[grant])], tmp_path, PACK.feeds, as_of=DAY)
    other = tmp_path / "again.parquet"
    table = pq.read_table(snapshots.feeds["grant"][0])
    pq.write_table(table, other)
    twice = replace(
        snapshots, feeds={**snapshots.feeds, "grant": (*snapshots.feeds["grant"], other)}, digest="2"
    )

    screen(PACK, twice, to=tmp_path / "result")

    [row] = read_result(tmp_path / "result")
    assert "R1" not in row["warnings"]


def test_two_events_of_two_files_add_up(tmp_path: Path) -> None:
    rows = [{"programme": "临时救助", "amount": 100, "granted_on": day} for day in (DAY, date(2024, 3, 1))]
    snapshots = write_snapshots([family(grant=rows)], tmp_path, PACK.feeds, as_of=DAY)
    table = pq.read_table(snapshots.feeds["grant"][0])
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    pq.write_table(table.slice(0, 1), first)
    pq.write_table(table.slice(1, 1), second)
    split = replace(snapshots, feeds={**snapshots.feeds, "grant": (first, second)}, digest="2")

    screen(PACK, split, to=tmp_path / "result")

    [row] = read_result(tmp_path / "result")
    assert row["warnings"] == ["R1"]
    assert row["warning_levels"] == {"R1": "yellow"}


def test_an_empty_register_gives_an_empty_result(tmp_path: Path) -> None:
    snapshots = write_snapshots([], tmp_path, PACK.feeds, as_of=DAY)

    result = screen(PACK, snapshots, to=tmp_path / "result")
    write_export(tmp_path / "result", tmp_path / "out.csv")

    assert (result.households, result.persons) == (0, 0)
    assert (tmp_path / "out.csv").read_text().count("\n") == 1


def test_without_a_register_the_clerk_is_told_to_load_one(tmp_path: Path) -> None:
    snapshots = write_snapshots([], tmp_path, PACK.feeds, as_of=DAY)

    with pytest.raises(ScreeningError, match="请先装入花名册"):
        screen(PACK, replace(snapshots, register=tmp_path / "none"), to=tmp_path / "result")


def test_an_absurd_amount_is_named_and_not_wrapped_round(tmp_path: Path) -> None:
    rows = [{"institution": "甲", "balance": 2**62, "balance_on": DAY} for _ in range(4)]
    snapshots = write_snapshots([family(deposit=rows)], tmp_path, PACK.feeds, as_of=DAY)

    with pytest.raises(DoudiError, match="金额太大"):
        screen(PACK, snapshots, to=tmp_path / "result")


def test_changes_since_another_screen_are_counted(tmp_path: Path) -> None:
    families = Families(5, DAY).some(60)
    before = write_snapshots(families[:50], tmp_path / "a", PACK.feeds, as_of=DAY)
    after = write_snapshots([*families[:49], family(), *families[50:]], tmp_path / "b", PACK.feeds, as_of=DAY)
    screen(PACK, before, to=tmp_path / "before")
    screen(PACK, after, to=tmp_path / "after")

    changes = compare_results(tmp_path / "after", tmp_path / "before")

    assert compare_results(tmp_path / "after", tmp_path / "after").unchanged == 60
    assert changes.unchanged >= 49
    assert changes.appeared >= 10


def test_a_what_if_agrees_with_two_screens(tmp_path: Path) -> None:
    families = Families(6, DAY).some(300)
    snapshots = write_snapshots(families, tmp_path, PACK.feeds, as_of=DAY)
    other = with_parameters(PACK, {("低保标准", "61"): "1200元"})
    screen(PACK, snapshots, to=tmp_path / "before")
    screen(other, snapshots, to=tmp_path / "after")
    pairs = list(zip(read_result(tmp_path / "before"), read_result(tmp_path / "after"), strict=True))

    found = simulate(PACK, snapshots, changes={("低保标准", "61"): "1200"}, chunks=3)

    def side(one: dict, two: dict) -> int:
        if "UNKNOWN" in (one["category"], two["category"]):
            return 0
        old = (PACK.rank_of(one["category"]), one["monthly_cost"])
        new = (PACK.rank_of(two["category"]), two["monthly_cost"])
        return (new > old) - (new < old)

    assert found.households == 300
    assert found.gainers == sum(side(*pair) == 1 for pair in pairs) > 0
    assert found.losers == sum(side(*pair) == -1 for pair in pairs)
    assert found.undecided == sum("UNKNOWN" in (a["category"], b["category"]) for a, b in pairs)
    assert found.cost_after == sum(b["monthly_cost"] for _, b in pairs) > found.cost_before
    assert all(row["region"].startswith("61") for row in found.by_region() if row["gainers"])
    assert "得益" in str(found)


def test_the_same_query_is_written_for_spark() -> None:
    compiled = compile_pack(PACK, on=DAY)

    text = compiled.sql("spark")

    assert "`家庭月收入`" in text
    assert ":lo" in text and "$lo" not in text
    assert " DIV " in text
    assert "STRUCT(" in text and "{'b'" not in text


def test_guards_against_the_unknown_cost_nothing_where_all_feeds_are_there() -> None:
    whole = compile_pack(PACK, on=DAY)
    one_gone = compile_pack(PACK, ["deposit"], on=DAY)

    assert whole.undecidable == frozenset()
    assert {"金融资产", "类别:低保"} <= one_gone.undecidable
    assert "家庭月收入" not in one_gone.undecidable
    assert "UNKNOWN" not in whole.sql().replace("found = 'UNKNOWN'", "")
