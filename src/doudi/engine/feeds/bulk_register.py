"""A register of any size, numbered by region, household and person, in memory bounded by one range of regions.

The parts are read once and laid aside in ranges of regions; then each range is sorted alone. The few households whose
members bear different regions are found by sorting one number per row (hash of the household, region) and are brought
to their head's region before the ranges are numbered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from doudi.engine.feeds.bulk_reading import (
    NAME_HASH,
    ODD_NAME,
    Block,
    ValueList,
    births_of,
    blocks,
    name_hashes,
    numbers_of,
    one_array,
    row_count,
)
from doudi.engine.feeds.people_index import PEOPLE, PeopleIndex
from doudi.engine.feeds.resolving import MEMBER_COLUMNS
from doudi.engine.feeds.snapshots import HOUSEHOLDS, MEMBERS, ROW_GROUP, aside, parquet_layout, rows_of

_LISTED = ("relation", "category", "urban_rural", "region_code")
_PLAIN = {"living_together": pa.bool_(), "left_on": pa.date32(), "category_since": pa.date32()}
_ASKED = {
    "number": "id_number", "name": NAME_HASH, "odd": ODD_NAME, "household_no": "household_no",
    "home": "hash(household_no)",
}  # fmt: skip
_LAID = pa.schema(
    [
        ("number", pa.int64()), ("name", pa.uint64()), ("odd", pa.uint64()), ("household_no", pa.string()),
        ("home", pa.uint64()), ("place", pa.int32()), ("came", pa.int32()), *_PLAIN.items(),
        *[(name, pa.int32()) for name in _LISTED],
    ]
)  # fmt: skip
_PLACE_BITS = np.uint64(24)
_MIDDLE = np.uint64(1 << 63)
_SPARSE = 8
"""Where more than so many keys lie between two that are asked for, each is looked for alone."""

_AHEAD = 3
"""Sorted ranges that wait to be numbered, at most."""


@dataclass(frozen=True)
class Register:
    """A numbered register: who bears which number, and where each household's persons begin."""

    index: PeopleIndex
    first_person: np.ndarray
    """The key of each household's first person, by household key."""
    persons: int

    @property
    def households(self) -> int:
        return len(self.first_person)

    def homes_of(self, persons: np.ndarray) -> np.ndarray:
        """The household keys of persons who stand in the order of their keys."""
        if not len(persons):
            return np.empty(0, np.int64)
        # asked with its own type: else each question would copy a country's keys into a wider one
        asked = persons.astype(self.first_person.dtype)
        if persons[-1] - persons[0] > _SPARSE * len(persons):
            return np.searchsorted(self.first_person, asked, "right") - 1
        low = int(np.searchsorted(self.first_person, asked[0], "right")) - 1
        high = int(np.searchsorted(self.first_person, asked[-1], "right"))
        edges = np.append(self.first_person[low:high], asked[-1] + 1)
        homes = np.repeat(np.arange(low, high), np.diff(edges))
        return homes[persons - edges[0]]


@dataclass
class _Places:
    """The places of a register in their order, and the range each belongs to."""

    rank: dict[str, int] = field(default_factory=dict)
    range_of: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint16))

    @property
    def ranges(self) -> int:
        return int(self.range_of[-1]) + 1 if len(self.range_of) else 0


