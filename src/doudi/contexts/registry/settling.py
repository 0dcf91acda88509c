"""Settling what a register and the office say differently of a person (处理不一致)."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry.changes import SETTLE, finish, open_event
from doudi.contexts.registry.differences import OPEN, Word, open_words
from doudi.contexts.registry.ledger import Ledger
from doudi.contexts.registry.models import CategoryRecord, EventPerson, Household, Membership
from doudi.contexts.registry.standing import refresh
from doudi.engine.errors import DoudiError


class DifferenceNotFound(DoudiError):
    """No such difference, or not in the asker's area."""

    code = "difference_not_found"


def differences(*, by: User) -> QuerySet[EventPerson]:
    """The disputed words of the account's area, the oldest first."""
    require(by, Act.VIEW_HOUSEHOLDS)
    found = open_words().filter(word=Word.DISPUTED).select_related("event__household", "person", "load")
    if by.region_code:
        found = found.filter(event__region_code__startswith=by.region_code)
    return found.order_by("pk")


@transaction.atomic
def settle(difference: int, *, follow_register: bool, ground: str, by: User) -> EventPerson:
    """Say which word stands: the office's, or the register's, which is then entered as of its date."""
    take_turn()
    require(by, Act.CONFIRM_CHANGE)
    word = differences(by=by).filter(pk=difference).first()
    if word is None:
        raise DifferenceNotFound(
            "没有找到这条不一致，或已经处理。", "No such difference, or it was settled already."
        )
    event = open_event(
        SETTLE,
        household=word.event.household,
        region_code=word.event.region_code,
        ground=ground,
        by=by,
        details={"word": word.pk, "follow_register": follow_register},
    )
    ledger = Ledger(event, timezone.now())
    ledger.concerns(word.person, asserts=False)
    if follow_register:
        _follow_register(ledger, word)
        EventPerson.objects.filter(person=word.person_id, word__in=OPEN).update(word=Word.YIELDED)
        word.word = Word.YIELDED
    else:
        word.word = Word.KEPT
        ledger.tell(f"{word.person.name}：以本办登记为准")
    word.save(update_fields=["word"])
    finish(event, ledger, by)
    record(
        by=by,
        act=Act.CONFIRM_CHANGE,
        subject=f"event:{event.number}",
        region_code=event.region_code,
        reason=ground,
        detail={"step": "settled", "follow_register": follow_register, "event": word.event.number},
    )
    return word


def _follow_register(ledger: Ledger, word: EventPerson) -> None:
    load = word.load
    assert load is not None
    person = word.person
    for model in (Membership, CategoryRecord):
        for fact in model.objects.as_known().filter(person=person).select_related("household"):
            if isinstance(fact, CategoryRecord) and fact.source == CategoryRecord.Source.IMPORTED:
                continue
            ledger.touches(fact.household)
            ledger.end(fact, load.as_of)
    for number, relation, together, category, since, left_on in word.said:
        home = ledger.touches(Household.objects.get(household_no=number))
        ledger.make(
            Membership(
                household=home,
                person=person,
                relation=relation,
                living_together=bool(together),
                valid_from=load.as_of,
                load=load,
            )
        )
        ledger.make(
            CategoryRecord(
                household=home,
                person=person,
                category=category,
                since=since,
                left_on=left_on,
                valid_from=load.as_of,
                load=load,
            )
        )
        ledger.tell(f"{person.name}：按 {load.as_of} 的花名册，为户 {number} 的成员（{relation}）")
    if not word.said:
        ledger.tell(f"{person.name}：按 {load.as_of} 的花名册，不再在册")
    if person.died_on is not None and word.said:
        ledger.set(person, died_on=None)
    for home in list(ledger.households.values()):
        refresh(ledger, home, load.as_of, whole=False)
