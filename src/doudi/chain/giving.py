"""Charity's money where it meets what was claimed: a payment out of a fund is the gift that a need was held for."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring


def propose_for_claim(claim_number: str, *, by: User, **use: Any) -> giving.Allocation:
    """Propose a fund's money for a need that the charity holds (为认领的需求安排资金)."""
    return giving.propose_for_claim(claim_number, rules=packs.giving_rules(), by=by, **use)


@transaction.atomic
def pay_use(
    number: str, *, on: date, by: User, amount_fen: int | None = None, token: str = ""
) -> giving.Grant:
    """Pay out of a fund; where it is for a claimed need the need's gap and the filing follow at once (拨付)."""
    take_turn()
    use = giving.allocation_of(number, by=by)
    if meals.is_meal_gift(use.number):
        raise meals.StepRefused(
            "这项安排用于助餐，请按助餐结算拨付。", "It pays for meals: pay it by their settlement.", code="pays_meals"
        )  # fmt: skip
    paid = giving.pay(number, on=on, amount_fen=amount_fen, token=token, by=by)
    if use.claim and charity.claim_of(use.claim, by=by).status == charity.Claim.Status.RESERVED:
        charity.grant_claim(
            use.claim,
            amount_fen=paid.amount_fen,
            way="goods" if use.asset == giving.Asset.GOODS else "cash",
            what=use.use,
            granted_on=on,
            money="DONATION",
            rules=packs.linkage_rules(),
            by=by,
        )
    return paid


@transaction.atomic
def release_use(number: str, *, reason: str, by: User) -> giving.Allocation:
    """Give back what is held and no longer needed; not while it stands behind meals that are eaten and unpaid (撤回安排)."""
    take_turn()
    meals.refuse_release(giving.allocation_of(number, by=by).number)
    return giving.release(number, reason=reason, by=by)


def keep_meal_gift(allocation: str, *, by: User, **how: Any) -> Any:
    """Put a fund's money behind the meals of a place (登记助餐捐助)."""
    return meals.keep_meal_gift(allocation, rules=packs.meal_network(), by=by, **how)


@transaction.atomic
def _knock(address: str) -> None:
    rules = packs.outreach()
    monitoring.let_through("gift", address, rules.looks_per_address, minutes=rules.window_minutes)


def find_gift(number: str, code: str, *, address: str) -> giving.Story:
    """What a gift did, for its donor by number and code; one address asks so often and no more (捐赠查询)."""
    _knock(address)
    return giving.find_gift(number, code)