def resolve_register(
    parts: Sequence[Path], folder: Path, work: Path, *, threads: int, at_once: int
) -> Register:
    """Write ``members.parquet`` and ``households.parquet`` into ``folder``; keys as ``build_register`` gives them."""
    lists = {name: ValueList() for name in _LISTED} | {"category": ValueList(pa.array([""]))}
    places = _places(parts, at_once)
    with ExitStack() as files, ThreadPoolExecutor(threads) as pool:
        laid = [
            pool.submit(_lay_aside, part, work / f"register-{n}.arrow", places, lists, at_once)
            for n, part in enumerate(parts)
        ]
        laid_parts = [_LaidPart(*future.result()) for future in laid]
        for part in laid_parts:
            files.callback(part.close)
        head = lists["relation"].place_of("户主")
        strays = _strays(pool, laid_parts, places, head)
        folder.mkdir(parents=True, exist_ok=True)
        index = PeopleIndex(row_count(parts))
        people = files.enter_context((work / "people").open("wb"))
        members = files.enter_context(growing(folder / MEMBERS))
        homes = files.enter_context(growing(folder / HOUSEHOLDS))
        households = persons = rows = 0
        first_persons: list[np.ndarray] = [np.empty(0, np.int32)]
        odd: list[tuple[np.ndarray, np.ndarray]] = []
        ranges = _in_order(pool, laid_parts, strays, head, places.ranges)
        for sorted_range in ranges:
            members.write(sorted_range.member_table(lists, households, persons))
            homes.write(sorted_range.household_table(lists, households))
            sorted_range.people(persons).tofile(people)
            index.count(sorted_range.numbers)
            first_persons.append((sorted_range.first_person + persons).astype(np.int32))
            places_of_odd, odd_names = sorted_range.odd()
            odd.append((places_of_odd + rows, odd_names))
            households += sorted_range.households
            persons += sorted_range.persons
            rows += sorted_range.rows.num_rows
        if not rows:
            none = np.empty(0, np.int64)
            nobody = _SortedRange(_LAID.empty_table(), none, none, none, none)
            members.write(nobody.member_table(lists, 0, 0))
            homes.write(nobody.household_table(lists, 0))
    odd_rows = np.concatenate([np.empty(0, np.int64), *(at for at, _ in odd)])
    index.fill(
        work / "people", odd_rows, np.concatenate([np.empty(0, np.uint64), *(names for _, names in odd)])
    )
    (work / "people").unlink()
    return Register(index, np.concatenate(first_persons), persons)


def _in_order(
    pool: ThreadPoolExecutor, parts: list[_LaidPart], strays: _Strays, head: int, ranges: int
) -> Iterator[_SortedRange]:
    """The ranges with rows, each sorted in a thread, given out one after the other."""
    waiting = []
    for number in range(ranges):
        waiting.append(pool.submit(_sorted_range, parts, strays, head, number))
        if len(waiting) >= _AHEAD:
            yield from _filled(waiting.pop(0).result())
    for future in waiting:
        yield from _filled(future.result())


def _filled(found: _SortedRange | None) -> list[_SortedRange]:
    return [] if found is None else [found]


# ---- laid aside in ranges of regions -------------------------------------------------------------------------


def _places(parts: Sequence[Path], at_once: int) -> _Places:
    """Every region of the register by its code padded to 12 digits; a range is some regions that follow each other."""
    with duckdb.connect(config={"threads": 1}) as connection:
        counted = connection.execute(
            f"SELECT region_code, count(*) FROM {rows_of(*parts)} GROUP BY region_code"  # noqa: S608
        ).fetchall()
    rows: dict[str, int] = {}
    for code, many in counted:
        padded = str(code).ljust(12, "0")[:12]
        rows[padded] = rows.get(padded, 0) + many
    order = sorted(rows)
    rank = {padded: place for place, padded in enumerate(order)}
    ranges: list[int] = []
    number = filled = 0
    for padded in order:
        if filled and filled + rows[padded] > at_once:
            number, filled = number + 1, 0
        ranges.append(number)
        filled += rows[padded]
    by_code = {str(code): rank[str(code).ljust(12, "0")[:12]] for code, _ in counted}
    return _Places(by_code, np.array(ranges, np.uint16 if number < 1 << 16 else np.int64))


def _lay_aside(
    part: Path, to: Path, places: _Places, lists: dict[str, ValueList], at_once: int
) -> tuple[Path, dict[int, list[int]], np.ndarray]:
    """Write a part's rows range by range; returns the file, which of its batches belong to each range, and one
    number per row: 40 bits of the household, 24 of the region."""
    batches: dict[int, list[int]] = {}
    marks: list[np.ndarray] = [np.empty(0, np.uint64)]
    written = 0
    wanted = [*_PLAIN, *_LISTED]
    with (
        duckdb.connect(config={"threads": 1}) as connection,
        pa.OSFile(str(to), "wb") as sink,
        pa.ipc.new_file(sink, _LAID) as writer,
    ):
        for block in blocks(connection, part, _ASKED, wanted, at_once=at_once):
            rows, place = _laid(connection, block, places, lists)
            marks.append((rows["home"].to_numpy() >> _PLACE_BITS << _PLACE_BITS) | place.astype(np.uint64))
            range_of = places.range_of[place]
            if places.ranges > 1:
                order = np.argsort(range_of, kind="stable")
                rows, range_of = rows.take(pa.array(order)), range_of[order]
            edges = np.flatnonzero(np.concatenate([[True], range_of[1:] != range_of[:-1]]))
            for low, high in zip(edges, [*edges[1:], len(range_of)], strict=True):
                for batch in rows.slice(low, high - low).combine_chunks().to_batches():
                    writer.write_batch(batch)
                    batches.setdefault(int(range_of[low]), []).append(written)
                    written += 1
    return to, batches, np.concatenate(marks)


