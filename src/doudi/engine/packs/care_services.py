"""Help that is given as a service, as the pack says (服务类社会救助): what, in which unit, at what price, paid by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.money import parse_fen
from doudi.engine.packs.sections import nearest_file


@dataclass(frozen=True)
class CareItem:
    """One service of the catalogue; ``price_fen`` is that of one unit, None where the county has not set it."""

    code: str
    label: str
    label_en: str
    unit: str
    price_fen: int | None
    payer: str
    photo: bool
    """Whether a visit is proven by a picture as well as by the receiver's confirmation."""
    clause: str


@dataclass(frozen=True)
class CareRules:
    """The catalogue, and what is common to its services."""

    items: Mapping[str, CareItem]
    wrong_codes: int
    """So often a wrong confirmation code may be typed before a new one is asked for."""
    grace_days: int
    """So many days after an order's last one a visit may still be recorded; then the order ends by itself."""

    def item(self, code: str) -> CareItem:
        """The service of a code, or a refusal that names those there are."""
        found = self.items.get(code)
        if found is None:
            listed = "、".join(f"{one.code} {one.label}" for one in self.items.values())
            raise DoudiError(
                f"政策包里没有服务“{code}”。可用：{listed}。",
                f"The pack has no service {code!r}; it has {', '.join(self.items)}.",
                code="service_unknown",
            )
        return found


def load_care(folder: Path) -> CareRules:
    """The catalogue of a pack folder: its own ``care_services.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, "care_services.yaml", about="服务类救助", code="care_missing"))


def _read(path: Path) -> CareRules:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        items = {row["码"]: _item(row) for row in raw["服务"]}
        found = CareRules(
            items=items,
            wrong_codes=int(raw["确认码"]["最多输错"]),
            grace_days=int(raw.get("到期", {}).get("补登天数", "7")),
        )
        if not items or found.wrong_codes < 1 or found.grace_days < 0:
            raise ValueError("服务、最多输错、补登天数")
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：服务类救助的规则缺项或写法不对（{problem}）。请对照 packs/reference/care_services.yaml。",
            f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/care_services.yaml.",
            code="care_invalid",
        ) from None
    return found


def _item(row: Mapping[str, str]) -> CareItem:
    price = None
    if "单价" in row:
        price, fault = parse_fen(row["单价"])
        if fault is not None or not price:
            raise ValueError(f"单价 {row['单价']}")
    if row["照片"] not in ("是", "否"):
        raise ValueError(f"照片 {row['照片']}")
    return CareItem(
        row["码"], row["名"], row["英"], row["单位"], price, row["付款方"], row["照片"] == "是", row["依据"]
    )
