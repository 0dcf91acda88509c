"""`doudi meals route` on files as a canteen sends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from doudi.cli.meals_route import route
from doudi.engine.errors import DoudiError

app = typer.Typer()
app.command()(route)

STOPS = """id,lon,lat,demand,window_from,window_to,service_minutes
王家,106.980,26.450,1,11:00,12:00,2
李家,106.985,26.455,2,660,720,2
远处,107.500,26.900,1,,,2
"""


@pytest.fixture
def stops(tmp_path: Path) -> Path:
    path = tmp_path / "S.csv"
    path.write_text(STOPS, encoding="utf-8")
    return path


def run(stops: Path, *more: str, depot: str = "106.977,26.449") -> Any:
    arguments = ["--depot", depot, "--stops", str(stops), "--capacity", "20", "--iterations", "50", *more]
    return CliRunner().invoke(app, arguments)


def test_the_answer_has_the_promised_keys(stops: Path) -> None:
    told = json.loads(run(stops, "--max-minutes", "60", "--json").stdout)

    (only,) = told["routes"]
    assert sorted(only["stops"]) == ["李家", "王家"]
    assert only["load"] == 3
    assert len(only["arrivals"]) == 2
    assert all(660 <= moment <= 720 for moment in only["arrivals"])
    assert only["start"] < only["arrivals"][0]
    assert told["total_minutes"] == pytest.approx(only["minutes"])
    assert [(one["id"], one["code"]) for one in told["unserved"]] == [("远处", "hot")]
    assert "热食时限 60 分钟" in told["unserved"][0]["why"]


def test_a_table_of_durations_replaces_the_map(tmp_path: Path) -> None:
    (tmp_path / "S.csv").write_text("id,demand\na,1\nb,1\nc,1\n")
    (tmp_path / "X.csv").write_text(
        "from_id,to_id,minutes,distance\ndepot,a,4,900\na,b,3,700\ndepot,b,5,1100\nb,depot,6,1300\nz,a,1,1\n"
    )

    told = json.loads(run(tmp_path / "S.csv", "--durations", str(tmp_path / "X.csv"), "--json").stdout)

    # a first and home from b is 4 + 3 + 6; b first and home from a is 5 + 3 + 4, ways given once hold both ways
    assert told["total_minutes"] == 12
    assert told["routes"][0]["stops"] == ["b", "a"]
    assert told["routes"][0]["distance"] == 2700
    assert [(one["id"], one["code"]) for one in told["unserved"]] == [("c", "unreachable")]


def test_few_vehicles_leave_someone_with_a_reason(stops: Path) -> None:
    told = json.loads(run(stops, "--vehicles", "1", "--max-minutes", "200", "--json").stdout)

    assert len(told["routes"]) == 1
    assert len(told["routes"][0]["stops"]) + len(told["unserved"]) == 3


def test_the_same_list_gives_the_same_rounds(stops: Path) -> None:
    one, two = (json.loads(run(stops, "--json").stdout) for _ in range(2))

    assert one["routes"] == two["routes"]


def test_without_json_a_person_reads_it(stops: Path) -> None:
    shown = run(stops, "--max-minutes", "60")

    assert shown.exit_code == 0
    assert "总车程" in shown.stdout and "送不到 远处" in shown.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,lon,lat\na,106,26\n", "S.csv 第1行缺少列 demand"),
        ("id,lon,lat,demand\na,26.4,106.9,1\n", "经纬度可能写反了"),
        ("id,lon,lat,demand\na,,26.4,1\n", "S.csv 第2行“lon”列是空的"),
        ("id,lon,lat,demand\na,106,26,-1\n", "S.csv 第2行“demand”列-1 不在"),
        ("id,lon,lat,demand,window_from\na,106,26,1,中午\n", "“中午”不是时刻"),
        ("id,lon,lat,demand,window_from\na,106,26,1,11:75\n", "“11:75”不是时刻"),
        ("id,lon,lat,demand,window_from,window_to\na,106,26,1,12:00,11:00\n", "S.csv 第2行“window_to”列早于"),
        ("id,lon,lat,demand\ndepot,106,26,1\n", "“depot”是厨房的名字"),
        ("id,lon,lat,demand\na,106,26,1\na,106,26,1\n", "S.csv 第3行“id”列“a”与第2行重复"),
    ],
)
def test_a_bad_cell_is_named_by_file_row_and_column(stops: Path, text: str, said: str) -> None:
    stops.write_text(text, encoding="utf-8")

    error = run(stops).exception

    assert isinstance(error, DoudiError)
    assert said in error.zh
    assert error.en and "第" not in error.en


def test_a_bad_number_in_the_travel_table_is_named(stops: Path, tmp_path: Path) -> None:
    (tmp_path / "X.csv").write_text("from_id,to_id,minutes\ndepot,王家,5\n王家,李家,慢\n", encoding="utf-8")

    error = run(stops, "--durations", str(tmp_path / "X.csv")).exception

    assert isinstance(error, DoudiError)
    assert "X.csv 第3行“minutes”列“慢”不是数字" in error.zh


@pytest.mark.parametrize("depot", ["here", "26.4", "106.9,126.4"])
def test_a_kitchen_that_is_no_place_is_wrong_use(stops: Path, depot: str) -> None:
    assert run(stops, depot=depot).exit_code == 2