def _laid(
    connection: duckdb.DuckDBPyConnection, block: Block, places: _Places, lists: dict[str, ValueList]
) -> tuple[pa.Table, np.ndarray]:
    """A block's rows as they are laid aside, and their places' ranks."""
    asked, columns = block.asked, block.columns
    n = asked.num_rows
    odd_names = one_array(asked["odd"])
    normal = np.zeros(n, np.uint64)
    is_odd = odd_names.is_valid().to_numpy(zero_copy_only=False)
    if is_odd.any():
        normal[is_odd] = name_hashes(connection, odd_names.drop_null().to_pylist())
    found: dict[str, pa.Array | pa.ChunkedArray] = {
        "number": pa.array(numbers_of(asked["number"])),
        "name": asked["name"],
        "odd": pa.array(normal, mask=~is_odd),
        "household_no": asked["household_no"],
        "home": asked["home"],
        "came": pa.array(np.arange(block.first, block.first + n, dtype=np.int32)),
    }
    for name in _LISTED:
        found[name] = lists[name].places(as_listed(columns[name]))
    # whoever has no category has the empty one, the first of its list
    found["category"] = found["category"].fill_null(0)
    for name, kind in _PLAIN.items():
        found[name] = columns[name].cast(kind) if name in columns.column_names else pa.nulls(n, kind)
    codes = lists["region_code"].values.to_pylist()
    rank = np.array([places.rank[code] for code in codes], np.int32)
    place = rank[found["region_code"].to_numpy()]
    found["place"] = pa.array(place)
    return pa.table([found[name] for name in _LAID.names], schema=_LAID), place


def as_listed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as places in lists, however it was read."""
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


class _LaidPart:
    """A part that lies in ranges. Its batches are read when they are asked for: a map of the whole file would stay in memory."""

    def __init__(self, path: Path, batches: dict[int, list[int]], marks: np.ndarray) -> None:
        self.batches, self.marks = batches, marks
        self._path = path
        self._source = pa.OSFile(str(path), "rb")
        self._file = pa.ipc.open_file(self._source)

    def rows(self, number: int) -> list[pa.RecordBatch]:
        return [self._file.get_batch(batch) for batch in self.batches.get(number, ())]

    def all_rows(self) -> Iterator[pa.RecordBatch]:
        return (self._file.get_batch(number) for number in range(self._file.num_record_batches))

    def close(self) -> None:
        self._source.close()
        self._path.unlink(missing_ok=True)


# ---- households that straddle regions ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Strays:
    """Rows of households whose members bear different regions, each with the head's place, in the order they came."""

    homes: np.ndarray
    """Sorted: 40 bits of the households (and of the few others that share them)."""
    numbers: pa.Array
    rows: pa.Table
    range_of: np.ndarray

    def taken_from(self, rows: pa.Table) -> pa.Table:
        """The rows of a range without those of straddling households."""
        maybe = np.flatnonzero(np.isin(rows["home"].to_numpy() >> _PLACE_BITS, self.homes))
        if not maybe.size:
            return rows
        straddles = pc.is_in(rows["household_no"].take(pa.array(maybe)), value_set=self.numbers)
        stays = np.ones(rows.num_rows, bool)
        stays[maybe[straddles.to_numpy(zero_copy_only=False)]] = False
        return rows.filter(pa.array(stays))


def _straddling(marks: np.ndarray) -> np.ndarray:
    """The households, by their 40 bits, that some marks bring into more than one region."""
    marks.sort()
    homes = marks >> _PLACE_BITS
    return np.unique(homes[1:][(homes[1:] == homes[:-1]) & (marks[1:] != marks[:-1])])


