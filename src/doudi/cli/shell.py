"""What every command shares: opening the office, reading a date, printing an answer."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import typer
from rich.console import Console

from doudi.engine.errors import DoudiError

console = Console(stderr=True)
"""Where progress and words for people go."""


def open_office(*, quiet: bool = False) -> None:
    """Make this process part of the office: settings, state folder, database brought to the present version.

    The first command on an empty ``DOUDI_HOME`` makes everything; of two that begin together one waits.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "doudi.house.settings")
    from doudi.house.backup import refuse_half_restored
    from doudi.house.keyring import keyring
    from doudi.house.paths import home

    home().create()
    with office_lock():
        refuse_half_restored(home())
        keyring()
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections
        from django.db.migrations.executor import MigrationExecutor

        executor = MigrationExecutor(connections["default"])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            if not quiet:
                console.print("建立或升级数据库 / preparing the database …", style="dim")
            call_command("migrate", interactive=False, verbosity=0)
            from doudi.contexts.registry import services as registry

            registry.load_divisions(set())
            registry.index_if_missing()
            if home().database.exists():
                home().database.chmod(0o600)  # what SQLite lays beside it takes the same rights
        from doudi.contexts.registry.services import sweep_work

        sweep_work()


@contextmanager
def office_lock() -> Iterator[None]:
    """One process at a time: migrations and other acts on the whole state folder."""
    from doudi.house.paths import home

    with (home().root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def parse_date(text: str) -> date:
    """A date as people write it: 2024-11-15, 2024/11/15, 20241115 or 2024年11月15日."""
    plain = text.strip()
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日"):
        try:
            return datetime.strptime(plain, form).date()  # noqa: DTZ007 — a calendar day has no zone
        except ValueError:
            continue
    raise typer.BadParameter(f"“{text}”不是有效日期，请写成 2024-11-15 / not a date, write 2024-11-15")


def parse_change(text: str) -> tuple[tuple[str, str], str]:
    """A changed parameter as people type it, PARAMETER=VALUE[@REGION]: (name, region code or '') and the value."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise typer.BadParameter(f"“{text}”应写成 参数=值[@地区] / write PARAMETER=VALUE[@REGION]")
    amount, _at, region = value.partition("@")
    return (name.strip(), region.strip()), amount.strip()


def answer(result: dict[str, Any], *, as_json: bool, words: str = "") -> None:
    """The answer: one JSON object on standard output, or words for people."""
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=str))
    elif words:
        print(words)


def say_error(problem: DoudiError) -> None:
    """A refusal, in Chinese and English, on standard error."""
    print(problem.zh, file=sys.stderr)
    if problem.en != problem.zh:
        print(problem.en, file=sys.stderr)
