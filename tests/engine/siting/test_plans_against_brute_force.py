"""Small plans are compared with every possible set of sites."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doudi.engine.siting import Candidates, Demand, Floor, Model, Plan, TableReach, plan_sites

UNREACHABLE = np.inf


@dataclass
class Question:
    distances: np.ndarray  # points × places, inf where unreachable
    weight: np.ndarray
    sites: int
    radius: float
    fixed: np.ndarray
    groups: list[str]
    floors: list[Floor]

    def plan(self, model: Model, capacity: np.ndarray | None = None, cost: np.ndarray | None = None) -> Plan:
        points, places = self.distances.shape
        row, place = np.nonzero(np.isfinite(self.distances))
        reach = TableReach(
            (points, places), row, place, self.distances[row, place], radius=np.full(points, self.radius)
        )
        return plan_sites(
            model,
            Demand([f"d{i}" for i in range(points)], self.weight),
            Candidates([f"c{j}" for j in range(places)], capacity=capacity, cost=cost, group=self.groups),
            reach,
            sites=self.sites,
            fixed=self.fixed,
            floors=self.floors,
            time_limit=20.0,
        )

    def allowed_sets(self):
        places = self.distances.shape[1]
        for size in range(self.sites + 1):
            for chosen in combinations(range(places), size):
                if set(np.flatnonzero(self.fixed)) - set(chosen):
                    continue
                counts = [sum(self.groups[j] == floor.group for j in chosen) for floor in self.floors]
                if all(
                    floor.at_least <= count <= (99 if floor.at_most is None else floor.at_most)
                    for floor, count in zip(self.floors, counts, strict=True)
                ):
                    yield list(chosen)

    def in_reach(self) -> np.ndarray:
        return (self.distances <= self.radius) & np.isfinite(self.distances)

    def best_coverage(self) -> float | None:
        reach = self.in_reach()
        values = [float(self.weight[reach[:, chosen].any(axis=1)].sum()) for chosen in self.allowed_sets()]
        return max(values, default=None)

    def fewest_sites(self) -> int | None:
        reach = self.in_reach()
        return min((len(c) for c in self.allowed_sets() if reach[:, c].any(axis=1).all()), default=None)

    def least_distance(self) -> float | None:
        """Over the points that some place reaches; points out of all reach are nobody's."""
        metres = np.where(self.in_reach(), self.distances, UNREACHABLE)
        rows = np.isfinite(metres).any(axis=1) & (self.weight > 0)
        costs = []
        for chosen in self.allowed_sets():
            nearest = metres[rows][:, chosen].min(axis=1) if chosen else np.full(rows.sum(), UNREACHABLE)
            if np.isfinite(nearest).all():
                costs.append(float(self.weight[rows] @ nearest))
        return min(costs, default=None)


@st.composite
def questions(draw) -> Question:
    points, places = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    cells = draw(
        st.lists(
            st.one_of(st.integers(0, 30), st.just(None)), min_size=points * places, max_size=points * places
        )
    )
    distances = np.array([UNREACHABLE if c is None else float(c) for c in cells]).reshape(points, places)
    weight = np.array(
        draw(st.lists(st.sampled_from([0, 1, 2, 5, 0.5]), min_size=points, max_size=points)), float
    )
    fixed = np.array(draw(st.lists(st.sampled_from([False, False, True]), min_size=places, max_size=places)))
    groups = draw(st.lists(st.sampled_from(["", "甲", "乙"]), min_size=places, max_size=places))
    floors = []
    for group in draw(st.sampled_from([[], ["甲"], ["甲", "乙"]])):
        least = draw(st.integers(0, 2))
        floors.append(Floor(group, least, draw(st.sampled_from([None, least, least + 1]))))
    return Question(
        distances,
        weight,
        draw(st.integers(1, places)),
        draw(st.sampled_from([8.0, 15.0, np.inf])),
        fixed,
        groups,
        floors,
    )


@settings(max_examples=120, deadline=None)
@given(questions())
def test_coverage_finds_the_best_of_all_sets(question: Question) -> None:
    best = question.best_coverage()

    plan = question.plan(Model.COVERAGE)

    if best is None:
        assert plan.status == "infeasible" and plan.why
    else:
        assert plan.status == "optimal"
        assert plan.objective == pytest.approx(best)
        assert plan.covered_weight == pytest.approx(best)
        assert plan.bound >= plan.objective - 1e-9
        assert_the_plan_keeps_its_limits(question, plan)


@settings(max_examples=120, deadline=None)
@given(questions())
def test_cover_all_finds_the_fewest_sites(question: Question) -> None:
    fewest = question.fewest_sites()

    plan = question.plan(Model.COVER_ALL)

    if fewest is None:
        assert plan.status == "infeasible" and plan.why
    else:
        assert (plan.status, plan.objective, len(plan.sites)) == ("optimal", fewest, fewest)
        assert None not in plan.assignment.values()
        assert_the_plan_keeps_its_limits(question, plan)


