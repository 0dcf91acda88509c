"""Who ate what (就餐追溯): from a dish or a kitchen's day to the people who were served."""

from __future__ import annotations

from datetime import date

from django.db.models import Q, QuerySet

from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.site_models import Site


def served(site: Site, day: date, dish: int | None = None) -> QuerySet[MealServed]:
    """Meals handed out on ``day`` that a place cooked or gave out, with their diners; of one dish (its key) where given.

    For a caller that has already settled who may see them, as a recall has. One query on both databases.
    """
    found = (
        MealServed.objects.filter(Q(site=site) | Q(kitchen=site), day=day, state=MealServed.State.VALID)
        .select_related("diner", "site")
        .order_by("site__code", "at", "pk")
    )
    if dish is not None:
        # written as ",3,17," so that one comparison serves SQLite and PostgreSQL alike
        found = found.filter(dishes__contains=f",{dish},")
    return found
