"""What the systems above are told in their own layouts, and what they answer (一次录入、按版式上报、回执核销)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from doudi.chain import packs
from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import upward


def make_upward(*, code: str, region_code: str, month: date, by: User) -> upward.UpwardBatch:
    """Report what a month has that was not accepted yet, in the layout of a system above (上报)."""
    return upward.make_upward(
        code=code, region_code=region_code, month=month, rules=packs.upward_rules(), by=by
    )


def upward_file(number: str, *, by: User) -> tuple[bytes, str]:
    """A report's file and its name."""
    return upward.upward_file(number, rules=packs.upward_rules(), by=by)


def take_upward_return(number: str, path: Path, *, file_name: str, by: User) -> upward.UpwardReturn:
    """Take a return file in (回执)."""
    return upward.take_upward_return(number, path, file_name=file_name, rules=packs.upward_rules(), by=by)


def upward_standing(*, code: str, region_code: str, month: date, by: User) -> upward.UpwardStanding:
    """Hold a month against everything that was reported of it (核销对账)."""
    return upward.upward_standing(
        code=code, region_code=region_code, month=month, rules=packs.upward_rules(), by=by
    )