@settings(max_examples=120, deadline=None)
@given(questions())
def test_median_finds_the_least_distance(question: Question) -> None:
    least = question.least_distance()

    plan = question.plan(Model.MEDIAN)

    if least is None:
        assert plan.status == "infeasible" and plan.why
    else:
        assert plan.status == "optimal"
        assert plan.objective == pytest.approx(least)
        assert plan.bound <= plan.objective + 1e-9
        assert_the_plan_keeps_its_limits(question, plan)


def assert_the_plan_keeps_its_limits(question: Question, plan: Plan) -> None:
    chosen = [int(name[1:]) for name in plan.sites]
    assert chosen in list(question.allowed_sets())
    reach = question.in_reach()
    for point, name in plan.assignment.items():
        i = int(point[1:])
        if name is None:
            assert not reach[i, chosen].any()
        else:
            assert question.distances[i, int(name[1:])] == question.distances[i, chosen].min()


@settings(max_examples=60, deadline=None)
@given(questions(), st.lists(st.integers(0, 8), min_size=6, max_size=6))
def test_with_capacities_no_site_is_overfull_and_no_better_assignment_exists(
    question: Question, seats: list[int]
) -> None:
    question.distances = question.distances[:5]
    question.weight = question.weight[:5]
    capacity = np.array(seats[: question.distances.shape[1]], float)
    for model in Model:
        best = best_with_capacity(question, capacity, model)

        plan = question.plan(model, capacity=capacity)

        if best is None:
            assert plan.status == "infeasible" and plan.why
            continue
        assert plan.status == "optimal"
        assert plan.objective == pytest.approx(best, abs=1e-6)
        load = dict.fromkeys(plan.sites, 0.0)
        for point, name in plan.assignment.items():
            if name is not None:
                load[name] += question.weight[int(point[1:])]
                assert question.in_reach()[int(point[1:]), int(name[1:])]
        assert all(load[name] <= capacity[int(name[1:])] + 1e-6 for name in plan.sites)


def best_with_capacity(question: Question, capacity: np.ndarray, model: Model) -> float | None:
    reach = question.in_reach()
    nowhere = ~reach.any(axis=1)
    best: float | None = None
    for chosen in question.allowed_sets():
        states = {tuple(capacity[chosen]): 0.0}
        for i, weight in enumerate(question.weight):
            after: dict[tuple[float, ...], float] = {}
            for left, value in states.items():
                options = (
                    [(left, value)]
                    if model is Model.COVERAGE or (model is Model.MEDIAN and nowhere[i])
                    else []
                )
                for slot, j in enumerate(chosen):
                    if reach[i, j] and left[slot] >= weight - 1e-9:
                        gain = {Model.COVERAGE: -weight, Model.MEDIAN: weight * question.distances[i, j]}.get(
                            model, 0
                        )
                        options.append(((*left[:slot], left[slot] - weight, *left[slot + 1 :]), value + gain))
                for key, cost in options:
                    after[key] = min(after.get(key, np.inf), cost)
            states = after
        if not states:
            continue
        value = len(chosen) if model is Model.COVER_ALL else min(states.values())
        best = value if best is None else min(best, value)
    return -best if best is not None and model is Model.COVERAGE else best


@settings(max_examples=60, deadline=None)
@given(questions(), st.lists(st.integers(0, 9), min_size=6, max_size=6), st.integers(0, 20))
def test_a_budget_is_kept_and_the_cheapest_of_equal_plans_is_taken(
    question: Question, prices: list[int], budget: int
) -> None:
    cost = np.array(prices[: question.distances.shape[1]], float)
    reach = question.in_reach()
    options = [
        (-float(question.weight[reach[:, c].any(axis=1)].sum()), float(cost[c].sum()))
        for c in question.allowed_sets()
        if cost[c].sum() <= budget
    ]
    points, places = question.distances.shape
    row, place = np.nonzero(np.isfinite(question.distances))

    plan = plan_sites(
        Model.COVERAGE,
        Demand([f"d{i}" for i in range(points)], question.weight),
        Candidates([f"c{j}" for j in range(places)], cost=cost, group=question.groups),
        TableReach(
            (points, places),
            row,
            place,
            question.distances[row, place],
            radius=np.full(points, question.radius),
        ),
        sites=question.sites,
        fixed=question.fixed,
        floors=question.floors,
        budget=float(budget),
    )

    if not options:
        assert plan.status == "infeasible" and plan.why
    else:
        spent = float(cost[[int(name[1:]) for name in plan.sites]].sum())
        assert (plan.objective, spent) == pytest.approx((-min(options)[0], min(options)[1]))
