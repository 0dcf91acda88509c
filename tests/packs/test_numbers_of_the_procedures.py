"""Each number of the procedures names its document, or says that it is assumed: none passes for law that is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from doudi.engine.packs.procedures import load_procedures
from tests.conftest import PROJECT

NUMBER = re.compile(r"\d+(\.\d+)?(工|天|元|%)?")
MARKS = ("假定", "虚构")


def unsupported(node: Any, sources: dict[str, str], way: tuple[str, ...] = ()) -> list[str]:
    """The numbers below a node that neither are marked nor stand under a name that ``sources`` or a 依据 supports."""
    if isinstance(node, dict):
        if node.get("标") in MARKS:
            return []
        inner = {**sources, **node.get("出处", {})}
        return [
            found
            for name, below in node.items()
            if name not in ("码", "出处", "依据", "名", "英", "文书", "复议")
            for found in unsupported(below, inner, (*way, str(name)))
        ]
    if isinstance(node, list):
        return [
            found
            for place, below in enumerate(node)
            for found in unsupported(below, sources, (*way, str(place)))
        ]
    if NUMBER.fullmatch(str(node)) and not any(name in sources for name in way):
        return ["/".join((*way, str(node)))]
    return []


def read(path: Path) -> dict[str, Any]:
    raw = yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)
    # a region's own limits, and who may apply alone, stand beside their document
    for row in (*raw.get("地区另定", []), raw["单人保"]):
        assert row["依据"].strip()
    return {name: raw[name] for name in raw if name not in ("地区另定", "单人保", "文书", "复议")}


@pytest.mark.parametrize("pack", ["cn", "reference"])
def test_every_number_has_a_document_or_the_mark(pack: str) -> None:
    assert unsupported(read(PROJECT / "packs" / pack / "procedures.yaml"), {}) == []


def test_a_number_without_either_is_found(tmp_path: Path) -> None:
    text = (PROJECT / "packs" / "cn" / "procedures.yaml").read_text("utf-8")
    for marked, bare in (
        ("{为: 1500元, 标: 假定}", "1500元"),
        ("总: {为: 20工, 标: 假定}", "总: 20工"),
        ("出处: {有效月数: 民发〔2024〕57号}", "出处: {}"),
        ("天数: 30, 标: 假定", "天数: 30"),
    ):
        (tmp_path / "procedures.yaml").write_text(text.replace(marked, bare), "utf-8")
        assert len(unsupported(read(tmp_path / "procedures.yaml"), {})) == 1, bare


def test_marks_change_no_value() -> None:
    rules = load_procedures(PROJECT / "packs" / "cn")
    temporary, transfer = rules.kinds["LS"], rules.kinds["MED"]

    assert (temporary.small_fen, temporary.months, temporary.times_a_year) == (150_000, 3, 2)
    assert {name: limit.amount for name, limit in temporary.limits.items()} == {
        "确认": 10,
        "不予告知": 3,
        "总": 20,
    }
    assert {name: limit.amount for name, limit in transfer.limits.items()} == {"接收": 2, "反馈": 15}
    assert (rules.kinds["GX"].valid_months, rules.kinds["TK"].limits["不予告知"].told) == (12, "3个工作日")
