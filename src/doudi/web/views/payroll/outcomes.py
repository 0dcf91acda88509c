"""Whether help helped, reviews of recipients, and what was paid by month: figures that open their lists."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import payroll
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import first_of
from doudi.engine.errors import DoudiError
from doudi.web import payroll_forms as typed
from doudi.web.forms import DayInput, YuanField
from doudi.web.guard import asker
from doudi.web.steps import StepForms, take_step
from doudi.web.views.payroll.rosters import county_of

PAGE = 50
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LOOKS = [
    ("due", gettext_noop("待随访")),
    ("late", gettext_noop("已逾期")),
    ("done", gettext_noop("已随访")),
    ("", gettext_noop("全部")),
]
_REVIEWS = [
    ("due", gettext_noop("待复查")),
    ("late", gettext_noop("已逾期")),
    ("hearing", gettext_noop("待听取陈述或决定")),
    ("done", gettext_noop("已完成")),
]


SATISFACTION = [
    ("5", gettext_lazy("很满意")),
    ("4", gettext_lazy("满意")),
    ("3", gettext_lazy("一般")),
    ("2", gettext_lazy("不满意")),
    ("1", gettext_lazy("很不满意")),
]
"""What the five marks mean to the family; the figures show their mean."""


class FollowUpForm(forms.Form):
    """What a look found."""

    result = forms.ChoiceField(
        label=gettext_lazy("结果"), widget=forms.RadioSelect, choices=payroll.FollowUp.Result.choices
    )
    done_on = forms.DateField(
        label=gettext_lazy("实际随访日期"), widget=DayInput(), initial=timezone.localdate
    )
    after_income = YuanField(label=gettext_lazy("现在人均月收入（元，可不填）"), required=False)
    before_ratio = forms.IntegerField(
        label=gettext_lazy("救助前刚性支出占比（%，可不填）"), required=False, min_value=0, max_value=10_000
    )
    after_ratio = forms.IntegerField(
        label=gettext_lazy("现在刚性支出占比（%，可不填）"), required=False, min_value=0, max_value=10_000
    )
    satisfaction = forms.TypedChoiceField(
        label=gettext_lazy("满意度"), required=False, coerce=int, empty_value=None,
        choices=[("", "—"), *SATISFACTION],
    )  # fmt: skip
    repeat_need = forms.BooleanField(label=gettext_lazy("同样的困难又出现"), required=False)
    unmet = forms.CharField(label=gettext_lazy("还缺什么"), required=False, max_length=300)
    note = forms.CharField(
        label=gettext_lazy("情况"), widget=forms.Textarea(attrs={"rows": 3, "maxlength": 1000})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["result"].choices = [(value, _(label)) for value, label in payroll.FollowUp.Result.choices]


class ReviewForm(forms.Form):
    """What a review found."""

    result = forms.ChoiceField(
        label=gettext_lazy("复查结果"),
        widget=forms.RadioSelect,
        choices=[
            ("keep", gettext_lazy("继续享受")),
            ("change", gettext_lazy("调整金额（另作调整决定）")),
            ("exit", gettext_lazy("建议退出（先听取陈述）")),
        ],
    )
    finding = forms.CharField(
        label=gettext_lazy("复查情况"), widget=forms.Textarea(attrs={"rows": 3, "maxlength": 1000})
    )
    reviewed_on = forms.DateField(
        label=gettext_lazy("复查日期"), widget=DayInput(), initial=timezone.localdate
    )


class HearingForm(forms.Form):
    """What the family said."""

    heard_on = forms.DateField(
        label=gettext_lazy("听取陈述日期"), widget=DayInput(), initial=timezone.localdate
    )
    heard = forms.CharField(
        label=gettext_lazy("家庭陈述"), widget=forms.Textarea(attrs={"rows": 3, "maxlength": 1000})
    )


class ExitForm(forms.Form):
    """Whether the benefit stops."""

    agree = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("退出，次月起停发")), ("no", gettext_lazy("不退出，继续享受"))],
    )
    decision_no = forms.CharField(label=gettext_lazy("文号"), max_length=80)


class OfferForm(forms.Form):
    """Work that was offered to a recipient."""

    household_no = forms.CharField(label=gettext_lazy("户编号"), max_length=60)
    person_id = forms.IntegerField(label=gettext_lazy("人员编号（见待遇页）"), min_value=1)
    offered_on = forms.DateField(
        label=gettext_lazy("介绍日期"), widget=DayInput(), initial=timezone.localdate
    )
    job = forms.CharField(label=gettext_lazy("岗位"), max_length=120)
    accepted = forms.BooleanField(label=gettext_lazy("接受"), required=False)
    justified = forms.BooleanField(label=gettext_lazy("有正当理由"), required=False)
    reason = forms.CharField(label=gettext_lazy("拒绝理由"), max_length=200, required=False)


class BudgetForm(forms.Form):
    """A year's appropriation."""

    year = forms.IntegerField(label=gettext_lazy("年度"), min_value=2000, max_value=2100)
    region = forms.RegexField(r"^\d{6}$", label=gettext_lazy("县级区划代码"))
    benefit = forms.ChoiceField(label=gettext_lazy("待遇"))
    amount = YuanField(label=gettext_lazy("预算（元）"))
    document = forms.CharField(label=gettext_lazy("预算文号"), max_length=80)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["benefit"].choices = [  # type: ignore[attr-defined]
            (one.code, one.label) for one in chain.benefit_rules().benefits.values()
        ]


