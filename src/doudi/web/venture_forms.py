"""What people type about venture calls, ideas, support and honours; rules of the business stay in the services."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.charity import ventures
from doudi.engine import money
from doudi.web.forms import DayInput, YuanField
from doudi.web.giving_forms import day, lines, named, told, words


def _rows(text: str) -> list[list[str]]:
    """Lines of cells separated by spaces, commas or tabs of either width; empty lines are passed over."""
    return [re.split(r"[\s,，;；]+", line.strip()) for line in text.splitlines() if line.strip()]


def _fen(text: str) -> int:
    fen, fault = money.parse_fen(text)
    if fen is None or fault is not None:
        raise forms.ValidationError(_("“%(text)s”不是金额。") % {"text": text})
    return fen


class LinesField(forms.CharField):
    """A small table typed line by line."""

    def __init__(self, *, cells: int, **kwargs: Any) -> None:
        self.cells = cells
        super().__init__(widget=lines(4), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        found = _rows(text)
        for row in found:
            if len(row) != self.cells:
                raise forms.ValidationError(
                    _("“%(line)s”应有 %(cells)d 格，用空格隔开。")
                    % {"line": " ".join(row), "cells": self.cells}
                )
        return [self.row(row) for row in found]

    def row(self, cells: list[str]) -> Any:
        return cells


class CriteriaField(LinesField):
    """Criteria with their weights."""

    def row(self, cells: list[str]) -> tuple[str, int]:
        if not cells[1].isdigit():
            raise forms.ValidationError(_("权重请填整数。"))
        return cells[0], int(cells[1])


class BudgetField(LinesField):
    """Items of a budget with their sums."""

    def row(self, cells: list[str]) -> tuple[str, int]:
        return cells[0], _fen(cells[1])


class MilestoneField(LinesField):
    """Milestones with their days and sums."""

    def row(self, cells: list[str]) -> tuple[str, date, int]:
        try:
            due = date.fromisoformat(cells[1])
        except ValueError:
            raise forms.ValidationError(_("日期请写成 2026-06-30 的样子。")) from None
        return cells[0], due, _fen(cells[2])


class CallForm(forms.Form):
    """A venture call."""

    title = words(gettext_lazy("名称"), 120)
    text = forms.CharField(label=gettext_lazy("支持方向和要求"), widget=lines(4))
    budget = YuanField(label=gettext_lazy("总预算（元）"))
    most = YuanField(label=gettext_lazy("单个项目最高（元）"))
    money = words(gettext_lazy("资金来源"), 120)
    opens_on = day(gettext_lazy("申报开始"))
    closes_on = forms.DateField(label=gettext_lazy("申报截止"), widget=DayInput())
    criteria = CriteriaField(
        cells=2,
        label=gettext_lazy("评分标准"),
        help_text=gettext_lazy("每行一项：名称 权重，权重合计 100，例如 可行性 40"),
    )


class ApplyForm(forms.Form):
    """An application, in words that do not say whose it is."""

    title = words(gettext_lazy("项目名称"), 120)
    problem = forms.CharField(label=gettext_lazy("要解决的问题"), widget=lines(3))
    approach = forms.CharField(label=gettext_lazy("做法和计划"), widget=lines(4))
    beneficiaries = forms.CharField(label=gettext_lazy("受益对象和人数"), widget=lines())
    budget = BudgetField(
        cells=2,
        label=gettext_lazy("预算"),
        help_text=gettext_lazy("每行一项：内容 金额（元），例如 保温箱 1200.00"),
    )


class JurorForm(forms.Form):
    """Which account is a juror."""

    username = words(gettext_lazy("评委账号"), 60)


class DeclareForm(forms.Form):
    """With whom a juror has a conflict of interest."""

    conflicts = forms.MultipleChoiceField(
        label=gettext_lazy("与下列申报组织有利益冲突（没有就不选）"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    words = words(gettext_lazy("声明"), 300, initial=gettext_lazy("已如实声明利益冲突，独立评审。"))

    def __init__(self, *args: Any, bodies: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["conflicts"].choices = bodies  # type: ignore[attr-defined]


class ScoreForm(forms.Form):
    """One juror's points for one application."""

    comment = forms.CharField(label=gettext_lazy("评语"), max_length=500, widget=lines(2, 500))

    def __init__(self, *args: Any, call: ventures.Call, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for criterion in call.criteria:
            self.fields[criterion["code"]] = forms.IntegerField(
                label=f"{criterion['label']}（{criterion['weight']}%）", min_value=0, max_value=100
            )
        self.order_fields([criterion["code"] for criterion in call.criteria])
        self.codes = [criterion["code"] for criterion in call.criteria]

    def points(self) -> dict[str, int]:
        return {code: self.cleaned_data[code] for code in self.codes}


class AwardForm(forms.Form):
    """How much each application gets."""

    def __init__(self, *args: Any, places: list[ventures.Place], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for place in places:
            one = place.application
            self.fields[one.number] = YuanField(
                label=f"{one.blind} {one.title}", required=False, initial=f"{one.asked_fen / 100:.2f}"
            )

    def awards(self) -> dict[str, int]:
        return {number: fen for number, fen in self.cleaned_data.items() if fen}


class AwardDecisionForm(forms.Form):
    """The decision on a list of awards."""

    approve = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("同意")), ("no", gettext_lazy("退回"))],
    )
    document = words(gettext_lazy("决定文号（同意必填）"), 120, required=False)
    note = words(gettext_lazy("意见（退回必填）"), 280, required=False)


