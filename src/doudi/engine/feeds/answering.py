"""What a load answers: the counts of feeds.md point 5, under exactly its keys."""

from __future__ import annotations

from typing import Any

from doudi.engine.feeds.resolving import Grades
from doudi.engine.feeds.validating import ParsedFile


def counts(parsed: ParsedFile, grades: Grades | None) -> dict[str, Any]:
    """The counts of one load as JSON values; without ``grades`` (the register) no grades, leads or not_registered.

    A + B + C + leads + not_registered + duplicates = good.
    """
    answer: dict[str, Any] = {
        "read": parsed.read,
        "good": parsed.good,
        "mended": parsed.mended,
        "duplicates": parsed.duplicates,
        "quarantined": parsed.quarantined,
        "reasons": dict(parsed.reasons),
    }
    if grades is not None:
        answer["grades"] = {"A": grades.a, "B": grades.b, "C": grades.c}
        answer["leads"] = grades.leads
        answer["not_registered"] = grades.not_registered
    return answer
