"""The till: a code or card, a meal, a receipt; and the queue of a till that was cut off."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.dining.stepping import chosen_meal, chosen_site, fen_typed

MOST_SENT = 200


def _now_meal(place: meals.Site | None) -> str:
    """The meal that the place hands out now, else the next one today, else its last."""
    hours = list(place.hours.order_by("serves_until")) if place is not None else []
    now = timezone.localtime().time()
    coming = [one for one in hours if one.serves_until >= now] or hours[-1:]
    return coming[0].meal if coming else "lunch"


def till(request: HttpRequest) -> HttpResponse:
    """Hand out a meal, or see what it would cost; the same form sent twice is one meal."""
    user = asker(request)
    listed, place = chosen_site(request, user)
    meal = chosen_meal(request, _now_meal(place))
    problem, given, quoted = None, None, None
    if request.method == "POST" and place is not None:
        try:
            price = request.POST.get("price", "").strip()
            list_fen = fen_typed(price) if price else None
            key = request.POST.get("key", "")
            if request.POST.get("do") == "quote":
                quoted = chain.quote_meal(
                    place.code, key=key, meal=meal, on=timezone.localdate(), list_fen=list_fen, by=user
                )
            else:
                tap = meals.Tap(
                    _token(request.POST.get("token", "")), key, meal, timezone.now(), list_fen=list_fen
                )
                given = chain.serve_meal(place.code, tap, by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
    today = timezone.localdate()
    shown = {
        "sites": listed,
        "site": place,
        "meal": meal,
        "meal_kinds": meals.Meal.choices,
        "problem": problem,
        "given": given,
        "quoted": quoted,
        "typed": request.POST if problem or quoted else {},
        # a refused or quoted form keeps its token, a served one gets another
        "token": request.POST.get("token")
        if (problem or quoted) and request.POST.get("token")
        else str(uuid4()),
        "plate": meals.menu_of(place, today, meal) if place is not None else None,
        "latest": meals.servings(by=user, day=today, place=place)[:12] if place is not None else [],
        "count": meals.servings(by=user, day=today, place=place).filter(meal=meal, state="valid").count()
        if place is not None
        else 0,
    }
    return render(request, "dining/till.html", shown, status=422 if problem else 200)


def _token(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise meals.StepRefused("页面已过期，请刷新后再登记。", "The page is stale; reload it.") from None


def send_queue(request: HttpRequest) -> HttpResponse:
    """Take a till's queue in: a JSON list of meals, each answered by itself, so that one refused holds up no other.

    ``{"site", "meals": [{"token", "key", "meal", "at", "price"}]}`` → ``{"results": [{"token", "state", "message"}]}``,
    state ``taken``, ``refused`` (for a person to look at) or ``later`` (try again).
    """
    user = asker(request)
    try:
        sent = json.loads(request.body)
        site, rows = str(sent["site"]), list(sent["meals"])[:MOST_SENT]
        if not all(isinstance(row, dict) for row in rows):
            raise TypeError
    except (ValueError, KeyError, TypeError):  # a GET has no body and lands here too
        return JsonResponse({"error": _("补传的内容读不出来。")}, status=400)
    return JsonResponse({"results": [_take(site, row, user) for row in rows]})


def _take(site: str, row: dict[str, Any], user: User) -> dict[str, str]:
    token = str(row.get("token", ""))[:40]
    try:
        at = datetime.fromisoformat(str(row.get("at", "")).replace("Z", "+00:00"))
        if at.tzinfo is None:
            at = timezone.make_aware(at)
        price = str(row.get("price") or "").strip()
        tap = meals.Tap(
            _token(token),
            str(row.get("key", "")),
            str(row.get("meal", "")),
            at,
            list_fen=fen_typed(price) if price else None,
            offline=timezone.now() - at > timedelta(minutes=1),
        )
        given = chain.serve_meal(site, tap, by=user)
    except ValueError:
        return {"token": token, "state": "refused", "message": _("就餐时间读不出来。")}
    except DoudiError as problem:
        return {"token": token, "state": "later" if problem.retry else "refused", "message": problem.zh}
    return {
        "token": token,
        "state": "taken",
        "message": _("%(name)s 自付 %(paid)s 元")
        % {"name": given.serving.diner.name, "paid": f"{given.serving.paid_fen / 100:.2f}"},
    }


@require_safe
def receipt(request: HttpRequest, number: str) -> HttpResponse:
    """A meal's receipt, each fen explained."""
    user = asker(request)
    found = meals.serving(number, by=user)
    return render(request, "dining/receipt.html", {"meal": found, "reverse": may(user, Act.SERVE_MEAL)})


@require_safe
def proof(request: HttpRequest, number: str) -> HttpResponse:
    """The photo or signature that a meal was handed over against; the look is in the log."""
    content, media_type = meals.look_at_proof(number, by=asker(request))
    answer = HttpResponse(content, content_type=media_type)
    answer["Content-Disposition"] = "inline"
    return answer


def reverse(request: HttpRequest, number: str) -> HttpResponse:
    """Take a meal back that was entered wrongly."""
    user = asker(request)
    if request.method == "POST":
        try:
            meals.reverse_serving(number, ground=request.POST.get("ground", ""), by=user)
            messages.success(request, _("已冲销。"))
        except meals.StepRefused as problem:
            found = meals.serving(number, by=user)
            shown = {"meal": found, "reverse": True, "problem": problem, "typed": request.POST}
            return render(request, "dining/receipt.html", shown, status=422)
    return redirect("meal_receipt", number=number)
