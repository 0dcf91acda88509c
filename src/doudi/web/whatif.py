"""The numbers in force in an area, and what an officer types to try others (测算、回测)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi.engine.packs import Pack, Parameter, ParameterValue
from doudi.engine.screening import threshold_parameters
from doudi.web.forms import DayInput
from doudi.web.templatetags.doudi import region

_MOST_VALUES = 4


@dataclass(frozen=True)
class Number:
    """One number of the pack as it stands in an area: a parameter, or its 城镇 or 农村 side.

    ``inside`` counts the places inside the area that have another value of their own; a trial replaces those too.
    """

    name: str
    parameter: Parameter
    present: ParameterValue | None
    document: str
    inside: int

    @property
    def text(self) -> str:
        return self.present.text if self.present is not None else _("未填")


def numbers(pack: Pack, *, area: str, on: date) -> Iterator[Number]:
    """Every number of the pack as it stands in an area on a date, with its document."""
    for parameter in pack.parameters.values():
        for side in ("城镇", "农村") if parameter.by else ("",):
            found = parameter.lookup(region=area, urban_rural=side, on=on)
            document = pack.documents.get(found.document) if found is not None else None
            others = {
                row.region
                for row in parameter.values
                if row.urban_rural == side and row.region != area and row.region.startswith(area)
            }
            yield Number(
                name=side + parameter.name,
                parameter=parameter,
                present=found,
                document=" ".join(
                    part for part in (document.title, document.number) if part not in ("", "无")
                )
                if document is not None
                else "",
                inside=len(others),
            )


def areas(pack: Pack, own: str) -> list[str]:
    """The account's own region first, then the places inside it that have numbers of their own."""
    inside = {
        row.region
        for parameter in pack.parameters.values()
        for row in parameter.values
        if row.region != own and row.region.startswith(own)
    }
    return [own, *sorted(inside)]


class WhatIfForm(forms.Form):
    """Other values for the numbers of the area; what is left empty stays as it is."""

    as_of = forms.DateField(label=gettext_lazy("数据日期"), widget=DayInput())
    area = forms.ChoiceField(label=gettext_lazy("地区"), required=False)

    def __init__(self, *args: Any, listed: list[Number], places: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["area"].choices = [(place, region(place)) for place in places]  # type: ignore[attr-defined]
        for number in listed:
            self.fields[number.name] = forms.CharField(
                label=number.name,
                required=False,
                max_length=30,
                widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal", "size": 10}),
            )

    def changes(self, own: str) -> dict[tuple[str, str], str]:
        """The typed values for the chosen area, or the account's own."""
        area = self.cleaned_data["area"] or own
        typed = {
            name: self.cleaned_data[name].strip() for name in self.fields if name not in ("as_of", "area")
        }
        return {(name, area): value for name, value in typed.items() if value}


class BackTestForm(forms.Form):
    """An indicator's number and the values it is tried at."""

    threshold = forms.ChoiceField(label=gettext_lazy("预警和它的线"))
    values = forms.CharField(
        label=gettext_lazy("试的值"),
        max_length=120,
        help_text=gettext_lazy("最多四个，用空格或顿号隔开，例如 20000 30000"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    months = forms.TypedChoiceField(
        label=gettext_lazy("回看"),
        coerce=int,
        choices=[
            (6, gettext_lazy("6 个整月")),
            (12, gettext_lazy("12 个整月")),
            (24, gettext_lazy("24 个整月")),
        ],
        initial=12,
    )
    as_of = forms.DateField(label=gettext_lazy("数据日期"), widget=DayInput())
    area = forms.ChoiceField(label=gettext_lazy("地区"), required=False)

    def __init__(
        self, *args: Any, pack: Pack, listed: list[Number], places: list[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["area"].choices = [(place, region(place)) for place in places]  # type: ignore[attr-defined]
        self.fields["threshold"].choices = [  # type: ignore[attr-defined]
            ("", _("请选择")),
            *(
                (
                    f"{code}:{number.name}",
                    _("%(code)s %(name)s：%(number)s（现为 %(value)s）")
                    % {"code": code, "name": _(indicator.name), "number": number.name, "value": number.text},
                )
                for code, indicator in pack.indicators.items()
                for number in listed
                if number.parameter.name in threshold_parameters(pack, code)
            ),
        ]

    def clean_values(self) -> list[str]:
        found = [value for value in re.split(r"[\s、;；]+", self.cleaned_data["values"]) if value]
        if not 1 <= len(found) <= _MOST_VALUES:
            raise forms.ValidationError(_("请填 1 到 %(most)d 个值。") % {"most": _MOST_VALUES})
        return found

    def asked(self, own: str) -> dict[str, Any]:
        """The arguments of the back-test: the indicator and each value for the area as one alternative."""
        indicator, _colon, number = self.cleaned_data["threshold"].partition(":")
        area = self.cleaned_data["area"]
        return {
            "indicator": indicator,
            "alternatives": [{(number, area or own): value} for value in self.cleaned_data["values"]],
            "months": self.cleaned_data["months"],
            "as_of": self.cleaned_data["as_of"],
            "region_code": area,
        }
