"""Another number for an indicator, from a future day and by two people (阈值调整)."""

from __future__ import annotations

from datetime import date

from django.conf import settings

from doudi.chain import evidence, packs
from doudi.contexts.accounts.services import User
from doudi.contexts.monitoring import services as monitoring


def propose_threshold(
    *, indicator: str, parameter: str, value: str, from_on: date, ground: str, as_of: date, by: User
) -> monitoring.ThresholdChange:
    """Back-test another value of an indicator's number and submit it with its figures (提交阈值调整)."""
    tested = evidence.back_test(
        indicator, as_of=as_of, alternatives=[{(parameter, by.region_code): value}], by=by
    )
    return monitoring.propose_threshold(
        settings.PACK,
        packs.rules()[0],
        indicator=indicator,
        parameter=parameter,
        value=value,
        from_on=from_on,
        ground=ground,
        tested=tested,
        by=by,
    )


def decide_threshold(number: str, *, approve: bool, decision: str, by: User) -> monitoring.ThresholdChange:
    """Approve a change of an indicator's number, or return it (审批阈值调整)."""
    return monitoring.decide_threshold(number, approve=approve, decision=decision, base=settings.PACK, by=by)
