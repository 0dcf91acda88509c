"""Where to open meal places so that most elders, the hardest-off first, have one within walking distance.

In come demand points, candidate places, limits and distances; out comes a plan with sites, an assignment and a
proven bound, or the reason why no plan exists. It never returns a value without saying how far from best it may be.
"""

from doudi.engine.siting.coordinates import CoordinateSystem, from_wgs84, to_wgs84
from doudi.engine.siting.files import Lists, reach_of, read_lists
from doudi.engine.siting.planning import Plan, Served, plan_sites
from doudi.engine.siting.problem import Candidates, Demand, Floor, Model, Reason, SitingError
from doudi.engine.siting.reach import CoordinateReach, Reach, TableReach

__all__ = [
    "Candidates",
    "CoordinateReach",
    "CoordinateSystem",
    "Demand",
    "Floor",
    "Lists",
    "Model",
    "Plan",
    "Reach",
    "Reason",
    "Served",
    "SitingError",
    "TableReach",
    "from_wgs84",
    "plan_sites",
    "reach_of",
    "read_lists",
    "to_wgs84",
]
