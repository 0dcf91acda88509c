"""The public's side of the meals: a relative orders with a code, an old person asks for meals; no account, no looks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from doudi import chain
from doudi.contexts.meals import services as meals
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.addresses import client_address
from doudi.web.public_door import device_of, mark_device
from doudi.web.views.dining.stepping import the_day, words_typed

_MOST_PLACES = 300


@never_cache
def family(request: HttpRequest) -> HttpResponse:
    """Order for a parent; code and end of the number come in the body of every request, never in an address."""
    shown: dict[str, Any] = {"today": timezone.localdate()}
    if request.method != "POST":
        return render(request, "dining/family.html", shown)
    typed = request.POST
    code, tail = typed.get("code", "")[:20], typed.get("tail", "")[:8]
    address, step = client_address(request), typed.get("step", "")
    problem: DoudiError | None = None
    try:
        if step == "order":
            shown["done"] = chain.family_order(
                code, tail, shown=typed.getlist("shown"), wanted=typed.getlist("want"), address=address
            )
        elif step == "pause":
            shown["paused"] = chain.family_pause(
                code,
                tail,
                since=the_day(typed.get("since", "")),
                until=the_day(typed.get("until", "")),
                address=address,
            )
    except DoudiError as refused:
        problem = refused
    if problem is None or problem.code not in ("too_many", "family_code_wrong"):
        try:
            view = chain.family_view(code, tail, address=address)
        except DoudiError as refused:
            problem = refused
        else:
            shown |= {"view": view, "code": code, "tail": tail}
    shown |= {"problem": problem, "typed": typed if problem else {}}
    status = 200 if problem is None else 429 if problem.code == "too_many" else 422
    return render(request, "dining/family.html", shown, status=status)


class JoinForm(forms.Form):
    """Who asks for meals, where and how; what the township needs to confirm it and no more."""

    channel = forms.ChoiceField(
        label=gettext_lazy("谁在填"),
        choices=[("self", gettext_lazy("老人本人")), ("family", gettext_lazy("家属"))],
        widget=forms.RadioSelect,
    )
    name = forms.CharField(label=gettext_lazy("老人姓名"), max_length=80)
    id_number = forms.CharField(
        label=gettext_lazy("老人身份证号"),
        max_length=24,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    home = forms.ChoiceField(
        label=gettext_lazy("老人户籍"),
        choices=[("here", gettext_lazy("在本县（市、区）")), ("away", gettext_lazy("在外地"))],
        widget=forms.RadioSelect,
    )
    region_code = forms.ChoiceField(label=gettext_lazy("住在哪个村（社区）或乡镇"))
    address = forms.CharField(label=gettext_lazy("住址"), max_length=200)
    phone = forms.CharField(
        label=gettext_lazy("联系电话"), max_length=40, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    living = forms.ChoiceField(label=gettext_lazy("居住情况"), required=False)
    delivered = forms.BooleanField(label=gettext_lazy("出门不便，希望送餐上门"), required=False)
    texture = forms.ChoiceField(label=gettext_lazy("食物质地"))
    allergies = forms.CharField(label=gettext_lazy("过敏（用顿号分开）"), max_length=100, required=False)
    carer_name = forms.CharField(label=gettext_lazy("紧急联系人"), max_length=80, required=False)
    carer_phone = forms.CharField(label=gettext_lazy("紧急联系电话"), max_length=40, required=False)
    consent = forms.BooleanField(
        label=gettext_lazy("老人同意把这些信息用于助餐，所填属实"),
    )
    # people do not see this field; programs that fill in every field betray themselves
    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, place: meals.Site, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        township = place.region_code[:9]
        others = [one for one in registry.children(place.region_code[:6]) if one[0] != township]
        choose: Any = self.fields
        choose["region_code"].choices = [
            *registry.children(township),
            (township, _("本乡镇（街道），村（社区）不清楚")),
            *others,
        ]
        choose["living"].choices = [("", _("未填"))] + [(word, _(word)) for word in meals.LIVING]
        choose["texture"].choices = [(value, _(str(label))) for value, label in meals.Diner.Texture.choices]


@never_cache
def join(request: HttpRequest) -> HttpResponse:
    """Choose a place, then fill in one form; the township confirms."""
    at = request.POST.get("at", request.GET.get("at", ""))[:40]
    places = meals.places_to_join()
    if not at:
        return render(request, "dining/join_where.html", {"places": places[:_MOST_PLACES]})
    place = places.filter(code=at).first()
    if place is None:
        raise Http404(at)
    # only what was posted is read: a link cannot fill the form in for somebody
    form = JoinForm(request.POST if request.method == "POST" else None, place=place)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = dict(form.cleaned_data)
        if typed.pop("website"):
            # a program is told nothing that would help it
            return render(request, "dining/joined.html", {"place": place})
        try:
            chain.enrol_by_oneself(
                _told(typed, place),
                address=client_address(request),
                device=device_of(request),
            )
        except DoudiError as refused:
            problem = refused
        else:
            return render(request, "dining/joined.html", {"place": place})
    status = 200
    if request.method == "POST":
        status = 429 if problem is not None and problem.code == "too_many" else 422
    response = render(
        request, "dining/join.html", {"form": form, "place": place, "problem": problem}, status=status
    )
    return mark_device(request, response)


def _told(typed: dict[str, Any], place: meals.Site) -> meals.Enrolment:
    typed.pop("consent")
    here = typed.pop("home") == "here"
    return meals.Enrolment(
        **{**typed, "allergies": words_typed(typed["allergies"])},
        site_code=place.code,
        registered_region=place.region_code[:6] if here else "",
        consent_on=timezone.localdate(),
        consent_by=typed["name"],
        consent_how=meals.CONSENT_ONLINE,
    )
