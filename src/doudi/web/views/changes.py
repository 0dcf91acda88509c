"""What happens to people and households: recording it with a preview, the county's word, undoing, and differences."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.forms import DayInput, YuanField
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english, tr

PAGE = 25


class ChangeForm(forms.Form):
    """One kind of event: its date, what it asks for, and the ground."""

    on = forms.DateField(widget=DayInput)
    token = forms.CharField(widget=forms.HiddenInput, max_length=24)

    def __init__(
        self, *args: Any, kind: registry.EventKind, members: list[registry.Member], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].label = _("发生日期")
        people = [(str(one.person_id), f"{one.name}（{one.relation}）") for one in members]
        for ask in kind.asks:
            self.fields[ask.name] = _field(ask, people)
        self.fields["ground"] = forms.CharField(
            label=_("依据与凭据（如证明名称、文号）"),
            min_length=4,
            max_length=500,
            widget=forms.Textarea(attrs={"rows": 2, "maxlength": 500}),
        )

    def said(self) -> dict[str, Any]:
        """What was said of the event itself, without what was left empty."""
        kept = ("on", "token", "ground")
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in self.cleaned_data.items()
            if name not in kept and value not in (None, "", [])
        }


class _OptionalYuan(YuanField):
    """An amount that may be unknown, which is not nothing."""

    def clean(self, value: Any) -> Any:
        return None if not str(value or "").strip() else super().clean(value)


def _field(ask: Any, people: list[tuple[str, str]]) -> forms.Field:
    shared: dict[str, Any] = {"label": tr(ask.label), "required": not ask.optional}
    if ask.kind == "member":
        return forms.ChoiceField(choices=[("", _("请选择")), *people], **shared)
    if ask.kind == "members":
        return forms.MultipleChoiceField(choices=people, widget=forms.CheckboxSelectMultiple, **shared)
    if ask.kind == "choice":
        choices = [(code, tr(label)) for code, label in ask.choices.items()]
        return forms.ChoiceField(choices=[("", _("请选择")), *choices], **shared)
    if ask.kind == "date":
        return forms.DateField(widget=DayInput, **shared)
    if ask.kind == "money":
        return _OptionalYuan(**shared)
    if ask.kind == "region":
        return forms.RegexField(
            r"^(\d{6}|\d{9}|\d{12})$",
            help_text=_("九位或十二位数字"),
            widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            **shared,
        )
    return forms.CharField(max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"}), **shared)


def change(request: HttpRequest, household_no: str, kind: str) -> HttpResponse:
    """The form of one event; what it will change is shown before it is recorded."""
    user = asker(request)
    found = registry.household(household_no, by=user)
    asked = next((one for one in registry.kinds_for(user) if one.code == kind), None)
    if asked is None:
        raise registry.ChangeRefused(
            "没有这种变动，或须由县级登记。", "No such event, or only the county records it."
        )
    members = registry.members(found, by=user)
    posted = request.method == "POST"
    form = ChangeForm(
        request.POST if posted else None,
        kind=asked,
        members=members,
        initial={"on": timezone.localdate(), "token": secrets.token_hex(8)},
    )
    shown: dict[str, Any] = {"household": found, "kind": asked, "form": form, "english": english()}
    if posted and form.is_valid():
        said, on = form.said(), form.cleaned_data["on"]
        try:
            if request.POST.get("step") == "record":
                event = chain.record_change(
                    household_no,
                    kind,
                    on=on,
                    said=said,
                    ground=form.cleaned_data["ground"],
                    by=user,
                    token=form.cleaned_data["token"],
                )
                waits = event.status == registry.RegistryEvent.Status.PROPOSED
                messages.success(request, _("已提出，待县级确认。") if waits else _("已登记。"))
                return redirect("event", number=event.number)
            shown["lines"] = registry.preview(household_no, kind, on=on, said=said, by=user)
            if may(user, Act.CHECK_DUPLICATE):
                shown["possible"] = chain.possible_duplicates_of(registry.entered_in(asked, said), by=user)
        except DoudiError as problem:
            if problem.code not in ("change_refused",):
                raise
            shown["problem"] = problem
    status = 422 if posted and (form.errors or "problem" in shown) else 200
    return render(request, "registry/change.html", shown, status=status)


@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """Proposals that wait, differences with the register, and everything that was recorded."""
    user = asker(request)
    status = request.GET.get("status", "")
    shown = {
        "page": Paginator(registry.changes(by=user, status=status), PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": registry.RegistryEvent.Status.choices,
        "differences": registry.differences(by=user)[:50],
    }
    return render(request, "registry/changes.html", shown)


@require_safe
def event_page(request: HttpRequest, number: str) -> HttpResponse:
    """One event: what it changed, on what ground, who decided; the look is in the audit log."""
    return _event_page(request, number)


def _event_page(request: HttpRequest, number: str, problem: DoudiError | None = None) -> HttpResponse:
    user = asker(request)
    event = registry.change_of(number, by=user)
    status = registry.RegistryEvent.Status
    decides = may(user, Act.CONFIRM_CHANGE)
    shown = {
        "event": event,
        "lines": registry.told_of(event, by=user),
        "decide": decides and event.status == status.PROPOSED,
        "undo": decides and event.status == status.IN_FORCE,
        "stops": monitoring.stops(by=user, status="all", event=number) if may(user, Act.VIEW_DOUBTS) else (),
        "problem": problem,
    }
    return render(request, "registry/event.html", shown, status=400 if problem else 200)


def decide(request: HttpRequest, number: str) -> HttpResponse:
    """The county's yes, no, or taking back."""
    if request.method != "POST":
        return redirect("event", number=number)
    user = asker(request)
    note = request.POST.get("note", "")
    try:
        if request.POST.get("do") == "confirm":
            chain.confirm_change(number, by=user, note=note)
        elif request.POST.get("do") == "undo":
            chain.undo_change(number, ground=note, by=user)
        else:
            chain.refuse_change(number, by=user, note=note)
    except DoudiError as problem:
        if problem.code not in ("change_refused", "undo_refused"):
            raise
        return _event_page(request, number, problem)
    messages.success(request, _("已办理。"))
    return redirect("event", number=number)


def settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Whose word stands where a register and the office differ."""
    if request.method != "POST":
        return redirect("changes")
    chain.settle_difference(
        pk,
        follow_register=request.POST.get("do") == "register",
        ground=request.POST.get("note", ""),
        by=asker(request),
    )
    messages.success(request, _("已办理。"))
    return redirect("changes")
