"""Who is disabled, as the certificates in force say (残疾人证), beside the register for lists.

In come the department's files in force; out come a person's kinds and grades. A file that never came makes the answer
unknown, and a list that asks for it is refused rather than empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

import duckdb
from django.db import transaction
from django.db.models import prefetch_related_objects

from doudi.contexts.registry.in_force import (
    REGISTER,
    Evidence,
    loads_in_force,
    register_on,
    snapshots_of,
)
from doudi.contexts.registry.listing import ListInvalid, Row
from doudi.contexts.registry.models import Disability
from doudi.contexts.registry.people import people_by_blind
from doudi.engine.feeds import FeedSpec
from doudi.engine.feeds.snapshots import INDEX, rows_of
from doudi.engine.packs.civil import DisabilityFile


def follow_disabilities(file: DisabilityFile, specs: Mapping[str, FeedSpec], *, on: date) -> int:
    """Bring the table to what the files in force on a day say of the register's people; returns the rows that changed."""
    wanted = _said(file, specs, on)
    with transaction.atomic():
        standing = {
            (row.person_id, row.kind, row.grade): row.pk for row in Disability.objects.select_for_update()
        }
        gone = [pk for key, pk in standing.items() if key not in wanted]
        fresh = sorted(wanted - standing.keys())
        for start in range(0, len(gone), 500):
            Disability.objects.filter(pk__in=gone[start : start + 500]).delete()
        Disability.objects.bulk_create(
            [Disability(person_id=person, kind=kind, grade=grade) for person, kind, grade in fresh],
            ignore_conflicts=True,
            batch_size=2000,
        )
    return len(gone) + len(fresh)


def _said(file: DisabilityFile, specs: Mapping[str, FeedSpec], on: date) -> set[tuple[int, str, int]]:
    register, loads = register_on(on), loads_in_force(specs[file.feed], on)
    if register is None or not loads:
        return set()
    wanted = {name: specs[name] for name in (REGISTER, file.feed)}
    snapshots = snapshots_of(wanted, Evidence(on, (register.pk, *(load.pk for load in loads)), {}))
    column, value = file.when
    with duckdb.connect(config={"threads": 1}) as db:
        rows = db.execute(
            f'select distinct i.id_blind, f."{file.kind}", f."{file.grade}" from {rows_of(*snapshots.feeds[file.feed])} f '  # noqa: S608 — columns of a declared feed
            f'join {rows_of(snapshots.register / INDEX)} i using (person_key) where f."{column}" = ?',
            [value],
        ).fetchall()
    people = people_by_blind({bytes(row[0]) for row in rows})
    return {
        (people[bytes(blind)].pk, str(kind), int(grade))
        for blind, kind, grade in rows
        if bytes(blind) in people and kind is not None and grade is not None
    }


def disabilities_at_hand(file: DisabilityFile | None, specs: Mapping[str, FeedSpec], *, on: date) -> bool:
    """Whether certificates ever came; those that came before lists asked for them are read now."""
    if file is None or not loads_in_force(specs[file.feed], on):
        return False
    if not Disability.objects.exists():
        follow_disabilities(file, specs, on=on)
    return True


def require_disabilities_known(
    file: DisabilityFile | None, specs: Mapping[str, FeedSpec], *, on: date
) -> None:
    """Refuse a list by disability where no certificates ever came: not arrived is not nobody."""
    if not disabilities_at_hand(file, specs, on=on):
        raise ListInvalid(
            "残疾人证数据还没有到，不能按残疾筛选；没有到不等于没有。请先装载。",
            "No disability data have arrived, so a list by disability would say nothing; load them first.",
            code="disabilities_not_arrived",
        )


def with_disabilities(rows: Iterable[Row]) -> None:
    """Read the disabilities of a page's people at once."""
    people = [row.person for row in rows if row.person is not None]
    if people:
        prefetch_related_objects(people, "disabilities")
