"""From which month payment stops, on a decision that another step settled (停发)."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import Q

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.recovery_models import (
    PaymentStop,
)
from doudi.contexts.registry import services as registry


@transaction.atomic
def record_stop(
    *,
    source: str,
    household_no: str,
    person_id: int | None,
    person_name: str,
    region_code: str,
    stop_from: date,
    ground: str,
    by: User,
) -> PaymentStop:
    """Record from which month payment stops, on a decision that another step settled; the same source again is the same stop."""
    take_turn()
    standing = PaymentStop.objects.filter(source=source).first()
    if standing is not None:
        return standing
    stop = PaymentStop.objects.create(
        source=source,
        household_no=household_no,
        person_id=person_id,
        person_name=person_name,
        region_code=region_code,
        stop_from=stop_from.replace(day=1),
        ground=ground,
        decided_by=by.username,
    )
    record(
        by=by,
        act="record_stop",
        subject=f"household:{household_no}",
        region_code=region_code,
        detail={"source": source, "stop_from": stop.stop_from},
    )
    return stop


def stops_recorded(
    *, by: User, household_no: str = "", person_id: int | None = None, source: str = ""
) -> list[PaymentStop]:
    """Payment stops of the account's area."""
    require(by, Act.VIEW_RECOVERY)
    found = PaymentStop.objects.filter(region_code__startswith=by.region_code)
    found = registry.but_own(found, by=by, household="household_no")
    if household_no:
        found = found.filter(household_no=household_no)
    if person_id is not None:
        found = found.filter(person_id=person_id)
    if source:
        found = found.filter(source=source)
    return list(found)


def is_stopped(household_no: str, person_id: int | None) -> bool:
    """Whether a stop stands for a person or the whole household, for a step of the chain."""
    return (
        PaymentStop.objects.filter(household_no=household_no)
        .filter(Q(person_id=person_id) | Q(person_id=None))
        .exists()
    )
