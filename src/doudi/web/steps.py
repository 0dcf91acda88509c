"""A step that a person takes with a form on a page: done, or shown again as it was typed with what stands against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from doudi.contexts.accounts.services import User
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker


def take_step(
    request: HttpRequest,
    form: forms.Form,
    act: Callable[[dict[str, Any], User], Any],
    *,
    again: Callable[[DoudiError | None], HttpResponse],
    done: str,
    then: HttpResponse,
) -> HttpResponse:
    """Read ``form`` and act on what was typed; ``again`` shows it once more with the problem, None where a field is wrong.

    Who may not take the step at all gets the page that says so, not the form.
    """
    if not form.is_valid():
        return again(None)
    try:
        act(form.cleaned_data, asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return again(problem)
    messages.success(request, done)
    return then


class StepForms:
    """The forms of a page on which one of several steps may be sent, each with ids of its own.

    ``sent`` is the step's name, "" where none was; ``bound`` its form as it was typed. A step that is not among those
    offered is :attr:`strange`.
    """

    def __init__(self, request: HttpRequest, offered: Mapping[str, Callable[..., forms.Form]]) -> None:
        self._offered = offered
        posted = request.method == "POST"
        self.sent = request.POST.get("step", "")
        self.strange = posted and self.sent not in offered
        self.bound: forms.Form | None = None
        if posted and not self.strange:
            self.bound = offered[self.sent](request.POST, request.FILES, auto_id=f"{self.sent}_%s")

    def form(self, name: str) -> forms.Form:
        """The form of a step: as it was sent, or empty."""
        if self.bound is not None and name == self.sent:
            return self.bound
        return self._offered[name](auto_id=f"{name}_%s")
