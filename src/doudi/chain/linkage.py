"""Government and charity hand in hand (慈善衔接): the rules of the pack go in where a step needs them."""

from __future__ import annotations

from datetime import date
from typing import Any

from doudi.chain import packs
from doudi.contexts.accounts.services import User
from doudi.contexts.charity import services as charity


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