# ---- outcome ----------------------------------------------------------------------------------------------------------


@require_safe
def outcome_page(request: HttpRequest) -> HttpResponse:
    """The evaluation by measure and township, and the looks to be taken."""
    user = asker(request)
    asked = {
        key: request.GET.get(key, "").strip() for key in ("state", "measure", "region", "result", "only")
    }
    state = asked["state"] if "state" in request.GET else ("" if any(asked.values()) else "due")
    found = payroll.follow_ups(
        by=user,
        state=state,
        measure=asked["measure"],
        township=asked["region"],
        result=asked["result"],
        repeat=asked["only"] == "repeat",
        unmet=asked["only"] == "unmet",
    )
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "states": _LOOKS,
        "state": state,
        "by_measure": payroll.outcome_figures(by=user),
        "by_township": payroll.outcome_figures(by=user, along="township"),
        "repeated": payroll.repeated_aid(by=user)[:PAGE],
    }
    return render(request, "payroll/outcomes.html", shown)


@require_safe
def per_head(request: HttpRequest) -> HttpResponse:
    """Aid per head by layer, of the past year."""
    user = asker(request)
    labels = {code: label for label, code in registry.CATEGORY_CODES.items()}
    found = [(labels.get(one.layer, ""), one) for one in payroll.aid_per_head(by=user)]
    return render(request, "payroll/per_head.html", {"rows": found})


def follow_up_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One look, and the form that records it."""
    user = asker(request)
    found = payroll.follow_up_of(pk, by=user)
    form = FollowUpForm(request.POST if request.method == "POST" else None)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        shown = {
            "look": found,
            "form": form,
            "problem": problem,
            "open": not found.result and may(user, Act.FOLLOW_UP),
        }
        return render(request, "payroll/follow_up.html", shown, status=status)

    if request.method != "POST":
        return again(None, 200)

    def act(told: dict[str, Any], by: User) -> None:
        income = told.pop("after_income")
        payroll.record_follow_up(
            pk, after_income_fen=income if request.POST.get("after_income") else None, by=by, **told
        )

    return take_step(request, form, act, again=again, done=_("随访已登记。"), then=redirect("outcomes"))


# ---- reviews ----------------------------------------------------------------------------------------------------------


def review_list(request: HttpRequest) -> HttpResponse:
    """Reviews that are due, and the form for work that was offered."""
    user = asker(request)
    state = request.GET.get("state", "due")
    form = OfferForm(request.POST if request.method == "POST" else None)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        shown = {
            "page": Paginator(payroll.reviews(by=user, state=state), PAGE).get_page(request.GET.get("page")),
            "states": _REVIEWS,
            "state": state,
            "form": form,
            "problem": problem,
            "failed": status == 422,
        }
        return render(request, "payroll/reviews.html", shown, status=status)

    if request.method != "POST":
        return again(None, 200)
    return take_step(
        request,
        form,
        lambda told, by: chain.record_offer(**told, by=by),
        again=again,
        done=_("已登记。连续拒绝达到次数的，已提出复查。"),
        then=redirect("reviews"),
    )


_STEPS: dict[str, tuple[type[forms.Form], Act]] = {
    "review": (ReviewForm, Act.REVIEW_BENEFIT),
    "hearing": (HearingForm, Act.REVIEW_BENEFIT),
    "exit": (ExitForm, Act.DECIDE_BENEFIT),
}


def review_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One review with the step that comes next."""
    user = asker(request)
    found = payroll.review_of(pk, by=user)
    typed = StepForms(request, {name: form for name, (form, _act) in _STEPS.items()})
    if typed.strange:
        return redirect("review", pk=pk)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        fits = {
            "review": found.status == "due",
            "hearing": found.status == "hearing" and found.heard_on is None,
            "exit": found.status == "hearing"
            and found.heard_on is not None
            and found.reviewed_by != user.username,
        }
        steps = [
            (name, typed.form(name)) for name, (_form, act) in _STEPS.items() if fits[name] and may(user, act)
        ]
        shown = {
            "review": found,
            "steps": steps,
            "sent": typed.sent,
            "problem": problem,
            "rhythms": chain.benefit_rules().rhythms,
        }
        return render(request, "payroll/review.html", shown, status=status)

    if typed.bound is None:
        return again(None, 200)

    def act(told: dict[str, Any], by: User) -> None:
        if typed.sent == "review":
            payroll.record_review(pk, by=by, **told)
        elif typed.sent == "hearing":
            payroll.record_hearing(pk, by=by, **told)
        else:
            chain.decide_exit(pk, agree=told["agree"] == "yes", decision_no=told["decision_no"], by=by)

    return take_step(
        request, typed.bound, act, again=again, done=_("已登记。"), then=redirect("review", pk=pk)
    )


