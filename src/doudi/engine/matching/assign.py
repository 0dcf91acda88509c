"""Assign needs to projects: flow where places decide, search with a proven bound where money decides.

In come needs, projects and offers; out comes an :class:`Assignment`. The order of the lists does not matter:
the same lists give the same proposal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from doudi.engine.matching.budgets import Budgeted, assign_with_budgets
from doudi.engine.matching.flow import assign_by_flow, standings
from doudi.engine.matching.offers import Ints, Need, Offers, Project, built_in_offers
from doudi.engine.matching.reasons import Reasons


@dataclass(frozen=True, slots=True)
class Pair:
    """A need and the project proposed for it; ``amount`` as the need's, ``fit`` in points."""

    need: str
    project: str
    amount: int | None
    fit: float


@dataclass(frozen=True)
class Assignment:
    """A proposal for a person to decide on.

    ``optimal``: proven best by tier, then total fit, then standing. ``optimal_tiers``: the numbers served by
    tier are proven best. ``bound_by_tier[t]``: no assignment that serves at least as many in each more urgent
    tier serves more than this in tier t; ``bound`` is their sum and ``gap`` the share of it not reached.
    ``cut_short``: the time limit ended the search, so a faster machine may find a better proposal.
    """

    pairs: Sequence[Pair]
    unserved: Sequence[str]
    served_by_tier: Mapping[int, int]
    bound_by_tier: Mapping[int, int]
    optimal: bool
    cut_short: bool
    total_fit: float
    reasons: Reasons

    @property
    def bound(self) -> int:
        """The most needs any assignment could serve that is as good in the more urgent tiers."""
        return sum(self.bound_by_tier.values())

    @property
    def optimal_tiers(self) -> bool:
        """Whether the number served is proven best in every tier."""
        return dict(self.served_by_tier) == dict(self.bound_by_tier)

    @property
    def gap(self) -> float:
        """(bound − served) ÷ bound; 0 when the tiers are proven."""
        return (self.bound - len(self.pairs)) / self.bound if self.bound else 0.0

    def why_served(self) -> Iterator[tuple[Pair, str]]:
        """Each pair with the sentence that explains it."""
        for pair in self.pairs:
            yield pair, self.reasons.served(pair.need)

    def why_unserved(self) -> Iterator[tuple[str, str]]:
        """Each need left over with the sentence that explains it."""
        for need in self.unserved:
            yield need, self.reasons.unserved(need)


def match(
    needs: Sequence[Need],
    projects: Sequence[Project],
    offers: Offers | None = None,
    *,
    time_limit: float = 20.0,
) -> Assignment:
    """Propose which project serves which need: most urgent tier first, then fit, then standing in the queue.

    Without ``offers`` the projects' own conditions decide who may use what. Needs whose amount is 0 are left
    out (nothing is missing). ``time_limit`` (seconds) guards the search that money budgets may need.
    """
    needs, projects, offers = _canonical(needs, projects, offers)
    tiers = np.array([need.tier for need in needs], dtype=np.int64)
    amounts = np.array([need.amount or 0 for need in needs], dtype=np.int64)
    queue = standings(needs)
    places = np.array(
        [len(needs) if one.places is None else min(one.places, len(needs)) for one in projects],
        dtype=np.int64,
    )
    active = np.array([need.amount is None or need.amount > 0 for need in needs], dtype=bool)
    offers = offers.without(~active)

    project, exact = assign_by_flow(tiers, queue, offers, places)
    bound, cut_short = _by_tier(tiers, project >= 0), False
    budget = np.array([-1 if one.budget is None else one.budget for one in projects], dtype=np.int64)
    spent = np.bincount(project[project >= 0], weights=amounts[project >= 0], minlength=len(projects))
    over = (budget >= 0) & (spent > budget)
    if over.any():
        touched = _components_of(offers, len(projects), over)
        inside = np.flatnonzero(touched[offers.of_need] & active)
        outside = np.setdiff1d(np.flatnonzero(project >= 0), inside)
        bound = _by_tier(tiers, np.isin(np.arange(len(needs)), outside), like=bound)
        found = assign_with_budgets(
            Budgeted(tiers, queue, amounts, offers, places, budget), inside, time_limit=time_limit
        )
        project[inside] = found.project[inside]
        bound = {tier: number + found.bound_by_tier.get(tier, 0) for tier, number in bound.items()}
        exact, cut_short = exact and found.exact, found.cut_short
    return _assignment(needs, projects, offers, project, bound, exact=exact, cut_short=cut_short)


