"""From checked expressions to SQL text: exact whole numbers, and unknown carried only where it can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import lcm

from doudi.engine.packs.dates import month_index, months_before
from doudi.engine.packs.model import Pack, Variable
from doudi.engine.packs.quiet import Ground, Rest, at_rest
from doudi.engine.packs.terms import BIRTH_COLUMN, PERSON, REGISTER, Agg, Expr
from doudi.engine.packs.units import Kind

_SQL_TYPES = {
    Kind.MONEY: "BIGINT", Kind.NUMBER: "BIGINT", Kind.MONTH: "BIGINT", Kind.BOOL: "BOOLEAN",
    Kind.TEXT: "VARCHAR", Kind.DATE: "DATE",
}  # fmt: skip


_COMPARE = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def name(text: str) -> str:
    """A quoted SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def null(kind: Kind) -> str:
    return f"CAST(NULL AS {_SQL_TYPES[kind]})"


@dataclass(frozen=True)
class Term:
    """A piece of SQL: its value is ``sql`` / ``den``; ``unknown`` where it can be NULL for want of data."""

    sql: str
    den: int = 1
    unknown: bool = False


@dataclass(frozen=True)
class Given:
    """A variable that a worked case gives instead of computing it."""

    den: int = 1
    unknown: bool = False


