"""``doudi meals plan``: where to open meal places (助餐点选址)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from doudi.engine.siting import Aim, CoordinateSystem, Model, Plan, plan_sites, reach_of, read_lists


def plan(
    demand: Annotated[
        Path, typer.Option(help="需求点 · demand: id, lon, lat, weight[, hard, group, radius]")
    ],
    candidates: Annotated[
        Path, typer.Option(help="候选点 · candidates: id, lon, lat[, capacity, cost, group]")
    ],
    model: Annotated[
        Model,
        typer.Option(
            help="最大覆盖 coverage、总距离最短 median、全覆盖最少点 cover-all · the aim of the plan"
        ),
    ],
    radius: Annotated[
        float | None,
        typer.Option(min=0.0, help="服务半径，米（路面距离）· service radius, metres on the ground"),
    ] = None,
    sites: Annotated[
        int | None,
        typer.Option(min=1, help="最多开几个点，含保留点 · at most so many sites, fixed ones counted"),
    ] = None,
    distances: Annotated[
        Path | None,
        typer.Option(
            help="距离表，代替坐标 · table instead of coordinates: demand_id, candidate_id, distance"
        ),
    ] = None,
    fixed: Annotated[Path | None, typer.Option(help="保留的现有点 · sites kept: candidate_id")] = None,
    floors: Annotated[
        Path | None, typer.Option(help="分组上下限 · duties per candidate group: group, at_least, at_most")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0.0, help="预算，单位同 cost 列 · greatest total cost, unit of cost")
    ] = None,
    detour: Annotated[
        float, typer.Option(min=1.0, help="绕行系数 · detour factor on the great circle")
    ] = 1.3,
    coordinates: Annotated[
        CoordinateSystem, typer.Option(help="经纬度的坐标系 · the system of lon and lat")
    ] = CoordinateSystem.WGS84,
    leave_out_unreachable: Annotated[
        bool,
        typer.Option(
            "--leave-out-unreachable",
            help="cover-all 时略过任何候选点都到不了的需求点 · cover-all passes over points out of all reach",
        ),
    ] = False,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=1.0, help="总秒数，读表在内，默认 50，median 100 · seconds in all, reading included"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON · one JSON object on standard output")
    ] = False,
) -> None:
    """规划助餐点：开哪些点、谁去哪个点、离最优还差多少 · Plan meal places, with a proven gap."""
    started = time.monotonic()
    if sites is None and model is not Model.COVER_ALL:
        raise typer.BadParameter(f"--model {model} 要给 --sites · needs --sites", param_hint="--sites")
    lists = read_lists(
        demand, candidates, fixed=fixed, floors=floors, system=None if distances else coordinates
    )
    everyone_has_a_radius = not any(value != value for value in lists.demand.radius.tolist())
    if radius is None and model is not Model.MEDIAN and distances is None and not everyone_has_a_radius:
        raise typer.BadParameter(
            f"--model {model} 要给 --radius（米），或给距离表 · needs --radius in metres or a distance table",
            param_hint="--radius",
        )
    reach = reach_of(lists, radius=radius, detour=detour, distances=distances)
    made = plan_sites(
        model,
        lists.demand,
        lists.candidates,
        reach,
        sites=sites,
        fixed=lists.fixed,
        floors=lists.floors,
        budget=budget,
        leave_out_unreachable=leave_out_unreachable,
        time_limit=time_limit or (100.0 if model is Model.MEDIAN else 50.0),
        started=started,
    )
    if as_json:
        json.dump(as_answer(made), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _show(made)


def as_answer(made: Plan) -> dict[str, Any]:
    """The plan as the object that programs read."""
    return {
        "model": str(made.model),
        "status": made.status,
        "objective": _plain(made.objective),
        "bound": _plain(made.bound),
        "gap": made.gap,
        "sites": made.sites,
        "assignment": made.assignment,
        "covered_weight": _plain(made.covered_weight),
        "total_weight": _plain(made.total_weight),
        "seconds": round(made.seconds, 3),
        "why": made.why,
        "mean_distance": made.mean_metres,
        "groups": {
            name: {"covered_weight": _plain(part.covered), "total_weight": _plain(part.total)}
            for name, part in made.groups.items()
        },
        "objectives": [
            {"aim": str(step.aim), "value": _plain(step.value), "bound": _plain(step.bound), "gap": step.gap}
            for step in made.steps
        ],
    }


def _plain(value: float | None) -> float | int | None:
    """A whole number without its ``.0``: people are counted."""
    return int(value) if value is not None and value == int(value) and abs(value) < 2**53 else value


_AIMS = {
    Aim.HARD: "先 first: 困难老人 in difficulty",
    Aim.ALL: "再 then: 全部老人 all elders",
    Aim.DISTANCE: "再 then: 人均路程（米） metres a person",
    Aim.COST: "再 then: 费用 cost",
}


def _show(made: Plan) -> None:
    say = Console()
    words = {
        "optimal": "已证明最优 optimal",
        "feasible": "可行，未证明最优 feasible",
        "infeasible": "无解 infeasible",
    }
    say.print(f"{words[made.status]}  ({made.seconds:.1f} s)")
    if made.objective is not None:
        share = made.covered_weight / made.total_weight if made.total_weight else 1.0
        gap = "?" if made.gap is None else f"{made.gap:.3%}"
        say.print(f"目标 objective {made.objective:,.10g}  界 bound {made.bound:,.10g}  差 gap {gap}")
        say.print(f"覆盖 covered {made.covered_weight:,.10g} / {made.total_weight:,.10g} ({share:.1%})")
        say.print(f"站点 sites ({len(made.sites)}): " + "、".join(made.sites))
    for step in made.steps:
        gap = "?" if step.gap is None else f"{step.gap:.3%}"
        say.print(f"{_AIMS[step.aim]} {step.value:,.10g}  界 bound {step.bound:,.10g}  差 gap {gap}")
    if made.groups:
        table = Table("分组 group", "覆盖 covered", "合计 total", "%")
        for name, part in made.groups.items():
            rate = f"{part.covered / part.total:.1%}" if part.total else "–"
            table.add_row(name or "–", f"{part.covered:,.10g}", f"{part.total:,.10g}", rate)
        say.print(table)
    for reason in made.reasons:
        say.print(f"{reason.zh}\n{reason.en}")
