"""Read the lists of a siting question (需求点, 候选点, 距离表, 保留点, 分组要求) and say exactly what is wrong in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doudi.engine.csvfile import CsvFile, TableError
from doudi.engine.siting.coordinates import CoordinateSystem, to_wgs84
from doudi.engine.siting.problem import Bools, Candidates, Demand, Floats, Floor
from doudi.engine.siting.reach import CoordinateReach, Reach, TableReach


@dataclass(frozen=True)
class Lists:
    """What the files of one question say."""

    demand: Demand
    candidates: Candidates
    fixed: Bools
    floors: list[Floor]


def read_lists(
    demand: Path,
    candidates: Path,
    *,
    fixed: Path | None = None,
    floors: Path | None = None,
    system: CoordinateSystem | None = CoordinateSystem.WGS84,
) -> Lists:
    """Read the lists; ``system`` is that of lon/lat, or None when a distance table replaces coordinates."""
    places = _read_candidates(candidates, system)
    return Lists(
        demand=_read_demand(demand, system),
        candidates=places,
        fixed=_read_fixed(fixed, places) if fixed else np.zeros(len(places.ids), dtype=bool),
        floors=_read_floors(floors) if floors else [],
    )


def reach_of(
    lists: Lists, *, radius: float | None, detour: float = 1.3, distances: Path | None = None
) -> Reach:
    """Who reaches which place: by coordinates, or by the table ``distances`` (demand_id, candidate_id, distance).

    ``radius`` in metres; a point's own radius (column ``radius`` of the demand list) goes before it; None: no limit.
    """
    general = np.inf if radius is None else radius
    radii = np.where(np.isnan(lists.demand.radius), general, lists.demand.radius)
    if distances is not None:
        return _read_distances(distances, lists, radii)
    demand, places = lists.demand, lists.candidates
    return CoordinateReach((demand.lon, demand.lat), (places.lon, places.lat), radius=radii, detour=detour)


def _read_demand(path: Path, system: CoordinateSystem | None) -> Demand:
    table = CsvFile(path, ["id", "weight", *(["lon", "lat"] if system else [])])
    ids = _identifiers(table, "需求点", "demand point")
    lon, lat = _points(table, system)
    radius = table.numbers("radius", blank=np.nan, high=1e8) if table.has("radius") else [np.nan] * len(ids)
    return Demand(
        ids=ids,
        weight=np.array(table.numbers("weight")),
        lon=lon,
        lat=lat,
        radius=np.array(radius, dtype=np.float64),
        group=table.text("group"),
        hard=_read_hard(table),
    )


def _read_hard(table: CsvFile) -> Floats:
    """Of the weight who is in special difficulty; empty where the list does not tell."""
    if not table.has("hard"):
        return np.empty(0)
    hard, weight = np.array(table.numbers("hard", blank=0.0)), np.array(table.numbers("weight"))
    more = hard > weight
    if more.any():
        row = int(np.argmax(more))
        raise table.refusal(
            row,
            "hard",
            f"{hard[row]:g} 大于 weight {weight[row]:g}",
            f"{hard[row]:g} is more than the weight {weight[row]:g}",
        )
    return hard


def _read_candidates(path: Path, system: CoordinateSystem | None) -> Candidates:
    table = CsvFile(path, ["id", *(["lon", "lat"] if system else [])])
    ids = _identifiers(table, "候选点", "candidate")
    lon, lat = _points(table, system)
    return Candidates(
        ids=ids,
        lon=lon,
        lat=lat,
        capacity=np.array(table.numbers("capacity", blank=np.inf)) if table.has("capacity") else None,
        cost=np.array(table.numbers("cost", blank=0.0)) if table.has("cost") else None,
        group=table.text("group"),
    )


def _identifiers(table: CsvFile, zh: str, en: str) -> list[str]:
    ids = table.identifiers()
    if not ids:
        raise TableError(
            f"{table.path.name} 只有表头，没有任何{zh}。", f"{table.path.name} has a header but no {en}."
        )
    return ids


def _points(table: CsvFile, system: CoordinateSystem | None) -> tuple[Floats, Floats]:
    if system is None:
        return np.empty(0), np.empty(0)
    lon = np.array(table.numbers("lon", low=-1e6, high=1e6))
    lat = np.array(table.numbers("lat", low=-1e6, high=1e6))
    swapped = (np.abs(lat) > 90) & (np.abs(lon) <= 90)
    if swapped.any():
        row = int(np.argmax(swapped))
        raise table.refusal(
            row,
            "lat",
            f"纬度 {lat[row]:g} 超出 ±90，经纬度可能写反了（lon 是经度，在我国约 73–136）",
            f"latitude {lat[row]:g} is beyond ±90; lon and lat may be swapped (in China lon is about 73–136)",
        )
    for column, values, most in (("lon", lon, 180.0), ("lat", lat, 90.0)):
        out = np.abs(values) > most
        if out.any():
            row = int(np.argmax(out))
            raise table.refusal(
                row,
                column,
                f"{values[row]:g} 超出 ±{most:g} 度",
                f"{values[row]:g} is beyond ±{most:g} degrees",
            )
    return to_wgs84(lon, lat, system)


def _read_fixed(path: Path, candidates: Candidates) -> Bools:
    table = CsvFile(path, ["candidate_id"])
    number = {name: index for index, name in enumerate(candidates.ids)}
    fixed = np.zeros(len(candidates.ids), dtype=bool)
    for row, name in enumerate(table.identifiers("candidate_id")):
        if name not in number:
            raise table.refusal(
                row, "candidate_id", f"“{name}”不在候选点表里", f"“{name}” is not in the list of candidates"
            )
        fixed[number[name]] = True
    return fixed


def _read_floors(path: Path) -> list[Floor]:
    table = CsvFile(path, ["group", "at_least", "at_most"])
    least = table.numbers("at_least", blank=0.0)
    most = table.numbers("at_most", blank=np.inf)
    floors = []
    for row, group in enumerate(table.identifiers("group")):
        for column, value in (("at_least", least[row]), ("at_most", most[row])):
            if np.isfinite(value) and value != int(value):
                raise table.refusal(row, column, f"{value:g} 不是整数", f"{value:g} is not a whole number")
        if least[row] > most[row]:
            raise table.refusal(
                row,
                "at_most",
                f"至多 {most[row]:g} 小于至少 {least[row]:g}",
                f"at_most {most[row]:g} is less than at_least {least[row]:g}",
            )
        floors.append(Floor(group, int(least[row]), int(most[row]) if np.isfinite(most[row]) else None))
    return floors


def _read_distances(path: Path, lists: Lists, radius: Floats) -> TableReach:
    table = CsvFile(path, ["demand_id", "candidate_id", "distance"])
    row = _numbers_of(table, "demand_id", lists.demand.ids, "需求点表", "the demand list")
    place = _numbers_of(table, "candidate_id", lists.candidates.ids, "候选点表", "the list of candidates")
    try:
        trimmed = pc.utf8_trim_whitespace(table.arrow("distance"))
        metres = pc.cast(trimmed, pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        metres = np.array(table.numbers("distance"))  # names the row
    wrong = ~((metres >= 0) & (metres <= 1e12))
    if wrong.any():
        table.numbers("distance")
    pair = row * len(lists.candidates.ids) + place
    order = np.argsort(pair, kind="stable")
    twice = np.flatnonzero(np.diff(pair[order]) == 0)
    if len(twice):
        index = int(order[twice + 1].min())
        names = f"{lists.demand.ids[row[index]]} – {lists.candidates.ids[place[index]]}"
        raise table.refusal(
            index, "candidate_id", f"{names} 这一对出现两次", f"the pair {names} is there twice"
        )
    shape = (len(lists.demand.ids), len(lists.candidates.ids))
    return TableReach(shape, row, place, metres, radius=radius)


def _numbers_of(table: CsvFile, column: str, ids: list[str], zh: str, en: str) -> np.ndarray:
    names = pc.utf8_trim_whitespace(table.arrow(column)).combine_chunks()
    found = pc.index_in(names, value_set=pa.array(ids, pa.string()))
    if found.null_count:
        row = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
        raise table.refusal(row, column, f"“{names[row]}”不在{zh}里", f"“{names[row]}” is not in {en}")
    return found.to_numpy(zero_copy_only=False).astype(np.int64)
