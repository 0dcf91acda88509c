"""A disk that is full is said to be full, whoever noticed it, and nothing half done is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb
import pytest
from django.conf import settings
from django.db import OperationalError

from doudi.cli import told_plainly, working
from doudi.contexts.monitoring import keeping
from doudi.engine.packs import load_pack
from doudi.house.full_disk import disk_full
from doudi.house.paths import home

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def from_it(fault: Exception, cause: Exception) -> Exception:
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    "fault",
    [
        FULL,
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        OperationalError("database or disk is full"),
        OperationalError('could not extend file "base/16384/2619": No space left on device'),
        duckdb.IOException("IO Error: Could not write all bytes to file: No space left on device"),
        from_it(ValueError("nothing to see"), FULL),
    ],
    ids=["python", "quota", "sqlite", "postgresql", "duckdb", "from it"],
)
def test_it_is_known_and_told_in_both_languages(fault: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise fault

    with pytest.raises(SystemExit) as left:
        told_plainly(work, [])

    assert left.value.code == 1
    said = capsys.readouterr().err
    assert "磁盘已满" in said and "The disk is full" in said


@pytest.mark.parametrize(
    "fault", [PermissionError(errno.EACCES, "no"), OperationalError("database is locked")]
)
def test_another_fault_is_not_called_a_full_disk(fault: Exception) -> None:
    assert disk_full(fault) is None


def test_a_pack_that_finds_no_room_is_an_error_and_leaves_nothing(
    office: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = load_pack(settings.PACK)

    def no_room(*_: object) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", no_room)
        with pytest.raises(OSError, match="No space left"):
            keeping.keep_pack(pack, settings.PACK)
    assert list(home().work.iterdir()) == []

    keeping.keep_pack(pack, settings.PACK)
    assert keeping.kept_pack(pack.hash).hash == pack.hash


def test_the_worker_waits_until_there_is_room(
    office: Path, db: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_room() -> None:
        raise FULL

    monkeypatch.setattr("doudi.chain.run_jobs", no_room)
    monkeypatch.setattr("django.db.close_old_connections", lambda: None)

    working._look(as_json=False)

    assert "磁盘已满" in capsys.readouterr().err
