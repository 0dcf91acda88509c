"""The drill: an office at work is backed up and put back on another folder, on both databases, by the commands alone."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.a_server import SERVER, scratch_server
from tests.small_county import AS_OF, write_county

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def databases(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The address of the working database and that of an empty one; '' is SQLite."""
    if request.param == "sqlite":
        yield "", ""
        return
    with scratch_server() as old, scratch_server() as new:
        yield old, new


def _rows(home: Path, database: str) -> dict[str, list[tuple]]:
    """Every row of every table, but for who is signed in and what the restore itself wrote."""
    if database:
        import psycopg

        db = psycopg.connect(database)
        named = "select table_name from information_schema.tables where table_schema = 'public'"
    else:
        db = sqlite3.connect(home / "doudi.sqlite3")
        named = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
    with closing(db):
        tables = [row[0] for row in db.execute(named).fetchall()]
        said = {
            table: sorted(map(repr, db.execute(f'select * from "{table}"').fetchall())) for table in tables
        }
    for left_out in ("django_session", "accounts_audithead"):
        said.pop(left_out)
    said["accounts_auditentry"] = [
        row for row in said["accounts_auditentry"] if "'backup'" not in row and "'restore'" not in row
    ]
    return said


def test_every_row_comes_back_and_the_office_goes_on(run_doudi: Callable, databases, tmp_path: Path):
    old, new = databases
    here, there = tmp_path / "here", tmp_path / "there"
    key = run_doudi(
        here, "user", "add", "chen", "--role", "county", "--json", database=old, typed="a-long-password-8"
    )
    assert key.status == 0, key.err

    made = run_doudi(here, "backup", tmp_path / "kept", "--json", database=old)
    assert made.status == 0, made.err
    assert made.json["verified"] and made.json["database"] == ("postgresql" if old else "sqlite")
    assert made.json["key_file"] in made.err, "a new key is told on standard error, where a person reads it"

    put_back = run_doudi(there, "restore", tmp_path / "kept", "--json", database=new)
    assert put_back.status == 0, put_back.err
    assert put_back.json["audit_whole"] and put_back.json["audit_entries"] > 0
    assert _rows(there, new) == _rows(here, old)
    # the counters of the tables stand where they stood
    added = run_doudi(
        there, "user", "add", "li", "--role", "admin", "--json", database=new, typed="a-long-password-9"
    )
    assert added.status == 0, added.err

    onto = run_doudi(there, "restore", tmp_path / "kept", "--json", database=new)
    assert (onto.status, onto.json["error"]["code"]) == (1, "not_empty")
    if new:
        onto = run_doudi(tmp_path / "third", "restore", tmp_path / "kept", "--json", database=old)
        assert (onto.status, onto.json["error"]["code"]) == (1, "not_empty"), (
            "never over another office's rows"
        )
        assert not (tmp_path / "third" / "keys").exists()


@pytest.mark.skipif(not os.environ.get("DOUDI_DRILL"), reason="a minute: DOUDI_DRILL=1, part of make prove")
def test_an_office_at_work_is_put_back_elsewhere(run_doudi: Callable, databases, tmp_path: Path):
    old, new = databases
    here, there = tmp_path / "here", tmp_path / "there"
    folder = write_county(tmp_path / "files")
    assert run_doudi(here, "feed", "load", "--dir", folder, "--as-of", AS_OF, database=old).status == 0
    assert run_doudi(here, "screen", "--as-of", AS_OF, database=old).status == 0
    before = run_doudi(here, "explain", "H002", "--as-of", AS_OF, "--json", database=old)

    made = run_doudi(here, "backup", tmp_path / "kept", "--json", database=old)
    assert made.status == 0, made.err
    assert made.json["verified"] and made.json["database"] == ("postgresql" if old else "sqlite")
    assert made.json["key_file"] in made.err, "a new key is told on standard error, where a person reads it"

    put_back = run_doudi(there, "restore", tmp_path / "kept", "--json", database=new)
    assert put_back.status == 0, put_back.err
    assert put_back.json["audit_whole"] and put_back.json["audit_entries"] > 0

    after = run_doudi(there, "explain", "H002", "--as-of", AS_OF, "--json", database=new)
    assert after.json == before.json
    # the office goes on: the same load changes nothing, the same screen opens nothing, the log stays whole
    loaded = run_doudi(there, "feed", "load", "--dir", folder, "--as-of", AS_OF, "--json", database=new)
    screened = run_doudi(there, "screen", "--as-of", AS_OF, "--json", database=new)
    assert loaded.status == screened.status == 0, loaded.err + screened.err
    assert screened.json["warnings"]["opened"] == 0
    assert run_doudi(there, "audit", "verify", "--json", database=new).json["whole"]


@pytest.mark.postgres
def test_a_backup_of_sqlite_is_not_put_into_postgresql(run_doudi: Callable, tmp_path: Path):
    home = tmp_path / "home"
    assert run_doudi(home, "backup", f"{tmp_path}/out/", "--json").status == 0
    kept = next((tmp_path / "out").iterdir())
    assert kept.name.startswith("doudi-") and kept.suffix == ".doudi-backup"

    done = run_doudi(tmp_path / "new", "restore", kept, "--json", database=SERVER)
    assert (done.status, done.json["error"]["code"]) == (1, "database_kind")

    checked = run_doudi(tmp_path / "new", "restore", kept, "--check", "--json")
    assert checked.json["whole"] and not (tmp_path / "new" / "keys").exists()


def test_half_an_office_is_refused_by_every_command(run_doudi: Callable, tmp_path: Path):
    (tmp_path / "home" / ".restoring").mkdir(parents=True)

    done = run_doudi(tmp_path / "home", "doctor", "--json")

    assert (done.status, done.json["error"]["code"]) == (1, "restore_unfinished")


def test_the_last_backup_is_noted_for_the_doctor(run_doudi: Callable, tmp_path: Path):
    run_doudi(tmp_path / "home", "backup", tmp_path / "kept", "--json")

    assert '"sha256"' in (tmp_path / "home" / "last-backup.json").read_text()
    with closing(sqlite3.connect(tmp_path / "home" / "doudi.sqlite3")) as db:
        assert db.execute("select count(*) from accounts_auditentry where act = 'backup'").fetchone()[0] == 1
