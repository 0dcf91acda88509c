"""The warning's timeline (时间线): one line per act, in the words the next officer reads."""

from __future__ import annotations

from doudi.contexts.accounts.services import User
from doudi.contexts.monitoring.models import CaseEvent, WarningCase


def note(case: WarningCase, *, by: User, kind: str, text: str) -> CaseEvent:
    """One line on the timeline."""
    return CaseEvent.write(case=case, by=by, kind=kind, text=text)
