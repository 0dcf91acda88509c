"""How many needs of a tier any assignment could serve: a bound from prices on the money.

Prices on each project's money are taken off what a need is worth there and paid back for every budget; what one
minimum-cost flow then earns is an upper bound, whatever the prices are (Lagrangian relaxation, Fisher 1981). Two
kinds of prices are tried: one rate for all money, at which the dearest need of the tier that the money could
still reach costs one need, and those of a rough first-order solution of the linear relaxation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow
from scipy.sparse import csc_array

from doudi.engine.matching.offers import Ints
from doudi.engine.matching.programs import program_of, quiet_solver, solve

_EARLIER = 3.0
_SCALE = 1_000_000
_MOST_ARCS = 1_500_000


@dataclass(frozen=True)
class Relaxation:
    """Arcs (need, project) of one component up to a tier; ``budget`` is −1 where a project has no money limit."""

    need: Ints
    project: Ints
    tiers: Ints
    amounts: Ints
    places: Ints
    budget: Ints

    def most_served(self, tier: int, earlier: Mapping[int, int], *, seconds: float) -> int:
        """No assignment with at least ``earlier[t]`` served in each earlier tier t serves more than this in ``tier``."""
        needs, need_row = np.unique(self.need, return_inverse=True)
        projects, project_row = np.unique(self.project, return_inverse=True)
        ours = _Rows(
            needs=len(needs),
            projects=len(projects),
            need=need_row,
            project=project_row,
            places=np.minimum(self.places[projects], len(needs)),
            limited=self.budget[projects] >= 0,
            budget=self.budget[projects],
            amount=self.amounts[needs],
        )
        of_tier = self.tiers[needs]
        rate, worth_of = self._rate(tier, earlier, of_tier, ours)
        worth = np.array([worth_of.get(t, 1.0) for t in of_tier.tolist()])
        owed = sum(worth_of[t] * number for t, number in earlier.items())
        most = int((of_tier == tier).sum())
        if rate:
            # one rate everywhere: it does not matter where a need goes, and no flow is needed
            paid = np.maximum(0.0, worth - rate * ours.amount).sum() + rate * float(ours.budget.sum())
            most = min(most, int(np.floor(paid - owed + 1e-6)))
        if len(self.need) < _MOST_ARCS:
            price = ours.prices(worth[need_row], seconds=seconds)
            most = min(most, int(np.floor(ours.earned(worth[need_row], price) - owed + 1e-6)))
        return max(0, most)

    def _rate(
        self, tier: int, earlier: Mapping[int, int], of_tier: Ints, ours: _Rows
    ) -> tuple[float, dict[int, float]]:
        """A price for all money alike, per unit, and what a need of each earlier tier is worth at it."""
        if not ours.limited.all():
            return 0.0, dict.fromkeys(earlier, _EARLIER)
        of = {t: np.sort(ours.amount[of_tier == t]).astype(float) for t in (*earlier, tier)}
        left = float(ours.budget.sum()) - sum(of[t][:number].sum() for t, number in earlier.items())
        reached = int(np.searchsorted(np.cumsum(of[tier]), max(0.0, left), side="right"))
        if reached == len(of[tier]) or of[tier][reached] <= 0:
            return 0.0, dict.fromkeys(earlier, _EARLIER)
        rate = 1.0 / float(of[tier][reached])
        worth = {}
        for t, number in earlier.items():
            whole = number >= len(of[t])
            dearest = float(of[t][min(number, len(of[t])) - 1]) if number else 0.0
            worth[t] = rate * dearest + (1.0 if whole else 0.0)
        return rate, worth


@dataclass(frozen=True)
class _Rows:
    """The same arcs with needs and projects counted from 0."""

    needs: int
    projects: int
    need: Ints
    project: Ints
    places: Ints
    limited: np.ndarray
    budget: Ints
    amount: Ints

    @property
    def share(self) -> np.ndarray:
        """The part of its project's budget that each arc uses."""
        budget = np.maximum(1.0, self.budget.astype(float))
        return np.where(self.limited[self.project], self.amount[self.need] / budget[self.project], 0.0)

    def earned(self, worth: np.ndarray, price: np.ndarray) -> float:
        """What the best flow earns at these prices of each project's whole budget, and the prices with it."""
        profit = np.ceil((worth - price[self.project] * self.share) * _SCALE).astype(np.int64)
        network, sink, every = min_cost_flow.SimpleMinCostFlow(), self.needs + self.projects, self.needs
        sources = np.arange(every)
        network.add_arcs_with_capacity_and_unit_cost(
            np.concatenate((self.need, every + np.arange(self.projects), sources)).astype(np.int32),
            np.concatenate((every + self.project, np.full(self.projects + every, sink))).astype(np.int32),
            np.concatenate((np.ones_like(self.need), self.places, np.ones_like(sources))).astype(np.int64),
            np.concatenate((-profit, np.zeros(self.projects + every, dtype=np.int64))),
        )
        network.set_nodes_supplies(
            np.append(sources, sink).astype(np.int32), np.append(np.ones_like(sources), -every)
        )
        if network.solve() != network.OPTIMAL:
            return float("inf")
        return -network.optimal_cost() / _SCALE + float(price[self.limited].sum())

    def prices(self, worth: np.ndarray, *, seconds: float) -> np.ndarray:
        """Prices of each project's whole budget from a rough first-order solution of the linear relaxation."""
        columns = len(worth)
        rows = np.concatenate(
            (self.need, self.needs + self.project, self.needs + self.projects + self.project)
        )
        values = np.concatenate((np.ones(2 * columns), self.share))
        matrix = csc_array(
            (values, (rows, np.tile(np.arange(columns), 3))),
            shape=(self.needs + 2 * self.projects, columns),
        )
        upper = np.concatenate((np.ones(self.needs), self.places, np.ones(self.projects)))
        solver = quiet_solver(seconds)
        solver.setOptionValue("solver", "pdlp")
        solver.setOptionValue("pdlp_optimality_tolerance", 1e-4)
        solver.passModel(
            program_of(worth, np.full(len(upper), -np.inf), upper, matrix.indptr, matrix.indices, matrix.data)
        )
        solve(solver)
        dual = np.abs(np.array(solver.getSolution().row_dual))
        return dual[self.needs + self.projects :] if len(dual) == len(upper) else np.zeros(self.projects)
