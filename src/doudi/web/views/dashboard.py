"""The figures of an area on one page, with a map and a table under every picture."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.web.guard import asker
from doudi.web.templatetags import doudi as words

BOUNDARIES = Path(__file__).parents[1] / "static" / "geo" / "guizhou-counties.geojson"


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Warnings, the loop, referrals, categories and the arrival of data for the account's area."""
    user = asker(request)
    run = monitoring.latest_run()
    shown: dict[str, Any] = {
        "run": run,
        "loop": monitoring.loop_figures(by=user),
        "referrals": assistance.referral_counts(by=user),
        "levels": monitoring.by_level(by=user),
        "townships": monitoring.by_township(by=user),
        "codes": sorted(monitoring.code_counts(by=user).items(), key=lambda pair: (-pair[1], pair[0])),
        "categories": _categories(user, run),
        "feeds": _arrivals(),
    }
    shown["counties"] = _by_county(shown["townships"])
    shown["pictures"] = _pictures(shown)
    return render(request, "monitoring/dashboard.html", shown)


def _by_county(townships: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counties: dict[str, Counter[str]] = {}
    for row in townships:
        counted = counties.setdefault(row["region_code"][:6], Counter())
        counted.update({key: row[key] for key in ("total", "red", "orange", "yellow", "overdue")})
    return [
        {"code": code, "name": registry.region_name(code), **counts}
        for code, counts in sorted(counties.items())
    ]


def _found_categories(run: monitoring.ScreeningRun, user: User) -> Counter[str]:
    """What the screen found of the households the area answers for, wherever they live."""
    ours = registry.numbers_answered_for(user)
    return Counter(row["category"] for row in monitoring.result_rows(run) if row["household_no"] in ours)


def _categories(user: User, run: monitoring.ScreeningRun | None) -> list[dict[str, Any]]:
    """Households per category, as registered and as the last screen found them."""
    pack = chain.rules()[0]
    registered: Counter[str] = Counter()
    for row in registry.category_counts(by=user):
        registered[pack.registered_code(row["category"])] += row["households"]
    found = _found_categories(run, user) if run is not None else Counter()
    order = list(dict.fromkeys([*(category.code for category in pack.categories), *registered, *found]))
    return [
        {"code": code, "registered": registered[code], "found": found[code]}
        for code in order
        if registered[code] or found[code]
    ]


def _arrivals() -> list[dict[str, Any]]:
    """Per source the last receipt, the date its data stand for and how many days ago that is; missing and late ones are said.

    Of a feed that several offices send each has its row: one that is late is not hidden by another that is not. A feed
    that declares no period (周期) comes when something happens and is never called late. ``unknown``: so late that the
    indicators that hang on it are "unknown" (迟到倍数 of the pack).
    """
    today = timezone.localdate()
    pack, handling = chain.rules()
    rows = []
    for spec in pack.feeds.values():
        for receipt in registry.receipts_by_source(spec, today):
            unknown = receipt.as_of is None or receipt.is_late(handling.late_periods)
            rows.append(
                {
                    "receipt": receipt,
                    "late": receipt.is_late(1),
                    "unknown": unknown and spec.name != registry.REGISTER,
                }
            )
    return sorted(rows, key=lambda row: row["receipt"].as_of is not None)


def _pictures(shown: dict[str, Any]) -> dict[str, Any]:
    """What the charts and the map draw; the same figures stand in the tables."""
    return {
        "level": {
            "labels": [
                _("仅有风险信号") if level == "none" else words.level(level) for level in shown["levels"]
            ],
            "keys": list(shown["levels"]),
            "series": [{"name": _("未办结预警"), "values": list(shown["levels"].values())}],
        },
        "township": {
            "labels": [words.place(row["region_code"]) for row in shown["townships"][:15]],
            "series": [
                {
                    "name": words.level(key),
                    "key": key,
                    "values": [row[key] for row in shown["townships"][:15]],
                }
                for key in ("red", "orange", "yellow")
            ],
        },
        "code": {
            "labels": [f"{code} {words.coded(code)}" for code, _count in shown["codes"]],
            "series": [{"name": _("未办结预警"), "values": [count for _code, count in shown["codes"]]}],
        },
        "category": {
            "labels": [words.category(row["code"]) for row in shown["categories"]],
            "series": [
                {"name": _("在册"), "values": [row["registered"] for row in shown["categories"]]},
                {"name": _("筛查结果"), "values": [row["found"] for row in shown["categories"]]},
            ],
        },
        "map": {
            "counts": {row["code"]: row["total"] for row in shown["counties"]},
            "words": {
                "open": _("未办结预警"),
                "approval": _("审图号："),
                "no_approval": _("边界仅为示意，不作划界依据；审图号由部署单位随边界文件提供。"),
                "failed": _("边界文件读取失败，请看下表。"),
            },
        },
    }


@require_safe
def boundaries(request: HttpRequest) -> FileResponse:
    """The boundary file of the map: the deployer's own by the setting ``BOUNDARIES``, else the sample."""
    path = Path(getattr(settings, "BOUNDARIES", None) or BOUNDARIES)
    response = FileResponse(path.open("rb"), content_type="application/geo+json")
    response["Cache-Control"] = "private, max-age=3600"
    return response
