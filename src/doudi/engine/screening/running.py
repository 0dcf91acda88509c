# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""Screening a whole county, city or nation: one compiled query over ranges of households.

Each range's result is written aside and renamed, so that a finished range is a checkpoint: a screen that was
killed takes up where it stood and ends with the same files. Memory is bounded by the range, not by the county.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq

from doudi.engine.errors import DoudiError
from doudi.engine.feeds.snapshots import quoted, rows_of
from doudi.engine.packs import Pack
from doudi.engine.packs.arrays import PLACED
from doudi.engine.packs.compiling import CompiledPack, compile_pack
from doudi.engine.packs.relations import parameter_table, unknown_parameters
from doudi.engine.packs.terms import BIRTH_COLUMN, REGISTER
from doudi.engine.screening.arrays import NoPlaces, bound, lay_out
from doudi.engine.screening.spark import write_with_spark
from doudi.engine.status import Status

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet

Progress = Callable[[int, int], None]
HOUSEHOLDS_PER_CHUNK = 340_000
MOST_IN_ARRAYS = 1_000_000
"""A wider range would not fit a clerk's memory in arrays; it is left to DuckDB, which can spill."""
# a sum or a product of whole fen that does not fit 64 bits is refused by DuckDB, never wrapped round
OUT_OF_RANGE = (duckdb.OutOfRangeException, duckdb.ConversionException)
PLAN, DONE = "plan.json", "result.json"


class ScreeningError(DoudiError):
    """A screen could not be run or its result could not be read."""

    code = "screening_failed"


def too_large(where: str = "", where_en: str = "") -> ScreeningError:
    """What is said when a sum of whole fen does not fit 64 bits (:data:`OUT_OF_RANGE`)."""
    return ScreeningError(
        f"金额太大算不下{where}: 请核对数据里的异常大数",
        f"a sum does not fit 64 bits{where_en}: look for absurd amounts",
        code="out_of_range",
    )


@dataclass(frozen=True)
class ScreeningResult:
    """What a screen did: where its rows lie, how many households and persons, what was missing."""

    folder: Path
    files: tuple[Path, ...]
    households: int
    persons: int
    seconds: float
    missing: Mapping[str, Status]
    digest: str
    resumed: int = 0
    """Ranges that an earlier, interrupted run had finished."""
    recomputed: int | None = None
    """Households whose rows had changed and that alone were screened; None where everybody was."""
    why_full: str = ""
    why_full_en: str = ""
    """Why everybody was screened, where only the changed households were asked for."""


@dataclass(frozen=True)
class Prepared:
    """A compiled pack and the regions it will meet."""

    compiled: CompiledPack
    pairs: tuple[tuple[str, str], ...]
    missing: Mapping[str, Status]


def screen(
    pack: Pack,
    snapshots: SnapshotSet,
    *,
    to: Path,
    chunks: int | None = None,
    threads: int = 2,
    memory: str = "2GB",
    on_progress: Progress | None = None,
    engine: str = "duckdb",
    master: str | None = None,
) -> ScreeningResult:
    """Screen every household of the register in force; the result lies in the folder ``to``.

    The same pack and snapshots give the same folder back without work. ``chunks`` is the number of household
    ranges (default: one per 340,000 households); ``memory`` bounds DuckDB, as ``2GB``. ``engine`` ``spark`` runs the
    same query on the cluster at ``master``, in one range.
    """
    started = time.perf_counter()
    if engine not in ("duckdb", "spark"):
        raise ScreeningError(
            f"没有引擎 {engine}, 只有 duckdb 和 spark",
            f"there is no engine {engine}: only duckdb and spark",
            code="engine_unavailable",
        )
    to.mkdir(parents=True, exist_ok=True)
    work = to / "tmp"
    with open_snapshots(pack, snapshots, threads=threads, memory=memory, spill=work) as connection:
        prepared = prepare(connection, pack, snapshots)
        households, persons = _size(connection)
        ranges = household_ranges(households, chunks)
        digest = digest_of(pack, snapshots, prepared)
        plan = {"digest": digest, "engine": engine, "ranges": [list(r) for r in ranges]}
        done = finished(to, digest)
        if done is not None:
            return result_of(to, done, prepared.missing, time.perf_counter() - started, len(done["files"]))
        if read_json(to / PLAN) != plan:
            clear(to)
            write_json(to / PLAN, plan)
        parameters = parameter_table(prepared.compiled, prepared.pairs)
        resumed = 0
        if engine == "duckdb":
            connection.register("parameters_given", parameters)
            # a table, for every worker's session to see it
            connection.execute("CREATE TABLE parameters AS SELECT * FROM parameters_given")
            files, resumed = _write_ranges(connection, prepared.compiled, ranges, to, on_progress, threads)
    if engine == "spark":
        files = write_with_spark(
            prepared.compiled, snapshots, parameters, households=households, to=to, master=master
        )
        if on_progress is not None:
            on_progress(1, 1)
    done = {"digest": digest, "files": files, "households": households, "persons": persons}
    write_json(to / DONE, done)
    shutil.rmtree(work, ignore_errors=True)
    return result_of(to, done, prepared.missing, time.perf_counter() - started, resumed)


