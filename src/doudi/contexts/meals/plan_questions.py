"""What goes into a siting question (选址的条件): elders of the register, lists from files, places that exist.

Coordinates are CGCS2000/WGS84 from here on, whatever system a list came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.plan_models import PlacePoint
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, sites
from doudi.contexts.registry import services as registry
from doudi.engine.csvfile import CsvFile
from doudi.engine.feeds import FeedSpec
from doudi.engine.packs.siting import SitingRules
from doudi.engine.siting import CoordinateSystem, Floor, Roads, Spot, read_roads, to_wgs84
from doudi.engine.siting.guizhou import Province

MOST_PAIRS = 400_000


@dataclass(frozen=True)
class Point:
    """Elders at one place who walk equally far: persons, of them in special difficulty; radius in metres or None."""

    id: str
    lon: float
    lat: float
    persons: float
    hard: float = 0.0
    radius: float | None = None
    group: str = ""


@dataclass(frozen=True)
class Place:
    """Where a site may stand; ``existing`` ones are kept, ``synthetic`` says that no real coordinates are known."""

    id: str
    lon: float
    lat: float
    name: str = ""
    capacity: float | None = None
    cost: float | None = None
    group: str = ""
    existing: bool = False
    synthetic: bool = False


@dataclass(frozen=True)
class Question:
    """What a plan shall answer."""

    model: str = "coverage"
    sites: int | None = None
    radius: float = 1000.0
    detour: float = 1.3
    delivery_radius: float = 3000.0
    floors: tuple[Floor, ...] = ()
    budget: float | None = None
    time_limit: float = 20.0
    points: tuple[Point, ...] = ()
    places: tuple[Place, ...] = ()
    notes: tuple[tuple[str, str], ...] = field(default=())
    roads: Roads | None = None


# ---- what goes into a question -----------------------------------------------------------------------------------


def elders(
    specs: Mapping[str, FeedSpec], *, rules: SitingRules, on: date, by: User
) -> tuple[list[Point], list[tuple[str, str]]]:
    """The old people of the register as demand points, and notes: places without coordinates are named, not dropped."""
    found = registry.elders_by_place(
        specs, old_age=rules.old_age, very_old_age=rules.very_old_age, on=on, by=by
    )
    known = {
        point.region_code: point
        for point in PlacePoint.objects.filter(region_code__startswith=by.region_code)
    }
    points, lost, notes = [], 0, []
    for place in found:
        at = known.get(place.region_code) or known.get(place.region_code[:9])
        if at is None:
            lost += place.old
            continue
        rows = ((place.old - place.frail, rules.walking_metres, ""), (place.frail, rules.frail_metres, "-f"))
        for persons, radius, suffix in rows:
            if persons:
                points.append(
                    Point(
                        f"{place.region_code}{suffix}",
                        at.longitude,
                        at.latitude,
                        persons,
                        persons,
                        radius,
                        place.region_code[:9],
                    )
                )
    if lost:
        notes.append(
            (
                f"有 {lost} 位老人所在的村（社区）没有坐标，未参加选址。请上传地点坐标表。",
                f"{lost} elders live in places without coordinates and are left out; send the table of points.",
            )
        )
    if found and found[0].disabled is None:
        notes.append(
            (
                "残疾人证数据未到，按年龄确定半径。",
                "The disabled persons' file has not arrived: radii go by age.",
            )
        )
    if any(point.synthetic for point in known.values()):
        notes.append(
            ("部分坐标为合成，仅供演示。", "Some coordinates are synthetic, for demonstration only.")
        )
    return points, notes


def existing_places(*, by: User) -> list[Place]:
    """The places that are open or planned already, with coordinates; a plan keeps them."""
    found = sites(by=by).exclude(state=Site.State.CLOSED).exclude(longitude=None).exclude(latitude=None)
    return [
        Place(
            site.code, float(site.longitude or 0), float(site.latitude or 0), site.name,
            group=site.region_code[:6], existing=True,
        )
        for site in found
    ]  # fmt: skip


def read_points(path: Path, system: CoordinateSystem) -> list[Point]:
    """Demand of a list: id, lon, lat, weight[, hard, radius, group]; what is wrong is told with its row."""
    table = CsvFile(path, ["id", "lon", "lat", "weight"])
    ids = table.identifiers()
    lon, lat = _coordinates(table, system)
    weight = table.numbers("weight")
    hard = table.numbers("hard", blank=0.0) if table.has("hard") else [0.0] * len(ids)
    radius = (
        table.numbers("radius", blank=float("nan"), high=1e8)
        if table.has("radius")
        else [float("nan")] * len(ids)
    )
    group = table.text("group")
    return [
        Point(ids[i], lon[i], lat[i], float(weight[i]), min(float(hard[i]), float(weight[i])),
              None if radius[i] != radius[i] else float(radius[i]), group[i] if group else "")
        for i in range(len(ids))
    ]  # fmt: skip


def read_places(path: Path, system: CoordinateSystem) -> list[Place]:
    """Candidate places of a list: id, lon, lat[, name, capacity, cost, group, synthetic]."""
    table = CsvFile(path, ["id", "lon", "lat"])
    ids = table.identifiers()
    lon, lat = _coordinates(table, system)
    none = float("nan")
    capacity = table.numbers("capacity", blank=none) if table.has("capacity") else [none] * len(ids)
    cost = table.numbers("cost", blank=0.0) if table.has("cost") else [none] * len(ids)
    words = {name: table.text(name) for name in ("name", "group", "synthetic")}

    def word(name: str, row: int) -> str:
        return words[name][row] if words[name] else ""

    return [
        Place(ids[i], lon[i], lat[i], word("name", i), _or_none(capacity[i]), _or_none(cost[i]), word("group", i),
              synthetic=word("synthetic", i) in ("1", "是", "yes", "true"))
        for i in range(len(ids))
    ]  # fmt: skip


def _or_none(value: float) -> float | None:
    return None if value != value else float(value)


def _coordinates(table: CsvFile, system: CoordinateSystem) -> tuple[list[float], list[float]]:
    lon = np.array(table.numbers("lon", low=-180, high=180))
    lat = np.array(table.numbers("lat", low=-90, high=90))
    x, y = to_wgs84(lon, lat, system)
    return [float(v) for v in x], [float(v) for v in y]


def by_road(question: Question, path: Path, *, rules: SitingRules) -> Question:
    """The question by a road table (路网距离表: from, to, metres or minutes on foot) in place of straight lines.

    What the table lacks, or tells differently there and back, is in the notes; what cannot be right is refused.
    """
    radii = [question.radius if point.radius is None else point.radius for point in question.points]
    roads = read_roads(
        path,
        [Spot(point.id.removesuffix("-f"), point.lon, point.lat) for point in question.points],
        [Spot(place.id, place.lon, place.lat) for place in question.places],
        radius=np.array(radii),
        detour=question.detour,
        metres_a_minute=rules.metres_a_minute,
    )
    if len(roads.row) > MOST_PAIRS:
        raise StepRefused(
            f"路网距离表最多 {MOST_PAIRS} 对，请只留走得到的。",
            f"At most {MOST_PAIRS} pairs of the road table; leave only what can be walked.",
        )
    return replace(
        question, roads=roads, notes=(*question.notes, *((note.zh, note.en) for note in roads.notes))
    )


@transaction.atomic
def keep_points(
    path: Path, system: CoordinateSystem, *, source: str, by: User, synthetic: bool = False
) -> int:
    """Keep where villages and communities lie (地点坐标表: id, lon, lat); a later table takes the place of an earlier one."""
    require(by, Act.PLAN_SITES)
    take_turn()
    table = CsvFile(path, ["id", "lon", "lat"])
    ids = table.identifiers()
    lon, lat = _coordinates(table, system)
    strange = [code for code in ids if not code.isdigit() or not code.startswith(by.region_code)]
    if strange:
        raise StepRefused(
            f"“{strange[0]}”不是本辖区的区划代码。", f"{strange[0]!r} is no division code of this area."
        )
    for start in range(0, len(ids), 500):
        part = [
            PlacePoint(
                region_code=ids[i], longitude=lon[i], latitude=lat[i], synthetic=synthetic, source=source
            )
            for i in range(start, min(start + 500, len(ids)))
        ]
        PlacePoint.objects.bulk_create(
            part,
            update_conflicts=True,
            unique_fields=["region_code"],
            update_fields=["longitude", "latitude", "synthetic", "source"],
        )
    record(
        by=by,
        act="keep_points",
        region_code=by.region_code,
        detail={"points": len(ids), "synthetic": synthetic},
    )
    return len(ids)


def province_question(
    asked: Province, *, sites_at_most: int, radius: float, time_limit: float = 60.0
) -> Question:
    """The shipped province as a question: elders by village, a candidate per township, the seed's floors."""
    demand, places = asked.demand, asked.candidates
    points = tuple(
        Point(demand.ids[i], float(demand.lon[i]), float(demand.lat[i]), float(demand.weight[i]),
              group=demand.group[i][:6])
        for i in range(len(demand.ids))
    )  # fmt: skip
    candidates = tuple(
        Place(places.ids[j], float(places.lon[j]), float(places.lat[j]), asked.names[j], group=places.group[j],
              synthetic=not asked.real[j])
        for j in range(len(places.ids))
    )  # fmt: skip
    real = sum(asked.real)
    note = (
        f"村的坐标和 {len(asked.real) - real} 个乡镇的坐标为合成（{real} 个乡镇取自 GeoNames，CC BY 4.0），只作演示；"
        "区划、七普老年人口和边界为真实数据。",
        f"Points of villages and of {len(asked.real) - real} townships are synthetic ({real} townships from GeoNames, "
        "CC BY 4.0), for demonstration; codes, census figures and boundaries are real.",
    )
    return Question(
        sites=sites_at_most,
        radius=radius,
        delivery_radius=2 * radius,
        floors=tuple(asked.floors),
        time_limit=time_limit,
        points=points,
        places=candidates,
        notes=(note,),
    )
