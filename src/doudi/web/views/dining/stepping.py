"""Steps of one page: each a small form of its own; refused, the page comes again with what was typed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse

from doudi.contexts.accounts.services import User
from doudi.contexts.meals import services as meals
from doudi.engine import money, pictures
from doudi.engine.errors import DoudiError
from doudi.house.attachments import keep_attachment
from doudi.web.guard import asker

Step = Callable[[HttpRequest, User], str]


def run_step(
    request: HttpRequest,
    steps: Mapping[str, Step],
    step: str,
    *,
    again: Callable[[DoudiError], HttpResponse],
    then: HttpResponse,
) -> HttpResponse:
    """Do one named step of a page; a step that does not exist is no page, another method leads back."""
    if step not in steps:
        raise Http404
    if request.method != "POST":
        return then
    try:
        said = steps[step](request, asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return again(problem)
    messages.success(request, said)
    return then


def day_typed(text: str, *, empty: bool = False) -> date | None:
    """A day as a date field sends it; ``empty`` allows none."""
    if empty and not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise meals.StepRefused("请填写日期，例如 2026-11-15。", "Give a date such as 2026-11-15.") from None


def the_day(text: str) -> date:
    """A day that must be there."""
    found = day_typed(text)
    assert found is not None
    return found


def clock_typed(text: str) -> time:
    """A time of day as a time field sends it."""
    try:
        return time.fromisoformat(text.strip())
    except ValueError:
        raise meals.StepRefused("请填写时间，例如 11:30。", "Give a time such as 11:30.") from None


def whole_typed(text: str) -> int:
    """A whole number."""
    try:
        return int(text.strip())
    except ValueError:
        raise meals.StepRefused("请填写整数。", "Give a whole number.") from None


def fen_typed(text: str) -> int:
    """A sum in yuan, read exactly into fen."""
    fen, fault = money.parse_fen(text)
    if fen is None or fault is not None:
        raise meals.StepRefused(
            "请填写金额（元），最多两位小数，例如 12.50。", "Give a sum in yuan with at most two decimals."
        )
    return fen


def chosen_site(request: HttpRequest, user: User) -> tuple[list[Any], Any]:
    """The places of an account and the one a page is about: named in the address, else the first."""
    listed = list(meals.sites(by=user).select_related("supplied_by"))
    wanted = request.POST.get("site") or request.GET.get("site") or ""
    named = [place for place in listed if place.code == wanted]
    own = [place for place in listed if place.code == user.organisation]
    return listed, next(iter((*named, *own, *listed)), None)


def chosen_day(request: HttpRequest, default: date) -> date:
    """The day a list is about; what is no date is the default."""
    try:
        return date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return default


def chosen_meal(request: HttpRequest, default: str = "lunch") -> str:
    """The meal a list is about."""
    wanted = request.POST.get("meal") or request.GET.get("meal") or ""
    return wanted if wanted in meals.Meal.values else default


def signature_typed(text: str) -> str:
    """The digest of a signature as a form's pad sends it (PNG in Base64), kept sealed; empty where nobody signed."""
    if not text:
        return ""
    try:
        drawn = base64.b64decode(text, validate=True)
    except ValueError:
        drawn = b""
    if not drawn.startswith(_PNG) or len(drawn) > _MOST_DRAWN:
        raise meals.StepRefused("签字没有传好，请重写一次。", "The signature did not come whole; sign again.")
    return keep_attachment(pictures.strip(drawn)).digest


_PNG, _MOST_DRAWN = b"\x89PNG\r\n\x1a\n", 1 << 20


def words_typed(text: str) -> tuple[str, ...]:
    """Words separated by 、 , ， ; or blanks."""
    for sign in "，,；;、\n":
        text = text.replace(sign, " ")
    return tuple(text.split())
