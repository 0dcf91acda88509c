"""What is typed at the window, read into values the services take."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.registry import services as registry
from doudi.house.attachments import LIMIT
from doudi.web.forms import DayInput, YuanField
from doudi.web.templatetags.doudi import english

_EVIDENCE = {"accept": "image/jpeg,image/png,application/pdf"}


def lines(rows: int = 2, limit: int = 1000) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "maxlength": limit})


class EvidenceField(forms.FileField):
    """A picture or scan, read into its bytes and name."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.FileInput(attrs=_EVIDENCE))
        super().__init__(**kwargs)

    def clean(self, data: Any, initial: Any = None) -> tuple[bytes, str]:
        file = super().clean(data, initial)
        if not file:
            return b"", ""
        if file.size > LIMIT:
            raise forms.ValidationError(_("文件太大，请降低分辨率。"))
        return file.read(), file.name or ""


def income_of(form: forms.Form) -> int | None:
    """The income in fen where it was typed, 0 too; None where the field was left empty."""
    return (
        form.cleaned_data["income"]
        if "income" in form.fields and str(form["income"].value() or "").strip()
        else None
    )


def kind_choices(*, own_only: bool = False) -> list[tuple[str, str]]:
    """The kinds of application by name; ``own_only`` leaves out what other departments do."""
    kinds = chain.procedures().kinds.values()
    return [
        (
            kind.code,
            f"{kind.label_en if english() else kind.label}" + ("" if not kind.transfers else _("（转办）")),
        )
        for kind in kinds
        if not (own_only and kind.transfers)
    ]


def paper_label(paper: Any) -> str:
    return str(paper.label_en if english() else paper.label)


