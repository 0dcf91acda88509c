"""Place whole needs within places and money by moving others: chains that carry the difference until it vanishes.

Where money is short the last needs go in only if many give way a little: a need takes another's place, that one a
third's, each a little smaller than the one before by what was left over in the project it leaves, until one fits
somewhere. A search from the smallest amount up finds such chains; nobody who was served is lost on the way.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

_LOOKED_AT = 20_000
_LOOKED_AT_BESIDES = 5_000
_MOST_MEMBERS, _MOST_OUT, _MOST_OPTIONS = 12, 3, 24
_TRIED = 6
_FAILURES = 60
_WALKS = 4
_IDLE_ROUNDS = 2


@dataclass
class Packing:
    """Who is where, and what is left of each project's places and money.

    ``open_to[need]``: (project, fit) pairs; ``asking[project]``: needs; ``amount``, ``money`` in one unit.
    """

    open_to: Mapping[int, Sequence[tuple[int, int]]]
    asking: Mapping[int, Sequence[int]]
    amount: Mapping[int, int]
    tier: Mapping[int, int]
    money: dict[int, int]
    place: dict[int, int]
    at: dict[int, int] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.members = {project: [] for project in self.asking}
        self._least = min(self.amount.values(), default=0)
        self._log: list[tuple[int, int | None]] | None = None

    def put(self, need: int, project: int) -> None:
        """Serve a need by a project; the caller has seen that it fits."""
        if self._log is not None:
            self._log.append((need, None))
        self.members[project].append(need)
        self.money[project] -= self.amount[need]
        self.place[project] -= 1
        self.at[need] = project

    def take(self, need: int) -> None:
        """Take a need out of its project."""
        project = self.at.pop(need)
        if self._log is not None:
            self._log.append((need, project))
        self.members[project].remove(need)
        self.money[project] += self.amount[need]
        self.place[project] += 1

    def served(self, tier: int) -> int:
        """How many of a tier are served."""
        return sum(1 for need in self.at if self.tier[need] == tier)

    def fill(self, needs: Collection[int], *, enough: int, until: float) -> None:
        """Serve as many of these needs of one tier as can be found without losing one of an earlier tier.

        Ends when ``enough`` are served, when round after round brings nothing, or at ``until`` (monotonic clock).
        """
        for need in sorted((i for i in needs if i not in self.at), key=lambda i: (-self.amount[i], i)):
            project = self._tightest(need)
            if project is not None:
                self.put(need, project)
        idle = rounds = 0
        served = sum(1 for need in needs if need in self.at)
        while served < enough and idle < _IDLE_ROUNDS and time.monotonic() < until:
            self._round(needs, forced=rounds > 0, until=until)
            before, rounds = served, rounds + 1
            served = sum(1 for need in needs if need in self.at)
            idle = 0 if served > before else idle + 1

    def _round(self, needs: Collection[int], *, forced: bool, until: float) -> None:
        for project in self.asking:
            if time.monotonic() > until:
                return
            for _ in range(_WALKS):
                if not self._draw_in(project):
                    break
        waiting = sorted((i for i in needs if i not in self.at), key=lambda i: (self.amount[i], i))
        failed = 0
        for need in waiting:
            if time.monotonic() > until or failed == _FAILURES:
                break
            served = self._chain(need, _LOOKED_AT) or (forced and self._make_room(need))
            failed = 0 if served else failed + 1
        for need in waiting:
            if need not in self.at:
                self._take_the_place_of_a_dearer(need)
        for project in self.asking:
            if time.monotonic() > until:
                return
            if self.place[project] <= 0 and self.money[project] > 0:
                self._change_one_for_a_dearer(project)

    def _tightest(self, need: int, *, without: Collection[int] = ()) -> int | None:
        """The open project with the least money left that can take the need."""
        best, amount = None, self.amount[need]
        for project, _ in self.open_to[need]:
            left = self.money[project]
            open_to_it = left >= amount and self.place[project] > 0 and project not in without
            if open_to_it and (best is None or left < self.money[best]):
                best = project
        return best

    def _draw_in(self, project: int) -> bool:
        """Move a need here from where its leaving makes a larger gap: a large gap serves one who waits, two small do not."""
        gap, best, most = self.money[project], None, 0
        if gap < self._least or self.place[project] <= 0:
            return False
        for need in self.asking[project]:
            other, amount = self.at.get(need), self.amount[need]
            if other is None or other == project or amount > gap:
                continue
            more = amount * (self.money[other] + amount - gap)
            if more > most:
                best, most = need, more
        if best is None:
            return False
        self.take(best)
        self.put(best, project)
        return True

    def _chain(self, need: int, most: int) -> bool:
        """Serve a need by a chain of moves, each into the place of the next, looking at ``most`` others or a few more."""
        before: dict[int, tuple[int, int] | None] = {need: None}
        heap, looked = [(self.amount[need], need)], 0
        while heap and looked <= most:
            _, one = heapq.heappop(heap)
            amount, here = self.amount[one], self.at.get(one)
            used = set() if here is None else {here}
            step = before[one]
            while step is not None:
                used.add(step[1])
                step = before[step[0]]
            end = self._tightest(one, without=used)
            if end is not None:
                self._carry_out(one, end, before)
                return True
            for project, _ in self.open_to[one]:
                if project in used:
                    continue
                short = amount - self.money[project]
                looked += len(self.members[project])
                for other in self.members[project]:
                    if other not in before and self.amount[other] >= short:
                        before[other] = (one, project)
                        heapq.heappush(heap, (self.amount[other], other))
        return False

    def _carry_out(self, last: int, end: int, before: Mapping[int, tuple[int, int] | None]) -> None:
        path, step = [(last, end)], before[last]
        while step is not None:
            path.append(step)
            step = before[step[0]]
        for need, _ in path:
            if need in self.at:
                self.take(need)
        for need, project in path:
            self.put(need, project)

    def _make_room(self, need: int) -> bool:
        """Serve a need in the place of up to three others, each of which finds another or is less urgent."""
        roomy = sorted(self.open_to[need], key=lambda offer: (-self.money[offer[0]], offer[0]))
        for project, _ in roomy[:_MOST_OPTIONS]:
            short = self.amount[need] - self.money[project]
            members = sorted(self.members[project], key=lambda i: -self.amount[i])[:_MOST_MEMBERS]
            outs = [
                (max(self.amount[i] for i in out) + sum(self.amount[i] for i in out) - short, out)
                for size in range(1, _MOST_OUT + 1)
                for out in combinations(members, size)
                if sum(self.amount[i] for i in out) >= short
            ]
            if not outs:
                continue
            leaving = min(outs)[1]

            def step(leaving: Sequence[int] = leaving, project: int = project) -> bool:
                for one in leaving:
                    self.take(one)
                self.put(need, project)
                return all(
                    self._chain(one, _LOOKED_AT_BESIDES) or self.tier[one] > self.tier[need]
                    for one in leaving
                )

            if self._whole_or_not(step):
                return True
        return False

    def _take_the_place_of_a_dearer(self, need: int) -> bool:
        """Serve a need in the place of one as urgent that costs more: as many are served, and money is left."""
        for project, _ in self.open_to[need]:
            dearer = [
                other
                for other in self.members[project]
                if self.tier[other] == self.tier[need] and self.amount[other] > self.amount[need]
            ]
            if dearer:
                self.take(max(dearer, key=lambda i: (self.amount[i], i)))
                self.put(need, project)
                return True
        return False

    def _change_one_for_a_dearer(self, project: int) -> bool:
        """Where places are used up and money is left, change a member for a dearer one from elsewhere."""
        gap = self.money[project]
        changes = sorted(
            (gap + self.amount[out] - self.amount[into], self.amount[out], into, out)
            for into in self.asking[project]
            if self.at.get(into, project) != project and self.place[self.at[into]] > 0
            for out in self.members[project]
            if 0 < self.amount[into] - self.amount[out] <= gap
        )
        for _, _, into, out in changes[:_TRIED]:

            def step(into: int = into, out: int = out) -> bool:
                self.take(out)
                self.take(into)
                self.put(into, project)
                return self._chain(out, _LOOKED_AT_BESIDES)

            if self._whole_or_not(step):
                return True
        return False

    def _whole_or_not(self, step: Callable[[], bool]) -> bool:
        """Do a step of several moves; where it fails everything stands as before."""
        log = self._log = []
        done = step()
        self._log = None
        if done:
            return True
        for need, project in reversed(log):
            if project is None:
                self.take(need)
            else:
                self.put(need, project)
        return False
