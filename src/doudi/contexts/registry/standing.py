"""The facts that stand now of people and households, and the acts on them that every event is made of."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE
from doudi.contexts.registry.ledger import Ledger, copy_of
from doudi.contexts.registry.models import (
    CategoryRecord,
    Household,
    Membership,
    Person,
)
from doudi.contexts.registry.people import person_by_id
from doudi.contexts.registry.precedence import RANKS, TEMPORARY_AID
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

HEAD = "户主"


SPOUSE = "配偶"
OTHER = "其他"


class ChangeRefused(DoudiError):
    """The event cannot be: the registry as it stands says otherwise, or something is left out."""

    code = "change_refused"


def refusal(zh: str, en: str) -> ChangeRefused:
    return ChangeRefused(zh, en)


def standing_members(household: Household) -> list[Membership]:
    """The household's members as known now, the head first."""
    found = list(
        Membership.objects.as_known()
        .filter(household=household)
        .select_related("person", "household")
        .order_by("pk")
    )
    return sorted(found, key=lambda fact: fact.relation != HEAD)


def member_of(household: Household, person_id: int) -> Membership:
    """The standing membership of a person in a household."""
    for fact in standing_members(household):
        if fact.person_id == person_id:
            return fact
    raise refusal(
        f"户 {household.household_no} 现在没有这名成员，请从名单中选择。",
        f"Household {household.household_no} has no such member now; choose one of the list.",
    )


def standing_facts(model: Any, **where: Any) -> list[Any]:
    return list(model.objects.as_known().filter(**where))


def homes_of(person: Person) -> list[Membership]:
    return list(Membership.objects.as_known().filter(person=person).select_related("household", "person"))


def refresh(ledger: Ledger, household: Household, on: date, *, whole: bool = True) -> None:
    """Bring what the household's row shows to its members: head, size, category, and whether it stands at all.

    A household that goes on has one head and no more; ``whole=False`` is for one member of several being settled.
    """
    members = standing_members(household)
    heads = [fact for fact in members if fact.relation == HEAD]
    if whole and members and len(heads) != 1:
        raise refusal(
            f"户 {household.household_no} 还有成员而没有（或不止一名）户主，请指定新户主。",
            f"Household {household.household_no} goes on and needs exactly one head: name the new head.",
        )
    labels: dict[int, list[str]] = {}
    for record in standing_facts(CategoryRecord, household=household):
        if record.category and record.category != TEMPORARY_AID and record.left_on is None:
            labels.setdefault(record.person_id, []).append(record.category)
    best = sorted(labels.get(heads[0].person_id, []) if heads else [], key=lambda c: RANKS.get(c, 99))
    every = sorted((c for held in labels.values() for c in held), key=lambda c: RANKS.get(c, 99))
    ledger.set(
        household,
        head_name=heads[0].person.name if heads else household.head_name,
        persons=len(members),
        category=(best or every or [""])[0] if members else household.category,
        listed=bool(members),
    )


def name_head(ledger: Ledger, household: Household, on: date, new_head: Any, *, leaving: int | None) -> None:
    """Make a member the head; the others' relations are told anew from the new head where that is certain."""
    left = [fact for fact in standing_members(household) if fact.person_id != leaving]
    if not left or any(fact.relation == HEAD for fact in left):
        return
    if not new_head:
        raise refusal(
            f"户主离开而户 {household.household_no} 还在，请指定新户主。",
            f"The head leaves and household {household.household_no} goes on: name the new head.",
        )
    chosen = next((fact for fact in left if fact.person_id == int(new_head)), None)
    if chosen is None:
        raise refusal("新户主须是留在本户的成员。", "The new head must be a member who stays.")
    was_spouse = chosen.relation == SPOUSE
    for fact in left:
        if fact is chosen:
            ledger.change(fact, on, relation=HEAD)
        elif not (was_spouse and fact.relation in ("子", "女", "孙子女")) and fact.relation != OTHER:
            # a child of the couple stays a child; of anyone else the tie to the new head is not known
            ledger.change(fact, on, relation=OTHER)
    ledger.tell(f"{chosen.person.name}：自 {on} 起为户 {household.household_no} 的户主")


