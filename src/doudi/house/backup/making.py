"""Making a backup: what lies where is pinned by links, the database is read in one snapshot, the file is read again."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import doudi
from doudi.engine.errors import DoudiError
from doudi.house.backup import databases
from doudi.house.backup.container import MAGIC, SealedWriter
from doudi.house.backup.restoring import MANIFEST, MARKER, check_backup
from doudi.house.backup.unlocking import KeyGiven, ReadyKey, ready_key
from doudi.house.keyring import write_aside
from doudi.house.paths import home

LAST = "last-backup.json"
"""In the state folder: when the last backup was made, where, and its hash."""
_SUFFIX = ".doudi-backup"
_AN_HOUR = 3600
_PART = re.compile(r"\..+\.[0-9a-f]{12}\.part")
_NOT_STATE = {"work", "static", "keys", ".lock", MARKER, LAST, "worker.json", "test.sqlite3"}
"""What is made again, or goes into the backup by a road of its own."""


@dataclass(frozen=True)
class Made:
    """A backup that was written and read again: where, how large, its SHA-256, what is in it, and its key."""

    file: Path
    size: int
    sha256: str
    files: int
    database: str
    seconds: float
    key: ReadyKey
    inside_home: bool


def make_backup(dest: str | Path, *, given: KeyGiven | None = None) -> Made:
    """Write a backup to ``dest``, a new file, or a folder in which it gets a name of its own; people may go on working.

    The file appears whole or not at all, and is read again and checked against itself before it does.
    """
    begun = time.monotonic()
    state = home()
    if not (state.keys / "keyring.json").exists():
        raise DoudiError(
            f"{state.root} 里还没有数据，没有可备份的。请核对 DOUDI_HOME。",
            f"{state.root} holds no office; there is nothing to back up. Check DOUDI_HOME.",
            code="nothing_to_back_up",
        )
    target = _target(str(dest))
    key = ready_key(given or KeyGiven.from_environment())
    _sweep_parts(target.parent)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    with _told_plainly(target), _pinned() as pinned:
        # links before and after the snapshot: what the database names is in one of them, even if it is removed meanwhile
        _pin(state.root, pinned / "state")
        kind = databases.dump(pinned / "database", sqlite=state.database)
        _pin(state.root, pinned / "state")
        try:
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                files = _write(out, pinned, kind=kind, key=key)
                out.flush()
                os.fsync(out.fileno())
            check_backup(aside, given=_same(key))
            digest, size = _digest(aside), aside.stat().st_size
            _place(aside, target)
        finally:
            aside.unlink(missing_ok=True)
    made = Made(
        target, size, digest, files, kind, round(time.monotonic() - begun, 3), key, target.is_relative_to(state.root)
    )  # fmt: skip
    note = {"at": datetime.now(UTC).isoformat(), "file": str(target), "bytes": size, "sha256": digest}
    write_aside(state.root / LAST, json.dumps(note, ensure_ascii=False, indent=1).encode())
    return made


def _sweep_parts(folder: Path) -> None:
    """Remove what backups into this folder left when they were killed: nothing has been written to it for an hour."""
    for part in folder.glob(".*.part"):
        with suppress(FileNotFoundError):
            if _PART.fullmatch(part.name) and time.time() - part.stat().st_mtime > _AN_HOUR:
                part.unlink()


def _target(written: str) -> Path:
    dest = Path(written).absolute()
    if dest.is_dir() or written.endswith(os.sep):
        dest.mkdir(parents=True, exist_ok=True)
        return dest / f"doudi-{datetime.now(UTC).astimezone():%Y%m%d-%H%M%S}{_SUFFIX}"
    if dest.exists():
        raise DoudiError(
            f"{dest} 已经存在，备份不覆盖任何文件。请换一个名字，或写一个文件夹。",
            f"{dest} exists; a backup overwrites nothing. Choose another name, or name a folder.",
            code="file_exists",
        )
    return dest


@contextmanager
def _pinned() -> Iterator[Path]:
    folder = home().work / f"backup-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # who sweeps the work folder leaves what is locked
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _told_plainly(target: Path) -> Iterator[None]:
    """A full disk or a folder that cannot be written, in words that say what to do."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DoudiError(
                f"磁盘已满，备份没有完成，{target.parent} 里没有留下半个文件。请清理磁盘或换一个位置再备份。",
                f"The disk is full; the backup was not made and no half file is left in {target.parent}. "
                "Free space or choose another place.",
                code="disk_full",
                retry=True,
            ) from None
        raise DoudiError(
            f"备份写不到 {target}：{problem.strerror}。请换一个位置。",
            f"The backup cannot be written to {target}: {problem.strerror}. Choose another place.",
            code="backup_unwritable",
        ) from None


