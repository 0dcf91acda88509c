"""What a volunteer, a place's desk and the receiver of a service type."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.meals import services as meals
from doudi.contexts.meals import volunteering
from doudi.web.forms import DayInput
from doudi.web.views.kitchen.forms import MomentInput, Token, named, today


class PlaceForm(forms.Form):
    """A form about one of the account's places."""

    site = forms.ChoiceField(label=gettext_lazy("助餐点"))

    def __init__(self, *args: Any, places: list[meals.Site], **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.places = {place.code: place for place in places}
        self.fields["site"].choices = [(place.code, place.name) for place in places]  # type: ignore[attr-defined]

    def place(self) -> meals.Site:
        """The chosen place."""
        return self.places[self.cleaned_data["site"]]


class RegisterForm(PlaceForm):
    """A volunteer, or a relative who only receives points."""

    name = forms.CharField(label=gettext_lazy("姓名"), max_length=60)
    id_number = forms.CharField(
        label=gettext_lazy("身份证号"), max_length=20, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    phone = forms.CharField(label=gettext_lazy("电话"), max_length=20, required=False)
    username = forms.CharField(
        label=gettext_lazy("登录账号（可不填）"),
        max_length=150,
        required=False,
        help_text=gettext_lazy("有志愿者账号的填写，本人可自己报名签到"),
    )
    serves = forms.BooleanField(
        label=gettext_lazy("参加服务（不勾：只接收积分的亲属）"), required=False, initial=True
    )


class ShiftForm(PlaceForm):
    """A shift."""

    token = Token()
    post = forms.ChoiceField(label=gettext_lazy("岗位"))
    starts_at = forms.DateTimeField(label=gettext_lazy("开始"), widget=MomentInput())
    ends_at = forms.DateTimeField(label=gettext_lazy("结束"), widget=MomentInput())
    places_wanted = forms.IntegerField(label=gettext_lazy("人数"), min_value=1, max_value=50, initial=2)
    receiver_name = forms.CharField(
        label=gettext_lazy("受助人或就餐老人代表"),
        max_length=60,
        help_text=gettext_lazy("服务由其确认后才计积分"),
    )
    receiver_no = forms.CharField(
        label=gettext_lazy("受助老人助餐编号（可不填）"),
        max_length=24,
        required=False,
        help_text=gettext_lazy("填了，老人可凭取餐码自己确认，不用等电话回访"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        posts = chain.volunteer_rules().posts.values()
        self.fields["post"].choices = [(post.code, named(post)) for post in posts]  # type: ignore[attr-defined]


class GroupForm(PlaceForm):
    """A group of neighbours."""

    name = forms.CharField(label=gettext_lazy("小组名称"), max_length=60)
    leader = forms.CharField(label=gettext_lazy("组长志愿者编号"), max_length=24)
    formed_on = forms.DateField(label=gettext_lazy("成立日期"), widget=DayInput(), initial=today)


class PersonForm(forms.Form):
    """A form about one volunteer; ``person`` fills its choices."""

    def __init__(self, *args: Any, person: volunteering.Volunteer, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.person = person
        for name, choices in self.choices().items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        return {}


class RecordForm(PersonForm):
    """A training, an honour, an evaluation."""

    kind = forms.ChoiceField(label=gettext_lazy("种类"))
    title = forms.CharField(label=gettext_lazy("内容"), max_length=120)
    on = forms.DateField(label=gettext_lazy("日期"), widget=DayInput(), initial=today)
    minutes = forms.IntegerField(
        label=gettext_lazy("学时（分钟）"), min_value=0, max_value=9999, initial=0, required=False
    )

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        return {"kind": [(value, _(label)) for value, label in volunteering.VolunteerRecord.Kind.choices]}


class InsuranceForm(PersonForm):
    """An accident insurance."""

    policy_no = forms.CharField(label=gettext_lazy("保单号"), max_length=60)
    insurer = forms.CharField(label=gettext_lazy("保险公司"), max_length=80)
    from_on = forms.DateField(label=gettext_lazy("起"), widget=DayInput(), initial=today)
    until_on = forms.DateField(label=gettext_lazy("止"), widget=DayInput())


class RedeemForm(PersonForm):
    """Points for a meal or a service."""

    token = Token()
    offer = forms.ChoiceField(label=gettext_lazy("兑换什么"), widget=forms.RadioSelect)

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        offers = chain.volunteer_rules().offers.values()
        words = _("%(name)s，%(points)s 分")
        return {"offer": [(one.code, words % {"name": named(one), "points": one.points}) for one in offers]}


class GiftForm(PersonForm):
    """Points for a relative."""

    token = Token()
    to = forms.CharField(
        label=gettext_lazy("受赠人志愿者编号"),
        max_length=24,
        help_text=gettext_lazy("亲属先在助餐点登记，得到编号"),
    )
    points = forms.IntegerField(label=gettext_lazy("积分"), min_value=1, max_value=9999)


class CarryForm(PersonForm):
    """Points from one place to another."""

    token = Token()
    from_code = forms.CharField(label=gettext_lazy("从哪个助餐点（编号）"), max_length=40)
    to_code = forms.CharField(label=gettext_lazy("转到哪个助餐点（编号）"), max_length=40)
    points = forms.IntegerField(label=gettext_lazy("积分"), min_value=1, max_value=9999)


class HeirForm(PersonForm):
    """Who gets what is left."""

    heir = forms.CharField(
        label=gettext_lazy("继承人志愿者编号（不填：转入公益池）"), max_length=24, required=False
    )


class EstateForm(PersonForm):
    """A death."""

    died_on = forms.DateField(label=gettext_lazy("去世日期"), widget=DayInput())


class ReverseForm(PersonForm):
    """A movement taken back."""

    number = forms.CharField(label=gettext_lazy("凭证号"), max_length=24)
    why = forms.CharField(label=gettext_lazy("理由"), max_length=200)


class ReceiptForm(forms.Form):
    """The receiver's word on a service."""

    number = forms.CharField(label=gettext_lazy("班次号"), max_length=24)
    code = forms.CharField(
        label=gettext_lazy("您的取餐码"),
        max_length=6,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
