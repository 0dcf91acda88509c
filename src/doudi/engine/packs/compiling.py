# ruff: noqa: S608 - SQL is put together here from checked names and quoted literals only
"""From a pack to one query: feeds to persons, persons to households, households to category and warnings.

In come a pack, a date, and what is missing; out comes a :class:`CompiledPack` whose text screens a province
or a single family. Sums are integer fen; a percentage is carried as a whole number with its denominator, so
that nothing is divided. What was never asked is NULL and spreads by three-valued logic; the guards against
DuckDB's NULL-blind GREATEST, SUM and CASE are written only where something can be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import sqlglot

from doudi.engine.packs.arrays import ArrayPlan, ArrayRelations
from doudi.engine.packs.lowering import Given, literal, name
from doudi.engine.packs.members import CUT, add_columns, query
from doudi.engine.packs.model import LEVEL_RANK, UNKNOWN, Indicator, Pack
from doudi.engine.packs.terms import HOUSEHOLD, PERSON, REGISTER, Expr

_RANK_NAMES = "CASE {} WHEN 3 THEN 'red' WHEN 2 THEN 'orange' WHEN 1 THEN 'yellow' ELSE 'none' END"


@dataclass(frozen=True)
class CompiledPack:
    """The query of one pack for one date and one set of missing feeds.

    ``denominators`` gives for each numeric variable the whole number by which its column must be divided to
    have its value (1 for fen and counts). ``undecidable`` names the variables, indicators and categories that
    can be NULL. ``feed_columns`` says what is read of each feed; ``parameter_columns`` are the columns of the
    relation ``parameters`` (region_code, urban_rural, …).
    """

    pack: Pack
    on: date
    missing: frozenset[str]
    with_clauses: tuple[tuple[str, str], ...]
    person_table: str
    denominators: Mapping[str, int]
    undecidable: frozenset[str]
    feed_columns: Mapping[str, tuple[str, ...]]
    parameter_columns: Mapping[str, int]
    person_columns: tuple[str, ...]
    arrays: ArrayPlan | None
    """The steps without joins; None where variables are given or nobody is there (worked cases)."""

    def sql(self, dialect: str = "duckdb", *, select: str = "result") -> str:
        """The query's text, for household keys from ``$lo`` to below ``$hi``.

        ``result`` gives one row per household, ``trace`` its every value, ``persons`` a row with the values of
        each member, ``explained`` the trace with a list ``people`` of the members' values, ``labels`` a row for each
        person who bears a label: all of them, and the one under which the person is counted.
        """
        return _dialect(self._text(select), dialect)

    def _text(self, select: str) -> str:
        table = self.person_table if select == "persons" else select
        order = "household_key, person_key" if select in ("persons", "labels") else "household_key"
        return f"{query(table, dict(self.with_clauses))} ORDER BY {order}"


@lru_cache(maxsize=16)
def _dialect(text: str, dialect: str) -> str:
    if dialect == "duckdb":
        return text
    return sqlglot.transpile(text, read="duckdb", write=dialect, identify=True, pretty=True)[0]


def compile_pack(
    pack: Pack,
    missing_feeds: Iterable[str] = (),
    *,
    on: date,
    given: Mapping[str, Given] | None = None,
    unknown_parameters: Iterable[str] = (),
    without_members: bool = False,
) -> CompiledPack:
    """Compile a pack for a date.

    ``missing_feeds`` never arrived or failed; ``given`` are household variables read from a relation ``given``
    (worked cases); ``unknown_parameters`` have no value for some region; ``without_members`` compiles a case
    that has variables only, so that all that is not given is unknown.
    """
    return _Compiler(
        pack, frozenset(missing_feeds), on, given or {}, frozenset(unknown_parameters), without_members
    ).compile()


class _Compiler(ArrayRelations):
    def compile(self) -> CompiledPack:
        order = self._order()
        person = [n for n in order if self._entity(n) == PERSON]
        household = [n for n in order if self._entity(n) == HOUSEHOLD]
        person_layers = self._layers(person)
        household_layers = self._layers(household)
        clauses: list[tuple[str, str]] = [("hp", "")]

        person_sql = [self._layer_items(layer) for layer in person_layers]
        person_base = "p0"
        last_person = f"p{len(person_layers)}"
        household_sql = [self._layer_items(layer) for layer in household_layers]
        categories = self._category_items()
        self.cost = self._cost()
        self.details = self._details()
        labels = self._labels(last_person)
        shown = self._shown_items()

        clauses += self._feed_clauses(PERSON)
        clauses.append((person_base, self._person_base(person)))
        for i, items in enumerate(person_sql):
            clauses.append((f"p{i + 1}", add_columns(f"p{i}", items)))
        clauses += self._member_clauses()
        clauses += self._household_feed_clauses()
        clauses.append(("h0", self._household_base()))
        for i, items in enumerate(household_sql):
            clauses.append((f"h{i + 1}", add_columns(f"h{i}", items)))
        last_household = f"h{len(household_layers)}"
        clauses.append(("r0", add_columns(last_household, categories)))
        clauses.append(("r1", add_columns("r0", self._level_items())))
        clauses.append(("result", self._result()))
        clauses.append(("trace", add_columns("r1", shown)))
        clauses.append(("people", _people(last_person, person)))
        clauses.append(
            (
                "explained",
                "SELECT t.*, p.people FROM trace t LEFT JOIN people p ON p.household_key = t.household_key",
            )
        )
        clauses.append(("labels", labels))
        clauses[0] = ("hp", self._households())
        return CompiledPack(
            pack=self.pack,
            on=self.on,
            missing=self.missing,
            with_clauses=tuple(clauses),
            person_table=last_person,
            denominators=dict(self.dens),
            undecidable=frozenset(n for n, unknown in self.unknown.items() if unknown),
            feed_columns={feed: tuple(sorted(columns)) for feed, columns in self.feed_columns.items()},
            parameter_columns=dict(self.parameter_dens) | {f"{p}{CUT}": 0 for p in self.cut_parameters},
            person_columns=tuple(person),
            arrays=None if self.given or self.without_members else self._arrays(dict(clauses)),
        )

    # -- order and layers ---------------------------------------------------------------------------------

    def _order(self) -> list[str]:
        done: dict[str, None] = {}

        def visit(item: str) -> None:
            if item in done:
                return
            for other in sorted(self._needs(item)):
                visit(other)
            done[item] = None

        for item in (*self.pack.variables, *self.pack.indicators):
            visit(item)
        return list(done)

    def _layer_items(self, layer: list[str]) -> list[tuple[str, str]]:
        items: list[tuple[str, str]] = []
        for item in layer:
            variable = self.pack.variables.get(item)
            if item in self.given:
                self.dens[item], self.unknown[item] = self.given[item].den, self.given[item].unknown
                items.append((name(f"given_{item}"), item))
            elif variable is not None:
                term = self._variable(variable)
                self.dens[item], self.unknown[item] = term.den, term.unknown
                items.append((term.sql, item))
            else:
                items += self._indicator(self.pack.indicators[item])
        return items

    # -- variables, indicators, categories ----------------------------------------------------------------

    def _indicator(self, indicator: Indicator) -> list[tuple[str, str]]:
        terms = {level: self._emit(expr, HOUSEHOLD) for level, expr in indicator.levels.items()}
        raised = " OR ".join(f"({term.sql})" for term in terms.values())
        self.unknown[indicator.code] = any(term.unknown for term in terms.values())
        self.dens[indicator.code] = 1
        ordered = sorted(terms.items(), key=lambda item: LEVEL_RANK.get(item[0], 0), reverse=True)
        branches = " ".join(f"WHEN {term.sql} THEN {LEVEL_RANK.get(level, 0)}" for level, term in ordered)
        return [(raised, indicator.code), (f"CASE {branches} ELSE 0 END", f"{indicator.code}:级")]

    def _category_items(self) -> list[tuple[str, str]]:
        items: list[tuple[str, str]] = []
        branches: list[str] = []
        for i, category in enumerate(self.pack.categories):
            if category.condition is None:
                branches.append(f"ELSE {literal(category.code)}")
                continue
            term = self._emit(category.condition, HOUSEHOLD)
            column = f"类别:{category.name}"
            items.append((term.sql, column))
            self.unknown[column] = term.unknown
            branches.append(f"WHEN {term.sql} THEN {literal(category.code)}")
            if term.unknown and not category.skip_undecided:
                branches.append(f"WHEN ({term.sql}) IS NULL THEN {literal(UNKNOWN)}")
            if i == len(self.pack.categories) - 1:
                branches.append("ELSE 'NONE'")
        body = f"CASE {' '.join(branches)} END" if len(branches) > 1 else literal(self._rest())
        items.append((body, "found"))
        return items

    def _cost(self) -> str:
        """What the household's category is paid a month, in whole fen; 0 where the pack names no amount."""
        branches = []
        for category in self.pack.categories:
            if category.cost is not None:
                term = self._emit(category.cost, HOUSEHOLD)
                amount = term.sql if term.den == 1 else f"{term.sql} // {term.den}"
                branches.append(f"WHEN {literal(category.code)} THEN {amount}")
        return (
            f"CAST(CASE found {' '.join(branches)} ELSE 0 END AS BIGINT)" if branches else "CAST(0 AS BIGINT)"
        )

    def _details(self) -> dict[str, str]:
        """For each indicator that says more: whom it speaks about and how much it is, as ``code@person=value``.

        Money is in whole fen. A member whose condition or value is undecided is not named.
        """
        details = {}
        for code, indicator in self.pack.indicators.items():
            if (indicator.who is None and indicator.value is None) or self.without_members:
                continue
            entity = PERSON if indicator.who is not None else HOUSEHOLD
            parts = [literal(code)]
            if indicator.who is not None:
                parts += [literal("@"), "CAST(person_key AS VARCHAR)"]
            if indicator.value is not None:
                value = self._emit(indicator.value, entity)
                amount = value.sql if value.den == 1 else f"{value.sql} // {value.den}"
                parts += [literal("="), f"CAST({amount} AS VARCHAR)"]
            text = " || ".join(parts)
            if indicator.who is not None:
                who = self._emit(indicator.who, PERSON).sql
                reads = tuple(part for part in (indicator.who, indicator.value) if part is not None)
                rests = [self._resting(indicator.who, False)]
                text = self._member_column(f"LIST({text}) FILTER (WHERE {who})", reads, "", rests)
                text = f"ARRAY_TO_STRING(LIST_SORT({text}), ';')"
            details[code] = text
        return details

    def _labels(self, persons: str) -> str:
        """Everybody with a label: ``labels`` joined in their order, ``counted_as`` the first of them."""
        terms = [(label.code, self._emit(label.condition, PERSON).sql) for label in self.pack.labels]
        bearing = " OR ".join(f"({sql})" for _, sql in terms) or "FALSE"
        listed = ", ".join(f"CASE WHEN {sql} THEN {literal(code)} END" for code, sql in terms) or "''"
        first = " ".join(f"WHEN {sql} THEN {literal(code)}" for code, sql in terms) or "WHEN TRUE THEN ''"
        unsure = " OR ".join(f"({sql}) IS NULL" for _, sql in terms) or "FALSE"
        return (
            f"SELECT household_key, person_key, region_code, urban_rural, CONCAT_WS(';', {listed}) AS labels,"
            f" CASE {first} END AS counted_as, ({unsure}) AS undecided FROM {persons} WHERE {bearing}"
        )

    def _rest(self) -> str:
        return self.pack.categories[-1].code if self.pack.categories else "NONE"

    def _shown_items(self) -> list[tuple[str, str]]:
        items = []
        for variable in self.pack.variables.values():
            if variable.entity != HOUSEHOLD:
                continue
            for key, (_, expr) in variable.shown.items():
                term = self._emit(expr, HOUSEHOLD)
                column = f"{variable.name}:{key}"
                self.dens[column] = term.den
                items.append((term.sql, column))
        return items

    # -- expressions --------------------------------------------------------------------------------------

    # -- relations ----------------------------------------------------------------------------------------

    def _households(self) -> str:
        parameters = [*self.pack.parameters, *(f"{p}{CUT}" for p in sorted(self.cut_parameters))]
        columns = "".join(f", q.{name(p)}" for p in parameters)
        sql = f"SELECT h.*{columns}"
        for item in self.given:
            sql += f", v.{name(item)} AS {name(f'given_{item}')}"
        sql += " FROM households h"
        if parameters:
            sql += (
                " LEFT JOIN parameters q ON q.region_code = h.region_code AND q.urban_rural = h.urban_rural"
            )
        if self.given:
            sql += " LEFT JOIN given v ON v.household_key = h.household_key"
        return f"{sql} WHERE {self._range('h.')}"

    def _person_base(self, person: Iterable[str]) -> str:
        feeds = {feed for (owner, feed), plan in self.plans.items() if owner == PERSON and plan.columns}
        exprs: list[Expr] = [part for item in person for part in self.pack.variables[item].parts()]
        for variable in self.pack.variables.values():
            for part in variable.parts():
                exprs += _member_parts(part)
        for indicator in self.pack.indicators.values():
            for part in indicator.levels.values():
                exprs += _member_parts(part)
            exprs += [part for part in (indicator.who, indicator.value) if part is not None and indicator.who]
        exprs += [label.condition for label in self.pack.labels]
        for category in self.pack.categories:
            for condition in (category.condition, category.cost):
                exprs += _member_parts(condition) if condition is not None else []
        return self._persons_from(feeds, self._parameters_read(exprs))

    def _household_base(self) -> str:
        columns = ["hp.*"]
        source = "hp"
        sums, joins = self._sum_columns()
        columns, source = [*columns, *sums], source + joins
        for (owner, feed), plan in self.plans.items():
            if owner == HOUSEHOLD and plan.columns:
                columns += [f"fh_{feed}.{name(c)}" for c in plan.columns.values()]
                source += f" LEFT JOIN fh_{feed} ON fh_{feed}.household_key = hp.household_key"
        return f"SELECT {', '.join(columns)} FROM {source}"

    def _level_items(self) -> list[tuple[str, str]]:
        plain = [i for i in self.pack.indicators.values() if not i.raises_level]
        up = [f"{name(i.code + ':级')}" for i in plain if i.up]
        down = [f"{name(i.code + ':级')}" for i in plain if not i.up]
        candidates = ["0", *up]
        for rule in self.pack.merge_rules:
            rank = LEVEL_RANK[rule.of]
            if up:
                count = " + ".join(f"CASE WHEN {column} = {rank} THEN 1 ELSE 0 END" for column in up)
                candidates.append(
                    f"CASE WHEN {count} >= {rule.count} THEN {LEVEL_RANK[rule.becomes]} ELSE 0 END"
                )
        raising = [name(i.code) for i in self.pack.indicators.values() if i.raises_level]
        one_more = f" + CASE WHEN {' OR '.join(raising)} THEN 1 ELSE 0 END" if raising else ""
        # most households raise nothing: their level is that of nothing
        level = f"LEAST({_if_any((i.code for i in plain if i.up), candidates)}{one_more}, 3)"
        risk = _if_any((i.code for i in plain if not i.up), ["0", *down])
        ranks = {c.code: c.rank for c in reversed(self.pack.categories)}
        found = " ".join(f"WHEN {literal(code)} THEN {rank}" for code, rank in ranks.items() if rank)
        written = " ".join(
            f"WHEN {literal(text)} THEN {c.rank}" for c in self.pack.categories for text in c.registered_as
        )
        found_rank = f"CASE found {found} ELSE 0 END" if found else "0"
        written_rank = f"CASE category {written} ELSE 0 END" if written else "0"
        change = (
            f"CASE WHEN found = {literal(UNKNOWN)} THEN 'unknown' WHEN {found_rank} > {written_rank} THEN 'up'"
            f" WHEN {found_rank} < {written_rank} THEN 'down' ELSE 'same' END"
        )
        return [(level, "level_rank"), (risk, "risk_rank"), (change, "change"), (self.cost, "monthly_cost")]

    def _result(self) -> str:
        columns = ["household_key", "household_no", "region_code", "urban_rural", "persons"]
        columns.append("category AS register_category")
        for figure in FIGURES:
            variable = self.pack.figures.get(figure)
            if variable is None:
                columns.append(f"CAST(NULL AS BIGINT) AS {figure}")
            else:
                den = self.dens[variable]
                sql = name(variable) if den == 1 else f"{name(variable)} // {den}"
                columns.append(f"CAST({sql} AS BIGINT) AS {figure}")
        columns += ["found AS category", "change", "monthly_cost"]
        codes = sorted(self.pack.indicators)
        raised = [f"CASE WHEN {name(c)} THEN {literal(c)} END" for c in codes]
        graded = [
            f"CASE WHEN {name(c)} THEN CASE {name(c + ':级')} WHEN 3 THEN {literal(c + ':red')}"
            f" WHEN 2 THEN {literal(c + ':orange')} WHEN 1 THEN {literal(c + ':yellow')}"
            f" ELSE {literal(c + ':none')} END END"
            for c in codes
        ]
        open_codes = [f"CASE WHEN {name(c)} IS NULL THEN {literal(c)} END" for c in codes if self.unknown[c]]
        for items, column in ((raised, "warnings"), (graded, "warning_levels"), (open_codes, "undecided")):
            joined = f"CONCAT_WS(';', {', '.join(items)})" if items else "''"
            if items and items is not open_codes:
                # most households raise nothing, and joining texts is the dearest step of a result row
                joined = f"CASE WHEN {' OR '.join(map(name, codes))} THEN {joined} ELSE '' END"
            columns.append(f"{joined} AS {column}")
        told = [f"CASE WHEN {name(c)} THEN {text} END" for c, text in sorted(self.details.items())]
        if told:
            raised_any = " OR ".join(name(c) for c in sorted(self.details))
            columns.append(
                f"CASE WHEN {raised_any} THEN CONCAT_WS(';', {', '.join(told)}) ELSE '' END AS details"
            )
        else:
            columns.append("'' AS details")
        columns.append(f"{_RANK_NAMES.format('level_rank')} AS level")
        columns.append(f"{_RANK_NAMES.format('risk_rank')} AS risk_level")
        return f"SELECT {', '.join(columns)} FROM r1"


