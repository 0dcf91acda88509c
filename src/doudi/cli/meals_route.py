"""``doudi meals route``: the couriers' rounds of one kitchen (送餐路线)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from doudi.engine.routing import (
    Fleet,
    Plan,
    Route,
    plan_routes,
    read_durations,
    read_stops,
    straight_travel,
)
from doudi.engine.routing.plan import clock


def route(
    depot: Annotated[str, typer.Option(help="厨房位置 经度,纬度 · the kitchen as lon,lat")],
    stops: Annotated[
        Path,
        typer.Option(help="送餐点 · stops: id, lon, lat, demand, window_from, window_to, service_minutes"),
    ],
    capacity: Annotated[float, typer.Option(help="每车份数 · meals a vehicle carries")],
    durations: Annotated[
        Path | None, typer.Option(help="时间表 · travel table: from_id, to_id, minutes[, distance]")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="热食时限：出门到最后交付 · from leaving to the last hand-over")
    ] = None,
    vehicles: Annotated[int | None, typer.Option(help="最多几趟 · the greatest number of routes")] = None,
    time_limit: Annotated[
        float | None, typer.Option(min=0.1, help="搜索秒数，默认 20，多于 300 点为 50 · seconds to search")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(min=1, help="按次数停止，各机器结果相同 · stop after so many iterations")
    ] = None,
    detour: Annotated[float, typer.Option(help="绕行系数 · detour factor on the great circle")] = 1.3,
    speed: Annotated[float, typer.Option(help="车速 km/h")] = 20.0,
    leave_from: Annotated[
        float, typer.Option(help="最早出门（零点后分钟）· earliest leaving, minutes")
    ] = 0.0,
    back_by: Annotated[
        float | None, typer.Option(help="最晚回来（零点后分钟）· latest return, minutes")
    ] = None,
    vehicle_minutes: Annotated[
        float, typer.Option(help="少一趟抵多少分钟车程 · minutes of driving one route less is worth")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="随机种子 · seed")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON · one JSON object on standard output")
    ] = False,
) -> None:
    """安排送餐路线：时间窗、容量、热食时限；送不到的逐一说明 · Plan the delivery rounds."""
    started = time.monotonic()
    kitchen = _lon_lat(depot)
    fleet = Fleet(capacity, max_minutes, vehicles, leave_from, back_by, vehicle_minutes)
    doors = read_stops(stops, coordinates=durations is None)
    travel = (
        read_durations(durations, doors)
        if durations
        else straight_travel(kitchen, doors, detour=detour, speed_kmh=speed)
    )
    plan = plan_routes(doors, travel, fleet, time_limit=time_limit, iterations=iterations, seed=seed)
    if as_json:
        print(json.dumps(_as_json(plan, time.monotonic() - started), ensure_ascii=False))
    else:
        _show(plan)


def _lon_lat(text: str) -> tuple[float, float]:
    parts = text.replace("，", ",").split(",")
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError:
        lon = lat = float("nan")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise typer.BadParameter(
            f"“{text}”不是 经度,纬度，例如 106.97,26.45 / not lon,lat such as 106.97,26.45",
            param_hint="--depot",
        )
    return lon, lat


def _as_json(plan: Plan, seconds: float) -> dict[str, Any]:
    return {
        "routes": [_route_as_json(one) for one in plan.routes],
        "total_minutes": round(plan.total_minutes, 3),
        "unserved": [{"id": one.id, "code": one.code, "why": one.why} for one in plan.unserved],
        "iterations": plan.iterations,
        "cut_short": plan.cut_short,
        "seconds": round(seconds, 3),
    }


def _route_as_json(one: Route) -> dict[str, Any]:
    return {
        "stops": list(one.stops),
        "minutes": round(one.minutes, 3),
        "load": round(one.load, 3),
        "start": round(one.start, 3),
        "arrivals": [round(moment, 3) for moment in one.arrivals],
        "start_clock": clock(one.start),
        "arrivals_clock": [clock(moment) for moment in one.arrivals],
        "elapsed": round(one.elapsed, 3),
        "back": round(one.back, 3),
        "distance": None if one.distance is None else round(one.distance, 1),
        "vehicle": one.vehicle,
    }


def _show(plan: Plan) -> None:
    console = Console()
    table = Table("车 vehicle", "出门 leaves", "送餐点 stops", "份数 load", "车程 min", "最后交付 last")
    for one in plan.routes:
        visits = "  ".join(f"{stop} {clock(at)}" for stop, at in zip(one.stops, one.arrivals, strict=True))
        last = clock(one.start + one.elapsed)
        table.add_row(str(one.vehicle), clock(one.start), visits, f"{one.load:g}", f"{one.minutes:.1f}", last)
    console.print(table)
    console.print(f"总车程 {plan.total_minutes:.1f} 分钟 · total driving")
    for left in plan.unserved:
        console.print(f"送不到 {left.id}：{left.why}")
