"""A row of any table with the least that the database asks for, for tests that go over every room."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import models
from django.utils import timezone

from doudi.house.fields import SealedTextField

_serial = count(1)


def made(model: type[models.Model], **given: Any) -> Any:
    """A row of a table with the least that the database asks for, and what is ``given``."""
    known = {field.name for field in model._meta.concrete_fields}
    values = {name: value for name, value in given.items() if name in known}
    for field in model._meta.concrete_fields:
        if field.name in values or field.primary_key or field.null or field.has_default():
            continue
        if getattr(field, "auto_now_add", False) or getattr(field, "auto_now", False):
            continue
        values[field.name] = _some(field)
    return model._default_manager.create(**values)


def _some(field: Any) -> Any:
    if isinstance(field, SealedTextField):
        return f"x{next(_serial)}"
    if field.is_relation:
        return made(field.related_model)
    if field.choices:
        return field.choices[0][0]
    by_kind: dict[type[models.Field], Callable[[], Any]] = {
        models.DateTimeField: timezone.now,
        models.DateField: timezone.localdate,
        models.BooleanField: lambda: False,
        models.IntegerField: lambda: next(_serial),
        models.FloatField: lambda: 1.0,
        models.JSONField: dict,
        models.BinaryField: lambda: next(_serial).to_bytes(32, "big"),
        models.CharField: lambda: f"x{next(_serial)}"[: field.max_length],
        models.TextField: lambda: f"x{next(_serial)}",
    }
    return next(make() for kind, make in by_kind.items() if isinstance(field, kind))
