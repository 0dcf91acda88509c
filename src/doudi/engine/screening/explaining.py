"""Explaining one household: the screen's own query for one key, with every value on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import duckdb

from doudi.engine.packs import Pack
from doudi.engine.packs.expressions import HOUSEHOLD, PERSON, REGISTER, Expr
from doudi.engine.packs.model import Indicator, ParameterValue, Variable
from doudi.engine.packs.relations import parameter_table
from doudi.engine.packs.units import Kind
from doudi.engine.screening.running import OUT_OF_RANGE, ScreeningError, open_snapshots, prepare
from doudi.engine.screening.sentences import Words
from doudi.engine.status import Status

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet

_LEVELS = ("none", "yellow", "orange", "red")


@dataclass(frozen=True)
class Explained:
    """One value on the way to a household's category, with what it rests on."""

    name: str
    entity: str
    member: int | None
    """Which member of the household (1, 2, … by person key); None for the household's own values."""
    person_key: int | None
    value: Any
    """Exact: fen for money, a fraction or whole number, True/False, text; None is 待核."""
    unit: str
    kind: str
    inputs: Mapping[str, Any]
    parameters: tuple[ParameterValue, ...]
    feeds: tuple[str, ...]
    clause: str
    reason: str
    formula: str
    sentence: str
    missing: tuple[str, ...]
    place: str

    def to_json(self) -> dict[str, Any]:
        parameters = [parameter_json(value) for value in self.parameters]
        return {
            "name": self.name,
            "entity": "person" if self.entity == PERSON else "household",
            "member": self.member,
            "person_key": self.person_key,
            "value": _plain(self.value, self.kind),
            "unit": self.unit,
            "inputs": dict(self.inputs),
            "parameter": parameters[0] if parameters else None,
            "parameters": parameters,
            "feeds": list(self.feeds),
            "clause": self.clause,
            "reason": self.reason,
            "formula": self.formula,
            "sentence": self.sentence,
            "status": "待核" if self.value is None else "已知",
            "missing": list(self.missing),
            "place": self.place,
        }


@dataclass(frozen=True)
class Explanation:
    """Why a household is what it is on a date."""

    household_no: str
    household_key: int
    region_code: str
    as_of: str
    row: Mapping[str, Any]
    variables: tuple[Explained, ...]
    missing: Mapping[str, Status]
    paragraph: str
    label: str
    pack: str
    pack_hash: str

    @property
    def category(self) -> str:
        return str(self.row["category"])

    @property
    def missing_feeds(self) -> tuple[str, ...]:
        return tuple(self.missing)

    def to_json(self) -> dict[str, Any]:
        row = self.row
        return {
            "household_no": self.household_no,
            "as_of": self.as_of,
            "region_code": self.region_code,
            "category": row["category"],
            "category_label": self.label,
            "register_category": row["register_category"],
            "change": row["change"],
            "level": row["level"],
            "risk_level": row["risk_level"],
            "warnings": list(row["warnings"]),
            "undecided": list(row["undecided"]),
            "missing": {feed: str(status) for feed, status in self.missing.items()},
            "variables": [variable.to_json() for variable in self.variables],
            "sentence": self.paragraph,
            "pack": self.pack,
            "pack_hash": self.pack_hash,
        }


def parameter_json(value: ParameterValue) -> dict[str, Any]:
    return {
        "name": value.parameter,
        "value": value.text,
        "region": value.region,
        "urban_rural": value.urban_rural,
        "valid_from": value.valid_from.isoformat() if value.valid_from else "",
        "document": value.document,
        "clause": value.clause,
        "mark": value.mark,
    }


