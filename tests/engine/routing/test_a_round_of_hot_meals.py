"""A kitchen, a few doors, and food that must arrive hot."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doudi.engine.routing import Fleet, RoutingError, Stop, Travel, plan_routes, straight_travel
from tests.engine.routing.checking import check

KITCHEN = (106.977, 26.449)


def line(*minutes: float) -> Travel:
    """Doors along one road out of the kitchen, at so many minutes from it."""
    at = np.array([0.0, *minutes])
    return Travel(np.abs(at[:, None] - at[None]))


def test_two_doors_on_one_road_are_one_trip() -> None:
    stops = [Stop("near", 1), Stop("far", 1)]

    plan = plan_routes(stops, line(5, 9), Fleet(10), iterations=50)

    assert len(plan.routes) == 1
    assert plan.total_minutes == pytest.approx(18)
    assert plan.unserved == []
    check(plan, stops, line(5, 9), Fleet(10))


def test_the_way_home_does_not_cool_the_food() -> None:
    stops = [Stop("far", 1, service_minutes=2)]
    fleet = Fleet(10, max_minutes=30)

    plan = plan_routes(stops, line(28), fleet, iterations=50)

    assert plan.unserved == []
    assert plan.routes[0].elapsed == pytest.approx(30)
    assert plan.routes[0].minutes == pytest.approx(56)


def test_a_door_beyond_the_hot_food_limit_is_named_for_siting() -> None:
    stops = [Stop("near", 1), Stop("beyond", 1, service_minutes=3)]

    plan = plan_routes(stops, line(5, 28), Fleet(10, max_minutes=30), iterations=50)

    assert [one.id for one in plan.unserved] == ["beyond"]
    assert plan.unserved[0].code == "hot"
    assert "28.0 分钟" in plan.unserved[0].why and "30" in plan.unserved[0].why


def test_two_doors_that_are_hot_alone_but_not_together_take_two_trips() -> None:
    stops = [Stop("east", 1), Stop("west", 1)]
    apart = Travel(np.array([[0, 20, 20], [20, 0, 40], [20, 40, 0.0]]))

    plan = plan_routes(stops, apart, Fleet(10, max_minutes=30), iterations=50)

    assert len(plan.routes) == 2
    check(plan, stops, apart, Fleet(10, max_minutes=30))


def test_waiting_at_a_door_is_spent_in_the_kitchen_where_the_food_stays_hot() -> None:
    stops = [Stop("noon", 1, window_from=720, window_to=725)]

    plan = plan_routes(stops, line(10), Fleet(10, max_minutes=15), iterations=50)

    assert plan.routes[0].start == pytest.approx(710)
    assert plan.routes[0].arrivals == pytest.approx([720])


def test_one_vehicle_takes_a_second_trip_when_it_is_back_in_time() -> None:
    stops = [
        Stop("first", 5, window_from=660, window_to=665),
        Stop("second", 5, window_from=720, window_to=725),
    ]

    plan = plan_routes(stops, line(10, 12), Fleet(5), iterations=50)

    assert [route.vehicle for route in plan.routes] == [1, 1]


def test_two_trips_at_the_same_time_take_two_vehicles() -> None:
    stops = [Stop("a", 5, window_from=660, window_to=660), Stop("b", 5, window_from=660, window_to=660)]

    plan = plan_routes(stops, line(10, 12), Fleet(5), iterations=50)

    assert sorted(route.vehicle for route in plan.routes) == [1, 2]


@pytest.mark.parametrize(
    ("stop", "minutes", "fleet", "code"),
    [
        (Stop("x", 11), 5, Fleet(10), "capacity"),
        (Stop("x", 1, window_to=690), 100, Fleet(10, leave_from=600), "window"),
        (Stop("x", 1), np.inf, Fleet(10), "unreachable"),
        (Stop("x", 1, window_from=700), 30, Fleet(10, back_by=720), "back_by"),
    ],
)
def test_what_nobody_could_do_is_said_beforehand(stop: Stop, minutes: float, fleet: Fleet, code: str) -> None:
    plan = plan_routes([stop], Travel(np.array([[0, minutes], [minutes, 0]])), fleet)

    assert [(one.id, one.code) for one in plan.unserved] == [("x", code)]
    assert " / " in plan.unserved[0].why


def test_with_one_vehicle_as_many_doors_as_possible_are_served() -> None:
    stops = [Stop("big", 9), *(Stop(f"small{i}", 3) for i in range(3))]
    travel = line(1, 20, 21, 22)

    plan = plan_routes(stops, travel, Fleet(9, vehicles=1), iterations=300)

    assert [one.id for one in plan.unserved] == ["big"]
    assert plan.unserved[0].code == "vehicles"
    assert "1 辆车不够" in plan.unserved[0].why


def test_a_pair_without_a_way_is_never_driven() -> None:
    stops = [Stop("north", 1), Stop("south", 1)]
    river = Travel(np.array([[0, 10, 10], [10, 0, np.inf], [10, np.inf, 0]]))

    plan = plan_routes(stops, river, Fleet(10), iterations=100)

    assert len(plan.routes) == 2
    assert plan.total_minutes == pytest.approx(40)


def test_a_route_less_is_worth_the_minutes_it_is_said_to_be() -> None:
    stops = [Stop("east", 1), Stop("west", 1)]
    apart = Travel(np.array([[0, 5, 5], [5, 0, 12], [5, 12, 0.0]]))

    assert len(plan_routes(stops, apart, Fleet(10), iterations=100).routes) == 2
    assert len(plan_routes(stops, apart, Fleet(10, vehicle_minutes=5), iterations=100).routes) == 1


def test_distance_by_great_circle_is_metres_times_the_detour() -> None:
    one_degree_north = Stop("n", 1, lon=106.977, lat=27.449)

    travel = straight_travel(KITCHEN, [one_degree_north], detour=1.3, speed_kmh=20)

    assert travel.distance is not None
    assert travel.distance[0, 1] == pytest.approx(111_195 * 1.3, rel=1e-4)
    assert travel.minutes[0, 1] == pytest.approx(travel.distance[0, 1] / 1000 / 20 * 60)


def test_a_stop_without_coordinates_is_refused_by_name() -> None:
    with pytest.raises(RoutingError, match="送餐点 a 没有坐标"):
        straight_travel(KITCHEN, [Stop("a", 1)])


@pytest.mark.parametrize(
    "wrong", [{"capacity": 0}, {"capacity": 1, "vehicles": 0}, {"capacity": 1, "max_minutes": 0}]
)
def test_a_fleet_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RoutingError):
        Fleet(**wrong)  # type: ignore[arg-type]


def test_the_order_of_the_list_does_not_change_the_rounds() -> None:
    draw = np.random.default_rng(7)
    at = draw.uniform(0, 30, (13, 2))
    minutes = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=-1))
    stops = [Stop(f"s{i}", 2) for i in range(12)]
    turned = draw.permutation(12)
    places = np.array([0, *(turned + 1)])

    one = plan_routes(stops, Travel(minutes), Fleet(7), iterations=200)
    two = plan_routes(
        [stops[i] for i in turned], Travel(minutes[np.ix_(places, places)]), Fleet(7), iterations=200
    )

    assert one.routes == two.routes


doors = st.lists(
    st.tuples(
        st.floats(0, 60),
        st.floats(0, 60),
        st.integers(0, 6),
        st.integers(600, 700),
        st.integers(0, 90),
        st.integers(0, 5),
    ),
    min_size=0,
    max_size=9,
)


@settings(max_examples=40, deadline=None)
@given(
    doors, st.sampled_from([None, 1, 2]), st.sampled_from([None, 25.0, 60.0]), st.sampled_from([None, 760.0])
)
def test_no_stop_is_ever_lost_and_every_promise_holds(
    rows: list[tuple[float, float, int, int, int, int]],
    vehicles: int | None,
    max_minutes: float | None,
    back_by: float | None,
) -> None:
    at = np.array([(30.0, 30.0), *((row[0], row[1]) for row in rows)])
    travel = Travel(np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=-1)))
    stops = [
        Stop(f"s{i}", row[2], window_from=row[3], window_to=row[3] + row[4], service_minutes=row[5])
        for i, row in enumerate(rows)
    ]
    fleet = Fleet(8, max_minutes=max_minutes, vehicles=vehicles, leave_from=590, back_by=back_by)

    plan = plan_routes(stops, travel, fleet, iterations=60)

    check(plan, stops, travel, fleet)
    if vehicles is None:
        assert all(one.code != "vehicles" for one in plan.unserved)


@pytest.mark.parametrize("seed", range(4))
def test_small_rounds_are_as_short_as_trying_every_order(seed: int) -> None:
    draw = np.random.default_rng(seed)
    at = draw.uniform(0, 30, (7, 2))
    minutes = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=-1))
    stops = [Stop(f"s{i}", 1) for i in range(6)]

    plan = plan_routes(stops, Travel(minutes), Fleet(6, vehicles=1), iterations=300)

    shortest = min(
        sum(minutes[a, b] for a, b in itertools.pairwise((0, *order, 0)))
        for order in itertools.permutations(range(1, 7))
    )
    assert plan.total_minutes == pytest.approx(shortest, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_one_vehicle_serves_as_many_doors_as_trying_every_order(seed: int) -> None:
    draw = np.random.default_rng(seed)
    at = draw.uniform(0, 30, (7, 2))
    minutes = np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=-1))
    stops = [
        Stop(f"s{i}", int(draw.integers(1, 4)), window_to=float(draw.integers(20, 60))) for i in range(6)
    ]
    fleet = Fleet(7, vehicles=1, max_minutes=60)

    plan = plan_routes(stops, Travel(minutes), fleet, iterations=300)

    def possible(order: tuple[int, ...]) -> bool:
        moment = 0.0
        for a, b in itertools.pairwise((0, *order)):
            moment += minutes[a, b]
            if moment > (stops[b - 1].window_to or 0.0):
                return False
        return moment <= 60 and sum(stops[i - 1].demand for i in order) <= 7

    most = max(
        size for size in range(7) for order in itertools.permutations(range(1, 7), size) if possible(order)
    )
    assert sum(len(route.stops) for route in plan.routes) == most