def _strays(pool: ThreadPoolExecutor, parts: list[_LaidPart], places: _Places, head: int) -> _Strays:
    marks = np.concatenate([np.empty(0, np.uint64), *(part.marks for part in parts)])
    for part in parts:
        part.marks = np.empty(0, np.uint64)
    low = marks < _MIDDLE
    halves = [marks[low], marks[~low]]
    del marks, low
    homes = np.concatenate(list(pool.map(_straddling, halves)))
    del halves
    if not homes.size:
        return _Strays(homes, pa.array([], pa.string()), _LAID.empty_table(), np.empty(0, np.int64))
    found = []
    for number, part in enumerate(parts):
        for rows in part.all_rows():
            here = np.isin(rows["home"].to_numpy() >> _PLACE_BITS, homes)
            if here.any():
                rows = pa.Table.from_batches([rows]).filter(pa.array(here))
                found.append(rows.append_column("part", pa.repeat(number, rows.num_rows)))
    suspects = pa.concat_tables(found)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("suspects", suspects)
        rows = connection.sql(f"""
            SELECT s.* EXCLUDE (place, part), h.place FROM suspects s JOIN (
                SELECT household_no, arg_min(place, (relation IS DISTINCT FROM {head}, number, part, came)) AS place
                FROM suspects GROUP BY household_no HAVING min(place) <> max(place)
            ) h USING (household_no) ORDER BY s.part, s.came
        """).to_arrow_table()  # noqa: S608
    rows = rows.select(_LAID.names).cast(_LAID)
    return _Strays(
        homes, one_array(rows["household_no"]).unique(), rows, places.range_of[rows["place"].to_numpy()]
    )


