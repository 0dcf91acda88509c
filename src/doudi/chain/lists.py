"""Lists, their workbooks, and how well the warnings work (列表、导出、质量)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from django.utils import timezone

from doudi.chain import packs
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.house.locked_workbook import lock_workbook, require_strong


def _warned(asked: registry.Conditions, by: User) -> Any:
    return monitoring.open_household_numbers(by=by) if asked.warned else None


def disabilities_at_hand() -> bool:
    """Whether the files say who is disabled, for a list that shows it (残疾)."""
    return registry.disabilities_at_hand(
        packs.disabilities(), packs.rules()[0].feeds, on=timezone.localdate()
    )


def _require_known(asked: registry.Conditions, columns: Sequence[str] = ()) -> None:
    if asked.disability or asked.disability_kind or "disability" in columns:
        registry.require_disabilities_known(
            packs.disabilities(), packs.rules()[0].feeds, on=timezone.localdate()
        )


def list_page(
    subject: str, asked: registry.Conditions, *, by: User, after: str = "", limit: int = 25
) -> registry.ListPage:
    """One page of a list of households or people (列表)."""
    _require_known(asked)
    return registry.list_page(subject, asked, by=by, warned=_warned(asked, by), after=after, limit=limit)


def request_export(
    subject: str, asked: registry.Conditions, *, columns: list[str], reason: str, by: User
) -> registry.ListExport:
    """Ask for a list as a workbook (申请导出)."""
    _require_known(asked, columns)
    return registry.request_export(
        subject=subject,
        asked=asked,
        columns=columns,
        reason=reason,
        by=by,
        rules=packs.rules()[1].exports,
        warned=_warned(asked, by),
    )


def decide_export(pk: int, *, grant: bool, note: str, by: User) -> registry.ListExport:
    """The second person's word on an export (审批导出)."""
    return registry.decide_export(pk, grant=grant, note=note, by=by, rules=packs.rules()[1].exports)


def take_export(pk: int, *, by: User, password: str = "") -> tuple[registry.ListExport, Iterator[bytes]]:
    """The workbook that was granted (下载); with a password it opens with that alone."""
    if password:
        require_strong(password)
    asked = registry.asked_of(registry.export_of(pk, by=by))
    export, content = registry.take_export(pk, by=by, warned=_warned(asked, by))
    return (export, iter([lock_workbook(b"".join(content), password)])) if password else (export, content)


def quality(*, first: date, last: date, by: User) -> monitoring.Quality:
    """How well the warnings of an area worked in a period (监测质量)."""
    pack, handling = packs.rules()
    aided = {name for category in pack.categories for name in category.registered_as}
    return monitoring.quality(
        first=first,
        last=last,
        by=by,
        handling=handling,
        recognised=registry.newly_recognised(by=by, first=first, last=last, categories=aided),
        referrals=assistance.referral_facts(by=by, first=first, last=last),
        villages=registry.households_by_village(by=by),
        village_of=registry.villages_of,
    )
