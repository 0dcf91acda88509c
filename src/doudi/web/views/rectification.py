"""The rectification report: its figures with the list behind each, and the Word and PDF files."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.assistance import services as assistance
from doudi.web.doubt_forms import RectificationForm
from doudi.web.guard import asker


def _asked(request: HttpRequest) -> tuple[date, date, str]:
    """Period and area; without them this year so far, in the account's area."""
    today = timezone.localdate()

    def day(name: str, default: date) -> date:
        try:
            return parse_date(request.GET.get(name, "")) or default
        except ValueError:
            return default

    region = request.GET.get("region", "").strip()
    own = asker(request).region_code
    return (
        day("since", today.replace(month=1, day=1)),
        day("until", today),
        region if region.isdigit() and len(region) <= 12 else own,
    )


@require_safe
def rectification(request: HttpRequest) -> HttpResponse:
    """The figures of a period and an area."""
    since, until, region = _asked(request)
    report = chain.rectify(since=since, until=until, region_code=region, by=asker(request))
    shown = {
        "report": report,
        "form": RectificationForm(initial={"since": since, "until": until, "region": region}),
        "tables": [("kind", report.by_kind), ("township", report.by_township)],
        "query": f"since={since}&until={until}&region={region}",
    }
    return render(request, "assistance/rectification.html", shown)


@require_safe
def rectification_file(request: HttpRequest, form: str) -> HttpResponse:
    """The report as Word or PDF; the hash of its content goes into the log."""
    since, until, region = _asked(request)
    content, digest = chain.export_rectification(
        since=since, until=until, region_code=region, form=form, by=asker(request)
    )
    name = quote(f"整改报告_{since}_{until}.{form}")
    return HttpResponse(
        content,
        content_type=assistance.RECTIFICATION_FORMATS.get(form, "application/octet-stream"),
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "X-Content-Hash": digest},
    )
