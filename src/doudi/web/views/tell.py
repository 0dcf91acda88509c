"""The public's door (主动发现): telling of a family in difficulty without an account, and asking how far it is."""

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
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.addresses import client_address
from doudi.web.public_door import device_of, mark_device, township_of
from doudi.web.templatetags.doudi import english
from doudi.web.terms import REPORT_STEPS


class TellForm(forms.Form):
    """What is said of a family; only the situation and one way to find the family are asked for."""

    token = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)
    village = forms.ChoiceField(label=gettext_lazy("村（社区）"), required=False)
    family_name = forms.CharField(label=gettext_lazy("困难家庭的姓名"), max_length=40, required=False)
    place = forms.CharField(
        label=gettext_lazy("住在哪里"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("例如：三组村口小卖部旁。姓名和住址至少填一项。"),
    )
    difficulty = forms.ChoiceField(label=gettext_lazy("有什么困难"), widget=forms.RadioSelect)
    text = forms.CharField(
        label=gettext_lazy("说说情况"),
        min_length=4,
        max_length=monitoring.MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("不要写身份证号、银行卡号。"),
    )
    channel = forms.ChoiceField(label=gettext_lazy("您是"), widget=forms.RadioSelect)
    contact = forms.CharField(
        label=gettext_lazy("您的电话（可不填）"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )
    told = forms.BooleanField(label=gettext_lazy("这户人家知道我来报告"), required=False)
    consent = forms.BooleanField(label=gettext_lazy("我已看过上面的说明，所说属实"))
    # people do not see this field; programs that fill in every field betray themselves
    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, at: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        kinds = chain.outreach().difficulties.values()
        set_choices = {
            "village": [("", _("不清楚")), *registry.children(at)],
            "difficulty": [(kind.code, kind.label_en if english() else kind.label) for kind in kinds],
            "channel": [(code, _(monitoring.CHANNELS[code])) for code in monitoring.PUBLIC_CHANNELS],
        }
        for name, choices in set_choices.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]


@never_cache
def tell(request: HttpRequest) -> HttpResponse:
    """Choose the county and township by links, then fill in one short form."""
    township, choices = township_of(request)
    if not township:
        return render(request, "outreach/where.html", choices)
    # only what was posted is read: a link cannot fill the form in for somebody
    form = TellForm(request.POST if request.method == "POST" else None, at=township)
    if request.method == "POST":
        if form.is_valid():
            return _take(request, form, township)
    else:
        form.initial = {"token": secrets.token_hex(16)}
    return _form(request, form, township)


def _form(
    request: HttpRequest, form: TellForm, township: str, problem: DoudiError | None = None
) -> HttpResponse:
    shown = {"form": form, "at": township, "problem": problem, "several": True}
    status = 429 if problem is not None and problem.code == "too_many" else 422
    response = render(request, "outreach/tell.html", shown, status=status if problem or form.errors else 200)
    return mark_device(request, response)


def _take(request: HttpRequest, form: TellForm, township: str) -> HttpResponse:
    typed = form.cleaned_data
    if typed["website"]:
        # a program is told nothing that would help it
        return render(request, "outreach/told.html", {"receipt": ""})
    try:
        report = chain.take_report(
            token=typed["token"],
            channel=typed["channel"],
            region_code=typed["village"] or township,
            difficulty=typed["difficulty"],
            family_name=typed["family_name"],
            place=typed["place"],
            text=typed["text"],
            contact=typed["contact"],
            told=typed["told"],
            address=client_address(request),
            device=device_of(request),
        )
    except DoudiError as problem:
        return _form(request, form, township, problem)
    return render(request, "outreach/told.html", {"receipt": f"{report.receipt[:5]}-{report.receipt[5:]}"})


@never_cache
def status(request: HttpRequest) -> HttpResponse:
    """How far a report is, by its code; the code comes in the body, so that it stands in no server's log."""
    shown: dict[str, Any] = {}
    if request.method == "POST":
        try:
            progress = monitoring.progress_of(
                request.POST.get("receipt", "")[:40],
                rules=chain.outreach(),
                address=client_address(request),
            )
            shown = {"progress": progress, "words": _(REPORT_STEPS.get(progress.step, ""))}
        except DoudiError as problem:
            return render(request, "outreach/status.html", {"problem": problem}, status=429)
    return render(request, "outreach/status.html", shown)