FIGURES = (
    "counted_persons", "monthly_income", "financial_assets", "vehicles", "dwellings", "shops",
    "rigid_expenditure",
)  # fmt: skip


def _if_any(codes: Iterable[str], ranks: Sequence[str]) -> str:
    """The greatest of some ranks, looked at only where one of the codes is raised (else none is above nought)."""
    raised = " OR ".join(name(code) for code in codes)
    return f"CASE WHEN {raised} THEN GREATEST({', '.join(ranks)}) ELSE 0 END" if raised else "0"


def _member_parts(expr: Expr) -> list[Expr]:
    """What an expression asks of the members: evaluated where persons stand."""
    parts: list[Expr] = []
    for agg in expr.aggregates():
        if agg.feed is None:
            parts += [part for part in (agg.value, agg.where) if part is not None]
        elif agg.member is not None:
            parts.append(agg.member)
    return parts


def _people(persons: str, columns: list[str]) -> str:
    """The members' values of each household as one list, in the order of their keys."""
    cells = ", ".join(f"{literal(column)}: {name(column)}" for column in ("person_key", *columns))
    return f"SELECT household_key, LIST({{{cells}}} ORDER BY person_key) AS people FROM {persons} GROUP BY household_key"


__all__ = ["FIGURES", "REGISTER", "CompiledPack", "Given", "compile_pack"]
