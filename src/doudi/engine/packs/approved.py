"""Approved changes of a pack's numbers as a layer of their own over it (审批层): dated, regional, each with its approval.

The layer is a pack folder like any other, so it is checked, hashed and kept as one. The same rows give the same folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.packs.changing import written_quantity
from doudi.engine.packs.model import Pack

LAYER = "approved"


@dataclass(frozen=True, order=True)
class ApprovedValue:
    """One number from a day on, in a region and below, by an approval; ``parameter`` may name 城镇 or 农村 before it."""

    parameter: str
    region: str
    from_on: date
    value: str
    number: str
    approved_on: date


def digest_of(values: Sequence[ApprovedValue]) -> str:
    """The digest of the rows, in whatever order they come."""
    listed = [asdict(value) for value in sorted(values)]
    return hashlib.sha256(json.dumps(listed, ensure_ascii=False, default=str).encode()).hexdigest()[:32]


def write_layer(base: Path, pack: Pack, values: Sequence[ApprovedValue], folder: Path) -> Path:
    """The layer over the pack of ``base`` in ``folder``/approved; made aside and renamed, so it is whole or not there.

    ``pack`` is the base itself, for the units; its folder's neighbours must be given as roots where it is loaded.
    """
    layer = folder / LAYER
    if (layer / "pack.yaml").is_file():
        return layer
    content: dict[str, Any] = {
        "名称": LAYER,
        "版本": digest_of(values)[:12],
        "上级": base.name,
        "虚构": "是" if pack.fictitious else "否",
        "说明": "本地经两人审批的预警阈值，由工作台写成，请勿手改。",
        "文件": {
            value.number: {
                "全称": f"预警阈值调整审批 {value.number}",
                "文号": value.number,
                "施行": f"{value.from_on}",
            }
            for value in sorted(values)
        },
        "参数": {},
    }
    for value in sorted(values):
        name, sides = pack_sides(pack, value.parameter)
        unit = pack.parameters[name].unit
        rows = content["参数"].setdefault(name, {"值": []})["值"]
        for side in sides:
            row = {"地区": value.region, "自": f"{value.from_on}", "为": written_quantity(value.value, unit)}
            rows.append(row | ({"城乡": side} if side else {}) | {"文件": value.number})
    aside = folder.parent / f".{folder.name}-{os.getpid()}-{secrets.token_hex(4)}"
    (aside / LAYER).mkdir(parents=True, mode=0o700)
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=200)
    (aside / LAYER / "pack.yaml").write_text(text, encoding="utf-8")
    try:
        aside.rename(folder)
    except OSError:
        # another process made the same layer first
        shutil.rmtree(aside, ignore_errors=True)
    return layer


def pack_sides(pack: Pack, written: str) -> tuple[str, tuple[str, ...]]:
    """A parameter as an officer names it → its name and the 城乡 sides it speaks of, ('',) where it has none."""
    if written in pack.parameters:
        return written, ("城镇", "农村") if pack.parameters[written].by else ("",)
    side, rest = written[:2], written[2:]
    if side in ("城镇", "农村") and rest in pack.parameters and pack.parameters[rest].by:
        return rest, (side,)
    raise KeyError(written)
