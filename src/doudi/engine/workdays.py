"""Working days (工作日) of the Chinese calendar, with holidays and make-up days (调休).

Every statutory clock counts from the day after the event (《民法典》第二百零一条): an act accepted on a Monday has
its first working day on Tuesday. The calendar of the State Council's yearly notice comes from ``chinesecalendar``;
for a year whose notice is not out yet Saturdays and Sundays alone are taken as days off, and
:func:`calendar_published` says so, so that a due date far ahead can be shown as provisional.
"""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar

_ONE_DAY = timedelta(days=1)


def calendar_published(year: int) -> bool:
    """Whether the State Council's holiday notice (放假安排) of ``year`` is in the calendar."""
    try:
        chinese_calendar.is_workday(date(year, 1, 4))
    except NotImplementedError:
        return False
    return True


def is_workday(day: date) -> bool:
    """Whether offices work on ``day``; a Saturday that makes up for a holiday is a working day."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def add_workdays(start: date, days: int) -> date:
    """The last day of a limit of ``days`` working days that begins on the day after ``start``.

    ``days`` is not negative; 0 gives ``start`` itself.
    """
    if days < 0:
        raise ValueError("a limit of working days is not negative")
    day = start
    left = days
    while left:
        day += _ONE_DAY
        if is_workday(day):
            left -= 1
    return day


def workdays_between(start: date, end: date) -> int:
    """Working days after ``start`` up to and including ``end``; 0 when ``end`` is not later."""
    count = 0
    day = start
    while day < end:
        day += _ONE_DAY
        count += is_workday(day)
    return count
