"""A round taken where there is no signal (离线送餐): what the courier takes along, and what the telephone sends back.

What happened at a door happened: an act that comes late is kept with the moment at which it was, once, and never undoes
what somebody else recorded meanwhile. A telephone with a wrong clock still raises the warning of a shut door.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.delivery import Door, doors, handed_before, rounds, stop_of
from doudi.contexts.meals.delivery_models import DoorAct, DoorCall, Round, Stop
from doudi.contexts.meals.diner_models import DinerEvent
from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.sites import StepRefused
from doudi.contexts.meals.till import serving
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import DoorRules
from doudi.house.attachments import open_attachment

_BEFORE_LEAVING, _AHEAD = timedelta(hours=2), timedelta(minutes=10)


class ActDiffers(DoudiError):
    """An act of this token was taken in before, for another door or another event."""

    code = "door_act_differs"


@dataclass(frozen=True)
class TakenRound:
    """A round of today: with its doors where the courier took it, else only what it is."""

    round: Round
    doors: list[Door]


@transaction.atomic
def take_rounds_along(*, rules: DoorRules, by: User) -> list[TakenRound]:
    """Today's rounds that ``by`` took or may take; names, addresses and telephones of the own ones, which is in the log."""
    require(by, Act.DELIVER_MEAL)
    found = [TakenRound(trip, doors(trip, rules=rules, by=by)) for trip in rounds(by=by)]
    for one in found:
        if one.doors:
            record(
                by=by,
                act="take_round_along",
                subject=f"site:{one.round.delivery.site.code}",
                region_code=one.round.delivery.site.region_code,
                detail={
                    "round": one.round.pk,
                    "stops": len(one.doors),
                    "fields": ["name", "address", "phone"],
                },
            )
    return found


def code_check(stop: Stop) -> str:
    """Two hex digits by which a telephone notices a mistyped meal code out there; they fit 1 of 256 codes, and tell none."""
    return hashlib.sha256(f"{stop.pk}:{stop.order.diner.code}".encode()).hexdigest()[:2]


# ---- what comes back ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SentAct:
    """What happened at a door as a telephone sends it: ``at`` by its clock; ``picture`` names a photo or signature sent before."""

    token: UUID
    stop: int
    kind: str
    at: datetime
    key: str = ""
    picture: str = ""
    whom: str = ""
    result: str = ""
    note: str = ""


def door_act_before(sent: SentAct, *, by: User) -> DoorAct | None:
    """What the same act became when it was sent before; another one under its token is refused."""
    found = DoorAct.objects.filter(token=sent.token).select_related("stop").first()
    if found is not None and (found.account, found.stop_id, found.kind) != (
        by.username,
        sent.stop,
        sent.kind,
    ):
        raise ActDiffers(
            "这个手机编号此前已登记为另一件事，没有改动。", "This token was taken in for another act; nothing changed."
        )  # fmt: skip
    return found


def judge_door_act(sent: SentAct, *, by: User) -> DoorAct.State:
    """What becomes of an act, seen what others recorded at the door meanwhile; changes nothing."""
    stop = stop_of(sent.stop, by=by)
    if sent.kind not in DoorAct.Kind.values:
        raise StepRefused("请选择登记什么。", "Say what happened at the door.")
    if sent.kind == DoorAct.Kind.HAND:
        return DoorAct.State.ALREADY if handed_before(stop) else DoorAct.State.RECORDED
    if sent.kind == DoorAct.Kind.SHUT:
        if stop.state == Stop.State.SHUT:
            return DoorAct.State.ALREADY
        return DoorAct.State.RECORDED if stop.state == Stop.State.WAITING else DoorAct.State.NOTED
    if sent.whom not in DoorCall.Whom.values or sent.result not in DoorCall.Result.values:
        raise StepRefused("请选择联系了谁、结果如何。", "Choose whom you called and what you heard.")
    if stop.calls.filter(whom=sent.whom, result=sent.result).exists():
        return DoorAct.State.ALREADY
    called = stop.calls.filter(whom=sent.whom).exists()
    return DoorAct.State.RECORDED if stop.state == Stop.State.SHUT and not called else DoorAct.State.NOTED


def moment_of(sent: SentAct, *, by: User) -> datetime:
    """When it happened: by the telephone's clock where that can be, between the start of the round and now; else now."""
    now = timezone.now()
    left = stop_of(sent.stop, by=by).round.left_at or now
    return sent.at if left - _BEFORE_LEAVING <= sent.at <= now + _AHEAD else now


@transaction.atomic
def keep_door_act(sent: SentAct, state: DoorAct.State, *, by: User) -> DoorAct:
    """Keep an act with what became of it; one that changed nothing is told in the old person's history all the same."""
    stop = stop_of(sent.stop, by=by)
    take_turn()
    kept = DoorAct.objects.create(
        token=sent.token, stop=stop, kind=sent.kind, state=state, at=sent.at, account=by.username
    )
    if state != DoorAct.State.RECORDED:
        what = [kept.get_kind_display()]
        if sent.kind == DoorAct.Kind.CALL:
            what += [str(DoorCall.Whom(sent.whom).label), str(DoorCall.Result(sent.result).label)]
        DinerEvent.write(
            by=by,
            kind="door",
            text=f"手机补传 {timezone.localtime(sent.at):%m-%d %H:%M} {' '.join(what)}，{kept.get_state_display()}",
            diner=stop.order.diner,
        )
    record(
        by=by,
        act="door_act",
        subject=f"diner:{stop.order.diner.number}",
        region_code=stop.round.delivery.site.region_code,
        detail={"kind": sent.kind, "state": state, "order": stop.order.number},
    )
    return kept


@transaction.atomic
def look_at_proof(number: str, *, by: User) -> tuple[bytes, str]:
    """The photo or signature that a meal was handed over against, with its media type; the look is in the log."""
    found = serving(number, by=by)
    if found.proof not in (MealServed.Proof.PHOTO, MealServed.Proof.SIGNATURE) or not found.proof_file:
        raise StepRefused(
            "这一餐没有照片或签字。", "This meal has no photo or signature.", code="proof_not_found"
        )
    record(
        by=by,
        act="look_at_proof",
        subject=f"diner:{found.diner.number}",
        region_code=found.site.region_code,
        detail={"meal": found.number, "sha256": found.proof_file},
    )
    return open_attachment(found.proof_file)
