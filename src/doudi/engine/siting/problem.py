"""The question a siting plan answers: who must be served, where a meal place may stand, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from doudi.engine.errors import DoudiError

Floats = NDArray[np.float64]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]


class SitingError(DoudiError):
    """A siting question cannot be put as it stands: a list or an option contradicts itself."""

    code = "siting"


class Model(StrEnum):
    """What the plan shall achieve: 最大覆盖, 总距离最短, 全覆盖最少点."""

    COVERAGE = "coverage"
    MEDIAN = "median"
    COVER_ALL = "cover-all"


@dataclass(frozen=True)
class Demand:
    """Elders by place (需求点): ``ids`` unique, ``weight`` ≥ 0 in persons or meals, all of one length N.

    ``lon``/``lat`` are WGS84 degrees, empty when distances come from a table; ``radius`` is metres for this
    point (nan: the plan's radius); ``group`` is a township or community for the coverage table, "" for none.
    ``hard``: of the weight, who is in special difficulty and comes first (特殊困难老年人); empty: nobody is told apart.
    """

    ids: list[str]
    weight: Floats
    lon: Floats = field(default_factory=lambda: np.empty(0))
    lat: Floats = field(default_factory=lambda: np.empty(0))
    radius: Floats = field(default_factory=lambda: np.empty(0))
    group: list[str] = field(default_factory=list)
    hard: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Candidates:
    """Places where a site may stand (候选点), all of one length M.

    ``capacity`` is in the unit of the demand weight (inf: not limited); ``cost`` in any one unit of money,
    ``None`` when the list has no costs; ``group`` is "" where a place belongs to none.
    """

    ids: list[str]
    lon: Floats = field(default_factory=lambda: np.empty(0))
    lat: Floats = field(default_factory=lambda: np.empty(0))
    capacity: Floats | None = None
    cost: Floats | None = None
    group: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Floor:
    """A duty on one group of candidates: at least so many sites (至少), at most so many (至多; None: no limit)."""

    group: str
    at_least: int
    at_most: int | None = None


@dataclass(frozen=True)
class Reason:
    """Why something is so, for the clerk in Chinese and in English."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} {self.en}"


class Aim(StrEnum):
    """What a plan is good at, in the order in which it is asked of coverage (困难老人、全部老人、路程、费用)."""

    HARD = "hard"
    ALL = "all"
    DISTANCE = "distance"
    COST = "cost"


@dataclass(frozen=True)
class Step:
    """One aim of a plan: its value, and the bound that no plan as good in the aims before it can pass.

    Persons for hard and all; metres a person on average for distance; the unit of the cost list for cost.
    """

    aim: Aim
    value: float
    bound: float

    @property
    def proven(self) -> bool:
        """Whether nothing is open between value and bound."""
        return abs(self.bound - self.value) <= 1e-6 + 1e-9 * abs(self.value)

    @property
    def gap(self) -> float | None:
        """What is open over the value; 0.0 where nothing is, None where the value is nought."""
        if self.proven:
            return 0.0
        return abs(self.bound - self.value) / abs(self.value) if self.value else None


@dataclass
class Answer:
    """What one solver found: open sites, objective, a proven bound on it, notes, and the aims in their order.

    ``chosen`` is a mask over the candidates, ``None`` when no plan exists or none was found in time;
    ``served_by`` gives a candidate per demand point (−1: nobody), or ``None`` for "the nearest open site in
    reach"; ``infeasible`` says that no plan exists, proven.
    """

    chosen: Bools | None
    objective: float | None
    bound: float | None
    served_by: Ints | None = None
    infeasible: bool = False
    notes: list[Reason] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def grain(values: Floats) -> float:
    """The step (1, 0.1, 0.01 or 0.001) of which every sum of ``values`` is a multiple; 0.0 when there is none.

    Two different objectives differ by at least one step: a bound less than a step away proves the optimum.
    """
    for step, scale in ((1.0, 1), (0.1, 10), (0.01, 100), (0.001, 1000)):
        scaled = values * scale
        if np.abs(scaled).max(initial=0.0) < 2**40 and np.all(np.abs(scaled - np.round(scaled)) < 1e-7):
            return step
    return 0.0
