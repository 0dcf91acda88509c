"""``doudi meals price`` reckons the worked cases of handbook 05 from the pack's file."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from doudi.cli.meals import app
from tests.conftest import PROJECT

REFERENCE = str(PROJECT / "packs" / "reference")


@pytest.mark.parametrize(
    ("asked", "paid"),
    [
        (["--age", "72", "--list", "20.00"], 1600),
        (["--age", "85", "--list", "16.00"], 1060),
        (["--age", "65", "--list", "9.00", "--category", "低保"], 310),
        (["--age", "65", "--list", "9.00", "--category", "低保", "--times-today", "1"], 810),
        (["--age", "70", "--list", "20.00", "--registered", "340102"], 1800),
    ],
)
def test_worked_cases_from_the_command_line(asked, paid) -> None:
    done = CliRunner().invoke(app, ["price", *asked, "--pack", REFERENCE, "--on", "2025-12-01", "--json"])

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["paid_fen"] == paid == sum(line["fen"] for line in told["lines"])


def test_what_is_no_sum_is_refused() -> None:
    done = CliRunner().invoke(app, ["price", "--age", "72", "--list", "many", "--pack", REFERENCE])

    assert done.exit_code != 0
