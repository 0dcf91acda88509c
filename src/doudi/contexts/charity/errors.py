"""What this context refuses."""

from doudi.engine.errors import DoudiError


class OrganisationNotFound(DoudiError):
    """No such organisation that the asker may see."""

    code = "organisation_not_found"


class ProjectNotFound(DoudiError):
    """No such project that the asker may see."""

    code = "project_not_found"


class StepRefused(DoudiError):
    """The step does not fit the state, or something it needs is missing."""

    code = "step_refused"
