"""Amounts, rosters, payment, follow-up (资金发放与成效)."""

from __future__ import annotations

from doudi.contexts.accounts.services import Act
from doudi.web.guard import Route
from doudi.web.views.payroll import decisions, outcomes, payments, rosters

ROUTES: tuple[Route, ...] = (
    Route("rosters/", rosters.roster_list, "rosters", Act.VIEW_ROSTERS),
    Route("rosters/compute/", rosters.compute, "roster_compute", Act.COMPUTE_ROSTER),
    Route("rosters/open/", rosters.open_books, "roster_open", Act.DECIDE_BENEFIT),
    Route("rosters/<str:number>/", rosters.roster_page, "roster", Act.VIEW_ROSTERS),
    Route("rosters/<str:number>/rows/<int:place>/", rosters.row_page, "roster_row", Act.VIEW_ROSTERS),
    Route("rosters/<str:number>/freeze/", rosters.freeze, "roster_freeze", Act.CHECK_ROSTER),
    Route("rosters/<str:number>/return/", rosters.send_back, "roster_return", Act.CHECK_ROSTER),
    Route("payments/", payments.payments, "payments", Act.VIEW_ROSTERS),
    Route("payments/make/", payments.make, "payment_make", Act.PAY_ROSTER),
    Route("payments/<str:number>/", payments.batch_page, "batch", Act.VIEW_ROSTERS),
    Route("payments/<str:number>/file/", payments.take_file, "batch_file", Act.PAY_ROSTER),
    Route("payments/<str:number>/return/", payments.take_return, "batch_return", Act.PAY_ROSTER),
    Route("payments/<str:number>/bounce/", payments.bounce, "batch_bounce", Act.PAY_ROSTER),
    Route("pay-accounts/", payments.accounts, "pay_accounts", Act.VIEW_ROSTERS),
    Route("pay-accounts/propose/", payments.propose, "pay_account_propose", Act.PROPOSE_ACCOUNT),
    Route("pay-accounts/import/", payments.import_list, "pay_account_import", Act.PROPOSE_ACCOUNT),
    Route("pay-accounts/confirm-all/", payments.confirm_all, "pay_account_confirm_all", Act.CONFIRM_ACCOUNT),
    Route("pay-accounts/<int:pk>/decide/", payments.decide, "pay_account_decide", Act.CONFIRM_ACCOUNT),
    Route("benefits/<str:household_no>/", decisions.household_benefits, "benefits", Act.VIEW_ROSTERS),
    Route("benefits/<str:household_no>/decide/", decisions.decide, "benefit_decide", Act.DECIDE_BENEFIT),
    Route("benefits/<str:household_no>/reverse/", decisions.reverse, "benefit_reverse", Act.DECIDE_BENEFIT),
    Route("outcomes/", outcomes.outcome_page, "outcomes", Act.VIEW_ROSTERS),
    Route("outcomes/per-head/", outcomes.per_head, "aid_per_head", Act.VIEW_ROSTERS),
    Route("outcomes/<int:pk>/", outcomes.follow_up_page, "follow_up", Act.VIEW_ROSTERS),
    Route("reviews/", outcomes.review_list, "reviews", Act.VIEW_ROSTERS),
    Route("reviews/<int:pk>/", outcomes.review_page, "review", Act.VIEW_ROSTERS),
    Route("pay-statistics/", outcomes.pay_statistics, "pay_statistics", Act.VIEW_ROSTERS),
    Route("pay-statistics/rows/", outcomes.cell, "pay_cell", Act.VIEW_ROSTERS),
    Route("pay-statistics/file/", outcomes.table_file, "pay_table_file", Act.VIEW_ROSTERS),
)
"""The addresses of this room; ``doudi.web.urls`` strings the rooms together."""
