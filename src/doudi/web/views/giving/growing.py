"""Ideas that a hub body brings up, brands, support and honours (孵化与激励)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.charity import incubation
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from doudi.web import venture_forms as typed_forms
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.templatetags.doudi import english
from doudi.web.views.giving.board import Step, shown_steps, take
from doudi.web.views.giving.funds import terms

PAGE = 25


@require_safe
def idea_list(request: HttpRequest) -> HttpResponse:
    """Ideas, newest first."""
    page = LongList(incubation.ideas(by=asker(request)), PAGE).get_page(request.GET.get("page"))
    return render(request, "giving/ideas.html", {"page": page})


def edit_idea(request: HttpRequest, number: str = "") -> HttpResponse:
    """Bring up an idea, or one that came back (提出孵化项目)."""
    user = asker(request)
    first: dict[str, Any] = {}
    if number:
        found = incubation.idea_of(number, by=user)
        first = {
            name: getattr(found, name)
            for name in ("title", "problem", "approach", "kinds", "groups", "partner")
        }
        first["budget"] = f"{found.budget_fen / 100:.2f}"
    form = typed_forms.IdeaForm(request.POST or None, initial=first)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            made = incubation.bring_idea(
                number=number, budget_fen=typed.pop("budget"), rules=chain.giving_rules(), by=user, **typed
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已提交县级民政评审。"))
            return redirect("idea", number=made.number)
    shown = {"form": form, "problem": problem, "title": _("提出孵化项目"), "back": reverse("ideas")}
    return render(request, "giving/form.html", shown, status=422 if form.is_bound else 200)


IDEA_STEPS: dict[str, Step[incubation.Idea]] = {
    "review": Step(
        gettext_lazy("评审"), typed_forms.ReviewForm, lambda i, u: i.status == "idea",
        lambda i, typed, u: incubation.review_idea(i.number, by=u, **typed), gettext_lazy("评审已登记。"), Act.REVIEW_IDEA,
        first=True,
    ),
    "launch": Step(
        gettext_lazy("启动"), typed_forms.LaunchForm, lambda i, u: i.status == "ready",
        lambda i, typed, u: incubation.launch_idea(i.number, by=u, **typed), gettext_lazy("项目已启动。"), Act.INCUBATE, first=True,
    ),
    "brand": Step(
        gettext_lazy("列为品牌项目"), typed_forms.BrandForm, lambda i, u: i.status == "launched",
        lambda i, typed, u: incubation.make_brand(i.number, by=u, **typed), gettext_lazy("成果已公开。"), Act.REVIEW_IDEA,
    ),
}  # fmt: skip


@require_safe
def idea_page(request: HttpRequest, number: str) -> HttpResponse:
    """One idea on its way to a project and a brand."""
    return _idea(request, incubation.idea_of(number, by=asker(request)))


def _idea(
    request: HttpRequest,
    idea: incubation.Idea,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    shown = {
        "idea": idea,
        "events": idea.events.all(),
        "editable": idea.status == "returned" and may(asker(request), Act.INCUBATE),
        "base": reverse("idea", args=[idea.number]) + "do/",
        **terms(),
        **shown_steps(IDEA_STEPS, request, idea, step=step, bound=bound, problem=problem),
    }
    failed = problem is not None or bound is not None
    return render(request, "giving/idea.html", shown, status=422 if failed else 200)


def idea_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step on an idea."""
    idea = incubation.idea_of(number, by=asker(request))
    return take(request, IDEA_STEPS, step, idea, show=_idea, then=("idea", number))


# ---- support and honours ----------------------------------------------------------------------------------------

_FORMS = {"support": typed_forms.SupportForm, "honour": typed_forms.HonourForm}


def support(request: HttpRequest) -> HttpResponse:
    """Support and honours of the area's charities; the county proposes and enters, the director decides."""
    return _support(request)


def _support(
    request: HttpRequest, bound: forms.Form | None = None, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    keeps = may(user, Act.SUPPORT_CHARITY)
    bodies = _bodies(request) if keeps else []
    kinds = chain.giving_rules().support
    made = {
        name: bound if isinstance(bound, form) else form(bodies=bodies, auto_id=f"{name}_%s")
        for name, form in _FORMS.items()
    }
    shown = {
        "rows": [(row, _kind(kinds, row.kind)) for row in incubation.supports(by=user)[:200]],
        "honours": [
            one
            for one in incubation.honours()
            if one.organisation.region_code.startswith(user.region_code[:6])
        ],
        "forms": made if keeps else {},
        "decision": typed_forms.SupportDecisionForm if may(user, Act.DECIDE_VENTURE) else None,
        "problem": problem,
    }
    failed = problem is not None or bound is not None
    return render(request, "giving/support.html", shown, status=422 if failed else 200)


def _kind(kinds: Any, code: str) -> str:
    found = kinds.get(code)
    return code if found is None else found.label_en if english() else found.label


def _bodies(request: HttpRequest) -> list[tuple[str, str]]:
    found = charity.organisations(by=asker(request)).exclude(kind="member")
    return [(body.code, body.name) for body in found]


def support_enter(request: HttpRequest, step: str) -> HttpResponse:
    """Propose support, or enter an honour."""
    if step not in _FORMS:
        raise Http404
    if request.method != "POST":
        return redirect("support")
    form = _FORMS[step](request.POST, bodies=_bodies(request), auto_id=f"{step}_%s")
    if not form.is_valid():
        return _support(request, bound=form)
    typed = form.cleaned_data
    try:
        if step == "support":
            incubation.propose_support(
                amount_fen=typed.pop("amount"), rules=chain.giving_rules(), by=asker(request), **typed
            )
        else:
            incubation.record_honour(by=asker(request), **typed)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _support(request, bound=form, problem=problem)
    messages.success(request, _("已登记。"))
    return redirect("support")


def support_decide(request: HttpRequest, number: str) -> HttpResponse:
    """The director decides on support."""
    if request.method != "POST":
        return redirect("support")
    form = typed_forms.SupportDecisionForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("请选择决定并填写文号或理由。"))
        return redirect("support")
    incubation.decide_support(
        number,
        approve=form.cleaned_data["approve"] == "yes",
        document=form.cleaned_data["document"],
        by=asker(request),
    )
    messages.success(request, _("已决定。"))
    return redirect("support")
