"""The models of this context's files: Django looks for them here."""

from doudi.contexts.charity.filing_models import (
    AgendaItem,
    AidFiling,
    ColumnMapping,
    FilingBatch,
    FilingOverlap,
    Meeting,
    MonthClosing,
    Resolution,
)
from doudi.contexts.charity.organisation_models import (
    InterestedPerson,
    Organisation,
    Project,
    Qualification,
)

__all__ = [
    "AgendaItem",
    "AidFiling",
    "ColumnMapping",
    "FilingBatch",
    "FilingOverlap",
    "InterestedPerson",
    "Meeting",
    "MonthClosing",
    "Organisation",
    "Project",
    "Qualification",
    "Resolution",
]
