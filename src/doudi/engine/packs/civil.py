"""What the pack says of the register itself (登记): how long somebody is watched, and which file tells of disabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec
from doudi.engine.packs.sections import nearest_file

_FILE = "registry.yaml"


@lru_cache(maxsize=4)
def tail_months(folder: Path) -> tuple[int, int]:
    """Months after leaving 低保 or 特困 (TC) and after temporary aid (LS): a pack's own ``registry.yaml``, or the nearest below."""
    path, raw = _read(folder)
    try:
        left, aid = int(raw["退出监测月数"]), int(raw["临时救助监测月数"])
        if not (0 < left <= 60 and 0 < aid <= 60):
            raise ValueError("1–60")
    except (KeyError, TypeError, ValueError) as problem:
        raise _malformed(path, problem) from None
    return left, aid


@dataclass(frozen=True)
class DisabilityFile:
    """Which feed tells who is disabled (残疾人证): its columns of kind and grade (1 is the heaviest), and which rows hold."""

    feed: str
    kind: str
    grade: str
    when: tuple[str, str]
    kinds: tuple[str, ...]


def disability_file(folder: Path, specs: Mapping[str, FeedSpec]) -> DisabilityFile | None:
    """The feed by which lists are narrowed to disabled people; None where the pack names none."""
    path, raw = _read(folder)
    said = raw.get("残疾")
    if said is None:
        return None
    try:
        spec = next(one for one in specs.values() if said["数据"] in (one.label, one.name))
        named = {column.label: column for column in spec.columns}
        return DisabilityFile(
            feed=spec.name,
            kind=named[said["类别"]].name,
            grade=named[said["等级"]].name,
            when=(named[said["当"]].name, str(said["为"])),
            kinds=named[said["类别"]].codes,
        )
    except (KeyError, TypeError, StopIteration) as problem:
        raise _malformed(path, problem) from None


def _read(folder: Path) -> tuple[Path, dict[str, Any]]:
    path = nearest_file(folder, _FILE, about="登记", code="registry_rules_missing")
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    if not isinstance(raw, dict):
        raise _malformed(path, ValueError(_FILE))
    return path, raw


def _malformed(path: Path, problem: Exception) -> DoudiError:
    return DoudiError(
        f"{path}：登记规则缺项或写法不对（{problem}）。请对照 packs/reference/{_FILE}。",
        f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/{_FILE}.",
        code="registry_rules_invalid",
    )
