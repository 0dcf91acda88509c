"""Fields written the quick way are to the letter those of Django's templates."""

from __future__ import annotations

import datetime

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates

from doudi.web.widgets import Renderer

NASTY = '"><script>alert(1)</script>&amp;'
CHOICES = [("", "请选择"), ("520102", "南明区"), (NASTY, NASTY), ("乡镇", [(1, "一"), (None, "无")])]
FLAT = [("a", "甲"), (NASTY, NASTY)]
WIDGETS = [
    (forms.TextInput(attrs={"data-x": NASTY, "required": True, "hidden": False, "maxlength": 40}), NASTY),
    (forms.TextInput(), None),
    (forms.TextInput(), ""),
    (forms.HiddenInput(), "0123"),
    (forms.NumberInput(attrs={"min": 1}), 1234567),
    (forms.NumberInput(attrs={"step": "any"}), 1234.5),
    (forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}), datetime.date(2024, 11, 15)),
    (forms.EmailInput(), "a@b.cn"),
    (forms.PasswordInput(), "secret"),
    (forms.CheckboxInput(), True),
    (forms.CheckboxInput(), False),
    (forms.Select(choices=CHOICES, attrs={"class": NASTY}), "520102"),
    (forms.Select(choices=CHOICES), NASTY),
    (forms.NullBooleanSelect(), True),
    (forms.SelectMultiple(choices=FLAT), ["a"]),
    (forms.RadioSelect(choices=FLAT), "a"),
    (forms.CheckboxSelectMultiple(choices=FLAT), ["a", NASTY]),
    (forms.Textarea(attrs={"rows": 4}), NASTY),
]  # fmt: skip


@pytest.mark.parametrize(("widget", "value"), WIDGETS)
def test_a_field_is_written_as_by_djangos_templates(widget: forms.Widget, value: object) -> None:
    slow, quick = (
        widget.render("field", value, attrs={"id": "id_field"}, renderer=renderer())
        for renderer in (DjangoTemplates, Renderer)
    )

    assert quick == slow
    assert "<script>" not in quick


def test_each_choice_of_radio_buttons_too() -> None:
    class Form(forms.Form):
        kind = forms.ChoiceField(choices=FLAT, widget=forms.RadioSelect)

    slow, quick = (
        [radio.tag() for radio in Form(initial={"kind": "a"}, renderer=renderer())["kind"]]
        for renderer in (DjangoTemplates, Renderer)
    )

    assert quick == slow and "checked" in quick[0]
