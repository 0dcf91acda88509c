"""Set cover (全覆盖最少点): the fewest places so that everybody has one in reach.

Toregas, Swain, ReVelle & Bergman, "The location of emergency service facilities", Operations Research 19 (1971)
1363–1373. Points whose choice includes another's are covered with it and fall away; a search for full coverage
with one site fewer gives the start, HiGHS the proof.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from doudi.engine.siting.coverage import CoverageSearch, CoverSets
from doudi.engine.siting.highs import Clock, minimise
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.problem import Answer, Bools, grain

_SEED = 20_240_603
_MOST_PAIRS = 30_000_000


def cover_everyone(within: sparse.csr_matrix, limits: Limits, clock: Clock) -> Answer:
    """The smallest set that leaves no row of ``within`` (N × M) uncovered; every row has a place in reach.

    The number of sites in ``limits`` is a cap. The objective is the number of sites, fixed ones counted.
    """
    cover = _needed(CoverSets.merge(within, np.ones(within.shape[0])).cover)
    sets = CoverSets(cover, np.ones(cover.shape[0]))
    start = _start(sets, limits, clock.share(0.3, most=15.0))
    limit_rows, limit_lower, limit_upper = limits.rows()
    outcome = minimise(
        np.ones(limits.count),
        sparse.vstack([limit_rows, sets.cover], format="csr"),
        np.concatenate((limit_lower, np.ones(sets.cover.shape[0]))),
        np.concatenate((limit_upper, np.full(sets.cover.shape[0], np.inf))),
        lower=limits.fixed.astype(np.float64),
        upper=np.ones(limits.count),
        whole=np.ones(limits.count, dtype=bool),
        clock=clock,
        start=None if start is None else start.astype(np.float64),
        step=1.0,
    )
    if outcome.infeasible:
        return Answer(None, None, None, infeasible=True)
    bound = float(max(np.ceil(outcome.bound - 1e-6), limits.fixed.sum(), 0.0))
    chosen = start if outcome.point is None else outcome.point > 0.5
    if chosen is None:
        return Answer(None, None, bound)
    if limits.cost is not None and bound >= chosen.sum():
        chosen = _cheapest(sets, limits, chosen, clock)
    return Answer(chosen, float(chosen.sum()), min(bound, float(chosen.sum())))


def _cheapest(sets: CoverSets, limits: Limits, chosen: Bools, clock: Clock) -> Bools:
    """Among plans with no more sites than ``chosen`` the cheapest found in time."""
    assert limits.cost is not None
    limit_rows, limit_lower, limit_upper = limits.rows()
    limit_upper[0] = float(chosen.sum())  # the first limit is the number of sites
    many = sets.cover.shape[0]
    outcome = minimise(
        limits.cost,
        sparse.vstack([limit_rows, sets.cover], format="csr"),
        np.concatenate((limit_lower, np.ones(many))),
        np.concatenate((limit_upper, np.full(many, np.inf))),
        lower=limits.fixed.astype(np.float64),
        upper=np.ones(limits.count),
        whole=np.ones(limits.count, dtype=bool),
        clock=clock,
        start=chosen.astype(np.float64),
        step=grain(limits.cost),
    )
    return chosen if outcome.point is None else outcome.point > 0.5


def _needed(cover: sparse.csr_matrix) -> sparse.csr_matrix:
    """The rows that do not include another row's places: who covers those covers all."""
    sizes = np.diff(cover.indptr)
    if float((np.diff(cover.tocsc().indptr).astype(np.float64) ** 2).sum()) > _MOST_PAIRS:
        return cover
    shared = (cover @ cover.T).tocoo()
    # equal rows were merged before, so no two rows include each other
    includes = (shared.row != shared.col) & (shared.data >= sizes[shared.row] - 0.5)
    keep = np.ones(cover.shape[0], dtype=bool)
    keep[shared.col[includes]] = False
    return cover[np.flatnonzero(keep)]


def _start(sets: CoverSets, limits: Limits, clock: Clock) -> Bools | None:
    search = CoverageSearch(sets, limits)
    search.reset(limits.fixed)
    everyone = float(sets.cover.shape[0])
    if not search.fill() or search.score < everyone:
        return None
    best = search.trim(search.chosen)
    steps = int(np.clip(sets.cover.nnz // 2, 500, 20_000))
    while clock.left:
        # one site fewer: close the least missed, then search for full coverage again
        search.reset(best)
        losses = {}
        for place in np.flatnonzero(limits.may_drop(best)).tolist():
            before = search.score
            search.close(place)
            losses[place] = before - search.score
            search.open(place)
        if not losses:
            break
        search.close(min(losses, key=lambda place: (losses[place], place)))
        search.reset(search.anneal(steps, 3.0, 0.2, everyone, clock, _SEED))
        if search.score < everyone:
            break
        best = search.chosen.copy()
    return best
