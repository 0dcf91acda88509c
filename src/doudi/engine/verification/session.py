# ruff: noqa: S608 — SQL is put together here from declared column names ([a-z0-9_]) only
"""A household reckoned in milliseconds: the county's own query, planned once and kept, over tables that hold one household.

Reading, checking and planning the query takes a hundred times as long as running it over a few rows. What it depends on
(pack, date, which feeds and parameters are missing) is the same for most households of a day, so a session of it stays open; a
household's rows stand in it for one transaction, which is rolled back. It runs in SQLite, written from the county's text, or
in DuckDB, where that text says something SQLite does not know.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from doudi.engine.feeds import FeedSpec, SnapshotSet
from doudi.engine.feeds.spec import IDENTIFYING
from doudi.engine.identity import normal_name
from doudi.engine.packs import Pack
from doudi.engine.packs.compiling import CompiledPack
from doudi.engine.packs.relations import parameter_table, unknown_parameters
from doudi.engine.packs.units import Kind
from doudi.engine.screening import Explainer, Explanation
from doudi.engine.screening.running import OUT_OF_RANGE, too_large
from doudi.engine.status import Status
from doudi.engine.verification.small import NotSmall, in_sqlite, open_small

_KEPT = 8
_TYPES = {
    "money": "BIGINT", "month": "INTEGER", "int": "BIGINT", "date": "DATE", "bool": "BOOLEAN", "decimal": "DECIMAL(18,4)",
}  # fmt: skip
_MEMBERS = (
    "household_key BIGINT, person_key BIGINT, relation VARCHAR, living_together BOOLEAN, left_on DATE, category VARCHAR,"
    " category_since DATE, urban_rural VARCHAR, region_code VARCHAR, is_head BOOLEAN, birth_on DATE"
)
_HOUSEHOLDS = "household_key BIGINT, household_no VARCHAR, region_code VARCHAR, urban_rural VARCHAR, category VARCHAR, persons INTEGER"


class Session:
    """The query of one pack, date and set of missing feeds, waiting for a household; ``place`` stands for all like it."""

    def __init__(
        self, pack: Pack, as_of: date, missing: Mapping[str, Status], place: tuple[str, str], register: str
    ) -> None:
        self._specs = {
            name: spec for name, spec in pack.feeds.items() if name != register and name not in missing
        }
        self._lock = threading.Lock()
        self._places: dict[tuple[str, str], tuple[Any, ...]] = {}
        connection = duckdb.connect(config={"threads": 1, "memory_limit": "500MB"})
        connection.execute(f"CREATE TABLE members ({_MEMBERS})")
        connection.execute(f"CREATE TABLE households ({_HOUSEHOLDS})")
        # the query is compiled for a place that lacks the same parameters
        connection.execute("INSERT INTO households VALUES (0, '', ?, ?, '', 1)", list(place))
        snapshots = SnapshotSet(as_of, Path(), dict.fromkeys(self._specs, (Path(),)), missing, "")
        self._explainer = Explainer(pack, snapshots, connection=connection)
        connection.execute("DELETE FROM households")
        connection.execute("DELETE FROM parameters")
        compiled = self._explainer.compiled
        self._query: _Query
        try:
            self._query = _Small(compiled, self._specs)
            connection.close()
        except NotSmall:
            self._query = _Large(compiled, self._specs, connection)

    def explain(
        self,
        household: tuple[Any, ...],
        members: Sequence[tuple[Any, ...]],
        rows: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]],
    ) -> Explanation:
        """Explain the household whose rows are given: of ``households``, of ``members``, by feed (person key, row)."""
        return self._explainer.tell(self._run(household, members, rows, people=True))

    def category(
        self,
        household: tuple[Any, ...],
        members: Sequence[tuple[Any, ...]],
        rows: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]],
    ) -> str:
        """The category alone of the household whose rows are given."""
        return str(self._run(household, members, rows, people=False)["found"])

    def _run(
        self,
        household: tuple[Any, ...],
        members: Sequence[tuple[Any, ...]],
        rows: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]],
        *,
        people: bool,
    ) -> dict[str, Any]:
        laid = {
            "households": [household],
            "parameters": [self._parameters((household[2], household[3]))],
            "members": members,
        }
        with self._lock:
            try:
                return self._query.run(laid, rows, people=people)
            except (*OUT_OF_RANGE, OverflowError) as error:
                raise too_large() from error

    def _parameters(self, place: tuple[str, str]) -> tuple[Any, ...]:
        """The numbers in force at a place, in the order of the table."""
        if place not in self._places:
            [row] = parameter_table(self._explainer.compiled, [place]).to_pylist()
            self._places[place] = tuple(row.values())
        return self._places[place]


class _Query:
    """A household's rows in tables for one transaction, and the query put to them."""

    _connection: Any

    def run(
        self,
        laid: Mapping[str, Sequence[tuple[Any, ...]]],
        rows: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]],
        *,
        people: bool,
    ) -> dict[str, Any]:
        """The row of the answer; its members' values too where ``people`` are asked for."""
        self._connection.execute("BEGIN")
        try:
            for table, cells in laid.items():
                self._insert(table, cells)
            for feed, found in rows.items():
                self._insert(f"feed_{feed}", self._of_feed(feed, found))
            return self._answer(people=people)
        finally:
            self._connection.execute("ROLLBACK")

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        raise NotImplementedError

    def _of_feed(self, feed: str, found: Sequence[tuple[int, Mapping[str, Any]]]) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def _answer(self, *, people: bool) -> dict[str, Any]:
        raise NotImplementedError


