"""A feed of any size matched to a register and put in its order: by household, person, and as the rows came.

Each block's numbers are looked up in the register's index. What matched is held until the feed ends or ``held`` rows
are reached; then it is laid aside sorted, and the pieces are merged range by range of persons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from doudi.engine.feeds.bulk_reading import (
    NAME_HASH,
    Block,
    ValueList,
    blocks,
    marks_of,
    name_hashes,
    numbers_of,
    one_array,
    row_count,
)
from doudi.engine.feeds.bulk_register import Register, as_listed, growing
from doudi.engine.feeds.spec import IDENTIFYING, FeedSpec
from doudi.engine.feeds.validating import ARROW

_ASKED = {"number": "id_number", "name": NAME_HASH}
_PLACE_BITS = np.uint64(32)
_PLACE = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class BulkGrades:
    """How the rows of a feed matched (feeds.md point 3); the C rows are counted and not kept."""

    a: int
    b: int
    c: int
    leads: int
    not_registered: int


def resolve_bulk_feed(
    spec: FeedSpec,
    parts: Sequence[Path],
    register: Register,
    to: Path,
    work: Path,
    *,
    key: bytes,
    at_once: int,
    held: int,
) -> BulkGrades:
    """Write the A and B rows of a feed's parts to the file ``to`` and count all grades."""
    rows = _Rows(spec, register, work / spec.name, at_once=at_once, held=held, total=row_count(parts))
    graded = np.zeros(5, np.int64)
    leads = total = 0
    with duckdb.connect(config={"threads": 1}) as connection:
        for part in parts:
            wanted = [c.name for c in spec.columns if c.name not in ("id_number", "name")]
            for block in blocks(connection, part, _ASKED, wanted, at_once=at_once):
                match = _match(connection, block, register)
                graded += np.bincount(match.best, minlength=5)
                total += len(match.best)
                leads += match.leads
                rows.add(block, match, key)
    with growing(to) as file:
        for table in rows.sorted():
            file.write(table)
    a, b, c = (int(graded[grade]) for grade in (1, 2, 3))
    return BulkGrades(a, b, c, leads, total - a - b - c - leads)


# ---- matching ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Match:
    """What a block's rows are matched to: one pair for each row and person who bears its number and name."""

    numbers: np.ndarray
    asked: np.ndarray
    persons: np.ndarray
    best: np.ndarray
    """Each row's best grade: 1 is A, 2 is B, 3 is C, 4 no match."""
    marks: np.ndarray
    """A mark of each row's name where it is not the registered one, else 0: equal names, equal marks."""
    leads: int


def _match(connection: duckdb.DuckDBPyConnection, block: Block, register: Register) -> _Match:
    index = register.index
    numbers = numbers_of(block.asked["number"])
    hashes = block.asked["name"].to_numpy()
    found = index.match(numbers)
    grade = np.where(found.names == hashes[found.asked], 1, 3).astype(np.int8)
    marks = np.zeros(len(numbers), np.uint64)
    differing = np.flatnonzero(grade == 3)
    if differing.size:
        asked = found.asked[differing]
        names = block.names(asked)
        normal = index.normal_names(found.rows[differing], found.names[differing])
        alike = name_hashes(connection, names) == normal
        grade[differing[alike]] = 2
        marks[asked[alike]] = marks_of([name for name, same in zip(names, alike, strict=True) if same])
    best = np.full(len(numbers), 4, np.int8)
    several = len(found.asked) > 1 and np.bincount(found.asked).max() > 1
    if several:
        np.minimum.at(best, found.asked, grade)
    else:
        best[found.asked] = grade
    kept = grade < 3
    asked, persons = found.asked[kept], found.persons[kept].astype(np.int64)
    if several:
        # one who stands twice in a household has one place in it
        pairs = np.unique((asked.astype(np.uint64) << _PLACE_BITS) | persons.astype(np.uint64))
        asked, persons = (pairs >> _PLACE_BITS).astype(np.int64), (pairs & _PLACE).astype(np.int64)
    marks[best == 1] = 0
    return _Match(numbers, asked, persons, best, marks, _leads(connection, block, register))


