"""From values to words: a rule's sentence filled in, and the paragraph a clerk reads to the family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from doudi.engine.packs.model import UNKNOWN, Category, Pack, ParameterValue, Variable
from doudi.engine.packs.terms import Expr
from doudi.engine.packs.units import Kind, show_money, show_quantity
from doudi.engine.status import Status

_PLACEHOLDER = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_CHANGES = {
    "same": "与登记一致",
    "up": "困难程度高于登记",
    "down": "困难程度低于登记",
    "unknown": "与登记是否一致待核",
}
_COLOURS = {"red": "红", "orange": "橙", "yellow": "黄", "none": "无"}


_PRINTED = (
    (re.compile(r",\s+|(?<!\d),"), "，"),
    (re.compile(r";\s*"), "；"),
    (re.compile(r":\s+|(?<!\d):"), "："),
    (re.compile(r"\(([^()]*)\)"), r"（\1）"),
)


def printed(text: str) -> str:
    """A sentence with the signs of Chinese print; the loader folds what a pack's author typed to half width."""
    for sign, full in _PRINTED:
        text = sign.sub(full, text)
    return text


class Words:
    """The words of one household on one date.

    ``values`` holds variables, indicators and shown amounts (``变量:另示``) as exact values, None undecided;
    ``parameters`` the values in force; ``why_open`` the reason that a name is undecided, in words.
    """

    def __init__(
        self,
        pack: Pack,
        values: Mapping[str, Any],
        parameters: Mapping[str, ParameterValue],
        why_open: Callable[[str], str],
    ) -> None:
        self.pack = pack
        self.values = values
        self.parameters = parameters
        self.why_open = why_open

    def fill(self, template: str, owner: str = "") -> str:
        """A sentence with its placeholders filled."""
        return _PLACEHOLDER.sub(lambda match: self._filled(match[1], match[2] or "", owner), template)

    def _filled(self, name: str, form: str, owner: str) -> str:
        parameter = self.parameters.get(name)
        if parameter is not None:
            return parameter.text
        key = f"{owner}:{name}" if f"{owner}:{name}" in self.values else name
        value = self.values.get(key)
        if value is None:
            return "(待核)"
        if isinstance(value, bool):
            return "是" if value else "否"
        if isinstance(value, str):
            return value
        if form == "元":
            return show_money(value) + "元"
        return show_quantity(Fraction(value), Kind.NUMBER, "" if form in ("数", "名") else form)

    def of_variable(self, variable: Variable, value: Any) -> str:
        """What one variable's value says, in a sentence."""
        return printed(self._of_variable(variable, value))

    def _of_variable(self, variable: Variable, value: Any) -> str:
        if value is None:
            return f"{variable.name}待核: {self.why_open(variable.name)}"
        if variable.kind is Kind.BOOL:
            template = variable.met if value else variable.missed
            return (
                self.fill(template, variable.name)
                if template
                else f"{variable.name}: {'是' if value else '否'}"
            )
        if variable.kind is Kind.TEXT:
            return f"{variable.name}: {value or '空'}"
        return f"{variable.name}{show_quantity(Fraction(value), variable.kind, variable.unit)}"

    def of_category(self, category: Category, value: bool | None) -> str:
        """Why a category holds, fails or cannot be told: the parts that settle it."""
        return printed(self._of_category(category, value))

    def _of_category(self, category: Category, value: bool | None) -> str:
        own = category.met if value else category.missed
        if own and value is not None:
            return self.fill(own)
        assert category.condition is not None
        parts = [(v, self.values[v.name]) for v in self._leaves(category.condition)]
        telling = [(v, found) for v, found in parts if found is value] or parts
        said = "; ".join(self.of_variable(v, found) for v, found in telling)
        verdict = {True: "符合", False: "不符合", None: "能否算"}[value]
        ending = f"{verdict}{category.name}" + ("待核" if value is None else "")
        return f"{said}, {ending}" if said else ending

    def _leaves(self, condition: Expr) -> list[Variable]:
        """The household conditions joined by 且, opened where a variable is only their sum and says nothing."""
        if condition.op == "and":
            return [leaf for part in condition.args for leaf in self._leaves(part)]
        if condition.op == "var" and condition.data in self.pack.variables:
            variable = self.pack.variables[condition.data]
            if not variable.met and not variable.exceptions and variable.expr.op == "and":
                return self._leaves(variable.expr)
            return [variable]
        return [
            self.pack.variables[name] for name in sorted(condition.variables()) if name in self.pack.variables
        ]

    def paragraph(self, row: Mapping[str, Any], on: str, missing: Mapping[str, Status]) -> str:
        """One paragraph: who is counted, which line was met or missed by how much, what follows, what is missing."""
        counted = self.values.get(self.pack.figures.get("counted_persons", ""))
        people = "计入家庭人口待核" if counted is None else f"计入家庭人口{counted}人"
        said = [f"截至{on}, {row['household_no']}户登记{row['persons']}人, {people}"]
        said += self._reasons()
        registered = row["register_category"] or "无类别"
        if row["category"] == UNKNOWN:
            said.append(f"现有数据定不了类别, 结论为待核; 花名册登记为{registered}")
        else:
            label = self.pack.label(row["category"])
            said.append(f"筛查结论为{label}; 花名册登记为{registered}, {_CHANGES[row['change']]}")
        said += self._warnings(row)
        if missing:
            listed = "、".join(f"{self.pack.feeds[f].label}({status.label})" for f, status in missing.items())
            said.append(f"尚缺数据: {listed}, 用到的结论为待核, 不当作没有")
        said.append("筛查结果只是线索, 由工作人员入户核实后决定")
        return printed("。".join(said) + "。")

    def _reasons(self) -> list[str]:
        said: list[str] = []
        for category in self.pack.categories:
            if category.condition is None:
                break
            value = self.values[f"类别:{category.name}"]
            skipped = value is None and category.skip_undecided
            if value is False and category.rank in (0, self._highest()):
                # a household that is not 特困 and has members counted needs no sentence about it
                continue
            if not skipped:
                said.append(self.of_category(category, value))
            if value is True or (value is None and not skipped):
                break
        return said

    def _highest(self) -> int:
        return max((category.rank for category in self.pack.categories), default=0)

    def _warnings(self, row: Mapping[str, Any]) -> list[str]:
        said = []
        for title, up, level in (("预警", True, row["level"]), ("疑似不符", False, row["risk_level"])):
            codes = [c for c in row["warnings"] if self.pack.indicators[c].up is up]
            if codes:
                words = "; ".join(self._warning(code) for code in codes)
                said.append(f"{title}({_COLOURS[level]}): {words}")
        if row["undecided"]:
            listed = "、".join(f"{code}{self.pack.indicators[code].name}" for code in row["undecided"])
            said.append(f"待核的预警: {listed}")
        return said

    def _warning(self, code: str) -> str:
        indicator = self.pack.indicators[code]
        return f"{code}{indicator.name}" + (
            f", {self.fill(indicator.sentence)}" if indicator.sentence else ""
        )
