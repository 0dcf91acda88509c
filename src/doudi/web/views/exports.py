"""Workbooks of lists: who asked for what and why, the second person's word, and the taking."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker

PAGE = 20
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def export_list(request: HttpRequest) -> HttpResponse:
    """The asker's own exports, and for who decides or audits those of the area."""
    return _page(request)


def _page(request: HttpRequest, problem: DoudiError | None = None) -> HttpResponse:
    user, now = asker(request), timezone.now()
    page = Paginator(registry.exports(by=user), PAGE).get_page(request.GET.get("page"))
    decides = may(user, Act.APPROVE_EXPORT)
    for export in page:
        own = export.requested_by == user.username
        granted = export.status == "granted" and export.expires_at is not None and export.expires_at > now
        export.takable = own and granted  # type: ignore[attr-defined]
        export.decidable = decides and not own and export.status == "waiting"  # type: ignore[attr-defined]
        labels = registry.EXPORT_COLUMNS[export.subject]
        export.labels = [labels.get(column, column) for column in export.columns]  # type: ignore[attr-defined]
    shown: dict[str, Any] = {
        "page": page,
        "now": now,
        "problem": problem,
        "returns": may(user, Act.RETURN_LIST),
    }
    return render(request, "registry/exports.html", shown, status=422 if problem else 200)


def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """The second person's word."""
    if request.method != "POST":
        return redirect("exports")
    try:
        export = chain.decide_export(
            pk, grant=request.POST.get("grant") == "1", note=request.POST.get("note", ""), by=asker(request)
        )
    except DoudiError as problem:
        if problem.code in ("not_allowed", "export_not_found"):
            raise
        return _page(request, problem)
    messages.success(
        request,
        _("%(number)s：%(state)s。") % {"number": export.number, "state": _(export.get_status_display())},
    )
    return redirect("exports")


def take(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The workbook itself, in pieces."""
    if request.method != "POST":
        return redirect("exports")
    try:
        export, content = chain.take_export(pk, by=asker(request), password=request.POST.get("password", ""))
    except DoudiError as problem:
        if problem.code in ("not_allowed", "export_not_found"):
            raise
        return _page(request, problem)
    return StreamingHttpResponse(
        content,
        content_type=_WORKBOOK,
        headers={"Content-Disposition": f'attachment; filename="{export.number}.xlsx"'},
    )
