"""Claims on matching, each with its peer in the same run: python benchmarks/bench_matching.py

1. 10,000 needs × 2,000 projects with places: one flow against HiGHS's LP of the same weighted model.
2. 200,000 × 10,000 (2.7 million offers) with the peak memory of the process.
3. 10,000 × 2,000 with money budgets: time, bound and gap, loosely and tightly filled.
Served counts by tier stand beside those of a first-come list in the file's order. Lists are synthetic.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import highspy
import numpy as np

from doudi.engine.matching import Need, Offers, Project, first_come, listed_offers, match
from doudi.engine.matching.flow import assign_by_flow, standings, weigh


def lists(
    needs: int, projects: int, *, mean_places: float, money: float | None, seed: int = 1
) -> tuple[list[Need], list[Project], Offers]:
    """Five tiers, log-normal amounts, about 13.5 projects a need; ``money`` is budget ÷ (places × mean amount)."""
    draw = np.random.default_rng(seed)
    tiers, waits = draw.integers(1, 6, needs), draw.integers(0, 400, needs)
    amounts = np.clip(np.exp(draw.normal(8, 0.8, needs)) // 100, 2, 500).astype(int) * 100
    places = draw.integers(1, 2 * mean_places, projects)
    degree = draw.poisson(13.5, needs)
    pairs = np.unique(
        np.repeat(np.arange(needs), degree) * projects + draw.integers(0, projects, degree.sum())
    )
    fits = draw.integers(1, 101, len(pairs))
    budgets = places * amounts.mean() * draw.uniform(0.5, 1.5, projects) * (money or 0)
    all_needs = [
        Need(f"n{i:06d}", int(tiers[i]), int(amounts[i]), waiting_days=int(waits[i])) for i in range(needs)
    ]
    all_projects = [
        Project(f"p{p:05d}", int(places[p]), int(budgets[p]) if money else None) for p in range(projects)
    ]
    offers = listed_offers(all_needs, all_projects, pairs // projects, pairs % projects, fits)
    return all_needs, all_projects, offers


def by_linear_program(
    needs: list[Need], projects: list[Project], offers: Offers, limit: float
) -> tuple[float, int]:
    """(seconds, served) of HiGHS's LP with the weights of the flow; the relaxation of a flow is whole."""
    tiers = np.array([need.tier for need in needs])
    weights = weigh(
        tiers, standings(needs), offers.fit, projects=len(projects), nodes=len(needs) + len(projects)
    )
    need = np.repeat(np.arange(len(needs)), np.diff(offers.start))
    program = highspy.HighsLp()
    program.sense_ = highspy.ObjSense.kMaximize
    program.num_col_, program.num_row_ = len(need), len(needs) + len(projects)
    gains = weights.of_need[need] + weights.unit * weights.fit
    program.col_cost_ = gains / gains.max() * 1e6
    program.col_lower_, program.col_upper_ = np.zeros(len(need)), np.ones(len(need))
    program.row_lower_ = np.full(program.num_row_, -highspy.kHighsInf)
    program.row_upper_ = np.array([1.0] * len(needs) + [float(one.places or 0) for one in projects])
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.arange(0, 2 * len(need) + 1, 2)
    program.a_matrix_.index_ = np.stack((need, len(needs) + offers.project), axis=1).ravel()
    program.a_matrix_.value_ = np.ones(2 * len(need))
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 2)
    solver.setOptionValue("time_limit", limit)
    began = time.monotonic()
    solver.passModel(program)
    solver.run()
    return time.monotonic() - began, round(float(np.sum(solver.getSolution().col_value)))


def run(
    name: str,
    needs: int,
    projects: int,
    *,
    mean_places: float,
    money: float | None,
    peer: bool,
    time_limit: float = 20,
) -> None:
    """One claim, printed as one JSON line."""
    asking, offering, offers = lists(needs, projects, mean_places=mean_places, money=money)
    began, busy = time.monotonic(), time.process_time()
    found = match(asking, offering, offers, time_limit=time_limit)
    row: dict[str, object] = {
        "claim": name,
        "needs": needs,
        "projects": projects,
        "offers": len(offers.project),
        "seconds": round(time.monotonic() - began, 3),
        "cpu_seconds": round(time.process_time() - busy, 3),
        "served_by_tier": dict(found.served_by_tier),
        "first_come_by_tier": dict(first_come(asking, offering, offers)),
        "bound_by_tier": dict(found.bound_by_tier),
        "gap": round(found.gap, 5),
        "optimal": found.optimal,
        "optimal_tiers": found.optimal_tiers,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if peer:
        tiers = np.array([need.tier for need in asking])
        places = np.array([one.places for one in offering])
        began = time.monotonic()
        assign_by_flow(tiers, standings(asking), offers, places)
        flow = time.monotonic() - began
        program, served = by_linear_program(asking, offering, offers, limit=120)
        row |= {
            "flow_seconds": round(flow, 3),
            "highs_lp_seconds": round(program, 2),
            "highs_lp_served": served,
            "times": round(program / flow, 1),
        }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--small", action="store_true", help="leave out 200,000 × 10,000")
    options.add_argument(
        "--time-limit",
        type=float,
        default=20,
        help="seconds for the search under budgets; more where others use the processor, see cpu_seconds",
    )
    options.add_argument("--money-only", action="store_true", help="only the two lists with budgets")
    chosen = options.parse_args()
    limit = chosen.time_limit
    if not chosen.small and not chosen.money_only:  # first, so that the peak of memory is its own
        run("province", 200_000, 10_000, mean_places=12, money=None, peer=False)
    if not chosen.money_only:
        run("county, places", 10_000, 2_000, mean_places=3.5, money=None, peer=True)
    run("county, ample money", 10_000, 2_000, mean_places=8, money=1.0, peer=False, time_limit=limit)
    run("county, scarce money", 10_000, 2_000, mean_places=8, money=0.5, peer=False, time_limit=limit)
