"""The sequence that old people and courier know (惯常顺序), driven with today's doors, and when it is worth a change.

In come the last rounds, today's stops, travel and fleet; out comes the same sequence as a plan, or None where it can no
longer be driven: a door cannot be fitted in, or a meal would come cold or late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from doudi.engine.routing.plan import Plan, Route
from doudi.engine.routing.stops import Fleet, Stop
from doudi.engine.routing.travel import Travel


@dataclass(frozen=True)
class _Timed:
    start: float
    arrivals: list[float]
    elapsed: float
    driving: float


def usual_plan(
    usual: Sequence[Sequence[str]], stops: Sequence[Stop], travel: Travel, fleet: Fleet
) -> Plan | None:
    """The usual rounds with today's stops: who is away is passed by, who is new goes where it costs least.

    Each route must keep load, windows and the hot-food limit; None if one cannot, or more routes than vehicles are needed.
    """
    place = {stop.id: i for i, stop in enumerate(stops)}
    routes = [[place[key] for key in one if key in place] for one in usual]
    routes = [one for one in routes if one]
    known = {i for one in routes for i in one}
    for i in sorted(set(range(len(stops))) - known, key=lambda i: stops[i].id):
        best = None
        for number, one in enumerate(routes):
            for at in range(len(one) + 1):
                longer = [*one[:at], i, *one[at:]]
                timed = _timed(longer, stops, travel, fleet)
                if timed is None:
                    continue
                more = timed.driving - _driving(one, travel)
                if best is None or more < best[0]:
                    best = (more, number, longer)
        if best is None:
            if _timed([i], stops, travel, fleet) is None:
                return None
            routes.append([i])
        else:
            routes[best[1]] = best[2]
    if fleet.vehicles is not None and len(routes) > fleet.vehicles:
        return None
    made = []
    for number, one in enumerate(routes, start=1):
        timed = _timed(one, stops, travel, fleet)
        if timed is None:
            return None
        made.append(
            Route(
                stops=[stops[i].id for i in one],
                minutes=timed.driving,
                load=sum(stops[i].demand for i in one),
                start=timed.start,
                arrivals=timed.arrivals,
                elapsed=timed.elapsed,
                back=timed.start + timed.elapsed + float(travel.minutes[one[-1] + 1, 0]),
                distance=None,
                vehicle=number,
            )
        )
    return Plan(made, [], sum(route.minutes for route in made), 0, cut_short=False)


def _driving(one: Sequence[int], travel: Travel) -> float:
    path = [0, *(i + 1 for i in one), 0]
    return sum(float(travel.minutes[a, b]) for a, b in pairwise(path))


def _timed(one: Sequence[int], stops: Sequence[Stop], travel: Travel, fleet: Fleet) -> _Timed | None:
    """Leave as late as the first window asks, then drive on; None where load, window, hot food or the day is broken."""
    if sum(stops[i].demand for i in one) > fleet.capacity:
        return None
    first = float(travel.minutes[0, one[0] + 1])
    start = max(fleet.leave_from, stops[one[0]].window_from - first)
    now, before, arrivals = start, 0, []
    for i in one:
        now += float(travel.minutes[before, i + 1])
        now = max(now, stops[i].window_from)
        latest = stops[i].window_to
        if latest is not None and now > latest + 1e-9:
            return None
        arrivals.append(now)
        now += stops[i].service_minutes
        before = i + 1
    elapsed = now - start
    if fleet.max_minutes is not None and elapsed > fleet.max_minutes + 1e-9:
        return None
    if fleet.back_by is not None and now + float(travel.minutes[before, 0]) > fleet.back_by + 1e-9:
        return None
    return _Timed(start, arrivals, elapsed, _driving(one, travel))
