"""How far an application has come, and which step may follow which (办理状态).

Pure: no database. A kind that has no notice or no check of the economy passes over the state; none may be jumped.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """The states of an application (申请)."""

    SUBMITTED = "submitted"
    SUPPLEMENT = "supplement"
    INVESTIGATING = "investigating"
    NOTICE = "notice"
    OBJECTED = "objected"
    PROPOSED = "proposed"
    AIDED = "aided"
    TRANSFERRED = "transferred"
    GRANTED = "granted"
    REFUSED = "refused"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"

    @property
    def label(self) -> str:
        """The Chinese term."""
        return _LABELS[self]

    @property
    def open(self) -> bool:
        """Whether somebody has still to act."""
        return bool(NEXT[self])


_LABELS = {
    State.SUBMITTED: "已提交",
    State.SUPPLEMENT: "待补正",
    State.INVESTIGATING: "调查核对",
    State.NOTICE: "公示",
    State.OBJECTED: "异议复查",
    State.PROPOSED: "待确认",
    State.AIDED: "已先行救助",
    State.TRANSFERRED: "已转办",
    State.GRANTED: "已确认",
    State.REFUSED: "不予确认",
    State.CLOSED: "转办办结",
    State.WITHDRAWN: "已撤回",
}

NEXT: Mapping[State, frozenset[State]] = {
    State.SUBMITTED: frozenset(
        {State.SUPPLEMENT, State.INVESTIGATING, State.AIDED, State.TRANSFERRED, State.WITHDRAWN}
    ),
    State.SUPPLEMENT: frozenset({State.INVESTIGATING, State.AIDED, State.TRANSFERRED, State.WITHDRAWN}),
    # a first opinion against the applicant needs no notice; one in favour does where the kind has one
    State.INVESTIGATING: frozenset({State.NOTICE, State.PROPOSED, State.WITHDRAWN}),
    State.NOTICE: frozenset({State.PROPOSED, State.OBJECTED, State.WITHDRAWN}),
    # an objection leads to a new first opinion, never straight to the decision
    State.OBJECTED: frozenset({State.NOTICE, State.PROPOSED, State.WITHDRAWN}),
    State.PROPOSED: frozenset({State.GRANTED, State.REFUSED, State.INVESTIGATING, State.WITHDRAWN}),
    # the aid is given; only its papers are still open
    State.AIDED: frozenset({State.GRANTED}),
    State.TRANSFERRED: frozenset({State.CLOSED}),
    State.GRANTED: frozenset(),
    State.REFUSED: frozenset(),
    State.CLOSED: frozenset(),
    State.WITHDRAWN: frozenset(),
}


def may_go(state: State, to: State) -> bool:
    """Whether ``to`` may follow ``state``."""
    return to in NEXT[state]
