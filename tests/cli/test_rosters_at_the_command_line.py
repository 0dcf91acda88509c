"""``doudi roster``: a month reckoned, tied out and proved from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doudi.cli import app, shell
from doudi.contexts.assistance import payroll
from tests.cast import assemble
from tests.payday import COUNTY, NOV


@pytest.fixture
def run(county: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shell, "open_office", lambda quiet=False: None)
    monkeypatch.setattr("doudi.cli.roster.open_office", lambda quiet=False: None)

    def call(*words: str):
        done = CliRunner().invoke(app, ["roster", *words, "--json"], catch_exceptions=False)
        return done.exit_code, json.loads(done.stdout)

    return call


def test_open_compute_tie_out_and_prove(run) -> None:
    code, opened = run("open", "--region", COUNTY, "--month", "2024-11", "--document", "开账1")
    assert (code, opened["recorded"]) == (0, {"DB": 2})
    code, made = run("compute", "--region", COUNTY, "--month", "2024-11")
    assert (code, made["payees"], made["month"]) == (0, 2, "2024-11")
    payroll.freeze_roster(made["roster"], note="", by=assemble().director)

    code, tied = run("tie-out", made["roster"])
    assert (code, tied["whole"], tied["rows_unchanged"], tied["unsent_fen"]) == (
        0,
        True,
        True,
        made["total_fen"],
    )
    assert run("prove", "--region", COUNTY)[1] == {
        "region": COUNTY,
        "whole": True,
        "faults": [],
        "guarded": True,
    }
    assert NOV.month == 11


def test_rows_changed_behind_the_guard_end_with_1(run) -> None:
    from doudi.contexts.assistance import frozen

    run("open", "--region", COUNTY, "--month", "2024-11", "--document", "开账1")
    _code, made = run("compute", "--region", COUNTY, "--month", "2024-11")
    payroll.freeze_roster(made["roster"], note="", by=assemble().director)
    frozen.unguard()
    payroll.RosterRow.objects.update(amount_fen=1)

    code, tied = run("tie-out", made["roster"])

    assert (code, tied["rows_unchanged"], tied["whole"]) == (1, False, False)
    assert run("prove", "--region", COUNTY)[0] == 1
