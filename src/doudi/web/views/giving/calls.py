"""Venture calls: the list, one call for each part played in it, one application with its milestones."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import milestones, venture_reversals, ventures
from doudi.engine.errors import DoudiError
from doudi.web import giving_forms
from doudi.web import venture_forms as typed_forms
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.views.giving.board import Step, shown_steps, take

PAGE = 25


@require_safe
def call_list(request: HttpRequest) -> HttpResponse:
    """Calls, the latest first."""
    page = LongList(ventures.calls(by=asker(request)), PAGE).get_page(request.GET.get("page"))
    return render(request, "giving/calls.html", {"page": page})


def new_call(request: HttpRequest) -> HttpResponse:
    """Write a call (发起公益创投)."""
    form = typed_forms.CallForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            made = ventures.draft_call(
                budget_fen=typed.pop("budget"), most_fen=typed.pop("most"), rules=chain.giving_rules(),
                by=asker(request), **typed,
            )  # fmt: skip
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("公益创投已保存，还没有发布。"))
            return redirect("venture", number=made.number)
    shown = {"form": form, "problem": problem, "title": _("发起公益创投"), "back": reverse("ventures")}
    return render(request, "giving/form.html", shown, status=422 if form.is_bound else 200)


# ---- one call ---------------------------------------------------------------------------------------------------


def _standing(call: ventures.Call) -> list[ventures.Application]:
    return list(call.applications.exclude(status="withdrawn"))


def _proposed(call: ventures.Call) -> bool:
    found = _standing(call)
    return bool(found) and all(one.proposed_fen is not None for one in found)


def _undeclared(call: ventures.Call, user: User) -> bool:
    seat = ventures.seat_of(call, user)
    return call.status == "scoring" and seat is not None and seat.declared_at is None


CALL_STEPS: dict[str, Step[ventures.Call]] = {
    "publish": Step(
        gettext_lazy("发布"), giving_forms.NothingForm, lambda c, u: c.status == "draft",
        lambda c, typed, u: ventures.publish_call(c.number, by=u), gettext_lazy("已发布，慈善组织可以申报。"), Act.RUN_VENTURE,
        first=True,
    ),
    "apply": Step(
        gettext_lazy("申报"), typed_forms.ApplyForm,
        lambda c, u: c.status == "published" and c.opens_on <= timezone.localdate() <= c.closes_on,
        lambda c, typed, u: ventures.apply(c.number, by=u, **typed), gettext_lazy("申报已收到。"), Act.APPLY_VENTURE, first=True,
    ),
    "juror": Step(
        gettext_lazy("聘请评委"), typed_forms.JurorForm, lambda c, u: c.status in ("draft", "published"),
        lambda c, typed, u: ventures.appoint_juror(c.number, username=typed["username"], by=u),
        gettext_lazy("评委已聘请。"), Act.RUN_VENTURE,
    ),
    "begin": Step(
        gettext_lazy("开始评审"), giving_forms.NothingForm,
        lambda c, u: c.status == "published" and c.closes_on < timezone.localdate(),
        lambda c, typed, u: ventures.begin_scoring(c.number, by=u), gettext_lazy("评审已开始。"), Act.RUN_VENTURE, first=True,
    ),
    "declare": Step(
        gettext_lazy("利益冲突声明"), typed_forms.DeclareForm, _undeclared,
        lambda c, typed, u: ventures.declare(c.number, by=u, **typed), gettext_lazy("声明已登记，可以评分。"), Act.SCORE_VENTURE,
        first=True,
    ),
    "propose": Step(
        gettext_lazy("拟定资助"), typed_forms.AwardForm, lambda c, u: c.status == "scoring" and not _proposed(c),
        lambda c, typed, u: ventures.propose_awards(
            c.number, awards={number: fen for number, fen in typed.items() if fen}, by=u
        ),
        gettext_lazy("资助名单已提交分管领导。"), Act.RUN_VENTURE,
    ),
    "decide": Step(
        gettext_lazy("决定资助"), typed_forms.AwardDecisionForm, lambda c, u: c.status == "scoring" and _proposed(c),
        lambda c, typed, u: ventures.decide_awards(
            c.number, approve=typed["approve"] == "yes", document=typed["document"], note=typed["note"], by=u
        ),
        gettext_lazy("已决定。"), Act.DECIDE_VENTURE, first=True,
    ),
}  # fmt: skip


def _more(call: ventures.Call, user: User) -> dict[str, dict[str, Any]]:
    return {
        "declare": {"bodies": ventures.applicants(call, by=user)},
        "propose": {"places": ventures.ranking(call, by=user)},
    }


@require_safe
def call_page(request: HttpRequest, number: str) -> HttpResponse:
    """One call as the account's part in it has it."""
    return _call(request, ventures.call_of(number, by=asker(request)))


