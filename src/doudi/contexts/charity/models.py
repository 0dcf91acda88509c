"""The models of this context's files: Django looks for them here."""

from doudi.contexts.charity.organisation_models import (
    InterestedPerson,
    Organisation,
    Project,
    Qualification,
)

__all__ = ["InterestedPerson", "Organisation", "Project", "Qualification"]
