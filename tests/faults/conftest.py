"""The benches of the fault tests, one a database, and how many rounds they made in all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.a_server import BASE, SERVER

ROOT = Path(__file__).resolve().parents[2]
Disturb = Callable[..., dict[str, Any]]


class _Bench:
    """``killer.py`` as a process of its own: a job a line goes in, what came of its rounds comes out."""

    def __init__(self, server: str) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DOUDI_", "DJANGO_"))
        }
        paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.killer", server],
            cwd=ROOT,
            # what is forked has no threads of its own
            env=kept | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the bench broke down; it said why on standard error"
        told: dict[str, Any] = json.loads(answer)
        return told

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture(scope="session")
def _benches() -> Iterator[dict[str, _Bench]]:
    made: dict[str, _Bench] = {}
    yield made
    for bench in made.values():
        bench.close()


@pytest.fixture
def disturb(_benches: dict[str, _Bench], record_property: Callable[[str, object], None]) -> Disturb:
    """Do a job so many times with a fault in its way; every round must end as if nothing had been."""

    def do(
        office: str, fault: str, rounds: int, *, server: bool = False, seed: int = 20241115
    ) -> dict[str, Any]:
        at = BASE if server else ""
        if server:
            _need_a_server()
        if at not in _benches:
            _benches[at] = _Bench(at)
        outcome = _benches[at].ask({"office": office, "fault": fault, "rounds": rounds, "seed": seed})
        record_property("rounds", outcome["rounds"])
        assert outcome["failures"] == []
        return outcome

    return do


def _need_a_server() -> None:
    psycopg = pytest.importorskip("psycopg")
    try:
        psycopg.connect(SERVER, connect_timeout=3).close()
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many rounds all fault tests made together, to be quoted."""
    told = [
        dict(report.user_properties).get("rounds", 0)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
    ]
    if any(told):
        terminalreporter.write_line(f"faults: {sum(told)} rounds in {sum(map(bool, told))} tests")
