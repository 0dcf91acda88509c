"""The door of every page: who is asking, may the role do this at all, and how a refusal is said.

What a role may see of which area is settled further in, by the services in their queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, RawPostDataException
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django_htmx.http import HttpResponseClientRedirect

from doudi.contexts.accounts.services import Act, OwnFile, User, flag_own_file, require
from doudi.engine.errors import DoudiError
from doudi.web.attendance import attend

View = Callable[..., HttpResponseBase]


class Entry(Enum):
    """Doors that ask for no act of the policy table."""

    PUBLIC = "public"
    """Anybody."""
    SIGNED_IN = "signed_in"
    """Every account, whatever its role."""


@dataclass(frozen=True)
class Route:
    """One address of the workbench with the act it asks for; an address without one cannot be written down."""

    pattern: str
    view: View
    name: str
    policy: Act | Entry


def asker(request: HttpRequest) -> User:
    """The account behind a guarded page."""
    return cast(User, request.user)


def speak(request: HttpRequest) -> None:
    """Chinese first: English is chosen by the switch, never guessed from what the browser sends."""
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    language = chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    translation.activate(language)
    request.LANGUAGE_CODE = language


def guarded(view: View, policy: Act | Entry, page: str = "") -> View:
    """``view`` behind its policy; refusals become pages in plain words, and no page is kept by the browser.

    ``page`` is the name of the route: the few pages where a code or a password is set stay open to who must do so first.
    """

    @wraps(view)
    def enter(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        speak(request)
        if _holds_nul(request, kwargs):
            raise SuspiciousOperation("a NUL character")
        if policy is Entry.PUBLIC:
            return _shown(view, request, *args, **kwargs)
        if not request.user.is_authenticated:
            there = redirect_to_login(request.get_full_path())
            return HttpResponseClientRedirect(there["Location"]) if request.htmx else there  # type: ignore[attr-defined]
        asker(request).of_request = {}
        first = attend(request, asker(request), page)
        if first is not None:
            return first
        try:
            if isinstance(policy, Act):
                require(asker(request), policy)
            response = _shown(view, request, *args, **kwargs)
        except DoudiError as problem:
            if isinstance(problem, OwnFile):
                flag_own_file(problem, by=asker(request))
            response = refused(request, problem)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return enter


def _shown(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """What the view answers; a form sent to an address that takes a message (JSON) is a request that cannot be read."""
    try:
        return view(request, *args, **kwargs)
    except RawPostDataException:
        raise SuspiciousOperation("a form where a message was expected") from None


def _holds_nul(request: HttpRequest, arguments: dict[str, Any]) -> bool:
    """Whether what was sent holds a NUL: nobody types one, and PostgreSQL keeps no text with one in it."""
    sent = [*arguments.values()]
    for typed in (request.GET, request.POST):
        sent += [text for name, texts in typed.lists() for text in (name, *texts)]
    return any(isinstance(text, str) and "\x00" in text for text in sent)


def refused(request: HttpRequest, problem: DoudiError) -> HttpResponse:
    """The page that says why an act was refused: 403 not allowed, 404 not there for the asker, 400 anything else."""
    if problem.code in ("not_allowed", "own_file"):
        status = 403
    elif problem.code.endswith("_not_found"):
        status = 404
    else:
        status = 400
    return render(request, "errors/refused.html", {"problem": problem, "status": status}, status=status)
