"""How many processes serve the workbench where nobody said, and how many browsers may stay connected."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from django.db import connection

from doudi.cli import serving
from doudi.cli.serving import usual_workers
from tests.small_county import AS_OF, write_county

SCREEN_IN_THE_SAME_PROCESS_AND_SERVE = """
import sys
from datetime import date
from doudi.cli.shell import open_office
open_office()
from doudi import chain
from doudi.cli import serving
chain.explain("H002", as_of=date.fromisoformat(sys.argv[2]))
serving._serve("127.0.0.1", int(sys.argv[1]), workers=1)
"""


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
    monkeypatch.setattr(multiprocessing, "set_start_method", lambda *_given, **_options: None)

    serving._serve("127.0.0.1", 1, workers=2)

    assert given["backpressure"] == serving.OPEN_CONNECTIONS == 10_000


def test_a_process_that_has_explained_serves_explanations(run_doudi, tmp_path) -> None:
    """What the demonstration does: its warnings are made, and then served, by one command."""
    home = tmp_path / "home"
    for command in (
        ["feed", "load", "--dir", write_county(tmp_path / "files"), "--as-of", AS_OF],
        ["screen", "--as-of", AS_OF],
    ):
        assert run_doudi(home, *command).status == 0
    assert run_doudi(home, "user", "add", "chen", "--role", "county", typed="Dun-liu-8842-xian\n").status == 0
    scopes = ["--scope", "view_households", "--scope", "view_finances"]
    key = run_doudi(home, "user", "key", "chen", "--label", "explaining", *scopes, "--json").json["key"]
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-c", SCREEN_IN_THE_SAME_PROCESS_AND_SERVE, str(port), AS_OF],
        env={k: v for k, v in os.environ.items() if not k.startswith(("DOUDI_", "DJANGO_"))}
        | {"DOUDI_HOME": str(home)},
        start_new_session=True,
    )
    try:
        asked_for = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/households/H002/explanation?as_of={AS_OF}",
            headers={"Authorization": f"Bearer {key}"},
        )
        told = _answered(asked_for, within=60)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()

    assert told["household_no"] == "H002"


def _answered(request: urllib.request.Request, *, within: float) -> dict:
    """The answer, once the server listens. A server that takes the question and is silent fails the test."""
    until = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(request, timeout=within) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
