"""Services of the pack's catalogue, given by bodies of the charity register (服务类救助)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from doudi.contexts.accounts.services import User, system_user
from doudi.contexts.assistance import care
from doudi.contexts.charity import services as charity
from doudi.engine.packs.care_services import CareRules, load_care


@lru_cache(maxsize=4)
def _care(folder: Path) -> CareRules:
    return load_care(folder)


def care_rules() -> CareRules:
    """The catalogue of the pack in force; read once a process."""
    return _care(settings.PACK)


def order_care(**told: Any) -> care.CareOrder:
    """Order a service; the arguments are those of :func:`care.order_care`."""
    return care.order_care(rules=care_rules(), **told)


def end_due_care() -> int:
    """End the orders whose time is over (到期结束)."""
    return care.end_due_care(rules=care_rules(), by=system_user())


def care_providers(*, by: User) -> list[tuple[str, str]]:
    """Code and name of the bodies that may be given an order."""
    return [(one.code, one.name) for one in charity.organisations(by=by)]


def assign_care(number: str, *, provider: str, by: User) -> care.CareOrder:
    """Give an order to a body that is registered and open."""
    found = charity.open_organisation(provider, by=by)
    return care.assign_care(number, provider=found.code, provider_name=found.name, by=by)


def record_care_visit(number: str, **told: Any) -> care.CareVisit:
    """Prove a visit; the arguments are those of :func:`care.record_care_visit`."""
    return care.record_care_visit(number, rules=care_rules(), **told)
