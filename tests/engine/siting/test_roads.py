"""A table of road distances is checked before it is believed: units, ends, pairs that are missing or lopsided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from doudi.engine.csvfile import CsvFile, TableError
from doudi.engine.siting.roads import Roads, Spot, read_roads, road_reach

VILLAGES = [Spot(f"v{i}", 106.7 + 0.01 * i, 26.6) for i in range(4)]
"""A kilometre apart (994 m at this latitude)."""


def read(folder: Path, lines: str, places: list[Spot] = VILLAGES, radius: float = 1500.0) -> Roads:
    path = folder / "路.csv"
    path.write_text(lines, encoding="utf-8")
    return read_roads(path, VILLAGES, places, radius=np.full(4, radius), detour=1.3, metres_a_minute=60.0)


def words(roads: Roads) -> str:
    return " ".join(note.zh + note.en for note in roads.notes)


def test_pairs_hold_both_ways_and_the_longer_one_counts(tmp_path: Path) -> None:
    roads = read(tmp_path, "from,to,metres\nv0,v1,1200\nv1,v2,1000\nv2,v1,1900\nv2,v3,1500\n")

    found = dict(zip(zip(roads.row.tolist(), roads.place.tolist(), strict=True), roads.metres, strict=True))
    assert found[0, 1] == found[1, 0] == 1200 and found[1, 2] == found[2, 1] == 1900
    assert found[3, 3] == 0, "who lives where the place stands has no way to go"
    assert "来回相差" in words(roads) and "v1–v2 1000/1900" in words(roads)
    reach = road_reach(
        roads, (np.array([s.lon for s in VILLAGES]), np.full(4, 26.6)),
        (np.array([s.lon for s in VILLAGES]), np.full(4, 26.6)), radius=np.full(4, 1500.0), detour=1.3,
    )  # fmt: skip
    assert reach.within().toarray().astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 1, 1],
        [0, 0, 1, 1],
    ]


def test_what_is_missing_or_strange_is_named(tmp_path: Path) -> None:
    new = Spot("new", 106.735, 26.6)
    roads = read(tmp_path, "from,to,metres\nv0,v1,1200\nv0,elsewhere,900\nv3,v2,1100\n", [*VILLAGES, new])

    said = words(roads)
    assert "elsewhere" in said and "1 个候选点不在路网距离表里" in said and "v1–v2" in said
    assert "count as no way" in said and "by coordinates" in said


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ("from,to,metres\nv0,v1,1.2\n", ["第2行", "1.2 米", "公里", "kilometres"]),
        ("from,to,minutes\nv0,v1,15\nv1,v2,2\n", ["第3行", "2 分钟", "开车", "driving"]),
        ("from,to,metres\nv0,v1,1200\nv0,v1,1300\n", ["第3行", "出现两次", "twice"]),
        ("from,to,metres\nv0,v1,远\n", ["第2行", "不是数字", "not a number"]),
        ("from,to,km\nv0,v1,1.2\n", ["metres", "minutes"]),
        ("from,to,metres\nx,y,1200\n", ["没有一行", "No row"]),
    ],
)
def test_a_list_that_cannot_be_right_is_refused_with_its_row(
    tmp_path: Path, lines: str, names: list[str]
) -> None:
    with pytest.raises(TableError) as refused:
        read(tmp_path, lines)

    assert all(name in str(refused.value) for name in names), str(refused.value)


def test_minutes_on_foot_become_metres(tmp_path: Path) -> None:
    roads = read(tmp_path, "from,to,minutes\nv0,v1,20\n")

    assert roads.metres[(roads.row == 0) & (roads.place == 1)].tolist() == [1200.0]


def test_a_workbook_is_read_like_a_list_and_refused_with_the_sheets_own_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["from", "to", "metres"], ["v0", "v1", 1200], [None, None, None], ["v1", "v2", 1.5]):
        book.active.append(row)
    path = tmp_path / "路.xlsx"
    book.save(path)

    assert CsvFile(path, ["from", "to"]).text("metres") == ["1200", "1.5"]
    with pytest.raises(TableError, match=r"路\.xlsx 第4行"):
        read_roads(path, VILLAGES, VILLAGES, radius=np.full(4, 1e3), detour=1.3, metres_a_minute=60.0)
    path.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(Exception, match="Excel"):
        CsvFile(path, ["from"])
