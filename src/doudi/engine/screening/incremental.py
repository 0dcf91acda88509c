# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""Screening only the households about which a load said something new; the result equals a full screen's.

In come the result and the snapshots of an earlier screen of the same date, and the snapshots of now; out comes the result
of now. What a household comes to depends on its own rows, its region's parameters and the date alone, so a household
whose rows are the same keeps its row. Wherever anything else may have changed (date, register, pack, parameters, a
feed that came for the first time) everybody is screened, and the result says why.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from doudi.engine.feeds.snapshots import rows_of
from doudi.engine.packs import Pack
from doudi.engine.packs.relations import parameter_table
from doudi.engine.packs.terms import REGISTER
from doudi.engine.screening import running
from doudi.engine.screening.running import Prepared, Progress, ScreeningResult

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet

MOST_CHANGED = 3, 10
"""Above this share of households (3 in 10) a full screen costs less than finding and merging the changed ones."""


@dataclass(frozen=True)
class Previous:
    """An earlier screen: the folder of its result and what it stood on."""

    folder: Path
    snapshots: SnapshotSet


@dataclass(frozen=True)
class WhyFull:
    """Why everybody had to be screened."""

    zh: str
    en: str


NOTHING_BEFORE = WhyFull("没有同一数据日期的上次结果", "there is no earlier result of the same date")
NOTHING_NEW = WhyFull(
    "数据和规则都没有变，上次的结果仍然有效", "no data and no rule changed: the last result stands"
)
ANOTHER_DATE = WhyFull(
    "数据日期变了，所有“近几个月”的窗口都随之移动", "the as-of date differs, so every window of months moved"
)
ANOTHER_REGISTER = WhyFull(
    "花名册变了，户和人的键不同", "the register differs, and with it the keys of households"
)
ANOTHER_RULE = WhyFull("政策包或参数变了", "the pack or its parameters differ")
ANOTHER_FEED = WhyFull(
    "有部门数据第一次到，或不再有：原来待核的都要重算",
    "a feed came for the first time or is gone: what was undecided changes",
)
ANOTHER_ENGINE = WhyFull("上次是用 Spark 算的", "the earlier result was computed with Spark")
TOO_MANY = WhyFull("变化的户太多，全部重算更快", "so many households changed that a full screen is faster")


def rescreen(
    pack: Pack,
    snapshots: SnapshotSet,
    *,
    previous: Previous | None,
    to: Path,
    threads: int = 2,
    memory: str = "2GB",
    on_progress: Progress | None = None,
    **options: Any,
) -> ScreeningResult:
    """:func:`~doudi.engine.screening.running.screen`, computing only what changed since ``previous`` where that is safe."""
    started = time.perf_counter()
    why = _not_comparable(snapshots, previous)
    if why is None and previous is not None and previous.folder != to:
        to.mkdir(parents=True, exist_ok=True)
        found = _rescreen(pack, snapshots, previous, to, threads, memory, on_progress)
        if isinstance(found, ScreeningResult):
            return replace(found, seconds=time.perf_counter() - started)
        why = found
    elif why is None and previous is not None:
        why = NOTHING_NEW
    result = running.screen(
        pack, snapshots, to=to, threads=threads, memory=memory, on_progress=on_progress, **options
    )
    return replace(result, why_full=(why or NOTHING_BEFORE).zh, why_full_en=(why or NOTHING_BEFORE).en)


def _not_comparable(snapshots: SnapshotSet, previous: Previous | None) -> WhyFull | None:
    if previous is None:
        return NOTHING_BEFORE
    before = previous.snapshots
    if before.as_of != snapshots.as_of:
        return ANOTHER_DATE
    if before.register != snapshots.register:
        return ANOTHER_REGISTER
    arrived = {name for name, paths in snapshots.feeds.items() if paths}
    if arrived != {name for name, paths in before.feeds.items() if paths}:
        return ANOTHER_FEED
    return None


