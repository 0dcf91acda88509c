"""How reports of families in difficulty are taken in, as the pack says (主动发现): kinds, levels, limits, hotline columns.

The level of a kind sets how soon somebody visits, nothing else; all of it is the county's to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file

LEVELS = ("blue", "yellow", "orange", "red")
NUMBER, CALLED_AT, TEXT, PLACE, CONTACT, NAME, REGION = COLUMNS = (
    "工单号",
    "来电时间",
    "内容",
    "地址",
    "联系电话",
    "姓名",
    "行政区划代码",
)
"""The columns of a hotline's workbook (12345 工单)."""


@dataclass(frozen=True)
class Difficulty:
    """A kind of difficulty (困难类型) with the level of the warning it opens."""

    code: str
    label: str
    label_en: str
    level: str


@dataclass(frozen=True)
class Outreach:
    """The rules of taking reports in; ``window_minutes`` and the counts bound one address and one device."""

    difficulties: Mapping[str, Difficulty]
    hotline_difficulty: str
    window_minutes: int
    per_address: int
    per_device: int
    looks_per_address: int
    hotline_columns: Mapping[str, tuple[str, ...]]


def load_outreach(folder: Path) -> Outreach:
    """The rules of a pack folder: its own ``outreach.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, "outreach.yaml", about="主动发现", code="outreach_missing"))


def _read(path: Path) -> Outreach:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        kinds = {row["码"]: Difficulty(row["码"], row["名"], row["英"], row["级"]) for row in raw["困难类型"]}
        limits = raw["受理限制"]
        found = Outreach(
            difficulties=kinds,
            hotline_difficulty=raw["热线默认困难类型"],
            window_minutes=int(limits["时段分钟"]),
            per_address=int(limits["每地址"]),
            per_device=int(limits["每设备"]),
            looks_per_address=int(limits["查询每地址"]),
            hotline_columns={name: tuple(raw["热线表"][name]) for name in COLUMNS},
        )
        if found.hotline_difficulty not in kinds:
            raise KeyError(found.hotline_difficulty)
        if strange := {kind.level for kind in kinds.values()} - set(LEVELS):
            raise ValueError(f"级 {'、'.join(sorted(strange))}")
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：主动发现的规则缺项或写法不对（{problem}）。请对照 packs/reference/outreach.yaml。",
            f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/outreach.yaml.",
            code="outreach_invalid",
        ) from None
    return found
