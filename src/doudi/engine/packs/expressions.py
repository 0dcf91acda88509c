"""The meaning of a formula: names found, kinds and units agreed, aggregates told apart by what they run over.

``Checker.read`` turns the syntax tree into an :class:`~doudi.engine.packs.terms.Expr`, the one form that the compiler knows. A feed row's
empty cell is ordinary SQL NULL (a condition on it does not hold); a value that was never asked for is unknown
and spreads, which is the compiler's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlglot import exp

from doudi.engine.packs.language import FormulaError, read_formula
from doudi.engine.packs.terms import (
    AGE,
    AS_OF,
    AS_OF_MONTH,
    BORN,
    HOUSEHOLD,
    PERSON,
    REGISTER,
    Agg,
    ColumnLike,
    Expr,
    Known,
    Names,
)
from doudi.engine.packs.units import PURE, YUAN_PER_MONTH, YUAN_PER_YEAR, Kind, Unit, parse_quantity

_COLUMN_KINDS = {
    "money": Kind.MONEY, "date": Kind.DATE, "month": Kind.MONTH, "bool": Kind.BOOL, "int": Kind.NUMBER,
    "decimal": Kind.NUMBER, "code": Kind.TEXT, "text": Kind.TEXT, "region": Kind.TEXT,
}  # fmt: skip


@dataclass(frozen=True)
class _Scope:
    entity: str
    feed: Any = None


_COMPARE: dict[type[exp.Expression], str] = {
    exp.EQ: "eq", exp.NEQ: "neq", exp.LT: "lt", exp.LTE: "lte", exp.GT: "gt", exp.GTE: "gte",
}  # fmt: skip
COMPARATORS = {"<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE, "=": exp.EQ, "<>": exp.NEQ}


class Checker:
    """Reads formulas against one pack's names; every refusal is a :class:`FormulaError`."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._functions: dict[str, Callable[[list[exp.Expression], _Scope], Expr]] = {
            "合计": self._sum, "最大": self._max, "计数": self._count, "去重计数": self._distinct, "有": self._any,
            "最新": self._latest, "同月": self._same_month, "任一成员": self._any_member,
            "成员合计": self._member_sum, "成员最大": self._member_max, "成员计数": self._member_count,
            "本人": self._self, "户主": self._head, "近月": self._window, "整除": self._floor_div,
            "年化": self._annual, "若空": self._if_empty, "取大": self._greatest, "取小": self._least,
            "元": self._money,
        }  # fmt: skip

    def read(self, text: str, *, entity: str, comparator: str | None = None) -> Expr:
        """The checked expression of a formula of ``entity``; ``comparator`` replaces its one comparison sign."""
        tree = read_formula(text)
        if comparator is not None:
            tree = _with_comparator(tree, comparator)
        return self._expr(tree, _Scope(entity))

    def _expr(self, node: exp.Expression, scope: _Scope) -> Expr:
        if isinstance(node, exp.Paren):
            return self._expr(node.this, scope)
        if isinstance(node, exp.Literal):
            return _literal(node)
        if isinstance(node, exp.Boolean):
            return Expr("lit", kind=Kind.BOOL, data=bool(node.this))
        if isinstance(node, exp.Column):
            return self._name(node, scope)
        if isinstance(node, exp.And | exp.Or):
            op = "and" if isinstance(node, exp.And) else "or"
            return _logic(op, [self._bool(node.this, scope), self._bool(node.expression, scope)])
        if isinstance(node, exp.Not):
            inner = self._bool(node.this, scope)
            return Expr("not", (inner,), Kind.BOOL, nullable=inner.nullable)
        if type(node) in _COMPARE:
            return self._compare(_COMPARE[type(node)], node.this, node.expression, scope)
        if isinstance(node, exp.Between):
            return _logic(
                "and",
                [
                    self._compare("gte", node.this, node.args["low"], scope),
                    self._compare("lte", node.this, node.args["high"], scope),
                ],
            )
        if isinstance(node, exp.Add | exp.Sub):
            return self._sum_of("add" if isinstance(node, exp.Add) else "sub", node, scope)
        if isinstance(node, exp.Mul):
            return self._product(node, scope)
        if isinstance(node, exp.Neg):
            inner = self._number(node.this, scope)
            return replace(inner, op="neg", args=(inner,), data=None)
        if isinstance(node, exp.In):
            return self._in(node, scope)
        if isinstance(node, exp.Is):
            if not isinstance(node.expression, exp.Null):
                raise FormulaError("formula", "只能写“为空”或“不为空”", "only IS NULL and IS NOT NULL")
            if scope.feed is None:
                raise FormulaError(
                    "unknown_is_not_no",
                    "“为空”只能用于部门数据的单元格; 变量没有“空”, 只有待核",
                    "IS NULL is for a feed's cell; a variable is never empty, only undecided",
                )
            return Expr("isnull", (self._expr(node.this, scope),), Kind.BOOL)
        if isinstance(node, exp.Case):
            return self._case(node, scope)
        if isinstance(node, exp.Greatest | exp.Least):
            parts = [node.this, *node.expressions]
            return self._extreme("greatest" if isinstance(node, exp.Greatest) else "least", parts, scope)
        if isinstance(node, exp.Anonymous):
            return self._functions[str(node.this)](list(node.expressions), scope)
        raise FormulaError("not_allowed", "这种写法不允许", f"{type(node).__name__} is not allowed here")

    def _name(self, node: exp.Column, scope: _Scope) -> Expr:
        name, table = node.name, node.table
        if table:
            spec = self.names.feed_by_label(table)
            if spec is None:
                raise FormulaError("name", f"没有叫“{table}”的部门数据", f"no feed is called {table!r}")
            if scope.feed is None or scope.feed.name != spec.name:
                raise FormulaError(
                    "scope",
                    f"“{table}.{name}”一户有多行, 要放进 合计、最大、计数、有 等函数里",
                    f"{table}.{name} has many rows: put it inside an aggregate over that feed",
                )
            return self._column(spec, name)
        if name == AS_OF:
            return Expr("asof", kind=Kind.DATE)
        if name == AS_OF_MONTH:
            return Expr("asofmonth", kind=Kind.MONTH)
        column = _column_of(scope.feed, name)
        variable, parameter = self.names.variables.get(name), self.names.parameters.get(name)
        if column is not None:
            if variable is not None or parameter is not None:
                raise FormulaError(
                    "ambiguous",
                    f"“{name}”既是{scope.feed.label if scope.feed else ''}的列, 又是变量或参数, 请写全名",
                    f"{name!r} is a column and a variable or parameter: write the full name",
                )
            return self._column(scope.feed, name)
        if variable is not None:
            return self._variable(name, variable, scope)
        if parameter is not None:
            return Expr("param", (), parameter.kind, parameter.unit, name)
        if name in (BORN, AGE):
            return self._birth(name, scope)
        raise FormulaError("name", f"没有声明“{name}”", f"the name {name!r} is not declared")

    def _variable(self, name: str, known: Known, scope: _Scope) -> Expr:
        if scope.feed is not None and not (scope.entity == HOUSEHOLD and known.entity == PERSON):
            raise FormulaError(
                "scope",
                f"逐行条件里不能用变量“{name}”; 家庭公式里只可用人员变量限定成员",
                f"{name!r} cannot stand in a row condition; only a household formula may narrow by a person's variable",
            )
        if known.entity != scope.entity and scope.feed is None:
            raise FormulaError(
                "scope",
                f"“{name}”是{known.entity}变量, 不能直接用在{scope.entity}公式里"
                + ("; 请用 任一成员、成员合计 等" if scope.entity == HOUSEHOLD else ""),
                f"{name!r} belongs to another entity than this formula",
            )
        return Expr("var", (), known.kind, known.unit, name)

    def _birth(self, name: str, scope: _Scope) -> Expr:
        """The member's date of birth, or the whole years completed on the as-of date (the birthday counts)."""
        if scope.entity != PERSON or scope.feed is not None:
            raise FormulaError(
                "scope",
                f"“{name}”是人的, 只能写在人员公式里; 家庭公式请用 任一成员({name} …) 或 成员计数({name} …)",
                f"{name!r} is a person's: in a household's formula use 任一成员(…) or 成员计数(…)",
            )
        born = Expr("born", kind=Kind.DATE)
        return born if name == BORN else Expr("age", (born,), Kind.NUMBER, PURE)

    def _column(self, spec: Any, label: str) -> Expr:
        column = _column_of(spec, label)
        if column is None:
            raise FormulaError(
                "name", f"{spec.label}没有“{label}”这一列", f"{spec.label} has no column {label!r}"
            )
        kind = _COLUMN_KINDS.get(column.type)
        if kind is None:
            raise FormulaError(
                "name",
                f"“{label}”是身份信息, 规则里不能用",
                f"{label!r} identifies a person: no rule may use it",
            )
        nullable = bool(column.nullable) and not (spec.name == REGISTER and column.name == "category")
        return Expr(
            "col", (), kind, None, (spec.name, column.name, tuple(column.codes), column.type), nullable
        )

    def _bool(self, node: exp.Expression, scope: _Scope) -> Expr:
        found = self._expr(node, scope)
        if found.kind is not Kind.BOOL:
            raise FormulaError("kind", "这里应是条件(是或否)", "a condition is expected here")
        return found

    def _number(self, node: exp.Expression, scope: _Scope) -> Expr:
        found = self._expr(node, scope)
        if found.kind not in (Kind.MONEY, Kind.NUMBER):
            raise FormulaError("kind", "这里应是数或金额", "a number or a sum of money is expected here")
        return found

    def _compare(self, op: str, left: exp.Expression, right: exp.Expression, scope: _Scope) -> Expr:
        one, two = self._expr(left, scope), self._expr(right, scope)
        for side in (one, two):
            if any(node.op == "idiv" for node in side.walk()):
                raise FormulaError(
                    "division",
                    "比较里不能用除法或取整; 改成两边相乘, 或先立一个变量",
                    "no division inside a comparison: multiply both sides, or name a variable first",
                )
        if one.op == two.op == "lit":
            raise FormulaError("constant", "两边都是固定的值, 比较没有意义", "both sides are constants")
        one, two = _agree(one, two)
        if one.kind in (Kind.BOOL, Kind.TEXT) and op not in ("eq", "neq"):
            raise FormulaError(
                "kind", "文本和是否只能比相等", "text and conditions compare only as equal or not"
            )
        for side, other in ((one, two), (two, one)):
            if side.op == "lit" and side.kind is Kind.TEXT:
                _known_code(side.data, other)
        return Expr(op, (one, two), Kind.BOOL, nullable=one.nullable or two.nullable)

    def _in(self, node: exp.In, scope: _Scope) -> Expr:
        subject = self._expr(node.this, scope)
        values = [_literal(item) for item in node.expressions if isinstance(item, exp.Literal)]
        if len(values) != len(node.expressions) or not values:
            raise FormulaError("formula", "“属于”后面只能列出值", "IN takes a list of literal values")
        for value in values:
            _agree(subject, value)
            if value.kind is Kind.TEXT:
                _known_code(value.data, subject)
        return Expr("in", (subject, *values), Kind.BOOL, nullable=subject.nullable)

    def _sum_of(self, op: str, node: exp.Binary, scope: _Scope) -> Expr:
        one, two = self._expr(node.this, scope), self._expr(node.expression, scope)
        if one.kind is Kind.MONTH and two.kind is Kind.NUMBER:
            return Expr(op, (one, two), Kind.MONTH)
        if one.kind not in (Kind.MONEY, Kind.NUMBER):
            raise FormulaError(
                "kind", "加减只能用于数和金额(月份可加减整数)", "only numbers and money add up"
            )
        one, two = _agree(one, two)
        unit = one.unit if one.unit is not None else two.unit
        return Expr(op, (one, two), one.kind, unit, nullable=one.nullable or two.nullable)

    def _product(self, node: exp.Mul, scope: _Scope) -> Expr:
        one, two = self._number(node.this, scope), self._number(node.expression, scope)
        if one.kind is Kind.MONEY and two.kind is Kind.MONEY:
            raise FormulaError("unit", "两个金额不能相乘", "two sums of money do not multiply")
        kind = Kind.MONEY if Kind.MONEY in (one.kind, two.kind) else Kind.NUMBER
        known = [side.unit if side.unit is not None else None for side in (one, two)]
        unit: Unit | None
        if any(side.kind is Kind.MONEY and side.unit is None for side in (one, two)):
            unit = None
        else:
            unit = (known[0] or PURE).times(known[1] or PURE)
        return Expr("mul", (one, two), kind, unit, nullable=one.nullable or two.nullable)

    def _case(self, node: exp.Case, scope: _Scope) -> Expr:
        if node.this is not None:
            raise FormulaError(
                "formula", "请写 case when 条件 then 值 else 值 end", "write CASE WHEN … THEN … ELSE … END"
            )
        if node.args.get("default") is None:
            raise FormulaError("formula", "case 必须有 else", "CASE needs an ELSE")
        conditions = [self._bool(branch.this, scope) for branch in node.args["ifs"]]
        values = [self._expr(branch.args["true"], scope) for branch in node.args["ifs"]]
        values.append(self._expr(node.args["default"], scope))
        values = _agree_all(values)
        pairs = zip(conditions, values[:-1], strict=True)
        args = (*(part for pair in pairs for part in pair), values[-1])
        unit = next((value.unit for value in values if value.unit is not None), None)
        return Expr("case", args, values[0].kind, unit, nullable=any(value.nullable for value in values))

    def _extreme(self, op: str, nodes: list[exp.Expression], scope: _Scope) -> Expr:
        if len(nodes) < 2:
            raise FormulaError(
                "formula", "取大、取小至少要两个值", "greatest and least need two values or more"
            )
        values = _agree_all([self._number(node, scope) for node in nodes])
        unit = next((value.unit for value in values if value.unit is not None), None)
        return Expr(op, tuple(values), values[0].kind, unit, nullable=any(value.nullable for value in values))

    def _greatest(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._extreme("greatest", args, scope)

    def _least(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._extreme("least", args, scope)

    def _money(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        text = args[0].name if len(args) == 1 and isinstance(args[0], exp.Literal) else ""
        value = parse_quantity(text + "元", "元")
        if value is None:
            raise FormulaError("unit", f"金额“{text}元”不对(至多两位小数)", f"{text}元 is not a sum of money")
        return Expr("lit", kind=Kind.MONEY, data=int(value))

    def _floor_div(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 2, "整除(甲, 乙)")
        value = self._number(args[0], scope)
        divisor = _literal(args[1]) if isinstance(args[1], exp.Literal) else None
        if divisor is None or divisor.kind is not Kind.NUMBER or divisor.data <= 0:
            raise FormulaError(
                "division", "整除的第二项要是正整数", "整除 divides by a positive whole number"
            )
        unit = None if value.kind is Kind.MONEY else value.unit
        return Expr("idiv", (value,), value.kind, unit, divisor.data, value.nullable)

    def _annual(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 1, "年化(月金额)")
        value = self._number(args[0], scope)
        if value.unit not in (None, YUAN_PER_MONTH):
            raise FormulaError(
                "unit", f"年化只用于 元/月, 这里是 {value.unit}", f"年化 takes 元/月, not {value.unit}"
            )
        return Expr("annual", (value,), value.kind, YUAN_PER_YEAR, nullable=value.nullable)

    def _if_empty(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 2, "若空(单元格, 值)")
        if scope.feed is None:
            raise FormulaError(
                "unknown_is_not_no",
                "若空 只能用于部门数据的单元格; 没有到的数据不能当作 0",
                "若空 is for a feed's empty cell; data that never arrived is not 0",
            )
        value, default = _agree(self._expr(args[0], scope), self._expr(args[1], scope))
        return Expr(
            "ifempty", (value, default), value.kind, value.unit or default.unit, nullable=default.nullable
        )

    def _window(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 2, "近月(日期, 月数)")
        subject = self._expr(args[0], scope)
        months = self._expr(args[1], scope)
        if months.op not in ("lit", "param") or months.kind is not Kind.NUMBER:
            raise FormulaError(
                "formula", "近月的第二项是月数或月数参数", "近月 takes a number of months or a parameter"
            )
        if months.op == "param" and months.unit not in (None, Unit(0, 1)):
            raise FormulaError("unit", "近月的参数单位应为“月”", "the parameter of 近月 must be in months")
        if subject.kind is Kind.DATE:
            cut = Expr("cut", kind=Kind.DATE, data=months.data)
            return _logic(
                "and",
                [
                    Expr("gt", (subject, cut), Kind.BOOL, nullable=subject.nullable),
                    Expr(
                        "lte", (subject, Expr("asof", kind=Kind.DATE)), Kind.BOOL, nullable=subject.nullable
                    ),
                ],
            )
        if subject.kind is Kind.MONTH:
            now = Expr("asofmonth", kind=Kind.MONTH)
            first = Expr("sub", (now, months), Kind.MONTH)
            return _logic(
                "and",
                [
                    Expr("gte", (subject, first), Kind.BOOL, nullable=subject.nullable),
                    Expr("lt", (subject, now), Kind.BOOL, nullable=subject.nullable),
                ],
            )
        raise FormulaError("kind", "近月的第一项是日期或月份", "近月 takes a date or a month")

    # -- aggregates over the rows of one feed -------------------------------------------------------------

    def _feed_scope(self, node: exp.Expression, scope: _Scope) -> _Scope:
        if scope.feed is not None:
            raise FormulaError("scope", "汇总里不能再套汇总", "an aggregate cannot hold another one")
        tables = [column.table for column in node.find_all(exp.Column) if column.table]
        label = tables[0] if tables else (node.name if isinstance(node, exp.Column) else "")
        spec = self.names.feed_by_label(label)
        if spec is None:
            raise FormulaError(
                "name",
                f"没有叫“{label}”的部门数据; 汇总的第一项写“数据名.列名”或数据名",
                f"no feed is called {label!r}; the first item of an aggregate names the feed",
            )
        return _Scope(scope.entity, spec)

    def _conditions(self, nodes: list[exp.Expression], scope: _Scope) -> tuple[Expr | None, Expr | None]:
        """The row conditions and, in a household's formula, those that narrow the members."""
        rows: list[Expr] = []
        members: list[Expr] = []
        for node in nodes:
            for part in _conjuncts(self._bool(node, scope)):
                if not part.variables():
                    rows.append(part)
                elif any(inner.op == "col" for inner in part.walk()):
                    raise FormulaError(
                        "scope",
                        "成员条件和逐行条件要用“且”分开写",
                        "a condition on members and one on rows must be joined by AND, not mixed",
                    )
                else:
                    members.append(part)
        return (_logic("and", rows) if rows else None), (_logic("and", members) if members else None)

    def _feed_agg(
        self, func: str, args: list[exp.Expression], scope: _Scope, kinds: tuple[Kind, ...]
    ) -> Expr:
        if not args:
            raise FormulaError("formula", "函数缺少内容", "the function needs an argument")
        inner = self._feed_scope(args[0], scope)
        if inner.feed.name == REGISTER:
            raise FormulaError(
                "scope",
                f"{inner.feed.label}每人一行, 请用 本人(…) 或 户主(…)",
                "the register has one row per person: use 本人(…) or 户主(…)",
            )
        value = self._expr(args[0], inner)
        if value.kind not in kinds:
            raise FormulaError("kind", "汇总的第一项类型不对", "the first item has the wrong kind")
        if value.variables():
            raise FormulaError(
                "scope", "汇总的第一项只能用这份数据的列", "the first item uses the feed's columns only"
            )
        where, member = self._conditions(args[1:], inner)
        kind, unit = (value.kind, value.unit) if func in ("sum", "max") else (Kind.NUMBER, PURE)
        agg = Agg(func, inner.feed.name, value=value, where=where, member=member)
        return Expr("agg", (), kind, unit, agg)

    def _sum(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._feed_agg("sum", args, scope, (Kind.MONEY, Kind.NUMBER))

    def _max(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._feed_agg("max", args, scope, (Kind.MONEY, Kind.NUMBER))

    def _distinct(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._feed_agg("distinct", args, scope, (Kind.TEXT, Kind.DATE, Kind.MONTH, Kind.NUMBER))

    def _rows(self, func: str, args: list[exp.Expression], scope: _Scope) -> Expr:
        if not args or not isinstance(args[0], exp.Column) or args[0].table:
            raise FormulaError("formula", "第一项写部门数据的名称", "the first item is the name of a feed")
        inner = self._feed_scope(args[0], scope)
        if inner.feed.name == REGISTER:
            raise FormulaError("scope", "花名册请用 本人(…)", "for the register use 本人(…)")
        where, member = self._conditions(args[1:], inner)
        agg = Agg(func, inner.feed.name, where=where, member=member)
        return Expr(
            "agg", (), Kind.BOOL if func == "any" else Kind.NUMBER, None if func == "any" else PURE, agg
        )

    def _count(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._rows("count", args, scope)

    def _any(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._rows("any", args, scope)

    def _latest(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        if len(args) < 2:
            raise FormulaError(
                "formula", "写 最新(值, 按哪一列, 条件…)", "write 最新(value, by, conditions…)"
            )
        inner = self._feed_scope(args[0], scope)
        value, by = self._number(args[0], inner), self._expr(args[1], inner)
        if by.kind not in (Kind.DATE, Kind.MONTH) or by.op != "col":
            raise FormulaError("kind", "最新 的第二项是日期列或月份列", "最新 goes by a date or month column")
        if value.nullable:
            raise FormulaError(
                "empty_cell",
                "最新 的值可能是空单元格, 请写 若空(列, 0元)",
                "the value of 最新 may be an empty cell: write 若空(column, 0元)",
            )
        where, member = self._conditions(args[2:], inner)
        agg = Agg("latest", inner.feed.name, value=value, by=by, where=where, member=member)
        return Expr("agg", (), value.kind, value.unit, agg)

    def _same_month(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 4, "同月(日期, 月数, 条件甲, 条件乙)")
        inner = self._feed_scope(args[0], scope)
        by = self._expr(args[0], inner)
        months = _literal(args[1]) if isinstance(args[1], exp.Literal) else None
        if by.kind is not Kind.DATE or by.op != "col" or months is None or not 1 <= int(months.data) <= 60:
            raise FormulaError(
                "formula",
                "写 同月(日期列, 1到60的月数, 条件甲, 条件乙)",
                "write 同月(date, months up to 60, a, b)",
            )
        first, member_one = self._conditions([args[2]], inner)
        second, member_two = self._conditions([args[3]], inner)
        if first is None or second is None or member_one != member_two:
            raise FormulaError("formula", "同月的两个条件都要写逐行条件", "同月 needs two row conditions")
        window = self._window(args[:2], inner)
        agg = Agg(
            "samemonth", inner.feed.name, value=first, other=second, by=by, where=window, member=member_one
        )
        return Expr("agg", (), Kind.BOOL, None, agg)

    # -- members and the register's own row ---------------------------------------------------------------

    def _over_members(self, scope: _Scope) -> _Scope:
        if scope.entity != HOUSEHOLD or scope.feed is not None:
            raise FormulaError(
                "scope", "成员汇总只能写在家庭公式里", "members are summed up in a household's formula"
            )
        return _Scope(PERSON)

    def _member_agg(self, func: str, args: list[exp.Expression], scope: _Scope, *, valued: bool) -> Expr:
        inner = self._over_members(scope)
        if not args:
            raise FormulaError("formula", "函数缺少内容", "the function needs an argument")
        value = self._number(args[0], inner) if valued else None
        conditions = [self._bool(node, inner) for node in (args[1:] if valued else args)]
        agg = Agg(func, None, value=value, where=_logic("and", conditions) if conditions else None)
        if value is not None:
            return Expr("agg", (), value.kind, value.unit, agg)
        return Expr(
            "agg", (), Kind.BOOL if func == "any" else Kind.NUMBER, None if func == "any" else PURE, agg
        )

    def _any_member(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._member_agg("any", args, scope, valued=False)

    def _member_count(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._member_agg("count", args, scope, valued=False)

    def _member_sum(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._member_agg("sum", args, scope, valued=True)

    def _member_max(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        return self._member_agg("max", args, scope, valued=True)

    def _self(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 1, "本人(登记条件)")
        if scope.entity != PERSON or scope.feed is not None:
            raise FormulaError("scope", "本人(…) 只能写在人员公式里", "本人(…) belongs in a person's formula")
        inner = self._expr(args[0], _Scope(PERSON, self.names.feeds[REGISTER]))
        if inner.kind not in (Kind.BOOL, Kind.TEXT):
            raise FormulaError(
                "kind", "本人(…) 里是条件或文本列", "本人(…) holds a condition or a text column"
            )
        return Expr("self", (inner,), inner.kind)

    def _head(self, args: list[exp.Expression], scope: _Scope) -> Expr:
        _arity(args, 1, "户主(登记列)")
        if scope.entity != HOUSEHOLD or scope.feed is not None:
            raise FormulaError(
                "scope", "户主(…) 只能写在家庭公式里", "户主(…) belongs in a household's formula"
            )
        inner = self._expr(args[0], _Scope(PERSON, self.names.feeds[REGISTER]))
        if inner.op != "col" or inner.data[1] not in ("category", "urban_rural", "region_code"):
            raise FormulaError(
                "scope",
                "户主(…) 只能取 现有类别、城乡类型、行政区划代码",
                "户主(…) gives the category, urban or rural, or region of the 户主's row",
            )
        return replace(inner, op="head", nullable=False)


def _literal(node: exp.Expression) -> Expr:
    if not isinstance(node, exp.Literal):
        raise FormulaError("formula", "这里应是一个值", "a literal value is expected")
    if node.is_string:
        return Expr("lit", kind=Kind.TEXT, data=node.name)
    if not node.name.isdigit() or len(node.name) > 15:
        raise FormulaError(
            "number",
            f"公式里的数“{node.name}”应为整数; 小数、比例和金额写成参数或带“元”",
            f"{node.name} in a formula must be whole; make a fraction a parameter, write money with 元",
        )
    return Expr("lit", data=int(node.name))


def _logic(op: str, parts: list[Expr]) -> Expr:
    found = parts[0]
    for part in parts[1:]:
        found = Expr(op, (found, part), Kind.BOOL, nullable=found.nullable or part.nullable)
    return found


def _conjuncts(expr: Expr) -> Iterator[Expr]:
    if expr.op == "and":
        for part in expr.args:
            yield from _conjuncts(part)
    else:
        yield expr


def _agree(one: Expr, two: Expr) -> tuple[Expr, Expr]:
    """Two sides of one kind and unit; a plain 0 fits money."""
    one, two = _zero(one, two), _zero(two, one)
    if one.kind is not two.kind:
        if Kind.MONEY in (one.kind, two.kind) and Kind.NUMBER in (one.kind, two.kind):
            raise FormulaError(
                "unit",
                "金额和没有单位的数不能相比或相加; 数后面写“元”",
                "money and a bare number do not mix: write 元",
            )
        raise FormulaError(
            "kind",
            f"{one.kind.value}和{two.kind.value}不能相比或相加",
            f"{one.kind.name} and {two.kind.name} do not mix",
        )
    if one.unit is not None and two.unit is not None and one.unit != two.unit:
        raise FormulaError(
            "unit",
            f"单位不同: {one.unit} 和 {two.unit}; 月换年请写 年化(…)",
            f"units differ: {one.unit} and {two.unit}; 年化(…) turns a month's sum into a year's",
        )
    return one, two


def _zero(side: Expr, other: Expr) -> Expr:
    if side.op == "lit" and side.kind is Kind.NUMBER:
        if other.kind is Kind.MONEY and side.data == 0:
            return replace(side, kind=Kind.MONEY)
        return replace(side, unit=None)
    return side


def _agree_all(values: list[Expr]) -> list[Expr]:
    lead = next((v for v in values if not (v.op == "lit" and v.data == 0) and v.unit is not None), None)
    lead = lead or next((v for v in values if not (v.op == "lit" and v.data == 0)), values[0])
    return [value if value is lead else _agree(value, lead)[0] for value in values]


def _known_code(value: str, column: Expr) -> None:
    if column.op == "self":
        column = column.args[0]
    if column.op not in ("col", "head"):
        return
    codes = column.data[2]
    if codes and value not in codes and value != "":
        raise FormulaError(
            "code",
            f"“{value}”不在这一列的取值里({'、'.join(codes)})",
            f"{value!r} is not among the column's values",
        )


def _column_of(spec: Any | None, label: str) -> ColumnLike | None:
    if spec is None:
        return None
    return next((column for column in spec.columns if column.label == label), None)


def _arity(args: list[exp.Expression], count: int, shape: str) -> None:
    if len(args) != count:
        raise FormulaError("formula", f"应写 {shape}", f"write {shape}")


def _with_comparator(tree: exp.Expression, sign: str) -> exp.Expression:
    root = tree
    while isinstance(root, exp.Paren):
        root = root.this
    if type(root) not in _COMPARE:
        raise FormulaError(
            "comparator",
            "这条公式不是一个比较, 不能只换比较符",
            "the formula is not one comparison: replace it whole",
        )
    replaced: Any = COMPARATORS[sign](this=root.this, expression=root.expression)
    return cast(exp.Expression, replaced)
