"""What the loaded department files say of given people (本地快照), without a name or an ID leaving the snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from doudi.contexts.registry.in_force import REGISTER, loads_in_force, register_on, snapshots_on
from doudi.contexts.registry.models import Grading
from doudi.contexts.registry.unread import unread_people
from doudi.engine.feeds import FeedSpec
from doudi.engine.feeds.snapshots import INDEX


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
    spec: FeedSpec, specs: Mapping[str, FeedSpec], asked: Mapping[bytes, str], *, on: date
) -> SnapshotRows | None:
    """The rows of a feed about people, from the files in force on a day; None where none was loaded.

    ``asked``: blind index of the ID → name; a quarantined row without a readable ID is known by its name.
    For a service that has checked its own authorisations: the caller passes the gate and writes the audit entry.
    """
    register, loads = register_on(on), loads_in_force(spec, on)
    if register is None or not loads:
        return None
    snapshots = snapshots_on({REGISTER: specs[REGISTER], spec.name: spec}, on)
    with duckdb.connect(config={"threads": 1}) as db:
        keys = db.execute(
            "select id_blind, person_key from read_parquet($1) where id_blind in (select unnest($2::blob[]))",
            [str(snapshots.register / INDEX), [bytes(blind) for blind in asked]],
        ).fetchall()
        answer = db.execute(
            "select * from read_parquet($1, union_by_name = true) where person_key in (select unnest($2::bigint[])) "
            "order by person_key, row_digest",
            [[str(path) for path in snapshots.feeds[spec.name]], [key for _blind, key in keys]],
        )
        columns = [column[0] for column in answer.description or []]
        rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
    held = _held_keys([load.pk for load in loads], register.file_hash)
    unread = unread_people(spec, loads, asked)
    people: dict[bytes, PersonRows] = {}
    of_key: dict[int, PersonRows] = {}
    for blind, key in keys:
        person = people.setdefault(bytes(blind), PersonRows())
        person.held = person.held or held is None or key in held
        person.unread = bytes(blind) in unread
        of_key[key] = person
    seen: set[tuple[int, int]] = set()
    names = {column.name for column in spec.columns}
    for row in rows:
        person = of_key[row["person_key"]]
        mark = (id(person), row["row_digest"])
        # who stands in two households has every row in each of them
        if mark not in seen:
            seen.add(mark)
            person.rows.append({name: value for name, value in row.items() if name in names})
    return SnapshotRows(max(load.as_of for load in loads), people)


def _held_keys(loads: Sequence[int], register_hash: str) -> set[int] | None:
    """Persons for whom a row is held; None where an earlier grading counted held rows and did not say whose."""
    keys: set[int] = set()
    for grading in Grading.objects.filter(load__in=loads, register_hash=register_hash):
        if grading.grades.get("grades", {}).get("C") and "held" not in grading.grades:
            return None
        keys.update(grading.grades.get("held", ()))
    return keys
