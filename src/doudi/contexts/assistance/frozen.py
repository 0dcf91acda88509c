"""The database's own guard over written-once money and proofs of service: no road changes it, no SQL console either.

The triggers are put up after every migration (a table that SQLite rebuilds loses its triggers). Who may drop a trigger
may do anything; the roster's hash and the audit chain tell of that.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

ROSTER, ROWS = "assistance_roster", "assistance_rosterrow"
WRITTEN_ONCE = (
    ROWS,
    "assistance_benefitdecision",
    "assistance_payitem",
    "assistance_bankreturn",
    "assistance_payresult",
    "assistance_payentry",
    "assistance_payline",
    "assistance_budget",
    "assistance_carevisit",
)
"""Tables whose rows are never changed or removed."""
_SAID = "written once: correct it by a later row"
_STAYS = "OLD.status in ('frozen', 'withdrawn') or (NEW.status = 'computing' and OLD.status <> 'computing')"
_TAKEN = "(select status from assistance_roster where id = NEW.roster_id) <> 'computing'"
_THERE = "exists (select 1 from assistance_roster where id = NEW.id or number = NEW.number)"


def _names() -> list[tuple[str, str]]:
    names = [(f"{table}_{what}", table) for table in WRITTEN_ONCE for what in ("no_update", "no_delete")]
    names += [(f"{ROWS}_no_late_insert", ROWS)]
    return [*names, *((f"{ROSTER}_{what}", ROSTER) for what in ("stays", "no_delete", "no_replace"))]


def _sqlite() -> list[str]:
    def guard(name: str, when: str, table: str, condition: str = "1") -> str:
        return (
            f"create trigger if not exists {name} before {when} on {table} when {condition} "
            f"begin select raise(abort, '{table}: {_SAID}'); end"
        )

    made = []
    for table in WRITTEN_ONCE:
        made += [
            guard(f"{table}_no_update", "update", table),
            guard(f"{table}_no_delete", "delete", table),
        ]
    return [
        *made,
        guard(f"{ROWS}_no_late_insert", "insert", ROWS, _TAKEN),
        guard(f"{ROSTER}_stays", "update", ROSTER, _STAYS),
        guard(f"{ROSTER}_no_delete", "delete", ROSTER),
        # insert or replace would remove the old row without asking the guard against removal
        guard(f"{ROSTER}_no_replace", "insert", ROSTER, _THERE),
    ]


def _postgresql() -> list[str]:
    made = [
        "create or replace function assistance_written_once() returns trigger language plpgsql as $$ "
        f"begin raise exception '%: {_SAID}', TG_TABLE_NAME using errcode = 'integrity_constraint_violation'; end $$"
    ]

    def guard(name: str, when: str, table: str, condition: str = "") -> None:
        made.append(f"drop trigger if exists {name} on {table}")
        made.append(
            f"create trigger {name} before {when} on {table} for each row "
            f"{f'when ({condition}) ' if condition else ''}execute function assistance_written_once()"
        )

    for table in WRITTEN_ONCE:
        guard(f"{table}_no_update", "update", table)
        guard(f"{table}_no_delete", "delete", table)
    made.append(
        "create or replace function assistance_rows_in_time() returns trigger language plpgsql as $$ "
        f"begin if {_TAKEN} then raise exception '{ROWS}: {_SAID}' "
        "using errcode = 'integrity_constraint_violation'; end if; return NEW; end $$"
    )
    made.append(f"drop trigger if exists {ROWS}_no_late_insert on {ROWS}")
    made.append(
        f"create trigger {ROWS}_no_late_insert before insert on {ROWS} for each row "
        "execute function assistance_rows_in_time()"
    )
    guard(f"{ROSTER}_stays", "update", ROSTER, _STAYS)
    guard(f"{ROSTER}_no_delete", "delete", ROSTER)
    return made


def guard(using: str = "default", **_: Any) -> None:
    """Put the triggers up where the tables are; called after every migration."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    if not {ROSTER, *WRITTEN_ONCE} <= tables:
        return
    statements = _sqlite() if connection.vendor == "sqlite" else _postgresql()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def unguard(using: str = "default", **_: Any) -> None:
    """Take the triggers down while a migration rebuilds the tables; :func:`guard` puts them up again after it."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for name, table in _names():
            on = "" if connection.vendor == "sqlite" else f" on {table}"
            cursor.execute(f"drop trigger if exists {name}{on}")


def guarded(using: str = "default") -> bool:
    """Whether every trigger is up."""
    connection = connections[using]
    asked = (
        "select name from sqlite_master where type = 'trigger'"
        if connection.vendor == "sqlite"
        else "select tgname from pg_trigger where not tgisinternal"
    )
    wanted = {name for name, _ in _names()}
    if connection.vendor != "sqlite":
        wanted.discard(f"{ROSTER}_no_replace")
    with connection.cursor() as cursor:
        cursor.execute(asked)
        return wanted <= {row[0] for row in cursor.fetchall()}
