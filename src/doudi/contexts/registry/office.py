"""The area that this office answers for, and who answers for all of it."""

from __future__ import annotations

from itertools import takewhile

from django.db.models import Max, Min

from doudi.contexts.accounts.services import NotAllowed, User
from doudi.contexts.registry import regions
from doudi.contexts.registry.models import Household


def office_region() -> str:
    """The smallest area that holds every household of the register: a county's code in a county, '' before the first."""
    return _office_region() or ""


def _office_region() -> str | None:
    """As :func:`office_region`; None before the first household."""
    ends = Household.objects.current().aggregate(first=Min("region_code"), last=Max("region_code"))
    if ends["first"] is None:
        return None
    same = takewhile(lambda pair: pair[0] == pair[1], zip(ends["first"], ends["last"], strict=False))
    shared = "".join(digit for digit, _ in same)
    return max(
        (shared[:length] for length in regions.LEVEL_NAMES if length <= len(shared)), key=len, default=""
    )


def covers_office(user: User) -> bool:
    """Whether the account's area holds every household of this office."""
    region = _office_region()
    return region is None or region.startswith(user.region_code)


def require_whole_office(by: User) -> None:
    """Refuse an account whose area is only a part of this office's: a department's file speaks of all of it.

    A part's register would take the place of the whole one, and the rows sent back name people of other areas.
    """
    if not covers_office(by):
        raise NotAllowed(
            f"部门数据和筛查涉及本系统的全部地区，而账号“{by.username}”的辖区只是其中一部分。请由上级经办办理。",
            f"Department files and screens concern the whole office; the area of {by.username!r} is only a part of it.",
        )
