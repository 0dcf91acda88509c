"""Checked Parquet parts of any size as blocks of a million rows or so, cheap to match.

Names are never carried as text: DuckDB hashes them on the way (64 bits, good within one run only), and only names that
hold a variant, a separator or a blank are looked at letter by letter. Identity numbers become whole numbers, and columns
with few different values stay numbers of a list.
"""

# ruff: noqa: S608 - SQL is put together here from fixed expressions and quoted paths only

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from doudi.engine.feeds.snapshots import rows_of
from doudi.engine.identity import SAME_NAME, normal_name

NO_NUMBER = -1
NAME_HASH = "hash(name)"
ODD_NAME = "CASE WHEN regexp_matches(name, '[{}]') THEN name END".format(
    "".join(f"\\x{{{sign:x}}}" for sign in SAME_NAME)
)
"""SQL of a name that :func:`~doudi.engine.identity.normal_name` may change, NULL for every other."""

_BYTES_A_CODE = 6
"""A text column that takes more in its file is not a list of few values, and is read as text."""

_ZEROS, _HIGH, _OVER_NINE = (
    np.uint64(int(byte * 8, 16)) for byte in ("30", "80", "46")
)  # eight characters at once, as one whole number


@dataclass(frozen=True)
class Block:
    """Rows of a part in their order.

    ``asked`` holds what DuckDB was asked for, ``columns`` the others; ``first`` is the place of the first row in its part.
    """

    asked: pa.Table
    columns: pa.Table
    first: int
    _file: pq.ParquetFile
    _groups: list[int]

    def names(self, places: np.ndarray) -> list[str]:
        """The names in some rows, by their places in the block."""
        names = self._file.read_row_groups(self._groups, columns=["name"], use_threads=False)["name"]
        return [name or "" for name in names.take(pa.array(places)).to_pylist()]


def blocks(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    asked: Mapping[str, str],
    columns: Sequence[str],
    *,
    at_once: int,
) -> Iterator[Block]:
    """A part in blocks of whole row groups of about ``at_once`` rows; columns that the part lacks are left out."""
    with pq.ParquetFile(part) as footer:
        present = [name for name in columns if name in footer.schema_arrow.names]
        listed = _listed(footer, present)
    select = ", ".join(f"{sql} AS {name}" for name, sql in asked.items())
    source = connection.sql(f"SELECT {select} FROM {rows_of(part)}")
    stream = _Stream(source.to_arrow_reader(at_once))
    with pq.ParquetFile(part, read_dictionary=listed) as file:
        first = 0
        for groups, rows in _groups(file, at_once):
            table = file.read_row_groups(groups, columns=present, use_threads=False)
            yield Block(stream.take(rows), table, first, file, groups)
            first += rows


def _listed(file: pq.ParquetFile, columns: Iterable[str]) -> list[str]:
    """The text columns that hold few different values."""
    found = []
    for name in columns:
        if not pa.types.is_string(file.schema_arrow.field(name).type):
            continue
        place = file.schema_arrow.names.index(name)
        chunks = [file.metadata.row_group(g).column(place) for g in range(file.metadata.num_row_groups)]
        values = sum(chunk.num_values for chunk in chunks)
        if sum(chunk.total_uncompressed_size for chunk in chunks) <= _BYTES_A_CODE * values:
            found.append(name)
    return found


def _groups(file: pq.ParquetFile, at_once: int) -> Iterator[tuple[list[int], int]]:
    groups: list[int] = []
    rows = 0
    for group in range(file.metadata.num_row_groups):
        groups.append(group)
        rows += file.metadata.row_group(group).num_rows
        if rows >= at_once:
            yield groups, rows
            groups, rows = [], 0
    if rows:
        yield groups, rows


class _Stream:
    """Record batches of whatever length, given out by number of rows."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self._held = reader.schema.empty_table()

    def take(self, rows: int) -> pa.Table:
        pieces, missing = [self._held], rows - self._held.num_rows
        while missing > 0:
            piece = pa.Table.from_batches([self._reader.read_next_batch()])
            pieces.append(piece)
            missing -= piece.num_rows
        table = pa.concat_tables(pieces)
        self._held = table.slice(rows)
        return table.slice(0, rows).combine_chunks()


def row_count(parts: Iterable[Path]) -> int:
    return sum(int(pq.read_metadata(part).num_rows) for part in parts)


# ---- identity numbers ----------------------------------------------------------------------------------------


def numbers_of(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Valid 18-character numbers as whole numbers in the order of their texts; ``NO_NUMBER`` for all else."""
    texts = one_array(column)
    ends = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, texts.offset * 4)
    if not len(texts) or (texts.null_count == 0 and (np.diff(ends) == 18).all()):
        return _whole_numbers(texts, int(ends[0]) if len(ends) else 0)
    numbers = np.full(len(texts), NO_NUMBER, np.int64)
    right = np.diff(ends) == 18
    right &= texts.is_valid().to_numpy(zero_copy_only=False)
    if right.any():
        numbers[right] = numbers_of(texts.filter(pa.array(right)))
    return numbers


