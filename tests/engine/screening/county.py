"""The sample county, from its files to the snapshots of one date, as an office would load it."""

from __future__ import annotations

import csv
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from doudi.engine.feeds import SnapshotSet, build_register, load_feed_specs, parse_file, resolve_feed
from doudi.engine.status import Status

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "samples" / "longli"
REFERENCE = ROOT / "packs" / "reference"
SAMPLE_DAY = date(2024, 11, 15)


def blind(texts: Sequence[str]) -> list[bytes]:
    return [hmac.digest(b"tests only", text.encode(), hashlib.sha256)[:16] for text in texts]


def load_county(folder: Path, *, as_of: date = SAMPLE_DAY) -> SnapshotSet:
    """Load the sample's 24 files in the manifest's order; ``folder`` takes the resolved snapshots."""
    specs = load_feed_specs(REFERENCE / "feeds")
    register = folder / "register"
    feeds: dict[str, tuple[Path, ...]] = {}
    with (SAMPLE / "manifest.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            parsed = parse_file(specs[row["feed"]], SAMPLE / row["file"], today=date(2024, 12, 1))
            if row["feed"] == "household_register":
                build_register(parsed, register, blind=blind)
            else:
                to = folder / f"{row['feed']}.parquet"
                resolve_feed(parsed, register, to, blind=blind)
                feeds[row["feed"]] = (to,)
    return SnapshotSet(as_of=as_of, register=register, feeds=feeds, missing={}, digest="sample")


def on(snapshots: SnapshotSet, day: date) -> SnapshotSet:
    """The same files, read as of another date."""
    return replace(snapshots, as_of=day)


def without(snapshots: SnapshotSet, missing: Iterable[str]) -> SnapshotSet:
    """The same county where some feeds never arrived."""
    gone = dict.fromkeys(missing, Status.NOT_ARRIVED)
    kept = {name: files for name, files in snapshots.feeds.items() if name not in gone}
    return replace(snapshots, feeds=kept, missing={**snapshots.missing, **gone})


@cache
def expected_rows() -> list[dict[str, str]]:
    with (SAMPLE / "expected.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
