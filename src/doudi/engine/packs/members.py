# ruff: noqa: S608 - SQL is put together here from checked names only
"""The persons of a range and what their households take from them.

Three relations of persons, each with the fewest rows and columns that do: ``p`` with every variable (asked for when
a household is explained), ``c`` of everybody with the few variables that hold for people without any row (whether one
is counted), and one small relation for each group of feeds, of those who have rows there. A join of twenty feeds to
every person took two thirds of a screen's time; most people stand in few of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from doudi.engine.packs.feed_sums import BASE, FeedRelations
from doudi.engine.packs.lowering import MemberColumn, name
from doudi.engine.packs.quiet import at_rest
from doudi.engine.packs.terms import BIRTH_COLUMN, HOUSEHOLD, PERSON, REGISTER, Expr

Clause = tuple[str, str]
_WORD = re.compile(r"[a-z]\w*", re.ASCII)


@dataclass(frozen=True)
class Joined:
    """What a relation of persons is made of: those with rows in ``present``, with the columns of ``feeds`` and parameters."""

    table: str
    present: AbstractSet[str]
    feeds: AbstractSet[str]
    parameters: Sequence[str]


class MemberRelations(FeedRelations):
    """Writes the relations of persons and their sums by household."""

    base: Joined | None = None
    """Everybody; None where no sum needs anybody."""
    groups: list[Joined]
    register_read: Sequence[str] = ()

    def _entity(self, item: str) -> str:
        variable = self.pack.variables.get(item)
        return variable.entity if variable is not None else HOUSEHOLD

    def _needs(self, item: str) -> set[str]:
        if item in self.given:
            return set()
        return self.pack.dependencies(item)

    def _layers(self, items: list[str]) -> list[list[str]]:
        depth: dict[str, int] = {}
        for item in items:
            depth[item] = 1 + max((depth[n] for n in self._needs(item) if n in depth), default=-1)
        layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for item in items:
            layers[depth[item]].append(item)
        return layers

    def _persons_from(self, feeds: set[str], parameters: list[str]) -> str:
        """Members with the aggregates of some feeds and the parameters of their household."""
        return f"{self._joined('members m', 'm', feeds, parameters)} WHERE {self._range('m.')}"

    def _joined(self, source: str, persons: str, feeds: set[str], parameters: list[str]) -> str:
        columns = [f"{persons}.*"]
        for feed in sorted(feeds):
            columns += [f"fp_{feed}.{name(c)}" for c in self.plans[PERSON, feed].columns.values()]
            source += f" LEFT JOIN fp_{feed} ON fp_{feed}.person_key = {persons}.person_key"
        if parameters:
            columns += [f"hp.{name(p)}" for p in parameters]
            source += f" JOIN hp ON hp.household_key = {persons}.household_key"
        return f"SELECT {', '.join(columns)} FROM {source}"

    # -- sums by household ----------------------------------------------------------------------------------

    def _member_clauses(self) -> list[Clause]:
        """``c``, and by household the sums over everybody (``g``) and over those with rows (``s0``, ``s1``, …)."""
        self.groups = []
        narrowing = [
            agg.member
            for (owner, _), plan in self.plans.items()
            for agg in plan.columns
            if owner == HOUSEHOLD and agg.member is not None
        ]
        columns = list(self.member_columns.values())
        if not columns and not narrowing:
            return []
        everybody = [column for column in columns if column.hangs_on is None]
        of_all = [*narrowing, *(part for column in everybody for part in column.reads)]
        groups = [(feeds, own, self._at_rest_in(own)) for feeds, own in _groups(columns)]
        in_groups = [
            part
            for _, own, inner in groups
            for part in (*_reads(own), *(p for item in inner for p in self.pack.variables[item].parts()))
        ]
        shared = {item for part in of_all for item in part.variables()}
        resting = {item for _, _, inner in groups for item in inner}
        shared |= {item for part in in_groups for item in part.variables()} - resting
        parameters = self._parameters_read(of_all)
        clauses = self._base(sorted(shared), [*of_all, *in_groups], parameters)
        if everybody:
            clauses.append(("g", _by_household(everybody, BASE)))
        self.sums = [("g", everybody)] if everybody else []
        for i, (feeds, own, inner) in enumerate(groups):
            clauses += self._group(
                f"s{i}", feeds, own, [item for item in inner if item not in shared], parameters
            )
            self.sums.append((f"s{i}", own))
        return clauses

    def _base(self, shared: Sequence[str], reads: Iterable[Expr], parameters: list[str]) -> list[Clause]:
        """Everybody with the ``shared`` variables and what else of the register the formulas read.

        Its columns are named one by one: a relation with several readers is kept in memory with all it has.
        """
        needed = self._closure(shared)
        exprs = [part for item in needed for part in self.pack.variables[item].parts()]
        feeds = set().union(*(expr.feeds() for expr in exprs)) - self.missing if exprs else set()
        own = dict.fromkeys(["household_key", "person_key", *register_columns(reads)])
        given = _union(parameters, self._parameters_read(exprs))
        self.base = Joined(BASE, feeds, feeds, given)
        self.register_read = register_columns([*reads, *exprs])
        clauses = [(f"{BASE}0", self._persons_from(feeds, given))]
        clauses += self._variable_clauses(BASE, needed)
        columns = ", ".join(map(name, (*own, *shared, *parameters)))
        return [*clauses, (BASE, f"SELECT {columns} FROM {clauses[-1][0]}")]

    def _group(
        self, table: str, feeds: frozenset[str], own: list[MemberColumn], inner: list[str], given: list[str]
    ) -> list[Clause]:
        """The sums that only people with rows in ``feeds`` add to."""
        reads = [*_reads(own), *(part for item in inner for part in self.pack.variables[item].parts())]
        joined = set().union(*(expr.feeds() for expr in reads)) - self.missing
        keys = " UNION ".join(f"SELECT person_key FROM fp_{feed}" for feed in sorted(feeds))
        source = f"({keys}) k JOIN {BASE} ON {BASE}.person_key = k.person_key"
        parameters = [column for column in self._parameters_read(reads) if column not in given]
        self.groups.append(Joined(table, frozenset(feeds), joined, parameters))
        clauses = [(f"{table}_0", self._joined(source, BASE, joined, parameters))]
        clauses += self._variable_clauses(f"{table}_", inner)
        return [*clauses, (table, _by_household(own, clauses[-1][0]))]

    def _parameters_read(self, exprs: Iterable[Expr]) -> list[str]:
        """:func:`parameter_columns`, with their dates asked for where only a feed that is missing would have asked."""
        found = parameter_columns(exprs)
        self.cut_parameters.update(column.removesuffix(CUT) for column in found if column.endswith(CUT))
        return found

    def _variable_clauses(self, table: str, items: list[str]) -> list[Clause]:
        """Layer upon layer of persons' variables on the relation ``table`` 0."""
        clauses = []
        for i, layer in enumerate(self._layers(items)):
            added = [(self._variable(self.pack.variables[item]).sql, item) for item in layer]
            clauses.append((f"{table}{i + 1}", add_columns(f"{table}{i}", added)))
        return clauses

    def _closure(self, items: Iterable[str]) -> list[str]:
        needed: dict[str, None] = {}

        def visit(item: str) -> None:
            if item not in needed:
                for other in sorted(self._needs(item)):
                    visit(other)
                needed[item] = None

        for item in items:
            visit(item)
        return list(needed)

    def _at_rest_in(self, own: list[MemberColumn]) -> list[str]:
        """The variables under some sums that are at rest themselves: they are computed in the group, in this order."""
        found: dict[str, None] = {}

        def visit(expr: Expr) -> None:
            for item in sorted(expr.variables()):
                variable = Expr("var", data=item)
                if item not in found and at_rest(variable, self.ground, self.rest_memo) is not None:
                    for part in self.pack.variables[item].parts():
                        visit(part)
                    found[item] = None

        for part in _reads(own):
            visit(part)
        return list(found)

    def _sum_columns(self) -> tuple[list[str], str]:
        """The household's columns from its members, and the joins that bring them."""
        columns: list[str] = []
        joins = ""
        for table, own in self.sums:
            joins += f" LEFT JOIN {table} ON {table}.household_key = hp.household_key"
            for column in own:
                cell = f"{table}.{name(column.column)}"
                if column.absent:
                    cell = f"COALESCE({cell}, {column.absent}) AS {name(column.column)}"
                columns.append(cell)
        return columns, joins


