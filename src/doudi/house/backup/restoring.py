"""Putting an office back: unpacked aside and checked to the last byte first, then moved to its place.

While a restore is on its way a folder of its own lies in the state folder. A killed restore leaves that folder; no
command works with such a state, and the same restore, run again, clears it and begins anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.house.backup import databases
from doudi.house.backup.container import MAGIC, BackupBroken, SealedReader, broken, read_lock
from doudi.house.backup.unlocking import KeyGiven, find_key
from doudi.house.paths import Home, home

MANIFEST = "manifest.json"
MARKER = ".restoring"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Restored:
    """What a backup holds: when and by which version it was made, its kind of database, how many files and bytes."""

    file: Path
    made_at: str
    version: str
    database: str
    files: int
    size: int
    seconds: float


def lock_of(source: Path) -> dict[str, Any]:
    """How a backup is locked: ``kind`` is ``passphrase`` or ``key``."""
    with source.open("rb") as file:
        return read_lock(file)


def newest(source: Path) -> Path:
    """The backup itself, or the newest one of a folder."""
    if not source.is_dir():
        if not source.exists():
            raise DoudiError(
                f"没有找到 {source}。请核对路径。",
                f"{source} is not there; check the path.",
                code="file_missing",
            )
        return source
    found = [path for path in source.iterdir() if path.is_file() and _begins_right(path)]
    if not found:
        raise DoudiError(
            f"{source} 里没有备份文件。", f"There is no backup in {source}.", code="file_missing"
        )
    return max(found, key=lambda path: path.stat().st_mtime_ns)


def _begins_right(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def check_backup(source: Path, *, given: KeyGiven) -> Restored:
    """Read a backup to its end and compare every file with its hash; nothing is written."""
    return _read_through(source, given=given, to=None)


def restore_backup(source: Path, *, given: KeyGiven) -> Restored:
    """Put an office back into an empty state folder (and an empty database); all of it or nothing."""
    begun = time.monotonic()
    state = home()
    key = _key_of(source, given)
    with _alone(state):
        resumed = _require_empty(state)
        staging = state.root / MARKER
        if resumed:
            _clear(state)
        staging.mkdir(mode=0o700)
        try:
            told = _read_through(source, given=KeyGiven(key_bytes=key), to=staging)
            if told.database != databases.kind_in_use():
                raise _other_kind(told.database)
            databases.check(staging / "database", told.database)
            if told.database == databases.POSTGRESQL:
                databases.require_empty_server()
            _put_in_place(state, staging, told.database)
        except BaseException:
            _clear(state)
            raise
    return Restored(
        told.file, told.made_at, told.version, told.database, told.files, told.size, round(time.monotonic() - begun, 3)
    )  # fmt: skip


def refuse_half_restored(state: Home) -> None:
    """No command works in a state folder that a killed restore left behind."""
    if (state.root / MARKER).exists():
        raise DoudiError(
            f"{state.root} 里有一次没有做完的恢复。请再运行一次同样的 doudi restore，它会清理后从头恢复。",
            f"A restore into {state.root} did not end. Run the same doudi restore again; it clears up and begins anew.",
            code="restore_unfinished",
        )


def _key_of(source: Path, given: KeyGiven) -> bytes:
    return find_key(given, lock_of(source))


def _read_through(source: Path, *, given: KeyGiven, to: Path | None) -> Restored:
    begun = time.monotonic()
    key = _key_of(source, given)
    seen: dict[str, dict[str, Any]] = {}
    manifest: dict[str, Any] | None = None
    with source.open("rb") as file:
        sealed = SealedReader(file, key=key)
        try:
            with tarfile.open(fileobj=sealed, mode="r|") as tar:
                for entry in tar:
                    content = tar.extractfile(entry) if entry.isreg() else None
                    if content is None or not _is_ours(entry.name):
                        raise broken(f"不认识的内容 {entry.name!r}", f"unknown content {entry.name!r}")
                    if entry.name == MANIFEST:
                        manifest = json.loads(content.read(1 << 30))
                    else:
                        seen[entry.name] = _take(content, None if to is None else to / entry.name)
            sealed.drain()
        except (tarfile.TarError, ValueError) as problem:
            raise broken(f"内容读不出来（{problem}）", f"its content cannot be read ({problem})") from None
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DoudiError(
                    "磁盘已满，没有恢复任何内容。请清理磁盘后再运行一次。",
                    "The disk is full; nothing was restored. Free space and run it again.",
                    code="disk_full",
                    retry=True,
                ) from None
            raise
    if manifest is None:
        raise broken("没有目录", "it has no manifest")
    if seen != manifest["files"]:
        wrong = sorted(
            name for name in {*seen, *manifest["files"]} if seen.get(name) != manifest["files"].get(name)
        )
        raise broken(f"{wrong[0]} 与目录不符", f"{wrong[0]} differs from the manifest")
    size = sum(one["bytes"] for one in seen.values())
    return Restored(
        source, manifest["made_at"], manifest["version"], manifest["database"], len(seen), size,
        round(time.monotonic() - begun, 3),
    )  # fmt: skip


def _is_ours(name: str) -> bool:
    """A name that stays below the folder it is unpacked in."""
    parts = PurePosixPath(name).parts
    return name == MANIFEST or (
        len(parts) > 1 and parts[0] in ("keys", "database", "state") and not {"..", "/", ""} & set(parts) and "\x00" not in name
    )  # fmt: skip


def _take(content: Any, to: Path | None) -> dict[str, Any]:
    running, size = hashlib.sha256(), 0
    out = None
    if to is not None:
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        out = open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115
    try:
        while piece := content.read(_PIECE):
            running.update(piece)
            size += len(piece)
            if out is not None:
                out.write(piece)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    finally:
        if out is not None:
            out.close()
    return {"sha256": running.hexdigest(), "bytes": size}


@contextmanager
def _alone(state: Home) -> Iterator[None]:
    """One restore at a time in a state folder, which is made if it is not there."""
    import fcntl

    state.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_empty(state: Home) -> bool:
    """Whether a killed restore is to be taken up again; refuses a state folder in which anything else lies."""
    if (state.root / MARKER).exists():
        return True
    there = sorted(path.name for path in state.root.iterdir() if path.name != ".lock")
    empty_folders = all(
        (state.root / name).is_dir() and not any((state.root / name).rglob("*")) for name in there
    )
    full = state.root if not empty_folders else state.keys
    if not empty_folders or (state.keys.exists() and any(state.keys.iterdir())):
        raise DoudiError(
            f"{full} 不是空的。恢复只写进空的目录，不覆盖任何内容：请把 DOUDI_HOME（或 DOUDI_KEYS）设为一个新目录。",
            f"{full} is not empty. A restore writes to an empty folder and overwrites nothing: set DOUDI_HOME "
            "(or DOUDI_KEYS) to a new one.",
            code="not_empty",
        )
    return False


def _clear(state: Home) -> None:
    """Remove what a killed restore had brought; before it began nothing was there."""
    for path in state.root.iterdir():
        if path.name in (".lock", MARKER):
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    marked = state.root / MARKER
    if (marked / "keys-outside").exists():
        for name in (marked / "keys-outside").read_text(encoding="utf-8").splitlines():
            (state.keys / name).unlink(missing_ok=True)
    shutil.rmtree(marked)


def _put_in_place(state: Home, staging: Path, kind: str) -> None:
    """Keys and files first, the database last, then the mark goes: until then no command works here."""
    keys = sorted((staging / "keys").iterdir())
    (staging / "keys-outside").write_text("\n".join(path.name for path in keys), encoding="utf-8")
    state.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in keys:
        shutil.copyfile(path, state.keys / path.name)
        os.chmod(state.keys / path.name, 0o600)
    for path in sorted((staging / "state").iterdir()) if (staging / "state").exists() else []:
        target = state.root / path.name
        if target.is_dir():
            shutil.rmtree(target)  # an empty folder of Home.create
        os.rename(path, target)
    if kind == databases.SQLITE:
        databases.put_sqlite(staging / "database", state.database)
    else:
        databases.put_postgresql(staging / "database")
    state.work.mkdir(mode=0o700, exist_ok=True)
    done = state.work / f"restored-{secrets.token_hex(4)}"
    os.rename(staging, done)  # the mark goes at one stroke
    shutil.rmtree(done, ignore_errors=True)


def _other_kind(kind: str) -> BackupBroken:
    return BackupBroken(
        f"这份备份的数据库是 {kind}，而现在的设置（DOUDI_DATABASE_URL）不是。请按备份时的设置恢复。",
        f"The backup's database is {kind}; DOUDI_DATABASE_URL says another kind. Restore with the settings it was made with.",
        code="database_kind",
    )
