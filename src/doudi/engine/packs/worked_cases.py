"""Reading the worked cases that stand beside the rules, and which rules they speak about.

A case gives variables (``家庭月收入: 1490元``; ``查询失败`` is unknown), or members with their departments' rows,
and says what must come out. What a case without members does not give is unknown, never nought.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from doudi.engine.packs.changing import ParameterRefused, with_parameters
from doudi.engine.packs.model import LEVELS, UNKNOWN, Case, Pack, Place, Variable
from doudi.engine.packs.problems import Report
from doudi.engine.packs.source import Node
from doudi.engine.packs.terms import BIRTH_COLUMN, BORN, HOUSEHOLD, REGISTER
from doudi.engine.packs.units import Kind, parse_quantity

UNKNOWN_WORDS = frozenset({"待核", "查询失败", "失败", "未到", "未查", "未授权", "不知"})
_OWN_KEYS = frozenset({"名", "日", "地区", "城乡", "未到", "成员", "参数", "应为", "说明"})
_OUTCOMES = frozenset({"类别", "变动", "预警", "等级", "风险", "待定", "标签"})
_CHANGES = {"不变": "same", "上升": "up", "下降": "down", "待核": "unknown"}


def read_case(node: Node, pack: Pack, place: Place, report: Report) -> Case | None:
    """One worked case with its values converted by the type of what they stand for."""
    before = len(report.problems)
    newest = max(
        (v.valid_from for p in pack.parameters.values() for v in p.values if v.valid_from), default=None
    )
    day = node.text_of("日")
    try:
        on = date.fromisoformat(day) if day else newest or date(2024, 1, 1)
    except ValueError:
        place_of_day = (node.get("日") or node).place
        report.add(place_of_day, "dates", f"没有“{day}”这一天", f"{day!r} is not a date")
        on = date(2024, 1, 1)
    given: dict[str, Any] = {}
    for key, inner in node.items():
        if key in _OWN_KEYS:
            continue
        variable = pack.variables.get(key)
        if variable is None or variable.entity != HOUSEHOLD:
            report.add(
                inner.place,
                "name",
                f"例里的“{key}”不是家庭变量",
                f"{key!r} is not a household variable",
            )
            continue
        given[key] = _value(variable, inner, report)
    members = node.get("成员")
    rows = [_member(member, pack, report) for member in members.elements()] if members is not None else None
    absent = node.get("未到")
    not_arrived = [_feed(item, pack, report) for item in absent.elements()] if absent is not None else []
    expected: dict[str, Any] = {}
    for key, inner in (node.get("应为") or node).items():
        expected[key] = _expected(key, inner, pack, report)
    if len(report.problems) > before:
        return None
    return Case(
        name=node.text_of("名"),
        on=on,
        region=node.text_of("地区"),
        urban_rural=node.text_of("城乡"),
        given=given,
        parameters=_parameters(node.get("参数"), pack, report),
        members=tuple(rows) if rows is not None else None,
        not_arrived=tuple(name for name in not_arrived if name),
        expected=expected,
        place=place,
    )


def _value(variable: Variable, node: Node, report: Report) -> Any:
    """A typed value; None is unknown."""
    text = node.text
    if text in UNKNOWN_WORDS:
        return None
    if variable.kind is Kind.BOOL and text in ("是", "否"):
        return text == "是"
    if variable.kind is Kind.TEXT:
        return text
    if variable.kind in (Kind.MONEY, Kind.NUMBER):
        found: Fraction | None = parse_quantity(text, variable.unit)
        if found is not None:
            return found
    report.add(
        node.place,
        "number",
        f"“{text}”不是“{variable.name}”的值({variable.kind.value}{variable.unit})",
        f"{text!r} is not a value of {variable.name!r}",
    )
    return None


def _parameters(node: Node | None, pack: Pack, report: Report) -> dict[str, str]:
    """Figures of the case's own, as a handbook's example has them."""
    own: dict[str, str] = {}
    for key, inner in node.items() if node is not None else ():
        try:
            with_parameters(pack, {(key, ""): inner.text})
        except ParameterRefused as error:
            report.add(inner.place, "number", error.zh, error.en)
        own[key] = inner.text
    return own


def _feed(node: Node, pack: Pack, report: Report) -> str:
    for spec in pack.feeds.values():
        if node.text in (spec.label, spec.name) and spec.name != REGISTER:
            return str(spec.name)
    report.add(node.place, "name", f"没有叫“{node.text}”的部门数据", f"no feed is called {node.text!r}")
    return ""


def _member(node: Node, pack: Pack, report: Report) -> Mapping[str, Any]:
    """One member: register columns as text by canonical name, and each feed's rows under the feed's name."""
    register = pack.feeds[REGISTER]
    labels = {column.label: column for column in register.columns}
    member: dict[str, Any] = {}
    for key, inner in node.items():
        if key in labels:
            member[labels[key].name] = (inner.text, inner)
            continue
        if key == BORN:
            member[BIRTH_COLUMN] = (inner.text, inner)
            continue
        spec = next((spec for spec in pack.feeds.values() if spec.label == key), None)
        if spec is None:
            report.add(inner.place, "name", f"成员里没有“{key}”这一项", f"a member has no {key!r}")
            continue
        columns = {column.label: column.name for column in spec.columns}
        rows = []
        for row in inner.elements():
            for label, cell in row.items():
                if label not in columns:
                    report.add(
                        cell.place,
                        "name",
                        f"{spec.label}没有“{label}”这一列",
                        f"{spec.label} has no {label!r}",
                    )
            rows.append(
                {columns[label]: (cell.text, cell) for label, cell in row.items() if label in columns}
            )
        member[spec.name] = rows
    return member


def _expected(key: str, node: Node, pack: Pack, report: Report) -> Any:
    if key in _OUTCOMES:
        return _outcome(key, node, pack, report)
    if key in pack.indicators:
        if node.text in LEVELS:
            return LEVELS[node.text]
        if node.text in UNKNOWN_WORDS or node.text in ("是", "否"):
            return None if node.text in UNKNOWN_WORDS else node.text == "是"
        report.add(
            node.place, "number", "指标写 是、否、黄、橙、红 或 待核", "write 是, 否, a colour or 待核"
        )
        return None
    variable = pack.variables.get(key)
    if variable is None or variable.entity != HOUSEHOLD:
        report.add(node.place, "name", f"应为: “{key}”没有声明", f"{key!r} is not declared")
        return None
    return _value(variable, node, report)


def _outcome(key: str, node: Node, pack: Pack, report: Report) -> Any:
    if key == "标签":
        return _labels(node, pack, report)
    if key in ("预警", "待定"):
        codes = [item.text for item in node.elements()] if node.elements() else node.text.split()
        strange = set(codes) - set(pack.indicators)
        if strange:
            report.add(
                node.place, "name", f"没有指标 {'、'.join(sorted(strange))}", f"no indicator {strange}"
            )
        return sorted(codes)
    if key in ("等级", "风险"):
        if node.text not in (*LEVELS, "无"):
            report.add(node.place, "number", "等级写 红、橙、黄 或 无", "write 红, 橙, 黄 or 无")
        return LEVELS.get(node.text, "none")
    if key == "变动":
        if node.text not in _CHANGES:
            report.add(
                node.place, "number", "变动写 不变、上升、下降 或 待核", "write 不变, 上升, 下降 or 待核"
            )
        return _CHANGES.get(node.text, "")
    codes_known = {category.code for category in pack.categories} | {UNKNOWN}
    by_name = {category.name: category.code for category in pack.categories} | {"待核": UNKNOWN}
    if node.text not in codes_known and node.text not in by_name:
        report.add(node.place, "name", f"没有类别“{node.text}”", f"no category {node.text!r}")
    return by_name.get(node.text, node.text)


def _labels(node: Node, pack: Pack, report: Report) -> list[str]:
    """For each member in turn the labels expected, as ``DB FP``; 无 for none."""
    known = {label.code for label in pack.labels}
    found = []
    for item in node.elements() or [node]:
        codes = [code for code in item.text.replace("、", " ").split() if code != "无"]
        for strange in set(codes) - known:
            report.add(item.place, "name", f"没有标签 {strange}", f"no label {strange!r}")
        found.append(";".join(codes))
    return found


def spoken_of(case: Case, pack: Pack) -> set[str]:
    """The variables, indicators and ``类别`` whose rules a case exercises: what it expects, and what that needs."""
    wanted: list[str] = []
    seen: set[str] = set()
    for key in case.expected:
        if key in ("类别", "变动"):
            wanted += [f"类别:{category.name}" for category in pack.categories]
        elif key in ("预警", "等级", "风险", "待定"):
            wanted += list(pack.indicators)
            if key == "等级":
                seen.add("等级合并")
        elif key == "标签":
            seen |= {f"标签:{label.code}" for label in pack.labels}
            wanted += sorted(set().union(*(label.condition.variables() for label in pack.labels)))
        else:
            wanted.append(key)
    while wanted:
        name = wanted.pop()
        if name in seen or name in case.given:
            continue
        seen.add(name)
        if name.startswith("类别:"):
            wanted += pack.dependencies(name.removeprefix("类别:"))
        else:
            wanted += pack.dependencies(name)
    return seen


def check_coverage(pack: Pack, report: Report) -> None:
    """A rule no case speaks about is refused: a citation habit decays, a check does not."""
    covered: set[str] = set()
    own: set[str] = set()
    for case in pack.cases:
        spoken = spoken_of(case, pack)
        covered |= spoken
        if case.place.layer == pack.name:
            own |= spoken
    rules: list[tuple[str, Place]] = [(v.name, v.place) for v in pack.variables.values()]
    rules += [(i.code, i.place) for i in pack.indicators.values()]
    rules += [(f"标签:{label.code}", label.place) for label in pack.labels]
    for name, place in rules:
        # a rule that this layer replaces needs a case of this layer: the parent's spoke about another rule
        if name not in (own if name in pack.replaced else covered):
            report.add(
                place.in_pack(pack.name),
                "no_case",
                f"“{name}”没有任何例说到它",
                f"no worked case speaks about {name!r}",
            )
    if pack.categories and not any(name.startswith("类别:") for name in covered):
        first = pack.categories[0]
        report.add(
            first.place.in_pack(pack.name),
            "no_case",
            "没有任何例说到类别",
            "no worked case speaks about the categories",
        )