def _groups(columns: Iterable[MemberColumn]) -> list[tuple[frozenset[str], list[MemberColumn]]]:
    """Sums by the feeds they hang on; those that share a feed are one group, and so are all that only say yes or no, or name who."""
    groups: list[tuple[frozenset[str], list[MemberColumn]]] = []
    for column in columns:
        if column.hangs_on is None:
            continue
        feeds, own = column.hangs_on, [column]
        apart = []
        for others, theirs in groups:
            if others & feeds:
                feeds, own = feeds | others, [*theirs, *own]
            else:
                apart.append((others, theirs))
        groups = [*apart, (feeds, own)]
    flags = [group for group in groups if all(column.absent != "0" for column in group[1])]
    if len(flags) > 1:
        one = (frozenset[str]().union(*(feeds for feeds, _ in flags)), [c for _, own in flags for c in own])
        groups = [*(group for group in groups if group not in flags), one]
    return sorted(groups, key=lambda group: sorted(group[0]))


def _reads(columns: Iterable[MemberColumn]) -> list[Expr]:
    return [part for column in columns for part in column.reads]


def _by_household(columns: Iterable[MemberColumn], table: str) -> str:
    cells = ", ".join(f"{column.sql} AS {name(column.column)}" for column in columns)
    return f"SELECT household_key, {cells} FROM {table} GROUP BY household_key"


