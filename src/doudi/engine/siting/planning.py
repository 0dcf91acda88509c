"""From a siting question to a plan that can be laid before a meeting: sites, who goes where, what is proven."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from doudi.engine.siting.capacity import plan_within_capacity
from doudi.engine.siting.cover_all import cover_everyone
from doudi.engine.siting.coverage import CoverSets, maximise_coverage
from doudi.engine.siting.highs import Clock
from doudi.engine.siting.in_order import cover_in_order, in_turn
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.median import minimise_distance
from doudi.engine.siting.problem import (
    Aim,
    Answer,
    Bools,
    Candidates,
    Demand,
    Floats,
    Floor,
    Ints,
    Model,
    Reason,
    SitingError,
    Step,
)
from doudi.engine.siting.reach import Reach

_NAMED = 20


@dataclass(frozen=True)
class Served:
    """How much of one demand group (乡镇, 社区) is served: weights."""

    covered: float
    total: float


@dataclass(frozen=True)
class Plan:
    """A siting plan. ``status``: optimal (proven), feasible (``gap`` still open) or infeasible (proven).

    ``objective`` and ``bound``: covered weight, Σ weight × metres, or number of sites; ``gap`` is their
    difference over the objective. ``steps``: the aims in their order, where people in difficulty come first; then
    objective and gap are of persons, the wider gap of the two. ``assignment`` gives each demand id its site or None.
    ``why`` says what keeps
    a plan from being better, or from being at all. ``mean_metres`` is over the covered weight.
    """

    model: Model
    status: str
    objective: float | None
    bound: float | None
    gap: float | None
    sites: list[str]
    assignment: dict[str, str | None]
    covered_weight: float
    total_weight: float
    seconds: float
    reasons: list[Reason] = field(default_factory=list)
    mean_metres: float | None = None
    groups: dict[str, Served] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def why(self) -> str:
        """The reasons in one line, each in Chinese and English."""
        return " ".join(str(reason) for reason in self.reasons)


def plan_sites(
    model: Model,
    demand: Demand,
    candidates: Candidates,
    reach: Reach,
    *,
    sites: int | None = None,
    fixed: Bools | None = None,
    floors: list[Floor] | None = None,
    budget: float | None = None,
    leave_out_unreachable: bool = False,
    time_limit: float = 50.0,
    started: float | None = None,
) -> Plan:
    """Plan where to open sites (选址): at most ``sites``, the ``fixed`` ones kept, floors per candidate group kept.

    A coverage plan whose demand tells who is in difficulty (``Demand.hard``) covers them first, strictly; then
    all, then distance, then cost.

    ``time_limit`` is seconds from ``started`` (monotonic clock; now by default); reading lists may be counted in.
    With ``leave_out_unreachable`` a cover-all plan passes over points that no candidate reaches; without it
    such points make the plan infeasible. Raises :class:`SitingError` when time runs out before any plan is found.
    """
    begun = time.monotonic() if started is None else started
    # a tenth, at most two seconds, is kept back for the answer itself and for a solver that stops late
    clock = Clock(begun + time_limit - min(2.0, 0.1 * time_limit))
    if budget is not None and candidates.cost is None:
        raise SitingError(
            "给了预算，但候选点表没有 cost 列。", "A budget is given but the candidates have no cost."
        )
    kept = np.zeros(len(candidates.ids), dtype=bool) if fixed is None else fixed
    limits = Limits(candidates, sites=sites, fixed=kept, floors=floors or [], budget=budget)
    reasons = limits.contradictions()
    weight = demand.weight
    unreachable = np.flatnonzero(reach.nearest(1)[0][:, 0] < 0)
    if len(unreachable) and (model is not Model.COVER_ALL or not leave_out_unreachable):
        reason = _unreachable(demand, unreachable)
        if model is Model.COVER_ALL:
            reasons.append(reason)
    capacity = candidates.capacity
    if capacity is not None and not np.isfinite(capacity).any():
        capacity = None
    if capacity is not None and model is not Model.COVERAGE and not reasons:
        reasons += _too_little_room(demand, capacity, limits, unreachable)
    if reasons:
        return _infeasible(model, demand, reasons, begun)

    live = np.ones(len(weight), dtype=bool)
    live[unreachable] = model is not Model.COVER_ALL
    if capacity is not None:
        answer = _within_capacity(model, demand, reach, capacity, live, limits, clock)
    elif model is Model.COVERAGE and len(demand.hard):
        answer = cover_in_order(reach, weight, demand.hard, limits, clock)
    elif model is Model.COVERAGE:
        answer = maximise_coverage(CoverSets.merge(reach.within(), weight), limits, clock)
    elif model is Model.MEDIAN:
        answer = minimise_distance(reach, weight, limits, clock)
    else:
        answer = cover_everyone(reach.within()[np.flatnonzero(live)], limits, clock)
    if answer.infeasible:
        why = _why_not(model, reach, live, candidates, limits, capacity is not None)
        return _infeasible(model, demand, [why], begun)
    if answer.chosen is None or answer.objective is None:
        raise SitingError(
            f"{time_limit:g}秒内没有找到方案，也没有证明无解。请把 --time-limit 放长，或放宽条件。",
            f"Neither a plan nor a proof that none exists was found in {time_limit:g} s. "
            "Give a longer --time-limit or loosen the conditions.",
            code="no_plan_in_time",
            retry=True,
        )
    if len(unreachable):
        answer.notes.append(_unreachable(demand, unreachable))
    return _plan(model, demand, candidates, reach, answer, begun)


def _within_capacity(
    model: Model,
    demand: Demand,
    reach: Reach,
    capacity: Floats,
    live: Bools,
    limits: Limits,
    clock: Clock,
) -> Answer:
    def solve(worth: Floats, time: Clock, _start: Bools | None) -> Answer:
        return plan_within_capacity(model, reach, demand.weight, capacity, live, limits, time, worth)

    if model is Model.COVERAGE and len(demand.hard):
        return in_turn(solve, demand.weight, demand.hard, None, clock)
    return plan_within_capacity(model, reach, demand.weight, capacity, live, limits, clock)


def _plan(
    model: Model, demand: Demand, candidates: Candidates, reach: Reach, answer: Answer, begun: float
) -> Plan:
    assert answer.chosen is not None and answer.objective is not None
    opened = np.flatnonzero(answer.chosen)
    served_by, metres = reach.nearest_of(opened)
    if answer.served_by is not None:
        served_by = answer.served_by
    covered = served_by >= 0
    names = [None if j < 0 else candidates.ids[j] for j in served_by.tolist()]
    objective = answer.objective
    bound = objective if answer.bound is None else answer.bound
    open_gap = abs(bound - objective)
    gap = open_gap / abs(objective) if objective else None
    proven = answer.bound is not None and open_gap <= 1e-6 + 1e-9 * abs(objective)
    for step in answer.steps:  # of persons; distance and cost have a gap of their own
        if step.aim in (Aim.HARD, Aim.ALL) and not step.proven:
            proven = False
            gap = None if gap is None or step.gap is None else max(gap, step.gap)
    covered_weight = float(demand.weight[covered].sum())
    reasons = list(answer.notes)
    if not proven:
        reasons.append(
            Reason(
                "时间用完，尚未证明最优；目标值与界之间的差见 gap。",
                "Time ran out before the optimum was proven; gap is what is still open.",
            )
        )
    mean = None
    if answer.served_by is None and covered_weight > 0:
        mean = float(demand.weight[covered] @ metres[covered]) / covered_weight
    return Plan(
        model=model,
        status="optimal" if proven else "feasible",
        objective=objective,
        bound=objective if proven else answer.bound,
        gap=0.0 if proven else gap,
        sites=[candidates.ids[j] for j in opened.tolist()],
        assignment=dict(zip(demand.ids, names, strict=True)),
        covered_weight=covered_weight,
        total_weight=float(demand.weight.sum()),
        seconds=time.monotonic() - begun,
        reasons=reasons,
        mean_metres=mean,
        groups=_by_group(demand, covered),
        steps=answer.steps,
    )


def _by_group(demand: Demand, covered: Bools) -> dict[str, Served]:
    if not any(demand.group):
        return {}
    names, number = np.unique(np.array(demand.group), return_inverse=True)
    total = np.bincount(number, demand.weight)
    won = np.bincount(number, demand.weight * covered)
    return {str(name): Served(float(won[i]), float(total[i])) for i, name in enumerate(names)}


def _infeasible(model: Model, demand: Demand, reasons: list[Reason], begun: float) -> Plan:
    return Plan(
        model=model,
        status="infeasible",
        objective=None,
        bound=None,
        gap=None,
        sites=[],
        assignment=dict.fromkeys(demand.ids),
        covered_weight=0.0,
        total_weight=float(demand.weight.sum()),
        seconds=time.monotonic() - begun,
        reasons=reasons,
    )


def _named(demand: Demand, rows: Ints) -> str:
    shown = "、".join(demand.ids[i] for i in rows[:_NAMED].tolist())
    return shown + (" …" if len(rows) > _NAMED else "")


def _unreachable(demand: Demand, rows: Ints) -> Reason:
    weight = float(demand.weight[rows].sum())
    return Reason(
        f"有{len(rows)}个需求点（权重{weight:,.10g}）任何候选点都到不了：{_named(demand, rows)}。请增加候选点或放大半径。",
        f"{len(rows)} demand points (weight {weight:,.10g}) are out of reach of every candidate: "
        f"{_named(demand, rows)}. Add candidates or widen the radius.",
    )


def _too_little_room(demand: Demand, capacity: np.ndarray, limits: Limits, unreachable: Ints) -> list[Reason]:
    weight = demand.weight.copy()
    weight[unreachable] = 0.0
    reasons = []
    large = np.flatnonzero(weight > capacity.max())
    if len(large):
        reasons.append(
            Reason(
                f"有{len(large)}个需求点大于任何候选点的容量{capacity.max():,.10g}：{_named(demand, large)}。请拆分这些点。",
                f"{len(large)} demand points exceed every candidate's capacity {capacity.max():,.10g}: "
                f"{_named(demand, large)}. Split them.",
            )
        )
    room = capacity[limits.best(np.where(np.isfinite(capacity), capacity, weight.sum()))].sum()
    if room < weight.sum():
        reasons.append(
            Reason(
                f"条件之内容量合计最多{room:,.10g}，小于需求{weight.sum():,.10g}。请增加站点数或容量。",
                f"Within the limits the capacities sum to at most {room:,.10g}, less than the demand {weight.sum():,.10g}. "
                "Allow more sites or more capacity.",
            )
        )
    return reasons


def _why_not(
    model: Model, reach: Reach, live: Bools, candidates: Candidates, limits: Limits, has_capacity: bool
) -> Reason:
    if model is not Model.COVERAGE and not has_capacity:
        unlimited = Limits(
            candidates, sites=None, fixed=limits.fixed, floors=limits.floors, budget=limits.budget
        )
        rows = np.flatnonzero(live & (np.diff(reach.within().indptr) > 0))
        fewest = cover_everyone(reach.within()[rows], unlimited, Clock.of(10.0))
        if fewest.objective is not None and fewest.bound is not None and fewest.bound > limits.sites:
            return Reason(
                f"让每个需求点都有可达的站点至少要{fewest.bound:g}个点，超过总点数{limits.asked_sites}。",
                f"At least {fewest.bound:g} sites are needed to reach every demand point; "
                f"only {limits.asked_sites} may be open.",
            )
    parts = [("总点数", "the number of sites", limits.asked_sites is not None)]
    parts += [("分组上下限", "the floors and caps of groups", bool(limits.floors))]
    parts += [("预算", "the budget", limits.budget is not None), ("容量", "the capacities", has_capacity)]
    zh = "、".join(name for name, _, present in parts if present)
    en = ", ".join(name for _, name, present in parts if present)
    return Reason(
        f"半径（可达关系）与{zh}合在一起无解：没有一组站点能让每个需求点都得到服务。请放宽其中之一。",
        f"Reach together with {en} has no solution: no set of sites serves every demand point. Loosen one of them.",
    )
