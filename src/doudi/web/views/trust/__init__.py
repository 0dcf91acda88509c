"""Accounts' second factor, privacy, who looked (安全与隐私)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.trust import account, privacy, single_sign_on, staff

ROUTES: tuple[Route, ...] = (
    Route("account/", account.account, "account", Entry.SIGNED_IN),
    Route("account/second-factor/", account.second_factor, "second_factor", Entry.SIGNED_IN),
    Route(
        "account/second-factor/code.svg", account.second_factor_code, "second_factor_code", Entry.SIGNED_IN
    ),
    Route(
        "account/second-factor/check/", account.second_factor_check, "second_factor_check", Entry.SIGNED_IN
    ),
    Route("account/sessions/end/", account.end_others, "end_sessions", Entry.SIGNED_IN),
    Route("account/single-sign-on/", single_sign_on.link, "sign_on_link", Entry.SIGNED_IN),
    Route("single-sign-on/", single_sign_on.start, "sign_on", Entry.PUBLIC),
    Route("single-sign-on/back/", single_sign_on.back, "sign_on_back", Entry.PUBLIC),
    Route("privacy/", privacy.overview, "privacy", Act.VIEW_PRIVACY),
    Route("privacy/requests/", privacy.receive, "receive_data_request", Act.RECEIVE_PRIVACY),
    Route("privacy/requests/<str:number>/", privacy.data_request, "data_request", Act.VIEW_PRIVACY),
    Route("privacy/assessments/", privacy.assess, "assess", Act.KEEP_PRIVACY),
    Route("privacy/assessments/<str:number>/", privacy.assessment, "assessment", Act.VIEW_PRIVACY),
    Route("privacy/looks/", privacy.looks, "looks", Act.TELL_LOOKS),
    Route("audit/anchors/", privacy.anchors, "audit_anchors", Act.VIEW_AUDIT),
    Route("users/<str:username>/", staff.staff, "staff", Act.MANAGE_USERS),
    Route("users/<str:username>/do/<slug:step>/", staff.step, "staff_step", Act.MANAGE_USERS),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
