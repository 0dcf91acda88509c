"""How fresh each department's files are (最近收到), and who a key of a resolved register stands for.

In come the feeds of a pack and a date; out comes for each feed the date its data speak of, when it was received, and
whether it is late by its own period. Nothing here judges a household.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import duckdb
import pyarrow as pa

from doudi.contexts.registry.in_force import REGISTER, loads_in_force
from doudi.contexts.registry.models import FeedLoad, Grading
from doudi.engine.feeds import FeedSpec, SnapshotSet
from doudi.engine.feeds.snapshots import INDEX


@dataclass(frozen=True)
class Receipt:
    """The last of a feed: ``as_of`` the date its data speak of, ``received_at`` when it came; None: never came.

    ``source`` is the office that sent it, '' where the loader did not name one.
    """

    feed: str
    label: str
    supplier: str
    source: str
    as_of: date | None
    received_at: datetime | None
    period_days: int | None
    age_days: int | None

    def is_late(self, periods: int) -> bool:
        """Whether the data are older than so many of the feed's own periods; a feed without a period is never late."""
        return (
            self.period_days is not None
            and self.age_days is not None
            and self.age_days > periods * self.period_days
        )


def receipts(specs: Mapping[str, FeedSpec], as_of: date) -> dict[str, Receipt]:
    """For every feed but the register the last that was received for ``as_of`` or before.

    Of a feed that several offices send, the sender who is furthest behind counts: its people are the ones not seen.
    """
    return {
        name: min(receipts_by_source(spec, as_of), key=lambda one: (one.as_of or date.min, one.received_at))
        for name, spec in specs.items()
        if name != REGISTER
    }


def receipts_by_source(spec: FeedSpec, as_of: date) -> list[Receipt]:
    """The last that each office sent of a feed for ``as_of`` or before; one that says so where none ever came."""
    newest: dict[str, tuple[date, datetime]] = {}
    for load in loads_in_force(spec, as_of):
        said = (load.as_of, load.loaded_at)
        newest[load.source] = max(newest.get(load.source, said), said)
    told: dict[str, tuple[date, datetime] | None] = dict(newest) or {"": None}
    return [
        Receipt(
            feed=spec.name,
            label=spec.label,
            supplier=spec.supplier,
            source=source,
            as_of=last[0] if last else None,
            received_at=last[1] if last else None,
            period_days=spec.period_days,
            age_days=(as_of - last[0]).days if last else None,
        )
        for source, last in told.items()
    ]


def different_names(loads: Iterable[int]) -> dict[str, set[int]]:
    """Feed → person keys whom one of these loads (register first) names otherwise than the register does."""
    found: dict[str, set[int]] = {}
    numbers = list(loads)
    register = FeedLoad.objects.get(pk=numbers[0])
    gradings = Grading.objects.filter(load__in=numbers, register_hash=register.file_hash).select_related(
        "load"
    )
    for grading in gradings:
        found.setdefault(grading.load.feed, set()).update(grading.grades.get("different_names", ()))
    return found


def people_of_keys(snapshots: SnapshotSet, keys: Iterable[int]) -> dict[int, str]:
    """Person key of a resolved register → the person's blind index (hex), which outlives the register."""
    wanted = pa.table({"person_key": pa.array(sorted(set(keys)), pa.int64())})
    if not wanted.num_rows:
        return {}
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("wanted", wanted)
        rows = db.execute(
            "select distinct person_key, hex(id_blind) from read_parquet($1) join wanted using (person_key)",
            [str(snapshots.register / INDEX)],
        ).fetchall()
    return {int(key): blind.lower() for key, blind in rows}
