"""The verification centre's desks: requests with their steps, sources with lists and replies, reports."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.verification import batches, reports, requests, security, sources, support

ROUTES: tuple[Route, ...] = (
    Route("verification/", requests.desk, "verifications", Act.VIEW_VERIFICATION),
    Route("verification/sources/", sources.sources, "verification_sources", Act.VIEW_VERIFICATION),
    Route("verification/catalogue/", sources.catalogue, "verification_catalogue", Act.VIEW_VERIFICATION),
    Route("verification/sources/<slug:source>/list/", sources.query_list, "query_list", Act.QUERY_SOURCES),
    Route("verification/sources/<slug:source>/reply/", sources.take_reply, "take_reply", Act.QUERY_SOURCES),
    Route(
        "verification/sources/<slug:source>/return/", sources.return_rows, "return_rows", Act.QUERY_SOURCES
    ),
    Route("verification/sources/<slug:source>/ask/", sources.ask, "ask_source", Act.QUERY_SOURCES),
    Route(
        "verification/sources/<slug:source>/suspend/", sources.suspend, "suspend_source", Act.QUERY_SOURCES
    ),
    Route(
        "verification/sources/<slug:source>/password/", sources.password, "source_password", Act.QUERY_SOURCES
    ),
    Route("verification/batches/", batches.batch_list, "verification_batches", Act.VIEW_VERIFICATION),
    Route("verification/batches/template.xlsx", batches.template, "batch_template", Act.REQUEST_VERIFICATION),
    Route("verification/batches/upload/", batches.upload, "batch_upload", Act.REQUEST_VERIFICATION),
    Route("verification/batches/recheck/", batches.recheck, "batch_recheck", Act.REQUEST_VERIFICATION),
    Route(
        "verification/batches/<slug:number>/marked.xlsx",
        batches.marked,
        "batch_marked",
        Act.REQUEST_VERIFICATION,
    ),
    Route("verification/batches/<slug:number>/ask/", batches.ask, "batch_ask", Act.QUERY_SOURCES),
    Route(
        "verification/batches/<slug:number>/", batches.batch_page, "verification_batch", Act.VIEW_VERIFICATION
    ),
    Route("verification/security/", security.security, "security", Act.VIEW_SECURITY),
    Route("verification/security/<int:pk>/", security.handle, "handle_security", Act.HANDLE_SECURITY),
    Route("verification/new/<path:household_no>/", requests.new, "verify", Act.REQUEST_VERIFICATION),
    Route("check/<slug:code>/", reports.check, "check_report", Entry.PUBLIC),
    Route(
        "verification/reports/<slug:number>/<slug:form>/",
        reports.report_file,
        "report_file",
        Act.VIEW_VERIFICATION,
    ),
    Route(
        "verification/reports/<slug:number>/",
        reports.report_page,
        "verification_report",
        Act.VIEW_VERIFICATION,
    ),
    Route("verification/<slug:number>/failed/", requests.source_failed, "source_failed", Act.QUERY_SOURCES),
    Route(
        "verification/<slug:number>/do/<slug:step>/",
        requests.step,
        "verification_step",
        Act.VIEW_VERIFICATION,
    ),
    Route(
        "verification/<slug:number>/support/",
        support.support,
        "verification_support",
        Act.COLLECT_AUTHORISATION,
    ),
    Route("verification/<slug:number>/found/", requests.found, "verification_found", Act.VIEW_VERIFICATION),
    Route("verification/<slug:number>/", requests.request_page, "verification", Act.VIEW_VERIFICATION),
)
