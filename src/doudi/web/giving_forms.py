"""What people type about charity's money, fundraising and calls; rules of the business stay in the services."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.charity import giving
from doudi.contexts.registry import services as registry
from doudi.web.forms import DayInput, YuanField
from doudi.web.templatetags.doudi import english


def lines(rows: int = 2, limit: int = 2000) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": limit})


def day(label: Any, **more: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=DayInput(), initial=timezone.localdate, **more)


def words(label: Any, limit: int = 80, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=limit, **more)


def named(terms: Any) -> list[tuple[str, str]]:
    """Codes of the pack with their words in the reader's language."""
    return [(term.code, term.label_en if english() else term.label) for term in terms]


def told(choices: Any) -> list[tuple[str, str]]:
    return [(value, _(str(label))) for value, label in choices]


def places(region_code: str) -> list[tuple[str, str]]:
    """The county itself and its townships."""
    county = region_code[:6]
    return [(county, registry.region_name(county)), *registry.children(county)]


class UnknownYuan(YuanField):
    """An amount that may be left open: None is not known, nought is nought."""

    def clean(self, value: Any) -> Any:
        return None if not str(value or "").strip() else super().clean(value)


class TokenForm(forms.Form):
    """A form that sent twice does its act once."""

    token = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["token"].initial = secrets.token_hex(16)


