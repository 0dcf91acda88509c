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


class FilingNotFound(DoudiError):
    """No such filing or batch that the asker may see."""

    code = "filing_not_found"


class MeetingNotFound(DoudiError):
    """No such meeting that the asker may see."""

    code = "meeting_not_found"


class NeedNotFound(DoudiError):
    """No such need that the asker may see."""

    code = "need_not_found"


class ClaimNotFound(DoudiError):
    """No such claim that the asker may see."""

    code = "claim_not_found"


class ResourceNotFound(DoudiError):
    """No such goods or service that the asker may see."""

    code = "resource_not_found"
