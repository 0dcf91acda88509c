"""What people type about doubts, stops and the recovery ledger; rules of the business stay in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi.engine.packs.doubting import DoubtRules
from doudi.house.attachments import LIMIT
from doudi.web.forms import DayInput, YuanField
from doudi.web.templatetags.doudi import english


def _lines(rows: int = 3) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": 2000})


def _day(label: Any, **more: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=DayInput(), initial=timezone.localdate, **more)


class FindForm(forms.Form):
    """As of which date everybody is searched for doubts."""

    as_of = _day(gettext_lazy("数据日期"))


class AssignForm(forms.Form):
    """Who checks a doubt."""

    to = forms.CharField(label=gettext_lazy("核查人（姓名）"), max_length=60)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)


class CheckForm(forms.Form):
    """What a check found and what it comes to."""

    checked_on = _day(gettext_lazy("核查日期"))
    checker_1 = forms.CharField(label=gettext_lazy("核查人员一"), max_length=60)
    checker_2 = forms.CharField(label=gettext_lazy("核查人员二"), max_length=60, required=False)
    finding = forms.CharField(label=gettext_lazy("核查情况"), widget=_lines(4))
    heard = forms.CharField(
        label=gettext_lazy("家庭陈述"),
        widget=_lines(3),
        required=False,
        help_text=gettext_lazy("停发、追缴之前须听取；拒绝陈述的也写明"),
    )
    conclusion = forms.ChoiceField(label=gettext_lazy("核查结论"), widget=forms.RadioSelect)
    overpaid = YuanField(
        label=gettext_lazy("核定多发金额（元）"),
        required=False,
        help_text=gettext_lazy("应退的填写；空为按规则计算的金额"),
    )
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, rules: DoubtRules, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["conclusion"].choices = [  # type: ignore[attr-defined]
            (found.code, f"{found.code} {found.label_en if english() else found.label}")
            for found in rules.conclusions.values()
        ]


class ReviewForm(forms.Form):
    """Whether a check stands."""

    approve = forms.ChoiceField(
        label=gettext_lazy("复核"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("同意，定性")), ("no", gettext_lazy("退回重核"))],
    )
    note = forms.CharField(label=gettext_lazy("复核意见"), widget=_lines(2))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)


class EvidenceForm(forms.Form):
    """A paper, scan or photograph."""

    label = forms.CharField(label=gettext_lazy("这份证据是什么"), max_length=80)
    file = forms.FileField(
        label=gettext_lazy("文件（PDF、JPG、PNG，10 MB 以内）"),
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png"}),
    )

    def clean_file(self) -> bytes:
        sent = self.cleaned_data["file"]
        if sent.size > LIMIT:
            raise forms.ValidationError(_("文件太大，请压缩到 10 MB 以内。"))
        return bytes(sent.read())


class StopForm(forms.Form):
    """Whether payment stops after a death."""

    confirm = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("停发")), ("no", gettext_lazy("不停发"))],
    )
    stop_from = forms.DateField(
        label=gettext_lazy("从哪个月起停发（选当月任一天）"), widget=DayInput(), required=False
    )
    identity_confirmed = forms.BooleanField(label=gettext_lazy("已核对是同一人"), required=False)
    ground = forms.CharField(label=gettext_lazy("理由"), widget=_lines(2))


class PlanForm(forms.Form):
    """Equal monthly instalments of what is outstanding."""

    months = forms.IntegerField(label=gettext_lazy("分几期"), min_value=1, max_value=120)
    first = forms.DateField(label=gettext_lazy("第一期应缴日期"), widget=DayInput())


class _Entry(forms.Form):
    amount = YuanField(label=gettext_lazy("金额（元）"))
    voucher = forms.CharField(label=gettext_lazy("凭证号"), max_length=80)
    on = _day(gettext_lazy("日期"))


class ReceiveForm(_Entry):
    """Money that came back."""

    into = forms.ChoiceField(
        label=gettext_lazy("收到"),
        choices=[("bank", gettext_lazy("银行存款")), ("cash", gettext_lazy("库存现金"))],
    )


class DepositForm(_Entry):
    """Cash that was paid into the bank."""


class RefundForm(_Entry):
    """Money paid back to the family."""


class ReduceForm(_Entry):
    """A claim that was too high."""

    document = forms.CharField(label=gettext_lazy("决定文号"), max_length=80)
    ground = forms.CharField(label=gettext_lazy("理由"), widget=_lines(2))


class ReverseForm(forms.Form):
    """An entry that was wrong."""

    entry = forms.ChoiceField(label=gettext_lazy("冲正哪一笔"))
    voucher = forms.CharField(label=gettext_lazy("凭证号"), max_length=80)
    on = _day(gettext_lazy("日期"))
    ground = forms.CharField(label=gettext_lazy("理由"), widget=_lines(2))

    def __init__(self, *args: Any, entries: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["entry"].choices = [("", _("请选择")), *entries]  # type: ignore[attr-defined]


class AskWriteOffForm(forms.Form):
    """What is asked to be written off."""

    amount = YuanField(label=gettext_lazy("金额（元）"))
    ground = forms.CharField(label=gettext_lazy("理由"), widget=_lines(3))


class DecideWriteOffForm(forms.Form):
    """Whether it is written off."""

    approve = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("同意核销")), ("no", gettext_lazy("不同意"))],
    )
    document = forms.CharField(label=gettext_lazy("核销决定文号"), max_length=80, required=False)
    note = forms.CharField(label=gettext_lazy("意见"), widget=_lines(2))


class OffsetForm(forms.Form):
    """What a family agreed to have kept back each month."""

    amount = YuanField(label=gettext_lazy("每月最多扣抵（元）"))
    on = _day(gettext_lazy("同意日期"))
    ground = forms.CharField(label=gettext_lazy("协议编号或凭据"), max_length=200)


class RectificationForm(forms.Form):
    """Which period and area a rectification report speaks of."""

    since = forms.DateField(label=gettext_lazy("自"), widget=DayInput())
    until = forms.DateField(label=gettext_lazy("至"), widget=DayInput())
    region = forms.CharField(label=gettext_lazy("负责地区"), required=False, max_length=12)
