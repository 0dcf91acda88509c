"""Charity's money, its public pages, calls (慈善资金)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.giving import calls, funds, growing, public, raising

ROUTES: tuple[Route, ...] = (
    Route("funds/", funds.fund_list, "funds", Act.VIEW_FUNDS),
    Route("funds/new/", funds.new_fund, "fund_new", Act.KEEP_FUNDS),
    Route("funds/gifts/", funds.gift_list, "gifts", Act.VIEW_FUNDS),
    Route("funds/gifts/<str:number>/receipt.<str:form>", funds.gift_receipt, "gift_receipt", Act.KEEP_FUNDS),
    Route("funds/gifts/<str:number>/", funds.gift_page, "gift", Act.VIEW_FUNDS),
    Route("funds/uses/", funds.use_list, "allocations", Act.VIEW_FUNDS),
    Route("funds/uses/<str:number>/do/<slug:step>/", funds.use_step, "allocation_step", Act.VIEW_FUNDS),
    Route("funds/uses/<str:number>/", funds.use_page, "allocation", Act.VIEW_FUNDS),
    Route("funds/campaigns/", raising.campaign_list, "campaigns", Act.VIEW_FUNDS),
    Route("funds/campaigns/new/", raising.campaign_edit, "campaign_new", Act.FILE_FUNDRAISING),
    Route("funds/campaigns/<str:number>/edit/", raising.campaign_edit, "campaign_edit", Act.FILE_FUNDRAISING),
    Route(
        "funds/campaigns/<str:number>/do/<slug:step>/",
        raising.campaign_step,
        "campaign_step",
        Act.VIEW_FUNDS,
    ),
    Route("funds/campaigns/<str:number>/", raising.campaign_page, "campaign", Act.VIEW_FUNDS),
    Route("funds/disclosures/", raising.disclosure_list, "disclosures", Act.VIEW_FUNDS),
    Route("funds/disclosures/<int:pk>.xlsx", raising.disclosure_book, "disclosure_book", Act.VIEW_FUNDS),
    Route(
        "funds/disclosures/<int:pk>/publish/",
        raising.disclosure_publish,
        "disclosure_publish",
        Act.FILE_FUNDRAISING,
    ),
    Route("funds/disclosures/<int:pk>/", raising.disclosure_page, "disclosure", Act.VIEW_FUNDS),
    Route("funds/years/<int:year>/", raising.year, "charity_year", Act.VIEW_FUNDS),
    Route("funds/<str:number>/do/<slug:step>/", funds.fund_step, "fund_step", Act.VIEW_FUNDS),
    Route("funds/<str:number>/", funds.fund_page, "fund", Act.VIEW_FUNDS),
    Route("ventures/", calls.call_list, "ventures", Act.VIEW_VENTURES),
    Route("ventures/new/", calls.new_call, "venture_new", Act.RUN_VENTURE),
    Route("ventures/ideas/", growing.idea_list, "ideas", Act.VIEW_VENTURES),
    Route("ventures/ideas/new/", growing.edit_idea, "idea_new", Act.INCUBATE),
    Route("ventures/ideas/<str:number>/edit/", growing.edit_idea, "idea_edit", Act.INCUBATE),
    Route("ventures/ideas/<str:number>/do/<slug:step>/", growing.idea_step, "idea_step", Act.VIEW_VENTURES),
    Route("ventures/ideas/<str:number>/", growing.idea_page, "idea", Act.VIEW_VENTURES),
    Route("ventures/support/", growing.support, "support", Act.VIEW_VENTURES),
    Route("ventures/support/enter/<slug:step>/", growing.support_enter, "support_enter", Act.SUPPORT_CHARITY),
    Route(
        "ventures/support/<str:number>/decide/", growing.support_decide, "support_decide", Act.DECIDE_VENTURE
    ),
    Route(
        "ventures/applications/<str:number>/",
        calls.application_page,
        "venture_application",
        Act.VIEW_VENTURES,
    ),
    Route(
        "ventures/applications/<str:number>/do/<slug:step>/",
        calls.application_step,
        "venture_application_step",
        Act.VIEW_VENTURES,
    ),
    Route(
        "ventures/milestones/<int:pk>/evidence/",
        calls.milestone_evidence,
        "milestone_evidence",
        Act.VIEW_VENTURES,
    ),
    Route(
        "ventures/milestones/<int:pk>/<slug:step>/", calls.milestone_step, "milestone_step", Act.VIEW_VENTURES
    ),
    Route("ventures/<str:number>/do/<slug:step>/", calls.call_step, "venture_step", Act.VIEW_VENTURES),
    Route("ventures/<str:number>/score/<slug:blind>/", calls.score, "venture_score", Act.SCORE_VENTURE),
    Route("ventures/<str:number>/", calls.call_page, "venture", Act.VIEW_VENTURES),
    Route("charity/ventures/", public.venture_list, "charity_ventures", Entry.PUBLIC),
    Route("charity/", public.home, "charity_home", Entry.PUBLIC),
    Route("charity/fundraising/", public.campaigns, "charity_campaigns", Entry.PUBLIC),
    Route("charity/fundraising/<str:number>/", public.campaign, "charity_campaign", Entry.PUBLIC),
    Route("charity/projects/", public.projects, "charity_projects", Entry.PUBLIC),
    Route("charity/projects/<str:number>/", public.project, "charity_project", Entry.PUBLIC),
    Route("charity/photos/<int:pk>/", public.photo, "charity_photo", Entry.PUBLIC),
    Route("charity/disclosures/", public.disclosures, "charity_disclosures", Entry.PUBLIC),
    Route(
        "charity/disclosures/<str:number>.xlsx",
        public.disclosure_book,
        "charity_disclosure_book",
        Entry.PUBLIC,
    ),
    Route("charity/disclosures/<str:number>/", public.disclosure, "charity_disclosure", Entry.PUBLIC),
    Route("charity/help/", public.needs, "charity_needs", Entry.PUBLIC),
    Route("charity/gift/", public.gift, "charity_gift", Entry.PUBLIC),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
