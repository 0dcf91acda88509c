"""Every test process has a state folder of its own; nothing is read from or written to ./var."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["DOUDI_HOME"] = tempfile.mkdtemp(prefix="doudi-tests-")
os.environ.pop("DOUDI_DEMO", None)

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE = PROJECT / "samples" / "longli"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=12, help="rounds of each fault test")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state folder for one test."""
    from doudi.house.paths import home

    monkeypatch.setenv("DOUDI_HOME", str(tmp_path / "home"))
    home().create()
    yield tmp_path / "home"
