"""Every address of the workbench, with the act of the policy table that it asks for."""

from __future__ import annotations

from django.urls import path

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route, guarded
from doudi.web.views import (
    audit,
    clocks,
    dashboard,
    doubts,
    errors,
    field,
    fieldvisits,
    home,
    households,
    inbox,
    indicators,
    loads,
    notices,
    outreach,
    recovery,
    rectification,
    session,
    tell,
    users,
    verification,
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
    Route("warnings/<path:number>/attempt/", warnings.attempt, "attempt", Act.RECORD_VISIT),
    Route("warnings/<path:number>/reassign/", warnings.reassign, "reassign", Act.REASSIGN_WARNING),
    Route("warnings/<path:number>/suspend/", warnings.suspend, "suspend", Act.SUSPEND_CLOCK),
    Route("warnings/<path:number>/resume/", warnings.resume, "resume", Act.SUSPEND_CLOCK),
    Route("warnings/<path:number>/revisit/", warnings.revisit, "revisit", Act.RECORD_REVISIT),
    Route("warnings/<path:number>/", warnings.warning_page, "warning", Act.VIEW_WARNINGS),
    Route("clocks/", clocks.my_clocks, "clocks", Act.VIEW_WARNINGS),
    Route("clocks/handover/", clocks.handover, "handover", Act.HAND_OVER),
    Route("notices/", notices.notice_list, "notices", Entry.SIGNED_IN),
    Route("notices/read/", notices.read, "notices_read", Entry.SIGNED_IN),
    Route("outbox/", notices.outbox, "outbox", Act.VIEW_OUTBOX),
    Route("outbox/<int:pk>/again/", notices.send_again, "send_again", Act.VIEW_OUTBOX),
    Route("indicators/", indicators.indicator_list, "indicators", Act.VIEW_INDICATORS),
    Route("indicators/changes/", indicators.change_list, "threshold_changes", Act.VIEW_INDICATORS),
    Route(
        "indicators/changes/<str:number>/decide/",
        indicators.decide,
        "threshold_decide",
        Act.APPROVE_THRESHOLD,
    ),
    Route(
        "indicators/changes/<str:number>/withdraw/",
        indicators.withdraw,
        "threshold_withdraw",
        Act.PROPOSE_THRESHOLD,
    ),
    Route("indicators/changes/<str:number>/", indicators.change_page, "threshold", Act.VIEW_INDICATORS),
    Route("indicators/<str:code>/", indicators.indicator_page, "indicator", Act.VIEW_INDICATORS),
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
    Route("verification/", verification.desk, "verifications", Act.VIEW_VERIFICATION),
    Route("verification/sources/", verification.sources, "verification_sources", Act.VIEW_VERIFICATION),
    Route(
        "verification/sources/<slug:source>/list/", verification.query_list, "query_list", Act.QUERY_SOURCES
    ),
    Route(
        "verification/sources/<slug:source>/reply/", verification.take_reply, "take_reply", Act.QUERY_SOURCES
    ),
    Route("verification/new/<path:household_no>/", verification.new, "verify", Act.REQUEST_VERIFICATION),
    Route(
        "verification/reports/<slug:number>/",
        verification.report_page,
        "verification_report",
        Act.VIEW_VERIFICATION,
    ),
    Route(
        "verification/<slug:number>/failed/", verification.source_failed, "source_failed", Act.QUERY_SOURCES
    ),
    Route(
        "verification/<slug:number>/do/<slug:step>/",
        verification.step,
        "verification_step",
        Act.VIEW_VERIFICATION,
    ),
    Route("verification/<slug:number>/", verification.request_page, "verification", Act.VIEW_VERIFICATION),
    Route("dashboard/", dashboard.dashboard, "dashboard", Act.VIEW_DASHBOARD),
    Route("dashboard/boundaries.geojson", dashboard.boundaries, "boundaries", Act.VIEW_DASHBOARD),
    Route("what-if/", whatif.what_if, "what_if", Act.SIMULATE),
    Route("what-if/result.csv", whatif.what_if_csv, "what_if_csv", Act.SIMULATE),
    Route("what-if/back-test/", whatif.back_test, "back_test", Act.SIMULATE),
    Route("what-if/back-test.csv", whatif.back_test_csv, "back_test_csv", Act.SIMULATE),
    Route("field/", field.shell, "field", Entry.PUBLIC),
    Route("field/sw.js", field.worker, "field_worker", Entry.PUBLIC),
    Route("field/manifest.webmanifest", field.manifest, "field_manifest", Entry.PUBLIC),
    Route("field-visits/", fieldvisits.visit_list, "field_visits", Act.VIEW_FINANCES),
    Route("field-visits/<int:pk>/", fieldvisits.visit_page, "field_visit", Act.VIEW_FINANCES),
    Route("field-visits/<int:pk>/settle/", fieldvisits.settle, "field_settle", Act.RECORD_VISIT),
    Route("field-files/<int:pk>/", fieldvisits.picture, "field_file", Act.VIEW_FINANCES),
    Route("tell/", tell.tell, "tell", Entry.PUBLIC),
    Route("tell/status/", tell.status, "tell_status", Entry.PUBLIC),
    Route("reports/", outreach.report_list, "reports", Act.VIEW_REPORTS),
    Route("reports/hotline/", outreach.hotline, "hotline", Act.TRIAGE_REPORT),
    Route("reports/hotline-answers.xlsx", outreach.hotline_answers, "hotline_answers", Act.TRIAGE_REPORT),
    Route("reports/<str:report_no>/open/", outreach.open_warning, "report_open", Act.TRIAGE_REPORT),
    Route("reports/<str:report_no>/answer/", outreach.answer, "report_answer", Act.TRIAGE_REPORT),
    Route("reports/<str:report_no>/", outreach.report_page, "report", Act.VIEW_REPORTS),
    Route("doubts/", doubts.doubt_list, "doubts", Act.VIEW_DOUBTS),
    Route("doubts/find/", doubts.find, "find_doubts", Act.FIND_DOUBTS),
    Route("doubts/<path:number>/assign/", doubts.assign, "assign_doubt", Act.ASSIGN_DOUBT),
    Route("doubts/<path:number>/evidence/", doubts.evidence, "evidence", Act.CHECK_DOUBT),
    Route("doubts/<path:number>/evidence/<int:pk>/", doubts.paper, "paper", Act.VIEW_FINANCES),
    Route("doubts/<path:number>/check/", doubts.check, "check_doubt", Act.CHECK_DOUBT),
    Route("doubts/<path:number>/review/", doubts.review, "review_doubt", Act.REVIEW_DOUBT),
    Route("doubts/<path:number>/", doubts.doubt_page, "doubt", Act.VIEW_DOUBTS),
    Route("stops/", doubts.stop_list, "stops", Act.VIEW_DOUBTS),
    Route("stops/<path:number>/decide/", doubts.decide_stop, "decide_stop", Act.DECIDE_STOP),
    Route("stops/<path:number>/", doubts.stop_page, "stop", Act.VIEW_DOUBTS),
    Route("recovery/", recovery.recovery_list, "recoveries", Act.VIEW_RECOVERY),
    *(
        Route(f"recovery/<path:number>/{name}/", recovery.step_view(name), f"recovery_{name}", step.asks)
        for name, step in recovery.STEPS.items()
    ),
    Route("recovery/<path:number>/", recovery.recovery_page, "recovery", Act.VIEW_RECOVERY),
    Route("rectification/", rectification.rectification, "rectification", Act.VIEW_RECTIFICATION),
    Route(
        "rectification/report.<str:form>",
        rectification.rectification_file,
        "rectification_file",
        Act.VIEW_RECTIFICATION,
    ),
    Route("audit/", audit.log, "audit", Act.VIEW_AUDIT),
    Route("audit/chain/", audit.chain_state, "audit_chain", Act.VIEW_AUDIT),
    Route("users/", users.user_list, "users", Act.MANAGE_USERS),
)

urlpatterns = [path(route.pattern, guarded(route.view, route.policy), name=route.name) for route in ROUTES]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.server_error
