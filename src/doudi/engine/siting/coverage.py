"""Maximal coverage (最大覆盖): open at most P places so that most elders have one in reach.

Church & ReVelle, "The maximal covering location problem", Papers of the RSA 32 (1974) 101–118. The road: merge
points with the same choice of places; greedy, exchanges and annealing; a Lagrangian bound that also shows
which places are surely in or out of every better plan; HiGHS on what is left open. Bound and value bracket the
optimum whether or not time runs out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from doudi.engine.siting.exchange import SiteSearch
from doudi.engine.siting.highs import INTERIOR_POINT_ABOVE, Clock, minimise, row_prices
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.problem import Answer, Bools, Floats, Ints, grain

_SEED = 20_240_601


@dataclass(frozen=True)
class CoverSets:
    """Demand merged by equal choice of places: 0/1 matrix ``cover`` (rows × M) and ``weight`` per row."""

    cover: sparse.csr_matrix
    weight: Floats

    @classmethod
    def merge(cls, within: sparse.csr_matrix, weight: Floats) -> CoverSets:
        """Merge the rows of ``within`` that are equal; rows without a place or without weight fall away."""
        live = np.flatnonzero((np.diff(within.indptr) > 0) & (weight > 0))
        rows = within[live]
        # equal rows have equal sums of random 64-bit marks; two independent sums make a chance match hopeless
        marks = np.random.default_rng(_SEED).integers(0, 2**63, size=(2, within.shape[1]), dtype=np.uint64)
        keys = np.column_stack([np.add.reduceat(mark[rows.indices], rows.indptr[:-1]) for mark in marks])
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        summed = np.bincount(inverse.ravel(), weights=weight[live], minlength=len(first))
        return cls(rows[first].tocsr(), summed.astype(np.float64))


def maximise_coverage(sets: CoverSets, limits: Limits, clock: Clock) -> Answer:
    """The plan with the greatest covered weight, its value and a proven upper bound.

    Of plans as good the cheapest found in time, without sites that add nothing.
    """
    found = most_covered(sets, limits, clock)
    if found.chosen is None or found.objective is None:
        return found
    search = CoverageSearch(sets, limits)
    if found.bound == found.objective:
        found.chosen = _in_the_end(search, found.chosen, found.objective, clock)
    else:
        found.chosen = search.trim(found.chosen)
    return found


def most_covered(sets: CoverSets, limits: Limits, clock: Clock, start: Bools | None = None) -> Answer:
    """The plan with the greatest covered weight as it was found; ``start`` is a plan to begin from.

    Objective and bound are equal once the optimum is proven; the objective is None when no plan was found.
    """
    search = CoverageSearch(sets, limits)
    step = grain(sets.weight)
    total = float(sets.weight.sum())
    incumbent: Bools | None = None
    search.reset(limits.fixed if start is None else start)
    if search.fill():
        search.descend(clock.share(0.1))
        search.fill()
        incumbent = search.chosen.copy()
    if incumbent is not None and search.score >= total - 1e-9:
        return Answer(incumbent, search.score, search.score)

    multipliers, bound, incumbent = _lagrangian(search, incumbent, step, clock.share(0.2, most=2.0))
    if incumbent is not None and bound - search.value(incumbent) > 5e-4 * bound:
        multipliers, bound = _relaxed(search, multipliers, bound, clock.share(0.5))
    bound = round_down(min(bound, total), step)
    # a gap this small HiGHS closes faster than a better start would help it
    if incumbent is not None and bound - search.value(incumbent) > 5e-4 * bound:
        incumbent = _anneal(search, incumbent, bound, clock.share(0.4, most=20.0))
    value = search.value(incumbent) if incumbent is not None else -np.inf
    if value < bound - 1e-9:
        found, bound, impossible = _branch(search, multipliers, incumbent, bound, step, clock)
        if impossible and incumbent is None:
            return Answer(None, None, None, infeasible=True)
        if found is not None and search.value(found) > value:
            incumbent, value = found, search.value(found)
    if incumbent is None:
        return Answer(None, None, bound)
    return Answer(incumbent, value, value if value >= bound - 1e-9 else bound)


def _in_the_end(search: CoverageSearch, incumbent: Bools, value: float, clock: Clock) -> Bools:
    """Of the plans as good as this proven one the cheapest, without sites that add nothing."""
    return search.trim(
        incumbent if search.limits.cost is None else _cheapest(search, incumbent, value, clock)
    )


def _cheapest(search: CoverageSearch, incumbent: Bools, value: float, clock: Clock) -> Bools:
    """Among plans that cover ``value`` the cheapest found in time."""
    limits, weight, many = search.limits, search.weight, len(search.weight)
    assert limits.cost is not None
    limit_rows, limit_lower, limit_upper = limits.rows()
    outcome = minimise(
        np.concatenate((limits.cost, np.zeros(many))),
        sparse.vstack(
            [
                sparse.hstack([limit_rows, sparse.csr_matrix((limit_rows.shape[0], many))]),
                sparse.hstack([search.rows, -sparse.identity(many)]),
                sparse.hstack([sparse.csr_matrix((1, limits.count)), sparse.csr_matrix(weight[None, :])]),
            ],
            format="csr",
        ),
        np.concatenate((limit_lower, np.zeros(many), [value - 1e-6])),
        np.concatenate((limit_upper, np.full(many + 1, np.inf))),
        lower=np.concatenate((limits.fixed, np.zeros(many))).astype(np.float64),
        upper=np.ones(limits.count + many),
        whole=np.concatenate((np.ones(limits.count, dtype=bool), np.zeros(many, dtype=bool))),
        clock=clock,
        start=np.concatenate((incumbent, np.minimum(search.counts_of(incumbent), 1.0))).astype(np.float64),
        step=grain(limits.cost),
    )
    chosen = incumbent if outcome.point is None else outcome.point[: limits.count] > 0.5
    return chosen if search.value(chosen) >= value - 1e-9 else incumbent


def round_down(bound: float, step: float) -> float:
    """The greatest multiple of ``step`` not above ``bound``, a millionth of a step forgiven."""
    return float(np.floor(bound / step + 1e-6) * step) if step else bound


class CoverageSearch(SiteSearch):
    """Moves over one set of covers; the score is the covered weight."""

    def __init__(self, sets: CoverSets, limits: Limits) -> None:
        super().__init__(limits)
        self.rows, self.weight = sets.cover, sets.weight
        self.columns = sets.cover.tocsc()
        self.transposed = sets.cover.T.tocsr()
        self.counts: Ints = np.zeros(len(self.weight), dtype=np.int64)
        self.gain = self.transposed @ self.weight
        self.score = 0.0

    def _open(self, place: int) -> None:
        seen = self.seen(place)
        fresh = seen[self.counts[seen] == 0]
        self.counts[seen] += 1
        self._shift(fresh, -1.0)

    def _close(self, place: int) -> None:
        seen = self.seen(place)
        self.counts[seen] -= 1
        self._shift(seen[self.counts[seen] == 0], 1.0)

    def _shift(self, rows: Ints, sign: float) -> None:
        starts = self.rows.indptr[rows].astype(np.int64)
        lengths = self.rows.indptr[rows + 1] - starts
        entries = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        places = self.rows.indices[entries + np.arange(len(entries))]
        self.gain += np.bincount(
            places, np.repeat(sign * self.weight[rows], lengths), minlength=self.limits.count
        )
        self.score -= sign * float(self.weight[rows].sum())

    def seen(self, place: int) -> Ints:
        """The rows that have ``place`` in reach."""
        return self.columns.indices[self.columns.indptr[place] : self.columns.indptr[place + 1]]

    def counts_of(self, chosen: Bools) -> Floats:
        """How many of the ``chosen`` places each row has in reach."""
        counted: Floats = self.rows @ chosen.astype(np.float64)
        return counted

    def value(self, chosen: Bools) -> float:
        """The weight covered by ``chosen``."""
        return float(self.weight[self.counts_of(chosen) > 0].sum())

    def trim(self, chosen: Bools) -> Bools:
        """Close places that add nothing, dearest first, as far as floors and fixed sites allow."""
        chosen = chosen.copy()
        counts = self.counts_of(chosen)
        cost = self.limits.cost if self.limits.cost is not None else np.zeros(self.limits.count)
        for place in sorted(np.flatnonzero(chosen).tolist(), key=lambda j: (-cost[j], -j)):
            seen = self.seen(place)
            if (counts[seen] >= 2).all() and self.limits.may_drop(chosen)[place]:
                chosen[place] = False
                counts[seen] -= 1
        return chosen


def _anneal(search: CoverageSearch, incumbent: Bools, goal: float, clock: Clock) -> Bools:
    best, best_value = incumbent, search.value(incumbent)
    steps = int(np.clip(search.rows.nnz // 2, 2_000, 70_000))
    mean = max(best_value / max(1, int(best.sum())), 1e-9)
    search.reset(best)
    search.reset(search.anneal(steps, 0.08 * mean, 0.005 * mean, goal, clock, _SEED))
    search.descend(clock)
    search.fill()
    if search.score > best_value:
        best = search.chosen.copy()
    return best


def _lagrangian(
    search: CoverageSearch, incumbent: Bools | None, step: float, clock: Clock
) -> tuple[Floats, float, Bools | None]:
    """Subgradient search on the covering rows: multipliers in [0, weight], the least upper bound, a better plan.

    For any multipliers u the optimum is at most Σ(w − u) + max over plans of Σ_j (Aᵀu)_j y_j.
    """
    limits, weight = search.limits, search.weight
    value = search.value(incumbent) if incumbent is not None else 0.0
    u = weight / np.maximum(search.rows.sum(axis=1).A1, 1.0) if incumbent is None else weight.copy()
    if incumbent is not None:
        u[search.counts_of(incumbent) > 1] = 0.0
    best_u, best_bound = u, np.inf
    pace, stale = 1.0, 0
    direction = np.zeros_like(u)
    for turn in range(4000):
        if (turn and not clock.left) or value >= round_down(best_bound, step) - 1e-9:
            break
        values = search.transposed @ u
        chosen = limits.best(values)
        bound = float((weight - u).sum() + values[chosen].sum())
        if bound < best_bound:
            stale = 0 if bound < best_bound - 1e-6 * abs(bound) else stale + 1
            best_bound, best_u = bound, u
        else:
            stale += 1
        if stale >= 25:
            pace, stale, u, direction = pace * 0.6, 0, best_u.copy(), np.zeros_like(u)
            if pace < 1e-4:
                break
            continue
        counts = search.counts_of(chosen)
        if limits.admits(chosen) and float(weight[counts > 0].sum()) > value:
            search.reset(chosen)
            search.descend(clock.share(0.1))
            search.fill()
            incumbent, value = search.chosen.copy(), search.score
        slope = counts - 1.0
        # a slope that pushes against its bound does not move u and must not shorten the step
        slope[((u <= 0) & (slope > 0)) | ((u >= weight) & (slope < 0))] = 0.0
        direction = 0.7 * direction + 0.3 * slope if turn else slope
        length = float(direction @ direction)
        if length <= 1e-12:
            break
        u = np.clip(u - pace * max(bound - value, 1e-9) / length * direction, 0.0, weight)
    return best_u, best_bound, incumbent


def _relaxed(search: CoverageSearch, multipliers: Floats, bound: float, clock: Clock) -> tuple[Floats, float]:
    """Multipliers from the linear relaxation where a large model lets the subgradient crawl, if they bound better.

    On 20,000 points half in towns the interior point method takes 3 s of processor time to the relaxation's value.
    """
    if search.rows.nnz < INTERIOR_POINT_ABOVE:
        return multipliers, bound
    limits, weight, many = search.limits, search.weight, len(search.weight)
    limit_rows, limit_lower, limit_upper = limits.rows()
    prices = row_prices(
        np.concatenate((np.zeros(limits.count), -weight)),
        sparse.vstack(
            [
                sparse.hstack([limit_rows, sparse.csr_matrix((limit_rows.shape[0], many))]),
                sparse.hstack([search.rows, -sparse.identity(many)]),
            ],
            format="csr",
        ),
        np.concatenate((limit_lower, np.zeros(many))),
        np.concatenate((limit_upper, np.full(many, np.inf))),
        lower=np.concatenate((limits.fixed, np.zeros(many))).astype(np.float64),
        upper=np.ones(limits.count + many),
        clock=clock,
    )
    if prices is None:
        return multipliers, bound
    u = np.clip(prices[len(limit_lower) :], 0.0, weight)
    values = search.transposed @ u
    proven = float((weight - u).sum() + values[limits.best(values)].sum())
    return (u, proven) if proven < bound else (multipliers, bound)


def _branch(
    search: CoverageSearch,
    multipliers: Floats,
    incumbent: Bools | None,
    bound: float,
    step: float,
    clock: Clock,
) -> tuple[Bools | None, float, bool]:
    """HiGHS over the places that the multipliers leave undecided: a plan or None, the upper bound, no plan at all."""
    limits, weight = search.limits, search.weight
    value = search.value(incumbent) if incumbent is not None else -np.inf
    ins, outs = settled(limits, search.transposed @ multipliers, float((weight - multipliers).sum()), value)
    free = ~ins & ~outs
    # a row that a settled place covers is won; one whose places are all out is lost
    won = search.counts_of(ins) > 0
    open_rows = np.flatnonzero(~won & (search.rows @ free.astype(np.float64) > 0))
    cover = search.rows[open_rows]
    count, many = limits.count, len(open_rows)
    limit_rows, limit_lower, limit_upper = limits.rows()
    rows = sparse.vstack(
        [
            sparse.hstack([limit_rows, sparse.csr_matrix((limit_rows.shape[0], many))]),
            sparse.hstack([cover, -sparse.identity(many)]),
        ],
        format="csr",
    )
    start = None
    if incumbent is not None:
        seen = cover @ incumbent.astype(np.float64)
        start = np.concatenate((incumbent.astype(np.float64), np.minimum(seen, 1.0)))
    outcome = minimise(
        np.concatenate((np.zeros(count), -weight[open_rows])),
        rows,
        np.concatenate((limit_lower, np.zeros(many))),
        np.concatenate((limit_upper, np.full(many, np.inf))),
        lower=np.concatenate((ins.astype(np.float64), np.zeros(many))),
        upper=np.concatenate(((~outs).astype(np.float64), np.ones(many))),
        whole=np.concatenate((np.ones(count, dtype=bool), np.zeros(many, dtype=bool))),
        clock=clock,
        start=start,
        step=step,
    )
    if outcome.infeasible:  # no plan is better than the one in hand by a step
        return None, value if incumbent is not None else bound, True
    sure = float(weight[won].sum())
    # plans that break a settled choice are no better than the plan in hand
    bound = min(bound, max(round_down(sure - outcome.bound, step), value))
    chosen = None if outcome.point is None else outcome.point[:count] > 0.5
    return chosen, bound, False


def settled(limits: Limits, values: Floats, constant: float, goal: float) -> tuple[Bools, Bools]:
    """Which places are in, and which out, of every plan that reaches ``goal``, by the bound constant + Σ values.

    A place is settled when turning it the other way already pushes the bound below the goal.
    """
    ins, outs = limits.fixed.copy(), np.zeros(limits.count, dtype=bool)
    if not np.isfinite(goal):
        return ins, outs
    chosen = limits.best(values)
    huge = float(np.abs(values).sum()) + 1.0
    tolerance = 1e-7 * max(1.0, abs(goal))
    for place in range(limits.count):
        if limits.fixed[place]:
            continue
        turned = values.copy()
        turned[place] = -huge if chosen[place] else huge
        plan = limits.best(turned)
        # it is also certain where the limits do not let the place turn
        certain = plan[place] == chosen[place] or constant + float(values[plan].sum()) < goal - tolerance
        if certain:
            (ins if chosen[place] else outs)[place] = True
    return ins, outs
