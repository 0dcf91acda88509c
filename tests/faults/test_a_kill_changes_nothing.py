"""SIGKILL or a lost database session at any point of a long job, then the same job again: the same end state."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Disturb
from tests.faults.offices import OFFICES

pytestmark = pytest.mark.slow
LONGEST = "load and screen"


def rounds_of(request: pytest.FixtureRequest, share: int) -> int:
    """One of so many rounds that are asked for, and at least one."""
    return max(1, request.config.getoption("--rounds") // share)


def on_a_server(request: pytest.FixtureRequest, share: int) -> int:
    """Each makes a database: some seconds an office, so not where a few rounds are asked for."""
    if request.config.getoption("--rounds") < 9:
        pytest.skip("minutes: make test-faults, part of make prove")
    return rounds_of(request, share)


@pytest.mark.parametrize("office", OFFICES)
def test_a_killed_job_run_again_ends_as_if_never_killed(
    office: str, disturb: Disturb, request: pytest.FixtureRequest
) -> None:
    outcome = disturb(office, "kill", rounds_of(request, 1 if office == LONGEST else 3))

    assert outcome["disturbed"] >= outcome["rounds"] * 0.8, "most rounds must really have been killed"
    assert outcome["events"] > 20, "the run must offer many points to be killed at"


def test_an_office_killed_while_it_is_made_is_made_again(
    disturb: Disturb, request: pytest.FixtureRequest
) -> None:
    disturb(LONGEST, "nothing", rounds_of(request, 6))


@pytest.mark.parametrize("fault", ["kill", "cut"])
@pytest.mark.parametrize("office", OFFICES)
def test_on_postgresql_a_kill_or_a_lost_connection_changes_nothing_either(
    office: str, fault: str, disturb: Disturb, request: pytest.FixtureRequest
) -> None:
    outcome = disturb(office, fault, on_a_server(request, 10), server=True)

    assert outcome["disturbed"] >= outcome["rounds"] * 0.8
    # the sessions of a backup or a look for duplicates say few statements; a kill has files and renames too
    assert outcome["events"] > (20 if fault == "kill" else 5)
