"""`doudi meals plan` on lists as a county sends them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from doudi.cli.meals import app
from doudi.engine.errors import DoudiError
from doudi.engine.siting import CoordinateSystem, from_wgs84

DEMAND = """id,lon,lat,weight,group
城东,106.980,26.450,120,甲镇
城西,106.960,26.450,80,甲镇
山上,107.200,26.600,30,乙乡
"""
CANDIDATES = """id,lon,lat,capacity,cost,group
A,106.981,26.450,,50,县城
B,106.961,26.450,,40,县城
C,107.201,26.600,,90,乙乡
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "D.csv").write_text(DEMAND, encoding="utf-8")
    (tmp_path / "C.csv").write_text(CANDIDATES, encoding="utf-8")
    return tmp_path


def run(folder: Path, *options: object) -> Result:
    lists = ["--demand", folder / "D.csv", "--candidates", folder / "C.csv"]
    return CliRunner().invoke(app, ["plan", *map(str, [*lists, *options])])


def answer(folder: Path, *options: object) -> dict[str, Any]:
    result = run(folder, *options, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(folder: Path, *options: object) -> DoudiError:
    result = run(folder, *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, DoudiError)
    return result.exception


def test_two_sites_cover_the_most_elders_and_the_answer_has_the_promised_keys(folder: Path) -> None:
    told = answer(folder, "--model", "coverage", "--radius", 1000, "--sites", 2)

    assert {k: told[k] for k in ("model", "status", "objective", "bound", "gap", "sites")} == {
        "model": "coverage",
        "status": "optimal",
        "objective": 200,
        "bound": 200,
        "gap": 0.0,
        "sites": ["A", "B"],
    }
    assert told["assignment"] == {"城东": "A", "城西": "B", "山上": None}
    assert (told["covered_weight"], told["total_weight"]) == (200, 230)
    assert told["groups"] == {
        "甲镇": {"covered_weight": 200, "total_weight": 200},
        "乙乡": {"covered_weight": 0, "total_weight": 30},
    }
    assert told["seconds"] > 0 and told["why"] == ""


def test_a_floor_brings_a_site_to_the_far_township(folder: Path) -> None:
    (folder / "L.csv").write_text("group,at_least,at_most\n乙乡,1,\n", encoding="utf-8")

    told = answer(folder, "--model", "coverage", "--radius", 1000, "--sites", 2, "--floors", folder / "L.csv")

    assert told["sites"] == ["A", "C"]


def test_a_fixed_site_is_kept(folder: Path) -> None:
    (folder / "F.csv").write_text("candidate_id\nC\n", encoding="utf-8")

    told = answer(folder, "--model", "coverage", "--radius", 1000, "--sites", 2, "--fixed", folder / "F.csv")

    assert told["sites"] == ["A", "C"]


def test_cover_all_counts_sites_and_median_sums_distance(folder: Path) -> None:
    everyone = answer(folder, "--model", "cover-all", "--radius", 3000)
    nearest = answer(folder, "--model", "median", "--sites", 3)

    assert (everyone["status"], everyone["objective"]) == ("optimal", 2)
    assert everyone["sites"] == ["B", "C"]  # A would do as well and costs more
    assert nearest["assignment"] == {"城东": "A", "城西": "B", "山上": "C"}
    # 0.001° of longitude at 26.45° N × 1.3
    assert nearest["objective"] == pytest.approx(230 * 129.4, rel=2e-3)


def test_capacity_sends_the_overflow_elsewhere(folder: Path) -> None:
    crowded = CANDIDATES.replace("26.450,,50", "26.450,100,50").replace("26.450,,40", "26.450,130,40")
    (folder / "C.csv").write_text(crowded, encoding="utf-8")

    told = answer(folder, "--model", "coverage", "--radius", 3000, "--sites", 3)

    # 120 do not fit into A's 100 seats, though A is nearer; with them B has no room for 80 more
    assert told["assignment"] == {"城东": "B", "城西": "A", "山上": "C"}
    assert told["objective"] == told["covered_weight"] == 230


def test_a_distance_table_replaces_coordinates_and_a_missing_pair_is_unreachable(folder: Path) -> None:
    (folder / "D.csv").write_text("id,weight\n城东,120\n城西,80\n山上,30\n", encoding="utf-8")
    (folder / "C.csv").write_text("id\nA\nB\nC\n", encoding="utf-8")
    (folder / "X.csv").write_text(
        "demand_id,candidate_id,distance\n城东,A,100\n城西,A,900\n城西,B,50\n", encoding="utf-8"
    )

    one = answer(folder, "--model", "median", "--sites", 1, "--distances", folder / "X.csv")
    near = answer(
        folder, "--model", "coverage", "--sites", 1, "--radius", 500, "--distances", folder / "X.csv"
    )

    assert (one["objective"], one["sites"]) == (120 * 100 + 80 * 900, ["A"])
    assert one["assignment"]["山上"] is None and "山上" in one["why"]
    assert (near["objective"], near["assignment"]["城西"]) == (120, None)


def test_no_plan_is_an_answer_with_its_reason(folder: Path) -> None:
    told = answer(folder, "--model", "cover-all", "--radius", 50)

    assert (told["status"], told["objective"], told["sites"]) == ("infeasible", None, [])
    assert "城东" in told["why"] and "out of reach of every candidate" in told["why"]


@pytest.mark.parametrize("system", list(CoordinateSystem))
def test_lists_in_any_coordinate_system_give_the_same_plan(folder: Path, system: CoordinateSystem) -> None:
    for name in ("D.csv", "C.csv"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        moved = [lines[0]]
        for line in lines[1:]:
            cells = line.split(",")
            lon, lat = from_wgs84(float(cells[1]), float(cells[2]), system)
            moved.append(",".join([cells[0], f"{lon:.9f}", f"{lat:.9f}", *cells[3:]]))
        (folder / name).write_text("\n".join(moved), encoding="utf-8")

    told = answer(folder, "--model", "median", "--sites", 3, "--coordinates", system.value)

    assert told["objective"] == pytest.approx(230 * 129.4, rel=2e-3)


def test_files_as_excel_saves_them_are_read(folder: Path) -> None:
    (folder / "D.csv").write_bytes(DEMAND.encode("utf-8-sig"))
    (folder / "C.csv").write_bytes(CANDIDATES.replace("\n", "\r\n").encode("gb18030"))

    assert answer(folder, "--model", "coverage", "--radius", 1000, "--sites", 2)["sites"] == ["A", "B"]


def test_words_for_people_show_share_and_gap(folder: Path) -> None:
    result = run(folder, "--model", "coverage", "--radius", 1000, "--sites", 2)

    assert result.exit_code == 0
    assert "已证明最优" in result.stdout and "87.0%" in result.stdout and "0.000%" in result.stdout


@pytest.mark.parametrize(
    ("file", "text", "zh", "en"),
    [
        ("D.csv", "", "空文件", "is empty"),
        ("D.csv", "id,lon,lat,weight\n", "没有任何需求点", "no demand point"),
        ("D.csv", "id,lon,lat\na,106,26\n", "第1行缺少列 weight", "lacks the column(s) weight"),
        (
            "D.csv",
            DEMAND.replace(",80,", ",八十,"),
            "D.csv 第3行“weight”列“八十”不是数字",
            "row 3, column weight",
        ),
        ("D.csv", DEMAND.replace(",80,", ",-1,"), "第3行“weight”列-1 不在", "row 3, column weight"),
        ("D.csv", DEMAND.replace("城西", "城东"), "第3行“id”列“城东”与第2行重复", "already in row 2"),
        ("D.csv", DEMAND.replace("106.960,26.450", "26.450,106.960"), "经纬度可能写反了", "may be swapped"),
        ("C.csv", CANDIDATES.replace("106.961", "206.961"), "第3行“lon”列206.961 超出 ±180", "beyond ±180"),
        ("C.csv", CANDIDATES.replace(",40,", ",四十,"), "第3行“cost”列“四十”不是数字", "row 3, column cost"),
        ("C.csv", "id,lon,lat\n", "没有任何候选点", "no candidate"),
        ("F.csv", "candidate_id\nZ\n", "F.csv 第2行“candidate_id”列“Z”不在候选点表里", "not in the list"),
        ("F.csv", "id\nA\n", "缺少列 candidate_id", "candidate_id"),
        ("L.csv", "group,at_least,at_most\n县城,3,2\n", "至多 2 小于至少 3", "less than at_least"),
        ("L.csv", "group,at_least,at_most\n县城,1.5,2\n", "1.5 不是整数", "not a whole number"),
        (
            "X.csv",
            "demand_id,candidate_id,distance\n城东,Z,5\n",
            "第2行“candidate_id”列“Z”不在候选点表里",
            "“Z”",
        ),
        (
            "X.csv",
            "demand_id,candidate_id,distance\n无,A,5\n",
            "第2行“demand_id”列“无”不在需求点表里",
            "“无”",
        ),
        ("X.csv", "demand_id,candidate_id,distance\n城东,A,远\n", "第2行“distance”列“远”不是数字", "row 2"),
        ("X.csv", "demand_id,candidate_id,distance\n城东,A,-5\n", "第2行“distance”列-5 不在", "row 2"),
        (
            "X.csv",
            "demand_id,candidate_id,distance\n城东,A,5\n城东,A,6\n",
            "第3行“candidate_id”列城东 – A 这一对出现两次",
            "twice",
        ),
    ],
)
def test_a_bad_list_is_refused_with_file_row_and_column(
    folder: Path, file: str, text: str, zh: str, en: str
) -> None:
    (folder / file).write_text(text, encoding="utf-8")
    option = {"F.csv": "--fixed", "L.csv": "--floors", "X.csv": "--distances"}.get(file)
    more = [option, folder / file] if option else []

    refused = refusal(folder, "--model", "coverage", "--radius", 1000, "--sites", 2, *more)

    assert file in refused.zh and file in refused.en
    assert zh in refused.zh and en in refused.en


def test_a_list_that_is_not_there_is_refused(folder: Path) -> None:
    (folder / "D.csv").unlink()

    refused = refusal(folder, "--model", "coverage", "--radius", 1000, "--sites", 2)

    assert "读不到文件" in refused.zh


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "coverage", "--radius", 1000],
        ["--model", "coverage", "--sites", 2],
        ["--model", "cover-all"],
        ["--model", "median"],
        ["--model", "median", "--sites", 0],
        ["--model", "nearest", "--sites", 1],
        ["--model", "median", "--sites", 1, "--detour", 0.5],
    ],
)
def test_wrong_use_is_two(folder: Path, options: list[object]) -> None:
    assert run(folder, *options).exit_code == 2


