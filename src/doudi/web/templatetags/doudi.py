"""How values of the house are written on a page: codes as words, fen as yuan, a refusal in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from doudi import chain
from doudi.contexts.accounts.services import ACT_LABELS, Act, Role, User, may, name_behind, once_a_request
from doudi.contexts.registry import services as registry
from doudi.engine import identity, money
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack
from doudi.engine.packs.food_safety import degrees as degrees_written
from doudi.engine.packs.handling import VisitResult
from doudi.engine.packs.units import Kind, show_quantity
from doudi.engine.screening import Explained
from doudi.engine.status import Status
from doudi.web.terms import ACTS, CATEGORY_NAMES, CHANGES, EVENTS, LEVELS, SEXES, SIGNALS, SUBJECTS

register = template.Library()
_CHINESE = re.compile(r"[\u3400-\u9fff]")


def english() -> bool:
    """Whether the page is being written in English."""
    return (get_language() or "").startswith("en")


@register.filter
def tr(text: Any) -> str:
    """A word that comes from data or code, in the reader's language where it has one."""
    return _(str(text)) if text else ""


@register.filter
def said(problem: DoudiError) -> str:
    """The message of a refusal in the language of the page."""
    return problem.en if english() else problem.zh


@register.filter
def zh(name: str) -> SafeString:
    """A name that stays Chinese inside an English sentence, marked for those who read aloud."""
    return format_html('<span lang="zh-Hans">{}</span>', name)


@register.simple_tag(takes_context=True)
def hand(context: Mapping[str, Any], username: str | None) -> SafeString | str:
    """Who did something, by name, the account beside it for a pointer; each name is asked for once a page."""
    if not username:
        return "—"
    shown = once_a_request(context["request"].user, f"name behind {username}", lambda: name_behind(username))
    return format_html('<span lang="zh-Hans" title="{}">{}</span>', username, shown)


@register.filter
def level(code: str) -> str:
    """红, 橙, 黄, 蓝."""
    return _(LEVELS.get(code, code))


@register.filter
def level_sign(code: str) -> SafeString:
    """A level as its coloured sign; signs stand in every row of a list, where a template of their own would cost most."""
    return format_html('<span class="level {}">{}</span>', code, level(code))


@register.filter
def category(code: str) -> str:
    """A category by its code (DB → 最低生活保障), or as the register writes it."""
    return _(CATEGORY_NAMES.get(code, code) or "无")


@register.filter
def change(code: str) -> str:
    """What a screen says against the register: 不变, 可上调, 可下调, 待核."""
    return _(CHANGES.get(code, code))


@register.filter
def event(kind: str) -> str:
    """The kind of a line of the timeline."""
    return _(EVENTS.get(kind, kind))


@register.filter
def event_kind(kind: str) -> str:
    """What happened to a household or person: 出生, 分户, …."""
    zh, en = registry.EVENT_LABELS.get(kind, (kind, kind))
    return en if english() else zh


@register.filter
def coded(code: str) -> str:
    """An indicator, measure, feed or category of the pack by its name."""
    return _named_by(chain.rules()[0], code)


def _named_by(pack: Pack, code: str) -> str:
    try:
        return _(pack.label(code))
    except DoudiError:
        return _(SIGNALS.get(code, code))


@register.filter
def code_signs(case: Any) -> SafeString:
    """The indicators that still stand on a warning, by code and name."""
    pack = chain.rules()[0]
    signs = format_html_join(
        "",
        '<span class="code"><b>{}</b> {}</span> ',
        ((signal.code, _named_by(pack, signal.code)) for signal in case.signals.all() if signal.active),
    )
    return format_html('<span class="codes">{}</span>', signs)


@register.filter
def region(code: str) -> str:
    """The name of a division."""
    return registry.region_name(code) if code else _("全部辖区")


@register.filter
def place(code: str) -> str:
    """Township and village by name; the county where the register names no more."""
    return registry.region_path(code).partition(" ")[2] or registry.region_name(code)


