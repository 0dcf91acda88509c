"""Keys with which programs act for an account, and the memory that makes their retries harmless (接口密钥、幂等).

In comes what a program sends with its request; out comes the account it acts for, narrowed to what the key leaves.
A key is never kept, and never widens what its owner may do.
"""

from __future__ import annotations

import copy
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.acts import ACT_LABELS, Act
from doudi.contexts.accounts.audit import record
from doudi.contexts.accounts.models import ApiKey, FirstAnswer, User
from doudi.contexts.accounts.policies import is_office_hand, may, require
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

LONGEST = timedelta(days=366)
_SIGN = "doudi"
_FORM = re.compile(rf"({_SIGN}_[0-9a-f]{{10}})_[\w-]{{43}}", re.ASCII)
_KEY_PURPOSE = "api.key"
_REQUEST_PURPOSE = "api.request"
_USE_NOTED_EVERY = timedelta(minutes=5)
_ANSWERS_KEPT = timedelta(days=7)


class KeyRefused(DoudiError):
    """The key is not one of ours, has run out, was revoked, or its account is closed."""

    code = "key_unknown"


@dataclass(frozen=True)
class NewApiKey:
    """A key just made, with its text, which nobody can be shown again."""

    key: ApiKey
    text: str


@transaction.atomic
def create_api_key(
    owner: User,
    *,
    label: str,
    scopes: Iterable[Act | str],
    expires_at: datetime,
    by: User,
    region_code: str | None = None,
) -> NewApiKey:
    """Make a key for ``owner``, by the owner or by whoever manages the account.

    ``scopes`` are acts that the owner's role may do, ``region_code`` (default: the owner's) lies within the owner's
    area, ``expires_at`` is at most 366 days away.
    """
    if not is_office_hand(by) and by.pk != owner.pk:
        require(by, Act.MANAGE_USERS, region_code=owner.region_code)
    wanted = sorted({str(scope) for scope in scopes})
    beyond = [scope for scope in wanted if scope not in set(Act) or not may(owner, Act(scope))]
    if not wanted or beyond:
        can = {act.value: ACT_LABELS[act] for act in Act if may(owner, act)}
        raise DoudiError(
            f"密钥的事项必须是账号“{owner.username}”能办的：{'、'.join(f'{a}（{label}）' for a, label in can.items())}。",
            f"The scopes of a key are acts that account {owner.username!r} may do: {', '.join(can)}.",
            code="key_scopes",
        )
    region = owner.region_code if region_code is None else region_code
    if not region.startswith(owner.region_code) or not (region == "" or region.isdigit()):
        raise DoudiError(
            f"密钥的辖区 {region} 不在账号的辖区 {owner.region_code} 之内。",
            f"The key's region {region} is not within the account's region {owner.region_code}.",
            code="key_region",
        )
    now = timezone.now()
    if not now < expires_at <= now + LONGEST:
        raise DoudiError(
            "密钥的到期时间须在今后 366 天以内。",
            "A key runs out within the next 366 days.",
            code="key_expiry",
        )
    if len(label.strip()) < 2:
        raise DoudiError("请写明密钥给哪个系统用。", "Say which system the key is for.", code="key_label")
    prefix = f"{_SIGN}_{secrets.token_hex(5)}"
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        prefix=prefix,
        digest=keyring().digest(text, purpose=_KEY_PURPOSE),
        owner=owner,
        label=label.strip()[:80],
        scopes=wanted,
        region_code=region,
        created_by=by.username,
        expires_at=expires_at,
    )
    record(
        by=by,
        act="create_api_key",
        subject=f"api_key:{prefix}",
        region_code=region,
        detail={"owner": owner.username, "scopes": wanted, "expires_at": expires_at},
    )
    return NewApiKey(key, text)


def api_keys(*, by: User) -> QuerySet[ApiKey]:
    """The keys of the accounts that ``by`` manages, and one's own."""
    own = Q(owner__username=by.username)
    if is_office_hand(by):
        own = Q()
    elif may(by, Act.MANAGE_USERS):
        own |= Q(owner__region_code__startswith=by.region_code)
    return ApiKey.objects.filter(own).select_related("owner")


