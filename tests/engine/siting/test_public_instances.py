"""OR-Library p-median: the published optimum, proven."""

from __future__ import annotations

import numpy as np
import pytest

from doudi.engine.siting import Candidates, Demand, Model, TableReach, plan_sites
from tests.engine.siting.orlib import OPTIMA, instance


@pytest.mark.parametrize("name", ["pmed1", "pmed5", "pmed10"])
def test_the_published_optimum_is_found_and_proven(name: str) -> None:
    distances, sites = instance(name)
    count = len(distances)
    names = [str(i + 1) for i in range(count)]
    row, place = np.indices(distances.shape)
    reach = TableReach(
        distances.shape, row.ravel(), place.ravel(), distances.ravel(), radius=np.full(count, np.inf)
    )

    plan = plan_sites(
        Model.MEDIAN, Demand(names, np.ones(count)), Candidates(names), reach, sites=sites, time_limit=60.0
    )

    assert (plan.status, plan.objective, plan.bound) == ("optimal", OPTIMA[name], OPTIMA[name])
    opened = [int(site) - 1 for site in plan.sites]
    assert len(opened) == sites
    assert distances[:, opened].min(axis=1).sum() == OPTIMA[name]
