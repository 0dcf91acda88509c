"""Form fields written without a template of their own where they stand by the hundred: inputs and lists to choose from.

Django includes two templates for each choice of a list; a form with a county's villages took longer to write than the rest
of its page. What is written is the same to the letter, and every other widget is left to Django's templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_FOLDER = "django/forms/widgets/"
_GROUP_END = SafeString("\n  </optgroup>")
_INPUTS = (
    "text",
    "hidden",
    "date",
    "number",
    "email",
    "password",
    "checkbox",
    "radio_option",
    "checkbox_option",
)


class Renderer(DjangoTemplates):
    """Django's own renderer of forms, quicker for what :data:`_QUICK` names."""

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        quick = _QUICK.get(template_name)
        said = quick(context["widget"]) if quick is not None else None
        return super().render(template_name, context, request) if said is None else said


def _attributes(attributes: Mapping[str, Any]) -> SafeString:
    return _joined(
        format_html(" {}", name) if value is True else format_html(' {}="{}"', name, _text(value))
        for name, value in attributes.items()
        if value is not False
    )


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _input(widget: Mapping[str, Any]) -> SafeString | None:
    if widget.get("wrap_label"):
        return None
    value = "" if widget["value"] is None else format_html(' value="{}"', _text(widget["value"]))
    return format_html(
        '<input type="{}" name="{}"{}{}>', widget["type"], widget["name"], value, _attributes(widget["attrs"])
    )


def _select(widget: Mapping[str, Any]) -> SafeString | None:
    written: list[SafeString] = []
    for group, options, _index in widget["optgroups"]:
        if group:
            written.append(format_html('\n  <optgroup label="{}">', group))
        for option in options:
            if option["template_name"] != _FOLDER + "select_option.html":
                return None
            written.append(
                format_html(
                    '\n  <option value="{}"{}>{}</option>\n',
                    _text(option["value"]),
                    _attributes(option["attrs"]),
                    option["label"],
                )
            )
        if group:
            written.append(_GROUP_END)
    return format_html(
        '<select name="{}"{}>{}\n</select>', widget["name"], _attributes(widget["attrs"]), _joined(written)
    )


_QUICK: dict[str, Callable[[Mapping[str, Any]], SafeString | None]] = {
    f"{_FOLDER}select.html": _select,
    **{f"{_FOLDER}{name}.html": _input for name in _INPUTS},
}
