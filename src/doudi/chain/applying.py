"""From the window to the decision (申请、核对、调查、公示、确认、文书、转办)."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction

from doudi.chain import packs, paying, verifying
from doudi.contexts.accounts.services import Act, User, may, take_turn
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance import services as assistance
from doudi.contexts.verification import services as verification


def start_application(*, by: User, **asked: Any) -> assistance.Application:
    """Take an application in at the window (登记申请)."""
    return assistance.start_application(rules=packs.procedures(), by=by, **asked)


def start_by_oneself(**asked: Any) -> assistance.Application:
    """Take the beginning of an application from a telephone (手机提交)."""
    return assistance.start_by_oneself(rules=packs.procedures(), limits=packs.outreach(), **asked)


def application_progress(receipt: str, tail: str, *, address: str = "") -> assistance.Progress:
    """How far an application is, for who applied (进度查询)."""
    return assistance.application_progress(
        receipt, tail, rules=packs.procedures(), limits=packs.outreach(), address=address
    )


def hand_in_paper(
    receipt: str, tail: str, code: str, picture: bytes, *, address: str = ""
) -> assistance.Progress:
    """Take a picture of a paper from who applied (手机补交材料)."""
    return assistance.hand_in_paper(
        receipt, tail, code, picture, rules=packs.procedures(), limits=packs.outreach(), address=address
    )


def take_paper(number: str, code: str, *, by: User, **paper: Any) -> Any:
    """Take a paper of an application (收件)."""
    return assistance.take_paper(number, code, rules=packs.procedures(), by=by, **paper)


def tell_missing(number: str, *, by: User) -> Any:
    """Tell the applicant once of what is missing (一次性告知)."""
    return assistance.tell_missing(number, rules=packs.procedures(), by=by)


def accept_application(number: str, *, by: User, **facts: Any) -> assistance.Application:
    """Accept an application; its clocks run (受理)."""
    return assistance.accept_application(number, rules=packs.procedures(), by=by, **facts)


def pause_application(number: str, *, by: User, **pause: Any) -> assistance.Application:
    """Let an application's clocks stand still (时限中止)."""
    return assistance.pause_application(number, rules=packs.procedures(), by=by, **pause)


def resume_application(number: str, *, by: User) -> assistance.Application:
    """Let them go on (恢复计时)."""
    return assistance.resume_application(number, rules=packs.procedures(), by=by)


def extend_application(number: str, *, ground: str, by: User) -> assistance.Application:
    """Use the longer limit for a special case (延长)."""
    return assistance.extend_application(number, ground=ground, rules=packs.procedures(), by=by)


@transaction.atomic
def verify_application(
    number: str, *, declared: dict[int, dict[str, int]], as_of: date, requested_by: str, by: User
) -> verification.VerificationRequest:
    """Have the household's economy checked for an application, for its kind's purpose (委托核对)."""
    take_turn()
    found = assistance.application(number, by=by)
    request = verifying.verify_household(
        found.household_no,
        declared=declared,
        kind="new",
        purpose=packs.procedures().of(found.kind, found.region_code).purpose,
        as_of=as_of,
        requested_by=requested_by,
        by=by,
    )
    assistance.link_verification(number, request.number, by=by)
    return request


def record_application_visit(number: str, *, by: User, **visit: Any) -> Any:
    """Record a visit on an application (入户调查)."""
    return assistance.record_application_visit(number, rules=packs.procedures(), by=by, **visit)


def give_opinion(number: str, *, grant: bool, ground: str, by: User) -> Any:
    """Give the first opinion (初审)."""
    return assistance.give_opinion(number, grant=grant, ground=ground, rules=packs.procedures(), by=by)


def post_notice(number: str, *, by: User, **notice: Any) -> Any:
    """Register that the public notice hangs (公示)."""
    return assistance.post_notice(number, rules=packs.procedures(), by=by, **notice)


def close_notice(number: str, *, by: User) -> Any:
    """Take the notice down after its last day (公示期满)."""
    return assistance.close_notice(number, rules=packs.procedures(), by=by)


def reasons_for(found: assistance.Application, *, by: User) -> Any:
    """What the report says for an application (核对意见)."""
    return assistance.reasons_for(found, rules=packs.procedures(), pack=packs.rules()[0], by=by)


@transaction.atomic
def decide_application(number: str, *, by: User, **decided: Any) -> assistance.Decision:
    """Confirm or refuse an application (审核确认); what is to be paid is booked where the decider may book."""
    made = assistance.decide_application(
        number, rules=packs.procedures(), pack=packs.rules()[0], by=by, **decided
    )
    _book_if_may(made, by)
    return made


def book_decision(number: str, *, by: User) -> payroll.BenefitDecision | None:
    """Book a decision as what is to be paid (转入待遇); None for a mere recognition. Again it is the same booking."""
    facts = payroll.facts_for_payment(assistance.decision(number, by=by), rules=packs.procedures())
    return None if facts is None else paying.record_decision(by=by, **facts)


def unbooked_decisions(*, by: User) -> list[assistance.Decision]:
    """Decisions that money hangs on and nobody booked yet (待转入待遇)."""
    return payroll.unbooked(rules=packs.procedures(), by=by)


def _book_if_may(made: assistance.Decision, by: User) -> None:
    if may(by, Act.DECIDE_BENEFIT):
        book_decision(made.number, by=by)


@transaction.atomic
def change_decision(number: str, *, by: User, **changed: Any) -> assistance.Decision:
    """Change what a benefit is reckoned on (变更)."""
    made = assistance.change_decision(number, by=by, **changed)
    _book_if_may(made, by)
    return made


@transaction.atomic
def end_decision(number: str, *, by: User, **ended: Any) -> assistance.Decision:
    """End a benefit or recognition (停发)."""
    made = assistance.end_decision(number, by=by, **ended)
    _book_if_may(made, by)
    return made


def aid_first(number: str, *, amount_fen: int, ground: str, by: User) -> assistance.Decision:
    """Give emergency aid before the papers (先行救助)."""
    return assistance.aid_first(
        number,
        amount_fen=amount_fen,
        ground=ground,
        rules=packs.procedures(),
        pack=packs.rules()[0],
        by=by,
    )


def complete_papers(number: str, *, note_text: str, by: User) -> assistance.Application:
    """Say that the papers after emergency aid are there (补手续)."""
    return assistance.complete_papers(number, note_text=note_text, rules=packs.procedures(), by=by)


def transfer_application(number: str, *, department: str, why: str, by: User) -> assistance.Referral:
    """Hand an application to the responsible department (转办)."""
    return assistance.transfer_application(
        number,
        department=department,
        why=why,
        rules=packs.procedures(),
        handling=packs.rules()[1],
        by=by,
    )


def reroute_transfer(number: str, *, department: str, why: str, by: User) -> assistance.Referral:
    """Send a returned transfer on (改派)."""
    return assistance.reroute_transfer(
        number, department=department, why=why, rules=packs.procedures(), by=by
    )


def draw_sample(*, first: date, last: date, by: User) -> assistance.SampleDraw:
    """Draw the county's sample of delegated decisions (抽查)."""
    return assistance.draw_sample(first=first, last=last, rules=packs.procedures(), by=by)


def issue_letter(*, by: User, **asked: Any) -> Any:
    """Issue a letter (文书)."""
    return assistance.issue_letter(rules=packs.procedures(), by=by, **asked)


def letters_due(*, by: User) -> list[Any]:
    """Decisions whose letter waits (待送达)."""
    return assistance.letters_due(rules=packs.procedures(), by=by)
