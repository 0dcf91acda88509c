"""Who may help whom: purpose, group, area, interested persons and budget decide which projects a need may use.

In come needs and projects; out come *offers*: needs with the same list of projects share one class, so that
200,000 needs with a few thousand kinds of list stay a small network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    """The projects open to each need, in classes of needs with the same list.

    ``of_need[i]`` is the class of need i; class c may use ``project[start[c]:start[c + 1]]`` with ``fit`` (a
    whole number, ``scale`` to one point). ``built_in`` tells whether the conditions of the projects made the
    list, or a file.
    """

    of_need: Ints
    start: Ints
    project: Ints
    fit: Ints
    scale: int = 1
    built_in: bool = True
    classes: Ints = field(init=False)

    def __post_init__(self) -> None:
        # millions of offers: 32 bits each keep a province within a small server's memory
        object.__setattr__(self, "project", self.project.astype(np.int32, copy=False))
        object.__setattr__(self, "fit", self.fit.astype(np.int32, copy=False))
        object.__setattr__(self, "classes", np.bincount(self.of_need, minlength=len(self.start) - 1))

    def of(self, need: int) -> list[tuple[int, int]]:
        """The (project, fit) pairs open to need ``need``, by index, in the order of the projects."""
        group = self.of_need[need]
        part = slice(self.start[group], self.start[group + 1])
        return list(zip(self.project[part].tolist(), self.fit[part].tolist(), strict=True))


def region_allows(project_region: str, need_region: str) -> bool:
    """Whether a need's division code lies in a project's area: its leading digits agree."""
    return need_region.startswith(project_region)


def built_in_fit(need: Need, project: Project) -> int:
    """How closely a project is meant for a need, 0 to 100: 40 if it names the kind, 30 the group, 30 by area.

    Restricted money goes first where it can, so that free money stays for those nobody names.
    """
    named = 40 * bool(project.kinds) + 30 * bool(project.groups)
    return named + min(30, 5 * ((len(project.region) + 1) // 2))


def built_in_offers(needs: Sequence[Need], projects: Sequence[Project]) -> Offers:
    """Offers by the projects' own conditions: kind, group, area and interested persons.

    The budget is not a condition here: the sum of all grants is checked when needs are assigned.
    """
    blocked: defaultdict[str, set[int]] = defaultdict(set)
    for index, project in enumerate(projects):
        for person in project.interested_persons:
            blocked[person].add(index)
    by_kind: defaultdict[str, list[int]] = defaultdict(list)
    for index, project in enumerate(projects):
        for kind in project.kinds or {""}:
            by_kind[kind].append(index)

    lists: dict[tuple[str, str, str], list[int]] = {}
    class_of: dict[tuple[str, str, str, frozenset[int]], int] = {}
    start, chosen, fits = [0], list[int](), list[int]()
    of_need = np.empty(len(needs), dtype=np.int64)
    for position, need in enumerate(needs):
        signature = (need.region, need.kind, need.group)
        barred = frozenset(blocked.get(need.id, ()))
        key = (*signature, barred)
        group = class_of.get(key)
        if group is None:
            if signature not in lists:
                named = by_kind[need.kind] if need.kind else []
                lists[signature] = sorted(
                    index
                    for index in {*named, *by_kind[""]}
                    if region_allows(projects[index].region, need.region)
                    and (not projects[index].groups or need.group in projects[index].groups)
                )
            open_to = [index for index in lists[signature] if index not in barred]
            group = class_of[key] = len(start) - 1
            chosen += open_to
            fits += [built_in_fit(need, projects[index]) for index in open_to]
            start.append(len(chosen))
        of_need[position] = group
    return Offers(of_need, _ints(start), _ints(chosen), _ints(fits))


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
    own_class = np.arange(len(needs), dtype=np.int64)
    return Offers(own_class, start.astype(np.int64), project[order], fit[order], scale, built_in=False)


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
