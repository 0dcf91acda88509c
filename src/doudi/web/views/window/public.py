"""The window on a telephone (手机申请): beginning an application without an account, and asking how far it is."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from doudi import chain
from doudi.contexts.assistance import services as assistance
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.addresses import client_address
from doudi.web.public_door import device_of, mark_device, township_of
from doudi.web.views.window.forms import kind_choices


class ApplyForm(forms.Form):
    """Who applies for what; the papers are shown at the window or to who comes by."""

    token = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)
    village = forms.ChoiceField(label=gettext_lazy("村（社区）"), required=False)
    kind = forms.ChoiceField(
        label=gettext_lazy("申请什么"),
        widget=forms.RadioSelect,
        help_text=gettext_lazy("分不清也没关系，选最接近的，由窗口转给负责的部门。"),
    )
    name = forms.CharField(label=gettext_lazy("申请人姓名"), max_length=80)
    id_number = forms.CharField(
        label=gettext_lazy("申请人身份证号"),
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    phone = forms.CharField(
        label=gettext_lazy("联系电话"), max_length=40, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    reason = forms.CharField(
        label=gettext_lazy("家里有什么困难"),
        min_length=4,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    consent = forms.BooleanField(label=gettext_lazy("我已看过上面的说明，所填属实"))
    # people do not see this field; programs that fill in every field betray themselves
    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, at: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["village"].choices = [("", _("不清楚")), *registry.children(at)]  # type: ignore[attr-defined]
        self.fields["kind"].choices = kind_choices()  # type: ignore[attr-defined]


@never_cache
def apply(request: HttpRequest) -> HttpResponse:
    """Choose the county and township by links, then fill in one short form."""
    township, choices = township_of(request)
    if not township:
        return render(request, "window/where.html", choices)
    form = ApplyForm(request.POST if request.method == "POST" else None, at=township)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        if typed["website"]:
            # a program is told nothing that would help it
            return render(request, "window/applied.html", {"receipt": ""})
        try:
            found = chain.start_by_oneself(
                kind=typed["kind"],
                applicant=assistance.Applicant(typed["name"], typed["id_number"], typed["phone"]),
                reason=typed["reason"],
                region_code=typed["village"] or township,
                token=typed["token"],
                address=client_address(request),
                device=device_of(request),
            )
        except DoudiError as refused:
            problem = refused
        else:
            code = f"{found.receipt[:5]}-{found.receipt[5:]}"
            return render(request, "window/applied.html", {"receipt": code})
    if request.method != "POST":
        form.initial = {"token": secrets.token_hex(16)}
    status = 429 if problem is not None and problem.code == "too_many" else 422
    response = render(
        request,
        "window/apply.html",
        {"form": form, "at": township, "problem": problem},
        status=status if problem or form.errors else 200,
    )
    return mark_device(request, response)


@never_cache
def progress(request: HttpRequest) -> HttpResponse:
    """How far an application is, by its code and the end of the number; both come in the body, never in an address."""
    shown: dict[str, Any] = {}
    if request.method == "POST":
        try:
            shown["progress"] = chain.application_progress(
                request.POST.get("receipt", "")[:40],
                request.POST.get("tail", "")[:8],
                address=client_address(request),
            )
        except DoudiError as problem:
            return render(request, "window/progress.html", {"problem": problem}, status=429)
    return render(request, "window/progress.html", shown)
