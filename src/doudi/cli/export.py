"""``doudi export``: results out as files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office, parse_date

app = typer.Typer(no_args_is_help=True, help="导出 exports")


@app.callback()
def _group() -> None:
    """导出 exports."""


@app.command()
def screening(
    as_of: Annotated[
        date, typer.Option("--as-of", parser=parse_date, help="数据日期 / as-of date", metavar="DATE")
    ],
    to: Annotated[Path, typer.Option("--to", help="写到 / file to write")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """导出一次筛查的结果（UTF-8 CSV，每户一行）/ the result of a screen, one row per household."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    rows = chain.export_screening(as_of=as_of, to=to, by=system_user())
    answer({"rows": rows, "to": str(to)}, as_json=as_json, words=f"已导出 {rows} 户到 {to}")
