"""Dates of public fundraising (公开募捐): who may from when, until when a plan is filed, what is disclosed by when.

Limits in months end on the day of the same number, or on the month's last day where there is none (民法典第二百零二条).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from dateutil.relativedelta import relativedelta


def months_later(day: date, months: int) -> date:
    """The day of the same number ``months`` later, or the month's last day."""
    return day + relativedelta(months=months)


def qualified_from(registered_on: date, years: int) -> date:
    """From which day on a charity may apply for the public-fundraising qualification (慈善法第二十二条)."""
    return months_later(registered_on, 12 * years)


def filing_due(starts_on: date, *, emergency: bool, grace_days: int) -> date:
    """The last day on which a plan (募捐方案) is filed in time.

    The day before it starts (第二十四条: 开展募捐活动前); in an emergency that left no time, ``grace_days`` after the start
    (第七十三条).
    """
    return starts_on + timedelta(days=grace_days) if emergency else starts_on - timedelta(days=1)


class Part(StrEnum):
    """Which disclosure."""

    INTERIM = "interim"
    FINAL = "final"


@dataclass(frozen=True)
class DisclosureRules:
    """Art. 79 in months: from what length on there are interims, how often, and how long after the end the final one."""

    long_months: int = 6
    every_months: int = 3
    after_months: int = 3


@dataclass(frozen=True)
class DueDisclosure:
    """One disclosure that is owed: the last day, and the period it tells of."""

    part: Part
    place: int
    due_on: date
    from_on: date
    until_on: date


def due_disclosures(starts_on: date, ends_on: date | None, rules: DisclosureRules) -> list[DueDisclosure]:
    """What art. 79 asks of a fundraising or project from ``starts_on`` to ``ends_on``, the earliest first.

    Longer than ``long_months``: an interim at least every ``every_months``, and a full account within ``after_months``
    after the end. One without a known end owes the interims of its first year; the rest follow when it goes on.
    """
    horizon = ends_on or months_later(starts_on, 12)
    long = ends_on is None or ends_on > months_later(starts_on, rules.long_months) - timedelta(days=1)
    found: list[DueDisclosure] = []
    begins, place = starts_on, 1
    while long:
        due = months_later(starts_on, place * rules.every_months)
        if due > horizon:
            break
        found.append(DueDisclosure(Part.INTERIM, place, due, begins, due - timedelta(days=1)))
        begins, place = due, place + 1
    if ends_on is not None:
        found.append(
            DueDisclosure(Part.FINAL, place, months_later(ends_on, rules.after_months), starts_on, ends_on)
        )
    return found
