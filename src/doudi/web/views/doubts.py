"""The doubt list, one doubt with its papers and steps, and the stops that deaths propose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.house.attachments import SUFFIXES
from doudi.web.doubt_forms import AssignForm, CheckForm, EvidenceForm, FindForm, ReviewForm, StopForm
from doudi.web.guard import asker
from doudi.web.steps import take_step

PAGE = 25
_Status = monitoring.Doubt.Status
_FITS = {
    "assign": (Act.ASSIGN_DOUBT, (_Status.FOUND, _Status.ASSIGNED)),
    "evidence": (Act.CHECK_DOUBT, (_Status.ASSIGNED, _Status.CHECKED)),
    "check": (Act.CHECK_DOUBT, (_Status.ASSIGNED, _Status.CHECKED)),
    "review": (Act.REVIEW_DOUBT, (_Status.CHECKED,)),
}


@require_safe
def doubt_list(request: HttpRequest) -> HttpResponse:
    """Doubts of the account's area, narrowed, the nearest limit first."""
    return _list_page(request)


def _list_page(
    request: HttpRequest, *, form: FindForm | None = None, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    asked = {
        key: request.GET.get(key, "").strip() for key in ("kind", "status", "conclusion", "region", "text")
    }
    overdue = request.GET.get("overdue") == "1"
    found = monitoring.doubts(
        by=user,
        kind=asked["kind"],
        status=asked["status"],
        conclusion=asked["conclusion"],
        region_code=asked["region"],
        text=asked["text"],
        overdue=overdue,
        since=_day(request, "since"),
        until=_day(request, "until"),
    )
    rules = chain.doubt_rules()
    last = monitoring.latest_round()
    shown: dict[str, Any] = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "asked": {**asked, "overdue": overdue},
        "period": {"since": _day(request, "since"), "until": _day(request, "until")},
        "kinds": rules.kinds,
        "conclusions": rules.conclusions,
        "statuses": [("open", "全部未定性"), *_Status.choices, ("all", "全部")],
        "townships": sorted(
            {
                row["region_code"][:9]
                for row in monitoring.count_doubts(monitoring.doubts(by=user, status="all"))
            }
        ),
        "last": last,
        "unasked": _unasked(last),
        "stops": monitoring.stops(by=user).count(),
        "problem": problem,
    }
    if may(user, Act.FIND_DOUBTS) and registry.covers_office(user):
        shown["find_form"] = form or FindForm()
    failed = problem is not None or form is not None
    return render(request, "monitoring/doubts.html", shown, status=422 if failed else 200)


def _day(request: HttpRequest, name: str) -> date | None:
    """A day of the address: the period of a report whose list this is."""
    try:
        return parse_date(request.GET.get(name, ""))
    except ValueError:
        return None


def _unasked(last: monitoring.DoubtRound | None) -> list[tuple[str, list[tuple[str, str]]]]:
    """Kinds that could not be asked in the last search, with the feeds that are missing and why."""
    return [] if last is None else [(code, list(missing.items())) for code, missing in last.unasked.items()]