@transaction.atomic
def revoke_api_key(prefix: str, *, by: User) -> ApiKey:
    """Make a key worthless at once (吊销); a key that is revoked already stays as it is."""
    key = api_keys(by=by).filter(prefix=prefix).first()
    if key is None:
        raise KeyRefused(
            f"没有找到密钥 {prefix}，或不归您管理。", f"No key {prefix} of yours.", code="key_not_found"
        )
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(
        revoked_at=timezone.now(), revoked_by=by.username
    ):
        record(by=by, act="revoke_api_key", subject=f"api_key:{prefix}", region_code=key.region_code)
    key.refresh_from_db()
    return key


def user_of_api_key(text: str) -> tuple[User, ApiKey]:
    """The account that a key acts for, narrowed to the key's acts and area, or :class:`KeyRefused`.

    The first use of each day goes into the audit log.
    """
    written = _FORM.fullmatch(text)
    key = (
        None if written is None else ApiKey.objects.select_related("owner").filter(prefix=written[1]).first()
    )
    given = keyring().digest(text, purpose=_KEY_PURPOSE)
    now = timezone.now()
    if key is None or not hmac.compare_digest(bytes(key.digest), given):
        raise KeyRefused("接口密钥不对，请核对是否抄录完整。", "Unknown API key; check that it is complete.")
    if key.revoked_at is not None:
        raise KeyRefused(
            f"接口密钥 {key.prefix} 已吊销，请向管理员申请新的。",
            f"API key {key.prefix} was revoked; ask for a new one.",
            code="key_revoked",
        )
    if key.expires_at <= now:
        raise KeyRefused(
            f"接口密钥 {key.prefix} 已到期，请向管理员申请新的。",
            f"API key {key.prefix} has run out; ask for a new one.",
            code="key_expired",
        )
    if not key.owner.is_active:
        raise KeyRefused(
            f"接口密钥 {key.prefix} 的账号已停用。",
            f"The account of API key {key.prefix} is closed.",
            code="key_owner_closed",
        )
    # the owner may have been given a smaller area since
    if not key.region_code.startswith(key.owner.region_code):
        raise KeyRefused(
            f"接口密钥 {key.prefix} 的辖区已不在账号的辖区之内，请换一把。",
            f"The region of API key {key.prefix} is no longer within its account's; get a new one.",
            code="key_region",
        )
    user = copy.copy(key.owner)
    user.narrowed_to = frozenset(key.scopes)
    user.region_code = key.region_code
    _note_use(key, user, now)
    return user, key


@transaction.atomic
def _note_use(key: ApiKey, user: User, now: datetime) -> None:
    last = key.last_used_at
    if last is not None and now - last < _USE_NOTED_EVERY and _day(last) == _day(now):
        return
    claimed = ApiKey.objects.filter(pk=key.pk, last_used_at=last).update(last_used_at=now)
    if claimed and (last is None or _day(last) != _day(now)):
        record(by=user, act="use_api_key", subject=f"api_key:{key.prefix}", region_code=key.region_code)


def _day(moment: datetime) -> Any:
    return timezone.localtime(moment).date()


@transaction.atomic
def once(key: str, request: str, act: Callable[[], Any], *, by: User) -> tuple[Any, bool]:
    """Do ``act`` once for a key of an account; a retry gets the first answer, and True, and changes nothing.

    ``act`` returns what JSON can hold and runs in the transaction in which the key is taken: either both stand or
    neither, so a retry after a failure acts afresh. ``request`` is what was asked; the same key for another request is
    refused. Answers are kept sealed for seven days.
    """
    digest = keyring().digest(request, purpose=_REQUEST_PURPOSE)
    FirstAnswer.objects.filter(at__lt=timezone.now() - _ANSWERS_KEPT).delete()
    try:
        with transaction.atomic():
            # the unique row is the lock: of two at once the second waits here for the first to end
            kept = FirstAnswer.objects.create(account=by.username, key=key, request=digest, answer="")
    except IntegrityError:
        kept = FirstAnswer.objects.get(account=by.username, key=key)
        if bytes(kept.request) != digest:
            raise DoudiError(
                "这个 Idempotency-Key 已用于另一个请求。每个新的请求请换一个新的值。",
                "This Idempotency-Key was used for another request; take a new one for each new request.",
                code="idempotency_key_reused",
            ) from None
        return json.loads(kept.answer), True
    answer = act()
    kept.answer = json.dumps(answer, ensure_ascii=False)
    kept.save(update_fields=["answer"])
    return answer, False
