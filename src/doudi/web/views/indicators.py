"""The indicators of the pack as they stand, and another value of a number for a future day, approved by a second person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.forms import DecisionForm, ThresholdForm
from doudi.web.guard import asker
from doudi.web.whatif import Number, numbers

_HISTORY = 50


@require_safe
def indicator_list(request: HttpRequest) -> HttpResponse:
    """Every indicator, upward and downward: its supplier, its numbers, what it found, and whether it can be judged."""
    user = asker(request)
    pack = chain.rules()[0]
    run = monitoring.latest_run()
    states = monitoring.indicator_states(
        pack, missing=run.missing if run else {}, counts=monitoring.indicator_counts(by=user), by=user
    )
    listed = list(numbers(pack, area=user.region_code, on=timezone.localdate()))
    rows = [
        (state, pack.indicators[state.code], [one for one in listed if one.parameter.name in state.numbers])
        for state in states
    ]
    shown = {
        "run": run,
        "up": [row for row in rows if row[0].up],
        "down": [row for row in rows if not row[0].up],
        "waiting": list(monitoring.threshold_changes(by=user).filter(status="submitted")),
    }
    return render(request, "monitoring/indicators.html", shown)


def indicator_page(request: HttpRequest, code: str) -> HttpResponse:
    """One indicator: its rule, its numbers, and the form that back-tests another value and submits it."""
    user = asker(request)
    pack = chain.rules()[0]
    if code not in pack.indicators:
        raise Http404
    state = next(
        one for one in monitoring.indicator_states(pack, missing={}, counts={}, by=user) if one.code == code
    )
    listed = [
        one
        for one in numbers(pack, area=user.region_code, on=timezone.localdate())
        if one.parameter.name in state.numbers
    ]
    latest = registry.latest_register_date()
    shown: dict[str, Any] = {
        "indicator": pack.indicators[code],
        "numbers": listed,
        "coming": [(one, _coming(one)) for one in listed],
        "changes": monitoring.threshold_changes(by=user, indicator=code)[:_HISTORY],
        "latest": latest,
    }
    if listed and may(user, Act.PROPOSE_THRESHOLD):
        shown["form"] = ThresholdForm(
            request.POST or None,
            numbers=[
                (one.name, _("%(name)s（现为 %(value)s）") % {"name": one.name, "value": one.text})
                for one in listed
            ],
        )
        if request.method == "POST":
            return _propose(request, code, shown)
    elif request.method == "POST":
        return redirect("indicator", code=code)
    return render(request, "monitoring/indicator.html", shown)


def _coming(number: Number) -> list[Any]:
    """Values of the area that begin on a later day."""
    today = timezone.localdate()
    side = number.name.removesuffix(number.parameter.name)
    return [
        row
        for row in number.parameter.values
        if row.valid_from is not None and row.valid_from > today and row.urban_rural == side
    ]


def _propose(request: HttpRequest, code: str, shown: dict[str, Any]) -> HttpResponse:
    user, form = asker(request), shown["form"]
    if not form.is_valid():
        return render(request, "monitoring/indicator.html", shown, status=422)
    typed = form.cleaned_data
    try:
        latest = registry.require_register_date()
        if "submit" not in request.POST:
            change = {(typed["parameter"], user.region_code): typed["value"]}
            shown["tested"] = chain.back_test(code, as_of=latest, alternatives=[change], by=user)
            return render(request, "monitoring/indicator.html", shown)
        made = chain.propose_threshold(indicator=code, as_of=latest, by=user, **typed)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return render(request, "monitoring/indicator.html", shown | {"problem": problem}, status=422)
    messages.success(request, _("%(number)s 已提交，等另一人审批。") % {"number": made.number})
    return redirect("threshold", number=made.number)


@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """All changes of the area, newest first."""
    return render(
        request,
        "monitoring/threshold_changes.html",
        {"changes": monitoring.threshold_changes(by=asker(request))[:500]},
    )


def change_page(request: HttpRequest, number: str) -> HttpResponse:
    """One change with the back-test it was submitted with, and the buttons that fit the role and the day."""
    return _change(request, number)


def _change(
    request: HttpRequest, number: str, *, problem: DoudiError | None = None, form: Any = None
) -> HttpResponse:
    user = asker(request)
    change = monitoring.threshold_change(number, by=user)
    tested = change.tested
    months = zip(
        tested.get("months", []), *(one["by_month"] for one in tested.get("trials", [])), strict=False
    )
    shown = {
        "change": change,
        "form": form or DecisionForm(),
        "problem": problem,
        "months": list(months),
        "may_decide": may(user, Act.APPROVE_THRESHOLD)
        and change.status == "submitted"
        and change.submitted_by != user.username,
        "may_withdraw": may(user, Act.PROPOSE_THRESHOLD)
        and (
            change.status == "submitted"
            or (change.status == "approved" and change.from_on > timezone.localdate())
        ),
    }
    return render(request, "monitoring/threshold_change.html", shown, status=422 if problem else 200)


def decide(request: HttpRequest, number: str) -> HttpResponse:
    """Approve or return."""
    if request.method != "POST":
        return redirect("threshold", number=number)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _change(request, number, form=form)
    approve = request.POST.get("answer") == "approve"
    try:
        chain.decide_threshold(
            number, approve=approve, decision=form.cleaned_data["decision"], by=asker(request)
        )
    except DoudiError as problem:
        if problem.code in ("not_allowed", "threshold_not_found"):
            raise
        return _change(request, number, problem=problem, form=form)
    messages.success(request, _("已批准。") if approve else _("已退回。"))
    return redirect("threshold", number=number)


def withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Take a change back before its day."""
    if request.method != "POST":
        return redirect("threshold", number=number)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _change(request, number, form=form)
    try:
        monitoring.withdraw_threshold(number, ground=form.cleaned_data["decision"], by=asker(request))
    except DoudiError as problem:
        if problem.code in ("not_allowed", "threshold_not_found"):
            raise
        return _change(request, number, problem=problem, form=form)
    messages.success(request, _("已撤回。"))
    return redirect("threshold", number=number)
