"""What telephones sent, at the office: visits that wait for a person with both sides, and their photos."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.errors import DoudiError
from doudi.engine.pictures import media_type
from doudi.web.guard import asker

PAGE = 25
_State = monitoring.FieldVisit.State
WAYS = (
    (_State.RECORDED.value, gettext_lazy("采用：记为一次入户核实")),
    (_State.NOTED.value, gettext_lazy("只记入时间线，不改变核实结果")),
    (_State.SET_ASIDE.value, gettext_lazy("搁置：重复或填错")),
)


class SettleForm(forms.Form):
    """What to do with a visit that waits, and why."""

    to = forms.ChoiceField(label=gettext_lazy("怎样处理"), choices=WAYS, widget=forms.RadioSelect)
    ground = forms.CharField(
        label=gettext_lazy("处理理由"), max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )


@require_safe
def visit_list(request: HttpRequest) -> HttpResponse:
    """Visits from telephones, those that wait first."""
    every = request.GET.get("all") == "1"
    found = monitoring.field_visits(by=asker(request), pending=not every)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "fieldvisits/list.html", {"page": page, "every": every})


@require_safe
def visit_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What the telephone sent beside what stands on the warning."""
    return _page(request, pk)


def _page(
    request: HttpRequest, pk: int, *, form: SettleForm | None = None, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    kept = monitoring.look_at_field_visit(pk, by=user)
    waits = kept.state in (_State.CONFLICT, _State.DUPLICATE)
    shown = {
        "kept": kept,
        "sent": monitoring.sent_visit(kept),
        "case": kept.case,
        "visits": kept.case.visits.all(),
        "events": kept.case.events.all(),
        "results": chain.rules()[1].results,
        "form": (form or SettleForm(auto_id="settle_%s", label_suffix=""))
        if waits and may(user, Act.RECORD_VISIT)
        else None,
        "problem": problem,
    }
    return render(request, "fieldvisits/visit.html", shown, status=422 if form is not None else 200)


def settle(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the visit up, note it, or set it aside."""
    if request.method != "POST":
        return redirect("field_visit", pk=pk)
    form = SettleForm(request.POST, auto_id="settle_%s", label_suffix="")
    if not form.is_valid():
        return _page(request, pk, form=form)
    try:
        chain.settle_field_visit(pk, by=asker(request), **form.cleaned_data)
    except DoudiError as problem:
        if problem.code in ("not_allowed", "field_visit_not_found", "warning_not_found"):
            raise
        return _page(request, pk, form=form, problem=problem)
    messages.success(request, _("手机回传已处理。"))
    return redirect("field_visit", pk=pk)


@require_safe
def picture(request: HttpRequest, pk: int) -> HttpResponse:
    """A photo or signature; shown as nothing but a picture."""
    content = monitoring.look_at_file(pk, by=asker(request))
    response = HttpResponse(content, content_type=media_type(content))
    response["Content-Disposition"] = "inline"
    return response
