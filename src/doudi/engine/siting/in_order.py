"""Aims in their order (先困难老人，再全部老人，再路程，再费用): each is fixed before the next is asked.

Nobody in difficulty is given up for any number of others, no person for a shorter way, no metre for money: strictly,
not by a large weight. Ehrgott, "Multicriteria Optimization" (2005) ch. 5: a lexicographic optimum by stages. The
second stage rides on the coverage solver: with a price µ on the first aim, max (all + µ·hard) − µ·V bounds every plan
that keeps V of the first; µ grows until the plan found keeps it, so the price proves itself or the bound says so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from doudi.engine.siting.coverage import CoverageSearch, CoverSets, most_covered
from doudi.engine.siting.highs import Clock, Outcome, minimise
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.median import Arcs, Levels
from doudi.engine.siting.problem import Aim, Answer, Bools, Floats, Step, grain
from doudi.engine.siting.reach import Reach

_MOST_PAIRS = 10_000
_MOST_SECONDS = 8.0
_FIRST_PRICE = 100.0
_DEAREST = 1e8

Solver = Callable[[Floats, Clock, Bools | None], Answer]
"""Gives the plan of the greatest covered worth: worth per point, clock, a plan to begin from."""


def cover_in_order(reach: Reach, weight: Floats, hard: Floats, limits: Limits, clock: Clock) -> Answer:
    """The plan that covers most ``hard``, then most ``weight``, then is nearest, then cheapest; a bound for each aim.

    ``hard`` and ``weight`` are persons per point. Distance and cost are asked of plans with no more sites than
    the coverage needs, where the pairs in reach fit a model; else the distance keeps a wide bound and says so.
    """
    within = reach.within()

    def solve(worth: Floats, time: Clock, start: Bools | None) -> Answer:
        return most_covered(CoverSets.merge(within, worth), limits, time, start)

    answer = in_turn(solve, weight, hard, within, clock)
    if answer.chosen is None:
        return answer
    persons = CoverageSearch(CoverSets.merge(within, weight + hard), limits)
    answer.chosen = persons.trim(answer.chosen)
    _nearest_and_cheapest(answer, reach, weight, hard, limits, clock)
    return answer


def in_turn(
    solve: Solver, weight: Floats, hard: Floats, within: sparse.csr_matrix | None, clock: Clock
) -> Answer:
    """First most ``hard``, then most ``weight`` among plans that keep it; ``objective`` and ``bound`` are of the last.

    ``within`` gives who is covered by a plan that names nobody's place; None where the solver names them.
    """

    def persons(answer: Answer, of: Floats) -> float:
        if answer.served_by is not None:
            return float(of[answer.served_by >= 0].sum())
        assert within is not None and answer.chosen is not None
        return float(of[within @ answer.chosen.astype(np.float64) > 0].sum())

    if not hard.any() or np.array_equal(hard, weight):
        # one aim stands for both: who is covered is in difficulty, or nobody is told apart
        only = solve(weight, clock.share(0.95), None)
        if only.chosen is not None and only.objective is not None:
            bound = only.objective if only.bound is None else only.bound
            aims = [Aim.HARD, Aim.ALL] if hard.any() else [Aim.ALL]
            only.steps = [Step(aim, only.objective, bound) for aim in aims]
        return only

    first = solve(hard, clock.share(0.4), None)
    if first.chosen is None or first.objective is None or first.bound is None:
        return first
    kept, most = persons(first, hard), first.bound
    best, price, proofs = first, _FIRST_PRICE, list[tuple[float, float]]()
    while price <= _DEAREST:
        second = solve(weight + price * hard, clock.share(0.75), best.chosen)
        if second.bound is not None:
            proofs.append((second.bound, price))
        if second.chosen is None:
            break
        reached = persons(second, hard)
        if reached >= kept - 1e-9:
            # more than kept: the first stage had run out of time
            if reached > kept or persons(second, weight) > persons(best, weight):
                best, kept = second, reached
            break
        price *= 30.0
    value = persons(best, weight)
    bound = min([float(weight.sum()), *(proof - paid * kept for proof, paid in proofs)])
    bound = max(bound, value)
    best.objective, best.bound = value, bound
    best.steps = [Step(Aim.HARD, kept, max(most, kept)), Step(Aim.ALL, value, bound)]
    return best


def _nearest_and_cheapest(
    answer: Answer, reach: Reach, weight: Floats, hard: Floats, limits: Limits, clock: Clock
) -> None:
    """Take the nearest, then the cheapest, of the plans as good in coverage; add both aims to the answer."""
    assert answer.chosen is not None
    many = int(np.diff(reach.within().indptr).max(initial=0))
    pairs = int(reach.within().nnz)
    live = float(weight[np.diff(reach.within().indptr) > 0].sum())
    if not many or not live:
        return
    if pairs > _MOST_PAIRS:
        nearest = reach.nearest(1)[1][:, 0]
        metres = reach.nearest_of(np.flatnonzero(answer.chosen))[1]
        served = np.isfinite(metres)
        value = float(weight[served] @ metres[served])
        bound = float(weight[served] @ nearest[served])
        persons = max(float(weight[served].sum()), 1e-9)
        answer.steps.append(Step(Aim.DISTANCE, value / persons, bound / persons))
        return
    model = _Ways(reach, weight, hard, limits, answer, many)
    value, bound = model.shorten(clock.share(0.6, most=_MOST_SECONDS))
    answer.steps.append(Step(Aim.DISTANCE, value / live, bound / live))
    if limits.cost is not None and limits.cost.any():
        value, bound = model.cheapen(value, clock.share(1.0, most=_MOST_SECONDS))
        answer.steps.append(Step(Aim.COST, value, bound))


class _Ways:
    """The ways of plans that keep the coverage: who is not covered counts with the farthest place in reach."""

    def __init__(
        self, reach: Reach, weight: Floats, hard: Floats, limits: Limits, answer: Answer, many: int
    ) -> None:
        self.limits, self.answer = limits, answer
        # a person in difficulty is a person: points of no weight have neither way nor aim
        arcs = Arcs.nearest(reach, weight, many)
        self.model = Levels.of(arcs, np.isfinite(arcs.cost), limits.count)
        levels, rows = len(self.model.row), len(arcs.rows)
        ends = np.flatnonzero(self.model.last)
        covered = sparse.csr_matrix((-np.ones(rows), (np.arange(rows), ends)), shape=(rows, levels))
        aims = np.vstack((hard[arcs.rows], weight[arcs.rows]))
        kept = [step.value for step in answer.steps if step.aim in (Aim.HARD, Aim.ALL)]
        aims = aims[-len(kept) :]
        limit_rows, limit_lower, limit_upper = limits.rows()
        assert answer.chosen is not None
        limit_upper[0] = min(limit_upper[0], float(answer.chosen.sum()))  # the number of sites
        count = limits.count
        self._rows = sparse.vstack(
            [
                sparse.hstack([limit_rows, sparse.csr_matrix((limit_rows.shape[0], levels))]),
                self.model.rows,
                sparse.hstack([sparse.csr_matrix((len(kept), count)), sparse.csr_matrix(aims) @ covered]),
            ],
            format="csr",
        )
        # Σ weight·(1 − z) ≥ value, a millionth of a person forgiven
        asked = np.array(kept) - aims.sum(axis=1) - 1e-6
        self._lower = np.concatenate((limit_lower, self.model.first.astype(np.float64), asked))
        self._upper = np.concatenate((limit_upper, np.full(levels + len(kept), np.inf)))
        self._way = np.concatenate((np.zeros(count), self.model.rise))
        self._offset = float(self.model.cost[self.model.first].sum())

    def shorten(self, clock: Clock) -> tuple[float, float]:
        """The least Σ weight × metres found and its proven lower bound; the answer takes the plan."""
        value = self._offset + float(self._way @ self._point())
        outcome = self._minimise(self._way, self._rows, self._lower, self._upper, 0.0, clock)
        bound = self._offset + max(outcome.bound, 0.0)
        if outcome.point is not None and self._offset + outcome.objective < value:
            self.answer.chosen = outcome.point[: self.limits.count] > 0.5
            value = self._offset + float(self._way @ self._point())
        return value, min(bound, value)

    def cheapen(self, way: float, clock: Clock) -> tuple[float, float]:
        """The least cost found among plans with no longer ways, and its proven lower bound."""
        cost = self.limits.cost
        assert cost is not None and self.answer.chosen is not None
        value = float(cost[self.answer.chosen].sum())
        outcome = self._minimise(
            np.concatenate((cost, np.zeros(len(self.model.row)))),
            sparse.vstack([self._rows, sparse.csr_matrix(self._way[None, :])], format="csr"),
            np.append(self._lower, -np.inf),
            np.append(self._upper, way - self._offset + 1e-7 * max(1.0, way)),
            grain(cost),
            clock,
        )
        if outcome.point is not None and outcome.objective < value - 1e-9:
            self.answer.chosen = outcome.point[: self.limits.count] > 0.5
            value = float(cost[self.answer.chosen].sum())
        return value, min(max(outcome.bound, 0.0), value)

    def _point(self) -> Floats:
        chosen = self.answer.chosen
        assert chosen is not None
        return np.concatenate((chosen, self.model.closed(chosen))).astype(np.float64)

    def _minimise(
        self,
        cost: Floats,
        rows: sparse.csr_matrix,
        lower: Floats,
        upper: Floats,
        step: float,
        clock: Clock,
    ) -> Outcome:
        count, levels = self.limits.count, len(self.model.row)
        outcome = minimise(
            cost,
            rows,
            lower,
            upper,
            lower=np.concatenate((self.limits.fixed, np.zeros(levels))).astype(np.float64),
            upper=np.ones(count + levels),
            whole=np.concatenate((np.ones(count, dtype=bool), np.zeros(levels, dtype=bool))),
            clock=clock,
            start=self._point(),
            step=step,
        )
        # the plan in hand keeps every row: "infeasible" would be rounding, and proves nothing
        return Outcome(None, np.inf, 0.0) if outcome.infeasible else outcome