def _whole_numbers(texts: pa.Array, start: int) -> np.ndarray:
    n = len(texts)
    if not n:
        return np.empty(0, np.int64)
    characters = texts.buffers()[2]
    first, right_one = _eight_digits(characters, start, n)
    second, right_two = _eight_digits(characters, start + 8, n)
    last = np.ndarray((n, 2), np.uint8, characters, start + 16, (18, 1)).astype(np.int64) - ord("0")
    is_x = last[:, 1] == ord("X") - ord("0")
    check = np.where(is_x, 10, last[:, 1])
    right = (
        right_one & right_two & (last[:, 0] >= 0) & (last[:, 0] <= 9) & (check >= 0) & ((check <= 9) | is_x)
    )
    numbers = ((first * 10**8 + second) * 10 + last[:, 0]) * 11 + check
    return np.where(right, numbers, NO_NUMBER)


def _eight_digits(characters: pa.Buffer, start: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Eight digits of each number read at once, pairs by pairs; and whether all are digits."""
    signs = np.ndarray((n,), "<u8", characters, start, (18,)).copy()
    right = ((signs + _OVER_NINE) | (signs - _ZEROS)) & _HIGH == 0
    signs -= _ZEROS
    signs = (signs * np.uint64(10) + (signs >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    signs = (signs * np.uint64(100) + (signs >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    signs = (signs * np.uint64(10_000) + (signs >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return signs.astype(np.int64), right


def births_of(numbers: np.ndarray) -> pa.Array:
    """The dates of birth inside valid numbers, as ``numbers_of`` gives them; null for ``NO_NUMBER``."""
    written = numbers // 11_000 % 10**8
    known = numbers != NO_NUMBER
    written = np.where(known, written, 19_700_101)
    months = (written // 10_000 - 1970) * 12 + written // 100 % 100 - 1
    days = months.astype("M8[M]").astype("M8[D]") + (written % 100 - 1)
    return pa.array(days, pa.date32(), mask=~known)


def one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array (``combine_chunks`` of many chunks gives a chunked one in some versions)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column


# ---- names ---------------------------------------------------------------------------------------------------


def name_hashes(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> np.ndarray:
    """The same 64 bits that ``NAME_HASH`` gives, of each name's normal spelling."""
    coded = pa.array(names, pa.string()).dictionary_encode()
    normal = pa.table({"name": pa.array([normal_name(n) for n in coded.dictionary.to_pylist()], pa.string())})
    with connection.cursor() as own:  # the connection itself is giving out a part's rows
        own.register("normal_names", normal)
        hashes = own.sql(f"SELECT {NAME_HASH} AS h FROM normal_names").to_arrow_table()["h"].to_numpy()
    return hashes[coded.indices.to_numpy()]


# ---- columns of few values -----------------------------------------------------------------------------------


@dataclass
class ValueList:
    """The different values of a text column over all its blocks, in the order they came; a value keeps its place."""

    values: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _marks: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    def places(self, column: pa.ChunkedArray) -> pa.Array:
        """Each cell's place in the list (int32, null where empty)."""
        coded = one_array(column.unify_dictionaries())
        with self._lock:
            place = pc.index_in(coded.dictionary, value_set=self.values)
            if place.null_count:
                fresh = coded.dictionary.filter(place.is_null())
                self.values = pa.concat_arrays([self.values, fresh])
                place = pc.index_in(coded.dictionary, value_set=self.values)
        return place.take(coded.indices)

    def texts(self, places: pa.Array) -> pa.Array:
        """The cells again: as a list and places where that is short, else as texts."""
        if len(self.values) * 4 > len(places):
            return self.values.take(places)
        return pa.DictionaryArray.from_arrays(places, self.values)

    def place_of(self, value: str) -> int:
        """The place of a value, -1 where it never came."""
        return int(pc.index(self.values, value).as_py())

    def marks(self) -> np.ndarray:
        """64 bits of each value, the same on every machine."""
        missing = self.values.slice(len(self._marks)).to_pylist()
        self._marks = np.concatenate([self._marks, marks_of(missing)])
        return self._marks


def marks_of(texts: Iterable[str]) -> np.ndarray:
    """64 bits of each text, the same on every machine and in every version."""
    return np.array(
        [int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) for text in texts], np.uint64
    )
