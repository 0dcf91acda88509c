"""What an event changes, row by row, so that it can be told beforehand and undone afterwards (登记变动)."""

from __future__ import annotations

import base64
import json
from copy import copy
from datetime import date, datetime
from typing import Any, TypeVar

from django.apps import apps
from django.db import models
from django.db.models.base import ModelState
from django.utils import timezone

from doudi.contexts.registry.models import DatedFact, Household, Person, RegistryEvent
from doudi.engine.errors import DoudiError

F = TypeVar("F", bound=DatedFact)
M = TypeVar("M", bound=models.Model)


class UndoRefused(DoudiError):
    """Later facts stand on the event; taking it back would leave them hanging."""

    code = "undo_refused"


def copy_of(fact: F, **other: Any) -> F:
    """The same fact as a new row, recorded now, with ``other`` values."""
    copied = copy(fact)
    copied.pk = None
    copied._state = ModelState()
    copied.recorded_at, copied.ended_at, copied.retracted_at = timezone.now(), None, None
    for name, value in other.items():
        setattr(copied, name, value)
    return copied


class Ledger:
    """The changes of one event, made at one moment; every change goes through here and is remembered in order."""

    def __init__(self, event: RegistryEvent, at: datetime) -> None:
        self.event, self.at = event, at
        self.entries: list[list[Any]] = []
        self.told: list[str] = []
        self.people: dict[int, bool] = {}
        self.households: dict[int, Household] = {}

    def tell(self, line: str) -> None:
        """Say one change in words for who is asked to confirm it."""
        self.told.append(line)

    def concerns(self, *people: Person, asserts: bool = True) -> None:
        """Note whom the event is about; ``asserts`` where the office's word stands beside the register's."""
        for person in people:
            self.people[person.pk] = asserts or self.people.get(person.pk, False)

    def touches(self, household: Household) -> Household:
        """Note a household the event changes; the asker must answer for each. One instance a household."""
        return self.households.setdefault(household.pk, household)

    def make(self, fact: F) -> F:
        """Record a new fact of the event."""
        fact.event, fact.recorded_at = self.event, self.at
        fact.save(force_insert=True)
        self.entries.append(["make", fact._meta.label, fact.pk, fact.valid_to and fact.valid_to.isoformat()])
        return fact

    def end(self, fact: DatedFact, on: date) -> None:
        """From ``on`` the fact holds no longer; one that would have begun later never held."""
        if fact.valid_from >= on:
            self.retract(fact)
            return
        fact.valid_to, fact.ended_at = on, self.at
        fact.save(update_fields=["valid_to", "ended_at"])
        self.entries.append(["end", fact._meta.label, fact.pk, on.isoformat()])

    def retract(self, fact: DatedFact) -> None:
        """The fact never held."""
        fact.retracted_at = self.at
        fact.save(update_fields=["retracted_at"])
        self.entries.append(["retract", fact._meta.label, fact.pk, None])

    def change(self, fact: F, on: date, **values: Any) -> F:
        """From ``on`` the fact is another; returns its successor."""
        self.end(fact, on)
        return self.make(copy_of(fact, valid_from=on, valid_to=None, load=None, **values))

    def create(self, row: M) -> M:
        """A person, a household or an alias that was not there."""
        row.save(force_insert=True)
        self.entries.append(["create", row._meta.label, row.pk, None])
        return row

    def set(self, row: models.Model, **values: Any) -> None:
        """Change columns of a row that is not dated, with what stood there before."""
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        if not changed:
            return
        before = {name: _plain(getattr(row, name)) for name in changed}
        for name, value in changed.items():
            setattr(row, name, value)
        row.save(update_fields=list(changed))
        after = {name: _plain(value) for name, value in changed.items()}
        self.entries.append(["set", row._meta.label, row.pk, [before, after]])

    def written(self) -> str:
        """The entries as the event keeps them."""
        return json.dumps(self.entries, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return base64.b64encode(bytes(value)).decode() if isinstance(value, bytes | memoryview) else value


def take_back(changes: str, at: datetime) -> dict[tuple[str, int], int]:
    """Undo the entries of an event, the last first; what changed since refuses it. The caller holds the transaction.

    Returns which rows stand again under a new key, for the earlier events that made them (:func:`readdress`).
    """
    again: dict[tuple[str, int], int] = {}
    for deed, label, key, extra in reversed(json.loads(changes or "[]")):
        row = apps.get_model(label)._default_manager.select_for_update().get(pk=key)
        if deed == "make":
            if row.retracted_at is not None or _plain(row.valid_to) != extra:
                raise _changed_since()
            row.retracted_at = at
            row.save(update_fields=["retracted_at"])
        elif deed == "end":
            if row.retracted_at is not None or _plain(row.valid_to) != extra:
                raise _changed_since()
            row.retracted_at = at
            row.save(update_fields=["retracted_at"])
            again[label, key] = _again(row, valid_to=None, recorded_at=at)
        elif deed == "retract":
            again[label, key] = _again(row, recorded_at=at)
        elif deed == "set":
            _set_back(row, *extra)
        elif label.endswith("PersonAlias"):
            row.delete()
    return again


def _again(row: DatedFact, **other: Any) -> int:
    restated = copy_of(row, **other)
    restated.save(force_insert=True)
    return int(restated.pk)


def readdress(changes: str, again: dict[tuple[str, int], int]) -> str:
    """An earlier event's entries, with the keys under which its rows stand again."""
    return json.dumps(
        [
            [deed, label, again.get((label, key), key), extra]
            for deed, label, key, extra in json.loads(changes or "[]")
        ],
        ensure_ascii=False,
    )


def _set_back(row: models.Model, before: dict[str, Any], after: dict[str, Any]) -> None:
    for name, value in after.items():
        if _plain(getattr(row, name)) != value:
            raise _changed_since()
        old = before[name]
        setattr(row, name, _column(row, name).to_python(old) if old is not None else None)
    row.save(update_fields=list(after))


def _column(row: models.Model, name: str) -> Any:
    return row._meta.get_field(name)


def _changed_since() -> UndoRefused:
    return UndoRefused(
        "这项变动所改的内容后来又变了，不能直接撤销。请先撤销后来的变动，或另行登记一项更正。",
        "What this event changed was changed again later; undo the later event first, or record a correction.",
    )
