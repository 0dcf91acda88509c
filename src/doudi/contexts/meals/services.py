"""What the meal network does, each act one service."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from doudi.contexts.accounts.services import Act, Scope, User, record, require
from doudi.contexts.meals.models import Site
from doudi.engine.errors import DoudiError

__all__ = ["Site", "SiteNotFound", "open_site", "site", "sites"]


class SiteNotFound(DoudiError):
    """No such place that the asker may see."""

    code = "site_not_found"


@transaction.atomic
def open_site(
    *, code: str, name: str, kind: str, region_code: str, opened_on: date, by: User, **more: Any
) -> Site:
    """Enter a place of the network; the same code twice gives the one that is there."""
    require(by, Act.VIEW_SITES, region_code=region_code)
    found, new = Site.objects.get_or_create(
        code=code,
        defaults={"name": name, "kind": kind, "region_code": region_code, "opened_on": opened_on, **more},
    )
    if new:
        record(by=by, act="open_site", subject=f"site:{code}", region_code=region_code)
    return found


def sites(*, by: User) -> QuerySet[Site]:
    """The places of the account's area; a canteen's own account sees its own."""
    scope = require(by, Act.VIEW_SITES)
    found = Site.objects.filter(region_code__startswith=by.region_code)
    return found.filter(code=by.organisation) if scope is Scope.ORGANISATION else found


def site(code: str, *, by: User) -> Site:
    """One place that ``by`` may see, or :class:`SiteNotFound`."""
    found = sites(by=by).filter(code=code).first()
    if found is None:
        raise SiteNotFound(f"没有找到助餐点 {code}。", f"No meal place {code} for you.")
    return found
