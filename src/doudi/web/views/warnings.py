"""Warnings: the list, the case, and the steps from dispatch to closing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.screening import Explanation
from doudi.web.forms import (
    AttemptForm,
    CloseForm,
    DispatchForm,
    MeasureForm,
    PushForm,
    ReassignForm,
    ResumeForm,
    RevisitForm,
    SuspendForm,
    VisitForm,
)
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.steps import take_step
from doudi.web.templatetags.doudi import said

PAGE = 25
STATUSES = ("open", "new", "dispatched", "visited", "revisit", "closed", "cleared", "all")


@require_safe
def warning_list(request: HttpRequest) -> HttpResponse:
    """The warnings of the account's area, narrowed, sorted, 25 to a page."""
    user = asker(request)
    asked = {
        key: request.GET.get(key, "").strip() for key in ("status", "level", "code", "region", "text", "sort")
    }
    overdue = request.GET.get("overdue") == "1"
    found = monitoring.warnings(
        by=user,
        status=asked["status"],
        level=asked["level"],
        code=asked["code"],
        region_code=asked["region"],
        text=asked["text"],
        overdue=overdue,
        sort=asked["sort"] or "urgent",
    )
    townships = sorted({*monitoring.townships_with_work(by=user), asked["region"]} - {""})
    shown = {
        "page": LongList(found, PAGE).get_page(request.GET.get("page")),
        "asked": {**asked, "overdue": overdue, "sort": asked["sort"] or "urgent"},
        "statuses": [(status, _STATUS_WORDS[status]) for status in STATUSES],
        "levels": [level for level in reversed(monitoring.LEVELS) if level != "none"],
        "codes": list(chain.rules()[0].indicators),
        "townships": townships,
        "tick": may(user, Act.DISPATCH_WARNING),
    }
    partial = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    return render(request, f"monitoring/{'_result' if partial else 'warnings'}.html", shown)


_STATUS_WORDS = {
    "open": "全部未办结",
    "all": "全部",
    "revisit": "待回访",
    **dict(monitoring.WarningCase.Status.choices),
}


def dispatch_ticked(request: HttpRequest) -> HttpResponse:
    """Send each ticked warning to the household's own township; what cannot be sent is named with the reason."""
    if request.method != "POST":
        return redirect("warnings")
    user = asker(request)
    done = chain.dispatch_many(request.POST.getlist("number"), by=user)
    for _number, problem in done.refused:
        messages.error(request, said(problem))
    if sent := len(done.sent):
        messages.success(
            request, ngettext("已派单 %(count)d 件。", "已派单 %(count)d 件。", sent) % {"count": sent}
        )
    elif not request.POST.getlist("number"):
        messages.error(request, _("没有勾选预警。请先勾选要派单的行。"))
    back = request.POST.get("query", "")
    response = redirect("warnings")
    if back:
        response["Location"] += f"?{back}"
    return response


@require_safe
def warning_page(request: HttpRequest, number: str) -> HttpResponse:
    """One warning with everything that is known of it and the steps that are next."""
    return _case_page(request, monitoring.warning(number, by=asker(request)))