class _Large(_Query):
    """The query in DuckDB; it always tells the members' values."""

    def __init__(
        self, compiled: CompiledPack, specs: Mapping[str, FeedSpec], connection: duckdb.DuckDBPyConnection
    ) -> None:
        self._specs, self._connection = specs, connection
        for name, spec in specs.items():
            columns = "".join(f'"{c}" {kind}, ' for c, kind in _kept(spec))
            connection.execute(
                f"CREATE TABLE feed_{name} (household_key BIGINT, person_key BIGINT, {columns}row_digest BIGINT)"
            )
        # over a handful of rows the plan as it is written is as good as any, and running it takes a third
        connection.execute("PRAGMA disable_optimizer")
        query = compiled.sql(select="explained").replace("$lo", "0").replace("$hi", "1")
        connection.execute(f"PREPARE household AS {query}")

    def _of_feed(self, feed: str, found: Sequence[tuple[int, Mapping[str, Any]]]) -> list[tuple[Any, ...]]:
        names = [name for name, _kind in _kept(self._specs[feed])]
        return [(0, key, *[row.get(name) for name in names], place) for place, (key, row) in enumerate(found)]

    def _answer(self, *, people: bool) -> dict[str, Any]:
        answer = self._connection.execute("EXECUTE household")
        columns = [column[0] for column in answer.description or []]
        return dict(zip(columns, answer.fetchall()[0], strict=True))

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [list(row) for row in rows])


