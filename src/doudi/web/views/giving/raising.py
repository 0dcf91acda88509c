"""Fundraising plans and what is disclosed: writing and filing a plan, the county's record, duties, tables, the year."""

from __future__ import annotations

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
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from doudi.web import giving_forms as typed_forms
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.templatetags.doudi import english
from doudi.web.views.giving.board import Step, shown_steps, take

PAGE = 25
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def campaign_list(request: HttpRequest) -> HttpResponse:
    """Plans by state."""
    user = asker(request)
    status = request.GET.get("status", "")
    found = giving.campaigns(by=user, status=status if status in giving.Campaign.Status.values else "")
    shown = {
        "page": LongList(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": [("", gettext_lazy("全部")), *giving.Campaign.Status.choices],
    }
    return render(request, "giving/campaigns.html", shown)


def campaign_edit(request: HttpRequest, number: str = "") -> HttpResponse:
    """Write a plan, or write on at one (填写募捐方案)."""
    user = asker(request)
    body = charity.own_organisation(user)
    plan = giving.campaign_of(number, by=user) if number else None
    first: dict[str, Any] = {
        "account_name": body.name,
        "regions": body.region_code,
        "cost_fen": "0",
    }
    if plan is not None:
        first = {name: getattr(plan, name) for name in giving.FIELDS}
        first |= {
            "fund_number": plan.fund.number,
            "regions": " ".join(plan.regions),
            "cost_fen": f"{plan.cost_fen / 100:.2f}",
            "goal_fen": "" if plan.goal_fen is None else f"{plan.goal_fen / 100:.2f}",
        }
    own = [fund for fund in giving.funds(by=user, open_only=True) if fund.organisation_id == body.pk]
    form = typed_forms.CampaignForm(request.POST or None, initial=first, funds=own)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            made = giving.draft_campaign(number=number, by=user, **form.cleaned_data)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("方案已保存，还没有报送。"))
            return redirect("campaign", number=made.number)
    shown = {"form": form, "problem": problem, "plan": plan, "funds": own}
    return render(request, "giving/campaign_edit.html", shown, status=422 if form.is_bound else 200)


def _record(plan: giving.Campaign, typed: dict[str, Any], user: User) -> Any:
    return giving.decide_campaign(
        plan.number,
        accept=typed["accept"] == "yes",
        record_no=typed["record_no"],
        note=typed["note"],
        rules=chain.giving_rules(),
        by=user,
    )


CAMPAIGN_STEPS: dict[str, Step[giving.Campaign]] = {
    "file": Step(
        gettext_lazy("报送备案"), typed_forms.NothingForm, lambda c, u: c.status in ("draft", "returned"),
        lambda c, typed, u: giving.file_campaign(c.number, rules=chain.giving_rules(), by=u),
        gettext_lazy("方案已报送县级民政备案。"), Act.FILE_FUNDRAISING, first=True,
    ),
    "record": Step(
        gettext_lazy("备案"), typed_forms.RecordForm, lambda c, u: c.status == "filed", _record,
        gettext_lazy("已办理。"), Act.RECORD_FUNDRAISING, first=True,
    ),
    "stop": Step(
        gettext_lazy("停止募捐"), typed_forms.ReasonForm,
        lambda c, u: c.status in ("filed", "recorded") and c.ends_on >= timezone.localdate(),
        lambda c, typed, u: giving.stop_campaign(c.number, reason=typed["reason"], rules=chain.giving_rules(), by=u),
        gettext_lazy("募捐已停止，公开期限从今天起算。"), Act.FILE_FUNDRAISING,
    ),
}  # fmt: skip


@require_safe
def campaign_page(request: HttpRequest, number: str) -> HttpResponse:
    """One plan with its clocks, what it raised, and what stands against filing it."""
    return _campaign(request, giving.campaign_of(number, by=asker(request)))


