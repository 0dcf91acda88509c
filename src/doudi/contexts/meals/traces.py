"""Where a person stands in this room's records, and what the person agreed to (告知本人)."""

from __future__ import annotations

from collections.abc import Collection

from doudi.contexts.accounts.services import GivenConsent, Known
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.volunteer_models import Volunteer


def traces_of(blinds: Collection[bytes]) -> set[str]:
    """The subjects of the audit log that are about a person: as a diner, as a volunteer.

    Only the person's own, by number: what another member eats is not told.
    """
    diners = Diner.objects.filter(id_blind__in=blinds)
    volunteers = Volunteer.objects.filter(id_blind__in=blinds)
    return {
        *(f"diner:{number}" for number in diners.values_list("number", flat=True)),
        *(f"volunteer:{number}" for number in volunteers.values_list("number", flat=True)),
    }


def known_as(blinds: Collection[bytes]) -> list[Known]:
    """Under what name and where a person eats or serves, whether registered or not."""
    diners = Diner.objects.filter(id_blind__in=blinds).values_list("name", "region_code")
    volunteers = Volunteer.objects.filter(id_blind__in=blinds).values_list("name", "site__region_code")
    return [Known(name, region) for name, region in [*diners, *volunteers]]


def consents_of(blinds: Collection[bytes]) -> list[GivenConsent]:
    """The consent to being enrolled for meals, with what is kept of health and diet; it ends when the person leaves."""
    found = Diner.objects.filter(id_blind__in=blinds).order_by("pk")
    return [
        GivenConsent(
            kind="助餐登记",
            number=one.number,
            given_on=one.consent_on,
            valid_to=None,
            withdrawn_on=one.left_on,
            scope=f"登记就餐、饮食和健康信息（{one.consent_how}）",
        )
        for one in found
        if one.consent_on is not None
    ]