def _plain(value: Any, kind: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    exact = Fraction(value)
    if kind == Kind.MONEY.value:
        exact /= 100
        cents = exact * 100
        if cents.denominator == 1:
            sign = "-" if cents < 0 else ""
            return f"{sign}{abs(int(cents)) // 100}.{abs(int(cents)) % 100:02d}"
        return f"{float(exact):.4f}"
    return int(exact) if exact.denominator == 1 else f"{float(exact):.6g}"


class Explainer:
    """Explains households of one date; keeps its session open, so that one answer takes milliseconds.

    Safe to share between threads; ``close`` it when the snapshots are no longer wanted.
    """

    def __init__(self, pack: Pack, snapshots: SnapshotSet, *, threads: int = 1, memory: str = "1GB") -> None:
        self.pack = pack
        self.snapshots = snapshots
        self._connection = open_snapshots(pack, snapshots, threads=threads, memory=memory)
        self._prepared = prepare(self._connection, pack, snapshots)
        self.compiled = self._prepared.compiled
        table = parameter_table(self.compiled, self._prepared.pairs)
        self._connection.register("parameters_given", table)
        self._connection.execute("CREATE TABLE parameters AS SELECT * FROM parameters_given")
        self._connection.unregister("parameters_given")
        self._sql = self.compiled.sql(select="explained")
        self._lock = threading.Lock()
        self._missing_of = _missing_of(pack, self.compiled.missing)

    def close(self) -> None:
        self._connection.close()

    def key_of(self, household_no: str, region: str = "") -> int:
        """The key of a household by its number (and, where two regions share one, the region's code)."""
        rows = self._query(
            "SELECT household_key, region_code FROM households WHERE household_no = $no"
            " AND starts_with(region_code, $region) LIMIT 2",
            {"no": household_no, "region": region},
        )
        if not rows:
            raise ScreeningError(
                f"花名册里没有户编号 {household_no}",
                f"the register has no household {household_no}",
                code="no_household",
            )
        if len(rows) > 1:
            raise ScreeningError(
                f"户编号 {household_no} 在几个地区都有, 请加行政区划代码",
                f"the household number {household_no} stands in several regions: give the region",
                code="ambiguous_household",
            )
        return int(rows[0]["household_key"])

    def explain(self, household_no: str, *, region: str = "") -> Explanation:
        """Every value on the way to a household's category and warnings, and the paragraph in Chinese."""
        return self.explain_key(self.key_of(household_no, region))

    def explain_key(self, key: int) -> Explanation:
        """The same by household key."""
        rows = self._query(self._sql, {"lo": key, "hi": key + 1})
        if not rows:
            raise ScreeningError(
                f"花名册里没有户键 {key}", f"the register has no household key {key}", code="no_household"
            )
        return self._told(rows[0], rows[0].pop("people"))

    def _query(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._lock:
            cursor = self._connection.cursor()
        try:
            result = cursor.execute(sql, dict(values))
            names = [column[0] for column in result.description]
            return [dict(zip(names, found, strict=True)) for found in result.fetchall()]
        except OUT_OF_RANGE as error:
            raise ScreeningError(
                "金额太大算不下: 请核对数据里的异常大数",
                "a sum does not fit 64 bits: look for absurd amounts",
                code="out_of_range",
            ) from error
        finally:
            cursor.close()

    def _told(self, raw: dict[str, Any], persons: list[dict[str, Any]]) -> Explanation:
        pack, on = self.pack, self.snapshots.as_of
        region, urban_rural = raw["region_code"], raw["urban_rural"]
        parameters = {
            name: value
            for name, parameter in pack.parameters.items()
            if (value := parameter.lookup(region=region, urban_rural=urban_rural, on=on)) is not None
        }
        values = self._exact(raw)
        row = self._row(raw)
        names = [n for n, v in pack.variables.items() if v.entity == HOUSEHOLD]
        why = {name: self._why(name, parameters) for name in (*names, *pack.indicators)}
        words = Words(pack, values, parameters, why)
        people = [self._exact(person) for person in persons]
        told: list[Explained] = []
        for number, (person, found) in enumerate(zip(persons, people, strict=True), 1):
            own = Words(
                pack, found, parameters, {n: self._why(n, parameters) for n in self.compiled.person_columns}
            )
            for name in self.compiled.person_columns:
                variable = pack.variables[name]
                told.append(
                    self._variable(
                        variable, found, own, parameters, people=(), member=(number, person["person_key"])
                    )
                )
        for name in self._ordered(names):
            told.append(self._variable(pack.variables[name], values, words, parameters, people, member=None))
        for category in pack.categories:
            if category.condition is not None:
                told.append(self._category_value(category, values, words, parameters))
        for indicator in pack.indicators.values():
            told.append(self._indicator(indicator, raw, values, words, parameters, people))
        used = {feed: status for feed, status in self._prepared.missing.items() if feed in self._used_feeds()}
        return Explanation(
            household_no=raw["household_no"],
            household_key=raw["household_key"],
            region_code=region,
            as_of=on.isoformat(),
            row=row,
            variables=tuple(told),
            missing=used,
            paragraph=words.paragraph(row, f"{on.year}年{on.month}月{on.day}日", used),
            label=pack.label(row["category"]),
            pack=pack.name,
            pack_hash=pack.hash,
        )

    def _used_feeds(self) -> set[str]:
        return set().union(*self._missing_of.values())

    def _exact(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in raw.items():
            den = self.compiled.denominators.get(name, 1)
            if den != 1 and isinstance(value, int) and not isinstance(value, bool):
                exact = Fraction(value, den)
                values[name] = int(exact) if exact.denominator == 1 else exact
            else:
                values[name] = value
        return values

    def _row(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        codes = sorted(self.pack.indicators)
        return {
            "household_no": raw["household_no"],
            "household_key": raw["household_key"],
            "persons": raw["persons"],
            "register_category": raw["category"],
            "category": raw["found"],
            "change": raw["change"],
            "level": _LEVELS[raw["level_rank"]],
            "risk_level": _LEVELS[raw["risk_rank"]],
            "warnings": [code for code in codes if raw[code]],
            "undecided": [code for code in codes if raw[code] is None],
            **{figure: raw[variable] for figure, variable in self.pack.figures.items()},
        }

    def _ordered(self, names: Iterable[str]) -> list[str]:
        done: dict[str, None] = {}

        def visit(name: str) -> None:
            if name not in done:
                for other in sorted(self.pack.dependencies(name) & set(self.pack.variables)):
                    visit(other)
                done[name] = None

        for name in names:
            visit(name)
        return [name for name in done if self.pack.variables[name].entity == HOUSEHOLD]

    def _why(self, name: str, parameters: Mapping[str, ParameterValue]) -> str:
        feeds = self._missing_of.get(name, frozenset())
        if feeds:
            statuses = self._prepared.missing
            said = (f"{self.pack.feeds[f].label}({statuses[f].label})" for f in sorted(feeds))
            return "缺" + "、".join(said)
        absent = [p for p in self._parameters_of(name) if p not in parameters]
        if absent:
            return f"参数没有值: {'、'.join(sorted(absent))}"
        return "几条例外同时成立而结果不同, 须由人判断"

    def _parameters_of(self, name: str) -> set[str]:
        if name in self.pack.variables:
            found = set().union(*(part.parameters() for part in self.pack.variables[name].parts()))
        elif name in self.pack.indicators:
            found = set().union(*(part.parameters() for part in self.pack.indicators[name].levels.values()))
        else:
            found = set()
        for other in self.pack.dependencies(name) if found is not None else ():
            found |= self._parameters_of(other)
        return found

    def _variable(
        self,
        variable: Variable,
        values: Mapping[str, Any],
        words: Words,
        parameters: Mapping[str, ParameterValue],
        people: Iterable[Mapping[str, Any]],
        member: tuple[int, int] | None,
    ) -> Explained:
        value = values[variable.name]
        parts = list(variable.parts())
        return Explained(
            name=variable.name,
            entity=variable.entity,
            member=member[0] if member else None,
            person_key=member[1] if member else None,
            value=value,
            unit=variable.unit,
            kind=variable.kind.value,
            inputs=self._inputs(parts, values, people),
            parameters=self._values_of(parts, parameters),
            feeds=tuple(sorted(set().union(*(part.feeds() for part in parts)) | _reads_register(parts))),
            clause=variable.clause,
            reason=variable.reason,
            formula=variable.formula,
            sentence=words.of_variable(variable, value),
            missing=tuple(sorted(self._missing_of.get(variable.name, ()))) if value is None else (),
            place=str(variable.place),
        )

    def _category_value(
        self, category: Any, values: Mapping[str, Any], words: Words, parameters: Mapping[str, ParameterValue]
    ) -> Explained:
        name = f"类别:{category.name}"
        parts = [category.condition]
        inputs = category.condition.variables()
        missing = set().union(set(), *(self._missing_of.get(n, frozenset()) for n in inputs))
        return Explained(
            name=name,
            entity=HOUSEHOLD,
            member=None,
            person_key=None,
            value=values[name],
            unit="",
            kind=Kind.BOOL.value,
            inputs=self._inputs(parts, values, ()),
            parameters=self._values_of(parts, parameters),
            feeds=(),
            clause=category.clause,
            reason="",
            formula=category.formula,
            sentence=words.of_category(category, values[name]),
            missing=tuple(sorted(missing)) if values[name] is None else (),
            place=str(category.place),
        )

    def _indicator(
        self,
        indicator: Indicator,
        raw: Mapping[str, Any],
        values: Mapping[str, Any],
        words: Words,
        parameters: Mapping[str, ParameterValue],
        people: Iterable[Mapping[str, Any]],
    ) -> Explained:
        value = raw[indicator.code]
        parts = list(indicator.levels.values())
        if value is None:
            sentence = f"{indicator.name}待核: {self._why(indicator.code, parameters)}"
        elif value:
            sentence = words.fill(indicator.sentence) if indicator.sentence else indicator.name
        else:
            sentence = f"没有{indicator.name}"
        return Explained(
            name=indicator.code,
            entity=HOUSEHOLD,
            member=None,
            person_key=None,
            value=value,
            unit="",
            kind=Kind.BOOL.value,
            inputs=self._inputs(parts, values, people),
            parameters=self._values_of(parts, parameters),
            feeds=tuple(sorted(set().union(*(part.feeds() for part in parts)))),
            clause=indicator.clause,
            reason="",
            formula="; ".join(f"{level}: {text}" for level, text in indicator.formulas.items()),
            sentence=sentence,
            missing=tuple(sorted(self._missing_of.get(indicator.code, ()))) if value is None else (),
            place=str(indicator.place),
        )

    def _inputs(
        self, parts: Iterable[Expr], values: Mapping[str, Any], people: Iterable[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """What a value is made of: household inputs by value, members' by the list of theirs."""
        inputs: dict[str, Any] = {}
        members = list(people)
        for name in sorted(set().union(*(part.variables() for part in parts))):
            variable = self.pack.variables.get(name)
            kind = variable.kind.value if variable is not None else Kind.BOOL.value
            if variable is not None and variable.entity == PERSON and members:
                inputs[name] = [_plain(person[name], kind) for person in members]
            else:
                inputs[name] = _plain(values.get(name), kind)
        return inputs

    def _values_of(
        self, parts: Iterable[Expr], parameters: Mapping[str, ParameterValue]
    ) -> tuple[ParameterValue, ...]:
        named = sorted(set().union(*(part.parameters() for part in parts)))
        return tuple(parameters[name] for name in named if name in parameters)


def _reads_register(parts: Iterable[Expr]) -> set[str]:
    return {REGISTER} if any(node.op in ("self", "head") for part in parts for node in part.walk()) else set()


def _missing_of(pack: Pack, missing: frozenset[str]) -> dict[str, frozenset[str]]:
    """For each variable and indicator the missing feeds it needs, directly or through others."""
    found: dict[str, frozenset[str]] = {}

    def feeds(name: str) -> frozenset[str]:
        if name not in found:
            variable = pack.variables.get(name)
            parts = list(variable.parts() if variable else pack.indicators[name].levels.values())
            own = frozenset().union(*(part.feeds() for part in parts)) & missing
            found[name] = own.union(*(feeds(other) for other in pack.dependencies(name)))
        return found[name]

    for name in (*pack.variables, *pack.indicators):
        feeds(name)
    return found
