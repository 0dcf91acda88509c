# ruff: noqa: S608 — SQL is put together here from declared column names ([a-z0-9_]) only
"""A household reckoned in milliseconds: the county's own query, planned once and kept, over tables that hold one household.

Reading, checking and planning the query takes a hundred times as long as running it over a few rows. What it depends on
(pack, date, which feeds and parameters are missing) is the same for most households of a day, so a session of it stays open; a
household's rows stand in it for one transaction, which is rolled back.
"""

from __future__ import annotations

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
from doudi.engine.packs.relations import parameter_table, unknown_parameters
from doudi.engine.screening import Explainer, Explanation
from doudi.engine.screening.running import OUT_OF_RANGE, too_large
from doudi.engine.status import Status

_KEPT = 8
_TYPES = {
    "money": "BIGINT", "month": "INTEGER", "int": "BIGINT", "date": "DATE", "bool": "BOOLEAN", "decimal": "DECIMAL(18,4)",
}  # fmt: skip
_MEMBERS = (
    "household_key BIGINT, person_key BIGINT, relation VARCHAR, living_together BOOLEAN, left_on DATE, category VARCHAR,"
    " category_since DATE, urban_rural VARCHAR, region_code VARCHAR, is_head BOOLEAN"
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
        connection = self._connection = duckdb.connect(config={"threads": 1, "memory_limit": "500MB"})
        connection.execute(f"CREATE TABLE members ({_MEMBERS})")
        connection.execute(f"CREATE TABLE households ({_HOUSEHOLDS})")
        for name, spec in self._specs.items():
            columns = "".join(f'"{c}" {kind}, ' for c, kind in _kept(spec))
            connection.execute(
                f"CREATE TABLE feed_{name} (household_key BIGINT, person_key BIGINT, {columns}row_digest BIGINT)"
            )
        # the query is compiled for a place that lacks the same parameters
        connection.execute("INSERT INTO households VALUES (0, '', ?, ?, '', 1)", list(place))
        snapshots = SnapshotSet(as_of, Path(), dict.fromkeys(self._specs, (Path(),)), missing, "")
        self._explainer = Explainer(pack, snapshots, connection=connection)
        connection.execute("DELETE FROM households")
        connection.execute("DELETE FROM parameters")
        # over a handful of rows the plan as it is written is as good as any, and running it takes a third
        connection.execute("PRAGMA disable_optimizer")
        query = self._explainer.compiled.sql(select="explained").replace("$lo", "0").replace("$hi", "1")
        connection.execute(f"PREPARE household AS {query}")

    def explain(
        self,
        household: tuple[Any, ...],
        members: Sequence[tuple[Any, ...]],
        rows: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]],
    ) -> Explanation:
        """Explain the household whose rows are given: of ``households``, of ``members``, by feed (person key, row)."""
        with self._lock:
            connection = self._connection
            connection.execute("BEGIN")
            try:
                _insert(connection, "households", [household])
                _insert(connection, "parameters", [self._parameters((household[2], household[3]))])
                _insert(connection, "members", members)
                for feed, found in rows.items():
                    names = [name for name, _kind in _kept(self._specs[feed])]
                    _insert(
                        connection,
                        f"feed_{feed}",
                        [
                            (0, key, *[row.get(name) for name in names], place)
                            for place, (key, row) in enumerate(found)
                        ],
                    )
                answer = connection.execute("EXECUTE household")
                columns = [column[0] for column in answer.description or []]
                raw = dict(zip(columns, answer.fetchall()[0], strict=True))
            except OUT_OF_RANGE as error:
                raise too_large() from error
            finally:
                connection.execute("ROLLBACK")
        return self._explainer.tell(raw)

    def _parameters(self, place: tuple[str, str]) -> tuple[Any, ...]:
        """The numbers in force at a place, in the order of the table."""
        if place not in self._places:
            [row] = parameter_table(self._explainer.compiled, [place]).to_pylist()
            self._places[place] = tuple(row.values())
        return self._places[place]


def _kept(spec: FeedSpec) -> list[tuple[str, str]]:
    """The columns of a resolved feed with their types."""
    return [(c.name, _TYPES.get(c.type, "VARCHAR")) for c in spec.columns if c.type not in IDENTIFYING]


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [list(row) for row in rows])


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
