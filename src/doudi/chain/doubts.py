"""From a doubt to the money that came back (疑点核查、停发、追缴、整改)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.chain import packs
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring


def find_doubts(*, as_of: date, by: User) -> monitoring.DoubtRound:
    """Search everyone for doubts on a date (疑点筛查)."""
    return monitoring.find_doubts(packs.doubt_rules(), as_of=as_of, by=by)


@transaction.atomic
def decide_stop(
    number: str,
    *,
    confirm: bool,
    ground: str,
    by: User,
    stop_from: date | None = None,
    identity_confirmed: bool = False,
    as_of: date | None = None,
) -> monitoring.StopProposal:
    """Decide on a proposed stop (决定停发); a confirmed one is recorded and the overpaid months become a doubt."""
    take_turn()
    decided = monitoring.decide_stop(
        number,
        confirm=confirm,
        ground=ground,
        by=by,
        stop_from=stop_from,
        identity_confirmed=identity_confirmed,
    )
    if decided.stop_from is not None:
        assistance.record_stop(
            source=number,
            household_no=decided.household_no,
            person_id=decided.person_id,
            person_name=decided.person_name,
            region_code=decided.region_code,
            stop_from=decided.stop_from,
            ground=decided.ground,
            by=by,
        )
        monitoring.find_doubts(
            packs.doubt_rules(), as_of=as_of or timezone.localdate(), by=by, household_no=decided.household_no
        )
    return decided


def assign_doubt(number: str, *, to: str, by: User, seen: int | None = None) -> monitoring.Doubt:
    """Give a doubt to a township or village worker (派核)."""
    return monitoring.assign_doubt(number, to=to, by=by, rules=packs.doubt_rules(), seen=seen)


def check_doubt(number: str, *, by: User, **check: Any) -> monitoring.Doubt:
    """Record a check and its conclusion (核查)."""
    return monitoring.check_doubt(number, by=by, rules=packs.doubt_rules(), **check)


@transaction.atomic
def review_doubt(
    number: str, *, approve: bool, note: str, by: User, seen: int | None = None
) -> monitoring.Doubt:
    """Review a check (复核); a true doubt stops the payment from next month and opens the recovery."""
    take_turn()
    doubt = monitoring.review_doubt(
        number, approve=approve, note=note, by=by, rules=packs.doubt_rules(), seen=seen
    )
    if not approve:
        return doubt
    chosen = packs.doubt_rules().conclusions[doubt.conclusion]
    if chosen.stop and not assistance.is_stopped(doubt.household_no, doubt.person_id):
        assistance.record_stop(
            source=number,
            household_no=doubt.household_no,
            person_id=doubt.person_id,
            person_name=doubt.person_name,
            region_code=doubt.region_code,
            stop_from=monitoring.month_after(timezone.localdate()),
            ground=doubt.review_note,
            by=by,
        )
    if chosen.recover and doubt.overpaid_fen:
        opened = assistance.open_recovery(
            doubt_number=number,
            kind=doubt.kind,
            household_no=doubt.household_no,
            debtor_name=doubt.person_name,
            region_code=doubt.region_code,
            amount_fen=doubt.overpaid_fen,
            by=by,
        )
        monitoring.note_on_doubt(doubt, by=by, kind="recovery", text=f"立追缴案 {opened.number}")
    return doubt


def rectify(*, since: date, until: date, region_code: str = "", by: User) -> assistance.Rectification:
    """The figures of a rectification report (整改报告)."""
    return assistance.rectify(
        since=since, until=until, region_code=region_code, by=by, rules=packs.doubt_rules()
    )


def export_rectification(
    *, since: date, until: date, region_code: str = "", form: str, by: User
) -> tuple[bytes, str]:
    """A rectification report as Word or PDF, with the hash of its content."""
    return assistance.export_rectification(
        since=since, until=until, region_code=region_code, form=form, by=by, rules=packs.doubt_rules()
    )
