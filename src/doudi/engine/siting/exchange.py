"""Search by moving one site at a time: greedy opening, downhill-free descent, simulated annealing.

The search keeps, for each place, what opening it now would add; a step closes a site and reads off where one
place more is worth most. What "worth" means, and how it changes, is each model's own (:meth:`_open`,
:meth:`_close`).
"""

from __future__ import annotations

import numpy as np

from doudi.engine.siting.highs import Clock
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.problem import Bools, Floats, Ints


class SiteSearch:
    """A set of open sites with its ``score`` (more is better) and the ``gain`` of each place, M numbers."""

    gain: Floats
    score: float

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.chosen: Bools = np.zeros(limits.count, dtype=bool)

    def _open(self, place: int) -> None:
        """Take ``place`` into the sums; ``chosen`` is already set."""
        raise NotImplementedError

    def _close(self, place: int) -> None:
        """Take ``place`` out of the sums; ``chosen`` is already cleared."""
        raise NotImplementedError

    def open(self, place: int) -> None:
        """Open a closed place."""
        self.chosen[place] = True
        self._open(place)

    def close(self, place: int) -> None:
        """Close an open site."""
        self.chosen[place] = False
        self._close(place)

    def reset(self, chosen: Bools) -> None:
        """Make ``chosen`` the open set."""
        for place in np.flatnonzero(self.chosen & ~chosen):
            self.close(int(place))
        for place in np.flatnonzero(chosen & ~self.chosen):
            self.open(int(place))

    def fill(self) -> bool:
        """Open the place that adds most, again and again, leaving room for floors unmet; whether limits hold."""
        while True:
            lacking = self.limits.lacking(self.chosen)
            allowed = self.limits.may_add(self.chosen)
            worth = allowed & (self.gain > 1e-9)
            if lacking.any() and (not worth.any() or self.limits.room(self.chosen) <= int(lacking.sum())):
                worth = allowed & (lacking > 0)[self.limits.group]
            if not worth.any():
                return self.limits.admits(self.chosen)
            self.open(int(np.argmax(np.where(worth, self.gain, -np.inf))))

    def descend(self, clock: Clock) -> None:
        """Move each site to its best place in turn until a whole round moves none."""
        moved = True
        while moved and clock.left:
            moved = False
            for leaver in np.flatnonzero(self.chosen & ~self.limits.fixed):
                if not clock.left:
                    break
                self.close(int(leaver))
                worth = np.where(self._may_enter(int(leaver)), self.gain, -np.inf)
                place = int(np.argmax(worth))
                if worth[place] <= worth[leaver] + 1e-9 * max(1.0, abs(worth[leaver])):
                    place = int(leaver)
                self.open(place)
                moved |= place != leaver

    def anneal(self, steps: int, heat: float, cold: float, goal: float, clock: Clock, seed: int) -> Bools:
        """Close a site at random, open where the Boltzmann chance falls, ever colder; the best set met.

        ``heat`` and ``cold`` are the first and last temperature in units of score. Stops at ``goal``. On a machine
        too slow for ``steps`` in time it cools by the clock instead, so that it never ends hot.
        """
        random = np.random.default_rng(seed)
        best, best_score = self.chosen.copy(), self.score
        sites: Ints = np.flatnonzero(self.chosen & ~self.limits.fixed)
        if not len(sites):
            return best
        slots, draws = random.integers(0, len(sites), steps), random.random(steps)
        allotted, spent = max(clock.left, 1e-9), 0.0
        for step in range(steps):
            if step % 16 == 0:
                spent = 1.0 - clock.left / allotted
                if best_score >= goal - 1e-9 or spent >= 1.0:
                    break
            temperature = heat * (cold / heat) ** max(step / steps, spent)
            leaver = int(sites[slots[step]])
            self.close(leaver)
            allowed = self._may_enter(leaver)
            top = float(self.gain[allowed].max())
            weights = np.exp(np.maximum((self.gain - top) / temperature, -700.0)) * allowed
            chances = np.cumsum(weights)
            place = int(np.searchsorted(chances, draws[step] * chances[-1], side="right"))
            place = place if place < len(allowed) and allowed[place] else leaver
            self.open(place)
            sites[slots[step]] = place
            if self.score > best_score + 1e-9:
                best, best_score = self.chosen.copy(), self.score
        return best

    def _may_enter(self, leaver: int) -> Bools:
        allowed = self.limits.may_add(self.chosen)
        lacking = self.limits.lacking(self.chosen)
        if lacking.any():
            allowed &= (lacking > 0)[self.limits.group]
        allowed[leaver] = True
        return allowed
