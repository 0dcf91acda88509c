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


def _typed_password() -> str:
    return getpass.getpass("密码 / password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


@app.command(name="list")
def list_all(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """列出账号：角色、辖区、是否停用、最近登录 / every account: role, area, whether closed, last sign-in."""
    open_office(quiet=as_json)
    from django.utils import timezone

    from doudi.contexts.accounts.services import Role, system_user, users

    found = list(users(by=system_user()))
    told = [
        {
            "username": one.username, "name": one.display_name, "role": one.role, "region": one.region_code,
            "active": one.is_active, "second_factor": one.second_factor, "last_login": one.last_login,
        }
        for one in found
    ]  # fmt: skip
    lines = [
        "  ".join(
            (
                one.username,
                one.display_name,
                Role(one.role).label,
                one.region_code or "全部辖区",
                "在用" if one.is_active else "已停用",
                f"最近登录 {timezone.localtime(one.last_login):%Y-%m-%d %H:%M}"
                if one.last_login
                else "没有登录过",
            )
        )
        for one in found
    ]
    answer(
        {"users": told},
        as_json=as_json,
        words="\n".join(lines) or "还没有账号，请运行 doudi user add / no account yet",
    )


@app.command()
def password(
    username: Annotated[str, typer.Argument(help="账号 / account")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """重设密码，如管理员忘了自己的密码；从终端或标准输入读取 / a new password, read from the terminal or standard input."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import account, set_password, system_user

    account(username)  # a wrong name is told before a password is asked for
    done = set_password(username, _typed_password(), by=system_user())
    answer(
        {"username": done.username, "password_set": True},
        as_json=as_json,
        words=f"已重设 {done.username} 的密码，原来的登录已失效 / the password is set, earlier sessions are over",
    )


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="登录名 / log-in name")],
    role: Annotated[
        str,
        typer.Option(
            help="county township department director auditor admin verifier member charity canteen courier volunteer"
        ),
    ],
    name: Annotated[str, typer.Option(help="姓名 / display name")] = "",
    region: Annotated[str, typer.Option(help="辖区代码前缀，空为全部 / region prefix, empty for all")] = "",
    department: Annotated[str, typer.Option(help="部门（部门用户必填）/ department")] = "",
    organisation: Annotated[
        str, typer.Option(help="所属成员单位、慈善组织或助餐点的编号 / number of the own organisation")
    ] = "",
    keep_password: Annotated[
        bool,
        typer.Option(
            "--keep-password/--first-password",
            help="密码由本人设定，或首次登录须修改 / own password, or one to change at first sign-in",
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """新建账号；密码从终端或标准输入读取 / open an account; the password is read from the terminal or standard input."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import Role, create_user, system_user

    if role not in set(Role):
        raise typer.BadParameter(f"角色只有 {'、'.join(Role)} / unknown role")
    user = create_user(
        username=username,
        password=_typed_password(),
        display_name=name,
        role=Role(role),
        region_code=region,
        department=department,
        organisation=organisation,
        by=system_user(),
        first_password=not keep_password,
    )
    answer({"username": user.username, "role": user.role}, as_json=as_json, words=f"已建账号 {user}")


@app.command()
def key(
    username: Annotated[str, typer.Argument(help="密钥归谁 / the account it acts for")],
    label: Annotated[str, typer.Option(help="用途，如 医保系统 / what it is for")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="可办事项，可多次，如 view_referrals / acts, repeatable")
    ],
    days: Annotated[int, typer.Option(help="有效天数 / days", min=1, max=366)] = 90,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """给一个程序发接口密钥；只显示这一次 / make an API key for a program; it is shown once."""
    open_office(quiet=as_json)
    from datetime import timedelta

    from django.utils import timezone

    from doudi.contexts.accounts.services import Act, account, create_api_key, system_user

    wrong = [name for name in scope if name not in set(Act)]
    if wrong:
        raise typer.BadParameter(f"没有事项 {'、'.join(wrong)}；可用 / known: {', '.join(Act)}")
    made = create_api_key(
        account(username),
        label=label,
        scopes=[Act(name) for name in scope],
        expires_at=timezone.now() + timedelta(days=days),
        by=system_user(),
    )
    answer(
        {"key": made.text, "prefix": made.key.prefix, "expires_at": made.key.expires_at},
        as_json=as_json,
        words=f"{made.text}\n请立即保存，以后不再显示。到 {made.key.expires_at:%Y-%m-%d} 为止 / save it now, it is not shown again",
    )


@app.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="密钥开头 / the key's prefix")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """收回接口密钥 / revoke an API key."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import revoke_api_key, system_user

    revoked = revoke_api_key(prefix, by=system_user())
    answer({"prefix": revoked.prefix, "revoked": True}, as_json=as_json, words=f"已收回 {revoked.prefix}")


@app.command()
def close(
    username: Annotated[str, typer.Argument(help="账号 / account")],
    hand_to: Annotated[
        str, typer.Option("--hand-to", help="先把未办完的工作交给谁 / who takes the open work first")
    ] = "",
    ground: Annotated[str, typer.Option(help="交接理由 / why the work changes hands")] = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """停用账号；名下还有未办完的预警时先交接 / close an account; open work is handed over first."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    done = chain.close_account(username, hand_to=hand_to, ground=ground, by=system_user())
    answer(
        {"username": done.username, "closed": True},
        as_json=as_json,
        words=f"已停用 {done.username} / closed",
    )
