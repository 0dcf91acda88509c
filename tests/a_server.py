"""A database of one's own on the PostgreSQL of the machine, for tests that start processes of their own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SERVER = os.environ.get("DOUDI_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
BASE = SERVER.rsplit("/", 1)[0]


@contextmanager
def scratch_server() -> Iterator[str]:
    """The address of an empty database, which goes afterwards; skips where there is no server."""
    psycopg = pytest.importorskip("psycopg")
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL")
    name = f"doudi_scratch_{secrets.token_hex(4)}"
    with server:
        server.execute(f"create database {name}")
        try:
            yield f"{BASE}/{name}"
        finally:
            server.execute(f"drop database if exists {name} with (force)")
