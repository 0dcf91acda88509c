"""``doudi upward``: a month in the layout of a system above, its return file, and whether everything is settled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from doudi.cli.roster import Json, Month, Region
from doudi.cli.shell import answer, open_office
from doudi.engine.money import show_yuan

app = typer.Typer(no_args_is_help=True, help="上报 reports to systems above: export, return, standing")

Code = Annotated[str, typer.Argument(help="上报包的码，见政策包 upward.yaml / layout of upward.yaml")]
Report = Annotated[str, typer.Argument(help="上报编号 / report")]


@app.callback()
def _group() -> None:
    """上报 reports to systems above."""


@app.command()
def export(
    code: Code,
    region: Region,
    month: Month,
    to: Annotated[Path, typer.Option("--to", help="存到哪个文件夹 / folder", file_okay=False)] = Path(),
    as_json: Json = False,
) -> None:
    """按上级系统的版式导出当月还没有上报或被退回的行 / what a month has that was not accepted yet, in the layout."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    by = system_user()
    made = chain.make_upward(code=code, region_code=region, month=month, by=by)
    content, name = chain.upward_file(made.number, by=by)
    to.mkdir(parents=True, exist_ok=True)
    (to / name).write_bytes(content)
    answer(
        {
            "report": made.number,
            "file": str(to / name),
            "rows": made.count,
            "held": made.held_count,
            "total_fen": made.total_fen,
            "sha256": made.sha256,
        },
        as_json=as_json,
        words=f"上报 {made.number}：{made.count} 行，{show_yuan(made.total_fen)}，缺项 {made.held_count} 行。文件 {to / name}",
    )


@app.command(name="return")
def take_return(
    number: Report,
    file: Annotated[
        Path, typer.Argument(help="上级系统的回执文件 / return file", exists=True, dir_okay=False)
    ],
    as_json: Json = False,
) -> None:
    """登记上级系统的回执；同一份再登记一次没有变化 / take a return file in; the same one again changes nothing."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    made = chain.take_upward_return(number, file, file_name=file.name, by=system_user())
    answer(
        {"report": number, "accepted": made.accepted_count, "rejected": made.rejected_count},
        as_json=as_json,
        words=f"{number}：接受 {made.accepted_count} 行，退回 {made.rejected_count} 行",
    )


@app.command()
def standing(code: Code, region: Region, month: Month, as_json: Json = False) -> None:
    """核销对账：来源的每一行现在怎样；对不上时退出码为 1 / where each row of the source stands; exit 1 where it differs."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    found = chain.upward_standing(code=code, region_code=region, month=month, by=system_user())
    states = {name or "not_reported": count for name, (count, _fen) in found.states.items()}
    answer(
        {
            "rows": found.source[0],
            "total_fen": found.source[1],
            "states": states,
            "strays": list(found.strays),
            "whole": found.whole,
            "settled": found.settled,
        },
        as_json=as_json,
        words=f"{found.source[0]} 行，{'相符' if found.whole else '不符'}，{'全部办清' if found.settled else '还有未办清的'}",
    )
    if not found.whole:
        raise typer.Exit(1)
