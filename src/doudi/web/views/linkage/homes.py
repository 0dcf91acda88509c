"""What member bodies and charities have to do today, and what of the linkage waits at the office."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import services as charity
from doudi.web.views.linkage.filings import shown_filing

_SHOWN = 8


def _common(user: User) -> dict[str, Any]:
    claims = charity.claims(by=user, status="reserved")
    needs = charity.needs(by=user, status="published")
    return {
        "body": charity.organisations(by=user).first(),
        "claims": {"count": claims.count(), "rows": claims[:_SHOWN]},
        "needs": {
            "count": needs.count(),
            "rows": [charity.need_fields(need, user) for need in needs[:_SHOWN]],
        },
        "need_labels": dict(charity.Need.Status.choices),
        "resolutions": {"count": charity.resolutions(by=user).count()},
    }


def member(user: User) -> dict[str, Any]:
    """A member body: workbooks to confirm, the month to close, what it holds, what it filed last."""
    shown = _common(user)
    last_month = (timezone.localdate().replace(day=1) - timedelta(days=1)).replace(day=1)
    own = next((row for row in chain.filers(last_month, by=user)), None)
    waiting = charity.batches(by=user).filter(status__in=("mapping", "read"))
    return {
        **shown,
        "batches": {"count": waiting.count()},
        "month": own
        and {
            "month": last_month,
            "closed": own.closing is not None,
            "missing": own.missing,
            "due_on": own.due_on,
        },
        "filings": [shown_filing(row, user) for row in charity.filings(by=user)[:_SHOWN]],
    }


def of_charity(user: User) -> dict[str, Any]:
    """A charity: open needs, what it holds, its projects, goods that expire soon."""
    soon = timezone.localdate() + timedelta(days=30)
    return {
        **_common(user),
        "projects": {"count": charity.projects(by=user, status="open").count()},
        "expiring": charity.lots(by=user).filter(expires_on__lte=soon).count(),
    }


def office(user: User) -> dict[str, int]:
    """What waits at the county or township: needs to publish, gifts without outcome, bodies that have not closed."""
    last_month = (timezone.localdate().replace(day=1) - timedelta(days=1)).replace(day=1)
    needs = charity.needs(by=user, status="raised")
    return {
        "needs_raised": needs.count(),
        "outcomes_owed": charity.claims(by=user, status="granted").filter(result="").count(),
        "months_missing": sum(row.missing for row in chain.filers(last_month, by=user))
        if may(user, Act.HOLD_MEETING)
        else 0,
    }