class _Small(_Query):
    """The query in SQLite; raises :class:`NotSmall` where it cannot be written so."""

    def __init__(self, compiled: CompiledPack, specs: Mapping[str, FeedSpec]) -> None:
        pack = compiled.pack
        self._columns = {
            name: [column for column, _kind in _kept(spec) if column in compiled.feed_columns.get(name, ())]
            for name, spec in specs.items()
        }
        for name, columns in self._columns.items():
            if any(specs[name].column(column).type == "decimal" for column in columns):
                raise NotSmall("decimal")  # SQLite has no exact fractions
        self._household = in_sqlite(compiled.sql(select="trace"))
        self._people = in_sqlite(compiled.sql(select="persons"))
        kinds = {name: variable.kind for name, variable in pack.variables.items()}
        kinds |= {
            f"{variable.name}:{key}": expr.kind
            for variable in pack.variables.values()
            for key, (_, expr) in variable.shown.items()
        }
        if Kind.DATE in kinds.values():
            raise NotSmall("date")  # SQLite knows days as texts only
        self._yes_or_no = frozenset(
            [
                *(name for name, kind in kinds.items() if kind is Kind.BOOL),
                *pack.indicators,
                *(f"类别:{category.name}" for category in pack.categories),
            ]
        )
        self._connection = open_small()
        tables = {
            "members": [part.split()[0] for part in _MEMBERS.split(", ")],
            "households": [part.split()[0] for part in _HOUSEHOLDS.split(", ")],
            "parameters": parameter_table(compiled, []).column_names,
        }
        tables |= {
            f"feed_{name}": ["household_key", "person_key", *columns]
            for name, columns in self._columns.items()
        }
        self._inserts = {}
        for table, columns in tables.items():
            # no declared type: what is put in comes out, and nothing is converted on the way
            self._connection.execute(f"CREATE TABLE {table} ({', '.join(_quoted(c) for c in columns)})")
            self._inserts[table] = f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})"

    def _of_feed(self, feed: str, found: Sequence[tuple[int, Mapping[str, Any]]]) -> list[tuple[Any, ...]]:
        names = self._columns[feed]
        return [(0, key, *[row.get(name) for name in names]) for key, row in found]

    def _answer(self, *, people: bool) -> dict[str, Any]:
        try:
            told = self._told(self._household)[0]
            return {**told, "people": self._told(self._people)} if people else told
        except sqlite3.DataError as error:
            # a function of ours refused: Python's SQLite says so of an OverflowError
            raise OverflowError(str(error)) from error
        except sqlite3.OperationalError as error:
            if "integer overflow" in str(error):  # SUM
                raise OverflowError(str(error)) from error
            raise

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._connection.executemany(
            self._inserts[table],
            [[cell.isoformat() if isinstance(cell, date) else cell for cell in row] for row in rows],
        )

    def _told(self, sql: str) -> list[dict[str, Any]]:
        cursor = self._connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [
            {
                name: bool(value) if value is not None and name in self._yes_or_no else value
                for name, value in zip(names, row, strict=True)
            }
            for row in cursor
        ]


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _kept(spec: FeedSpec) -> list[tuple[str, str]]:
    """The columns of a resolved feed with their types."""
    return [(c.name, _TYPES.get(c.type, "VARCHAR")) for c in spec.columns if c.type not in IDENTIFYING]


_sessions: OrderedDict[tuple[Any, ...], Session] = OrderedDict()
_guard = threading.Lock()


def session_for(
    pack: Pack, as_of: date, missing: Mapping[str, Status], place: tuple[str, str], *, register: str
) -> Session:
    """The session of these, kept from an earlier household or opened now; the few used last stay open."""
    # a place is told apart by which parameters it lacks; the numbers themselves come with the household
    lacking = frozenset(unknown_parameters(pack, [place], as_of))
    key = (pack.hash, as_of, tuple(sorted(missing.items())), lacking)
    with _guard:
        found = _sessions.get(key)
        if found is not None:
            _sessions.move_to_end(key)
            return found
    # two threads may open the same one: the later is kept
    opened = Session(pack, as_of, missing, place, register)
    with _guard:
        _sessions[key] = opened
        while len(_sessions) > _KEPT:
            _sessions.popitem(last=False)
    return opened


def matched(
    spec: FeedSpec, rows: Sequence[Mapping[str, Any]], people: Mapping[str, tuple[int, str]]
) -> tuple[list[tuple[int, Mapping[str, Any]]], int, int]:
    """A feed's rows by person key, the rows held (grade C) and the leads, as feeds.md point 3 grades them.

    ``people``: ID → (person key, name) of one household. Repeats are left out; rows of strangers are in none of the three.
    """
    kept: list[tuple[int, Mapping[str, Any]]] = []
    held = leads = 0
    names = {normal_name(name) for _key, name in people.values()}
    columns = [column.name for column in spec.columns]
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        # a row equal to an earlier one in every cell is the same one sent twice
        cells = tuple(row.get(column) for column in columns)
        if cells in seen:
            continue
        seen.add(cells)
        number, name = row.get("id_number"), row["name"]
        if number is None:
            leads += normal_name(name) in names
            continue
        found = people.get(number)
        if found is None:
            continue
        if name == found[1] or normal_name(name) == normal_name(found[1]):
            kept.append((found[0], row))
        else:
            held += 1
    return sorted(kept, key=lambda one: one[0]), held, leads
