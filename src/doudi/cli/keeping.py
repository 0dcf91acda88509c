"""``doudi backup`` and ``doudi restore``: the office in one encrypted file, and back."""

from __future__ import annotations

import getpass
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office
from doudi.house.backup import KeyGiven, check_backup, lock_of, newest, restore_backup


def backup(
    dest: Annotated[str, typer.Argument(help="备份文件，或放备份的文件夹 / a new file, or a folder")],
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="用口令加密，从终端或标准输入读取 / lock with a passphrase")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="用这个密钥文件，没有就新建 / this key file, made if it is not there")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """备份整个办公室：数据库、状态目录、密钥，加密并复核；可以边用边备 / back up everything, encrypted and checked, while
    people go on working. 不写口令和密钥文件时用本账号的备份密钥（~/.config/doudi/backup.key）。"""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    given = KeyGiven.from_environment(key_file=key_file)
    if passphrase:
        given = KeyGiven(passphrase=_ask(twice=True))
    made = chain.back_up(dest, given=given, by=system_user())
    if made.key.fresh:
        print(
            f"新建了备份密钥 {made.key.place}。机器坏了就靠它恢复，请现在抄下或另存到安全处：\n"
            f"A backup key was made. It alone opens the backups; write it down or keep a copy elsewhere, now:\n\n    {made.key.text}\n",
            file=sys.stderr,
        )
    if made.inside_home:
        print(
            "备份放在状态目录里，磁盘坏了会一起丢失；请另存到别的机器或移动硬盘。"
            " The backup lies in the state folder and would be lost with it; copy it elsewhere.",
            file=sys.stderr,
        )
    told = {
        "file": str(made.file),
        "bytes": made.size,
        "sha256": made.sha256,
        "files": made.files,
        "database": made.database,
        "verified": True,
        "locked_with": made.key.lock["kind"],
        "key_file": str(made.key.place) if made.key.place else None,
        "seconds": made.seconds,
    }
    answer(
        told,
        as_json=as_json,
        words=f"已备份到 {made.file}（{made.files} 个文件，{made.size / (1 << 20):.1f} MiB），写完后已逐项复核 / written and checked\n"
        + (f"备份密钥 / key: {made.key.place}" if made.key.place else ""),
    )


def restore(
    src: Annotated[
        Path, typer.Argument(help="备份文件，或放备份的文件夹（取最新一份）/ a backup, or a folder")
    ],
    key_file: Annotated[Path | None, typer.Option(help="备份密钥文件 / key file")] = None,
    key: Annotated[str, typer.Option(help="抄下的备份密钥 / the key as it was written down")] = "",
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="口令从终端或标准输入读取 / read the passphrase")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="只从头到尾检查，不恢复 / read and check only")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """把备份恢复到空的状态目录：先整份检查，再放回原处；中途断电不会留下半个办公室 / put a backup back into an empty state
    folder: all of it is checked first, and a restore that is killed leaves nothing half done."""
    source = newest(src)
    given = KeyGiven.from_environment(key_file=key_file, key_text=key)
    if passphrase or (
        lock_of(source).get("kind") == "passphrase" and not given.passphrase and sys.stdin.isatty()
    ):
        given = replace(given, passphrase=_ask(twice=False))
    if check:
        told = check_backup(source, given=given)
        answer(
            {"file": str(told.file), "made_at": told.made_at, "version": told.version, "database": told.database,
             "files": told.files, "bytes": told.size, "whole": True},
            as_json=as_json,
            words=f"{told.file} 完整：{told.files} 个文件，{_local(told.made_at)} 制作 / whole",
        )  # fmt: skip
        return
    told = restore_backup(source, given=given)
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user
    from doudi.house.paths import home

    report = chain.settle_restored(told, by=system_user())
    answer(
        {"file": str(told.file), "home": str(home().root), "made_at": told.made_at, "version": told.version,
         "database": told.database, "files": told.files, "bytes": told.size, "seconds": told.seconds,
         "audit_entries": report.entries, "audit_whole": report.whole},
        as_json=as_json,
        words=f"已恢复到 {home().root}：{told.files} 个文件，备份制作于 {_local(told.made_at)}；审计链 {report.entries} 条，"
        + ("完整 / restored, the log is whole" if report.whole else f"第 {report.first_break} 条处断开 / the log is broken"),
    )  # fmt: skip
    if not report.whole:
        raise typer.Exit(1)


def _local(made_at: str) -> str:
    """The moment by this machine's clock, as people read it."""
    return f"{datetime.fromisoformat(made_at).astimezone():%Y-%m-%d %H:%M}"


def _ask(*, twice: bool) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("备份口令 / passphrase: ")
    if twice and getpass.getpass("再输一遍 / again: ") != first:
        raise typer.BadParameter("两次输入的口令不一样 / the two differ")
    return first
