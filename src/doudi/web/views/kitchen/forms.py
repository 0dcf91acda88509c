"""What a kitchen, its supervisor and the public type, read into values the services take."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.meals import safety
from doudi.contexts.meals import services as meals
from doudi.engine.packs.food_safety import Named, tenths_of
from doudi.web.forms import DayInput
from doudi.web.templatetags.doudi import english


class MomentInput(forms.DateTimeInput):
    """The browser's own field for day and time."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class DegreesField(forms.CharField):
    """A temperature typed in °C, read into tenths of a degree (℃ → 0.1 ℃)."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=8, widget=widget, **kwargs)

    def clean(self, value: Any) -> int:
        text = super().clean(value)
        try:
            return tenths_of(text)
        except ValueError:
            raise forms.ValidationError(
                _("“%(text)s”不是温度。请填数字，最多一位小数，例如 36.5。") % {"text": text}
            ) from None


class PhotosInput(forms.ClearableFileInput):
    """Several photos at once."""

    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """Photos as their bytes; none is an empty list."""

    def __init__(self, **kwargs: Any) -> None:
        widget = PhotosInput(attrs={"accept": "image/jpeg,image/png,application/pdf"})
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[bytes]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(PhotosField, self).clean(file, initial).read() for file in files]


class PaperField(forms.FileField):
    """One photo or scan as its bytes."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.FileInput(attrs={"accept": "image/jpeg,image/png,application/pdf"})
        super().__init__(required=False, widget=widget, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> bytes:
        file = super().clean(data, initial)
        return file.read() if file else b""


def named(one: Named) -> str:
    """A name of the pack in the reader's language."""
    return one.label_en if english() else one.label


class Token(forms.CharField):
    """Names the form that is filled in, so that a second click is the same act."""

    def __init__(self) -> None:
        super().__init__(widget=forms.HiddenInput, min_length=32, max_length=32, initial=fresh_token)


def fresh_token() -> str:
    return secrets.token_hex(16)


class KitchenForm(forms.Form):
    """A form of one place's ledgers; ``place`` fills its choices."""

    def __init__(self, *args: Any, place: meals.Site, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.place = place
        for name, choices in self.choices().items():
            if name in self.fields:
                self.fields[name].choices = choices  # type: ignore[attr-defined]

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        """Field → its choices."""
        dishes = safety.dishes_of(self.place)
        return {
            "dish": [(dish.pk, dish.name) for dish in dishes],
            "meal": [(value, _(label)) for value, label in meals.Meal.choices],
        }

    def chosen_dish(self, pk: str) -> meals.Dish | None:
        """The chosen dish of this kitchen."""
        return safety.dishes_of(self.place).filter(pk=pk).first() if pk else None


def today() -> Any:
    return timezone.localdate()


def now() -> Any:
    return timezone.localtime()


class WorkerForm(KitchenForm):
    """Somebody who works with food."""

    name = forms.CharField(label=gettext_lazy("姓名"), max_length=60)
    job = forms.CharField(label=gettext_lazy("岗位"), max_length=40)
    joined_on = forms.DateField(label=gettext_lazy("上岗日期"), widget=DayInput(), initial=today)
    ready_food = forms.BooleanField(label=gettext_lazy("接触直接入口食品"), required=False, initial=True)


class OfWorker(KitchenForm):
    """About one worker of the place."""

    worker = forms.ChoiceField(label=gettext_lazy("人员"))

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        there = safety.workers_of(self.place)
        return {**super().choices(), "worker": [(one.pk, f"{one.name}（{one.job}）") for one in there]}

    def chosen(self) -> safety.KitchenWorker:
        return safety.workers_of(self.place).get(pk=self.cleaned_data["worker"])


class CertificateForm(OfWorker):
    """A health certificate."""

    number = forms.CharField(label=gettext_lazy("健康证号"), max_length=40)
    issued_on = forms.DateField(label=gettext_lazy("发证日期"), widget=DayInput())
    paper = PaperField(label=gettext_lazy("照片或扫描件（可不传）"))


class MorningForm(OfWorker):
    """A morning check."""

    tenths = DegreesField(label=gettext_lazy("体温（℃）"))
    symptoms = forms.MultipleChoiceField(
        label=gettext_lazy("症状（没有就不勾）"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        return {**super().choices(), "symptoms": [(one, _(one)) for one in chain.food_safety().unfit]}


class LeftForm(OfWorker):
    """Who left, and when."""

    on = forms.DateField(label=gettext_lazy("离岗日期"), widget=DayInput(), initial=today)


class SupplierForm(KitchenForm):
    """Who delivers."""

    name = forms.CharField(label=gettext_lazy("供货者"), max_length=120)
    licence_no = forms.CharField(label=gettext_lazy("许可证号"), max_length=40, required=False)
    licence_until = forms.DateField(label=gettext_lazy("许可证有效期至"), widget=DayInput(), required=False)
    contact = forms.CharField(label=gettext_lazy("联系方式"), max_length=80)


class BatchForm(KitchenForm):
    """A delivery."""

    token = Token()
    supplier = forms.ChoiceField(label=gettext_lazy("供货者"))
    product = forms.CharField(label=gettext_lazy("品名"), max_length=80)
    spec = forms.CharField(label=gettext_lazy("规格"), max_length=60, required=False)
    quantity = forms.DecimalField(label=gettext_lazy("数量"), max_digits=10, decimal_places=2)
    unit = forms.CharField(label=gettext_lazy("单位"), max_length=10)
    batch_no = forms.CharField(label=gettext_lazy("生产批号"), max_length=60, required=False)
    produced_on = forms.DateField(label=gettext_lazy("生产日期"), widget=DayInput(), required=False)
    shelf_life_until = forms.DateField(label=gettext_lazy("保质期至"), widget=DayInput(), required=False)
    fresh_produce = forms.BooleanField(label=gettext_lazy("食用农产品（散装蔬菜、肉蛋等）"), required=False)
    received_on = forms.DateField(label=gettext_lazy("进货日期"), widget=DayInput(), initial=today)
    voucher = PaperField(label=gettext_lazy("票据照片（可不传）"))
    corrects = forms.ChoiceField(label=gettext_lazy("更正哪一条（新进货不选）"), required=False)
    ground = forms.CharField(label=gettext_lazy("更正理由"), max_length=200, required=False)

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        there = [(one.pk, f"{one.number} {one.product}") for one in safety.stock_of(self.place)[:40]]
        return {
            **super().choices(),
            "supplier": [(one.pk, one.name) for one in safety.suppliers_of(self.place)],
            "corrects": [("", "—"), *there],
        }


class UseForm(KitchenForm):
    """What went into which dish."""

    batch = forms.ChoiceField(label=gettext_lazy("进货记录"))
    dish = forms.ChoiceField(label=gettext_lazy("菜品"))
    meal = forms.ChoiceField(label=gettext_lazy("餐次"), initial="lunch")
    day = forms.DateField(label=gettext_lazy("日期"), widget=DayInput(), initial=today)

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        there = safety.stock_of(self.place)[:80]
        return {**super().choices(), "batch": [(one.pk, f"{one.number} {one.product}") for one in there]}


class ReadingForm(KitchenForm):
    """A temperature."""

    point = forms.ChoiceField(label=gettext_lazy("测温点"))
    what = forms.CharField(label=gettext_lazy("菜品或设备"), max_length=80)
    tenths = DegreesField(label=gettext_lazy("温度（℃）"))
    minutes = forms.IntegerField(
        label=gettext_lazy("做好后已放多少分钟（可不填）"), required=False, min_value=0, max_value=2880
    )
    at = forms.DateTimeField(label=gettext_lazy("测温时间"), widget=MomentInput(), initial=now)
    action = forms.CharField(
        label=gettext_lazy("处理"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("不合格时必填，例如：继续加热到 75 ℃"),
    )

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        points = chain.food_safety().ranges.values()
        return {**super().choices(), "point": [(one.code, named(one)) for one in points]}


class SampleForm(KitchenForm):
    """A kept sample."""

    dish = forms.ChoiceField(label=gettext_lazy("菜品"))
    meal = forms.ChoiceField(label=gettext_lazy("餐次"), initial="lunch")
    day = forms.DateField(label=gettext_lazy("日期"), widget=DayInput(), initial=today)
    grams = forms.IntegerField(label=gettext_lazy("克数"), min_value=1, max_value=5000)
    taken_at = forms.DateTimeField(label=gettext_lazy("留样时间"), widget=MomentInput(), initial=now)
    taken_by = forms.CharField(label=gettext_lazy("留样人"), max_length=60)


class TourForm(KitchenForm):
    """An inspection over the pack's items."""

    token = Token()
    kind = forms.ChoiceField(label=gettext_lazy("检查种类"))
    on = forms.DateField(label=gettext_lazy("检查日期"), widget=DayInput(), initial=today)
    inspector = forms.CharField(label=gettext_lazy("检查人"), max_length=60)
    note = forms.CharField(
        label=gettext_lazy("说明"), max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    photos = PhotosField(label=gettext_lazy("照片（最多六张）"))

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tour = chain.food_safety().tours[kind]
        self.fields["kind"].widget = forms.HiddenInput()
        self.fields["kind"].choices = [(kind, kind)]  # type: ignore[attr-defined]
        self.fields["kind"].initial = kind
        for item in tour.items:
            self.fields[f"fault_{item.code}"] = forms.CharField(
                label=named(item), max_length=200, required=False, help_text=_("没有问题就空着")
            )

    def items(self) -> list[forms.BoundField]:
        """The fields of the items."""
        return [self[name] for name in self.fields if name.startswith("fault_")]

    def faults(self) -> dict[str, str]:
        """Item code → what is wrong."""
        return {
            name.removeprefix("fault_"): value
            for name, value in self.cleaned_data.items()
            if name.startswith("fault_") and value
        }


class StopForm(KitchenForm):
    """What is stopped at once."""

    dish = forms.ChoiceField(label=gettext_lazy("暂停什么"), required=False)
    why = forms.CharField(label=gettext_lazy("原因"), max_length=200)

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        rows = super().choices()
        return {**rows, "dish": [("", _("整个助餐点")), *rows["dish"]]}


class IncidentForm(KitchenForm):
    """Something that went wrong."""

    token = Token()
    kind = forms.ChoiceField(label=gettext_lazy("种类"))
    found_at = forms.DateTimeField(label=gettext_lazy("发现时间"), widget=MomentInput(), initial=now)
    text = forms.CharField(
        label=gettext_lazy("情况"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )
    people = forms.IntegerField(
        label=gettext_lazy("出现症状人数"), min_value=0, max_value=9999, initial=0, required=False
    )
    batch = forms.ChoiceField(label=gettext_lazy("问题批次（不清楚就不选）"), required=False)
    stop_place = forms.BooleanField(label=gettext_lazy("同时暂停整个助餐点"), required=False)

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        there = safety.stock_of(self.place)[:80]
        batches = [(one.pk, f"{one.number} {one.product}") for one in there]
        return {
            **super().choices(),
            "kind": [(value, _(label)) for value, label in safety.Incident.Kind.choices],
            "batch": [("", _("不清楚")), *batches],
        }


class RatingForm(KitchenForm):
    """Stars told on the telephone or on paper."""

    token = Token()
    channel = forms.ChoiceField(label=gettext_lazy("途径"))
    stars = forms.IntegerField(label=gettext_lazy("几星"), min_value=1, max_value=5)
    on = forms.DateField(label=gettext_lazy("就餐日期"), widget=DayInput(), initial=today)
    text = forms.CharField(label=gettext_lazy("意见（可不填）"), max_length=500, required=False)

    def choices(self) -> dict[str, list[tuple[Any, str]]]:
        return {**super().choices(), "channel": [("phone", _("电话回访")), ("paper", _("纸质问卷"))]}


class PublicRatingForm(forms.Form):
    """Stars of somebody who ate, with the code on the slip."""

    code = forms.CharField(
        label=gettext_lazy("评价码"),
        max_length=14,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
        help_text=gettext_lazy("在小票或评价单上，十个字母和数字"),
    )
    stars = forms.ChoiceField(label=gettext_lazy("您满意吗"), widget=forms.RadioSelect)
    text = forms.CharField(
        label=gettext_lazy("想说的话（可不填）"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        low, high = chain.volunteer_rules().stars
        words = {5: _("很满意"), 4: _("满意"), 3: _("一般"), 2: _("不满意"), 1: _("很不满意")}
        self.fields["stars"].choices = [  # type: ignore[attr-defined]
            (str(stars), f"{'★' * stars} {words.get(stars, '')}") for stars in range(high, low - 1, -1)
        ]


class ComplaintForm(forms.Form):
    """A complaint about a place."""

    token = Token()
    text = forms.CharField(
        label=gettext_lazy("发生了什么"),
        min_length=4,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("写明日期和餐次更容易核查；不要写身份证号。"),
    )
    contact = forms.CharField(label=gettext_lazy("您的电话（可不填）"), max_length=40, required=False)
    # people do not see this field; programs that fill in every field betray themselves
    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
