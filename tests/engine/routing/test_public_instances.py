"""Solomon and Gehring–Homberger instances: close to the best known in a few seconds (benchmarks go further)."""

from __future__ import annotations

import pytest

from doudi.engine.routing import plan_routes
from tests.engine.routing.checking import check
from tests.engine.routing.instances import BEST_KNOWN, instance


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "iterations", "within"), [("R101", 1500, 0.02), ("RC208", 1500, 0.02), ("c1_2_1", 1500, 0.01)]
)
def test_a_short_search_comes_close_to_the_best_known(name: str, iterations: int, within: float) -> None:
    stops, travel, fleet = instance(name)

    plan = plan_routes(stops, travel, fleet, iterations=iterations, time_limit=60)

    check(plan, stops, travel, fleet)
    assert plan.unserved == []
    assert plan.total_minutes <= BEST_KNOWN[name] * (1 + within)
    assert plan.total_minutes >= BEST_KNOWN[name] * 0.99
