"""The audit log for those who check the others."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import ACT_LABELS
from doudi.web.guard import asker

PAGE = 50


@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """Looks, changes, exports and decisions, newest first; reading them is itself in the log."""
    user = asker(request)
    asked = {key: request.GET.get(key, "").strip() for key in ("actor", "act", "subject")}
    found = accounts.read_audit(by=user, **asked)
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "asked": asked,
        "acts": [*(act.value for act in ACT_LABELS), "export_quarantine"],
    }
    return render(request, "accounts/audit.html", shown)


@require_safe
def chain_state(request: HttpRequest) -> HttpResponse:
    """Walk the chain and say whether it is whole."""
    template = "accounts/_chain.html" if request.htmx else "accounts/chain.html"  # type: ignore[attr-defined]
    return render(request, template, {"report": accounts.verify_audit()})
