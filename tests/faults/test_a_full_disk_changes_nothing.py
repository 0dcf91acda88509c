"""A disk that runs full at any point of a long job: it says so, leaves nothing half done, and with room ends as ever."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import Disturb
from tests.faults.killer import mount_small
from tests.faults.offices import OFFICES
from tests.faults.test_a_kill_changes_nothing import on_a_server, rounds_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("office", OFFICES)
def test_a_job_on_a_full_disk_says_so_and_ends_as_ever_with_room(
    office: str, disturb: Disturb, request: pytest.FixtureRequest
) -> None:
    outcome = disturb(office, "full", rounds_of(request, 6))

    assert outcome["disturbed"] >= outcome["rounds"] * 0.8


@pytest.mark.parametrize("office", OFFICES)
def test_a_file_system_that_really_runs_full_loses_and_doubles_nothing(
    office: str, disturb: Disturb, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    try:
        mount_small(tmp_path)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("this account may not mount a file system")
    subprocess.run(["umount", str(tmp_path)], check=True)

    disturb(office, "small", rounds_of(request, 15))


@pytest.mark.parametrize("office", OFFICES)
def test_on_postgresql_a_full_disk_changes_nothing_either(
    office: str, disturb: Disturb, request: pytest.FixtureRequest
) -> None:
    outcome = disturb(office, "full", on_a_server(request, 20), server=True)

    assert outcome["disturbed"] >= outcome["rounds"] * 0.8
