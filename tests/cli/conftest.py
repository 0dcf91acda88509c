"""Commands run as a stranger runs them: in a process of their own, on a state folder of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def run_doudi(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """Run a command on a state folder. A folder that is not there begins as a copy of an office that has just been opened."""
    opened = tmp_path_factory.mktemp("opened") / "home"

    def run(home: Path, *arguments: object, database: str = "", typed: str = "") -> Ran:
        if not database and "restore" not in arguments and not home.exists() and home != opened:
            if not opened.exists():
                run(opened, "user", "list")
            shutil.copytree(opened, home)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DOUDI_", "DJANGO_"))}
        environment["DOUDI_HOME"] = str(home)
        if database:
            environment["DOUDI_DATABASE_URL"] = database
        done = subprocess.run(
            [sys.executable, "-c", "from doudi.cli import main; main()", *map(str, arguments)],
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
