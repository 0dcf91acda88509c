"""The meal network at work: places, diners, menus, orders, till, delivery, settlement (助餐运行)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.dining import carrying, delivery, diners, menus, orders, public, settling, sites, till

ROUTES: tuple[Route, ...] = (
    *carrying.PAGE.routes(),
    Route("meals/family/", public.family, "meal_family", Entry.PUBLIC),
    Route("meals/join/", public.join, "meal_join", Entry.PUBLIC),
    Route("meals/sites/", sites.site_list, "meal_sites", Act.VIEW_SITES),
    Route("meals/sites/new/", sites.site_new, "meal_site_new", Act.MANAGE_SITES),
    Route("meals/sites/<str:code>/account/", sites.account, "meal_account", Act.VIEW_SETTLEMENT),
    Route("meals/sites/<str:code>/do/<slug:step>/", sites.site_step, "meal_site_step", Act.VIEW_SITES),
    Route("meals/sites/<str:code>/count/", orders.kitchen_count, "kitchen_count", Act.VIEW_DINERS),
    Route("meals/sites/<str:code>/labels.pdf", orders.labels, "kitchen_labels", Act.VIEW_DINERS),
    Route("meals/sites/<str:code>/", sites.site_page, "meal_site", Act.VIEW_SITES),
    Route("meals/diners/", diners.diner_list, "diners", Act.VIEW_DINERS),
    Route("meals/diners/new/", diners.diner_new, "diner_new", Act.ENROL_DINER),
    Route("meals/diners/follow/", diners.follow, "diners_follow", Act.CONFIRM_DINER),
    Route("meals/diners/<str:number>/change/", diners.diner_change, "diner_change", Act.ENROL_DINER),
    Route("meals/diners/<str:number>/signature/", diners.signature, "diner_signature", Act.VIEW_DINERS),
    Route("meals/diners/<str:number>/do/<slug:step>/", diners.diner_step, "diner_step", Act.VIEW_DINERS),
    Route("meals/diners/<str:number>/", diners.diner_page, "diner", Act.VIEW_DINERS),
    Route("meals/menus/", menus.week, "meal_menus", Act.VIEW_SITES),
    Route("meals/orders/", orders.order_list, "meal_orders", Act.VIEW_DINERS),
    Route("meals/orders/phone/", orders.phone_order, "phone_order", Act.TAKE_ORDER),
    Route("meals/orders/patterns/", orders.from_patterns, "orders_from_patterns", Act.TAKE_ORDER),
    Route("meals/orders/<str:number>/cancel/", orders.cancel, "meal_order_cancel", Act.TAKE_ORDER),
    Route("meals/till/", till.till, "till", Act.SERVE_MEAL),
    Route("meals/till/queue/", till.send_queue, "till_queue", Act.SERVE_MEAL),
    Route("meals/served/<str:number>/", till.receipt, "meal_receipt", Act.VIEW_DINERS),
    Route("meals/served/<str:number>/proof/", till.proof, "meal_proof", Act.VIEW_DINERS),
    Route("meals/served/<str:number>/reverse/", till.reverse, "meal_reverse", Act.SERVE_MEAL),
    Route("meals/deliveries/", delivery.day_plan, "deliveries", Act.VIEW_DINERS),
    Route("meals/deliveries/<int:pk>/sheet.pdf", delivery.sheet, "delivery_sheet", Act.VIEW_DINERS),
    Route("meals/deliveries/unreached.csv", delivery.unreached, "unreached", Act.VIEW_DINERS),
    Route("meals/rounds/", delivery.my_rounds, "rounds", Act.DELIVER_MEAL),
    Route("meals/rounds/<int:pk>/take/", delivery.take, "round_take", Act.DELIVER_MEAL),
    Route("meals/rounds/<int:pk>/", delivery.round_page, "round", Act.DELIVER_MEAL),
    Route("meals/doors/<int:pk>/do/<slug:step>/", delivery.door_step, "door_step", Act.DELIVER_MEAL),
    Route("meals/settlements/", settling.settlement_list, "settlements", Act.VIEW_SETTLEMENT),
    Route("meals/settlements/payment.xlsx", settling.payment_file, "settlement_payment", Act.PAY_SETTLEMENT),
    Route(
        "meals/settlements/<str:number>/do/<slug:step>/",
        settling.settlement_step,
        "settlement_step",
        Act.VIEW_SETTLEMENT,
    ),
    Route("meals/settlements/<str:number>/", settling.settlement_page, "settlement", Act.VIEW_SETTLEMENT),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
