"""One-time codes from a telephone beside the password (动态口令, RFC 6238), and recovery codes for when it is lost.

In come codes that people type; out comes whether they hold. A code counts once; after a few wrong ones nobody is heard
for some minutes. Which roles must have a second factor is a setting (``DOUDI_SECOND_FACTOR``).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from datetime import datetime, timedelta
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from doudi.contexts.accounts.acts import Act
from doudi.contexts.accounts.audit import record
from doudi.contexts.accounts.models import RecoveryCode, SecondFactor, User
from doudi.contexts.accounts.policies import is_office_hand, require
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

_STEP = 30
_DIGITS = 6
_CODES = 10
_MOST_FAILURES = 5
_PAUSE = timedelta(minutes=5)
_PURPOSE = "accounts.recovery_code"
ISSUER = "doudi"


class CodeRefused(DoudiError):
    """The code is wrong, was used already, or too many wrong ones came before it."""

    code = "second_factor_refused"


def needs_second_factor(user: User) -> bool:
    """Whether the office's setting asks this role for a second factor."""
    return user.role in settings.SECOND_FACTOR


@transaction.atomic
def begin_second_factor(*, by: User) -> SecondFactor:
    """A fresh secret for one's own account, which counts once a code of it was typed; an unconfirmed one is shown again."""
    found = SecondFactor.objects.filter(user_id=by.pk).first()
    if found is not None:
        if found.confirmed_at is not None:
            raise CodeRefused(
                "动态口令已经启用。要换手机，请先停用再重新启用。",
                "One-time codes are in use already; turn them off first.",
                code="second_factor_on",
            )
        return found
    secret = base64.b32encode(secrets.token_bytes(20)).decode()
    return SecondFactor.objects.create(user_id=by.pk, secret=secret)


def key_uri(factor: SecondFactor, username: str) -> str:
    """The secret in the form that telephones read."""
    label = quote(f"{ISSUER}:{username}")
    return f"otpauth://totp/{label}?secret={factor.secret}&issuer={ISSUER}&digits={_DIGITS}&period={_STEP}"


def confirm_second_factor(code: str, *, by: User) -> list[str]:
    """Put the second factor into use with a first right code; gives the recovery codes, which are never shown again."""
    _take(code, by, confirmed=False)
    with transaction.atomic():
        SecondFactor.objects.filter(user_id=by.pk).update(confirmed_at=timezone.now())
        User.objects.filter(pk=by.pk).update(second_factor=True)
        codes = _new_codes(by)
        record(by=by, act="second_factor_on", subject=f"user:{by.username}", region_code=by.region_code)
    by.second_factor = True
    return codes


def check_second_factor(code: str, *, by: User) -> None:
    """Take a one-time or a recovery code of a signed-in account, or :class:`CodeRefused`."""
    plain = "".join(code.split()).replace("-", "").lower()
    if len(plain) > _DIGITS:
        _take_recovery_code(plain, by)
    else:
        _take(plain, by, confirmed=True)


def renew_recovery_codes(code: str, *, by: User) -> list[str]:
    """Fresh recovery codes in place of the earlier ones, for a right code."""
    check_second_factor(code, by=by)  # outside the transaction: a wrong code must count
    with transaction.atomic():
        codes = _new_codes(by)
        record(by=by, act="recovery_codes", subject=f"user:{by.username}", region_code=by.region_code)
    return codes


def codes_left(user: User) -> int:
    """How many recovery codes were not used yet."""
    return RecoveryCode.objects.filter(user_id=user.pk, used_at=None).count()


