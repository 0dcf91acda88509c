"""What a pack says of one feed: its names, its columns, and what each cell may hold.

In comes the ``feeds`` folder of a pack (one YAML file per feed, Chinese keys, every scalar read as text); out
come :class:`FeedSpec` values. Nothing here opens a department's file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.feeds.errors import DeclarationError

TYPES = {
    "身份证号": "id", "姓名": "name", "文本": "text", "代码": "code", "金额": "money", "日期": "date", "月份": "month",
    "是否": "bool", "整数": "int", "小数": "decimal", "行政区划": "region", "电话": "phone", "地址": "address",
}  # fmt: skip
"""Chinese word of a declaration to the column type that formulas and files know."""

KINDS = {"快照": "snapshot", "事件": "event"}
IDENTIFYING = frozenset({"id", "name", "phone", "address"})
"""Types whose columns never stand in a resolved file."""

RESERVED = frozenset(
    {"row_no", "id_mended", "id_derived", "row_digest", "household_key", "person_key", "is_head"}
)
"""Names that parsed and resolved tables use for themselves."""

PERIODS = {"每日": 1, "每周": 7, "每月": 31, "每季": 92, "每学期": 184, "每年": 366}
"""How often a sender is to send, and the longest that is, in days; a feed without a period is sent when something happens."""

_YES_NO = {"是": True, "否": False}
_MAX_BYTES = 1 << 18
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class ColumnSpec:
    """One column: ``name`` in code, ``label`` 表头, the ``aliases`` departments write, the ``type`` of a cell.

    ``required``: the column must stand in the file. ``nullable``: a cell may be empty — always, or where
    ``nullable_when`` (column name, value) holds of the same row. ``codes``: the closed list, empty if open.
    ``unit``: what a number counts, for people to read; departments write the header without it.
    """

    name: str
    label: str
    type: str
    required: bool = True
    nullable: bool = False
    codes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    nullable_when: tuple[str, str] | None = None
    unit: str = ""

    @property
    def headers(self) -> tuple[str, ...]:
        """Every way of writing the header that is understood, the label first."""
        return (self.label, *self.aliases, self.name)


@dataclass(frozen=True)
class FeedSpec:
    """One feed (部门数据): ``kind`` is ``snapshot`` (the last one replaces) or ``event`` (rows add up).

    ``period_days`` is how often it is to come, in days (None: when something happens), ``mark`` where that is known from.
    """

    name: str
    label: str
    kind: str
    supplier: str
    columns: tuple[ColumnSpec, ...]
    aliases: tuple[str, ...] = ()
    period_days: int | None = None
    mark: str = ""

    def column(self, name: str) -> ColumnSpec:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def by_header(self) -> Mapping[str, ColumnSpec]:
        """Column by its normalised header, alias or English name."""
        return {normal_header(text): column for column in self.columns for text in column.headers}


_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕")


def normal_header(text: str) -> str:
    """A header without white space, bracketed unit, full-width signs and letter case (姓 名, 余额（元）)."""
    plain = unicodedata.normalize("NFKC", text)
    plain = re.sub(r"[\s\u200b\u200c\u200d\u2060\ufeff]+", "", plain)
    return _BRACKETED.sub("", plain).strip("*:").casefold()


def load_feed_specs(folder: Path) -> dict[str, FeedSpec]:
    """Every feed declared in ``folder`` (``*.yaml``), by name in the order of the file names.

    Raises :class:`DeclarationError` with file and line for the first fault found.
    """
    specs: dict[str, FeedSpec] = {}
    labels: dict[str, str] = {}
    if not folder.is_dir():
        raise DeclarationError(
            f"找不到部门数据声明的文件夹：{folder}", f"No folder of feed declarations: {folder}"
        )
    for path in sorted(folder.glob("*.y*ml")):
        spec = load_feed_spec(path)
        if spec.name in specs or spec.label in labels:
            raise DeclarationError(
                f"{path.name}：名称 {spec.name} 或中文名 {spec.label} 已在别的文件里声明过。",
                f"{path.name}: {spec.name} or {spec.label} is declared in another file already.",
            )
        specs[spec.name] = spec
        labels[spec.label] = path.name
    return specs


def load_feed_spec(path: Path) -> FeedSpec:
    """One feed's declaration."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DeclarationError(f"{path.name}：文件太大。", f"{path.name}: the file is too large.")
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" 第 {mark.line + 1} 行" if mark else ""
        raise DeclarationError(
            f"{path.name}{line}：不是能读的 YAML（UTF-8）。冒号要用半角，后面空一格。",
            f"{path.name}{f', line {mark.line + 1}' if mark else ''}: not readable YAML in UTF-8.",
        ) from problem
    return _Reader(path.name).feed(node)


