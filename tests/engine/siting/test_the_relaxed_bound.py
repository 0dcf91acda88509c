"""The bound from the linear relaxation is above every plan, with floors and kept sites too, and tighter than none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from doudi.engine.siting import Candidates, Floor, coverage
from doudi.engine.siting.coverage import CoverageSearch, CoverSets
from doudi.engine.siting.highs import Clock
from doudi.engine.siting.limits import Limits


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_passes_the_relaxed_bound(seed: int, monkeypatch) -> None:
    monkeypatch.setattr(coverage, "INTERIOR_POINT_ABOVE", 0)
    draw = np.random.default_rng(seed)
    within = sparse.csr_matrix((draw.random((40, 9)) < 0.25).astype(float))
    sets = CoverSets.merge(within, draw.integers(1, 30, 40).astype(float))
    places = Candidates([str(j) for j in range(9)], group=["a" if j < 4 else "b" for j in range(9)])
    fixed = np.zeros(9, dtype=bool)
    fixed[seed % 9] = True
    limits = Limits(places, sites=4, fixed=fixed, floors=[Floor("b", 2, 3)], budget=None)
    search = CoverageSearch(sets, limits)

    _, bound = coverage._relaxed(search, np.zeros(len(sets.weight)), np.inf, Clock.of(60))
    found = coverage.most_covered(sets, limits, Clock.of(60))

    allowed = []
    for many in range(5):
        for chosen in combinations(range(9), many):
            mask = np.isin(np.arange(9), chosen)
            if limits.admits(mask):
                allowed.append(search.value(mask))
    assert max(allowed) - 1e-6 <= bound <= float(sets.weight.sum()) + 1e-6
    assert found.objective == found.bound == max(allowed)


def test_a_bound_in_hand_is_kept_where_the_relaxation_has_no_time_or_nothing_better(monkeypatch) -> None:
    sets = CoverSets.merge(sparse.csr_matrix(np.eye(3)), np.array([3.0, 2.0, 1.0]))
    places = Candidates(["a", "b", "c"])
    limits = Limits(places, sites=2, fixed=np.zeros(3, dtype=bool), floors=[], budget=None)
    search, prices = CoverageSearch(sets, limits), np.array([1.0, 1.0, 1.0])

    small = coverage._relaxed(search, prices, 6.0, Clock.of(60))
    monkeypatch.setattr(coverage, "INTERIOR_POINT_ABOVE", 0)
    better = coverage._relaxed(search, prices, 4.5, Clock.of(60))

    assert small[1] == 6.0, "a small model is left to the branching, which solves it anyway"
    assert better[1] == 4.5 and better[0] is prices
