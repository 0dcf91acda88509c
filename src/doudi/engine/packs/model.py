"""What a policy pack holds once it has been read: parameters, variables, categories, indicators, measures, cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.engine.packs.terms import HOUSEHOLD, PERSON, REGISTER, Expr
from doudi.engine.packs.units import Kind, Unit, show_quantity

UNKNOWN = "UNKNOWN"
LEVELS = {"黄": "yellow", "橙": "orange", "红": "red"}
LEVEL_RANK = {"none": 0, "yellow": 1, "orange": 2, "red": 3}
UP, DOWN = "向上", "向下"


class UnknownName(DoudiError):
    """A name that the pack does not hold."""

    code = "unknown_name"


@dataclass(frozen=True)
class Place:
    """Where a part of a pack is written: layer, file, line."""

    layer: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.layer}/{self.file}:{self.line}"

    def in_pack(self, top: str) -> tuple[str, int]:
        """File and line for a problem of the pack ``top``; a parent's file is shown as ``layer:file``."""
        return (self.file if self.layer == top else f"{self.layer}:{self.file}"), self.line


@dataclass(frozen=True)
class Document:
    """A law, notice or local paper that numbers and rules refer to by its short name."""

    name: str
    title: str
    number: str
    mark: str
    place: Place


@dataclass(frozen=True)
class ParameterValue:
    """One dated value: ``value`` is exact, in fen for money (745.00元/月 → 74500), a fraction for % and 倍."""

    parameter: str
    value: Fraction
    unit: str
    kind: Kind
    region: str
    urban_rural: str
    valid_from: date | None
    valid_to: date | None
    document: str
    clause: str
    mark: str
    place: Place

    @property
    def text(self) -> str:
        """The value as a clerk writes it: 745元, 60%, 24个月."""
        return show_quantity(self.value, self.kind, self.unit)


@dataclass(frozen=True)
class Parameter:
    """A local number: dated, by region (longest code prefix) and, where it says so, by 城乡."""

    name: str
    unit: str
    kind: Kind
    dimension: Unit
    by: tuple[str, ...]
    values: tuple[ParameterValue, ...]
    note: str
    place: Place

    def lookup(self, *, region: str, urban_rural: str, on: date) -> ParameterValue | None:
        """The value in force: among rows begun by ``on`` the longest region prefix, then the latest begin."""
        chain = self.chain(region=region, urban_rural=urban_rural, on=on)
        return chain[0] if chain else None

    def chain(self, *, region: str, urban_rural: str, on: date) -> list[ParameterValue]:
        """Every row that applies, the one in force first: the overrides a clerk may look through."""
        dimension = urban_rural if self.by else ""
        rows = [
            row
            for row in self.values
            if (row.valid_from is None or row.valid_from <= on)
            and (row.valid_to is None or on <= row.valid_to)
            and region.startswith(row.region)
            and row.urban_rural == dimension
        ]
        return sorted(rows, key=lambda row: (len(row.region), row.valid_from or date.min), reverse=True)


@dataclass(frozen=True)
class ExceptionRule:
    """A case in which another value holds, with its own clause."""

    name: str
    when: Expr
    value: Expr
    clause: str
    text: tuple[str, str]
    place: Place


@dataclass(frozen=True)
class Variable:
    """A term of the law: a value of a person or a household, its formula and the clause it follows."""

    name: str
    entity: str
    kind: Kind
    unit: str
    dimension: Unit | None
    label_en: str
    clause: str
    reason: str
    formula: str
    expr: Expr
    exceptions: tuple[ExceptionRule, ...]
    shown: Mapping[str, tuple[str, Expr]]
    met: str
    missed: str
    place: Place
    mark: str = ""
    """How sure the reading is: [verified], [recalled], [assumed], [fictitious]; its document's where it has none."""

    @property
    def label(self) -> str:
        return self.name

    def parts(self) -> Iterator[Expr]:
        yield self.expr
        for exception in self.exceptions:
            yield exception.when
            yield exception.value

    def depends_on(self) -> set[str]:
        names: set[str] = set()
        for part in self.parts():
            names |= part.variables()
        return names


@dataclass(frozen=True)
class Category:
    """One category; the first whose condition holds is the household's. ``condition`` None is the rest.

    ``cost`` is what a household of this category is paid a month, for estimates only (fen).
    """

    code: str
    name: str
    registered_as: tuple[str, ...]
    rank: int
    condition: Expr | None
    formula: str
    skip_undecided: bool
    cost: Expr | None
    clause: str
    met: str
    missed: str
    place: Place
    mark: str = ""


@dataclass(frozen=True)
class Label:
    """One kind of low-income person (标签): a person bears every label that holds and is counted under the first.

    ``condition`` is a condition on the person. The order of the labels in the pack is their precedence.
    """

    code: str
    name: str
    condition: Expr
    formula: str
    clause: str
    mark: str
    place: Place


