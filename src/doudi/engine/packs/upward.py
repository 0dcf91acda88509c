"""What is sent to the systems above, as the pack says (上报包): which rows, in which columns and codes, and how they answer.

Entered once here, never typed again there. A layout is data: a changed import template of a province is a changed file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.money import format_yuan
from doudi.engine.packs.sections import nearest_file

FILE = "upward.yaml"
PAID, DECIDED = SOURCES = ("发放", "决定")
"""Rows of the month's frozen roster; decisions on applications that were taken in the month."""
_SHARED = frozenset(
    {"业务编号", "序号", "户编号", "户主姓名", "证件号", "人数", "金额", "区划", "地区", "城乡"}
)
FIELDS: Mapping[str, frozenset[str]] = {
    PAID: _SHARED | {"姓名", "待遇", "种类", "所属月", "发放月", "决定编号"},
    DECIDED: _SHARED | {"事项", "类别", "结果", "文号", "决定日期", "自", "至", "月收入", "理由", "依据"},
}
"""What a column may take (取) of a row of each source."""
FORMATS = ("xlsx", "csv")
ENCODINGS = ("utf-8", "gb18030")
Value = str | int | date | None


class CellLacking(ValueError):
    """A row cannot be reported as it is: the text says which column lacks what."""


@dataclass(frozen=True)
class UpwardColumn:
    """One column of a layout: its name there, and what it takes; ``fixed`` is the same in every row."""

    label: str
    takes: str
    fixed: str
    codes: Mapping[str, str]
    """Value here → code there; with codes a value that has none keeps the row back."""
    needed: bool
    in_fen: bool
    pattern: str
    """How a day or month is written: YYYY, MM and DD in any order."""

    def cell(self, facts: Mapping[str, Value]) -> str:
        """The cell of a row's facts, or :class:`CellLacking`."""
        if not self.takes:
            return self.fixed
        value = facts[self.takes]
        if isinstance(value, date):
            text = (
                self.pattern.replace("YYYY", f"{value:%Y}")
                .replace("MM", f"{value:%m}")
                .replace("DD", f"{value:%d}")
            )
        elif isinstance(value, int) and self.takes in ("金额", "月收入"):
            text = str(value) if self.in_fen else format_yuan(value)
        else:
            text = "" if value is None else str(value)
        if self.codes and text:
            if text not in self.codes:
                raise CellLacking(f"“{self.label}”没有“{text[:40]}”的代码")
            text = self.codes[text]
        if self.needed and not text:
            raise CellLacking(f"缺“{self.label}”")
        return text


@dataclass(frozen=True)
class UpwardReply:
    """How the system above answers: the columns of its return file, and which words mean that a row was accepted."""

    key: str
    result: str
    reason: str
    accepted: frozenset[str]
    silent_accepts: bool
    """A row that the return file does not list was accepted (未列的: 接受), as where only faults come back."""


@dataclass(frozen=True)
class UpwardPack:
    """One layout (上报包)."""

    code: str
    label: str
    label_en: str
    system: str
    source: str
    benefits: frozenset[str]
    kinds: frozenset[str]
    """Which rows of the roster, or which kinds of application; empty: all."""
    format: str
    encoding: str
    sheet: str
    columns: tuple[UpwardColumn, ...]
    reply: UpwardReply
    document: str

    def row(self, facts: Mapping[str, Value]) -> list[str]:
        """The cells of a row in the order of the layout, or :class:`CellLacking` with everything it lacks."""
        cells, lacking = [], []
        for column in self.columns:
            try:
                cells.append(column.cell(facts))
            except CellLacking as problem:
                lacking.append(str(problem))
        if lacking:
            raise CellLacking("；".join(lacking))
        return cells


@dataclass(frozen=True)
class UpwardRules:
    """The layouts of a pack by code."""

    packs: Mapping[str, UpwardPack]

    def pack(self, code: str) -> UpwardPack:
        """The layout of a code, or a refusal that names those there are."""
        found = self.packs.get(code)
        if found is None:
            listed = "、".join(f"{one.code} {one.label}" for one in self.packs.values())
            raise DoudiError(
                f"政策包里没有上报包“{code}”。可用：{listed or '无'}。",
                f"The pack has no upward layout {code!r}; it has {', '.join(self.packs) or 'none'}.",
                code="upward_unknown",
            )
        return found


def load_upward(folder: Path) -> UpwardRules:
    """The layouts of a pack folder: its own ``upward.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, FILE, about="上报包", code="upward_missing"))


def _read(path: Path) -> UpwardRules:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        found = {row["码"]: _pack(row) for row in raw["上报包"]}
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：上报包缺项或写法不对（{problem}）。请对照 packs/reference/{FILE}。",
            f"{path}: a layout is missing or malformed ({problem}); compare packs/reference/{FILE}.",
            code="upward_invalid",
        ) from None
    return UpwardRules(found)


def _pack(row: Mapping[str, Any]) -> UpwardPack:
    source = _one_of("取", row["取"], SOURCES)
    columns = tuple(_column(one, FIELDS[source]) for one in row["列"])
    labels = [column.label for column in columns]
    if len(set(labels)) != len(labels):
        raise ValueError(f"{row['码']} 列名重复")
    if not any(column.takes == "业务编号" for column in columns):
        raise ValueError(f"{row['码']} 没有取“业务编号”的列：回执靠它对上")
    reply = row["回执"]
    return UpwardPack(
        code=row["码"],
        label=row["名"],
        label_en=row["英"],
        system=row["系统"],
        source=source,
        benefits=frozenset(row.get("待遇", ())),
        kinds=frozenset(row.get("种类", ())),
        format=_one_of("格式", row["格式"], FORMATS),
        encoding=_one_of("编码", row.get("编码", "utf-8"), ENCODINGS),
        sheet=row.get("表名", row["名"])[:31],
        columns=columns,
        reply=UpwardReply(
            key=reply["业务编号"],
            result=reply["结果"],
            reason=reply["原因"],
            accepted=frozenset(reply["接受"]),
            silent_accepts=_one_of("未列的", reply.get("未列的", "待回"), ("待回", "接受")) == "接受",
        ),
        document=row["依据"],
    )


def _column(row: Mapping[str, Any], known: frozenset[str]) -> UpwardColumn:
    takes = row.get("取", "")
    if takes and takes not in known:
        raise ValueError(f"列 {row['名']} 取 {takes}；可取 {'、'.join(sorted(known))}")
    if not takes and "固定" not in row:
        raise ValueError(f"列 {row['名']} 没有写取什么或固定什么")
    pattern = row.get("写法", "YYYY-MM-DD")
    if "YYYY" not in pattern:
        raise ValueError(f"列 {row['名']} 写法 {pattern}（如 YYYYMM）")
    return UpwardColumn(
        label=row["名"],
        takes=takes,
        fixed=row.get("固定", ""),
        codes=dict(row.get("代码", {})),
        needed=_one_of("必填", row.get("必填", "否"), ("是", "否")) == "是",
        in_fen=_one_of("单位", row.get("单位", "元"), ("元", "分")) == "分",
        pattern=pattern,
    )


def _one_of(what: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ValueError(f"{what} {text}（{'、'.join(known)}）")
    return text
