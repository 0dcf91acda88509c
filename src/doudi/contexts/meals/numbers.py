"""Numbers that people read out: a prefix, the day, and a count of that day."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Max


def next_number(model: Any, prefix: str, on: date) -> str:
    """The next number of a day, such as JH20261129-0001; the caller has taken its turn, so no two are the same."""
    start = f"{prefix}{on:%Y%m%d}-"
    last = model.objects.filter(number__startswith=start).aggregate(last=Max("number"))["last"]
    return f"{start}{int(last.rpartition('-')[2]) + 1 if last else 1:04d}"
