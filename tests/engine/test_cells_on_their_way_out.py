"""Cells of a CSV that leaves the house."""

from __future__ import annotations

import pytest

from doudi.engine.csvfile import harmless


@pytest.mark.parametrize("cell", ["=1+1", "+1", "@SUM(A1)", "\t=1", "\r=1", "-2+3+cmd|' /C calc'!A0", "-"])
def test_what_a_spreadsheet_would_run_becomes_text(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "王强", "1+1", "-5", "-12.50", "520102", "'=1"])
def test_everything_else_stays_as_it_is(cell: str) -> None:
    assert harmless(cell) == cell
