"""Claim: a later file of the same date costs what changed, not the country; the result is the full screen's to the byte.

    python -m benchmarks.bench_incremental [--persons 1e6] [--share 0.01]

Of ``share`` of the households a medical bill and a bank balance are new. Product: the changed households alone
(finding them, computing them, merging); peer: the full screen of the same snapshots in the same run. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb

from benchmarks.bench_screening import snapshots
from benchmarks.measuring import OUT, timed
from benchmarks.population import REFERENCE, population
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import load_pack
from doudi.engine.screening import Previous, rescreen, screen, write_export


def changed(before: SnapshotSet, share: float, folder: Path) -> SnapshotSet:
    """The same county after two departments sent their files again, other for a share of the households."""
    every = max(1, round(1 / share))
    feeds = dict(before.feeds)
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        for feed, column in (("medical", "own_paid"), ("deposit", "balance")):
            to = folder / f"{feed}.parquet"
            source = f"read_parquet({[str(path) for path in before.feeds[feed]]})"
            connection.execute(
                f"COPY (SELECT * REPLACE (CASE WHEN household_key % {every} = 0 THEN {column} + 1000000 ELSE {column} END"
                f" AS {column}) FROM {source} ORDER BY household_key, person_key) TO '{to}' (FORMAT parquet, COMPRESSION zstd)"
            )
            feeds[feed] = (to,)
    return replace(before, feeds=feeds, digest=f"{before.digest} changed {share}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=float, default=1e5)
    parser.add_argument("--share", type=float, default=0.01)
    options = parser.parse_args()
    pack = load_pack(REFERENCE)
    before = snapshots(population(round(options.persons)) / "resolved")
    work = OUT / "incremental"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    now = changed(before, options.share, work)
    screen(pack, before, to=work / "before")
    some, product = timed(
        lambda: rescreen(pack, now, previous=Previous(work / "before", before), to=work / "some")
    )
    full, peer = timed(lambda: screen(pack, now, to=work / "full"))
    for name in ("some", "full"):
        write_export(work / name, work / f"{name}.csv")
    equal = (work / "some.csv").read_bytes() == (work / "full.csv").read_bytes()
    answer = {
        "claim": f"{full.persons:,} persons, {some.recomputed:,} of {full.households:,} households changed, "
        f"{'equal to the byte' if equal else 'NOT EQUAL'}",
        "product": f"{product.seconds:.2f} s, {product.cpu_seconds:.1f} processor s",
        "peer": f"full screen {peer.seconds:.2f} s, {peer.cpu_seconds:.1f} processor s",
        "ratio": f"{peer.cpu_seconds / product.cpu_seconds:.1f}× in processor seconds",
    }
    print(json.dumps(answer, ensure_ascii=False))


if __name__ == "__main__":
    main()