# ---- one range -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _SortedRange:
    """The rows of a range in their final order, numbered from nought."""

    rows: pa.Table
    home: np.ndarray
    person: np.ndarray
    heads: np.ndarray
    """The place of each household's head among the rows."""
    first_person: np.ndarray

    @property
    def households(self) -> int:
        return len(self.heads)

    @property
    def persons(self) -> int:
        return int(self.person[-1]) + 1 if len(self.person) else 0

    @property
    def numbers(self) -> np.ndarray:
        return self.rows["number"].to_numpy()

    def people(self, first_person: int) -> np.ndarray:
        found = np.empty(self.rows.num_rows, PEOPLE)
        found["number"], found["name"] = self.numbers, self.rows["name"].to_numpy()
        found["person"] = self.person + first_person
        return found

    def odd(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows bear a name that is not its normal spelling, and the hashes of that spelling."""
        odd = one_array(self.rows["odd"])
        return np.flatnonzero(odd.is_valid().to_numpy(zero_copy_only=False)), odd.drop_null().to_numpy()

    def member_table(self, lists: dict[str, ValueList], first_home: int, first_person: int) -> pa.Table:
        is_head = np.zeros(self.rows.num_rows, bool)
        is_head[self.heads] = True
        found = {
            "household_key": pa.array(self.home + first_home),
            "person_key": pa.array(self.person + first_person),
            "is_head": pa.array(is_head),
            "birth_on": births_of(self.numbers),
            **{name: self.rows[name] for name in _PLAIN},
            **{name: lists[name].texts(one_array(self.rows[name])) for name in _LISTED},
        }
        return pa.table({name: found[name] for name in MEMBER_COLUMNS})

    def household_table(self, lists: dict[str, ValueList], first_home: int) -> pa.Table:
        heads = self.rows.select(["household_no", *_LISTED]).take(pa.array(self.heads))
        facts = {name: lists[name].texts(one_array(heads[name])) for name in _LISTED}
        return pa.table(
            {
                "household_key": pa.array(np.arange(first_home, first_home + self.households)),
                "household_no": heads["household_no"],
                **{name: facts[name] for name in ("region_code", "urban_rural", "category")},
                "persons": pa.array(np.diff(self.first_person, append=self.persons).astype(np.int32)),
            }
        )


def _sorted_range(parts: list[_LaidPart], strays: _Strays, head: int, number: int) -> _SortedRange | None:
    rows = pa.Table.from_batches([batch for part in parts for batch in part.rows(number)], _LAID)
    if strays.homes.size:
        come = strays.rows.filter(pa.array(strays.range_of == number))
        rows = pa.concat_tables([strays.taken_from(rows), come])
    if not rows.num_rows:
        return None
    return _numbered(rows.combine_chunks(), head)


def _numbered(rows: pa.Table, head: int) -> _SortedRange:
    n = rows.num_rows
    ids = rows["number"].to_numpy()
    home = _home_ranks(rows["place"].to_numpy(), one_array(rows["household_no"]))
    order = _by_home_and_number(home, ids)
    rows, home, ids = rows.take(pa.array(order)).combine_chunks(), home[order], ids[order]
    new_home = np.concatenate([[True], home[1:] != home[:-1]])
    new_person = new_home.copy()
    new_person[1:] |= ids[1:] != ids[:-1]
    person = np.cumsum(new_person) - 1
    starts = np.flatnonzero(new_home)
    # the head is the 户主 with the smallest ID, without one the smallest ID; rows stand by ID
    called_head = rows["relation"].fill_null(-1).to_numpy() == head
    first_called = np.minimum.reduceat(np.where(called_head, np.arange(n), n), starts)
    return _SortedRange(
        rows,
        np.cumsum(new_home) - 1,
        person,
        np.where(first_called < n, first_called, starts),
        person[starts],
    )


def _home_ranks(place: np.ndarray, numbers: pa.Array) -> np.ndarray:
    """A number for each row that grows with its household's place and number, equal within a household."""
    n = len(place)
    ends = np.frombuffer(numbers.buffers()[1], np.int32, n + 1, numbers.offset * 4)
    width = int(ends[1] - ends[0])
    if 8 <= width <= 16 and numbers.null_count == 0 and (np.diff(ends) == width).all():
        # texts of one width are compared as two whole numbers: their first eight bytes and their last eight
        halves = (
            np.ndarray((n,), ">u8", numbers.buffers()[2], int(ends[0]) + at, (width,)).astype(np.uint64)
            for at in (0, width - 8)
        )
        first, last = halves
    else:
        coded = numbers.dictionary_encode()
        rank = np.empty(len(coded.dictionary), np.uint64)
        rank[pc.sort_indices(coded.dictionary).to_numpy()] = np.arange(len(coded.dictionary))
        first, last = np.zeros(n, np.uint64), rank[coded.indices.to_numpy()]
    order = np.argsort(last)
    for key in (first, place):
        in_order = key[order]
        if (in_order[1:] < in_order[:-1]).any():
            order = order[np.argsort(in_order, kind="stable")]
    changes = np.zeros(n, bool)
    for key in (place, first, last):
        in_order = key[order]
        changes[1:] |= in_order[1:] != in_order[:-1]
    ranks = np.empty(n, np.int64)
    ranks[order] = np.cumsum(changes)
    return ranks


def _by_home_and_number(home: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The order of rows by household, identity number and arrival."""
    n = len(home)
    bits = max(1, (n - 1).bit_length())
    if 3 * bits > 63:
        return np.lexsort((ids, home))
    by_id = np.argsort(ids)
    in_order = ids[by_id]
    rank = np.empty(n, np.int64)
    rank[by_id] = np.cumsum(np.concatenate([[False], in_order[1:] != in_order[:-1]]))
    # one sort of whole numbers is several times faster than one by three keys
    keys = (home << 2 * bits) | (rank << bits) | np.arange(n)
    keys.sort()
    return keys & ((1 << bits) - 1)


# ---- files ---------------------------------------------------------------------------------------------------


class growing:
    """A Parquet file written block by block that appears under its name when it is whole.

    Columns of listed values are read again as texts: the file does not say how they were held.
    """

    def __init__(self, to: Path) -> None:
        self._aside = aside(to)
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> growing:
        self._path = self._aside.__enter__()
        return self

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._schema = table.schema
            self._writer = pq.ParquetWriter(
                self._path, table.schema, store_schema=False, **parquet_layout(table.schema)
            )
        for place, wanted in enumerate(self._schema):
            if table.schema.field(place).type != wanted.type:
                column = table.column(place)
                listed = pa.types.is_dictionary(wanted.type)
                table = table.set_column(
                    place, wanted, column.dictionary_encode() if listed else column.cast(wanted.type)
                )
        self._writer.write_table(table, row_group_size=ROW_GROUP)

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._aside.__exit__(*error)  # type: ignore[arg-type]
