"""How far a request has come, and which step may follow which (handbook 03 §3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """The states of a request (委托单)."""

    DRAFT = "draft"
    ACCEPTED = "accepted"
    AUTHORISED = "authorised"
    QUERYING = "querying"
    PARTIAL = "partial"
    COMPARING = "comparing"
    REPORTED = "reported"
    OBJECTED = "objected"
    REVIEWING = "reviewing"
    REVIEWED = "reviewed"
    ARCHIVED = "archived"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"

    @property
    def label(self) -> str:
        """The Chinese term."""
        return _LABELS[self]

    @property
    def open(self) -> bool:
        """Whether somebody has still to act before a report stands."""
        return self in _BEFORE_REPORT or self in (State.OBJECTED, State.REVIEWING)


_LABELS = {
    State.DRAFT: "草稿",
    State.ACCEPTED: "已受理",
    State.AUTHORISED: "已授权",
    State.QUERYING: "查询中",
    State.PARTIAL: "部分返回",
    State.COMPARING: "比对",
    State.REPORTED: "报告已出",
    State.OBJECTED: "异议",
    State.REVIEWING: "复核中",
    State.REVIEWED: "复核报告",
    State.ARCHIVED: "归档",
    State.RETURNED: "退回",
    State.WITHDRAWN: "撤销",
}
_BEFORE_REPORT = frozenset(
    {State.DRAFT, State.ACCEPTED, State.AUTHORISED, State.QUERYING, State.PARTIAL, State.COMPARING}
)
_OUT = frozenset({State.RETURNED, State.WITHDRAWN})

ASKABLE = frozenset(
    {State.ACCEPTED, State.AUTHORISED, State.QUERYING, State.PARTIAL, State.COMPARING, State.REVIEWING}
)
"""States in which sources may be asked, here or through another house."""

STEPS: Mapping[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.ACCEPTED}) | _OUT,
    State.ACCEPTED: frozenset({State.AUTHORISED, State.QUERYING}) | _OUT,
    State.AUTHORISED: frozenset({State.QUERYING}) | _OUT,
    # one reply may be the only one that is outstanding
    State.QUERYING: frozenset({State.PARTIAL, State.COMPARING}) | _OUT,
    State.PARTIAL: frozenset({State.QUERYING, State.COMPARING}) | _OUT,
    # a late reply re-opens the comparison, a source asked again the query; a re-check that found nothing new is filed
    State.COMPARING: frozenset({State.QUERYING, State.PARTIAL, State.REPORTED, State.ARCHIVED}) | _OUT,
    # a reply that comes after the report leads to a second one by review, never to a changed first one
    State.REPORTED: frozenset({State.OBJECTED, State.REVIEWING, State.ARCHIVED}),
    State.OBJECTED: frozenset({State.REVIEWING, State.REPORTED}),
    State.REVIEWING: frozenset({State.REVIEWED}),
    State.REVIEWED: frozenset({State.OBJECTED, State.REVIEWING, State.ARCHIVED}),
    State.ARCHIVED: frozenset(),
    State.RETURNED: frozenset(),
    State.WITHDRAWN: frozenset(),
}


def may_go(from_state: State, to: State) -> bool:
    """Whether ``to`` may follow ``from_state``."""
    return to in STEPS[from_state]
