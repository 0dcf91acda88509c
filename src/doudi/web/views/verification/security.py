"""Unusual looks at people, and what was found out (安全预警)."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi.contexts.verification import services as verification
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker

PAGE = 25


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """The warnings of the area, with the emergency procedure."""
    return _page(request, None)


def _page(request: HttpRequest, problem: DoudiError | None) -> HttpResponse:
    user = asker(request)
    show = request.GET.get("show", "open")
    found = verification.security_warnings(by=user, open_only=show != "all")
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "show": show,
        "shows": [("open", _("未核实")), ("all", _("全部"))],
        "problem": problem,
        "me": user.username,
    }
    return render(request, "verification/security.html", shown, status=422 if problem else 200)


def handle(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what was found out."""
    user = asker(request)
    if request.method != "POST":
        return redirect("security")
    try:
        verification.handle_warning(pk, finding=request.POST.get("finding", ""), by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, problem)
    messages.success(request, _("核实情况已登记。"))
    return redirect("security")
