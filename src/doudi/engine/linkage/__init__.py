"""Whether two records are one person (查重): comparisons for Chinese names and numbers, and Splink's model over them.

In come records with name, identity number, birth date, address and telephone, any of which may be missing or wrong.
Out come pairs with a probability and a grade for each comparison. It never merges, and it keeps nothing.
"""

from doudi.engine.linkage.model import (
    COMPARISONS,
    UNKNOWN,
    LinkageMissing,
    ScoredPair,
    Search,
    Weights,
    score,
    search,
    shipped_weights,
)
from doudi.engine.linkage.reasons import Reason, reasons
from doudi.engine.linkage.records import PersonRecord, one_sign_apart

__all__ = [
    "COMPARISONS",
    "UNKNOWN",
    "LinkageMissing",
    "PersonRecord",
    "Reason",
    "ScoredPair",
    "Search",
    "Weights",
    "one_sign_apart",
    "reasons",
    "score",
    "search",
    "shipped_weights",
]