def _leads(connection: duckdb.DuckDBPyConnection, block: Block, register: Register) -> int:
    """Rows without a number that bear a registered person's name."""
    nameless = np.flatnonzero(one_array(block.asked["number"]).is_null().to_numpy(zero_copy_only=False))
    if not nameless.size:
        return 0
    hashes = name_hashes(connection, block.names(nameless))
    return int(register.index.bears_name(hashes).sum())


# ---- marks of rows -------------------------------------------------------------------------------------------


def _digests(
    block: Block, match: _Match, spec: FeedSpec, lists: dict[str, ValueList], key: bytes
) -> pa.Array:
    """64 bits over all cells of each row, the same for equal rows of every file; without the key nobody can try a
    person's cells against a file, for the bits went through AES under it."""
    mixed = _mix(match.numbers.view(np.uint64), match.marks)
    for column in spec.columns:
        if column.name in block.columns.column_names:
            mixed = _mix(mixed, _cell_marks(block.columns[column.name], lists.get(column.name)))
    plain = np.zeros((len(mixed), 2), "<u8")
    plain[:, 0] = mixed
    # ECB is right here: every block is a number by itself, and equal numbers are to stay equal
    cipher = Cipher(algorithms.AES(hashlib.sha256(key).digest()), modes.ECB())  # noqa: S305
    sealed = cipher.encryptor().update(plain.tobytes())
    return pa.array(np.frombuffer(sealed, "<i8").reshape(-1, 2)[:, 0].astype(np.int64))


def _cell_marks(column: pa.ChunkedArray, values: ValueList | None) -> np.ndarray:
    kind = column.type
    if values is not None:
        places = values.places(as_listed(column))
        marks = (
            values.marks()[places.fill_null(0).to_numpy()]
            if len(values.values)
            else np.zeros(len(places), np.uint64)
        )
        return np.where(places.is_null().to_numpy(zero_copy_only=False), np.uint64(1), marks)
    if pa.types.is_date32(kind) or pa.types.is_boolean(kind):
        column = column.cast(pa.int32())
    elif not pa.types.is_integer(kind):
        coded = one_array(column).dictionary_encode()
        marks = np.append(marks_of(str(cell) for cell in coded.dictionary.to_pylist()), np.uint64(1))
        return marks[coded.indices.fill_null(len(coded.dictionary)).to_numpy()]
    numbers = column.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    return numbers + column.is_null().to_numpy(zero_copy_only=False).astype(np.uint64) * np.uint64(2**63 + 1)


