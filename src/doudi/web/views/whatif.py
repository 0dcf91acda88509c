"""What if: another standard for the area, another line for a warning; figures only, nothing is kept or changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine import money
from doudi.engine.csvfile import harmless
from doudi.engine.errors import DoudiError
from doudi.engine.screening import Simulation
from doudi.web.guard import asker
from doudi.web.templatetags import doudi as words
from doudi.web.whatif import BackTestForm, Number, WhatIfForm, areas, numbers

SHOWN = 50


@dataclass(frozen=True)
class _Asked:
    """The area and day of a page: the account's own area and the latest register, unless others are asked for."""

    area: str
    places: list[str]
    listed: list[Number]
    latest: date | None


def _asked(request: HttpRequest) -> _Asked:
    pack, own = chain.rules()[0], asker(request).region_code
    places = areas(pack, own)
    area = request.GET.get("area", "")
    if area not in places:
        area = own
    latest = registry.latest_register_date()
    try:
        on = parse_date(request.GET.get("as_of", ""))
    except ValueError:
        on = None
    listed = list(numbers(pack, area=area, on=on or latest or timezone.localdate()))
    return _Asked(area, places, listed, latest)


# ---- another standard --------------------------------------------------------------------------------------------


@require_safe
def what_if(request: HttpRequest) -> HttpResponse:
    """Other numbers: who gains, who loses, what it costs a month."""
    user = asker(request)
    page = _asked(request)
    form = WhatIfForm(
        request.GET or None, listed=page.listed, places=page.places, initial={"as_of": page.latest}
    )
    shown: dict[str, Any] = {
        "form": form,
        "rows": [(number, form[number.name]) for number in page.listed],
        "area": page.area,
        "places": page.places,
        "may_see_movers": monitoring.may_see_movers(user),
    }
    if form.is_bound and form.is_valid() and (changes := form.changes(user.region_code)):
        try:
            found = chain.simulate(
                as_of=form.cleaned_data["as_of"], changes=changes, by=user, region_code=page.area
            )
        except DoudiError as problem:
            return render(request, "monitoring/what_if.html", shown | {"problem": problem}, status=422)
        shown |= _told(found, page.listed)
    return render(request, "monitoring/what_if.html", shown)


