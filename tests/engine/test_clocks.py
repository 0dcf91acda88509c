"""A limit's clock: working days with make-up days, suspensions left out, stages before and after."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doudi.engine.clocks import Clock, Pause, Unit
from doudi.engine.workdays import is_workday

CHINA = ZoneInfo("Asia/Shanghai")
CLOSING = time(17, 30)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


def clock(started: str, amount: int, unit: Unit = Unit.WORKDAYS, *pauses: tuple[str, str]) -> Clock:
    return Clock(at(started), amount, unit, CLOSING, tuple(Pause(at(a), at(b)) for a, b in pauses))


def test_the_handbooks_case_8_orange_opened_on_a_monday():
    """Opened Monday 09:00, five working days: due the Monday after, the reminder at the end of the fourth, Friday."""
    running = clock("2024-03-04 09:00", 5)

    assert running.due_on == date(2024, 3, 11)
    assert running.moment(80) == at("2024-03-08 17:30")
    assert running.due == at("2024-03-12 00:00")


def test_a_holiday_is_left_out_and_its_make_up_saturday_counts():
    # National Day 2024: 1–7 October off; Sunday 29 September and Saturday 12 October worked
    assert clock("2024-09-27 10:00", 2).due_on == date(2024, 9, 30)
    assert clock("2024-09-30 10:00", 4).due_on == date(2024, 10, 11)
    assert clock("2024-09-30 10:00", 5).due_on == date(2024, 10, 12)


def test_suspended_days_do_not_count_and_the_day_it_goes_on_does():
    # Monday; away from Wednesday until the Monday after
    running = clock("2024-03-04 09:00", 5, Unit.WORKDAYS, ("2024-03-06 10:00", "2024-03-11 00:00"))

    # Tuesday is the first, Monday the 11th the second, Thursday the 14th the fifth
    assert running.due_on == date(2024, 3, 14)
    assert running.moment(80) == at("2024-03-13 17:30")


def test_a_red_case_of_danger_runs_in_hours_day_and_night():
    running = clock("2024-03-08 18:20", 24, Unit.HOURS)

    assert running.due == at("2024-03-09 18:20")
    assert running.moment(80) == at("2024-03-09 13:32")
    assert running.moment(150) == at("2024-03-10 06:20")


def test_hours_suspended_are_added():
    running = clock("2024-03-08 18:00", 24, Unit.HOURS, ("2024-03-08 20:00", "2024-03-10 00:00"))

    assert running.due == at("2024-03-10 22:00")


@pytest.mark.parametrize(("amount", "told"), [(0, "2024-03-04 17:30"), (1, "2024-03-04 17:30"),
     (2, "2024-03-05 17:30"), (10, "2024-03-14 17:30")])  # fmt: skip
def test_the_first_reminder_comes_before_the_limit_is_over(amount, told):
    assert clock("2024-03-04 09:00", amount).moment(80) == at(told)


def test_what_comes_after_the_office_has_closed_is_first_urged_on_the_next_working_day():
    # Friday evening, one working day: Monday; a limit of that very day has no later close
    assert clock("2024-03-08 18:20", 1).moment(80) == at("2024-03-11 17:30")
    assert clock("2024-03-08 18:20", 0).moment(80) == at("2024-03-08 17:30")


def test_one_and_a_half_times_the_limit():
    assert clock("2024-03-04 09:00", 5).moment(150) == at("2024-03-15 00:00")


@given(
    start=st.datetimes(datetime(2024, 1, 1), datetime(2025, 6, 1)),
    amount=st.integers(0, 30),
    away=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), max_size=3),
)
def test_between_start_and_due_lie_exactly_the_days_that_count(start, amount, away):
    begun = start.replace(tzinfo=CHINA)
    pauses = tuple(
        Pause(begun + timedelta(days=first), begun + timedelta(days=first + days)) for first, days in away
    )
    running = Clock(begun, amount, Unit.WORKDAYS, CLOSING, pauses)

    days = (begun.date() + timedelta(days=n) for n in range(1, (running.due_on - begun.date()).days + 1))
    counted = [day for day in days if is_workday(day) and not any(p.covers(day) for p in pauses)]

    assert len(counted) == amount
    assert running.moment(80) <= running.moment(100) <= running.moment(150)
