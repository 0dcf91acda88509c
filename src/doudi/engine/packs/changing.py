"""A pack with other numbers: for a what-if over a county, and for a worked case with figures of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from doudi.engine.errors import DoudiError
from doudi.engine.packs.model import Pack, Parameter, ParameterValue
from doudi.engine.packs.units import parse_quantity

_URBAN_RURAL = ("城镇", "农村")


class ParameterRefused(DoudiError):
    """A parameter's new value cannot be used."""

    code = "parameter_refused"


def with_parameters(pack: Pack, changes: Mapping[tuple[str, str], str], *, document: str = "测算") -> Pack:
    """The pack as if the named parameters had these values on every date.

    ``changes`` maps (parameter, region code or '') to a written value; ``城镇低保标准`` names one side of a
    parameter that goes by 城乡. A region's value replaces those of the places inside it; '' replaces all.
    """
    parameters = dict(pack.parameters)
    for (written, region), text in changes.items():
        name, side = _named(parameters, written)
        parameters[name] = _changed(parameters[name], side, region, text, document)
    return replace(pack, parameters=parameters, hash=_other_hash(pack, changes))


def _named(parameters: Mapping[str, Parameter], written: str) -> tuple[str, str]:
    if written in parameters:
        return written, ""
    side, rest = written[:2], written[2:]
    if side in _URBAN_RURAL and rest in parameters and parameters[rest].by:
        return rest, side
    known = "、".join(parameters)
    raise ParameterRefused(
        f"没有参数“{written}”, 可用: {known}", f"there is no parameter {written!r}; known: {known}"
    )


def _changed(parameter: Parameter, side: str, region: str, text: str, document: str) -> Parameter:
    if region and not (region.isdigit() and len(region) in (2, 4, 6, 9, 12)):
        raise ParameterRefused(
            f"地区“{region}”应是 2、4、6、9 或 12 位行政区划代码", f"{region!r} is not a region code"
        )
    value = _quantity(text, parameter.unit)
    if value is None:
        raise ParameterRefused(
            f"“{text}”不是“{parameter.name}”的值(单位 {parameter.unit})",
            f"{text!r} is not a value of {parameter.name!r} in {parameter.unit}",
        )
    sides = (side,) if side else _URBAN_RURAL if parameter.by else ("",)
    kept = [
        row for row in parameter.values if not (row.region.startswith(region) and row.urban_rural in sides)
    ]
    added = [
        ParameterValue(
            parameter=parameter.name,
            value=value,
            unit=parameter.unit,
            kind=parameter.kind,
            region=region,
            urban_rural=one,
            valid_from=None,
            valid_to=None,
            document=document,
            clause="",
            mark="[assumed]",
            place=parameter.place,
        )
        for one in sides
    ]
    return replace(parameter, values=(*kept, *added))


def _quantity(text: str, unit: str) -> Fraction | None:
    """A written value; an officer who types a bare 800 means 800元."""
    found = parse_quantity(text, unit)
    if found is None:
        found = parse_quantity(text + ("元" if unit.startswith(("元", "分")) else unit), unit)
    return found


def written_quantity(text: str, unit: str) -> str:
    """A value as a pack writes it, with its unit; an officer who types a bare 800 means 800元."""
    if parse_quantity(text, unit) is not None and not text[-1:].isdigit():
        return text
    full = text + ("元" if unit.startswith(("元", "分")) else "个月" if unit == "月" else unit)
    if parse_quantity(full, unit) is None:
        raise ParameterRefused(f"“{text}”不是以{unit}计的值", f"{text!r} is not a value in {unit}")
    return full


def _other_hash(pack: Pack, changes: Mapping[tuple[str, str], str]) -> str:
    listed = ";".join(f"{name}@{region}={text}" for (name, region), text in sorted(changes.items()))
    return hashlib.sha256(f"{pack.hash}+{listed}".encode()).hexdigest()
