# ruff: noqa: S608 - SQL is put together here from declared column names ([a-z0-9_]) and quoted paths only
"""Matching a whole province's department tables to its register, in bounded memory.

In come checked rows as Parquet parts that name people (``id_number``, ``name``, the feed's columns, in any order); out
comes what :func:`~doudi.engine.feeds.resolving.build_register` and ``resolve_feed`` would make of them: a register
folder and one file per feed, sorted by household, without names and numbers. DuckDB joins and sorts, and spills to
disk beyond ``memory``; the work files name people and are deleted with the folder they lie in.

An identity number is matched as the whole number of its 17 digits and check character, which is exact and four
times smaller than its text.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from doudi.engine.feeds.resolving import MEMBER_COLUMNS
from doudi.engine.feeds.snapshots import HOUSEHOLDS, MEMBERS, ROW_GROUP, aside
from doudi.engine.feeds.spec import IDENTIFYING, FeedSpec
from doudi.engine.identity import SAME_NAME

Progress = Callable[[str], None]
_BATCH = 500_000
_SQL_TYPES = {
    "money": "BIGINT", "month": "INTEGER", "int": "BIGINT", "date": "DATE", "bool": "BOOLEAN", "decimal": "DECIMAL(18,4)",
}  # fmt: skip
_LAST = "CASE right({0}, 1) WHEN 'X' THEN 10 ELSE CAST(right({0}, 1) AS BIGINT) END"


@dataclass(frozen=True)
class BulkGrades:
    """How the rows of a feed matched (feeds.md point 3); the C rows are counted and not kept."""

    a: int
    b: int
    c: int
    leads: int
    not_registered: int


@dataclass(frozen=True)
class BulkResolution:
    """Where the resolved register and feeds lie, and how the rows matched."""

    register: Path
    feeds: Mapping[str, Path]
    grades: Mapping[str, BulkGrades]
    households: int
    persons: int


def resolve_bulk(
    specs: Mapping[str, FeedSpec],
    register: Sequence[Path],
    feeds: Mapping[str, Sequence[Path]],
    folder: Path,
    *,
    key: bytes,
    threads: int = 2,
    memory: str = "2GB",
    on_progress: Progress | None = None,
) -> BulkResolution:
    """Resolve a register and its feeds into ``folder``; each feed's parts are one load.

    The parts hold rows that have passed :func:`~doudi.engine.feeds.validating.parse_file` (valid numbers, typed cells,
    no repeats). ``key`` is the house's secret for the ``row_digest`` of event feeds; a snapshot feed's is NULL, for its
    rows are never compared across files. The digest differs from ``resolve_feed``'s: the files of one event feed
    must all come by one road.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    config: dict[str, Any] = {
        "threads": threads,
        "memory_limit": memory,
        "temp_directory": str(work / "spill"),
    }
    try:
        with duckdb.connect(str(work / "work.duckdb"), config=config) as connection:
            connection.execute("SET preserve_insertion_order = false")
            if on_progress is not None:
                on_progress("household_register")
            households, persons = _register(connection, register, folder / "register", work)
            files: dict[str, Path] = {}
            grades: dict[str, BulkGrades] = {}
            for feed, parts in feeds.items():
                if on_progress is not None:
                    on_progress(feed)
                files[feed] = folder / f"{feed}.parquet"
                grades[feed] = _feed(connection, specs[feed], parts, files[feed], work, key)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return BulkResolution(folder / "register", files, grades, households, persons)


# ---- the register --------------------------------------------------------------------------------------------


