"""Checking every row of a department's file: trim, mend, validate, set aside, count once.

In comes a file and its feed's declaration; out comes :class:`ParsedFile`: the good rows with typed values, what is
wrong with the others, and the counts of feeds.md point 5. Nothing is matched to the register and nothing is written.

Readings where the contract is silent, each found to agree with the sample county:

* ``mended`` counts good rows whose identity number is not what stands in the trimmed cell (white space
  inside, full-width signs, a small x, 15 digits); white space around a cell is trimmed everywhere and is no mending.
* Two rows are equal when their mended values are: 2024/3/1 and 45352, 1,234.50 and １２３４．５０元. A name is
  compared letter by letter once trimmed, so a repeat with a variant character is another row.
* A cell that may be empty only in a certain case (``status_on`` where ``status`` = 正常) is missing in every other
  case, also where the deciding cell is itself at fault: that is one more reason for the same row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doudi.engine import identity, money
from doudi.engine.feeds.cells import PLACE, REASONS, reader_of, text_of
from doudi.engine.feeds.errors import HeaderMismatch
from doudi.engine.feeds.reading import REASON_HEADER, Layout, read_layout
from doudi.engine.feeds.spec import ColumnSpec, FeedSpec, normal_header
from doudi.engine.feeds.tables import Block, Cell, Source, content_hash

ARROW = {
    "id": pa.string(), "name": pa.string(), "text": pa.string(), "code": pa.string(), "region": pa.string(),
    "phone": pa.string(), "address": pa.string(), "money": pa.int64(), "date": pa.date32(), "month": pa.int32(),
    "bool": pa.bool_(), "int": pa.int64(), "decimal": pa.decimal128(18, 4),
}  # fmt: skip
"""Arrow type of a parsed column by its declared type: money in fen, months as year × 12 + (month − 1)."""

_TOTALS = ("合计", "总计")
_FILLED_WHEN_MERGED = frozenset(ARROW) - {"money", "decimal", "int"}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one cell: ``row_no`` as in the sender's sheet, the column's name, the reason code."""

    row_no: int
    column: str
    code: str


@dataclass(frozen=True)
class ParsedFile:
    """A file checked row by row.

    ``rows`` holds the good rows, repeats left out: ``row_no`` (as a clerk sees it in the sheet), ``id_number`` (18
    digits or null), ``id_derived`` (made from 15), ``name``, the feed's other columns under their names, and
    ``row_digest`` (64 bits over all mended cells; not keyed, so never to be written to disk as it is).
    """

    spec: FeedSpec
    file_hash: str
    rows: pa.Table
    faults: tuple[Fault, ...]
    read: int
    good: int
    mended: int
    duplicates: int
    quarantined: int
    reasons: Mapping[str, int]
    unread: tuple[tuple[str | None, str], ...] = ()
    """Whom the quarantined rows speak of, as far as can be read: ID (None where it is none) and name. About these people
    the file says something that was not understood: it is never taken for 查无."""


def parse_file(spec: FeedSpec, path: Source, *, today: date) -> ParsedFile:
    """Read and check a file of the feed ``spec``; ``today`` bounds birth dates only.

    Raises a :class:`~doudi.engine.feeds.errors.FeedError` where the file cannot be opened or its header row does not
    fit. A row that cannot be mended raises nothing: it is left out of ``rows`` and named in ``faults``.
    """
    layout = read_layout(spec, path)
    fill = frozenset(
        place for name, place in layout.places.items() if spec.column(name).type in _FILLED_WHEN_MERGED
    )
    tables: list[pa.Table] = [_empty(spec)]
    faults: list[Fault] = []
    unread: list[tuple[str | None, str]] = []
    read = 0
    for block in layout.table.blocks(below=layout.header_row + 1, width=layout.width, fill=fill):
        checked = _check(spec, layout, block, today)
        tables.append(checked.good)
        faults += checked.faults
        unread += checked.unread
        read += checked.read
    rows = pa.concat_tables(tables)
    good = rows.num_rows
    mended = pc.sum(rows["id_mended"]).as_py() or 0
    rows = rows.drop_columns(["id_mended"])
    digests = _digests(spec, rows)
    rows = rows.append_column("row_digest", pa.array(digests))
    first = _first_of_its_kind(rows, digests)
    if not first.all():
        rows = rows.filter(pa.array(first))
    rows_of_reason = Counter({(fault.row_no, fault.code) for fault in faults})
    return ParsedFile(
        spec=spec,
        file_hash=content_hash(path),
        rows=rows.combine_chunks(),
        faults=tuple(faults),
        read=read,
        good=good,
        mended=mended,
        duplicates=good - rows.num_rows,
        quarantined=read - good,
        reasons=dict(sorted(Counter(code for _, code in rows_of_reason).items())),
        unread=tuple(unread),
    )


