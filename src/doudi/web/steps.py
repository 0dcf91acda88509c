"""A step that a person takes with a form on a page: done, or shown again as it was typed with what stands against it."""

from __future__ import annotations

from collections.abc import Callable
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
