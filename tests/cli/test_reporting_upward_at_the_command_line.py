"""``doudi upward``: a month exported, its return taken, and the standing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doudi.cli import app
from doudi.contexts.assistance.upward_models import UpwardRow
from tests.cast import assemble
from tests.payday import COUNTY, open_office

MONTH = ("--region", COUNTY, "--month", "2024-11")


@pytest.fixture
def run(county: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("doudi.cli.upward.open_office", lambda quiet=False: None)

    def call(*words: str):
        done = CliRunner().invoke(app, ["upward", *words, "--json"], catch_exceptions=False)
        return done.exit_code, json.loads(done.stdout)

    return call


def test_export_return_and_standing(run, tmp_path: Path) -> None:
    pay = open_office(assemble())
    pay.decide("H001")
    pay.frozen()

    code, made = run("export", "pay", *MONTH, "--to", str(tmp_path / "上报"))
    assert (code, made["rows"], made["held"]) == (0, 1, 0)
    assert Path(made["file"]).read_bytes()[:2] == b"PK"
    answers = tmp_path / "回执.csv"
    answers.write_text(f"业务编号,校验结果,失败原因\n{UpwardRow.objects.get().key},通过,\n", encoding="utf-8")
    code, taken = run("return", made["report"], str(answers))
    assert (code, taken["accepted"], taken["rejected"]) == (0, 1, 0)
    code, stands = run("standing", "pay", *MONTH)
    assert (code, stands["whole"], stands["settled"], stands["states"]["accepted"]) == (0, True, True, 1)
