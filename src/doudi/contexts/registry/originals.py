"""Files as they came, sealed in the state folder, and the folder in which they are opened for as long as they are read."""

from __future__ import annotations

import fcntl
import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.registry.models import FeedLoad
from doudi.contexts.registry.office import require_whole_office
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring, write_aside
from doudi.house.paths import home
from doudi.house.resealing import declare_folder

ORIGINAL = "feed.original"


RETURN = "feed.return"

declare_folder("originals", lambda _name: [ORIGINAL])
declare_folder("returns", lambda _name: [RETURN])


_LOCK = ".lock"


_AN_HOUR, _A_DAY = 3600, 86_400
_SWEPT = "swept"
_ASIDE = re.compile(r"\..+\.([0-9a-f]{12}|[0-9a-f]{32}\.aside)")
"""How :func:`~doudi.house.keyring.write_aside` and :func:`~doudi.engine.feeds.snapshots.aside` name what is not whole yet."""


def seal_file(source: Path, to: Path, purpose: str) -> None:
    if not to.exists():
        write_aside(to, keyring().seal(source.read_bytes(), purpose=purpose))


def return_path(feed: str, digest: str) -> Path:
    return home().returns / f"{feed}-{digest}.sealed"


@contextmanager
def work_folder() -> Iterator[Path]:
    folder = home().work / secrets.token_hex(8)
    folder.mkdir(mode=0o700, parents=True)
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(load: FeedLoad) -> Iterator[Path]:
    """The original of a load as a file, for as long as it is read."""
    sealed = home().originals / f"{load.file_hash}.sealed"
    if not sealed.exists():
        raise DoudiError(
            f"{load.file_name} 的原件不在状态目录里（{sealed.name}）。请从备份恢复，或重新装载该文件。",
            f"The original of {load.file_name} is missing ({sealed.name}); restore a backup or load the file again.",
            code="original_missing",
        )
    with work_folder() as work:
        path = work / f"original{Path(load.file_name).suffix.lower()}"
        path.write_bytes(keyring().open(sealed.read_bytes(), purpose=ORIGINAL))
        yield path


@transaction.atomic
def quarantine_workbook(load: FeedLoad, *, by: User) -> bytes:
    """The sender's own workbook with the wrong cells marked, to send back (退回单); the taking goes into the log."""
    require(by, Act.VIEW_LOADS)
    require_whole_office(by)
    path = return_path(load.feed, load.file_hash)
    if not path.exists():
        raise DoudiError(
            f"{load.file_name} 没有被隔离的行，不需要退回。",
            f"{load.file_name} has no quarantined rows; there is nothing to return.",
            code="nothing_quarantined",
        )
    content = keyring().open(path.read_bytes(), purpose=RETURN)
    record(
        by=by,
        act="export_quarantine",
        subject=f"feed:{load.feed}",
        region_code=by.region_code,
        detail={"load": load.pk, "sha256": hashlib.sha256(content).hexdigest()},
    )
    return content


def sweep_work() -> int:
    """Remove what a killed process left half done, plain department files among it; returns how many things.

    A folder that a living process works in is locked and stays; other things stay for an hour.
    """
    removed = _sweep_asides()
    for left in home().work.iterdir():
        if left.name == _SWEPT:
            continue
        old = time.time() - left.stat().st_mtime > _AN_HOUR
        if left.is_file():
            if old:
                left.unlink(missing_ok=True)
                removed += 1
            continue
        lock = left / _LOCK
        if not lock.exists():
            if old:
                shutil.rmtree(left, ignore_errors=True)
                removed += 1
            continue
        with lock.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            shutil.rmtree(left, ignore_errors=True)
            removed += 1
    return removed


def _sweep_asides() -> int:
    """Remove files and folders that were still written under a name of their own beside their place when their process was killed.

    Once a day: an office may keep a million photographs, and every command comes by here.
    """
    office = home()
    marker = office.work / _SWEPT
    if marker.exists() and time.time() - marker.stat().st_mtime < _A_DAY:
        return 0
    marker.touch()
    flat = (office.root, office.keys, office.originals, office.returns, office.exports, office.evidence)
    nested = (office.snapshots, office.results, office.packs)
    found = [path for folder in flat if folder.is_dir() for path in folder.iterdir()]
    found += [path for folder in nested for path in folder.rglob(".*")]
    removed = 0
    for path in found:
        if _ASIDE.fullmatch(path.name) and time.time() - path.stat().st_mtime > _AN_HOUR:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            removed += 1
    return removed
