"""Member bodies, needs, resources, matches (慈善衔接): filings, workbooks, needs, claims, projects, meetings."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Route
from doudi.web.views.dashboard import boundaries
from doudi.web.views.linkage import batches, claims, filings, meetings, needs, resources

ROUTES: tuple[Route, ...] = (
    Route("linkage/filings/", filings.filing_list, "filings", Act.VIEW_FILINGS),
    Route("linkage/filings/new/", filings.new, "filing_new", Act.FILE_AID),
    Route("linkage/filings/overlaps/", filings.overlap_list, "filing_overlaps", Act.VIEW_FILINGS),
    Route("linkage/filings/year/", filings.year, "filing_year", Act.VIEW_FILINGS),
    Route("linkage/boundaries.geojson", boundaries, "coverage_boundaries", Act.VIEW_FILINGS),
    Route("linkage/filings/months/", filings.close_month, "filing_months", Act.VIEW_FILINGS),
    Route("linkage/filings/months/<int:pk>/receive/", filings.receive, "filing_receive", Act.RECEIVE_FILINGS),
    Route("linkage/filings/one/<slug:number>/", filings.filing_page, "filing", Act.VIEW_FILINGS),
    Route("linkage/filings/one/<slug:number>/do/<slug:step>/", filings.step, "filing_step", Act.FILE_AID),
    Route("linkage/books/", batches.batch_list, "filing_batches", Act.VIEW_FILINGS),
    Route("linkage/books/<slug:number>/", batches.batch_page, "filing_batch", Act.VIEW_FILINGS),
    Route("linkage/books/<slug:number>/do/<slug:step>/", batches.step, "filing_batch_step", Act.FILE_AID),
    Route("linkage/books/<slug:number>/marked.xlsx", batches.marked, "filing_batch_marked", Act.FILE_AID),
    Route("linkage/needs/", needs.need_list, "needs", Act.VIEW_NEEDS),
    Route("linkage/needs/demand/", needs.demand, "demand", Act.VIEW_NEEDS),
    Route("linkage/needs/new/<path:household_no>/", needs.new, "need_new", Act.RAISE_NEED),
    Route("linkage/needs/of-warning/<path:number>/", needs.of_warning, "need_of_warning", Act.RAISE_NEED),
    Route("linkage/needs/one/<slug:code>/", needs.need_page, "need", Act.VIEW_NEEDS),
    Route("linkage/needs/one/<slug:code>/do/<slug:step>/", needs.step, "need_step", Act.VIEW_NEEDS),
    Route("linkage/received/<path:household_no>/", needs.received, "received", Act.VIEW_RECEIVED),
    Route("linkage/claims/", claims.claim_list, "claims", Act.VIEW_NEEDS),
    Route("linkage/claims/<slug:number>/", claims.claim_page, "claim", Act.VIEW_NEEDS),
    Route("linkage/claims/<slug:number>/do/<slug:step>/", claims.step, "claim_step", Act.VIEW_NEEDS),
    Route("linkage/claims/<slug:number>/contact/", claims.contact, "claim_contact", Act.CLAIM_NEED),
    Route("linkage/matching/", claims.matching, "matching", Act.MATCH_NEEDS),
    Route("linkage/matching/<slug:number>/", claims.run_page, "match_run", Act.MATCH_NEEDS),
    Route("linkage/proposals/<int:pk>/decide/", claims.decide, "proposal_decide", Act.MATCH_NEEDS),
    Route("linkage/projects/", resources.project_list, "projects", Act.VIEW_PROJECTS),
    Route("linkage/projects/new/", resources.new_project, "project_new", Act.KEEP_PROJECTS),
    Route("linkage/projects/one/<slug:number>/", resources.project_page, "project", Act.VIEW_PROJECTS),
    Route(
        "linkage/projects/one/<slug:number>/do/<slug:step>/",
        resources.project_step,
        "project_step",
        Act.VIEW_PROJECTS,
    ),
    Route("linkage/stock/", resources.stock, "stock", Act.VIEW_PROJECTS),
    Route("linkage/stock/do/<slug:step>/", resources.stock_step, "stock_step", Act.KEEP_PROJECTS),
    Route("linkage/stock/<int:pk>/write-off/", resources.write_off, "stock_write_off", Act.KEEP_PROJECTS),
    Route("linkage/bodies/", resources.organisation_list, "organisations", Act.VIEW_NEEDS),
    Route("linkage/bodies/<slug:code>/", resources.organisation_page, "organisation", Act.VIEW_NEEDS),
    Route(
        "linkage/bodies/<slug:code>/do/<slug:step>/",
        resources.organisation_step,
        "organisation_step",
        Act.MANAGE_ORGANISATIONS,
    ),
    Route("linkage/meetings/", meetings.meeting_list, "meetings", Act.VIEW_MEETINGS),
    Route("linkage/meetings/<slug:number>/", meetings.meeting_page, "meeting", Act.VIEW_MEETINGS),
    Route("linkage/meetings/<slug:number>/do/<slug:step>/", meetings.step, "meeting_step", Act.HOLD_MEETING),
    Route("linkage/resolutions/<int:pk>/done/", meetings.done, "resolution_done", Act.REPORT_RESOLUTION),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
