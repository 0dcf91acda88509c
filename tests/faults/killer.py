"""Run doudi commands in forked processes and kill each at a chosen moment; started as a script by the fault tests.

The parent has everything imported, so that a round costs what the work costs. An event is a file opened for writing, a
rename, a removal, a new folder, or an SQL statement: between any two of them a process may be killed.
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


class Counter:
    """Counts events, and kills the process at one of them."""

    def __init__(self, kill_at: int | None, report: Path) -> None:
        self.kill_at, self.report, self.events = kill_at, report, 0

    def tick(self) -> None:
        self.events += 1
        if self.events == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        writing = event == "open" and isinstance(arguments[1], str) and any(c in arguments[1] for c in "wax+")
        if writing or event in ("os.rename", "os.remove", "os.mkdir", "os.link", "shutil.rmtree"):
            self.tick()

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.tick()
        result = execute(sql, params, many, context)
        self.tick()
        return result


def _counted(home: Path, commands: Commands, kill_at: int | None, report: Path) -> None:
    os.environ["DOUDI_HOME"] = str(home)
    counter = Counter(kill_at, report)
    sys.addaudithook(counter.hook)
    from doudi.cli.shell import open_office

    open_office(quiet=True)
    from django.db import connection

    connection.execute_wrappers.append(counter.statement)
    _run(commands)
    report.write_text(str(counter.events))


def _plain(home: Path, commands: Commands) -> None:
    os.environ["DOUDI_HOME"] = str(home)
    _run(commands)


def _state(home: Path, as_of: str, out: Path) -> None:
    """Everything that must be the same in the end, as text."""
    os.environ["DOUDI_HOME"] = str(home)
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
    rounds, seed, as_of = job["rounds"], job["seed"], job["as_of"]
    dice = random.Random(seed)
    _import_everything()
    base = Path(tempfile.mkdtemp(prefix="doudi-faults-"))
    template = base / "template"
    # two thirds of the rounds begin with the database made, so that the kills fall into the work itself
    assert _forked(lambda: _plain(template, [["feed", "list"]])) == 0, "the empty office could not be opened"

    def fresh(name: str) -> Path:
        home = base / name
        shutil.copytree(template, home)
        return home

    whole = fresh("whole")
    report = base / "events"
    assert _forked(lambda: _counted(whole, commands, None, report)) == 0, "the undisturbed run failed"
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
        from_empty = number % 3 == 2
        home = base / f"round{number}" if from_empty else fresh(f"round{number}")
        where: str
        if from_empty:
            where = f"after {_kill_by_clock(home, commands, dice):.3f} s"
            killed += 1
        else:
            kill_at = min(events, 1 + number * step + dice.randrange(step))
            where = f"event {kill_at} of {events}"
            status = _forked(lambda home=home, kill_at=kill_at: _counted(home, commands, kill_at, report))  # type: ignore[misc]
            killed += os.WIFSIGNALED(status)
        got_file = base / f"got{number}.json"
        again = _forked(lambda home=home: _plain(home, commands))  # type: ignore[misc]
        read = _forked(lambda home=home, got_file=got_file: _state(home, as_of, got_file))  # type: ignore[misc]
        if again or read or got_file.read_text() != expected:
            failures.append({"where": where, "again": again, "read": read, "home": str(home)})
        else:
            shutil.rmtree(home)
    if not failures:
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
        env={**os.environ, "DOUDI_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(wait)
    running.kill()
    running.wait()
    return wait


if __name__ == "__main__":
    main()
