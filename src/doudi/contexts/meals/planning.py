"""Where to open meal places (选址): ask, answer with a proven gap, try changes, compare, adopt.

The engine plans; here its questions come from the register, from files and from what exists, and its answers are kept
as they were given. Who plans does not adopt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.plan_models import SitePlan
from doudi.contexts.meals.plan_questions import (
    Place,
    Point,
    Question,
    by_road,
    elders,
    existing_places,
    keep_points,
    province_question,
    read_places,
    read_points,
)
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused
from doudi.engine.errors import DoudiError
from doudi.engine.packs.siting import CommunityCoverage
from doudi.engine.siting import (
    Aim,
    Candidates,
    CoordinateReach,
    Demand,
    Floor,
    Model,
    Plan,
    Reach,
    Roads,
    Step,
    plan_sites,
    road_reach,
)

__all__ = [
    "MOST_SECONDS",
    "Change",
    "Compared",
    "Place",
    "PlanNotFound",
    "Point",
    "Question",
    "StepRefused",
    "adopt_plan",
    "by_road",
    "compare",
    "elders",
    "existing_places",
    "keep_points",
    "make_plan",
    "planned_sites",
    "plans",
    "province_question",
    "question_of",
    "read_places",
    "read_points",
    "site_plan",
    "what_if",
]

MOST_POINTS = 25_000
MOST_SECONDS = 60.0


class PlanNotFound(DoudiError):
    """No such plan that the asker may see."""

    code = "plan_not_found"


# ---- ask and answer ----------------------------------------------------------------------------------------------


def make_plan(question: Question, *, token: str, name: str, region_code: str, by: User) -> SitePlan:
    """Answer a question and keep both (编制方案); ``token`` names the form, sent twice it is one plan.

    The search runs before anything is locked. An infeasible question is kept too, with the reason.
    """
    require(by, Act.PLAN_SITES, region_code=region_code)
    again = SitePlan.objects.filter(token=token).first()
    if again is not None:
        return again
    _refuse(question, name)
    made = _solve(question)
    return _keep(question, _result(question, made), token=token, name=name, region_code=region_code, by=by)


def _refuse(question: Question, name: str) -> None:
    if not name.strip():
        raise StepRefused("请填写方案名称。", "Give the plan a name.")
    if not question.points or not question.places:
        raise StepRefused("没有需求点或候选点。", "There is no demand or no candidate.")
    if len(question.points) > MOST_POINTS:
        raise StepRefused(
            f"需求点最多 {MOST_POINTS} 个；全省请按村汇总。", f"At most {MOST_POINTS} demand points."
        )
    if question.model not in set(Model) or not 1 <= question.time_limit <= MOST_SECONDS:
        raise StepRefused(
            f"请选择模型；计算时间 1 到 {MOST_SECONDS:g} 秒。",
            f"Choose the model and 1 to {MOST_SECONDS:g} seconds.",
        )
    if question.model != Model.COVER_ALL and not question.sites:
        raise StepRefused("请填写最多开几个点。", "Say how many sites may be open.")


def _demand(question: Question) -> Demand:
    points = question.points
    return Demand(
        ids=[point.id for point in points],
        weight=np.array([point.persons for point in points], dtype=np.float64),
        lon=np.array([point.lon for point in points]),
        lat=np.array([point.lat for point in points]),
        radius=np.array([np.nan if point.radius is None else point.radius for point in points]),
        group=[point.group for point in points],
        # who is in special difficulty is covered first (handbook 05 §5.3)
        hard=np.array([point.hard for point in points], dtype=np.float64),
    )


def _candidates(places: Sequence[Place], *, capacity: bool = True) -> Candidates:
    costs = [place.cost for place in places]
    return Candidates(
        ids=[place.id for place in places],
        lon=np.array([place.lon for place in places]),
        lat=np.array([place.lat for place in places]),
        capacity=np.array([np.inf if p.capacity is None else p.capacity for p in places])
        if capacity
        else None,
        cost=None if all(cost is None for cost in costs) else np.array([cost or 0.0 for cost in costs]),
        group=[place.group for place in places],
    )


def _on_foot(question: Question) -> Reach:
    """Who walks to which place: by road where a table is given, else by straight line × detour."""
    demand, places = _demand(question), _candidates(question.places)
    radii = np.where(np.isnan(demand.radius), question.radius, demand.radius)
    at = (demand.lon, demand.lat), (places.lon, places.lat)
    if question.roads is None:
        return CoordinateReach(*at, radius=radii, detour=question.detour)
    return road_reach(question.roads, *at, radius=radii, detour=question.detour)


def _by_courier(question: Question) -> Reach:
    """Who can be brought a meal: the table of ways on foot says nothing of vehicles, so by straight line × detour."""
    demand, places = _demand(question), _candidates(question.places)
    return CoordinateReach(
        (demand.lon, demand.lat),
        (places.lon, places.lat),
        radius=np.full(len(demand.ids), question.delivery_radius),
        detour=question.detour,
    )


def _solve(question: Question) -> Plan:
    demand = _demand(question)
    places = _candidates(question.places)
    reach = _on_foot(question)
    return plan_sites(
        Model(question.model),
        demand,
        places,
        reach,
        sites=question.sites,
        fixed=np.array([place.existing for place in question.places]),
        floors=list(question.floors),
        budget=question.budget if places.cost is not None else None,
        leave_out_unreachable=True,
        time_limit=question.time_limit,
    )


def _result(question: Question, made: Plan) -> dict[str, Any]:
    return {
        "status": made.status,
        "objective": made.objective,
        "bound": made.bound,
        "gap": made.gap,
        "sites": made.sites,
        "seconds": round(made.seconds, 2),
        "reasons": [[reason.zh, reason.en] for reason in made.reasons],
        "steps": [[str(step.aim), step.value, step.bound, step.gap] for step in made.steps],
        **_figures(question, made.sites, made.assignment),
    }


def _figures(
    question: Question, opened: Sequence[str], assignment: Mapping[str, str | None]
) -> dict[str, Any]:
    """Persons covered, by group too, and how places are served: on foot, by delivery, not at all."""
    far = _by_courier(question)
    numbers = {place.id: row for row, place in enumerate(question.places)}
    open_rows = np.array([numbers[name] for name in opened], dtype=np.int64)
    carried, _metres = (
        far.nearest_of(open_rows) if len(open_rows) else (np.full(len(question.points), -1), None)
    )
    groups: dict[str, list[float]] = {}
    loads: dict[str, float] = {}
    communities: dict[str, int] = {}
    sums = [0.0, 0.0, 0.0, 0.0, 0.0]
    for row, point in enumerate(question.points):
        site = assignment.get(point.id)
        walks, carries = site is not None, bool(carried[row] >= 0)
        of_group = groups.setdefault(point.group, [0.0, 0.0, 0.0, 0.0, 0.0])
        parts = (
            point.persons if walks else 0.0,
            point.persons,
            point.hard if walks else 0.0,
            point.hard,
            point.persons if walks or carries else 0.0,
        )
        for place, part in enumerate(parts):
            of_group[place] += part
            sums[place] += part
        if site is not None:
            loads[site] = loads.get(site, 0.0) + point.persons
        name = point.id.removesuffix("-f")
        communities[name] = max(communities.get(name, 0), 2 if walks else 1 if carries else 0)
    served = list(communities.values())
    coverage = CommunityCoverage(len(served), served.count(2), served.count(1))
    return {
        "assignment": dict(assignment),
        "covered": sums[0],
        "total": sums[1],
        "hard_covered": sums[2],
        "hard_total": sums[3],
        "with_delivery": sums[4],
        "groups": groups,
        "loads": loads,
        "communities": [coverage.communities, coverage.with_point, coverage.with_delivery_only],
    }


@transaction.atomic
def _keep(
    question: Question,
    result: dict[str, Any],
    *,
    token: str,
    name: str,
    region_code: str,
    by: User,
    parent: SitePlan | None = None,
) -> SitePlan:
    take_turn()
    again = SitePlan.objects.filter(token=token).first()
    if again is not None:
        return again
    plan = SitePlan.objects.create(
        number=next_number(SitePlan, "XZ", timezone.localdate()),
        token=token,
        name=name.strip()[:80],
        region_code=region_code,
        parent=parent,
        settings={
            "model": question.model,
            "sites": question.sites,
            "radius": question.radius,
            "detour": question.detour,
            "delivery_radius": question.delivery_radius,
            "floors": [[floor.group, floor.at_least, floor.at_most] for floor in question.floors],
            "budget": question.budget,
            "time_limit": question.time_limit,
        },
        demand=[[p.id, p.lon, p.lat, p.persons, p.hard, p.radius, p.group] for p in question.points],
        candidates=[
            [p.id, p.lon, p.lat, p.name, p.capacity, p.cost, p.group, p.existing, p.synthetic]
            for p in question.places
        ],
        roads=_kept_roads(question),
        result=result,
        notes=[list(note) for note in question.notes],
        made_by=by.username,
    )
    record(
        by=by,
        act="make_plan",
        subject=f"plan:{plan.number}",
        region_code=region_code,
        detail={"status": result["status"], "gap": result["gap"], "sites": len(result["sites"])},
    )
    return plan


def _kept_roads(question: Question) -> list[list[float]]:
    roads = question.roads
    if roads is None:
        return []
    columns = roads.row.tolist(), roads.place.tolist(), np.round(roads.metres, 1).tolist()
    return [list(pair) for pair in zip(*columns, strict=True)]


def question_of(plan: SitePlan) -> Question:
    """The question of a kept plan, to be asked again with a change."""
    asked = plan.settings
    return Question(
        model=asked["model"],
        sites=asked["sites"],
        radius=asked["radius"],
        detour=asked["detour"],
        delivery_radius=asked["delivery_radius"],
        floors=tuple(Floor(*floor) for floor in asked["floors"]),
        budget=asked["budget"],
        time_limit=asked["time_limit"],
        points=tuple(Point(*row) for row in plan.demand),
        places=tuple(Place(*row) for row in plan.candidates),
        notes=tuple((zh, en) for zh, en in plan.notes),
        roads=_roads_of(plan.roads),
    )


def _roads_of(kept: list[list[float]]) -> Roads | None:
    if not kept:
        return None
    row, place, metres = (np.array(column) for column in zip(*kept, strict=True))
    return Roads(row.astype(np.int64), place.astype(np.int64), metres.astype(np.float64))


def plans(*, by: User) -> QuerySet[SitePlan]:
    """The plans of the account's area, newest first; one of a wider area is seen by who answers for that area."""
    require(by, Act.VIEW_PLANS)
    return SitePlan.objects.filter(region_code__startswith=by.region_code).defer(
        "demand", "candidates", "roads"
    )


