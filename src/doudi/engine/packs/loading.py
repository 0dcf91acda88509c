"""From a pack folder to a :class:`Pack`, or to the list of everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.engine.feeds.spec import load_feed_specs
from doudi.engine.packs.expressions import Checker
from doudi.engine.packs.language import FUNCTIONS, FormulaError
from doudi.engine.packs.layers import Stack, read_stack
from doudi.engine.packs.meals import check_meals
from doudi.engine.packs.model import (
    LEVELS,
    Case,
    Category,
    Document,
    ExceptionRule,
    Indicator,
    Label,
    Measure,
    MergeRule,
    Pack,
    Place,
    Variable,
)
from doudi.engine.packs.parameters import read_parameter
from doudi.engine.packs.problems import PackError, Problem, Report
from doudi.engine.packs.source import Node
from doudi.engine.packs.terms import (
    AS_OF,
    AS_OF_MONTH,
    HOUSEHOLD,
    PERSON,
    REGISTER,
    Expr,
    Known,
    Names,
)
from doudi.engine.packs.units import YUAN_PER_MONTH, Kind, kind_and_unit
from doudi.engine.packs.worked_cases import check_coverage, read_case

_PLACEHOLDER = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_FORMATS = frozenset({"元", "%", "倍", "月", "年", "人", "辆", "套", "间", "次", "数", "名"})
_COMPARATORS = {"≤": "<=", "≥": ">=", "≠": "<>", "＜": "<", "＞": ">", "＝": "="}
# column names of the compiled query that no variable may take
_RESERVED = frozenset(
    {
        "household_key", "person_key", "household_no", "region_code", "urban_rural", "category", "persons",
        "relation", "living_together", "left_on", "category_since", "is_head",
    }
)  # fmt: skip


def load_pack(folder: Path, *, roots: tuple[Path, ...] = ()) -> Pack:
    """The pack of a folder with its parent layers; raises :class:`PackError` with every problem.

    ``roots`` are further folders in which a parent pack may lie beside the pack's own neighbours.
    """
    report = Report()
    return build_pack(read_stack(folder, report, roots), report)


def build_pack(stack: Stack, report: Report) -> Pack:
    """The pack of layers that were read already; raises :class:`PackError` with every problem."""
    pack = _Loader(stack, report).build()
    report.raise_if_any()
    return pack


def check_pack(folder: Path, *, roots: tuple[Path, ...] = ()) -> list[Problem]:
    """Everything wrong with a pack folder; an empty list means it may be used."""
    try:
        load_pack(folder, roots=roots)
    except PackError as error:
        return list(error.problems)
    return check_meals(folder)


class _Loader:
    def __init__(self, stack: Stack, report: Report) -> None:
        self.stack = stack
        self.report = report
        self.documents: dict[str, Document] = {}

    def build(self) -> Pack:
        section = self.stack.maps.get
        self.documents = {name: self._document(name, node) for name, node in section("文件", {}).items()}
        feeds = self._feeds()
        parameters = {
            name: read_parameter(name, node, self.documents, self._place, self.stack.top.name, self.report)
            for name, node in section("参数", {}).items()
        }
        variable_nodes = section("变量", {})
        indicator_nodes = section("指标", {})
        known = {name: found for name, node in variable_nodes.items() if (found := self._known(name, node))}
        for code in indicator_nodes:
            known[code] = Known(HOUSEHOLD, Kind.BOOL, None)
        for name in parameters:
            if name in known:
                self.report.add(
                    variable_nodes[name].place,
                    "duplicate",
                    f"“{name}”既是参数又是变量",
                    f"{name!r} is both a parameter and a variable",
                )
        names = Names(feeds, known, {p.name: Known("", p.kind, p.dimension) for p in parameters.values()})
        self.checker = Checker(names)
        self.names = names
        self.report.raise_if_any()
        variables = {
            name: variable
            for name, node in variable_nodes.items()
            if (variable := self._variable(name, node, known[name])) is not None
        }
        indicators = {
            code: indicator
            for code, node in indicator_nodes.items()
            if (indicator := self._indicator(code, node)) is not None
        }
        categories = self._categories()
        labels = self._labels()
        self._circles(variables, indicators)
        header = self.stack.top.header
        regions = header.get("地区")
        pack = Pack(
            name=self.stack.top.name,
            version=self.stack.top.version,
            hash=self.stack.hash(self.report),
            regions=tuple(regions.plain())
            if regions and regions.elements()
            else _maybe(header.text_of("地区")),
            description=header.text_of("说明"),
            fictitious=header.text_of("虚构") == "是",
            layers=tuple(layer.name for layer in self.stack.layers),
            documents=self.documents,
            feeds=feeds,
            parameters=parameters,
            variables=variables,
            categories=categories,
            indicators=indicators,
            merge_rules=tuple(
                MergeRule(LEVELS[n.text_of("凡")], int(n.text_of("满")), LEVELS[n.text_of("升为")])
                for n in self.stack.merge_rules
            ),
            measures=self._measures(categories, indicators),
            figures=self._figures(),
            cases=(),
            replaced=frozenset(self.stack.replaced),
            labels=labels,
        )
        self.report.raise_if_any()
        cases: list[Case] = []
        for node in self.stack.cases:
            case = read_case(node, pack, self._place(node), self.report)
            if case is not None:
                cases.append(case)
        object.__setattr__(pack, "cases", tuple(cases))
        check_coverage(pack, self.report)
        return pack

    def _place(self, node: Node) -> Place:
        file = node.file.split(":", 1)[-1]
        return Place(self.stack.layer_of(node), file, node.line)

    def _feeds(self) -> dict[str, Any]:
        feeds: dict[str, Any] = {}
        for layer in self.stack.layers:
            folder = layer.folder / "feeds"
            if not folder.is_dir():
                continue
            try:
                feeds.update(load_feed_specs(folder))
            except DoudiError as error:
                self.report.add(("feeds", 1), "feed", error.zh, error.en)
        if REGISTER not in feeds:
            self.report.add(
                self.stack.top.header.place,
                "feed",
                "没有声明花名册 household_register",
                "the feed household_register is not declared",
            )
        return feeds

    def _document(self, name: str, node: Node) -> Document:
        return Document(
            name, node.text_of("全称"), node.text_of("文号"), node.text_of("标"), self._place(node)
        )

    def _known(self, name: str, node: Node) -> Known | None:
        reserved = _RESERVED | {AS_OF, AS_OF_MONTH} | FUNCTIONS
        if name in reserved or name.casefold() in _RESERVED:
            self.report.add(node.place, "name", f"“{name}”是保留的名称", f"{name!r} is a reserved name")
            return None
        for key in ("对象", "类型", "公式"):
            if node.get(key) is None:
                self.report.add(
                    node.place, "structure", f"变量“{name}”缺少“{key}”", f"{name!r} lacks {key!r}"
                )
                return None
        kind = {"金额": Kind.MONEY, "整数": Kind.NUMBER, "是否": Kind.BOOL, "文本": Kind.TEXT}[
            node.text_of("类型")
        ]
        unit_node = node.get("单位")
        unit = unit_node.text if unit_node is not None else ""
        place = (unit_node or node).place
        if kind in (Kind.BOOL, Kind.TEXT):
            if unit:
                self.report.add(
                    place,
                    "unit",
                    f"“{name}”是{kind.value}, 不能有单位“{unit}”",
                    f"{name!r} cannot have a unit",
                )
            return Known(node.text_of("对象"), kind, None)
        found = kind_and_unit(unit)
        if found is None or found[0] is not kind:
            self.report.add(
                place,
                "unit",
                f"“{name}”的单位“{unit}”不合它的类型{kind.value}",
                f"the unit {unit!r} of {name!r} does not fit its type",
            )
            return None
        return Known(node.text_of("对象"), kind, found[1])

    def _read(self, node: Node, entity: str, comparator: str | None = None) -> Expr | None:
        try:
            return self.checker.read(node.text, entity=entity, comparator=comparator)
        except FormulaError as error:
            self.report.add(node.place, error.code, error.zh, error.en)
            return None

    def _clause(self, node: Node, what: str) -> str:
        clause = node.get("依据")
        if clause is None or not clause.text:
            self.report.add(node.place, "no_clause", f"{what}没有写“依据”", f"{what} cites no clause (依据)")
            return ""
        if not any(clause.text == name or clause.text.startswith(name + " ") for name in self.documents):
            self.report.add(
                clause.place,
                "no_document",
                f"依据“{clause.text}”的文件没有声明; 写成“文件简称 第几条”, 简称列在“文件”里",
                f"the clause {clause.text!r} names no declared document",
            )
        return clause.text

    def _variable(self, name: str, node: Node, known: Known) -> Variable | None:
        formula = node.get("公式")
        assert formula is not None
        sign = node.get("比较")
        comparator = _COMPARATORS.get(sign.text, sign.text) if sign is not None else None
        expr = self._read(formula, known.entity, comparator)
        clause = self._clause(node, f"变量“{name}”")
        if expr is None:
            return None
        self._fits(expr, known, formula, name)
        exceptions = self._exceptions(node, known, name)
        shown: dict[str, tuple[str, Expr]] = {}
        for key, inner in (node.get("另示") or Node({}, node.file, node.line)).items():
            found = self._read(inner, known.entity)
            if found is not None:
                shown[key] = (inner.text, found)
        for key in ("满足句", "不满足句"):
            self._sentence(node.get(key), known.entity, shown)
        return Variable(
            name=name,
            entity=known.entity,
            kind=known.kind,
            unit=node.text_of("单位"),
            dimension=known.unit,
            label_en=node.text_of("英文"),
            clause=clause,
            reason=node.text_of("理由"),
            formula=formula.text,
            expr=expr,
            exceptions=exceptions,
            shown=shown,
            met=node.text_of("满足句"),
            missed=node.text_of("不满足句"),
            place=self._place(node),
            mark=self._mark(node, clause),
        )

    def _mark(self, node: Node, clause: str) -> str:
        """The rule's own mark (标), or that of the document it rests on."""
        document = self.documents.get(clause.split(" ")[0]) if clause else None
        return node.text_of("标") or (document.mark if document is not None else "")

    def _fits(self, expr: Expr, known: Known, node: Node, name: str) -> None:
        zero = expr.op == "lit" and expr.data == 0
        if expr.kind is not known.kind and not (zero and known.kind is Kind.MONEY):
            self.report.add(
                node.place,
                "kind",
                f"“{name}”声明为{known.kind.value}, 公式得出的是{expr.kind.value}",
                f"{name!r} is declared {known.kind.name}, its formula gives {expr.kind.name}",
            )
        elif known.unit is not None and expr.unit is not None and expr.unit != known.unit:
            # a pure number may be declared 人, 辆 …: those are counts without a dimension
            self.report.add(
                node.place,
                "unit",
                f"“{name}”声明的单位是 {known.unit}, 公式得出的是 {expr.unit}",
                f"{name!r} is declared in {known.unit}, its formula gives {expr.unit}",
            )

    def _exceptions(self, node: Node, known: Known, name: str) -> tuple[ExceptionRule, ...]:
        rows = node.get("例外")
        found: list[ExceptionRule] = []
        for row in rows.elements() if rows is not None else ():
            when_node, value_node = row.get("当"), row.get("为")
            assert when_node is not None and value_node is not None
            when, value = self._read(when_node, known.entity), self._read(value_node, known.entity)
            clause = self._clause(row, f"“{name}”的例外")
            if when is None or value is None:
                continue
            if when.kind is not Kind.BOOL:
                self.report.add(when_node.place, "kind", "“当”后面应是条件", "当 takes a condition")
                continue
            self._fits(value, known, value_node, name)
            for other in found:
                if other.when == when and other.value != value:
                    self.report.add(
                        row.place,
                        "exceptions_disagree",
                        f"“{name}”的例外“{row.text_of('名')}”与“{other.name}”条件相同而结果不同",
                        f"two exceptions of {name!r} have one condition and different results",
                    )
            text = (when_node.text, value_node.text)
            found.append(ExceptionRule(row.text_of("名"), when, value, clause, text, self._place(row)))
        return tuple(found)

    def _sentence(self, node: Node | None, entity: str, shown: Mapping[str, Any]) -> None:
        if node is None:
            return
        rest = _PLACEHOLDER.sub("", node.text)
        if "{" in rest or "}" in rest:
            self.report.add(
                node.place, "sentence", "句子里的花括号不成对", "a brace in the sentence is not closed"
            )
        for name, form in _PLACEHOLDER.findall(node.text):
            known = self.names.variables.get(name) or self.names.parameters.get(name)
            kind = shown[name][1].kind if name in shown else known.kind if known is not None else None
            if kind is None or (known is not None and known.entity not in ("", entity)):
                self.report.add(
                    node.place,
                    "name",
                    f"句子里的“{name}”没有声明, 或不是{entity}的变量",
                    f"the name {name!r} in the sentence is not declared for this entity",
                )
            elif form and form not in _FORMATS:
                self.report.add(node.place, "unit", f"句子里不认识的单位“{form}”", f"unknown format {form!r}")
            elif (form == "元") != (kind is Kind.MONEY) and form:
                self.report.add(
                    node.place, "unit", f"“{name}”不是{form}", f"{name!r} cannot be shown as {form!r}"
                )

    def _indicator(self, code: str, node: Node) -> Indicator | None:
        body = node.get("等级")
        raising = node.get("加级")
        for key in ("名", "方向"):
            if node.get(key) is None:
                self.report.add(node.place, "structure", f"指标 {code} 缺少“{key}”", f"{code} lacks {key!r}")
        if (body is None) == (raising is None):
            self.report.add(
                node.place,
                "structure",
                f"指标 {code} 要写“等级”或“加级”之一",
                f"{code} needs either 等级 or 加级",
            )
            return None
        written = {LEVELS[key]: inner for key, inner in body.items()} if body is not None else {}
        if raising is not None:
            written = {"raise": raising}
        levels: dict[str, Expr] = {}
        for level, inner in written.items():
            found = self._read(inner, HOUSEHOLD)
            if found is not None and found.kind is not Kind.BOOL:
                self.report.add(inner.place, "kind", "等级后面应是条件", "a level takes a condition")
            elif found is not None:
                levels[level] = found
        clause = self._clause(node, f"指标 {code} ")
        who, value = self._who_and_value(node)
        self._sentence(node.get("句"), HOUSEHOLD, {})
        needs = node.get("需求")
        return Indicator(
            code=code,
            name=node.text_of("名"),
            direction=node.text_of("方向"),
            levels=levels,
            formulas={level: inner.text for level, inner in written.items()},
            raises_level=raising is not None,
            supplier=node.text_of("来源"),
            needs=tuple(needs.plain()) if needs is not None else (),
            clause=clause,
            sentence=node.text_of("句"),
            place=self._place(node),
            who=who,
            value=value,
            feeds=self._sources(node),
            mark=self._mark(node, clause),
        )

    def _who_and_value(self, node: Node) -> tuple[Expr | None, Expr | None]:
        """Whom an indicator speaks about (人) and how much it is (值)."""
        who_node, value_node = node.get("人"), node.get("值")
        who = self._read(who_node, PERSON) if who_node is not None else None
        entity = HOUSEHOLD if who_node is None else PERSON
        value = self._read(value_node, entity) if value_node is not None else None
        if who_node is not None and who is not None and who.kind is not Kind.BOOL:
            self.report.add(who_node.place, "kind", "“人”后面应是条件", "人 takes a condition on a member")
        if value_node is not None and value is not None and value.kind not in (Kind.MONEY, Kind.NUMBER):
            self.report.add(value_node.place, "kind", "“值”应是金额或数", "值 takes a sum or a number")
        return who, value

    def _sources(self, node: Node) -> tuple[str, ...]:
        """The feeds an indicator is known from (数据), by their Chinese names."""
        listed = node.get("数据")
        names = []
        for item in listed.elements() if listed is not None else ():
            spec = self.names.feed_by_label(item.text)
            if spec is None:
                self.report.add(
                    item.place, "name", f"没有叫“{item.text}”的部门数据", f"no feed {item.text!r}"
                )
            else:
                names.append(str(spec.name))
        return tuple(names)

    def _categories(self) -> tuple[Category, ...]:
        found: list[Category] = []
        settled: Category | None = None
        for name, node in self.stack.categories.items():
            condition = node.get("条件")
            expr = self._read(condition, HOUSEHOLD) if condition is not None else None
            clause = self._clause(node, f"类别“{name}”")
            if expr is not None and expr.kind is not Kind.BOOL:
                assert condition is not None
                self.report.add(condition.place, "kind", "类别的条件应是是否", "a category takes a condition")
            twin = next((c for c in found if expr is not None and c.condition == expr), None)
            never = expr is not None and expr.op == "lit" and expr.data is False
            if settled is not None or twin is not None or never:
                other = settled or twin
                self.report.add(
                    node.place,
                    "unreachable",
                    f"类别“{name}”永远轮不到" + (f"(前面已有“{other.name}”)" if other else ""),
                    f"the category {name!r} can never be reached",
                )
            for key in ("满足句", "不满足句"):
                self._sentence(node.get(key), HOUSEHOLD, {})
            cost = self._cost(node.get("月支出"))
            registered = node.get("登记名")
            category = Category(
                code=node.text_of("代码"),
                name=name,
                registered_as=tuple(registered.plain()) if registered is not None else (),
                rank=int(node.text_of("次序", "0")),
                condition=expr,
                formula=condition.text if condition is not None else "其余",
                skip_undecided=node.text_of("未定时") == "跳过",
                cost=cost,
                clause=clause,
                met=node.text_of("满足句"),
                missed=node.text_of("不满足句"),
                place=self._place(node),
                mark=self._mark(node, clause),
            )
            found.append(category)
            if condition is None or (expr is not None and expr.op == "lit" and expr.data is True):
                settled = category
        if found and settled is None:
            self.report.add(
                found[-1].place.in_pack(self.stack.top.name),
                "structure",
                "最后一个类别不写“条件”, 收下其余的户",
                "the last category has no condition and takes the rest",
            )
        return tuple(found)

    def _labels(self) -> tuple[Label, ...]:
        """The labels of low-income persons in their order of precedence (标签)."""
        found = []
        for code, node in self.stack.maps.get("标签", {}).items():
            condition = node.get("条件")
            if condition is None:
                continue
            expr = self._read(condition, PERSON)
            clause = self._clause(node, f"标签 {code} ")
            if expr is not None and expr.kind is not Kind.BOOL:
                self.report.add(condition.place, "kind", "标签的条件应是是否", "a label takes a condition")
            elif expr is not None:
                found.append(
                    Label(
                        code=code,
                        name=node.text_of("名"),
                        condition=expr,
                        formula=condition.text,
                        clause=clause,
                        mark=self._mark(node, clause),
                        place=self._place(node),
                    )
                )
        return tuple(found)

    def _cost(self, node: Node | None) -> Expr | None:
        if node is None:
            return None
        cost = self._read(node, HOUSEHOLD)
        if cost is not None and (cost.kind is not Kind.MONEY or cost.unit not in (None, YUAN_PER_MONTH)):
            self.report.add(node.place, "unit", "月支出应是 元/月 的金额", "月支出 must be a sum in 元/月")
        return cost

    def _measures(
        self, categories: tuple[Category, ...], indicators: Mapping[str, Indicator]
    ) -> dict[str, Measure]:
        measures: dict[str, Measure] = {}
        codes = {category.code for category in categories}
        for code, node in self.stack.maps.get("措施", {}).items():
            lists: dict[str, tuple[str, ...]] = {}
            for key in ("类别", "预警", "需求"):
                listed = node.get(key)
                lists[key] = tuple(listed.plain()) if listed is not None else ()
            for key, known in (("类别", codes), ("预警", set(indicators))):
                for strange in set(lists[key]) - known:
                    self.report.add(
                        node.place,
                        "name",
                        f"措施 {code} 的{key}“{strange}”没有声明",
                        f"{strange!r} is not declared",
                    )
            clause = self._clause(node, f"措施 {code} ")
            measures[code] = Measure(
                code=code,
                name=node.text_of("名"),
                department=node.text_of("部门"),
                categories=lists["类别"],
                indicators=lists["预警"],
                needs=lists["需求"],
                clause=clause,
                amount=node.text_of("金额"),
                note=node.text_of("说明"),
                place=self._place(node),
                mark=self._mark(node, clause),
            )
        return measures

    def _figures(self) -> dict[str, str]:
        figures: dict[str, str] = {}
        for figure, node in self.stack.maps.get("输出", {}).items():
            known = self.names.variables.get(node.text)
            if known is None or known.entity != HOUSEHOLD or known.kind not in (Kind.MONEY, Kind.NUMBER):
                self.report.add(
                    node.place,
                    "name",
                    f"输出 {figure}: “{node.text}”不是家庭的金额或整数变量",
                    f"{figure}: {node.text!r} is not a household's sum or number",
                )
            else:
                figures[figure] = node.text
        return figures

    def _circles(self, variables: Mapping[str, Variable], indicators: Mapping[str, Indicator]) -> None:
        state: dict[str, int] = {}

        def needs(name: str) -> set[str]:
            if name in variables:
                found = variables[name].depends_on()
                for _, expr in variables[name].shown.values():
                    found |= expr.variables()
                return found
            if name in indicators:
                return set().union(set(), *(expr.variables() for expr in indicators[name].levels.values()))
            return set()

        def visit(name: str, path: list[str]) -> None:
            if state.get(name) == 2:
                return
            if state.get(name) == 1:
                circle = [*path[path.index(name) :], name]
                place = variables[name].place if name in variables else indicators[name].place
                self.report.add(
                    place.in_pack(self.stack.top.name),
                    "circle",
                    f"互相引用成圈: {' → '.join(circle)}",
                    f"the formulas form a circle: {' → '.join(circle)}",
                )
                return
            state[name] = 1
            for other in sorted(needs(name)):
                visit(other, [*path, name])
            state[name] = 2

        for name in (*variables, *indicators):
            visit(name, [])


def _maybe(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


__all__ = ["check_pack", "load_pack"]
