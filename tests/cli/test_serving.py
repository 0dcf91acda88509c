"""How many processes serve the workbench where nobody said, and how many browsers may stay connected."""

from __future__ import annotations

import os

import pytest
from django.db import connection

from doudi.cli import serving
from doudi.cli.serving import usual_workers


@pytest.mark.parametrize(
    ("database", "cores", "processes"),
    [("sqlite", 8, 1), ("postgresql", None, 2), ("postgresql", 1, 2), ("postgresql", 4, 4), ("postgresql", 64, 8)],
)  # fmt: skip
def test_a_process_for_each_core_where_the_database_bears_it(monkeypatch, database, cores, processes) -> None:
    monkeypatch.setattr(connection, "vendor", database)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert usual_workers() == processes


@pytest.mark.django_db
def test_browsers_that_stay_connected_keep_nobody_out(monkeypatch) -> None:
    given: dict[str, object] = {}

    class Server:
        def __init__(self, _application: str, **options: object) -> None:
            given.update(options)

        def serve(self) -> None: ...

    monkeypatch.setattr("granian.Granian", Server)
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)

    serving._serve("127.0.0.1", 1, workers=2)

    assert given["backpressure"] == serving.OPEN_CONNECTIONS == 10_000
