"""What people type, read into values the services take; rules of the business stay in the services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise, lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi.contexts.accounts.services import Role
from doudi.contexts.assistance.services import Referral
from doudi.contexts.monitoring.services import CONSENT_WAYS
from doudi.engine import money
from doudi.engine.feeds import FeedSpec
from doudi.engine.packs import Pack
from doudi.engine.packs.handling import Handling
from doudi.web.templatetags.doudi import english, zh

MAX_UPLOAD_BYTES = 200 << 20


def _around(sentence: str | Promise, *words: str) -> SafeString:
    return format_html(str(sentence), *map(zh, words))


with_chinese = lazy(_around, SafeString)
"""A sentence of the catalogue around headers and examples that are Chinese in both languages, each marked as Chinese."""


class DayInput(forms.DateInput):
    """The browser's own date field."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class YuanField(forms.CharField):
    """An amount typed in yuan, read exactly into fen (元 → 分)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 20)
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)

    def clean(self, value: Any) -> int:
        text = super().clean(value)
        if not text:
            return 0
        fen, fault = money.parse_fen(text)
        if fen is None or fault is not None:
            raise forms.ValidationError(
                _("“%(text)s”不是金额。请填写元，最多两位小数，例如 1234.50。") % {"text": text}
            )
        return fen


def _lines(rows: int = 3, limit: int = 2000) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": limit})


class DispatchForm(forms.Form):
    """To which township a warning goes, and there to whom."""

    to = forms.ChoiceField(label=gettext_lazy("派往乡镇（街道）"))
    assignee = forms.ChoiceField(label=gettext_lazy("经办人（可不选）"), required=False)
    remark = forms.CharField(label=gettext_lazy("派单说明（可不填）"), required=False, max_length=200)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        *args: Any,
        townships: list[tuple[str, str]],
        officers: list[tuple[str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if officers:
            self.fields["assignee"].choices = [("", _("全乡镇（街道）")), *officers]  # type: ignore[attr-defined]
        else:
            del self.fields["assignee"]
        if townships:
            self.fields["to"].choices = [("", _("请选择")), *townships]  # type: ignore[attr-defined]
        else:
            # the table of divisions below the county was not there at set-up: the code is typed
            self.fields["to"] = forms.RegexField(
                r"^\d{9}(\d{3})?$",
                label=_("派往乡镇（街道）的区划代码"),
                help_text=_("九位或十二位数字"),
                widget=forms.TextInput(attrs={"inputmode": "numeric"}),
            )


class VisitForm(forms.Form):
    """What the visitors found."""

    visited_on = forms.DateField(label=gettext_lazy("入户日期"), widget=DayInput())
    visitor_1 = forms.CharField(label=gettext_lazy("入户人员一"), max_length=60)
    visitor_2 = forms.CharField(label=gettext_lazy("入户人员二"), max_length=60, required=False)
    result_code = forms.ChoiceField(label=gettext_lazy("核实结果"), widget=forms.RadioSelect)
    finding = forms.CharField(label=gettext_lazy("核实情况"), widget=_lines(4))
    consent = forms.BooleanField(label=gettext_lazy("本人同意转介慈善组织"), required=False)
    consent_by = forms.CharField(
        label=gettext_lazy("同意人（可不填，默认户主）"), max_length=60, required=False
    )
    consent_how = forms.ChoiceField(label=gettext_lazy("同意方式"), required=False)
    signed = forms.BooleanField(label=gettext_lazy("本人已在拒绝救助说明上签字"), required=False)
    witness_1 = forms.CharField(label=gettext_lazy("见证人一"), max_length=60, required=False)
    witness_2 = forms.CharField(label=gettext_lazy("见证人二"), max_length=60, required=False)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, handling: Handling, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["visited_on"].widget.attrs["max"] = f"{timezone.localdate():%Y-%m-%d}"
        self.fields["result_code"].choices = [  # type: ignore[attr-defined]
            (result.code, _result_words(result)) for result in handling.results.values()
        ]
        self.fields["consent_how"].choices = [("", _("请选择")), *((way, _(way)) for way in CONSENT_WAYS)]  # type: ignore[attr-defined]


class AttemptForm(forms.Form):
    """A visit at which nobody was found."""

    tried_on = forms.DateField(label=gettext_lazy("寻访日期"), widget=DayInput())
    visitor_1 = forms.CharField(label=gettext_lazy("寻访人员一"), max_length=60)
    visitor_2 = forms.CharField(label=gettext_lazy("寻访人员二"), max_length=60, required=False)
    finding = forms.CharField(label=gettext_lazy("寻访情况"), widget=_lines(2, 300))


class ReassignForm(forms.Form):
    """To whom a dispatched warning goes instead, and why."""

    to = forms.ChoiceField(label=gettext_lazy("乡镇（街道）"))
    assignee = forms.ChoiceField(label=gettext_lazy("经办人"), required=False)
    ground = forms.CharField(label=gettext_lazy("改派理由"), widget=_lines(2, 300))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, *args: Any, townships: list[tuple[str, str]], officers: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].choices = townships  # type: ignore[attr-defined]
        self.fields["assignee"].choices = [("", _("全乡镇（街道）")), *officers]  # type: ignore[attr-defined]


class SuspendForm(forms.Form):
    """Until when a clock stands still, and why."""

    until_on = forms.DateField(label=gettext_lazy("恢复日期"), widget=DayInput())
    ground = forms.CharField(
        label=gettext_lazy("中止事由"),
        widget=_lines(2, 300),
        help_text=gettext_lazy("例如：全家外出就医，邻居证实"),
    )


class ResumeForm(forms.Form):
    """A clock goes on; there is nothing to fill in."""


class RevisitForm(forms.Form):
    """Whether the difficulty is over."""

    visited_on = forms.DateField(label=gettext_lazy("回访日期"), widget=DayInput())
    visitor_1 = forms.CharField(label=gettext_lazy("回访人员一"), max_length=60)
    visitor_2 = forms.CharField(label=gettext_lazy("回访人员二"), max_length=60, required=False)
    result = forms.ChoiceField(
        label=gettext_lazy("回访结果"),
        widget=forms.RadioSelect,
        choices=[
            ("solved", gettext_lazy("困难已解决")),
            ("unsolved", gettext_lazy("困难未解决（另立一件，继续办理）")),
        ],
    )
    finding = forms.CharField(label=gettext_lazy("回访情况"), widget=_lines(2))


class HandoverForm(forms.Form):
    """Whose open work goes to whom, and why."""

    from_account = forms.ChoiceField(label=gettext_lazy("交出人"))
    to_account = forms.ChoiceField(label=gettext_lazy("接手人"))
    ground = forms.CharField(label=gettext_lazy("交接理由"), widget=_lines(2, 300), required=False)

    def __init__(self, *args: Any, officers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("from_account", "to_account"):
            self.fields[name].choices = [("", _("请选择")), *officers]  # type: ignore[attr-defined]


class ThresholdForm(forms.Form):
    """Another value of an indicator's number, from a day on."""

    parameter = forms.ChoiceField(label=gettext_lazy("参数"))
    value = forms.CharField(
        label=gettext_lazy("新值"),
        max_length=30,
        help_text=with_chinese(gettext_lazy("连同单位，例如 {}、60%、{}"), "20000元", "24个月"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    from_on = forms.DateField(
        label=gettext_lazy("生效日期"), widget=DayInput(), help_text=gettext_lazy("今天之后的一天")
    )
    ground = forms.CharField(label=gettext_lazy("理由和依据"), widget=_lines(3))

    def __init__(self, *args: Any, numbers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["parameter"].choices = numbers  # type: ignore[attr-defined]


class DecisionForm(forms.Form):
    """A word on a decision: an opinion, or the ground of a return or withdrawal."""

    decision = forms.CharField(label=gettext_lazy("意见"), widget=_lines(2, 280), required=False)


def _result_words(result: Any) -> str:
    asks = [
        _("须两人入户") if result.visitors > 1 else "",
        _("须写明理由") if result.ground else "",
        _("不同日寻访 %(tries)d 次") % {"tries": result.tries} if result.tries else "",
        _("本人签字或两人见证") if result.signature else "",
        _("告知来源部门") if result.tell_supplier else "",
        {
            "measure": _("下一步：给予措施"),
            "referral": _("下一步：推送部门"),
        }.get(result.follow_up, ""),
    ]
    words = _("，").join(ask for ask in asks if ask)
    label = result.label_en if english() else result.label
    return f"{result.code} {label}" + (_("（%s）") % words if words else "")


class MeasureForm(forms.Form):
    """A measure of the pack with its amount and ground."""

    code = forms.ChoiceField(label=gettext_lazy("措施"))
    amount = YuanField(
        label=gettext_lazy("金额（元）"), required=False, help_text=gettext_lazy("实物或服务可不填")
    )
    given_on = forms.DateField(label=gettext_lazy("给予日期"), widget=DayInput())
    ground = forms.CharField(label=gettext_lazy("依据与说明"), widget=_lines(2))

    def __init__(self, *args: Any, pack: Pack, found_category: str, signals: set[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fitting: list[tuple[str, str]] = []
        others: list[tuple[str, str]] = []
        for measure in pack.measures.values():
            fits = found_category in measure.categories or signals & set(measure.indicators)
            (fitting if fits else others).append((measure.code, _(pack.label(measure.code))))
        groups = [(_("与该户类别或信号相符"), fitting), (_("其他措施"), others)]
        self.fields["code"].choices = [("", _("请选择")), *[group for group in groups if group[1]]]  # type: ignore[attr-defined]
        self.fields["given_on"].widget.attrs["max"] = f"{timezone.localdate():%Y-%m-%d}"


class PushForm(forms.Form):
    """Which department is asked for what."""

    department = forms.ChoiceField(label=gettext_lazy("推送部门"))
    need = forms.CharField(
        label=gettext_lazy("需求"),
        widget=_lines(2),
        help_text=gettext_lazy(
            "只写需要什么，不写家庭经济状况。部门收到的是姓名、证件号、电话、类别和这段话。"
        ),
    )

    def __init__(self, *args: Any, handling: Handling, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["department"].choices = [  # type: ignore[attr-defined]
            ("", _("请选择")),
            *((name, _("%(department)s：%(needs)s") % {"department": _(name), "needs": _(needs)})
              for name, needs in handling.departments.items()),
        ]  # fmt: skip


class CloseForm(forms.Form):
    """How the case ended."""

    closing_note = forms.CharField(label=gettext_lazy("办结情况"), widget=_lines(2))
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)


class AnswerForm(forms.Form):
    """What the department did."""

    result = forms.ChoiceField(label=gettext_lazy("办理结果"))
    amount = YuanField(
        label=gettext_lazy("金额（元）"), required=False, help_text=gettext_lazy("没有金额可不填")
    )
    answer = forms.CharField(label=gettext_lazy("办理情况"), widget=_lines(3))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["result"].choices = [  # type: ignore[attr-defined]
            ("", _("请选择")),
            *((value, _(str(label))) for value, label in Referral.Result.choices),
        ]


class ReturnForm(forms.Form):
    """Why the department sends the need back."""

    why = forms.CharField(label=gettext_lazy("退回理由"), widget=_lines(2))


class UploadForm(forms.Form):
    """A department's file and the date its data stand for."""

    file = forms.FileField(
        label=gettext_lazy("部门文件"),
        help_text=gettext_lazy("xlsx、xls、csv 或 parquet，不超过 200 MB"),
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xlsm,.xls,.csv,.txt,.parquet"}),
    )
    feed = forms.ChoiceField(label=gettext_lazy("数据种类"), required=False)
    as_of = forms.DateField(
        label=gettext_lazy("数据日期"),
        widget=DayInput(),
        help_text=gettext_lazy("数据截至哪一天，不是收到的日子"),
    )
    source = forms.CharField(
        label=gettext_lazy("来源单位（可不填）"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("一类数据由几家分送时填写，各家互不取代"),
    )

    def __init__(self, *args: Any, specs: Mapping[str, FeedSpec], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["feed"].choices = [  # type: ignore[attr-defined]
            ("", _("按表头自动识别")),
            *((name, _(spec.label)) for name, spec in specs.items()),
        ]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(
                _("文件超过 200 MB。请拆分后再传，或由管理员用 doudi feed load 在服务器上装载。")
            )
        return file


class ScreenForm(forms.Form):
    """The date everyone is screened as of."""

    as_of = forms.DateField(label=gettext_lazy("筛查日期"), widget=DayInput())


class UserForm(forms.Form):
    """A new account."""

    username = forms.RegexField(
        r"^[\w.@+-]+$",
        label=gettext_lazy("账号"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    display_name = forms.CharField(label=gettext_lazy("姓名"), max_length=60)
    role = forms.ChoiceField(label=gettext_lazy("角色"))
    region_code = forms.RegexField(
        r"^(\d{2}|\d{4}|\d{6}|\d{9}|\d{12})?$",
        label=gettext_lazy("辖区代码"),
        required=False,
        help_text=gettext_lazy("行政区划代码，2、4、6、9 或 12 位；空为全部"),
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    department = forms.ChoiceField(
        label=gettext_lazy("部门"), required=False, help_text=gettext_lazy("只有部门用户填写")
    )
    password = forms.CharField(
        label=gettext_lazy("初始密码"),
        help_text=gettext_lazy("至少 10 位，不能是常见密码；首次登录后请本人修改"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, handling: Handling, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [("", _("请选择")), *((role.value, _(role.label)) for role in Role)]  # type: ignore[attr-defined]
        self.fields["department"].choices = [  # type: ignore[attr-defined]
            ("", _("无")),
            *((name, _(name)) for name in handling.departments),
        ]
