"""How long it takes from door to door: a table that is given, or the great circle with a detour factor.

Place 0 is the kitchen, place i the i-th stop. A pair without a way is infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from doudi.engine.routing.stops import RoutingError, Stop

Matrix = npt.NDArray[np.float64]

_EARTH_METRES = 6_371_008.8  # mean radius, IUGG


@dataclass(frozen=True)
class Travel:
    """Minutes, and distances where they are known, between kitchen (row 0) and stops (rows 1…)."""

    minutes: Matrix
    distance: Matrix | None = None


def straight_travel(
    depot: tuple[float, float], stops: Sequence[Stop], *, detour: float = 1.3, speed_kmh: float = 20.0
) -> Travel:
    """Travel by great circle × detour at one speed: metres and minutes; ``depot`` is (lon, lat) in degrees."""
    if speed_kmh <= 0 or detour < 1:
        raise RoutingError(
            "速度须大于 0，绕行系数须不小于 1。", "The speed must be above 0, the detour factor 1 or more."
        )
    for stop in stops:
        if stop.lon is None or stop.lat is None:
            raise RoutingError(
                f"送餐点 {stop.id} 没有坐标；请补上经纬度，或用 --durations 给出时间表。",
                f"Stop {stop.id} has no coordinates; give lon and lat, or a table with --durations.",
            )
    places = np.radians(np.array([depot, *((stop.lon, stop.lat) for stop in stops)], dtype=float))
    lon, lat = places[:, :1], places[:, 1:]
    half = np.sin((lat - lat.T) / 2) ** 2 + np.cos(lat) * np.cos(lat.T) * np.sin((lon - lon.T) / 2) ** 2
    metres = 2 * _EARTH_METRES * np.arcsin(np.sqrt(np.clip(half, 0, 1))) * detour
    return Travel(metres / (speed_kmh * 1000 / 60), metres)
