"""The county's hold on the window: kin of staff, samples of delegated decisions, late transfers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from doudi import chain
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import services as assistance
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.steps import take_step
from doudi.web.views.window.forms import KinForm, SampleForm, SampleGiveForm, SampleResultForm, TransferForm


def kin(request: HttpRequest) -> HttpResponse:
    """The register of near relatives of staff."""
    user = asker(request)
    form = KinForm(request.POST or None, label_suffix="")
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            assistance.register_kin(**form.cleaned_data, by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已备案。"))
            return redirect("kin")
    rows = [(row, identity.mask_id(row.id_number)) for row in assistance.kin_records(by=user)[:200]]
    shown = {"form": form, "problem": problem, "rows": rows}
    return render(request, "window/kin.html", shown, status=422 if form.is_bound else 200)


def samples(request: HttpRequest) -> HttpResponse:
    """Samples drawn, and a new one."""
    user = asker(request)
    form = SampleForm(request.POST or None, label_suffix="")
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            drawn = chain.draw_sample(**form.cleaned_data, by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已抽取，种子和名单已存档。"))
            return redirect("sample", number=drawn.number)
    shown = {"form": form, "problem": problem, "draws": assistance.samples(by=user)[:50]}
    return render(request, "window/samples.html", shown, status=422 if form.is_bound else 200)


def sample(request: HttpRequest, number: str) -> HttpResponse:
    """One sample: seed, population, whom it hit, and the results."""
    user = asker(request)
    found = assistance.samples(by=user).filter(number=number).first()
    if found is None:
        raise assistance.DecisionNotFound(f"没有抽查 {number}。", f"No sample {number}.")
    done = {row.decision_number: row for row in found.results.all()}
    visits = {row.decision_number: row for row in found.visits.all()}
    open_ones = [one for one in found.chosen if one not in done]
    giving = request.POST.get("step") == "give"
    officers = assistance.sample_officers(found, by=user)
    give = SampleGiveForm(
        request.POST if giving else None, open_ones=open_ones, officers=officers, auto_id="give_%s"
    )
    form = SampleResultForm(
        request.POST if request.method == "POST" and not giving else None, open_ones=open_ones
    )
    bound: SampleGiveForm | SampleResultForm = give if giving else form

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        shown = {
            "draw": found,
            "form": form,
            "give": give,
            "giving": giving,
            "problem": problem,
            "open": bool(open_ones),
            "chosen": [(one, done.get(one), visits.get(one)) for one in found.chosen],
        }
        return render(request, "window/sample.html", shown, status=status)

    def act(typed: dict[str, Any], by: User) -> None:
        if giving:
            assistance.assign_sample(number, typed["decision"], to=typed["to"], by=by)
            return
        assistance.record_sample_result(
            number,
            typed["decision"],
            correct=typed["correct"] == "yes",
            findings=typed["findings"],
            checked_on=typed["checked_on"],
            by=by,
        )

    if request.method != "POST":
        return again(None, 200)
    return take_step(
        request,
        bound,
        act,
        again=again,
        done=_("已改派。") if giving else _("抽查结果已登记。"),
        then=redirect("sample", number=number),
    )


def transfers(request: HttpRequest) -> HttpResponse:
    """Transfers that are late or came back, to be driven on."""
    user = asker(request)
    problem = None
    form = TransferForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            sent = chain.reroute_transfer(request.POST.get("number", ""), **form.cleaned_data, by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已改派 %s。") % sent.number)
            return redirect("transfers")
    rows = list(assistance.late_transfers(by=user))
    shown = {
        "rows": rows,
        "returned": [row for row in rows if row.status == assistance.Referral.Status.RETURNED],
        "form": form,
        "problem": problem,
    }
    return render(request, "window/transfers.html", shown, status=422 if form.is_bound else 200)
