"""``doudi meals guizhou``: the shipped province as lists that ``doudi meals plan`` reads (贵州省示范选址)."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from doudi.cli.shell import console
from doudi.engine.siting.guizhou import guizhou as province


def guizhou(
    to: Annotated[Path, typer.Option("--to", help="写到哪个文件夹 · folder for the three lists")],
    as_json: Annotated[
        bool, typer.Option("--json", help="输出 JSON · one JSON object on standard output")
    ] = False,
) -> None:
    """写出全省选址的需求点、候选点、分组下限 · Write demand, candidates and floors of all Guizhou."""
    asked = province()
    to.mkdir(parents=True, exist_ok=True)
    demand, places = asked.demand, asked.candidates
    lists: dict[str, tuple[list[str], list[list[Any]]]] = {
        "demand.csv": (
            ["id", "lon", "lat", "weight", "group"],
            [
                [demand.ids[i], f"{demand.lon[i]:.5f}", f"{demand.lat[i]:.5f}", int(demand.weight[i]), demand.group[i][:6]]
                for i in range(len(demand.ids))
            ],
        ),
        "candidates.csv": (
            ["id", "lon", "lat", "name", "group", "synthetic"],
            [
                [places.ids[j], f"{places.lon[j]:.5f}", f"{places.lat[j]:.5f}", asked.names[j], places.group[j],
                 "" if asked.real[j] else "是"]
                for j in range(len(places.ids))
            ],
        ),
        "floors.csv": (
            ["group", "at_least", "at_most"],
            [[floor.group, floor.at_least, "" if floor.at_most is None else floor.at_most] for floor in asked.floors],
        ),
    }  # fmt: skip
    for name, (header, rows) in lists.items():
        with (to / name).open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows([header, *rows])
    counts = {name.removesuffix(".csv"): len(rows) for name, (_header, rows) in lists.items()}
    if as_json:
        json.dump(
            {"folder": str(to), **counts, "real_candidates": sum(asked.real)}, sys.stdout, ensure_ascii=False
        )
        sys.stdout.write("\n")
        return
    console.print(f"已写出 {counts} → {to}；合成坐标已注明 · written, synthetic points are marked")
    console.print(
        f"doudi meals plan --demand {to}/demand.csv --candidates {to}/candidates.csv --floors {to}/floors.csv "
        "--model coverage --radius 5000 --sites 300"
    )
