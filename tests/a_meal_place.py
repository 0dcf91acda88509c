"""A small meal network for stories: a canteen with a menu for today, and old people who eat there."""

from __future__ import annotations

from datetime import date, time
from typing import Any
from uuid import uuid4

from django.utils import timezone

from doudi import chain
from doudi.contexts.meals import services as meals
from tests.cast import CANTEEN, Cast
from tests.small_county import TOWNSHIP_A, make_id

POINT = "CT-520102-2"
STRANGE = "610102"


def today() -> date:
    return timezone.localdate()


def born(age: int) -> str:
    return f"{today().year - age}0101"


def open_canteen(cast: Cast, *, code: str = CANTEEN, capacity: int = 100, **more: Any) -> meals.Site:
    """An open canteen with lunch and dinner."""
    place = meals.open_site(
        code=code,
        name=f"第{code[-1]}食堂",
        kind="canteen",
        region_code=TOWNSHIP_A,
        opened_on=date(2024, 1, 1),
        by=cast.county,
        longitude=106.70,
        latitude=26.57,
        licence_no="JY25201020000001",
        licence_until=date(2099, 1, 1),
        **more,
    )
    for meal, begins, ends in (("lunch", time(11), time(13)), ("dinner", time(17), time(18, 30))):
        meals.set_hours(
            place, meal=meal, serves_from=begins, serves_until=ends, capacity=capacity, by=cast.county
        )
    return place


def cook(
    cast: Cast, place: meals.Site, *, price_fen: int = 2000, day: date | None = None, meal: str = "lunch"
):
    """A menu of two dishes."""
    rules = chain.meal_network()
    pork = meals.keep_dish(
        place, name="红烧肉", ingredients=["猪肉", "白糖"], flags=["高糖", "荤"], textures=["soft"],
        amounts={"鱼肉蛋": 80, "油": 8, "盐": 1}, by=cast.canteen, rules=rules,
    )  # fmt: skip
    greens = meals.keep_dish(
        place, name="花生拌菠菜", ingredients=["菠菜", "花生"], allergens=["花生"], textures=["soft", "minced"],
        amounts={"蔬菜": 150, "油": 4, "盐": 1}, by=cast.canteen, rules=rules,
    )  # fmt: skip
    return meals.publish_menu(
        place,
        day=day or today(),
        meal=meal,
        price_fen=price_fen,
        dish_keys=[pork.pk, greens.pk],
        by=cast.canteen,
    )


def enrol(
    cast: Cast, place: meals.Site, *, age: int = 72, serial: int = 101, by: Any = None, **told: Any
) -> meals.Diner:
    """An old person of the township, enrolled by its officer."""
    told = {"registered_region": "520102", **told}
    return chain.enrol_diner(
        meals.Enrolment(
            name=told.pop("name", f"何老{serial}"),
            id_number=make_id(born(age), serial),
            region_code=told.pop("region_code", TOWNSHIP_A),
            site_code=place.code,
            channel="village",
            consent_on=today(),
            consent_by="本人",
            consent_how="本人签字",
            **told,
        ),
        by=by or cast.township,
    )


def tap(person: meals.Diner, *, meal: str = "lunch", **more: Any) -> meals.Tap:
    return meals.Tap(
        token=more.pop("token", None) or uuid4(),
        key=person.code,
        meal=meal,
        at=more.pop("at", None) or timezone.now(),
        **more,
    )
