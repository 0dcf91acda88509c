"""What households were given by the public hand (政府救助), for the sum that charity fills up.

For a caller that has settled who may know it: nothing is asked for here, and nothing is shown to a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from doudi.contexts.assistance.benefit_models import BenefitDecision
from doudi.contexts.assistance.models import MeasureGiven, Referral
from doudi.contexts.assistance.roster_models import Roster, RosterRow

_BATCH = 500


@dataclass(frozen=True)
class AidGiven:
    """One aid of the public hand: ``code`` of the measure or benefit ('' for a department's answer), fen, day, giver."""

    household_no: str
    code: str
    label: str
    amount_fen: int
    given_on: date
    giver: str


def aid_given(household_nos: Iterable[str], *, since: date | None = None) -> list[AidGiven]:
    """What households were given, oldest first, counter-entries left out.

    Measures, sums that departments answered with, one-off benefits by their decision, monthly ones by frozen rosters.
    """
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
        found += _benefits(batch)
        found += [
            AidGiven(row.household_no, "", f"{row.department}办理", row.amount_fen,
                     timezone.localdate(row.answered_at), row.department)
            for row in answered
            if row.answered_at is not None
        ]  # fmt: skip
    found = [row for row in found if since is None or row.given_on >= since]
    return sorted(found, key=lambda row: (row.given_on, row.household_no, row.code))


def _benefits(batch: list[str]) -> list[AidGiven]:
    once = [
        row
        for row in BenefitDecision.objects.filter(
            household_no__in=batch,
            kind=BenefitDecision.Kind.GRANT,
            reversed_by=None,
            fixed_fen__isnull=False,
            opening=False,
        )
        if row.fixed_fen
    ]
    # a sum decided once is counted on its decision, and not again when a roster pays it
    decided = {(row.household_no, row.benefit) for row in once}
    rows = RosterRow.objects.filter(household_no__in=batch, roster__status=Roster.Status.FROZEN).exclude(
        kind=RosterRow.Kind.HELD
    )
    return [
        AidGiven(row.household_no, row.benefit, row.decision_no, row.fixed_fen or 0, row.decided_on, "民政")
        for row in once
    ] + [
        AidGiven(
            row.household_no, row.benefit, f"{row.for_month:%Y-%m}", row.amount_fen, row.for_month, "民政"
        )
        for row in rows
        if (row.household_no, row.benefit) not in decided
    ]
