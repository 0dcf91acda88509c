"""Government and charity hand in hand (慈善衔接): the rules of the pack go in where a step needs them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.chain.evidence import explain
from doudi.contexts.accounts.services import User, system_user, take_turn
from doudi.contexts.charity import services as charity
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError

_CONSENT_WAYS = {"书面": "paper", "口头（两人在场）": "witnessed", "监护人": "guardian"}
"""How a visit and how a need write the same way of consent."""


def file_aid(aid: charity.Aid, *, by: User) -> charity.AidFiling:
    """File one aid that was given (帮扶备案)."""
    return charity.file_aid(aid, rules=packs.linkage_rules(), by=by)


def receive_batch(content: bytes, *, by: User, **what: Any) -> charity.FilingBatch:
    """Keep a body's monthly workbook and find its columns (月报表)."""
    return charity.receive_batch(content, rules=packs.linkage_rules(), by=by, **what)


def assign_columns(number: str, *, by: User, **what: Any) -> charity.FilingBatch:
    """Say which column of a body's workbook is which field (列对应)."""
    return charity.assign_columns(number, rules=packs.linkage_rules(), by=by, **what)


def preview_batch(number: str, *, by: User) -> charity.Preview:
    """What a workbook would file (预览)."""
    return charity.preview_batch(number, rules=packs.linkage_rules(), by=by)


def take_batch(number: str, *, by: User) -> charity.FilingBatch:
    """File a workbook's rows (确认备案)."""
    return charity.take_batch(number, rules=packs.linkage_rules(), by=by)


def marked_batch(number: str, *, by: User) -> bytes:
    """The body's workbook with the answer to each row (批注表)."""
    return charity.marked_batch(number, rules=packs.linkage_rules(), by=by)


def close_month(month: date, *, nothing: bool = False, by: User) -> charity.MonthClosing:
    """Say that a month is filed whole (月结)."""
    return charity.close_month(month, nothing=nothing, rules=packs.linkage_rules(), by=by)


def filers(month: date, *, by: User) -> list[charity.Filer]:
    """Who has filed and closed a month, and who is missing (未报名单)."""
    return charity.filers(month, rules=packs.linkage_rules(), by=by)


def raise_need(household_no: str, *, by: User, **need: Any) -> charity.Need:
    """Raise a household's need after public aid is counted, with its income where the screen knows it (登记需求)."""
    return charity.raise_need(
        household_no, income_fen=_yearly_income(household_no), rules=packs.linkage_rules(), by=by, **need
    )


@transaction.atomic
def raise_need_of_warning(warning_number: str, *, by: User, **need: Any) -> charity.Need:
    """Raise the need that a visit found; the consent the visit recorded by witnesses goes along (转介慈善)."""
    take_turn()
    case = monitoring.warning(warning_number, by=by)
    visit = case.visits.order_by("-pk").first()
    raised = raise_need(
        case.household_no, origin="visit" if visit else "warning", origin_no=warning_number, by=by, **need
    )
    way = _CONSENT_WAYS.get(visit.consent_how, "") if visit and visit.consent else ""
    if visit and way == "witnessed":
        # a signed paper is registered with its scan; two witnesses stand in the visit's own record
        give_consent(
            raised.code, kind="publish", given=way, signer=visit.consent_by, given_on=visit.visited_on, by=by
        )
    return raised


def _yearly_income(household_no: str) -> int | None:
    """Twelve times the monthly income of the latest register's screen, None where it is not known."""
    as_of = registry.latest_register_date()
    if as_of is None:
        return None
    try:
        monthly = explain(household_no, as_of=as_of).row.get("monthly_income")
    except DoudiError:
        return None
    return None if monthly is None else 12 * int(monthly)


def give_consent(code: str, *, by: User, **consent: Any) -> charity.Consent:
    """Register the person's consent (本人同意)."""
    return charity.give_consent(code, rules=packs.linkage_rules(), by=by, **consent)


def withdraw_consent(code: str, *, by: User, **what: Any) -> charity.Need:
    """Register that the consent is taken back: the need is taken down at once (撤回同意)."""
    return charity.withdraw_consent(code, rules=packs.linkage_rules(), by=by, **what)


def publish_need(code: str, *, public_text: str, by: User) -> charity.Need:
    """Check a need and publish it without identity (审核发布)."""
    return charity.publish_need(code, public_text=public_text, rules=packs.linkage_rules(), by=by)


def propose_matches(*, by: User) -> charity.MatchRun:
    """Reckon who should serve whom (供需匹配)."""
    return charity.propose(rules=packs.linkage_rules(), by=by)


def accept_proposal(pk: int, *, by: User) -> charity.Claim:
    """Accept a proposed pair (采纳)."""
    return charity.accept_proposal(pk, rules=packs.linkage_rules(), by=by)


def why_each_project(code: str, *, by: User) -> list[charity.PairExplained]:
    """Every project beside a need, condition by condition (逐项说明)."""
    return charity.why_each(code, rules=packs.linkage_rules(), by=by)


def explain_pairs(number: str, *, by: User) -> list[tuple[charity.Proposal, list[charity.Condition]]]:
    """Each proposed pair with every condition (建议的逐项说明)."""
    return charity.explain_pairs(number, rules=packs.linkage_rules(), by=by)


def demand(*, by: User) -> charity.Demand:
    """Needs by township and kind against what projects have left (需求热力)."""
    return charity.demand(rules=packs.linkage_rules(), by=by)


def claim_need(code: str, *, project_number: str, by: User) -> charity.Claim:
    """Hold a need for an own project (认领)."""
    return charity.claim_need(code, project_number=project_number, rules=packs.linkage_rules(), by=by)


def grant_claim(number: str, *, by: User, **given: Any) -> charity.Claim:
    """Give what a need was held for (给予)."""
    return charity.grant_claim(number, rules=packs.linkage_rules(), by=by, **given)


def received(household_no: str, *, by: User) -> charity.Received:
    """What a household received from all sides (所受帮扶)."""
    return charity.received(household_no, rules=packs.linkage_rules(), by=by)


def coverage(year: int, *, organisation: str = "", by: User) -> list[charity.Covered]:
    """Where a body's aid of a year went, beside where households are in need (覆盖情况)."""
    return charity.coverage(year, organisation=organisation, rules=packs.linkage_rules(), by=by)


def take_in_goods(*, by: User, **lot: Any) -> charity.GoodsLot:
    """Take goods in (入库)."""
    return charity.take_in_goods(rules=packs.linkage_rules(), by=by, **lot)


def offer_service(*, by: User, **offer: Any) -> charity.ServiceOffer:
    """Offer a service (服务资源)."""
    return charity.offer_service(rules=packs.linkage_rules(), by=by, **offer)


DUE: dict[str, tuple[str, Callable[[], int]]] = {
    "needs_run_out": ("同意到期撤下", lambda: charity.run_out(system_user())),
    "months_told": ("月结提醒", lambda: charity.remind_months(packs.linkage_rules())),
    "resolutions_told": ("议定事项提醒", lambda: charity.remind_resolutions(packs.linkage_rules())),
    "claims_lapsed": ("认领逾期放回", lambda: charity.lapse_claims(system_user())),
}
"""What is due of itself: its key, its words, and who does it."""
