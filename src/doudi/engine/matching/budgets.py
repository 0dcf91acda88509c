"""Assign whole needs under money budgets: exact where the component is small, searched with a proven bound elsewhere.

A need is served whole or not at all, so budgets turn the flow into a generalised assignment problem, which is
NP-hard. Each connected component is taken tier by tier: needs are placed with ejection chains, neighbourhoods
of projects are solved anew by HiGHS as small mixed-integer programs, and what is reached is compared with a
Lagrangian bound (HiGHS PDLP finds prices for the money; one min-cost flow turns *any* prices into a valid
bound). A component small enough is one neighbourhood, and then the program itself is the proof.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from doudi.engine.matching.bounding import Relaxation
from doudi.engine.matching.offers import Ints, Offers
from doudi.engine.matching.packing import Packing
from doudi.engine.matching.programs import program_of, quiet_solver, solve

_EXACT_ARCS = 3_000
_SMALLEST, _LARGEST, _GROW_AFTER = 8, 60, 15
_PATIENCE = 250
_MOST_ARCS, _FEWEST, _KEPT_LISTS = 3_000_000, 20, 2_000


@dataclass(frozen=True)
class Budgeted:
    """The whole problem in canonical order; ``budget`` is −1 where a project has no money limit."""

    tiers: Ints
    queue: Ints
    amounts: Ints
    offers: Offers
    places: Ints
    budget: Ints


@dataclass(frozen=True)
class Found:
    """The project of each need (−1 none), the proven bound by tier, whether all levels are proven, and whether
    the clock ended the search (then another machine may find another answer)."""

    project: Ints
    bound_by_tier: Mapping[int, int]
    exact: bool
    cut_short: bool


def assign_with_budgets(problem: Budgeted, needs: Ints, *, time_limit: float) -> Found:
    """Assign the given needs; ``time_limit`` in seconds is shared by the components, larger ones first."""
    deadline = time.monotonic() + time_limit
    need, project, fit, whole = _affordable(problem, needs)
    bound: dict[int, int] = dict.fromkeys(np.unique(problem.tiers[needs]).tolist(), 0)
    out = np.full(len(problem.tiers), -1, dtype=np.int64)
    exact, cut_short = True, False
    for part in _components(need, project, len(problem.tiers), len(problem.places)):
        search = _Search(problem, need[part], project[part], fit[part], deadline)
        proven = search.run(bounded=whole) and whole
        for tier, value in search.bound.items():
            bound[tier] += value
        for one, at in search.at.items():
            out[one] = at
        exact = exact and proven
        cut_short = cut_short or search.cut_short
    return Found(out, bound, exact, cut_short)


def _affordable(problem: Budgeted, needs: Ints) -> tuple[Ints, Ints, Ints, bool]:
    """Arcs (need, project, fit) that the budget of the project can pay at all, and whether they are all there are.

    Above some millions of arcs each need keeps only its best fitting, spread evenly over projects of one fit,
    so that purposes open to a whole province do not fill the memory; no bound is taken from such a part.
    """
    offers, cap = problem.offers, max(_FEWEST, _MOST_ARCS // max(1, len(needs)))
    parts: list[tuple[Ints, Ints, Ints]] = []
    whole = True
    known: dict[int, tuple[Ints, Ints]] = {}
    for need in needs.tolist():
        group = int(offers.of_need[need])
        if group not in known:
            pairs = np.array(offers.of(need), dtype=np.int64).reshape(-1, 2)
            known = {group: (pairs[:, 0], pairs[:, 1])} if len(known) > _KEPT_LISTS else known
            known[group] = (pairs[:, 0], pairs[:, 1])
        project, fit = known[group]
        budget = problem.budget[project]
        pays = (budget < 0) | (problem.amounts[need] <= budget)
        project, fit = project[pays], fit[pays]
        if len(project) > cap:
            whole = False
            turn = (project * 7919 + need * 104_729) % 65_521
            best = np.sort(np.lexsort((turn, -fit))[:cap])
            project, fit = project[best], fit[best]
        parts.append((np.full(len(project), need), project, fit))
    none = np.empty(0, dtype=np.int64)
    need_arcs, project_arcs, fit_arcs = (
        np.concatenate([none, *(part[k] for part in parts)]) for k in range(3)
    )
    return need_arcs, project_arcs, fit_arcs, whole


def _components(need: Ints, project: Ints, needs: int, projects: int) -> list[Ints]:
    """Arc positions of each connected component, the largest first."""
    size = needs + projects
    links = coo_array((np.ones(len(need), dtype=bool), (need, needs + project)), shape=(size, size))
    label = connected_components(links.tocsr(), directed=False)[1][need]
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if len(order) else []
    return sorted(parts, key=lambda part: (-len(part), int(part[0])))


@dataclass(frozen=True, slots=True)
class _Solved:
    """What solving a neighbourhood anew brought; ``bound`` is on the needs of the tier served within it."""

    proven: bool
    bound: int
    changed: bool
    gained: bool


class _Search:
    """The state of one component: who is where, what is left of each project's places and money."""

    def __init__(self, problem: Budgeted, need: Ints, project: Ints, fit: Ints, deadline: float) -> None:
        self.arcs = (need, project, fit)
        self.deadline = deadline
        self.problem = problem
        self.open_to: dict[int, list[tuple[int, int]]] = {}
        self.asking: dict[int, list[int]] = {}
        for one, at, points in zip(need.tolist(), project.tolist(), fit.tolist(), strict=True):
            self.open_to.setdefault(one, []).append((at, points))
            self.asking.setdefault(at, []).append(one)
        self.amount = dict(zip(self.open_to, problem.amounts[list(self.open_to)].tolist(), strict=True))
        self.tier = dict(zip(self.open_to, problem.tiers[list(self.open_to)].tolist(), strict=True))
        self.queue = dict(zip(self.open_to, problem.queue[list(self.open_to)].tolist(), strict=True))
        enough = sum(self.amount.values())
        # no sum of the amounts is anything but a multiple of their common divisor: what is beyond it buys nothing
        step = max(1, int(np.gcd.reduce(list(self.amount.values()))))
        self.budget = np.where(problem.budget < 0, -1, problem.budget // step * step)
        self.money = {at: enough if (b := int(self.budget[at])) < 0 else b for at in self.asking}
        self.place = {at: int(problem.places[at]) for at in self.asking}
        self.packing = Packing(self.open_to, self.asking, self.amount, self.tier, self.money, self.place)
        self.members, self.at = self.packing.members, self.packing.at
        self.bound: dict[int, int] = {}
        self.cut_short = False
        self.random = np.random.default_rng(len(need))

    def run(self, *, bounded: bool) -> bool:
        """Fill the component tier by tier, then better fit and standing; True if every level is proven.

        Without ``bounded`` the arcs are not all there are, and only the number of needs is a bound.
        """
        tiers = sorted(set(self.tier.values()))
        small = bounded and len(self.arcs[0]) <= _EXACT_ARCS
        proven = True
        for tier in tiers:
            ours = [i for i in self.open_to if self.tier[i] == tier]
            target = len(ours)
            self.packing.fill(ours, enough=target, until=time.monotonic() + 0.5 * self._left())
            if small and self.packing.served(tier) < target:
                target = min(
                    target, self._solve_anew(list(self.asking), tier, seconds=self._left() / 2).bound
                )
            elif self.packing.served(tier) < target:
                if bounded:
                    target = min(target, self._most_served(tier, seconds=0.35 * self._left()))
                if self.packing.served(tier) < target:
                    # the more urgent tier has the larger share of the time: what it loses no later one makes good
                    self._improve(tier, seconds=0.35 * self._left())
            self.bound[tier] = max(target, self.packing.served(tier))
            proven = proven and self.packing.served(tier) == self.bound[tier]
        if small:
            fit_proven = self._solve_anew(list(self.asking), None, seconds=self._left()).proven
            return proven and fit_proven
        self._improve(None, seconds=self._left())
        self._move_to_better_fit()
        return False

    def _most_served(self, tier: int, *, seconds: float) -> int:
        need, project, _ = self.arcs
        near = self.problem.tiers[need] <= tier
        relaxed = Relaxation(
            need[near],
            project[near],
            self.problem.tiers,
            self.problem.amounts,
            self.problem.places,
            self.budget,
        )
        earlier = {t: self.packing.served(t) for t in sorted(set(self.tier.values())) if t < tier}
        return relaxed.most_served(tier, earlier, seconds=seconds)

    def _left(self) -> float:
        return max(0.2, self.deadline - time.monotonic())

    def _improve(self, tier: int | None, *, seconds: float) -> None:
        """Solve neighbourhood after neighbourhood anew until a long row of them brings nothing.

        Neighbourhoods grow while nothing is gained and shrink when one is too hard to be solved in its second.
        """
        idle, size, until = 0, float(_SMALLEST), time.monotonic() + seconds
        starts: list[int] | None = None
        while idle < _PATIENCE:
            if time.monotonic() > until:
                self.cut_short = True
                return
            if starts is None:
                starts = self._starts(tier)
            if not starts:
                return
            around = self._neighbourhood(starts[self._pick(len(starts))], int(size))
            solved = self._solve_anew(around, tier, seconds=1.0)
            idle = 0 if solved.gained else idle + 1
            starts = None if solved.changed else starts
            if not solved.proven:
                size = max(_SMALLEST, 0.8 * size)
            elif idle % _GROW_AFTER == _GROW_AFTER - 1:
                size = min(_LARGEST, 1.25 * size)

    def _starts(self, tier: int | None) -> list[int]:
        """Needs to look around: who is left over up to this tier, or who is served if fit is to be bettered."""
        if tier is None:
            return sorted(self.at)
        return sorted(i for i in self.open_to if i not in self.at and self.tier[i] <= tier)

    def _queue_unit(self) -> float:
        return 1.0 + sum(self.queue.values())

    def _pick(self, size: int) -> int:
        return int(self.random.integers(size))

    def _neighbourhood(self, need: int, size: int) -> list[int]:
        """So many projects around a need: some of its own, then those of needs met on a random walk."""
        own = [project for project, _ in self.open_to[need]]
        first = self._pick(len(own))
        chosen = dict.fromkeys((own[first:] + own[:first])[: max(1, size // 2)])
        steps = 0
        while len(chosen) < size and steps < 4 * size:
            steps += 1
            project = list(chosen)[self._pick(len(chosen))]
            crowd = self.members[project] or self.asking[project]
            options = self.open_to[crowd[self._pick(len(crowd))]]
            chosen.setdefault(options[self._pick(len(options))][0])
        return list(chosen)

    def _solve_anew(self, projects: Sequence[int], tier: int | None, *, seconds: float) -> _Solved:
        """Solve these projects and all who are in them or ask for them.

        With a tier the number served of it is maximised while no more urgent tier loses one; without, total fit
        and then standing are, while no tier loses one.
        """
        row_of = {project: row for row, project in enumerate(projects)}
        inside = [i for project in projects for i in self.members[project]]
        waiting = sorted(
            {
                i
                for p in projects
                for i in self.asking[p]
                if i not in self.at and (tier is None or self.tier[i] <= tier)
            }
        )
        needs = inside + waiting
        choices = [(i, p, f) for i in needs for p, f in self.open_to[i] if p in row_of]
        need_row = {i: row for row, i in enumerate(needs)}
        keep = sorted({self.tier[i] for i in inside if tier is None or self.tier[i] < tier})
        keep_row = {t: len(needs) + 2 * len(projects) + row for row, t in enumerate(keep)}
        money = [self.money[p] + sum(self.amount[i] for i in self.members[p]) for p in projects]
        starts, rows, values = [0], list[int](), list[float]()
        for i, p, _ in choices:
            at = row_of[p]
            rows += [need_row[i], len(needs) + at, len(needs) + len(projects) + at]
            values += [1.0, 1.0, self.amount[i] / max(1, money[at])]
            if self.tier[i] in keep_row:
                rows.append(keep_row[self.tier[i]])
                values.append(1.0)
            starts.append(len(rows))
        upper = [1.0] * len(needs) + [float(self.place[p] + len(self.members[p])) for p in projects]
        upper += [1.0] * len(projects) + [highspy.kHighsInf] * len(keep)
        lower = [-highspy.kHighsInf] * (len(needs) + 2 * len(projects))
        lower += [float(sum(1 for i in inside if self.tier[i] == t)) for t in keep]
        if tier is None:
            unit = self._queue_unit()
            gains = [f + self.queue[i] / unit for i, _, f in choices]
        else:
            # of two ways to serve as many, the cheaper leaves more money for others; all of it is worth a quarter need
            dear = 4.0 * (len(needs) + 1) * max(1, max((self.amount[i] for i in needs), default=1))
            gains = [(self.tier[i] == tier) * (1.0 - self.amount[i] / dear) for i, _, _ in choices]

        solver = quiet_solver(seconds)
        solver.setOptionValue("mip_rel_gap", 0.0)
        solver.setOptionValue("mip_abs_gap", 1e-4 if tier is not None else 1e-9)
        program = program_of(gains, lower, upper, starts, rows, values)
        program.integrality_ = [highspy.HighsVarType.kInteger] * len(choices)
        solver.passModel(program)
        warm = highspy.HighsSolution()
        warm.col_value = [float(self.at.get(i) == p) for i, p, _ in choices]
        solver.setSolution(warm)
        solve(solver)
        proven = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        taken = np.flatnonzero(np.array(solver.getSolution().col_value) > 0.5).tolist()
        found = [choices[k] for k in taken]
        held = [k for k, (i, p, _) in enumerate(choices) if self.at.get(i) == p]
        changed = taken != held and self._allowed(found, projects, money)
        gained = False
        if changed:
            for i in inside:
                self.packing.take(i)
            for i, p, _ in found:
                self.packing.put(i, p)
            before, after = sum(gains[k] for k in held), sum(gains[k] for k in taken)
            # towards a tier only another need served counts as a gain; the small change of money below does not
            gained = round(after) > round(before) if tier is not None else after > before + 1e-9
        ceiling = solver.getInfo().mip_dual_bound if tier is not None else 0.0
        bound = int(np.floor(ceiling + 0.25 + 1e-6)) if np.isfinite(ceiling) else len(needs)
        return _Solved(proven, bound, changed, gained)

    def _allowed(
        self, found: Sequence[tuple[int, int, int]], projects: Sequence[int], money: Sequence[int]
    ) -> bool:
        """Whether the solver's answer holds in whole numbers: its tolerance on a budget is not ours."""
        spent = dict.fromkeys(projects, 0)
        for i, p, _ in found:
            spent[p] += self.amount[i]
        return bool(found) and all(spent[p] <= money[row] for row, p in enumerate(projects))

    def _move_to_better_fit(self) -> None:
        moved = True
        while moved:
            moved = False
            for need in sorted(self.at):
                here = self.at[need]
                now = next(f for p, f in self.open_to[need] if p == here)
                for project, fit in sorted(self.open_to[need], key=lambda offer: (-offer[1], offer[0])):
                    if fit <= now:
                        break
                    if self.place[project] > 0 and self.money[project] >= self.amount[need]:
                        self.packing.take(need)
                        self.packing.put(need, project)
                        moved = True
                        break
