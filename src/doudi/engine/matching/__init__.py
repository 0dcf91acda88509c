"""Which charity project should serve which need: the assignment that leaves the most urgent the least alone.

In come needs with tier, gap and waiting time, projects with places, budget and purpose, and who fits whom.
Out comes a proposal with a reason for each pair and each need left over, and a proof or a gap.
It never decides: a person accepts, changes or refuses each pair.
"""

from doudi.engine.matching.assign import Assignment, Pair, first_come, match
from doudi.engine.matching.lists import read_eligible, read_needs, read_projects
from doudi.engine.matching.offers import MatchingError, Need, Offers, Project, built_in_offers, listed_offers

__all__ = [
    "Assignment",
    "MatchingError",
    "Need",
    "Offers",
    "Pair",
    "Project",
    "built_in_offers",
    "first_come",
    "listed_offers",
    "match",
    "read_eligible",
    "read_needs",
    "read_projects",
]