@register.filter
def region_path(code: str) -> str:
    """County, township and village by name."""
    return registry.region_path(code)


@register.filter
def result(code: str, results: Mapping[str, VisitResult]) -> str:
    """The result of a visit in words."""
    found = results.get(code)
    if found is None:
        return ""
    return found.label_en if english() else found.label


@register.filter
def sex(written: str) -> str:
    """男性 or 女性."""
    return _(SEXES.get(written, written)) if written else ""


@register.filter
def degrees(tenths: int) -> str:
    """Tenths of a degree as 70.5."""
    return degrees_written(tenths)


def _named(table: Mapping[str, Any], code: str) -> str:
    """What a pack calls a code, in the reader's language; the code itself where the pack no longer has it."""
    found = table.get(code)
    return code if found is None else found.label_en if english() else found.label


@register.filter
def tour_name(code: str) -> str:
    """A kind of inspection by its name."""
    return _named(chain.food_safety().tours, code)


@register.filter
def range_name(code: str) -> str:
    """A point at which temperatures are taken, by its name."""
    return _named(chain.food_safety().ranges, code)


@register.filter
def share_of(part: float, whole: float) -> str:
    """A part of a whole as 62.5%, — where there is no whole."""
    return f"{part / whole:.1%}" if whole else "—"


@register.filter
def gap(value: float) -> str:
    """A proven gap as 0.25%."""
    return f"{value:.2%}"


@register.filter
def post_name(code: str) -> str:
    """A volunteer's post by its name."""
    return _named(chain.volunteer_rules().posts, code)


@register.filter
def offer_name(code: str) -> str:
    """What points are given for, by its name."""
    return _named(chain.volunteer_rules().offers, code)


@register.filter
def yuan(fen: int | None) -> str:
    """Fen as 1,234.50."""
    return "" if fen is None else money.show_yuan(fen).removesuffix("元")


@register.filter
def yuan_turned(fen: int) -> str:
    """A credit, which the ledger keeps negative, as 1,234.50."""
    return yuan(-fen)


@register.filter
def doubt_kind(code: str) -> str:
    """A kind of doubt by its name."""
    found = chain.doubt_rules().kinds.get(code)
    return code if found is None else found.label_en if english() else found.label


@register.filter
def doubt_conclusion(code: str) -> str:
    """The conclusion of a check in words."""
    found = chain.doubt_rules().conclusions.get(code)
    return code if found is None else found.label_en if english() else found.label


@register.filter
def value_of(part: Explained) -> str:
    """A value of an explanation as a clerk writes it: 1,279.99元, 2人, 是; 待核 where it is undecided."""
    if part.value is None:
        return _("待核")
    if isinstance(part.value, bool):
        return _("是") if part.value else _("否")
    if part.kind in (Kind.MONEY, Kind.NUMBER):
        return show_quantity(part.value, Kind(part.kind), part.unit)
    return str(part.value)


@register.filter
def says(part: Explained) -> str:
    """The sentence of a value, where it says more than name and value."""
    bare = {part.name, *(f"{part.name}{sign}{value_of(part)}" for sign in ("", "：", ": "))}
    return "" if part.sentence in bare else part.sentence


@register.filter
def title_of(part: Explained) -> str:
    """The name of a value: the law's term, a category, or an indicator by code and name."""
    pack = chain.rules()[0]
    if part.name in pack.indicators:
        return f"{part.name} {coded(part.name)}"
    variable = pack.variables.get(part.name)
    if english() and variable is not None and variable.label_en:
        return f"{part.name} ({variable.label_en})"
    return part.name.replace(":", "：")


@register.filter
def name_for(name: str, user: User) -> str:
    """A person's name, masked for a role that may not see who it is."""
    return name if may(user, Act.REVEAL_IDENTITY) or not name else identity.mask_name(name)


@register.filter
def name_for_receiver(name: str, user: User) -> str:
    """The name on a referral: plain for the department it was sent to, else as :func:`name_for`."""
    return name if may(user, Act.ANSWER_REFERRAL) else name_for(name, user)


