"""Screening the changed households alone gives what a full screen gives, to the byte, or says why it did not."""

from __future__ import annotations

import os
import random
import tempfile
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import load_pack, with_parameters
from doudi.engine.screening import Previous, read_result, rescreen, screen, write_export
from tests.engine.screening.county import REFERENCE
from tests.engine.screening.families import DAYS, FEEDS, Families
from tests.engine.screening.small_files import write_snapshots

PACK = load_pack(REFERENCE)
RUNS = int(os.environ.get("DOUDI_INCREMENTAL_RUNS", "3"))
DAY = date(2024, 11, 15)
EVENTS = [name for name in FEEDS if PACK.feeds[name].kind == "event"]


def before_and_after(
    folder: Path, seed: int, day: date, *, households: int = 300
) -> tuple[SnapshotSet, SnapshotSet]:
    """Families, and the same after some departments sent something new about a few of them."""
    r = random.Random(seed)
    source = Families(seed, day)
    families = source.some(households)
    before = write_snapshots(families, folder / "before", PACK.feeds, as_of=day)
    changed = deepcopy(families)
    touched = r.sample(FEEDS, r.randint(0, 6))
    for family in r.sample(changed, r.randint(0, households // 5)):
        rows = r.choice(family)["rows"]
        for feed in r.sample(touched, r.randint(0, len(touched))):
            if r.random() < 0.4:
                rows.pop(feed, None)
            else:
                rows[feed] = [*rows.get(feed, []), *source.rows().get(feed, [getattr(source, f"_{feed}")()])]
    after = write_snapshots(changed, folder / "after", PACK.feeds, as_of=day)
    feeds = {name: after.feeds[name] if name in touched else paths for name, paths in before.feeds.items()}
    for name in set(touched) & set(EVENTS):
        if r.random() < 0.5:
            # events add up over files: the first file stays, the later one repeats some of it
            feeds[name] = (*before.feeds[name], *after.feeds[name])
    return before, replace(after, register=before.register, feeds=feeds, digest="after")


def rows_of(folder: Path) -> bytes:
    write_export(folder, folder / "export.csv")
    return (folder / "export.csv").read_bytes()


@settings(max_examples=RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), day=st.sampled_from(DAYS))
def test_the_changed_alone_and_everybody_give_the_same_bytes(seed: int, day: date) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before, after = before_and_after(folder, seed, day)
        screen(PACK, before, to=folder / "r1", chunks=1 + seed % 4)

        some = rescreen(PACK, after, previous=Previous(folder / "r1", before), to=folder / "r2")
        everybody = screen(PACK, after, to=folder / "r3", chunks=1)

        assert some.why_full in ("", "变化的户太多，全部重算更快")
        assert some.digest == everybody.digest
        assert rows_of(folder / "r2") == rows_of(folder / "r3")
        assert list(read_result(folder / "r2")) == list(read_result(folder / "r3"))
        schemas = {pq.read_schema(path) for path in (*some.files, *everybody.files)}
        assert len(schemas) == 1
        # and what was merged can be gone on from
        back = rescreen(PACK, before, previous=Previous(folder / "r2", after), to=folder / "r4")
        assert rows_of(folder / "r4") == rows_of(folder / "r1")
        assert (back.recomputed is None) == bool(back.why_full)


def test_only_the_households_that_changed_are_computed(tmp_path: Path) -> None:
    families = Families(7, DAY).some(200)
    before = write_snapshots(families, tmp_path / "before", PACK.feeds, as_of=DAY)
    families[20][0]["rows"]["medical"] = [
        {"settled_on": DAY, "total_cost": 1, "own_paid": 9_000_000, "serious_illness": False}
    ]
    now = write_snapshots(families, tmp_path / "after", PACK.feeds, as_of=DAY)
    now = replace(now, register=before.register, digest="after")
    screen(PACK, before, to=tmp_path / "r1", chunks=4)

    found = rescreen(PACK, now, previous=Previous(tmp_path / "r1", before), to=tmp_path / "r2")

    assert (found.recomputed, found.why_full, found.households) == (1, "", 200)
    assert {row["household_no"] for row in read_result(tmp_path / "r2") if "M1" in row["warnings"]} >= {
        "H00020"
    }
    # three of four ranges are the same files
    assert sum(os.stat(path).st_nlink > 1 for path in found.files) == 3
    assert rescreen(PACK, now, previous=None, to=tmp_path / "r2").resumed == 4
    # a second click: the same evidence, and the result that stands
    again = rescreen(PACK, now, previous=Previous(tmp_path / "r2", now), to=tmp_path / "r2")
    assert (again.resumed, again.why_full) == (4, "数据和规则都没有变，上次的结果仍然有效")


@pytest.mark.parametrize("what", ["date", "register", "pack", "feed", "nothing", "much"])
def test_where_everybody_may_have_changed_everybody_is_screened_and_it_says_why(
    tmp_path: Path, what: str
) -> None:
    families = Families(9, DAY).some(60)
    before = write_snapshots(families, tmp_path / "before", PACK.feeds, as_of=DAY)
    screen(PACK, before, to=tmp_path / "r1")
    previous: Previous | None = Previous(tmp_path / "r1", before)
    now, pack = replace(before, digest="after"), PACK
    if what == "date":
        now = replace(now, as_of=date(2024, 11, 16))
    elif what == "register":
        now = write_snapshots(families, tmp_path / "after", PACK.feeds, as_of=DAY)
    elif what == "pack":
        pack = with_parameters(PACK, {("低保标准", ""): "800元"})
        object.__setattr__(pack, "hash", "another")
    elif what == "feed":
        now = replace(now, feeds={**now.feeds, "medical": ()})
    elif what == "nothing":
        previous = None
    else:
        for family in families:
            family[0]["rows"]["medical"] = [
                {"settled_on": DAY, "total_cost": 1, "own_paid": 5, "serious_illness": False}
            ]
        now = write_snapshots(families, tmp_path / "after", PACK.feeds, as_of=DAY)
        now = replace(now, register=before.register, digest="after")

    found = rescreen(pack, now, previous=previous, to=tmp_path / "r2")

    said = {
        "date": "窗口",
        "register": "花名册",
        "pack": "政策包",
        "feed": "第一次到",
        "nothing": "没有同一",
        "much": "太多",
    }
    assert said[what] in found.why_full and found.why_full_en
    assert found.recomputed is None
    screen(pack, now, to=tmp_path / "r3")
    assert rows_of(tmp_path / "r2") == rows_of(tmp_path / "r3")
