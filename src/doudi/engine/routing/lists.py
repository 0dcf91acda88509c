"""Read stops and travel times from the lists that a canteen sends (columns as in docs/reference/meals-route.md).

In come paths; out come stops and a travel table. A moment is ``11:30`` or minutes after midnight.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from doudi.engine.csvfile import CsvFile
from doudi.engine.routing.stops import Stop
from doudi.engine.routing.travel import Travel

DEPOT = "depot"

_CLOCK = re.compile(r"(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?")


def read_stops(path: Path, *, coordinates: bool = True) -> list[Stop]:
    """Stops from ``id, lon, lat, demand, window_from, window_to, service_minutes``; blank windows are open.

    With ``coordinates`` False (a travel table is given) ``lon`` and ``lat`` may be blank or absent.
    """
    table = CsvFile(path, ["id", "lon", "lat", "demand"] if coordinates else ["id", "demand"])
    ids = table.identifiers()
    if DEPOT in ids:
        raise table.refusal(
            ids.index(DEPOT), "id", "“depot”是厨房的名字", "“depot” is the name of the kitchen"
        )
    lons, lats = _places(table) if coordinates else ([None] * table.rows, [None] * table.rows)
    demands = table.numbers("demand")
    opens = _moments(table, "window_from")
    closes = _moments(table, "window_to")
    service = table.numbers("service_minutes", blank=0.0, high=1440)
    stops = []
    for i, key in enumerate(ids):
        start, end = opens[i] or 0.0, closes[i]
        if end is not None and end < start:
            raise table.refusal(i, "window_to", "早于 window_from", "is before window_from")
        stops.append(Stop(key, demands[i], lons[i], lats[i], start, end, service[i]))
    return stops


def read_durations(path: Path, stops: Sequence[Stop]) -> Travel:
    """A travel table from ``from_id, to_id, minutes[, distance]``, the kitchen as ``depot``.

    A pair given in one direction only holds for both; a pair not given at all cannot be driven. Pairs with
    places that are not among the stops are passed over, so that one table serves many days.
    """
    table = CsvFile(path, ["from_id", "to_id", "minutes"])
    known = pa.array([DEPOT, *(stop.id for stop in stops)], pa.string())
    start, end = (
        pc.fill_null(pc.index_in(pc.utf8_trim_whitespace(table.arrow(name)), value_set=known), -1).to_numpy()
        for name in ("from_id", "to_id")
    )
    used = (start >= 0) & (end >= 0) & (start != end)
    size = len(known)
    matrices = []
    for column in ("minutes", "distance"):
        if not table.has(column):
            continue
        values = np.array(_plain_numbers(table, column))
        matrix = np.full((size, size), np.inf)
        matrix[start[used], end[used]] = values[used]
        matrix = np.where(np.isinf(matrix), matrix.T, matrix)
        np.fill_diagonal(matrix, 0.0)
        matrices.append(matrix)
    return Travel(matrices[0], matrices[1] if len(matrices) > 1 else None)


def _plain_numbers(table: CsvFile, column: str) -> Sequence[float]:
    """The column as numbers ≥ 0; the fast way for a million clean rows, the careful way to name the first bad cell."""
    try:
        values = pc.cast(pc.utf8_trim_whitespace(table.arrow(column)), pa.float64()).to_numpy()
        if bool(np.isfinite(values).all() and (values >= 0).all() and (values <= 1e9).all()):
            return values
    except pa.ArrowInvalid:
        pass
    return table.numbers(column, high=1e9)


def _places(table: CsvFile) -> tuple[list[float], list[float]]:
    lons = table.numbers("lon", low=-180, high=180)
    lats = table.numbers("lat", low=-180, high=180)
    for i, (lon, lat) in enumerate(zip(lons, lats, strict=True)):
        if abs(lat) > 90 or (73 <= lat <= 136 and 3 <= lon <= 54):
            raise table.refusal(
                i,
                "lat",
                f" {lat:g} 不是纬度，经纬度可能写反了",
                f"{lat:g} is no latitude; lon and lat may be swapped",
            )
    return lons, lats


def _moments(table: CsvFile, column: str) -> list[float | None]:
    out: list[float | None] = []
    for index, cell in enumerate(table.text(column)):
        clock = _CLOCK.fullmatch(cell)
        if not cell:
            out.append(None)
        elif clock:
            hours, minutes, seconds = (int(part or 0) for part in clock.groups())
            if hours > 24 or minutes > 59 or seconds > 59:
                raise table.refusal(index, column, f"“{cell}”不是时刻", f"“{cell}” is not a time of day")
            out.append(hours * 60 + minutes + seconds / 60)
        else:
            try:
                value = float(cell)
            except ValueError:
                value = -1.0
            if not 0 <= value <= 1e6:
                raise table.refusal(
                    index,
                    column,
                    f"“{cell}”不是时刻；请写 11:30 或零点后的分钟数",
                    f"“{cell}” is not a time; write 11:30 or minutes after midnight",
                )
            out.append(value)
    return out