def site_plan(number: str, *, by: User) -> SitePlan:
    """One plan that ``by`` may see, or :class:`PlanNotFound`."""
    found = SitePlan.objects.filter(number=number, region_code__startswith=by.region_code).first()
    require(by, Act.VIEW_PLANS)
    if found is None:
        raise PlanNotFound(f"没有找到选址方案 {number}。", f"No siting plan {number} for you.")
    return found


# ---- what if -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What is tried: sites closed, candidates opened, points moved, points added (longitude, latitude)."""

    close: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    move: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    add: tuple[tuple[float, float], ...] = ()


def what_if(number: str, change: Change, *, token: str, name: str, by: User) -> SitePlan:
    """Try another set of sites over the same demand (试算), and say how far it is from the best of as many sites.

    The set stands as it is asked for; its gap is against the proven bound for that number of sites.
    """
    parent = site_plan(number, by=by)
    require(by, Act.PLAN_SITES, region_code=parent.region_code)
    again = SitePlan.objects.filter(token=token).first()
    if again is not None:
        return again
    asked = question_of(parent)
    known = {place.id for place in asked.places}
    if strange := (set(change.close) | set(change.open) | set(change.move)) - known:
        raise StepRefused(f"没有候选点 {min(strange)}。", f"No candidate {min(strange)}.")
    places = [_moved(place, change) for place in asked.places]
    added = [
        Place(f"新增{row + 1}", lon, lat, f"新增{row + 1}", group=parent.region_code[:6])
        for row, (lon, lat) in enumerate(change.add)
        if f"新增{row + 1}" not in known
    ]
    opened = [name for name in parent.result["sites"] if name not in change.close]
    opened += [name for name in change.open if name not in opened] + [place.id for place in added]
    if not opened:
        raise StepRefused("至少留一个点。", "At least one site stays open.")
    moved = {row for row, place in enumerate(asked.places) if place.id in change.move}
    asked = _with(
        asked, places=(*places, *added), sites=len(opened), roads=_without(asked.roads, sorted(moved))
    )
    return _keep(
        asked,
        _as_given(asked, opened),
        token=token,
        name=name or f"{parent.name} 试算",
        region_code=parent.region_code,
        by=by,
        parent=parent,
    )