def _call(
    request: HttpRequest,
    call: ventures.Call,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
    scored: str = "",
) -> HttpResponse:
    user = asker(request)
    seat = ventures.seat_of(call, user)
    shown = {
        "call": call,
        "seat": seat,
        "ballots": [
            (
                ballot,
                bound
                if ballot.blind == scored
                else typed_forms.ScoreForm(call=call, auto_id=f"{ballot.blind}_%s"),
                problem if ballot.blind == scored else None,
            )
            for ballot in (ventures.ballots(call, by=user) if seat else [])
        ],
        "applications": ventures.applications(call, by=user),
        "places": {place.application.pk: place for place in ventures.ranking(call, by=user)},
        "jurors": call.jurors.all() if may(user, Act.RUN_VENTURE) or may(user, Act.DECIDE_VENTURE) else [],
        "awards": ventures.public_awards(call) if call.status in ("decided", "finished") else [],
        "events": call.events.all() if may(user, Act.RUN_VENTURE) else [],
        "base": reverse("venture", args=[call.number]) + "do/",
        **shown_steps(
            CALL_STEPS,
            request,
            call,
            step=step,
            bound=bound,
            problem=None if scored else problem,
            more=_more(call, user),
        ),
    }
    failed = problem is not None or bound is not None
    return render(request, "giving/call.html", shown, status=422 if failed else 200)


