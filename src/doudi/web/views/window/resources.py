"""What a household may get (一户一策), and the county's list of resource projects."""

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
from doudi.contexts.accounts.services import Act, may, scope_of
from doudi.contexts.assistance import services as assistance
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.forms import MAX_UPLOAD_BYTES, DayInput, YuanField, with_chinese
from doudi.web.guard import asker
from doudi.web.views.loads import set_down
from doudi.web.views.window.forms import lines

PAGE = 25
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ANSWERS = (
    ("yes", gettext_lazy("符合")),
    ("unknown", gettext_lazy("待核或可申请")),
    ("no", gettext_lazy("不符合")),
)


@require_safe
def entitlements(request: HttpRequest, household_no: str) -> HttpResponse:
    """Everything a household may get: yes, unknown, no, each with its reason."""
    household, found = chain.entitlements(household_no, by=asker(request))
    groups = [(code, label, [one for one in found if one.answer == code]) for code, label in _ANSWERS]
    names = {one.code: one.name for one in found}
    shown = {"household": household, "groups": groups, "names": names}
    return render(request, "window/entitlements.html", shown)


class ResourceForm(forms.Form):
    """A project of the list."""

    name = forms.CharField(label=gettext_lazy("项目名称"), max_length=80)
    layer = forms.ChoiceField(label=gettext_lazy("层次"), choices=assistance.Resource.Layer.choices)
    provider = forms.CharField(label=gettext_lazy("提供单位"), max_length=80)
    department = forms.CharField(label=gettext_lazy("主管部门"), max_length=40)
    basis = forms.CharField(label=gettext_lazy("依据"), max_length=200)
    categories = forms.MultipleChoiceField(
        label=gettext_lazy("对象类别（不选为不限）"), required=False, widget=forms.CheckboxSelectMultiple
    )
    age_from = forms.IntegerField(label=gettext_lazy("年龄自"), min_value=0, max_value=130, required=False)
    age_to = forms.IntegerField(label=gettext_lazy("年龄至"), min_value=0, max_value=130, required=False)
    sex = forms.ChoiceField(
        label=gettext_lazy("性别"),
        required=False,
        choices=[("", gettext_lazy("不限")), ("男", gettext_lazy("男")), ("女", gettext_lazy("女"))],
    )
    rule = forms.CharField(
        label=gettext_lazy("条件式（可不填）"),
        max_length=200,
        required=False,
        help_text=with_chinese(
            gettext_lazy("用政策包里的是否变量，例如：{0}"),
            "任一成员(重度残疾) 且 非 有车",
            "且",
            "非",
            "任一成员(…)",
        ),
    )
    condition = forms.CharField(
        label=gettext_lazy("条件说明"), max_length=300, required=False, widget=lines(2, 300)
    )
    content = forms.ChoiceField(label=gettext_lazy("内容"), choices=assistance.Resource.Content.choices)
    description = forms.CharField(label=gettext_lazy("内容说明"), required=False, widget=lines(2))
    amount = forms.CharField(label=gettext_lazy("标准或算法"), max_length=200, required=False)
    channel = forms.CharField(label=gettext_lazy("申请渠道"), max_length=200)
    papers = forms.CharField(label=gettext_lazy("材料（顿号隔开）"), max_length=300, required=False)
    time_limit = forms.CharField(label=gettext_lazy("时限"), max_length=80, required=False)
    contact = forms.CharField(label=gettext_lazy("公开的联系方式"), max_length=120, required=False)
    address = forms.CharField(label=gettext_lazy("地址"), max_length=200, required=False)
    valid_from = forms.DateField(label=gettext_lazy("有效自"), widget=DayInput())
    valid_to = forms.DateField(label=gettext_lazy("有效至"), widget=DayInput(), required=False)
    budget_fen = YuanField(label=gettext_lazy("预算（元）"), required=False)
    balance_fen = YuanField(label=gettext_lazy("余额（元）"), required=False)
    exclusive_with = forms.CharField(
        label=gettext_lazy("不能同时享受（编号或措施码，顿号隔开）"), max_length=200, required=False
    )
    stackable_with = forms.CharField(
        label=gettext_lazy("可以叠加（编号或措施码）"), max_length=200, required=False
    )
    public = forms.BooleanField(label=gettext_lazy("对外公开（HSDS）"), required=False, initial=True)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["categories"].choices = [  # type: ignore[attr-defined]
            (code, _(label)) for label, code in registry.CATEGORY_CODES.items()
        ]

    def facts(self) -> dict[str, Any]:
        """What was typed, as the service takes it; an empty sum is unknown, a zero is none left."""
        typed = dict(self.cleaned_data)
        del typed["seen"]
        for name in ("exclusive_with", "stackable_with"):
            typed[name] = [part for part in typed[name].replace("，", "、").split("、") if part.strip()]
        for name in ("budget_fen", "balance_fen"):
            if not str(self[name].value() or "").strip():
                typed[name] = None
        return typed


