"""A month in the layout of a system above, its return files, and the rows that are worked off."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import upward
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.payroll_forms import month_field
from doudi.web.steps import StepForms, take_step
from doudi.web.templatetags.doudi import english
from doudi.web.views.payroll.rosters import county_of

PAGE = 50
MOST = 64 << 20
"""Bytes of a return file."""
_NOT_YET = gettext_noop("未上报")


class MonthForm(forms.Form):
    """Which layout, county and month."""

    code = forms.ChoiceField(label=gettext_lazy("上报包"))
    region_code = forms.RegexField(r"^\d{6}$", label=gettext_lazy("县级区划代码"))
    month = month_field(gettext_lazy("月份"), initial=timezone.localdate)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].choices = [  # type: ignore[attr-defined]
            (one.code, f"{one.label_en if english() else one.label} · {one.system}")
            for one in chain.upward_rules().packs.values()
        ]


class ReturnForm(forms.Form):
    """The return file of the system above."""

    file = forms.FileField(
        label=gettext_lazy("上级系统的回执（Excel 或 CSV 原始文件）"),
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xls,.csv"}),
    )

    def clean_file(self) -> Any:
        sent = self.cleaned_data["file"]
        if sent.size > MOST:
            raise forms.ValidationError(_("文件太大，不像回执。"))
        return sent


class SettleForm(forms.Form):
    """A row that is worked off by hand."""

    key = forms.CharField(label=gettext_lazy("业务编号"), max_length=80)
    state = forms.ChoiceField(
        label=gettext_lazy("怎样处理"),
        widget=forms.RadioSelect,
        choices=[
            ("dropped", gettext_lazy("不再上报（被退回或缺项的）")),
            ("rejected", gettext_lazy("又被退回（已接受的）")),
        ],
    )
    reason = forms.CharField(label=gettext_lazy("理由"), max_length=200)


def desk(request: HttpRequest) -> HttpResponse:
    """Layouts, the standing of a chosen month, and the reports made; a POST makes the next one."""
    user = asker(request)
    bound = MonthForm(request.POST) if request.method == "POST" else None
    chosen = MonthForm(request.GET) if {"code", "month"} <= set(request.GET) else None
    asked = chosen.cleaned_data if chosen is not None and chosen.is_valid() else None

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        standing = chain.upward_standing(**asked, by=user) if asked else None
        shown = {
            "form": bound or MonthForm(initial=asked or {"region_code": county_of(user)}),
            "standing": standing,
            "asked": asked,
            "states": [(name, label, standing.states[name]) for name, label in _states()] if standing else [],
            "page": Paginator(upward.upward_batches(by=user), PAGE).get_page(request.GET.get("page")),
            "problem": problem,
        }
        return render(request, "upward/desk.html", shown, status=status)

    if bound is None:
        return again(None, 200)
    return take_step(
        request,
        bound,
        lambda told, by: chain.make_upward(**told, by=by),
        again=again,
        done=_("上报文件已生成，请下载后导入上级系统。"),
        then=redirect("upward"),
    )


def _states() -> list[tuple[str, str]]:
    return [("", _NOT_YET), *upward.UpwardRow.State.choices]


def report_page(request: HttpRequest, number: str) -> HttpResponse:
    """One report: where each row stands, returns, and the steps of who reports."""
    user = asker(request)
    batch = upward.upward_of(number, by=user)
    steps: dict[str, type[forms.Form]] = (
        {"return": ReturnForm, "settle": SettleForm} if may(user, Act.REPORT_UPWARD) else {}
    )
    typed = StepForms(request, steps)
    if typed.strange:
        return redirect("upward_report", number=number)

    def again(problem: DoudiError | None, status: int = 422) -> HttpResponse:
        figures = upward.upward_figures(batch)
        state = request.GET.get("state", "")
        if state not in figures:
            state = next((name for name in ("rejected", "held", "sent") if figures[name][0]), "accepted")
        rows = upward.upward_rows(batch, by=user, state=state)
        shown = {
            "batch": batch,
            "states": [(name, label, *figures[name]) for name, label in upward.UpwardRow.State.choices],
            "state": state,
            "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
            "returns": batch.returns.all(),
            "steps": {name: typed.form(name) for name in steps},
            "sent": typed.sent,
            "problem": problem,
        }
        return render(request, "upward/report.html", shown, status=status)

    if typed.bound is None:
        return again(None, 200)
    return take_step(
        request,
        typed.bound,
        lambda told, by: _act(number, typed.sent, told, by),
        again=again,
        done=_("已登记。"),
        then=redirect("upward_report", number=number),
    )


def _act(number: str, step: str, told: dict[str, Any], by: User) -> None:
    if step == "settle":
        upward.settle_upward(number, told["key"], state=told["state"], reason=told["reason"], by=by)
        return
    name = Path(told["file"].name).name
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(told["file"].read())
        chain.take_upward_return(number, path, file_name=name, by=by)


def take_file(request: HttpRequest, number: str) -> HttpResponse:
    """The file of a report; taking it is logged."""
    if request.method != "POST":
        return redirect("upward_report", number=number)
    content, name = chain.upward_file(number, by=asker(request))
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
