"""Running a pack's worked cases through the very query that screens the county.

Cases of one shape (date, given variables, missing feeds) share one run: each case is one household of a small
made-up county. The report says which case failed and how, and which conditions no case ever turned true or
false.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from doudi.engine.feeds.spec import ColumnSpec
from doudi.engine.packs.changing import with_parameters
from doudi.engine.packs.compiling import CompiledPack, Given, compile_pack
from doudi.engine.packs.loading import load_pack
from doudi.engine.packs.model import Case, Pack
from doudi.engine.packs.problems import PackError, Problem
from doudi.engine.packs.relations import ARROW_TYPES, given_table, parameter_table, unknown_parameters
from doudi.engine.packs.source import Node
from doudi.engine.packs.terms import BIRTH_COLUMN, BORN, HOUSEHOLD, PERSON, REGISTER
from doudi.engine.packs.units import Kind, parse_quantity, show_quantity
from doudi.engine.packs.worked_cases import spoken_of


@dataclass(frozen=True)
class Failure:
    """A case that came out otherwise than it says."""

    case: str
    place: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.place} 例“{self.case}”: {self.what} 应为 {self.expected}, 得 {self.found}"


@dataclass
class CaseReport:
    """What ``pack test`` answers: cases run, failures, and conditions that were only ever one way."""

    pack: str
    cases: int = 0
    failures: list[Failure] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    never_true: list[str] = field(default_factory=list)
    never_false: list[str] = field(default_factory=list)
    conditions: int = 0

    @property
    def passed(self) -> bool:
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        return {
            "pack": self.pack,
            "cases": self.cases,
            "failures": [
                {"case": f.case, "place": f.place, "what": f.what, "expected": f.expected, "found": f.found}
                for f in self.failures
            ],
            "superseded": self.superseded,
            "conditions": self.conditions,
            "never_true": self.never_true,
            "never_false": self.never_false,
        }

    def __str__(self) -> str:
        lines = [f"{self.pack}: {self.cases} 个例, {len(self.failures)} 个不符"]
        lines += [str(failure) for failure in self.failures]
        if self.superseded:
            lines.append(f"上级的例因本级改动不再适用: {'、'.join(self.superseded)}")
        both = self.conditions - len(set(self.never_true) | set(self.never_false))
        lines.append(f"条件 {self.conditions} 条, 正反两面都试过 {both} 条")
        if self.never_true:
            lines.append(f"从未成立: {'、'.join(self.never_true)}")
        if self.never_false:
            lines.append(f"从未不成立: {'、'.join(self.never_false)}")
        return "\n".join(lines)


def test_pack(folder: Path, *, roots: tuple[Path, ...] = ()) -> CaseReport:
    """Run every worked case of a pack folder; raises :class:`PackError` where the pack cannot be loaded."""
    return run_cases(load_pack(folder, roots=roots))


test_pack.__test__ = False  # type: ignore[attr-defined]  # pytest must not take it for a test


def run_cases(pack: Pack) -> CaseReport:
    """Run the cases of a loaded pack.

    A parent's case is left out as superseded where it speaks about something that the top layer replaces.
    """
    report = CaseReport(pack.name)
    conditions = _conditions(pack)
    report.conditions = len(conditions)
    seen: dict[str, set[bool]] = defaultdict(set)
    groups: dict[Any, list[Case]] = defaultdict(list)
    for case in pack.cases:
        if case.place.layer != pack.name and _touched(case, pack):
            report.superseded.append(case.name)
        else:
            groups[_shape(case)].append(case)
    for cases in groups.values():
        report.cases += len(cases)
        _run_group(pack, cases, report, conditions, seen)
    report.never_true = [name for name in conditions if True not in seen[name]]
    report.never_false = [name for name in conditions if False not in seen[name]]
    return report


def _conditions(pack: Pack) -> list[str]:
    found = [name for name, variable in pack.variables.items() if variable.kind is Kind.BOOL]
    found += list(pack.indicators)
    found += [f"类别:{c.name}" for c in pack.categories if c.condition is not None]
    return found


def _touched(case: Case, pack: Pack) -> bool:
    spoken = spoken_of(case, pack)
    names = {name.removeprefix("类别:") for name in spoken}
    for name in spoken & set(pack.variables):
        for part in pack.variables[name].parts():
            names |= part.parameters()
    return any(_replaced_for(name, case, pack) for name in names & pack.replaced)


def _replaced_for(name: str, case: Case, pack: Pack) -> bool:
    """Whether what the top layer says of ``name`` holds for this case: a number of another region does not."""
    parameter = pack.parameters.get(name)
    if parameter is None:
        return True
    if any(own.endswith(name) for own in case.parameters):
        return False
    sides = (case.urban_rural,) if case.urban_rural else ("城镇", "农村")
    values = (parameter.lookup(region=case.region, urban_rural=side, on=case.on) for side in sides)
    return any(value is not None and value.place.layer == pack.name for value in values)


def _shape(case: Case) -> Any:
    unknown = tuple(sorted(name for name, value in case.given.items() if value is None))
    own = tuple(sorted(case.parameters.items()))
    return case.on, tuple(sorted(case.given)), unknown, case.not_arrived, case.members is None, own


def _run_group(
    pack: Pack, cases: list[Case], report: CaseReport, conditions: list[str], seen: dict[str, set[bool]]
) -> None:
    first = cases[0]
    pack = with_parameters(pack, {(name, ""): text for name, text in first.parameters.items()}, document="例")
    pairs = {(case.region, case.urban_rural or "城镇") for case in cases}
    given = {}
    for name in first.given:
        values = [case.given[name] for case in cases]
        den = lcm(1, *(Fraction(v).denominator for v in values if isinstance(v, Fraction)))
        given[name] = Given(den, any(value is None for value in values))
    compiled = compile_pack(
        pack,
        first.not_arrived,
        on=first.on,
        given=given,
        unknown_parameters=unknown_parameters(pack, pairs, first.on),
        without_members=first.members is None,
    )
    with duckdb.connect(config={"threads": 1}) as connection:
        register_cases(connection, compiled, cases)
        keys = {"lo": 0, "hi": len(cases)}
        rows = connection.sql(compiled.sql(select="trace"), params=keys).to_arrow_table().to_pylist()
        persons, labelled = [], []
        if first.members is not None:
            found = connection.sql(compiled.sql(select="persons"), params=keys)
            persons = found.to_arrow_table().to_pylist()
            labelled = connection.sql(compiled.sql(select="labels"), params=keys).to_arrow_table().to_pylist()
    results = _results(compiled, rows)
    people: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for person in persons:
        people[person["household_key"]].append(person)
    labels = {person["person_key"]: person["labels"] for person in labelled}
    for key, result in enumerate(results):
        result["标签"] = [labels.get(person["person_key"], "") for person in people[key]]
    for key, case in enumerate(cases):
        _judge(case, results[key], report)
        spoken = spoken_of(case, pack)
        for condition in conditions:
            if condition not in spoken:
                continue
            for row in people[key] if _of_person(pack, condition) else [rows[key]]:
                if row.get(condition) is not None:
                    seen[condition].add(bool(row[condition]))


def _of_person(pack: Pack, name: str) -> bool:
    return name in pack.variables and pack.variables[name].entity == PERSON


def _results(compiled: CompiledPack, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pack = compiled.pack
    ranks = ("none", "yellow", "orange", "red")
    results = []
    for row in rows:
        found: dict[str, Any] = {
            "类别": row["found"],
            "变动": row["change"],
            "预警": sorted(code for code in pack.indicators if row[code]),
            "待定": sorted(code for code in pack.indicators if row[code] is None),
            "等级": ranks[row["level_rank"]],
            "风险": ranks[row["risk_rank"]],
        }
        for name, variable in pack.variables.items():
            if variable.entity == HOUSEHOLD:
                value = row[name]
                numeric = variable.kind in (Kind.MONEY, Kind.NUMBER) and value is not None
                found[name] = Fraction(value, compiled.denominators[name]) if numeric else value
        for code in pack.indicators:
            found[code] = row[code] if not row[code] else ranks[row[f"{code}:级"]]
        results.append(found)
    return results


def _judge(case: Case, found: Mapping[str, Any], report: CaseReport) -> None:
    for key, expected in case.expected.items():
        value = found[key]
        if expected is True and isinstance(value, str):
            continue
        if value != expected:
            report.failures.append(Failure(case.name, str(case.place), key, _say(expected), _say(value)))


def _say(value: Any) -> str:
    if value is None:
        return "待核"
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, Fraction):
        return show_quantity(value, Kind.NUMBER, "")
    if isinstance(value, list):
        return "、".join(value) or "无"
    return str(value)


def register_cases(connection: duckdb.DuckDBPyConnection, compiled: CompiledPack, cases: list[Case]) -> None:
    """Lay a group of cases out as the relations of a small county, household keys in the order of the cases."""
    pack = compiled.pack
    heads: list[dict[str, Any]] = []
    members: list[dict[str, Any]] = []
    feeds: dict[str, list[dict[str, Any]]] = {name: [] for name in pack.feeds if name != REGISTER}
    persons = 0
    for key, case in enumerate(cases):
        rows = [_member_row(member, pack, case) for member in case.members or ()]
        head = next((i for i, row in enumerate(rows) if row["relation"] == "户主"), 0)
        category = str(rows[head]["category"]) if rows else ""
        heads.append(
            {
                "household_key": key,
                "household_no": case.name,
                "region_code": case.region,
                "urban_rural": case.urban_rural or "城镇",
                "category": category,
                "persons": len(rows),
            }
        )
        for i, (row, member) in enumerate(zip(rows, case.members or (), strict=True)):
            members.append({**row, "household_key": key, "person_key": persons, "is_head": i == head})
            for name, spec_rows in member.items():
                if name in feeds:
                    feeds[name] += [
                        {**_cells(cells, pack, name, case), "household_key": key, "person_key": persons}
                        for cells in spec_rows
                    ]
            persons += 1
    _register(connection, "households", heads, _HOUSEHOLDS)
    _register(connection, "members", members, _MEMBERS)
    for name, feed_rows in feeds.items():
        schema = {"household_key": pa.int64(), "person_key": pa.int64()}
        for column in pack.feeds[name].columns:
            if column.type in ARROW_TYPES:
                schema[column.name] = ARROW_TYPES[column.type]
        _register(connection, f"feed_{name}", feed_rows, schema)
    pairs = {(row["region_code"], row["urban_rural"]) for row in heads}
    connection.register("parameters", parameter_table(compiled, pairs))
    given = {key: case.given for key, case in enumerate(cases)}
    if cases[0].given:
        connection.register("given", given_table(compiled, given, cases[0].given))


_HOUSEHOLDS = {
    "household_key": pa.int64(), "household_no": pa.string(), "region_code": pa.string(),
    "urban_rural": pa.string(), "category": pa.string(), "persons": pa.int32(),
}  # fmt: skip
_MEMBERS = {
    "household_key": pa.int64(), "person_key": pa.int64(), "relation": pa.string(), "living_together": pa.bool_(),
    "left_on": pa.date32(), "category": pa.string(), "category_since": pa.date32(), "urban_rural": pa.string(),
    "region_code": pa.string(), "is_head": pa.bool_(), BIRTH_COLUMN: pa.date32(),
}  # fmt: skip


def _register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    rows: list[dict[str, Any]],
    schema: dict[str, pa.DataType],
) -> None:
    columns = {column: pa.array([row.get(column) for row in rows], kind) for column, kind in schema.items()}
    connection.register(name, pa.table(columns))


def _member_row(member: Mapping[str, Any], pack: Pack, case: Case) -> dict[str, Any]:
    written = {name: cell for name, cell in member.items() if isinstance(cell, tuple)}
    birth = written.pop(BIRTH_COLUMN, None)
    row = _cells(written, pack, REGISTER, case)
    if birth is not None:
        text, node = birth
        row[BIRTH_COLUMN] = _cell(ColumnSpec(BIRTH_COLUMN, BORN, "date"), text, node, case)
    row.setdefault("relation", "其他")
    row.setdefault("living_together", True)
    row.setdefault("category", "")
    row["category"] = row["category"] or ""
    row["urban_rural"], row["region_code"] = case.urban_rural or "城镇", case.region
    return row


def _cells(written: Mapping[str, tuple[str, Node]], pack: Pack, feed: str, case: Case) -> dict[str, Any]:
    columns = {column.name: column for column in pack.feeds[feed].columns}
    return {name: _cell(columns[name], text, node, case) for name, (text, node) in written.items()}


def _cell(column: Any, text: str, node: Node, case: Case) -> Any:
    """One cell of a case's row, by its column's type; an empty text is an empty cell."""
    if text == "":
        return None
    found: Any = None
    if column.type == "money":
        found = parse_quantity(text, "元")
        found = None if found is None else int(found)
    elif column.type == "date":
        found = _date(text)
    elif column.type == "month":
        month = _date(text + "-01")
        found = None if month is None else month.year * 12 + month.month - 1
    elif column.type == "bool":
        found = {"是": True, "否": False}.get(text)
    elif column.type in ("int", "decimal"):
        quantity = parse_quantity(text, "" if column.type == "int" else "倍")
        found = None if quantity is None else int(quantity) if column.type == "int" else str(quantity)
    elif column.type in ARROW_TYPES and (not column.codes or text in column.codes):
        found = text
    if found is None:
        raise PackError(
            [
                Problem(
                    node.file,
                    node.line,
                    "case",
                    f"例“{case.name}”里 {column.label} 的值“{text}”不对",
                    f"{text!r} is not a value of {column.label!r}",
                )
            ]
        )
    return found


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
