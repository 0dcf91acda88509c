"""``doudi worker``: what is due, in one loop; no other service is needed."""

from __future__ import annotations

import signal
import threading
from typing import Annotated, Any

import typer

from doudi.cli.shell import answer, console, open_office


def worker(
    once: Annotated[bool, typer.Option("--once", help="做完到期的就退出 / do what is due and leave")] = False,
    every: Annotated[
        int, typer.Option(help="每隔几秒看一次 / seconds between two looks", min=1, max=3600)
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """做到期的事：时限提醒、外发消息重试、清除过期文件；可同时开几个，随时可停 / do what is due: reminders of limits,
    messages that go out again, files past their time; several may run, each may be stopped at any time."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.cli.checks import sign_of_life

    stop = threading.Event()
    if once:
        done = chain.run_jobs()
        sign_of_life()
        answer(done, as_json=as_json, words=_said(done))
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console.print(
        f"每 {every} 秒看一次到期的事，Ctrl+C 停 / looking every {every} s, Ctrl+C stops", style="dim"
    )
    while not stop.is_set():
        _look(as_json)
        stop.wait(every)


def _look(as_json: bool) -> None:
    """One look; a database that is away for a while, or a full disk, is tried again at the next."""
    from django.db import DatabaseError, close_old_connections

    from doudi import chain
    from doudi.cli.checks import sign_of_life
    from doudi.house.full_disk import disk_full

    try:
        done = chain.run_jobs()
        sign_of_life()
    except (DatabaseError, OSError, RuntimeError) as problem:
        if disk_full(problem):
            console.print(
                "磁盘已满，清理后会接着办 / the disk is full; work goes on when it has room", style="red"
            )
        elif isinstance(problem, DatabaseError):
            console.print(
                f"数据库暂时不可用，下次再试 / database unavailable, tried again: {problem}", style="red"
            )
        else:
            raise
    else:
        if any(done.values()):
            answer(done, as_json=as_json, words=_said(done))
    finally:
        close_old_connections()


def _said(done: dict[str, Any]) -> str:
    from doudi.chain import JOB_LABELS

    return "，".join(f"{JOB_LABELS[key]} {count}" for key, count in done.items())