def _campaign(
    request: HttpRequest,
    plan: giving.Campaign,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    editable = plan.status in ("draft", "returned") and may(user, Act.FILE_FUNDRAISING)
    shown = {
        "plan": plan,
        "raised": giving.raised(plan),
        "ways": [dict(giving.Campaign.Way.choices).get(way, way) for way in plan.ways],
        "platform": platform_name(plan),
        "editable": editable,
        "missing": giving.what_is_missing(plan, chain.giving_rules(), timezone.localdate())
        if editable
        else [],
        "duties": plan.duties.filter(dropped=False),
        "events": plan.events.all(),
        "base": reverse("campaign", args=[plan.number]) + "do/",
        **shown_steps(CAMPAIGN_STEPS, request, plan, step=step, bound=bound, problem=problem),
    }
    failed = problem is not None or bound is not None
    return render(request, "giving/campaign.html", shown, status=422 if failed else 200)


def platform_name(plan: giving.Campaign) -> str:
    """The platform of a plan in words."""
    found = chain.giving_rules().platforms.get(plan.platform)
    return "" if found is None else found.label_en if english() else found.label


def campaign_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step on a plan."""
    plan = giving.campaign_of(number, by=asker(request))
    return take(request, CAMPAIGN_STEPS, step, plan, show=_campaign, then=("campaign", plan.number))


# ---- disclosure -------------------------------------------------------------------------------------------------


@require_safe
def disclosure_list(request: HttpRequest) -> HttpResponse:
    """What is owed, what is late, what was published."""
    state = request.GET.get("state", "open")
    state = state if state in ("open", "late", "done") else "open"
    shown = {
        "page": LongList(giving.duties(by=asker(request), state=state), PAGE).get_page(request.GET.get("page")),
        "state": state,
        "states": [("open", gettext_lazy("待公开")), ("late", gettext_lazy("已逾期")), ("done", gettext_lazy("已公开"))],
        "year": timezone.localdate().year - 1,
    }  # fmt: skip
    return render(request, "giving/disclosures.html", shown)


@require_safe
def disclosure_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One duty: its tables as the ledger has them now, and what was published."""
    return _disclosure(request, giving.duty_of(pk, by=asker(request)))


def _disclosure(
    request: HttpRequest, duty: giving.DisclosureDuty, problem: DoudiError | None = None
) -> HttpResponse:
    shown = {
        "duty": duty,
        "content": giving.content_of(duty, chain.giving_rules()),
        "published": duty.published.all(),
        "ready": duty.until_on < timezone.localdate(),
        "own": asker(request).organisation == duty.organisation.code,
        "problem": problem,
        "form": typed_forms.NoteForm(request.POST if problem else None),
    }
    return render(request, "giving/disclosure.html", shown, status=422 if problem else 200)


def disclosure_publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Publish what is owed (公开)."""
    duty = giving.duty_of(pk, by=asker(request))
    if request.method != "POST":
        return redirect("disclosure", pk=pk)
    try:
        giving.publish(
            pk, rules=chain.giving_rules(), note=request.POST.get("note", "")[:2000], by=asker(request)
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _disclosure(request, duty, problem)
    messages.success(request, _("已公开，任何人都能在慈善公开网页看到。"))
    return redirect("disclosure", pk=pk)


@require_safe
def disclosure_book(request: HttpRequest, pk: int) -> HttpResponse:
    """The tables as they stand now as a workbook."""
    duty = giving.duty_of(pk, by=asker(request))
    return workbook(
        giving.to_workbook(giving.content_of(duty, chain.giving_rules())), f"disclosure-{pk}.xlsx"
    )


def workbook(content: bytes, name: str) -> HttpResponse:
    """A workbook to take along."""
    response = HttpResponse(content, content_type=XLSX)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def year(request: HttpRequest, year: int) -> HttpResponse:
    """A charity's year against the limits on spending and administration (年度支出和管理费用)."""
    user = asker(request)
    code = user.organisation or request.GET.get("organisation", "")
    bodies = list(charity.organisations(by=user).exclude(kind="member")) if not user.organisation else []
    if not code and bodies:
        code = bodies[0].code
    if not code:
        return render(request, "giving/year.html", {"year": year, "bodies": bodies})
    rules = chain.giving_rules()
    figures, sums, verdict = giving.year_verdict(code, year, rules=rules, by=user)
    told = {
        "class_code": figures.class_code,
        **{
            name: "" if fen is None else f"{fen / 100:.2f}"
            for name, fen in (
                ("last_income", figures.last_income_fen), ("mean_income", figures.mean_income_fen),
                ("net", figures.net_fen), ("other_spent", figures.other_spent_fen),
                ("other_admin", figures.other_admin_fen),
            )
        },
        "explanation": figures.explanation,
    }  # fmt: skip
    may_tell = may(user, Act.FILE_FUNDRAISING)
    form = typed_forms.YearForm(request.POST or None, initial=told) if may_tell else None
    problem = None
    if request.method == "POST" and form is not None and form.is_valid():
        typed = form.cleaned_data
        try:
            giving.tell_year(
                year=year,
                class_code=typed["class_code"],
                last_income_fen=typed["last_income"],
                mean_income_fen=typed["mean_income"],
                net_fen=typed["net"],
                other_spent_fen=typed["other_spent"],
                other_admin_fen=typed["other_admin"],
                explanation=typed["explanation"],
                rules=rules,
                by=user,
            )
        except DoudiError as refused:
            problem = refused
        else:
            messages.success(request, _("年度数据已填报。"))
            return redirect("charity_year", year=year)
    shown = {
        "year": year,
        "bodies": bodies,
        "code": code,
        "sums": sums,
        "verdict": verdict,
        "rule": rules.classes.get(figures.class_code),
        "figures": figures,
        "form": form,
        "problem": problem,
    }
    wrong = form is not None and form.is_bound
    return render(request, "giving/year.html", shown, status=422 if wrong else 200)
