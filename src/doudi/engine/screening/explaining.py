"""Explaining one household: the screen's own query for one key, with every value on the way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import duckdb

from doudi.engine.packs import Pack
from doudi.engine.packs.model import Category, Indicator, ParameterValue, Variable
from doudi.engine.packs.relations import parameter_table
from doudi.engine.packs.terms import HOUSEHOLD, PERSON
from doudi.engine.packs.units import Kind
from doudi.engine.screening.grounds import grounds_of, in_order
from doudi.engine.screening.running import OUT_OF_RANGE, ScreeningError, open_snapshots, prepare, too_large
from doudi.engine.screening.sentences import Words, printed
from doudi.engine.status import Status

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet

_BLOCK = 128
_BLOCKS_KEPT = 32
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
    mark: str = ""

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
            "mark": self.mark,
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

    def __init__(
        self,
        pack: Pack,
        snapshots: SnapshotSet,
        *,
        threads: int = 1,
        memory: str = "1GB",
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        """``connection``: a session in which the caller has the relations of the snapshots already."""
        self.pack = pack
        self.snapshots = snapshots
        self._connection = connection or open_snapshots(pack, snapshots, threads=threads, memory=memory)
        # a few households at a time: planning the query costs more than running it, and its written order is good
        self._connection.execute("SET disabled_optimizers = 'join_order,statistics_propagation'")
        self._prepared = prepare(self._connection, pack, snapshots)
        self.compiled = self._prepared.compiled
        table = parameter_table(self.compiled, self._prepared.pairs)
        self._connection.register("parameters_given", table)
        self._connection.execute("CREATE TABLE parameters AS SELECT * FROM parameters_given")
        self._connection.unregister("parameters_given")
        self._sql = self.compiled.sql(select="explained")
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, dict[int, dict[str, Any]]] = OrderedDict()
        self.grounds = grounds_of(pack, self.compiled.missing)
        names = [name for name, v in pack.variables.items() if v.entity == HOUSEHOLD]
        self._household_order = in_order(pack, names, self.grounds)
        used = {feed for ground in self.grounds.values() for feed in ground.missing}
        self._missing_used = {f: status for f, status in self._prepared.missing.items() if f in used}
        self._parameters: dict[tuple[str, str], dict[str, ParameterValue]] = {}

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
        row = self._block(key // _BLOCK).get(key)
        if row is None:
            raise ScreeningError(
                f"花名册里没有户键 {key}", f"the register has no household key {key}", code="no_household"
            )
        return self._told(row, row["people"])

    def tell(self, raw: dict[str, Any]) -> Explanation:
        """The explanation of a row of the query ``explained``, as the caller has run it."""
        return self._told(raw, raw["people"])

    def _block(self, number: int) -> dict[int, dict[str, Any]]:
        """The values of a run of households: the query costs a block hardly more than a single one."""
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
        bounds = {"lo": number * _BLOCK, "hi": (number + 1) * _BLOCK}
        block = {row["household_key"]: row for row in self._query(self._sql, bounds)}
        with self._lock:
            self._blocks[number] = block
            while len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return block

    def _query(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._lock:
            cursor = self._connection.cursor()
        try:
            result = cursor.execute(sql, dict(values))
            names = [column[0] for column in result.description]
            return [dict(zip(names, found, strict=True)) for found in result.fetchall()]
        except OUT_OF_RANGE as error:
            raise too_large() from error
        finally:
            cursor.close()

    def _told(self, raw: dict[str, Any], persons: list[dict[str, Any]]) -> Explanation:
        pack, on = self.pack, self.snapshots.as_of
        parameters = self._in_force(raw["region_code"], raw["urban_rural"])
        values = self._exact(raw)
        people = [self._exact(person) for person in persons]

        def why(name: str) -> str:
            return self._why(name, parameters)

        told: list[Explained] = []
        for number, found in enumerate(people, 1):
            own = _Told(self, found, Words(pack, found, parameters, why), (), number)
            told += [own.variable(pack.variables[name]) for name in self.compiled.person_columns]
        words = Words(pack, values, parameters, why)
        household = _Told(self, values, words, people, None)
        told += [household.variable(pack.variables[name]) for name in self._household_order]
        told += [household.category(c) for c in pack.categories if c.condition is not None]
        told += [household.indicator(i) for i in pack.indicators.values()]
        row = self._row(raw)
        return Explanation(
            household_no=raw["household_no"],
            household_key=raw["household_key"],
            region_code=raw["region_code"],
            as_of=on.isoformat(),
            row=row,
            variables=tuple(told),
            missing=self._missing_used,
            paragraph=words.paragraph(row, f"{on.year}年{on.month}月{on.day}日", self._missing_used),
            label=pack.label(row["category"]),
            pack=pack.name,
            pack_hash=pack.hash,
        )

    def _in_force(self, region: str, urban_rural: str) -> dict[str, ParameterValue]:
        with self._lock:
            found = self._parameters.get((region, urban_rural))
        if found is None:
            looked_up = {
                name: parameter.lookup(region=region, urban_rural=urban_rural, on=self.snapshots.as_of)
                for name, parameter in self.pack.parameters.items()
            }
            found = {name: value for name, value in looked_up.items() if value is not None}
            with self._lock:
                self._parameters[region, urban_rural] = found
        return found

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
            "monthly_cost": raw["monthly_cost"],
            "level": _LEVELS[raw["level_rank"]],
            "risk_level": _LEVELS[raw["risk_rank"]],
            "warnings": [code for code in codes if raw[code]],
            "undecided": [code for code in codes if raw[code] is None],
            **{figure: raw[variable] for figure, variable in self.pack.figures.items()},
        }

    def _why(self, name: str, parameters: Mapping[str, ParameterValue]) -> str:
        """Why a value is undecided, in words."""
        ground = self.grounds[name]
        if ground.missing:
            statuses = self._prepared.missing
            return "缺" + "、".join(
                f"{self.pack.feeds[f].label}({statuses[f].label})" for f in ground.missing
            )
        absent = [p for p in ground.all_parameters if p not in parameters]
        if absent:
            return f"参数没有值: {'、'.join(absent)}"
        return "几条例外同时成立而结果不同, 须由人判断"


class _Told:
    """Tells the values of one person (``member`` counts from 1) or of the household."""

    def __init__(
        self,
        explainer: Explainer,
        values: Mapping[str, Any],
        words: Words,
        people: Sequence[Mapping[str, Any]],
        member: int | None,
    ) -> None:
        self.explainer = explainer
        self.values = values
        self.words = words
        self.people = people
        self.member = member

    def variable(self, variable: Variable) -> Explained:
        sentence = self.words.of_variable(variable, self.values[variable.name])
        return self._explained(
            variable.name,
            clause=variable.clause,
            formula=variable.formula,
            sentence=sentence,
            place=str(variable.place),
            unit=variable.unit,
            kind=variable.kind,
            reason=variable.reason,
            mark=variable.mark,
        )

    def category(self, category: Category) -> Explained:
        name = f"类别:{category.name}"
        return self._explained(
            name,
            clause=category.clause,
            formula=category.formula,
            sentence=self.words.of_category(category, self.values[name]),
            place=str(category.place),
            mark=category.mark,
        )

    def indicator(self, indicator: Indicator) -> Explained:
        value = self.values[indicator.code]
        if value is None:
            sentence = f"{indicator.name}待核: {self.words.why_open(indicator.code)}"
        elif value:
            sentence = printed(self.words.fill(indicator.sentence)) if indicator.sentence else indicator.name
        else:
            sentence = f"没有{indicator.name}"
        return self._explained(
            indicator.code,
            clause=indicator.clause,
            formula="; ".join(f"{level}: {text}" for level, text in indicator.formulas.items()),
            sentence=sentence,
            place=str(indicator.place),
            mark=indicator.mark,
        )

    def _explained(
        self,
        name: str,
        *,
        clause: str,
        formula: str,
        sentence: str,
        place: str,
        unit: str = "",
        kind: Kind = Kind.BOOL,
        reason: str = "",
        mark: str = "",
    ) -> Explained:
        ground = self.explainer.grounds[name]
        value = self.values[name]
        parameters = self.words.parameters
        return Explained(
            name=name,
            entity=PERSON if self.member is not None else HOUSEHOLD,
            member=self.member,
            person_key=self.values.get("person_key") if self.member is not None else None,
            value=value,
            unit=unit,
            kind=kind.value,
            inputs={other: self._input(other) for other in ground.inputs},
            parameters=tuple(parameters[p] for p in ground.parameters if p in parameters),
            feeds=ground.feeds,
            clause=clause,
            reason=reason,
            formula=formula,
            sentence=sentence,
            missing=ground.missing if value is None else (),
            place=place,
            mark=mark,
        )

    def _input(self, name: str) -> Any:
        """An input by its value; a members' value by the list of theirs."""
        variable = self.explainer.pack.variables.get(name)
        kind = variable.kind.value if variable is not None else Kind.BOOL.value
        if variable is not None and variable.entity == PERSON and self.member is None:
            return [_plain(person[name], kind) for person in self.people]
        return _plain(self.values.get(name), kind)