def person_entered(ledger: Ledger, name: str, number: str, what: str) -> Person:
    """The person of a typed number: the one who is known, or a new one."""
    reading = identity.read_id(number, today=timezone.localdate())
    if reading.number is None:
        raise refusal(
            f"{what}的身份证号不对，请核对。", f"The ID number of the {what} is not valid; check it."
        )
    known = person_by_id(reading.number)
    if known is not None:
        if identity.normal_name(known.name) != identity.normal_name(name):
            raise refusal(
                f"{what}的证件号已登记在另一姓名之下。请核对姓名和证件号；如登记的姓名有误，先更正。",
                "That ID is registered under another name; check name and ID.",
            )
        if known.died_on is not None:
            raise refusal(
                f"{what}已登记死亡，请核对证件号。", "That person is registered as dead; check the ID."
            )
        return known
    return ledger.create(
        Person(
            id_blind=keyring().digest(reading.number, purpose=ID_PURPOSE),
            id_number=reading.number,
            name=name.strip(),
            sex=identity.sex_of(reading.number),
            born_on=identity.birth_date_of(reading.number),
        )
    )


def end_membership(ledger: Ledger, fact: Membership, on: date, *, categories: bool, why: str = "") -> None:
    """A member leaves a household; its labels there end with ``categories``."""
    ledger.end(fact, on)
    ledger.tell(f"{fact.person.name}：自 {on} 起不再是户 {fact.household.household_no} 的成员")
    if categories:
        for record in standing_facts(CategoryRecord, household=fact.household, person=fact.person):
            _end_label(ledger, record, on, why)


def _end_label(ledger: Ledger, record: CategoryRecord, on: date, why: str) -> None:
    if record.category and record.category != TEMPORARY_AID:
        ledger.tell(f"{record.person.name}：类别“{record.category}”自 {on} 起终止（{why}）")
    ledger.end(record, on)


def move_member(ledger: Ledger, fact: Membership, to: Household, relation: str, on: date) -> None:
    """A member goes to another household and takes the labels along."""
    ledger.end(fact, on)
    ledger.make(copy_of(fact, household=to, relation=relation, valid_from=on, valid_to=None, load=None))
    for record in standing_facts(CategoryRecord, household=fact.household, person=fact.person):
        ledger.end(record, on)
        ledger.make(copy_of(record, household=to, valid_from=on, valid_to=None, load=None))
    ledger.tell(
        f"{fact.person.name}：自 {on} 起由户 {fact.household.household_no} 转入户 {to.household_no}，为{relation}"
    )


def join_household(
    ledger: Ledger, household: Household, person: Person, relation: str, on: date, **flags: Any
) -> None:
    if any(fact.household_id == household.pk for fact in homes_of(person)):
        raise refusal(
            f"{person.name}已是户 {household.household_no} 的成员。",
            f"{person.name} is already a member of household {household.household_no}.",
        )
    given = {"registered": True, "living_together": True, "basis": "", **flags}
    ledger.make(Membership(household=household, person=person, relation=relation, valid_from=on, **given))
    ledger.tell(f"{person.name}：自 {on} 起为户 {household.household_no} 的成员（{relation}）")


def new_household(ledger: Ledger, number: str, like: Household) -> Household:
    """A household under a number that is free, in the area of another."""
    number = number.strip()
    if not number or len(number) > 60 or "/" in number:
        raise refusal("请填写新户的户编号（不含斜线）。", "Give the number of the new household (no slash).")
    if Household.objects.filter(household_no=number).exists():
        raise refusal(f"户编号 {number} 已经有了，请换一个。", f"Household number {number} is taken.")
    return ledger.touches(
        ledger.create(
            Household(
                household_no=number,
                region_code=like.region_code,
                responsible_region=like.responsible_region,
                urban_rural=like.urban_rural,
                register_date=like.register_date,
                listed=False,  # until its members are in
            )
        )
    )
