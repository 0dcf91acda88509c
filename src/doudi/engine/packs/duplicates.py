"""From which certainty on two records go to a person, and from which they are merged without one (查重)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.packs.sections import nearest_file

FILE = "duplicates.yaml"


@dataclass(frozen=True)
class DuplicateRules:
    """Probabilities from 0 to 1; ``merge_at`` 1 merges nothing, for no pair is certain.

    ``expected_share`` of the people are taken to be entered twice; a key of ``most_alike`` people is not used.
    """

    review_at: float
    merge_at: float
    expected_share: float
    most_alike: int
    hint_at: float


def load_duplicate_rules(folder: Path) -> DuplicateRules:
    """The rules of a pack folder: its own ``duplicates.yaml``, or that of the nearest layer below it."""
    return _read(nearest_file(folder, FILE, about="查重", code="duplicates_missing"))


def _read(path: Path) -> DuplicateRules:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        said = raw["查重"]
        found = DuplicateRules(
            review_at=float(said["送审概率"]),
            merge_at=float(said["自动合并概率"]),
            expected_share=float(said["预计重复比例"]),
            most_alike=int(said["同键上限"]),
            hint_at=float(said["录入提示概率"]),
        )
        if not 0 < found.hint_at <= found.review_at <= found.merge_at <= 1:
            raise ValueError("须有 0 < 录入提示概率 ≤ 送审概率 ≤ 自动合并概率 ≤ 1")
        if not 0 < found.expected_share < 1 or found.most_alike < 2:
            raise ValueError("预计重复比例须在 0 与 1 之间，同键上限至少为 2")
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：查重的规则缺项或写法不对（{problem}）。请对照 packs/reference/{FILE}。",
            f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/{FILE}.",
            code="duplicates_invalid",
        ) from None
    return found
