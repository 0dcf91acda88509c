"""The wall clock jumps an hour or a day, forward and back, between the steps of a long job: nothing is lost or doubled."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Disturb
from tests.faults.offices import OFFICES
from tests.faults.test_a_kill_changes_nothing import rounds_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("office", OFFICES)
def test_a_clock_that_jumps_between_two_steps_changes_nothing(
    office: str, disturb: Disturb, request: pytest.FixtureRequest
) -> None:
    disturb(office, "clock", rounds_of(request, 15))