@dataclass
class FeedPlan:
    """The aggregates taken over one feed's rows for one entity, by their column."""

    columns: dict[Agg, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MemberColumn:
    """An aggregate over a household's members: of all of them, or of those with rows in the feeds it hangs on."""

    column: str
    sql: str
    reads: tuple[Expr, ...]
    absent: str
    hangs_on: frozenset[str] | None


class Lowering:
    """Writes one pack's expressions as SQL and notes the aggregates they need from feeds and members."""

    def __init__(
        self,
        pack: Pack,
        missing: frozenset[str],
        on: date,
        given: Mapping[str, Given],
        unknown_parameters: frozenset[str],
        without_members: bool,
    ) -> None:
        self.pack = pack
        self.missing = missing | (frozenset(pack.feeds) if without_members else frozenset())
        self.on = on
        self.given = given
        self.unknown_parameters = unknown_parameters
        self.without_members = without_members
        self.parameter_dens = {
            p.name: lcm(1, *(value.value.denominator for value in p.values)) for p in pack.parameters.values()
        }
        self.cut_parameters: set[str] = set()
        self.dens: dict[str, int] = {}
        self.unknown: dict[str, bool] = {}
        self.plans: dict[tuple[str, str], FeedPlan] = {}
        self.member_columns: dict[str, MemberColumn] = {}
        self.rest_memo: dict[str, Rest | None] = {}
        self.ground = Ground(
            variable=self._formula_of,
            absent=self._absent,
            sure_nonneg=lambda expr: self._nonneg(expr) and self._known(expr),
            known=self._known,
        )
        self.feed_columns: dict[str, set[str]] = {}
        self.nonneg_memo: dict[str, bool] = {}
        self.cost = "CAST(0 AS BIGINT)"
        self.details: dict[str, str] = {}
        self.sums: list[tuple[str, list[MemberColumn]]] = []

    def _variable(self, variable: Variable) -> Term:
        base = self._emit(variable.expr, variable.entity)
        if not variable.exceptions:
            return base
        conditions = [self._emit(e.when, variable.entity) for e in variable.exceptions]
        values = [self._emit(e.value, variable.entity) for e in variable.exceptions]
        den = lcm(base.den, *(value.den for value in values))
        scaled = [_scaled(value, den) for value in values]
        branches = []
        for i, one in enumerate(scaled):
            for j in range(i):
                branches.append(
                    f"WHEN {conditions[i].sql} AND {conditions[j].sql} AND {one} <> {scaled[j]}"
                    f" THEN {null(variable.kind)}"
                )
        branches += [
            f"WHEN {condition.sql} IS NULL THEN {null(variable.kind)}"
            for condition in conditions
            if condition.unknown
        ]
        branches += [f"WHEN {c.sql} THEN {value}" for c, value in zip(conditions, scaled, strict=True)]
        sql = f"CASE {' '.join(branches)} ELSE {_scaled(base, den)} END"
        doubtful = len(values) > 1 or any(t.unknown for t in (base, *conditions, *values))
        return Term(sql, den, doubtful)

    def _emit(self, expr: Expr, entity: str, table: str = "", member: str = "") -> Term:
        """SQL of an expression; ``table`` prefixes feed columns, ``member`` the variables of a joined person."""
        op = expr.op
        if op == "lit":
            return Term(_literal_of(expr))
        if op == "var":
            return Term(member + name(expr.data), self.dens[expr.data], self.unknown[expr.data])
        if op == "param":
            unknown = expr.data in self.unknown_parameters
            return Term(_parameter_prefix(table) + name(expr.data), self.parameter_dens[expr.data], unknown)
        if op == "asof":
            return Term(f"DATE '{self.on.isoformat()}'")
        if op == "asofmonth":
            return Term(str(month_index(self.on)))
        if op == "cut":
            return self._cut(expr.data, table)
        if op == "col":
            return Term(self._column(expr, table))
        if op == "self":
            inner = self._emit(expr.args[0], PERSON)
            default = "FALSE" if expr.kind is Kind.BOOL else "''"
            plain = Term(f"COALESCE({inner.sql}, {default})", unknown=inner.unknown)
            cells = [self._emit(node, PERSON).sql for node in expr.args[0].walk() if node.op == "col"]
            return self._unless_lost(expr, plain, [f"{cell} IS NOT NULL" for cell in cells], PERSON)
        if op == "head":
            if self.without_members:
                return Term(null(Kind.TEXT), unknown=True)
            return Term(f"COALESCE({name(expr.data[1])}, '')")
        if op == "born":
            self.feed_columns.setdefault(REGISTER, set()).add(BIRTH_COLUMN)
            # a case need not say when somebody was born, and what it does not say is not known
            return Term(member + name(BIRTH_COLUMN), unknown=True)
        if op == "age":
            return self._age(self._emit(expr.args[0], entity, table, member).sql)
        if op == "agg":
            return self._aggregate(expr, entity)
        terms = [self._emit(arg, entity, table, member) for arg in expr.args]
        unknown = any(term.unknown for term in terms)
        if op in ("and", "or"):
            return Term(f"({terms[0].sql} {op.upper()} {terms[1].sql})", unknown=unknown)
        if op == "not":
            return Term(f"(NOT {terms[0].sql})", unknown=unknown)
        if op in _COMPARE:
            one, two, _ = _aligned(terms)
            return Term(f"({one} {_COMPARE[op]} {two})", unknown=unknown)
        if op in ("add", "sub"):
            one, two, den = _aligned(terms)
            return Term(f"({one} {'+' if op == 'add' else '-'} {two})", den, unknown)
        if op == "mul":
            return Term(f"({terms[0].sql} * {terms[1].sql})", terms[0].den * terms[1].den, unknown)
        if op == "neg":
            return Term(f"(-{terms[0].sql})", terms[0].den, unknown)
        if op == "annual":
            return Term(f"({terms[0].sql} * 12)", terms[0].den, unknown)
        if op == "idiv":
            divisor = expr.data * terms[0].den
            value = terms[0].sql
            if self._nonneg(expr.args[0]):
                return Term(f"({value} // {divisor})", unknown=unknown)
            down = f"-((-({value}) + {divisor - 1}) // {divisor})"
            return Term(f"(CASE WHEN {value} < 0 THEN {down} ELSE {value} // {divisor} END)", unknown=unknown)
        if op == "in":
            values = ", ".join(term.sql for term in terms[1:])
            return Term(f"({terms[0].sql} IN ({values}))", unknown=unknown)
        if op == "isnull":
            return Term(f"({terms[0].sql} IS NULL)")
        if op == "ifempty":
            one, two, den = _aligned(terms)
            return Term(f"COALESCE({one}, {two})", den)
        if op in ("greatest", "least"):
            return _extreme(op, terms, unknown, expr.kind)
        assert op == "case", op
        return _case(terms, expr.kind, unknown)

    def _age(self, born: str) -> Term:
        """Whole years completed on the date, 0 for whoever is not born yet; unknown where the birth is."""
        today = self.on.year * 10_000 + self.on.month * 100 + self.on.day
        written = f"YEAR({born}) * 10000 + MONTH({born}) * 100 + DAY({born})"
        return Term(
            f"(CASE WHEN {born} > DATE '{self.on.isoformat()}' THEN 0 ELSE ({today} - ({written})) // 10000 END)",
            unknown=True,
        )

    def _column(self, expr: Expr, table: str) -> str:
        feed, column = expr.data[0], expr.data[1]
        self.feed_columns.setdefault(feed, set()).add(column)
        return table + name(column)

    def _cut(self, months: int | str, table: str) -> Term:
        if isinstance(months, int):
            return Term(f"DATE '{months_before(self.on, months).isoformat()}'")
        self.cut_parameters.add(months)
        sql = _parameter_prefix(table) + name(f"{months}:界")
        return Term(sql, unknown=months in self.unknown_parameters)

    def _aggregate(self, expr: Expr, entity: str) -> Term:
        agg: Agg = expr.data
        if agg.feed is None:
            return self._member_aggregate(expr)
        if agg.feed in self.missing:
            return Term(null(expr.kind), unknown=True)
        plan = self.plans.setdefault((entity, agg.feed), FeedPlan())
        column = plan.columns.setdefault(
            agg, f"{agg.feed}_{'p' if entity == PERSON else 'h'}{len(plan.columns)}"
        )
        default = "FALSE" if expr.kind is Kind.BOOL else "0"
        term = Term(f"COALESCE({name(column)}, {default})", self._value_den(agg, entity))
        if any(
            part is not None and part.parameters() & self.unknown_parameters
            for part in (agg.value, agg.where)
        ):
            # with no row at all the answer does not hang on the number
            rows = plan.columns.setdefault(
                Agg("count", agg.feed, member=agg.member),
                f"{agg.feed}_{'p' if entity == PERSON else 'h'}{len(plan.columns)}",
            )
            term = self._unless_lost(expr, term, [f"COALESCE({name(rows)}, 0) > 0"], entity)
        if agg.member is None:
            return term
        condition = self._emit(agg.member, PERSON)
        if not condition.unknown:
            return term
        doubt = self._member_column(f"BOOL_OR({condition.sql} IS NULL)", (agg.member,))
        return Term(f"CASE WHEN {doubt} THEN {null(expr.kind)} ELSE {term.sql} END", term.den, True)

    def _unless_lost(self, expr: Expr, term: Term, matters: list[str], entity: str) -> Term:
        """``term``, undecided where a number it compares rows with has no value here and ``matters`` hold.

        Inside a row's condition an absent number would read as "no", like an empty cell; it is not one.
        """
        lost = {
            (self._cut(node.data, "") if node.op == "cut" else self._emit(node, entity)).sql
            for node in expr.walk()
            if (node.op == "param" or (node.op == "cut" and isinstance(node.data, str)))
            and node.data in self.unknown_parameters
        }
        if not lost:
            return term
        absent = " OR ".join(f"{sql} IS NULL" for sql in sorted(lost))
        doubt = " AND ".join([f"({absent})", *matters])
        return Term(f"CASE WHEN {doubt} THEN {null(expr.kind)} ELSE {term.sql} END", term.den, True)

    def _value_den(self, agg: Agg, entity: str) -> int:
        if agg.func in ("sum", "max", "latest") and agg.value is not None:
            return self._emit(agg.value, entity).den
        return 1

    def _member_column(
        self, sql: str, reads: tuple[Expr, ...], absent: str = "", rests: Iterable[Rest | None] = ()
    ) -> str:
        """The column of an aggregate over the members; ``reads`` are the formulas it is made of.

        Where one of ``rests`` is at rest, whoever has no row in its feeds adds nothing, and a household of such people
        has the value ``absent``.
        """
        if sql not in self.member_columns:
            found = [rest for rest in rests if rest is not None and rest.feeds]
            hangs_on = min((rest.feeds for rest in found), key=lambda f: (len(f), sorted(f)), default=None)
            column = f"members_{len(self.member_columns)}"
            self.member_columns[sql] = MemberColumn(column, sql, reads, absent, hangs_on)
        return name(self.member_columns[sql].column)

    def _member_aggregate(self, expr: Expr) -> Term:
        agg: Agg = expr.data
        if self.without_members:
            return Term(null(expr.kind), unknown=True)
        where = self._emit(agg.where, PERSON) if agg.where is not None else Term("TRUE")
        reads = tuple(part for part in (agg.where, agg.value) if part is not None)
        nobody = self._resting(agg.where, False)
        if agg.func == "any":
            if not where.unknown:
                return Term(self._member_column(f"BOOL_OR({where.sql})", reads, "FALSE", [nobody]))
            some = self._member_column(f"COALESCE(BOOL_OR({where.sql}), FALSE)", reads, "FALSE", [nobody])
            doubt = self._member_column(f"BOOL_OR(({where.sql}) IS NULL)", reads, "FALSE", [nobody])
            return Term(
                f"CASE WHEN {some} THEN TRUE WHEN {doubt} THEN {null(Kind.BOOL)} ELSE FALSE END", unknown=True
            )
        value = self._emit(agg.value, PERSON) if agg.value is not None else Term("1")
        nothing = self._resting(agg.value, 0)
        if agg.func == "max":
            sql = f"COALESCE(MAX(CASE WHEN {where.sql} THEN {value.sql} END), 0)"
            if agg.value is None or not self._nonneg(agg.value):
                nothing = None
        else:
            sql = f"CAST(SUM(CASE WHEN {where.sql} THEN {value.sql} ELSE 0 END) AS BIGINT)"
        column = self._member_column(sql, reads, "0", [nobody, nothing])
        if not (where.unknown or value.unknown):
            return Term(column, value.den)
        doubt = self._member_column(
            f"BOOL_OR(({where.sql}) IS NULL OR ({where.sql} AND {value.sql} IS NULL))", reads
        )
        return Term(f"CASE WHEN {doubt} THEN {null(expr.kind)} ELSE {column} END", value.den, True)

    def _resting(self, expr: Expr | None, value: bool | int) -> Rest | None:
        """How ``expr`` comes to rest at ``value``; None where it does not."""
        found = at_rest(expr, self.ground, self.rest_memo) if expr is not None else None
        return (
            found if found is not None and type(found.value) is type(value) and found.value == value else None
        )

    def _formula_of(self, item: str) -> Expr | None:
        variable = self.pack.variables.get(item)
        return None if variable is None or variable.exceptions or item in self.given else variable.expr

    def _absent(self, agg: Agg) -> bool:
        parts = [part for part in (agg.value, agg.by, agg.where, agg.other) if part is not None]
        return agg.feed not in self.missing and not any(
            p.parameters() & self.unknown_parameters for p in parts
        )

    def _known(self, expr: Expr) -> bool:
        return not self._emit(expr, PERSON).unknown

    def _nonneg(self, expr: Expr) -> bool:
        """Whether a value can be shown never to be below nought (feeds hold no negative money)."""
        if expr.op == "lit":
            return isinstance(expr.data, int) and expr.data >= 0
        if expr.op == "col":
            return expr.kind in (Kind.MONEY, Kind.NUMBER)
        if expr.op == "param":
            return all(value.value >= 0 for value in self.pack.parameters[expr.data].values)
        if expr.op == "var":
            if expr.data not in self.nonneg_memo:
                self.nonneg_memo[expr.data] = False
                variable = self.pack.variables.get(expr.data)
                self.nonneg_memo[expr.data] = (
                    variable is not None
                    and not variable.exceptions
                    and expr.data not in self.given
                    and self._nonneg(variable.expr)
                )
            return self.nonneg_memo[expr.data]
        if expr.op == "agg":
            return expr.data.func in ("count", "distinct") or (
                expr.data.value is not None and self._nonneg(expr.data.value)
            )
        if expr.op == "age":
            return True
        if expr.op in ("add", "mul", "annual", "idiv", "ifempty", "least"):
            return all(self._nonneg(arg) for arg in expr.args)
        if expr.op == "greatest":
            return any(self._nonneg(arg) for arg in expr.args)
        if expr.op == "case":
            return all(self._nonneg(arg) for arg in (*expr.args[1::2], expr.args[-1]))
        return False


def _parameter_prefix(table: str) -> str:
    """Among a feed's rows the household's parameters stand in the joined relation q."""
    return "q." if table else ""


def _literal_of(expr: Expr) -> str:
    if expr.kind is Kind.BOOL:
        return "TRUE" if expr.data else "FALSE"
    if expr.kind is Kind.TEXT:
        return literal(expr.data)
    return str(int(expr.data))


def _scaled(term: Term, den: int) -> str:
    factor = den // term.den
    return term.sql if factor == 1 else f"({term.sql} * {factor})"


def _aligned(terms: list[Term]) -> tuple[str, str, int]:
    den = lcm(terms[0].den, terms[1].den)
    return _scaled(terms[0], den), _scaled(terms[1], den), den


def _extreme(op: str, terms: list[Term], unknown: bool, kind: Kind) -> Term:
    den = lcm(*(term.den for term in terms))
    sql = f"{op.upper()}({', '.join(_scaled(term, den) for term in terms)})"
    if unknown:
        # GREATEST and LEAST of DuckDB and Spark pass over NULL; an unknown part makes the whole unknown
        doubt = " OR ".join(f"{term.sql} IS NULL" for term in terms if term.unknown)
        sql = f"(CASE WHEN {doubt} THEN {null(kind)} ELSE {sql} END)"
    return Term(sql, den, unknown)


def _case(terms: list[Term], kind: Kind, unknown: bool) -> Term:
    values = [*terms[1::2], terms[-1]]
    den = lcm(*(value.den for value in values))
    branches = []
    for condition, value in zip(terms[:-1:2], terms[1::2], strict=True):
        branches.append(f"WHEN {condition.sql} THEN {_scaled(value, den)}")
        if condition.unknown:
            branches.append(f"WHEN {condition.sql} IS NULL THEN {null(kind)}")
    return Term(f"(CASE {' '.join(branches)} ELSE {_scaled(terms[-1], den)} END)", den, unknown)