def _moved(place: Place, change: Change) -> Place:
    lon, lat = change.move.get(place.id, (place.lon, place.lat))
    kept = place.existing and place.id not in change.close
    return Place(
        place.id, lon, lat, place.name, place.capacity, place.cost, place.group, kept, place.synthetic
    )


def _without(roads: Roads | None, moved: list[int]) -> Roads | None:
    """The table without the places that moved: their ways are reckoned anew, by coordinates."""
    if roads is None or not moved:
        return roads
    stays = ~np.isin(roads.place, moved)
    return Roads(roads.row[stays], roads.place[stays], roads.metres[stays])


def _with(asked: Question, **changed: Any) -> Question:
    return Question(**{**{name: getattr(asked, name) for name in Question.__dataclass_fields__}, **changed})


def _as_given(asked: Question, opened: list[str]) -> dict[str, Any]:
    """Figures of a given set, its objective, and the bound that the best set of as many sites cannot pass.

    Where people in difficulty come first, the aims are compared in their order up to the first that falls short.
    """
    began = time.monotonic()
    reach = _on_foot(asked)
    numbers = {place.id: row for row, place in enumerate(asked.places)}
    served, metres = reach.nearest_of(np.array([numbers[name] for name in opened], dtype=np.int64))
    demand = _demand(asked)
    covered = served >= 0
    best = _solve(_with(asked, floors=()))
    objective, bound = float(demand.weight[covered].sum()), best.bound
    steps: list[list[Any]] = []
    if asked.model == Model.MEDIAN:
        objective = float(demand.weight[covered] @ metres[covered])
    elif asked.model == Model.COVER_ALL:
        objective = float(len(opened))
    for step in best.steps:
        if step.aim not in (Aim.HARD, Aim.ALL):
            break
        of = demand.hard if step.aim is Aim.HARD else demand.weight
        given = Step(step.aim, float(of[covered].sum()), step.bound)
        objective, bound = given.value, given.bound
        steps.append([str(given.aim), given.value, given.bound, given.gap])
        if given.value < step.value - 1e-9:
            break
    gap = None
    if bound is not None and objective:
        gap = abs(bound - objective) / abs(objective)
    assignment = {
        point.id: asked.places[j].id if j >= 0 else None
        for point, j in zip(asked.points, served.tolist(), strict=True)
    }
    left = int((~covered).sum())
    reasons = [["按给定的点计算，未重新优选；差距是与同样点数的最优界相比。",
                "As given, not searched anew; the gap is to the bound of the best set of as many sites."]]  # fmt: skip
    if left:
        reasons.append(
            [f"有 {left} 个需求点不在步行半径内。", f"{left} demand points are out of walking reach."]
        )
    return {
        "status": "given",
        "objective": objective,
        "bound": bound,
        "gap": gap,
        "sites": opened,
        "seconds": round(time.monotonic() - began, 2),
        "reasons": reasons,
        "steps": steps,
        **_figures(asked, opened, assignment),
    }


