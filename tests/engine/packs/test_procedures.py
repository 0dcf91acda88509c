"""Procedures of applications as pack data: what is wrong is said with the file, what a layer leaves out is inherited."""

from __future__ import annotations

from pathlib import Path

import pytest

from doudi.engine.errors import DoudiError
from doudi.engine.packs.procedures import FILE, LETTERS, filled, load_procedures

PACKS = Path(__file__).resolve().parents[3] / "packs"


@pytest.mark.parametrize("name", ["cn", "reference", "guizhou", "shaanxi", "shanxi", "sichuan"])
def test_every_shipped_pack_has_all_kinds_and_letters(name: str) -> None:
    rules = load_procedures(PACKS / name)

    assert {"DB", "TK", "BY", "GX", "LS", "JN"} <= set(rules.kinds)
    assert set(rules.letters) == set(LETTERS)
    # who is merely recognised is not published; who is helped is, for seven days
    assert [code for code in ("BY", "GX") if "公示" in rules.kinds[code].steps] == []
    assert {rules.kinds[code].notice_days for code in ("DB", "TK", "LS", "JN")} == {7}
    assert all(kind.investigators >= 2 for kind in rules.kinds.values() if not kind.transfers)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ("总: 30工", "总: 三十天", "时限"),
        ("步骤: [核对, 入户, 公示]", "步骤: [核对, 听证]", "听证"),
        ("{姓名}", "{身份证号}", "身份证号"),
        ("比例: 30%", "比例: 130%", "抽查比例"),
        ("材料: [identity, hardship]", "材料: [identity, 派出所证明]", "派出所证明"),
    ],
)
def test_a_wrong_procedure_is_named(before: str, after: str, part: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "pack.yaml").write_text('名称: mine\n版本: "1"\n上级: cn\n地区: "520102"\n虚构: 是\n', "utf-8")
    text = (PACKS / "cn" / FILE).read_text("utf-8")
    assert before in text
    (folder / FILE).write_text(text.replace(before, after), "utf-8")

    with pytest.raises(DoudiError, match=part) as told:
        load_procedures(folder)
    assert told.value.code == "procedures_invalid" and FILE in told.value.zh


def test_words_are_put_into_a_letter() -> None:
    assert filled("{姓名}：{缺件}", {"姓名": "王强"}) == "王强："
