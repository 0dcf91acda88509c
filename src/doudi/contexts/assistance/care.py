"""The door of assistance's services (服务类救助): orders, visits, complaints, settlement; nothing behind it is called from above."""

from __future__ import annotations

from doudi.contexts.assistance.care_models import (
    CareComplaint,
    CareLine,
    CareOrder,
    CareSettlement,
    CareVisit,
)
from doudi.contexts.assistance.care_orders import (
    CareNotFound,
    assign_care,
    care_order,
    care_orders,
    care_proof,
    complain_of_care,
    decide_care_complaint,
    end_care,
    end_due_care,
    is_provider,
    look_at_care,
    order_care,
    record_care_visit,
    renew_code,
    reverse_care_visit,
    used_units,
)
from doudi.contexts.assistance.care_settling import (
    care_settlement,
    care_settlements,
    check_care_settlement,
    pay_care_settlement,
    providers_to_settle,
    settle_care,
    withdraw_care_settlement,
)

__all__ = [
    "CareComplaint",
    "CareLine",
    "CareNotFound",
    "CareOrder",
    "CareSettlement",
    "CareVisit",
    "assign_care",
    "care_order",
    "care_orders",
    "care_proof",
    "care_settlement",
    "care_settlements",
    "check_care_settlement",
    "complain_of_care",
    "decide_care_complaint",
    "end_care",
    "end_due_care",
    "is_provider",
    "look_at_care",
    "order_care",
    "pay_care_settlement",
    "providers_to_settle",
    "record_care_visit",
    "renew_code",
    "reverse_care_visit",
    "settle_care",
    "used_units",
    "withdraw_care_settlement",
]
