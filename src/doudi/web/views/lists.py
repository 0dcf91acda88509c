"""Lists of households and people: search, conditions, columns, kept conditions, and asking for a workbook."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import Conditions
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker

PAGE = 25


def household_list(request: HttpRequest) -> HttpResponse:
    """Households of the account's area.

    An ID in the address of a page would stay in logs and history, so what is searched for is posted.
    """
    return _list(request, registry.HOUSEHOLDS)


def person_list(request: HttpRequest) -> HttpResponse:
    """People of the account's area."""
    return _list(request, registry.PERSONS)


def _list(request: HttpRequest, subject: str) -> HttpResponse:
    user, problem = asker(request), None
    typed = request.POST if request.method == "POST" else request.GET
    after = typed.get("after", "")
    asked, columns = Conditions(), registry.columns_of(subject, by=user)
    page = registry.ListPage((), "", 0)
    told: dict[str, Any] = {}
    try:
        asked = _asked(request, typed, subject, user)
        if request.method == "POST":
            columns, gone_on = _acted(request, subject, asked, columns, user)
            if gone_on is not None:
                return gone_on
        page = chain.list_page(subject, asked, by=user, after=after, limit=PAGE)
        if "disability" in columns:
            registry.with_disabilities(page.rows)
            told["disability"] = None if chain.disabilities_at_hand() else _("未到")
    except DoudiError as refusal:
        if refusal.code == "not_allowed":
            raise
        problem = refusal
    finances = may(user, Act.VIEW_FINANCES)
    labels = {
        name: label for name, label in registry.COLUMNS[subject].items() if finances or name != "disability"
    }
    columns = tuple(name for name in columns if name in labels)
    root = user.region_code or registry.office_region()
    way, below = registry.subtree(asked.region, by=user, root=root)
    exported = registry.EXPORT_COLUMNS[subject]
    whole = may(user, Act.REVEAL_IDENTITY)
    shown: dict[str, Any] = {
        "subject": subject,
        "address": request.path,
        "problem": problem,
        "asked": asked,
        "after": after,
        "page": page,
        "kinds": [registry.KIND_LABELS[kind] for kind in page.kinds],
        "columns": [{"name": name, "label": labels[name]} for name in columns],
        "rows": [
            (
                row,
                [
                    (name, labels[name], told.get(name) or value)
                    for name, value in registry.told(row, columns, by=user).items()
                ],
            )
            for row in page.rows
        ],
        "every": [{"name": name, "label": label, "shown": name in columns} for name, label in labels.items()],
        "exported": [
            {"name": name, "label": label, "shown": name in columns}
            for name, label in exported.items()
            if (whole or name in labels) and (finances or name != "disability")
        ],
        "free_rows": chain.rules()[1].exports.free_rows,
        "saved": registry.saved_lists(subject, by=user),
        "way": way,
        "below": below,
        "at": way[-1][0] if way else "",
        "categories": _categories(user),
        "areas": ("城镇", "农村"),
        "sexes": ("男", "女"),
        "disabilities": registry.DISABILITY if finances and chain.disabilities() else {},
        "disability_kinds": kinds.kinds if finances and (kinds := chain.disabilities()) else (),
    }
    partial = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    return render(request, f"registry/{'_households' if partial else 'households'}.html", shown)


def _categories(user: User) -> list[str]:
    everyone = registry.category_counts(by=user) if may(user, Act.VIEW_DASHBOARD) else []
    return [row["category"] or "none" for row in everyone]


def _asked(request: HttpRequest, typed: Any, subject: str, user: User) -> Conditions:
    """The conditions typed, or those kept under the name that was pressed."""
    pressed = typed.get("use", "")
    if pressed.isdigit():
        kept = registry.saved_lists(subject, by=user).filter(pk=pressed).first()
        if kept is not None:
            registry.choose_columns(subject, kept.columns, by=user)
            return Conditions.read(kept.asked)
    return Conditions.read(
        {**typed.dict(), **({"region": typed["region_to"]} if "region_to" in typed else {})}
    )


def _acted(
    request: HttpRequest, subject: str, asked: Conditions, columns: tuple[str, ...], user: User
) -> tuple[tuple[str, ...], HttpResponse | None]:
    """What a button beside the list does: keep columns, keep or drop conditions, ask for a workbook."""
    typed = request.POST
    if typed.get("use"):
        return registry.columns_of(subject, by=user), None
    if typed.get("drop", "").isdigit():
        registry.delete_list(int(typed["drop"]), by=user)
    act = typed.get("act")
    if act == "columns":
        return registry.choose_columns(subject, typed.getlist("columns"), by=user), None
    if act == "keep":
        registry.save_list(
            typed.get("keep_name", ""),
            subject=subject,
            asked=asked,
            columns=columns,
            shared=bool(typed.get("keep_shared")),
            by=user,
        )
    if act == "export":
        export = chain.request_export(
            subject,
            asked,
            columns=typed.getlist("export_columns"),
            reason=typed.get("export_reason", ""),
            by=user,
        )
        messages.success(
            request,
            _("已提交 %(number)s，共 %(rows)d 行：%(state)s。")
            % {"number": export.number, "rows": export.rows, "state": _(export.get_status_display())},
        )
        there = redirect("exports")
        if request.htmx:  # type: ignore[attr-defined]
            return columns, HttpResponseClientRedirect(there["Location"])
        return columns, there
    return columns, None
