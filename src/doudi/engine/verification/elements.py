"""Data elements with their marks (数据元及敏感信息标识, MZ/T 073-2024): what a value is, who may see it, how long it stays.

The pack declares them (``data_elements.yaml``); pages, papers, API, exports and the retention job ask here and nowhere
else. A value that no element names is shown to nobody but in its most masked form: forgetting a mark hides, never shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from doudi.engine import identity
from doudi.engine.errors import DoudiError

GRADES = ("低", "中", "高")
"""Sensitivity, the lowest first."""
HIDDEN = "＊＊＊"


def _year(text: str) -> str:
    return f"{text[:4]}年" if text[:4].isdigit() else HIDDEN


MASKS: Mapping[str, Callable[[str], str]] = {
    "原样": lambda text: text,
    "姓": identity.mask_name,
    "前六后四": identity.mask_id,
    "后四位": lambda text: f"＊{text[-4:]}" if len(text) > 4 else HIDDEN,
    "年份": _year,
    "有无": lambda text: "有" if text not in ("", "0", "0.00", "否") else "无",
    "隐去": lambda _text: HIDDEN,
}
"""Masked form (遮) → what is left of a value; an empty value stays empty."""
LEFT = ("合计", "无")
"""What is left of a value when its time is over: its sum by person, or nothing."""


@dataclass(frozen=True)
class Element:
    """One data element: its major class, unit, grade, masked form, the roles that see it plain, and its time.

    ``days``: days after the final report (None: as long as the file); ``left`` is then one of :data:`LEFT`.
    ``columns`` are ``feed.column`` (``*.column`` in every feed); ``values`` variables and declared items of the pack;
    ``kinds`` kinds of variables that no other element names.
    """

    code: str
    label: str
    label_en: str
    major: str
    unit: str
    grade: str
    mask: str
    roles: frozenset[str]
    days: int | None = None
    left: str = ""
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def shown(self, text: str, role: str) -> str:
        """The value as a role sees it."""
        return text if not text or role in self.roles else MASKS[self.mask](text)


UNMARKED = Element("", "未标识", "unmarked", "", "", GRADES[-1], "隐去", frozenset())
"""What has no mark."""


@dataclass(frozen=True)
class Retention:
    """When the rows of a feed are reduced, days after the final report, and the columns whose sums are left."""

    days: int
    totals: tuple[str, ...]


class Elements:
    """The data elements of a pack, found by column, variable or declared item."""

    def __init__(self, elements: tuple[Element, ...], mark: str) -> None:
        self.all, self.mark = elements, mark
        self._columns = _once((name, one) for one in elements for name in one.columns)
        self._values = _once((name, one) for one in elements for name in one.values)
        self._kinds = _once((name, one) for one in elements for name in one.kinds)

    def of_column(self, feed: str, column: str) -> Element:
        """The element of a feed's column."""
        return self._columns.get(f"{feed}.{column}") or self._columns.get(f"*.{column}") or UNMARKED

    def of_value(self, name: str, kind: str) -> Element | None:
        """The element of a variable or declared item; None where neither its name nor its kind is marked: no secret."""
        return self._values.get(name) or self._kinds.get(kind)

    def of_feed(self, feed: str) -> list[tuple[str, Element]]:
        """The marked columns of one feed, those that every feed has left out."""
        return [(n.partition(".")[2], one) for n, one in self._columns.items() if n.startswith(f"{feed}.")]

    def grade_of(self, feed: str) -> str:
        """The highest grade among a feed's own columns; without any mark the highest there is."""
        grades = [one.grade for _column, one in self.of_feed(feed)] or [UNMARKED.grade]
        return max(grades, key=GRADES.index)

    def retention_of(self, feed: str) -> Retention | None:
        """When a feed's rows are reduced; a row goes as a whole, so the shortest of its elements' times counts."""
        timed = [(column, one) for column, one in self.of_feed(feed) if one.days is not None]
        if not timed:
            return None
        return Retention(
            min(one.days for _column, one in timed if one.days is not None),
            tuple(column for column, one in timed if one.left == LEFT[0]),
        )


def _once(pairs: Any) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for name, element in pairs:
        if name in found:
            raise ValueError(f"{name} 有两个数据元：{found[name].code}、{element.code}")
        found[name] = element
    return found


def load_elements(path: Path) -> Elements:
    """The data elements of a file; raises :class:`DoudiError` with the file and what is wrong in it."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — builds text only
        return Elements(tuple(_element(row) for row in raw["数据元"]), str(raw.get("标", "")))
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as problem:
        raise DoudiError(
            f"{path}：数据元缺项或写法不对（{problem}）。请对照 packs/cn/data_elements.yaml。",
            f"{path}: a data element is missing or malformed ({problem}); compare packs/cn/data_elements.yaml.",
            code="data_elements_invalid",
        ) from None


def _element(row: Mapping[str, Any]) -> Element:
    kept = row.get("保存")
    found = Element(
        code=row["码"],
        label=row["名"],
        label_en=row["英"],
        major=row["大类"],
        unit=row.get("单位", ""),
        grade=row["级"],
        mask=row["遮"],
        roles=frozenset(row["见"]),
        days=None if kept is None else int(kept["天"]),
        left="" if kept is None else kept["留"],
        columns=tuple(row.get("列", ())),
        values=tuple(row.get("值", ())),
        kinds=tuple(row.get("值类", ())),
    )
    if found.grade not in GRADES:
        raise ValueError(f"{found.code} 级: {found.grade}")
    if found.mask not in MASKS:
        raise ValueError(f"{found.code} 遮: {found.mask}")
    if kept is not None and (found.left not in LEFT or (found.days or 0) < 1):
        raise ValueError(f"{found.code} 保存: {kept}")
    if not (found.columns or found.values or found.kinds):
        raise ValueError(f"{found.code} 没有列或值")
    return found
