"""``doudi care``: orders of services for a program, and a provider's month. Checking and paying are for two more people."""

from __future__ import annotations

from typing import Annotated

import typer

from doudi.cli.roster import Json, Month, Region
from doudi.cli.shell import answer, open_office
from doudi.engine.money import show_yuan

app = typer.Typer(no_args_is_help=True, help="救助服务 services: orders, settle")


@app.callback()
def _group() -> None:
    """救助服务 services."""


@app.command()
def orders(
    region: Annotated[str, typer.Option("--region", help="区划代码开头 / beginning of the area code")] = "",
    state: Annotated[str, typer.Option("--state", help="ordered、assigned、ended")] = "",
    as_json: Json = False,
) -> None:
    """服务单和剩余数量，不含姓名和地址 / orders with what is left of each, without names and addresses."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.assistance import care

    found = care.care_orders(by=system_user(), state=state).filter(region_code__startswith=region)
    rows = [
        {
            "number": row.number,
            "item": row.item,
            "state": row.state,
            "provider": row.provider,
            "starts_on": row.starts_on,
            "ends_on": row.ends_on,
            "units": row.units,
            "left": row.units - care.used_units(row),
        }
        for row in found
    ]
    words = "\n".join(
        f"{row['number']} {row['item']} {row['state']} 剩 {row['left']}/{row['units']}" for row in rows
    )
    answer({"orders": rows}, as_json=as_json, words=words or "没有服务单")


@app.command()
def settle(
    region: Region,
    provider: Annotated[str, typer.Option("--provider", help="服务机构编号 / provider")],
    month: Month,
    as_json: Json = False,
) -> None:
    """按服务凭证编制一个机构的月结算；复核、拨付由另外两人办 / a month from proofs; two more people check and pay."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.assistance import care

    made = care.settle_care(region_code=region, provider=provider, month=month, by=system_user())
    answer(
        {
            "settlement": made.number,
            "state": made.state,
            "due_fen": made.due_fen,
            "lines": made.lines.count(),
        },
        as_json=as_json,
        words=f"服务结算 {made.number}：应拨 {show_yuan(made.due_fen)}。请另一人复核。",
    )
