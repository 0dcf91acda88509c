"""A till of another maker: it sends a meal with its token, again after a cut, and gets the receipt explained."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from tests.a_meal_place import cook, enrol, open_canteen, today
from tests.cast import assemble


@pytest.fixture
def network(db: None, office):
    cast = assemble()
    place = open_canteen(cast)
    cook(cast, place)
    return cast, place


def desk_of(person) -> Client:
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_meal_sent_twice_is_one_meal_with_its_receipt(network) -> None:
    cast, place = network
    person = enrol(cast, place)
    till = desk_of(cast.canteen)
    sent = {
        "token": str(uuid4()), "site": place.code, "key": person.code, "meal": "lunch", "at": timezone.now().isoformat(),
    }  # fmt: skip

    first = till.post("/api/v1/meals/served", sent, content_type="application/json")
    again = till.post("/api/v1/meals/served", sent, content_type="application/json")

    assert first.status_code == again.status_code == 200, first.content
    assert first.json() == again.json()
    assert first.json()["paid_fen"] == 1600
    assert sum(line["fen"] for line in first.json()["receipt"]) == 1600
    other = enrol(cast, place, serial=103)
    taken = till.post("/api/v1/meals/served", {**sent, "key": other.code}, content_type="application/json")
    assert (taken.status_code, taken.json()["code"]) == (409, "serving_differs")
    assert till.get(f"/api/v1/meals/served/{first.json()['number']}").json()["receipt"][1]["code"] == "D60"


def test_an_order_by_program_and_its_end(network) -> None:
    cast, place = network
    person = enrol(cast, place, allergies=("花生",))
    desk = desk_of(cast.canteen)
    asked = {"diner": person.number, "site": place.code, "day": f"{today()}", "meal": "lunch"}

    made = desk.post("/api/v1/meals/orders", asked, content_type="application/json").json()
    assert made["clash"] == ["“花生拌菠菜”含过敏原“花生”"]
    assert desk.get(f"/api/v1/meals/orders?day={today()}").json()["total"] == 1
    done = desk.post(f"/api/v1/meals/orders/{made['number']}/cancel").json()
    assert done["state"] == "cancelled"
    listed = desk.get("/api/v1/meals/diners").json()["items"][0]
    assert "id_number" not in listed and listed["allergies"] == ["花生"]
    assert desk_of(cast.stranger).get("/api/v1/meals/diners").json()["total"] == 0
    assert desk_of(cast.volunteer).get("/api/v1/meals/diners").status_code == 403
