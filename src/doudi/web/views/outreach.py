"""Reports of families in difficulty at the office: the list, one report, a warning or an answer, and the hotline's file."""

from __future__ import annotations

from typing import Any

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
from doudi.web.forms import MAX_UPLOAD_BYTES, with_chinese
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english
from doudi.web.terms import REPORT_STEPS
from doudi.web.views.loads import set_down

PAGE = 25
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class OpenForm(forms.Form):
    """Which household a report is of; empty for a family that is not on the register."""

    household_no = forms.CharField(max_length=60, required=False)
    ground = forms.CharField(label=gettext_lazy("分办说明（可不填）"), max_length=200, required=False)


class AnswerForm(forms.Form):
    """The answer to who told, and why no warning is opened where none is."""

    answer = forms.CharField(
        label=gettext_lazy("对报告人的答复"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("报告人凭查询码能看到，不要写家庭的个人情况。"),
    )
    ground = forms.CharField(label=gettext_lazy("不立预警的理由"), max_length=200, required=False)


class HotlineForm(forms.Form):
    """The hotline's workbook."""

    file = forms.FileField(
        label=gettext_lazy("12345 热线工单表（Excel 或 CSV）"),
        help_text=with_chinese(
            gettext_lazy("须有“{}”和“{}”两列；已导入过的工单号会跳过并列出。"), "工单号", "内容"
        ),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(_("文件太大，请分成几个文件。"))
        return file


def _channels() -> dict[str, str]:
    return {code: _(label) for code, label in monitoring.CHANNELS.items()}


def _difficulties() -> dict[str, str]:
    return {
        kind.code: kind.label_en if english() else kind.label
        for kind in chain.outreach().difficulties.values()
    }


@require_safe
def report_list(request: HttpRequest) -> HttpResponse:
    """Reports that wait for triage first, the oldest on top, with how families were found so far."""
    return _list(request)


def _list(request: HttpRequest, outcome: Any = None, problem: DoudiError | None = None) -> HttpResponse:
    user = asker(request)
    status = request.GET.get("status", "new")
    if status not in ("all", *monitoring.FamilyReport.Status.values):
        status = "new"
    found = monitoring.reports(by=user, status=status)
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "counts": monitoring.report_counts(by=user),
        "found_by": monitoring.found_by(by=user),
        "channels": _channels(),
        "difficulties": _difficulties(),
        "hotline_form": HotlineForm() if may(user, Act.TRIAGE_REPORT) else None,
        "outcome": outcome,
        "problem": problem,
    }
    return render(request, "outreach/reports.html", shown, status=422 if problem else 200)


@require_safe
def report_page(request: HttpRequest, report_no: str) -> HttpResponse:
    """One report with what was said, and what can be done with it."""
    return _report(request, report_no)


def _report(
    request: HttpRequest,
    report_no: str,
    *,
    answer_form: AnswerForm | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    found = monitoring.look_at_report(report_no, by=user)
    triage = may(user, Act.TRIAGE_REPORT)
    text = request.POST.get("text", "").strip()[:40]
    shown = {
        "report": found,
        "step": _(REPORT_STEPS[monitoring.step_of(found)]),
        "channels": _channels(),
        "difficulties": _difficulties(),
        "triage": triage,
        "text": text,
        "likely": monitoring.likely_households(found, by=user, text=text) if triage else [],
        "answer_form": answer_form or AnswerForm(initial={"answer": found.answer}, label_suffix=""),
        "problem": problem,
    }
    failed = problem is not None or answer_form is not None
    return render(request, "outreach/report.html", shown, status=422 if failed else 200)


def open_warning(request: HttpRequest, report_no: str) -> HttpResponse:
    """Make the report a warning; the button that searches for a household comes here too and opens nothing."""
    if request.method != "POST":
        return redirect("report", report_no=report_no)
    user = asker(request)
    form = OpenForm(request.POST)
    if request.POST.get("do") == "search" or not form.is_valid():
        return _report(request, report_no)
    # "none" is said by its own button: an empty field alone must not make a family of the register a stranger
    household_no = form.cleaned_data["household_no"]
    if not household_no and request.POST.get("do") != "unlisted":
        return _report(request, report_no)
    try:
        case = chain.open_from_report(
            report_no,
            household_no="" if request.POST.get("do") == "unlisted" else household_no,
            ground=form.cleaned_data["ground"],
            by=user,
        )
    except DoudiError as problem:
        if problem.code in ("not_allowed", "report_not_found"):
            raise
        return _report(request, report_no, problem=problem)
    messages.success(request, _("已转为预警 %(number)s。") % {"number": case.number})
    return redirect("warning", number=case.number)


def answer(request: HttpRequest, report_no: str) -> HttpResponse:
    """Answer who told."""
    if request.method != "POST":
        return redirect("report", report_no=report_no)
    user = asker(request)
    form = AnswerForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _report(request, report_no, answer_form=form)
    try:
        monitoring.answer_report(monitoring.report(report_no, by=user), by=user, **form.cleaned_data)
    except DoudiError as problem:
        if problem.code in ("not_allowed", "report_not_found"):
            raise
        return _report(request, report_no, answer_form=form, problem=problem)
    messages.success(request, _("答复已保存，报告人凭查询码可以看到。"))
    return redirect("report", report_no=report_no)


def hotline(request: HttpRequest) -> HttpResponse:
    """Take the hotline's workbook in and say what became of each row."""
    if request.method != "POST":
        return redirect("reports")
    form = HotlineForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, _("请选择热线工单表文件。"))
        return redirect("reports")
    try:
        with set_down(form.cleaned_data["file"]) as path:
            outcome = chain.take_hotline_file(path, by=asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _list(request, problem=problem)
    return _list(request, outcome=outcome)


@require_safe
def hotline_answers(request: HttpRequest) -> HttpResponse:
    """The work orders with state and answer, for the hotline."""
    response = HttpResponse(monitoring.hotline_answers(by=asker(request)), content_type=_WORKBOOK)
    response["Content-Disposition"] = 'attachment; filename="hotline-answers.xlsx"'
    return response


def identify(request: HttpRequest, number: str) -> HttpResponse:
    """Say which household of the register a provisional warning is of."""
    if request.method != "POST":
        return redirect("warning", number=number)
    try:
        chain.identify(
            number, household_no=request.POST.get("household_no", "").strip()[:60], by=asker(request)
        )
    except DoudiError as problem:
        if problem.code in ("not_allowed", "warning_not_found"):
            raise
        messages.error(request, problem.en if english() else problem.zh)
    else:
        messages.success(request, _("已换成在册的户编号。"))
    return redirect("warning", number=number)
