"""Two records that are one person become one, and can be told apart again (人员合并、撤销合并)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry.changes import MERGE, finish, open_event, undo_change
from doudi.contexts.registry.ledger import Ledger, copy_of
from doudi.contexts.registry.models import (
    CategoryRecord,
    DatedFact,
    DuplicatePair,
    Household,
    Membership,
    Person,
    PersonAlias,
    RegistryEvent,
    SupportTie,
)
from doudi.contexts.registry.people import batches, but_own
from doudi.contexts.registry.standing import HEAD, ChangeRefused, refresh
from doudi.engine import identity

Merge = RegistryEvent
"""A merge is an event: its number, ground, what it changed, and its undoing."""

REPAIRED: dict[type[DatedFact], tuple[str, ...]] = {
    Membership: ("person",),
    CategoryRecord: ("person",),
    SupportTie: ("obligor", "supported"),
}
"""Every dated fact of the registry that names a person; what was known before stays as it was known."""
_SAME: dict[type[DatedFact], tuple[str, ...]] = {
    Membership: ("household_id", "person_id", "registered"),
    CategoryRecord: ("household_id", "person_id", "category", "since", "left_on"),
    SupportTie: ("obligor_id", "supported_id", "kind"),
}


@transaction.atomic
def merge_people(
    keep: Person,
    away: Person,
    *,
    ground: str,
    by: User,
    holders: Iterable[type[models.Model]] = (),
) -> Merge:
    """Make ``away`` a former record of ``keep``: its facts are recorded anew under ``keep``, its number still finds it.

    ``holders`` are the models of higher contexts that name a person by key; :func:`doudi.chain.merge_people` gives
    them, and each row that is turned to ``keep`` is remembered for the way back.
    """
    head = take_turn()
    require(by, Act.CONFIRM_CHANGE)
    del head
    keep, away = (Person.objects.select_for_update().get(pk=one.pk) for one in (keep, away))
    _refuse_unless_two(keep, away)
    regions = _regions(keep, away)
    for region in regions:
        require(by, Act.CONFIRM_CHANGE, region_code=region)
    event = open_event(
        MERGE,
        household=None,
        region_code=min(_regions(keep) or regions or {by.region_code}),
        ground=ground,
        by=by,
        details={"keep": keep.pk, "away": away.pk},
    )
    ledger = Ledger(event, timezone.now())
    ledger.concerns(keep, away)
    _bring_over(ledger, keep, away)
    ledger.set(away, merged_into_id=keep.pk)
    for earlier in Person.objects.filter(merged_into=away):
        ledger.set(earlier, merged_into_id=keep.pk)
    for alias in PersonAlias.objects.filter(person=away):
        ledger.set(alias, person_id=keep.pk)
    if keep.died_on is None and away.died_on is not None:
        ledger.set(keep, died_on=away.died_on)
    for household in ledger.households.values():
        refresh(ledger, household, event.happened_on)
    ledger.told.insert(
        0,
        f"{away.name}（{identity.mask_id(away.id_number)}）并入{keep.name}（{identity.mask_id(keep.id_number)}）；"
        "原证件号仍可查到本人",
    )
    _tell_of_two_homes(ledger, keep)
    moved = [
        [model._meta.label, key]
        for model in holders
        for key in model._default_manager.filter(person_id=away.pk).values_list("pk", flat=True)
    ]
    _turn(moved, keep.pk)
    event.details = json.dumps({"keep": keep.pk, "away": away.pk, "moved": moved})
    finish(event, ledger, by)
    record(
        by=by,
        act=Act.CONFIRM_CHANGE,
        subject=f"event:{event.number}",
        region_code=event.region_code,
        reason=ground,
        detail={"step": "merged", "keep": keep.pk, "away": away.pk, "rows": len(ledger.entries)},
    )
    return event


@transaction.atomic
def unmerge(merge: Merge, *, ground: str, by: User) -> Merge:
    """Two people again: every row that the merge brought over goes back, unless later facts stand on it.

    A pair of the queue that was decided by this merge is in doubt again, whichever page it was taken back from.
    """
    if merge.kind != MERGE:
        raise ChangeRefused("这项变动不是人员合并。", "That event is not a merge of people.")
    for region in _regions(*merged_pair(merge)):
        require(by, Act.CONFIRM_CHANGE, region_code=region)
    undone = undo_change(merge.number, ground=ground, by=by)
    _turn(json.loads(merge.details).get("moved", []), merged_pair(merge)[1].pk)
    DuplicatePair.objects.filter(merge_number=merge.number).update(
        status=DuplicatePair.Status.DOUBTFUL,
        merge_number="",
        ground=ground.strip()[:300],
        decided_by=by.username,
        decided_at=timezone.now(),
    )
    return undone


def _turn(rows: list[list[Any]], person: int) -> None:
    """Make rows of higher contexts name a person."""
    for label, key in rows:
        apps.get_model(label)._default_manager.filter(pk=key).update(person_id=person)


def merged_pair(merge: Merge) -> tuple[Person, Person]:
    """The person that was kept and the record that went into it."""
    named = json.loads(merge.details)
    return Person.objects.get(pk=named["keep"]), Person.objects.get(pk=named["away"])


def _refuse_unless_two(keep: Person, away: Person) -> None:
    if keep.pk == away.pk:
        raise ChangeRefused("两条记录是同一条。", "Both are the same record.")
    for one in (keep, away):
        if one.merged_into_id is not None:
            raise ChangeRefused(
                f"{one.name} 的记录已并入另一人，请用合并后的记录。",
                f"The record of {one.name} was merged already; use the one it went into.",
            )
    if keep.sex and away.sex and keep.sex != away.sex and keep.born_on != away.born_on:
        raise ChangeRefused(
            "两条记录性别和出生日期都不同，不是同一人；如证件号有误，请先更正证件号。",
            "The records differ in sex and birth date; if an ID is wrong, correct it first.",
        )


def _regions(*people: Person) -> set[str]:
    return set(
        Membership.objects.as_known()
        .filter(person__in=people)
        .values_list("household__responsible_region", flat=True)
    )


def _bring_over(ledger: Ledger, keep: Person, away: Person) -> None:
    """Every fact of ``away``, past ones too, becomes one of ``keep``; one that both have stands once."""
    for model, names in REPAIRED.items():
        manager: models.Manager[Any] = model.objects
        for name in names:
            for fact in manager.filter(**{name: away}, retracted_at=None):
                moved = copy_of(fact, **{f"{name}_id": keep.pk})
                ledger.retract(fact)
                if model is Membership:
                    ledger.touches(fact.household)
                same = {field: getattr(moved, field) for field in _SAME[model]}
                twin = manager.filter(**same, retracted_at=None, valid_to=moved.valid_to).first()
                if twin is None and not (model is SupportTie and same["obligor_id"] == same["supported_id"]):
                    ledger.make(moved)
                elif twin is not None and model is Membership and moved.relation == HEAD != twin.relation:
                    ledger.change(twin, twin.valid_from, relation=HEAD)


@dataclass(frozen=True)
class TwoHomes:
    """A person whom a merge left in more than one household, for somebody to say which one is right."""

    person: Person
    merge_number: str
    households: tuple[Household, ...]


def left_in_two_homes(*, by: User) -> list[TwoHomes]:
    """The merged people who still stand in two households of the account's area, the oldest merge first (一人两户)."""
    require(by, Act.VIEW_DUPLICATES)
    merges = RegistryEvent.objects.filter(kind=MERGE, status=RegistryEvent.Status.IN_FORCE).order_by("pk")
    kept: dict[int, str] = dict(
        merges.filter(people__person__merged_into=None).values_list("people__person", "number")
    )
    homes: dict[int, dict[int, Household]] = {}
    people: dict[int, Person] = {}
    for batch in batches(kept):
        standing = Membership.objects.as_known().filter(person__in=batch, registered=True)
        standing = standing.filter(household__responsible_region__startswith=by.region_code)
        standing = but_own(standing, by=by, household="household__household_no", persons=("person",))
        for fact in standing.select_related("person", "household").order_by("pk"):
            people[fact.person_id] = fact.person
            homes.setdefault(fact.person_id, {})[fact.household_id] = fact.household
    return [
        TwoHomes(people[key], number, tuple(homes[key].values()))
        for key, number in kept.items()
        if len(homes.get(key, ())) > 1
    ]


def _tell_of_two_homes(ledger: Ledger, keep: Person) -> None:
    """A merged person registered in two households stays so: which one is right is for a later event to say."""
    homes = Membership.objects.as_known().filter(person=keep, registered=True)
    numbers = sorted(homes.values_list("household__household_no", flat=True))
    if len(numbers) > 1:
        ledger.tell(
            f"{keep.name}：现在同时登记在{'、'.join(numbers)}共 {len(numbers)} 户，请核实户籍："
            "一户并入另一户的登记“并户”，只是本人重复的在多出的一户登记“成员迁出”"
        )
