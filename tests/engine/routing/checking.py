"""A second pair of eyes on a plan: recomputes every route from the stops alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from doudi.engine.routing import Fleet, Plan, Stop, Travel

TICK = 0.002  # minutes; the planner works in thousandths


def check(plan: Plan, stops: Sequence[Stop], travel: Travel, fleet: Fleet) -> None:
    """Every stop once; loads, windows, hot-food limit, return and totals as they should be."""
    place = {stop.id: i + 1 for i, stop in enumerate(stops)}
    seen = [stop for route in plan.routes for stop in route.stops] + [one.id for one in plan.unserved]
    assert sorted(seen) == sorted(place)
    assert fleet.vehicles is None or len(plan.routes) <= fleet.vehicles
    for route in plan.routes:
        moment, here, driven, load = route.start, 0, 0.0, 0.0
        assert moment >= fleet.leave_from - TICK
        for name, arrival in zip(route.stops, route.arrivals, strict=True):
            stop = stops[place[name] - 1]
            leg = travel.minutes[here, place[name]]
            assert arrival >= moment + leg - TICK
            assert arrival >= stop.window_from - TICK
            assert stop.window_to is None or arrival <= stop.window_to + TICK
            moment, here = arrival + stop.service_minutes, place[name]
            driven, load = driven + leg, load + stop.demand
        assert load <= fleet.capacity + 1e-6
        assert fleet.max_minutes is None or moment - route.start <= fleet.max_minutes + TICK
        home = travel.minutes[here, 0]
        assert fleet.back_by is None or moment + home <= fleet.back_by + TICK
        assert route.minutes == pytest.approx(driven + home)
        assert route.elapsed == pytest.approx(moment - route.start, abs=TICK * (len(route.stops) + 1))
    assert plan.total_minutes == pytest.approx(sum(route.minutes for route in plan.routes))
