"""How many processes serve the workbench where nobody said."""

from __future__ import annotations

import os

import pytest
from django.db import connection

from doudi.cli.serving import usual_workers


@pytest.mark.parametrize(
    ("database", "cores", "processes"),
    [("sqlite", 8, 1), ("postgresql", None, 2), ("postgresql", 1, 2), ("postgresql", 4, 4), ("postgresql", 64, 8)],
)  # fmt: skip
def test_a_process_for_each_core_where_the_database_bears_it(monkeypatch, database, cores, processes) -> None:
    monkeypatch.setattr(connection, "vendor", database)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert usual_workers() == processes
