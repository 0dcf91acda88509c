"""Words of the linkage's pack on a page: kinds of need, groups, sources of money, degrees of urgency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from doudi import chain
from doudi.contexts.charity.services import Condition
from doudi.engine.packs.linking import Term
from doudi.web.templatetags.doudi import english

register = template.Library()


def word(terms: Mapping[Any, Term], code: Any) -> str:
    """A word of the pack in the reader's language, the code itself where the pack no longer has it."""
    found = terms.get(code)
    return str(code) if found is None else found.label_en if english() else found.label


@register.filter
def need_kind(code: str) -> str:
    """A kind of need, or a class of kinds, by its name."""
    rules = chain.linkage_rules()
    return word({**rules.kinds, **rules.broader_kinds}, code) if code else "—"


@register.filter
def need_group(code: str) -> str:
    """A group of people by its name."""
    return word(chain.linkage_rules().groups, code)


@register.filter
def money_source(code: str) -> str:
    """A source of money by its name."""
    return word(chain.linkage_rules().money, code)


@register.filter
def urgency(tier: int) -> str:
    """A degree of urgency by its name."""
    return word(chain.linkage_rules().tiers, tier)


@register.filter
def kinds_or_any(codes: list[str]) -> str:
    """The kinds a project takes, — for any."""
    return "、".join(need_kind(code) for code in codes) or "—"


@register.filter
def groups_or_any(codes: list[str]) -> str:
    """The groups a project takes, — for any."""
    return "、".join(need_group(code) for code in codes) or "—"


@register.filter
def one_language(both: str) -> str:
    """The reader's half of a sentence of the engine, which says it in Chinese and English."""
    zh, _slash, en = both.partition(" / ")
    return en if english() and en else zh


@register.filter
def in_words(condition: Condition) -> str:
    """A condition of a pair as a sentence in the reader's language."""
    return condition.en if english() else condition.zh