def test_a_full_table_of_900_by_900_is_read_in_seconds(tmp_path: Path) -> None:
    count = 900
    names = [f"v{i}" for i in range(count)]
    spot = np.random.default_rng(3).integers(0, 1000, (count, 2))
    metres = np.abs(spot[:, None] - spot[None]).sum(axis=2)
    (tmp_path / "D.csv").write_text("id,weight\n" + "".join(f"{n},1\n" for n in names))
    (tmp_path / "C.csv").write_text("id\n" + "".join(f"{n}\n" for n in names))
    (tmp_path / "X.csv").write_text(
        "demand_id,candidate_id,distance\n"
        + "".join(f"{names[i]},{names[j]},{metres[i, j]}\n" for i in range(count) for j in range(count))
    )

    began = time.process_time()
    told = answer(
        tmp_path, "--model", "median", "--sites", 5, "--distances", tmp_path / "X.csv", "--time-limit", 10
    )
    # of the processor, for a machine at work on other things takes its time
    assert time.process_time() - began < 60

    opened = [int(site[1:]) for site in told["sites"]]
    assert told["objective"] == metres[:, opened].min(axis=1).sum()
    assert told["bound"] <= told["objective"]
    assert told["gap"] < 0.05


def test_a_column_of_people_in_difficulty_puts_them_first(tmp_path: Path) -> None:
    (tmp_path / "D.csv").write_text("id,lon,lat,weight,hard\ncrowd,106.7,26.6,1000,0\none,106.8,26.6,2,1\n")
    (tmp_path / "C.csv").write_text("id,lon,lat\na,106.7,26.6\nb,106.8,26.6\n")

    told = answer(tmp_path, "--model", "coverage", "--sites", 1, "--radius", 500)
    shown = run(tmp_path, "--model", "coverage", "--sites", 1, "--radius", 500).output
    (tmp_path / "D.csv").write_text("id,lon,lat,weight,hard\none,106.8,26.6,2,3\n")
    refused = refusal(tmp_path, "--model", "coverage", "--sites", 1, "--radius", 500)

    assert told["sites"] == ["b"] and told["gap"] == 0
    assert [(step["aim"], step["value"], step["gap"]) for step in told["objectives"]] == [
        ("hard", 1, 0), ("all", 2, 0), ("distance", 0, 0),
    ]  # fmt: skip
    assert "困难老人" in shown
    assert "第2行" in refused.zh and "hard" in refused.en
