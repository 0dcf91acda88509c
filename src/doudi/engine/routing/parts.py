"""Long rounds in parts: neighbouring routes are ordered anew together, a part of the county at a time.

In come the routes of a first search; out come routes that drive no longer. A part of 250 stops gets several times the
tries per second and stop that the whole would get; each turn cuts the county along other lines, so that no border stays.
(Decomposition by route barycentres: Vidal, Crainic, Gendreau & Prins, Computers & OR 40 (2013) 475–489, §5.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

STOPS = 250
"""In one part, about."""

Routes = list[list[int]]
"""Stops by their number, a list per route."""

Improve = Callable[[Routes, float], tuple[Routes, int]]
"""Orders some routes anew within a share of the time that is left; gives the routes and how many tries it took."""


def in_parts(
    routes: Routes, minutes: npt.NDArray[np.float64], improve: Improve, *, turns: int
) -> tuple[Routes, int]:
    """Improve ``routes`` part by part, ``turns`` times over; the routes and the tries in all.

    ``minutes`` is between places, the kitchen first, so that stop i is place i + 1.
    """
    tried = 0
    for turn in range(turns):
        parts = cut(routes, minutes, turn)
        better: Routes = []
        for number, part in enumerate(parts):
            left = (turns - turn - 1) * len(parts) + len(parts) - number
            made, more = improve([routes[one] for one in part], 1.0 / left)
            better += made
            tried += more
        routes = better
    return routes, tried


def cut(routes: Routes, minutes: npt.NDArray[np.float64], turn: int) -> list[list[int]]:
    """Neighbouring routes in parts of about :data:`STOPS` stops, as route numbers; another ``turn``, other borders."""
    away = _apart(routes, minutes)
    sizes = [len(route) for route in routes]
    many = max(1, round(sum(sizes) / STOPS))
    left = list(range(len(routes)))
    parts = []
    # begin at the rim, each turn at another place of it: what is left over is never a scatter of far corners
    rim = np.argsort(-away.mean(axis=1), kind="stable")
    seed = int(rim[(turn * max(1, len(routes) // 7)) % len(routes)])
    while left:
        if many <= 1:
            parts.append(left)
            break
        room = sum(sizes[one] for one in left) / many
        near = sorted(left, key=lambda one: (away[seed, one], one))
        part: list[int] = []
        held = 0
        for one in near:
            if part and held + sizes[one] / 2 > room:
                break
            part.append(one)
            held += sizes[one]
        parts.append(part)
        left = [one for one in left if one not in set(part)]
        many -= 1
        if left:  # the next part begins where the last one is farthest
            seed = max(left, key=lambda one: (away[part[0], one], -one))
    return parts


def _apart(routes: Sequence[Sequence[int]], minutes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean minutes between the stops of two routes, R × R; a pair without a way counts as far as any."""
    between = minutes[1:, 1:]
    way = np.isfinite(between)
    between = np.where(way, between, between[way].max(initial=0.0))
    member = np.zeros((len(routes), len(between)))
    for number, route in enumerate(routes):
        member[number, route] = 1.0 / len(route)
    apart = member @ between @ member.T
    return (apart + apart.T) / 2.0
