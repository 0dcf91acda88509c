"""Who may see which field of a need and of aid received: one table, asked by pages and API alike (字段规则).

民发〔2023〕46号 and 慈善法 第八十二条: a body sees the need, never who it is, and never income or a bank balance. A field
that is not in the table is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, may, scope_of
from doudi.contexts.charity.models import Need


class Viewer(StrEnum):
    """From where somebody looks."""

    OFFICE = "office"
    """County, township or auditor, within the area."""
    BODY = "body"
    """A member body or charity that reads the published list."""


_ALL = frozenset(Viewer)
_OFFICE = frozenset({Viewer.OFFICE})

NEED_FIELDS: dict[str, frozenset[Viewer]] = {
    "code": _ALL,
    "kind": _ALL,
    "group": _ALL,
    "tier": _ALL,
    "status": _ALL,
    "public_text": _ALL,
    "public_region": _ALL,
    "public_kind": _ALL,
    "published_on": _ALL,
    "waiting_days": _ALL,
    "need_fen": _ALL,
    "whole": _ALL,
    "public_aid_fen": _ALL,
    "other_aid_fen": _ALL,
    "gap_fen": _ALL,
    "household_no": _OFFICE,
    "region_code": _OFFICE,
    "lives_in": _OFFICE,
    "income_fen": _OFFICE,
    "story": _OFFICE,
    "origin": _OFFICE,
    "origin_no": _OFFICE,
    "cell": _OFFICE,
    "counted_since": _OFFICE,
    "counted_on": _OFFICE,
    "raised_by": _OFFICE,
    "published_by": _OFFICE,
    "ended_on": _OFFICE,
    "ended_why": _OFFICE,
}

RECEIVED_FIELDS: dict[str, frozenset[Viewer]] = {
    "given_on": _OFFICE,
    "layer": _OFFICE,
    "giver": _OFFICE,
    "label": _OFFICE,
    "kind": _OFFICE,
    "amount_fen": _OFFICE,
    "number": _OFFICE,
}
"""What a household received line by line is for the office; a body sees the two sums on the need."""

OVERLAP_FIELDS: dict[str, frozenset[Viewer]] = {
    "filing": _ALL,
    "source": _ALL,
    "giver": _ALL,
    "label": _ALL,
    "given_on": _ALL,
    "amount_fen": _OFFICE,
    "household_no": _OFFICE,
}
"""A body learns that the aid it filed met another, from whom and when, and not how much the household got there."""

FILING_FIELDS: dict[str, frozenset[Viewer]] = {
    "number": _ALL,
    "organisation": _ALL,
    "name": _ALL,
    "id_shown": _ALL,
    "group_count": _ALL,
    "kind": _ALL,
    "way": _ALL,
    "amount_fen": _ALL,
    "what": _ALL,
    "aided_on": _ALL,
    "project": _ALL,
    "money": _ALL,
    "consent": _ALL,
    "need_code": _ALL,
    "filed_on": _ALL,
    "due_on": _ALL,
    "late_workdays": _ALL,
    "supplements": _ALL,
    "state": _ALL,
    "reverse_ground": _ALL,
    "household_no": _OFFICE,
    "region_code": _OFFICE,
    "category": _OFFICE,
}
"""What a body typed itself it sees again; what the register adds to it stays with the office."""


def viewer(by: User) -> Viewer:
    """From where an account looks."""
    return Viewer.BODY if scope_of(by, Act.VIEW_NEEDS) is Scope.ORGANISATION else Viewer.OFFICE


def allowed(values: dict[str, Any], fields: dict[str, frozenset[Viewer]], by: User) -> dict[str, Any]:
    """The values that an account may see; one that no table names is left out."""
    looks = viewer(by)
    shown = {name: value for name, value in values.items() if looks in fields.get(name, frozenset())}
    if "income_fen" in shown and not may(by, Act.VIEW_FINANCES):
        del shown["income_fen"]
    return shown


_DERIVED: dict[str, Callable[[Need], Any]] = {
    "waiting_days": lambda need: (timezone.localdate() - need.published_on).days if need.published_on else 0,
}


def need_fields(need: Need, by: User) -> dict[str, Any]:
    """A need as an account may see it: field → value, nothing else of it leaves this context for a body.

    A body reads the kind as it was published, which may be its class.
    """
    values = {name: _DERIVED[name](need) if name in _DERIVED else getattr(need, name) for name in NEED_FIELDS}
    if viewer(by) is Viewer.BODY:
        values["kind"] = need.public_kind
    return allowed(values, NEED_FIELDS, by)
