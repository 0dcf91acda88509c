"""Templates are read once for each language, with their fixed words already said.

A page of the workbench has some two hundred ``{% trans "…" %}`` with nothing in them that changes between two requests.
Said while the template is read they cost nothing when it is shown, and the markup around them is one piece of text.
"""

from __future__ import annotations

import re

from django.template.base import Origin
from django.template.loaders import cached
from django.utils.text import unescape_string_literal
from django.utils.translation import get_language, gettext

_FIXED = re.compile(r"""\{%\s*(?:trans|translate)\s+("[^"\n]*"|'[^'\n]*')\s*%\}""")


class Loader(cached.Loader):
    """Django's loader that keeps what it has read, in each language apart."""

    def get_contents(self, origin: Origin) -> str:
        return _FIXED.sub(_said, super().get_contents(origin))

    def cache_key(self, template_name: str, skip: list[Origin] | None = None) -> str:
        return f"{get_language()} {super().cache_key(template_name, skip)}"


def _said(tag: re.Match[str]) -> str:
    """The words of a tag as the tag itself would say them: a per cent sign stands twice in the catalogue."""
    words = unescape_string_literal(tag[1])
    said: str = gettext(words.replace("%", "%%")).replace("%%", "%")
    # words that look like a template's own signs are left to the tag
    return tag[0] if "{" in said or "}" in said else said
