"""Personal data: what they are used for, assessments, people's requests, and who looked (个人信息保护)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act, DataRequest, may
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.packs.privacy import KINDS
from doudi.web.guard import asker
from doudi.web.terms import ACTS


def _lines(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": 2000})


class LooksForm(forms.Form):
    """Whose data, and who asks."""

    id_number = forms.CharField(
        label=gettext_lazy("本人证件号"), max_length=30, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    reason = forms.CharField(
        label=gettext_lazy("由谁提出，怎样核对了身份"),
        min_length=4,
        max_length=200,
        help_text=gettext_lazy("例如：本人持身份证到窗口，人证一致"),
    )


class RequestForm(forms.Form):
    """What a person asks for about the own data."""

    kind = forms.ChoiceField(
        label=gettext_lazy("请求事项"), choices=[(kind, gettext_lazy(kind)) for kind in KINDS]
    )
    name = forms.CharField(label=gettext_lazy("姓名"), max_length=80)
    id_number = forms.CharField(
        label=gettext_lazy("证件号"), max_length=30, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    asked_by = forms.CharField(label=gettext_lazy("由谁提出"), max_length=30, initial="本人")
    asked = forms.CharField(label=gettext_lazy("请求内容"), widget=_lines(3))


class AnswerForm(forms.Form):
    """How a request was dealt with."""

    grant = forms.ChoiceField(
        label=gettext_lazy("办理结果"),
        choices=[("yes", gettext_lazy("同意并已办理")), ("no", gettext_lazy("不予办理"))],
        widget=forms.RadioSelect,
    )
    answer = forms.CharField(
        label=gettext_lazy("答复"),
        widget=_lines(3),
        help_text=gettext_lazy("写明怎样办理的，或不予办理的理由；本人会看到"),
    )


class AssessmentForm(forms.Form):
    """The three questions of art.56."""

    purpose = forms.ChoiceField(label=gettext_lazy("用途"))
    necessity = forms.CharField(label=gettext_lazy("处理目的、方式是否合法、正当、必要"), widget=_lines(3))
    risks = forms.CharField(label=gettext_lazy("对个人权益的影响及安全风险"), widget=_lines(3))
    measures = forms.CharField(
        label=gettext_lazy("保护措施是否合法、有效并与风险程度相适应"), widget=_lines(3)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["purpose"].choices = [  # type: ignore[attr-defined]
            (purpose.code, _(purpose.label)) for purpose in chain.privacy_rules().purposes.values()
        ]


class DecideForm(forms.Form):
    """Approved, or sent back and why."""

    approve = forms.ChoiceField(
        label=gettext_lazy("审定"),
        choices=[("yes", gettext_lazy("同意")), ("no", gettext_lazy("退回"))],
        widget=forms.RadioSelect,
    )
    note = forms.CharField(label=gettext_lazy("意见"), widget=_lines(2), required=False)


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """The uses of personal data, the assessments behind them, and people's requests by their limit."""
    return _overview(request)


def _overview(request: HttpRequest, *, status: int = 200, **shown: Any) -> HttpResponse:
    by = asker(request)
    found = {
        "purposes": accounts.purposes(by=by, rules=chain.privacy_rules()),
        "assessments": accounts.assessments(by=by)[:30],
        "requests": accounts.data_requests(by=by).order_by("status", "due_on")[:100],
        "request_form": RequestForm(auto_id="request_%s") if may(by, Act.RECEIVE_PRIVACY) else None,
        "assessment_form": AssessmentForm(auto_id="assessment_%s") if may(by, Act.KEEP_PRIVACY) else None,
        **shown,
    }
    return render(request, "trust/privacy.html", found, status=status)


def receive(request: HttpRequest) -> HttpResponse:
    """Take a person's request down."""
    if request.method != "POST":
        return redirect("privacy")
    form = RequestForm(request.POST, auto_id="request_%s")
    if not form.is_valid():
        return _overview(request, request_form=form, status=422)
    try:
        made = accounts.receive_request(**form.cleaned_data, by=asker(request), rules=chain.privacy_rules())
    except DoudiError as problem:
        return _overview(request, request_form=form, problem=problem, status=422)
    messages.success(
        request,
        _("已受理 %(number)s，请在 %(due)s 前答复。") % {"number": made.number, "due": f"{made.due_on}"},
    )
    return redirect("data_request", number=made.number)


