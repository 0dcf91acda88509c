"""What the loaded department files say of given people (本地快照), without a name or an ID leaving the snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from doudi.contexts.registry.in_force import (
    REGISTER,
    Evidence,
    every_load_in_force,
    register_on,
    snapshots_of,
)
from doudi.contexts.registry.models import FeedLoad, Grading
from doudi.contexts.registry.unread import unread_people
from doudi.engine.feeds import FeedSpec, lookup


@dataclass
class PersonRows:
    """The rows of one registered person, typed as the feed's columns are, those that identify left out.

    ``held``: a row bears this ID and another name, or it was not written down whose it is; it is for a person to look at.
    ``unread``: a quarantined row speaks of this person, so what was read is not all that the files say.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    held: bool = False
    unread: bool = False


@dataclass(frozen=True)
class SnapshotRows:
    """By blind index of the ID; who is not in the register is not in it. ``as_of``: the date of the newest file."""

    as_of: date
    people: Mapping[bytes, PersonRows]


def rows_of_people(
    wanted: Sequence[FeedSpec], specs: Mapping[str, FeedSpec], asked: Mapping[bytes, str], *, on: date
) -> dict[str, SnapshotRows]:
    """The rows of feeds about people, from the files in force on a day, by feed; a feed that was never loaded is not in it.

    ``asked``: blind index of the ID → name; a quarantined row without a readable ID is known by its name.
    For a service that has checked its own authorisations: the caller passes the gate and writes the audit entry.
    """
    register = register_on(on)
    if register is None:
        return {}
    loads = every_load_in_force({spec.name: spec for spec in wanted}, on)
    loaded = [spec for spec in wanted if loads.get(spec.name)]
    in_force = (register.pk, *(load.pk for spec in loaded for load in loads[spec.name]))
    snapshots = snapshots_of(
        {REGISTER: specs[REGISTER], **{spec.name: spec for spec in loaded}}, Evidence(on, in_force, {})
    )
    keys = lookup.people_in(snapshots.register, [bytes(blind) for blind in asked])
    held = _held_keys([load.pk for found in loads.values() for load in found], register.file_hash)
    return {
        spec.name: _rows(spec, loads[spec.name], snapshots.feeds[spec.name], keys, held, asked)
        for spec in loaded
    }


def _rows(
    spec: FeedSpec,
    loads: Sequence[FeedLoad],
    paths: Sequence[Path],
    keys: Sequence[tuple[bytes, int]],
    held: Mapping[int, set[int] | None],
    asked: Mapping[bytes, str],
) -> SnapshotRows:
    bad = [load for load in loads if load.counts.get("quarantined")]
    unread = unread_people(spec, bad, asked) if bad else frozenset()
    people: dict[bytes, PersonRows] = {}
    of_key: dict[int, PersonRows] = {}
    for blind, key in keys:
        person = people.setdefault(blind, PersonRows())
        for load in loads:
            of_load = held.get(load.pk, set())
            person.held = person.held or of_load is None or key in of_load
        person.unread = blind in unread
        of_key[key] = person
    seen: set[tuple[int, int]] = set()
    for key, row in lookup.rows_in(spec, paths, list(of_key)):
        person = of_key[key]
        mark = (id(person), row.pop("row_digest"))
        # who stands in two households has every row in each of them
        if mark not in seen:
            seen.add(mark)
            person.rows.append(row)
    return SnapshotRows(max(load.as_of for load in loads), people)


def _held_keys(loads: Sequence[int], register_hash: str) -> dict[int, set[int] | None]:
    """By load the persons for whom a row is held; None where an earlier grading counted held rows and did not say whose."""
    keys: dict[int, set[int] | None] = {}
    for grading in Grading.objects.filter(load__in=loads, register_hash=register_hash):
        unsaid = grading.grades.get("grades", {}).get("C") and "held" not in grading.grades
        keys[grading.load_id] = None if unsaid else set(grading.grades.get("held", ()))
    return keys
