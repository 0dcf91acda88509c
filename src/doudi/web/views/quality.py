"""How well the warnings work, with the list behind every number."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.templatetags import doudi as words

PAGE = 50


def _day(request: HttpRequest, name: str) -> date | None:
    try:
        return parse_date(request.GET.get(name, ""))
    except ValueError:
        return None


def _period(request: HttpRequest) -> tuple[date, date]:
    return monitoring.period(_day(request, "first"), _day(request, "last"), today=timezone.localdate())


@require_safe
def quality(request: HttpRequest) -> HttpResponse:
    """Precision, coverage, timeliness, the loop and silent villages of a period, by township and by indicator."""
    shown: dict[str, Any] = {}
    try:
        first, last = _period(request)
    except DoudiError as problem:
        return render(request, "monitoring/quality.html", {"problem": problem}, status=400)
    found = chain.quality(first=first, last=last, by=asker(request))
    named = monitoring.MEASURES.items()
    shown = {
        "first": first,
        "last": last,
        "period": urlencode({"first": first, "last": last}),
        "figures": [(measure, label, found.whole[measure]) for measure, label in named],
        "silent": found.silent,
        "village_unknown": found.village_unknown,
        "tables": [
            (title, head, [
                (urlencode({key: part}), name(part), [(m, label, figures[m]) for m, label in named])
                for part, figures in parts.items()
            ])
            for title, head, key, name, parts in (
                (_("按乡镇（街道）"), _("负责地区"), "township", words.place, found.by_township),
                (_("按信号"), _("信号"), "code", lambda code: f"{code} {words.coded(code)}", found.by_code),
            )
        ],
    }  # fmt: skip
    return render(request, "monitoring/quality.html", shown)


@require_safe
def quality_list(request: HttpRequest, measure: str) -> HttpResponse:
    """The warnings, households or pushes that one number counts."""
    first, last = _period(request)
    part = {key: request.GET.get(key, "") for key in ("township", "code")}
    counts = request.GET.get("counts", "")
    found = chain.quality(first=first, last=last, by=asker(request))
    everything = monitoring.behind(found, measure, **part)
    shown = {
        "measure": measure,
        "label": monitoring.MEASURES[measure],
        "above": sum(item.counts for item in everything),
        "below": len(everything),
        "counts": counts,
        "period": urlencode({"first": first, "last": last}),
        "query": urlencode({"first": first, "last": last, **{k: v for k, v in part.items() if v}}),
        "page": Paginator(monitoring.behind(found, measure, **part, counts=counts), PAGE).get_page(
            request.GET.get("page")
        ),
    }
    return render(request, "monitoring/quality_list.html", shown)
