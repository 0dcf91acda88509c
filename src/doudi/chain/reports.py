"""Families that people tell of (主动发现)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from doudi.chain import packs
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry


def take_report(**told: Any) -> monitoring.FamilyReport:
    """Take a report of the public form in (主动发现)."""
    return monitoring.take_report(rules=packs.outreach(), **told)


def take_hotline_file(path: Path, *, by: User) -> monitoring.HotlineOutcome:
    """Take the hotline's work orders in (12345 工单)."""
    return monitoring.take_hotline_file(path, rules=packs.outreach(), by=by)


@transaction.atomic
def open_from_report(
    number: str, *, household_no: str = "", ground: str = "", by: User
) -> monitoring.WarningCase:
    """Make a report a warning of a household of the register, or of a family not on it (立预警)."""
    take_turn()
    return monitoring.open_from_report(
        monitoring.report(number, by=by),
        household=registry.household(household_no, by=by) if household_no else None,
        by=by,
        rules=packs.outreach(),
        handling=packs.rules()[1],
        ground=ground,
    )


@transaction.atomic
def identify(number: str, *, household_no: str, by: User) -> monitoring.WarningCase:
    """Say which household of the register a reported family is (查明是哪一户)."""
    take_turn()
    household = registry.household(household_no, by=by)
    return monitoring.identify(monitoring.warning(number, by=by), household, by=by)
