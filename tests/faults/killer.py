"""Run doudi commands in forked processes and kill each at a chosen moment; started as a script by the fault tests.

The parent has everything imported, so that a round costs what the work costs. An event is a file opened for writing, a
rename, a removal, a new folder, or an SQL statement: between any two of them a process may be killed.

With a PostgreSQL server (``server``) every round works on a database of its own. Then the connection may be cut instead
(``cut``): the server ends the session before some statement, as it does when it is restarted or its machine is lost.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Commands = list[list[str]]


def _import_everything() -> None:
    import doudi.cli
    import doudi.engine.feeds
    import doudi.engine.packs
    import doudi.engine.screening  # noqa: F401


def _forked(work: Callable[[], None]) -> int:
    """Run ``work`` in a child; its wait status."""
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            if not os.environ.get("DOUDI_FAULTS_LOUD"):
                os.dup2(nothing.fileno(), 2)
        try:
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _run(commands: Commands) -> None:
    from doudi.cli import main

    for command in commands:
        try:
            main(command)
        except SystemExit as leaving:
            if leaving.code:
                os._exit(4)


SERVER = ""
"""The address of the PostgreSQL server without a database, '' for SQLite."""


def _enter(home: Path) -> None:
    """This process works in the office of ``home``, whose database bears the name of the folder."""
    os.environ["DOUDI_HOME"] = str(home)
    if SERVER:
        os.environ["DOUDI_DATABASE_URL"] = f"{SERVER}/{_database(home)}"


def _database(home: Path) -> str:
    return f"{home.parent.name}-{home.name}"


def _on_the_server(statement: str, *names: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
        server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Counter:
    """Counts events; at one of them it kills the process, or has the server end the session."""

    def __init__(self, kill_at: int | None, report: Path, cut: bool) -> None:
        self.kill_at, self.report, self.cut, self.events = kill_at, report, cut, 0

    def tick(self, *, at_a_file: bool = False) -> None:
        if self.cut and at_a_file:
            return
        self.events += 1
        if self.events != self.kill_at:
            return
        if not self.cut:
            os.kill(os.getpid(), signal.SIGKILL)
        self.report.with_suffix(".cut").touch()
        self._end_session()

    @staticmethod
    def _end_session() -> None:
        import psycopg

        name = os.environ["DOUDI_DATABASE_URL"].rpartition("/")[2]
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as server:
            # waits until each session is gone, so that the next statement cannot slip through
            server.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [name]
            )

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        writing = event == "open" and isinstance(arguments[1], str) and any(c in arguments[1] for c in "wax+")
        if writing or event in ("os.rename", "os.remove", "os.mkdir", "os.link", "shutil.rmtree"):
            self.tick(at_a_file=True)

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.tick()
        result = execute(sql, params, many, context)
        self.tick()
        return result


def _counted(home: Path, commands: Commands, kill_at: int | None, report: Path, cut: bool) -> None:
    _enter(home)
    counter = Counter(kill_at, report, cut)
    sys.addaudithook(counter.hook)
    from doudi.cli.shell import open_office

    open_office(quiet=True)
    from django.db import connection

    connection.execute_wrappers.append(counter.statement)
    _run(commands)
    report.write_text(str(counter.events))


def _plain(home: Path, commands: Commands) -> None:
    _enter(home)
    _run(commands)


def _state(home: Path, as_of: str, out: Path) -> None:
    """Everything that must be the same in the end, as text."""
    _enter(home)
    from doudi.cli.shell import open_office

    open_office(quiet=True)
    from datetime import date

    from doudi import chain
    from doudi.contexts.accounts.services import system_user, verify_audit
    from doudi.contexts.monitoring.models import Signal, WarningCase
    from doudi.contexts.registry import services as registry
    from doudi.contexts.registry.models import (
        CategoryRecord,
        FeedLoad,
        Grading,
        Household,
        Membership,
        Person,
    )

    chain.export_screening(as_of=date.fromisoformat(as_of), to=out.with_suffix(".csv"), by=system_user())
    loads = FeedLoad.objects.filter(status="in_force")
    state = {
        "export": out.with_suffix(".csv").read_text(encoding="utf-8"),
        "loads": sorted(
            (load.feed, str(load.as_of), load.file_hash, registry.counts_of(load)["good"]) for load in loads
        ),
        "grades": sorted(
            (g.load.feed, json.dumps(g.grades, sort_keys=True))
            for g in Grading.objects.select_related("load")
        ),
        "people": sorted(Person.objects.values_list("name", "born_on").iterator()),
        "households": sorted(Household.objects.values_list("household_no", "category", "persons", "listed")),
        "memberships": sorted(
            Membership.objects.filter(retracted_at=None).values_list(
                "household__household_no", "person__name", "relation", "valid_from", "valid_to"
            ),
            key=str,
        ),
        "categories": CategoryRecord.objects.filter(retracted_at=None).count(),
        "warnings": sorted(WarningCase.objects.values_list("household_no", "level", "risk_level", "status")),
        "signals": sorted(Signal.objects.values_list("case__household_no", "code", "active")),
        "audit_whole": verify_audit().whole,
    }
    out.write_text(json.dumps(state, ensure_ascii=False, default=str, sort_keys=True, indent=1))


def main() -> None:
    job = json.loads(sys.argv[1])
    commands: Commands = job["commands"]
    rounds, seed, as_of, cut = job["rounds"], job["seed"], job["as_of"], job["cut"]
    global SERVER
    SERVER = job["server"]
    dice = random.Random(seed)
    _import_everything()
    base = Path(tempfile.mkdtemp(prefix="doudi-faults-"))
    template = base / "template"
    if SERVER:
        _on_the_server("create database {}", _database(template))
    # two thirds of the rounds begin with the database made, so that the kills fall into the work itself
    assert _forked(lambda: _plain(template, [["feed", "list"]])) == 0, "the empty office could not be opened"

    def fresh(name: str) -> Path:
        home = base / name
        shutil.copytree(template, home)
        if SERVER:
            _on_the_server("create database {} template {}", _database(home), _database(template))
        return home

    def gone(home: Path) -> None:
        shutil.rmtree(home)
        if SERVER:
            _on_the_server("drop database if exists {} with (force)", _database(home))

    report = base / "events"
    whole = fresh("whole")
    assert _forked(lambda: _counted(whole, commands, None, report, cut)) == 0, "the undisturbed run failed"
    events = int(report.read_text())
    expected_file = base / "expected.json"
    assert _forked(lambda: _state(whole, as_of, expected_file)) == 0, (
        "the undisturbed state could not be read"
    )
    expected = expected_file.read_text()
    killed = 0
    failures: list[dict[str, Any]] = []
    step = max(1, events // rounds)
    for number in range(rounds):
        from_empty = number % 3 == 2 and not cut
        home = base / f"round{number}" if from_empty else fresh(f"round{number}")
        where: str
        if from_empty and SERVER:
            _on_the_server("create database {}", _database(home))
        if from_empty:
            where = f"after {_kill_by_clock(home, commands, dice):.3f} s"
            killed += 1
        else:
            kill_at = min(events, 1 + number * step + dice.randrange(step))
            where = f"event {kill_at} of {events}"
            report.with_suffix(".cut").unlink(missing_ok=True)
            status = _forked(
                lambda home=home, kill_at=kill_at: _counted(home, commands, kill_at, report, cut)  # type: ignore[misc]
            )
            killed += report.with_suffix(".cut").exists() if cut else os.WIFSIGNALED(status)
            if cut and os.WEXITSTATUS(status) == 3:
                failures.append({"where": where, "untold": True, "home": str(home)})
                continue
        got_file = base / f"got{number}.json"
        again = _forked(lambda home=home: _plain(home, commands))  # type: ignore[misc]
        read = _forked(lambda home=home, got_file=got_file: _state(home, as_of, got_file))  # type: ignore[misc]
        if again or read or got_file.read_text() != expected:
            failures.append({"where": where, "again": again, "read": read, "home": str(home)})
        else:
            gone(home)
    if not failures:
        gone(whole)
        gone(template)
        shutil.rmtree(base)
    print(json.dumps({"events": events, "killed": killed, "rounds": rounds, "failures": failures}))


def _kill_by_clock(home: Path, commands: Commands, dice: random.Random) -> float:
    """A process of its own, from an empty folder, killed after a while."""
    wait = dice.uniform(0.2, 5)
    script = (
        f"from doudi.cli import main\nfor c in {commands!r}:\n    try: main(c)\n    except SystemExit: pass\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "DOUDI_HOME": str(home)}
        | ({"DOUDI_DATABASE_URL": f"{SERVER}/{_database(home)}"} if SERVER else {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(wait)
    running.kill()
    running.wait()
    return wait


if __name__ == "__main__":
    main()
