"""Run doudi's long jobs in forked processes and disturb each at a chosen moment; started as a process by the fault tests.

The parent has everything imported and every office prepared once, so that a round costs a copy and what the work costs.
An event is a file opened for writing, a rename, a removal, a new folder, or an SQL statement: between any two of them

- ``kill``: the process is killed;
- ``cut``: the PostgreSQL server ends the session, as when it is restarted or its machine is lost;
- ``full``: the disk is full from then on: no file and no row is written any more;
- ``small``: nothing is pretended: the office lies on a file system that runs full (root only);
- ``clock``: nothing breaks, but the wall clock jumps between two steps of the job.

Then the same job is run again, and every table, file and audit act must be as if it had never been disturbed. A job that
is run again after it was done may leave a second record of itself: so each table is as after one undisturbed run, or as
after two. With a PostgreSQL server every round works on a database of its own.
"""

from __future__ import annotations

import errno
import json
import os
import pkgutil
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.faults.offices import GROUNDS, OFFICES, Place, Step

ROOT = Path(__file__).resolve().parents[2]
KILL, CUT, FULL, SMALL, CLOCK = "kill", "cut", "full", "small", "clock"
DONE, UNTOLD, REFUSED = 0, 3, 4
"""How a child leaves: done; with an error nobody put into words; refused in plain words."""
BACK_AND_FORTH = tuple(timedelta(hours=hours) for hours in (-1, 1, -24, 24))
RECEIVER = ROOT / "tests" / "contexts" / "webhook_receiver.py"


def _import_everything() -> None:
    import django

    django.setup()
    import doudi

    for found in pkgutil.walk_packages(doudi.__path__, "doudi."):
        if ".migrations" not in found.name and not found.name.endswith(("__main__", "wsgi")):
            import_module(found.name)
    import pandas  # noqa: F401 — DuckDB and Arrow take it along when they are first asked
    from django.conf import settings
    from django.db.migrations.loader import MigrationLoader

    from doudi.chain import packs, paying

    MigrationLoader(None)
    packs._pack(settings.PACK, settings.PACK)
    for read in (
        packs._doubt_rules, packs._duplicate_rules, packs._linkage_rules, packs._giving, packs.verification_rules_of,
        paying._benefits,
    ):  # fmt: skip
        read(settings.PACK)


