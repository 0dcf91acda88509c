"""A verification report for reading (核对报告)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.verification import services as verification
from doudi.house.documents import FontMissing
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import said


@require_safe
def report_page(request: HttpRequest, number: str) -> HttpResponse:
    """A report for reading and printing; the look is in the audit log."""
    user = asker(request)
    report, kept = verification.look_at_report(number, by=user)
    content = chain.report_shown(kept, by=user)
    computed = content["computed"]
    names = {person["position"]: person for person in computed["people"]}
    shown = {
        "report": report,
        "recorded": content["recorded"],
        "computed": computed,
        "masked": content["masked"],
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


@require_safe
def report_file(request: HttpRequest, number: str, form: str) -> HttpResponse:
    """The report as PDF, Word or canonical JSON; the export is in the audit log."""
    user = asker(request)
    if form == "json":
        try:
            content, kind = chain.report_file(number, by=user), "application/json"
        except verification.StepRefused as problem:
            messages.error(request, said(problem))
            return redirect("verification_report", number=number)
    else:
        address = f"{request.scheme}://{request.get_host()}"
        try:
            content = chain.report_paper(number, form=form, address=address, by=user)
        except FontMissing as problem:
            messages.error(request, said(problem))
            return redirect("verification_report", number=number)
        kind = verification.FORMS[form]
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{number}.{form}"'
    return answer


@require_safe
def check(request: HttpRequest, code: str) -> HttpResponse:
    """What anybody who holds a report may know: whether it stands, and its digests; nothing of the family."""
    standing = verification.report_by_code(code)
    return render(request, "verification/check.html", {"standing": standing}, status=200 if standing else 404)