@dataclass(frozen=True)
class Indicator:
    """A warning: raised where one of its level conditions holds; the strongest true one is its level.

    ``who`` tells the members whom it speaks about; ``value`` how much it is, of each of them, or of the household
    where nobody is named; ``feeds`` are the departments' files it is known from.
    """

    code: str
    name: str
    direction: str
    levels: Mapping[str, Expr]
    formulas: Mapping[str, str]
    raises_level: bool
    supplier: str
    needs: tuple[str, ...]
    clause: str
    sentence: str
    place: Place
    who: Expr | None = None
    value: Expr | None = None
    feeds: tuple[str, ...] = ()
    mark: str = ""

    @property
    def up(self) -> bool:
        return self.direction == UP


@dataclass(frozen=True)
class MergeRule:
    """So many codes of one colour make the household's level a higher one."""

    of: str
    count: int
    becomes: str


@dataclass(frozen=True)
class Measure:
    """What a family may get: who gives it, to whom, under which clause."""

    code: str
    name: str
    department: str
    categories: tuple[str, ...]
    indicators: tuple[str, ...]
    needs: tuple[str, ...]
    clause: str
    amount: str
    note: str
    place: Place
    mark: str = ""


@dataclass(frozen=True)
class Case:
    """A worked case: what is given, what must come out."""

    name: str
    on: date
    region: str
    urban_rural: str
    given: Mapping[str, Any]
    parameters: Mapping[str, str]
    members: tuple[Mapping[str, Any], ...] | None
    not_arrived: tuple[str, ...]
    expected: Mapping[str, Any]
    place: Place


@dataclass(frozen=True)
class Pack:
    """A policy pack, its layers already laid over one another. ``hash`` is the SHA-256 of its content."""

    name: str
    version: str
    hash: str
    regions: tuple[str, ...]
    description: str
    fictitious: bool
    layers: tuple[str, ...]
    documents: Mapping[str, Document]
    feeds: Mapping[str, Any]
    parameters: Mapping[str, Parameter]
    variables: Mapping[str, Variable]
    categories: tuple[Category, ...]
    indicators: Mapping[str, Indicator]
    merge_rules: tuple[MergeRule, ...]
    measures: Mapping[str, Measure]
    figures: Mapping[str, str]
    cases: tuple[Case, ...]
    replaced: frozenset[str] = field(default_factory=frozenset)
    labels: tuple[Label, ...] = ()

    def feeds_of(self, code: str) -> frozenset[str]:
        """The departments' files an indicator is known from: those it names, else all that its rules read."""
        indicator = self.indicators[code]
        if indicator.feeds:
            return frozenset(indicator.feeds)
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [code]
        while waiting:
            item = waiting.pop()
            if item in seen:
                continue
            seen.add(item)
            if item != code and item in self.indicators and self.indicators[item].feeds:
                found |= set(self.indicators[item].feeds)
                continue
            parts = (
                self.variables[item].parts()
                if item in self.variables
                else self.indicators[item].levels.values()
            )
            for part in parts:
                found |= part.feeds()
                waiting += part.variables()
        return frozenset(found) - {REGISTER}

    def parameter(self, name: str, *, region: str, urban_rural: str = "", on: date) -> ParameterValue | None:
        """The value of a parameter for a region code on a date; None where no row covers it."""
        if name not in self.parameters:
            raise UnknownName(f"政策包里没有参数“{name}”", f"the pack has no parameter {name!r}")
        return self.parameters[name].lookup(region=region, urban_rural=urban_rural, on=on)

    def suppliers_of(self, codes: Iterable[str]) -> set[str]:
        """The departments whose files the indicators of these codes stand on."""
        found = (self.indicators[code].supplier for code in codes if code in self.indicators)
        return {one for supplier in found for one in supplier.replace("、", "/").split("/") if one}

    def label(self, code: str) -> str:
        """The Chinese name of a category, indicator, measure or feed code."""
        if code == UNKNOWN:
            return "待核"
        for category in reversed(self.categories):
            if category.code == code:
                return category.name
        if code in self.indicators:
            return self.indicators[code].name
        if code in self.measures:
            return self.measures[code].name
        if code in self.feeds:
            return str(self.feeds[code].label)
        if code in self.variables:
            return code
        raise UnknownName(f"政策包里没有代码“{code}”", f"the pack has no code {code!r}")

    def rank_of(self, category: str) -> int:
        """Order of need of a category code; 0 for none."""
        return max((found.rank for found in self.categories if found.code == category), default=0)

    def registered_code(self, written: str) -> str:
        """The category code for what the register says; NONE for an empty cell or a name outside the order."""
        for category in self.categories:
            if written and written in category.registered_as:
                return category.code
        return "NONE"

    def dependencies(self, name: str) -> set[str]:
        """The variables that a variable, indicator or category reads directly."""
        if name in self.variables:
            return self.variables[name].depends_on()
        if name in self.indicators:
            return set().union(*(expr.variables() for expr in self.indicators[name].levels.values()))
        return set().union(
            *(c.condition.variables() for c in self.categories if c.name == name and c.condition is not None)
        )


__all__ = [
    "DOWN", "HOUSEHOLD", "LEVELS", "LEVEL_RANK", "PERSON", "UNKNOWN", "UP", "Case", "Category", "Document",
    "ExceptionRule", "Indicator", "Label", "Measure",
    "MergeRule", "Pack", "Parameter", "ParameterValue", "Place", "UnknownName", "Variable",
]  # fmt: skip