def find(request: HttpRequest) -> HttpResponse:
    """Search everyone for doubts."""
    if request.method != "POST":
        return redirect("doubts")
    form = FindForm(request.POST)
    if not form.is_valid():
        return _list_page(request, form=form)
    try:
        done = chain.find_doubts(as_of=form.cleaned_data["as_of"], by=asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _list_page(request, form=form, problem=problem)
    messages.success(
        request, _("已筛查疑点：新增 %(opened)d 条，更新 %(updated)d 条，消失 %(gone)d 条。") % done.counts
    )
    return redirect("doubts")


@require_safe
def doubt_page(request: HttpRequest, number: str) -> HttpResponse:
    """One doubt with what it stands on, its papers, and the steps that are next; the look is logged."""
    return _doubt_page(request, monitoring.look_at_doubt(number, by=asker(request)))


def _forms(doubt: monitoring.Doubt, user: User) -> dict[str, forms.Form]:
    made: dict[str, Callable[[], forms.Form]] = {
        "assign": lambda: AssignForm(
            auto_id="assign_%s", initial={"to": doubt.assigned_to, "seen": doubt.version}
        ),
        "evidence": lambda: EvidenceForm(auto_id="evidence_%s"),
        "check": lambda: CheckForm(
            auto_id="check_%s", rules=chain.doubt_rules(), initial={"seen": doubt.version}
        ),
        "review": lambda: ReviewForm(auto_id="review_%s", initial={"seen": doubt.version}),
    }
    return {
        name: made[name]()
        for name, (act, statuses) in _FITS.items()
        if doubt.status in statuses
        and may(user, act)
        and not (name == "review" and user.username == doubt.checked_by)
    }


def _doubt_page(
    request: HttpRequest,
    doubt: monitoring.Doubt,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    rules = chain.doubt_rules()
    steps = _forms(doubt, user)
    if bound is not None and step in steps:
        steps[step] = bound
    finances = may(user, Act.VIEW_FINANCES)
    shown = {
        "doubt": doubt,
        "kind": rules.kinds.get(doubt.kind),
        "content": monitoring.content_of(doubt, by=user) if finances else None,
        "finances": finances,
        "papers": doubt.evidence.all() if finances else [],
        "events": doubt.events.all(),
        "recovery": assistance.recovery_for(doubt.number, by=user),
        "stopped": assistance.stops_recorded(
            by=user, household_no=doubt.household_no, person_id=doubt.person_id
        ),
        "steps": steps,
        "failed_step": step,
        "problem": problem,
        "self_checked": doubt.status == _Status.CHECKED and doubt.checked_by == user.username,
    }
    failed = problem is not None or (bound is not None and bound.errors)
    return render(request, "monitoring/doubt.html", shown, status=422 if failed else 200)


def _take(
    request: HttpRequest,
    number: str,
    step: str,
    form: forms.Form,
    act: Callable[[dict[str, Any], User], Any],
    done: str,
) -> HttpResponse:
    """Read the form of a step, act, and go back to the doubt; where refused, show the form again as it was typed."""
    if request.method != "POST":
        return redirect("doubt", number=number)
    doubt = monitoring.doubt_of(number, by=asker(request))

    def again(problem: DoudiError | None) -> HttpResponse:
        doubt.refresh_from_db()
        return _doubt_page(request, doubt, step=step, bound=form, problem=problem)

    return take_step(request, form, act, again=again, done=done, then=redirect("doubt", number=number))


def assign(request: HttpRequest, number: str) -> HttpResponse:
    """Give a doubt to a worker."""
    return _take(
        request,
        number,
        "assign",
        AssignForm(request.POST, auto_id="assign_%s"),
        lambda typed, user: chain.assign_doubt(number, to=typed["to"], seen=typed["seen"], by=user),
        _("已派核。"),
    )


def evidence(request: HttpRequest, number: str) -> HttpResponse:
    """Put a paper to a doubt."""
    return _take(
        request,
        number,
        "evidence",
        EvidenceForm(request.POST, request.FILES, auto_id="evidence_%s"),
        lambda typed, user: monitoring.add_evidence(
            monitoring.doubt_of(number, by=user), label=typed["label"], content=typed["file"], by=user
        ),
        _("证据已加密保存。"),
    )


@require_safe
def paper(request: HttpRequest, number: str, pk: int) -> HttpResponse:
    """A paper as it came; the look is logged, and the browser is told to save it, not to run it."""
    user = asker(request)
    found, content = monitoring.open_evidence(monitoring.doubt_of(number, by=user), pk, by=user)
    name = quote(f"{found.label}.{SUFFIXES[found.media_type]}")
    return HttpResponse(
        content,
        content_type=found.media_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
        },
    )


def check(request: HttpRequest, number: str) -> HttpResponse:
    """Record a check and its conclusion."""
    return _take(
        request,
        number,
        "check",
        CheckForm(request.POST, auto_id="check_%s", rules=chain.doubt_rules()),
        lambda typed, user: chain.check_doubt(
            number,
            checked_on=typed["checked_on"],
            checkers=[typed["checker_1"], typed["checker_2"]],
            finding=typed["finding"],
            heard=typed["heard"],
            conclusion=typed["conclusion"],
            overpaid_fen=typed["overpaid"] or None,
            seen=typed["seen"],
            by=user,
        ),
        _("核查已记录，等待另一人复核。"),
    )


def review(request: HttpRequest, number: str) -> HttpResponse:
    """Let a check stand, or send it back."""
    return _take(
        request,
        number,
        "review",
        ReviewForm(request.POST, auto_id="review_%s"),
        lambda typed, user: chain.review_doubt(
            number, approve=typed["approve"] == "yes", note=typed["note"], seen=typed["seen"], by=user
        ),
        _("复核已记录。"),
    )


# ---- stops ----------------------------------------------------------------------------------------------------------


@require_safe
def stop_list(request: HttpRequest) -> HttpResponse:
    """The stops that deaths propose."""
    user = asker(request)
    status = request.GET.get("status", "open")
    found = monitoring.stops(by=user, status=status)
    choices = monitoring.StopProposal.Status.choices
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": [*choices, ("all", "全部")],
    }
    return render(request, "monitoring/stops.html", shown)


@require_safe
def stop_page(request: HttpRequest, number: str) -> HttpResponse:
    """One proposed stop."""
    return _stop_page(request, monitoring.stop_of(number, by=asker(request)))


def _stop_page(
    request: HttpRequest,
    stop: monitoring.StopProposal,
    *,
    form: StopForm | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    shown: dict[str, Any] = {
        "stop": stop,
        "problem": problem,
        "recorded": assistance.stops_recorded(by=user, source=stop.number),
        "doubts": monitoring.doubts(by=user, status="all", text=stop.household_no).filter(
            person_id=stop.person_id
        ),
    }
    if may(user, Act.DECIDE_STOP) and stop.status == monitoring.StopProposal.Status.OPEN:
        shown["form"] = form or StopForm(initial={"stop_from": monitoring.month_after(stop.died_on)})
        if not stop.name_differs:
            del shown["form"].fields["identity_confirmed"]
    failed = problem is not None or form is not None
    return render(request, "monitoring/stop.html", shown, status=422 if failed else 200)


def decide_stop(request: HttpRequest, number: str) -> HttpResponse:
    """Confirm or refuse a proposed stop."""
    if request.method != "POST":
        return redirect("stop", number=number)
    user = asker(request)
    stop = monitoring.stop_of(number, by=user)
    form = StopForm(request.POST)
    if not form.is_valid():
        return _stop_page(request, stop, form=form)
    typed = form.cleaned_data
    try:
        decided = chain.decide_stop(
            number,
            confirm=typed["confirm"] == "yes",
            stop_from=typed["stop_from"],
            identity_confirmed=typed["identity_confirmed"],
            ground=typed["ground"],
            by=user,
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        stop.refresh_from_db()
        return _stop_page(request, stop, form=form, problem=problem)
    if decided.stop_from:
        messages.success(request, _("已记录从 %(month)s 起停发。") % {"month": f"{decided.stop_from:%Y-%m}"})
    else:
        messages.success(request, _("已记录不停发及理由。"))
    return redirect("stop", number=number)
