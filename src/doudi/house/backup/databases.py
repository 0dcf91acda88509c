"""The database as files and back: SQLite by its online backup, PostgreSQL by COPY in one snapshot.

PostgreSQL is read without pg_dump, whose version would have to fit the server's: every table as text, in one
repeatable-read transaction, so that what people write meanwhile is either whole in it or not at all. Open sessions are
left out: nobody is signed in by a restored backup.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.house.backup.container import broken

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_SQLITE_FILE = "doudi.sqlite3"
_SCHEMA = "schema.json"
_LEFT_OUT = ("django_session",)


def kind_in_use() -> str:
    """Which database this office is set up with, read from the environment alone."""
    return POSTGRESQL if os.environ.get("DOUDI_DATABASE_URL", "").strip() else SQLITE


def dump(to: Path, *, sqlite: Path) -> str:
    """Write the database into the folder ``to``; returns its kind. People may go on writing meanwhile."""
    to.mkdir(mode=0o700)
    if kind_in_use() == SQLITE:
        _dump_sqlite(sqlite, to / _SQLITE_FILE)
        return SQLITE
    _dump_postgresql(to)
    return POSTGRESQL


def check(folder: Path, kind: str) -> None:
    """Whether what was unpacked can be a database again, or :class:`BackupBroken`."""
    if kind == SQLITE:
        with closing(sqlite3.connect(folder / _SQLITE_FILE)) as db:
            try:
                said = db.execute("pragma integrity_check").fetchone()[0]
            except sqlite3.DatabaseError as problem:
                said = str(problem)
        if said != "ok":
            raise broken(f"数据库校验不通过（{said}）", f"the database is damaged ({said})")
    else:
        schema = _schema(folder)
        gone = [table["name"] for table in schema["tables"] if not (folder / table["file"]).is_file()]
        if gone:
            raise broken(f"缺少表 {gone[0]}", f"table {gone[0]} is missing")


# ---- SQLite ------------------------------------------------------------------------------------------------------


def _dump_sqlite(source: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as live,
        closing(sqlite3.connect(to)) as copy,
    ):
        # all pages in one step: a reader's snapshot of the write-ahead log, which no writer disturbs or waits for
        live.backup(copy, pages=-1)
        copy.execute("pragma journal_mode=delete")
        copy.execute("pragma secure_delete=on")
        for table in _LEFT_OUT:
            copy.execute(f"delete from {table}")  # noqa: S608 — a constant
        copy.commit()
        said = copy.execute("pragma integrity_check").fetchone()[0]
        if said != "ok":
            raise DoudiError(
                f"数据库本身有损坏（{said}），没有生成备份。请立即联系维护人员，先不要关机。",
                f"The database itself is damaged ({said}); no backup was made.",
                code="database_damaged",
            )
    os.chmod(to, 0o600)


def put_sqlite(folder: Path, to: Path) -> None:
    """Move the database of an unpacked backup to its place."""
    os.replace(folder / _SQLITE_FILE, to)


# ---- PostgreSQL --------------------------------------------------------------------------------------------------


@contextmanager
def _server() -> Iterator[Any]:
    import psycopg

    url = os.environ["DOUDI_DATABASE_URL"].strip()
    try:
        connection = psycopg.connect(url, connect_timeout=15)
    except psycopg.OperationalError as problem:
        raise DoudiError(
            f"连不上数据库：{str(problem).splitlines()[0]}。请核对 DOUDI_DATABASE_URL，并确认数据库已启动。",
            f"The database cannot be reached: {str(problem).splitlines()[0]}. Check DOUDI_DATABASE_URL and the server.",
            code="database_unreachable",
            retry=True,
        ) from None
    with connection:
        yield connection


def _dump_postgresql(to: Path) -> None:
    from psycopg import sql

    with _server() as server:
        server.read_only = True
        server.isolation_level = 3  # repeatable read: one snapshot for every table
        tables = []
        for name in _tables(server):
            columns = _columns(server, name)
            file = f"{name}.copy"
            with (to / file).open("wb") as out:
                if name not in _LEFT_OUT:
                    copying = sql.SQL("COPY {} ({}) TO STDOUT").format(
                        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
                    )
                    with server.cursor().copy(copying) as rows:
                        out.writelines(rows)
            os.chmod(to / file, 0o600)
            tables.append({"name": name, "columns": columns, "file": file})
        applied = server.execute("select app, name from django_migrations order by id").fetchall()
    schema = {"tables": tables, "migrations": [list(row) for row in applied]}
    (to / _SCHEMA).write_text(json.dumps(schema, ensure_ascii=False, indent=1), encoding="utf-8")


def _tables(server: Any) -> list[str]:
    found = server.execute(
        "select table_name from information_schema.tables where table_schema = current_schema() "
        "and table_type = 'BASE TABLE' order by table_name"
    )
    return [row[0] for row in found]


def _columns(server: Any, table: str) -> list[str]:
    found = server.execute(
        "select column_name from information_schema.columns where table_schema = current_schema() "
        "and table_name = %s and is_generated = 'NEVER' order by ordinal_position",
        [table],
    )
    return [row[0] for row in found]


def _schema(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / _SCHEMA).read_text(encoding="utf-8"))
        names = [(table["name"], table["file"], table["columns"]) for table in told["tables"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise broken(
            "数据库的表目录读不出来", "the table of contents of the database cannot be read"
        ) from None
    if any(Path(file).name != file for _name, file, _columns in names):
        raise broken("数据库的表目录不对", "the table of contents of the database is wrong")
    return told


def require_empty_server() -> None:
    """Refuse a PostgreSQL database in which an office has already worked."""
    with _server() as server:
        _require_empty(server)


def _require_empty(server: Any) -> None:
    there = set(_tables(server))
    for table in ("accounts_user", "accounts_auditentry", "registry_household"):
        if table in there and server.execute(f"select exists (select from {table})").fetchone()[0]:  # noqa: S608
            raise DoudiError(
                "DOUDI_DATABASE_URL 指向的数据库里已有数据。恢复只写进空的数据库：请新建一个，再改 DOUDI_DATABASE_URL。",
                "The database of DOUDI_DATABASE_URL holds data. A restore writes to an empty one: create a new database.",
                code="not_empty",
            )


def put_postgresql(folder: Path) -> None:
    """Bring an empty database to the backup's version, and put every row back in one transaction."""
    from psycopg import sql

    schema = _schema(folder)
    _migrate_to([(app, name) for app, name in schema["migrations"]])
    with _server() as server:
        _require_empty(server)
        there = {name: _columns(server, name) for name in _tables(server)}
        named = sql.SQL(", ").join(sql.Identifier(name) for name in sorted(there))
        server.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(named))
        for table in schema["tables"]:
            name, columns = table["name"], table["columns"]
            if name not in there or not set(columns) <= set(there[name]):
                raise broken(
                    f"表 {name} 与版本不符", f"table {name} does not fit the version it says it is of"
                )
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            with (folder / table["file"]).open("rb") as rows, server.cursor().copy(copying) as into:
                while piece := rows.read(1 << 20):
                    into.write(piece)
        for name, columns in there.items():
            for column in columns:
                _wind_sequence(server, name, column)


