"""``doudi charity``: match needs with charity projects (政府救助与慈善帮扶衔接)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from doudi.engine.matching import Assignment, first_come, match, read_eligible, read_needs, read_projects
from doudi.engine.matching.lists import money_unit

app = typer.Typer(
    help="慈善衔接：把需求与慈善项目配对 · Match needs with charity projects", no_args_is_help=True
)


@app.callback()
def charity() -> None:
    """慈善衔接 · Charity linkage."""


@app.command("match")
def match_needs(
    needs: Annotated[
        Path, typer.Option(help="需求表 · needs: id, tier, amount, region, kind, group, waiting_days")
    ],
    projects: Annotated[
        Path,
        typer.Option(help="项目表 · projects: id, places, budget, region, kinds, groups, interested_persons"),
    ],
    eligible: Annotated[
        Path | None, typer.Option(help="可选名单，代替内置条件 · eligible pairs: need_id, project_id, fit")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=1.0, help="有预算时的搜索秒数 · seconds to search when budgets bind")
    ] = 20.0,
    compare: Annotated[
        bool, typer.Option(help="同时给出先到先得的结果 · also report a first-come list")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON · one JSON object on standard output")
    ] = False,
) -> None:
    """按紧急程度、契合度、等候时间提出配对建议，由人决定 · Propose pairs; a person decides."""
    started = time.monotonic()
    unit = money_unit(needs, projects)
    asking, offering = read_needs(needs, unit=unit), read_projects(projects, unit=unit)
    offers = read_eligible(eligible, asking, offering) if eligible else None
    found = match(asking, offering, offers, time_limit=time_limit)
    beside = first_come(asking, offering, offers) if compare else None
    if as_json:
        _write_json(found, sys.stdout, unit=unit, beside=beside, seconds=time.monotonic() - started)
    else:
        _write_table(found, beside)


def _write_json(
    found: Assignment, out: TextIO, *, unit: int, beside: Mapping[int, int] | None, seconds: float
) -> None:
    """One JSON object, written pair by pair: the sentences of 200,000 needs need not stand in memory at once."""

    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    def join(name: str, rows: Any) -> None:
        out.write(f"{dump(name)}: [")
        for number, row in enumerate(rows):
            out.write((", " if number else "") + dump(row))
        out.write("], ")

    out.write("{")
    join(
        "pairs",
        (
            {
                "need": pair.need,
                "project": pair.project,
                "amount": _sum(pair.amount, unit),
                "fit": pair.fit,
                "why": why,
            }
            for pair, why in found.why_served()
        ),
    )
    join("unserved", ({"need": need, "why": why} for need, why in found.why_unserved()))
    rest: dict[str, Any] = {
        "served_by_tier": {str(tier): number for tier, number in found.served_by_tier.items()},
        "optimal": found.optimal,
        "optimal_tiers": found.optimal_tiers,
        "bound": found.bound,
        "bound_by_tier": {str(tier): number for tier, number in found.bound_by_tier.items()},
        "gap": round(found.gap, 6),
        "total_fit": found.total_fit,
        "cut_short": found.cut_short,
        "seconds": round(seconds, 3),
    }
    if beside is not None:
        rest["first_come_by_tier"] = {str(tier): number for tier, number in beside.items()}
    out.write(dump(rest)[1:] + "\n")


def _sum(amount: int | None, unit: int) -> int | float | None:
    return amount if amount is None or unit == 1 else amount / unit


def _write_table(found: Assignment, beside: Mapping[int, int] | None) -> None:
    console = Console()
    table = Table("需求 need", "项目 project", "理由 why")
    for pair, why in found.why_served():
        table.add_row(pair.need, pair.project, why)
    for need, why in found.why_unserved():
        table.add_row(need, "—", why)
    console.print(table)
    for tier, number in found.served_by_tier.items():
        first = "" if beside is None else f"，先到先得 first come {beside.get(tier, 0)}"
        console.print(f"第{tier}档 tier {tier}: {number} / ≤ {found.bound_by_tier[tier]}{first}")
    state = "已证明最优 proven optimal" if found.optimal else f"未证明最优，差距 gap {found.gap:.2%}"
    console.print(f"{state}。这是建议，由人决定 · A proposal: a person decides.")
