"""Distances on the road in place of straight ones (路网距离表): a list of pairs, checked before it is believed.

In come pairs ``from, to`` with ``metres`` or ``minutes`` on foot; out come metres per pair of demand point and
candidate, and what the planner should know of the list. A way that is shorter than the straight line, a walk that is
faster than walking and a pair told twice are refused with their row; what is missing or lopsided is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from doudi.engine.csvfile import CsvFile, TableError
from doudi.engine.siting.problem import Floats, Ints, Reason
from doudi.engine.siting.reach import CoordinateReach, TableReach, great_circle

_NAMED = 5
_SHORTEST = 0.95
"""Of the straight line: coordinates stand for a whole village, so a little less is no error."""
_NEAR = 300.0
"""Metres below which the straight line says too little about a way."""
_FASTEST = 150.0
"""Metres a minute (9 km/h) that nobody of sixty walks."""
_LOPSIDED = 1.2


@dataclass(frozen=True)
class Spot:
    """Where a demand point or a candidate lies; demand points that differ only by who lives there share a name."""

    name: str
    lon: float
    lat: float


@dataclass(frozen=True)
class Roads:
    """Metres on the road of pairs: ``row`` numbers demand points, ``place`` candidates; a pair not there is no way."""

    row: Ints
    place: Ints
    metres: Floats
    notes: list[Reason] = field(default_factory=list)


def read_roads(
    path: Path,
    points: Sequence[Spot],
    places: Sequence[Spot],
    *,
    radius: Floats,
    detour: float,
    metres_a_minute: float,
) -> Roads:
    """Read ``from, to, metres`` or ``from, to, minutes`` (CSV or workbook).

    A pair may be told from either end; told from both, the longer way counts. ``radius`` (metres, one per point) and
    ``detour`` tell which missing pairs are worth a word. Raises :class:`TableError` naming the row.
    """
    table = CsvFile(path, ["from", "to"])
    column = "metres" if table.has("metres") else "minutes"
    if not table.has(column):
        raise TableError(
            f"{path.name} 第1行缺少列 metres（米）或 minutes（步行分钟）。请按说明补上表头。",
            f"{path.name} row 1 lacks the column metres or minutes (on foot). Complete the header.",
        )
    told = np.array(table.numbers(column, high=1e6))
    metres = told if column == "metres" else told * metres_a_minute
    at = {spot.name: spot for spot in [*points, *places]}
    starts, ends = table.text("from"), table.text("to")
    ways: dict[tuple[str, str], float] = {}
    strange: list[str] = []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        unknown = [name for name in (start, end) if name not in at]
        if unknown:
            strange += unknown
            continue
        if ways.setdefault((start, end), metres[index]) != metres[index]:
            raise table.refusal(
                index,
                "to",
                f"：{start} 到 {end} 这一对出现两次，长度不同",
                f"the pair {start} – {end} is there twice with different lengths",
            )
        _believe(table, index, column, at[start], at[end], told[index], metres[index])
    if not ways:
        raise TableError(
            f"{path.name} 里没有一行的编号同时在需求点和候选点里。请检查编号。",
            f"No row of {path.name} names a demand point and a candidate of this plan. Check the identifiers.",
        )
    roads = _pairs(ways, points, places)
    notes = [*_passed_over(strange), *_lopsided(ways), *_missing(roads, points, places, radius, detour)]
    return Roads(roads.row, roads.place, roads.metres, notes)


def road_reach(
    roads: Roads,
    points: tuple[Floats, Floats],
    places: tuple[Floats, Floats],
    *,
    radius: Floats,
    detour: float,
) -> TableReach:
    """Reach by road; a candidate that no pair names (new, moved) is reckoned by great circle × ``detour``."""
    count, many = len(points[0]), len(places[0])
    unnamed = np.setdiff1d(np.arange(many), roads.place)
    row, place, metres = roads.row, roads.place, roads.metres
    if len(unnamed):
        by_coordinates = CoordinateReach(
            points, (places[0][unnamed], places[1][unnamed]), radius=radius, detour=detour
        )
        near = by_coordinates.within().tocoo()
        to = unnamed[near.col]
        length = detour * great_circle(points[0][near.row], points[1][near.row], places[0][to], places[1][to])
        row, place = np.concatenate((row, near.row)), np.concatenate((place, to))
        metres = np.concatenate((metres, length))
    return TableReach((count, many), row, place, metres, radius=radius)


def _straight(start: Spot, end: Spot) -> float:
    return float(great_circle(np.array(start.lon), np.array(start.lat), np.array(end.lon), np.array(end.lat)))


def _believe(
    table: CsvFile, index: int, column: str, start: Spot, end: Spot, told: float, metres: float
) -> None:
    straight = _straight(start, end)
    if straight < _NEAR:
        return
    if column == "metres" and metres < _SHORTEST * straight:
        raise table.refusal(
            index,
            column,
            f"：{start.name} 到 {end.name} 写的是 {told:g} 米，直线就有 {straight:.0f} 米；"
            "单位是不是公里或分钟，或者坐标有误",
            f"{start.name} – {end.name} is {told:g} metres, the straight line is {straight:.0f}; "
            "are these kilometres or minutes, or are the coordinates wrong?",
        )
    if column == "minutes" and straight > _FASTEST * told:
        raise table.refusal(
            index,
            column,
            f"：{start.name} 到 {end.name} 写的是 {told:g} 分钟，直线有 {straight:.0f} 米，走不了这么快；"
            "是不是小时，或者是开车的时间",
            f"{start.name} – {end.name} is {told:g} minutes for {straight:.0f} metres, faster than anybody walks; "
            "are these hours, or driving times?",
        )


def _pairs(ways: dict[tuple[str, str], float], points: Sequence[Spot], places: Sequence[Spot]) -> Roads:
    rows_of: dict[str, list[int]] = {}
    for row, spot in enumerate(points):
        rows_of.setdefault(spot.name, []).append(row)
    number = {spot.name: place for place, spot in enumerate(places)}
    found: dict[tuple[int, int], float] = {}
    for (start, end), metres in ways.items():
        for point, place in ((start, end), (end, start)):
            if place not in number:
                continue
            for row in rows_of.get(point, ()):
                pair = (row, number[place])
                found[pair] = max(found.get(pair, 0.0), metres)
    listed = {name for way in ways for name in way}
    for name, rows in rows_of.items():  # who lives where the place stands has no way to go
        if name in number and name in listed:
            for row in rows:
                found.setdefault((row, number[name]), 0.0)
    pairs = sorted(found)
    return Roads(
        np.array([row for row, _ in pairs], dtype=np.int64),
        np.array([place for _, place in pairs], dtype=np.int64),
        np.array([found[pair] for pair in pairs]),
    )


def _some(names: Sequence[str]) -> str:
    shown = "、".join(names[:_NAMED])
    return shown + (" …" if len(names) > _NAMED else "")


def _passed_over(strange: Sequence[str]) -> list[Reason]:
    names = list(dict.fromkeys(strange))
    if not names:
        return []
    return [
        Reason(
            f"路网距离表里有 {len(names)} 个编号不在需求点和候选点里，这些行已略过：{_some(names)}。",
            f"{len(names)} identifiers of the road table are neither demand nor candidate; their rows are passed "
            f"over: {_some(names)}.",
        )
    ]


def _lopsided(ways: dict[tuple[str, str], float]) -> list[Reason]:
    names = [
        f"{start}–{end} {metres:.0f}/{ways[end, start]:.0f}"
        for (start, end), metres in ways.items()
        if start < end and (end, start) in ways and _differ(metres, ways[end, start])
    ]
    if not names:
        return []
    return [
        Reason(
            f"路网距离表里有 {len(names)} 对来回相差两成以上，按长的算（米）：{_some(names)}。",
            f"{len(names)} pairs of the road table differ by more than a fifth between there and back; the longer way "
            f"counts (metres): {_some(names)}.",
        )
    ]


def _differ(a: float, b: float) -> bool:
    return max(a, b) > _LOPSIDED * min(a, b)


def _missing(
    roads: Roads, points: Sequence[Spot], places: Sequence[Spot], radius: Floats, detour: float
) -> list[Reason]:
    """Pairs that the straight line × detour would reach and the list does not name; candidates it never names."""
    named = np.unique(roads.place)
    notes = []
    if len(named) < len(places):
        names = [places[j].name for j in np.setdiff1d(np.arange(len(places)), named).tolist()]
        notes.append(
            Reason(
                f"有 {len(names)} 个候选点不在路网距离表里，按坐标×绕行系数算：{_some(names)}。",
                f"{len(names)} candidates are not in the road table and go by coordinates × detour: {_some(names)}.",
            )
        )
    lon, lat = (np.array([getattr(spot, axis) for spot in points]) for axis in ("lon", "lat"))
    x, y = (np.array([getattr(places[j], axis) for j in named.tolist()]) for axis in ("lon", "lat"))
    near = CoordinateReach((lon, lat), (x, y), radius=radius, detour=detour).within().tocoo()
    have = set(zip(roads.row.tolist(), roads.place.tolist(), strict=True))
    lost = [
        (row, place)
        for row, place in zip(near.row.tolist(), named[near.col].tolist(), strict=True)
        if (row, place) not in have
    ]
    if lost:
        names = list(dict.fromkeys(f"{points[row].name}–{places[place].name}" for row, place in sorted(lost)))
        notes.append(
            Reason(
                f"有 {len(names)} 对按坐标算在步行半径内，路网距离表里没有，当作走不到：{_some(names)}。",
                f"{len(names)} pairs within walking reach by coordinates are not in the road table and count as no way: "
                f"{_some(names)}.",
            )
        )
    return notes
