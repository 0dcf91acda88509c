"""What people who ate say of a place, as marks (满意度): the stars by code, telephone and paper, never a typed number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from django.db.models import Count, Sum

from doudi.contexts.meals.safety_models import PublicWord
from doudi.contexts.meals.site_models import Site
from doudi.engine.packs.meals import EvaluationRules


@dataclass(frozen=True)
class Heard:
    """Replies about a place in a span of days, their mean in stars (``None`` without any), and the marks they make."""

    since: date
    until: date
    replies: int
    mean: Fraction | None
    marks: int


def heard_of(found: Site, *, on: date, rules: EvaluationRules, best: int) -> Heard:
    """The ratings of the pack's days up to ``on`` as marks: mean ÷ ``best`` stars × full mark, half a mark up.

    Fewer replies than the pack asks for make no marks (handbook 05 §5.8).
    """
    since = on - timedelta(days=rules.heard_days)
    told = PublicWord.objects.filter(
        site=found, kind=PublicWord.Kind.RATING, stars__isnull=False, on__range=(since, on)
    ).aggregate(replies=Count("pk"), stars=Sum("stars"))
    replies = told["replies"]
    mean = Fraction(told["stars"], replies) if replies else None
    marks = 0
    if mean is not None and replies >= rules.least_replies:
        marks = int(mean / best * rules.full["satisfaction"] + Fraction(1, 2))
    return Heard(since, on, replies, mean, marks)
