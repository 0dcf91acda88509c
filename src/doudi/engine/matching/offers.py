"""Who may help whom: purpose, group, area, interested persons and budget decide which projects a need may use.

In come needs and projects; out come *offers*: needs alike form a class, projects alike stand on a shelf, and
a class sees a few shelves. 200,000 needs and 10,000 projects, with many millions of possible pairs, stay a
network of some hundred thousand lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from doudi.engine.errors import DoudiError

Ints = npt.NDArray[np.integer]


class MatchingError(DoudiError):
    """Needs and projects cannot be matched as given."""

    code = "matching"


@dataclass(frozen=True, slots=True)
class Need:
    """A consented need of one household (需求): its gap, how urgent it is and how long it has waited.

    ``amount`` is the gap in the unit of the projects' budgets (fen in doudi), served whole by one project or
    not at all; None asks for a place and no money. ``tier`` 1 is the most urgent. ``gap_to_income`` is the gap
    as a share of the household's yearly income where it is known; it orders needs of one tier before waiting.
    """

    id: str
    tier: int
    amount: int | None = None
    region: str = ""
    kind: str = ""
    group: str = ""
    waiting_days: int = 0
    gap_to_income: float | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A charity project (慈善项目) and what its plan and its donors allow.

    ``places`` and ``budget`` limit it, None is no limit; empty ``kinds`` or ``groups`` take any; ``region`` is
    the leading digits of the division code it may work in. ``interested_persons`` are needs of persons tied
    to its donor or manager, who may not be helped by it (慈善法 art. 40, 59).
    """

    id: str
    places: int | None = None
    budget: int | None = None
    region: str = ""
    kinds: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    interested_persons: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Offers:
    """The projects open to each need: needs stand in classes, a class sees shelves, a shelf holds projects.

    ``of_need[i]`` is the class of need i; class c sees ``shelf[seen[c]:seen[c + 1]]``; shelf s holds
    ``project[start[s]:start[s + 1]]`` (ascending) with ``fit`` (a whole number, ``scale`` to one point). The
    shelves that one class sees share no project. ``built_in`` tells whether the conditions of the projects
    made the offers, or a file.
    """

    of_need: Ints
    seen: Ints
    shelf: Ints
    start: Ints
    project: Ints
    fit: Ints
    scale: int = 1
    built_in: bool = True

    def __post_init__(self) -> None:
        # millions of offers: 32 bits each keep a province within a small server's memory
        object.__setattr__(self, "project", self.project.astype(np.int32, copy=False))
        object.__setattr__(self, "fit", self.fit.astype(np.int32, copy=False))

    def shelves(self, need: int) -> list[int]:
        """The shelves need ``need`` sees."""
        group = self.of_need[need]
        found: list[int] = self.shelf[self.seen[group] : self.seen[group + 1]].tolist()
        return found

    def on(self, shelf: int) -> list[tuple[int, int]]:
        """The (project, fit) pairs on a shelf, by index."""
        part = slice(self.start[shelf], self.start[shelf + 1])
        return list(zip(self.project[part].tolist(), self.fit[part].tolist(), strict=True))

    def of(self, need: int) -> list[tuple[int, int]]:
        """The (project, fit) pairs open to need ``need``, by index, in the order of the projects."""
        return sorted(pair for shelf in self.shelves(need) for pair in self.on(shelf))

    def without(self, closed: npt.NDArray[np.bool_]) -> Offers:
        """The same offers with nothing open to the needs marked ``closed``."""
        if not closed.any():
            return self
        of_need = self.of_need.copy()
        of_need[closed] = len(self.seen) - 1
        return replace(self, of_need=of_need, seen=np.append(self.seen, self.seen[-1]))


def region_allows(project_region: str, need_region: str) -> bool:
    """Whether a need's division code lies in a project's area: its leading digits agree."""
    return need_region.startswith(project_region)


