"""Which sets of sites a plan may open: number, sites kept, floors per group, budget."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from doudi.engine.siting.problem import Bools, Candidates, Floats, Floor, Ints, Reason

NO_LIMIT = np.iinfo(np.int64).max // 4


class Limits:
    """The limits of one plan over M candidates.

    Without the budget they form a laminar family, so that the best set for additive values is found exactly by
    a greedy pass (:meth:`best`); solvers use it in bounds, where leaving the budget out is a relaxation.
    """

    def __init__(
        self,
        candidates: Candidates,
        *,
        sites: int | None,
        fixed: Bools,
        floors: list[Floor],
        budget: float | None,
    ) -> None:
        self.count = len(candidates.ids)
        self.sites = self.count if sites is None else min(sites, self.count)
        self.asked_sites = sites
        self.fixed = fixed
        self.cost = candidates.cost
        self.budget = budget
        self.floors = floors
        numbers = {floor.group: index for index, floor in enumerate(floors)}
        # one last pseudo-group without limits holds every candidate that no floor speaks of
        names = candidates.group or [""] * self.count
        self.group: Ints = np.array([numbers.get(name, len(floors)) for name in names], dtype=np.int64)
        self.members: Ints = np.bincount(self.group, minlength=len(floors) + 1).astype(np.int64)
        self.at_least: Ints = np.array([f.at_least for f in floors] + [0], dtype=np.int64)
        self.at_most: Ints = np.array(
            [NO_LIMIT if f.at_most is None else f.at_most for f in floors] + [NO_LIMIT], dtype=np.int64
        )
        self.only_a_number = not floors and (budget is None or self.cost is None)
        self.fixed_in: Ints = np.bincount(self.group[fixed], minlength=len(floors) + 1).astype(np.int64)

    def contradictions(self) -> list[Reason]:
        """Why no set of sites at all can keep these limits; empty when one can."""
        found: list[Reason] = []
        for index, floor in enumerate(self.floors):
            members, kept = int(self.members[index]), int(self.fixed_in[index])
            if members < floor.at_least:
                found.append(
                    Reason(
                        f"分组“{floor.group}”要求至少{floor.at_least}个点，但只有{members}个候选点。",
                        f"Group “{floor.group}” asks for at least {floor.at_least} sites but has {members} candidates.",
                    )
                )
            if floor.at_most is not None and kept > floor.at_most:
                found.append(
                    Reason(
                        f"分组“{floor.group}”至多{floor.at_most}个点，但其中保留的现有点已有{kept}个。",
                        f"Group “{floor.group}” allows at most {floor.at_most} sites but {kept} are fixed in it.",
                    )
                )
        kept = int(self.fixed.sum())
        needed = int(np.maximum(self.at_least, self.fixed_in).sum())
        if kept > self.sites:
            found.append(
                Reason(
                    f"保留的现有点有{kept}个，超过总点数{self.asked_sites}。",
                    f"{kept} sites are fixed but only {self.asked_sites} may be open.",
                )
            )
        elif needed > self.sites:
            found.append(
                Reason(
                    f"各分组的下限和保留点合计要{needed}个点，超过总点数{self.asked_sites}。",
                    f"The floors and the fixed sites ask for {needed} sites together but only "
                    f"{self.asked_sites} may be open.",
                )
            )
        if self.budget is not None and self.cost is not None and not found:
            cheapest = float(self.cost[self.best(-self.cost)].sum())
            if cheapest > self.budget:
                found.append(
                    Reason(
                        f"保留点和下限所需的点最少要花{cheapest:g}，超过预算{self.budget:g}。",
                        f"The fixed sites and the floors cost at least {cheapest:g}, above the budget {self.budget:g}.",
                    )
                )
        return found

    def best(self, values: Floats) -> Bools:
        """The set with the greatest sum of ``values`` (M numbers) within the limits, budget apart.

        Beyond what the floors force, only places of positive value are opened. Ties go to the earlier candidate.
        """
        order = np.argsort(-values, kind="stable")
        order = order[~self.fixed[order]]
        group = self.group[order]
        by_group = np.argsort(group, kind="stable")
        sizes = np.bincount(group, minlength=len(self.at_least))
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        rank = np.empty(len(order), dtype=np.int64)
        rank[by_group] = np.arange(len(order)) - np.repeat(starts, sizes)
        forced = rank < (self.at_least - self.fixed_in)[group]
        free = ~forced & (rank < (self.at_most - self.fixed_in)[group]) & (values[order] > 0)
        chosen = self.fixed.copy()
        chosen[order[forced]] = True
        room = self.sites - int(chosen.sum())
        chosen[order[free][: max(room, 0)]] = True
        return chosen

    def room(self, chosen: Bools) -> int:
        """How many sites more may be opened beside ``chosen``."""
        return self.sites - int(np.count_nonzero(chosen))

    def lacking(self, chosen: Bools) -> Ints:
        """Per group (the last: candidates without a floor) how many sites are still owed."""
        if self.only_a_number:
            return self.at_least
        return np.maximum(self.at_least - np.bincount(self.group[chosen], minlength=len(self.at_least)), 0)

    def may_add(self, chosen: Bools) -> Bools:
        """Which closed places could be opened beside ``chosen`` without passing any upper limit."""
        if self.room(chosen) <= 0:
            return np.zeros(self.count, dtype=bool)
        if self.only_a_number:
            return ~chosen
        counts = np.bincount(self.group[chosen], minlength=len(self.at_least))
        open_to: Bools = ~chosen & (counts < self.at_most)[self.group]
        if self.budget is not None and self.cost is not None:
            open_to &= self.cost <= self.budget - self.cost[chosen].sum() + 1e-9
        return open_to

    def may_drop(self, chosen: Bools) -> Bools:
        """Which open places could be closed without falling below a floor; fixed sites never."""
        counts = np.bincount(self.group[chosen], minlength=len(self.at_least))
        return chosen & ~self.fixed & (counts > self.at_least)[self.group]

    def admits(self, chosen: Bools) -> bool:
        """Whether ``chosen`` keeps every limit."""
        counts = np.bincount(self.group[chosen], minlength=len(self.at_least))
        cheap = self.budget is None or self.cost is None or self.cost[chosen].sum() <= self.budget + 1e-6
        return bool(
            chosen[self.fixed].all()
            and chosen.sum() <= self.sites
            and (counts >= self.at_least).all()
            and (counts <= self.at_most).all()
            and cheap
        )

    def rows(self) -> tuple[sparse.csr_matrix, Floats, Floats]:
        """The limits as rows ``lower ≤ A y ≤ upper`` over the M opening variables; fixing is left to bounds."""
        parts = [sparse.csr_matrix(np.ones((1, self.count)))]
        lower, upper = [-np.inf], [float(self.sites)]
        for index in range(len(self.floors)):
            parts.append(sparse.csr_matrix((self.group == index).astype(np.float64)[None, :]))
            lower.append(float(self.at_least[index]))
            upper.append(np.inf if self.at_most[index] >= NO_LIMIT else float(self.at_most[index]))
        if self.budget is not None and self.cost is not None:
            parts.append(sparse.csr_matrix(self.cost[None, :]))
            lower.append(-np.inf)
            upper.append(float(self.budget))
        return sparse.vstack(parts, format="csr"), np.array(lower), np.array(upper)
