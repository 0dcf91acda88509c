"""``doudi verify``: query lists out, replies in, reports out and checked again."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from doudi.cli.shell import answer, console, open_office, parse_date
from doudi.engine.errors import DoudiError

app = typer.Typer(no_args_is_help=True, help="家庭经济状况核对 household economic-status verification")
Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]
As = Annotated[
    str, typer.Option("--as", help="以哪个账号的身份办理 / the account that acts", metavar="ACCOUNT")
]


@app.callback()
def _group() -> None:
    """家庭经济状况核对 household economic-status verification."""


def _acting(name: str) -> Any:
    from doudi.contexts.accounts.services import account

    return account(name)


@app.command("list")
def query_list(
    source: Annotated[str, typer.Argument(help="来源代码 / source code")],
    to: Annotated[Path, typer.Option("--to", help="写到哪个文件 / where to write the workbook")],
    acting: As,
    as_json: Json = False,
) -> None:
    """待查询名单，按来源部门自己的表样 / a source's open queries in its own layout."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.house.keyring import write_aside

    batch, content = chain.query_list(source, by=_acting(acting))
    write_aside(to, content)
    told = {"batch": batch.number, "source": source, "queries": batch.queries.count(), "file": str(to)}
    answer(told, as_json=as_json, words=f"{told['queries']} 项查询 → {to}（批次 {batch.number}）")


@app.command()
def reply(
    source: Annotated[str, typer.Argument(help="来源代码 / source code")],
    file: Annotated[Path, typer.Argument(help="部门回复的文件 / the department's reply")],
    as_of: Annotated[
        date, typer.Option("--as-of", parser=parse_date, metavar="DATE", help="数据日期 / as-of date")
    ],
    acting: As,
    incomplete: Annotated[bool, typer.Option("--incomplete", help="没有的人还没查完，不算查无")] = False,
    as_json: Json = False,
) -> None:
    """部门回复入库：对上在查的人，其余不留 / take a reply in; who was not asked for is not kept."""
    open_office(quiet=as_json)
    from doudi import chain

    outcome = chain.take_reply(source, file, as_of=as_of, by=_acting(acting), complete=not incomplete)
    told = {
        "answered": outcome.answered,
        "with_rows": outcome.with_rows,
        "no_record": outcome.no_record,
        "not_asked_for": outcome.not_asked_for,
        "quarantined": outcome.quarantined,
        "late": outcome.late,
    }
    answer(
        told,
        as_json=as_json,
        words=f"回复 {outcome.answered} 项（查得 {outcome.with_rows}，查无 {outcome.no_record}），"
        f"未委托的人 {outcome.not_asked_for} 行不留，坏行 {outcome.quarantined}",
    )


@app.command()
def report(
    number: Annotated[str, typer.Argument(help="报告编号 / report number")],
    to: Annotated[Path, typer.Option("--to", help="写到哪个文件 / where to write the canonical JSON")],
    acting: As,
) -> None:
    """报告的规范 JSON，供存档和查验 / a report's canonical JSON, to keep and to check."""
    open_office()
    from doudi import chain
    from doudi.house.keyring import write_aside

    write_aside(to, chain.report_file(number, by=_acting(acting)))
    console.print(f"{number} → {to}")


@app.command()
def check(
    report: Annotated[
        str, typer.Argument(help="报告编号，或报告的规范 JSON 文件 / number or canonical JSON file")
    ],
    as_json: Json = False,
) -> None:
    """用当年的证据和政策包重算报告 / compute a report again from its evidence and the pack of then."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    given, number = None, report
    if Path(report).is_file():
        given = Path(report).read_bytes()
        number = _number_in(given, report)
    checked = chain.check_report(number, by=system_user(), given=given)
    lines = [f"{line['path']}：{line['stored']} ≠ {line['recomputed']}" for line in checked.differences]
    words = (
        f"{checked.number} 一致 / equal"
        if checked.equal
        else "\n".join([f"{checked.number} 不一致 / differs", *lines])
    )
    answer(checked.to_json(), as_json=as_json, words=words)
    if not checked.equal:
        raise typer.Exit(1)


def _number_in(content: bytes, name: str) -> str:
    try:
        return str(json.loads(content)["recorded"]["number"])
    except (ValueError, KeyError, TypeError):
        raise DoudiError(
            f"{name} 不是核对报告的规范 JSON 文件。请给报告编号，或 doudi verify report 写出的文件。",
            f"{name} is not a report's canonical JSON; give a report number or a file of doudi verify report.",
            code="report_unreadable",
        ) from None
