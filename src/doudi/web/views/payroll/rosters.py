"""Rosters: the list, one roster with its rows and their reckoning, and the steps of reckoning, checking, freezing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import payroll
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import Line
from doudi.engine.errors import DoudiError
from doudi.web import payroll_forms as typed
from doudi.web.guard import asker
from doudi.web.steps import take_step

PAGE = 50
STATES = [
    ("", gettext_noop("全部")),
    ("computed", gettext_noop("待核对")),
    ("frozen", gettext_noop("已冻结")),
    ("withdrawn", gettext_noop("已退回")),
]


@require_safe
def roster_list(request: HttpRequest) -> HttpResponse:
    """Rosters of the area by month, and for the county the form that reckons the next."""
    return _list(request)


def county_of(user: User) -> str:
    """The county an account works in, to begin a form with."""
    latest = payroll.rosters(by=user).first()
    return (user.region_code or (latest.region_code if latest else registry.office_region()))[:6]


def _list(
    request: HttpRequest,
    *,
    bound: forms.Form | None = None,
    opening: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    status = request.GET.get("status", "")
    begin = {"region": county_of(user)}
    shown = {
        "page": Paginator(payroll.rosters(by=user, status=status), PAGE).get_page(request.GET.get("page")),
        "states": STATES,
        "status": status,
        "form": bound or typed.ComputeForm(initial=begin, auto_id="compute_%s"),
        "opening": opening or typed.OpenBooksForm(initial=begin, auto_id="opening_%s"),
        "failed": "opening" if opening is not None else "compute" if bound is not None else "",
        "problem": problem,
    }
    wrong = problem is not None or bound is not None or opening is not None
    return render(request, "payroll/rosters.html", shown, status=422 if wrong else 200)


def compute(request: HttpRequest) -> HttpResponse:
    """Reckon a month's roster."""
    if request.method != "POST":
        return redirect("rosters")
    form = typed.ComputeForm(request.POST, auto_id="compute_%s")
    return take_step(
        request,
        form,
        lambda told, user: chain.compute_roster(region_code=told["region"], month=told["month"], by=user),
        again=lambda problem: _list(request, bound=form, problem=problem),
        done=_("名册已算出，等待另一人核对。"),
        then=redirect("rosters"),
    )


def open_books(request: HttpRequest) -> HttpResponse:
    """Take the present recipients over (开账)."""
    if request.method != "POST":
        return redirect("rosters")
    form = typed.OpenBooksForm(request.POST, auto_id="opening_%s")

    def act(told: dict[str, Any], user: User) -> None:
        opened = chain.open_books(
            region_code=told["region"], month=told["month"], decision_no=told["decision_no"], by=user
        )
        messages.info(
            request,
            _("登记了 %(n)s 户；%(missing)s 户没有收入、%(above)s 户应发为零，须另作决定。")
            % {
                "n": sum(opened.recorded.values()),
                "missing": len(opened.no_income),
                "above": len(opened.above),
            },
        )

    return take_step(
        request,
        form,
        act,
        again=lambda problem: _list(request, opening=form, problem=problem),
        done=_("开账完成。"),
        then=redirect("rosters"),
    )


@require_safe
def roster_page(request: HttpRequest, number: str) -> HttpResponse:
    """One roster; the look is logged."""
    return _page(request, payroll.look_at_roster(number, by=asker(request)))


def _page(
    request: HttpRequest,
    roster: payroll.Roster,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    asked = {key: request.GET.get(key, "").strip() for key in ("kind", "benefit", "region", "text")}
    found = payroll.rows_of(
        roster,
        by=user,
        kind=asked["kind"],
        benefit=asked["benefit"],
        region_code=asked["region"],
        text=asked["text"],
    )
    waits = roster.status == payroll.Roster.Status.COMPUTED and may(user, Act.CHECK_ROSTER)
    shown = {
        "roster": roster,
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "asked": asked,
        "sums": payroll.sums_of(roster, by=user),
        "kept_back": payroll.rows_kept_back(roster, by=user),
        "kinds": payroll.RosterRow.Kind.choices,
        "benefits": chain.benefit_rules().benefits,
        "tied": payroll.tie_out(roster, by=user) if roster.is_frozen else None,
        "checks": waits and roster.computed_by != user.username,
        "own": waits and roster.computed_by == user.username,
        "freeze": bound if step == "freeze" else typed.FreezeForm(initial={"sha256": roster.sha256}),
        "send_back": bound if step == "return" else typed.ReturnRosterForm(auto_id="back_%s"),
        "step": step,
        "problem": problem,
    }
    failed = problem is not None or bound is not None
    return render(request, "payroll/roster.html", shown, status=422 if failed else 200)


@require_safe
def row_page(request: HttpRequest, number: str, place: int) -> HttpResponse:
    """How one sum of a roster was reckoned, line by line."""
    user = asker(request)
    roster = payroll.look_at_roster(number, by=user)
    row = payroll.rows_of(roster, by=user).filter(place=place).first()
    if row is None:
        raise Http404
    shown = {
        "roster": roster,
        "row": row,
        "lines": [Line(*line) for line in row.lines],
        "benefit": chain.benefit_rules().benefits.get(row.benefit),
    }
    return render(request, "payroll/row.html", shown)


def freeze(request: HttpRequest, number: str) -> HttpResponse:
    """Find a roster right and freeze it."""
    if request.method != "POST":
        return redirect("roster", number=number)
    roster = payroll.roster_of(number, by=asker(request))
    form = typed.FreezeForm(request.POST)
    return take_step(
        request,
        form,
        lambda told, user: payroll.freeze_roster(number, note=told["note"], sha256=told["sha256"], by=user),
        again=lambda problem: _page(request, roster, step="freeze", bound=form, problem=problem),
        done=_("名册已冻结，可以发放。"),
        then=redirect("roster", number=number),
    )


def send_back(request: HttpRequest, number: str) -> HttpResponse:
    """Send a roster back to be reckoned again."""
    if request.method != "POST":
        return redirect("roster", number=number)
    roster = payroll.roster_of(number, by=asker(request))
    form = typed.ReturnRosterForm(request.POST, auto_id="back_%s")
    return take_step(
        request,
        form,
        lambda told, user: payroll.return_roster(number, note=told["note"], by=user),
        again=lambda problem: _page(request, roster, step="return", bound=form, problem=problem),
        done=_("名册已退回，请计算人重新计算。"),
        then=redirect("roster", number=number),
    )
