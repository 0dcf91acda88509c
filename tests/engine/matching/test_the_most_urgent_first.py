"""The proposal is lexicographic: tier by tier, then fit, then waiting, against plain enumeration and sequential flows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from doudi.engine.matching import Need, Project, first_come, match
from doudi.engine.matching.flow import weigh
from tests.engine.matching.small import Fits, allowed, best_by_trying_all, choice_of, offers, score


def test_an_urgent_need_with_one_option_is_not_crowded_out() -> None:
    needs = [Need("easy", 2), Need("urgent", 1)]
    projects = [Project("only", places=1), Project("other", places=1)]

    found = match(needs, projects, offers(needs, projects, {(0, 0): 100, (0, 1): 1, (1, 0): 1}))

    assert {pair.need: pair.project for pair in found.pairs} == {"urgent": "only", "easy": "other"}
    assert found.optimal and found.bound == 2


def test_one_urgent_need_outweighs_any_amount_of_fit() -> None:
    needs = [Need("urgent", 1), *(Need(f"later{i}", 2) for i in range(3))]
    projects = [Project("a", places=1), Project("b", places=1), Project("c", places=1)]
    fits = {(0, 0): 0, (1, 0): 100, (1, 1): 0, (2, 1): 100, (2, 2): 0, (3, 2): 100}

    found = match(needs, projects, offers(needs, projects, fits))

    assert found.served_by_tier == {1: 1, 2: 2}


def test_of_two_equal_needs_the_one_that_waited_longer_is_served() -> None:
    needs = [Need("new", 1, waiting_days=3), Need("old", 1, waiting_days=90)]

    found = match(needs, [Project("p", places=1)])

    assert [pair.need for pair in found.pairs] == ["old"]


def test_the_larger_gap_to_income_goes_before_waiting() -> None:
    needs = [
        Need("waits", 1, waiting_days=90, gap_to_income=0.2),
        Need("deep", 1, waiting_days=3, gap_to_income=1.5),
    ]

    found = match(needs, [Project("p", places=1)])

    assert [pair.need for pair in found.pairs] == ["deep"]


@st.composite
def lists(draw: st.DrawFn, *, money: bool) -> tuple[list[Need], list[Project], Fits]:
    """Up to 6 needs and 3 projects with random offers, and budgets that bind if ``money``."""
    needs = [
        Need(
            f"n{i}",
            draw(st.integers(1, 3)),
            draw(st.integers(1, 9)) if money else None,
            waiting_days=draw(st.integers(0, 5)),
        )
        for i in range(draw(st.integers(1, 6)))
    ]
    projects = [
        Project(f"p{p}", draw(st.integers(0, 3)), draw(st.integers(0, 14)) if money else None)
        for p in range(draw(st.integers(1, 3)))
    ]
    pairs = [(i, p) for i in range(len(needs)) for p in range(len(projects))]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=12))
    return needs, projects, {pair: draw(st.integers(0, 4)) for pair in chosen}


@settings(max_examples=150, deadline=None)
@given(lists(money=False))
def test_with_places_the_flow_is_the_lexicographic_optimum(
    given_lists: tuple[list[Need], list[Project], Fits],
) -> None:
    needs, projects, fits = given_lists

    found = match(needs, projects, offers(needs, projects, fits))

    choice = choice_of(found, needs, projects)
    assert allowed(needs, projects, choice)
    assert score(needs, fits, choice) == best_by_trying_all(needs, projects, fits)
    assert found.optimal and found.gap == 0


@settings(max_examples=80, deadline=None)
@given(lists(money=True))
def test_with_money_whole_needs_are_the_lexicographic_optimum(
    given_lists: tuple[list[Need], list[Project], Fits],
) -> None:
    needs, projects, fits = given_lists

    found = match(needs, projects, offers(needs, projects, fits))

    choice = choice_of(found, needs, projects)
    best = best_by_trying_all(needs, projects, fits)
    tiers = len(found.served_by_tier)
    assert allowed(needs, projects, choice)
    assert score(needs, fits, choice)[: tiers + 1] == best[: tiers + 1]
    assert tuple(found.bound_by_tier.values()) == best[:tiers]
    assert found.optimal


@pytest.mark.parametrize("seed", range(3))
def test_one_weighted_flow_equals_one_program_per_level(seed: int) -> None:
    draw = np.random.default_rng(seed)
    needs = [
        Need(f"n{i:02d}", int(draw.integers(1, 5)), waiting_days=int(draw.integers(0, 400)))
        for i in range(60)
    ]
    projects = [Project(f"p{p:02d}", places=int(draw.integers(1, 4))) for p in range(18)]
    fits = {
        (i, int(p)): int(draw.integers(0, 101)) for i in range(60) for p in draw.choice(18, 3, replace=False)
    }

    found = match(needs, projects, offers(needs, projects, fits))

    pairs = list(fits)
    rows = np.zeros((len(needs) + len(projects), len(pairs)))
    for column, (i, p) in enumerate(pairs):
        rows[i, column] = rows[len(needs) + p, column] = 1
    limits = [LinearConstraint(rows, ub=[1] * len(needs) + [project.places for project in projects])]
    levels = [
        np.array([needs[i].tier == tier for i, _ in pairs], float) for tier in sorted({n.tier for n in needs})
    ]
    levels += [
        np.array([fits[pair] for pair in pairs], float),
        np.array([needs[i].waiting_days for i, _ in pairs], float),
    ]
    reached = []
    for level in levels:
        best = milp(-level, constraints=limits, bounds=Bounds(0, 1), integrality=np.ones(len(pairs)))
        reached.append(round(-best.fun))
        limits.append(LinearConstraint(level, lb=reached[-1] - 0.5))
    assert score(needs, fits, choice_of(found, needs, projects)) == tuple(reached)


def test_the_tier_step_is_larger_than_all_that_can_be_lost_below_it() -> None:
    tiers, queue, fit = np.array([1, 2, 2, 3]), np.array([0, 365, 3, 9]), np.array([0, 100, 40])

    weights = weigh(tiers, queue, fit, projects=3, nodes=20)

    step = weights.of_need[0] - queue[0] - (weights.of_need[1] - queue[1])
    assert weights.exact
    assert weights.unit > 365
    assert step > weights.unit * 100 * 3 + 365


def test_weights_too_long_for_the_solver_say_that_they_were_shortened() -> None:
    tiers = np.repeat([1, 2, 3], 1000)
    weights = weigh(tiers, np.arange(3000), np.array([0, 10**9]), projects=2000, nodes=10**6)

    assert not weights.exact
    assert weights.of_need.max() * 10**6 < 2**62


@settings(max_examples=40, deadline=None)
@given(lists(money=True), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(
    given_lists: tuple[list[Need], list[Project], Fits], random: object
) -> None:
    needs, projects, fits = given_lists
    turn, turn_projects = list(range(len(needs))), list(range(len(projects)))
    random.shuffle(turn)  # type: ignore[attr-defined]
    random.shuffle(turn_projects)  # type: ignore[attr-defined]
    moved = {(turn.index(i), turn_projects.index(p)): fit for (i, p), fit in fits.items()}
    other_needs, other_projects = [needs[i] for i in turn], [projects[p] for p in turn_projects]

    one = match(needs, projects, offers(needs, projects, fits))
    two = match(other_needs, other_projects, offers(other_needs, other_projects, moved))

    assert one.pairs == two.pairs
    assert list(one.why_unserved()) == list(two.why_unserved())


def test_a_first_come_list_serves_fewer_of_the_urgent() -> None:
    needs = [Need("early", 3), Need("urgent", 1)]
    projects = [Project("p", places=1)]

    assert first_come(needs, projects) == {1: 0, 3: 1}
    assert match(needs, projects).served_by_tier == {1: 1, 3: 0}


@pytest.mark.slow
def test_a_large_component_with_money_reports_a_bound_that_holds() -> None:
    draw = np.random.default_rng(3)
    needs = [
        Need(
            f"n{i:03d}",
            int(draw.integers(1, 4)),
            int(draw.integers(2, 60)),
            waiting_days=int(draw.integers(0, 400)),
        )
        for i in range(700)
    ]
    projects = [
        Project(f"p{p:03d}", int(draw.integers(2, 8)), int(draw.integers(80, 230))) for p in range(120)
    ]
    fits = {
        (i, int(p)): int(draw.integers(1, 101))
        for i in range(700)
        for p in draw.choice(120, 8, replace=False)
    }

    found = match(needs, projects, offers(needs, projects, fits), time_limit=4)

    choice = choice_of(found, needs, projects)
    assert allowed(needs, projects, choice)
    assert all(found.served_by_tier[t] <= found.bound_by_tier[t] for t in found.served_by_tier)
    assert found.served_by_tier[1] == found.bound_by_tier[1]
    assert 0 <= found.gap < 0.02
    assert not found.optimal