def _is_state(name: str) -> bool:
    return name not in _NOT_STATE and not name.startswith("doudi.sqlite3")


def _pin(root: Path, to: Path) -> None:
    """Link every file of the state folder; files are put in place whole and never written again, so a link is a copy."""
    for entry in sorted(root.iterdir()):
        if not _is_state(entry.name):
            continue
        if entry.is_file():
            _link(entry, to / entry.name)
        elif entry.is_dir() and not entry.is_symlink():
            for folder, _folders, names in os.walk(entry):
                for name in names:
                    if not name.startswith(".") and not name.endswith(".lock"):
                        _link(Path(folder) / name, to / Path(folder).relative_to(root) / name)


def _link(source: Path, to: Path) -> None:
    if to.exists():
        return
    try:
        if not stat.S_ISREG(source.lstat().st_mode) or _is_backup(source):
            return
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.link(source, to)
    except FileNotFoundError:
        pass  # gone meanwhile: what the database still names was linked the first time
    except OSError as problem:
        if problem.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        shutil.copyfile(source, to)  # a file system without links


def _is_backup(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _write(out: IO[bytes], pinned: Path, *, kind: str, key: ReadyKey) -> int:
    """The stream: files as a tar, the manifest with their hashes last."""
    listed: dict[str, dict[str, Any]] = {}
    sealed = SealedWriter(out, key=key.key, lock={"format": 1, **key.lock})  # type: ignore[arg-type]
    keys = home().keys
    with tarfile.open(fileobj=sealed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for part, folder in (
            ("keys", keys), ("database", pinned / "database"), ("state", pinned / "state"),
        ):  # fmt: skip
            for path in sorted(found for found in folder.rglob("*") if found.is_file()):
                if path.name.startswith("."):
                    continue
                name = f"{part}/{path.relative_to(folder).as_posix()}"
                listed[name] = _add(tar, path, name)
        manifest = {
            "made_at": datetime.now(UTC).isoformat(),
            "version": doudi.__version__,
            "database": kind,
            "files": listed,
        }
        content = json.dumps(manifest, ensure_ascii=False).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(content), 0o600
        tar.addfile(entry, io.BytesIO(content))
    sealed.finish()
    return len(listed)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> dict[str, Any]:
    entry = tarfile.TarInfo(name)
    with path.open("rb") as file:
        entry.size, entry.mode = os.fstat(file.fileno()).st_size, 0o600
        running = _Hashing(file, entry.size)
        tar.addfile(entry, running)
    return {"sha256": running.sum.hexdigest(), "bytes": entry.size}


class _Hashing:
    """A file that is hashed as it is read, so that each file is read once."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left, self.sum = file, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(piece)
        self.sum.update(piece)
        return piece


def _same(key: ReadyKey) -> KeyGiven:
    return KeyGiven(key_bytes=key.key)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(aside: Path, target: Path) -> None:
    """Give the finished file its name; one that appeared meanwhile is not overwritten."""
    try:
        os.link(aside, target)
    except FileExistsError:
        raise DoudiError(
            f"{target} 刚刚被另一个程序建立，备份不覆盖任何文件。请换一个名字再备份。",
            f"{target} was just made by another program; choose another name.",
            code="file_exists",
        ) from None
    except OSError as problem:
        if problem.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        os.replace(aside, target)  # a memory stick without links
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(handle)
