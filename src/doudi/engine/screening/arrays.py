"""One range of households screened in arrays: whoever has the k-th key has the k-th place.

In come an :class:`~doudi.engine.packs.arrays.ArrayPlan` and a range; out comes the query that gives the range's rows.
DuckDB reads the feeds and computes every value; here its rows are only put at their places.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa

from doudi.engine.packs.arrays import PLACED, ArrayPlan, Gathered

Columns = dict[str, pa.Array | pa.ChunkedArray]


class NoPlaces(Exception):
    """The keys of a range are not dense, or a value is neither a whole number nor yes or no."""


def lay_out(
    connection: duckdb.DuckDBPyConnection, plan: ArrayPlan, low: int, high: int
) -> tuple[str, pa.Table]:
    """Compute all but the last step for the households from ``low`` to below ``high``: the last one's query, and what it reads.

    The session needs the relations of a screen and ``parameters`` as a table. Raises :class:`NoPlaces`
    where the range has to be screened by the one query; DuckDB's errors pass.
    """
    return _Range(connection, plan, low, high).lay_out()


def bound(sql: str, low: int, high: int) -> str:
    return sql.replace("$lo", str(low)).replace("$hi", str(high))


class _Range:
    def __init__(self, connection: duckdb.DuckDBPyConnection, plan: ArrayPlan, low: int, high: int) -> None:
        self.connection = connection
        self.plan = plan
        self.low, self.high = low, high
        self.households = _in_order(self._table(plan.households), "household_key")
        _must_be_dense(_numbers(self.households, "household_key"), low, high - low)
        self.columns: Columns = {name: self.households[name] for name in self.households.column_names}

    def lay_out(self) -> tuple[str, pa.Table]:
        if self.plan.everybody is not None:
            self._persons(self.plan.everybody)
        for sql in self.plan.of_households:
            self._add(sql)
        # the register's cells keep saying that none is empty, as the one query's result file does
        facts = set(self.households.column_names)
        fields = [
            pa.field(name, column.type, nullable=not (name in facts and column.null_count == 0))
            for name, column in self.columns.items()
        ]
        laid = pa.table(list(self.columns.values()), schema=pa.schema(fields))
        return bound(self.plan.result, self.low, self.high), laid

    def _persons(self, everybody: Gathered) -> None:
        members = self._table(self.plan.members)
        keys = _numbers(members, "person_key")
        self.first, self.persons = (int(keys[0]) if len(keys) else 0), len(keys)
        _must_be_dense(keys, self.first, self.persons)
        self.homes = _numbers(members, "household_key") - self.low
        self.feeds = {
            feed: self._placed(sql, self.first, self.persons) for feed, sql in self.plan.feeds.items()
        }
        self._lay(self._gathered(everybody, members, None))
        people = self._table(everybody.sql)
        _must_be_dense(_numbers(people, "person_key"), self.first, self.persons)
        if self.plan.sums is not None:
            self._lay(people)
            self._add(self.plan.sums)
        for group in self.plan.groups:
            present = np.zeros(self.persons, bool)
            for feed in group.present:
                present[self.feeds[feed][0]] = True
            places = np.flatnonzero(present)
            self._lay(self._gathered(group, people.take(places), places))
            self._add(group.sql)
        for part in self.plan.of_rows:
            rows = self._table(part.rows)
            places = self._places(_numbers(rows, "person_key"), self.first, self.persons)
            asked = _columns(people.select(list(part.asked)).take(places))
            if asked.keys() & set(rows.column_names):
                raise NoPlaces
            self._lay(pa.table(_columns(rows) | asked))
            self._add(part.sums)

    def _gathered(self, step: Gathered, people: pa.Table, places: np.ndarray | None) -> pa.Table:
        """Some people with what the step's feeds know of them: of those at ``places``, of all where it is None."""
        columns = _columns(people)
        if step.parameters:
            homes = self.homes if places is None else self.homes[places]
            columns |= _columns(self.households.select(list(step.parameters)).take(homes))
        if places is not None:
            within = np.full(self.persons, -1, np.int32)
            within[places] = np.arange(len(places), dtype=np.int32)
        for feed in step.feeds:
            at, values = self.feeds[feed]
            if places is not None:
                at = within[at]
                if (at < 0).any():
                    inside = at >= 0
                    at, values = at[inside], {name: column[inside] for name, column in values.items()}
            columns |= _scattered(at, values, len(people))
        return pa.table(columns)

    def _add(self, sql: str) -> None:
        """Columns by household key; nought or "no" for a household without a row."""
        places, values = self._placed(sql, self.low, self.high - self.low)
        self.columns |= _scattered(places, values, self.high - self.low)

    def _placed(self, sql: str, first: int, size: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """The places of a query's keys, which stand in its first column, and its other columns."""
        found = self.connection.execute(bound(sql, self.low, self.high)).fetchnumpy()
        key, *names = found
        values = {}
        for name in names:
            column = found[name]
            if column.dtype.kind not in "ib":
                raise NoPlaces
            values[name] = column.filled(0) if isinstance(column, np.ma.MaskedArray) else column
        return self._places(found[key], first, size), values

    @staticmethod
    def _places(keys: np.ndarray, first: int, size: int) -> np.ndarray:
        places = keys - first
        if len(places) and (places.min() < 0 or places.max() >= size):
            raise NoPlaces
        return places

    def _table(self, sql: str) -> pa.Table:
        return self.connection.sql(bound(sql, self.low, self.high)).to_arrow_table()

    def _lay(self, table: pa.Table) -> None:
        self.connection.register(PLACED, table)


def _scattered(places: np.ndarray, values: Mapping[str, np.ndarray], size: int) -> Columns:
    columns: Columns = {}
    for name, found in values.items():
        column = np.zeros(size, found.dtype)
        column[places] = found
        columns[name] = pa.array(column)
    return columns


def _columns(table: pa.Table) -> Columns:
    return {name: table[name] for name in table.column_names}


def _numbers(table: pa.Table, column: str) -> np.ndarray:
    return np.asarray(table[column].to_numpy())


def _in_order(table: pa.Table, key: str) -> pa.Table:
    """The rows by their key: in a large register DuckDB's join with the parameters gives a few of them later."""
    keys = _numbers(table, key)
    return table if (np.diff(keys) > 0).all() else table.take(np.argsort(keys, kind="stable"))


def _must_be_dense(keys: np.ndarray, first: int, size: int) -> None:
    if len(keys) != size or (size and not (keys[0] == first and (np.diff(keys) == 1).all())):
        raise NoPlaces


__all__ = ["NoPlaces", "bound", "lay_out"]