def _forked(work: Callable[[], None], said: Path) -> int:
    """Run ``work`` in a child that writes what it says to ``said``; its wait status."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        try:
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            _leave(UNTOLD)
        _leave(DONE)
    return os.waitpid(child, 0)[1]


def _leave(status: int) -> None:
    sys.stderr.flush()
    os._exit(status)


def _run(steps: list[Step]) -> None:
    from doudi.cli import main, told_plainly
    from doudi.cli.shell import open_office

    def press(button: Callable[[], list[str] | None]) -> list[str] | None:
        """What the workbench does; a fault that its pages have words for is told as the command line tells it."""
        open_office(quiet=True)
        return button()

    for step in steps:
        try:
            command = told_plainly(lambda step=step: press(step), []) if callable(step) else step  # type: ignore[misc]
            if command:
                main(command)
        except SystemExit as leaving:
            if leaving.code:
                _leave(REFUSED)


# ---- faults ----------------------------------------------------------------------------------------------------------


@dataclass
class Counter:
    """Counts events inside ``folder`` and in the database; from the chosen one on it does what the fault does."""

    fault: str
    at: int | None
    report: Path
    folder: Path
    server: str
    events: int = 0

    def watch(self) -> None:
        from django.db import connection

        sys.addaudithook(self.hook)
        connection.execute_wrappers.append(self.statement)

    def tick(self) -> bool:
        """Whether the disk is full now; may not come back at all."""
        self.events += 1
        if self.at is None or self.events < self.at:
            return False
        if self.events == self.at:
            if self.fault == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            self.report.with_suffix(".disturbed").touch()
            if self.fault == CUT:
                _end_sessions(self.server)
        return self.fault == FULL

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.fault == CUT or not self._writes(event, arguments):
            return
        makes = event in ("open", "os.mkdir", "os.link")
        if (self.fault == KILL or makes) and self.tick():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    def _writes(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            _path, mode, flags = arguments
            if not (
                any(c in mode for c in "wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
            ):
                return False
        elif event not in ("os.rename", "os.remove", "os.mkdir", "os.link", "shutil.rmtree"):
            return False
        place = arguments[0]
        if isinstance(place, int):
            place = os.readlink(f"/proc/self/fd/{place}")
        return os.fsdecode(place).startswith(str(self.folder))

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.fault == FULL:
            if re.match(r"\s*(insert|update|delete|create|alter)\b", sql, re.IGNORECASE) and self.tick():
                _no_room()
            return execute(sql, params, many, context)
        self.tick()
        result = execute(sql, params, many, context)
        self.tick()
        return result


def _no_room() -> None:
    """What the database says when its disk is full, as Django gives it on."""
    from django.db import OperationalError, connection

    if connection.vendor == "sqlite":
        raise OperationalError("database or disk is full")
    from psycopg.errors import DiskFull

    problem = DiskFull('could not extend file "base/1/2": No space left on device')
    raise OperationalError(str(problem)) from problem


def _end_sessions(address: str) -> None:
    import psycopg

    server, _, name = address.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as there:
        # waits until each session is gone, so that the next statement cannot slip through
        there.execute(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = %s", [name]
        )


def _turn_the_clock(by: timedelta) -> None:
    """From now on this process reads a wall clock that is ``by`` away from the machine's."""
    if not by:
        return

    class Real(type):
        def __instancecheck__(cls, one: object) -> bool:
            return isinstance(one, cls.__mro__[1])

    class Moment(datetime, metaclass=Real):
        def __new__(cls, *parts: Any, **named: Any) -> datetime:  # type: ignore[misc]
            return datetime(*parts, **named)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + by

    class Day(date, metaclass=Real):
        def __new__(cls, *parts: Any, **named: Any) -> date:  # type: ignore[misc]
            return date(*parts, **named)

        @classmethod
        def today(cls) -> date:  # type: ignore[override]
            return (datetime.now().astimezone() + by).date()

    for name, module in list(sys.modules.items()):
        if name.startswith("doudi.") or name == "django.utils.timezone":
            for attribute, real, turned in (("datetime", datetime, Moment), ("date", date, Day)):
                if getattr(module, attribute, None) is real:
                    setattr(module, attribute, turned)


# ---- what must be the same in the end ------------------------------------------------------------------------------


_RANDOM = re.compile(
    r"(?<=[A-Z]{2}\d{8}-)[0-9a-f]{8,16}"  # a batch's number
    r"|\b(?=[0-9a-f]*[a-f])[0-9a-f]{16,}\b"  # digests of what holds a time or a number of its own
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.+Z]*"
)
_DAYS = re.compile(r"20\d\d-?[01]\d-?[0-3]\d")
_OF_ITSELF = {
    "accounts.AuditEntry", "accounts.AuditHead", "registry.Region", "verification.Exchange", "verification.RequestEvent",
    "verification.SourceState",
}  # fmt: skip
"""The log is looked at as a chain and by its acts; the country's divisions stand there from the beginning; with how many
questions at once a source was asked is not what it said."""
_HOW = {"recomputed", "why_full", "tries", "claimed_until", "version"}
"""What tells how something was done: anew or not, at which try, how fast."""


def _state(place: Place, out: Path) -> None:
    """Everything that must be the same in the end, as text by table; raises where something is not whole."""
    from django.apps import apps

    from doudi.contexts.accounts.models import AuditEntry
    from doudi.contexts.accounts.services import verify_audit
    from doudi.contexts.monitoring.models import ScreeningRun

    models = [
        model
        for config in apps.get_app_configs()
        if config.name.startswith("doudi.contexts.")
        for model in config.get_models(include_auto_created=True)
    ]
    rows = {model: {row.pk: row for row in model._base_manager.all()} for model in models}
    own = {model: {pk: _own_cells(row) for pk, row in found.items()} for model, found in rows.items()}
    state = {
        model._meta.label: sorted(_with_others(row, own) for row in found.values())
        for model, found in rows.items()
        if model._meta.label not in _OF_ITSELF
    }
    assert verify_audit().whole, "the log is not whole"
    state["acts"] = sorted({entry.act for entry in AuditEntry.objects.all()})
    state["files"] = [f"{folder} {number}" for folder, number in sorted(_files(place).items())]
    state["keys"] = _keys()
    if ScreeningRun.objects.exists():
        state["screened"] = _screened(out.with_suffix(".csv"))
    for backup in sorted(place.kept.glob("[!.]*")):
        from doudi.house.backup import KeyGiven, check_backup

        check_backup(backup, given=KeyGiven(key_file=place.folder / "backup.key"))
    out.write_text(json.dumps(state, ensure_ascii=False))


