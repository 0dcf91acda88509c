"""Old people of the register by place and kind (老年人分布), as figures for planning and never as names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
from django.db.models import Q

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.registry.in_force import snapshots_on
from doudi.contexts.registry.listing import age_on
from doudi.contexts.registry.models import Membership
from doudi.engine.feeds import FeedSpec
from doudi.engine.feeds.snapshots import INDEX

_DISABILITY = "disability"


@dataclass(frozen=True)
class EldersOfPlace:
    """Old people of one place: all, the very old, those who live alone, the disabled, the very old or disabled.

    ``disabled`` is None where the register of the disabled has not arrived: unknown is not none.
    """

    region_code: str
    old: int
    very_old: int
    alone: int
    disabled: int | None
    frail: int


def elders_by_place(
    specs: Mapping[str, FeedSpec], *, old_age: int, very_old_age: int, on: date, by: User
) -> list[EldersOfPlace]:
    """Old people of the households in the register by the place where they live, in the account's area.

    Everybody in the register is in difficulty (低收入人口), so these are the special-difficulty elders of a plan.
    """
    require(by, Act.VIEW_DASHBOARD)
    standing = Membership.objects.filter(
        valid_to=None,
        retracted_at=None,
        living_together=True,
        household__listed=True,
        household__merged_into=None,
    )
    if by.region_code:
        standing = standing.filter(household__responsible_region__startswith=by.region_code)
    disabled = _disabled(specs, on)
    counts: dict[str, list[int]] = {}
    seen: set[int] = set()
    rows = standing.filter(Q(person__died_on=None) | Q(person__died_on__gt=on)).values_list(
        "person_id", "person__born_on", "person__id_blind", "household__region_code", "household__persons"
    )
    for person, born_on, blind, region, persons in rows.order_by("person_id"):
        age = age_on(born_on, on)
        if age is None or age < old_age or person in seen:
            continue
        seen.add(person)
        very_old, is_disabled = age >= very_old_age, disabled is not None and bytes(blind) in disabled
        sums = counts.setdefault(region, [0, 0, 0, 0, 0])
        for place, counted in enumerate((True, very_old, persons == 1, is_disabled, very_old or is_disabled)):
            sums[place] += counted
    record(by=by, act="count_elders", region_code=by.region_code, detail={"places": len(counts)})
    return [
        EldersOfPlace(region, sums[0], sums[1], sums[2], sums[3] if disabled is not None else None, sums[4])
        for region, sums in sorted(counts.items())
    ]


def _disabled(specs: Mapping[str, FeedSpec], on: date) -> set[bytes] | None:
    """The blind indexes of people in the disabled persons' file in force; None where it has not arrived."""
    if _DISABILITY not in specs:
        return None
    snapshots = snapshots_on({_DISABILITY: specs[_DISABILITY]}, on)
    if _DISABILITY in snapshots.missing or not snapshots.feeds.get(_DISABILITY):
        return None
    with duckdb.connect(config={"threads": 1}) as db:
        rows = db.execute(
            "select distinct i.id_blind from read_parquet($1, union_by_name = true) d "
            "join read_parquet($2) i using (person_key) where coalesce(d.status, '有效') <> '注销'",
            [[str(path) for path in snapshots.feeds[_DISABILITY]], str(snapshots.register / INDEX)],
        ).fetchall()
    return {bytes(row[0]) for row in rows}
