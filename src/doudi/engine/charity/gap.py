"""What is left of a need once public aid and other help are counted: charity fills the gap and no more.

民发〔2023〕46号: charity reaches those still in difficulty after government aid. All sums are integers of
one unit (fen in doudi).
"""

from __future__ import annotations


def gap_after_aid(need: int, *, public_aid: int = 0, other_aid: int = 0) -> int:
    """The gap (缺口): need less public aid less other aid, never below 0."""
    return max(0, need - public_aid - other_aid)


def within_gap(grant: int, gap: int) -> tuple[int, bool]:
    """A grant cut to the gap, and whether it was cut and so should be reviewed by a person."""
    return min(grant, gap), grant > gap