def call_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step on a call."""
    user = asker(request)
    call = ventures.call_of(number, by=user)
    return take(request, CALL_STEPS, step, call, show=_call, then=("venture", number), more=_more(call, user))


def score(request: HttpRequest, number: str, blind: str) -> HttpResponse:
    """A juror's points for one application."""
    user = asker(request)
    call = ventures.call_of(number, by=user)
    if request.method != "POST":
        return redirect("venture", number=number)
    form = typed_forms.ScoreForm(request.POST, call=call, auto_id=f"{blind}_%s")
    if not form.is_valid():
        return _call(request, call, bound=form, scored=blind)
    try:
        ventures.score(number, blind, points=form.points(), comment=form.cleaned_data["comment"], by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _call(request, call, bound=form, problem=problem, scored=blind)
    messages.success(request, _("评分已登记。"))
    return redirect("venture", number=number)


# ---- one application --------------------------------------------------------------------------------------------


APPLICATION_STEPS: dict[str, Step[ventures.Application]] = {
    "withdraw": Step(
        gettext_lazy("撤回申报"), giving_forms.NothingForm,
        lambda a, u: a.status == "submitted" and a.call.status == "published",
        lambda a, typed, u: ventures.withdraw_application(a.number, by=u), gettext_lazy("申报已撤回。"), Act.APPLY_VENTURE,
    ),
    "plan": Step(
        gettext_lazy("约定里程碑"), typed_forms.PlanForm, lambda a, u: a.status == "awarded" and not a.milestones.exists(),
        lambda a, typed, u: milestones.plan_milestones(a.number, rules=chain.giving_rules(), by=u, **typed),
        gettext_lazy("里程碑已约定。"), Act.RUN_VENTURE, first=True,
    ),
    "evaluate": Step(
        gettext_lazy("绩效评价"), typed_forms.EvaluateForm,
        lambda a, u: a.milestones.exists() and not a.milestones.exclude(status="paid").exists() and not hasattr(a, "evaluation"),
        lambda a, typed, u: milestones.evaluate(a.number, by=u, **typed), gettext_lazy("评价已登记并公开。"), Act.RUN_VENTURE,
        first=True,
    ),
}  # fmt: skip

MILESTONE_STEPS: dict[str, Step[ventures.Milestone]] = {
    "report": Step(
        gettext_lazy("报告完成"), typed_forms.ReportForm, lambda m, u: m.status in ("planned", "returned"),
        lambda m, typed, u: milestones.report_milestone(m.pk, by=u, **typed), gettext_lazy("已报告，等待验收。"), Act.APPLY_VENTURE,
    ),
    "accept": Step(
        gettext_lazy("验收"), typed_forms.AcceptForm, lambda m, u: m.status == "reported",
        lambda m, typed, u: milestones.accept_milestone(
            m.pk, accept=typed["accept"] == "yes", note=typed["note"], by=u
        ),
        gettext_lazy("验收已登记。"), Act.RUN_VENTURE,
    ),
    "pay": Step(
        gettext_lazy("拨付"), typed_forms.PayForm, lambda m, u: m.status == "accepted",
        lambda m, typed, u: milestones.pay_milestone(m.pk, by=u, **typed), gettext_lazy("拨付已登记。"), Act.PAY_VENTURE,
    ),
    "reverse": Step(
        gettext_lazy("提出冲正"), typed_forms.ReverseForm,
        lambda m, u: m.status == "paid" and venture_reversals.waiting_reversal(m) is None,
        lambda m, typed, u: venture_reversals.ask_reversal(m.pk, by=u, **typed),
        gettext_lazy("已提出冲正，等待另一人确认。"), Act.PAY_VENTURE,
    ),
    "reversal": Step(
        gettext_lazy("确认冲正"), typed_forms.ReversalDecisionForm,
        lambda m, u: (asked := venture_reversals.waiting_reversal(m)) is not None and asked.asked_by != u.username,
        lambda m, typed, u: venture_reversals.decide_reversal(
            m.pk, confirm=typed["confirm"] == "yes", note=typed["note"], by=u
        ),
        gettext_lazy("冲正的决定已登记。"), Act.PAY_VENTURE, first=True,
    ),
}  # fmt: skip


@require_safe
def application_page(request: HttpRequest, number: str) -> HttpResponse:
    """One application with its milestones, payments and evaluation."""
    return _application(request, ventures.application_of(number, by=asker(request)))


def _application(
    request: HttpRequest,
    one: ventures.Application,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
    milestone: int = 0,
) -> HttpResponse:
    found = []
    for row in one.milestones.all():
        here = row.pk == milestone
        fitting = shown_steps(
            MILESTONE_STEPS, request, row, step=step if here else "", bound=bound if here else None,
            problem=problem if here else None, ids=f"m{row.pk}_",
        )  # fmt: skip
        found.append((row, fitting, reverse("milestone_step", args=[row.pk, "x"])[:-2]))
    shown = {
        "one": one,
        "call": one.call,
        "milestones": found,
        "paid": milestones.paid_of(one),
        "base": reverse("venture_application", args=[one.number]) + "do/",
        **shown_steps(
            APPLICATION_STEPS, request, one, step="" if milestone else step, bound=None if milestone else bound,
            problem=None if milestone else problem,
        ),
    }  # fmt: skip
    failed = problem is not None or bound is not None
    return render(request, "giving/application.html", shown, status=422 if failed else 200)


def application_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step on an application."""
    one = ventures.application_of(number, by=asker(request))
    return take(
        request, APPLICATION_STEPS, step, one, show=_application, then=("venture_application", one.number)
    )


def milestone_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """One step on a milestone."""
    if step not in MILESTONE_STEPS:
        raise Http404
    row = milestones.milestone_of(pk, by=asker(request))
    one = row.application

    def show(request: HttpRequest, thing: ventures.Milestone, **how: Any) -> HttpResponse:
        return _application(request, one, milestone=thing.pk, **how)

    return take(
        request,
        MILESTONE_STEPS,
        step,
        row,
        show=show,
        then=("venture_application", one.number),
        ids=f"m{pk}_",
    )


@require_safe
def milestone_evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """The scan or picture behind a milestone, for who may see the application."""
    content, media = milestones.milestone_evidence(pk, by=asker(request))
    response = HttpResponse(content, content_type=media)
    response["Content-Disposition"] = "inline"
    return response
