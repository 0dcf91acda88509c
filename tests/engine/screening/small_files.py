"""Households in plain Python to and from the snapshot files that screening reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from doudi.engine.feeds import SnapshotSet
from doudi.engine.feeds.spec import FeedSpec
from doudi.engine.packs.relations import ARROW_TYPES
from doudi.engine.status import Status

_HOUSEHOLDS = pa.schema(
    [
        ("household_key", pa.int64()), ("household_no", pa.string()), ("region_code", pa.string()),
        ("urban_rural", pa.string()), ("category", pa.string()), ("persons", pa.int32()),
    ]
)  # fmt: skip
_MEMBERS = pa.schema(
    [
        ("household_key", pa.int64()), ("person_key", pa.int64()), ("relation", pa.string()),
        ("living_together", pa.bool_()), ("left_on", pa.date32()), ("category", pa.string()),
        ("category_since", pa.date32()), ("urban_rural", pa.string()), ("region_code", pa.string()),
        ("is_head", pa.bool_()), ("birth_on", pa.date32()),
    ]
)  # fmt: skip


def write_snapshots(
    households: list[list[dict[str, Any]]],
    folder: Path,
    specs: dict[str, FeedSpec],
    *,
    as_of: date,
    missing: Iterable[str] = (),
) -> SnapshotSet:
    """Write households (lists of members) by the snapshot contract; household i has key i."""
    heads, members = [], []
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    person = 0
    for key, household in enumerate(households):
        ordered = sorted(household, key=lambda m: m["id_number"])
        head = next((m for m in ordered if m["relation"] == "户主"), ordered[0])
        heads.append(
            {
                "household_key": key, "household_no": f"H{key:05d}", "persons": len(ordered),
                **{name: head[name] for name in ("region_code", "urban_rural", "category")},
            }
        )  # fmt: skip
        for member in ordered:
            cells = {name: member.get(name) for name in _MEMBERS.names}
            members.append(cells | {"household_key": key, "person_key": person, "is_head": member is head})
            for feed, found in member["rows"].items():
                rows[feed] += [
                    row | {"household_key": key, "person_key": person, "row_digest": person * 1000 + i}
                    for i, row in enumerate(found)
                ]
            person += 1
    register = folder / "register"
    register.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(heads, _HOUSEHOLDS), register / "households.parquet")
    pq.write_table(pa.Table.from_pylist(members, _MEMBERS), register / "members.parquet")
    gone = set(missing)
    feeds = {}
    for name, spec in specs.items():
        if name == "household_register" or name in gone:
            continue
        schema = pa.schema(
            [("household_key", pa.int64()), ("person_key", pa.int64())]
            + [(c.name, ARROW_TYPES[c.type]) for c in spec.columns if c.type in ARROW_TYPES]
            + [("row_digest", pa.int64())]
        )
        path = folder / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(rows[name], schema), path)
        feeds[name] = (path,)
    status = dict.fromkeys(gone, Status.NOT_ARRIVED)
    return SnapshotSet(
        as_of=as_of, register=register, feeds=feeds, missing=status, digest=f"{as_of}{sorted(gone)}"
    )


def read_snapshots(snapshots: SnapshotSet) -> dict[str, list[dict[str, Any]]]:
    """Household number → members with their rows, from snapshot files.

    Person keys follow the order of identity numbers, so they stand for them.
    """
    numbers = {}
    for row in pq.read_table(snapshots.register / "households.parquet").to_pylist():
        numbers[row["household_key"]] = row["household_no"]
    people: dict[tuple[int, int], dict[str, Any]] = {}
    households: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in pq.read_table(snapshots.register / "members.parquet").to_pylist():
        member = row | {"id_number": row["person_key"], "rows": defaultdict(list)}
        people[row["household_key"], row["person_key"]] = member
        households[numbers[row["household_key"]]].append(member)
    for feed, files in snapshots.feeds.items():
        for path in files:
            for row in pq.read_table(path).to_pylist():
                people[row["household_key"], row["person_key"]]["rows"][feed].append(row)
    return households
