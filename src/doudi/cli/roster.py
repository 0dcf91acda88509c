"""``doudi roster``: reckon a month, tie out, prove. Checking and paying are for two more people, at the workbench."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from doudi.cli.shell import answer, open_office, parse_date
from doudi.engine.money import show_yuan

app = typer.Typer(no_args_is_help=True, help="发放名册 rosters: open, compute, tie-out, prove")

Json = Annotated[bool, typer.Option("--json", help="一个 JSON 对象到标准输出 / one JSON object on stdout")]
Region = Annotated[str, typer.Option("--region", help="县级区划代码 / county code, six digits")]


def _month(text: str) -> date:
    return parse_date(f"{text}-01" if text.count("-") == 1 else text).replace(day=1)


Month = Annotated[
    date, typer.Option("--month", parser=_month, metavar="MONTH", help="发放月，如 2024-12 / month paid for")
]


@app.callback()
def _group() -> None:
    """发放名册 rosters."""


@app.command(name="open")
def open_books(
    region: Region,
    month: Month,
    document: Annotated[str, typer.Option("--document", help="开账依据文号 / document")],
    as_json: Json = False,
) -> None:
    """开账：把花名册现有享受对象登记为待遇决定 / take the present recipients over as decisions."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    done = chain.open_books(region_code=region, month=month, decision_no=document, by=system_user())
    answer(
        {"recorded": dict(done.recorded), "no_income": list(done.no_income), "above": list(done.above)},
        as_json=as_json,
        words=f"登记 {sum(done.recorded.values())} 户；没有收入 {len(done.no_income)} 户、应发为零 {len(done.above)} 户未登记",
    )


@app.command()
def compute(region: Region, month: Month, as_json: Json = False) -> None:
    """计算一个县一个月的名册；核对冻结和发放须由另外两人在工作台办 / reckon a county's month; two more people check and pay."""
    open_office(quiet=as_json)
    from doudi import chain
    from doudi.contexts.accounts.services import system_user

    made = chain.compute_roster(region_code=region, month=month, by=system_user())
    answer(
        {
            "roster": made.number,
            "month": f"{made.month:%Y-%m}",
            "rows": made.rows_count,
            "payees": made.payees,
            "held": made.held_count,
            "total_fen": made.total_fen,
            "sha256": made.sha256,
        },
        as_json=as_json,
        words=f"名册 {made.number}：{made.payees} 个对象，{show_yuan(made.total_fen)}，待核 {made.held_count} 行。请另一人核对。",
    )


@app.command(name="tie-out")
def tie_out(number: Annotated[str, typer.Argument(help="名册编号 / roster")], as_json: Json = False) -> None:
    """三方核对一份名册：名册、代发、回盘；对不上时退出码为 1 / roster, bank file and returns; exit 1 where they differ."""
    open_office(quiet=as_json)
    from doudi.contexts.accounts.services import system_user
    from doudi.contexts.assistance import payroll

    by = system_user()
    roster = payroll.roster_of(number, by=by)
    found, same = payroll.tie_out(roster, by=by), payroll.proved(roster)
    answer(
        {
            "roster": number,
            "whole": found.whole,
            "rows_unchanged": same,
            "settled": found.settled,
            "roster_fen": found.roster_fen,
            "paid_fen": found.paid_fen,
            "sent_fen": found.sent_fen,
            "failed_fen": found.failed_fen,
            "unsent_fen": found.unsent_fen,
        },
        as_json=as_json,
        words=f"名册 {show_yuan(found.roster_fen)} = 已发放 {show_yuan(found.paid_fen)} + 在途 {show_yuan(found.sent_fen)}"
        f" + 失败 {show_yuan(found.failed_fen)} + 未送 {show_yuan(found.unsent_fen)}："
        f"{'相符' if found.whole else '不符'}；名册行{'未被改动' if same else '与冻结时不同'}",
    )
    if not (found.whole and same):
        raise typer.Exit(1)


@app.command()
def prove(region: Region, as_json: Json = False) -> None:
    """核对发放账与全部名册、代发、回盘；不符时退出码为 1 / the payment ledger against rosters and returns; exit 1 where it differs."""
    open_office(quiet=as_json)
    from doudi.contexts.assistance import payroll

    found, up = payroll.prove_ledger(region), payroll.guarded()
    answer(
        {"region": region, "whole": found.whole, "faults": list(found.faults), "guarded": up},
        as_json=as_json,
        words=("账实相符" if found.whole else "；".join(found.faults))
        + ("" if up else "；数据库触发器不在，请运行 doudi doctor"),
    )
    if not (found.whole and up):
        raise typer.Exit(1)