def _register(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Path], folder: Path, work: Path
) -> tuple[int, int]:
    source = _parts(parts)
    # a household is placed by its head's region; only the few that straddle regions need to be asked whose that is
    connection.execute(f"""
        CREATE TABLE straddling AS
        SELECT household_no, rpad(arg_min(region_code, (relation <> '户主', id_number, file_row_number)), 12, '0') AS place
        FROM {source} SEMI JOIN (
            SELECT household_no FROM {source} GROUP BY household_no HAVING min(region_code) <> max(region_code)
        ) USING (household_no) GROUP BY household_no
    """)
    stream = connection.sql(f"""
        SELECT {_number("id_number")} AS id, r.name, r.household_no, r.relation, r.living_together, r.left_on,
            coalesce(r.category, '') AS category, r.category_since, r.urban_rural, r.region_code
        FROM {source} r LEFT JOIN straddling s USING (household_no)
        ORDER BY CAST(coalesce(s.place, rpad(r.region_code, 12, '0')) AS BIGINT), household_no, id, file_index, file_row_number
    """).to_arrow_reader(_BATCH)
    folder.mkdir(exist_ok=True)
    households = persons = 0
    with (
        _growing(folder / MEMBERS) as members,
        _growing(folder / HOUSEHOLDS) as homes,
        _growing(work / "people.parquet") as people,
    ):
        for rows in _whole_households(stream):
            numbered, heads = _numbered(rows, households, persons)
            members.write(numbered.select(MEMBER_COLUMNS))
            homes.write(heads)
            people.write(numbered.select(["id", "name", "household_key", "person_key"]))
            households += heads.num_rows
            persons = numbered["person_key"][-1].as_py() + 1
    people_path = _text(work / "people.parquet")
    connection.execute(f"CREATE VIEW people AS FROM read_parquet({people_path})")
    connection.execute("CREATE TABLE several AS SELECT id FROM people GROUP BY id HAVING count(*) > 1")
    return households, persons


