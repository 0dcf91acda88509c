"""A small county's needs and projects, and the plainest possible solver to compare with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from doudi.engine.matching import Assignment, Need, Offers, Project, listed_offers

Fits = dict[tuple[int, int], int]


def offers(needs: Sequence[Need], projects: Sequence[Project], fits: Fits) -> Offers:
    """Offers from {(need index, project index): fit}."""
    pairs = sorted(fits)
    columns = np.array([[n, p, fits[n, p]] for n, p in pairs], dtype=np.int64).reshape(-1, 3)
    return listed_offers(needs, projects, columns[:, 0], columns[:, 1], columns[:, 2])


def score(needs: Sequence[Need], fits: Fits, choice: Sequence[int | None]) -> tuple[int, ...]:
    """(served of the most urgent tier, of the next, …, total fit, total waiting) of one assignment."""
    tiers = sorted({need.tier for need in needs})
    served = [sum(1 for i, p in enumerate(choice) if p is not None and needs[i].tier == t) for t in tiers]
    taken = [(i, p) for i, p in enumerate(choice) if p is not None]
    return (*served, sum(fits[i, p] for i, p in taken), sum(needs[i].waiting_days for i, _ in taken))


def allowed(needs: Sequence[Need], projects: Sequence[Project], choice: Sequence[int | None]) -> bool:
    """Places and budgets hold."""
    for p, project in enumerate(projects):
        mine = [needs[i] for i, at in enumerate(choice) if at == p]
        if project.places is not None and len(mine) > project.places:
            return False
        if project.budget is not None and sum(need.amount or 0 for need in mine) > project.budget:
            return False
    return True


def best_by_trying_all(needs: Sequence[Need], projects: Sequence[Project], fits: Fits) -> tuple[int, ...]:
    """The lexicographic optimum by enumeration."""
    options = [[None, *(p for n, p in fits if n == i)] for i in range(len(needs))]
    return max(
        score(needs, fits, choice)
        for choice in itertools.product(*options)
        if allowed(needs, projects, choice)
    )


def choice_of(found: Assignment, needs: Sequence[Need], projects: Sequence[Project]) -> list[int | None]:
    """The proposal as a project index per need."""
    place = {project.id: p for p, project in enumerate(projects)}
    at = {pair.need: place[pair.project] for pair in found.pairs}
    return [at.get(need.id) for need in needs]
