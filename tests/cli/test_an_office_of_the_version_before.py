"""An office that the version before wrote (2026-11-24, commit 9e815d0) is opened by this one: nothing is lost or altered.

``tests/data/office-before.tar.xz`` is that version's own state folder: the small county loaded and screened, an account,
a look. Its keys open nothing else. Made by that version's code with ``doudi.chain`` alone. Beside it
``office-before-postgresql.tar.xz``: the same by the same code on PostgreSQL, the database as ``pg_dump`` wrote it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import small_county as sc
from tests.a_server import scratch_server

pytestmark = pytest.mark.slow
_DATA = Path(__file__).parents[1] / "data"
KEPT = {
    "sqlite": _DATA / "office-before.tar.xz",
    "postgresql": _DATA / "office-before-postgresql.tar.xz",
}
GROWING = {
    "sqlite_sequence", "django_migrations", "django_session",
    "accounts_audithead",  # points at the newest entry; the entries themselves are compared
}  # fmt: skip
_ASK = """
import json
from doudi.cli.shell import open_office
open_office(quiet=True)
from doudi import chain
from doudi.contexts.accounts.services import User, verify_audit, system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.house.keyring import keyring
from tests import small_county as sc
officer = User.objects.get(username="chen")
person, looks, consents = chain.who_looked(sc.WANG_QIANG, reason="本人持证到窗口", by=officer)
household = registry.household("H002", by=officer)
print(json.dumps({
    "audit": verify_audit().whole,
    "password": officer.check_password("a-long-enough-password-1"),
    "warnings": sorted(w.number for w in monitoring.warnings(by=officer, status="all")),
    "households": sorted(h.household_no for h in registry.households(by=officer)),
    "member": registry.person_by_id(sc.WANG_QIANG).name,
    "found": [row.household.household_no for row in
              registry.list_page(registry.PERSONS, registry.Conditions(text="王强"), by=officer).rows],
    "looks": [look.reason for look in looks if look.reason],
}))
"""


Rows = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


@dataclass(frozen=True)
class Before:
    """An office as the version before left it: its folder, and its PostgreSQL database where it has one."""

    home: Path
    server: str = ""

    def rows(self) -> Rows:
        """Every table, by its name: the columns and the rows."""
        return _postgresql_rows(self.server) if self.server else _sqlite_rows(self.home / "doudi.sqlite3")


def _sqlite_rows(database: Path) -> Rows:
    with closing(sqlite3.connect(database)) as opened:
        tables = [name for (name,) in opened.execute("select name from sqlite_master where type='table'")]
        read = {}
        for table in tables:
            columns = [row[1] for row in opened.execute(f'pragma table_info("{table}")')]
            read[table] = columns, list(opened.execute(f'select * from "{table}"'))
    return read


def _postgresql_rows(server: str) -> Rows:
    with psycopg.connect(server) as opened:
        tables = opened.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        read = {}
        for (table,) in tables:
            cursor = opened.execute(f'select * from "{table}"')
            read[table] = [column.name for column in cursor.description], cursor.fetchall()
    return read


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def office_before(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Before]:
    kept = KEPT[request.param]
    with tarfile.open(kept) as packed:
        packed.extractall(tmp_path, filter="data")
    if request.param == "sqlite":
        yield Before(tmp_path / "home")
        return
    with scratch_server() as server:
        with psycopg.connect(server) as opened:
            opened.execute((tmp_path / "dump.sql").read_text(encoding="utf-8"))
        yield Before(tmp_path / "home", server)


def _ask(office: Before) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env={k: v for k, v in os.environ.items() if not k.startswith(("DOUDI_", "DJANGO_"))}
        | {"DOUDI_HOME": str(office.home), "DOUDI_DATABASE_URL": office.server},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_every_row_is_kept_and_the_office_goes_on(office_before: Before, run_doudi: Callable):
    before = office_before.rows()
    assert {"monitoring_warningcase", "registry_household", "accounts_auditentry"} <= set(before)

    now = _ask(office_before)

    after = office_before.rows()
    assert set(before) < set(after), "no table is dropped, and new ones are there"
    lost = {}
    for table in set(before) - GROWING:
        columns, rows = before[table]
        new_columns, new_rows = after[table]
        both = [name for name in columns if name in new_columns]
        assert both == columns, f"{table} lost {set(columns) - set(both)}"
        seen = {repr([row[new_columns.index(name)] for name in both]) for row in new_rows}
        if missing := [row for row in rows if repr(list(row)) not in seen]:
            lost[table] = missing[:3]
    assert not lost

    def of(table: str, column: str) -> list[str]:
        columns, rows = before[table]
        return sorted(row[columns.index(column)] for row in rows)

    assert now["warnings"] == of("monitoring_warningcase", "number") != []
    assert now["households"] == of("registry_household", "household_no")
    assert now["audit"], "the log of both versions is one chain"
    assert now["password"]
    assert (now["member"], now["found"]) == ("王强", ["H002"]), "sealed columns and the index are read"
    assert now["looks"] == ["核对低保材料"]

    again = run_doudi(
        office_before.home, "screen", "--as-of", sc.AS_OF, "--json", database=office_before.server
    )
    assert again.status == 0, again.err
    assert set(now["warnings"]) <= set(_ask(office_before)["warnings"])
