"""A restore into PostgreSQL that is killed, or whose session the server ends, is done again over what it left and is whole."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.a_server import SERVER, scratch_server

_DOUDI = [sys.executable, "-c", "from doudi.cli import main; main()"]


def _environment(home: Path, database: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOUDI_", "DJANGO_"))}
    return kept | {
        "DOUDI_HOME": str(home),
        "DOUDI_DATABASE_URL": database,
        "XDG_CONFIG_HOME": str(home.parent / "config"),
    }


def _run(home: Path, database: str, *arguments: str) -> str:
    done = subprocess.run(
        [*_DOUDI, *arguments],
        env=_environment(home, database),
        input="a-long-password-8",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _rows(database: str) -> dict[str, Any]:
    """Of every table how many rows, and a sum over all of their cells; who restored it is not looked at."""
    with psycopg.connect(database) as there:
        names = there.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        told = sql.SQL(
            "select count(*), md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} t"
        )
        own = {"accounts_auditentry", "accounts_audithead", "django_session"}
        return {
            name: there.execute(told.format(sql.Identifier(name))).fetchone()
            for (name,) in names
            if name not in own
        }


def _end_sessions(database: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            [database.rpartition("/")[2]],
        )


@pytest.mark.slow
def test_a_restore_that_breaks_off_is_done_again(
    tmp_path: Path, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
):
    rounds = request.config.getoption("--rounds") // 10
    if not rounds:
        pytest.skip("a minute: make test-faults, part of make prove")
    dice = random.Random(20261130)
    with scratch_server() as old, scratch_server() as first:
        here = tmp_path / "here"
        _run(here, old, "user", "add", "zhou", "--role", "admin", "--name", "周管理")
        _run(here, old, "backup", str(tmp_path / "kept"))
        whole = _rows(old)
        began = time.monotonic()
        _run(tmp_path / "first", first, "restore", str(tmp_path / "kept"))
        takes = time.monotonic() - began
        assert _rows(first) == whole
        broken = 0
        for number in range(rounds):
            with scratch_server() as new:
                there = tmp_path / f"round{number}"
                running = subprocess.Popen(
                    [*_DOUDI, "restore", str(tmp_path / "kept")],
                    env=_environment(there, new),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                wait = takes * (number + dice.random()) / rounds
                try:
                    running.wait(wait)
                except subprocess.TimeoutExpired:
                    if number % 2:
                        _end_sessions(new)
                    else:
                        running.kill()
                said = running.communicate()[1]
                broken += running.returncode != 0
                assert "Traceback" not in said, said
                if running.returncode != 0:
                    _run(there, new, "restore", str(tmp_path / "kept"))
                assert _rows(new) == whole, f"round {number}, {wait:.2f} of {takes:.2f} s"
                assert "whole" in _run(there, new, "audit", "verify", "--json")
        record_property("rounds", rounds)
        assert broken >= rounds // 3, "most restores must really have been broken off"
