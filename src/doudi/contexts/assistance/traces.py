"""Where a person stands in this room's records, for telling the person who looked (告知本人)."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from doudi.contexts.accounts.services import Known
from doudi.contexts.assistance.application_models import Application, Decision, LetterIssue
from doudi.contexts.assistance.roster_models import PayItem, RosterRow
from doudi.contexts.assistance.upward_models import UpwardRow


def traces_of(household_nos: Collection[str], blinds: Collection[bytes]) -> set[str]:
    """The subjects of the audit log that are about a person: applications with decisions and letters, rosters, payments,
    reports upward."""
    mine = Q(household_no__in=household_nos) | Q(id_blind__in=blinds)
    applications = Application.objects.filter(mine)
    decided = Decision.objects.filter(Q(household_no__in=household_nos) | Q(application__in=applications))
    letters = LetterIssue.objects.filter(Q(application__in=applications) | Q(decision__in=decided))
    rows = RosterRow.objects.filter(household_no__in=household_nos)
    items = PayItem.objects.filter(household_no__in=household_nos)
    reported = UpwardRow.objects.filter(household_no__in=household_nos)
    return {
        *(f"application:{number}" for number in applications.values_list("number", flat=True)),
        *(f"decision:{number}" for number in decided.values_list("number", flat=True)),
        *(f"letter:{number}" for number in letters.values_list("number", flat=True)),
        *(
            f"roster:{number}"
            for number in rows.order_by().values_list("roster__number", flat=True).distinct()
        ),
        *(
            f"batch:{number}"
            for number in items.order_by().values_list("batch__number", flat=True).distinct()
        ),
        *(
            f"upward:{number}"
            for number in reported.order_by().values_list("batch__number", flat=True).distinct()
        ),
    }


def known_as(blinds: Collection[bytes]) -> list[Known]:
    """Under what name and where a person applied, whether registered or not."""
    found = Application.objects.filter(id_blind__in=blinds).order_by("pk")
    return [Known(name, region) for name, region in found.values_list("applicant_name", "region_code")]