def end_second_factor(username: str, *, by: User, code: str = "", ground: str = "") -> User:
    """Turn the second factor off: one's own with a right code; by the administrator, with a ground, for who lost it."""
    found = User.objects.filter(username=username).first()
    if found is None:
        raise DoudiError(f"没有账号“{username}”。", f"No account {username!r}.", code="user_not_found")
    if by.pk == found.pk:
        check_second_factor(code, by=by)
    elif not is_office_hand(by):
        require(by, Act.MANAGE_USERS, region_code=found.region_code)
        if len(ground.strip()) < 4:
            raise DoudiError(
                "请写明停用他人动态口令的理由（至少四个字）。",
                "Say why the second factor is turned off.",
                code="reason_missing",
            )
    with transaction.atomic():
        SecondFactor.objects.filter(user=found).delete()
        RecoveryCode.objects.filter(user=found).delete()
        User.objects.filter(pk=found.pk).update(second_factor=False)
        record(
            by=by,
            act="second_factor_off",
            subject=f"user:{username}",
            region_code=found.region_code,
            reason=ground.strip(),
        )
    found.second_factor = False
    return found


def _take(code: str, by: User, *, confirmed: bool) -> None:
    factor = SecondFactor.objects.filter(user_id=by.pk).first()
    if factor is None or (factor.confirmed_at is not None) is not confirmed:
        raise CodeRefused(
            "动态口令没有启用。", "One-time codes are not in use.", code="second_factor_missing"
        )
    _heed_pause(factor)
    step = _step_of(code, factor, timezone.now())
    # the conditional update is the lock: of two who type the same code one wins
    taken = step is not None and SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(
        last_step=step, failures=0
    )
    if not taken:
        _count_failure(factor)
        raise CodeRefused(
            "动态口令不对或已经用过。请等手机上换出下一个再输入，并核对手机时间是否准确。",
            "The code is wrong or was used; wait for the next one and check the telephone's clock.",
        )


def _step_of(code: str, factor: SecondFactor, now: datetime) -> int | None:
    """The time step whose code this is: the present one, the one before or the one after."""
    totp = TOTP(base64.b32decode(factor.secret), _DIGITS, SHA1(), _STEP, enforce_key_length=False)  # noqa: S303
    at = int(now.timestamp())
    for shift in (0, -1, 1):
        when = at + shift * _STEP
        if hmac.compare_digest(totp.generate(when).decode(), code) if code.isascii() else False:
            return when // _STEP
    return None


def _take_recovery_code(plain: str, by: User) -> None:
    factor = SecondFactor.objects.filter(user_id=by.pk).first()
    if factor is None:
        raise CodeRefused(
            "动态口令没有启用。", "One-time codes are not in use.", code="second_factor_missing"
        )
    _heed_pause(factor)
    digest = keyring().digest(plain, purpose=_PURPOSE)
    with transaction.atomic():
        used = RecoveryCode.objects.filter(user_id=by.pk, digest=digest, used_at=None).update(
            used_at=timezone.now()
        )
        if used:
            SecondFactor.objects.filter(pk=factor.pk).update(failures=0)
            record(by=by, act="use_recovery_code", subject=f"user:{by.username}", region_code=by.region_code)
    if not used:
        _count_failure(factor)
        raise CodeRefused("恢复码不对或已经用过。", "The recovery code is wrong or was used.")


def _heed_pause(factor: SecondFactor) -> None:
    if (
        factor.failures >= _MOST_FAILURES
        and factor.failed_at is not None
        and timezone.now() - factor.failed_at < _PAUSE
    ):
        raise CodeRefused(
            f"错误太多，请 {int(_PAUSE.total_seconds() // 60)} 分钟后再试。",
            f"Too many wrong codes; try again in {int(_PAUSE.total_seconds() // 60)} minutes.",
            code="second_factor_paused",
            retry=True,
        )


def _count_failure(factor: SecondFactor) -> None:
    SecondFactor.objects.filter(pk=factor.pk).update(failures=F("failures") + 1, failed_at=timezone.now())


def _new_codes(by: User) -> list[str]:
    RecoveryCode.objects.filter(user_id=by.pk).delete()
    codes = [secrets.token_hex(5) for _ in range(_CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user_id=by.pk, digest=keyring().digest(code, purpose=_PURPOSE)) for code in codes
    )
    return [f"{code[:5]}-{code[5:]}" for code in codes]
