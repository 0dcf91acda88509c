"""The command line: parse, call one step of the chain, show.

``--json`` prints one object on standard output and nothing else there; words for people go to standard error.
Exit status 0 done, 1 refused or failed, 2 wrong use.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from doudi.cli.shell import say_error
from doudi.engine.errors import DoudiError

_GROUPS = {
    "feed": ("doudi.cli.feed", "部门数据：检查、装载 department feeds: check, load"),
    "screen": ("doudi.cli.screening:screen", "筛查全部家庭 screen every household"),
    "replay": ("doudi.cli.screening:replay", "重算一次旧的筛查 compute an old screen again"),
    "explain": ("doudi.cli.screening:explain", "解释一户 explain one household"),
    "export": ("doudi.cli.export", "导出 exports"),
    "simulate": ("doudi.cli.screening:simulate", "改标准会怎样 what if a standard changed"),
    "backtest": (
        "doudi.cli.backtest:backtest",
        "换一条预警线会怎样 what a warning's threshold would have raised",
    ),
    "doubts": ("doudi.cli.doubts", "疑点核查 doubts of an audit: find, report"),
    "roster": ("doudi.cli.roster", "发放名册 rosters: open, compute, tie-out, prove"),
    "care": ("doudi.cli.care", "救助服务 services: orders, settle"),
    "upward": ("doudi.cli.upward", "上报 reports to systems above: export, return, standing"),
    "pack": ("doudi.cli.pack", "政策包 policy packs: check, test, diff, show, new"),
    "verify": ("doudi.cli.verify", "核对 verification: list, reply, report, check"),
    "meals": ("doudi.cli.meals", "老年助餐 elderly meals: plan, price, route"),
    "charity": ("doudi.cli.charity", "慈善衔接 charity linkage: match"),
    "registry": ("doudi.cli.registry", "登记：查重 registry: duplicates"),
    "user": ("doudi.cli.user", "账号 accounts"),
    "audit": ("doudi.cli.audit", "审计日志 audit log"),
    "demo": ("doudi.cli.serving:demo", "演示 the demonstration"),
    "serve": ("doudi.cli.serving:serve", "启动工作台 serve the workbench"),
    "worker": (
        "doudi.cli.working:worker",
        "到期任务：时限提醒、外发消息 what is due: reminders, messages on their way out",
    ),
    "keys": ("doudi.cli.keys", "加密密钥：查看、轮换、销毁 keys: show, rotate, drop"),
    "backup": ("doudi.cli.keeping:backup", "备份 back everything up, encrypted and checked"),
    "restore": ("doudi.cli.keeping:restore", "从备份恢复 put a backup back"),
    "doctor": ("doudi.cli.doctor:doctor", "体检 tell what is wrong with this office's set-up"),
}


class _Lazy(TyperGroup):
    """Commands are imported when they are called: ``doudi pack check`` must not wait for a solver or a database."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_GROUPS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _GROUPS:
            return None
        module, _, attribute = _GROUPS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(module), attribute or "app")
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(name=cmd_name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_place, text) in _GROUPS.items()])


app = typer.Typer(
    cls=_Lazy,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="doudi 兜底：低收入人口监测预警、核对、分层分类救助、慈善衔接、老年助餐。",
)


@app.callback()
def _root() -> None:
    """doudi 兜底：低收入人口监测预警、核对、分层分类救助、慈善衔接、老年助餐。"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    told_plainly(lambda: app(arguments), arguments)


def told_plainly(work: Callable[[], Any], arguments: list[str]) -> Any:
    """Do ``work``; a refusal, a database that breaks off and a full disk are said in plain words, with exit status 1."""
    try:
        return work()
    except DoudiError as problem:
        _refuse(problem, arguments)
    except Exception as fault:
        from doudi.house.full_disk import disk_full

        if full := disk_full(fault):
            _refuse(full, arguments)
        if not _of_the_database(fault):
            raise
        said = (str(fault).strip().splitlines() or [type(fault).__name__])[0]
        _refuse(
            DoudiError(
                f"数据库没有完成这一步：{said}。没做完的已撤回。请确认数据库已启动、磁盘未满（doudi doctor），再运行同一命令。",
                f"The database did not end this step: {said}. What was not done is undone. See that the database runs "
                "and the disk has room (doudi doctor), then run the same command again.",
                code="database_failed",
                retry=True,
            ),
            arguments,
        )


def _refuse(problem: DoudiError, arguments: list[str]) -> NoReturn:
    say_error(problem)
    if "--json" in arguments:
        told = {"code": problem.code, "zh": problem.zh, "en": problem.en}
        print(json.dumps({"error": told}, ensure_ascii=False))
    sys.exit(1)


def _of_the_database(fault: Exception) -> bool:
    """Whether the database broke off: its session ended, it is down, locked or full. Nothing is imported to know that."""
    django_db, psycopg = sys.modules.get("django.db"), sys.modules.get("psycopg")
    kinds = [
        getattr(module, name)
        for module in (django_db, psycopg)
        if module
        for name in ("OperationalError", "InterfaceError")
    ]
    return isinstance(fault, tuple(kinds))