def _case_page(
    request: HttpRequest,
    case: monitoring.WarningCase,
    *,
    bound: forms.Form | None = None,
    step: str = "",
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    finances = may(user, Act.VIEW_FINANCES)
    # asked for by several forms and the page itself
    prefetch_related_objects([case], "signals", "suspensions")
    household = _household(case, user)
    # the explanation speaks of the household: it is shown where the look at the household was allowed and logged
    wanted = finances and household is not None and case.is_open
    explanation, unexplained = _explanation(case) if wanted else (None, None)
    steps = _steps(case, user)
    if bound is not None and step in steps:
        steps[step] = bound
    shown = {
        "case": case,
        "household": household,
        "signals": case.signals.all(),
        "sentences": {part.name: part.sentence for part in explanation.variables} if explanation else {},
        "explanation": explanation,
        "unexplained": unexplained,
        "finances": finances,
        "events": case.events.all(),
        "reports": case.reports.all() if may(user, Act.VIEW_REPORTS) else [],
        "attempts": case.attempts.all() if finances else [],
        "still": _still(case) if case.is_open else None,
        "revisit": monitoring.revisit_of(case) if finances and not case.is_open else None,
        "assignee": monitoring.assignee_name(case),
        "visits": case.visits.prefetch_related("field_visits__files") if finances else [],
        "field_visits": monitoring.field_visits(by=user).filter(case=case) if finances else [],
        "results": chain.rules()[1].results,
        "measures": assistance.measures_given(by=user, warning_number=case.number),
        "referrals": assistance.referrals_of(case.number, by=user) if may(user, Act.VIEW_REFERRALS) else [],
        "steps": steps,
        "failed_step": step,
        "problem": problem,
        # the step that was refused may no longer fit: somebody else took it
        "stranded": problem is not None and step not in steps,
    }
    failed = problem is not None or (bound is not None and bound.errors)
    return render(request, "monitoring/warning.html", shown, status=422 if failed else 200)


def _household(case: monitoring.WarningCase, user: User) -> registry.Household | None:
    try:
        return registry.look_at_household(case.household_no, by=user, reason=f"预警 {case.number}")
    except registry.HouseholdNotFound:
        return None


def _explanation(case: monitoring.WarningCase) -> tuple[Explanation | None, DoudiError | None]:
    try:
        return chain.explain_screened(case.household_no, as_of=case.as_of), None
    except DoudiError as problem:
        return None, problem


def _steps(case: monitoring.WarningCase, user: User) -> dict[str, forms.Form]:
    """The forms that fit how far the case has come and what the role may do."""
    fitting = {
        name: step.form(case)
        for name, step in STEPS.items()
        if case.status in step.statuses and may(user, step.act)
    }
    return {name: form for name, form in fitting.items() if form is not None}


def _townships(case: monitoring.WarningCase) -> list[tuple[str, str]]:
    """The townships of the household's county; its own stays a choice where the divisions do not know it."""
    listed = registry.children(case.region_code[:6])
    own = case.region_code[:9]
    if listed and len(own) == 9 and own not in dict(listed):
        listed = [(own, registry.region_name(own)), *listed]
    return listed


def _dispatch_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return DispatchForm(
        typed,
        auto_id="dispatch_%s",
        townships=_townships(case),
        officers=_officers(case),
        initial={"to": case.region_code[:9] if len(case.region_code) >= 9 else "", "seen": case.version},
    )


def _officers(case: monitoring.WarningCase) -> list[tuple[str, str]]:
    """The officers of the county's townships by name; the service refuses one of another township."""
    return [
        (one.username, f"{one.display_name}（{registry.region_name(one.region_code)}）")
        for one in monitoring.officers_of(case.region_code)
    ]


def _attempt_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return AttemptForm(typed, auto_id="attempt_%s", initial={"tried_on": timezone.localdate()})


def _reassign_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return ReassignForm(
        typed,
        auto_id="reassign_%s",
        townships=_townships(case) or [(case.region_code, registry.region_name(case.region_code))],
        officers=_officers(case),
        initial={"to": case.region_code[:9], "assignee": case.assignee, "seen": case.version},
    )


def _suspend_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form | None:
    return None if _still(case) else SuspendForm(typed, auto_id="suspend_%s")


def _resume_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form | None:
    return ResumeForm(typed, auto_id="resume_%s") if _still(case) else None


def _still(case: monitoring.WarningCase) -> Any:
    return monitoring.standing_still(case, timezone.now())


def _revisit_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form | None:
    if case.revisit_on is None or case.revisited:
        return None
    return RevisitForm(typed, auto_id="revisit_%s", initial={"visited_on": timezone.localdate()})


def _visit_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return VisitForm(
        typed,
        auto_id="visit_%s",
        handling=chain.rules()[1],
        initial={"visited_on": timezone.localdate(), "seen": case.version},
    )


def _measure_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return MeasureForm(
        typed,
        auto_id="measure_%s",
        pack=chain.rules()[0],
        found_category=case.found_category,
        signals={signal.code for signal in case.signals.all()},
        initial={"given_on": timezone.localdate()},
    )


def _push_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return PushForm(typed, auto_id="push_%s", handling=chain.rules()[1])


def _close_form(case: monitoring.WarningCase, typed: QueryDict | None = None) -> forms.Form:
    return CloseForm(typed, auto_id="close_%s", initial={"seen": case.version})


@dataclass(frozen=True)
class Step:
    """A step of the case: its form, the act it asks for, and the statuses it fits."""

    form: Callable[..., forms.Form | None]
    act: Act
    statuses: tuple[str, ...]


_Status = monitoring.WarningCase.Status
STEPS = {
    "dispatch": Step(_dispatch_form, Act.DISPATCH_WARNING, (_Status.NEW,)),
    "visit": Step(_visit_form, Act.RECORD_VISIT, (_Status.DISPATCHED, _Status.VISITED)),
    "measure": Step(_measure_form, Act.GIVE_MEASURE, (_Status.VISITED,)),
    "push": Step(_push_form, Act.SEND_REFERRAL, (_Status.VISITED,)),
    "close": Step(_close_form, Act.CLOSE_WARNING, (_Status.VISITED,)),
    "attempt": Step(_attempt_form, Act.RECORD_VISIT, (_Status.DISPATCHED, _Status.VISITED)),
    "reassign": Step(_reassign_form, Act.REASSIGN_WARNING, (_Status.DISPATCHED, _Status.VISITED)),
    "suspend": Step(_suspend_form, Act.SUSPEND_CLOCK, (_Status.NEW, _Status.DISPATCHED, _Status.VISITED)),
    "resume": Step(_resume_form, Act.SUSPEND_CLOCK, (_Status.NEW, _Status.DISPATCHED, _Status.VISITED)),
    "revisit": Step(_revisit_form, Act.RECORD_REVISIT, (_Status.CLOSED,)),
}


def _take(
    request: HttpRequest, number: str, step: str, act: Callable[[dict[str, Any], User], Any], done: str
) -> HttpResponse:
    """Read the form of a step, act, and go back to the case; where refused, show the form again as it was typed."""
    if request.method != "POST":
        return redirect("warning", number=number)
    user = asker(request)
    case = monitoring.warning(number, by=user)
    form = STEPS[step].form(case, request.POST)
    if form is None:
        messages.error(request, _("这一步现在不能办，请看预警的现状。"))
        return redirect("warning", number=number)

    def again(problem: DoudiError | None) -> HttpResponse:
        now = case if problem is None else monitoring.warning(number, by=user)
        return _case_page(request, now, bound=form, step=step, problem=problem)

    return take_step(request, form, act, again=again, done=done, then=redirect("warning", number=number))


def dispatch(request: HttpRequest, number: str) -> HttpResponse:
    """Send a warning to a township."""
    return _take(
        request,
        number,
        "dispatch",
        lambda typed, user: chain.dispatch(
            number,
            to=typed["to"],
            remark=typed["remark"],
            assignee=typed.get("assignee", ""),
            seen=typed["seen"],
            by=user,
        ),
        _("已派单。"),
    )


def visit(request: HttpRequest, number: str) -> HttpResponse:
    """Record what the visitors found."""
    return _take(
        request,
        number,
        "visit",
        lambda typed, user: chain.record_visit(
            number,
            visited_on=typed["visited_on"],
            visitors=[typed["visitor_1"], typed["visitor_2"]],
            result_code=typed["result_code"],
            finding=typed["finding"],
            consent=typed["consent"],
            consent_by=typed["consent_by"],
            consent_how=typed["consent_how"],
            signed=typed["signed"],
            witnesses=[typed["witness_1"], typed["witness_2"]],
            seen=typed["seen"],
            by=user,
        ),
        _("入户核实已记录。"),
    )


def measure(request: HttpRequest, number: str) -> HttpResponse:
    """Give a measure of the pack."""
    return _take(
        request,
        number,
        "measure",
        lambda typed, user: chain.give_measure(
            number,
            code=typed["code"],
            amount_fen=typed["amount"],
            given_on=typed["given_on"],
            ground=typed["ground"],
            by=user,
        ),
        _("救助措施已记录。"),
    )


def push(request: HttpRequest, number: str) -> HttpResponse:
    """Push the need to a department."""
    return _take(
        request,
        number,
        "push",
        lambda typed, user: chain.push_need(
            number, department=typed["department"], need=typed["need"], by=user
        ),
        _("需求已推送部门。"),
    )


def close(request: HttpRequest, number: str) -> HttpResponse:
    """Close the case."""
    return _take(
        request,
        number,
        "close",
        lambda typed, user: chain.close(
            number, closing_note=typed["closing_note"], seen=typed["seen"], by=user
        ),
        _("预警已办结。"),
    )


def attempt(request: HttpRequest, number: str) -> HttpResponse:
    """Record a visit at which nobody was found."""
    return _take(
        request,
        number,
        "attempt",
        lambda typed, user: chain.record_attempt(
            number,
            tried_on=typed["tried_on"],
            visitors=[typed["visitor_1"], typed["visitor_2"]],
            finding=typed["finding"],
            by=user,
        ),
        _("寻访未遇已记录。"),
    )


def reassign(request: HttpRequest, number: str) -> HttpResponse:
    """Give the warning to another officer or township."""
    return _take(
        request,
        number,
        "reassign",
        lambda typed, user: chain.reassign(
            number,
            to=typed["to"],
            assignee=typed["assignee"],
            ground=typed["ground"],
            seen=typed["seen"],
            by=user,
        ),
        _("已改派。"),
    )


def suspend(request: HttpRequest, number: str) -> HttpResponse:
    """Let the clock stand still until a day."""
    return _take(
        request,
        number,
        "suspend",
        lambda typed, user: chain.suspend_clock(
            number, until_on=typed["until_on"], ground=typed["ground"], by=user
        ),
        _("时限已中止。"),
    )


def resume(request: HttpRequest, number: str) -> HttpResponse:
    """Let the clock go on."""
    return _take(
        request,
        number,
        "resume",
        lambda _typed, user: chain.resume_clock(number, by=user),
        _("时限已恢复计算。"),
    )


def revisit(request: HttpRequest, number: str) -> HttpResponse:
    """Record the revisit."""
    return _take(
        request,
        number,
        "revisit",
        lambda typed, user: chain.record_revisit(
            number,
            visited_on=typed["visited_on"],
            visitors=[typed["visitor_1"], typed["visitor_2"]],
            result=typed["result"],
            finding=typed["finding"],
            by=user,
        ),
        _("回访已记录。"),
    )
