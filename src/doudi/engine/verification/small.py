"""The county's own query in SQLite's words: over one household it runs in a small part of the time that DuckDB takes.

DuckDB sets its operators up for millions of rows and takes as long over four; SQLite just reads the four. In comes the text that
screens a county, out comes the same query parsed and written again (as for Spark), never a second set of rules. What of
DuckDB's meaning SQLite has not stands here as a function: a sum that does not fit 64 bits is refused, GREATEST and LEAST
pass over NULL, a latest value is that of the greatest day. A query that says anything else stays with DuckDB.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp

_MOST = 2**63 - 1
_OLDEST = (3, 35, 0)
"""Before it SQLite knew no ``MATERIALIZED``."""


class NotSmall(Exception):
    """The query says something that is not known to mean the same in SQLite."""


@lru_cache(maxsize=32)
def in_sqlite(text: str) -> str:
    """A compiled query, for the household with key 0, in SQLite's words; raises :class:`NotSmall`."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise NotSmall(sqlite3.sqlite_version)
    tree = sqlglot.parse_one(text.replace("$lo", "0").replace("$hi", "1"), read="duckdb")
    for clause in tree.find_all(exp.CTE):
        # else a formula that is read twice is written out twice, and what it reads four times
        clause.set("materialized", True)
    return _written(tree).sql(dialect="sqlite", identify=True)


def open_small() -> sqlite3.Connection:
    """An empty database in memory that knows the functions which :func:`in_sqlite` writes."""
    connection = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=256
    )
    for name, places, function in (
        ("whole_add", 2, _add), ("whole_sub", 2, _sub), ("whole_mul", 2, _mul), ("whole_neg", 1, _neg),
        ("greatest_of", -1, _greatest), ("least_of", -1, _least),
    ):  # fmt: skip
        connection.create_function(name, places, function, deterministic=True)
    connection.create_aggregate("latest_of", 3, _Latest)  # type: ignore[arg-type]
    connection.create_aggregate("bits_of", 1, _Bits)  # type: ignore[arg-type]
    return connection


# ---- what the functions mean ---------------------------------------------------------------------------------


def _fits(number: int) -> int:
    if not -_MOST - 1 <= number <= _MOST:
        raise OverflowError
    return number


def _add(one: int | None, two: int | None) -> int | None:
    return None if one is None or two is None else _fits(one + two)


def _sub(one: int | None, two: int | None) -> int | None:
    return None if one is None or two is None else _fits(one - two)


def _mul(one: int | None, two: int | None) -> int | None:
    return None if one is None or two is None else _fits(one * two)


def _neg(one: int | None) -> int | None:
    return None if one is None else _fits(-one)


