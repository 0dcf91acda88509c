"""For what personal data are used, as the pack says (用途登记): purposes with their law, and the limits of people's requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file

KINDS = ("查阅", "更正", "删除", "撤回同意")
"""What a person may ask for (个人信息保护法 第十五、四十五至四十七条)."""


@dataclass(frozen=True)
class Purpose:
    """One use of personal data: its law, what data, who gets them, how long they stay, and whether they are sensitive."""

    code: str
    label: str
    label_en: str
    law: str
    data: tuple[str, ...]
    sensitive: bool
    receivers: tuple[str, ...]
    kept: str


@dataclass(frozen=True)
class PrivacyRules:
    """The purposes by code, the limits of requests in working days, and how long assessments hold and are kept."""

    purposes: Mapping[str, Purpose]
    limits: Mapping[str, int]
    assessment_years: int
    assessment_months: int


def load_privacy(folder: Path) -> PrivacyRules:
    """The rules of a pack folder: its own ``privacy.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, "privacy.yaml", about="用途登记", code="privacy_missing"))


def _read(path: Path) -> PrivacyRules:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        purposes = {row["码"]: _purpose(row) for row in raw["用途"]}
        found = PrivacyRules(
            purposes=purposes,
            limits={kind: int(raw["请求时限"][kind]) for kind in KINDS},
            assessment_years=int(raw["评估"]["保存年数"]),
            assessment_months=int(raw["评估"]["有效月数"]),
        )
        if len(purposes) != len(raw["用途"]):
            raise ValueError("用途的码有重复")
        if found.assessment_years < 3:
            raise ValueError("评估至少保存三年（个人信息保护法 第五十六条）")
        if min(found.limits.values()) < 1 or found.assessment_months < 1:
            raise ValueError("时限须为正数")
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：用途登记缺项或写法不对（{problem}）。请对照 packs/reference/privacy.yaml。",
            f"{path}: something is missing or malformed ({problem}); compare packs/reference/privacy.yaml.",
            code="privacy_invalid",
        ) from None
    return found


def _purpose(row: Mapping[str, object]) -> Purpose:
    if row["敏感"] not in ("是", "否") or not str(row["依据"]).strip():
        raise ValueError(f"{row['码']}：敏感写 是 或 否，依据不能空")
    return Purpose(
        code=str(row["码"]),
        label=str(row["名"]),
        label_en=str(row["英"]),
        law=str(row["依据"]),
        data=tuple(map(str, row["数据"])),  # type: ignore[call-overload]
        sensitive=row["敏感"] == "是",
        receivers=tuple(map(str, row["接收方"])),  # type: ignore[call-overload]
        kept=str(row["保存"]),
    )
