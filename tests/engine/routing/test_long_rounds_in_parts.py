"""A long round is ordered in parts: nobody is lost between them, and it is no longer than the whole's first search."""

from __future__ import annotations

import numpy as np
import pytest

from doudi.engine.routing import Fleet, Stop, plan_routes, straight_travel
from doudi.engine.routing import plan as planning
from doudi.engine.routing.parts import cut, in_parts
from tests.engine.routing.checking import check

KITCHEN = (106.977, 26.449)


def doors(count: int) -> list[Stop]:
    draw = np.random.default_rng(3)
    lon, lat = KITCHEN[0] + draw.normal(0, 0.03, count), KITCHEN[1] + draw.normal(0, 0.03, count)
    opens = draw.choice([660.0, 690.0], count)
    return [
        Stop(f"s{i:03d}", 1.0 + i % 2, lon[i], lat[i], opens[i], opens[i] + 60, 2.0) for i in range(count)
    ]


def test_parts_hold_every_route_once_and_differ_from_turn_to_turn() -> None:
    spots = np.random.default_rng(1).uniform(0, 60, (601, 2))
    minutes = np.abs(spots[:, None] - spots[None]).sum(axis=2)
    minutes[5, 9] = np.inf
    routes = [list(range(first, first + 10)) for first in range(0, 600, 10)]

    first, second = cut(routes, minutes, 0), cut(routes, minutes, 1)

    assert sorted(one for part in first for one in part) == list(range(60))
    assert len(first) == 2 and all(len(part) == 30 for part in first)
    assert {frozenset(part) for part in first} != {frozenset(part) for part in second}
    assert cut([[0, 1]], minutes, 2) == [[0]]


def test_time_is_shared_out_over_turns_and_parts() -> None:
    minutes = np.ones((601, 601))
    left, given = 1.0, []

    def improve(routes, share):
        nonlocal left
        given.append(share * left)
        left -= share * left
        return routes[::-1], 7

    routes, tried = in_parts([[stop] for stop in range(600)], minutes, improve, turns=3)

    assert sorted(stop for route in routes for stop in route) == list(range(600))
    assert tried == 42 and given == pytest.approx([1 / 6] * 6)


def test_a_round_above_300_stops_serves_all_and_drives_less(monkeypatch) -> None:
    stops = doors(320)
    travel, fleet = straight_travel(KITCHEN, stops), Fleet(20, max_minutes=60)

    plan = plan_routes(stops, travel, fleet, time_limit=500, iterations=30)
    again = plan_routes(stops, travel, fleet, time_limit=500, iterations=30)
    monkeypatch.setattr(planning, "_WHOLE", 1000)
    whole = plan_routes(stops, travel, fleet, time_limit=500, iterations=30)

    check(plan, stops, travel, fleet)
    assert plan.unserved == [] and [route.stops for route in plan.routes] == [
        route.stops for route in again.routes
    ]
    assert plan.iterations == 30 * (1 + 3 * 1) and plan.total_minutes < whole.total_minutes


def test_counted_vehicles_keep_the_round_whole() -> None:
    stops = doors(310)
    travel, fleet = straight_travel(KITCHEN, stops), Fleet(20, max_minutes=60, vehicles=12)

    plan = plan_routes(stops, travel, fleet, time_limit=500, iterations=20)

    check(plan, stops, travel, fleet)
    assert plan.iterations == 20 and len(plan.routes) <= 12
    assert {one.code for one in plan.unserved} == {"vehicles"}
