"""Exchange search for coverage: move one site at a time, uphill or by simulated annealing.

What opening a place would add is kept up to date row by row. For the uphill climb a table of all exchanges is
kept too; after an exchange only sites that share demand with the two places change their row in it (the idea of
Resende & Werneck, "A fast swap-based local search procedure for location problems", 2003, for coverage).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from doudi.engine.siting.highs import Clock
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.problem import Bools, Floats, Ints


class ExchangeSearch:
    """One plan under exchange: ``rows`` × M cover matrix (CSR and CSC), weight per row, limits."""

    def __init__(
        self, rows: sparse.csr_matrix, columns: sparse.csc_matrix, weight: Floats, limits: Limits, chosen: Bools
    ) -> None:
        self._rows, self._columns, self._weight, self._limits = rows, columns, weight, limits
        self.chosen = chosen.copy()
        self.open: Ints = np.flatnonzero(chosen)
        self._counts: Ints = np.zeros(rows.shape[0], dtype=np.int64)
        # where one site covers a row, this names its slot; where several do, the sum means nothing
        self._slot_sum: Ints = np.zeros(rows.shape[0], dtype=np.int64)
        for slot, place in enumerate(self.open):
            seen = self._seen(place)
            self._counts[seen] += 1
            self._slot_sum[seen] += slot
        self.value = float(weight[self._counts > 0].sum())
        self._gain = self._spread(np.flatnonzero(self._counts == 0))

    def climb(self, clock: Clock) -> Bools:
        """Take the best exchange while it covers more; the plan at the top."""
        slots = np.arange(len(self.open))
        saved, loss = np.zeros((len(slots), self._limits.count)), np.zeros(len(slots))
        while len(slots) and clock.left:
            saved[slots], loss[slots] = self._regained(slots)
            delta = saved + np.where(self.chosen, -np.inf, self._gain)[None, :]
            delta -= np.where(self._limits.fixed[self.open], np.inf, loss)[:, None]
            if not self._limits.only_a_number:
                delta[~self._limits.may_swap(self.chosen, self.open)] = -np.inf
            slot, place = divmod(int(np.argmax(delta)), self._limits.count)
            if delta[slot, place] <= 1e-9:
                break
            touched = np.union1d(self._seen(self.open[slot]), self._seen(place))
            before = self._slot_sum[touched[self._counts[touched] == 1]]
            self._exchange(slot, place)
            after = self._slot_sum[touched[self._counts[touched] == 1]]
            slots = np.unique(np.concatenate((before, after, [slot])))
        return self.chosen.copy()

    def anneal(
        self, steps: int, heat: float, cold: float, goal: float, clock: Clock, random: np.random.Generator
    ) -> Bools:
        """Take one site away, put it back where the Boltzmann chance falls, ever colder; the best plan met.

        ``heat`` and ``cold`` are the first and last temperature in weight. Stops at ``goal``.
        """
        best, best_value = self.chosen.copy(), self.value
        movable = np.flatnonzero(~self._limits.fixed[self.open])
        if not len(movable):
            return best
        slots = movable[random.integers(0, len(movable), steps)]
        draws = random.random(steps)
        for step in range(steps):
            if step % 64 == 0 and (best_value >= goal - 1e-9 or not clock.left):
                break
            temperature = heat * (cold / heat) ** (step / steps)
            slot = int(slots[step])
            leaver = int(self.open[slot])
            seen = self._seen(leaver)
            value = self._gain + self._spread(seen[self._counts[seen] == 1])
            closed = ~self.chosen
            if not self._limits.only_a_number:
                closed = self._limits.may_swap(self.chosen, self.open[slot : slot + 1])[0]
            closed[leaver] = True
            chances = np.cumsum(np.where(closed, np.exp(np.minimum((value - value[closed].max()) / temperature, 0)), 0))
            place = int(np.searchsorted(chances, draws[step] * chances[-1], side="right"))
            if place == leaver or place >= len(chances):
                continue
            self._exchange(slot, place)
            if self.value > best_value + 1e-9:
                best, best_value = self.chosen.copy(), self.value
        return best

    def _exchange(self, slot: int, place: int) -> None:
        gone, come = self._seen(self.open[slot]), self._seen(place)
        self._counts[gone] -= 1
        self._slot_sum[gone] -= slot
        left = gone[self._counts[gone] == 0]
        fresh = come[self._counts[come] == 0]
        self._counts[come] += 1
        self._slot_sum[come] += slot
        bared = left[self._counts[left] == 0]
        # rows that only changed hands are not newly covered
        clothed = np.setdiff1d(fresh, left, assume_unique=True)
        self._gain += self._spread(bared) - self._spread(clothed)
        self.value += float(self._weight[clothed].sum() - self._weight[bared].sum())
        self.chosen[self.open[slot]], self.chosen[place] = False, True
        self.open[slot] = place

    def _seen(self, place: int) -> Ints:
        return self._columns.indices[self._columns.indptr[place] : self._columns.indptr[place + 1]]

    def _entries(self, rows: Ints) -> tuple[Ints, Ints]:
        # the places that see these rows, one after another, and how many see each row
        starts = self._rows.indptr[rows].astype(np.int64)
        lengths = self._rows.indptr[rows + 1] - starts
        shift = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
        return self._rows.indices[shift + np.arange(len(shift))], lengths

    def _spread(self, rows: Ints) -> Floats:
        places, lengths = self._entries(rows)
        return np.bincount(places, np.repeat(self._weight[rows], lengths), minlength=self._limits.count)

    def _regained(self, slots: Ints) -> tuple[Floats, Floats]:
        # per slot: what each place would win back of the rows that its site alone covers; and their weight
        seen = [self._seen(place) for place in self.open[slots]]
        rows = np.concatenate(seen)
        position = np.repeat(np.arange(len(slots)), [len(part) for part in seen])
        lone = self._counts[rows] == 1
        rows, position = rows[lone], position[lone]
        places, lengths = self._entries(rows)
        cells = np.repeat(position, lengths) * self._limits.count + places
        table = np.bincount(
            cells, np.repeat(self._weight[rows], lengths), minlength=len(slots) * self._limits.count
        )
        loss = np.bincount(position, self._weight[rows], minlength=len(slots))
        return table.reshape(len(slots), -1), loss
