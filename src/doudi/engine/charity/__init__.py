"""Rules of the Charity Law that need no database (慈善法): qualification, filing and disclosure dates, yearly ratios.

In come dates and sums in fen with the pack's parameters; out come due dates, gaps, verdicts and the sentence that
explains them. It never decides for a person and knows no organisation.
"""

from doudi.engine.charity.fundraising import (
    DisclosureRules,
    DueDisclosure,
    due_disclosures,
    filing_due,
    months_later,
    qualified_from,
)
from doudi.engine.charity.gap import gap_after_aid, within_gap
from doudi.engine.charity.ratios import Band, Class, Verdict, Year, judge_year

__all__ = [
    "Band",
    "Class",
    "DisclosureRules",
    "DueDisclosure",
    "Verdict",
    "Year",
    "due_disclosures",
    "filing_due",
    "gap_after_aid",
    "judge_year",
    "months_later",
    "qualified_from",
    "within_gap",
]
