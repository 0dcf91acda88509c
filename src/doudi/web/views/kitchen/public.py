"""The public's side of the meal network: open scores, stars by the code on the slip, complaints."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.meals import safety
from doudi.engine.errors import DoudiError
from doudi.house.paths import home
from doudi.web.addresses import client_address
from doudi.web.views.kitchen import forms


@require_safe
def scores(request: HttpRequest) -> HttpResponse:
    """The food safety of every meal place, for anybody; no person is in it."""
    region = request.GET.get("region", "")
    region = region if region.isdigit() and len(region) <= 12 else ""
    rules = chain.food_safety()
    # anybody may ask as often as they like, so a board is reckoned at most once a minute
    key = f"open_scores:{home().root}:{region}"
    board = cache.get(key)
    if board is None:
        board = safety.open_scores(rules=rules, region_code=region)
        cache.set(key, board, settings.OPEN_SCORES_SECONDS)
    return render(request, "kitchen/open.html", {"scores": board, "rules": rules})


@never_cache
def rate(request: HttpRequest) -> HttpResponse:
    """Stars by the code on the slip."""
    form = forms.PublicRatingForm(request.POST if request.method == "POST" else None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            word = safety.rate_by_code(
                form.cleaned_data["code"],
                stars=int(form.cleaned_data["stars"]),
                text=form.cleaned_data["text"],
                rules=chain.food_safety(),
                scale=chain.volunteer_rules(),
                address=client_address(request),
            )
        except DoudiError as refused:
            problem = refused
        else:
            return render(request, "kitchen/thanks.html", {"place": word.site})
    return _answer(request, "kitchen/rate.html", {"form": form, "problem": problem}, problem)


@never_cache
def complain(request: HttpRequest, code: str) -> HttpResponse:
    """A complaint about one place."""
    try:
        place = safety.open_place(code)
    except safety.SafetyNotFound:
        raise Http404(code) from None
    form = forms.ComplaintForm(request.POST if request.method == "POST" else None)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        if typed["website"]:
            # a program is told nothing that would help it
            return render(request, "kitchen/thanks.html", {"place": place})
        try:
            safety.complain(
                place,
                token=typed["token"],
                text=typed["text"],
                contact=typed["contact"],
                rules=chain.food_safety(),
                address=client_address(request),
            )
        except DoudiError as refused:
            problem = refused
        else:
            return render(request, "kitchen/thanks.html", {"place": place, "complaint": True})
    shown = {"form": form, "place": place, "problem": problem}
    return _answer(request, "kitchen/complain.html", shown, problem)


def _answer(
    request: HttpRequest, template: str, shown: dict[str, object], problem: DoudiError | None
) -> HttpResponse:
    failed = problem is not None or (request.method == "POST")
    status = 429 if problem is not None and problem.code == "too_many" else 422 if failed else 200
    return render(request, template, shown, status=status)
