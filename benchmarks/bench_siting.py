"""Claims on siting, with the peer in the same run: python benchmarks/bench_siting.py [--peer PYTHON]

1. Maximal coverage 2,000 × 500 against spopt (MCLP, HiGHS through PuLP); ``--peer`` is a Python that has spopt,
   which needs its own environment. Both start from arrays of coordinates in memory and end with a proven plan.
2. Maximal coverage 20,000 × 2,000 and p-median 20,000 × 2,000: seconds, proven gap, peak memory.
3. All Guizhou, 17,964 × 1,510, with floors per county.
4. OR-Library p-median against the published optima.
Each claim runs in a process of its own, so that the peak of memory is its own. Points are synthetic.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from doudi.engine.siting import Candidates, CoordinateReach, Demand, Model, TableReach, plan_sites

PEER = """
import json, sys, time, warnings
import numpy as np
warnings.filterwarnings("ignore")
from scipy.spatial.distance import cdist
from spopt.locate import MCLP
import pulp
z = np.load(sys.argv[1])
began = time.monotonic()
cost = cdist(z["d"], z["c"]) * float(z["detour"])
model = MCLP.from_cost_matrix(cost, z["w"], float(z["radius"]), p_facilities=int(z["sites"]))
built = time.monotonic() - began
solver = pulp.HiGHS(msg=False, gapRel=0.0, timeLimit=float(sys.argv[2]))
model = model.solve(solver)
print(json.dumps({"seconds": round(time.monotonic() - began, 2), "building": round(built, 2),
    "objective": pulp.value(model.problem.objective), "status": pulp.LpStatus[model.problem.status]}))
"""


def scattered(points: int, places: int, *, clustered: bool, seed: int = 1) -> tuple[Demand, Candidates]:
    """Points in one degree of Guizhou, evenly or half in 40 towns; candidates stand at demand points."""
    draw = np.random.default_rng(seed)
    spots = draw.uniform(0, 1, (points, 2))
    if clustered:
        towns = draw.uniform(0, 1, (40, 2))
        half = points // 2
        spots[:half] = towns[draw.integers(0, 40, half)] + draw.normal(0, 0.03, (half, 2))
    at = spots[draw.integers(0, points, places)] + draw.normal(0, 0.005, (places, 2))
    weight = draw.integers(1, 100, points).astype(float)
    demand = Demand([f"d{i}" for i in range(points)], weight, 106 + spots[:, 0], 26 + spots[:, 1])
    return demand, Candidates([f"c{j}" for j in range(places)], 106 + at[:, 0], 26 + at[:, 1])


def straight(demand: Demand, places: Candidates, radius: float) -> CoordinateReach:
    """Reach by coordinates with the default detour."""
    return CoordinateReach(
        (demand.lon, demand.lat),
        (places.lon, places.lat),
        radius=np.full(len(demand.ids), radius),
        detour=1.3,
    )


def small_coverage(peer: str | None) -> dict[str, object]:
    """2,000 × 500, 50 sites, 5 km on the ground; the peer gets the same points projected on a plane."""
    demand, places = scattered(2000, 500, clustered=True)
    began = time.monotonic()
    plan = plan_sites(Model.COVERAGE, demand, places, straight(demand, places, 5000.0), sites=50)
    row: dict[str, object] = {
        "seconds": round(time.monotonic() - began, 3),
        "objective": plan.objective,
        "status": plan.status,
    }
    if peer:
        stretch = np.radians(6_371_008.8) * np.array([np.cos(np.radians(26.5)), 1.0])
        file = Path(__file__).parent / "out" / "mclp.npz"
        file.parent.mkdir(exist_ok=True)
        np.savez(
            file,
            d=np.column_stack((demand.lon, demand.lat)) * stretch,
            c=np.column_stack((places.lon, places.lat)) * stretch,
            w=demand.weight,
            radius=5000.0,
            sites=50,
            detour=1.3,
        )
        done = subprocess.run(
            [peer, "-c", PEER, str(file), "300"], capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout.splitlines()[-1])
        row |= {"spopt": told, "times": round(told["seconds"] / float(str(row["seconds"])), 1)}
    return row


def large(model: Model, *, clustered: bool) -> dict[str, object]:
    """20,000 × 2,000 with 100 sites; coverage within 4 km."""
    demand, places = scattered(20_000, 2_000, clustered=clustered)
    radius = 4000.0 if model is Model.COVERAGE else np.inf
    began = time.monotonic()
    plan = plan_sites(
        model,
        demand,
        places,
        straight(demand, places, radius),
        sites=100,
        time_limit=50.0 if model is Model.COVERAGE else 100.0,
    )
    return told(plan, began)


def province(radius: float, sites: int) -> dict[str, object]:
    """All Guizhou with its floors."""
    from doudi.engine.siting.guizhou import guizhou

    asked = guizhou()
    began = time.monotonic()
    plan = plan_sites(
        Model.COVERAGE,
        asked.demand,
        asked.candidates,
        straight(asked.demand, asked.candidates, radius),
        sites=sites,
        floors=asked.floors,
    )
    return told(plan, began)


def public(name: str) -> dict[str, object]:
    """One OR-Library instance beside its published optimum."""
    from tests.engine.siting.orlib import OPTIMA, instance

    distances, sites = instance(name)
    names = [str(i) for i in range(len(distances))]
    row, place = np.indices(distances.shape)
    reach = TableReach(
        distances.shape, row.ravel(), place.ravel(), distances.ravel(), radius=np.full(len(names), np.inf)
    )
    began = time.monotonic()
    plan = plan_sites(
        Model.MEDIAN,
        Demand(names, np.ones(len(names))),
        Candidates(names),
        reach,
        sites=sites,
        time_limit=60.0,
    )
    return told(plan, began) | {"published": OPTIMA[name]}


def told(plan: object, began: float) -> dict[str, object]:
    """What a claim reports of a plan."""
    kept = {key: getattr(plan, key) for key in ("status", "objective", "bound", "gap")}
    return {"seconds": round(time.monotonic() - began, 2), **kept}


CLAIMS = {
    "coverage 2000x500, 50 sites": lambda peer: small_coverage(peer),
    "coverage 20000x2000, 100 sites, even": lambda _: large(Model.COVERAGE, clustered=False),
    "coverage 20000x2000, 100 sites, towns": lambda _: large(Model.COVERAGE, clustered=True),
    "median 20000x2000, 100 sites, even": lambda _: large(Model.MEDIAN, clustered=False),
    "median 20000x2000, 100 sites, towns": lambda _: large(Model.MEDIAN, clustered=True),
    "Guizhou 17964x1510, floors, 200 sites, 3 km": lambda _: province(3000.0, 200),
    "Guizhou 17964x1510, floors, 300 sites, 5 km": lambda _: province(5000.0, 300),
    **{
        f"OR-Library {n}": (lambda _, n=n: public(n))
        for n in ("pmed1", "pmed5", "pmed10", "pmed20", "pmed38")
    },
}


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--peer", help="a Python with spopt")
    options.add_argument("--only", help="run claims whose name contains this")
    options.add_argument("--here", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    root = Path(__file__).parents[1]
    if chosen.here:
        sys.path.insert(0, str(root))
        result = CLAIMS[chosen.here](chosen.peer)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"claim": chosen.here, **result, "peak_mib": peak}), flush=True)
        sys.exit()
    for claim in CLAIMS:
        if not chosen.only or chosen.only in claim:
            again = [
                sys.executable,
                __file__,
                "--here",
                claim,
                *(["--peer", chosen.peer] if chosen.peer else []),
            ]
            subprocess.run(again, check=True)
