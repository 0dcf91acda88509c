"""Every address of the workbench, with the act of the policy table that it asks for."""

from __future__ import annotations

from django.urls import path

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route, guarded
from doudi.web.views import (
    audit,
    dashboard,
    errors,
    home,
    households,
    inbox,
    loads,
    outreach,
    session,
    tell,
    users,
    warnings,
    whatif,
)

ROUTES: tuple[Route, ...] = (
    Route("", home.home, "home", Entry.SIGNED_IN),
    Route("healthz", session.healthz, "healthz", Entry.PUBLIC),
    Route("login/", session.login, "login", Entry.PUBLIC),
    Route("logout/", session.logout, "logout", Entry.PUBLIC),
    Route("language/", session.set_language, "set_language", Entry.PUBLIC),
    Route("set-large/", session.set_large, "set_large", Entry.PUBLIC),
    Route("password/", session.password, "password", Entry.SIGNED_IN),
    Route("warnings/", warnings.warning_list, "warnings", Act.VIEW_WARNINGS),
    Route("warnings/dispatch/", warnings.dispatch_ticked, "dispatch_ticked", Act.DISPATCH_WARNING),
    Route("warnings/<path:number>/dispatch/", warnings.dispatch, "dispatch", Act.DISPATCH_WARNING),
    Route("warnings/<path:number>/visit/", warnings.visit, "visit", Act.RECORD_VISIT),
    Route("warnings/<path:number>/measure/", warnings.measure, "measure", Act.GIVE_MEASURE),
    Route("warnings/<path:number>/push/", warnings.push, "push", Act.SEND_REFERRAL),
    Route("warnings/<path:number>/identify/", outreach.identify, "identify", Act.TRIAGE_REPORT),
    Route("warnings/<path:number>/close/", warnings.close, "close", Act.CLOSE_WARNING),
    Route("warnings/<path:number>/", warnings.warning_page, "warning", Act.VIEW_WARNINGS),
    Route("households/", households.household_list, "households", Act.VIEW_HOUSEHOLDS),
    Route(
        "households/<path:household_no>/reveal/<int:person>/",
        households.reveal,
        "reveal",
        Act.REVEAL_IDENTITY,
    ),
    Route("households/<path:household_no>/", households.household_page, "household", Act.VIEW_HOUSEHOLDS),
    Route("inbox/", inbox.inbox, "inbox", Act.VIEW_REFERRALS),
    Route("inbox/<path:number>/accept/", inbox.accept, "accept", Act.ANSWER_REFERRAL),
    Route("inbox/<path:number>/answer/", inbox.answer, "answer", Act.ANSWER_REFERRAL),
    Route("inbox/<path:number>/return/", inbox.send_back, "send_back", Act.ANSWER_REFERRAL),
    Route("inbox/<path:number>/", inbox.referral_page, "referral", Act.VIEW_REFERRALS),
    Route("loads/", loads.load_list, "loads", Act.VIEW_LOADS),
    Route("loads/upload/", loads.upload, "upload", Act.LOAD_FEEDS),
    Route("loads/screen/", loads.screen, "screen", Act.SCREEN),
    Route("loads/<int:pk>/quarantine.xlsx", loads.quarantine, "quarantine", Act.VIEW_LOADS),
    Route("dashboard/", dashboard.dashboard, "dashboard", Act.VIEW_DASHBOARD),
    Route("dashboard/boundaries.geojson", dashboard.boundaries, "boundaries", Act.VIEW_DASHBOARD),
    Route("what-if/", whatif.what_if, "what_if", Act.SIMULATE),
    Route("what-if/result.csv", whatif.what_if_csv, "what_if_csv", Act.SIMULATE),
    Route("what-if/back-test/", whatif.back_test, "back_test", Act.SIMULATE),
    Route("what-if/back-test.csv", whatif.back_test_csv, "back_test_csv", Act.SIMULATE),
    Route("tell/", tell.tell, "tell", Entry.PUBLIC),
    Route("tell/status/", tell.status, "tell_status", Entry.PUBLIC),
    Route("reports/", outreach.report_list, "reports", Act.VIEW_REPORTS),
    Route("reports/hotline/", outreach.hotline, "hotline", Act.TRIAGE_REPORT),
    Route("reports/hotline-answers.xlsx", outreach.hotline_answers, "hotline_answers", Act.TRIAGE_REPORT),
    Route("reports/<str:report_no>/open/", outreach.open_warning, "report_open", Act.TRIAGE_REPORT),
    Route("reports/<str:report_no>/answer/", outreach.answer, "report_answer", Act.TRIAGE_REPORT),
    Route("reports/<str:report_no>/", outreach.report_page, "report", Act.VIEW_REPORTS),
    Route("audit/", audit.log, "audit", Act.VIEW_AUDIT),
    Route("audit/chain/", audit.chain_state, "audit_chain", Act.VIEW_AUDIT),
    Route("users/", users.user_list, "users", Act.MANAGE_USERS),
)

urlpatterns = [path(route.pattern, guarded(route.view, route.policy), name=route.name) for route in ROUTES]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
