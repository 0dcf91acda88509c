"""The models of this context's files: Django looks for them here."""

from doudi.contexts.charity.fund_models import (
    Allocation,
    Donation,
    Fund,
    FundEntry,
    FundLine,
    FundMonth,
    GiftPart,
    Grant,
    MoveRequest,
    Outcome,
    PartUse,
    TiedPerson,
)
from doudi.contexts.charity.fundraising_models import (
    Campaign,
    CampaignLine,
    Disclosure,
    DisclosureDuty,
    YearFigures,
)
from doudi.contexts.charity.organisation_models import (
    InterestedPerson,
    Organisation,
    Project,
    Qualification,
)

__all__ = [
    "Allocation",
    "Campaign",
    "CampaignLine",
    "Disclosure",
    "DisclosureDuty",
    "Donation",
    "Fund",
    "FundEntry",
    "FundLine",
    "FundMonth",
    "GiftPart",
    "Grant",
    "InterestedPerson",
    "MoveRequest",
    "Organisation",
    "Outcome",
    "PartUse",
    "Project",
    "Qualification",
    "TiedPerson",
    "YearFigures",
]
