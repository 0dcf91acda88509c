"""Claims on delivery rounds, each with its peer in the same run: python benchmarks/bench_routing.py

1. Solomon R101, RC208 and Gehring–Homberger C1_2_1: gap to the best known after 20 s (distances unrounded, the
   planner rounds each leg up to 1/1000).
2. 1,000 synthetic stops of a county with lunch windows, 60 minutes hot, 40 meals a vehicle: driving minutes of
   doudi and of OR-Tools routing (guided local search) given the same time and the same integer model.
   Where OR-Tools leaves stops out, the minutes are of fewer stops: both counts are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from ortools.constraint_solver import pywrapcp, routing_enums_pb2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from doudi.engine.routing import Fleet, Stop, Travel, plan_routes, straight_travel
from tests.engine.routing.checking import check
from tests.engine.routing.instances import BEST_KNOWN, instance

KITCHEN = (106.977, 26.449)


def public(seconds: float) -> list[dict[str, object]]:
    """Gap to the best known value of each public instance."""
    rows = []
    for name, best in BEST_KNOWN.items():
        stops, travel, fleet = instance(name)
        plan = plan_routes(stops, travel, fleet, time_limit=seconds)
        check(plan, stops, travel, fleet)
        rows.append(
            {
                "instance": name,
                "stops": len(stops),
                "minutes": round(plan.total_minutes, 2),
                "best_known": best,
                "gap_percent": round(100 * (plan.total_minutes / best - 1), 3),
                "routes": len(plan.routes),
                "unserved": len(plan.unserved),
            }
        )
    return rows


def county(stops: int, seed: int = 1) -> tuple[list[Stop], Travel, Fleet]:
    """A town and its villages (synthetic): most doors within 6 km, some to 12 km; half-hour lunch windows."""
    draw = np.random.default_rng(seed)
    radius = np.where(draw.random(stops) < 0.7, draw.gamma(2, 1.2, stops), draw.uniform(3, 12, stops))
    turn = draw.uniform(0, 2 * np.pi, stops)
    lon = KITCHEN[0] + radius * np.cos(turn) / 99.6
    lat = KITCHEN[1] + radius * np.sin(turn) / 111.2
    opens = draw.choice([660, 675, 690, 705, 720], stops)
    doors = [
        Stop(
            f"s{i:04d}", int(draw.integers(1, 4)), lon[i], lat[i], float(opens[i]), float(opens[i] + 45), 2.0
        )
        for i in range(stops)
    ]
    return doors, straight_travel(KITCHEN, doors), Fleet(40, max_minutes=60)


def by_or_tools(stops: list[Stop], travel: Travel, fleet: Fleet, seconds: float) -> tuple[float, int]:
    """(driving minutes, stops served) of OR-Tools routing: the same minutes, windows, loads and hot-food limit."""
    scale = 1000
    minutes = np.ceil(travel.minutes * scale).astype(int)
    vehicles = max(1, len(stops) // 8)
    manager = pywrapcp.RoutingIndexManager(len(stops) + 1, vehicles, 0)
    model = pywrapcp.RoutingModel(manager)
    drive = minutes.tolist()
    service = [0, *(int(stop.service_minutes * scale) for stop in stops)]
    node = manager.IndexToNode
    cost = model.RegisterTransitCallback(lambda a, b: drive[node(a)][node(b)])
    model.SetArcCostEvaluatorOfAllVehicles(cost)
    # time without the way home, so that the span of a route is its hot-food time
    clock = model.RegisterTransitCallback(
        lambda a, b: service[node(a)] + (drive[node(a)][node(b)] if node(b) else 0)
    )
    model.AddDimension(clock, 24 * 60 * scale, 24 * 60 * scale, False, "time")
    time_of = model.GetDimensionOrDie("time")
    if fleet.max_minutes is not None:
        for vehicle in range(vehicles):
            time_of.SetSpanUpperBoundForVehicle(int(fleet.max_minutes * scale), vehicle)
    load = model.RegisterUnaryTransitCallback(lambda a: [0, *(int(stop.demand) for stop in stops)][node(a)])
    model.AddDimensionWithVehicleCapacity(load, 0, [int(fleet.capacity)] * vehicles, True, "load")
    for place, stop in enumerate(stops, start=1):
        index = manager.NodeToIndex(place)
        time_of.CumulVar(index).SetRange(int(stop.window_from * scale), int((stop.window_to or 1440) * scale))
        model.AddDisjunction([index], 10_000 * scale)
    search = pywrapcp.DefaultRoutingSearchParameters()
    search.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    search.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    search.time_limit.FromMilliseconds(int(seconds * 1000))
    found = model.SolveWithParameters(search)
    if found is None:
        return float("inf"), 0
    total, served = 0, 0
    for vehicle in range(vehicles):
        here = model.Start(vehicle)
        while not model.IsEnd(here):
            following = found.Value(model.NextVar(here))
            total += drive[node(here)][node(following)]
            served += node(following) != 0
            here = following
    return total / scale, served


def large(stops: int, seconds: float, seed: int) -> dict[str, object]:
    """1,000 stops of a county: doudi and OR-Tools with the same time."""
    doors, travel, fleet = county(stops, seed)
    began = time.monotonic()
    plan = plan_routes(doors, travel, fleet, time_limit=seconds)
    took = time.monotonic() - began
    check(plan, doors, travel, fleet)
    hopeless = {one.id for one in plan.unserved}
    keep = [i for i, stop in enumerate(doors) if stop.id not in hopeless]
    places = np.array([0, *(i + 1 for i in keep)])
    began = time.monotonic()
    minutes, served = by_or_tools(
        [doors[i] for i in keep], Travel(travel.minutes[np.ix_(places, places)]), fleet, seconds
    )
    return {
        "stops": stops,
        "seed": seed,
        "seconds": round(took, 1),
        "routes": len(plan.routes),
        "minutes": round(plan.total_minutes, 1),
        "served": stops - len(plan.unserved),
        "or_tools_seconds": round(time.monotonic() - began, 1),
        "or_tools_minutes": round(minutes, 1),
        "or_tools_served": served,
        "fewer_percent": round(100 * (1 - plan.total_minutes / minutes), 1),
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=20, help="for each public instance")
    options.add_argument("--large-seconds", type=float, default=50)
    options.add_argument("--stops", type=int, default=1000)
    options.add_argument("--seeds", type=int, nargs="+", default=[1], help="counties of the 1,000 stops")
    options.add_argument("--only-large", action="store_true")
    chosen = options.parse_args()
    for row in [] if chosen.only_large else public(chosen.seconds):
        print(json.dumps(row), flush=True)
    for county_seed in chosen.seeds:
        print(json.dumps(large(chosen.stops, chosen.large_seconds, county_seed)), flush=True)
