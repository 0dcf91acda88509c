"""SIGKILL or a lost database session at any point of a load or a screen, then the same commands again: the same end state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.a_server import BASE, scratch_server
from tests.small_county import AS_OF, write_county


def _kill_and_repeat(
    commands: list[list[str]],
    rounds: int,
    seed: int,
    *,
    server: str = "",
    cut: bool = False,
) -> dict[str, Any]:
    job = {"commands": commands, "rounds": rounds, "seed": seed, "as_of": AS_OF, "server": server, "cut": cut}
    environment = {
        key: value
        for key, value in os.environ.items()
        if key == "DOUDI_FAULTS_LOUD" or not key.startswith(("DOUDI_", "DJANGO_"))
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killer.py")), json.dumps(job)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _rounds_on_a_server(request: pytest.FixtureRequest) -> int:
    """A third of the rounds: each makes a database. A minute or more, so not where a few rounds are asked for."""
    rounds = request.config.getoption("--rounds")
    if rounds < 9:
        pytest.skip("minutes: make test-faults, part of make prove")
    return rounds // 3


@pytest.mark.slow
def test_a_killed_load_or_screen_run_again_ends_as_if_never_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = write_county(tmp_path / "files")
    commands = [["feed", "load", "--dir", str(folder), "--as-of", AS_OF], ["screen", "--as-of", AS_OF]]

    outcome = _kill_and_repeat(commands, rounds=request.config.getoption("--rounds"), seed=20241115)

    assert outcome["failures"] == []
    assert outcome["killed"] >= outcome["rounds"] * 0.8, "most rounds must really have been killed"
    assert outcome["events"] > 100, "the run must offer many points to be killed at"


@pytest.mark.slow
@pytest.mark.parametrize("cut", [False, True], ids=["killed", "session-ended"])
def test_on_postgresql_a_kill_or_a_lost_connection_changes_nothing_either(
    cut: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = write_county(tmp_path / "files")
    commands = [["feed", "load", "--dir", str(folder), "--as-of", AS_OF], ["screen", "--as-of", AS_OF]]
    rounds = _rounds_on_a_server(request)

    with scratch_server():  # skips where there is no server
        outcome = _kill_and_repeat(commands, rounds=rounds, seed=20241116, server=BASE, cut=cut)

    assert outcome["failures"] == []
    assert outcome["killed"] >= outcome["rounds"] * 0.8
    assert outcome["events"] > 100
