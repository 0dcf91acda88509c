"""``doudi demo`` and ``doudi serve``: the workbench on this machine."""

from __future__ import annotations

import multiprocessing
import os
import resource
import socket
from typing import Annotated

import typer

from doudi.cli.shell import console, open_office
from doudi.engine.errors import DoudiError

OPEN_CONNECTIONS = 10_000
"""How many a process holds open. A browser keeps its own for half a minute after a page; granian alone would hold 1,024 in all,
and whoever came then waited until another's ended, with the server idle."""


def demo(
    port: Annotated[int, typer.Option(help="端口 / port", min=1, max=65535)] = 8000,
    serve_it: Annotated[
        bool, typer.Option("--serve/--no-serve", help="只准备，不启动网页 / prepare only")
    ] = True,
) -> None:
    """演示：虚构县的数据、筛查、预警和每个角色一个账号 / the demonstration: an invented county and one account per role."""
    os.environ["DOUDI_DEMO"] = "true"
    if serve_it:
        _port_is_free(port)
    open_office()
    from doudi.cli.demonstration import prepare, welcome

    prepare()
    welcome(port if serve_it else None)
    if serve_it:
        _serve("127.0.0.1", port, workers=1)


def serve(
    host: Annotated[str, typer.Option(help="监听地址 / address")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="端口 / port", min=1, max=65535)] = 8000,
    workers: Annotated[
        int | None,
        typer.Option(help="进程数，不写则 SQLite 一个、PostgreSQL 每核一个（至少两个）/ processes", min=1),
    ] = None,
) -> None:
    """启动工作台；没有任何已知密码的账号 / serve the workbench; no account has a known password."""
    _port_is_free(port, host)
    open_office()
    from doudi.cli.demonstration import is_demonstration

    if is_demonstration():
        raise DoudiError(
            "这个状态目录是演示用的，里面的账号密码是公开的。正式使用请把 DOUDI_HOME 设为另一个空目录；看演示请用 doudi demo。",
            "This state folder is a demonstration and its passwords are public. Set DOUDI_HOME to another, empty folder, "
            "or run doudi demo.",
            code="demonstration",
        )
    console.print(f"工作台 / workbench: http://{host}:{port}/")
    _serve(host, port, workers=workers or usual_workers())


def usual_workers() -> int:
    """One process on SQLite, where writers wait for each other; on PostgreSQL one for each core, two to eight.

    Python works on one page at a time in each process, so a single one leaves the other cores idle and every page waits
    behind the longest.
    """
    from django.db import connection

    return 1 if connection.vendor == "sqlite" else min(max(2, os.cpu_count() or 1), 8)


def _port_is_free(port: int, host: str = "127.0.0.1") -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise DoudiError(
                f"端口 {port} 已被占用。请换一个，例如 make demo PORT={port + 1}。",
                f"Port {port} is taken; choose another, e.g. make demo PORT={port + 1}.",
                code="port_taken",
                retry=True,
            ) from None


def _allow_open_files(count: int) -> None:
    """Each connection is an open file: raise this process's own limit as far as the machine lets it."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if most == resource.RLIM_INFINITY else min(count, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _serve(host: str, port: int, *, workers: int) -> None:
    from django.db import connections
    from granian import Granian
    from granian.constants import Interfaces

    connections.close_all()
    # a forked process would have DuckDB's sessions of this one without the threads that work for them, and wait for ever
    multiprocessing.set_start_method("spawn", force=True)
    _allow_open_files(2 * OPEN_CONNECTIONS)
    Granian(
        "doudi.web.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=4,
        backlog=4096,
        backpressure=OPEN_CONNECTIONS,
        log_access=False,
    ).serve()
