"""The window on a telephone (手机申请): beginning an application without an account, and asking how far it is."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from doudi import chain
from doudi.contexts.assistance import services as assistance
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.house import qrcode
from doudi.web.addresses import client_address
from doudi.web.public_door import device_of, mark_device, township_of
from doudi.web.templatetags.doudi import english
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


class PictureForm(forms.Form):
    """A picture of one paper; what it is, its content says."""

    code = forms.CharField(max_length=20)
    picture = forms.FileField(
        error_messages={
            "required": gettext_lazy("请选择或拍一张照片。"),
            "empty": gettext_lazy("照片是空的，请重拍。"),
        }
    )


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
            at = request.build_absolute_uri(reverse("apply_progress"))
            square = base64.b64encode(qrcode.to_svg(at).encode()).decode()
            shown = {"receipt": code, "tail": typed["id_number"].strip()[-4:], "square": square}
            return render(request, "window/applied.html", shown)
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
    if request.method != "POST":
        return render(request, "window/progress.html", {})
    return _told(
        request, lambda receipt, tail, address: chain.application_progress(receipt, tail, address=address)
    )


@never_cache
@require_POST
def add_paper(request: HttpRequest) -> HttpResponse:
    """A picture of a paper from who applied; what is missing is shown anew."""
    form = PictureForm(request.POST, request.FILES)
    if not form.is_valid():
        words = "；".join(str(text) for texts in form.errors.values() for text in texts)
        return _told(request, problem=DoudiError(words, words, code="picture_refused"))
    code, picture = form.cleaned_data["code"], form.cleaned_data["picture"].read()
    return _told(
        request,
        lambda receipt, tail, address: chain.hand_in_paper(receipt, tail, code, picture, address=address),
        taken=True,
    )


def _told(
    request: HttpRequest,
    ask: Callable[[str, str, str], assistance.Progress] | None = None,
    *,
    taken: bool = False,
    problem: DoudiError | None = None,
) -> HttpResponse:
    """The progress page for the code in the body; a refusal stands above what is known."""
    receipt, tail = request.POST.get("receipt", "")[:40], request.POST.get("tail", "")[:8]
    address = client_address(request)
    shown: dict[str, Any] = {"receipt": receipt, "tail": tail, "problem": problem, "english": english()}
    if ask is not None:
        try:
            shown["progress"] = ask(receipt, tail, address)
            shown["taken"] = taken and shown["progress"].found
        except DoudiError as refused:
            shown["problem"] = problem = refused
    if problem is None:
        return render(request, "window/progress.html", shown)
    if problem.code == "too_many":
        return render(request, "window/progress.html", shown, status=429)
    with suppress(DoudiError):
        shown["progress"] = chain.application_progress(receipt, tail, address=address)
    return render(request, "window/progress.html", shown, status=422)
