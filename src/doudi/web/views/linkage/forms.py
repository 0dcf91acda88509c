"""What people type on the pages of the linkage; the choices are the pack's, the rules are the services'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.charity import activities
from doudi.contexts.charity import services as charity
from doudi.engine.packs.linking import AIDED_ON, COLUMNS, KIND, MONEY, WAY
from doudi.web.forms import DayInput, YuanField
from doudi.web.templatetags.linkage import word

MAX_WORKBOOK = 20 << 20


def lines(rows: int = 2, limit: int = 300) -> forms.Textarea:
    """A field of several lines."""
    return forms.Textarea(attrs={"rows": rows, "maxlength": limit})


def from_pack(name: str) -> list[tuple[Any, str]]:
    """Code and word of a list of the pack: kinds, groups, money, tiers."""
    terms: Mapping[Any, Any] = getattr(chain.linkage_rules(), name)
    return [(code, word(terms, code)) for code in terms]


class PackForm(forms.Form):
    """A form whose choices come from the pack: ``lists`` says which field takes which list."""

    lists: Mapping[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, name in self.lists.items():
            asked = self.fields[field]
            first = [] if isinstance(asked, forms.MultipleChoiceField) else [("", _("请选择"))]
            asked.choices = [*first, *from_pack(name)]  # type: ignore[attr-defined]


class Day(forms.DateField):
    """A day, today at the latest, today unless something else is typed."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", DayInput())
        kwargs.setdefault("initial", timezone.localdate)
        super().__init__(**kwargs)


def ways() -> list[tuple[str, str]]:
    """The forms of aid."""
    return [("", _("请选择")), *((value, _(str(label))) for value, label in charity.Way.choices)]