def _wind_sequence(server: Any, table: str, column: str) -> None:
    from psycopg import sql

    sequence = server.execute("select pg_get_serial_sequence(%s, %s)", [f'"{table}"', column]).fetchone()[0]
    if sequence:
        server.execute(
            sql.SQL("select setval(%s, coalesce(max({c}), 1), max({c}) is not null) from {t}").format(
                c=sql.Identifier(column), t=sql.Identifier(table)
            ),
            [sequence],
        )


def _migrate_to(applied: list[tuple[str, str]]) -> None:
    """Make the tables as they were when the backup was made; later migrations come when the office is opened."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "doudi.house.settings")
    import django

    django.setup()
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connections["default"])
    known = set(executor.loader.disk_migrations or {})
    unknown = [step for step in applied if step not in known]
    if unknown:
        raise DoudiError(
            f"备份来自更新的版本（{unknown[0][0]} {unknown[0][1]}），请先升级 doudi 再恢复。",
            f"The backup is of a newer version ({unknown[0][0]} {unknown[0][1]}); update doudi first.",
            code="backup_newer",
        )
    there = set(executor.loader.applied_migrations)
    if beyond := sorted(there - set(applied)):
        raise DoudiError(
            f"数据库里已有比备份更新的表（{beyond[0][0]} {beyond[0][1]}）。请新建一个空的数据库，再改 DOUDI_DATABASE_URL。",
            f"The database has newer tables than the backup ({beyond[0][0]} {beyond[0][1]}). Create a new, empty one.",
            code="not_empty",
        )
    # a step named although it is done would be read as a wish to go back to it: an earlier restore got this far
    executor.migrate([step for step in applied if step not in there])
    connections.close_all()