class PlanForm(forms.Form):
    """The milestones of an award."""

    steps = MilestoneField(
        cells=3,
        label=gettext_lazy("里程碑"),
        help_text=gettext_lazy("每行一个：内容 期限 金额（元），例如 启动 2026-06-30 15000"),
    )


class ReportForm(forms.Form):
    """A milestone reached."""

    report = forms.CharField(label=gettext_lazy("完成情况"), widget=lines(3))
    evidence = forms.FileField(
        label=gettext_lazy("凭证（照片或 PDF，可不传）"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".jpg,.jpeg,.png,.pdf"}),
    )

    def clean_evidence(self) -> bytes:
        file = self.cleaned_data["evidence"]
        return file.read() if file else b""


class AcceptForm(forms.Form):
    """A report accepted or returned."""

    accept = forms.ChoiceField(
        label=gettext_lazy("验收"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("通过")), ("no", gettext_lazy("退回补充"))],
    )
    note = words(gettext_lazy("意见（退回必填）"), 280, required=False)


class PayForm(forms.Form):
    """A milestone paid."""

    voucher = words(gettext_lazy("凭证号"))
    on = day(gettext_lazy("拨付日期"))


class ReverseForm(forms.Form):
    """A payment to be reversed."""

    voucher = words(gettext_lazy("冲正凭证号"))
    on = day(gettext_lazy("冲正日期"))
    ground = words(gettext_lazy("原因"))


class ReversalDecisionForm(forms.Form):
    """The second person's word on a counter-entry."""

    confirm = forms.ChoiceField(
        label=gettext_lazy("决定"),
        choices=[("yes", gettext_lazy("确认冲正")), ("no", gettext_lazy("不予冲正"))],
    )
    note = forms.CharField(label=gettext_lazy("意见（不予冲正时必填）"), max_length=300, required=False)


class EvaluateForm(forms.Form):
    """What a funded project came to."""

    grade = forms.ChoiceField(label=gettext_lazy("等次"))
    people = forms.IntegerField(label=gettext_lazy("受益人数"), min_value=0, max_value=10**6)
    text = forms.CharField(label=gettext_lazy("评价"), max_length=500, widget=lines(3, 500))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["grade"].choices = told(ventures.Evaluation.Grade.choices)  # type: ignore[attr-defined]


class IdeaForm(forms.Form):
    """A hub body's idea."""

    title = words(gettext_lazy("项目名称"), 120)
    problem = forms.CharField(label=gettext_lazy("看到的问题"), widget=lines(3))
    approach = forms.CharField(label=gettext_lazy("做法"), widget=lines(3))
    kinds = forms.MultipleChoiceField(label=gettext_lazy("用途"), widget=forms.CheckboxSelectMultiple)
    groups = forms.MultipleChoiceField(
        label=gettext_lazy("人群"), required=False, widget=forms.CheckboxSelectMultiple
    )
    budget = YuanField(label=gettext_lazy("预算（元）"))
    partner = words(gettext_lazy("承接组织（可不填）"), 120, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = chain.giving_rules()
        self.fields["kinds"].choices = named(rules.purposes.values())  # type: ignore[attr-defined]
        self.fields["groups"].choices = named(rules.groups.values())  # type: ignore[attr-defined]


class ReviewForm(forms.Form):
    """The county's word on an idea."""

    verdict = forms.ChoiceField(
        label=gettext_lazy("结论"),
        widget=forms.RadioSelect,
        choices=[
            ("ready", gettext_lazy("可以启动")), ("returned", gettext_lazy("退回完善")), ("refused", gettext_lazy("不予孵化")),
        ],
    )  # fmt: skip
    note = words(gettext_lazy("意见"), 280)


class LaunchForm(forms.Form):
    """When a project begins and ends."""

    starts_on = day(gettext_lazy("开始日期"))
    ends_on = forms.DateField(label=gettext_lazy("结束日期（可不填）"), widget=DayInput(), required=False)


class BrandForm(forms.Form):
    """What a brand project achieved."""

    results = forms.CharField(label=gettext_lazy("成果"), widget=lines(4))


class SupportForm(forms.Form):
    """Support for a charity."""

    code = forms.ChoiceField(label=gettext_lazy("慈善组织"))
    kind = forms.ChoiceField(label=gettext_lazy("种类"))
    year = forms.IntegerField(label=gettext_lazy("年度"), min_value=2000, max_value=2100)
    amount = YuanField(label=gettext_lazy("金额（元）"), required=False)
    ground = words(gettext_lazy("事由"), 300)

    def __init__(self, *args: Any, bodies: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].choices = bodies  # type: ignore[attr-defined]
        self.fields["kind"].choices = named(chain.giving_rules().support.values())  # type: ignore[attr-defined]
        self.fields["year"].initial = timezone.localdate().year


class HonourForm(forms.Form):
    """An honour of a charity."""

    code = forms.ChoiceField(label=gettext_lazy("慈善组织"))
    title = words(gettext_lazy("荣誉"), 120)
    year = forms.IntegerField(label=gettext_lazy("年度"), min_value=1990, max_value=2100)
    issuer = words(gettext_lazy("授予单位"), 120)
    document = words(gettext_lazy("文号（可不填）"), 120, required=False)

    def __init__(self, *args: Any, bodies: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].choices = bodies  # type: ignore[attr-defined]
        self.fields["year"].initial = timezone.localdate().year


class SupportDecisionForm(forms.Form):
    """The director's decision on support."""

    approve = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("同意")), ("no", gettext_lazy("不同意"))],
    )
    document = words(gettext_lazy("文号或理由"), 120)