class _Reader:
    """Turns the nodes of one file into a spec; knows the file's name for messages."""

    def __init__(self, file: str) -> None:
        self.file = file

    def refuse(self, node: Any, zh: str, en: str) -> DeclarationError:
        line = node.start_mark.line + 1 if node is not None else 1
        return DeclarationError(f"{self.file} 第 {line} 行：{zh}", f"{self.file}, line {line}: {en}")

    def mapping(self, node: Any, allowed: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise self.refuse(
                node, "这里应是“键: 值”；冒号用半角，后面空一格。", "a mapping is expected here."
            )
        found: dict[str, Any] = {}
        for key, value in node.value:
            word = key.value.strip() if isinstance(key, yaml.ScalarNode) else ""
            if word not in allowed:
                raise self.refuse(
                    key,
                    f"不认识“{word}”；可写：{'、'.join(allowed)}。",
                    f"unknown key {word!r}; known: {', '.join(allowed)}.",
                )
            if word in found:
                raise self.refuse(key, f"“{word}”写了两次。", f"{word!r} is given twice.")
            found[word] = value
        for word in needed:
            if word not in found:
                raise self.refuse(node, f"缺少“{word}”。", f"{word!r} is missing.")
        return found

    def text(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            raise self.refuse(node, "这里应是一个词。", "a plain text is expected here.")
        return str(node.value.strip())

    def texts(self, node: Any) -> tuple[str, ...]:
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise self.refuse(node, "这里应是一个列表，如 [甲, 乙]。", "a list is expected here.")
        return tuple(self.text(item) for item in node.value)

    def word(self, node: Any, words: Mapping[str, Any]) -> Any:
        text = self.text(node)
        if text not in words:
            raise self.refuse(
                node,
                f"“{text}”不可用；可写：{'、'.join(words)}。",
                f"{text!r} is not one of {', '.join(words)}.",
            )
        return words[text]

    def feed(self, node: Any) -> FeedSpec:
        keys = ("名称", "中文名", "别名", "方式", "来源", "周期", "标", "列")
        found = self.mapping(node, keys, ("名称", "中文名", "方式", "来源", "列"))
        name = self.text(found["名称"])
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise self.refuse(found["名称"], "名称用小写英文、数字和下划线。", "a name is lower-case ASCII.")
        if not isinstance(found["列"], yaml.SequenceNode) or not found["列"].value:
            raise self.refuse(found["列"], "“列”应是一个列表。", "'列' must be a list of columns.")
        spec = FeedSpec(
            name=name,
            label=self.text(found["中文名"]),
            kind=self.word(found["方式"], KINDS),
            supplier=self.text(found["来源"]),
            columns=tuple(self.column(item) for item in found["列"].value),
            aliases=self.texts(found.get("别名")),
            period_days=self.word(found["周期"], PERIODS) if "周期" in found else None,
            mark=self.text(found["标"]) if "标" in found else "",
        )
        self._check(spec, found["列"])
        return spec

    def column(self, node: Any) -> ColumnSpec:
        keys = ("名", "表头", "别名", "类型", "必有", "可空", "可空当", "代码", "单位")
        found = self.mapping(node, keys, ("名", "表头", "类型"))
        when = None
        if "可空当" in found:
            pair = self.mapping(found["可空当"], ("列", "值"), ("列", "值"))
            when = (self.text(pair["列"]), self.text(pair["值"]))
        return ColumnSpec(
            name=self.text(found["名"]),
            label=self.text(found["表头"]),
            type=self.word(found["类型"], TYPES),
            required=self.word(found["必有"], _YES_NO) if "必有" in found else True,
            nullable=when is not None or ("可空" in found and self.word(found["可空"], _YES_NO)),
            codes=self.texts(found.get("代码")),
            aliases=self.texts(found.get("别名")),
            nullable_when=when,
            unit=self.text(found["单位"]) if "单位" in found else "",
        )

    def _check(self, spec: FeedSpec, node: Any) -> None:
        headers: dict[str, str] = {}
        for column, item in zip(spec.columns, node.value, strict=True):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", column.name):
                raise self.refuse(
                    item, "列的名用小写英文、数字和下划线。", "a column name is lower-case ASCII."
                )
            if column.name in RESERVED:
                raise self.refuse(
                    item, f"列的名 {column.name} 已作他用。", f"the name {column.name} is reserved."
                )
            for text in {normal_header(header) for header in column.headers}:
                if text in headers:
                    raise self.refuse(
                        item,
                        f"表头“{text}”同时指 {headers[text]} 和 {column.name}。",
                        f"header {text!r} stands for both {headers[text]} and {column.name}.",
                    )
                headers[text] = column.name
            if column.codes and column.type not in ("code", "int"):
                raise self.refuse(
                    item, "只有“代码”和“整数”列可以有代码表。", "only code and int columns have codes."
                )
            if column.nullable_when and not spec.has(column.nullable_when[0]):
                raise self.refuse(
                    item,
                    f"没有列 {column.nullable_when[0]}。",
                    f"there is no column {column.nullable_when[0]}.",
                )
        for kind, name in (("id", "id_number"), ("name", "name")):
            if not spec.has(name) or spec.column(name).type != kind:
                raise self.refuse(
                    node,
                    f"每种部门数据都要有 {name} 列。",
                    f"every feed of persons has a column {name} of type {kind}.",
                )
