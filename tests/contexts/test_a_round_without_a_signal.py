"""What a courier's telephone sends of a round, late, twice and from two telephones: each act stands once, nothing is lost."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.policies import NotAllowed
from doudi.contexts.accounts.services import Act
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring
from tests.a_meal_place import today
from tests.cast import Cast, assemble
from tests.contexts.test_a_round_to_its_doors import at_door, on_the_road, order

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def cast(db: None, office) -> Cast:
    return assemble()


@pytest.fixture(autouse=True)
def _noon(monkeypatch) -> None:
    """A round of lunch is at noon: a while ago is today, whenever the suite runs."""
    noon = timezone.localtime().replace(hour=12, minute=0)
    monkeypatch.setattr(timezone, "now", lambda: noon)


@pytest.fixture
def stop(cast, canteen) -> meals.DoorStop:
    person = at_door(cast, canteen, 101, carer_name="何女", carer_phone="10011112222")
    order(cast, canteen, person)
    trip = on_the_road(cast, canteen)
    return meals.doors(trip, rules=chain.meal_network().door, by=cast.courier)[0].stop


def act(stop: meals.DoorStop, kind: str, *, minutes_ago: float = 20, **more) -> meals.SentAct:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return meals.SentAct(token=uuid4(), stop=stop.pk, kind=kind, at=at, **more)


def send_picture(cast: Cast, token: UUID, *, kind: str = "signature", content: bytes = PNG) -> str:
    part = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "offset": 0}
    monitoring.take_part(
        client_id=token, name="signature", kind=kind, content=content, by=cast.courier, act=Act.DELIVER_MEAL, **part
    )  # fmt: skip
    return "signature"


def test_a_hand_over_of_a_while_ago_is_one_meal_with_its_moment(cast, stop) -> None:
    sent = act(stop, "hand", key=stop.order.diner.code)

    first = chain.take_door_act(sent, by=cast.courier)
    again = chain.take_door_act(sent, by=cast.courier)

    served = meals.MealServed.objects.get()
    assert (first.state, again.pk) == ("recorded", first.pk)
    assert (served.at, served.offline, served.proof, served.token) == (sent.at, True, "code", sent.token)
    stop.refresh_from_db()
    assert (stop.state, stop.done_at) == ("handed", sent.at)


def test_the_second_telephone_doubles_nothing_and_is_told_so(cast, stop) -> None:
    chain.take_door_act(act(stop, "hand", key=stop.order.diner.code), by=cast.courier)

    other = chain.take_door_act(act(stop, "hand", key=stop.order.diner.code), by=cast.courier)
    shut = chain.take_door_act(act(stop, "shut", minutes_ago=25), by=cast.courier)
    call = chain.take_door_act(act(stop, "call", whom="carer", result="no_answer"), by=cast.courier)

    assert [one.state for one in (other, shut, call)] == ["already", "noted", "noted"]
    assert meals.MealServed.objects.count() == 1 and not monitoring.warnings(by=cast.county).exists()
    stop.refresh_from_db()
    assert stop.state == "handed"
    told = " ".join(stop.order.diner.events.values_list("text", flat=True))
    assert "敲门无人应，只记入时间线" in told and "紧急联系人 未接通" in told


def test_a_signature_stands_in_for_the_code_sealed_and_once(cast, stop, office: Path) -> None:
    sent = act(stop, "hand")
    with pytest.raises(meals.StepRefused, match="签字"):
        chain.take_door_act(sent, by=cast.courier)
    with pytest.raises(monitoring.FilesMissing):
        chain.take_door_act(replace(sent, picture="signature"), by=cast.courier)

    picture = send_picture(cast, sent.token)
    chain.take_door_act(replace(sent, picture=picture), by=cast.courier)

    served = meals.MealServed.objects.get()
    assert (served.proof, served.proof_file) == ("signature", hashlib.sha256(PNG).hexdigest())
    assert meals.look_at_proof(served.number, by=cast.canteen) == (PNG, "image/png")
    kept = [path for path in office.rglob("*") if path.is_file() and PNG[:24] in path.read_bytes()]
    assert kept == []
    with pytest.raises(NotAllowed):
        meals.look_at_proof(served.number, by=cast.courier)


def test_a_shut_door_and_calls_that_come_late_raise_one_warning(cast, stop) -> None:
    shut, diner, carer = (
        act(stop, "shut", minutes_ago=50),
        act(stop, "call", minutes_ago=48, whom="diner", result="no_answer"),
        act(stop, "call", minutes_ago=45, whom="carer", result="unknown", note="门锁着"),
    )

    for sent in (shut, diner, carer, carer, shut):
        chain.take_door_act(sent, by=cast.courier)

    case = monitoring.warnings(by=cast.county).get()
    at = timezone.localtime(shut.at)
    assert f"{at:%m-%d %H:%M} 敲门无人应" in case.events.first().text
    stop.refresh_from_db()
    assert [call.at for call in stop.calls.all()] == [diner.at, carer.at]
    assert (stop.state, stop.warning_no) == ("shut", case.number)


def test_a_telephone_with_a_wrong_clock_still_raises_the_warning(cast, stop) -> None:
    for days in (-3, 400):
        sent = replace(act(stop, "shut"), at=timezone.now() + timedelta(days=days))
        chain.take_door_act(sent, by=cast.courier)
        stop.refresh_from_db()
        assert timezone.localdate(stop.done_at) == today()


def test_a_door_that_opened_after_all_is_handed_over(cast, stop) -> None:
    chain.take_door_act(act(stop, "shut", minutes_ago=30), by=cast.courier)

    late = chain.take_door_act(act(stop, "hand", key=stop.order.diner.code), by=cast.courier)

    stop.refresh_from_db()
    assert (late.state, stop.state) == ("recorded", "handed")


def test_a_wrong_code_changes_nothing_and_may_be_mended_under_the_same_token(cast, stop) -> None:
    wrong = act(stop, "hand", key="000000" if stop.order.diner.code != "000000" else "111111")
    with pytest.raises(meals.StepRefused):
        chain.take_door_act(wrong, by=cast.courier)
    assert not meals.DoorAct.objects.exists()

    chain.take_door_act(replace(wrong, key=stop.order.diner.code), by=cast.courier)

    assert meals.MealServed.objects.get().token == wrong.token


def test_a_round_taken_along_is_in_the_log_and_only_the_courier_s(cast, canteen, stop) -> None:
    (taken,) = chain.take_rounds_along(by=cast.courier)

    assert [door.diner for door in taken.doors] == [stop.order.diner]
    code = stop.order.diner.code
    assert meals.code_check(stop) == hashlib.sha256(f"{stop.pk}:{code}".encode()).hexdigest()[:2]
    from doudi.contexts.accounts.models import AuditEntry

    assert AuditEntry.objects.filter(act="take_round_along", actor="courier").count() == 1
    for who in (cast.canteen, cast.county, cast.township):
        with pytest.raises(NotAllowed):
            chain.take_rounds_along(by=who)
    with pytest.raises(NotAllowed):
        chain.take_door_act(act(stop, "shut"), by=cast.canteen)


def test_a_token_of_another_act_is_refused(cast, stop) -> None:
    sent = act(stop, "shut")
    chain.take_door_act(sent, by=cast.courier)

    with pytest.raises(meals.ActDiffers):
        chain.take_door_act(replace(sent, kind="hand"), by=cast.courier)
