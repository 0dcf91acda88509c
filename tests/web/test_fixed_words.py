"""The fixed words of a template are said while it is read, once for each language, as the tag itself would say them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.template import engines
from django.template.loader import get_template
from django.utils import translation
from django.utils.translation import gettext

from doudi.web import wording
from doudi.web.templatetags import doudi

TAGS = """{% load i18n %}{% trans "预警" %}|{% trans '户主' %}|{% translate "时限" %}|{% trans "从没有人写过的100%" %}"""


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_words_are_those_of_the_tag(language: str) -> None:
    with translation.override(language):
        by_the_tag = engines["django"].from_string(TAGS).render({})
        said = wording._FIXED.sub(wording._said, TAGS)

        assert "{% tr" not in said
        assert engines["django"].from_string(said).render({}) == by_the_tag
        assert by_the_tag.startswith(gettext("预警"))


def test_each_language_has_its_own_template() -> None:
    with translation.override("zh-hans"):
        chinese = get_template("errors/refused.html").template
        assert get_template("errors/refused.html").template is chinese
    with translation.override("en"):
        assert get_template("errors/refused.html").template is not chinese


def test_words_that_look_like_a_templates_own_signs_are_left_to_the_tag(monkeypatch) -> None:
    monkeypatch.setattr(wording, "gettext", lambda _words: "{{ user.password }}")

    assert wording._FIXED.sub(wording._said, '{% trans "预警" %}') == '{% trans "预警" %}'


def test_a_tag_that_gives_its_words_a_name_or_takes_a_variable_is_left() -> None:
    for tag in ('{% trans "预警" as head %}', "{% trans word %}", '{% trans "预警"|upper %}'):
        assert wording._FIXED.sub(lambda _found: "touched", tag) == tag


def test_signs_say_what_they_hold_and_escape_it(cast) -> None:
    signal = SimpleNamespace(code="<b>", active=True)
    case = SimpleNamespace(signals=SimpleNamespace(all=lambda: [signal]))

    assert "<b>&lt;b&gt;</b>" in doudi.code_signs(case)
    assert (
        doudi.level_sign('"><script>')
        == '<span class="level &quot;&gt;&lt;script&gt;">&quot;&gt;&lt;script&gt;</span>'
    )
    assert doudi.due_sign(None) == "—"
