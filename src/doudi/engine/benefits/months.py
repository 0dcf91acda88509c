"""Months as their first day (发放月)."""

from __future__ import annotations

from datetime import date


def first_of(day: date) -> date:
    """The month a day lies in."""
    return day.replace(day=1)


def shift(month: date, by: int) -> date:
    """The month so many months later (negative: earlier)."""
    year, place = divmod(month.year * 12 + month.month - 1 + by, 12)
    return date(year, place + 1, 1)


def next_month(day: date) -> date:
    """The month after the one a day lies in (次月)."""
    return shift(day, 1)


def months_between(first: date, last: date) -> list[date]:
    """Every month from ``first`` to ``last``, both counted; none where ``last`` is earlier."""
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [shift(first, place) for place in range(max(0, count))]


def month_text(month: date) -> str:
    """A month as a clerk writes it: 2024年12月."""
    return f"{month.year}年{month.month}月"
