"""Services ordered for families, their proofs and complaints, and the month's settlement with each provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, gettext_noop
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import care
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.forms import DayInput
from doudi.web.guard import asker
from doudi.web.payroll_forms import month_field
from doudi.web.steps import StepForms, take_step
from doudi.web.views.window.forms import EvidenceField

PAGE = 50
_STATES = [
    ("", gettext_noop("全部")),
    ("ordered", gettext_noop("待派单")),
    ("assigned", gettext_noop("服务中")),
    ("ended", gettext_noop("已结束")),
]


def _note(rows: int = 2) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": 1000})


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=DayInput(), initial=timezone.localdate)


class OrderForm(forms.Form):
    """A service for a member of the household on the page."""

    person_id = forms.TypedChoiceField(label=gettext_lazy("服务对象"), coerce=int)
    item = forms.ChoiceField(label=gettext_lazy("服务"))
    units = forms.IntegerField(label=gettext_lazy("数量"), min_value=1, max_value=1000)
    starts_on = _day(gettext_lazy("开始日期"))
    ends_on = _day(gettext_lazy("结束日期"))
    address = forms.CharField(label=gettext_lazy("服务地址和联系方式"), max_length=200)
    consent_on = _day(gettext_lazy("同意日期"))
    consent = forms.CharField(label=gettext_lazy("同意的凭据（谁、怎样同意）"), max_length=200)

    def __init__(self, *args: Any, people: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["person_id"].choices = people
        english = get_language() == "en"
        fields["item"].choices = [
            (one.code, one.label_en if english else one.label) for one in chain.care_rules().items.values()
        ]


class AssignForm(forms.Form):
    """Which body serves."""

    provider = forms.ChoiceField(label=gettext_lazy("服务机构"))

    def __init__(self, *args: Any, providers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = providers  # type: ignore[attr-defined]


class VisitForm(forms.Form):
    """What proves a visit."""

    begun_at = forms.DateTimeField(
        label=gettext_lazy("开始时间"),
        widget=forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"}),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
    )
    place = forms.CharField(label=gettext_lazy("地点"), max_length=120)
    units = forms.IntegerField(label=gettext_lazy("数量"), min_value=1, max_value=1000, initial=1)
    worker = forms.CharField(label=gettext_lazy("服务人员"), max_length=60)
    code = forms.CharField(
        label=gettext_lazy("服务对象的确认码"),
        max_length=6,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    signature = EvidenceField(label=gettext_lazy("签字（没有确认码时）"), required=False)
    photo = EvidenceField(label=gettext_lazy("现场照片"), required=False)
    note = forms.CharField(label=gettext_lazy("服务情况"), widget=_note(), required=False)


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(label=gettext_lazy("原因"), max_length=200)


class ReverseForm(ReasonForm):
    """Which visit was recorded wrongly."""

    visit = forms.TypedChoiceField(label=gettext_lazy("哪一次服务"), coerce=int)

    def __init__(self, *args: Any, visits: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["visit"].choices = visits  # type: ignore[attr-defined]


class ComplaintForm(forms.Form):
    """What is said against the service."""

    kind = forms.ChoiceField(label=gettext_lazy("种类"))
    visit = forms.TypedChoiceField(
        label=gettext_lazy("哪一次服务"), coerce=int, required=False, empty_value=None
    )
    said_on = _day(gettext_lazy("日期"))
    text = forms.CharField(label=gettext_lazy("内容"), widget=_note())

    def __init__(self, *args: Any, visits: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["kind"].choices = [(value, _(label)) for value, label in care.CareComplaint.Kind.choices]
        fields["visit"].choices = [("", _("不针对某一次")), *visits]


class DecideForm(forms.Form):
    """What was found."""

    complaint = forms.TypedChoiceField(label=gettext_lazy("投诉"), coerce=int)
    upheld = forms.ChoiceField(
        label=gettext_lazy("结论"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("属实")), ("no", gettext_lazy("不属实"))],
    )
    finding = forms.CharField(label=gettext_lazy("处理结果"), widget=_note())

    def __init__(self, *args: Any, complaints: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["complaint"].choices = complaints  # type: ignore[attr-defined]


class SettleForm(forms.Form):
    """Which provider's month."""

    region = forms.RegexField(r"^\d{6}$", label=gettext_lazy("县级区划代码"))
    provider = forms.ChoiceField(label=gettext_lazy("服务机构"))
    month = month_field(gettext_lazy("月份"))

    def __init__(self, *args: Any, providers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = providers  # type: ignore[attr-defined]


class VoucherForm(forms.Form):
    """That it was paid."""

    voucher = forms.CharField(label=gettext_lazy("拨付凭证号"), max_length=80)
    paid_on = _day(gettext_lazy("拨付日期"))


# ---- orders -----------------------------------------------------------------------------------------------------------


def care_list(request: HttpRequest) -> HttpResponse:
    """Orders, and the form for another of a household that was asked for."""
    user = asker(request)
    state = request.GET.get("state", "")
    number = request.GET.get("household", "").strip()[:60]
    people: list[tuple[int, str]] = []
    asked_for: DoudiError | None = None
    if number and may(user, Act.ORDER_CARE):
        try:
            registry.household(number, by=user)
            people = [
                (one.person_id, one.name) for one in registry.counted_members(number) if one.died_on is None
            ]
        except registry.HouseholdNotFound as problem:
            asked_for = problem
    form = OrderForm(request.POST if request.method == "POST" else None, people=people)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        shown = {
            "page": Paginator(care.care_orders(by=user, state=state), PAGE).get_page(request.GET.get("page")),
            "states": _STATES,
            "state": state,
            "household": number,
            "people": people,
            "form": form,
            "problem": problem or asked_for,
            "provider": care.is_provider(user),
        }
        return render(request, "payroll/care_list.html", shown, status=status)

    if request.method != "POST":
        return again(None, 200)
    return take_step(
        request,
        form,
        lambda told, by: chain.order_care(household_no=number, **told, by=by),
        again=again,
        done=_("服务单已登记，请另一人派单。"),
        then=redirect("care_list"),
    )


def _visit_name(visit: care.CareVisit) -> str:
    return f"{timezone.localtime(visit.begun_at):%Y-%m-%d %H:%M} {visit.worker}"


def _steps(found: care.CareOrder, user: User) -> dict[str, tuple[str, Callable[..., forms.Form]]]:
    """The steps that fit the order and the asker: name → heading and form."""
    visits = found.visits.filter(reverses=None, reversed_by=None)
    named = [(one.pk, _visit_name(one)) for one in visits]
    waiting = [
        (one.pk, f"{one.said_on} {one.text[:40]}")
        for one in found.complaints.filter(state="open")
        if one.recorded_by != user.username
    ]
    serving, open_ = found.state == "assigned", found.state != "ended"
    steps: dict[str, tuple[str, Callable[..., forms.Form]]] = {}
    if may(user, Act.ASSIGN_CARE) and found.state == "ordered" and found.ordered_by != user.username:
        bodies = chain.care_providers(by=user)
        steps["assign"] = (_("派单"), lambda *a, **k: AssignForm(*a, providers=bodies, **k))
    if may(user, Act.PROVE_CARE) and serving:
        steps["visit"] = (_("登记服务"), VisitForm)
    if may(user, Act.PROVE_CARE) and named:
        steps["reverse"] = (_("冲正登记错的服务"), lambda *a, **k: ReverseForm(*a, visits=named, **k))
    if may(user, Act.ORDER_CARE):
        steps["complaint"] = (_("登记投诉或爽约"), lambda *a, **k: ComplaintForm(*a, visits=named, **k))
        if open_:
            steps["code"] = (_("换发确认码"), forms.Form)
            steps["end"] = (_("结束服务"), ReasonForm)
    if may(user, Act.ASSIGN_CARE) and waiting:
        steps["decide"] = (_("处理投诉"), lambda *a, **k: DecideForm(*a, complaints=waiting, **k))
    return steps


def _act(number: str, step: str, told: dict[str, Any], by: User) -> None:
    if step == "assign":
        chain.assign_care(number, provider=told["provider"], by=by)
    elif step == "visit":
        photo, signature = told.pop("photo")[0], told.pop("signature")[0]
        chain.record_care_visit(number, **told, photo=photo, signature=signature, by=by)
    elif step == "reverse":
        care.reverse_care_visit(told["visit"], reason=told["reason"], by=by)
    elif step == "complaint":
        care.complain_of_care(number, **told, by=by)
    elif step == "code":
        care.renew_code(number, by=by)
    elif step == "end":
        care.end_care(number, reason=told["reason"], by=by)
    else:
        care.decide_care_complaint(
            told["complaint"], upheld=told["upheld"] == "yes", finding=told["finding"], by=by
        )


def care_page(request: HttpRequest, number: str) -> HttpResponse:
    """One order with its visits, complaints and the steps that come next."""
    user = asker(request)
    found = care.look_at_care(number, by=user)
    steps = _steps(found, user)
    typed = StepForms(request, {name: form for name, (_title, form) in steps.items()})
    if typed.strange:
        return redirect("care_order", number=number)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        provider = care.is_provider(user)
        shown = {
            "order": found,
            "left": found.units - care.used_units(found),
            "visits": found.visits.select_related("reversed_by").filter(reverses=None),
            "complaints": found.complaints.all(),
            "timeline": [] if provider else found.timeline.all(),
            "provider": provider,
            "open_name": provider or may(user, Act.ORDER_CARE),
            "steps": [(name, title, typed.form(name)) for name, (title, _form) in steps.items()],
            "sent": typed.sent,
            "problem": problem,
        }
        return render(request, "payroll/care_order.html", shown, status=status)

    if typed.bound is None:
        return again(None, 200)
    return take_step(
        request,
        typed.bound,
        lambda told, by: _act(number, typed.sent, told, by),
        again=again,
        done=_("已登记。"),
        then=redirect("care_order", number=number),
    )


def _proof(request: HttpRequest, pk: int, which: str) -> HttpResponse:
    content, media_type = care.care_proof(pk, which, by=asker(request))
    return HttpResponse(content, content_type=media_type, headers={"Content-Disposition": "inline"})


@require_safe
def photo(request: HttpRequest, pk: int) -> HttpResponse:
    """The picture of a visit; the look is in the log."""
    return _proof(request, pk, "photo")


@require_safe
def signature(request: HttpRequest, pk: int) -> HttpResponse:
    """The signature of a visit; the look is in the log."""
    return _proof(request, pk, "signature")


# ---- settlement -------------------------------------------------------------------------------------------------------


def settlement_list(request: HttpRequest) -> HttpResponse:
    """Settlements with providers, and the form that makes one."""
    user = asker(request)
    form = SettleForm(
        request.POST if request.method == "POST" else None,
        providers=care.providers_to_settle(by=user) if may(user, Act.SETTLE_CARE) else [],
        initial={"region": user.region_code[:6]},
    )

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        shown = {
            "page": Paginator(care.care_settlements(by=user), PAGE).get_page(request.GET.get("page")),
            "form": form,
            "problem": problem,
            "failed": status == 422,
        }
        return render(request, "payroll/care_settlements.html", shown, status=status)

    if request.method != "POST":
        return again(None, 200)
    return take_step(
        request,
        form,
        lambda told, by: care.settle_care(
            region_code=told["region"], provider=told["provider"], month=told["month"], by=by
        ),
        again=again,
        done=_("结算已编制，请另一人复核。"),
        then=redirect("care_settlements"),
    )


def settlement_page(request: HttpRequest, number: str) -> HttpResponse:
    """One settlement, visit by visit, and the step that comes next."""
    user = asker(request)
    found = care.care_settlement(number, by=user)
    forms_of: dict[str, tuple[str, type[forms.Form]]] = {}
    if found.state == "made" and may(user, Act.CHECK_CARE) and found.made_by != user.username:
        forms_of["check"] = (_("复核无误"), forms.Form)
    if (
        found.state == "checked"
        and may(user, Act.PAY_CARE)
        and user.username not in (found.made_by, found.checked_by)
    ):
        forms_of["pay"] = (_("登记拨付"), VoucherForm)
    if found.state in ("made", "checked") and may(user, Act.SETTLE_CARE):
        forms_of["withdraw"] = (_("作废"), ReasonForm)
    typed = StepForms(request, {name: form for name, (_title, form) in forms_of.items()})
    if typed.strange:
        return redirect("care_settlement", number=number)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        shown = {
            "settlement": found,
            "lines": found.lines.select_related("visit__order"),
            "steps": [(name, title, typed.form(name)) for name, (title, _form) in forms_of.items()],
            "sent": typed.sent,
            "problem": problem,
        }
        return render(request, "payroll/care_settlement.html", shown, status=status)

    if typed.bound is None:
        return again(None, 200)

    def act(told: dict[str, Any], by: User) -> None:
        if typed.sent == "check":
            care.check_care_settlement(number, by=by)
        elif typed.sent == "pay":
            care.pay_care_settlement(number, **told, by=by)
        else:
            care.withdraw_care_settlement(number, reason=told["reason"], by=by)

    return take_step(
        request,
        typed.bound,
        act,
        again=again,
        done=_("已登记。"),
        then=redirect("care_settlement", number=number),
    )
