"""From an officer's formula to a syntax tree: normalise what a Chinese keyboard types, then a white list.

``家庭月收入≤低保标准×家庭人口`` parses as one long name in SQLGlot; so signs are normalised first and only
a short list of node types and functions is let through. Nothing here looks up names.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

MAX_FORMULA = 4000

_SIGNS = {"≤": "<=", "≥": ">=", "≠": "<>", "×": "*", "÷": "/", "“": "'", "”": "'", "‘": "'", "’": "'",
          "「": "'", "」": "'", '"': "'", "、": ",", "－": "-", "–": "-", "—": "-", "−": "-", "　": " "}  # fmt: skip
_WORDS = {
    "且": "AND", "并且": "AND", "或": "OR", "或者": "OR", "非": "NOT",
    "属于": "IN", "不属于": "NOT IN", "为空": "IS NULL", "不为空": "IS NOT NULL", "不等于": "<>", "等于": "=",
    "是": "TRUE", "否": "FALSE",
}  # fmt: skip
_WORD = re.compile(r"[^\W\d]\w*")
_MONEY_LITERAL = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)元(?!\w)")
_BIG_NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)万(?=元|\W|$)")

FUNCTIONS = frozenset(
    {
        "合计", "最大", "计数", "去重计数", "有", "最新", "同月",
        "任一成员", "成员合计", "成员最大", "成员计数", "本人", "户主",
        "近月", "整除", "年化", "若空", "取大", "取小", "元",
    }
)  # fmt: skip

_ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Paren, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE,
    exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Between, exp.In, exp.Is, exp.Null, exp.Case, exp.If,
    exp.Literal, exp.Boolean, exp.Column, exp.Identifier, exp.Anonymous, exp.Greatest, exp.Least, exp.Tuple,
)  # fmt: skip

_REFUSALS: dict[type[exp.Expression], tuple[str, str, str]] = {
    exp.Div: (
        "division",
        "不用除法: 比较改成两边相乘, 取整用 整除(甲, 乙)",
        "no division: multiply both sides, or use 整除(a, b) to round down",
    ),
    exp.IntDiv: ("division", "取整请写 整除(甲, 乙)", "write 整除(a, b) to round down"),
    exp.Select: ("sql", "公式里不能写查询(SELECT)", "a formula cannot hold a query (SELECT)"),
    exp.Subquery: ("sql", "公式里不能写查询(SELECT)", "a formula cannot hold a query (SELECT)"),
}


class FormulaError(Exception):
    """A formula that cannot be read; carries a problem code and a message in two languages."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(zh)
        self.code, self.zh, self.en = code, zh, en


def normalise(text: str) -> str:
    """The formula with ASCII signs and SQL words; text inside quotes keeps its characters."""
    pieces: list[str] = []
    quoted = False
    for part in re.split(r"(['\"“”‘’「」])", text):
        if part and part in "'\"“”‘’「」":
            quoted = not quoted
            pieces.append("'")
        elif quoted:
            pieces.append(part)
        else:
            pieces.append(_outside(part))
    if quoted:
        raise FormulaError("formula", "引号不成对", "a quotation mark is not closed")
    return "".join(pieces)


def _outside(part: str) -> str:
    # the signs come first: NFKC would leave ≤ and × alone but turn ≠ into two characters
    part = "".join(_SIGNS.get(char, char) for char in part)
    part = unicodedata.normalize("NFKC", part)
    part = "".join(_SIGNS.get(char, char) for char in part)
    part = _BIG_NUMBER.sub(_ten_thousands, part)
    part = _MONEY_LITERAL.sub(lambda m: f"元('{m[1].replace(',', '')}')", part)
    return _WORD.sub(lambda m: _WORDS.get(m[0], m[0]), part)


def _ten_thousands(match: re.Match[str]) -> str:
    value = Fraction(match[1].replace(",", "")) * 10_000
    return str(value) if value.denominator == 1 else match[0]


def read_formula(text: str) -> exp.Expression:
    """The syntax tree of one formula, or a :class:`FormulaError`."""
    if len(text) > MAX_FORMULA:
        raise FormulaError(
            "too_large",
            f"公式超过 {MAX_FORMULA} 字, 请拆成几个变量",
            f"a formula of more than {MAX_FORMULA} characters: split it into variables",
        )
    if not text.strip():
        raise FormulaError("formula", "公式是空的", "the formula is empty")
    plain = normalise(text)
    bare = re.sub(r"'[^']*'", "''", plain)
    if any(mark in bare for mark in (";", "--", "/*", "$", "@", "`", "\\", "::", "[", "{", "?")):
        raise FormulaError(
            "sql",
            "公式里有不允许的符号(; -- /* $ @ 等)",
            "the formula holds a sign that is not allowed (; -- /* $ @ …)",
        )
    if _nesting(bare) > 40:
        raise FormulaError("too_large", "括号嵌套太深", "brackets are nested too deeply")
    try:
        tree = sqlglot.parse_one(plain, dialect="duckdb")
    except (SqlglotError, RecursionError, ValueError) as error:
        raise FormulaError(
            "formula",
            f"公式读不懂: {text.strip()[:60]}; 检查括号、逗号和运算符(名称不能以数字开头)",
            f"the formula cannot be read: {str(error).splitlines()[0][:120]}",
        ) from None
    if not isinstance(tree, exp.Expression):
        raise FormulaError("formula", "公式读不懂", "the formula cannot be read")
    _refuse_strangers(tree)
    return tree


def _nesting(text: str) -> int:
    deepest = depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        deepest = max(deepest, depth)
    return deepest


def _refuse_strangers(tree: exp.Expression) -> None:
    for node in tree.walk():
        for kind, (code, zh, en) in _REFUSALS.items():
            if isinstance(node, kind):
                raise FormulaError(code, zh, en)
        if isinstance(node, exp.Anonymous):
            name = str(node.this)
            if name not in FUNCTIONS:
                raise FormulaError(
                    "function", f"没有函数“{name}”", f"there is no function {name!r} in a pack"
                )
        elif type(node) not in _ALLOWED:
            name = type(node).__name__
            raise FormulaError("not_allowed", f"公式里不允许“{name}”", f"{name} is not allowed in a formula")
        if isinstance(node, exp.Column) and (node.args.get("db") or node.args.get("catalog")):
            raise FormulaError("name", "名称至多一个点", "a name has at most one dot")
        if isinstance(node, exp.In) and (node.args.get("query") or node.args.get("unnest")):
            raise FormulaError("sql", "“属于”后面只能列出值", "IN takes a list of values only")