def _own_cells(row: Any) -> dict[str, str]:
    """The cells of a row that say something of their own: no key, no moment, nothing that chance made."""
    from django.db import models

    from doudi.house.fields import BlindIndexField

    cells = {}
    for column in row._meta.concrete_fields:
        if (
            column.is_relation
            or isinstance(column, models.AutoField | models.UUIDField)
            or column.name in _HOW
        ):
            continue
        value = getattr(row, column.attname)
        if isinstance(column, models.DateTimeField | models.FloatField):
            value = value is not None
        elif isinstance(column, models.BinaryField) and not isinstance(column, BlindIndexField):
            value = value if isinstance(value, str) else bool(value)
        cells[column.name] = _RANDOM.sub("#", str(value.hex() if isinstance(value, bytes) else value))
    return cells


def _with_others(row: Any, own: dict[Any, dict[Any, dict[str, str]]]) -> str:
    """A row as text, with what stands in the rows that it points at instead of their keys."""
    told: dict[str, Any] = dict(own[type(row)][row.pk])
    for column in row._meta.concrete_fields:
        if column.is_relation:
            key = getattr(row, column.attname)
            told[column.name] = None if key is None else own.get(column.related_model, {}).get(key, "#")
    return json.dumps(told, ensure_ascii=False, sort_keys=True)


def _files(place: Place) -> Tally[str]:
    """How many files each folder of the state holds."""
    kept = ("originals", "evidence", "returns", "exports", "results", "snapshots", "packs")
    return Tally(
        name for name in kept for path in (place.home / name).rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".lock"
    )  # fmt: skip


def _keys() -> list[str]:
    from doudi.house.keyring import keyring
    from doudi.house.resealing import left_with_earlier_keys

    ring = keyring()
    return [f"active {ring.active}", f"rotating {ring.rotating}", f"left {left_with_earlier_keys()}"]


def _screened(to: Path) -> list[str]:
    from doudi import chain
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.monitoring import services as monitoring

    run = monitoring.latest_run()
    assert run is not None
    chain.export_screening(as_of=run.as_of, to=to, by=system_user())
    return to.read_text(encoding="utf-8").splitlines()


def _left_aside(folder: Path, *, in_work: bool) -> list[str]:
    """Half-written files beside the whole ones; in the work folder they may lie for an hour, but only of who was killed.

    What a killed backup left outside the office's folder goes with the next one there (``tests/house/test_a_backup.py``).
    """
    lasting, work = {".lock", ".signing.lock", "swept"}, folder / "home" / "work"
    left = [
        path for path in (folder / "home").rglob("*")
        if path.is_file() and path.name not in lasting
        and (in_work if path.is_relative_to(work) else path.name.startswith("."))
    ]  # fmt: skip
    return sorted(str(path.relative_to(folder)) for path in left)


# ---- the bench -------------------------------------------------------------------------------------------------------


