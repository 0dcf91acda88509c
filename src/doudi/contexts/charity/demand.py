"""Where the needs are and what stands against them (需求热力): by township and kind, beside what projects have left.

An office counts by the township that answers; a body by the place each published need shows, and no finer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, require
from doudi.contexts.charity.conditions import left_of
from doudi.contexts.charity.models import Need, Project
from doudi.contexts.charity.needs import needs
from doudi.contexts.charity.projects import projects
from doudi.engine.packs.linking import LinkageRules

GRADES = 4


@dataclass(frozen=True)
class Cell:
    """Needs of one kind in one place: how many, fen missing, and the shade from 0 (none) to 4 (the most)."""

    count: int
    gap_fen: int
    shade: int


@dataclass(frozen=True)
class Supply:
    """What stands against a kind: open projects that take it, fen left (None: one of them has no limit)."""

    projects: int
    left_fen: int | None


@dataclass(frozen=True)
class Demand:
    """``rows``: place → kind → cell; ``supply``: kind → what projects have left; ``short``: kinds with more gap than that."""

    kinds: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    totals: tuple[Cell, ...]
    supply: tuple[Supply, ...]
    short: frozenset[str]


def demand(*, rules: LinkageRules, by: User) -> Demand:
    """Published and claimed needs of the asker's area against the projects of its county."""
    scope = require(by, Act.VIEW_NEEDS)
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for need in needs(by=by).filter(status__in=(Need.Status.PUBLISHED, Need.Status.CLAIMED)):
        body = scope is Scope.ORGANISATION
        place, kind = (need.public_region, need.public_kind) if body else (need.region_code, need.kind)
        cell = counts[place[:9], kind]
        cell[0] += 1
        cell[1] += need.gap_fen or 0
    known = (*rules.kinds, *rules.broader_kinds)
    kinds = tuple(kind for kind in known if any(k == kind for _place, k in counts))
    most = max((cell[0] for cell in counts.values()), default=0)

    def shaded(count: int, fen: int) -> Cell:
        return Cell(count, fen, -(-count * GRADES // most) if most else 0)

    places = sorted({place for place, _kind in counts})
    rows = tuple(
        (place, tuple(shaded(*counts.get((place, kind), (0, 0))) for kind in kinds)) for place in places
    )
    totals = tuple(
        Cell(
            sum(cells[at].count for _place, cells in rows),
            sum(cells[at].gap_fen for _place, cells in rows),
            0,
        )
        for at in range(len(kinds))
    )
    supply = _supply(kinds, rules, by)
    short = frozenset(
        kind
        for kind, total, against in zip(kinds, totals, supply, strict=True)
        if total.count
        and (not against.projects or (against.left_fen is not None and against.left_fen < total.gap_fen))
    )
    return Demand(kinds, rows, totals, supply, short)


def _supply(kinds: tuple[str, ...], rules: LinkageRules, by: User) -> tuple[Supply, ...]:
    today = timezone.localdate()
    running = [
        one
        for one in projects(by=by, status=Project.Status.OPEN)
        if one.starts_on <= today and (one.ends_on is None or today <= one.ends_on)
    ]
    left = left_of(running)
    found = []
    for kind in kinds:
        within = rules.kinds_in(kind)
        taking = [left[one.pk].fen for one in running if not one.kinds or within & set(one.kinds)]
        limits = [fen for fen in taking if fen is not None]
        found.append(Supply(len(taking), sum(limits) if len(limits) == len(taking) else None))
    return tuple(found)
