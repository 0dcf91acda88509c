"""All Guizhou as a siting question (贵州省示范选址): real codes, people, boundaries and place names; the rest is marked.

Demand: one point per 村/居委会 (17,964 of china-division), the county's 60+ of the 2020 census shared out over its
villages. Candidates: one per township (1,510). Where GeoNames knows the township (164 of them) its point is real; else
it is drawn inside its county's polygon, and villages around it, and both are SYNTHETIC (see data/guizhou/LICENSES.md).
Floors (handbook 05 §5.1): every county at least one site, every prefecture seat and city district 2–3, those of 贵阳
and 遵义 up to five.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from doudi.engine.siting.problem import Candidates, Demand, Floor

DATA = Path(__file__).resolve().parents[4] / "data" / "guizhou"
SEATS = frozenset({"520201", "520402", "520502", "520602", "522301", "522601", "522701"})
"""Seats of 六盘水、安顺、毕节、铜仁 and the three autonomous prefectures."""
MORE = frozenset({"520102", "520103", "520111", "520112", "520113", "520115", "520302", "520303", "520304"})
"""City districts of 贵阳 and 遵义, which may add."""


@dataclass(frozen=True)
class Province:
    """The question: demand, candidates with their names, floors, and which candidates have a real point."""

    demand: Demand
    candidates: Candidates
    floors: list[Floor]
    names: list[str]
    real: list[bool]


def guizhou(seed: int = 7, data: Path = DATA) -> Province:
    """The province's question; the same for the same seed."""
    random = np.random.default_rng(seed)
    counties = {row["county_code"]: row for row in _rows(data, "guizhou_counties.csv")}
    outlines = _outlines(data)
    known = {
        row["township_code"]: (float(row["lon"]), float(row["lat"]))
        for row in _rows(data, "guizhou_places_geonames.csv")
        if row["township_code"]
    }
    townships: dict[str, list[dict[str, str]]] = {code: [] for code in counties}
    for row in _rows(data, "guizhou_townships.csv"):
        townships[row["county_code"]].append(row)
    points: list[tuple[str, float, float, float, str]] = []
    places: list[tuple[str, float, float, str, str]] = []
    for code, county in counties.items():
        outline = outlines[code]
        centres = _inside(outline, random, len(townships[code]))
        villages: list[tuple[str, float, float, str]] = []
        for township, drawn in zip(townships[code], centres, strict=True):
            lon, lat = known.get(township["township_code"], (float(drawn[0]), float(drawn[1])))
            places.append((township["township_code"], lon, lat, code, township["name"]))
            for number in range(int(township["villages"])):
                x, y = random.normal((lon, lat), 0.02)
                villages.append(
                    (f"{township['township_code']}{number + 1:03d}", x, y, township["township_code"])
                )
        share = random.gamma(4.0, 1.0, len(villages))
        people = _whole(float(county["pop60"]) * share / share.sum())
        points += [(v[0], v[1], v[2], float(n), v[3]) for v, n in zip(villages, people, strict=True)]
    demand = Demand(
        ids=[p[0] for p in points],
        weight=np.array([p[3] for p in points]),
        lon=np.array([p[1] for p in points]),
        lat=np.array([p[2] for p in points]),
        radius=np.full(len(points), np.nan),
        group=[p[4] for p in points],
    )
    candidates = Candidates(
        ids=[p[0] for p in places],
        lon=np.array([p[1] for p in places]),
        lat=np.array([p[2] for p in places]),
        group=[p[3] for p in places],
    )
    floors = [Floor(code, *_duty(code)) for code in counties]
    return Province(demand, candidates, floors, [p[4] for p in places], [p[0] in known for p in places])


def inside_county(county: str, count: int, seed: int = 7, data: Path = DATA) -> list[tuple[float, float]]:
    """SYNTHETIC points (longitude, latitude) inside a county's polygon, for a demonstration without real ones."""
    drawn = _inside(_outlines(data)[county], np.random.default_rng(seed), count)
    return [(float(lon), float(lat)) for lon, lat in drawn]


def _duty(county: str) -> tuple[int, int | None]:
    if county in MORE:
        return 2, 5
    return (2, 3) if county in SEATS else (1, None)


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    with (data / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _outlines(data: Path) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    features: list[dict[str, Any]] = json.loads((data / "guizhou_counties.geojson").read_text("utf-8"))[
        "features"
    ]
    for feature in features:
        rings = [np.array(ring) for polygon in feature["geometry"]["coordinates"] for ring in polygon]
        found[feature["properties"]["adcode"]] = rings
    return found


def _inside(rings: list[np.ndarray], random: np.random.Generator, count: int) -> np.ndarray:
    corners = np.vstack(rings)
    low, high = corners.min(axis=0), corners.max(axis=0)
    kept = np.empty((0, 2))
    while len(kept) < count:
        trial = random.uniform(low, high, (8 * count + 50, 2))
        crossings = sum(_crossings(ring, trial) for ring in rings)
        kept = np.vstack((kept, trial[crossings % 2 == 1]))
    return kept[:count]


def _crossings(ring: np.ndarray, points: np.ndarray) -> np.ndarray:
    a, b = ring[:-1], ring[1:]
    x, y = points[:, :1], points[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return (spans & (x < meets)).sum(axis=1)


def _whole(values: np.ndarray) -> np.ndarray:
    """Whole numbers with the same sum (largest remainders)."""
    floor = np.floor(values)
    missing = round(values.sum() - floor.sum())
    floor[np.argsort(floor - values, kind="stable")[:missing]] += 1
    return floor