class BookForm(forms.Form):
    """A workbook."""

    file = forms.FileField(
        label=gettext_lazy("填好的表格（.xlsx）"), widget=forms.FileInput(attrs={"accept": ".xlsx"})
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > min(MAX_UPLOAD_BYTES, 20 << 20):
            raise forms.ValidationError(_("文件太大，请分成几个文件。"))
        return file


@require_safe
def resource_list(request: HttpRequest) -> HttpResponse:
    """The list, narrowed by text, layer, staleness."""
    user = asker(request)
    asked: dict[str, Any] = {
        "text": request.GET.get("q", "")[:80],
        "layer": request.GET.get("layer", ""),
        "stale": request.GET.get("stale") == "1",
        "ended": request.GET.get("ended") == "1",
    }
    if request.GET.get("form") == "xlsx":
        return _workbook(assistance.resource_workbook(by=user, **asked), "resources.xlsx")
    today = timezone.localdate()
    page = Paginator(assistance.resources(by=user, **asked), PAGE).get_page(request.GET.get("page"))
    shown = {
        "page": page,
        "rows": [(found, assistance.is_stale(found, today)) for found in page],
        "asked": asked,
        "layers": assistance.Resource.Layer.choices,
        "stale_count": assistance.resources(by=user, stale=True).count(),
        "book_form": BookForm(label_suffix="") if may(user, Act.KEEP_RESOURCES) else None,
    }
    return render(request, "window/resources.html", shown)


@require_safe
def resource_page(request: HttpRequest, resource_no: str) -> HttpResponse:
    """One project with its versions."""
    user = asker(request)
    found = assistance.resource(resource_no, by=user)
    shown = {
        "resource": found,
        "stale": assistance.is_stale(found, timezone.localdate()),
        "keeps": assistance.keeps(found, by=user, scope=scope_of(user, Act.KEEP_RESOURCES)),
        "versions": list(found.versions.order_by("-version")[:20]),
        "today": timezone.localdate(),
    }
    return render(request, "window/resource.html", shown)


def resource_edit(request: HttpRequest, resource_no: str = "") -> HttpResponse:
    """Enter a project, or change one."""
    user = asker(request)
    found = assistance.resource(resource_no, by=user) if resource_no else None
    first: dict[str, Any] = {
        "valid_from": timezone.localdate(),
        "department": user.department,
        "public": True,
    }
    if found is not None:
        first = {name: getattr(found, name) for name in ResourceForm.base_fields if name != "seen"}
        for name in ("exclusive_with", "stackable_with"):
            first[name] = "、".join(first[name])
        for name in ("budget_fen", "balance_fen"):
            first[name] = "" if first[name] is None else f"{first[name] // 100}.{first[name] % 100:02d}"
        first["seen"] = found.version
    form = ResourceForm(request.POST or None, initial=first)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            kept = chain.keep_resource(
                form.facts(), resource_no=resource_no, seen=form.cleaned_data["seen"], by=user
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已保存。"))
            return redirect("resource", resource_no=kept.resource_no)
    shown = {"form": form, "resource": found, "problem": problem}
    return render(request, "window/resource_edit.html", shown, status=422 if form.is_bound else 200)


def resource_confirm(request: HttpRequest, resource_no: str) -> HttpResponse:
    """Say that a project is still right, or end it."""
    user = asker(request)
    if request.method == "POST":
        if request.POST.get("what") == "end":
            assistance.end_resource(resource_no, on=timezone.localdate(), by=user)
            messages.success(request, _("已停止。"))
        else:
            assistance.confirm_resource(resource_no, by=user)
            messages.success(request, _("已核对，六个月内有效。"))
    return redirect("resource", resource_no=resource_no)


def resource_import(request: HttpRequest) -> HttpResponse:
    """Take the list's workbook in; every row is answered in the sender's own workbook."""
    return take_workbook(request, chain.take_resource_workbook, back="resources")


def referral_book(request: HttpRequest) -> HttpResponse:
    """A department's pending needs as a workbook (GET), or the filled one back (POST)."""
    if request.method != "POST":
        return _workbook(chain.referral_workbook(by=asker(request)), "referrals.xlsx")
    return take_workbook(request, chain.take_referral_workbook, back="inbox")


def take_workbook(request: HttpRequest, take: Any, *, back: str) -> HttpResponse:
    """Read a workbook and show what became of each row, with the marked-up workbook to keep."""
    user = asker(request)
    form = BookForm(request.POST or None, request.FILES or None, label_suffix="")
    shown: dict[str, Any] = {"form": form, "back": back}
    if request.method == "POST" and form.is_valid():
        try:
            with set_down(form.cleaned_data["file"]) as path:
                answered = take(path, by=user)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            shown["problem"] = refused
        else:
            if request.POST.get("answer") == "xlsx":
                return _workbook(answered.workbook(), "answered.xlsx")
            shown |= {
                "answered": answered,
                "counts": [(mark, answered.count(mark)) for mark in ("good", "same", "wrong")],
            }
            return render(request, "window/workbook.html", shown)
    return render(request, "window/workbook.html", shown, status=422 if request.method == "POST" else 200)


def _workbook(content: bytes, name: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=WORKBOOK, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
