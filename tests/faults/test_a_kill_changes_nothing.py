"""SIGKILL at any point of a load or a screen, then the same commands again: the same end state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_county import AS_OF, write_county


def _kill_and_repeat(commands: list[list[str]], rounds: int, seed: int) -> dict[str, object]:
    job = {"commands": commands, "rounds": rounds, "seed": seed, "as_of": AS_OF}
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
