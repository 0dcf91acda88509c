"""Which courier brings the meals to whom, in what order, so that every meal arrives hot and in time.

In come a kitchen, stops with windows, travel times and vehicles. Out come routes with times, and each stop
that cannot be served with the reason, for siting to look at. It never drops a stop silently.
"""

from doudi.engine.routing.lists import read_durations, read_stops
from doudi.engine.routing.plan import Plan, Route, Unserved, default_time_limit, plan_routes
from doudi.engine.routing.stops import Fleet, RoutingError, Stop
from doudi.engine.routing.travel import Travel, straight_travel
from doudi.engine.routing.usual import usual_plan

__all__ = [
    "Fleet",
    "Plan",
    "Route",
    "RoutingError",
    "Stop",
    "Travel",
    "Unserved",
    "default_time_limit",
    "plan_routes",
    "read_durations",
    "read_stops",
    "straight_travel",
    "usual_plan",
]