def _greatest(*values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def _least(*values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)


class _Latest:
    """The value of the greatest day among the rows that are kept; an empty cell is greater than any, as in DuckDB's rows."""

    def __init__(self) -> None:
        self.best: tuple[Any, ...] | None = None

    def step(self, kept: int | None, by: Any, value: Any) -> None:
        if kept:
            mark = (
                by is None,
                by if by is not None else "",
                value is None,
                value if value is not None else 0,
            )
            if self.best is None or mark > self.best:
                self.best = mark

    def finalize(self) -> Any:
        return None if self.best is None or self.best[2] else self.best[3]


class _Bits:
    def __init__(self) -> None:
        self.bits: int | None = None

    def step(self, bits: int | None) -> None:
        if bits is not None:
            self.bits = bits | (self.bits or 0)

    def finalize(self) -> int | None:
        return self.bits


# ---- writing -------------------------------------------------------------------------------------------------


def _written(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.ArrayAgg):
        return exp.Max(this=exp.null())  # the names behind a warning are no value on the way to it
    for key, value in list(node.args.items()):
        if isinstance(value, exp.Expr):
            node.set(key, _written(value))
        elif isinstance(value, list):
            node.set(key, [_written(one) if isinstance(one, exp.Expr) else one for one in value])
    other = _OTHERWISE.get(type(node))
    if other is not None:
        return other(node)
    if type(node) not in _SAME:
        raise NotSmall(type(node).__name__)
    return node


def _function(name: str) -> Callable[[exp.Expr], exp.Expr]:
    def of(node: exp.Expr) -> exp.Expr:
        one, two = node.args.get("this"), node.args.get("expression")
        return exp.Anonymous(
            this=name, expressions=[*(p for p in (one, two) if p is not None), *(node.expressions or [])]
        )

    return of


def _cast(node: exp.Expr) -> exp.Expr:
    kind = node.args["to"].this
    if isinstance(node.this, exp.Null):
        return exp.null()
    # a day is its ISO text; every number here is whole, and a sum that leaves 64 bits is refused
    if kind in (exp.DType.DATE, exp.DType.BIGINT, exp.DType.INT):
        return node.this
    raise NotSmall(f"CAST AS {kind}")


def _latest(node: exp.Expr) -> exp.Expr:
    """``MAX({'b': day, 'v': value}).v``, or the same of ``CASE WHEN … THEN {…} END``."""
    inner = node.this.this if isinstance(node.this, exp.Max) else None
    kept: exp.Expr = exp.true()
    if isinstance(inner, exp.Case) and len(inner.args["ifs"]) == 1:
        branch = inner.args["ifs"][0]
        kept, inner = branch.this, branch.args["true"]
    if not isinstance(inner, exp.Struct) or node.expression.name != "v":
        raise NotSmall("Dot")
    by, value = (part.expression for part in inner.expressions)
    return exp.Anonymous(this="latest_of", expressions=[kept, by, value])


_PARTS = {"YEAR": (1, 4), "MONTH": (6, 2), "DAY": (9, 2)}


def _digits(part: str, day: exp.Expr) -> exp.Expr:
    if part not in _PARTS:
        raise NotSmall(part)
    cut = exp.Anonymous(
        this="substr", expressions=[day, *(exp.Literal.number(place) for place in _PARTS[part])]
    )
    # '' of no day would be 0, and substr of NULL is NULL
    return exp.Cast(this=cut, to=exp.DataType.build("INT"))


_OTHERWISE: Mapping[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.Add: _function("whole_add"),
    exp.Sub: _function("whole_sub"),
    exp.Mul: _function("whole_mul"),
    exp.Neg: _function("whole_neg"),
    exp.Greatest: _function("greatest_of"),
    exp.Least: _function("least_of"),
    exp.LogicalOr: lambda node: exp.Max(this=node.this),
    exp.BitwiseOrAgg: lambda node: exp.Anonymous(this="bits_of", expressions=[node.this]),
    exp.IntDiv: lambda node: exp.Div(this=node.this, expression=node.expression, typed=True),
    exp.Cast: _cast,
    exp.Dot: _latest,
    exp.Extract: lambda node: _digits(node.this.name.upper(), node.expression),
    exp.Year: lambda node: _digits("YEAR", node.this),
    exp.Month: lambda node: _digits("MONTH", node.this),
    exp.Day: lambda node: _digits("DAY", node.this),
}
_SAME = frozenset({
    exp.Identifier, exp.Column, exp.Paren, exp.Literal, exp.Alias, exp.And, exp.Or, exp.Not, exp.Table, exp.TableAlias, exp.EQ, exp.NEQ,
    exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Coalesce, exp.If, exp.Case, exp.Boolean, exp.Null, exp.Is, exp.In, exp.Select, exp.From,
    exp.DataType, exp.Join, exp.With, exp.CTE, exp.Star, exp.Where, exp.Group, exp.Sum, exp.Count, exp.Max, exp.Filter, exp.Union,
    exp.Subquery, exp.Order, exp.Ordered, exp.Struct, exp.PropertyEQ, exp.Var, exp.BitwiseAnd, exp.BitwiseLeftShift, exp.Distinct,
})  # fmt: skip
