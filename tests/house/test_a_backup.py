"""A backup is whole or is refused; what it holds is what lay there; it opens for its key alone."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import tarfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from doudi.engine.errors import DoudiError
from doudi.house.backup import KeyGiven, check_backup, make_backup, restore_backup
from doudi.house.backup.container import SealedWriter
from doudi.house.backup.unlocking import key_text, own_key_path, read_key_text
from doudi.house.keyring import keyring
from doudi.house.paths import home

PHRASE = KeyGiven(passphrase="correct horse battery staple")
KEY = KeyGiven(key_text=key_text(b"k" * 32))


@pytest.fixture(autouse=True)
def _settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("DOUDI_BACKUP_PASSPHRASE", "DOUDI_BACKUP_KEY", "DOUDI_KEYS", "DOUDI_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def small_office(office: Path) -> Path:
    """A state folder with keys, a database in use and files of several rooms."""
    keyring()
    with closing(sqlite3.connect(home().database)) as db:
        db.execute("pragma journal_mode=wal")
        db.execute("create table people (number integer primary key, said text)")
        db.execute("create table django_session (session_key text)")
        db.execute("insert into django_session values ('a-session-that-is-open')")
        db.executemany("insert into people (said) values (?)", [("x" * 500,)] * 200)
        db.commit()
    for name, content in {
        "originals/abc.sealed": os.urandom(3 << 20),
        "snapshots/feeds/deep/one.parquet": b"parquet",
        "evidence/photo.sealed": b"",
        "layers/first/pack.yaml": "名: 层".encode(),
    }.items():
        (office / name).parent.mkdir(parents=True, exist_ok=True)
        (office / name).write_bytes(content)
    (office / "work" / "half-done").write_bytes(b"not kept")
    (office / "snapshots" / ".aside.tmp").write_bytes(b"not kept")
    return office


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] in ("originals", "snapshots", "evidence", "layers", "keys")
        and not path.name.startswith(".")
    }  # fmt: skip


def _people(folder: Path) -> list:
    with closing(sqlite3.connect(folder / "doudi.sqlite3")) as db:
        return db.execute("select * from people order by number").fetchall()


def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str = "new") -> Path:
    monkeypatch.setenv("DOUDI_HOME", str(tmp_path / name))
    return tmp_path / name


def test_an_office_comes_back_file_for_file_and_row_for_row(small_office, tmp_path, monkeypatch):
    made = make_backup(tmp_path / "kept.backup", given=PHRASE)
    new = _elsewhere(monkeypatch, tmp_path)

    told = restore_backup(made.file, given=PHRASE)

    assert _tree(new) == _tree(small_office)
    assert _people(new) == _people(small_office)
    assert told.files == made.files
    assert not (new / "work" / "half-done").exists()
    assert stat.S_IMODE((new / "keys" / "keyring.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600


def test_nobody_is_signed_in_by_a_restored_backup(small_office, tmp_path, monkeypatch):
    made = make_backup(tmp_path / "kept.backup", given=KEY)
    new = _elsewhere(monkeypatch, tmp_path)

    restore_backup(made.file, given=KEY)

    assert b"a-session-that-is-open" not in (new / "doudi.sqlite3").read_bytes()


def test_nothing_of_the_office_can_be_read_in_the_file(small_office, tmp_path):
    made = make_backup(tmp_path / "kept.backup", given=PHRASE)

    content = made.file.read_bytes()
    ring = json.loads((small_office / "keys" / "keyring.json").read_text())
    for secret in (b"xxxxxxxx", b"originals", b"keyring", ring["index"].encode(), "名: 层".encode()):
        assert secret not in content


def test_a_wrong_passphrase_is_said_in_plain_words_and_nothing_is_restored(
    small_office, tmp_path, monkeypatch
):
    made = make_backup(tmp_path / "kept.backup", given=PHRASE)
    new = _elsewhere(monkeypatch, tmp_path)

    with pytest.raises(DoudiError) as refused:
        restore_backup(made.file, given=KeyGiven(passphrase="correct horse battery stable"))

    assert refused.value.code == "backup_key_wrong"
    assert "口令或密钥不对" in refused.value.zh
    assert not new.exists() or list(new.iterdir()) in ([], [new / ".lock"])


def test_without_options_the_accounts_own_key_is_made_once_and_opens_what_it_locked(
    small_office, tmp_path, monkeypatch
):
    first, second = make_backup(tmp_path / "one"), make_backup(tmp_path / "two")

    assert (first.key.fresh, second.key.fresh) == (True, False)
    assert stat.S_IMODE(own_key_path().stat().st_mode) == 0o600
    assert not own_key_path().is_relative_to(small_office)
    _elsewhere(monkeypatch, tmp_path)
    assert check_backup(second.file, given=KeyGiven()).files == second.files

    # the machine is gone; the text on paper is left
    own_key_path().unlink()
    with pytest.raises(DoudiError, match="备份密钥"):
        check_backup(first.file, given=KeyGiven())
    typed = first.key.text.lower().replace("-", " ")
    assert check_backup(first.file, given=KeyGiven(key_text=typed)).files == first.files


def test_a_key_that_was_copied_wrongly_is_told(tmp_path):
    text = key_text(b"k" * 32)
    wrong = ("A" if text[0] != "A" else "B") + text[1:]

    assert read_key_text(text) == b"k" * 32
    for typed in (wrong, text[:-1], text + "A", ""):
        with pytest.raises(DoudiError, match="抄写有误"):
            read_key_text(typed)


@pytest.mark.parametrize("where", [0, 4, 9, 40, 300, 5000, 1 << 20, -1, -40, -5000])
def test_a_changed_byte_anywhere_is_found(small_office, tmp_path, monkeypatch, where):
    made = make_backup(tmp_path / "kept.backup", given=KEY)
    content = bytearray(made.file.read_bytes())
    content[where] ^= 1
    made.file.write_bytes(content)
    new = _elsewhere(monkeypatch, tmp_path)

    with pytest.raises(DoudiError) as refused:
        restore_backup(made.file, given=KEY)

    assert refused.value.code in ("backup_broken", "backup_key_wrong", "backup_key_missing")
    assert not new.exists() or {path.name for path in new.iterdir()} <= {".lock"}


@pytest.mark.parametrize("left", [0, 7, 100, 1 << 20, 0.5, 0.99, "last piece"])
def test_a_half_written_file_is_found(small_office, tmp_path, monkeypatch, left):
    made = make_backup(tmp_path / "kept.backup", given=KEY)
    content = made.file.read_bytes()
    if left == "last piece":
        # cut exactly between two pieces: every piece that is there opens
        size, at, ends = len(content), 8 + 4 + int.from_bytes(content[8:12], "big"), []
        while at < size:
            ends.append(at)
            at += 4 + int.from_bytes(content[at : at + 4], "big")
        cut = ends[-1]
    else:
        cut = int(len(content) * left) if isinstance(left, float) else left
    made.file.write_bytes(content[:cut])
    new = _elsewhere(monkeypatch, tmp_path)

    with pytest.raises(DoudiError, match=r"不是 doudi 的备份|不完整"):
        restore_backup(made.file, given=KEY)

    assert not (new / "doudi.sqlite3").exists()


def test_pieces_of_two_backups_are_no_backup(small_office, tmp_path):
    one, two = make_backup(tmp_path / "one", given=KEY), make_backup(tmp_path / "two", given=KEY)
    first, second = one.file.read_bytes(), two.file.read_bytes()
    at = len(first) // 2
    one.file.write_bytes(first[:at] + second[at:])

    with pytest.raises(DoudiError, match="不完整或被改动"):
        check_backup(one.file, given=KEY)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/cron.d/x", "state/../../outside", "keys/../../x", "else/x", "state"]
)
def test_a_backup_writes_nowhere_but_into_the_state_folder(office, tmp_path, monkeypatch, name):
    """Even one that somebody made with the right key."""
    keyring()
    lock = {"kind": "key", "id": "x"}
    path = tmp_path / "made-by-hand"
    with path.open("wb") as out:
        sealed = SealedWriter(out, key=b"k" * 32, lock=lock)
        with tarfile.open(fileobj=sealed, mode="w|") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = 1
            tar.addfile(entry, io.BytesIO(b"x"))
        sealed.finish()
    new = _elsewhere(monkeypatch, tmp_path, "a/b/new")

    with pytest.raises(DoudiError, match="不认识的内容"):
        restore_backup(path, given=KeyGiven(key_bytes=b"k" * 32))

    assert not (new.parent / "outside").exists() and not (tmp_path / "outside").exists()


def test_a_link_in_a_backup_is_refused(office, tmp_path, monkeypatch):
    path = tmp_path / "made-by-hand"
    with path.open("wb") as out:
        sealed = SealedWriter(out, key=b"k" * 32, lock={})
        with tarfile.open(fileobj=sealed, mode="w|") as tar:
            entry = tarfile.TarInfo("state/link")
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(entry)
        sealed.finish()
    _elsewhere(monkeypatch, tmp_path)

    with pytest.raises(DoudiError, match="不认识的内容"):
        restore_backup(path, given=KeyGiven(key_bytes=b"k" * 32))


def test_an_office_that_is_there_is_not_overwritten(small_office, tmp_path):
    made = make_backup(tmp_path / "kept.backup", given=KEY)
    before = _tree(small_office)

    with pytest.raises(DoudiError) as refused:
        restore_backup(made.file, given=KEY)

    assert refused.value.code == "not_empty"
    assert _tree(small_office) == before


def test_a_backup_overwrites_no_file(small_office, tmp_path):
    there = tmp_path / "something"
    there.write_text("dear")

    with pytest.raises(DoudiError) as refused:
        make_backup(there, given=KEY)

    assert refused.value.code == "file_exists"
    assert there.read_text() == "dear"


def test_what_a_killed_backup_left_is_gone_with_the_next_one(small_office, tmp_path):
    old, new, foreign = (
        tmp_path / name
        for name in (
            ".doudi-1.doudi-backup.0123456789ab.part",
            ".doudi-2.doudi-backup.0123456789ab.part",
            ".other.part",
        )
    )
    for path in (old, new, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (time.time() - 4000,) * 2)

    make_backup(tmp_path / "kept.backup", given=PHRASE)

    assert not old.exists() and new.exists() and foreign.exists()


def test_a_full_disk_leaves_no_half_backup(small_office, tmp_path, monkeypatch):
    import errno

    written = SealedWriter.write

    def full(self, data):
        if self._number > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(self, data)

    monkeypatch.setattr(SealedWriter, "write", full)
    target = tmp_path / "stick"

    with pytest.raises(DoudiError) as refused:
        make_backup(f"{target}/", given=KEY)

    assert refused.value.code == "disk_full"
    assert list(target.iterdir()) == []
    assert [path.name for path in (small_office / "work").iterdir()] == ["half-done"]


def test_a_full_disk_on_the_way_back_leaves_an_empty_folder(small_office, tmp_path, monkeypatch):
    import errno

    made = make_backup(tmp_path / "kept.backup", given=KEY)
    new = _elsewhere(monkeypatch, tmp_path)
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr("doudi.house.backup.restoring.os.fsync", full)
    with pytest.raises(DoudiError) as refused:
        restore_backup(made.file, given=KEY)
    assert refused.value.code == "disk_full"
    assert {path.name for path in new.iterdir()} <= {".lock"}

    monkeypatch.setattr("doudi.house.backup.restoring.os.fsync", real)
    restore_backup(made.file, given=KEY)
    assert _people(new) == _people(small_office)


def test_people_write_while_a_backup_is_made(small_office, tmp_path, monkeypatch):
    """Two tables that are always written in one transaction agree in the copy, and nobody was made to wait long."""
    stop, written = threading.Event(), []

    def write() -> None:
        with closing(sqlite3.connect(home().database, timeout=5)) as db:
            while not stop.is_set():
                with db:
                    db.execute("insert into people (said) values ('during')")
                    db.execute("insert into twice select max(number) from people")
                written.append(1)

    with closing(sqlite3.connect(home().database)) as db:
        db.execute("create table twice (number integer)")
        db.execute("insert into twice select number from people")
        db.commit()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not written:
            pass
        before = len(written)
        made = make_backup(tmp_path / "kept.backup", given=KEY)
        during = len(written) - before
    finally:
        stop.set()
        writer.join()
    new = _elsewhere(monkeypatch, tmp_path)
    restore_backup(made.file, given=KEY)

    with closing(sqlite3.connect(new / "doudi.sqlite3")) as db:
        people, twice = (db.execute(f"select count(*) from {t}").fetchone()[0] for t in ("people", "twice"))
    assert people == twice >= 200 + before
    assert during > 0, "the writer must have written meanwhile"


def test_a_file_removed_while_the_backup_is_made_is_still_in_it(small_office, tmp_path, monkeypatch):
    """What the copied database names is in the backup, though somebody removed it a moment later."""
    from doudi.house.backup import databases

    real = databases.dump

    def and_remove(to, *, sqlite):
        kind = real(to, sqlite=sqlite)
        (small_office / "originals" / "abc.sealed").unlink()
        (small_office / "originals" / "new.sealed").write_bytes(b"new")
        return kind

    monkeypatch.setattr("doudi.house.backup.making.databases.dump", and_remove)
    made = make_backup(tmp_path / "kept.backup", given=KEY)
    new = _elsewhere(monkeypatch, tmp_path)
    restore_backup(made.file, given=KEY)

    assert (new / "originals" / "abc.sealed").stat().st_size == 3 << 20
    assert (new / "originals" / "new.sealed").read_bytes() == b"new"


def test_keys_on_another_disk_come_back_to_the_other_disk(small_office, tmp_path, monkeypatch):
    (small_office / "keys").rename(tmp_path / "disk")
    monkeypatch.setenv("DOUDI_KEYS", str(tmp_path / "disk"))
    made = make_backup(tmp_path / "kept.backup", given=KEY)
    new = _elsewhere(monkeypatch, tmp_path)
    with pytest.raises(DoudiError, match="DOUDI_KEYS"):
        restore_backup(made.file, given=KEY)

    monkeypatch.setenv("DOUDI_KEYS", str(tmp_path / "new-disk"))
    restore_backup(made.file, given=KEY)

    assert (tmp_path / "new-disk" / "keyring.json").exists()
    assert not (new / "keys").exists()
