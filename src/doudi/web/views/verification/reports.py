"""A verification report for reading (核对报告)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from doudi.contexts.verification import services as verification
from doudi.web.guard import asker


@require_safe
def report_page(request: HttpRequest, number: str) -> HttpResponse:
    """A report for reading and printing; the look is in the audit log."""
    user = asker(request)
    report, content = verification.look_at_report(number, by=user)
    computed = content["computed"]
    names = {person["position"]: person for person in computed["people"]}
    shown = {
        "report": report,
        "recorded": content["recorded"],
        "computed": computed,
        "names": names,
        "sources": [
            (source["label"], [(names[row["person"]]["name"], row) for row in source["people"]])
            for source in computed["sources"]
        ],
        "household": [
            variable
            for variable in computed["situation"]["variables"]
            if variable["person"] is None and variable["kind"] == "金额" and variable["value"] is not None
        ],
        "overtaken": report.followers.first(),
        "expired": timezone.localdate() > report.valid_to,
    }
    return render(request, "verification/report.html", shown)
