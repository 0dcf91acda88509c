"""What ``doudi doctor`` looks at, one function each: what was found and, where it is not well, what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from doudi.engine.errors import DoudiError
from doudi.house.backup import LAST
from doudi.house.paths import home

WELL, ADVICE, WRONG = "well", "advice", "wrong"
_GIB = 1 << 30
_LITTLE_SPACE = 2 * _GIB
_BACKUP_AGE = timedelta(days=7)
_WORKER_SILENCE = timedelta(minutes=10)
_CLOCKS_APART = timedelta(minutes=2)
_LOAD_AGE = timedelta(days=31)
WORKER_SIGN = "worker.json"
"""In the state folder: when a worker last looked for what is due."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``level`` is ``well``, ``advice`` or ``wrong``."""

    what: str
    level: str
    said: str

    @property
    def well(self) -> bool:
        return self.level != WRONG


Check = Callable[[], Finding]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _noted(name: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((home().root / name).read_text(encoding="utf-8"))
        _moment(told["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return told


def _ago(then: datetime) -> str:
    gone = datetime.now(UTC) - then
    if gone < timedelta(hours=1):
        return f"{max(0, int(gone.total_seconds() // 60))} 分钟前"
    return f"{int(gone.total_seconds() // 3600)} 小时前" if gone < timedelta(days=2) else f"{gone.days} 天前"


# ---- before the database -----------------------------------------------------------------------------------------


def disk() -> Finding:
    usage = shutil.disk_usage(home().root)
    said = f"{home().root} 还有 {usage.free / _GIB:.1f} GiB（共 {usage.total / _GIB:.0f} GiB）"
    if usage.free < _LITTLE_SPACE:
        return Finding("磁盘", WRONG, f"{said}。装载和备份可能失败，请清理磁盘或换更大的盘")
    return Finding("磁盘", WELL, said)


def rights() -> Finding:
    root = home().root
    probe = root / ".doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as problem:
        return Finding(
            "文件权限", WRONG, f"{root} 写不进去（{problem.strerror}）。请让运行 doudi 的账号拥有这个目录"
        )
    open_to = [
        path.name
        for path in (root, home().database, *(root / name for name in ("originals", "evidence", "exports")))
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o007
    ]
    if open_to:
        return Finding(
            "文件权限",
            ADVICE,
            f"其他用户能读：{'、'.join(open_to)}。请运行 chmod -R o-rwx {root}",
        )
    return Finding("文件权限", WELL, "只有本账号可读写")


def keys() -> Finding:
    from doudi.house.keyring import keyring

    ring = home().keys / "keyring.json"
    try:
        keyring()
    except (DoudiError, OSError, ValueError, KeyError) as problem:
        said = (
            problem.zh if isinstance(problem, DoudiError) else f"{ring} 读不出来（{problem}），请从备份恢复"
        )
        return Finding("密钥", WRONG, said)
    if ring.stat().st_mode & 0o077:
        return Finding("密钥", WRONG, f"{ring} 其他用户可读，请运行 chmod 600 {ring}")
    return Finding("密钥", WELL, "读得出，只有本账号可读")


def backup() -> Finding:
    last = _noted(LAST)
    if not last:
        return Finding("备份", ADVICE, "从未备份。请运行 doudi backup 文件夹，并把备份放到另一块盘上")
    when = _moment(last["at"])
    said = f"最近一次 {_ago(when)}：{last.get('file', '')}"
    if datetime.now(UTC) - when > _BACKUP_AGE:
        return Finding("备份", WRONG, f"{said}，已超过 {_BACKUP_AGE.days} 天。请运行 doudi backup")
    if last.get("file") and _on_one_disk(Path(last["file"]), home().root):
        return Finding(
            "备份", ADVICE, f"{said}，和数据在同一块盘上，盘坏了会一起丢。请备份到另一块盘或另一台机器"
        )
    return Finding("备份", WELL, said)


def _on_one_disk(backup: Path, state: Path) -> bool:
    try:
        return backup.stat().st_dev == state.stat().st_dev
    except OSError:
        return False  # it was taken away, which is what one should do


def worker() -> Finding:
    last = _noted(WORKER_SIGN)
    if not last:
        return Finding("后台任务", ADVICE, "从未运行。时限提醒和外发消息要靠它，请启动 doudi worker")
    when = _moment(last["at"])
    if datetime.now(UTC) - when > _WORKER_SILENCE:
        return Finding(
            "后台任务",
            WRONG,
            f"上次动静是 {_ago(when)}，已经停了，提醒和消息发不出去。请重新启动 doudi worker",
        )
    return Finding("后台任务", WELL, f"在运行，上次动静 {_ago(when)}")


def fonts() -> Finding:
    from doudi.house.documents import FontMissing, chinese_font

    try:
        return Finding("字体", WELL, f"PDF 用 {chinese_font()}")
    except FontMissing as problem:
        return Finding("字体", ADVICE, problem.zh)


def frontend() -> Finding:
    from django.contrib.staticfiles import finders

    there = finders.find("vendor/leaflet/leaflet.js") is not None
    return Finding(
        "前端文件", WELL if there else WRONG, "齐全" if there else "缺少图表和地图文件，请运行 make setup"
    )


def demonstration() -> Finding:
    if (home().root / "demonstration").exists():
        return Finding("用途", ADVICE, "这是演示目录，账号密码是公开的，不能放真实数据")
    return Finding("用途", WELL, "正式使用")


def pack() -> Finding:
    from doudi import chain

    try:
        rules, _handling = chain.rules()
    except DoudiError as problem:
        return Finding("政策包", WRONG, problem.zh)
    return Finding("政策包", WELL, f"{rules.name} {rules.version}")


def database() -> Finding:
    from django.db import DatabaseError, connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
            if connection.vendor == "sqlite":
                cursor.execute("pragma quick_check")
                said = cursor.fetchone()[0]
                if said != "ok":
                    return Finding("数据库", WRONG, f"数据库文件有损坏（{said}）。请停止使用，从备份恢复")
    except DatabaseError as problem:
        return Finding(
            "数据库",
            WRONG,
            f"连不上：{str(problem).strip().splitlines()[0]}。请确认数据库已启动，DOUDI_DATABASE_URL 写对",
        )
    name = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    return Finding("数据库", WELL, f"{name}，连得上")


def migrations() -> Finding:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations or {})
    newer = sorted(f"{app} {name}" for app, name in unknown if app in executor.loader.migrated_apps)
    if newer:
        return Finding("版本", WRONG, f"数据库比程序新（{newer[0]}）。请安装升级过这个数据库的版本")
    if plan:
        return Finding(
            "版本",
            WRONG,
            f"数据库还有 {len(plan)} 步升级没有做。请先备份，再运行任何一条 doudi 命令，会自动升级",
        )
    return Finding("版本", WELL, "数据库与程序一致")


# ---- with the database -------------------------------------------------------------------------------------------


def clock() -> Finding:
    """The machine's clock beside the database server's and beside the newest entry of the log."""
    from django.db import connection

    from doudi.contexts.accounts.services import last_entry_at

    now = datetime.now(UTC)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("select now()")
            theirs = cursor.fetchone()[0].astimezone(UTC)
        if abs(theirs - now) > _CLOCKS_APART:
            return Finding(
                "时钟", WRONG,
                f"本机 {now:%H:%M:%S}，数据库服务器 {theirs:%H:%M:%S}（UTC），相差太多，时限会算错。请给两台机器对时",
            )  # fmt: skip
    newest = last_entry_at()
    if newest is not None and newest > now + _CLOCKS_APART:
        return Finding(
            "时钟",
            WRONG,
            f"日志里最新一条在 {newest.astimezone():%Y-%m-%d %H:%M}，比现在还晚，本机时钟倒退了。请对时",
        )
    return Finding("时钟", WELL, f"{now.astimezone():%Y-%m-%d %H:%M}，走得对")


def loads() -> Finding:
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.registry import services as registry

    newest = registry.loads(by=system_user()).first()
    if newest is None:
        return Finding("部门数据", ADVICE, "还没有装载过部门文件")
    refused = registry.FeedLoad.Status.REFUSED
    said = f"最近一次 {_ago(newest.loaded_at)}：{newest.file_name}" + (
        "（被拒绝）" if newest.status == refused else ""
    )
    if datetime.now(UTC) - newest.loaded_at > _LOAD_AGE or newest.status == refused:
        return Finding("部门数据", ADVICE, said)
    return Finding("部门数据", WELL, said)


def screens() -> Finding:
    from doudi.contexts.monitoring import services as monitoring

    run = monitoring.latest_run()
    if run is None:
        return Finding("筛查", ADVICE, "还没有筛查过")
    return Finding("筛查", WELL, f"最近一次截至 {run.as_of}")


def outbox() -> Finding:
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.monitoring import services as monitoring

    lost = monitoring.outbox(by=system_user(), status="given_up").count()
    if lost:
        return Finding(
            "外发消息", WRONG, f"{lost} 条多次失败，已停止发送。请在“外发消息”页查看原因后重新发送"
        )
    return Finding("外发消息", WELL, "没有发不出去的")


def audit() -> Finding:
    from doudi.contexts.accounts.services import verify_audit

    report = verify_audit()
    if not report.whole:
        return Finding(
            "审计链", WRONG, f"第 {report.first_break} 条处断开，有人改动过数据库。请保护现场，立即报告"
        )
    return Finding("审计链", WELL, f"{report.entries} 条，完整")


def rosters() -> Finding:
    from doudi.contexts.assistance import payroll

    if not payroll.guarded():
        return Finding(
            "名册防改",
            WRONG,
            "数据库里防止改动已冻结名册的触发器不在，有人删过它。请保护现场，立即报告；查明后由维护人员执行 migrate 装回",
        )
    return Finding("名册防改", WELL, "已冻结的名册由数据库防改")


def divisions() -> Finding:
    from doudi.contexts.registry import services as registry

    whole = registry.divisions_whole()
    return Finding(
        "行政区划",
        WELL if whole else ADVICE,
        "到村" if whole else "只到县，乡镇和村显示为代码，请运行 make setup",
    )


BEFORE: tuple[Check, ...] = (disk, rights, keys, backup, worker, demonstration)
"""Need neither settings nor database."""
SET_UP: tuple[Check, ...] = (fonts, frontend, pack)
"""Need the settings."""
REACHED: tuple[Check, ...] = (database, migrations)
"""Each must be well before the next is asked."""
INSIDE: tuple[Check, ...] = (clock, loads, screens, outbox, audit, rosters, divisions)
"""Need a database at this version."""


def look(check: Check) -> Finding:
    """What a check found; one that stumbles is itself a finding."""
    try:
        return check()
    except Exception as problem:
        if isinstance(problem, DoudiError):
            return Finding(check.__name__, WRONG, problem.zh)
        return Finding(
            check.__name__, WRONG, f"检查本身出错：{type(problem).__name__}: {problem}，请把这行发给维护人员"
        )


def sign_of_life() -> None:
    """The worker's note that it is alive."""
    from doudi.house.keyring import write_aside

    note = {"at": datetime.now(UTC).isoformat(), "process": os.getpid()}
    write_aside(home().root / WORKER_SIGN, json.dumps(note).encode())
