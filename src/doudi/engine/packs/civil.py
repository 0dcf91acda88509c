"""How long somebody is watched after leaving a category or after temporary aid, as the pack says (登记)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file


@lru_cache(maxsize=4)
def tail_months(folder: Path) -> tuple[int, int]:
    """Months after leaving 低保 or 特困 (TC) and after temporary aid (LS): a pack's own ``registry.yaml``, or the nearest below."""
    path = nearest_file(folder, "registry.yaml", about="登记", code="registry_rules_missing")
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        left, aid = int(raw["退出监测月数"]), int(raw["临时救助监测月数"])
        if not (0 < left <= 60 and 0 < aid <= 60):
            raise ValueError("1–60")
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：登记规则缺项或写法不对（{problem}）。请对照 packs/reference/registry.yaml。",
            f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/registry.yaml.",
            code="registry_rules_invalid",
        ) from None
    return left, aid
