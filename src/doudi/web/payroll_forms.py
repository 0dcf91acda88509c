"""What people type about decisions, rosters, accounts and payment; rules of the business stay in the services."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi.engine.benefits import BenefitRules, next_month
from doudi.engine.benefits.banking import MAX_BYTES
from doudi.web.forms import DayInput, YuanField, with_chinese
from doudi.web.templatetags.doudi import english


def _note(rows: int = 2) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": 1000})


class MonthInput(forms.DateInput):
    """The browser's own month field; a browser without one takes 2024-12."""

    input_type = "month"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m")


def month_field(label: Any, **more: Any) -> forms.DateField:
    """A month, read as its first day."""
    return forms.DateField(
        label=label, widget=MonthInput(), input_formats=["%Y-%m", "%Y-%m-%d", "%Y%m"], **more
    )


class ComputeForm(forms.Form):
    """Which county's roster for which month."""

    region = forms.RegexField(
        r"^\d{6}$",
        label=gettext_lazy("县级区划代码"),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "maxlength": 6}),
    )
    month = month_field(gettext_lazy("发放月"), initial=timezone.localdate)


class OpenBooksForm(ComputeForm):
    """From which month on this office pays the present recipients."""

    month = month_field(
        gettext_lazy("从哪个月起由本系统发放"), initial=lambda: next_month(timezone.localdate())
    )
    decision_no = forms.CharField(label=gettext_lazy("开账依据文号"), max_length=80)


class FreezeForm(forms.Form):
    """A second person finds the roster right."""

    sha256 = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)
    note = forms.CharField(label=gettext_lazy("核对意见"), widget=_note(), required=False)


class ReturnRosterForm(forms.Form):
    """A second person sends the roster back."""

    note = forms.CharField(label=gettext_lazy("退回原因"), widget=_note())


class BatchForm(forms.Form):
    """What is paid in which layout."""

    region = forms.RegexField(r"^\d{6}$", label=gettext_lazy("县级区划代码"))
    layout = forms.ChoiceField(label=gettext_lazy("银行版式"))

    def __init__(self, *args: Any, rules: BenefitRules, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["layout"].choices = [  # type: ignore[attr-defined]
            (one.code, one.label_en if english() else one.label) for one in rules.layouts.values()
        ]


class BankReturnForm(forms.Form):
    """The bank's return file."""

    file = forms.FileField(
        label=gettext_lazy("回盘文件（银行返回的原始文件）"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt"}),
    )

    def clean_file(self) -> tuple[str, bytes]:
        sent = self.cleaned_data["file"]
        if sent.size > MAX_BYTES:
            raise forms.ValidationError(_("文件太大，不像回盘文件。"))
        return sent.name, bytes(sent.read())


class BounceForm(forms.Form):
    """A payment that came back after it had succeeded."""

    serial = forms.IntegerField(label=gettext_lazy("批内序号"), min_value=1)
    reason = forms.CharField(label=gettext_lazy("退汇原因"), max_length=200)


class AccountForm(forms.Form):
    """Where a household or one of its people is paid."""

    household_no = forms.CharField(label=gettext_lazy("户编号"), max_length=60)
    person_id = forms.IntegerField(
        label=gettext_lazy("人员编号（按户发放的不填）"), required=False, min_value=1
    )
    holder_name = forms.CharField(label=gettext_lazy("户名"), max_length=80)
    card = forms.CharField(
        label=gettext_lazy("账号"),
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    bank = forms.CharField(label=gettext_lazy("开户行"), max_length=80, required=False)
    ground = forms.CharField(label=gettext_lazy("说明（为什么更换）"), max_length=200, required=False)


class AccountListForm(forms.Form):
    """A list of accounts."""

    file = forms.FileField(
        label=with_chinese(gettext_lazy("账户表（CSV：{}、{}、{}）"), "户编号", "户名", "账号"),
        widget=forms.FileInput(attrs={"accept": ".csv"}),
    )

    def clean_file(self) -> Any:
        sent = self.cleaned_data["file"]
        if sent.size > MAX_BYTES:
            raise forms.ValidationError(_("文件太大，请分成几个文件。"))
        return sent


class DecisionForm(forms.Form):
    """A decision on a household's benefit."""

    kind = forms.ChoiceField(
        label=gettext_lazy("决定"),
        choices=[
            ("grant", gettext_lazy("批准")),
            ("change", gettext_lazy("调整")),
            ("stop", gettext_lazy("停止")),
            ("taper", gettext_lazy("渐退")),
        ],
    )
    benefit = forms.ChoiceField(label=gettext_lazy("待遇"))
    people = forms.MultipleChoiceField(
        label=gettext_lazy("享受待遇的人员"), required=False, widget=forms.CheckboxSelectMultiple
    )
    per_capita = YuanField(label=gettext_lazy("人均月收入（元）"), required=False)
    amount = YuanField(label=gettext_lazy("核定金额（元，一次性救助填写）"), required=False)
    band = forms.ChoiceField(label=gettext_lazy("档（按档发放的县填写）"), required=False)
    failed_items = forms.IntegerField(
        label=gettext_lazy("不能自理的项数（特困，0–6）"), required=False, min_value=0, max_value=6
    )
    needs = forms.ChoiceField(label=gettext_lazy("分类施保（所选人员）"), required=False)
    single = forms.BooleanField(label=gettext_lazy("单人保"), required=False)
    decided_on = forms.DateField(
        label=gettext_lazy("决定日期"), widget=DayInput(), initial=timezone.localdate
    )
    decision_no = forms.CharField(label=gettext_lazy("文号"), max_length=80)
    starts_on = month_field(gettext_lazy("起始月（空为决定的次月）"), required=False)
    ends_on = month_field(gettext_lazy("最后一个月（空为不定）"), required=False)
    ground = forms.CharField(label=gettext_lazy("依据与说明"), widget=_note(), required=False)

    def __init__(self, *args: Any, rules: BenefitRules, people: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["benefit"].choices = [
            ("", _("请选择")),
            *((one.code, one.label_en if english() else one.label) for one in rules.benefits.values()),
        ]
        fields["people"].choices = people
        fields["band"].choices = [("", "—"), *((code, code) for code in rules.bands)]
        fields["needs"].choices = [
            ("", "—"),
            *((code, en if english() else zh) for code, (zh, en) in rules.uplift_kinds.items()),
        ]


class ReverseDecisionForm(forms.Form):
    """A decision that is undone."""

    number = forms.ChoiceField(label=gettext_lazy("撤销哪一项"))
    decision_no = forms.CharField(label=gettext_lazy("文号"), max_length=80)
    ground = forms.CharField(label=gettext_lazy("理由"), widget=_note())

    def __init__(self, *args: Any, numbers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["number"].choices = [("", _("请选择")), *numbers]  # type: ignore[attr-defined]


def month_asked(text: str) -> date | None:
    """A month typed in an address, None where it is none."""
    try:
        found: date | None = month_field("").clean(text)
    except forms.ValidationError:
        return None
    return found
