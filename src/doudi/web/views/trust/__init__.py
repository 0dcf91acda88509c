"""Accounts' second factor, privacy, who looked (安全与隐私)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.trust import account, staff

ROUTES: tuple[Route, ...] = (
    Route("account/", account.account, "account", Entry.SIGNED_IN),
    Route("account/second-factor/", account.second_factor, "second_factor", Entry.SIGNED_IN),
    Route(
        "account/second-factor/check/", account.second_factor_check, "second_factor_check", Entry.SIGNED_IN
    ),
    Route("account/sessions/end/", account.end_others, "end_sessions", Entry.SIGNED_IN),
    Route("users/<str:username>/", staff.staff, "staff", Act.MANAGE_USERS),
    Route("users/<str:username>/do/<slug:step>/", staff.step, "staff_step", Act.MANAGE_USERS),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
