"""SIGKILL at any point of a restore: no command works with what is left, and the same restore again is whole."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from doudi.engine.errors import DoudiError
from doudi.house.backup import KeyGiven, make_backup, refuse_half_restored, restore_backup
from doudi.house.backup.unlocking import key_text
from doudi.house.keyring import keyring
from doudi.house.paths import home

KEY = KeyGiven(key_bytes=b"k" * 32)
KEY_TEXT = KeyGiven(key_text=key_text(b"k" * 32))
_EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.rmdir", "shutil.rmtree", "os.chmod")


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def _killed_at(event: int, work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        seen = 0

        def hook(name: str, _arguments: object) -> None:
            nonlocal seen
            if name in _EVENTS:
                seen += 1
                if seen == event:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()

    return run


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock" and path.relative_to(folder).parts[0] != "work"
    }


def test_a_killed_restore_is_refused_and_done_again(
    office: Path, tmp_path, monkeypatch, request, record_property
):
    keyring()
    with closing(sqlite3.connect(home().database)) as db:
        db.execute("create table django_session (session_key text)")
        db.execute("create table people (said text)")
        db.execute("insert into people values ('x')")
        db.commit()
    for name in ("originals/a", "evidence/b", "snapshots/c/d", "layers/e"):
        (office / name).parent.mkdir(parents=True, exist_ok=True)
        (office / name).write_bytes(name.encode())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    backup = make_backup(tmp_path / "kept", given=KEY_TEXT).file
    monkeypatch.setenv("DOUDI_HOME", str(tmp_path / "whole"))
    restore_backup(backup, given=KEY)
    whole = _tree(tmp_path / "whole")
    rounds = request.config.getoption("--rounds") * 8

    killed, refused, event = 0, 0, 0
    while True:
        event += 1 if rounds >= 48 else 3
        new = tmp_path / f"round{event}"
        monkeypatch.setenv("DOUDI_HOME", str(new))
        status = _forked(_killed_at(event, lambda: restore_backup(backup, given=KEY)))
        if not os.WIFSIGNALED(status):
            assert _tree(new) == whole
            break
        killed += 1
        there = _tree(new)
        if there != whole:
            # either nothing is there, or the mark that no command passes
            if (new / ".restoring").exists():
                refused += 1
                with pytest.raises(DoudiError, match="没有做完的恢复"):
                    refuse_half_restored(home())
            else:
                assert there == {}, f"half an office after event {event}"
            restore_backup(backup, given=KEY)
            assert _tree(new) == whole, f"killed at event {event}"
    record_property("rounds", killed)
    assert killed > 15 and refused > 10, (killed, refused)
