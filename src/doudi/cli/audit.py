"""``doudi audit``: is the log whole."""

from __future__ import annotations

from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office

app = typer.Typer(no_args_is_help=True, help="审计日志 audit log")


@app.callback()
def _group() -> None:
    """审计日志 audit log."""


@app.command()
def verify(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """核对审计链：改动、删除或插入的条目会被找出来 / find a changed, removed or inserted entry."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import verify_audit

    report = verify_audit()
    answer(
        {"entries": report.entries, "whole": report.whole, "first_break": report.first_break},
        as_json=as_json,
        words=f"{report.entries} 条，"
        + (
            "链条完整 / whole"
            if report.whole
            else f"第 {report.first_break} 条处断开 / broken at {report.first_break}"
        ),
    )
    if not report.whole:
        raise typer.Exit(1)