# ---- adopt -------------------------------------------------------------------------------------------------------


@transaction.atomic
def adopt_plan(number: str, *, by: User) -> list[Site]:
    """Adopt a plan (采纳): its new sites become places in the state planned; each opens with a licence alone.

    By the leader, who did not make it; adopted twice it is once. Only a plan without an open reason is adopted.
    """
    take_turn()
    plan = site_plan(number, by=by)
    require(by, Act.ADOPT_PLAN, region_code=plan.region_code)
    if plan.made_by == by.username:
        raise StepRefused(
            "编制人不能采纳自己的方案。", "Who made a plan does not adopt it.", code="same_person"
        )
    made = planned_sites(plan)
    if plan.state == SitePlan.State.ADOPTED:
        return made
    if plan.result["status"] == "infeasible" or not plan.result["sites"]:
        raise StepRefused("无解的方案不能采纳。", "A plan without a solution is not adopted.")
    for row, place in enumerate(_new_places(plan)):
        site, _new = Site.objects.get_or_create(
            code=f"{plan.number}-{row + 1}",
            defaults={
                "name": place.name or f"规划点 {place.id}",
                "kind": Site.Kind.CANTEEN,
                "state": Site.State.PLANNED,
                "region_code": _region_of(place, plan),
                "longitude": place.lon,
                "latitude": place.lat,
                "organisation": f"{plan.number}-{row + 1}",
            },
        )
        made.append(site)
    plan.state, plan.adopted_by, plan.adopted_at = SitePlan.State.ADOPTED, by.username, timezone.now()
    plan.save(update_fields=["state", "adopted_by", "adopted_at"])
    record(
        by=by,
        act="adopt_plan",
        subject=f"plan:{number}",
        region_code=plan.region_code,
        detail={"sites": [site.code for site in made]},
    )
    return made


