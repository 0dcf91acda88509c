"""Where a person stands in this room's records, and what the person agreed to (告知本人)."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from doudi.contexts.accounts.services import GivenConsent, Known
from doudi.contexts.charity.filing_models import AidFiling
from doudi.contexts.charity.fund_models import Allocation
from doudi.contexts.charity.need_models import Consent, Need


def traces_of(household_nos: Collection[str], blinds: Collection[bytes]) -> set[str]:
    """The subjects of the audit log that are about a person: needs, filings of aid, what a fund gave."""
    needs = Need.objects.filter(household_no__in=household_nos)
    filings = AidFiling.objects.filter(Q(household_no__in=household_nos) | Q(id_blind__in=blinds))
    given = Allocation.objects.filter(recipient_blind__in=blinds)
    return {
        *(f"need:{code}" for code in needs.values_list("code", flat=True)),
        *(f"filing:{number}" for number in filings.values_list("number", flat=True)),
        *(f"allocation:{number}" for number in given.values_list("number", flat=True)),
    }


def known_as(blinds: Collection[bytes]) -> list[Known]:
    """Under what name and where aid to a person was filed, whether registered or not."""
    found = AidFiling.objects.filter(id_blind__in=blinds).order_by("pk")
    return [Known(name, region) for name, region in found.values_list("name", "region_code")]


def consents_of(household_nos: Collection[str]) -> list[GivenConsent]:
    """Every consent on a need of some households: to be published, or to be told of by name and telephone."""
    found = Consent.objects.filter(need__household_no__in=household_nos).select_related("need").order_by("pk")
    return [
        GivenConsent(
            kind="帮扶需求",
            number=one.need.code,
            given_on=one.given_on,
            valid_to=one.expires_on,
            withdrawn_on=one.withdrawn_on,
            scope=f"{one.get_kind_display()}（{one.get_given_display()}）",
        )
        for one in found
    ]
