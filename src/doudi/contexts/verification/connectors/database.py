"""A view in a department's own database (数据库视图): PostgreSQL, MySQL or MariaDB, read only, with a time limit.

The session is read-only and every statement has a limit, so that a question can neither change nor hold up the
department's system. Names of the view and its columns come from the connection data and are quoted; what is asked
goes as a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any
from urllib.parse import unquote, urlsplit

from doudi.contexts.verification.connectors.answers import Answered, Asked, SourceUnavailable, Told
from doudi.contexts.verification.connectors.declared import Connection, ConnectorsInvalid, secret_of
from doudi.engine import identity
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status

_MOST_ROWS = 100_000


class DatabaseSource:
    """A source behind a view; ``columns`` of the connection data map the feed's columns to the view's, where they differ."""

    way = "database"

    def __init__(self, source: str, connection: Connection, spec: FeedSpec) -> None:
        self.source, self.connection = source, connection
        renamed = connection.setting("columns", {})
        unknown = sorted(set(renamed) - {column.name for column in spec.columns})
        if unknown:
            raise ConnectorsInvalid(
                f"sources.{source}.columns 里没有这些列：{'、'.join(unknown)}。",
                f"sources.{source}.columns: no such columns: {', '.join(unknown)}.",
            )
        self.columns = {column.name: str(renamed.get(column.name, column.name)) for column in spec.columns}

    def ask(self, batch: str, asked: Sequence[Asked]) -> Answered:
        today = date.today()  # noqa: DTZ011 — a calendar day
        numbers = sorted({one.id_number for one in asked})
        # a department that keeps lower-case x or the old numbers is still asked about the same person
        written = sorted({*numbers, *(number.replace("X", "x") for number in numbers)})
        by_id: dict[str, list[Mapping[str, str]]] = {}
        refused = 0
        for row in self._rows(written):
            number = identity.mend_id(row["id_number"])
            if number is None or str(number) not in numbers:
                refused += 1
                continue
            by_id.setdefault(str(number), []).append(row)
        told = {
            one.key: Told(Status.KNOWN, tuple(by_id[one.id_number]))
            if one.id_number in by_id
            else Told(Status.NO_RECORD)
            for one in asked
        }
        as_of = str(self.connection.setting("as_of"))
        return Answered(date.fromisoformat(as_of) if as_of else today, told, refused)

    def _rows(self, numbers: Sequence[str]) -> list[dict[str, str]]:
        parts = urlsplit(self.connection.address)
        opened = _postgres if parts.scheme == "postgresql" else _mysql
        quote = '"' if parts.scheme == "postgresql" else "`"

        def named(name: str) -> str:
            return ".".join(quote + part.replace(quote, quote * 2) + quote for part in name.split("."))

        fields = ", ".join(named(column) for column in self.columns.values())
        places = ", ".join(["%s"] * len(numbers))
        # names are quoted above and come from this office's own file; the numbers go as parameters
        statement = (
            f"select {fields} from {named(str(self.connection.setting('view')))} "  # noqa: S608
            f"where {named(self.columns['id_number'])} in ({places}) limit {_MOST_ROWS + 1}"
        )
        with opened(self.connection) as cursor:
            cursor.execute(statement, list(numbers))
            rows = cursor.fetchall()
        if len(rows) > _MOST_ROWS:
            raise SourceUnavailable(
                f"{self.connection.name} 的视图返回超过 {_MOST_ROWS} 行，请把 batch 调小。",
                f"{self.connection.name}: more than {_MOST_ROWS} rows; make batch smaller.",
            )
        return [{name: _text(cell) for name, cell in zip(self.columns, row, strict=True)} for row in rows]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return "是" if cell is True else "否" if cell is False else str(cell)


def _unavailable(connection: Connection, problem: Exception) -> SourceUnavailable:
    # the driver's words may hold an address or a value: its kind is enough
    return SourceUnavailable(
        f"{connection.name} 的数据库没有答复（{type(problem).__name__}），稍后再试。",
        f"{connection.name}: the database did not answer ({type(problem).__name__}); later again.",
    )


@contextmanager
def _postgres(connection: Connection) -> Iterator[Any]:
    import psycopg

    parts = urlsplit(connection.address)
    limit = connection.seconds * 1000
    try:
        with psycopg.connect(
            host=parts.hostname,
            port=parts.port or 5432,
            dbname=unquote(parts.path.lstrip("/")),
            user=unquote(parts.username or ""),
            password=secret_of(connection.secret, what=connection.name) or None,
            connect_timeout=min(connection.seconds, 10),
            sslmode=str(connection.setting("sslmode", "prefer")),
            options=f"-c default_transaction_read_only=on -c statement_timeout={limit} -c lock_timeout={limit}",
        ) as line:
            yield line.cursor()
    except psycopg.Error as problem:
        raise _unavailable(connection, problem) from None


@contextmanager
def _mysql(connection: Connection) -> Iterator[Any]:
    try:
        import pymysql
    except ImportError:
        raise ConnectorsInvalid(
            "没有安装 MySQL 驱动，不能直连 MySQL、MariaDB。请运行 pip install PyMySQL，或改用文件、接口。",
            "The MySQL driver is not installed: pip install PyMySQL, or ask by file or interface.",
            code="driver_missing",
        ) from None
    parts = urlsplit(connection.address)
    try:
        line = pymysql.connect(
            host=parts.hostname or "",
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=secret_of(connection.secret, what=connection.name),
            database=unquote(parts.path.lstrip("/")),
            charset="utf8mb4",
            connect_timeout=min(connection.seconds, 10),
            read_timeout=connection.seconds,
            write_timeout=connection.seconds,
            local_infile=False,
        )
        try:
            with line.cursor() as cursor:
                _limit(cursor, connection.seconds)
                yield cursor
        finally:
            line.close()
    except pymysql.Error as problem:
        raise _unavailable(connection, problem) from None


def _limit(cursor: Any, seconds: int) -> None:
    cursor.execute("set session transaction read only")
    cursor.execute("select version()")
    if "mariadb" in str(cursor.fetchone()[0]).lower():
        cursor.execute("set session max_statement_time = %s", [seconds])
    else:
        cursor.execute("set session max_execution_time = %s", [seconds * 1000])
    cursor.execute("start transaction read only")