def parsed_of_rows(spec: FeedSpec, rows: Sequence[Mapping[str, Any]], *, file_hash: str) -> ParsedFile:
    """Rows that were checked before, typed as in :attr:`ParsedFile.rows`, as a parsed file again.

    For evidence that was kept row by row; ``row_no`` counts from 1, a column that a row lacks is null, repeats are
    left out as in :func:`parse_file`.
    """
    named: dict[str, pa.Array] = {
        "row_no": pa.array(range(1, len(rows) + 1), pa.int32()),
        "id_number": pa.array([row.get("id_number") for row in rows], pa.string()),
        "id_derived": pa.array([bool(row.get("id_derived")) for row in rows], pa.bool_()),
    }
    for column in spec.columns:
        if column.name != "id_number":
            cells = [row.get(column.name) for row in rows]
            named[column.name] = pa.array(cells, ARROW[column.type])
    table = pa.table(named)
    digests = _digests(spec, table)
    table = table.append_column("row_digest", pa.array(digests))
    first = _first_of_its_kind(table, digests)
    kept = table.filter(pa.array(first))
    return ParsedFile(
        spec, file_hash, kept, (), len(rows), len(rows), 0, len(rows) - kept.num_rows, 0, {}
    )  # fmt: skip


@dataclass(frozen=True)
class _Checked:
    good: pa.Table
    faults: list[Fault]
    read: int
    unread: list[tuple[str | None, str]]


def _empty(spec: FeedSpec) -> pa.Table:
    return pa.schema(
        [
            ("row_no", pa.int32()),
            ("id_number", pa.string()),
            ("id_mended", pa.bool_()),
            ("id_derived", pa.bool_()),
            *[(column.name, ARROW[column.type]) for column in spec.columns if column.name != "id_number"],
        ]
    ).empty_table()


def _check(spec: FeedSpec, layout: Layout, block: Block, today: date) -> _Checked:
    row_no = np.arange(block.first_row, block.first_row + block.height, dtype=np.int32)
    texts = {column.name: _texts(block, layout, column) for column in spec.columns}
    kept = _rows_with_content(layout, block, texts)
    if not kept.all():
        mask = pa.array(kept)
        texts = {name: column.filter(mask) for name, column in texts.items()}
    row_no_kept = row_no[kept]
    _refuse_content_without_header(layout, block, kept)
    values: dict[str, pa.Array] = {}
    faults: dict[str, np.ndarray] = {}
    ids = identity.read_ids(texts["id_number"], today=today)
    for column in spec.columns:
        values[column.name], faults[column.name] = _read_column(column, texts[column.name], ids, today)
        if not column.nullable:
            faults[column.name][_is_null(texts[column.name])] = PLACE["value_missing"]
    for column in spec.columns:
        if column.nullable_when is not None:
            other, value = column.nullable_when
            allowed = pc.fill_null(pc.equal(texts[other], value), False).to_numpy(zero_copy_only=False)
            faults[column.name][_is_null(texts[column.name]) & ~allowed] = PLACE["value_missing"]
    bad = np.zeros(len(row_no_kept), bool)
    found = []
    for places, code in ((block.overlong, "row_shifted"), (block.torn, "row_torn")):
        whole_row = np.isin(np.arange(block.height), list(places))[kept]
        found += [Fault(int(number), "", code) for number in row_no_kept[whole_row]]
        bad |= whole_row
    as_rows = bad
    for column in spec.columns:
        wrong = faults[column.name] > 0
        for place in np.flatnonzero(wrong & ~as_rows):
            found.append(Fault(int(row_no_kept[place]), column.name, REASONS[faults[column.name][place] - 1]))
        bad = bad | wrong
    found.sort(key=lambda fault: fault.row_no)
    table = pa.table(
        {
            "row_no": row_no_kept,
            "id_number": values["id_number"],
            "id_mended": ids.mended,
            "id_derived": ids.derived,
            **{column.name: values[column.name] for column in spec.columns if column.name != "id_number"},
        }
    )
    if not bad.any():
        return _Checked(table, found, len(row_no_kept), [])
    left_out = pa.array(bad)
    unread = zip(
        values["id_number"].filter(left_out).to_pylist(),
        [name or "" for name in texts["name"].filter(left_out).to_pylist()],
        strict=True,
    )
    return _Checked(table.filter(pa.array(~bad)), found, len(row_no_kept), list(unread))


def _texts(block: Block, layout: Layout, column: ColumnSpec) -> pa.Array:
    """A column's cells as trimmed texts, null where empty."""
    place = layout.places.get(column.name)
    if place is None:
        return pa.nulls(block.height, pa.string())
    return _trimmed(block.columns[place], column.type)