def _told(found: Simulation, listed: list[Number]) -> dict[str, Any]:
    now = {number.name: number.text for number in listed}
    categories = _categories(found)
    return {
        "found": found,
        "changed": [(name, now[name], value) for (name, _region), value in found.changes.items()],
        "difference": found.cost_after - found.cost_before,
        "categories": categories,
        "regions": found.sums_by_region(),
        "movers": found.movers[:SHOWN],
        "left_off": max(0, found.gainers + found.losers - SHOWN),
        "named": len(found.movers),
        "pictures": {
            "cost": {
                "labels": [words.category(code) for code, _row in categories],
                "series": [
                    {"name": _("现行"), "values": [row["cost_before"] // 100 for _code, row in categories]},
                    {"name": _("改后"), "values": [row["cost_after"] // 100 for _code, row in categories]},
                ],
            }
        },
    }


def _categories(found: Simulation) -> list[tuple[str, dict[str, int]]]:
    """The categories in the pack's order, 待核 last."""
    order = [category.code for category in chain.rules()[0].categories]
    sums = found.sums_by_category()
    return sorted(sums.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))


@require_safe
def what_if_csv(request: HttpRequest) -> HttpResponse:
    """The figures of a what-if for Excel, with the households for those who may see them."""
    user = asker(request)
    page = _asked(request)
    form = WhatIfForm(request.GET, listed=page.listed, places=page.places)
    if not form.is_valid() or not (changes := form.changes(user.region_code)):
        return redirect("what_if")
    as_of = form.cleaned_data["as_of"]
    found = chain.simulate(as_of=as_of, changes=changes, by=user, region_code=page.area)
    header = [
        _("范围"), _("代码"), _("名称"), _("户数（现行）"), _("户数（改后）"), _("得益户"), _("失去户"), _("待核户"),
        _("月支出（现行，元）"), _("月支出（改后，元）"),
    ]  # fmt: skip
    rows = [*_rows(found, page.area)]
    monitoring.record_export(
        f"screen:{as_of}",
        rows=len(rows),
        detail={"changes": [f"{name}={value}" for (name, _region), value in changes.items()], "households": len(found.movers)},
        by=user,
    )  # fmt: skip
    return _csv(_("测算_%(as_of)s.csv") % {"as_of": as_of}, header, rows)


def _rows(found: Simulation, region_code: str) -> Iterator[list[Any]]:
    for (name, _region), value in found.changes.items():
        yield [_("参数"), "", f"{name}={value}"]
    counts = [found.households, found.households, found.gainers, found.losers, found.undecided]
    costs = _yuan(found.cost_before, found.cost_after)
    yield [_("合计"), region_code, words.region(region_code), *counts, *costs]
    for code, row in _categories(found):
        costs = _yuan(row["cost_before"], row["cost_after"])
        both = [row["households_before"], row["households_after"]]
        yield [_("类别"), code, words.category(code), *both, "", "", "", *costs]
    for code, row in found.sums_by_region().items():
        counts = [row[key] for key in ("households", "households", "gainers", "losers", "undecided")]
        costs = _yuan(row["cost_before"], row["cost_after"])
        yield [_("乡镇"), code, words.region_path(code), *counts, *costs]
    for mover in found.movers:
        moved = f"{words.category(mover.before)} → {words.category(mover.after)}"
        costs = _yuan(mover.cost_before, mover.cost_after)
        yield [_("户"), mover.household_no, moved, 1, 1, int(mover.gains), int(not mover.gains), 0, *costs]


# ---- another line for a warning ----------------------------------------------------------------------------------


@require_safe
def back_test(request: HttpRequest) -> HttpResponse:
    """A warning's line at other values over the past months, and the work to expect."""
    user = asker(request)
    page = _asked(request)
    form = BackTestForm(
        request.GET or None,
        pack=chain.rules()[0],
        listed=page.listed,
        places=page.places,
        initial={"as_of": page.latest, "months": 12},
    )
    shown: dict[str, Any] = {"form": form, "area": page.area, "places": page.places}
    if form.is_bound and form.is_valid():
        asked = form.asked(user.region_code)
        try:
            found = chain.back_test(asked.pop("indicator"), **asked, by=user)
        except DoudiError as problem:
            return render(request, "monitoring/back_test.html", shown | {"problem": problem}, status=422)
        shown |= _tested(found, page.listed, form.cleaned_data["threshold"].partition(":")[2])
    return render(request, "monitoring/back_test.html", shown)


def _tested(found: monitoring.BackTested, listed: list[Number], number: str) -> dict[str, Any]:
    now = next(one.text for one in listed if one.name == number)
    labels = [_("现行 %(value)s") % {"value": now}]
    labels += [next(iter(trial.trial.changes.values())) for trial in found.trials[1:]]
    months: list[dict[str, Any]] = [
        {
            "month": f"{month:%Y-%m}",
            "present": one,
            "outcome": found.trials[0].outcomes[month],
            "new": [len(trial.trial.new[month]) for trial in found.trials],
        }
        for month, one in zip(found.test.months, found.test.present.by_month(), strict=True)
    ]
    forecasts = zip(*(trial.trial.by_region() for trial in found.trials), strict=True)
    return {
        "found": found,
        "number": number,
        "trials": list(zip(labels, found.trials, strict=True)),
        "labels": labels,
        "months": months,
        "forecasts": [row for row in forecasts if any(one.most for one in row)],
        "pictures": {
            "months": {
                "labels": [row["month"] for row in months],
                "series": [
                    {"name": label, "values": [row["new"][at] for row in months]}
                    for at, label in enumerate(labels)
                ],
            }
        },
    }


@require_safe
def back_test_csv(request: HttpRequest) -> HttpResponse:
    """The back-test by value, month and township for Excel."""
    user = asker(request)
    page = _asked(request)
    form = BackTestForm(request.GET, pack=chain.rules()[0], listed=page.listed, places=page.places)
    if not form.is_valid():
        return redirect("back_test")
    asked = form.asked(user.region_code)
    indicator = asked.pop("indicator")
    found = chain.back_test(indicator, **asked, by=user)
    header = [_("指标"), _("线"), _("月份"), _("乡镇代码"), _("乡镇"), _("在报户"), _("新增户"), _("待核户")]
    rows = [
        [indicator, one.trial.label or _("现行"), f"{c.month:%Y-%m}", c.region, words.region_path(c.region), c.raised, c.new, c.undecided]
        for one in found.trials
        for c in one.trial.counts
    ]  # fmt: skip
    monitoring.record_export(
        f"screen:{asked['as_of']}",
        rows=len(rows),
        detail={"indicator": indicator, "trials": [one.trial.label for one in found.trials[1:]]},
        by=user,
    )
    return _csv(_("回测_%(indicator)s_%(as_of)s.csv") % {"indicator": indicator, "as_of": asked["as_of"]}, header, rows)  # fmt: skip


def _yuan(*fen: int) -> list[str]:
    return [money.format_yuan(one) for one in fen]


def _csv(name: str, header: list[str], rows: Iterable[list[Any]]) -> HttpResponse:
    """A CSV that Excel opens as it is; a cell that looks like a formula is kept as text."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return HttpResponse(
        "\ufeff" + out.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
    )
