"""The small relations a compiled pack reads beside the snapshots: parameters of each region, what a case gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

import pyarrow as pa

from doudi.engine.packs.compiling import CompiledPack
from doudi.engine.packs.dates import months_before
from doudi.engine.packs.model import Pack, ParameterValue
from doudi.engine.packs.units import Kind

ARROW_TYPES = {
    "money": pa.int64(), "month": pa.int32(), "int": pa.int64(), "date": pa.date32(), "bool": pa.bool_(),
    "decimal": pa.decimal128(18, 4), "code": pa.string(), "text": pa.string(), "region": pa.string(),
}  # fmt: skip
"""Types of the columns of a resolved feed; identifying columns are not in it."""

KIND_TYPES = {
    Kind.MONEY: pa.int64(), Kind.NUMBER: pa.int64(), Kind.MONTH: pa.int64(), Kind.BOOL: pa.bool_(),
    Kind.TEXT: pa.string(), Kind.DATE: pa.date32(),
}  # fmt: skip


def unknown_parameters(pack: Pack, pairs: Iterable[tuple[str, str]], on: date) -> frozenset[str]:
    """The parameters without a value for some of the (region_code, urban_rural) pairs on a date."""
    listed = list(pairs)
    return frozenset(
        parameter.name
        for parameter in pack.parameters.values()
        if any(parameter.lookup(region=r, urban_rural=u, on=on) is None for r, u in listed)
    )


def parameter_table(compiled: CompiledPack, pairs: Iterable[tuple[str, str]]) -> pa.Table:
    """The relation ``parameters``: one row per (region_code, urban_rural) with every parameter's whole number.

    A column ``name:界`` holds the day that many months before the screen's date.
    """
    listed = sorted(set(pairs))
    columns: dict[str, pa.Array] = {
        "region_code": pa.array([region for region, _ in listed], pa.string()),
        "urban_rural": pa.array([urban_rural for _, urban_rural in listed], pa.string()),
    }
    for column, den in compiled.parameter_columns.items():
        parameter = compiled.pack.parameters[column.removesuffix(":界")]
        found = [parameter.lookup(region=r, urban_rural=u, on=compiled.on) for r, u in listed]
        if den:
            columns[column] = pa.array([_whole(value, den) for value in found], pa.int64())
        else:
            cuts = [None if v is None else months_before(compiled.on, int(v.value)) for v in found]
            columns[column] = pa.array(cuts, pa.date32())
    return pa.table(columns)


def _whole(value: ParameterValue | None, den: int) -> int | None:
    return None if value is None else int(value.value * den)


def given_table(
    compiled: CompiledPack, rows: Mapping[int, Mapping[str, Any]], names: Iterable[str]
) -> pa.Table:
    """The relation ``given``: for each case's household the variables it states, scaled as the query wants."""
    keys = sorted(rows)
    columns: dict[str, pa.Array] = {"household_key": pa.array(keys, pa.int64())}
    for name in names:
        variable = compiled.pack.variables[name]
        den = compiled.denominators[name]
        values = [rows[key].get(name) for key in keys]
        if variable.kind in (Kind.MONEY, Kind.NUMBER):
            values = [None if value is None else int(Fraction(value) * den) for value in values]
        columns[name] = pa.array(values, KIND_TYPES[variable.kind])
    return pa.table(columns)
