"""Filings of aid on pages: the list, one filing, a new one, a body's year, coverage and overlaps."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.charity import services as charity
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.steps import take_step
from doudi.web.views.linkage import stepping
from doudi.web.views.linkage.forms import AidForm, GroundForm, MonthForm
from doudi.web.views.linkage.stepping import Step

PAGE = 25


def shown_filing(found: charity.AidFiling, by: User) -> dict[str, Any]:
    """A filing as an account may see it, by the field rules."""
    state = "counter" if found.reverses_id else "countered" if hasattr(found, "reversed_by") else "standing"
    return charity.allowed(
        {
            **{
                name: getattr(found, name)
                for name in charity.FILING_FIELDS
                if name not in ("organisation", "id_shown", "state")
            },
            "organisation": found.organisation.name,
            "id_shown": identity.mask_id(found.id_number) if found.id_number else "",
            "state": state,
        },
        charity.FILING_FIELDS,
        by,
    )


@require_safe
def filing_list(request: HttpRequest) -> HttpResponse:
    """Filings: a body its own, an office those of its area (备案)."""
    user = asker(request)
    late = request.GET.get("show") == "late"
    page = LongList(charity.filings(by=user, late=late), PAGE).get_page(request.GET.get("page"))
    shown = {"page": page, "rows": [shown_filing(row, user) for row in page], "late": late}
    return render(request, "linkage/filings.html", shown)


def new(request: HttpRequest) -> HttpResponse:
    """File one aid (登记一笔)."""
    form = AidForm(request.POST or None)

    def again(problem: DoudiError | None) -> HttpResponse:
        shown = {"form": form, "problem": problem, "title": _("登记一笔帮扶"), "button": _("备案")}
        return render(request, "linkage/form.html", shown, status=422 if form.is_bound else 200)

    if request.method != "POST":
        return again(None)
    return take_step(
        request,
        form,
        lambda typed, user: chain.file_aid(form.aid(), by=user),
        again=again,
        done=_("已备案。"),
        then=redirect("filings"),
    )


STEPS = {
    "reverse": Step(
        GroundForm, Act.FILE_AID, gettext_lazy("冲正"), gettext_lazy("冲正这一笔"),
        lambda key, typed, by: charity.reverse_filing(key, ground=typed["ground"], by=by),
        gettext_lazy("已冲正。如需更正，请重新备案正确的一笔。"), second=True,
    ),
}  # fmt: skip


@require_safe
def filing_page(request: HttpRequest, number: str) -> HttpResponse:
    """One filing; the look is in the audit log."""
    charity.look_at_filing(number, by=asker(request))
    return _page(request, number, {}, None)


def _page(
    request: HttpRequest, number: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    found = charity.filing(number, by=user)
    filing = shown_filing(found, user)
    names = ["reverse"] if filing["state"] == "standing" else []
    shown = {
        "filing": filing,
        "counter": found.reverses,
        "overlaps": [_overlap(row, user) for row in found.overlaps.all()],
        "problem": problem,
        "steps": stepping.offer(
            STEPS, names, user, url=lambda name: reverse("filing_step", args=[number, name]), sent=sent
        ),
    }
    return render(request, "linkage/filing.html", shown, status=422 if sent else 200)


def step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """A step of a filing."""
    charity.filing(number, by=asker(request))
    return stepping.do(
        request, number, step, STEPS, page=_page, there=stepping.back_to("filing", number=number)
    )


def _overlap(row: charity.FilingOverlap, by: User) -> dict[str, Any]:
    return charity.allowed(
        {
            "filing": row.filing.number,
            "source": row.get_source_display(),
            "giver": row.giver,
            "label": row.label,
            "given_on": row.given_on,
            "amount_fen": row.amount_fen,
            "household_no": row.filing.household_no,
        },
        charity.OVERLAP_FIELDS,
        by,
    )


@require_safe
def overlap_list(request: HttpRequest) -> HttpResponse:
    """Aid that met other aid of the same kind (重叠帮扶)."""
    user = asker(request)
    page = LongList(charity.overlaps(by=user), PAGE).get_page(request.GET.get("page"))
    shown = {"page": page, "rows": [_overlap(row, user) for row in page]}
    return render(request, "linkage/overlaps.html", shown)


@require_safe
def year(request: HttpRequest) -> HttpResponse:
    """What a body gets back: its year by month, and where it reached (年度台账与覆盖)."""
    user = asker(request)
    typed = request.GET.get("year", "")
    chosen = int(typed) if typed.isdecimal() and 1990 < int(typed) < 2100 else timezone.localdate().year
    bodies = [(body.code, body.name) for body in charity.organisations(by=user)]
    code = request.GET.get("organisation") or (user.organisation or (bodies[0][0] if bodies else ""))
    table = charity.year_table(chosen, organisation=code, by=user)
    reach = chain.coverage(chosen, organisation=code, by=user)
    shown = {
        "year": chosen,
        "bodies": bodies,
        "code": code,
        "months": table,
        "sum": {
            "filings": sum(row.filings for row in table),
            "amount_fen": sum(row.amount_fen for row in table),
            "late": sum(row.late for row in table),
        },
        "reach": [(row, _per_hundred(row.filings, row.in_need)) for row in reach],
        "pictures": {"map": _map_of(reach)},
    }
    return render(request, "linkage/year.html", shown)


def _per_hundred(filings: int, in_need: int | None) -> int | None:
    """Filings to a hundred households in need; None where those are too few to be told."""
    return round(100 * filings / in_need) if in_need else None


def _map_of(reach: list[charity.Covered]) -> dict[str, Any]:
    """What the map shades by county, and by township where the deployer's boundaries have them; the table says the same."""
    filings: Counter[str] = Counter()
    in_need: Counter[str] = Counter()
    for row in reach:
        for code in {row.area, row.area[:6]}:
            filings[code] += row.filings
            in_need[code] += row.in_need or 0
    return {
        "counts": {code: _per_hundred(filings[code], in_need[code]) or 0 for code in filings},
        "tips": {
            code: _("备案 %(filings)s 笔，在册困难家庭 %(homes)s 户")
            % {"filings": filings[code], "homes": in_need[code] or "—"}
            for code in filings
        },
        "colour": "#0f4c5c",
        "words": {
            "approval": _("审图号："),
            "no_approval": _("边界仅为示意，不作划界依据；审图号由部署单位随边界文件提供。"),
            "failed": _("边界文件读取失败，请看下表。"),
        },
    }


def close_month(request: HttpRequest) -> HttpResponse:
    """Close a month, or see who has not (月结)."""
    user = asker(request)
    form = MonthForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            chain.close_month(form.cleaned_data["month"], nothing=form.cleaned_data["nothing"], by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已月结。以后补报的会注明。"))
            return redirect("filing_months")
    return _months(request, form, problem)


def _months(request: HttpRequest, form: forms.Form, problem: DoudiError | None) -> HttpResponse:
    user = asker(request)
    asked = request.GET.get("month", "")
    today = timezone.localdate()
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    try:
        month = first if not asked else date.fromisoformat(f"{asked[:7]}-01")
    except ValueError:
        month = first
    shown = {
        "month": month,
        "rows": chain.filers(month, by=user),
        "form": form,
        "problem": problem,
    }
    return render(request, "linkage/months.html", shown, status=422 if form.is_bound else 200)


def receive(request: HttpRequest, pk: int) -> HttpResponse:
    """The county has a body's month (收讫)."""
    if request.method == "POST":
        receipt = charity.acknowledge_month(pk, by=asker(request))
        messages.success(request, _("已收讫。"))
        return redirect(f"{reverse('filing_months')}?month={receipt.closing.month:%Y-%m}")
    return redirect("filing_months")