def first_come(
    needs: Sequence[Need], projects: Sequence[Project], offers: Offers | None = None
) -> Mapping[int, int]:
    """Needs served by tier if a clerk goes down the list and gives each the first project with room: the peer."""
    offers = offers or built_in_offers(needs, projects)
    places = [len(needs) if one.places is None else one.places for one in projects]
    money = [np.inf if one.budget is None else one.budget for one in projects]
    served = Counter(dict.fromkeys(sorted({need.tier for need in needs}), 0))
    for position, need in enumerate(needs):
        amount = need.amount or 0
        for project, _ in offers.of(position):
            if places[project] > 0 and money[project] >= amount and need.amount != 0:
                places[project] -= 1
                money[project] -= amount
                served[need.tier] += 1
                break
    return dict(served)


def _canonical(
    needs: Sequence[Need], projects: Sequence[Project], offers: Offers | None
) -> tuple[list[Need], list[Project], Offers]:
    """Sort both lists, so that the answer does not depend on the order of the rows that came in."""
    by_need = sorted(range(len(needs)), key=lambda i: (needs[i].tier, -needs[i].waiting_days, needs[i].id))
    by_project = sorted(range(len(projects)), key=lambda i: projects[i].id)
    sorted_needs, sorted_projects = [needs[i] for i in by_need], [projects[i] for i in by_project]
    if offers is None:
        return sorted_needs, sorted_projects, built_in_offers(sorted_needs, sorted_projects)
    place = np.empty(len(projects), dtype=np.int64)
    place[by_project] = np.arange(len(projects))
    if not offers.built_in:
        # one class and one shelf per need: they move with their needs
        sizes = np.diff(offers.start)[by_need]
        start = np.concatenate(([0], np.cumsum(sizes)))
        take = np.repeat(offers.start[:-1][by_need] - start[:-1], sizes) + np.arange(start[-1])
        project = place[offers.project[take]]
        order = np.lexsort((project, np.repeat(np.arange(len(needs)), sizes)))
        moved = replace(offers, start=start, project=project[order], fit=offers.fit[take][order])
        return sorted_needs, sorted_projects, moved
    return sorted_needs, sorted_projects, built_in_offers(sorted_needs, sorted_projects)


def _components_of(offers: Offers, projects: int, wanted: np.ndarray) -> np.ndarray:
    """Which classes hang together with a wanted project."""
    classes, shelves = len(offers.seen) - 1, len(offers.start) - 1
    viewer = np.repeat(np.arange(classes), np.diff(offers.seen))
    owner = np.repeat(np.arange(shelves), np.diff(offers.start))
    tails = np.concatenate((projects + offers.shelf, offers.project))
    heads = np.concatenate((projects + shelves + viewer, projects + owner))
    size = projects + shelves + classes
    links = coo_array((np.ones(len(tails), dtype=bool), (tails, heads)), shape=(size, size))
    label = connected_components(links.tocsr(), directed=False)[1]
    return np.isin(label[projects + shelves :], np.unique(label[:projects][wanted]))


def _by_tier(tiers: Ints, chosen: np.ndarray, like: Mapping[int, int] | None = None) -> dict[int, int]:
    counts = dict.fromkeys(np.unique(tiers).tolist() if like is None else like, 0)
    found, number = np.unique(tiers[chosen], return_counts=True)
    counts.update(zip(found.tolist(), number.tolist(), strict=True))
    return counts


def _assignment(
    needs: Sequence[Need],
    projects: Sequence[Project],
    offers: Offers,
    project: Ints,
    bound: Mapping[int, int],
    *,
    exact: bool,
    cut_short: bool,
) -> Assignment:
    reasons = Reasons(needs, projects, offers, project)
    served = np.flatnonzero(project >= 0).tolist()
    pairs = [
        Pair(needs[i].id, projects[project[i]].id, needs[i].amount, reasons.fit[i] / offers.scale)
        for i in served
    ]
    counts = _by_tier(np.array([need.tier for need in needs], dtype=np.int64), project >= 0)
    return Assignment(
        pairs=pairs,
        unserved=[needs[i].id for i in np.flatnonzero(project < 0).tolist()],
        served_by_tier=counts,
        bound_by_tier=bound,
        optimal=exact and counts == dict(bound),
        cut_short=cut_short,
        total_fit=sum(reasons.fit[i] for i in served) / offers.scale,
        reasons=reasons,
    )
