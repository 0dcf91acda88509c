"""Reading a parameter's dated, regional values: each with its document, without gap, overlap or double."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

from doudi.engine.packs.model import Document, Parameter, ParameterValue, Place
from doudi.engine.packs.problems import Report
from doudi.engine.packs.source import Node
from doudi.engine.packs.units import PURE, Kind, kind_and_unit, parse_quantity


def read_parameter(
    name: str,
    node: Node,
    documents: Mapping[str, Document],
    place_of: Callable[[Node], Place],
    top: str,
    report: Report,
) -> Parameter:
    """One parameter with its values; what is wrong with it goes to the report."""
    unit_node = node.get("单位")
    unit = unit_node.text if unit_node is not None else ""
    found = kind_and_unit(unit)
    if unit_node is None or found is None:
        report.add(
            (unit_node or node).place,
            "unit",
            f"参数“{name}”的单位“{unit}”不认识(可用 元/月、元/年、元、%、倍、月、人 等)",
            f"the unit {unit!r} of the parameter {name!r} is not known",
        )
        found = (Kind.NUMBER, PURE)
    kind, dimension = found
    by_node = node.get("按")
    by = tuple(by_node.plain()) if by_node is not None else ()
    for axis in by:
        if axis != "城乡":
            report.add(
                (by_node or node).place,
                "dimension",
                f"参数“{name}”按“{axis}”分, 没有这个维度(可用 城乡)",
                f"{axis!r} is not a dimension (城乡 is)",
            )
    rows = node.get("值")
    values = []
    for row in rows.elements() if rows is not None else ():
        value = _read_value(name, unit, kind, by, row, documents, place_of, report)
        if value is not None:
            values.append(value)
    _check_dates(name, values, top, report)
    return Parameter(name, unit, kind, dimension, by, tuple(values), node.text_of("说明"), place_of(node))


def _read_value(
    name: str,
    unit: str,
    kind: Kind,
    by: tuple[str, ...],
    row: Node,
    documents: Mapping[str, Document],
    place_of: Callable[[Node], Place],
    report: Report,
) -> ParameterValue | None:
    written = row.text_of("为")
    value: Fraction | None = parse_quantity(written, unit)
    if value is None:
        report.add(
            row.place,
            "number",
            f"“{name}”的值“{written}”应带单位, 如 745.00元、60%、1.5倍、24个月",
            f"the value {written!r} of {name!r} is not a quantity in {unit}",
        )
    document = row.get("文件")
    if document is None:
        report.add(
            row.place,
            "no_document",
            f"“{name}”的值 {written} 没有写“文件”",
            f"a value of {name!r} cites no document",
        )
    elif document.text not in documents:
        report.add(
            document.place,
            "no_document",
            f"文件“{document.text}”没有在“文件”里声明",
            f"the document {document.text!r} is not declared",
        )
    urban_rural = row.text_of("城乡")
    if bool(by) != bool(urban_rural):
        zh = f"“{name}”按城乡分, 每个值要写“城乡”" if by else f"“{name}”不按城乡分, 值里不要写“城乡”"
        report.add(row.place, "dimension", zh, f"城乡 does not fit the dimensions of {name!r}")
    begin, begin_ok = _date(row.get("自"), report)
    end, end_ok = _date(row.get("止"), report)
    if not (begin_ok and end_ok) or value is None:
        return None
    if begin is not None and end is not None and end < begin:
        report.add(row.place, "dates", "“止”早于“自”", "the value ends before it begins")
        return None
    return ParameterValue(
        parameter=name,
        value=value,
        unit=unit,
        kind=kind,
        region=row.text_of("地区"),
        urban_rural=urban_rural,
        valid_from=begin,
        valid_to=end,
        document=document.text if document is not None else "",
        clause=row.text_of("条"),
        mark=row.text_of("标"),
        place=place_of(row),
    )


def _date(node: Node | None, report: Report) -> tuple[date | None, bool]:
    if node is None or node.text in ("", "始终"):
        return None, True
    try:
        return date.fromisoformat(node.text), True
    except ValueError:
        report.add(node.place, "dates", f"没有“{node.text}”这一天", f"{node.text!r} is not a date")
        return None, False


def _check_dates(name: str, values: list[ParameterValue], top: str, report: Report) -> None:
    groups: dict[tuple[str, str], list[ParameterValue]] = {}
    for value in values:
        groups.setdefault((value.region, value.urban_rural), []).append(value)
    for (region, _), rows in groups.items():
        rows.sort(key=lambda row: row.valid_from or date.min)
        where = region or "全国"
        for earlier, later in pairwise(rows):
            place = later.place.in_pack(top)
            if earlier.valid_from == later.valid_from:
                report.add(
                    place,
                    "duplicate",
                    f"“{name}” {where} 同一天起有两个值",
                    f"two values of {name!r} for {where} begin on one day",
                )
            elif earlier.valid_to is not None and later.valid_from is not None:
                if earlier.valid_to >= later.valid_from:
                    report.add(
                        place,
                        "dates",
                        f"“{name}” {where} 的日期重叠",
                        f"dates of {name!r} for {where} overlap",
                    )
                elif earlier.valid_to + timedelta(days=1) < later.valid_from:
                    report.add(
                        place,
                        "dates",
                        f"“{name}” {where} 在 {earlier.valid_to} 与 {later.valid_from} 之间没有值",
                        f"{name!r} has no value for {where} between {earlier.valid_to} and {later.valid_from}",
                    )
