"""What the window brings into the register: a family that was not on it, and categories by a decision (立户、认定).

Both are events like any other, so that they are told, found and undone the same way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry.changes import DECISION, FAMILY, finish
from doudi.contexts.registry.ledger import Ledger
from doudi.contexts.registry.models import CategoryRecord, Household, RegistryEvent
from doudi.contexts.registry.operations import RELATIONS
from doudi.contexts.registry.precedence import TEMPORARY_AID
from doudi.contexts.registry.standing import (
    HEAD,
    homes_of,
    join_household,
    person_entered,
    refresh,
    refusal,
    standing_facts,
    standing_members,
)

EXCLUSIVE = ("特困", "低保", "低保边缘", "刚性支出困难")
"""A person holds one of these at a time: each definition leaves the others out (手册 01 §1.1)."""


@dataclass(frozen=True)
class NewMember:
    """A member of a family that is entered at the window."""

    name: str
    id_number: str
    relation: str


@transaction.atomic
def register_family(
    *, region_code: str, urban_rural: str, people: Sequence[NewMember], ground: str, token: str, by: User
) -> Household:
    """Enter a family that is not on the register, the head among its people; the same token again is the same family.

    Nobody of it may stand in another household: who does applies from there or is recorded as moved first.
    """
    require(by, Act.REGISTER_FAMILY, region_code=region_code)
    take_turn()
    number = f"LH-{token[:24]}"
    standing = RegistryEvent.objects.filter(number=number).select_related("household").first()
    if standing is not None and standing.household is not None:
        return standing.household
    if urban_rural not in ("城镇", "农村"):
        raise refusal("请选择城镇或农村。", "Choose 城镇 or 农村.")
    if [member.relation for member in people].count(HEAD) != 1:
        raise refusal("新立的户要有且只有一名户主。", "A new family has exactly one head.")
    if any(member.relation not in RELATIONS and member.relation != HEAD for member in people):
        raise refusal("请选择与户主的关系。", "Choose the relation to the head.")
    today = timezone.localdate()
    household = Household(
        household_no=f"XH{today:%Y%m%d}{RegistryEvent.objects.filter(kind=FAMILY).count() + 1:05d}",
        region_code=region_code,
        responsible_region=region_code,
        urban_rural=urban_rural,
        listed=False,
    )
    event = _event(number, FAMILY, today, None, region_code, ground, {"people": len(people)}, by)
    ledger = Ledger(event, timezone.now())
    ledger.touches(ledger.create(household))
    event.household = household
    for member in people:
        person = person_entered(ledger, member.name, member.id_number, member.name or "成员")
        for home in homes_of(person):
            raise refusal(
                f"{person.name}已是户 {home.household.household_no} 的成员，请用该户申请，或先登记迁出。",
                f"A person stands in household {home.household.household_no} already; apply from there.",
            )
        ledger.concerns(person)
        join_household(ledger, household, person, member.relation, today)
    refresh(ledger, household, today)
    finish(event, ledger, by)
    _log(event, by, Act.REGISTER_FAMILY)
    return household


@transaction.atomic
def record_decision(
    household_no: str,
    *,
    number: str,
    category: str,
    people: Sequence[int],
    decided_on: date,
    valid_from: date,
    decided_by: str,
    ground: str,
    by: User,
) -> RegistryEvent:
    """Give members a category by a decision of this office, from ``valid_from`` (the month after) on.

    ``number`` is the decision's and makes the act the same when it is repeated. What a member holds beside it of
    :data:`EXCLUSIVE` ends the day the new category begins.
    """
    found = _household(household_no)
    require(by, Act.DECIDE_APPLICATION, region_code=found.responsible_region)
    take_turn()
    standing = RegistryEvent.objects.filter(number=f"JD-{number}").first()
    if standing is not None:
        return standing
    told: dict[str, Any] = {"category": category, "decision": number}
    event = _event(f"JD-{number}", DECISION, decided_on, found, found.responsible_region, ground, told, by)
    ledger = Ledger(event, timezone.now())
    ledger.touches(found)
    members = {fact.person_id: fact.person for fact in standing_members(found)}
    for key in people:
        person = members.get(key)
        if person is None:
            raise refusal(
                "决定的对象已不是本户成员，请核对。", "Somebody is no longer a member of the household."
            )
        ledger.concerns(person)
        held = [fact for fact in standing_facts(CategoryRecord, person=person) if fact.left_on is None]
        if category != TEMPORARY_AID:
            for fact in held:
                if fact.category == category or (category in EXCLUSIVE and fact.category in EXCLUSIVE):
                    ledger.end(fact, valid_from)
        ledger.make(
            CategoryRecord(
                household=found,
                person=person,
                category=category,
                since=decided_on,
                decided_on=decided_on,
                document_no=number,
                decided_by=decided_by,
                source=CategoryRecord.Source.OWN,
                valid_from=valid_from,
            )
        )
        ledger.tell(f"{person.name}：自 {valid_from} 起为“{category}”（{number}）")
    refresh(ledger, found, decided_on)
    finish(event, ledger, by)
    _log(event, by, Act.DECIDE_APPLICATION)
    return event


@transaction.atomic
def record_end(
    household_no: str, *, number: str, category: str, people: Sequence[int], ends_on: date, why: str, by: User
) -> RegistryEvent:
    """Members leave a category by a decision, from ``ends_on`` on; the same number again is the same act."""
    found = _household(household_no)
    require(by, Act.DECIDE_APPLICATION, region_code=found.responsible_region)
    take_turn()
    standing = RegistryEvent.objects.filter(number=f"JD-{number}").first()
    if standing is not None:
        return standing
    told: dict[str, Any] = {"category": category, "decision": number, "ends": True}
    event = _event(
        f"JD-{number}", DECISION, timezone.localdate(), found, found.responsible_region, why, told, by
    )
    ledger = Ledger(event, timezone.now())
    ledger.touches(found)
    for fact in standing_facts(CategoryRecord, household=found, category=category):
        if fact.person_id in people and (fact.left_on is None or fact.left_on > ends_on):
            ledger.concerns(fact.person)
            ledger.change(fact, max(ends_on, fact.valid_from), left_on=ends_on, exit_reason=why[:200])
            ledger.tell(f"{fact.person.name}：自 {ends_on} 起退出“{category}”（{number}）")
    refresh(ledger, found, ends_on)
    finish(event, ledger, by)
    _log(event, by, Act.DECIDE_APPLICATION)
    return event


def people_of_household(household_no: str) -> list[tuple[int, str, str, bool]]:
    """Standing members as person key, name, relation, lives here; for a caller that has settled who may see them."""
    return [
        (fact.person_id, fact.person.name, fact.relation, fact.living_together)
        for fact in standing_members(_household(household_no))
    ]


def blinds_of_household(household_no: str) -> set[bytes]:
    """The blind indexes of the standing members' numbers, to be held against another list of such indexes."""
    return {bytes(fact.person.id_blind) for fact in standing_members(_household(household_no))}


def _household(household_no: str) -> Household:
    found = Household.objects.filter(household_no=household_no).first()
    if found is None:
        raise refusal(f"没有户编号 {household_no}。", f"No household {household_no}.")
    return found


def _event(
    number: str,
    kind: str,
    on: date,
    found: Household | None,
    region: str,
    ground: str,
    told: dict[str, Any],
    by: User,
) -> RegistryEvent:
    return RegistryEvent.objects.create(
        number=number,
        kind=kind,
        happened_on=on,
        household=found,
        region_code=region,
        status=RegistryEvent.Status.PROPOSED,
        ground=ground,
        details=json.dumps(told, ensure_ascii=False),
        proposed_by=by.username,
    )


def _log(event: RegistryEvent, by: User, act: Act) -> None:
    record(
        by=by,
        act=act,
        subject=f"event:{event.number}",
        region_code=event.region_code,
        detail={"kind": event.kind, "household": event.household.household_no if event.household else ""},
    )
