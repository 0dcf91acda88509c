"""Plan the rounds: name the stops that nobody could serve, then let PyVRP order the rest.

In come stops, travel and a fleet; out comes a :class:`Plan` in which every stop is in one route or named as
unserved. PyVRP (Wouda, Lan & Kool 2024) does the search; driving minutes are minimised, and with too few
vehicles as many stops as possible are served first. The hot-food limit is the duration of a route whose way
home takes no time.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyvrp
from pyvrp.search import NeighbourhoodParams
from pyvrp.stop import MaxIterations, MaxRuntime, MultipleCriteria, NoImprovement, StoppingCriterion

from doudi.engine.routing.parts import Routes, in_parts
from doudi.engine.routing.stops import DAY, Fleet, RoutingError, Stop
from doudi.engine.routing.travel import Travel

Ticks = npt.NDArray[np.int64]

_TICKS = 1000  # of a minute; durations are rounded up and windows inward, so that a real clock is never late
_HORIZON = 30 * DAY
_WHOLE = 300
"""Stops up to which a round is searched as one."""
_TURNS = 3
_NO_WAY = int(40 * DAY * _TICKS)


@dataclass(frozen=True, slots=True)
class Route:
    """One trip from the kitchen and back.

    ``minutes`` of driving with the way home, ``elapsed`` from leaving to the end of the last hand-over;
    ``start``, ``back`` and ``arrivals`` (the start of each hand-over) in minutes after midnight; ``vehicle``
    numbers the vehicles from 1, one vehicle taking several trips where the times allow.
    """

    stops: Sequence[str]
    minutes: float
    load: float
    start: float
    arrivals: Sequence[float]
    elapsed: float
    back: float
    distance: float | None
    vehicle: int


@dataclass(frozen=True, slots=True)
class Unserved:
    """A stop left out: ``code`` is unreachable, capacity, hot, window, back_by or vehicles; ``why`` says it in words."""

    id: str
    code: str
    why: str


@dataclass(frozen=True)
class Plan:
    """The rounds of one meal. ``iterations`` of the search and whether the clock ended it (``cut_short``)."""

    routes: Sequence[Route]
    unserved: Sequence[Unserved]
    total_minutes: float
    iterations: int
    cut_short: bool


def default_time_limit(stops: int) -> float:
    """Seconds of search that a list of this length deserves: 20, and 50 above 300 stops."""
    return 20.0 if stops <= 300 else 50.0


def plan_routes(
    stops: Sequence[Stop],
    travel: Travel,
    fleet: Fleet,
    *,
    time_limit: float | None = None,
    iterations: int | None = None,
    seed: int = 1,
) -> Plan:
    """Plan the rounds for the stops; ``travel`` has the kitchen first, then the stops in their order.

    The search ends after ``iterations`` if given (the same answer on every machine), else when a long row of
    iterations brings nothing, and after ``time_limit`` seconds in any case.
    """
    if travel.minutes.shape != (len(stops) + 1,) * 2:
        raise RoutingError(
            f"时间表是 {travel.minutes.shape}，应为厨房加 {len(stops)} 个送餐点。",
            f"The travel table is {travel.minutes.shape}, not kitchen and {len(stops)} stops.",
        )
    order = sorted(range(len(stops)), key=lambda i: stops[i].id)
    alone = {i: _hopeless(stops[i], travel.minutes, i + 1, fleet) for i in order}
    unserved = [found for found in alone.values() if found]
    kept = [i for i in order if not alone[i]]
    if not kept:
        return Plan([], unserved, 0.0, 0, cut_short=False)

    places = np.array([0, *(i + 1 for i in kept)])
    minutes = travel.minutes[np.ix_(places, places)]
    some = [stops[i] for i in kept]
    limit = time_limit or default_time_limit(len(kept))
    best, tried, cut_short = _search(some, minutes, fleet, limit, iterations, seed)
    routes = [_route(found, stops, kept, travel) for found in best.routes()]
    done = {stop for route in routes for stop in route.stops}
    unserved += [_too_few_vehicles(stops[i], fleet) for i in kept if stops[i].id not in done]
    routes = _with_vehicles(sorted(routes, key=lambda route: (route.start, route.stops[0])))
    return Plan(
        routes,
        sorted(unserved, key=lambda one: one.id),
        sum(route.minutes for route in routes),
        tried,
        cut_short=cut_short,
    )


def _search(
    stops: Sequence[Stop],
    minutes: npt.NDArray[np.float64],
    fleet: Fleet,
    limit: float,
    iterations: int | None,
    seed: int,
) -> tuple[pyvrp.Solution, int, bool]:
    """The best rounds found, the iterations it took, and whether the clock ended the search.

    Above :data:`_WHOLE` stops the whole is searched for a quarter of the time and then in parts; not where
    vehicles are counted, for a part does not know what the others leave.
    """
    began = time.monotonic()
    data = _problem(stops, minutes, fleet)
    long = len(stops) > _WHOLE and (fleet.vehicles is None or fleet.vehicles >= len(stops))
    result = _solve(data, len(stops), limit / 4 if long else limit, iterations, seed)
    best = result.best if result.best.is_feasible() else _one_each(data, len(stops))
    if not long:
        return best, result.num_iterations, result.runtime >= limit

    def improve(routes: Routes, share: float) -> tuple[Routes, int]:
        held = sorted(stop for route in routes for stop in route)
        places = np.array([0, *(stop + 1 for stop in held)])
        part = _problem([stops[stop] for stop in held], minutes[np.ix_(places, places)], fleet)
        at = {stop: number for number, stop in enumerate(held)}
        start = pyvrp.Solution(part, [[at[stop] for stop in route] for route in routes])
        left = max(0.0, limit - (time.monotonic() - began))
        found = _solve(part, len(held), share * left, iterations, seed, start)
        if not found.best.is_feasible() or _cost(found.best) > _cost(start):
            return routes, found.num_iterations
        return [[held[stop] for stop in route] for route in _visits(found.best)], found.num_iterations

    routes, tried = in_parts(_visits(best), minutes, improve, turns=_TURNS)
    joined = pyvrp.Solution(data, routes)
    return joined, result.num_iterations + tried, time.monotonic() - began >= limit


def _solve(
    data: pyvrp.ProblemData,
    stops: int,
    limit: float,
    iterations: int | None,
    seed: int,
    start: pyvrp.Solution | None = None,
) -> pyvrp.Result:
    # 30 to 40 neighbours: on Solomon's RC208 and on synthetic counties PyVRP's own 20 got stuck 1 to 2 % higher
    near = NeighbourhoodParams(num_neighbours=40 if stops <= 300 else 30)
    return pyvrp.solve(
        data,
        _stop(stops, limit, iterations),
        seed=seed,
        collect_stats=False,
        params=pyvrp.SolveParams(neighbourhood=near),
        initial_solution=start,
    )


def _cost(solution: pyvrp.Solution) -> int:
    return solution.distance_cost() + solution.fixed_vehicle_cost()


def _visits(solution: pyvrp.Solution) -> Routes:
    return [[act.idx for act in route.schedule() if act.is_client()] for route in solution.routes()]


def _hopeless(stop: Stop, minutes: npt.NDArray[np.float64], place: int, fleet: Fleet) -> Unserved | None:
    """Why a vehicle with nothing else to do could not serve the stop, None if it could."""
    out, home = float(minutes[0, place]), float(minutes[place, 0])
    if not np.isfinite(out) or not np.isfinite(home):
        return Unserved(
            stop.id,
            "unreachable",
            "时间表中没有厨房与此处的往返路。 / The travel table has no way between the kitchen and this stop.",
        )
    if stop.demand > fleet.capacity:
        return Unserved(
            stop.id,
            "capacity",
            f"{stop.demand:g} 份超过一车的容量 {fleet.capacity:g}。 / "
            f"{stop.demand:g} meals exceed a vehicle's capacity of {fleet.capacity:g}.",
        )
    if fleet.max_minutes is not None and out + stop.service_minutes > fleet.max_minutes + 1e-9:
        return Unserved(
            stop.id,
            "hot",
            f"直送也要 {out:.1f} 分钟，加交付 {stop.service_minutes:g} 分钟，超过热食时限 {fleet.max_minutes:g} 分钟；"
            f"请考虑就近设点。 / Even straight there takes {out:.1f} minutes and {stop.service_minutes:g} to hand over, "
            f"above the hot-food limit of {fleet.max_minutes:g}; consider a nearer site.",
        )
    earliest = max(fleet.leave_from + out, stop.window_from)
    if stop.window_to is not None and earliest > stop.window_to + 1e-9:
        return Unserved(
            stop.id,
            "window",
            f"最早 {clock(earliest)} 到，晚于时间窗截止 {clock(stop.window_to)}。 / "
            f"It can be reached at {clock(earliest)}, after its window ends at {clock(stop.window_to)}.",
        )
    if fleet.back_by is not None and earliest + stop.service_minutes + home > fleet.back_by + 1e-9:
        return Unserved(
            stop.id,
            "back_by",
            f"送完回到厨房已过 {clock(fleet.back_by)}。 / The vehicle would not be back by {clock(fleet.back_by)}.",
        )
    return None


def _problem(stops: Sequence[Stop], minutes: npt.NDArray[np.float64], fleet: Fleet) -> pyvrp.ProblemData:
    """PyVRP's form of the round: cost is driving with the way home, time is without it."""
    way = np.isfinite(minutes)
    driving: Ticks = np.where(way, np.ceil(np.where(way, minutes, 0.0) * _TICKS - 1e-6), 0).astype(np.int64)
    fixed = round(fleet.vehicle_minutes * _TICKS)
    dearest = 2 * int(driving.max()) + fixed + 1
    prize = dearest * min(len(stops), 50)
    cost, time = driving.copy(), driving.copy()
    cost[~way] = prize * (len(stops) + 1)
    time[~way] = _NO_WAY
    time[:, 0] = 0
    enough = fleet.vehicles is None or fleet.vehicles >= len(stops)
    leave = int(np.ceil(fleet.leave_from * _TICKS - 1e-6))
    limit = int(np.floor(min(fleet.max_minutes or _HORIZON, _HORIZON) * _TICKS + 1e-6))
    clients = []
    for place, stop in enumerate(stops, start=1):
        latest = _HORIZON if stop.window_to is None else stop.window_to
        if fleet.back_by is not None:
            latest = min(latest, fleet.back_by - stop.service_minutes - minutes[place, 0])
        early = int(np.ceil(stop.window_from * _TICKS - 1e-6))
        service = int(np.ceil(stop.service_minutes * _TICKS - 1e-6))
        # who can be served alone stays so: rounding by a tick must not shut a window or the hot-food limit
        reached = max(early, leave + int(driving[0, place]))
        limit = max(limit, int(driving[0, place]) + service)
        clients.append(
            pyvrp.Client(
                location=place,
                delivery=[int(np.ceil(stop.demand * _TICKS - 1e-6))],
                service_duration=service,
                tw_early=early,
                tw_late=max(reached, int(np.floor(latest * _TICKS + 1e-6))),
                required=enough,
                prize=0 if enough else prize,
            )
        )
    vehicle = pyvrp.VehicleType(
        num_available=len(stops) if fleet.vehicles is None else min(fleet.vehicles, len(stops)),
        capacity=[int(np.floor(fleet.capacity * _TICKS + 1e-6))],
        fixed_cost=fixed,
        tw_early=leave,
        shift_duration=limit,
    )
    return pyvrp.ProblemData(
        locations=[pyvrp.Location(0, 0) for _ in range(len(stops) + 1)],
        clients=clients,
        depots=[pyvrp.Depot(location=0)],
        vehicle_types=[vehicle],
        distance_matrices=[cost],  # type: ignore[list-item]  # PyVRP's stub names a shape no array has
        duration_matrices=[time],  # type: ignore[list-item]
    )


