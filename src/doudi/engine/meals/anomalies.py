"""What does not look like meals that were eaten (结算异常): bursts, over capacity, twice, no proof, not eligible then.

In come the meals of a place and month as plain facts; out come codes by meal. A code is a question for a person, never
a verdict: it holds the money back until somebody has decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

BURST, CAPACITY, TWICE, NO_PROOF = "burst", "capacity", "twice", "no_proof"


@dataclass(frozen=True)
class Eaten:
    """One meal: ``stops`` are the kinds (death, hospital, custody) that cover its day as known now."""

    key: int
    person: int
    day: date
    meal: str
    at: datetime
    delivered: bool
    proven: bool
    stops: tuple[str, ...] = ()
    elsewhere: bool = False
    """Eaten at another place: it counts only towards a second meal of a kind on a day."""


def anomalies(
    eaten: Iterable[Eaten], *, most_a_minute: int, capacity: Mapping[str, int]
) -> dict[int, tuple[str, ...]]:
    """Meal → what is odd about it; a meal without anything odd is left out.

    A burst is more than ``most_a_minute`` meals over the counter within 60 seconds (a courier's hand-overs queue on a
    telephone and are no burst); all of them are named. Over capacity are those that came after the last portion.
    """
    rows = sorted(eaten, key=lambda one: (one.at, one.key))
    here = [one for one in rows if not one.elsewhere]
    found: dict[int, list[str]] = defaultdict(list)
    counter = [one for one in here if not one.delivered]
    first = 0
    for last, one in enumerate(counter):
        while one.at - counter[first].at >= timedelta(minutes=1):
            first += 1
        if last - first + 1 > most_a_minute:
            for inside in counter[first : last + 1]:
                if BURST not in found[inside.key]:
                    found[inside.key].append(BURST)
    portions: dict[tuple[date, str], int] = defaultdict(int)
    by_person: dict[tuple[int, date, str], list[Eaten]] = defaultdict(list)
    for one in rows:
        by_person[one.person, one.day, one.meal].append(one)
    for one in here:
        portions[one.day, one.meal] += 1
        if one.meal in capacity and portions[one.day, one.meal] > capacity[one.meal]:
            found[one.key].append(CAPACITY)
        if len(by_person[one.person, one.day, one.meal]) > 1:
            found[one.key].append(TWICE)
        if not one.proven:
            found[one.key].append(NO_PROOF)
        found[one.key] += one.stops
    return {key: tuple(codes) for key, codes in found.items() if codes}
