"""Keeping the office: backups that the log knows of, and an office put back that says whether its log is whole."""

from __future__ import annotations

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import AuditReport, User
from doudi.house.backup import KeyGiven, Made, Restored, make_backup


def back_up(dest: str, *, given: KeyGiven, by: User) -> Made:
    """Make a backup and put its hash into the log (备份)."""
    made = make_backup(dest, given=given)
    accounts.record(
        by=by,
        act="backup",
        subject="office",
        detail={"sha256": made.sha256, "bytes": made.size, "files": made.files, "database": made.database},
    )
    return made


def settle_restored(told: Restored, *, by: User) -> AuditReport:
    """Say whether the log of an office that was put back is whole, and put the restore into it (恢复)."""
    report = accounts.verify_audit()
    accounts.record(
        by=by,
        act="restore",
        subject="office",
        detail={"made_at": told.made_at, "version": told.version, "files": told.files, "whole": report.whole},
    )
    return report
