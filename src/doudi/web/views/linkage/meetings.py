"""Meetings of the mechanism on pages: the list with what is still to do, and one meeting."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.linkage import stepping
from doudi.web.views.linkage.forms import DoneForm, ItemForm, MeetingForm, MinutesForm, ResolutionForm
from doudi.web.views.linkage.stepping import Step

PAGE = 25


def _bodies(by: User) -> list[tuple[str, str]]:
    return [(body.code, body.name) for body in charity.organisations(by=by)]


def meeting_list(request: HttpRequest) -> HttpResponse:
    """Meetings, what was decided and is still open, and for the county the form to call one (联席会议)."""
    user = asker(request)
    holds = may(user, Act.HOLD_MEETING)
    form = MeetingForm(request.POST or None, bodies=_bodies(user) if holds else [])
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            meeting = charity.call_meeting(by=user, **form.cleaned_data)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            return redirect("meeting", number=meeting.number)
    shown = {
        "page": Paginator(charity.meetings(by=user), PAGE).get_page(request.GET.get("page")),
        "open": charity.resolutions(by=user),
        "form": form if holds else None,
        "problem": problem,
    }
    return render(request, "linkage/meetings.html", shown, status=422 if form.is_bound else 200)


STEPS = {
    "item": Step(
        ItemForm, Act.HOLD_MEETING, gettext_lazy("加入议题"), gettext_lazy("加入"),
        lambda number, typed, by: charity.add_item(number, by=by, **typed), gettext_lazy("已加入议程。"),
    ),
    "resolve": Step(
        ResolutionForm, Act.HOLD_MEETING, gettext_lazy("登记议定事项"), gettext_lazy("登记"),
        lambda number, typed, by: charity.resolve(number, typed.pop("position"), by=by, **typed), gettext_lazy("已登记。"),
    ),
    "minutes": Step(
        MinutesForm, Act.HOLD_MEETING, gettext_lazy("纪要"), gettext_lazy("保存纪要"),
        lambda number, typed, by: charity.keep_minutes(number, by=by, **typed), gettext_lazy("纪要已保存。"), second=True,
    ),
}  # fmt: skip


@require_safe
def meeting_page(request: HttpRequest, number: str) -> HttpResponse:
    """One meeting."""
    return _page(request, number, {}, None)


def _arguments(meeting: charity.Meeting) -> dict[str, Any]:
    return {
        "items": [(item.position, f"{item.position}. {item.subject}") for item in meeting.items.all()],
        "bodies": [(body.code, body.name) for body in meeting.bodies.all()],
    }


def _page(
    request: HttpRequest, number: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    meeting = charity.meeting_of(number, by=user)
    items = list(meeting.items.prefetch_related("resolutions__responsible"))
    names = ["item", *(["resolve"] if items else []), "minutes"]
    mine = {
        one.pk
        for one in charity.resolutions(by=user)
        if (one.responsible.code == user.organisation if one.responsible else may(user, Act.HOLD_MEETING))
    }
    shown = {
        "meeting": meeting,
        "items": items,
        "mine": mine,
        "done_form": sent.get("done") or DoneForm(auto_id=False),
        "problem": problem,
        "steps": stepping.offer(
            STEPS, names, user, url=lambda name: reverse("meeting_step", args=[number, name]), sent=sent,
            **_arguments(meeting),
        ),
    }  # fmt: skip
    return render(request, "linkage/meeting.html", shown, status=422 if sent or problem else 200)


def step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """A step of a meeting."""
    meeting = charity.meeting_of(number, by=asker(request))
    return stepping.do(
        request, number, step, STEPS, page=_page, there=stepping.back_to("meeting", number=number),
        **_arguments(meeting),
    )  # fmt: skip


def done(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what came of a decision."""
    user = asker(request)
    if request.method != "POST":
        return redirect("meetings")
    try:
        found = charity.report_resolution(pk, outcome=request.POST.get("outcome", ""), by=user)
    except DoudiError as problem:
        if problem.code != "step_refused":
            raise
        number = charity.resolutions(by=user).get(pk=pk).item.meeting.number
        return _page(request, number, {}, problem)
    messages.success(request, _("办理结果已登记。"))
    return redirect("meeting", number=found.item.meeting.number)
