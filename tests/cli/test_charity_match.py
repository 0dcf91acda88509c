"""`doudi charity match` on files as a county sends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doudi.cli import main

NEEDS = """id,tier,amount,region,kind,group,waiting_days
N1,1,300000,522730101,大病,老人,40
N2,2,150000,522730102,教育,儿童,10
N3,1,500000,520102001,大病,,5
"""
PROJECTS = """id,places,budget,region,kinds,groups,interested_persons
P1,1,,5227,大病,,
P2,2,,,教育;大病,儿童;老人,N3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "N.csv").write_text(NEEDS, encoding="utf-8")
    (tmp_path / "P.csv").write_text(PROJECTS, encoding="utf-8")
    return tmp_path


def run(folder: Path, *more: str) -> list[str]:
    return ["charity", "match", "--needs", str(folder / "N.csv"), "--projects", str(folder / "P.csv"), *more]


def answer(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> dict[str, Any]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 1
    return capsys.readouterr().err


def test_the_answer_has_the_promised_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, run(folder, "--json"))

    assert [(pair["need"], pair["project"], pair["amount"]) for pair in told["pairs"]] == [
        ("N1", "P2", 300000),
        ("N2", "P2", 150000),
    ]
    assert told["served_by_tier"] == {"1": 1, "2": 1}
    assert told["optimal"] is True and told["bound"] == 2
    assert [left["need"] for left in told["unserved"]] == ["N3"]
    assert "地区不符（P1）" in told["unserved"][0]["why"]
    assert all(pair["why"] for pair in told["pairs"])


def test_a_list_of_eligible_pairs_replaces_the_conditions(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "E.csv").write_text("need_id,project_id,fit\nN2,P1,0.75\nN3,P2,1\n", encoding="utf-8")

    told = answer(capsys, run(folder, "--eligible", str(folder / "E.csv"), "--json"))

    assert [(pair["need"], pair["project"], pair["fit"]) for pair in told["pairs"]] == [("N2", "P1", 0.75)]
    # N3 is tied to P2: a list may not lift 慈善法 art. 40
    assert {left["need"] for left in told["unserved"]} == {"N1", "N3"}


def test_sums_in_yuan_with_decimals_come_back_as_they_were(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "N.csv").write_text("id,tier,amount\nN1,1,99.50\nN2,2,0.51\n", encoding="utf-8")
    (folder / "P.csv").write_text("id,places,budget\nP1,,100\n", encoding="utf-8")

    told = answer(capsys, run(folder, "--json"))

    assert [(pair["need"], pair["amount"]) for pair in told["pairs"]] == [("N1", 99.5)]
    assert told["served_by_tier"] == {"1": 1, "2": 0}
    assert "余下的预算不够" in told["unserved"][0]["why"]


def test_public_aid_is_taken_off_before_charity(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Worked case 6 of domain/04, in fen."""
    (folder / "N.csv").write_text("id,tier,amount,public_aid,other_aid\nN1,1,5000000,1800000,500000\n")
    (folder / "P.csv").write_text("id,places,budget\nP1,,3000000\n")

    told = answer(capsys, run(folder, "--json"))

    assert told["pairs"][0]["amount"] == 2_700_000


def test_the_first_come_list_is_shown_beside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, run(folder, "--compare", "--json"))

    assert told["first_come_by_tier"] == {"1": 1, "2": 1}


def test_without_json_a_person_reads_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(run(folder))

    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "N1" in out and "由人决定" in out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("N.csv", "", "N.csv 是空文件"),
        ("N.csv", "id,amount\nN1,1\n", "N.csv 第1行缺少列 tier"),
        ("N.csv", "id,tier\nN1,1\nN1,2\n", "N.csv 第3行“id”列“N1”与第2行重复"),
        ("N.csv", "id,tier\n\nN1,x\n", "N.csv 第3行“tier”列“x”不是数字"),
        ("N.csv", "id,tier\nN1,0\n", "N.csv 第2行“tier”列"),
        ("N.csv", "id,tier\nN1,1.5\n", "不是整数"),
        ("N.csv", "id,tier\n,1\n", "N.csv 第2行“id”列是空的"),
        ("N.csv", "id,tier,amount\nN1,1,三千\n", "“amount”列“三千”不是数字"),
        ("N.csv", "id,tier,amount\nN1,1,-5\n", "金额 -5"),
        ("N.csv", "id,tier,amount\nN1,1,1.005\n", "最多两位小数"),
        ("N.csv", "id,tier,income\nN1,1,\n", "“income”列是空的"),
        ("N.csv", "id,tier,amount\nN1,1\n", "N.csv 第2行有 2 格，表头有 3 列"),
        ("N.csv", "id,id\nN1,1\n", "列名重复：id"),
        ("P.csv", "id,places,budget\nP1,,\n", "名额和预算至少要填一项"),
        ("P.csv", "id,places\nP1,many\n", "P.csv 第2行“places”列“many”不是数字"),
        ("E.csv", "need_id,project_id\nN9,P1\n", "E.csv 第2行“need_id”列“N9”不在需求表中"),
        ("E.csv", "need_id,project_id\nN1,P9\n", "“P9”不在项目表中"),
        (
            "E.csv",
            "need_id,project_id\nN1,P1\nN2,P1\nN1,P1\n",
            "E.csv 第4行“project_id”列：同一需求与项目出现两次",
        ),
        ("E.csv", "need_id,project_id,fit\nN1,P1,good\n", "E.csv 第2行“fit”列“good”不是数字"),
        ("E.csv", "need_id,project_id,fit\nN1,P1,-1\n", "E.csv 第2行“fit”列"),
    ],
)
def test_a_bad_cell_is_named_by_file_row_and_column(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, said: str
) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    more = ["--eligible", str(folder / "E.csv")] if name == "E.csv" else []

    assert said in refusal(capsys, run(folder, *more))


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "P.csv").unlink()

    assert "读不到文件" in refusal(capsys, run(folder))


def test_a_workbook_saved_in_gb18030_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = answer(capsys, run(folder, "--json"))
    for name, text in (("N.csv", NEEDS), ("P.csv", PROJECTS)):
        (folder / name).write_bytes(text.encode("gb18030"))

    assert answer(capsys, run(folder, "--json"))["pairs"] == plain["pairs"]


def test_a_forgotten_option_is_wrong_use(folder: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["charity", "match", "--needs", str(folder / "N.csv")])

    assert end.value.code == 2
