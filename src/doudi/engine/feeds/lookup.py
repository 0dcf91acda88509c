"""Single people in a resolved file: an index beside it (``….rows``), so that one person costs a look and not a scan.

Parquet is for reading a county; its smallest unit is a row group of 122,880 rows. The index holds the same rows by person in
one SQLite file, no name and no identity number as there is none in the file, and is made again wherever it is missing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from doudi.engine.feeds.snapshots import INDEX, aside
from doudi.engine.feeds.spec import IDENTIFYING, FeedSpec

_BATCH = 100_000


def index_of(path: Path) -> Path:
    """Where the index of a resolved file lies."""
    return path.with_suffix(".rows")


def build_rows(path: Path) -> Path:
    """Make the index of a resolved feed's file, whole or not at all; one that stands is left as it is."""
    to = index_of(path)
    if not to.exists():
        sql = "SELECT person_key, to_json(entry)::VARCHAR FROM (SELECT person_key, entry FROM read_parquet($1) AS entry)"
        _write(to, "person INTEGER, row INTEGER, content TEXT, PRIMARY KEY (person, row)", sql, path)
    return to


def build_people(register: Path) -> Path:
    """Make the index from blind digests of identity numbers to person keys; one that stands is left as it is."""
    path = register / INDEX
    to = index_of(path)
    if not to.exists():
        sql = "SELECT id_blind, person_key FROM read_parquet($1)"
        _write(to, "person BLOB, row INTEGER, content INTEGER, PRIMARY KEY (person, row)", sql, path)
    return to


def _write(to: Path, columns: str, sql: str, source: Path) -> None:
    with aside(to) as path:
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as index,
            duckdb.connect(config={"threads": 1, "memory_limit": "1GB"}) as rows,
        ):
            # not yet under its name: what a power cut leaves is thrown away
            index.execute("PRAGMA journal_mode = OFF")
            index.execute("PRAGMA synchronous = OFF")
            index.execute(f"CREATE TABLE rows ({columns}) WITHOUT ROWID")
            index.execute("BEGIN")
            for block in _numbered(rows.execute(sql, [str(source)])):
                index.executemany("INSERT INTO rows VALUES (?, ?, ?)", block)
            index.execute("COMMIT")
        with path.open("rb+") as handle:
            os.fsync(handle.fileno())


def _numbered(rows: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, int, Any]]]:
    place = 0
    while block := rows.fetchmany(_BATCH):
        yield [(person, place + offset, content) for offset, (person, content) in enumerate(block)]
        place += len(block)


def people_in(register: Path, blinds: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Blind digest and key of each place where one of the people stands in a register."""
    return [(bytes(blind), int(key)) for blind, key in _found(build_people(register), blinds)]


def rows_in(spec: FeedSpec, paths: Iterable[Path], keys: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
    """The rows of people (by key) in a feed's resolved files, typed as the feed's columns are, with their ``row_digest``."""
    types = {column.name: column.type for column in spec.columns if column.type not in IDENTIFYING}
    rows = []
    for path in paths:
        for key, content in raw_rows(path, keys):
            told = json.loads(content, parse_float=Decimal)
            row = {name: _typed(kind, told.get(name)) for name, kind in types.items()}
            rows.append((int(key), {**row, "row_digest": told.get("row_digest")}))
    return rows


def raw_rows(path: Path, keys: Sequence[int]) -> list[tuple[int, str]]:
    """The rows of people in one resolved file as the index holds them."""
    return _found(build_rows(path), keys)


def _typed(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "date":
        return date.fromisoformat(value)
    return Decimal(value).quantize(Decimal("0.0001")) if kind == "decimal" else value


def _found(index: Path, people: Sequence[Any]) -> list[tuple[Any, Any]]:
    with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as rows:
        return [
            (person, content)
            for person in people
            for (content,) in rows.execute("SELECT content FROM rows WHERE person = ? ORDER BY row", [person])
        ]
