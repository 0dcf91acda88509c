"""Siting on the map, food safety, volunteers and points (选址、食品安全、志愿服务)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Entry, Route
from doudi.web.views.kitchen import desk, incidents, plans, public, volunteers

ROUTES: tuple[Route, ...] = (
    Route("meals/open/", public.scores, "open_scores", Entry.PUBLIC),
    Route("meals/open/rate/", public.rate, "rate_meal", Entry.PUBLIC),
    Route("meals/open/<slug:code>/complain/", public.complain, "complain_of_meal", Entry.PUBLIC),
    Route("meals/safety/", desk.desk, "safety", Act.VIEW_SAFETY),
    Route("meals/safety/batches/<slug:number>/", incidents.batch_page, "food_batch", Act.VIEW_SAFETY),
    Route("meals/safety/batches/<slug:number>/recall/", incidents.recall, "food_recall", Act.TRACE_MEAL),
    Route(
        "meals/safety/incidents/<slug:number>/", incidents.incident_page, "kitchen_incident", Act.VIEW_SAFETY
    ),
    Route("meals/safety/incidents/<slug:number>/report/", incidents.report, "incident_report", Act.STOP_MEAL),
    Route(
        "meals/safety/incidents/<slug:number>/close/", incidents.close, "incident_close", Act.SUPERVISE_SAFETY
    ),
    Route("meals/safety/stops/<int:pk>/lift/", incidents.lift, "lift_stop", Act.SUPERVISE_SAFETY),
    Route("meals/safety/mendings/<int:pk>/mend/", incidents.mend, "mend", Act.KEEP_SAFETY),
    Route("meals/safety/mendings/<int:pk>/accept/", incidents.accept, "accept_mending", Act.SUPERVISE_SAFETY),
    Route("meals/safety/samples/<slug:number>/label/", incidents.label, "sample_label", Act.VIEW_SAFETY),
    Route("meals/safety/samples/<slug:number>/end/", incidents.end_sample, "end_sample", Act.KEEP_SAFETY),
    Route("meals/safety/photos/<int:pk>/", incidents.photo, "safety_photo", Act.VIEW_SAFETY),
    Route("meals/safety/words/<slug:number>/answer/", incidents.answer, "answer_word", Act.SUPERVISE_SAFETY),
    Route("meals/safety/<slug:code>/codes/", incidents.codes, "rating_codes", Act.ISSUE_RATING_CODES),
    Route("meals/safety/<slug:code>/do/<slug:step>/", desk.step, "kitchen_step", Act.VIEW_SAFETY),
    Route("meals/safety/<slug:code>/", desk.place_page, "kitchen_place", Act.VIEW_SAFETY),
    Route("meals/plan/", plans.plan_list, "site_plans", Act.VIEW_PLANS),
    Route("meals/plan/make/", plans.make, "make_plan", Act.PLAN_SITES),
    Route("meals/plan/province/", plans.make_province, "make_province", Act.PLAN_SITES),
    Route("meals/plan/compare/", plans.compare, "compare_plans", Act.VIEW_PLANS),
    Route("meals/plan/<slug:number>/try/", plans.try_change, "try_plan", Act.PLAN_SITES),
    Route("meals/plan/<slug:number>/adopt/", plans.adopt, "adopt_plan", Act.ADOPT_PLAN),
    Route("meals/plan/<slug:number>/plan.<str:form>", plans.export, "export_plan", Act.VIEW_PLANS),
    Route("meals/plan/<slug:number>/", plans.plan_page, "site_plan", Act.VIEW_PLANS),
    Route("meals/receipt/", volunteers.receipt, "service_receipt", Entry.PUBLIC),
    Route("meals/volunteers/", volunteers.desk, "volunteers", Act.VIEW_VOLUNTEERS),
    Route("meals/volunteers/register/", volunteers.register, "register_volunteer", Act.MANAGE_VOLUNTEERS),
    Route("meals/volunteers/shifts/plan/", volunteers.plan_shift, "plan_shift", Act.MANAGE_VOLUNTEERS),
    Route("meals/volunteers/shifts/<slug:number>/", volunteers.shift_page, "shift", Act.VIEW_VOLUNTEERS),
    Route(
        "meals/volunteers/shifts/<slug:number>/sign-up/", volunteers.sign_up, "sign_up", Act.VIEW_VOLUNTEERS
    ),
    Route(
        "meals/volunteers/shifts/<slug:number>/close/", volunteers.close, "close_shift", Act.CONFIRM_SERVICE
    ),
    Route(
        "meals/volunteers/services/<int:pk>/<slug:step>/",
        volunteers.service_step,
        "service_step",
        Act.VIEW_VOLUNTEERS,
    ),
    Route(
        "meals/volunteers/redemptions/<slug:number>/<slug:step>/",
        volunteers.redemption,
        "redemption",
        Act.USE_POINTS,
    ),
    Route("meals/volunteers/groups/form/", volunteers.form_group, "form_group", Act.MANAGE_VOLUNTEERS),
    Route(
        "meals/volunteers/groups/<slug:number>/", volunteers.group_page, "mutual_group", Act.VIEW_VOLUNTEERS
    ),
    Route(
        "meals/volunteers/groups/<slug:number>/join/",
        volunteers.join_group,
        "join_group",
        Act.MANAGE_VOLUNTEERS,
    ),
    Route(
        "meals/volunteers/groups/<slug:number>/<int:pk>/leave/",
        volunteers.leave_group,
        "leave_group",
        Act.MANAGE_VOLUNTEERS,
    ),
    Route(
        "meals/volunteers/<slug:number>/certificate/",
        volunteers.certificate,
        "volunteer_certificate",
        Act.VIEW_VOLUNTEERS,
    ),
    Route(
        "meals/volunteers/<slug:number>/do/<slug:step>/",
        volunteers.person_step,
        "volunteer_step",
        Act.VIEW_VOLUNTEERS,
    ),
    Route("meals/volunteers/<slug:number>/", volunteers.person_page, "volunteer", Act.VIEW_VOLUNTEERS),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
