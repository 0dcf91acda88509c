"""``doudi doctor`` says what is wrong in plain words, and does not stumble over it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doudi.cli import checks


@pytest.fixture(scope="module")
def healthy(run_doudi, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office that was opened, worked in and backed up."""
    home = tmp_path_factory.mktemp("doctor") / "home"
    os.environ["XDG_CONFIG_HOME"] = str(home.parent / "config")
    try:
        assert run_doudi(home, "backup", home.parent / "kept", "--json").status == 0
        assert run_doudi(home, "worker", "--once", "--json").status == 0
    finally:
        del os.environ["XDG_CONFIG_HOME"]
    return home


@pytest.fixture
def home(healthy: Path, tmp_path: Path) -> Path:
    shutil.copytree(healthy, tmp_path / "home")
    return tmp_path / "home"


def _said(run_doudi, home: Path, **named: str) -> tuple[int, dict[str, dict]]:
    done = run_doudi(home, "doctor", "--json", **named)
    assert done.out, done.err
    return done.status, {found["what"]: found for found in done.json["findings"]}


def test_a_healthy_office_is_well(run_doudi, home):
    status, said = _said(run_doudi, home)

    assert status == 0, [found for found in said.values() if not found["well"]]
    assert set(said) >= {
        "磁盘", "文件权限", "密钥", "备份", "后台任务", "用途", "字体", "前端文件", "政策包", "数据库", "版本",
        "时钟", "部门数据", "筛查", "外发消息", "审计链", "行政区划",
    }  # fmt: skip
    assert said["部门数据"]["level"] == "advice"


def test_a_changed_log_is_found(run_doudi, home):
    with closing(sqlite3.connect(home / "doudi.sqlite3")) as db:
        db.execute("update accounts_auditentry set reason = 'x'")
        db.commit()

    status, said = _said(run_doudi, home)

    assert status == 1
    assert said["审计链"]["level"] == "wrong" and "第 1 条" in said["审计链"]["said"]


def test_lost_keys_are_told_and_no_new_ones_made(run_doudi, home):
    shutil.rmtree(home / "keys")

    status, said = _said(run_doudi, home)

    assert status == 1
    assert "找不到密钥文件" in said["密钥"]["said"]
    assert not (home / "keys").exists()


def test_a_database_that_is_down_is_told_in_a_line(run_doudi, home):
    status, said = _said(run_doudi, home, database="postgresql://nobody@127.0.0.1:1/nothing")

    assert status == 1
    assert "连不上" in said["数据库"]["said"] and "审计链" not in said


def test_a_database_of_a_later_version_is_told(run_doudi, home):
    with closing(sqlite3.connect(home / "doudi.sqlite3")) as db:
        db.execute(
            "insert into django_migrations (app, name, applied) values ('registry', '0999_later', '2030-01-01')"
        )
        db.commit()

    status, said = _said(run_doudi, home)

    assert (status, said["版本"]["level"]) == (1, "wrong")
    assert "registry 0999_later" in said["版本"]["said"]


@pytest.mark.parametrize(
    ("check", "file", "age", "level"),
    [
        (checks.backup, "last-backup.json", timedelta(days=1), "well"),
        (checks.backup, "last-backup.json", timedelta(days=8), "wrong"),
        (checks.backup, "last-backup.json", None, "advice"),
        (checks.worker, "worker.json", timedelta(minutes=1), "well"),
        (checks.worker, "worker.json", timedelta(hours=3), "wrong"),
        (checks.worker, "worker.json", None, "advice"),
    ],
)
def test_old_backups_and_silent_workers(office, check, file, age, level):
    if age is not None:
        (office / file).write_text(json.dumps({"at": (datetime.now(UTC) - age).isoformat(), "file": "x"}))

    assert check().level == level


def test_a_backup_on_the_disk_of_the_data_is_told(office):
    kept = office / "kept"
    kept.touch()
    (office / "last-backup.json").write_text(
        json.dumps({"at": datetime.now(UTC).isoformat(), "file": str(kept)})
    )

    found = checks.backup()

    assert (found.level, "同一块盘" in found.said) == ("advice", True)


def test_a_note_that_cannot_be_read_is_no_note(office):
    (office / "worker.json").write_text("{")

    assert checks.worker().level == "advice"


def test_little_space_is_told(office, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: (100 << 30, 99 << 30, 1 << 30))
    monkeypatch.setattr(
        "doudi.cli.checks.shutil.disk_usage",
        lambda _path: type("usage", (), {"total": 100 << 30, "free": 1 << 30})(),
    )

    assert checks.disk().level == "wrong"


def test_keys_that_others_can_read_are_told(office):
    from doudi.house.keyring import keyring

    keyring()
    (office / "keys" / "keyring.json").chmod(0o644)

    assert checks.keys().level == "wrong"


def test_a_check_that_stumbles_is_a_finding():
    def broken() -> checks.Finding:
        raise ZeroDivisionError

    assert checks.look(broken).level == "wrong"


@pytest.mark.django_db
def test_a_clock_that_went_back_is_found(office, monkeypatch):
    from doudi.contexts.accounts import services as accounts

    accounts.record(by=accounts.system_user(), act="look")
    assert checks.clock().level == "well"

    monkeypatch.setattr(
        "doudi.contexts.accounts.services.last_entry_at", lambda: datetime.now(UTC) + timedelta(hours=1)
    )
    assert "时钟倒退" in checks.clock().said


def test_a_guard_of_frozen_rosters_that_was_taken_down_is_found(run_doudi, home):
    assert _said(run_doudi, home)[1]["名册防改"]["well"]
    with closing(sqlite3.connect(home / "doudi.sqlite3")) as db:
        db.execute("drop trigger assistance_rosterrow_no_update")
        db.commit()

    status, said = _said(run_doudi, home)

    assert status == 1
    assert "有人删过它" in said["名册防改"]["said"]
