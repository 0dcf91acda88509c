"""From a decision to money in the bank, by the numbers of the pack in force (待遇、名册、发放)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from doudi.chain import packs
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import payroll
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.benefits import BenefitRules, Due, Numbers, load_benefits
from doudi.house.paths import home


@lru_cache(maxsize=4)
def _benefits(folder: Path) -> BenefitRules:
    return load_benefits(folder)


def benefit_rules() -> BenefitRules:
    """The benefits section of the pack in force (待遇); read once a process."""
    return _benefits(settings.PACK)


def numbers() -> Numbers:
    """The numbers of the pack in force, with what was approved over it."""
    return Numbers(packs.rules_now()[0])


def record_decision(**told: Any) -> payroll.BenefitDecision:
    """Record a decision on a benefit (待遇决定); the arguments are those of :func:`payroll.record_decision`."""
    return payroll.record_decision(rules=benefit_rules(), numbers=numbers(), **told)


def taper_benefit(**told: Any) -> payroll.BenefitDecision:
    """Let a benefit taper (渐退)."""
    return payroll.taper(rules=benefit_rules(), numbers=numbers(), **told)


def explain_decision(number: str, *, month: date, by: User) -> Due:
    """What a decision makes due in a month, line by line."""
    found = payroll.decision_of(number, by=by)
    return payroll.explained(found, month, rules=benefit_rules(), numbers=numbers())


def open_books(*, region_code: str, month: date, decision_no: str, by: User) -> payroll.Opened:
    """Take the present recipients over as decisions (开账), with the incomes of the latest screen."""
    run = monitoring.latest_run()
    incomes = monitoring.per_capita_incomes(run) if run is not None else {}
    return payroll.open_books(
        rules=benefit_rules(),
        numbers=numbers(),
        region_code=region_code,
        month=month,
        incomes=incomes,
        decision_no=decision_no,
        by=by,
    )


def compute_roster(*, region_code: str, month: date, by: User) -> payroll.Roster:
    """Reckon a county's roster for a month (计算名册)."""
    return payroll.compute_roster(
        region_code=region_code, month=month, rules=benefit_rules(), numbers=numbers(), by=by
    )


def make_batch(*, region_code: str, layout: str, by: User) -> payroll.PayBatch:
    """Everything that can be paid now, as one payment file (发放)."""
    return payroll.make_batch(region_code=region_code, layout=layout, rules=benefit_rules(), by=by)


def payment_file(number: str, *, by: User) -> bytes:
    """The payment file of a batch."""
    return payroll.payment_file(number, rules=benefit_rules(), by=by)


def take_bank_return(number: str, *, content: bytes, file_name: str, by: User) -> payroll.BankReturn:
    """Take the bank's return file in (回盘)."""
    return payroll.take_return(number, content=content, file_name=file_name, rules=benefit_rules(), by=by)


# ---- outcome and review -------------------------------------------------------------------------------------------


def record_offer(**told: Any) -> payroll.WorkRefusal:
    """Record work that was offered (介绍工作); refusals in a row propose a review."""
    return payroll.record_offer(rules=benefit_rules(), **told)


def decide_exit(pk: int, *, agree: bool, decision_no: str, by: User) -> payroll.Review:
    """Decide on a proposed exit after the hearing (退出)."""
    return payroll.decide_exit(
        pk, agree=agree, decision_no=decision_no, by=by, rules=benefit_rules(), numbers=numbers()
    )


_last_look: dict[tuple[str, str], date] = {}


def _once_a_day(name: str, look: Callable[[BenefitRules], int]) -> int:
    """A look at every decision of the office is worth once a day in each worker."""
    key, today = (name, str(home().root)), timezone.localdate()
    if _last_look.get(key) == today:
        return 0
    found = look(benefit_rules())
    _last_look[key] = today
    return found


def plan_follow_ups() -> int:
    """Plan the looks at what measures came to (随访)."""
    return _once_a_day("follow_ups", payroll.plan_follow_ups)


def open_reviews() -> int:
    """Open the reviews that come due (定期复查)."""
    return _once_a_day("reviews", payroll.open_reviews)
