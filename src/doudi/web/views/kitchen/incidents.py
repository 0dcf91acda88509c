"""Incidents, recalls, rectifications, samples and photos: one thing each, with the steps that fit it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import User
from doudi.contexts.meals import safety
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.web.guard import View, asker
from doudi.web.templatetags.doudi import said as _said


def _back(request: HttpRequest, act: Callable[[User], Any], said: str, to: str) -> HttpResponse:
    """Do a small step and go back to where it stood, with what was refused said there."""
    try:
        act(asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        messages.error(request, _said(problem))
    else:
        messages.success(request, said)
    return redirect(to)


def posted(view: View) -> View:
    """A step that is pressed; an address that somebody only opens leads home."""

    @wraps(view)
    def enter(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if request.method == "POST" else redirect("home")

    return enter


# ---- deliveries and whom they reached ----------------------------------------------------------------------------


@require_safe
def batch_page(request: HttpRequest, number: str) -> HttpResponse:
    """One delivery with its uses; whom it reached is asked for by a button, since that is a look at people."""
    user = asker(request)
    batch = safety.one(safety.FoodBatch, user, number=number)
    shown = {"batch": batch, "uses": batch.uses.select_related("dish")}
    return render(request, "kitchen/batch.html", shown)


@posted
def recall(request: HttpRequest, number: str) -> HttpResponse:
    """Everyone who ate of a delivery; the look is in the audit log."""
    found = safety.recall(number, by=asker(request))
    shown = {"batch": found.batch, "uses": found.uses, "recall": found}
    return render(request, "kitchen/batch.html", shown)


# ---- incidents ---------------------------------------------------------------------------------------------------


@require_safe
def incident_page(request: HttpRequest, number: str) -> HttpResponse:
    """One incident: its clock, its stops, its timeline, what comes next."""
    user = asker(request)
    found = safety.incident(number, by=user)
    shown = {
        "incident": found,
        "lines": found.lines.all(),
        "stops": found.stops.select_related("dish", "batch", "site"),
        "report_to": chain.food_safety().report_to,
        "late": found.reported_at is None and found.report_due_at < timezone.now(),
    }
    return render(request, "kitchen/incident.html", shown)


@posted
def report(request: HttpRequest, number: str) -> HttpResponse:
    """Say to whom it was reported."""
    to = request.POST.getlist("to")
    return _back(
        request,
        lambda user: safety.report_incident(number, to=to, by=user),
        _("已登记报告。"),
        f"/meals/safety/incidents/{number}/",
    )


@posted
def close(request: HttpRequest, number: str) -> HttpResponse:
    """Close it with its conclusion."""
    return _back(
        request,
        lambda user: safety.close_incident(number, conclusion=request.POST.get("conclusion", ""), by=user),
        _("已结案。"),
        f"/meals/safety/incidents/{number}/",
    )


@posted
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Free what was stopped."""
    stop = safety.one(safety.FoodStop, asker(request), pk=pk)
    return _back(
        request,
        lambda user: safety.lift_stop(pk, why=request.POST.get("why", ""), by=user),
        _("已恢复供应。"),
        f"/meals/safety/{stop.site.code}/?tab=trouble",
    )


# ---- rectifications, samples, photos, words ----------------------------------------------------------------------


@posted
def mend(request: HttpRequest, pk: int) -> HttpResponse:
    """A fault is put right."""
    place = safety.one(safety.Mending, asker(request), pk=pk).site
    photos = [file.read() for file in request.FILES.getlist("photos")]
    return _back(
        request,
        lambda user: safety.mend(pk, how=request.POST.get("how", ""), photos=photos, by=user),
        _("整改已登记，等待验收。"),
        f"/meals/safety/{place.code}/?tab=tours",
    )


@posted
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    """A rectification is accepted, or sent back."""
    place = safety.one(safety.Mending, asker(request), pk=pk).site
    granted = request.POST.get("accept") == "yes"
    return _back(
        request,
        lambda user: safety.accept_mending(pk, accept=granted, why=request.POST.get("why", ""), by=user),
        _("已验收。") if granted else _("已退回整改。"),
        f"/meals/safety/{place.code}/?tab=tours",
    )


@require_safe
def label(request: HttpRequest, number: str) -> HttpResponse:
    """The label of a sample, to print and stick on."""
    return render(
        request,
        "kitchen/label.html",
        {"sample": safety.one(safety.FoodSample, asker(request), number=number)},
    )


@posted
def end_sample(request: HttpRequest, number: str) -> HttpResponse:
    """A sample is thrown away."""
    sample = safety.one(safety.FoodSample, asker(request), number=number)
    return _back(
        request,
        lambda user: safety.end_sample(
            sample,
            ended_by=request.POST.get("ended_by", ""),
            why=request.POST.get("why", ""),
            rules=chain.food_safety(),
            by=user,
        ),
        _("已登记销毁。"),
        f"/meals/safety/{sample.site.code}/?tab=cook",
    )


@require_safe
def photo(request: HttpRequest, pk: int) -> HttpResponse:
    """A photo of an inspection; the browser is told not to run it."""
    content, media_type = safety.look_at_photo(pk, by=asker(request))
    return HttpResponse(
        content,
        content_type=media_type,
        headers={"Content-Disposition": "inline", "X-Content-Type-Options": "nosniff"},
    )


@posted
def answer(request: HttpRequest, number: str) -> HttpResponse:
    """Answer a complaint."""
    return _back(
        request,
        lambda user: safety.answer_word(number, answer=request.POST.get("answer", ""), by=user),
        _("已答复。"),
        "/meals/safety/",
    )


@posted
def codes(request: HttpRequest, code: str) -> HttpResponse:
    """Fresh codes for slips: shown once, to print."""
    user = asker(request)
    place = meals.site(code, by=user)
    try:
        made = safety.issue_rating_codes(place, count=int(request.POST.get("count", "0") or 0), by=user)
    except (DoudiError, ValueError) as problem:
        if isinstance(problem, DoudiError) and problem.code == "not_allowed":
            raise
        words = _said(problem) if isinstance(problem, DoudiError) else _("请填写个数。")
        messages.error(request, words)
        return redirect("kitchen_place", code=code)
    return render(
        request, "kitchen/codes.html", {"place": place, "codes": [f"{one[:5]}-{one[5:]}" for one in made]}
    )
