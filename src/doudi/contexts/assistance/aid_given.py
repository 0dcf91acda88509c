"""What households were given by the public hand (政府救助), for the sum that charity fills up.

For a caller that has settled who may know it: nothing is asked for here, and nothing is shown to a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from doudi.contexts.assistance.models import MeasureGiven, Referral

_BATCH = 500


@dataclass(frozen=True)
class AidGiven:
    """One aid of the public hand: ``code`` of the measure ('' for a department's answer), fen, day, who gave it."""

    household_no: str
    code: str
    label: str
    amount_fen: int
    given_on: date
    giver: str


def aid_given(household_nos: Iterable[str], *, since: date | None = None) -> list[AidGiven]:
    """Measures given to households and sums that departments answered with, oldest first, counter-entries left out."""
    found: list[AidGiven] = []
    wanted = sorted(set(household_nos))
    for start in range(0, len(wanted), _BATCH):
        batch = wanted[start : start + _BATCH]
        given = MeasureGiven.objects.filter(household_no__in=batch, reverses=None, reversed_by=None)
        answered = Referral.objects.filter(
            household_no__in=batch, status=Referral.Status.ANSWERED, amount_fen__gt=0
        )
        found += [
            AidGiven(row.household_no, row.code, row.label, row.amount_fen, row.given_on, "民政")
            for row in given
        ]
        found += [
            AidGiven(row.household_no, "", f"{row.department}办理", row.amount_fen,
                     timezone.localdate(row.answered_at), row.department)
            for row in answered
            if row.answered_at is not None
        ]  # fmt: skip
    found = [row for row in found if since is None or row.given_on >= since]
    return sorted(found, key=lambda row: (row.given_on, row.household_no, row.code))
