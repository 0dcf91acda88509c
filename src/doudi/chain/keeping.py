"""Keeping the office: backups that the log knows of, and an office put back that says whether its log is whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import AuditReport, User
from doudi.engine.errors import DoudiError
from doudi.house import keyring
from doudi.house.backup import KeyGiven, Made, Restored, make_backup
from doudi.house.resealing import Place, left_with_earlier_keys, reseal_everything


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


def rotate_keys(
    *, by: User, progress: Callable[[str, int], None] | None = None
) -> tuple[keyring.KeyRing, dict[str, int], list[Place]]:
    """Take a new key into use and seal everything anew with it (密钥轮换); people go on working meanwhile.

    Gives the ring, how many values of each place were sealed anew, and what is left with an earlier key. Called again
    after a kill it goes on with the same new key.
    """
    ring = keyring.take_new_key()
    done = reseal_everything(progress)
    left = left_with_earlier_keys()
    accounts.record(
        by=by,
        act="rotate_keys",
        subject="office",
        detail={
            "key": ring.active,
            "sealed_anew": done,
            "left": {place.where: place.by_key for place in left},
        },
    )
    return keyring.end_rotation(), done, left


def drop_key(number: int, *, after_days: int, by: User) -> keyring.KeyRing:
    """Destroy an earlier key that nothing is sealed with any more (销毁旧密钥), once it is out of use for some days."""
    ring = keyring.keyring()
    if number == ring.active or number not in ring.sealing:
        raise DoudiError(
            f"密钥 {number} 正在使用或不存在，不能销毁。",
            f"Key {number} is in use or not there.",
            code="key_in_use",
        )
    left = [place for place in left_with_earlier_keys() if number in place.by_key]
    if ring.rotating or left:
        raise DoudiError(
            f"还有内容是用密钥 {number} 加密的（{'、'.join(place.where for place in left) or '轮换未完成'}）。请先运行 doudi keys rotate。",
            f"Something is still sealed with key {number}; run doudi keys rotate first.",
            code="key_needed",
        )
    since = datetime.fromisoformat((ring.retired or {}).get(number, datetime.now(UTC).isoformat()))
    if datetime.now(UTC) - since < timedelta(days=after_days):
        raise DoudiError(
            f"密钥 {number} 停用不到 {after_days} 天，正在办理的事和已导出的表格还可能用到它。",
            f"Key {number} went out of use less than {after_days} days ago; work in hand may still need it.",
            code="key_young",
        )
    accounts.record(by=by, act="drop_key", subject="office", detail={"key": number})
    return keyring.drop_key(number)