def _write_ranges(
    connection: duckdb.DuckDBPyConnection,
    compiled: CompiledPack,
    ranges: list[tuple[int, int]],
    to: Path,
    on_progress: Progress | None,
    threads: int,
) -> tuple[list[str], int]:
    """Screen the ranges, ``threads`` at once; returns the files and how many an earlier, interrupted run had finished."""
    files = [f"part-{number:05d}.parquet" for number in range(len(ranges))]
    there = [(to / name).exists() for name in files]

    def write(number: int) -> None:
        if not there[number]:
            with connection.cursor() as cursor:
                write_range(cursor, compiled, *ranges[number], to / files[number])

    at_once = max(1, min(threads, there.count(False)))
    # a worker's own thread runs its queries; DuckDB's would wait for one another, awake
    connection.execute(f"SET threads = {max(1, threads // at_once)}")
    with ThreadPoolExecutor(at_once) as workers:
        try:
            for number, _ in enumerate(workers.map(write, range(len(ranges))), 1):
                if on_progress is not None:
                    on_progress(number, len(ranges))
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
    return files, sum(there)


def prepare(connection: duckdb.DuckDBPyConnection, pack: Pack, snapshots: SnapshotSet) -> Prepared:
    """Compile the pack for what is there: the date, the missing feeds, the regions met in the register."""
    missing = missing_feeds(pack, snapshots)
    pairs = tuple(
        sorted(connection.execute("SELECT DISTINCT region_code, urban_rural FROM households").fetchall())
    )
    compiled = compile_pack(
        pack,
        missing,
        on=snapshots.as_of,
        unknown_parameters=unknown_parameters(pack, pairs, snapshots.as_of),
    )
    return Prepared(compiled, pairs, missing)


def missing_feeds(pack: Pack, snapshots: SnapshotSet) -> dict[str, Status]:
    """The declared feeds without a snapshot on the date, with what is known of why."""
    return {
        name: snapshots.missing.get(name, Status.NOT_ARRIVED)
        for name in pack.feeds
        if name != REGISTER and not snapshots.feeds.get(name)
    }


