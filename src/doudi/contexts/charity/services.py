"""What member bodies, charities and the office do together."""

from __future__ import annotations

from doudi.contexts.charity.errors import OrganisationNotFound, ProjectNotFound, StepRefused
from doudi.contexts.charity.models import InterestedPerson, Organisation, Project, Qualification
from doudi.contexts.charity.organisations import (
    apply_for_qualification,
    close_organisation,
    decide_qualification,
    may_apply_from,
    may_raise_funds,
    organisation,
    organisations,
    own_organisation,
    register_organisation,
)
from doudi.contexts.charity.projects import (
    barred,
    name_interested_person,
    open_project,
    project,
    projects,
    set_project_status,
)

__all__ = [
    "InterestedPerson",
    "Organisation",
    "OrganisationNotFound",
    "Project",
    "ProjectNotFound",
    "Qualification",
    "StepRefused",
    "apply_for_qualification",
    "barred",
    "close_organisation",
    "decide_qualification",
    "may_apply_from",
    "may_raise_funds",
    "name_interested_person",
    "open_project",
    "organisation",
    "organisations",
    "own_organisation",
    "project",
    "projects",
    "register_organisation",
    "set_project_status",
]