class AidForm(PackForm):
    """One aid that was given."""

    lists = {"kind": "kinds", "money": "money"}
    name = forms.CharField(label=gettext_lazy("姓名"), max_length=80, required=False)
    id_number = forms.CharField(
        label=gettext_lazy("身份证号"), max_length=30, required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    group_count = forms.IntegerField(
        label=gettext_lazy("集体帮扶人数"), min_value=1, max_value=999_999, required=False,
        help_text=gettext_lazy("只有集体帮扶填人数，这时不填姓名和证件号"),
    )  # fmt: skip
    aided_on = Day(label=gettext_lazy("帮扶日期"))
    kind = forms.ChoiceField(label=gettext_lazy("需求种类"))
    way = forms.ChoiceField(label=gettext_lazy("帮扶方式"), choices=ways)
    amount_fen = YuanField(
        label=gettext_lazy("金额或折价（元）"),
        required=False,
        help_text=gettext_lazy("物资、服务不知道价值的可不填"),
    )
    what = forms.CharField(label=gettext_lazy("内容（物资、服务必填）"), max_length=300, required=False)
    project = forms.CharField(label=gettext_lazy("项目或基金（可不填）"), max_length=120, required=False)
    money = forms.ChoiceField(label=gettext_lazy("资金来源"))
    consent = forms.ChoiceField(
        label=gettext_lazy("本人同意登记"),
        choices=[("", gettext_lazy("没有问")), ("yes", gettext_lazy("同意")), ("no", gettext_lazy("不同意"))],
        required=False,
    )

    def aid(self) -> charity.Aid:
        """What was typed as an aid."""
        typed = dict(self.cleaned_data)
        typed["consent"] = {"yes": True, "no": False}.get(typed["consent"])
        return charity.Aid(**typed)


class GroundForm(forms.Form):
    """A reason in a few words."""

    ground = forms.CharField(label=gettext_lazy("理由"), max_length=280, widget=lines())


class NothingForm(forms.Form):
    """A step without anything to fill in."""


class WorkbookForm(forms.Form):
    """A body's monthly workbook."""

    file = forms.FileField(
        label=gettext_lazy("月报表"),
        help_text=gettext_lazy("本单位自己的表就行，xlsx、xls 或 csv；第一次上传时指定各列，以后记住"),
        widget=forms.FileInput(attrs={"accept": ".xlsx,.xlsm,.xls,.csv"}),
    )
    month = forms.DateField(
        label=gettext_lazy("所报月份（该月任意一天）"), widget=DayInput(),
        initial=lambda: timezone.localdate().replace(day=1) - timedelta(days=1),
    )  # fmt: skip

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_WORKBOOK:
            raise forms.ValidationError(_("文件超过 20 MB，请分开上传。"))
        return file


class ColumnsForm(forms.Form):
    """Which column of a body's workbook is which field, and what holds for every row."""

    wants = ("header",)

    def __init__(self, *args: Any, header: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = [("", _("表里没有")), *((label, label) for label in header if label)]
        for number, field in enumerate(COLUMNS):
            self.fields[f"c{number}"] = forms.ChoiceField(label=_(field), choices=columns, required=False)
        for name, field, choices in (
            ("kind", KIND, from_pack("kinds")), ("money", MONEY, from_pack("money")), ("way", WAY, ways()[1:]),
        ):  # fmt: skip
            self.fields[name] = forms.ChoiceField(
                label=_("表里没有这一列时，每行都是：%(field)s") % {"field": _(field)},
                choices=[("", _("不固定")), *choices],
                required=False,
            )
        self.fields["day"] = forms.DateField(
            label=_("表里没有日期列时，每行的帮扶日期"), widget=DayInput(), required=False
        )

    def columns(self) -> dict[str, str]:
        """Field → header."""
        return {field: self.cleaned_data[f"c{number}"] for number, field in enumerate(COLUMNS)}

    def defaults(self) -> dict[str, str]:
        """Field → what holds for every row."""
        typed = self.cleaned_data
        day = typed["day"].isoformat() if typed["day"] else ""
        return {KIND: typed["kind"], MONEY: typed["money"], WAY: typed["way"], AIDED_ON: day}

    @staticmethod
    def first(columns: dict[str, str], defaults: dict[str, str]) -> dict[str, str]:
        """What the form shows at first."""
        shown = {f"c{number}": columns.get(field, "") for number, field in enumerate(COLUMNS)}
        return {**shown, "kind": defaults.get(KIND, ""), "money": defaults.get(MONEY, ""),
                "way": defaults.get(WAY, ""), "day": defaults.get(AIDED_ON, "")}  # fmt: skip


class MonthForm(forms.Form):
    """A month to close."""

    month = forms.DateField(
        label=gettext_lazy("月份（该月任意一天）"), widget=DayInput(),
        initial=lambda: timezone.localdate().replace(day=1) - timedelta(days=1),
    )  # fmt: skip
    nothing = forms.BooleanField(label=gettext_lazy("零报告：这个月没有帮扶"), required=False)


class NeedForm(PackForm):
    """What a household needs."""

    lists = {"kind": "kinds", "group": "groups", "tier": "tiers"}
    kind = forms.ChoiceField(label=gettext_lazy("需求种类"))
    group = forms.ChoiceField(label=gettext_lazy("人群"))
    tier = forms.TypedChoiceField(label=gettext_lazy("紧急等级"), coerce=int)
    need_fen = YuanField(
        label=gettext_lazy("需求金额（元）"), required=False,
        help_text=gettext_lazy("整个需要多少，不用自己减；政府救助和其他帮扶由系统扣除。只要服务或物资的不填"),
    )  # fmt: skip
    whole = forms.BooleanField(
        label=gettext_lazy("须一次给足（只给一部分没有用，例如手术押金）"), required=False,
        help_text=gettext_lazy("不勾选时可以由几个项目分担，缺口随每一笔减少"),
    )  # fmt: skip
    story = forms.CharField(
        label=gettext_lazy("情况说明（只有经办人看得到）"), widget=lines(4, 2000), min_length=10
    )

    def need(self) -> dict[str, Any]:
        """What was typed as a need; an empty amount asks for no money."""
        typed = dict(self.cleaned_data)
        return {**typed, "need_fen": typed["need_fen"] or None}


class PhotoForm(forms.Form):
    """A picture of an activity."""

    picture = forms.FileField(
        label=gettext_lazy("照片（JPG 或 PNG；地点和时间信息会自动去掉）"),
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png"}),
    )
    taken_on = Day(label=gettext_lazy("拍摄日期"))
    caption = forms.CharField(label=gettext_lazy("说明（会公开）"), max_length=200, min_length=4)
    who = forms.ChoiceField(label=gettext_lazy("画面中的人"))
    consent = forms.CharField(
        label=gettext_lazy("书面同意存在哪里（看得出是谁的必填）"), max_length=200, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["who"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(code, _(label)) for code, label in activities.ActivityPhoto.Who.choices]

    def clean_picture(self) -> bytes:
        return bytes(self.cleaned_data["picture"].read())


class PhotoDownForm(forms.Form):
    """A picture that goes."""

    wants = ("photos",)
    photo = forms.ChoiceField(label=gettext_lazy("照片"))
    why = forms.CharField(label=gettext_lazy("理由（例如本人撤回同意）"), max_length=200, min_length=4)

    def __init__(self, *args: Any, photos: Iterable[tuple[int, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["photo"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(photos)


class ConsentForm(forms.Form):
    """The person's word."""

    kind = forms.ChoiceField(label=gettext_lazy("同意事项"))
    given = forms.ChoiceField(label=gettext_lazy("方式"))
    signer = forms.CharField(label=gettext_lazy("同意人（或监护人）"), max_length=60)
    given_on = Day(label=gettext_lazy("同意日期"))
    expires_on = forms.DateField(
        label=gettext_lazy("有效期至（不填为最长期限）"), widget=DayInput(), required=False
    )
    evidence = forms.FileField(
        label=gettext_lazy("签字照片或扫描件（口头两人在场的不用）"), required=False,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,application/pdf"}),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, choices in (
            ("kind", charity.Consent.Kind.choices),
            ("given", charity.Consent.Given.choices),
        ):
            self.fields[field].choices = [(value, _(str(label))) for value, label in choices]  # type: ignore[attr-defined]


class WithdrawForm(forms.Form):
    """The person takes the consent back."""

    told_on = Day(label=gettext_lazy("本人提出撤回的日期"))


class PublishForm(forms.Form):
    """The text that bodies read."""

    public_text = forms.CharField(
        label=gettext_lazy("公开说明"), widget=lines(4, 300),
        help_text=gettext_lazy("不写姓名、证件号、电话、病名和更细的地名；地区由系统按同类户数放宽"),
    )  # fmt: skip


class ClaimForm(forms.Form):
    """For which own project a need is held."""

    wants = ("projects",)
    project = forms.ChoiceField(label=gettext_lazy("用哪个项目"))

    def __init__(self, *args: Any, projects: list[tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].choices = [("", _("请选择")), *(projects or [])]  # type: ignore[attr-defined]


class GrantForm(PackForm):
    """What is given."""

    lists = {"money": "money"}
    way = forms.ChoiceField(label=gettext_lazy("帮扶方式"), choices=ways)
    amount_fen = YuanField(label=gettext_lazy("金额或折价（元）"), required=False)
    what = forms.CharField(label=gettext_lazy("内容（物资、服务必填）"), max_length=300, required=False)
    granted_on = Day(label=gettext_lazy("给予日期"))
    money = forms.ChoiceField(label=gettext_lazy("资金来源"))
    cut_to_gap = forms.BooleanField(label=gettext_lazy("超过缺口的，按缺口给予"), required=False)


class OutcomeForm(forms.Form):
    """What a gift came to."""

    result = forms.ChoiceField(label=gettext_lazy("结果"))
    outcome = forms.CharField(label=gettext_lazy("结果说明"), widget=lines(3, 1000))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["result"].choices = [  # type: ignore[attr-defined]
            ("", _("请选择")), *((value, _(str(label))) for value, label in charity.Claim.Result.choices)
        ]  # fmt: skip


class GoodsForm(forms.Form):
    """Goods given for a claim."""

    wants = ("goods",)
    name = forms.ChoiceField(label=gettext_lazy("物资"))
    quantity = forms.IntegerField(label=gettext_lazy("数量"), min_value=1)

    def __init__(self, *args: Any, goods: list[tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].choices = [("", _("请选择")), *(goods or [])]  # type: ignore[attr-defined]


class BookingForm(forms.Form):
    """Capacity of a service booked for a claim."""

    wants = ("services",)
    offer = forms.TypedChoiceField(label=gettext_lazy("服务"), coerce=int)
    month = Day(label=gettext_lazy("月份（该月任意一天）"))
    units = forms.IntegerField(label=gettext_lazy("数量"), min_value=1)

    def __init__(self, *args: Any, services: list[tuple[int, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["offer"].choices = [("", _("请选择")), *(services or [])]  # type: ignore[attr-defined]


class ProjectForm(PackForm):
    """A charity project."""

    lists = {"kinds": "kinds", "groups": "groups"}
    name = forms.CharField(label=gettext_lazy("项目名称"), max_length=120)
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("用途（不选为不限）"),
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 5}),
    )
    groups = forms.MultipleChoiceField(
        label=gettext_lazy("对象人群（不选为不限）"),
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 5}),
    )
    regions = forms.CharField(
        label=gettext_lazy("地区（区划代码，用空格隔开，不填为不限）"), required=False, max_length=300
    )
    budget_fen = YuanField(label=gettext_lazy("预算（元，不填为不限）"), required=False)
    most_fen = YuanField(label=gettext_lazy("每户最高（元，不填为不限）"), required=False)
    places = forms.IntegerField(label=gettext_lazy("名额（不填为不限）"), required=False, min_value=1)
    starts_on = Day(label=gettext_lazy("开始日期"))
    ends_on = forms.DateField(label=gettext_lazy("结束日期（可不填）"), widget=DayInput(), required=False)
    donor_intent = forms.CharField(
        label=gettext_lazy("捐赠人意愿（可不填）"), widget=lines(2, 1000), required=False
    )
    content = forms.CharField(label=gettext_lazy("项目内容（可不填）"), widget=lines(2, 1000), required=False)

    def project(self) -> dict[str, Any]:
        """What was typed as a project; an empty limit is none."""
        typed = dict(self.cleaned_data)
        return {
            **typed,
            "regions": typed["regions"].replace("，", " ").replace("、", " ").replace(",", " ").split(),
            "budget_fen": typed["budget_fen"] or None,
            "most_fen": typed["most_fen"] or None,
        }


class StatusForm(forms.Form):
    """What becomes of a project, and why."""

    status = forms.ChoiceField(label=gettext_lazy("转为"))
    why = forms.CharField(label=gettext_lazy("理由"), max_length=280)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["status"].choices = [  # type: ignore[attr-defined]
            (value, _(str(label))) for value, label in charity.Project.Status.choices
        ]


class InterestedForm(forms.Form):
    """A person tied to the donor or a manager."""

    name = forms.CharField(label=gettext_lazy("姓名"), max_length=80)
    id_number = forms.CharField(
        label=gettext_lazy("身份证号"), max_length=30, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    tie = forms.ChoiceField(label=gettext_lazy("关系类别"))
    relation = forms.CharField(
        label=gettext_lazy("关系"), max_length=60, help_text=gettext_lazy("例如 侄子、配偶、员工")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tie"].choices = [  # type: ignore[attr-defined]
            (value, _(str(label))) for value, label in charity.InterestedPerson.Tie.choices
        ]


class LotForm(PackForm):
    """Goods that came in."""

    lists = {"kind": "kinds"}
    name = forms.CharField(label=gettext_lazy("名称"), max_length=80)
    unit = forms.CharField(label=gettext_lazy("单位"), max_length=12)
    kind = forms.ChoiceField(label=gettext_lazy("需求种类"))
    quantity = forms.IntegerField(label=gettext_lazy("数量"), min_value=1, max_value=10_000_000)
    expires_on = forms.DateField(
        label=gettext_lazy("有效期至（没有的不填）"), widget=DayInput(), required=False
    )
    source = forms.CharField(label=gettext_lazy("来源（可不填）"), max_length=120, required=False)


class OfferForm(PackForm):
    """A service with its capacity."""

    lists = {"kind": "kinds"}
    name = forms.CharField(label=gettext_lazy("名称"), max_length=80)
    unit = forms.CharField(label=gettext_lazy("单位"), max_length=12, help_text=gettext_lazy("例如 次、小时"))
    kind = forms.ChoiceField(label=gettext_lazy("需求种类"))
    per_month = forms.IntegerField(label=gettext_lazy("每月容量"), min_value=1, max_value=100_000)


class OrganisationForm(forms.Form):
    """A body that gives."""

    kind = forms.ChoiceField(label=gettext_lazy("类型"))
    code = forms.CharField(
        label=gettext_lazy("编号"), max_length=40,
        help_text=gettext_lazy("慈善组织填统一社会信用代码；成员单位填本县自定的简码，与账号的所属组织一致"),
    )  # fmt: skip
    name = forms.CharField(label=gettext_lazy("名称"), max_length=120)
    registered_on = forms.DateField(
        label=gettext_lazy("登记日期（慈善组织必填）"), widget=DayInput(), required=False
    )
    contact = forms.CharField(label=gettext_lazy("联系人（可不填）"), max_length=60, required=False)
    phone = forms.CharField(label=gettext_lazy("办公电话（可不填）"), max_length=40, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            ("", _("请选择")), *((value, _(str(label))) for value, label in charity.Organisation.Kind.choices)
        ]  # fmt: skip


class ApplyForm(forms.Form):
    """A charity applies for public fundraising."""

    applied_on = Day(label=gettext_lazy("申请日期"))


class DecideForm(forms.Form):
    """The decision on an application."""

    decision = forms.ChoiceField(
        label=gettext_lazy("决定"),
        choices=[("grant", gettext_lazy("准予")), ("refuse", gettext_lazy("不予"))],
    )
    ground = forms.CharField(label=gettext_lazy("理由（不予必填）"), max_length=280, required=False)


class MeetingForm(forms.Form):
    """A meeting to call."""

    wants = ("bodies",)
    title = forms.CharField(label=gettext_lazy("会议名称"), max_length=120)
    held_on = forms.DateField(label=gettext_lazy("日期"), widget=DayInput())
    place = forms.CharField(label=gettext_lazy("地点（可不填）"), max_length=120, required=False)
    bodies = forms.MultipleChoiceField(
        label=gettext_lazy("参会单位"), required=False, widget=forms.SelectMultiple(attrs={"size": 8})
    )

    def __init__(self, *args: Any, bodies: list[tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["bodies"].choices = bodies or []  # type: ignore[attr-defined]


class ItemForm(forms.Form):
    """An item of the agenda."""

    subject = forms.CharField(
        label=gettext_lazy("议题"), max_length=200, help_text=gettext_lazy("不写姓名和证件号，个案写需求编号")
    )
    need_code = forms.CharField(label=gettext_lazy("需求编号（可不填）"), max_length=20, required=False)


class ResolutionForm(forms.Form):
    """What was decided on an item."""

    wants = ("items", "bodies")
    position = forms.TypedChoiceField(label=gettext_lazy("议题"), coerce=int)
    what = forms.CharField(label=gettext_lazy("议定事项"), max_length=300, widget=lines())
    responsible = forms.ChoiceField(label=gettext_lazy("责任单位"), required=False)
    due_on = forms.DateField(label=gettext_lazy("期限"), widget=DayInput())

    def __init__(
        self, *args: Any, items: list[tuple[int, str]] | None = None,
        bodies: list[tuple[str, str]] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self.fields["position"].choices = items or []  # type: ignore[attr-defined]
        self.fields["responsible"].choices = [("", _("县级民政")), *(bodies or [])]  # type: ignore[attr-defined]


class MinutesForm(forms.Form):
    """The minutes."""

    minutes = forms.CharField(label=gettext_lazy("纪要"), widget=lines(5, 4000))


class DoneForm(forms.Form):
    """What came of a decision."""

    outcome = forms.CharField(label=gettext_lazy("办理结果"), widget=lines(2, 1000))