def data_request(request: HttpRequest, number: str) -> HttpResponse:
    """One request, and its answer."""
    by = asker(request)
    found = accounts.data_request(number, by=by)
    form = AnswerForm(request.POST or None)
    shown: dict[str, Any] = {"asked": found, "id_shown": identity.mask_id(found.id_number)}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                accounts.decide_request(
                    number,
                    grant=form.cleaned_data["grant"] == "yes",
                    answer=form.cleaned_data["answer"],
                    by=by,
                )
            except DoudiError as problem:
                if problem.code == "not_allowed":
                    raise
                shown["problem"] = problem
            else:
                messages.success(request, _("已办理，请把答复告知本人。"))
                return redirect("data_request", number=number)
    decides = may(by, Act.DECIDE_PRIVACY) and found.received_by != by.username
    if decides and found.status == DataRequest.Status.OPEN:
        shown["form"] = form
    shown["lines"] = found.lines.all()
    return render(request, "trust/data_request.html", shown, status=status)


def assess(request: HttpRequest) -> HttpResponse:
    """Write an assessment down."""
    if request.method != "POST":
        return redirect("privacy")
    form = AssessmentForm(request.POST, auto_id="assessment_%s")
    if not form.is_valid():
        return _overview(request, assessment_form=form, status=422)
    try:
        made = accounts.write_assessment(**form.cleaned_data, by=asker(request), rules=chain.privacy_rules())
    except DoudiError as problem:
        return _overview(request, assessment_form=form, problem=problem, status=422)
    messages.success(request, _("评估 %(number)s 已提交，待另一人审定。") % {"number": made.number})
    return redirect("assessment", number=made.number)


def assessment(request: HttpRequest, number: str) -> HttpResponse:
    """One assessment, and whether it is approved."""
    by = asker(request)
    found = accounts.assessments(by=by).filter(number=number).first()
    if found is None:
        raise accounts.PrivacyRefused(
            "没有找到这份评估。", "No such assessment.", code="assessment_not_found"
        )
    form = DecideForm(request.POST or None)
    shown: dict[str, Any] = {
        "assessment": found, "purpose": chain.privacy_rules().purposes.get(found.purpose)
    }  # fmt: skip
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                accounts.decide_assessment(
                    number, approve=form.cleaned_data["approve"] == "yes", note=form.cleaned_data["note"], by=by,
                    rules=chain.privacy_rules(),
                )  # fmt: skip
            except DoudiError as problem:
                if problem.code == "not_allowed":
                    raise
                shown["problem"] = problem
            else:
                return redirect("assessment", number=number)
    if may(by, Act.DECIDE_PRIVACY) and found.made_by != by.username and found.status == found.Status.WAITING:
        shown["form"] = form
    return render(request, "trust/assessment.html", shown, status=status)


def looks(request: HttpRequest) -> HttpResponse:
    """Who looked at a person's data and why, told to that person; as a page or as a paper."""
    form = LooksForm(request.POST or None)
    shown: dict[str, Any] = {"form": form}
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            typed = form.cleaned_data
            try:
                person, found, consents = chain.who_looked(
                    typed["id_number"], reason=typed["reason"], by=asker(request), act_words=ACTS
                )
            except DoudiError as problem:
                if problem.code in ("not_allowed", "own_file"):
                    raise
                shown["problem"] = problem
            else:
                if request.POST.get("as") == "pdf":
                    return _paper(person, found, consents)
                shown |= {"person": person, "looks": found, "consents": consents}
                status = 200
    return render(request, "trust/looks.html", shown, status=status)


def _paper(person: Any, found: Any, consents: Any) -> HttpResponse:
    content = chain.looks_paper(person, found, consents, on=timezone.localdate())
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": 'attachment; filename="looks.pdf"'},
    )


@require_safe
def anchors(request: HttpRequest) -> HttpResponse:
    """The signed ends of the log, day by day."""
    return render(request, "trust/anchors.html", {"anchors": accounts.anchors(by=asker(request))[:60]})
