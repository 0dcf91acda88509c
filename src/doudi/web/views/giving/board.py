"""The steps that fit a thing and a role, each with its form, on the thing's own page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from doudi.contexts.accounts.services import Act, User, may
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.steps import take_step

T = TypeVar("T")
Show = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Step(Generic[T]):
    """One step: its words, its form, when it fits, what it does and what is said then."""

    title: Any
    form: Callable[..., forms.Form]
    fits: Callable[[T, User], bool]
    act: Callable[[T, dict[str, Any], User], Any]
    done: Any
    asks: Act
    first: bool = False
    """Whether its form is open when the page comes."""


def steps_for(
    steps: Mapping[str, Step[T]],
    thing: T,
    user: User,
    *,
    more: Mapping[str, dict[str, Any]] | None = None,
    failed: str = "",
    bound: forms.Form | None = None,
    ids: str = "",
) -> list[dict[str, Any]]:
    """The steps that fit now, as a page shows them."""
    return [
        {
            "name": name,
            "title": step.title,
            "form": bound if name == failed and bound is not None else made(steps, name, more, ids=ids),
            "failed": name == failed,
            "open": name == failed or step.first,
        }
        for name, step in steps.items()
        if may(user, step.asks) and step.fits(thing, user)
    ]


def made(
    steps: Mapping[str, Step[T]],
    name: str,
    more: Mapping[str, dict[str, Any]] | None,
    *args: Any,
    ids: str = "",
) -> forms.Form:
    """The form of a step with ids of its own, ``ids`` before them where a page shows several things."""
    return steps[name].form(*args, auto_id=f"{ids}{name}_%s", **(more or {}).get(name, {}))


def take(
    request: HttpRequest,
    steps: Mapping[str, Step[T]],
    name: str,
    thing: T,
    *,
    show: Show,
    then: tuple[Any, ...],
    more: Mapping[str, dict[str, Any]] | None = None,
    ids: str = "",
) -> HttpResponse:
    """Take one step with what was posted; the page again where something stands against it."""
    if name not in steps:
        raise Http404
    if request.method != "POST":
        return redirect(*then)
    form = made(steps, name, more, request.POST, request.FILES, ids=ids)

    def again(problem: DoudiError | None) -> HttpResponse:
        thing.refresh_from_db()  # type: ignore[attr-defined]
        return show(request, thing, step=name, bound=form, problem=problem)

    return take_step(
        request,
        form,
        lambda typed, user: steps[name].act(thing, typed, user),
        again=again,
        done=steps[name].done,
        then=redirect(*then),
    )


def shown_steps(
    steps: Mapping[str, Step[T]],
    request: HttpRequest,
    thing: T,
    *,
    step: str,
    bound: forms.Form | None,
    problem: DoudiError | None,
    more: Mapping[str, dict[str, Any]] | None = None,
    ids: str = "",
) -> dict[str, Any]:
    """What the template of a thing needs to show its steps, and under which status."""
    fitting = steps_for(steps, thing, asker(request), more=more, failed=step, bound=bound, ids=ids)
    return {
        "steps": fitting,
        "problem": problem,
        "orphan_problem": problem if step not in [found["name"] for found in fitting] else None,
    }