def _trimmed(cells: Sequence[Cell] | pa.Array, kind: str) -> pa.Array:
    texts = pc.utf8_trim(_as_text(cells, kind), characters=identity.BLANK_CHARACTERS)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _as_text(cells: Sequence[Cell] | pa.Array, kind: str) -> pa.Array:
    if isinstance(cells, pa.Array):
        return cells
    try:
        return pa.array(cells, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.array([text_of(cell, kind) for cell in cells], pa.string())


def _is_null(texts: pa.Array) -> np.ndarray:
    return texts.is_null().to_numpy(zero_copy_only=False)


def _rows_with_content(layout: Layout, block: Block, texts: Mapping[str, pa.Array]) -> np.ndarray:
    """Which rows are rows: not blank, and not a 合计 or 总计."""
    blank = np.ones(block.height, bool)
    for column in texts.values():
        blank &= _is_null(column)
    first = next(name for name, place in layout.places.items() if place == layout.first_place)
    without_space = pc.replace_substring_regex(texts[first], r"[\s\x{3000}:：]", "")
    total = pc.fill_null(pc.is_in(without_space, pa.array(_TOTALS)), False).to_numpy(zero_copy_only=False)
    return ~(blank | total)


def _refuse_content_without_header(layout: Layout, block: Block, kept: np.ndarray) -> None:
    known = set(layout.places.values())
    top = layout.table.top[layout.header_row]
    for place in range(min(layout.width, len(block.columns))):
        if place in known or normal_header(str(top[place] or "")) == normal_header(REASON_HEADER):
            continue
        filled = np.flatnonzero(~_is_null(_trimmed(block.columns[place], "text")) & kept)
        if filled.size:
            row = block.first_row + int(filled[0])
            raise HeaderMismatch(
                f"第 {row} 行第 {place + 1} 列有内容，但这一列没有表头。请写上表头，或清空这一列。",
                f"Row {row}, column {place + 1} holds something but the column has no header.",
            )


def _read_column(
    column: ColumnSpec, texts: pa.Array, ids: identity.IdColumn, today: date
) -> tuple[pa.Array, np.ndarray]:
    if column.type == "id":
        found = ids if column.name == "id_number" else identity.read_ids(texts, today=today)
        return found.number, _renumbered(found.fault, [str(fault) for fault in identity.FAULTS])
    if column.type == "money":
        fen, faults = money.parse_column(texts)
        return fen, _renumbered(faults, [str(fault) for fault in money.FAULTS])
    if column.type in ("name", "text", "phone", "address") or (column.type == "code" and not column.codes):
        return texts, np.zeros(len(texts), np.int8)
    return _read_distinct(column, texts)


def _renumbered(faults: np.ndarray, codes: Sequence[str]) -> np.ndarray:
    return np.array([0, *[PLACE[code] for code in codes]], np.int8)[faults]


def _read_distinct(column: ColumnSpec, texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Dates, months, codes: a column has few different ones, and each is read once."""
    read = reader_of(column)
    coded = texts.dictionary_encode()
    answers = [read(text) for text in coded.dictionary.to_pylist()]
    values = pa.array([value for value, _ in answers], ARROW[column.type]).take(coded.indices)
    faults = np.array([0, *[fault for _, fault in answers]], np.int8)
    places = pc.add(pc.fill_null(coded.indices, -1), 1).to_numpy(zero_copy_only=False)
    return values, faults[places]


def _digests(spec: FeedSpec, rows: pa.Table) -> np.ndarray:
    """64 bits of MD5 over each row's mended cells, the same in every version and on every machine."""
    if not rows.num_rows:
        return np.empty(0, np.int64)
    cells = ", '\x1f', ".join(f"coalesce(\"{column.name}\"::VARCHAR, '\x1e')" for column in spec.columns)
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("good_rows", rows)
        found = connection.sql(
            f"SELECT md5_number_lower(concat({cells})) AS d FROM good_rows"  # noqa: S608 — names are [a-z0-9_]
        ).to_arrow_table()
    return found["d"].to_numpy().view(np.int64)


def _first_of_its_kind(rows: pa.Table, digests: np.ndarray) -> np.ndarray:
    """True for rows unlike every earlier one; rows with one digest are compared cell by cell."""
    first = np.ones(len(digests), bool)
    order = np.argsort(digests, kind="stable")
    same_as_before = np.zeros(len(digests), bool)
    same_as_before[1:] = digests[order][1:] == digests[order][:-1]
    if not same_as_before.any():
        return first
    in_group = same_as_before | np.append(same_as_before[1:], False)
    places = np.sort(order[in_group])
    seen: set[tuple[object, ...]] = set()
    names = [name for name in rows.column_names if name not in ("row_no", "id_derived", "row_digest")]
    columns = [rows[name].take(pa.array(places)).to_pylist() for name in names]
    for place, cells in zip(places.tolist(), zip(*columns, strict=True), strict=True):
        if cells in seen:
            first[place] = False
        seen.add(cells)
    return first