class IntakeForm(forms.Form):
    """An application of a household of the register."""

    token = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)
    kind = forms.ChoiceField(label=gettext_lazy("申请事项"))
    applicant = forms.ChoiceField(label=gettext_lazy("申请人"))
    phone = forms.CharField(label=gettext_lazy("联系电话"), max_length=40, required=False)
    reason = forms.CharField(label=gettext_lazy("申请理由"), widget=lines(3))
    alone = forms.BooleanField(label=gettext_lazy("单人申请（低保边缘家庭的重残、重病成员）"), required=False)
    papers = forms.MultipleChoiceField(
        label=gettext_lazy("已核对原件的材料"), widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, members: list[registry.Member], **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        rules = chain.procedures()
        papers = {paper.code: paper for kind in rules.kinds.values() for paper in kind.papers}
        choices = {
            "kind": [("", _("请选择")), *kind_choices()],
            "applicant": [(str(m.person_id), f"{m.name}（{_(m.relation)} {m.id_shown}）") for m in members],
            "papers": [(code, paper_label(paper)) for code, paper in papers.items()],
        }
        for name, listed in choices.items():
            self.fields[name].choices = listed  # type: ignore[attr-defined]


class NewFamilyForm(forms.Form):
    """A family that is not on the register: where, and up to six people, the first the head."""

    ROWS = 6
    token = forms.RegexField(r"^[0-9a-f]{32}$", widget=forms.HiddenInput)
    region_code = forms.ChoiceField(label=gettext_lazy("乡镇（街道）或村（社区）"))
    urban_rural = forms.ChoiceField(
        label=gettext_lazy("城乡类型"),
        choices=[("城镇", gettext_lazy("城镇")), ("农村", gettext_lazy("农村"))],
    )
    ground = forms.CharField(label=gettext_lazy("依据（户口簿、居住证等）"), max_length=200)

    def __init__(self, *args: Any, area: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        inside = registry.children(area)
        own = [(area, registry.region_name(area))] if len(area) >= 9 else []
        self.fields["region_code"].choices = [*own, *inside] or [(area, area)]  # type: ignore[attr-defined]
        relations = [("", "—"), *((r, _(r)) for r in registry.RELATIONS)]
        for row in range(self.ROWS):
            needed = row == 0
            self.fields[f"name_{row}"] = forms.CharField(
                label=_("户主姓名") if needed else _("成员姓名"), max_length=80, required=needed
            )
            self.fields[f"id_{row}"] = forms.CharField(label=_("身份证号"), max_length=30, required=needed)
            if not needed:
                self.fields[f"relation_{row}"] = forms.ChoiceField(
                    label=_("与户主关系"), choices=relations, required=False
                )

    def rows(self) -> list[list[forms.BoundField]]:
        """The fields person by person."""
        names = ("name", "id", "relation")
        return [
            [self[f"{name}_{row}"] for name in names if f"{name}_{row}" in self.fields]
            for row in range(self.ROWS)
        ]

    def people(self) -> list[registry.NewMember]:
        typed = self.cleaned_data
        return [
            registry.NewMember(
                typed[f"name_{row}"].strip(),
                typed[f"id_{row}"].strip(),
                "户主" if row == 0 else typed[f"relation_{row}"],
            )
            for row in range(self.ROWS)
            if typed[f"name_{row}"].strip() or typed[f"id_{row}"].strip()
        ]


class PaperForm(forms.Form):
    """A paper that came later, or its scan."""

    code = forms.ChoiceField(label=gettext_lazy("材料"))
    seen_original = forms.BooleanField(label=gettext_lazy("已核对原件"), required=False)
    evidence = EvidenceField(label=gettext_lazy("扫描件或照片（可不传）"), required=False)

    def __init__(self, *args: Any, papers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["code"].choices = papers  # type: ignore[attr-defined]


class AcceptForm(forms.Form):
    """Acceptance, with what the law wants to know of kin and of who applies alone."""

    kin_of = forms.CharField(
        label=gettext_lazy("是哪名工作人员或村干部的近亲属（没有不填）"), max_length=120, required=False
    )


class AloneForm(AcceptForm):
    """As :class:`AcceptForm`, for who applies alone."""

    disability = forms.ChoiceField(
        label=gettext_lazy("残疾类别（按残疾人证）"),
        required=False,
        choices=[
            ("", "—"),
            *((k, gettext_lazy(k)) for k in ("视力", "听力", "言语", "肢体", "智力", "精神", "多重")),
        ],
    )
    grade = forms.IntegerField(label=gettext_lazy("残疾等级"), min_value=1, max_value=4, required=False)
    illness = forms.BooleanField(label=gettext_lazy("患当地公布的重病"), required=False)


class WhyForm(forms.Form):
    """A reason."""

    why = forms.CharField(label=gettext_lazy("理由"), widget=lines(2, 300))


class PauseForm(forms.Form):
    """Until when the clocks stand still, and why."""

    until_on = forms.DateField(label=gettext_lazy("中止到"), widget=DayInput())
    ground = forms.CharField(label=gettext_lazy("中止理由"), max_length=300)


class ApplicationVisitForm(forms.Form):
    """A household visit by two or more."""

    visited_on = forms.DateField(label=gettext_lazy("入户日期"), widget=DayInput())
    investigators = forms.CharField(
        label=gettext_lazy("同去的调查人"),
        help_text=gettext_lazy("您本人已计入；多人用顿号隔开。"),
        max_length=120,
    )
    findings = forms.CharField(label=gettext_lazy("调查情况"), widget=lines(3))
    agrees = forms.ChoiceField(
        label=gettext_lazy("与申报是否一致"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("与申报一致")), ("no", gettext_lazy("与申报不一致"))],
    )
    income = YuanField(label=gettext_lazy("核定家庭月收入（元，与报告相同则不填）"), required=False)
    evidence = EvidenceField(label=gettext_lazy("入户照片或调查表（可不传）"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["visited_on"].initial = timezone.localdate

    def names(self) -> list[str]:
        return [name for name in re.split(r"[、,，;；\s]+", self.cleaned_data["investigators"]) if name]


class OpinionForm(forms.Form):
    """The first opinion."""

    grant = forms.ChoiceField(
        label=gettext_lazy("初审意见"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("拟予确认")), ("no", gettext_lazy("拟不予确认"))],
    )
    ground = forms.CharField(label=gettext_lazy("理由"), widget=lines(2))


class NoticeForm(forms.Form):
    """Where and since when the notice hangs, with the picture."""

    place = forms.CharField(label=gettext_lazy("公示地点"), max_length=120)
    posted_on = forms.DateField(label=gettext_lazy("张贴日期"), widget=DayInput())
    evidence = EvidenceField(label=gettext_lazy("张贴照片"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["posted_on"].initial = timezone.localdate


class ObjectionForm(forms.Form):
    """An objection to the notice."""

    ground = forms.CharField(label=gettext_lazy("异议内容"), widget=lines(2))
    by_whom = forms.CharField(label=gettext_lazy("异议人（加密保存，可不填）"), max_length=80, required=False)


class MeetingForm(forms.Form):
    """A villagers' review."""

    held_on = forms.DateField(label=gettext_lazy("评议日期"), widget=DayInput())
    present = forms.IntegerField(label=gettext_lazy("参加人数"), min_value=3, max_value=200)
    in_favour = forms.IntegerField(label=gettext_lazy("认为属实的人数"), min_value=0, max_value=200)
    summary = forms.CharField(label=gettext_lazy("评议意见"), widget=lines(2))
    evidence = EvidenceField(label=gettext_lazy("签字的评议记录"))


class DecideForm(forms.Form):
    """The decision."""

    grant = forms.ChoiceField(
        label=gettext_lazy("决定"),
        widget=forms.RadioSelect,
        choices=[("yes", gettext_lazy("确认")), ("no", gettext_lazy("不予确认"))],
    )
    ground = forms.CharField(label=gettext_lazy("决定理由"), widget=lines(3))
    income = YuanField(label=gettext_lazy("核定家庭月收入（元，与报告相同则不填）"), required=False)
    amount = YuanField(label=gettext_lazy("救助金额（元）"), required=False)
    change = forms.CharField(
        label=gettext_lazy("什么变化会改变结论（不予确认时写）"), widget=lines(2, 300), required=False
    )

    def __init__(self, *args: Any, once: bool, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        for name in ("income",) if once else ("amount", "change"):
            del self.fields[name]


class AidForm(forms.Form):
    """Aid before the papers."""

    amount = YuanField(label=gettext_lazy("救助金额（元）"))
    ground = forms.CharField(label=gettext_lazy("急难情况"), widget=lines(2))


class TransferForm(forms.Form):
    """To which department, and why."""

    department = forms.ChoiceField(label=gettext_lazy("负责的部门"))
    why = forms.CharField(label=gettext_lazy("转办理由"), widget=lines(2, 300))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["department"].choices = [(d, _(d)) for d in chain.rules()[1].departments]  # type: ignore[attr-defined]


class HouseholdForm(forms.Form):
    """Which household of the register it is."""

    household_no = forms.CharField(label=gettext_lazy("户编号"), max_length=60)


class KinForm(forms.Form):
    """A near relative of staff."""

    staff_name = forms.CharField(label=gettext_lazy("工作人员或村干部"), max_length=80)
    staff_post = forms.CharField(label=gettext_lazy("单位和职务"), max_length=120)
    relation = forms.CharField(label=gettext_lazy("近亲属关系"), max_length=20)
    name = forms.CharField(label=gettext_lazy("近亲属姓名"), max_length=80)
    id_number = forms.CharField(label=gettext_lazy("近亲属身份证号"), max_length=30)


class SampleForm(forms.Form):
    """The period of a sample."""

    first = forms.DateField(label=gettext_lazy("自"), widget=DayInput())
    last = forms.DateField(label=gettext_lazy("至"), widget=DayInput())


class SampleResultForm(forms.Form):
    """What was found at a sampled household."""

    decision = forms.ChoiceField(label=gettext_lazy("抽中的决定"))
    correct = forms.ChoiceField(
        label=gettext_lazy("认定是否准确"),
        choices=[("yes", gettext_lazy("准确")), ("no", gettext_lazy("不准确"))],
    )
    findings = forms.CharField(label=gettext_lazy("抽查情况"), widget=lines(2))
    checked_on = forms.DateField(label=gettext_lazy("抽查日期"), widget=DayInput())

    def __init__(self, *args: Any, open_ones: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["decision"].choices = [(number, number) for number in open_ones]  # type: ignore[attr-defined]


class SampleGiveForm(forms.Form):
    """Which officer goes to a sampled household."""

    decision = forms.ChoiceField(label=gettext_lazy("抽中的决定"))
    to = forms.ChoiceField(label=gettext_lazy("由谁入户"))

    def __init__(
        self, *args: Any, open_ones: list[str], officers: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["decision"].choices = [(number, number) for number in open_ones]
        fields["to"].choices = officers


class EndForm(forms.Form):
    """The end of a benefit."""

    ends_on = forms.DateField(label=gettext_lazy("停止自（某月一日）"), widget=DayInput())
    ground = forms.CharField(label=gettext_lazy("停止理由"), widget=lines(2))
    clause = forms.CharField(label=gettext_lazy("依据条文"), max_length=200)


class ChangeForm(forms.Form):
    """A change of what a benefit is reckoned on."""

    from_on = forms.DateField(label=gettext_lazy("变更自（某月一日）"), widget=DayInput())
    income = YuanField(label=gettext_lazy("新的家庭月收入（元）"), required=False)
    counted = forms.IntegerField(
        label=gettext_lazy("新的计入人口"), min_value=1, max_value=30, required=False
    )
    ground = forms.CharField(label=gettext_lazy("变更理由"), widget=lines(2))
    clause = forms.CharField(label=gettext_lazy("依据条文"), max_length=200)
