"""p-median (总距离最短): open at most P places so that Σ weight × distance to the nearest is least.

Hakimi, "Optimum locations of switching centers", Operations Research 12 (1964) 450–459. The road: the K nearest
places of each point; greedy, descent and annealing; a Lagrangian bound on the same arcs, valid for all arcs
because no multiplier passes the first arc left out (Beasley 1985 gives the relaxation); the bound settles places
and arcs; HiGHS solves the rest in the radius formulation (Elloumi, "A tighter formulation of the p-median
problem", J. Comb. Optim. 19 (2010) 69–83).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from doudi.engine.siting.cover_all import cover_everyone
from doudi.engine.siting.coverage import settled
from doudi.engine.siting.exchange import SiteSearch
from doudi.engine.siting.highs import Clock, minimise
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.problem import Answer, Bools, Floats, Ints, grain
from doudi.engine.siting.reach import Reach

_SEED = 20_240_602
_MOST_ARCS = 6_000_000
_MOST_MODEL_ARCS = 1_500_000


@dataclass(frozen=True)
class Arcs:
    """The nearest places of each live point, nearest first: ``place`` and ``cost`` (weight × metres), rows × K.

    ``rest`` is a lower bound on the cost of any arc left out (inf: none is left out); ``rows`` are the points'
    numbers in the full list.
    """

    rows: Ints
    place: Ints
    cost: Floats
    rest: Floats

    @classmethod
    def nearest(cls, reach: Reach, weight: Floats, k: int) -> Arcs:
        """The ``k`` nearest arcs of every point with weight and at least one place in reach."""
        k = min(k, reach.shape[1])
        place, metres = reach.nearest(k)
        rows = np.flatnonzero((weight > 0) & (place[:, 0] >= 0))
        place, cost = place[rows], metres[rows] * weight[rows][:, None]
        left_out = (place[:, -1] >= 0) & (k < reach.shape[1])
        return cls(rows, place, cost, np.where(left_out, cost[:, -1], np.inf))


def minimise_distance(reach: Reach, weight: Floats, limits: Limits, clock: Clock) -> Answer:
    """The plan with the least Σ weight × metres over points that some place can reach, and a proven lower bound."""
    count, places = reach.shape
    ratio = places / max(1, limits.sites)
    k = int(min(places, max(40, 6 * ratio + 10), max(20, _MOST_ARCS // max(1, count))))
    arcs = Arcs.nearest(reach, weight, k)
    if not len(arcs.rows):
        return Answer(limits.best(np.zeros(places)), 0.0, 0.0)
    step = grain(arcs.cost[np.isfinite(arcs.cost)])

    search = MedianSearch(arcs, limits)
    search.reset(limits.fixed)
    incumbent: Bools | None = None
    if search.fill():
        search.descend(clock.share(0.15))
        search.fill()
        incumbent = search.chosen.copy()
    value = _true_cost(reach, arcs, weight, incumbent)
    if not np.isfinite(value):  # moves found nobody for some points: ask for any set that reaches them all
        reaching = cover_everyone(reach.within()[arcs.rows], limits, clock.share(0.5))
        if reaching.infeasible:
            return reaching
        if reaching.chosen is not None:
            search.reset(reaching.chosen)
            search.fill()
            search.descend(clock.share(0.15))
            incumbent, value = search.chosen.copy(), _true_cost(reach, arcs, weight, search.chosen)
    bounds = _Lagrangian(arcs, limits)
    incumbent, value = bounds.run(
        reach,
        weight,
        search,
        incumbent,
        value,
        step,
        clock.share(0.35, most=min(30.0, 3.0 + arcs.place.size / 1e5)),
    )
    bound = _round_up(bounds.bound, step)
    if incumbent is not None and value - bound > 1e-3 * value:
        incumbent, value = _anneal(
            reach, weight, search, incumbent, value, bound, clock.share(0.5, most=40.0)
        )
        # a better plan tells the multipliers better how far to go
        incumbent, value = bounds.run(
            reach, weight, search, incumbent, value, step, clock.share(0.4, most=30.0)
        )
        bound = _round_up(bounds.bound, step)
    if value > bound + 1e-9 * max(1.0, abs(value)):
        found, bound, impossible = _branch(reach, weight, arcs, bounds, limits, incumbent, value, step, clock)
        if impossible and incumbent is None:
            return Answer(None, None, None, infeasible=True)
        found_value = _true_cost(reach, arcs, weight, found)
        if found_value < value:
            incumbent, value = found, found_value
    if incumbent is None:
        return Answer(None, None, bound)
    return Answer(incumbent, value, min(bound, value))


def _round_up(bound: float, step: float) -> float:
    bound = max(bound, 0.0)  # no way is shorter than none, whatever the clock left time to prove
    return float(np.ceil(bound / step - 1e-6) * step) if step else bound


def _true_cost(reach: Reach, arcs: Arcs, weight: Floats, chosen: Bools | None) -> float:
    """Σ weight × metres to the nearest chosen place over the live points; inf where one has none in reach."""
    if chosen is None or not chosen.any():
        return np.inf
    metres = reach.nearest_of(np.flatnonzero(chosen))[1]
    return float(weight[arcs.rows] @ metres[arcs.rows])


class MedianSearch(SiteSearch):
    """Moves over the nearest arcs; the score is minus the cost, with a penalty where none of the K is open."""

    def __init__(self, arcs: Arcs, limits: Limits) -> None:
        super().__init__(limits)
        self.arcs = arcs
        rows, k = arcs.place.shape
        finite = np.isfinite(arcs.cost)
        far = np.where(finite, arcs.cost, 0.0).max(axis=1)
        # within the K nearest there is an arc left out a little farther; beyond it nothing at all
        penalty = np.where(
            np.isfinite(arcs.rest), 1.5 * far, 10.0 * far.max() + far.sum() / max(1, limits.sites)
        )
        spare = limits.count  # the column that takes in the padding of short rows
        self._place = np.where(arcs.place >= 0, arcs.place, spare)
        self._cost = np.where(finite, arcs.cost, np.inf)
        self._now = penalty.copy()
        self._penalty = penalty
        self._size = finite.sum(axis=1)  # arcs per row; as a rank it means that none is open
        self._rank = self._size.copy()
        pairs = np.argsort(self._place.ravel(), kind="stable")
        self._row_of, self._rank_of = (part.astype(np.int32) for part in np.divmod(pairs, k))
        self._starts = np.searchsorted(self._place.ravel()[pairs], np.arange(spare + 1))
        self._is_open = np.zeros(spare + 1, dtype=bool)
        self.gain = np.zeros(limits.count)
        self.score = -float(penalty.sum())
        for begin in range(0, rows, 4096):
            self._add_gain(np.arange(begin, min(begin + 4096, rows)), 1.0)

    def nearest_costs(self) -> Floats:
        """What each live row costs now."""
        return self._now.copy()

    def _open(self, place: int) -> None:
        self._is_open[place] = True
        entries = slice(self._starts[place], self._starts[place + 1])
        rows, rank = self._row_of[entries], self._rank_of[entries]
        cost = self._cost[rows, rank]
        nearer = (rank < self._rank[rows]) & (cost < self._now[rows])
        rows, rank, cost = rows[nearer], rank[nearer], cost[nearer]
        self._assign(rows, rank, cost)

    def _close(self, place: int) -> None:
        self._is_open[place] = False
        entries = slice(self._starts[place], self._starts[place + 1])
        rows = self._row_of[entries]
        rows = rows[self._rank_of[entries] == self._rank[rows]]
        open_ones = self._is_open[self._place[rows]]
        served = open_ones.any(axis=1)
        rank = np.where(served, open_ones.argmax(axis=1), self._size[rows])
        cost = self._penalty[rows].copy()
        cost[served] = self._cost[rows[served], rank[served]]
        self._assign(rows, rank, cost)

    def _assign(self, rows: Ints, rank: Ints, cost: Floats) -> None:
        self._add_gain(rows, -1.0)
        self.score += float((self._now[rows] - cost).sum())
        self._now[rows], self._rank[rows] = cost, rank
        self._add_gain(rows, 1.0)

    def _add_gain(self, rows: Ints, sign: float) -> None:
        lengths = self._rank[rows]  # only a nearer place, of smaller rank, would save anything
        cells = np.repeat(rows * self._place.shape[1] - (np.cumsum(lengths) - lengths), lengths)
        cells += np.arange(len(cells))
        saved = np.repeat(self._now[rows], lengths) - self._cost.ravel()[cells]
        summed = np.bincount(
            self._place.ravel()[cells], sign * np.maximum(saved, 0.0), minlength=self.limits.count + 1
        )
        self.gain += summed[: self.limits.count]


class _Lagrangian:
    """Subgradient search on "each point is served once": multipliers per live row, the greatest lower bound."""

    def __init__(self, arcs: Arcs, limits: Limits) -> None:
        self.arcs, self.limits = arcs, limits
        listed = np.flatnonzero(arcs.place.ravel() >= 0)
        places = arcs.place.ravel()[listed]
        order = np.argsort(places, kind="stable")
        self._cost = arcs.cost.ravel()[listed][order]
        self._row = (listed[order] // arcs.place.shape[1]).astype(np.int32)
        self._starts = np.searchsorted(places[order], np.arange(limits.count + 1))
        self.multipliers: Floats = np.zeros(len(arcs.rows))
        self.values: Floats = np.zeros(limits.count)
        self.bound = -np.inf
        self.focus(arcs.rest)

    def focus(self, ceiling: Floats) -> None:
        """Look only at arcs cheaper than ``ceiling`` per row; multipliers must stay at or below it."""
        self.ceiling = np.minimum(ceiling, self.arcs.rest)
        kept = self._cost < self.ceiling[self._row]
        self._near_cost, self._near_row = self._cost[kept], self._row[kept]
        self._near_starts = np.concatenate(([0], np.cumsum(kept)))[self._starts]

    def at(self, multipliers: Floats) -> tuple[Floats, Bools, float]:
        """Worth of each place, the best set for it, and the bound that these multipliers prove."""
        spare = np.maximum(multipliers[self._near_row] - self._near_cost, 0.0)
        # summed place by place: reduceat alone would repeat an entry for places without arcs
        values = np.zeros(self.limits.count)
        filled = np.flatnonzero(np.diff(self._near_starts))
        if len(filled):
            values[filled] = np.add.reduceat(spare, self._near_starts[filled])
        chosen = self.limits.best(values)
        return values, chosen, float(multipliers.sum() - values[chosen].sum())

    def run(
        self,
        reach: Reach,
        weight: Floats,
        search: MedianSearch,
        incumbent: Bools | None,
        value: float,
        step: float,
        clock: Clock,
    ) -> tuple[Bools | None, float]:
        """Raise the bound until it meets ``value`` or stalls; a better plan met on the way is kept."""
        arcs = self.arcs
        first = not np.isfinite(self.bound)
        # the second nearest open place is where the multipliers settle; the nearest few stand in for it
        begin = arcs.cost[:, min(arcs.cost.shape[1] - 1, 1)]
        current = np.where(np.isfinite(begin), begin, arcs.cost[:, 0])
        # a row's multiplier stays among the places that are nearest when P are open, or it would not come back
        usual = arcs.cost[
            :, min(arcs.cost.shape[1] - 1, int(2 * self.limits.count / max(1, self.limits.sites)))
        ]
        if not first:
            current = self.multipliers
        elif incumbent is not None:
            search.reset(incumbent)
            current = np.minimum(1.1 * search.nearest_costs(), arcs.rest)
        pace, stale = (1.0 if first else 0.2), 0
        goal = value if np.isfinite(value) else 2.0 * float(current.sum())
        direction = np.zeros_like(current)
        for turn in range(3000):
            if turn % 25 == 0:
                self.focus(np.maximum(1.5 * current, usual))
            if (turn and not clock.left) or value <= _round_up(self.bound, step) + 1e-9 * max(
                1.0, abs(value)
            ):
                break
            values, chosen, bound = self.at(current)
            if bound > self.bound:
                stale = 0 if bound > self.bound + 1e-5 * abs(bound) else stale + 1
                self.bound, self.multipliers, self.values = bound, current, values
            else:
                stale += 1
            if stale >= 20:
                pace, stale = pace * 0.6, 0
                current, direction = self.multipliers, np.zeros_like(current)
                self.focus(np.maximum(1.5 * current, usual))
                if pace < 2e-3:
                    break
                continue
            served = self._times_served(chosen, current)
            if self.limits.admits(chosen) and self._looks_better(chosen, served, value):
                search.reset(chosen)
                search.fill()
                search.descend(clock.share(0.1, most=5.0))
                found = _true_cost(reach, arcs, weight, search.chosen)
                if found < value:
                    incumbent, value, goal = search.chosen.copy(), found, found
            direction = 0.3 * direction + (1.0 - served)
            length = float(direction @ direction)
            if length <= 1e-12:
                break
            move = pace * max(goal - bound, 1e-9 * abs(goal)) / length
            current = np.clip(current + move * direction, 0.0, self.ceiling)
        return incumbent, value

    def _times_served(self, chosen: Bools, multipliers: Floats) -> Floats:
        parts = [np.arange(self._starts[j], self._starts[j + 1]) for j in np.flatnonzero(chosen)]
        entries = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        rows = self._row[entries]
        taken = rows[self._cost[entries] < multipliers[rows]]
        return np.bincount(taken, minlength=len(multipliers)).astype(np.float64)

    def _looks_better(self, chosen: Bools, served: Floats, value: float) -> bool:
        parts = [np.arange(self._starts[j], self._starts[j + 1]) for j in np.flatnonzero(chosen)]
        entries = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        cost = np.where(np.isfinite(self.arcs.rest), self.arcs.rest, np.inf)
        np.minimum.at(cost, self._row[entries], self._cost[entries])
        return float(cost.sum()) < 1.02 * value


def _anneal(
    reach: Reach,
    weight: Floats,
    search: MedianSearch,
    incumbent: Bools,
    value: float,
    goal: float,
    clock: Clock,
) -> tuple[Bools, float]:
    steps = int(np.clip(min(100 * incumbent.sum(), search.arcs.place.size // 8), 1_000, 20_000))
    for seed, heat in enumerate((0.03, 0.01)):
        if not clock.left or value <= goal + 1e-9 * max(1.0, abs(goal)):
            break
        mean = max(value / max(1, int(incumbent.sum())), 1e-9)
        search.reset(incumbent)
        best = search.anneal(steps, heat * mean, 0.05 * heat * mean, -goal, clock.share(0.6), _SEED + seed)
        search.reset(best)
        search.descend(clock)
        found = _true_cost(reach, search.arcs, weight, search.chosen)
        if found < value:
            incumbent, value = search.chosen.copy(), found
    return incumbent, value


def _branch(
    reach: Reach,
    weight: Floats,
    arcs: Arcs,
    bounds: _Lagrangian,
    limits: Limits,
    incumbent: Bools | None,
    value: float,
    step: float,
    clock: Clock,
) -> tuple[Bools | None, float, bool]:
    """HiGHS on the places and arcs that the bound leaves open: a plan or None, the lower bound, no plan at all."""
    lowest = _round_up(bounds.bound, step)
    gap = value - bounds.bound + 1e-7 * max(1.0, abs(value)) if np.isfinite(value) else np.inf
    ins, outs = limits.fixed.copy(), np.zeros(limits.count, dtype=bool)
    if np.isfinite(value):
        ins, outs = settled(limits, bounds.values, -float(bounds.multipliers.sum()), -value)
    # an arc dearer than its multiplier by more than the gap is in no better plan
    ceiling = bounds.multipliers + gap
    if int((arcs.cost <= ceiling[:, None]).sum()) > _MOST_MODEL_ARCS:
        return incumbent, lowest, False
    while (np.isfinite(arcs.rest) & (arcs.rest <= ceiling)).any():
        k = arcs.place.shape[1]
        if len(arcs.rows) * k >= _MOST_ARCS or k >= limits.count or clock.left < 1.0:
            return incumbent, lowest, False
        arcs = Arcs.nearest(reach, weight, 2 * k)
    kept = (arcs.place >= 0) & (arcs.cost <= ceiling[:, None])
    kept &= ~outs[np.where(arcs.place >= 0, arcs.place, 0)]
    # behind a place that is surely open nobody walks on
    sure = kept & ins[np.where(arcs.place >= 0, arcs.place, 0)]
    first = np.where(sure.any(axis=1), sure.argmax(axis=1), arcs.place.shape[1])
    kept &= np.arange(arcs.place.shape[1])[None, :] <= first[:, None]
    if not kept.any(axis=1).all():
        return None, value if incumbent is not None else lowest, incumbent is None
    if int(kept.sum()) > _MOST_MODEL_ARCS:
        return incumbent, lowest, False
    return _solve_radius_model(arcs, kept, ins, outs, limits, incumbent, value, lowest, step, clock)


@dataclass(frozen=True)
class Levels:
    """The radius model of some arcs: z of a level says "nobody open up to here"; levels are a row's distinct costs.

    ``row``, ``cost``, ``first`` and ``last`` are per level; ``rows``: z_t + Σ_{places at level t} y ≥ z_{t−1} over
    places and levels, with 1 in place of z_{t−1} at a row's first level.
    """

    row: Ints
    cost: Floats
    first: Bools
    last: Bools
    at_level: sparse.csr_matrix
    rows: sparse.csr_matrix

    @classmethod
    def of(cls, arcs: Arcs, kept: Bools, places: int) -> Levels:
        """The levels of the ``kept`` arcs (rows × K, each row has one at least) over ``places`` candidates."""
        row, rank = np.nonzero(kept)
        place, cost = arcs.place[row, rank], arcs.cost[row, rank]
        fresh = np.concatenate(
            ([True], (np.diff(row) > 0) | (np.diff(cost) > 1e-9 * np.maximum(1.0, cost[1:])))
        )
        level = np.cumsum(fresh) - 1
        level_row = row[fresh]
        levels = len(level_row)
        last = np.concatenate((np.diff(level_row) > 0, [True]))
        first = np.concatenate(([True], np.diff(level_row) > 0))
        at_level = sparse.csr_matrix((np.ones(len(place)), (level, place)), shape=(levels, places))
        inner = np.flatnonzero(~first)
        chain = sparse.identity(levels, format="csr") - sparse.csr_matrix(
            (np.ones(len(inner)), (inner, inner - 1)), shape=(levels, levels)
        )
        return cls(
            level_row, cost[fresh], first, last, at_level, sparse.hstack([at_level, chain], format="csr")
        )

    @property
    def rise(self) -> Floats:
        """What each level adds when nobody is open up to it; nought at the last of a row."""
        return np.where(self.last, 0.0, np.concatenate((np.diff(self.cost), [0.0])))

    def closed(self, chosen: Bools) -> Bools:
        """z of each level when ``chosen`` are open."""
        opened = np.asarray(self.at_level @ chosen.astype(np.float64)) > 0
        seen = np.cumsum(opened)
        before = np.concatenate(([0], seen))[np.flatnonzero(self.first)]
        none: Bools = seen - np.repeat(before, np.diff(np.append(np.flatnonzero(self.first), len(seen)))) == 0
        return none


def _solve_radius_model(
    arcs: Arcs,
    kept: Bools,
    ins: Bools,
    outs: Bools,
    limits: Limits,
    incumbent: Bools | None,
    value: float,
    lowest: float,
    step: float,
    clock: Clock,
) -> tuple[Bools | None, float, bool]:
    model, count = Levels.of(arcs, kept, limits.count), limits.count
    levels = len(model.row)
    limit_rows, limit_lower, limit_upper = limits.rows()
    rows = sparse.vstack(
        [sparse.hstack([limit_rows, sparse.csr_matrix((limit_rows.shape[0], levels))]), model.rows],
        format="csr",
    )
    start = None if incumbent is None else np.concatenate((incumbent, model.closed(incumbent)))
    outcome = minimise(
        np.concatenate((np.zeros(count), model.rise)),
        rows,
        np.concatenate((limit_lower, model.first.astype(np.float64))),
        np.concatenate((limit_upper, np.full(levels, np.inf))),
        lower=np.concatenate((ins.astype(np.float64), np.zeros(levels))),
        upper=np.concatenate(((~outs).astype(np.float64), np.where(model.last, 0.0, 1.0))),
        whole=np.concatenate((np.ones(count, dtype=bool), np.zeros(levels, dtype=bool))),
        clock=clock,
        start=None if start is None else start.astype(np.float64),
        step=step,
    )
    if outcome.infeasible:
        return None, value if incumbent is not None else lowest, incumbent is None
    offset = float(model.cost[model.first].sum())
    bound = max(lowest, min(_round_up(offset + outcome.bound, step), value))
    chosen = None if outcome.point is None else outcome.point[:count] > 0.5
    return chosen, bound, False
