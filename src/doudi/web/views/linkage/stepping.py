"""Pages with steps beside them: which forms fit, which one was sent, and the page again where it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect

from doudi.contexts.accounts.services import Act, User, may
from doudi.engine.errors import DoudiError
from doudi.web.steps import take_step

Again = Callable[[HttpRequest, Any, dict[str, forms.Form], DoudiError | None], HttpResponse]


@dataclass(frozen=True)
class Step:
    """One step of a page: its form, whose act it is, what it does with what was typed, and what is said afterwards."""

    form: type[forms.Form]
    asks: Act
    title: Any
    button: Any
    act: Callable[[Any, dict[str, Any], User], Any]
    said: Any
    second: bool = False


@dataclass(frozen=True)
class Offered:
    """A step as the page offers it."""

    name: str
    url: str
    title: Any
    button: Any
    second: bool
    form: forms.Form


def offer(
    steps: dict[str, Step],
    names: Iterable[str],
    user: User,
    *,
    url: Callable[[str], str],
    sent: dict[str, forms.Form] | None = None,
    **arguments: Any,
) -> list[Offered]:
    """The steps of ``names`` that the account may take, with what was typed where it was just refused.

    ``arguments`` are given to the forms that ask for them by a class attribute ``wants``.
    """
    offered = []
    for name in names:
        step = steps[name]
        if not may(user, step.asks):
            continue
        form = (sent or {}).get(name) or step.form(
            prefix=name,
            **{key: arguments[key] for key in getattr(step.form, "wants", ()) if key in arguments},
        )
        offered.append(Offered(name, url(name), step.title, step.button, step.second, form))
    return offered


def do(
    request: HttpRequest,
    key: Any,
    name: str,
    steps: dict[str, Step],
    *,
    page: Again,
    there: HttpResponseRedirect | Callable[[], HttpResponse],
    **arguments: Any,
) -> HttpResponse:
    """Take the step that was sent; refused, the page comes again with what was typed and what stands against it."""
    step = steps.get(name)
    back = there() if callable(there) else there
    if request.method != "POST" or step is None:
        return back
    form = step.form(
        request.POST,
        request.FILES,
        prefix=name,
        **{key_: arguments[key_] for key_ in getattr(step.form, "wants", ()) if key_ in arguments},
    )
    return take_step(
        request,
        form,
        lambda typed, by: step.act(key, typed, by),
        again=lambda problem: page(request, key, {name: form}, problem),
        done=str(step.said),
        then=back,
    )


def back_to(name: str, **kwargs: Any) -> Callable[[], HttpResponse]:
    """A way back to a page."""
    return lambda: redirect(name, **kwargs)
