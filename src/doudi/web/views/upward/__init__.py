"""What leaves the house for other systems: reports upward, events for departments (上报与接口)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Route
from doudi.web.views.upward import events, reports

ROUTES: tuple[Route, ...] = (
    Route("upward/", reports.desk, "upward", Act.VIEW_UPWARD),
    Route("upward/<str:number>/", reports.report_page, "upward_report", Act.VIEW_UPWARD),
    Route("upward/<str:number>/file/", reports.take_file, "upward_file", Act.REPORT_UPWARD),
    Route("webhooks/", events.desk, "webhooks", Act.VIEW_WEBHOOKS),
    Route("webhooks/<str:number>/", events.act, "webhook_act", Act.KEEP_WEBHOOKS),
    Route("webhook-events/<int:pk>/again/", events.again, "webhook_again", Act.KEEP_WEBHOOKS),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
