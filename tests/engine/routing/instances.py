"""Read the public VRPTW instances in tests/data/vrptw (one unit of distance is one minute)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from doudi.engine.routing import Fleet, Stop, Travel

FOLDER = Path(__file__).resolve().parents[2] / "data" / "vrptw"
BEST_KNOWN = {"R101": 1642.88, "RC208": 779.31, "c1_2_1": 2704.57}


def instance(name: str) -> tuple[list[Stop], Travel, Fleet]:
    """Stops, travel and fleet of an instance; vehicles are as many as needed, the depot's due date holds."""
    lines = [line.split() for line in (FOLDER / f"{name}.txt").read_text().splitlines() if line.strip()]
    head = next(i for i, line in enumerate(lines) if line[0] == "NUMBER")
    rows = [[float(cell) for cell in line] for line in lines if len(line) == 7 and line[0].isdigit()]
    places = np.array([row[1:3] for row in rows])
    distance = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=-1))
    stops = [
        Stop(f"{int(row[0]):04d}", row[3], window_from=row[4], window_to=row[5], service_minutes=row[6])
        for row in rows[1:]
    ]
    return stops, Travel(distance, distance), Fleet(float(lines[head + 1][1]), back_by=rows[0][5])
