"""Every table of the meal network, each defined in the module of its own matter."""

from doudi.contexts.meals.delivery_models import Delivery, DoorCall, Round, Stop
from doudi.contexts.meals.diner_models import Diner, DinerEvent, DinerStop, NeedAssessment
from doudi.contexts.meals.order_models import (
    Dish,
    MealOrder,
    MealServed,
    Menu,
    OrderPattern,
    OrderPause,
    ServingReversal,
)
from doudi.contexts.meals.settlement_models import AccountLine, Settlement, SettlementEvent, SettlementLine
from doudi.contexts.meals.site_models import Meal, Site, SiteEvaluation, SiteHours, SitePaper

__all__ = [
    "AccountLine",
    "Delivery",
    "Diner",
    "DinerEvent",
    "DinerStop",
    "Dish",
    "DoorCall",
    "Meal",
    "MealOrder",
    "MealServed",
    "Menu",
    "NeedAssessment",
    "OrderPattern",
    "OrderPause",
    "Round",
    "ServingReversal",
    "Settlement",
    "SettlementEvent",
    "SettlementLine",
    "Site",
    "SiteEvaluation",
    "SiteHours",
    "SitePaper",
    "Stop",
]
