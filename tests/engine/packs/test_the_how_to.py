"""The page for officers is followed to the letter: what it says to write passes check and test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doudi.engine.packs import check_pack, diff_packs, load_pack, new_pack, test_pack
from tests.engine.packs.little import REFERENCE, ROOT

PAGE = (ROOT / "docs" / "how-to" / "write-a-county-pack.md").read_text("utf-8")


def test_a_county_pack_written_by_the_page_passes(tmp_path: Path) -> None:
    folder = new_pack("reference", "520103", tmp_path / "yunyan")
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        (folder / f"block-{number}.yaml").write_text(block, "utf-8")

    assert check_pack(folder) == []
    report = test_pack(folder)

    assert report.passed, str(report)
    changed = {d.name for d in diff_packs(load_pack(REFERENCE), load_pack(folder))}
    assert "低保标准 520103 城镇 自2024-07-01" in changed
    assert "收入低于标准.依据" in changed


@pytest.mark.parametrize("page", ["write-a-county-pack.md", "write-a-county-pack.zh.md"])
def test_the_commands_of_the_page_are_there(page: str) -> None:
    from typer.testing import CliRunner

    from doudi.cli import app

    text = (ROOT / "docs" / "how-to" / page).read_text("utf-8")
    for group, command in set(re.findall(r"^doudi (pack) (\w+)", text, re.M)):
        assert CliRunner().invoke(app, [group, command, "--help"]).exit_code == 0
