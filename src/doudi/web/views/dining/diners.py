"""Old people who eat in the network: search, enrolment, one person with steps."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import services as meals
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.web.forms import DayInput
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english
from doudi.web.views.dining.stepping import (
    day_typed,
    run_step,
    signature_typed,
    the_day,
    whole_typed,
    words_typed,
)

PAGE = 30


def _translated(choices: Any) -> list[tuple[str, str]]:
    return [(value, _(str(label))) for value, label in choices]


class EnrolForm(forms.Form):
    """Who is enrolled, what they may eat, how to reach them, and that they agreed."""

    name = forms.CharField(label=gettext_lazy("姓名"), max_length=80)
    id_number = forms.CharField(label=gettext_lazy("身份证号"), max_length=24)
    channel = forms.ChoiceField(label=gettext_lazy("登记方式"))
    site_code = forms.ChoiceField(label=gettext_lazy("常去助餐点"))
    region_code = forms.RegexField(r"^\d{9}(\d{3})?$", label=gettext_lazy("居住地代码（乡镇九位或村十二位）"))
    registered_region = forms.RegexField(
        r"^\d{6}(\d{3})?(\d{3})?$",
        label=gettext_lazy("户籍地代码（县六位；已在低收入人口登记的可不填）"),
        required=False,
    )
    address = forms.CharField(label=gettext_lazy("住址"), max_length=200, required=False)
    phone = forms.CharField(label=gettext_lazy("电话"), max_length=40, required=False)
    card = forms.CharField(label=gettext_lazy("就餐卡号（可不填）"), max_length=40, required=False)
    living = forms.ChoiceField(label=gettext_lazy("居住情况"), required=False)
    disability = forms.TypedChoiceField(
        label=gettext_lazy("残疾等级"), required=False, coerce=int, empty_value=None
    )
    texture = forms.ChoiceField(label=gettext_lazy("食物质地"))
    diets = forms.MultipleChoiceField(
        label=gettext_lazy("膳食要求"), required=False, widget=forms.CheckboxSelectMultiple
    )
    allergies = forms.CharField(label=gettext_lazy("过敏（用顿号分开）"), max_length=100, required=False)
    halal = forms.BooleanField(label=gettext_lazy("清真"), required=False)
    illness = forms.CharField(label=gettext_lazy("病情（可不填，加密保存）"), max_length=200, required=False)
    delivered = forms.BooleanField(label=gettext_lazy("送餐上门"), required=False)
    longitude = forms.FloatField(
        label=gettext_lazy("经度（送餐用，可不填）"), min_value=73, max_value=136, required=False
    )
    latitude = forms.FloatField(
        label=gettext_lazy("纬度（送餐用，可不填）"), min_value=3, max_value=54, required=False
    )
    carer_name = forms.CharField(label=gettext_lazy("紧急联系人"), max_length=80, required=False)
    carer_phone = forms.CharField(label=gettext_lazy("紧急联系电话"), max_length=40, required=False)
    worker_name = forms.CharField(label=gettext_lazy("村（社区）联系人"), max_length=80, required=False)
    worker_phone = forms.CharField(label=gettext_lazy("村（社区）联系电话"), max_length=40, required=False)
    remark = forms.CharField(label=gettext_lazy("送餐提示"), max_length=200, required=False)
    proof = forms.TypedChoiceField(
        label=gettext_lazy("凭什么领餐"), required=False, empty_value=meals.Diner.Proof.CODE
    )
    signature = forms.CharField(required=False, widget=forms.HiddenInput())
    consent_on = forms.DateField(label=gettext_lazy("同意日期"), widget=DayInput())
    consent_by = forms.CharField(label=gettext_lazy("同意人"), max_length=80)
    consent_how = forms.ChoiceField(label=gettext_lazy("同意方式"))

    def __init__(self, *args: Any, places: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = chain.meal_network()
        choose: Any = self.fields
        choose["channel"].choices = _translated(meals.Diner.Channel.choices)
        choose["site_code"].choices = [(place.code, place.name) for place in places]
        choose["living"].choices = [("", _("未填"))] + [(word, _(word)) for word in meals.LIVING]
        choose["disability"].choices = [("", _("无"))] + [(grade, str(grade)) for grade in (1, 2, 3, 4)]
        choose["texture"].choices = _translated(meals.Diner.Texture.choices)
        choose["diets"].choices = [
            (diet.code, diet.label_en if english() else diet.label)
            for diet in rules.diets.values()
            if diet.code != "halal"
        ]
        choose["proof"].choices = _translated(meals.Diner.Proof.choices)
        choose["consent_how"].choices = [(word, _(word)) for word in meals.CONSENT_WAYS]


class ChangeForm(EnrolForm):
    """What may change about a diner; the rest of the enrolment stands."""

    _FIXED = ("name", "id_number", "channel", "region_code", "registered_region", "card", "disability")
    _CONSENT = ("consent_on", "consent_by", "consent_how", "proof", "signature")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*self._FIXED, *self._CONSENT):
            del self.fields[name]


@require_safe
def diner_list(request: HttpRequest) -> HttpResponse:
    """Diners by name, telephone, meal code or number."""
    user = asker(request)
    text, status = request.GET.get("text", ""), request.GET.get("status", "all")
    found = meals.diners(by=user, text=text, status=status)
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "text": text,
        "status": status,
        "waiting": meals.diners(by=user, status="applied").count(),
        "states": [("all", gettext_lazy("全部")), *meals.Diner.Status.choices],
    }
    return render(request, "dining/diners.html", shown)


def diner_new(request: HttpRequest) -> HttpResponse:
    """Enrol an old person."""
    user = asker(request)
    form = EnrolForm(
        request.POST or None,
        places=meals.places_for(by=user),
        initial={
            "consent_on": timezone.localdate(),
            "consent_by": _("本人"),
            "region_code": user.region_code,
        },
    )
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = dict(form.cleaned_data)
        typed["diets"] = tuple(typed["diets"])
        typed["allergies"] = words_typed(typed["allergies"])
        try:
            typed["signature"] = signature_typed(typed["signature"])
            kept = chain.enrol_diner(meals.Enrolment(**typed), by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已登记，取餐码 %s。") % kept.code)
            return redirect("diner", number=kept.number)
    shown = {"form": form, "problem": problem}
    return render(request, "dining/diner_new.html", shown, status=422 if form.is_bound else 200)


@require_safe
def diner_page(request: HttpRequest, number: str) -> HttpResponse:
    """One diner; the look is in the audit log."""
    meals.look_at_diner(number, by=asker(request))
    return _page(request, number)


@require_safe
def signature(request: HttpRequest, number: str) -> HttpResponse:
    """The signature that was drawn at the enrolment; the look is in the log."""
    content, media_type = meals.look_at_signature(number, by=asker(request))
    answer = HttpResponse(content, content_type=media_type)
    answer["Content-Disposition"] = "inline"
    return answer


def _page(request: HttpRequest, number: str, problem: DoudiError | None = None) -> HttpResponse:
    user = asker(request)
    found = meals.diner(number, by=user)
    today = timezone.localdate()
    rules = chain.meal_network()
    shown = {
        "diner": found,
        "problem": problem,
        "typed": request.POST if problem else {},
        "id_shown": identity.mask_id(found.id_number),
        "age": meals.age_on(found.born_on, today),
        "diets": [rules.diets[code] for code in found.diets if code in rules.diets],
        "stops": list(found.stops.all()),
        "assessments": list(found.assessments.all()[:3]),
        "patterns": [
            one for one in found.patterns.order_by("-pk")[:6] if one.until is None or one.until >= today
        ],
        "orders": list(found.orders.filter(day__gte=today).select_related("site")[:14]),
        "meals": list(found.meals.select_related("site")[:10]),
        "events": list(found.events.order_by("-pk")[:20]),
        "confirm": may(user, Act.CONFIRM_DINER),
        "order": may(user, Act.TAKE_ORDER),
        "weekdays": list(zip(range(1, 8), "一二三四五六日", strict=True)),
        "meal_kinds": meals.Meal.choices,
        "stop_kinds": meals.DinerStop.Kind.choices,
        "needs": (
            ("living", meals.LIVING),
            ("mobility", meals.MOBILITY),
            ("cooking", meals.COOKING),
            ("way", meals.WAYS),
        ),
        "today": today,
        "family_codes": meals.family_codes(found),
        "consent_ways": meals.CONSENT_WAYS,
    }
    return render(request, "dining/diner.html", shown, status=422 if problem else 200)


def diner_change(request: HttpRequest, number: str) -> HttpResponse:
    """Change how a diner eats and is reached."""
    user = asker(request)
    found = meals.look_at_diner(number, by=user)
    first = {name: getattr(found, name) for name in meals.CHANGEABLE} | {
        "site_code": found.site.code,
        "allergies": "、".join(found.allergies),
    }
    form = ChangeForm(request.POST or None, places=meals.places_for(by=user), initial=first)
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = dict(form.cleaned_data)
        typed["diets"], typed["allergies"] = list(typed["diets"]), list(words_typed(typed["allergies"]))
        try:
            names = meals.change_diner(found, rules=chain.meal_network(), by=user, **typed)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(
                request,
                _("已变更：%s。") % "、".join(_(name) for name in names) if names else _("没有改动。"),
            )
            return redirect("diner", number=number)
    shown = {"form": form, "problem": problem, "diner": found}
    return render(request, "dining/diner_change.html", shown, status=422 if form.is_bound else 200)


def diner_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step for a diner."""
    found = meals.diner(number, by=asker(request))
    typed = request.POST

    def confirm(_request: HttpRequest, user: User) -> str:
        meals.confirm_diner(found, by=user)
        return _("已核实，可以订餐和就餐。")

    def card(_request: HttpRequest, user: User) -> str:
        meals.give_card(found, card=typed.get("card", ""), by=user)
        return _("就餐卡已登记。")

    def leave(_request: HttpRequest, user: User) -> str:
        meals.leave(found, ground=typed.get("ground", ""), by=user)
        return _("已退出。")

    def stop(_request: HttpRequest, user: User) -> str:
        meals.record_stop(
            found,
            kind=typed.get("kind", ""),
            since=the_day(typed.get("since", "")),
            until=day_typed(typed.get("until", ""), empty=True),
            source=typed.get("source", ""),
            by=user,
        )
        return _("已登记，期间不补贴。")

    def assess(_request: HttpRequest, user: User) -> str:
        meals.assess(
            found,
            assessed_on=the_day(typed.get("assessed_on", "")),
            living=typed.get("living", ""),
            mobility=typed.get("mobility", ""),
            cooking=typed.get("cooking", ""),
            way=typed.get("way", ""),
            note=typed.get("note", ""),
            by=user,
        )
        return _("评估已登记。")

    def pattern(_request: HttpRequest, user: User) -> str:
        meals.keep_pattern(
            found,
            place=meals.site(typed.get("site", "") or found.site.code, by=user),
            meal=typed.get("meal", ""),
            weekdays=[whole_typed(day) for day in typed.getlist("weekdays")],
            since=the_day(typed.get("since", "")),
            delivery=bool(typed.get("delivery")),
            placed_for=typed.get("placed_for", ""),
            by=user,
        )
        return _("按周订餐已保存。")

    def pause(_request: HttpRequest, user: User) -> str:
        meals.pause(
            found,
            since=the_day(typed.get("since", "")),
            until=the_day(typed.get("until", "")),
            ground=typed.get("ground", ""),
            by=user,
        )
        return _("期间不订餐，已订的已取消。")

    def family(_request: HttpRequest, user: User) -> str:
        code = chain.issue_family_code(
            number, who=typed.get("who", ""), consent_how=typed.get("consent_how", ""), by=user
        )
        return _("家属码 %s，只显示这一次，请抄给家属。") % code

    def family_end(_request: HttpRequest, user: User) -> str:
        meals.end_family_code(found, whole_typed(typed.get("pk", "")), by=user)
        return _("家属码已停用。")

    steps = {
        "confirm": confirm, "card": card, "leave": leave, "stop": stop, "assess": assess, "pattern": pattern,
        "pause": pause, "family": family, "family-end": family_end,
    }  # fmt: skip
    return run_step(
        request,
        steps,
        step,
        again=lambda problem: _page(request, number, problem),
        then=redirect("diner", number=number),
    )


def follow(request: HttpRequest) -> HttpResponse:
    """Compare all diners of the area with the register: category, death, custody."""
    user = asker(request)
    if request.method == "POST":
        done = chain.follow_register(on=timezone.localdate(), by=user)
        messages.success(
            request,
            _("已核对 %(diners)d 人：类别变化 %(categories)d 人，新增不补贴 %(stops)d 项。")
            % {"diners": done.diners, "categories": done.categories, "stops": done.stops},
        )
    return redirect("diners")
