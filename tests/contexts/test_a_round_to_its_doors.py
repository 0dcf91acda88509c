"""Rounds from the day's orders, hand-over with proof, and an unopened door that becomes a warning and a visit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.policies import NotAllowed
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.errors import DoudiError
from tests.a_meal_place import cook, enrol, open_canteen, today
from tests.cast import Cast, assemble
from tests.small_county import TOWNSHIP_A


@pytest.fixture
def cast(db: None, office) -> Cast:
    return assemble()


@pytest.fixture
def canteen(cast) -> meals.Site:
    place = open_canteen(cast)
    cook(cast, place)
    cook(cast, place, day=today() + timedelta(days=1))
    return place


RULES = {"search_seconds": 1.0}


def network():
    rules = chain.meal_network()
    return replace(rules, delivery=replace(rules.delivery, **RULES))


def at_door(cast: Cast, place: meals.Site, serial: int, *, east: float = 0.01, **told) -> meals.Diner:
    told = {"address": f"虚构路{serial}号", "phone": f"1001234{serial:04d}", **told}
    return enrol(cast, place, serial=serial, delivered=True, longitude=106.70 + east, latitude=26.57, **told)


def order(cast: Cast, place: meals.Site, person: meals.Diner, day=None) -> meals.MealOrder:
    return chain.place_order(
        person.number,
        site_code=place.code,
        day=day or today(),
        meal="lunch",
        channel="phone",
        by=cast.canteen,
    )


def on_the_road(cast: Cast, place: meals.Site) -> meals.Round:
    meals.plan_delivery(place, day=today(), meal="lunch", rules=network(), by=cast.canteen)
    return meals.take_round(meals.rounds(by=cast.courier).first().pk, by=cast.courier)


def doors(cast: Cast, trip: meals.Round) -> list[meals.Door]:
    return meals.doors(trip, rules=chain.meal_network().door, by=cast.courier)


def test_every_door_is_on_a_round_or_named_with_the_reason(cast, canteen) -> None:
    near = at_door(cast, canteen, 101)
    far = at_door(cast, canteen, 103, east=0.9)
    nowhere = at_door(cast, canteen, 105)
    meals.Diner.objects.filter(pk=nowhere.pk).update(longitude=None)
    for person in (near, far, nowhere):
        order(cast, canteen, person)

    plan = meals.plan_delivery(canteen, day=today(), meal="lunch", rules=network(), by=cast.canteen)

    stops = [stop.order.diner for trip in plan.rounds.all() for stop in trip.stops.all()]
    assert stops == [near]
    assert {(one["diner"], one["code"]) for one in plan.unserved} == {
        (far.name, "hot"),
        (nowhere.name, "no_place"),
    }


def test_whom_no_hot_meal_reaches_is_demand_for_siting(cast, canteen) -> None:
    far = at_door(cast, canteen, 103, east=0.9)
    for day in (today(), today() + timedelta(days=1)):
        order(cast, canteen, far, day)
        meals.plan_delivery(canteen, day=day, meal="lunch", rules=network(), by=cast.canteen)

    asked = {"first": today(), "last": today() + timedelta(days=1)}
    rows = meals.unreached(by=cast.county, **asked)

    assert [(row.number, row.times, row.township) for row in rows] == [(far.number, 2, TOWNSHIP_A)]
    assert meals.unreached(by=cast.stranger, **asked) == []


def test_the_usual_sequence_is_kept_unless_another_is_worth_it(cast, canteen) -> None:
    people = [at_door(cast, canteen, 101 + 2 * i, east=0.004 * (i + 1)) for i in range(3)]
    tomorrow = today() + timedelta(days=1)
    for person in people:
        order(cast, canteen, person)
        order(cast, canteen, person, tomorrow)
    first = meals.plan_delivery(canteen, day=today(), meal="lunch", rules=network(), by=cast.canteen)
    trip = first.rounds.get()
    backwards = list(trip.stops.order_by("-place"))
    for at, stop in enumerate(backwards, start=1):
        stop.place = at
        stop.save()
    known = [stop.order.diner_id for stop in backwards]

    kept = meals.plan_delivery(canteen, day=tomorrow, meal="lunch", rules=network(), by=cast.canteen)

    assert kept.kept_usual and kept.usual_minutes is not None
    assert [stop.order.diner_id for stop in kept.rounds.get().stops.all()] == known


def test_a_meal_is_handed_over_once_with_a_proof(cast, canteen) -> None:
    person = at_door(cast, canteen, 101)
    wanted = order(cast, canteen, person)
    trip = on_the_road(cast, canteen)
    stop = doors(cast, trip)[0].stop
    tap = meals.Tap(uuid4(), person.code, "lunch", timezone.now(), proof="code")

    given = chain.hand_over(stop.pk, tap, by=cast.courier)
    again = chain.hand_over(stop.pk, tap, by=cast.courier)
    other = chain.hand_over(stop.pk, replace(tap, token=uuid4()), by=cast.courier)

    assert (given.serving.delivered, given.serving.order, given.serving.paid_fen) == (True, wanted, 1600)
    assert again.again and other.again and other.serving == given.serving
    wanted.refresh_from_db()
    assert wanted.state == "served"
    with pytest.raises(meals.StepRefused, match="已有送餐员出发"):
        meals.plan_delivery(canteen, day=today(), meal="lunch", rules=network(), by=cast.canteen)


def test_somebody_elses_code_and_no_proof_are_refused(cast, canteen) -> None:
    person, other = at_door(cast, canteen, 101), enrol(cast, canteen, serial=103)
    order(cast, canteen, person)
    stop = doors(cast, on_the_road(cast, canteen))[0].stop

    with pytest.raises(meals.StepRefused, match="不是这位老人"):
        chain.hand_over(stop.pk, meals.Tap(uuid4(), other.code, "lunch", timezone.now()), by=cast.courier)
    with pytest.raises(meals.StepRefused, match="拍照"):
        chain.hand_over(
            stop.pk, meals.Tap(uuid4(), "", "lunch", timezone.now(), proof="photo"), by=cast.courier
        )


def test_an_unopened_door_becomes_a_warning_and_a_visit(cast, canteen) -> None:
    reached = {
        "carer_name": "何女",
        "carer_phone": "10011112222",
        "worker_name": "村医",
        "worker_phone": "10033334444",
    }
    person = at_door(cast, canteen, 101, **reached)
    order(cast, canteen, person)
    stop = doors(cast, on_the_road(cast, canteen))[0].stop

    chain.door_shut(stop.pk, by=cast.courier)
    door = doors(cast, meals.rounds(by=cast.courier).first())[0]
    assert [one.whom for one in door.contacts] == ["diner", "carer", "worker"]
    assert door.next.phone == person.phone
    for whom in ("diner", "carer"):
        done = chain.record_call(stop.pk, whom=whom, result="no_answer", by=cast.courier)
        assert done.warning_no == ""
    done = chain.record_call(stop.pk, whom="worker", result="unknown", note="门锁着", by=cast.courier)

    case = monitoring.warning(done.warning_no, by=cast.county)
    assert (case.source, case.level, case.provisional) == ("service", "orange", True)
    assert monitoring.active_codes(case) == ["MEAL_DOOR"]
    assert "门锁着" in case.events.first().text
    assert monitoring.unread_count(cast.county) == 1
    chain.dispatch(case.number, to=TOWNSHIP_A, by=cast.county)
    visit = chain.record_visit(
        case.number, visited_on=today(), visitors=["李乡办", "村医"], result_code="A", finding="老人摔倒，已送医",
        by=cast.township,
    )  # fmt: skip
    assert visit.case_id == case.pk
    assert [stop.warning_no for stop in meals.open_doors(by=cast.township, day=today())] == [case.number]


def test_who_is_safe_raises_nothing_and_who_has_no_telephone_raises_at_once(cast, canteen) -> None:
    safe = at_door(cast, canteen, 101)
    order(cast, canteen, safe)
    silent = at_door(cast, canteen, 103, east=0.012, phone="")
    order(cast, canteen, silent)
    trip = on_the_road(cast, canteen)
    stops = {door.diner.pk: door.stop for door in doors(cast, trip)}

    chain.door_shut(stops[safe.pk].pk, by=cast.courier)
    calm = chain.record_call(stops[safe.pk].pk, whom="diner", result="safe", note="在儿子家", by=cast.courier)
    raised = chain.door_shut(stops[silent.pk].pk, by=cast.courier)

    assert (calm.state, calm.warning_no) == ("safe", "")
    assert raised.warning_no
    assert chain.door_shut(stops[silent.pk].pk, by=cast.courier).warning_no == raised.warning_no
    assert monitoring.warnings(by=cast.county).count() == 1


def test_telephones_are_the_courier_s_who_took_the_round(cast, canteen) -> None:
    order(cast, canteen, at_door(cast, canteen, 101))
    meals.plan_delivery(canteen, day=today(), meal="lunch", rules=network(), by=cast.canteen)
    trip = meals.rounds(by=cast.courier).first()

    assert doors(cast, trip) == []
    for who in (cast.canteen, cast.county, cast.volunteer):
        with pytest.raises(NotAllowed):
            meals.take_round(trip.pk, by=who)
    taken = meals.take_round(trip.pk, by=cast.courier)
    assert len(doors(cast, taken)) == 1
    type(cast.courier).objects.filter(pk=cast.courier.pk).update(organisation="CT-520102-9")
    cast.courier.refresh_from_db()
    with pytest.raises(DoudiError):
        meals.take_round(trip.pk, by=cast.courier)