class Bench:
    """Offices as they stand before their jobs, made once; one place in which every round works."""

    def __init__(self, base: Path, server: str) -> None:
        self.base, self.server = base, server
        self.book = base / "heard.jsonl"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.receiver = subprocess.Popen([sys.executable, str(RECEIVER), str(port), str(self.book), "0"])
        self.place = Place(base / "office", base / "files", f"http://127.0.0.1:{port}")
        self.place.files.mkdir()
        self.said, self.report = base / "said", base / "events"
        os.environ |= {
            "DOUDI_HOME": str(self.place.home),
            "DOUDI_PUSH_URL": f"{self.place.listener}/send",
            "DOUDI_WEBHOOK_HOSTS": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "doudi.house.settings",
        }
        if server:
            os.environ["DOUDI_DATABASE_URL"] = f"{server}/{self._database('office')}"
        self.made: set[str] = set()
        self.undisturbed: dict[tuple[str, bool], dict[str, Any]] = {}
        self.refused_twice: set[str] = set()
        """Jobs that, once done, are refused the second time: there was nothing left to do."""

    # -- offices

    def _database(self, name: str) -> str:
        return f"{self.base.name}-{name}"

    def _on_the_server(self, statement: str, *names: str) -> None:
        import psycopg
        from psycopg import sql

        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as there:
            names = tuple(self._database(name) for name in names)
            there.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def clear(self) -> None:
        if self.place.folder.exists():
            shutil.rmtree(self.place.folder)
        if self.server:
            self._on_the_server("drop database if exists {} with (force)", "office")

    def put(self, name: str) -> None:
        """The office of a name as it was made, in the place of whatever stood there."""
        self.clear()
        shutil.copytree(self.base / "made" / name, self.place.folder)
        if self.server:
            self._on_the_server("create database {} template {}", "office", name)
        self.book.write_text("")

    def keep(self, name: str) -> None:
        shutil.copytree(self.place.folder, self.base / "made" / name)
        if self.server:
            self._on_the_server("create database {} template {}", name, "office")
        self.made.add(name)

    def empty(self) -> None:
        self.clear()
        self.place.folder.mkdir()
        if self.server:
            self._on_the_server("create database {}", "office")

    def prepare(self, name: str) -> None:
        """Make the office before a job, and what it stands upon, if that was not made yet."""
        if name in self.made:
            return
        if name == "nothing":
            self.empty()
            self._must(lambda: _run([["feed", "list"]]), "the empty office could not be opened")
        else:
            upon, make = (
                ("nothing", GROUNDS[name]) if name in GROUNDS else (OFFICES[name].upon, OFFICES[name].prepare)
            )
            self.prepare(upon)
            self.put(upon)
            self._must(lambda: (_opened(), make(self.place)), f"the office before {name!r} could not be made")
        self.keep(name)

    def _must(self, work: Callable[[], Any], words: str) -> None:
        if _forked(work, self.said):
            raise AssertionError(f"{words}:\n{self.said.read_text()}")

    # -- rounds

    def again(self, name: str) -> int:
        """The job once more, by somebody who waited until what a killed worker held is free."""
        steps = OFFICES[name].run(self.place)
        return _forked(lambda: (_turn_the_clock(OFFICES[name].wait), _run(steps)), self.said)

    def state(self) -> dict[str, Any]:
        out = self.base / "state.json"
        folders = [
            str(path.relative_to(self.place.folder))
            for path in self.place.home.rglob(".*.aside")
            if path.is_dir()
        ]
        for left in [*_left_aside(self.place.folder, in_work=False), *folders]:
            # a day later, when nobody can be writing it any more, whatever command comes next removes it
            os.utime(self.place.folder / left, (time.time() - 4000,) * 2)
            (self.place.home / "work" / "swept").unlink(missing_ok=True)
        self._must(lambda: (_opened(), _state(self.place, out)), "the state could not be read")
        told: dict[str, Any] = json.loads(out.read_text())
        heard = [_key_of(json.loads(line)) for line in self.book.read_text().splitlines()]
        told["heard"] = sorted(set(heard))
        assert len(heard) - len(set(heard)) <= 1, (
            "more than what the killed worker had in hand was said twice"
        )
        left = _left_aside(self.place.folder, in_work=False)
        assert not left, f"half-written files are left: {left}"
        return told

    def expected(self, name: str, *, twice: bool = False) -> dict[str, Any]:
        """The state after the job ran once, or twice, with nothing in its way."""
        if (name, twice) not in self.undisturbed:
            self.put(name)
            steps = OFFICES[name].run(self.place)
            self._must(lambda: _run(steps), f"undisturbed, {name!r} failed")
            if twice and (status := self.again(name)):
                assert status == REFUSED << 8, f"{name!r} cannot be run twice:\n{self.said.read_text()}"
                self.refused_twice.add(name)
            self.undisturbed[name, twice] = self.state()
        return self.undisturbed[name, twice]

    def differences(self, name: str, got: dict[str, Any], *, days: bool = True) -> dict[str, Any]:
        """What is neither as after one undisturbed run nor as after two, row by row and in number."""
        once, twice = self.expected(name), self.expected(name, twice=True)
        found = {}
        for part in once.keys() | got.keys():
            if part == "acts" and set(once["acts"]) <= set(got["acts"]):
                continue
            one, two, seen = (Tally(_text(state.get(part), days)) for state in (once, twice, got))
            missing, besides = (one & two) - seen, seen - (one | two)
            few, many = sorted((one.total(), two.total()))
            if missing or besides or not few <= seen.total() <= many:
                rows = f"{seen.total()} rows, not {few} to {many}"
                found[part] = {"rows": rows, "missing": list(missing)[:3], "besides": list(besides)[:3]}
        return found

    def rounds(self, name: str, fault: str, number: int, dice: random.Random) -> dict[str, Any]:
        """So many rounds of a fault upon a job; what was wrong with each that did not end as it must."""
        self.prepare(name)
        self.expected(name), self.expected(name, twice=True)
        disturb = {CLOCK: self._clock, SMALL: self._small}.get(fault)
        events = 0 if disturb else self._events(name, fault)
        disturbed, failures = 0, []
        for place in range(number):
            share = (place + dice.random()) / number
            try:
                if disturb:
                    where, really, status = disturb(name, share, place)
                else:
                    where, really, status = self._at(name, fault, 1 + int(share * events), events)
                disturbed += really
                wrong = self._after(name, fault, status)
            except AssertionError as problem:
                wrong = str(problem)[-3000:]
            finally:
                self._unmount()
            if wrong:
                shutil.rmtree(self.base / "failed", ignore_errors=True)
                shutil.copytree(self.place.folder, self.base / "failed", dirs_exist_ok=True)
                failures.append({"where": where, "wrong": wrong})
        return {"events": events, "rounds": number, "disturbed": disturbed, "failures": failures}

    def _after(self, name: str, fault: str, status: int) -> Any:
        said = self.said.read_text()
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == UNTOLD:
            return f"not put into words:\n{said}"
        if fault in (FULL, SMALL) and status:
            if "磁盘" not in said or "disk" not in said:
                return f"does not say that the disk is full: {said}"
            if left := _left_aside(self.place.folder, in_work=True):
                return f"left half written: {left}"
        self._room()
        if self.again(name) not in (0, *([REFUSED << 8] if name in self.refused_twice else [])):
            return f"cannot be run again:\n{self.said.read_text()}"
        return self.differences(name, self.state(), days=fault != CLOCK)

    def _events(self, name: str, fault: str) -> int:
        self.put(name)
        steps = OFFICES[name].run(self.place)
        self._must(lambda: self._counted(steps, fault, None), f"{name!r} failed while it was counted")
        return int(self.report.read_text())

    def _counted(self, steps: list[Step], fault: str, at: int | None) -> None:
        _opened()
        counter = Counter(fault, at, self.report, self.place.folder, os.environ.get("DOUDI_DATABASE_URL", ""))
        counter.watch()
        _run(steps)
        self.report.write_text(str(counter.events))

    def _at(self, name: str, fault: str, event: int, events: int) -> tuple[str, bool, int]:
        self.put(name)
        mark = self.report.with_suffix(".disturbed")
        mark.unlink(missing_ok=True)
        steps = OFFICES[name].run(self.place)
        status = _forked(lambda: self._counted(steps, fault, event), self.said)
        return f"event {event} of {events}", os.WIFSIGNALED(status) or mark.exists(), status

    def _clock(self, name: str, _share: float, number: int) -> tuple[str, bool, int]:
        """Each step of the job at another hour: the clock jumps, and jumps back."""
        self.put(name)
        jumps = BACK_AND_FORTH[: 2 if OFFICES[name].day_counts else 4]
        status, told = 0, []
        for place, step in enumerate(OFFICES[name].run(self.place)):
            jump = jumps[(number + place) % len(jumps)]
            told.append(f"{jump.total_seconds() / 3600:+.0f} h")
            status = _forked(lambda jump=jump, step=step: (_turn_the_clock(jump), _run([step])), self.said)  # type: ignore[misc]
            if status:
                break
        return f"jumps {told}", True, status

    # -- a file system that runs full

    @cached_property
    def _grows(self) -> dict[str, int]:
        return {}

    def _small(self, name: str, share: float, _number: int) -> tuple[str, bool, int]:
        if name not in self._grows:
            self.put(name)
            before = _bytes_of(self.place.folder)
            steps = OFFICES[name].run(self.place)
            self._must(lambda: _run(steps), f"undisturbed, {name!r} failed")
            self._grows[name] = _bytes_of(self.place.folder) - before
        self.clear()
        self.place.folder.mkdir()
        mount_small(self.place.folder)
        shutil.copytree(self.base / "made" / name, self.place.folder, dirs_exist_ok=True)
        if self.server:
            self._on_the_server("create database {} template {}", "office", name)
        self.book.write_text("")
        room = int(share * self._grows[name])
        used = shutil.disk_usage(self.place.folder).used
        _mount("-o", f"remount,size={used + room}", str(self.place.folder))
        steps = OFFICES[name].run(self.place)
        status = _forked(lambda: _run(steps), self.said)
        return f"room for {room} bytes", status != 0, status

    def _room(self) -> None:
        if self.place.folder.is_mount():
            _mount("-o", "remount,size=1g", str(self.place.folder))

    def _unmount(self) -> None:
        if self.place.folder.is_mount():
            subprocess.run(["umount", "-l", str(self.place.folder)], check=True)

    # -- from nothing, by the clock

    def from_nothing(self, name: str, number: int, dice: random.Random) -> dict[str, Any]:
        """A process of its own, begun on an empty folder and killed after a while: the office itself is half made."""
        self.prepare(name)
        failures = []
        for _round in range(number):
            self.empty()
            wait = dice.uniform(0.5, 6)
            commands = OFFICES[name].run(self.place)
            script = f"from doudi.cli import main\nfor c in {commands!r}:\n    try: main(c)\n    except SystemExit: pass\n"
            running = subprocess.Popen(
                [sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(wait)
            running.kill()
            running.wait()
            self.book.write_text("")
            try:
                wrong = self._after(name, KILL, 0)
            except AssertionError as problem:
                wrong = str(problem)
            if wrong:
                failures.append({"where": f"after {wait:.3f} s", "wrong": wrong})
        return {"events": 0, "rounds": number, "disturbed": number, "failures": failures}

    def close(self) -> None:
        self.receiver.kill()
        self.receiver.wait()
        self._unmount()
        if self.server:
            for name in ("office", *self.made):
                self._on_the_server("drop database if exists {} with (force)", name)
        shutil.rmtree(self.base)


def _opened() -> None:
    from doudi.cli.shell import open_office

    open_office(quiet=True)


def _key_of(heard: dict[str, Any]) -> str:
    """By what a receiver knows that it was told the same before."""
    key = {name.lower(): value for name, value in heard["headers"].items()}.get("idempotency-key")
    return key or str(json.loads(heard["body"])["id"])


def _text(part: Any, days: bool) -> list[str]:
    rows = part or []
    return rows if days else sorted(_DAYS.sub("#", row) for row in rows)


def _bytes_of(folder: Path) -> int:
    """In whole pages, as a file system in memory counts them."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def mount_small(folder: Path) -> None:
    """A file system of its own in memory, whose size can be set; raises where this account may not mount."""
    _mount("-t", "tmpfs", "-o", "size=1g,mode=700", "tmpfs", str(folder))


@contextmanager
def _bench(server: str) -> Iterator[Bench]:
    memory = "/dev/shm"
    base = Path(tempfile.mkdtemp(prefix="doudi-faults-", dir=memory if os.access(memory, os.W_OK) else None))
    bench = Bench(base, server)
    try:
        yield bench
    finally:
        bench.close()


def main() -> None:
    """A job a line on standard input, what came of it a line on standard output."""
    with _bench(sys.argv[1]) as bench:
        _import_everything()
        for line in sys.stdin:
            job = json.loads(line)
            dice = random.Random(f"{job['office']}{job['fault']}{job['seed']}")
            work = bench.from_nothing if job["fault"] == "nothing" else None
            try:
                told = (
                    work(job["office"], job["rounds"], dice)
                    if work
                    else bench.rounds(job["office"], job["fault"], job["rounds"], dice)
                )
            except AssertionError as problem:
                told = {
                    "events": 0,
                    "rounds": 0,
                    "disturbed": 0,
                    "failures": [{"where": "before", "wrong": str(problem)}],
                }
            print(json.dumps(told, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
