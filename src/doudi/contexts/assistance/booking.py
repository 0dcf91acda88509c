"""From a decision on an application to what is to be paid (转入待遇): the facts of the one for the other.

A decision says who is helped and why; a benefit decision what is due each month. Its source is the first one's number,
so that the same decision is booked once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dateutil.relativedelta import relativedelta

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.assistance.application_models import Decision
from doudi.contexts.assistance.benefit_models import BenefitDecision
from doudi.contexts.assistance.benefits import needs_by_age
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import Recipient
from doudi.engine.packs.procedures import Procedures

_KINDS = {
    Decision.Result.GRANTED: "grant",
    Decision.Result.CHANGED: "change",
    Decision.Result.STOPPED: "stop",
}


def facts_for_payment(made: Decision, *, rules: Procedures) -> dict[str, Any] | None:
    """The arguments of ``record_decision`` for a decision; None where nothing is to be paid on it."""
    kind = rules.of(made.kind, made.region_code)
    verb = _KINDS.get(Decision.Result(made.result))
    if not kind.benefit or verb is None or not made.household_no or made.valid_from is None:
        return None
    if verb != "stop" and made.amount_fen is None and made.per_capita_fen is None:
        # unknown is not nothing: who has no known income is not paid the whole standard
        raise StepRefused(
            "家庭人均月收入未知，不能转入待遇。请在决定中填写调查核定的家庭月收入。",
            "The income a head is not known; give the monthly income that the visit found.",
            code="income_unknown",
        )
    briefs = registry.people_briefs(made.persons)
    return {
        "kind": verb,
        "benefit": kind.benefit,
        "household_no": made.household_no,
        "region_code": made.region_code,
        "urban_rural": made.urban_rural,
        "decided_on": made.decided_on,
        "decision_no": made.number,
        "persons": [
            Recipient(key, needs=tuple(needs_by_age(briefs[key], made.valid_from)))
            for key in made.persons
            if key in briefs
        ],
        "per_capita_income_fen": made.per_capita_fen or 0,
        "amount_fen": made.amount_fen,
        "single": made.application.alone if made.application is not None else False,
        "starts_on": made.valid_from.replace(day=1),
        "ends_on": made.valid_to - relativedelta(months=1) if made.valid_to else None,
        "ground": made.ground,
        "source": f"decision:{made.number}",
    }


def unbooked(*, rules: Procedures, by: User) -> list[Decision]:
    """Decisions of the area that something is to be paid on and that nobody booked yet, oldest first."""
    require(by, Act.DECIDE_BENEFIT)
    return list(_unbooked(rules, by))


def _unbooked(rules: Procedures, by: User) -> Iterator[Decision]:
    paid = [code for code, kind in rules.kinds.items() if kind.benefit]
    found = (
        Decision.objects.filter(
            region_code__startswith=by.region_code, kind__in=paid, result__in=list(_KINDS)
        )
        .exclude(household_no="")
        .order_by("pk")
    )
    booked = set(
        BenefitDecision.objects.filter(
            source__in=[f"decision:{number}" for number in found.values_list("number", flat=True)]
        ).values_list("source", flat=True)
    )
    yield from (made for made in found if f"decision:{made.number}" not in booked)