CUT = ":界"
"""A parameter's column that holds the day so many months before the screen."""


def register_columns(reads: Iterable[Expr]) -> list[str]:
    """The register's cells that formulas read directly (not inside a feed's aggregate, whose cells are its own)."""
    found: dict[str, None] = {}
    for expr in reads:
        for node in expr.walk():
            if node.op in ("col", "head") and node.data[0] == REGISTER:
                found[node.data[1]] = None
            elif node.op == "born":
                found[BIRTH_COLUMN] = None
    return list(found)


def _union(one: list[str], two: list[str]) -> list[str]:
    return list(dict.fromkeys([*one, *two]))


def parameter_columns(exprs: Iterable[Expr]) -> list[str]:
    """The columns of the relation ``parameters`` that some expressions read."""
    found: dict[str, None] = {}
    for expr in exprs:
        for node in expr.walk():
            if node.op == "param":
                found[node.data] = None
            elif node.op == "cut" and isinstance(node.data, str):
                found[f"{node.data}{CUT}"] = None
    return list(found)


def query(table: str, clauses: Mapping[str, str]) -> str:
    """The text that reads ``table``, with the relations it is made of before it."""
    wanted = reached(table, clauses)
    named = ",\n".join(f"{clause} AS (\n  {body}\n)" for clause, body in clauses.items() if clause in wanted)
    return f"WITH {named}\nSELECT * FROM {table}"


def reached(table: str, clauses: Mapping[str, str]) -> set[str]:
    """The relations that ``table`` is made of."""
    found = {table}
    waiting = [table]
    while waiting:
        for word in set(_WORD.findall(clauses[waiting.pop()])):
            if word in clauses and word not in found:
                found.add(word)
                waiting.append(word)
    return found


def add_columns(table: str, items: list[tuple[str, str]]) -> str:
    columns = "".join(f", {sql} AS {name(column)}" for sql, column in items)
    return f"SELECT *{columns} FROM {table}"