def _stop(stops: int, time_limit: float, iterations: int | None) -> StoppingCriterion:
    patience = NoImprovement(2_000 + 100 * stops) if iterations is None else MaxIterations(iterations)
    return MultipleCriteria([MaxRuntime(time_limit), patience])


def _one_each(data: pyvrp.ProblemData, stops: int) -> pyvrp.Solution:
    """Each stop its own route, as far as the vehicles reach: poor, and always possible."""
    vehicles = data.vehicle_type(0).num_available
    return pyvrp.Solution(data, [[place] for place in range(min(stops, vehicles))])


def _route(found: pyvrp.Route, stops: Sequence[Stop], kept: Sequence[int], travel: Travel) -> Route:
    visits = [act for act in found.schedule() if act.is_client()]
    served = [kept[act.idx] for act in visits]
    path = [0, *(i + 1 for i in served), 0]
    legs = (np.array(path[:-1]), np.array(path[1:]))
    start = found.start_time() / _TICKS
    handed_over = visits[-1].end_time / _TICKS
    return Route(
        stops=[stops[i].id for i in served],
        minutes=float(travel.minutes[legs].sum()),
        load=sum(stops[i].demand for i in served),
        start=start,
        arrivals=[act.start_time / _TICKS for act in visits],
        elapsed=handed_over - start,
        back=handed_over + float(travel.minutes[path[-2], 0]),
        distance=None if travel.distance is None else float(travel.distance[legs].sum()),
        vehicle=0,
    )


def _with_vehicles(routes: Sequence[Route]) -> list[Route]:
    """Give each trip the first vehicle that is back when it leaves (interval partition: fewest vehicles)."""
    out, busy, free = [], list[tuple[float, int]](), list[int]()
    for route in routes:
        while busy and busy[0][0] <= route.start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        vehicle = heapq.heappop(free) if free else len(busy) + 1
        heapq.heappush(busy, (route.back, vehicle))
        out.append(replace(route, vehicle=vehicle))
    return out


def _too_few_vehicles(stop: Stop, fleet: Fleet) -> Unserved:
    return Unserved(
        stop.id,
        "vehicles",
        f"{fleet.vehicles} 辆车不够：能单独送达，但在容量和时限内排不进任何一趟。 / "
        f"{fleet.vehicles} vehicle(s) are too few: it can be reached, but fits in no trip within load and time.",
    )


def clock(minutes: float) -> str:
    """Minutes after midnight as 11:30, to the minute."""
    whole = int(minutes + 0.5)
    return f"{whole // 60:02d}:{whole % 60:02d}"
