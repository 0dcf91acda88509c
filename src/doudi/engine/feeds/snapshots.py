"""The set of resolved department files in force on a date, as the screening reads it.

A resolved register is a folder (``members.parquet``, ``households.parquet``, ``index.parquet``); a resolved feed is one
Parquet file sorted by household and person. Identity numbers and names stand in neither: only integer keys and
keyed digests do.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from doudi.engine.status import Status

Blinder = Callable[[Sequence[str]], Sequence[bytes] | Sequence[int]]
"""Keyed digests of texts, in their order: equal texts, equal digests; nobody without the key can make one."""

MEMBERS, HOUSEHOLDS, INDEX = "members.parquet", "households.parquet", "index.parquet"
ROW_GROUP = 122_880


@dataclass(frozen=True)
class SnapshotSet:
    """What was known on a date: the register, the files in force of each feed, and why the others are missing.

    ``feeds`` maps a feed to its files in force (several sources of a snapshot feed, all files of an event feed; a feed
    that arrived without rows has a file of 0 rows); ``missing`` holds every declared feed without a file;
    ``digest`` is a hash over all file hashes, by which a run can be repeated.
    """

    as_of: date
    register: Path
    feeds: Mapping[str, tuple[Path, ...]]
    missing: Mapping[str, Status]
    digest: str


def quoted(path: Path) -> str:
    """A path as SQL text."""
    return "'" + str(path).replace("'", "''") + "'"


def rows_of(*paths: Path) -> str:
    """The rows of Parquet files as a relation in SQL."""
    return f"read_parquet([{', '.join(map(quoted, paths))}])"


_ALL_DIFFERENT = frozenset({"household_no", "row_digest", "id_blind", "name_blind", "name_norm_blind"})


def parquet_layout(schema: pa.Schema) -> dict[str, Any]:
    """How a resolved file lies on the disk: options of pyarrow's Parquet writers.

    Whole numbers (keys in order, amounts) as differences packed by bits: written and read in half the time of a list of
    the values seen, which all but fails for amounts. Digests and household numbers as they are, for all differ.
    """
    packed = {
        field.name: "DELTA_BINARY_PACKED"
        for field in schema
        if pa.types.is_integer(field.type) and field.name not in _ALL_DIFFERENT
    }
    listed = [name for name in schema.names if name not in packed and name not in _ALL_DIFFERENT]
    return {"compression": "zstd", "use_dictionary": listed, "column_encoding": packed}


def write_parquet(table: pa.Table, to: Path) -> None:
    """Write a file that is either wholly there under its name or not there at all, on the disk for good."""
    with aside(to) as path:
        _write_flushed(table, path)


def _write_flushed(table: pa.Table, path: Path) -> None:
    with path.open("wb") as stream:
        pq.write_table(table, stream, row_group_size=ROW_GROUP, **parquet_layout(table.schema))
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def aside(to: Path) -> Iterator[Path]:
    """A name beside ``to`` to write to; what stands there at the end takes the place of ``to`` in one step."""
    to.parent.mkdir(parents=True, exist_ok=True)
    path = to.with_name(f".{to.name}.{uuid.uuid4().hex}.aside")
    try:
        yield path
        os.replace(path, to)
    finally:
        path.unlink(missing_ok=True)
    flush_folder(to.parent)


def is_whole_register(folder: Path) -> bool:
    """Whether a resolved register stands there with all its columns (``birth_on`` came after the first version)."""
    members = folder / MEMBERS
    return members.exists() and "birth_on" in pq.read_schema(members).names


def write_folder(tables: Mapping[str, pa.Table], folder: Path) -> None:
    """Write a folder of Parquet files that appears whole or not at all.

    A register that stands there whole is left as it is; one of an earlier version gets the members that it lacks
    columns of, and what lies beside them stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if (folder / MEMBERS).exists() and not is_whole_register(folder):
        write_parquet(tables[MEMBERS], folder / MEMBERS)
        return
    path = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.aside")
    path.mkdir()
    try:
        for name, table in tables.items():
            _write_flushed(table, path / name)
        flush_folder(path)
        try:
            os.rename(path, folder)
        except OSError:
            if not folder.is_dir() or not (folder / MEMBERS).exists():
                raise
    finally:
        shutil.rmtree(path, ignore_errors=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
