"""Plans from coordinates: reach, proven gaps, limits, reasons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doudi.engine.siting import Candidates, CoordinateReach, Demand, Floor, Model, SitingError, plan_sites
from doudi.engine.siting.coverage import CoverageSearch, CoverSets
from doudi.engine.siting.guizhou import guizhou
from doudi.engine.siting.highs import Clock, minimise
from doudi.engine.siting.limits import Limits
from doudi.engine.siting.median import Arcs, MedianSearch
from doudi.engine.siting.reach import great_circle


def a_county(points: int, places: int, radius: float, seed: int = 1):
    random = np.random.default_rng(seed)
    lon, lat = 106.8 + random.uniform(0, 0.4, points), 26.3 + random.uniform(0, 0.4, points)
    at = random.integers(0, points, places)
    demand = Demand([f"d{i}" for i in range(points)], random.integers(1, 60, points).astype(float), lon, lat)
    candidates = Candidates([f"c{j}" for j in range(places)], lon[at] + 0.001, lat[at])
    reach = CoordinateReach(
        (lon, lat), (candidates.lon, candidates.lat), radius=np.full(points, radius), detour=1.3
    )
    return demand, candidates, reach


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(200, 60_000), st.integers(1, 40))
def test_reach_is_the_same_by_tree_and_by_hand(seed: int, radius: float, k: int) -> None:
    demand, candidates, reach = a_county(60, 40, radius, seed)
    metres = 1.3 * great_circle(
        demand.lon[:, None], demand.lat[:, None], candidates.lon[None, :], candidates.lat[None, :]
    )
    metres = np.where(metres <= radius, metres, np.inf)

    index, nearest = reach.nearest(k)

    assert (reach.within().toarray() > 0).tolist() == np.isfinite(metres).tolist()
    assert nearest == pytest.approx(np.sort(metres, axis=1)[:, :k])
    assert (index >= 0).tolist() == np.isfinite(nearest).tolist()
    assert reach.nearest_of(np.arange(40))[1] == pytest.approx(metres.min(axis=1))


def test_case_8_of_the_handbook_780_metres_straight_is_outside_1000_metres() -> None:
    lat = np.array([26.0])
    north = lat + np.degrees(780 / 6_371_008.8)
    here = np.array([106.0])

    inside = [
        CoordinateReach((here, lat), (here, north), radius=np.array([radius]), detour=detour).within().nnz
        for radius, detour in ((1000.0, 1.3), (1000.0, 1.2), (1014.1, 1.3), (500.0, 1.0))
    ]

    assert inside == [0, 1, 1, 0]


def test_a_point_with_its_own_radius_counts_by_it() -> None:
    lon, lat = np.array([106.0, 106.0]), np.array([26.0, 26.0])
    place = (np.array([106.0]), np.array([26.006]))  # 867 m on the ground

    reach = CoordinateReach((lon, lat), place, radius=np.array([1000.0, 500.0]), detour=1.3)

    assert reach.within().toarray().ravel().tolist() == [1.0, 0.0]


def test_coverage_agrees_with_the_plain_model_in_highs() -> None:
    demand, candidates, reach = a_county(400, 80, 3000.0)
    within = reach.within()
    points, places = within.shape
    import scipy.sparse as sp

    rows = sp.vstack(
        [
            sp.hstack([np.ones((1, places)), sp.csr_matrix((1, points))]),
            sp.hstack([within, -sp.identity(points)]),
        ],
        format="csr",
    )
    plain = minimise(
        np.concatenate((np.zeros(places), -demand.weight)),
        rows,
        np.concatenate(([-np.inf], np.zeros(points))),
        np.concatenate(([12.0], np.full(points, np.inf))),
        lower=np.zeros(places + points),
        upper=np.ones(places + points),
        whole=np.ones(places + points, dtype=bool),
        clock=Clock.of(60),
    )

    plan = plan_sites(Model.COVERAGE, demand, candidates, reach, sites=12)

    assert plan.status == "optimal"
    assert plan.objective == pytest.approx(-plain.objective)


def test_running_the_same_question_twice_gives_the_same_plan() -> None:
    demand, candidates, reach = a_county(600, 120, 2500.0)

    plans = [plan_sites(model, demand, candidates, reach, sites=15) for model in [Model.COVERAGE] * 2]

    assert plans[0].sites == plans[1].sites
    assert plans[0].assignment == plans[1].assignment


def test_when_time_runs_out_the_bound_still_brackets_the_best() -> None:
    demand, candidates, reach = a_county(3000, 600, np.inf)

    hurried = plan_sites(Model.MEDIAN, demand, candidates, reach, sites=60, time_limit=1.5)
    patient = plan_sites(Model.MEDIAN, demand, candidates, reach, sites=60, time_limit=8.0)

    # how far a search gets in a second is the machine's affair; that each bound holds for every plan is not
    best = min(hurried.objective, patient.objective)
    assert hurried.bound <= best and patient.bound <= best
    for plan in (hurried, patient):
        assert plan.gap == pytest.approx((plan.objective - plan.bound) / plan.objective)
        assert (plan.status == "optimal") == (plan.gap == 0)
        assert plan.status == "optimal" or "时间用完" in plan.why


@pytest.mark.parametrize("kind", ["coverage", "median"])
def test_the_sums_of_a_search_stay_true_whatever_is_opened_and_closed(kind: str) -> None:
    demand, candidates, reach = a_county(200, 30, 4000.0)
    limits = Limits(candidates, sites=30, fixed=np.zeros(30, dtype=bool), floors=[], budget=None)
    random = np.random.default_rng(5)

    def fresh():
        if kind == "coverage":
            return CoverageSearch(CoverSets.merge(reach.within(), demand.weight), limits)
        return MedianSearch(Arcs.nearest(reach, demand.weight, 8), limits)

    search = fresh()
    for _ in range(200):
        place = int(random.integers(0, 30))
        (search.close if search.chosen[place] else search.open)(place)

    again = fresh()
    again.reset(search.chosen)
    assert search.score == pytest.approx(again.score)
    for place in np.flatnonzero(~search.chosen):
        before = again.score
        again.open(int(place))
        assert search.gain[place] == pytest.approx(again.score - before, abs=1e-6 * abs(before))
        again.close(int(place))


def test_guizhou_with_its_floors_is_planned_and_proven() -> None:
    asked = guizhou()
    demand, candidates, floors = asked.demand, asked.candidates, asked.floors
    reach = CoordinateReach(
        (demand.lon, demand.lat),
        (candidates.lon, candidates.lat),
        radius=np.full(len(demand.ids), 3000.0),
        detour=1.3,
    )

    plan = plan_sites(Model.COVERAGE, demand, candidates, reach, sites=200, floors=floors)

    assert (len(demand.ids), len(candidates.ids), len(floors)) == (17_964, 1_510, 88)
    assert plan.total_weight == 5_931_357  # 60+ of the 2020 census
    assert plan.status == "optimal"
    per_county = dict.fromkeys((floor.group for floor in floors), 0)
    for site in plan.sites:
        per_county[site[:6]] += 1
    for floor in floors:
        assert floor.at_least <= per_county[floor.group] <= (floor.at_most or 999)
    assert sum(part.covered for part in plan.groups.values()) == plan.covered_weight


def test_an_infeasible_plan_says_why() -> None:
    demand, candidates, reach = a_county(50, 10, 2000.0)
    grouped = Candidates(candidates.ids, candidates.lon, candidates.lat, group=["甲"] * 5 + ["乙"] * 5)
    two_fixed = np.arange(10) < 2

    def why(**options) -> str:
        plan = plan_sites(Model.COVERAGE, demand, options.pop("candidates", grouped), reach, **options)
        assert plan.status == "infeasible"
        assert plan.objective is plan.bound is plan.gap is None
        assert plan.sites == [] and set(plan.assignment.values()) == {None}
        return plan.why

    assert "超过总点数1" in why(sites=1, fixed=two_fixed)
    assert "只有5个候选点" in why(sites=9, floors=[Floor("甲", 6)])
    assert "分组“丙”要求至少1个点，但只有0个候选点" in why(sites=9, floors=[Floor("丙", 1)])
    assert "合计要4个点，超过总点数3" in why(sites=3, floors=[Floor("甲", 2), Floor("乙", 2)])
    assert "至多1个点，但其中保留的现有点已有2个" in why(sites=3, fixed=two_fixed, floors=[Floor("甲", 0, 1)])
    priced = Candidates(candidates.ids, candidates.lon, candidates.lat, cost=np.full(10, 7.0))
    assert "最少要花14，超过预算10" in why(candidates=priced, sites=3, fixed=two_fixed, budget=10.0)


def test_who_cannot_be_reached_at_all_is_named() -> None:
    demand, candidates, reach = a_county(50, 3, 2000.0)
    alone = [name for name, row in zip(demand.ids, reach.within(), strict=True) if not row.nnz]

    covering = plan_sites(Model.COVER_ALL, demand, candidates, reach)
    passing_over = plan_sites(Model.COVER_ALL, demand, candidates, reach, leave_out_unreachable=True)
    median = plan_sites(Model.MEDIAN, demand, candidates, reach, sites=3)

    assert covering.status == "infeasible" and alone[0] in covering.why
    assert passing_over.status == median.status == "optimal"
    for plan in (passing_over, median):
        assert [name for name, site in plan.assignment.items() if site is None] == alone
        assert alone[0] in plan.why


def test_too_few_sites_for_everyone_says_how_many_it_takes() -> None:
    demand, candidates, reach = a_county(200, 60, 12_000.0)
    fewest = plan_sites(Model.COVER_ALL, demand, candidates, reach)
    assert fewest.status == "optimal" and fewest.objective > 2

    for model in (Model.COVER_ALL, Model.MEDIAN):
        plan = plan_sites(model, demand, candidates, reach, sites=int(fewest.objective) - 1)

        assert plan.status == "infeasible"
        assert f"至少要{fewest.objective:g}个点" in plan.why


def test_capacities_that_cannot_hold_everyone_say_so() -> None:
    demand, candidates, reach = a_county(20, 4, np.inf)
    seats = Candidates(candidates.ids, candidates.lon, candidates.lat, capacity=np.full(4, 70.0))

    plan = plan_sites(Model.MEDIAN, demand, seats, reach, sites=4)

    assert plan.status == "infeasible"
    assert "容量合计最多280" in plan.why


def test_a_budget_without_costs_is_refused() -> None:
    demand, candidates, reach = a_county(20, 4, 2000.0)

    with pytest.raises(SitingError, match="cost"):
        plan_sites(Model.COVERAGE, demand, candidates, reach, sites=2, budget=5.0)
