"""A limit's clock (时限): when it runs out, and when so much of it has gone by, with the days it stood still left out.

A limit in working days counts from the day after it began (《民法典》第二百零一条) and ends with its last day; one in hours
counts from the minute. Days on which the clock was suspended do not count: the day of the suspension is the first left
out, the day it goes on is the first counted again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from doudi.engine.workdays import is_workday

_ONE_DAY = timedelta(days=1)


class Unit(StrEnum):
    """What a limit is counted in."""

    WORKDAYS = "workdays"
    DAYS = "days"
    HOURS = "hours"


@dataclass(frozen=True)
class Pause:
    """A suspension (时限中止): from a moment until a later one."""

    begins: datetime
    ends: datetime

    def covers(self, day: date) -> bool:
        return self.begins.date() <= day < self.ends.date()


@dataclass(frozen=True)
class Clock:
    """A running limit: ``amount`` of ``unit`` from ``started``; all moments are in the office's own time zone.

    ``closing`` is the end of an office day: what is said before a limit has run out is said then (handbook 02, case 8).
    """

    started: datetime
    amount: int
    unit: Unit
    closing: time
    pauses: tuple[Pause, ...] = ()

    @property
    def due(self) -> datetime:
        """The moment after which the limit is missed: an hour clock's minute, or the midnight after the last day."""
        return self.moment(100)

    @property
    def due_on(self) -> date:
        """The last day of the limit."""
        if self.unit is Unit.HOURS:
            return self.due.date()
        return self._counted(self.amount)

    def moment(self, percent: int) -> datetime:
        """When ``percent`` of the limit has gone by.

        In days: below 100 % at the close of the last whole day within it (of the first that counts, where the limit
        began after that), from 100 % on at the midnight after the day that fills it, for until then the office still works.
        """
        if self.unit is Unit.HOURS:
            return self._after(timedelta(hours=self.amount) * percent / 100)
        if percent < 100:
            told = datetime.combine(
                self._counted(self.amount * percent // 100), self.closing, self.started.tzinfo
            )
            if told > self.started:
                return told
            # begun after the office had closed: nobody is urged on the evening on which it came
            return datetime.combine(self._counted(min(self.amount, 1)), self.closing, self.started.tzinfo)
        day = self._counted(math.ceil(self.amount * percent / 100))
        return datetime.combine(day + _ONE_DAY, time(), self.started.tzinfo)

    def _counted(self, days: int) -> date:
        counts: Callable[[date], bool] = is_workday if self.unit is Unit.WORKDAYS else lambda _day: True
        day = self.started.date()
        while days:
            day += _ONE_DAY
            if counts(day) and not any(pause.covers(day) for pause in self.pauses):
                days -= 1
        return day

    def _after(self, length: timedelta) -> datetime:
        end = self.started + length
        gone = self.started
        for pause in sorted(self.pauses, key=lambda pause: pause.begins):
            begins = max(pause.begins, gone)
            if pause.ends > begins and begins < end:
                end += pause.ends - begins
                gone = pause.ends
        return end
