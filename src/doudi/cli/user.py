"""``doudi user``: accounts."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office

app = typer.Typer(no_args_is_help=True, help="账号 accounts")


@app.callback()
def _group() -> None:
    """账号 accounts."""


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="登录名 / log-in name")],
    role: Annotated[str, typer.Option(help="county township department director auditor admin")],
    name: Annotated[str, typer.Option(help="姓名 / display name")] = "",
    region: Annotated[str, typer.Option(help="辖区代码前缀，空为全部 / region prefix, empty for all")] = "",
    department: Annotated[str, typer.Option(help="部门（部门用户必填）/ department")] = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """新建账号；密码从终端或标准输入读取 / open an account; the password is read from the terminal or standard input."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import Role, create_user, system_user

    if role not in set(Role):
        raise typer.BadParameter(f"角色只有 {'、'.join(Role)} / unknown role")
    password = (
        getpass.getpass("密码 / password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    )
    user = create_user(
        username=username,
        password=password,
        display_name=name,
        role=Role(role),
        region_code=region,
        department=department,
        by=system_user(),
    )
    answer({"username": user.username, "role": user.role}, as_json=as_json, words=f"已建账号 {user}")
