# ruff: noqa: S608 - SQL is put together here from checked names only
"""What is taken from the rows of each feed: one relation by person, one by household."""

from __future__ import annotations

from doudi.engine.packs.dates import month_index, months_before
from doudi.engine.packs.lowering import FeedPlan, Lowering, name
from doudi.engine.packs.terms import HOUSEHOLD, PERSON, Agg

BASE = "c"
"""The relation of everybody, with what feeds summed by household ask of a row's member."""


class FeedRelations(Lowering):
    """Writes the relations ``fp_…`` and ``fh_…``."""

    def _range(self, prefix: str = "") -> str:
        return f"{prefix}household_key >= $lo AND {prefix}household_key < $hi"

    def _feed_clauses(self, entity: str) -> list[tuple[str, str]]:
        clauses = []
        for (owner, feed), plan in self.plans.items():
            if owner != entity or not plan.columns:
                continue
            columns, where = self._feed_columns_sql(plan, "f.", "")
            parameters = self._joins_parameters(plan)
            source = f"feed_{feed} f" + (
                " JOIN hp q ON q.household_key = f.household_key" if parameters else ""
            )
            clauses.append(
                (
                    f"fp_{feed}",
                    f"SELECT f.person_key, {columns} FROM {source}"
                    f" WHERE {self._range('f.')}{where} GROUP BY f.person_key",
                )
            )
        return clauses

    def _household_feed_clauses(self) -> list[tuple[str, str]]:
        clauses = []
        for (owner, feed), plan in self.plans.items():
            if owner != HOUSEHOLD or not plan.columns:
                continue
            source = f"feed_{feed} f"
            if any(agg.member is not None for agg in plan.columns):
                source += f" JOIN {BASE} m ON m.person_key = f.person_key"
            clauses.append((f"fh_{feed}", self._feed_by_household(plan, source, "m.")))
        return clauses

    def _joins_parameters(self, plan: FeedPlan) -> bool:
        parts = [
            p for agg in plan.columns for p in (agg.value, agg.by, agg.where, agg.other) if p is not None
        ]
        return any(part.parameters() for part in parts)

    def _feed_by_household(self, plan: FeedPlan, source: str, member: str) -> str:
        """A feed's aggregates by household; ``source`` are its rows as ``f``, ``member`` prefixes what is asked of members."""
        if self._joins_parameters(plan):
            source += " JOIN hp q ON q.household_key = f.household_key"
        values = {agg.value for agg in plan.columns}
        if all(agg.func == "distinct" for agg in plan.columns) and len(values) == 1:
            return self._distinct_by_household(plan, source, member)
        columns, where = self._feed_columns_sql(plan, "f.", member)
        return f"SELECT f.household_key, {columns} FROM {source} WHERE {self._range('f.')}{where} GROUP BY f.household_key"

    def _distinct_by_household(self, plan: FeedPlan, source: str, member: str) -> str:
        """Several counts of one distinct value: each value once with the conditions it met, then counted.

        COUNT(DISTINCT …) keeps a set for every count, and costs five times as much.
        """
        value = next(agg.value for agg in plan.columns)
        assert value is not None
        sql = self._emit(value, PERSON, "f.").sql
        met = [
            f"BOOL_OR({self._row_condition(agg, 'f.', member)}) AS {name(column)}"
            for agg, column in plan.columns.items()
        ]
        once = (
            f"SELECT f.household_key, {sql} AS counted, {', '.join(met)} FROM {source}"
            f" WHERE {self._range('f.')} AND {sql} IS NOT NULL GROUP BY f.household_key, {sql}"
        )
        counts = ", ".join(f"COUNT(*) FILTER (WHERE {name(c)}) AS {name(c)}" for c in plan.columns.values())
        return f"SELECT household_key, {counts} FROM ({once}) d GROUP BY household_key"

    def _feed_columns_sql(self, plan: FeedPlan, table: str, member: str) -> tuple[str, str]:
        """The aggregate columns of one feed and the row condition they share."""
        conditions = {agg: self._row_condition(agg, table, member) for agg in plan.columns}
        alone = len(conditions) == 1
        all_bound = all(condition != "TRUE" for condition in conditions.values())
        where = ""
        if all_bound:
            distinct = list(dict.fromkeys(conditions.values()))
            where = " AND (" + " OR ".join(distinct) + ")"
        columns = []
        for agg, column in plan.columns.items():
            condition = "TRUE" if alone and all_bound else conditions[agg]
            columns.append(f"{self._feed_aggregate(agg, condition, table)} AS {name(column)}")
        return ", ".join(columns), where

    def _row_condition(self, agg: Agg, table: str, member: str) -> str:
        parts = []
        if agg.where is not None:
            parts.append(self._emit(agg.where, PERSON, table).sql)
        if agg.func in ("latest", "samemonth") and agg.by is not None and agg.by.nullable:
            parts.append(f"{self._emit(agg.by, PERSON, table).sql} IS NOT NULL")
        if agg.member is not None:
            parts.append(self._emit(agg.member, PERSON, table, member).sql)
        return " AND ".join(parts) if parts else "TRUE"

    def _feed_aggregate(self, agg: Agg, condition: str, table: str) -> str:
        bound = condition != "TRUE"
        keep = f" FILTER (WHERE {condition})" if bound else ""
        value = self._emit(agg.value, PERSON, table).sql if agg.value is not None else "1"
        if agg.func == "sum":
            return f"CAST(SUM({value}){keep} AS BIGINT)"
        if agg.func == "max":
            return f"MAX({value}){keep}"
        if agg.func == "count":
            return f"COUNT(*){keep}"
        if agg.func == "distinct":
            return f"COUNT(DISTINCT {value}){keep}"
        if agg.func == "any":
            return f"COALESCE(BOOL_OR({condition}), FALSE)" if bound else "TRUE"
        assert agg.by is not None
        by = self._emit(agg.by, PERSON, table).sql
        if agg.func == "latest":
            return (
                f"MAX({{'b': {by}, 'v': {value}}}){keep}.v"
                if not bound
                else (f"MAX(CASE WHEN {condition} THEN {{'b': {by}, 'v': {value}}} END).v")
            )
        assert agg.func == "samemonth" and agg.other is not None and agg.where is not None
        months = next(e.data for e in agg.where.walk() if e.op == "cut")
        first = month_index(months_before(self.on, months))
        shift = f"(EXTRACT(YEAR FROM {by}) * 12 + EXTRACT(MONTH FROM {by}) - {first + 1})"
        bits = [
            f"BIT_OR(CASE WHEN {_and(condition, self._emit(side, PERSON, table).sql)}"
            f" THEN CAST(1 AS BIGINT) << CAST({shift} AS INTEGER) ELSE 0 END)"
            for side in (agg.value, agg.other)
            if side is not None
        ]
        return f"(({bits[0]} & {bits[1]}) <> 0)"


def _and(one: str, two: str) -> str:
    return two if one == "TRUE" else f"{one} AND {two}"