def planned_sites(plan: SitePlan) -> list[Site]:
    """The places that a plan became when it was adopted."""
    return list(Site.objects.filter(code__startswith=f"{plan.number}-"))


def _new_places(plan: SitePlan) -> list[Place]:
    chosen = set(plan.result["sites"])
    return [
        place
        for place in (Place(*row) for row in plan.candidates)
        if place.id in chosen and not place.existing
    ]


def _region_of(place: Place, plan: SitePlan) -> str:
    code = place.id.removesuffix("-f")
    if code.isdigit() and len(code) in (6, 9, 12) and code.startswith(plan.region_code):
        return code
    return (
        place.group
        if place.group.isdigit() and place.group.startswith(plan.region_code)
        else plan.region_code
    )


# ---- two plans side by side --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One group of two plans: persons covered by each, of how many."""

    group: str
    total: float
    first: float
    second: float

    @property
    def difference(self) -> float:
        return self.second - self.first


def compare(first: SitePlan, second: SitePlan) -> list[Compared]:
    """Coverage of two plans by group, the largest difference first; groups of one alone count nought in the other."""
    a, b = first.result["groups"], second.result["groups"]
    rows = [
        Compared(
            name,
            max(a.get(name, [0, 0])[1], b.get(name, [0, 0])[1]),
            a.get(name, [0])[0],
            b.get(name, [0])[0],
        )
        for name in sorted(set(a) | set(b))
    ]
    return sorted(rows, key=lambda row: -abs(row.difference))
