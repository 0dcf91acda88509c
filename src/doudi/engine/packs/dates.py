"""Months and the day twelve months ago, as the rules count them."""

from __future__ import annotations

import calendar
from datetime import date


def month_index(day: date) -> int:
    """A month as one integer, year × 12 + month - 1, as feeds store it."""
    return day.year * 12 + day.month - 1


def months_before(day: date, months: int) -> date:
    """The day ``months`` earlier, cut to its month's last: a year before 2024-02-29 is 2023-02-28."""
    index = month_index(day) - months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