def built_in_fit(project: Project) -> int:
    """How closely a project is meant for those it is open to, 0 to 100: 40 if it names kinds, 30 groups, 30 by area.

    Restricted money goes first where it can, so that free money stays for those nobody names.
    """
    named = 40 * bool(project.kinds) + 30 * bool(project.groups)
    return named + min(30, 5 * ((len(project.region) + 1) // 2))


def built_in_offers(needs: Sequence[Need], projects: Sequence[Project]) -> Offers:
    """Offers by the projects' own conditions: kind, group, area and interested persons.

    A project stands on the shelf of each (area, kind, group) it names, "" for any; a need sees the shelves of
    its code's leading digits. A need tied to a project has a shelf of its own without it. The budget is not a
    condition here: the sum of all grants is checked when needs are assigned.
    """
    barred: defaultdict[str, set[int]] = defaultdict(set)
    contents: list[list[int]] = []
    shelf_at: dict[tuple[str, str, str], int] = {}
    for index, project in enumerate(projects):
        for person in project.interested_persons:
            barred[person].add(index)
        for kind in project.kinds or {""}:
            for group in project.groups or {""}:
                key = (project.region, kind, group)
                if key not in shelf_at:
                    shelf_at[key] = len(contents)
                    contents.append([])
                contents[shelf_at[key]].append(index)
    lengths = sorted({len(project.region) for project in projects})

    class_at: dict[tuple[str, str, str], int] = {}
    seen, shelves = [0], list[int]()
    of_need = np.empty(len(needs), dtype=np.int64)
    for position, need in enumerate(needs):
        signature = (need.region, need.kind, need.group)
        tied = barred.get(need.id)
        if not tied and signature in class_at:
            of_need[position] = class_at[signature]
            continue
        sees = sorted(
            shelf_at[key]
            for length in lengths
            if length <= len(need.region)
            for kind in {need.kind, ""}
            for group in {need.group, ""}
            if (key := (need.region[:length], kind, group)) in shelf_at
        )
        if tied:
            contents.append(sorted(index for shelf in sees for index in contents[shelf] if index not in tied))
            sees = [len(contents) - 1]
        else:
            class_at[signature] = len(seen) - 1
        of_need[position] = len(seen) - 1
        shelves += sees
        seen.append(len(shelves))

    fits = [built_in_fit(project) for project in projects]
    start = np.concatenate(([0], np.cumsum([len(shelf) for shelf in contents], dtype=np.int64)))
    chosen = [index for shelf in contents for index in shelf]
    return Offers(
        of_need, _ints(seen), _ints(shelves), start, _ints(chosen), _ints([fits[index] for index in chosen])
    )


def listed_offers(
    needs: Sequence[Need],
    projects: Sequence[Project],
    need: Ints,
    project: Ints,
    fit: Ints,
    *,
    scale: int = 1,
) -> Offers:
    """Offers by a given list of triples (need index, project index, fit), minus the interested persons.

    A list may widen or narrow purpose and area; the ban of 慈善法 art. 40 it may not lift.
    """
    place = {one.id: index for index, one in enumerate(needs)}
    banned = [
        place[person] * len(projects) + index
        for index, one in enumerate(projects)
        for person in one.interested_persons
        if person in place
    ]
    if banned:
        keep = ~np.isin(need.astype(np.int64) * len(projects) + project, _ints(banned))
        need, project, fit = need[keep], project[keep], fit[keep]
    order = np.lexsort((project, need))
    need = need[order]
    start = np.searchsorted(need, np.arange(len(needs) + 1))
    own = np.arange(len(needs) + 1, dtype=np.int64)
    return Offers(
        own[:-1], own, own[:-1], start.astype(np.int64), project[order], fit[order], scale, built_in=False
    )


def conditions_against(need: Need, projects: Sequence[Project]) -> Mapping[str, list[str]]:
    """Which condition takes each project away from a need: project ids by ``person``, ``region``, ``kind``, ``group``.

    A project is named under the first condition that fails, in that order; one that fits is not named.
    """
    against: dict[str, list[str]] = {"person": [], "region": [], "kind": [], "group": []}
    for project in projects:
        if need.id in project.interested_persons:
            against["person"].append(project.id)
        elif not region_allows(project.region, need.region):
            against["region"].append(project.id)
        elif project.kinds and need.kind not in project.kinds:
            against["kind"].append(project.id)
        elif project.groups and need.group not in project.groups:
            against["group"].append(project.id)
    return against


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
