"""The meal network at work (助餐): who is enrolled follows the register, meals are priced by the pack in force."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.contexts.accounts.services import Act, User, take_turn
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.house.attachments import keep_attachment


def enrol_diner(told: meals.Enrolment, *, by: User) -> meals.Diner:
    """Enrol an old person for meals (登记助餐)."""
    return meals.enrol_diner(told, rules=packs.meal_network(), by=by)


def enrol_by_oneself(told: meals.Enrolment, *, address: str = "", device: str = "") -> None:
    """An old person or a relative asks for meals from a telephone; the township confirms (自助登记)."""
    meals.enrol_by_oneself(
        told, rules=packs.meal_network(), limits=packs.outreach(), address=address, device=device
    )


def issue_family_code(number: str, *, who: str, consent_how: str, by: User) -> str:
    """A code by which a relative orders for a diner (家属码)."""
    return meals.issue_family_code(
        meals.diner(number, by=by), who=who, consent_how=consent_how, rules=packs.meal_network(), by=by
    )


def family_view(code: str, tail: str, *, address: str = "") -> meals.FamilyView:
    """What a relative sees of a diner's orders (家属订餐)."""
    return meals.family_view(code, tail, rules=packs.meal_network(), limits=packs.outreach(), address=address)


def family_order(code: str, tail: str, *, address: str = "", **wish: Any) -> Any:
    """Order and cancel as a relative wishes."""
    return meals.family_order(
        code, tail, rules=packs.meal_network(), limits=packs.outreach(), address=address, **wish
    )


def family_pause(code: str, tail: str, *, address: str = "", **days: date) -> Any:
    """Want nothing for some days, by a relative."""
    return meals.family_pause(
        code, tail, rules=packs.meal_network(), limits=packs.outreach(), address=address, **days
    )


@transaction.atomic
def follow_register(*, on: date, by: User) -> meals.Followed:
    """Bring categories, deaths, stays in custody and hospital over from the register and the departments' files (核对身份).

    A pack without the hospital's feed leaves those stays to the township.
    """
    take_turn()
    standing = registry.standing_of(meals.numbers_to_follow(by=by))
    return meals.follow_register(
        standing,
        _stays("custody", "from_on", "to_on", on),
        hospital=_stays("hospital", "admitted_on", "discharged_on", on),
        deaths=_stays("death", "died_on", "", on),
        by=by,
    )


def _stays(feed: str, begins: str, ends: str, on: date) -> list[tuple[int, date, date | None]]:
    """What the loads in force of a feed say of stays; rows that match a person by name alone are no proof.

    ``ends`` is empty where nothing ends: a death.
    """
    spec = packs.rules()[0].feeds.get(feed)
    if spec is None:
        return []
    return [
        (told.person_id, told.values[begins], told.values[ends] if ends else None)
        for load in registry.loads_in_force(spec, on)
        for told in registry.reported_in(load, spec)
        if told.grade != "C"
    ]


def place_order(number: str, *, site_code: str, by: User, **order: Any) -> meals.MealOrder:
    """Order a meal for a diner (订餐)."""
    return meals.place_order(
        meals.diner(number, by=by),
        place=meals.site(site_code, by=by, act=Act.TAKE_ORDER),
        rules=packs.meal_network(),
        by=by,
        **order,
    )


def serve_meal(site_code: str, tap: meals.Tap, *, by: User) -> meals.Given:
    """Hand out a meal at a till (就餐登记)."""
    return meals.serve_meal(
        meals.site(site_code, by=by, act=Act.SERVE_MEAL),
        tap,
        prices=packs.meal_prices(),
        rules=packs.meal_network(),
        pack_hash=packs.rules()[0].hash,
        by=by,
    )


def quote_meal(site_code: str, *, by: User, **asked: Any) -> meals.Quoted:
    """What a meal would cost somebody now (试算)."""
    return meals.quote(
        meals.site(site_code, by=by, act=Act.SERVE_MEAL),
        prices=packs.meal_prices(),
        network=packs.meal_network(),
        by=by,
        **asked,
    )


def hand_over(stop: int, tap: meals.Tap, *, by: User) -> meals.Given:
    """Hand a meal over at the door (交付)."""
    return meals.hand_over(
        stop,
        tap,
        prices=packs.meal_prices(),
        rules=packs.meal_network(),
        pack_hash=packs.rules()[0].hash,
        by=by,
    )


@transaction.atomic
def door_shut(stop: int, *, by: User, at: datetime | None = None) -> meals.DoorStop:
    """Nobody opened; where there is nobody to call, a warning is raised at once (敲门无人应)."""
    take_turn()
    return _raise_if_unreachable(meals.door_shut(stop, at=at, by=by), by)


@transaction.atomic
def record_call(
    stop: int, *, whom: str, result: str, by: User, note: str = "", at: datetime | None = None
) -> meals.DoorStop:
    """Keep what a call brought; after the last one in vain a warning is raised (联络)."""
    take_turn()
    done = meals.record_call(stop, whom=whom, result=result, note=note, at=at, by=by)
    return _raise_if_unreachable(done, by)


def take_rounds_along(*, by: User) -> list[meals.TakenRound]:
    """Today's rounds for a courier's telephone (带走路线)."""
    return meals.take_rounds_along(rules=packs.meal_network().door, by=by)


@transaction.atomic
def take_door_act(sent: meals.SentAct, *, by: User) -> meals.DoorAct:
    """What a courier's telephone kept of a door, taken in once (手机补传): handed over, nobody opened, a call."""
    take_turn()
    before = meals.door_act_before(sent, by=by)
    if before is not None:
        return before
    state = meals.judge_door_act(sent, by=by)
    if state is meals.DoorAct.State.RECORDED:
        at = meals.moment_of(sent, by=by)
        if sent.kind == meals.DoorAct.Kind.HAND:
            hand_over(sent.stop, _tap(sent, at, by), by=by)
        elif sent.kind == meals.DoorAct.Kind.SHUT:
            door_shut(sent.stop, at=at, by=by)
        else:
            record_call(sent.stop, whom=sent.whom, result=sent.result, note=sent.note, at=at, by=by)
    return meals.keep_door_act(sent, state, by=by)


def _tap(sent: meals.SentAct, at: datetime, by: User) -> meals.Tap:
    """The hand-over with its proof: a code or card that was shown, else the picture that came before it."""
    meal = meals.stop_of(sent.stop, by=by).order.meal
    if sent.key:
        proof = "code" if len(sent.key.strip()) == 6 else "card"
        return meals.Tap(sent.token, sent.key, meal, at, proof=proof, offline=True)
    kind, kept = "photo", ""
    if sent.picture:
        kind, content = monitoring.hand_on_file(sent.token, sent.picture, by=by)
        kept = keep_attachment(content).digest
    return meals.Tap(sent.token, "", meal, at, proof=kind, proof_file=kept, offline=True)


def _raise_if_unreachable(found: meals.DoorStop, by: User) -> meals.DoorStop:
    rules = packs.meal_network().door
    if not meals.is_unreachable(found, rules):
        return found
    door = meals.told_of_door(found)
    raised = monitoring.raise_from_service(
        monitoring.Noticed(
            number=door.number,
            source=monitoring.WarningCase.Source.SERVICE,
            household_no=door.household_no or f"LS-{door.number}",
            provisional=not door.household_no,
            head_name=door.name,
            region_code=door.region_code,
            level=rules.level,
            category=door.category,
            signal=rules.signal,
        ),
        text=door.text,
        handling=packs.rules()[1],
        by=by,
    )
    return meals.mark_raised(found.pk, raised.number, by=by)
