"""How many people stand in which category, and who they are."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.web.guard import asker

PAGE = 50


def day_of(typed: str) -> date | None:
    """A day typed in an address, None where it is no day."""
    try:
        return parse_date(typed)
    except ValueError:
        return None


def _asked(request: HttpRequest) -> dict[str, Any]:
    known = day_of(request.GET.get("known_on", ""))
    return {
        "on": day_of(request.GET.get("valid_on", "")) or timezone.localdate(),
        "known_on": known,
        "region": "".join(c for c in request.GET.get("region", "") if c.isdecimal())[:12],
    }


@require_safe
def statistics(request: HttpRequest) -> HttpResponse:
    """Townships by category: each person once; each cell opens its list for those who may see people."""
    user = asker(request)
    asked = _asked(request)
    table = registry.statistics(
        on=asked["on"],
        known_at=registry.end_of(asked["known_on"]),
        region_code=asked["region"],
        tails=chain.tails(),
        by=user,
    )
    rows = [
        {
            "name": line.region_name,
            "region": line.region_code,
            "people": line.people,
            "cells": [
                {"label": label, "once": once, "labelled": labelled}
                for (label, _code), once, labelled in zip(
                    table.categories, line.once, line.labelled, strict=True
                )
            ],
        }
        for line in (*table.lines, table.total)
    ]
    shown = {
        **asked,
        "table": table,
        "rows": rows,
        "tails": chain.tails(),
        "opens": may(user, Act.VIEW_HOUSEHOLDS),
    }
    return render(request, "registry/statistics.html", shown)


@require_safe
def counted(request: HttpRequest) -> HttpResponse:
    """The people behind one cell."""
    user = asker(request)
    asked = _asked(request)
    label = request.GET.get("label", "")
    if label not in registry.RANKS:
        label = next(iter(registry.RANKS))
    found = registry.people_counted(
        on=asked["on"],
        known_at=registry.end_of(asked["known_on"]),
        region_code=asked["region"],
        tails=chain.tails(),
        label=label,
        by=user,
        once=request.GET.get("all") != "1",
    )
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    rows = [
        {"name": person.name, "id_shown": identity.mask_id(person.id_number), "household_no": household_no}
        for person, household_no in page.object_list
    ]
    shown = {**asked, "label": label, "page": page, "rows": rows, "all": request.GET.get("all") == "1"}
    return render(request, "registry/counted.html", shown)
