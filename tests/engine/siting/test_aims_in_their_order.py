"""People in difficulty come first, strictly; then all, then distance, then cost: against every plan, one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from doudi.engine.siting import Aim, Candidates, Demand, Floor, Model, TableReach, plan_sites


def question(seed: int, points: int = 14, places: int = 7):
    draw = np.random.default_rng(seed)
    metres = draw.integers(1, 12, (points, places)) * 100.0
    weight = draw.integers(1, 40, points).astype(float)
    hard = np.minimum(draw.integers(0, 3, points), weight)
    cost = draw.integers(1, 5, places).astype(float)
    row, place = np.nonzero(metres <= 400)
    reach = TableReach((points, places), row, place, metres[row, place], radius=np.full(points, 400.0))
    demand = Demand([f"d{i}" for i in range(points)], weight, hard=hard)
    return demand, Candidates([f"c{j}" for j in range(places)], cost=cost), reach, metres


def told(
    demand: Demand, places: Candidates, metres: np.ndarray, chosen: tuple[int, ...]
) -> tuple[float, ...]:
    """(hard, all, −metres a person, −cost) of one set, as the aims reckon them."""
    near = np.where(metres <= 400, metres, np.inf)
    live = np.isfinite(near).any(axis=1)
    farthest = np.where(np.isfinite(near), near, 0).max(axis=1)
    best = near[:, list(chosen)].min(axis=1)
    covered = np.isfinite(best)
    way = np.where(covered, best, farthest)
    assert places.cost is not None
    return (
        float(demand.hard[covered].sum()),
        float(demand.weight[covered].sum()),
        -round(float(demand.weight[live] @ way[live]) / float(demand.weight[live].sum()), 6),
        -float(places.cost[list(chosen)].sum()),
    )


@pytest.mark.parametrize("seed", range(25))
def test_the_plan_is_the_best_in_the_order_of_the_aims(seed: int) -> None:
    demand, places, reach, metres = question(seed)

    plan = plan_sites(Model.COVERAGE, demand, places, reach, sites=3)

    sites = [
        chosen
        for many in range(1, len(plan.sites) + 1)
        for chosen in combinations(range(len(places.ids)), many)
    ]
    best = max(told(demand, places, metres, chosen) for chosen in sites)
    got = told(demand, places, metres, tuple(int(name[1:]) for name in plan.sites))
    assert got == pytest.approx(best)
    assert plan.status == "optimal" and [step.aim for step in plan.steps] == list(Aim)
    assert [step.value for step in plan.steps] == pytest.approx([got[0], got[1], -got[2], -got[3]])
    assert all(step.gap == 0.0 for step in plan.steps)


def test_one_in_difficulty_is_not_given_up_for_a_crowd() -> None:
    # a thousand persons here, one in difficulty there: a weight of a hundred would choose the crowd
    reach = TableReach((2, 2), np.array([0, 1]), np.array([0, 1]), np.ones(2), radius=np.full(2, 9.0))
    demand = Demand(["crowd", "one"], np.array([1000.0, 1.0]), hard=np.array([0.0, 1.0]))

    plan = plan_sites(Model.COVERAGE, demand, Candidates(["a", "b"]), reach, sites=1)

    assert plan.sites == ["b"]
    assert [(step.aim, step.value, step.gap) for step in plan.steps[:2]] == [
        ("hard", 1.0, 0.0),
        ("all", 1.0, 0.0),
    ]


def test_the_order_holds_within_capacities_and_floors() -> None:
    row, place = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1])
    reach = TableReach((3, 2), row, place, np.ones(5), radius=np.full(3, 9.0))
    demand = Demand(["many", "hard", "far"], np.array([9.0, 2.0, 5.0]), hard=np.array([0.0, 2.0, 0.0]))
    places = Candidates(["a", "b"], capacity=np.array([10.0, 10.0]), group=["x", "y"])

    one = plan_sites(Model.COVERAGE, demand, places, reach, sites=1)
    floor = plan_sites(Model.COVERAGE, demand, places, reach, sites=1, floors=[Floor("x", 1)])

    # nine do not fit beside the two in difficulty: they give way, though they are more
    assert one.assignment["hard"] == one.assignment["far"] == "b" and one.assignment["many"] is None
    assert [(step.aim, step.value) for step in one.steps] == [("hard", 2.0), ("all", 7.0)]
    assert floor.assignment["hard"] == "a" and floor.steps[0].value == 2.0


def test_a_gap_left_open_is_told_of_each_aim() -> None:
    draw = np.random.default_rng(5)
    points, places = 400, 80
    metres = draw.integers(100, 2000, (points, places)).astype(float)
    row, place = np.nonzero(metres <= 300)
    reach = TableReach((points, places), row, place, metres[row, place], radius=np.full(points, 300.0))
    weight = draw.integers(1, 50, points).astype(float)
    demand = Demand([str(i) for i in range(points)], weight, hard=np.floor(weight / 3))

    plan = plan_sites(
        Model.COVERAGE, demand, Candidates([str(j) for j in range(places)]), reach, sites=8, time_limit=1.0
    )

    hard, everybody = plan.steps[:2]
    assert hard.bound >= hard.value and everybody.bound >= everybody.value
    worst = max(hard.gap or 0.0, everybody.gap or 0.0)
    assert plan.gap == pytest.approx(worst)
    assert plan.status == ("optimal" if worst == 0 else "feasible")
