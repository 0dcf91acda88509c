"""What member bodies, charities and the office do together."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import QuerySet

from doudi.contexts.accounts.services import Act, Scope, User, record, require
from doudi.contexts.charity.models import Organisation
from doudi.engine.errors import DoudiError

__all__ = ["Organisation", "OrganisationNotFound", "organisation", "organisations", "register_organisation"]


class OrganisationNotFound(DoudiError):
    """No such organisation that the asker may see."""

    code = "organisation_not_found"


@transaction.atomic
def register_organisation(
    *, code: str, name: str, kind: str, region_code: str, registered_on: date | None = None, by: User
) -> Organisation:
    """Enter a body that gives; the same code twice gives the one that is there."""
    require(by, Act.VIEW_NEEDS, region_code=region_code)
    found, new = Organisation.objects.get_or_create(
        code=code,
        defaults={"name": name, "kind": kind, "region_code": region_code, "registered_on": registered_on},
    )
    if new:
        record(by=by, act="register_organisation", subject=f"organisation:{code}", region_code=region_code)
    return found


def organisations(*, by: User, kind: str = "") -> QuerySet[Organisation]:
    """The bodies of the account's area; a body's own account sees itself."""
    scope = require(by, Act.VIEW_NEEDS)
    found = Organisation.objects.filter(closed_on=None)
    if scope is Scope.ORGANISATION:
        found = found.filter(code=by.organisation)
    elif by.region_code:
        found = found.filter(region_code__startswith=by.region_code[:6])
    return found.filter(kind=kind) if kind else found


def organisation(code: str, *, by: User) -> Organisation:
    """One body that ``by`` may see, or :class:`OrganisationNotFound`."""
    found = organisations(by=by).filter(code=code).first()
    if found is None:
        raise OrganisationNotFound(f"没有找到组织 {code}。", f"No organisation {code} for you.")
    return found
