"""The government's sign-on account that opens an account here (统一身份认证): linked, taken off, recognised.

In comes an identity that the provider vouches for, already checked by the face; out comes the account it is linked to.
An identity opens no account by itself and brings no rights: role and area are those of the account.
"""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from doudi.contexts.accounts.acts import Act
from doudi.contexts.accounts.audit import record
from doudi.contexts.accounts.models import LinkedIdentity, User
from doudi.contexts.accounts.policies import is_office_hand, require
from doudi.contexts.accounts.sessions import end_sessions
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

_PURPOSE = "accounts.linked_identity"
_LONGEST = 200


class SignOnRefused(DoudiError):
    """The sign-on did not prove who is there, or nobody here is linked to who it is."""

    code = "sign_on_refused"


def _blind(identity: str) -> bytes:
    # provider and claim are in it: the same number at another provider is somebody else
    said = "\n".join((settings.OIDC_ISSUER, settings.OIDC_CLAIM, identity))
    return keyring().digest(said, purpose=_PURPOSE)


def _checked(identity: str) -> str:
    plain = identity.strip()
    if not 0 < len(plain) <= _LONGEST:
        raise SignOnRefused(
            f"统一身份认证的标识不能为空，最长 {_LONGEST} 个字符。",
            f"The identity of the sign-on is empty or longer than {_LONGEST} characters.",
            code="identity_invalid",
        )
    return plain


@transaction.atomic
def link_identity(user: User, identity: str, *, by: User) -> LinkedIdentity:
    """Link an identity to an account: one's own after a sign-on, another's by the administrator; in place of an earlier one.

    ``identity`` is the value of the claim ``DOUDI_OIDC_CLAIM``. It is not kept, only its keyed index and last four signs.
    """
    plain = _checked(identity)
    if by.pk != user.pk and not is_office_hand(by):
        require(by, Act.MANAGE_USERS, region_code=user.region_code)
    blind = _blind(plain)
    holder = LinkedIdentity.objects.filter(identity_blind=blind).first()
    if holder is not None and holder.user_id != user.pk:
        raise SignOnRefused(
            "这个统一身份认证账号已绑定本系统的另一个账号。一人一号：请管理员先解除原来的绑定。",
            "This sign-on is linked to another account here; the administrator has to undo that link first.",
            code="identity_taken",
        )
    made, new = LinkedIdentity.objects.update_or_create(
        user=user, defaults={"identity_blind": blind, "tail": plain[-4:], "linked_by": by.username}
    )
    record(
        by=by,
        act="link_identity",
        subject=f"user:{user.username}",
        region_code=user.region_code,
        detail={"replaced": not new},
    )
    return made


@transaction.atomic
def unlink_identity(user: User, *, by: User) -> None:
    """Take the link off; sessions of the account end where somebody else does it."""
    own = by.pk == user.pk
    if not own and not is_office_hand(by):
        require(by, Act.MANAGE_USERS, region_code=user.region_code)
    gone, _what = LinkedIdentity.objects.filter(user_id=user.pk).delete()
    if gone:
        record(by=by, act="unlink_identity", subject=f"user:{user.username}", region_code=user.region_code)
        if not own:
            end_sessions(user, by=by)


def linked_identity(user: User, *, by: User) -> LinkedIdentity | None:
    """What an account is linked to, for its holder and its administrator."""
    if by.pk != user.pk:
        require(by, Act.MANAGE_USERS, region_code=user.region_code)
    return LinkedIdentity.objects.filter(user_id=user.pk).first()


def account_of_identity(identity: str) -> User:
    """The open account an identity is linked to, or :class:`SignOnRefused`; a closed account's try is on record."""
    link = (
        LinkedIdentity.objects.select_related("user")
        .filter(identity_blind=_blind(_checked(identity)))
        .first()
    )
    if link is None:
        raise SignOnRefused(
            "统一身份认证已通过，但还没有绑定本系统的账号。请先用账号密码登录，在“我的账号”里绑定，或请管理员绑定。",
            "The sign-on was right, but no account here is linked to it. Sign in with your password and link it under "
            "“My account”, or ask the administrator.",
            code="identity_unknown",
        )
    if not link.user.is_active:
        record(
            by=link.user,
            act="sign_in_refused",
            subject=f"user:{link.user.username}",
            region_code=link.user.region_code,
            detail={"why": "closed"},
        )
        raise SignOnRefused(
            "绑定的账号已停用，请联系管理员。",
            "The linked account is closed; ask the administrator.",
            code="account_closed",
        )
    return link.user
