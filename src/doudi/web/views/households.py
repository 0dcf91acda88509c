"""A household: everything that is known of one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.screening import Explained, Explanation
from doudi.web.guard import asker
from doudi.web.views.statistics import day_of


@require_safe
def household_page(request: HttpRequest, household_no: str) -> HttpResponse:
    """One household on a date: people, departments' facts, explanation, warnings, and who looked."""
    user = asker(request)
    found = registry.look_at_household(household_no, by=user)
    dates = sorted({run.as_of for run in monitoring.runs(by=user)}, reverse=True)
    on = _asked_date(request) or (dates[0] if dates else found.register_date)
    valid_on, known_on = day_of(request.GET.get("valid_on", "")), day_of(request.GET.get("known_on", ""))
    known_at = registry.end_of(known_on)
    then_on = valid_on or (None if known_at is None else known_on)
    finances = may(user, Act.VIEW_FINANCES)
    shown: dict[str, Any] = {
        "household": found,
        "then": registry.household_then(found, on=then_on, known_at=known_at),
        "members": registry.members(found, by=user, on=then_on, known_at=known_at),
        "ties": registry.ties(found, by=user, on=valid_on, known_at=known_at),
        "areas": registry.areas(found, on=valid_on, known_at=known_at),
        "recorded": registry.changes(by=user, household_no=household_no)[:20],
        "kinds": registry.kinds_for(user),
        "bases": registry.BASES,
        "valid_on": valid_on,
        "known_on": known_on,
        "on": on,
        "dates": dates,
        "finances": finances,
        "warnings": monitoring.household_warnings(household_no, by=user).prefetch_related(
            "signals", "events"
        ),
        "measures": assistance.measures_given(by=user, household_no=household_no),
        "looks": accounts.household_looks(household_no)[:30] if _may_see_looks(user) else None,
    }
    if on is not None:
        try:
            shown["explanation"] = explanation = chain.explain(household_no, as_of=on)
            if finances:
                shown["facts"] = registry.facts(found, chain.rules()[0].feeds, on=on, by=user)
                shown["variables"] = _by_member(explanation, registry.names_by_key(found, on))
        except DoudiError as problem:
            shown["unexplained"] = problem
    return render(request, "registry/household.html", shown)


def _by_member(explanation: Explanation, names: list[str]) -> list[tuple[str, list[Explained]]]:
    """The values of the household itself, then those of each member under the name.

    An indicator that was judged and not raised says nothing and is left out.
    """
    indicators = chain.rules()[0].indicators
    groups: dict[int, list[Explained]] = {}
    for part in explanation.variables:
        if part.name not in indicators or part.value is not False:
            groups.setdefault(part.member or 0, []).append(part)
    return [
        (names[member - 1] if 0 < member <= len(names) else "", rows)
        for member, rows in sorted(groups.items())
    ]


def _may_see_looks(user: User) -> bool:
    return may(user, Act.VIEW_AUDIT) or may(user, Act.DISPATCH_WARNING)


def _asked_date(request: HttpRequest) -> date | None:
    try:
        return parse_date(request.GET.get("on", ""))
    except ValueError:
        return None


def reveal(request: HttpRequest, household_no: str, person: int) -> HttpResponse:
    """One member's whole ID and telephone, for a stated reason; the page around it stays masked."""
    if request.method != "POST":
        return redirect("household", household_no=household_no)
    user = asker(request)
    found = registry.household(household_no, by=user)
    shown: dict[str, Any] = {
        "household": found,
        "person_id": person,
        "reason": request.POST.get("reason", ""),
    }
    try:
        shown["person"] = registry.reveal_identity(found, person, by=user, reason=shown["reason"])
    except DoudiError as problem:
        if problem.code != "reason_missing":
            raise
        shown["problem"] = problem
    template = "registry/_reveal.html" if request.htmx else "registry/reveal.html"  # type: ignore[attr-defined]
    return render(request, template, shown)
