"""The meal network at work (助餐): who is enrolled follows the register, meals are priced by the pack in force."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.meals import services as meals
from doudi.contexts.registry import services as registry


def enrol_diner(told: meals.Enrolment, *, by: User) -> meals.Diner:
    """Enrol an old person for meals (登记助餐)."""
    return meals.enrol_diner(told, rules=packs.meal_network(), by=by)


@transaction.atomic
def follow_register(*, on: date, by: User) -> meals.Followed:
    """Bring categories, deaths and stays in custody over from the register and the departments' files (核对身份)."""
    take_turn()
    standing = registry.standing_of(meals.numbers_to_follow(by=by))
    spec = packs.rules()[0].feeds["custody"]
    custody = [
        (told.person_id, told.values["from_on"], told.values["to_on"])
        for load in registry.loads_in_force(spec, on)
        for told in registry.reported_in(load, spec)
        if told.grade != "C"
    ]
    return meals.follow_register(standing, custody, by=by)


def place_order(number: str, *, site_code: str, by: User, **order: Any) -> meals.MealOrder:
    """Order a meal for a diner (订餐)."""
    return meals.place_order(
        meals.diner(number, by=by),
        place=meals.site(site_code, by=by),
        rules=packs.meal_network(),
        by=by,
        **order,
    )


def serve_meal(site_code: str, tap: meals.Tap, *, by: User) -> meals.Given:
    """Hand out a meal at a till (就餐登记)."""
    return meals.serve_meal(
        meals.site(site_code, by=by),
        tap,
        prices=packs.meal_prices(),
        pack_hash=packs.rules()[0].hash,
        by=by,
    )


def quote_meal(site_code: str, *, by: User, **asked: Any) -> meals.Quoted:
    """What a meal would cost somebody now (试算)."""
    return meals.quote(
        meals.site(site_code, by=by),
        prices=packs.meal_prices(),
        network=packs.meal_network(),
        by=by,
        **asked,
    )
