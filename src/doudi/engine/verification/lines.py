# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""What a re-check compares, of every household at once: the county's own query over loaded files, one line a household.

In come a pack, the snapshots of a date and the households that may be looked at; out comes a Parquet file with the fields of
:class:`~doudi.engine.verification.changing.Line`. Rows of anybody else's household are not read into any value. People stand in
the files as their keyed digests only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from doudi.engine.feeds import SnapshotSet
from doudi.engine.feeds.snapshots import INDEX, aside, quoted, rows_of
from doudi.engine.packs import Pack
from doudi.engine.packs.compiling import CompiledPack
from doudi.engine.packs.lowering import literal, name
from doudi.engine.packs.relations import parameter_table
from doudi.engine.packs.terms import HOUSEHOLD, PERSON
from doudi.engine.packs.units import Kind
from doudi.engine.screening.arrays import bound
from doudi.engine.screening.running import (
    OUT_OF_RANGE,
    household_ranges,
    open_snapshots,
    prepare,
    too_large,
)
from doudi.engine.verification.changing import Line
from doudi.engine.verification.declarations import Rules


@dataclass(frozen=True)
class Lines:
    """The lines of some households on a date, and how many of their people each feed had rows of."""

    path: Path
    households: int
    persons: int
    known: Mapping[str, int]
    scales: Mapping[str, int]
    """By item of a balance the whole number by which its ``limit`` in a line is to be divided."""


def write_lines(
    pack: Pack,
    rules: Rules,
    purpose: str,
    snapshots: SnapshotSet,
    chosen: Iterable[str],
    to: Path,
    *,
    threads: int = 2,
    memory: str = "2GB",
) -> Lines:
    """Reckon the households with the numbers ``chosen`` and write a line for each that the register of the date holds.

    The file is there whole or not at all. The members count as the office verifies them: with the household's category
    and no date of their own.
    """
    work = to.parent / f".{to.name}.spill"
    with open_snapshots(pack, snapshots, threads=threads, memory=memory, spill=work) as connection:
        connection.register("wanted", pa.table({"household_no": pa.array(list(chosen), pa.string())}))
        _narrow(connection, pack, snapshots)
        prepared = prepare(connection, pack, snapshots)
        compiled = prepared.compiled
        connection.register("parameters_given", parameter_table(compiled, prepared.pairs))
        connection.execute("CREATE TABLE parameters AS SELECT * FROM parameters_given")
        sql = _line_sql(pack, rules, purpose, compiled)
        [[most]] = connection.execute("SELECT coalesce(max(household_key) + 1, 0) FROM households").fetchall()
        connection.execute("CREATE TABLE lines_now AS " + bound(sql, 0, 0))
        try:
            for low, high in household_ranges(int(most), None):
                connection.execute("INSERT INTO lines_now " + bound(sql, low, high))
        except OUT_OF_RANGE as error:
            raise too_large() from error
        with aside(to) as path:
            connection.execute(
                f"COPY (SELECT * FROM lines_now ORDER BY household_no) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
            )
        [[households, persons]] = connection.execute(
            "SELECT (SELECT count(*) FROM households), (SELECT count(*) FROM members)"
        ).fetchall()
        known = {
            feed: int(
                connection.execute(f"SELECT count(DISTINCT person_key) FROM feed_{feed}").fetchall()[0][0]
            )
            for feed in snapshots.feeds
            if feed in pack.feeds
        }
    return Lines(to, int(households), int(persons), known, _scales(rules, compiled))


def _narrow(connection: duckdb.DuckDBPyConnection, pack: Pack, snapshots: SnapshotSet) -> None:
    """From now on the relations hold the chosen households only."""
    connection.execute(
        "CREATE TABLE chosen AS SELECT household_key FROM households SEMI JOIN wanted USING (household_no)"
    )
    relations = [f"feed_{feed}" for feed in snapshots.feeds if feed in pack.feeds]
    for relation in ("households", "members", *relations):
        connection.execute(f"ALTER VIEW {relation} RENAME TO whole_{relation}")
    connection.execute(
        "CREATE TABLE households AS SELECT * FROM whole_households SEMI JOIN chosen USING (household_key)"
    )
    connection.execute(
        "CREATE TABLE members AS SELECT m.* REPLACE (h.category AS category, h.urban_rural AS urban_rural,"
        " h.region_code AS region_code, CAST(NULL AS DATE) AS left_on, CAST(NULL AS DATE) AS category_since)"
        " FROM whole_members m JOIN households h USING (household_key)"
    )
    for relation in relations:
        connection.execute(
            f"CREATE TABLE {relation} AS SELECT * FROM whole_{relation} SEMI JOIN chosen USING (household_key)"
        )
    connection.execute(
        f"CREATE TABLE blinds AS SELECT i.person_key, i.id_blind FROM {rows_of(snapshots.register / INDEX)} i"
        " SEMI JOIN members USING (person_key)"
    )


