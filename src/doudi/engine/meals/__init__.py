"""What a meal costs, what is on the plate and what goes wrong at a till (助餐), reckoned without a database.

In come rules of a pack, facts of a person and a meal; out come a receipt that explains each fen, clashes of diet and
dish, nutrition against WS/T 556, anomalies. It never decides who is eligible beyond what the pack says.
"""

from doudi.engine.meals.plates import Clash, Shortfall, clashes, nutrition_of
from doudi.engine.meals.pricing import (
    Condition,
    Discount,
    Eater,
    Gift,
    PriceScheme,
    Receipt,
    ReceiptLine,
    SoFar,
    Subsidy,
    price,
)

__all__ = [
    "Clash",
    "Condition",
    "Discount",
    "Eater",
    "Gift",
    "PriceScheme",
    "Receipt",
    "ReceiptLine",
    "Shortfall",
    "SoFar",
    "Subsidy",
    "clashes",
    "nutrition_of",
    "price",
]
