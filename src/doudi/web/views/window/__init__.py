"""One window: intake, applications, letters, resources (一门受理)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.window import application, intake, papers, public, resources, supervision

ROUTES: tuple[Route, ...] = (
    Route("window/", intake.desk, "window", Act.VIEW_APPLICATIONS),
    Route("window/new/", intake.new, "window_new", Act.TAKE_APPLICATION),
    Route("window/family/", intake.new_family, "window_family", Act.REGISTER_FAMILY),
    Route("window/kin/", supervision.kin, "kin", Act.REGISTER_KIN),
    Route("window/samples/", supervision.samples, "samples", Act.DRAW_SAMPLE),
    Route("window/samples/<str:number>/", supervision.sample, "sample", Act.DRAW_SAMPLE),
    Route("window/transfers/", supervision.transfers, "transfers", Act.SUPERVISE_TRANSFER),
    Route("window/letters/<str:letter_no>/<str:form>/", papers.letter, "letter", Act.VIEW_APPLICATIONS),
    Route("window/scans/<int:pk>/", papers.scan, "paper_scan", Act.REVEAL_IDENTITY),
    Route("window/<str:number>/verify/", application.verify, "application_verify", Act.REQUEST_VERIFICATION),
    Route("window/<str:number>/letter/", papers.issue, "issue_letter", Act.VIEW_APPLICATIONS),
    Route("window/<str:number>/do/<slug:step>/", application.take, "application_step", Act.VIEW_APPLICATIONS),
    Route("window/<str:number>/", application.application_page, "application", Act.VIEW_APPLICATIONS),
    Route("decisions/<str:number>/end/", papers.end_decision, "end_decision", Act.DECIDE_APPLICATION),
    Route(
        "decisions/<str:number>/change/", papers.change_decision, "change_decision", Act.DECIDE_APPLICATION
    ),
    Route("decisions/<str:number>/book/", papers.book, "book_decision", Act.DECIDE_BENEFIT),
    Route("decisions/<str:number>/", papers.decision_page, "decision", Act.VIEW_APPLICATIONS),
    Route("resources/", resources.resource_list, "resources", Act.VIEW_RESOURCES),
    Route("resources/new/", resources.resource_edit, "resource_new", Act.KEEP_RESOURCES),
    Route("resources/import/", resources.resource_import, "resource_import", Act.KEEP_RESOURCES),
    Route("resources/<str:resource_no>/edit/", resources.resource_edit, "resource_edit", Act.KEEP_RESOURCES),
    Route(
        "resources/<str:resource_no>/confirm/",
        resources.resource_confirm,
        "resource_confirm",
        Act.KEEP_RESOURCES,
    ),
    Route("resources/<str:resource_no>/", resources.resource_page, "resource", Act.VIEW_RESOURCES),
    Route("apply/", public.apply, "apply", Entry.PUBLIC),
    Route("apply/progress/", public.progress, "apply_progress", Entry.PUBLIC),
    Route("apply/papers/", public.add_paper, "apply_papers", Entry.PUBLIC),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