# ---- what was paid ----------------------------------------------------------------------------------------------------


def pay_statistics(request: HttpRequest) -> HttpResponse:
    """A month's table, each cell with its list, and the year against its budget."""
    user = asker(request)
    rules = chain.benefit_rules()
    table = rules.tables.get(request.GET.get("table", "")) or next(iter(rules.tables.values()))
    latest = payroll.rosters(by=user, status="frozen").first()
    month = typed.month_asked(request.GET.get("month", "")) or (
        latest.month if latest else first_of(timezone.localdate())
    )
    area = user.region_code or county_of(user)
    form = BudgetForm(
        request.POST if request.method == "POST" else None, initial={"region": area[:6], "year": month.year}
    )

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        found = payroll.monthly_table(table, month=month, by=user)
        shown = {
            "statistics": found,
            "rows": [
                (line.region_code, list(zip(table.columns, line.values, strict=True))) for line in found.lines
            ],
            "total": list(zip(table.columns, found.total, strict=True)),
            "month": month,
            "year": payroll.forecast(year=month.year, region_code=area, rules=rules, by=user),
            "towns": payroll.forecast_by_township(year=month.year, region_code=area, rules=rules, by=user),
            "form": form,
            "problem": problem,
            "failed": status == 422,
        }
        return render(request, "payroll/statistics.html", shown, status=status)

    if request.method != "POST":
        return again(None, 200)
    return take_step(
        request,
        form,
        lambda told, by: payroll.record_budget(
            year=told["year"],
            region_code=told["region"],
            benefit=told["benefit"],
            amount_fen=told["amount"],
            document=told["document"],
            rules=rules,
            by=by,
        ),
        again=again,
        done=_("预算已登记。"),
        then=redirect("pay_statistics"),
    )


def _asked_table(request: HttpRequest) -> tuple[Any, Any]:
    table = chain.benefit_rules().tables.get(request.GET.get("table", ""))
    month = typed.month_asked(request.GET.get("month", ""))
    if table is None or month is None:
        raise Http404
    return table, month


@require_safe
def cell(request: HttpRequest) -> HttpResponse:
    """The rows behind one cell."""
    user = asker(request)
    table, month = _asked_table(request)
    column = next((one for one in table.columns if one.code == request.GET.get("column", "")), None)
    if column is None:
        raise Http404
    region = "".join(c for c in request.GET.get("region", "") if c.isdecimal())[:12]
    found = payroll.cell_rows(column, month=month, by=user, township=region)
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "column": column,
        "month": month,
        "region": region,
        "name": registry.region_name(region) if region else "",
    }
    return render(request, "payroll/cell.html", shown)


@require_safe
def table_file(request: HttpRequest) -> HttpResponse:
    """A month's table as a workbook."""
    user = asker(request)
    table, month = _asked_table(request)
    content = payroll.export_table(payroll.monthly_table(table, month=month, by=user), by=user)
    return HttpResponse(
        content,
        content_type=_WORKBOOK,
        headers={"Content-Disposition": f'attachment; filename="{table.code}-{month:%Y%m}.xlsx"'},
    )