def _line_sql(pack: Pack, rules: Rules, purpose: str, compiled: CompiledPack) -> str:
    own = [n for n, v in pack.variables.items() if v.entity == HOUSEHOLD and v.kind is not Kind.TEXT]
    of_people = [n for n in compiled.person_columns if pack.variables[n].kind is not Kind.TEXT]
    holds = [f"类别:{c.name}" for c in pack.categories if c.condition is not None]
    wanted = rules.purposes[purpose].categories
    fits = [f"类别:{c.name}" for c in pack.categories if c.code in wanted and c.condition is not None]
    undecided = [f"CASE WHEN t.{name(c)} IS NULL THEN {literal(c)} END" for c in sorted(pack.indicators)]
    items = list(rules.items.values())
    summed = sorted({n for item in items for n in item.found if pack.variables[n].entity == PERSON})
    sums = "".join(
        # one member whose value is not known, and the household's is not
        f", CASE WHEN bool_or({name(n)} IS NULL) THEN NULL ELSE CAST(sum({name(n)}) AS BIGINT) END AS {name('sum ' + n)}"
        for n in summed
    )

    def found(n: str) -> str:
        column = f"p.{name('sum ' + n)}" if n in summed else f"t.{name(n)}"
        den = compiled.denominators.get(n, 1)
        return column if den == 1 else f"{column} // {den}"

    cells = []
    for place, item in enumerate(items):
        total = " + ".join(f"({found(n)}) * {item.factor}" for n in item.found)
        cells.append(f"CAST({total} AS BIGINT) AS found_{place}")
        limit = " * ".join(f"t.{name(n)}" for n in item.limit) if item.measure == "额" else ""
        cells.append(f"CAST({limit or 'NULL'} AS BIGINT) AS limit_{place}")
    told = ", ".join(f"x.{name(n)}" for n in of_people) or "0"
    people = (
        "SELECT x.household_key,"
        " bit_xor(hash(b.id_blind, x.relation, x.living_together)) AS people,"
        f" bit_xor(hash(b.id_blind, {told})) AS theirs{sums}"
        f" FROM ({compiled.sql(select='persons')}) x JOIN blinds b ON b.person_key = x.person_key GROUP BY x.household_key"
    )
    return (
        "SELECT t.household_no, t.region_code, t.urban_rural, t.category AS registered, p.people,"
        " t.found AS category, t.monthly_cost AS amount,"
        f" concat_ws(';', {', '.join(undecided) or 'NULL'}) AS undecided,"
        f" concat_ws(';', {', '.join(_said(n) for n in fits) or 'NULL'}) AS holds,"
        f" hash({', '.join(f't.{name(n)}' for n in (*own, *holds))}, p.theirs) AS digest,"
        f" {', '.join(cells)} FROM ({compiled.sql(select='trace')}) t JOIN ({people}) p ON p.household_key = t.household_key"
    )


def _said(column: str) -> str:
    return f"CASE t.{name(column)} WHEN TRUE THEN '1' WHEN FALSE THEN '0' ELSE '?' END"


def _scales(rules: Rules, compiled: CompiledPack) -> dict[str, int]:
    scales = {}
    for item in rules.items.values():
        scale = 1
        for n in item.limit:
            scale *= compiled.denominators.get(n, compiled.parameter_columns.get(n, 1))
        scales[item.name] = scale
    return scales


def line_of(rules: Rules, row: Mapping[str, Any]) -> Line:
    """A row of a lines file as it is compared."""
    return Line(
        people=row["people"],
        category=row["category"],
        amount=row["amount"],
        undecided=row["undecided"],
        held={},
        holds=row["holds"],
        found={item.name: row[f"found_{place}"] for place, item in enumerate(rules.items.values())},
        values={"其他数值": row["digest"]},
    )


def limits_of(rules: Rules, row: Mapping[str, Any], scales: Mapping[str, int]) -> dict[str, Fraction | None]:
    """By item what its minor part is taken of."""
    return {
        item.name: None
        if row[f"limit_{place}"] is None
        else Fraction(row[f"limit_{place}"], scales[item.name])
        for place, item in enumerate(rules.items.values())
    }


__all__ = ["Lines", "limits_of", "line_of", "write_lines"]