def _mix(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    mixed = (one ^ (two * np.uint64(0xBF58476D1CE4E5B9))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


# ---- rows in order -------------------------------------------------------------------------------------------


class _Rows:
    """The matched rows of a feed, held in memory or laid aside, and given out in their order."""

    def __init__(
        self, spec: FeedSpec, register: Register, aside: Path, *, at_once: int, held: int, total: int
    ) -> None:
        self._spec, self._register, self._aside, self._held = spec, register, aside, held
        self._kept = [column for column in spec.columns if column.type not in IDENTIFYING]
        self._lists: dict[str, ValueList] = {}
        self._tables: list[pa.Table] = []
        self._keys: list[np.ndarray] = []
        self._rows = 0
        ranges = max(1, -(-total // at_once))
        persons = register.persons
        self._edges = np.array([persons * i // ranges for i in range(ranges + 1)], np.uint64) << _PLACE_BITS
        self._runs: list[Path] = []

    def add(self, block: Block, match: _Match, key: bytes) -> None:
        """Hold a block's rows; the pairs say where each belongs."""
        columns: dict[str, pa.Array | pa.ChunkedArray] = {}
        n = len(match.best)
        for column in self._kept:
            columns[column.name] = self._cells(block.columns, column.name, ARROW[column.type], n)
        if self._spec.kind == "event":
            columns["row_digest"] = _digests(block, match, self._spec, self._lists, key)
        self._tables.append(pa.table(columns))
        self._keys.append(
            (match.persons.astype(np.uint64) << _PLACE_BITS) | (match.asked + self._rows).astype(np.uint64)
        )
        self._rows += n
        if self._rows >= self._held:
            self._lay_aside()

    def _cells(self, columns: pa.Table, name: str, kind: pa.DataType, n: int) -> pa.Array | pa.ChunkedArray:
        if name not in columns.column_names:
            return pa.nulls(n, kind)
        if pa.types.is_dictionary(columns[name].type):
            self._lists.setdefault(name, ValueList())
        if name in self._lists:
            return self._lists[name].places(as_listed(columns[name]))
        return columns[name].cast(kind)

    def sorted(self) -> Iterator[pa.Table]:
        """All rows in their order, range by range; at least one table."""
        if not self._runs:
            yield from self._from_memory()
            return
        if self._tables:
            self._lay_aside()
        yield from self._merged()

    def _sorted_keys(self) -> np.ndarray:
        keys = np.concatenate([np.empty(0, np.uint64), *self._keys])
        keys.sort()
        return keys

    def _from_memory(self) -> Iterator[pa.Table]:
        keys = self._sorted_keys()
        table = self._table()
        edges = np.searchsorted(keys, self._edges)
        for low, high in pairwise(edges):
            some = keys[low:high]
            yield self._finished(table.take(pa.array(some & _PLACE)), some >> _PLACE_BITS)

    def _table(self) -> pa.Table:
        if not self._tables:
            kinds = [(c.name, ARROW[c.type]) for c in self._kept]
            return pa.schema(kinds).empty_table()
        table = pa.concat_tables(self._tables).combine_chunks()
        self._tables = []
        return table

    def _lay_aside(self) -> None:
        """Write what is held to a file, sorted, a batch for each range of persons."""
        keys = self._sorted_keys()
        table = self._table()
        edges = np.searchsorted(keys, self._edges)
        path = self._aside.with_name(f"{self._aside.name}-{len(self._runs)}.arrow")
        schema = table.schema.append(pa.field("person", pa.uint64()))
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for low, high in pairwise(edges):
                some = keys[low:high]
                piece = table.take(pa.array(some & _PLACE)).append_column(
                    "person", pa.array(some >> _PLACE_BITS)
                )
                writer.write_batch(
                    pa.RecordBatch.from_arrays([one_array(c) for c in piece.columns], schema=schema)
                )
        self._runs.append(path)
        self._keys, self._rows = [], 0

    def _merged(self) -> Iterator[pa.Table]:
        sources = [pa.OSFile(str(path), "rb") for path in self._runs]
        files = [pa.ipc.open_file(source) for source in sources]
        for number in range(len(self._edges) - 1):
            rows = pa.Table.from_batches([file.get_batch(number) for file in files]).combine_chunks()
            persons = rows["person"].to_numpy()
            # the runs stand in the order in which the rows came
            keys = (persons << _PLACE_BITS) | np.arange(len(persons), dtype=np.uint64)
            keys.sort()
            table = rows.drop_columns(["person"]).take(pa.array(keys & _PLACE))
            yield self._finished(table, keys >> _PLACE_BITS)
        for source, path in zip(sources, self._runs, strict=True):
            source.close()
            path.unlink()

    def _finished(self, rows: pa.Table, persons: np.ndarray) -> pa.Table:
        """Rows with their keys and texts as a resolved feed has them."""
        keys = persons.astype(np.int64)
        columns: dict[str, pa.Array | pa.ChunkedArray] = {
            "household_key": pa.array(self._register.homes_of(keys)),
            "person_key": pa.array(keys),
        }
        for column in self._kept:
            cells = rows[column.name]
            values = self._lists.get(column.name)
            columns[column.name] = cells if values is None else values.texts(one_array(cells))
        digests = rows["row_digest"] if "row_digest" in rows.column_names else pa.nulls(len(keys), pa.int64())
        return pa.table(columns | {"row_digest": digests})