def _whole_households(stream: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The sorted rows in blocks that end where a household ends."""
    held: pa.Table | None = None
    for batch in stream:
        block = pa.Table.from_batches([batch])
        if held is not None:
            block = pa.concat_tables([held, block])
        last = block["household_no"][-1]
        cut = block.num_rows - 1
        while cut >= 0 and block["household_no"][cut] == last:
            cut -= 1
        if cut >= 0:
            yield block.slice(0, cut + 1).combine_chunks()
        held = block.slice(cut + 1)
    if held is not None and held.num_rows:
        yield held.combine_chunks()


def _numbered(rows: pa.Table, first_household: int, first_person: int) -> tuple[pa.Table, pa.Table]:
    """Rows with their keys and heads, and one row per household; keys go on from the blocks before."""
    n = rows.num_rows
    ids = rows["id"].to_numpy()
    new_home = np.ones(n, bool)
    numbers = rows["household_no"].combine_chunks()
    new_home[1:] = pc.not_equal(numbers.slice(1), numbers.slice(0, n - 1)).to_numpy(zero_copy_only=False)
    new_person = new_home.copy()
    new_person[1:] |= ids[1:] != ids[:-1]
    home = np.cumsum(new_home) - 1
    person = np.cumsum(new_person) - 1
    starts = np.flatnonzero(new_home)
    # the head is the 户主 with the smallest ID, without one the smallest ID; rows stand by ID
    called_head = pc.equal(rows["relation"], "户主").to_numpy()
    first_called = np.minimum.reduceat(np.where(called_head, np.arange(n), n), starts)
    heads = np.where(first_called < n, first_called, starts)
    is_head = np.zeros(n, bool)
    is_head[heads] = True
    numbered = rows.append_column("household_key", pa.array(home + first_household))
    numbered = numbered.append_column("person_key", pa.array(person + first_person))
    numbered = numbered.append_column("is_head", pa.array(is_head))
    facts = rows.select(["household_no", "region_code", "urban_rural", "category"]).take(pa.array(heads))
    keys = pa.array(np.arange(first_household, first_household + len(starts)))
    count = pa.array(np.add.reduceat(new_person, starts, dtype=np.int32))
    return numbered, facts.add_column(0, "household_key", keys).append_column("persons", count)


class _growing:
    """A Parquet file written block by block that appears under its name when it is whole."""

    def __init__(self, to: Path) -> None:
        self._aside = aside(to)
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _growing:
        self._path = self._aside.__enter__()
        return self

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table, row_group_size=ROW_GROUP)

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._aside.__exit__(*error)  # type: ignore[arg-type]


# ---- the feeds -----------------------------------------------------------------------------------------------


def _feed(
    connection: duckdb.DuckDBPyConnection,
    spec: FeedSpec,
    parts: Sequence[Path],
    to: Path,
    work: Path,
    key: bytes,
) -> BulkGrades:
    source = _parts(parts)
    present = {str(name) for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    kept = [column for column in spec.columns if column.type not in IDENTIFYING]
    facts = [
        f'f."{c.name}"'
        if c.name in present
        else f'CAST(NULL AS {_SQL_TYPES.get(c.type, "VARCHAR")}) AS "{c.name}"'
        for c in kept
    ]
    digest = _digest(spec, present, key) if spec.kind == "event" else "CAST(NULL AS BIGINT)"
    same = _normal("f.name") + " = " + _normal("p.name")
    connection.execute(f"""
        CREATE OR REPLACE TABLE found AS
        SELECT p.household_key, p.person_key, {", ".join([*facts, f"{digest} AS row_digest"])},
            f.part AS "of part", f.file_row_number AS "of row", f.id IN (FROM several) AS "is shared",
            CASE WHEN f.name = p.name THEN 1 WHEN {same} THEN 2 ELSE 3 END::UTINYINT AS "match grade"
        FROM (SELECT *, file_index AS part, {_number("id_number")} AS id FROM {source} WHERE id_number IS NOT NULL) f
        JOIN people p ON p.id = f.id
    """)
    columns = ", ".join(
        f'"{name}"' for name in ("household_key", "person_key", *(c.name for c in kept), "row_digest")
    )
    with aside(to) as path:
        connection.execute(f"""
            COPY (SELECT {columns} FROM found WHERE "match grade" < 3
                ORDER BY household_key, person_key, "of part", "of row")
            TO {_text(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})
        """)
    # who stands in several households is one row of the feed: the best grade counts
    graded = connection.execute("""
        SELECT grade, count(*) FROM (
            SELECT "match grade" AS grade FROM found WHERE NOT "is shared"
            UNION ALL SELECT min("match grade") FROM found WHERE "is shared" GROUP BY "of part", "of row"
        ) GROUP BY grade
    """).fetchall()
    count = {int(grade): int(rows) for grade, rows in graded}
    a, b, c = (count.get(grade, 0) for grade in (1, 2, 3))
    total, nameless = connection.execute(
        f"SELECT count(*), count(*) - count(id_number) FROM {source}"
    ).fetchall()[0]
    leads = _leads(connection, source) if nameless else 0
    connection.execute("DROP TABLE found")
    return BulkGrades(a, b, c, leads, int(total) - a - b - c - leads)


def _leads(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    found = connection.execute(f"""
        SELECT count(*) FROM (SELECT {_normal("name")} AS n FROM {source} WHERE id_number IS NULL) f
        SEMI JOIN (SELECT {_normal("name")} AS n FROM people) p ON p.n = f.n
    """).fetchall()
    return int(found[0][0])


def _digest(spec: FeedSpec, present: set[str], key: bytes) -> str:
    """60 bits of SHA-256 over the key and all cells: nobody without the key can try a number against a file."""
    cells = ", ".join(
        f"coalesce(CAST(f.\"{c.name}\" AS VARCHAR), '\x1e')" for c in spec.columns if c.name in present
    )
    return f"CAST('0x' || substr(sha256(concat_ws('\x1f', '{key.hex()}', {cells})), 1, 15) AS BIGINT)"


def _number(column: str) -> str:
    """A valid identity number as a whole number in the order of its text; NULL for anything else."""
    return f"TRY_CAST(left({column}, 17) AS BIGINT) * 11 + {_LAST.format(column)}"


def _normal(column: str) -> str:
    """SQL of :func:`doudi.engine.identity.normal_name`."""
    # NUL cannot stand in SQL text, nor in a name that was read from a file
    pairs = [(chr(sign), str(to or "")) for sign, to in SAME_NAME.items() if sign]
    pairs.sort(key=lambda pair: pair[1] == "")
    changed = "".join(sign for sign, _ in pairs).replace("'", "''")
    becomes = "".join(to for _, to in pairs).replace("'", "''")
    return f"translate({column}, '{changed}', '{becomes}')"


def _parts(parts: Sequence[Path]) -> str:
    listed = ", ".join(_text(path) for path in parts)
    return f"read_parquet([{listed}], file_row_number = true)"


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
