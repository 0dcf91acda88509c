"""All Guizhou as a siting question: real codes, people and boundaries; points inside counties are SYNTHETIC.

Demand: one point per 村/居委会 (17,964 of china-division), the county's 60+ of the 2020 census shared out over its
villages. Candidates: one per township (1,510). A township's point is drawn at random inside its county's polygon,
its villages around it; no real township coordinates were to be had (see data/guizhou/LICENSES.md).
Floors: every county at least one site, every prefecture seat 2–3, the districts of 贵阳 and 遵义 2–5.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from doudi.engine.siting import Candidates, Demand, Floor

DATA = Path(__file__).parents[1] / "data" / "guizhou"
SEATS = {"520201", "520402", "520502", "520602", "522301", "522601", "522701"}
CITY_DISTRICTS = {"520102", "520103", "520111", "520112", "520113", "520115", "520302", "520303", "520304"}


def guizhou(seed: int = 7) -> tuple[Demand, Candidates, list[Floor]]:
    """Demand points, candidates and floors of the province; the same for the same seed."""
    random = np.random.default_rng(seed)
    counties = {row["county_code"]: row for row in _rows("guizhou_counties.csv")}
    outlines = _outlines()
    townships: dict[str, list[dict[str, str]]] = {code: [] for code in counties}
    for row in _rows("guizhou_townships.csv"):
        townships[row["county_code"]].append(row)
    points: list[tuple[str, float, float, float, str]] = []
    places: list[tuple[str, float, float, str]] = []
    for code, county in counties.items():
        outline = outlines[code]
        centres = _inside(outline, random, len(townships[code]))
        villages: list[tuple[str, float, float, str]] = []
        for township, (lon, lat) in zip(townships[code], centres, strict=True):
            places.append((township["township_code"], lon, lat, code))
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
    return demand, candidates, floors


def _duty(county: str) -> tuple[int, int | None]:
    if county in CITY_DISTRICTS:
        return 2, 5
    return (2, 3) if county in SEATS else (1, None)


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _outlines() -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    features: list[dict[str, Any]] = json.loads((DATA / "guizhou_counties.geojson").read_text("utf-8"))[
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