def _rescreen(
    pack: Pack,
    snapshots: SnapshotSet,
    previous: Previous,
    to: Path,
    threads: int,
    memory: str,
    on_progress: Progress | None,
) -> ScreeningResult | WhyFull:
    work = to / "tmp"
    with running.open_snapshots(pack, snapshots, threads=threads, memory=memory, spill=work) as connection:
        prepared = running.prepare(connection, pack, snapshots)
        digest = running.digest_of(pack, snapshots, prepared)
        done = running.finished(to, digest)
        if done is not None:
            return running.result_of(to, done, prepared.missing, resumed=len(done["files"]))
        # of the same date, register and arrived feeds the query is the same; so is the digest, if the pack is
        before = running.finished(previous.folder, running.digest_of(pack, previous.snapshots, prepared))
        plan = running.read_json(previous.folder / running.PLAN)
        if before is None or plan is None:
            return ANOTHER_RULE
        if plan["engine"] != "duckdb":
            return ANOTHER_ENGINE
        _find_changed(connection, prepared, snapshots, previous.snapshots)
        changed, least, most = connection.execute(
            "SELECT count(*), coalesce(min(household_key), 0), coalesce(max(household_key), -1) FROM changed"
        ).fetchall()[0]
        if changed * MOST_CHANGED[1] > before["households"] * MOST_CHANGED[0]:
            return TOO_MANY
        running.clear(to)
        _narrow(connection, prepared, snapshots)
        connection.register("parameters", parameter_table(prepared.compiled, prepared.pairs))
        ranges = [(int(low), int(high)) for low, high in plan["ranges"]]
        for number, (name, (low, high)) in enumerate(zip(before["files"], ranges, strict=True), 1):
            touched = (
                low <= most
                and least < high
                and connection.execute(
                    "SELECT count(*) FROM changed WHERE household_key >= ? AND household_key < ?", [low, high]
                ).fetchall()[0][0]
            )
            if touched:
                _merge(connection, prepared, previous.folder / name, low, high, to / name)
            else:
                _keep(previous.folder / name, to / name)
            if on_progress is not None:
                on_progress(number, len(ranges))
    done = {**before, "digest": digest}
    running.write_json(to / running.PLAN, {"digest": digest, "engine": "duckdb", "ranges": plan["ranges"]})
    running.write_json(to / running.DONE, done)
    shutil.rmtree(work, ignore_errors=True)
    return replace(running.result_of(to, done, prepared.missing), recomputed=int(changed))


def _read(prepared: Prepared, feed: str) -> str:
    """The columns of a feed that the query reads; what stands in others changes nothing."""
    columns = ("household_key", "person_key", *prepared.compiled.feed_columns.get(feed, ()))
    return ", ".join(f'"{column}"' for column in columns)


def _find_changed(
    connection: duckdb.DuckDBPyConnection, prepared: Prepared, now: SnapshotSet, before: SnapshotSet
) -> None:
    """The table ``changed``: every household of which a feed's rows are not the same, as often, as before."""
    pack = prepared.compiled.pack
    connection.execute("CREATE TABLE changed (household_key BIGINT)")
    for name, paths in now.feeds.items():
        old = before.feeds[name]
        if name not in pack.feeds or name == REGISTER or set(paths) == set(old):
            continue
        kind = pack.feeds[name].kind
        if kind == "snapshot" or (len(paths) > 1 and len(old) > 1):
            # a file that stands on both sides says the same on both
            sides = [[p for p in paths if p not in old], [p for p in old if p not in paths]]
        else:
            # of one file an event that stands twice counts twice, of several once: compare them whole
            sides = [list(paths), list(old)]
        sources = [_source(kind, side, like=paths[0]) for side in sides]
        columns = _read(prepared, name)
        both = " UNION ALL ".join(
            f"SELECT {columns}, {side} AS side FROM {source}"
            for source, side in zip(sources, (1, -1), strict=True)
        )
        connection.execute(
            f"INSERT INTO changed SELECT household_key FROM ({both}) GROUP BY {columns} HAVING sum(side) <> 0"
        )
    connection.execute("CREATE OR REPLACE TABLE changed AS SELECT DISTINCT household_key FROM changed")


def _source(kind: str, paths: list[Path], *, like: Path) -> str:
    if not paths:
        return f"(SELECT * FROM ({running.feed_source('snapshot', [like])}) LIMIT 0)"
    return f"({running.feed_source(kind, paths)})"


def _narrow(connection: duckdb.DuckDBPyConnection, prepared: Prepared, snapshots: SnapshotSet) -> None:
    """From now on the relations hold the changed households only, read once for all ranges."""
    named = {"members": "*", "households": "*"}
    for name in snapshots.feeds:
        if name in prepared.compiled.feed_columns and name != REGISTER:
            named[f"feed_{name}"] = _read(prepared, name)
    for relation, columns in named.items():
        connection.execute(f"ALTER VIEW {relation} RENAME TO whole_{relation}")
        connection.execute(
            f"CREATE TABLE {relation} AS SELECT {columns} FROM whole_{relation}"
            " WHERE household_key IN (SELECT household_key FROM changed)"
        )


def _merge(
    connection: duckdb.DuckDBPyConnection, prepared: Prepared, old: Path, low: int, high: int, to: Path
) -> None:
    """One range of now: the changed households from the query, the others from the range of before."""
    bound = prepared.compiled.sql("duckdb").replace("$lo", str(low)).replace("$hi", str(high))
    kept = f"SELECT o.* FROM {rows_of(old)} o ANTI JOIN changed USING (household_key)"
    running.write_query(
        connection, f"SELECT * FROM (({bound}) UNION ALL ({kept})) ORDER BY household_key", to, (low, high)
    )


def _keep(old: Path, to: Path) -> None:
    """A range in which nobody changed: the same file under both names."""
    try:
        os.link(old, to)
    except OSError:
        shutil.copyfile(old, to)


__all__ = ["Previous", "WhyFull", "rescreen"]