@register.filter
def subject(text: str) -> str:
    """What an audit entry is about: household:LL00001 → 家庭 LL00001."""
    kind, _colon, name = text.partition(":")
    if kind not in SUBJECTS:
        return text
    shown = coded(name) if kind == "feed" else name
    if english() and _CHINESE.search(shown):
        return format_html("{} {}", _(SUBJECTS[kind]), zh(shown))
    return f"{_(SUBJECTS[kind])} {shown}"


@register.filter
def status_word(status: str) -> str:
    """未到, 失败, 查无 … by the code of the engine."""
    return _(Status(status).label)


@register.filter
def act_label(act: str) -> str:
    """An act of the audit log in words."""
    if act in ACTS:
        return capfirst(_(ACTS[act]))
    return capfirst(_(ACT_LABELS[Act(act)])) if act in set(Act) else act


@register.filter
def role_label(role: str) -> str:
    """A role in words."""
    return _(Role(role).label) if role in set(Role) else role


@register.filter
def day(value: date | datetime | None) -> str:
    """A date as 2024-11-15."""
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return f"{value:%Y-%m-%d}" if value else ""


@register.filter
def moment(value: datetime | None) -> str:
    """A point in time as 2024-11-15 09:30, office time."""
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if value else ""


@register.filter
def late(due: date | None) -> bool:
    """Whether a limit has passed."""
    return due is not None and due < timezone.localdate()


@register.filter
def due_sign(due: date | None) -> SafeString:
    """A limit as a date, marked where it has passed; — where there is none."""
    if due is None:
        return SafeString("—")
    on = day(due)
    if not late(due):
        return format_html('<time datetime="{0}">{0}</time>', on)
    return format_html(
        '<time datetime="{0}" class="late">{0}</time> <strong class="late">{1}</strong>', on, _("逾期")
    )


@register.filter
def month(value: date | None) -> str:
    """A month as 2024-12."""
    return f"{value:%Y-%m}" if value else ""


@register.filter
def days_to(first: date | None, last: date | None) -> SafeString:
    """From a day to a day as 2024-01-01 – 2024-12-31, no date broken by a line; 自 2024-01-01 起 where no end is known."""
    if last is None:
        return format_html("<time>{}</time>", _("自 %(day)s 起") % {"day": day(first)})
    return format_html("<time>{}</time> – <time>{}</time>", day(first), day(last))


@register.filter
def grouped(count: float | None) -> str:
    """A number of people or metres as 2,436,914; — where there is none. Django groups none in Chinese."""
    return "—" if count is None else f"{count:,.0f}"


@register.filter
def purpose_name(code: str) -> str:
    """A use of personal data by its name."""
    return _named(chain.privacy_rules().purposes, code)


@register.filter
def benefit(code: str) -> str:
    """A benefit by its code (DB → 最低生活保障金)."""
    found = chain.benefit_rules().benefits.get(code)
    return code if found is None else found.label_en if english() else found.label


@register.filter
def percent(share: float | None) -> str:
    """A share as 70%, — before there is one."""
    return "—" if share is None else f"{share * 100:.0f}%"


@register.filter
def item(mapping: dict[str, Any], key: str) -> Any:
    """The value of a key that a template cannot spell."""
    return mapping.get(key, "")


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, hint: str = "") -> dict[str, Any]:
    """A form field with its label, hint and errors tied together for screen readers."""
    described = [f"{bound.id_for_label}_hint"] * bool(hint or bound.help_text)
    described += [f"{bound.id_for_label}_error"] * bool(bound.errors)
    attributes: dict[str, str | bool] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        attributes["aria-invalid"] = "true"
    # radio buttons are written one by one by the template itself
    widget = "" if bound.widget_type == "radioselect" else bound.as_widget(attrs=attributes)
    return {"bound": bound, "widget": widget, "hint": hint or bound.help_text}
