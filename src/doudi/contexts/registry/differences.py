"""Where a register and the office's own entries say different things (与花名册不一致).

A register dated after an event either confirms what the office recorded of a person or disputes it; a disputed word
changes nothing until somebody settles it. A register of the event's date or before cannot speak of it.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from doudi.contexts.registry.models import (
    CategoryRecord,
    EventPerson,
    FeedLoad,
    Household,
    Membership,
    RegistryEvent,
)

Word = EventPerson.Word
OPEN = (Word.STANDING, Word.DISPUTED, Word.KEPT)


def open_words() -> QuerySet[EventPerson]:
    """What the office says of people and no register has confirmed yet."""
    return EventPerson.objects.filter(word__in=OPEN, event__status=RegistryEvent.Status.IN_FORCE)


def hold_against(
    load: FeedLoad,
    memberships: dict[tuple[int, int], Membership],
    categories: dict[tuple[int, int], CategoryRecord],
) -> set[int]:
    """Put a register to the office's open words: confirm, dispute, or leave; returns the people whom it does not change."""
    words = list(open_words().select_related("event").order_by("event__pk"))
    held = {word.person_id for word in words}
    if not held:
        return held
    said: dict[int, list[list[Any]]] = {key: [] for key in held}
    for (home, key), fact in memberships.items():
        if key in held:
            label = categories[home, key]
            said[key].append(
                [
                    fact.household.household_no,
                    fact.relation,
                    fact.living_together,
                    label.category,
                    label.since and label.since.isoformat(),
                    label.left_on and label.left_on.isoformat(),
                ]
            )
    for word in words:
        rows = sorted(said[word.person_id], key=lambda row: str(row[0]))
        if load.as_of <= word.event.happened_on:
            continue
        if _agrees(word.person_id, rows, load):
            word.word = Word.CONFIRMED
        elif word.word == Word.KEPT and word.said == rows:
            continue
        else:
            word.word = Word.DISPUTED
        word.load, word.said = load, rows
        word.save(update_fields=["word", "load", "said"])
    return held


def _agrees(person: int, rows: list[list[Any]], load: FeedLoad) -> bool:
    ours = {
        (fact.household.household_no, fact.relation, fact.living_together)
        for fact in Membership.objects.as_known(valid_on=load.as_of)
        .filter(person=person, registered=True)
        .select_related("household")
        if fact.retracted_at is None
    }
    if ours != {(row[0], row[1], bool(row[2])) for row in rows}:
        return False
    labels = CategoryRecord.objects.filter(person=person, retracted_at=None, valid_from__lte=load.as_of)
    labels = labels.filter(Q(valid_to=None) | Q(valid_to__gt=load.as_of)).exclude(category="")
    left = {label.category for label in labels if label.left_on is not None and label.left_on <= load.as_of}
    held = {(label.category, label.source) for label in labels if label.category not in left}
    theirs = {row[3] for row in rows if row[3] and row[5] is None}
    imported = {name for name, source in held if source == CategoryRecord.Source.IMPORTED}
    return theirs <= {name for name, _ in held} and {name for name, _ in held} - imported <= theirs


def show_local_households(held: set[int]) -> None:
    """A household that only the office's own entries keep up stays on the list, though the register lacks it."""
    kept = Household.objects.filter(
        memberships__person__in=held, memberships__valid_to=None, memberships__retracted_at=None
    ).distinct()
    for home in kept:
        members = list(Membership.objects.as_known().filter(household=home).select_related("person"))
        head = next((fact.person.name for fact in members if fact.relation == "户主"), home.head_name)
        Household.objects.filter(pk=home.pk).update(listed=True, persons=len(members), head_name=head)
    for home in Household.objects.filter(memberships__person__in=held, listed=True).distinct():
        if not Membership.objects.as_known().filter(household=home).exists():
            Household.objects.filter(pk=home.pk).update(listed=False)
