"""Where to open meal places so that most elders, the hardest-off first, have one within walking distance.

In come demand points, candidate places, limits and distances; out comes a plan with sites, an assignment and a
proven bound, or the reason why no plan exists. It never returns a value without saying how far from best it may be.
"""

from doudi.engine.siting.coordinates import CoordinateSystem, from_wgs84, to_wgs84
from doudi.engine.siting.files import Lists, reach_of, read_lists
from doudi.engine.siting.planning import Plan, Served, plan_sites
from doudi.engine.siting.problem import Aim, Candidates, Demand, Floor, Model, Reason, SitingError, Step
from doudi.engine.siting.reach import CoordinateReach, Reach, TableReach
from doudi.engine.siting.roads import Roads, Spot, read_roads, road_reach

__all__ = [
    "Aim",
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
    "Roads",
    "Served",
    "SitingError",
    "Spot",
    "Step",
    "TableReach",
    "from_wgs84",
    "plan_sites",
    "reach_of",
    "read_lists",
    "read_roads",
    "road_reach",
    "to_wgs84",
]
