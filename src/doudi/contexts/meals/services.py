"""What the meal network does, each act one service."""

from __future__ import annotations

from doudi.contexts.meals.eaten import served
from doudi.contexts.meals.models import Diner, Dish, Meal, MealServed, Site
from doudi.contexts.meals.sites import (
    EVALUATED,
    Expiry,
    SiteNotFound,
    StepRefused,
    change_site_state,
    evaluate_site,
    expiring,
    keep_paper,
    open_site,
    set_hours,
    site,
    sites,
)

__all__ = [
    "EVALUATED",
    "Diner",
    "Dish",
    "Expiry",
    "Meal",
    "MealServed",
    "Site",
    "SiteNotFound",
    "StepRefused",
    "change_site_state",
    "evaluate_site",
    "expiring",
    "keep_paper",
    "open_site",
    "served",
    "set_hours",
    "site",
    "sites",
]