class FundForm(forms.Form):
    """A fund with its restrictions."""

    kind = forms.ChoiceField(label=gettext_lazy("种类"))
    name = words(gettext_lazy("名称"))
    purposes = forms.MultipleChoiceField(
        label=gettext_lazy("限定用途（可多选）"), required=False, widget=forms.CheckboxSelectMultiple
    )
    groups = forms.MultipleChoiceField(
        label=gettext_lazy("限定群体（不选为不限）"), required=False, widget=forms.CheckboxSelectMultiple
    )
    regions = forms.MultipleChoiceField(
        label=gettext_lazy("限定地区（不选为不限）"), required=False, widget=forms.CheckboxSelectMultiple
    )
    terms = forms.CharField(
        label=gettext_lazy("使用约定"),
        required=False,
        widget=lines(),
        help_text=gettext_lazy(
            "专项基金、冠名基金写明设立协议；基金没有法人资格，不得以自己的名义募捐、签约、开户"
        ),
    )
    remainder = forms.CharField(label=gettext_lazy("剩余财产的处理"), required=False, widget=lines())
    admin_permille = forms.IntegerField(
        label=gettext_lazy("约定管理费用（‰）"), min_value=0, max_value=200, initial=0
    )
    opened_on = day(gettext_lazy("设立日期"))
    expires_on = forms.DateField(label=gettext_lazy("期满日期（可不填）"), widget=DayInput(), required=False)

    def __init__(self, *args: Any, region_code: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = chain.giving_rules()
        self.fields["kind"].choices = told(giving.Fund.Kind.choices)  # type: ignore[attr-defined]
        self.fields["purposes"].choices = named(rules.purposes.values())  # type: ignore[attr-defined]
        self.fields["groups"].choices = named(rules.groups.values())  # type: ignore[attr-defined]
        self.fields["regions"].choices = places(region_code)  # type: ignore[attr-defined]


class GiftForm(TokenForm):
    """A gift of money with the fields of its receipt."""

    amount = YuanField(label=gettext_lazy("金额（元）"))
    way = forms.ChoiceField(label=gettext_lazy("捐赠方式"))
    received_on = day(gettext_lazy("收到日期"))
    donor_name = words(gettext_lazy("捐赠人"), required=False, help_text=gettext_lazy("匿名捐赠不填"))
    donor_kind = forms.ChoiceField(label=gettext_lazy("捐赠人类型"))
    donor_phone = words(gettext_lazy("联系电话（可不填）"), 40, required=False)
    anonymous = forms.BooleanField(label=gettext_lazy("匿名"), required=False)
    show_name = forms.BooleanField(label=gettext_lazy("捐赠人同意公开姓名"), required=False)
    receipt_no = words(gettext_lazy("票据号"), 40, required=False)
    receipt_declined = forms.BooleanField(label=gettext_lazy("捐赠人不要票据"), required=False)
    handler = words(gettext_lazy("经手人"), 60)
    intent = forms.CharField(label=gettext_lazy("捐赠意愿（可不填）"), required=False, widget=lines())
    beneficiary_tied = forms.BooleanField(
        label=gettext_lazy("捐赠人指定了自己的亲属等利害关系人受益"), required=False
    )
    campaign_number = forms.ChoiceField(label=gettext_lazy("募捐活动（可不选）"), required=False)

    def __init__(self, *args: Any, fund: giving.Fund, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["way"].choices = told(giving.Donation.Way.choices)  # type: ignore[attr-defined]
        self.fields["donor_kind"].choices = told(giving.Donation.DonorKind.choices)  # type: ignore[attr-defined]
        running = giving.open_to_gifts(fund, timezone.localdate())
        self.fields["campaign_number"].choices = [  # type: ignore[attr-defined]
            ("", _("不属于募捐活动")),
            *((plan.number, plan.title) for plan in running),
        ]


class GoodsForm(GiftForm):
    """A gift of goods."""

    amount = YuanField(label=gettext_lazy("公允价值（元）"))
    goods_name = words(gettext_lazy("物资名称"))
    quantity = forms.IntegerField(label=gettext_lazy("数量"), min_value=1, max_value=10**7)
    unit = words(gettext_lazy("计量单位"), 10)
    goods_expire_on = forms.DateField(
        label=gettext_lazy("有效期至（可不填）"), widget=DayInput(), required=False
    )
    field_order = ["token", "goods_name", "quantity", "unit", "amount", "goods_expire_on"]


class UseForm(TokenForm):
    """A use of a fund's money."""

    amount = YuanField(label=gettext_lazy("金额（元）"))
    purpose = forms.ChoiceField(label=gettext_lazy("用途"))
    group = forms.ChoiceField(label=gettext_lazy("受益群体"), required=False)
    region_code = forms.ChoiceField(label=gettext_lazy("使用地区"))
    use = words(
        gettext_lazy("用于"), 200, help_text=gettext_lazy("会对捐赠人和公众公开，不写姓名、证件号和电话")
    )
    need_code = words(gettext_lazy("需求编号（可不填）"), 40, required=False)
    recipient_name = words(gettext_lazy("受助人或执行单位（可不填）"), required=False)
    recipient_id = words(
        gettext_lazy("受助人身份证号（可不填）"),
        18,
        required=False,
        help_text=gettext_lazy("只用来核对是否利害关系人，不保存号码"),
    )

    def __init__(self, *args: Any, fund: giving.Fund, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rules = chain.giving_rules()
        allowed = [
            term for term in rules.purposes.values() if not fund.purposes or term.code in fund.purposes
        ]
        groups = [term for term in rules.groups.values() if not fund.groups or term.code in fund.groups]
        self.fields["purpose"].choices = named(allowed)  # type: ignore[attr-defined]
        self.fields["group"].choices = [  # type: ignore[attr-defined]
            *([] if fund.groups else [("", _("不限"))]),
            *named(groups),
        ]
        self.fields["region_code"].choices = [  # type: ignore[attr-defined]
            (code, name)
            for code, name in places(fund.organisation.region_code)
            if not fund.regions or any(code.startswith(prefix) for prefix in fund.regions)
        ]


class GoodsUseForm(UseForm):
    """A use of a fund's goods."""

    amount = None  # type: ignore[assignment]
    goods_name = words(gettext_lazy("物资名称"))
    quantity = forms.IntegerField(label=gettext_lazy("数量"), min_value=1, max_value=10**7)
    field_order = ["token", "goods_name", "quantity"]


class ClaimUseForm(forms.Form):
    """A fund's money for a need that the charity holds."""

    claim = forms.ChoiceField(label=gettext_lazy("认领的需求"))
    amount = UnknownYuan(
        label=gettext_lazy("金额（元）"), required=False, help_text=gettext_lazy("空为认领时拟给的金额")
    )
    use = words(
        gettext_lazy("用于"), 200, help_text=gettext_lazy("会对捐赠人和公众公开，不写姓名、证件号和电话")
    )

    def __init__(self, *args: Any, claims: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["claim"].choices = claims  # type: ignore[attr-defined]


class AdminForm(TokenForm):
    """Administration charged to a fund."""

    amount = YuanField(label=gettext_lazy("金额（元）"))
    on = day(gettext_lazy("日期"))
    memo = words(gettext_lazy("摘要"), 200)


class ExpiryForm(TokenForm):
    """Expired goods taken off the books."""

    on = day(gettext_lazy("日期"))
    memo = words(gettext_lazy("处理情况"), 200)


class TiedForm(forms.Form):
    """An interested person of a donor or manager."""

    name = words(gettext_lazy("姓名"))
    id_number = words(gettext_lazy("身份证号"), 18, help_text=gettext_lazy("只保存加密的比对码"))
    relation = words(gettext_lazy("与捐赠人或管理人的关系"), 60)


class MoveForm(forms.Form):
    """Another use of a fund's money, or of what is left of it."""

    target = forms.ChoiceField(label=gettext_lazy("转入资金"))
    basis = forms.ChoiceField(label=gettext_lazy("依据"), widget=forms.RadioSelect)
    donation_number = words(
        gettext_lazy("捐赠编号"), 40, required=False, help_text=gettext_lazy("捐赠人同意的，写明是哪一笔")
    )
    document = words(gettext_lazy("文件"), 120, help_text=gettext_lazy("同意书、备案编号或协议条款"))
    reason = forms.CharField(label=gettext_lazy("理由"), max_length=300, widget=lines())

    def __init__(self, *args: Any, fund: giving.Fund, others: list[giving.Fund], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target"].choices = [(other.number, other.name) for other in others if other != fund]  # type: ignore[attr-defined]
        self.fields["basis"].choices = told(giving.MoveRequest.Basis.choices)  # type: ignore[attr-defined]


class ReverseForm(forms.Form):
    """Which entry is reversed, and why."""

    voucher = forms.ChoiceField(label=gettext_lazy("凭证"))
    on = day(gettext_lazy("日期"))
    reason = words(gettext_lazy("冲正理由"), 200)

    def __init__(self, *args: Any, vouchers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["voucher"].choices = vouchers  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why."""

    reason = words(gettext_lazy("理由"), 200)


class DecideForm(forms.Form):
    """Yes or no, with a word on it."""

    approve = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("同意")), ("no", gettext_lazy("不同意"))],
    )
    note = words(gettext_lazy("意见（不同意必填）"), 280, required=False)


class PayForm(TokenForm):
    """A payment of what is held."""

    amount = UnknownYuan(
        label=gettext_lazy("金额（元）"),
        required=False,
        help_text=gettext_lazy("空为全部拨付；物资须一次发放"),
    )
    on = day(gettext_lazy("拨付日期"))


class MealGiftForm(forms.Form):
    """Which meals a fund's money pays for."""

    site_code = forms.ChoiceField(label=gettext_lazy("助餐点"))
    per_meal = YuanField(
        label=gettext_lazy("每餐最多补（元）"),
        help_text=gettext_lazy("政府补贴之后再补；老人至少付的部分不补"),
    )
    categories = forms.MultipleChoiceField(
        label=gettext_lazy("补给谁（不选为全部助餐对象）"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    since = day(gettext_lazy("从哪天起"))
    until = forms.DateField(label=gettext_lazy("到哪天止"), widget=DayInput())

    def __init__(self, *args: Any, places: Any = (), groups: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose: Any = self.fields
        choose["site_code"].choices = [(place.code, place.name) for place in places]
        choose["categories"].choices = groups


class MealPayForm(forms.Form):
    """A settlement of meals that a fund pays its part of."""

    settlement = forms.ChoiceField(label=gettext_lazy("助餐结算"))
    on = day(gettext_lazy("拨付日期"))

    def __init__(self, *args: Any, due: Any = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose: Any = self.fields
        choose["settlement"].choices = [
            (
                one.settlement,
                _("%(month)s：%(meals)d 餐，%(people)d 人，%(yuan)s 元")
                % {
                    "month": one.month,
                    "meals": one.meals,
                    "people": one.people,
                    "yuan": f"{one.fen / 100:.2f}",
                },
            )
            for one in due
        ]


class EmptyForm(forms.Form):
    """A step that asks for nothing but the press of its button."""


class BackForm(TokenForm):
    """Money or goods that came back."""

    amount = YuanField(label=gettext_lazy("退回金额（元）"))
    on = day(gettext_lazy("日期"))
    reason = words(gettext_lazy("退回原因"), 200)


class OutcomeForm(forms.Form):
    """What came of it, in words that name nobody."""

    result = forms.ChoiceField(label=gettext_lazy("结果"), widget=forms.RadioSelect)
    people = forms.IntegerField(label=gettext_lazy("受益人数"), min_value=0, max_value=10**6)
    text = forms.CharField(
        label=gettext_lazy("情况"),
        max_length=500,
        widget=lines(3, 500),
        help_text=gettext_lazy("会对捐赠人和公众公开，不写姓名、证件号和电话"),
    )
    on = day(gettext_lazy("日期"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["result"].choices = told(giving.Outcome.Result.choices)  # type: ignore[attr-defined]


class CampaignForm(forms.Form):
    """A fundraising plan with its legal fields."""

    fund_number = forms.ChoiceField(label=gettext_lazy("入账资金"))
    title = words(gettext_lazy("募捐活动名称"), 120)
    purpose = forms.CharField(label=gettext_lazy("募捐目的"), widget=lines())
    starts_on = forms.DateField(label=gettext_lazy("开始日期"), widget=DayInput())
    ends_on = forms.DateField(label=gettext_lazy("结束日期"), widget=DayInput())
    regions = words(
        gettext_lazy("活动地域"),
        120,
        help_text=gettext_lazy("行政区划代码，几处用空格隔开，例如 520102 520103"),
    )
    person = words(gettext_lazy("活动负责人"), 60)
    address = words(gettext_lazy("办公地址"), 120)
    ways = forms.MultipleChoiceField(label=gettext_lazy("募捐方式"), widget=forms.CheckboxSelectMultiple)
    platform = forms.ChoiceField(label=gettext_lazy("互联网平台（互联网募捐必选）"), required=False)
    receiving = forms.CharField(label=gettext_lazy("接受捐赠方式"), widget=lines())
    account_name = words(gettext_lazy("银行账户名称"), 120, help_text=gettext_lazy("须是本组织的账户"))
    account_number = words(gettext_lazy("银行账号"), 40)
    bank = words(gettext_lazy("开户银行"), 80)
    beneficiaries = forms.CharField(label=gettext_lazy("受益人"), widget=lines())
    use = forms.CharField(label=gettext_lazy("募得款物用途"), widget=lines())
    cost_fen = YuanField(label=gettext_lazy("募捐成本（元）"), required=False)
    goal_fen = UnknownYuan(label=gettext_lazy("募捐目标（元，可不填）"), required=False)
    remainder = forms.CharField(label=gettext_lazy("剩余财产的处理"), widget=lines())
    emergency = forms.BooleanField(
        label=gettext_lazy("应对突发事件，来不及事先报送（开始后十日内报送）"), required=False
    )
    partner = words(gettext_lazy("合作方（可不填）"), 120, required=False)
    partner_assessed = words(gettext_lazy("对合作方的评估"), 200, required=False)
    partner_agreement = words(gettext_lazy("合作协议"), 120, required=False)
    place_filing = words(
        gettext_lazy("活动地备案文号"),
        120,
        required=False,
        help_text=gettext_lazy("在登记地以外现场募捐的填写"),
    )

    def __init__(self, *args: Any, funds: list[giving.Fund], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["fund_number"].choices = [(fund.number, fund.name) for fund in funds]  # type: ignore[attr-defined]
        self.fields["ways"].choices = told(giving.Campaign.Way.choices)  # type: ignore[attr-defined]
        platforms = named(chain.giving_rules().platforms.values())
        self.fields["platform"].choices = [("", _("不用互联网")), *platforms]  # type: ignore[attr-defined]

    def clean_regions(self) -> list[str]:
        codes = (
            str(self.cleaned_data["regions"]).replace("，", " ").replace("、", " ").replace(",", " ").split()
        )
        if any(not code.isdigit() or len(code) not in (2, 4, 6, 9, 12) for code in codes):
            raise forms.ValidationError(_("活动地域请填行政区划代码，2、4、6、9 或 12 位。"))
        return codes


class RecordForm(forms.Form):
    """The county's word on a filed plan."""

    accept = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("备案")), ("no", gettext_lazy("退回补正"))],
    )
    record_no = words(gettext_lazy("备案编号"), 60, required=False)
    note = words(gettext_lazy("补正要求（退回必填）"), 280, required=False)


class NothingForm(forms.Form):
    """A step without anything to fill in."""


class NoteForm(forms.Form):
    """A word that is published beside the tables."""

    note = forms.CharField(label=gettext_lazy("说明（可不填）"), required=False, widget=lines())


class YearForm(forms.Form):
    """What the ledger does not know of a year."""

    class_code = forms.ChoiceField(label=gettext_lazy("组织类别"))
    last_income = UnknownYuan(
        label=gettext_lazy("上年总收入（元）"),
        required=False,
        help_text=gettext_lazy("不清楚就留空，不要填 0"),
    )
    mean_income = UnknownYuan(label=gettext_lazy("前三年平均收入（元）"), required=False)
    net = UnknownYuan(label=gettext_lazy("上年末净资产（元）"), required=False)
    other_spent = YuanField(label=gettext_lazy("账外登记的慈善活动支出（元）"), required=False)
    other_admin = YuanField(label=gettext_lazy("账外登记的管理费用（元）"), required=False)
    explanation = forms.CharField(
        label=gettext_lazy("向登记机关报告并公开的说明"), required=False, widget=lines(3)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["class_code"].choices = named(chain.giving_rules().classes.values())  # type: ignore[attr-defined]