def open_snapshots(
    pack: Pack, snapshots: SnapshotSet, *, threads: int = 2, memory: str = "2GB", spill: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """A DuckDB session in which the snapshots of a date stand as relations ``members``, ``feed_…``."""
    config: dict[str, Any] = {"threads": threads, "memory_limit": memory}
    if spill is not None:
        config["temp_directory"] = str(spill)
    connection = duckdb.connect(config=config)
    connection.execute(
        "SET parquet_metadata_cache = true"
    )  # else every range reads every file's footer again
    for relation in ("members", "households"):
        path = snapshots.register / f"{relation}.parquet"
        if not path.is_file():
            connection.close()
            raise ScreeningError(
                "没有花名册快照, 请先装入花名册(household_register)",
                "there is no register snapshot: load household_register first",
                code="no_register",
            )
        columns = "*"
        if relation == "members" and BIRTH_COLUMN not in pq.read_schema(path).names:
            # a register resolved before births were kept: ages are not known
            columns = f"*, CAST(NULL AS DATE) AS {BIRTH_COLUMN}"
        connection.execute(f"CREATE VIEW {relation} AS SELECT {columns} FROM {rows_of(path)}")
    for name, paths in snapshots.feeds.items():
        if name in pack.feeds and name != REGISTER and paths:
            connection.execute(f"CREATE VIEW feed_{name} AS {feed_source(pack.feeds[name].kind, paths)}")
    return connection


def feed_source(kind: str, paths: Iterable[Path]) -> str:
    """The rows of a feed's files as SQL."""
    listed = list(paths)
    source = rows_of(*listed)
    # rows of an event feed add up over its files; the same event sent twice is one
    distinct = "DISTINCT " if kind == "event" and len(listed) > 1 else ""
    return f"SELECT {distinct}* FROM {source}"


def household_ranges(households: int, chunks: int | None) -> list[tuple[int, int]]:
    """Household keys 0 … n-1 cut into even ranges, low included and high not."""
    count = chunks or max(1, -(-households // HOUSEHOLDS_PER_CHUNK))
    count = max(1, min(count, households or 1))
    edges = [households * i // count for i in range(count + 1)]
    return list(pairwise(edges))


def region_ranges(
    connection: duckdb.DuckDBPyConnection, region: str, chunks: int | None
) -> tuple[int, list[tuple[int, int]]]:
    """The households of a division, counted, and the ranges of keys that hold them (and maybe others)."""
    low, high, count = connection.execute(
        "SELECT coalesce(min(household_key), 0), coalesce(max(household_key) + 1, 0), count(*) FROM households"
        " WHERE starts_with(region_code, ?)",
        [region],
    ).fetchall()[0]
    return int(count), [(low + one, low + two) for one, two in household_ranges(high - low, chunks)]


def _size(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    sql = "SELECT (SELECT count(*) FROM households), (SELECT count(*) FROM members)"
    households, persons = connection.execute(sql).fetchall()[0]
    return int(households), int(persons)


def write_range(
    connection: duckdb.DuckDBPyConnection, compiled: CompiledPack, low: int, high: int, target: Path
) -> None:
    """Screen one range: in arrays where its keys are dense, else by the one query."""
    if compiled.arrays is not None and high - low <= MOST_IN_ARRAYS:
        try:
            with _plainly((low, high)):
                query, laid = lay_out(connection, compiled.arrays, low, high)
            with _writing(connection, alone=compiled.arrays.alone) as session:
                session.register(PLACED, laid)
                write_query(session, query, target, (low, high))
            return
        except NoPlaces:
            pass
    write_query(connection, bound(compiled.sql("duckdb"), low, high), target, (low, high))


@contextmanager
def _writing(connection: duckdb.DuckDBPyConnection, *, alone: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session to write a range from: one of its own, where the query reads nothing but what is laid out.

    For how a result is written is a setting of all of DuckDB, and the other ranges plan worse by it.
    """
    if not alone:
        yield connection
        return
    with duckdb.connect(config={"threads": 1}) as session:
        yield session


def write_query(
    connection: duckdb.DuckDBPyConnection, query: str, target: Path, keys: tuple[int, int]
) -> None:
    """Write a query's rows as a file that is there whole or not at all; ``keys`` are named where a sum is too large."""
    aside = target.with_suffix(".aside")
    with _plainly(keys):
        # else a file's schema says of each column whether it happens to hold an empty cell
        connection.execute("SET disabled_optimizers = 'statistics_propagation'")
        connection.execute(f"COPY ({query}) TO {quoted(aside)} (FORMAT parquet, COMPRESSION zstd)")
    _settle(aside, target)


@contextmanager
def _plainly(keys: tuple[int, int]) -> Iterator[None]:
    """What went wrong with a range in words for whoever started the screen."""
    low, high = keys
    try:
        yield
    except OUT_OF_RANGE as error:
        raise too_large(f"(户键 {low}–{high})", f" (household keys {low}–{high})") from error
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise ScreeningError(
            "内存不够: 请增加分段数(--chunks)或内存上限",
            "out of memory: use more chunks or a higher memory limit",
            code="out_of_memory",
            retry=True,
        ) from error


def _settle(aside: Path, target: Path) -> None:
    with aside.open("rb+") as handle:
        os.fsync(handle.fileno())
    aside.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest_of(pack: Pack, snapshots: SnapshotSet, prepared: Prepared) -> str:
    """What the result depends on: the pack, the snapshots, and the query itself."""
    parts = (pack.hash, snapshots.digest, snapshots.as_of.isoformat(), prepared.compiled.sql("duckdb"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def finished(to: Path, digest: str) -> dict[str, Any] | None:
    """The content of ``result.json`` where a folder holds the whole result of this digest."""
    done = read_json(to / DONE)
    if done is None or done.get("digest") != digest:
        return None
    return done if all((to / name).is_file() for name in done["files"]) else None


def result_of(
    to: Path, done: Mapping[str, Any], missing: Mapping[str, Status], seconds: float = 0, resumed: int = 0
) -> ScreeningResult:
    """What a finished folder says of itself."""
    return ScreeningResult(
        folder=to,
        files=tuple(to / name for name in done["files"]),
        households=done["households"],
        persons=done["persons"],
        seconds=seconds,
        missing=dict(missing),
        digest=done["digest"],
        resumed=resumed,
    )


def clear(to: Path) -> None:
    """Take away what an earlier screen left in a folder."""
    for path in (*to.glob("part-*.parquet"), *to.glob("*.aside"), to / DONE, to / PLAN):
        path.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    _settle(aside, path)
