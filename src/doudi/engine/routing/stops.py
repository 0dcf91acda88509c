"""What a delivery round has to respect: stops with windows, and the vehicles of the kitchen.

Minutes are minutes after midnight for moments and plain minutes for durations; loads are meals.
"""

from __future__ import annotations

from dataclasses import dataclass

from doudi.engine.errors import DoudiError

DAY = 24 * 60.0


class RoutingError(DoudiError):
    """The round cannot be planned as asked."""

    code = "routing"


@dataclass(frozen=True, slots=True)
class Stop:
    """A door (送餐点): where it is, how many meals, when the meal may be handed over and how long that takes.

    ``window_to`` is the latest start of the hand-over, None if any time will do.
    """

    id: str
    demand: float
    lon: float | None = None
    lat: float | None = None
    window_from: float = 0.0
    window_to: float | None = None
    service_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """The vehicles of one kitchen and the clock of the food.

    ``capacity`` meals a vehicle. ``max_minutes`` is the hot-food limit: from leaving the kitchen to the end of
    the last hand-over (GB 31654-2021 keeps food above 60 °C; 60 minutes is the default of the domain notes).
    ``vehicles`` is the greatest number of routes, None is as many as needed. ``leave_from`` and ``back_by`` bound the
    day; each stop must leave time to drive straight back. ``vehicle_minutes`` is what one more route is worth
    in minutes of driving (0: driving alone is minimised).
    """

    capacity: float
    max_minutes: float | None = None
    vehicles: int | None = None
    leave_from: float = 0.0
    back_by: float | None = None
    vehicle_minutes: float = 0.0

    def __post_init__(self) -> None:
        if self.capacity <= 0:
            raise RoutingError("容量必须大于 0。", "The capacity must be above 0.")
        if self.vehicles is not None and self.vehicles < 1:
            raise RoutingError("车辆数至少为 1。", "There must be 1 vehicle at least.")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise RoutingError("热食时限必须大于 0 分钟。", "The hot-food limit must be above 0 minutes.")
