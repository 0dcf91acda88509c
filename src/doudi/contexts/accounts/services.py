"""What an office does with accounts and the audit log."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from doudi.contexts.accounts.acts import ACT_LABELS, Act
from doudi.contexts.accounts.anchors import (
    AnchorReport,
    anchor_audit,
    anchor_if_due,
    anchors,
    compare_anchor,
    told,
)
from doudi.contexts.accounts.audit import (
    AuditReport,
    audit_entries,
    household_looks,
    last_entry_at,
    moments_of,
    read_audit,
    record,
    take_turn,
    verify_audit,
)
from doudi.contexts.accounts.keys import (
    KeyRefused,
    NewApiKey,
    api_keys,
    create_api_key,
    once,
    revoke_api_key,
    user_of_api_key,
)
from doudi.contexts.accounts.kin import (
    ID_PURPOSE,
    RELATIONS,
    OwnFile,
    flag_own_file,
    forget_own_person,
    note_own_person,
    once_a_request,
    own_blinds,
    own_people,
    refuse_own,
)
from doudi.contexts.accounts.models import ApiKey, AppendOnly, TimelineLine, User
from doudi.contexts.accounts.policies import (
    OF_ORGANISATIONS,
    POLICY,
    SYSTEM,
    NotAllowed,
    Role,
    Scope,
    acts_of,
    is_office_hand,
    may,
    require,
    scope_of,
)
from doudi.contexts.accounts.privacy import (
    GivenConsent,
    Known,
    Look,
    PrivacyRefused,
    PurposeState,
    assessments,
    data_request,
    data_requests,
    decide_assessment,
    decide_request,
    looks_at,
    purposes,
    receive_request,
    write_assessment,
)
from doudi.contexts.accounts.privacy_models import DataRequest, ImpactAssessment
from doudi.contexts.accounts.second_factor import (
    CodeRefused,
    begin_second_factor,
    check_second_factor,
    codes_left,
    confirm_second_factor,
    end_second_factor,
    key_uri,
    needs_second_factor,
    renew_recovery_codes,
)
from doudi.contexts.accounts.sessions import (
    Admission,
    admit,
    came_by_sign_on,
    drop_expired_sessions,
    end_sessions,
    end_this,
    note_sign_in,
    note_sign_on,
    own_sessions,
    previous_sign_in,
    second_factor_passed,
)
from doudi.contexts.accounts.single_sign_on import (
    SignOnRefused,
    account_of_identity,
    link_identity,
    linked_identity,
    unlink_identity,
)
from doudi.engine.errors import DoudiError

__all__ = [
    "ACT_LABELS",
    "ID_PURPOSE",
    "POLICY",
    "RELATIONS",
    "Act",
    "Admission",
    "AnchorReport",
    "ApiKey",
    "AppendOnly",
    "AuditReport",
    "CodeRefused",
    "DataRequest",
    "GivenConsent",
    "ImpactAssessment",
    "KeyRefused",
    "Known",
    "Look",
    "NewApiKey",
    "NotAllowed",
    "OwnFile",
    "PrivacyRefused",
    "PurposeState",
    "Role",
    "Scope",
    "SignOnRefused",
    "TimelineLine",
    "User",
    "account",
    "account_of_identity",
    "acts_of",
    "admit",
    "anchor_audit",
    "anchor_if_due",
    "anchors",
    "any_users",
    "api_keys",
    "areas_of",
    "assessments",
    "audit_entries",
    "begin_second_factor",
    "came_by_sign_on",
    "check_second_factor",
    "close_account",
    "codes_left",
    "compare_anchor",
    "confirm_second_factor",
    "create_api_key",
    "create_user",
    "data_request",
    "data_requests",
    "decide_assessment",
    "decide_request",
    "drop_expired_sessions",
    "end_second_factor",
    "end_sessions",
    "end_this",
    "flag_own_file",
    "forget_own_person",
    "household_looks",
    "is_office_hand",
    "key_uri",
    "last_entry_at",
    "link_identity",
    "linked_identity",
    "looks_at",
    "managed_account",
    "may",
    "moments_of",
    "name_behind",
    "needs_second_factor",
    "note_own_person",
    "note_sign_in",
    "note_sign_on",
    "once",
    "once_a_request",
    "own_blinds",
    "own_people",
    "own_sessions",
    "previous_sign_in",
    "purposes",
    "read_audit",
    "receive_request",
    "record",
    "refuse_own",
    "renew_recovery_codes",
    "require",
    "revoke_api_key",
    "scope_of",
    "second_factor_passed",
    "set_password",
    "system_user",
    "take_turn",
    "told",
    "unlink_identity",
    "user_of_api_key",
    "usernames",
    "users",
    "users_of",
    "verify_audit",
    "write_assessment",
]


def system_user() -> User:
    """The office's own hand at the command line: who runs ``doudi`` holds the state folder and its keys."""
    hand = User(username=SYSTEM, display_name="命令行", role=Role.COUNTY, region_code="", is_active=True)
    hand.office_hand = True
    return hand


@transaction.atomic
def create_user(
    *,
    username: str,
    password: str,
    display_name: str,
    role: Role,
    region_code: str = "",
    department: str = "",
    organisation: str = "",
    by: User,
    check_password: bool = True,
    first_password: bool = False,
) -> User:
    """Open an account; the name must be free and the password strong. ``first_password``: to be changed at first sign-in.

    A department user has a department; who works for a member body, a charity or a meal place has its number.
    """
    if not is_office_hand(by):
        require(by, Act.MANAGE_USERS, region_code=region_code)
    if username.strip().lower() == SYSTEM:
        raise DoudiError(
            f"“{SYSTEM}”是命令行自己的名字，不能用作账号。",
            f"{SYSTEM!r} is the command line's own name.",
            code="user_exists",
        )
    if User.objects.filter(username=username).exists():
        raise DoudiError(
            f"账号“{username}”已存在，请换一个。", f"Account {username!r} exists.", code="user_exists"
        )
    if role is Role.DEPARTMENT and not department:
        raise DoudiError(
            "部门用户必须写明部门（--department）。",
            "A department user needs --department.",
            code="department_missing",
        )
    if role in OF_ORGANISATIONS and not organisation:
        raise DoudiError(
            f"{role.label}必须写明所属组织的编号（--organisation）。",
            f"A {role} user needs --organisation.",
            code="organisation_missing",
        )
    user = User(
        username=username,
        display_name=display_name or username,
        role=role,
        region_code=region_code,
        department=department,
        organisation=organisation,
        is_staff=False,
        must_change_password=first_password,
    )
    if check_password:
        try:
            validate_password(password, user)
        except ValidationError as problem:
            said = "；".join(problem.messages)
            raise DoudiError(
                f"密码不合要求：{said}", f"Password refused: {said}", code="password_weak"
            ) from None
    user.set_password(password)
    user.save()
    record(
        by=by,
        act=Act.MANAGE_USERS,
        subject=f"user:{username}",
        region_code=region_code,
        detail={"role": role},
    )
    return user


@transaction.atomic
def set_password(username: str, password: str, *, by: User) -> User:
    """Give an account a new password; its open sessions end. A person may change the own one."""
    found = account(username)
    if not is_office_hand(by) and by.pk != found.pk:
        require(by, Act.MANAGE_USERS, region_code=found.region_code)
    try:
        validate_password(password, found)
    except ValidationError as problem:
        said = "；".join(problem.messages)
        raise DoudiError(f"密码不合要求：{said}", f"Password refused: {said}", code="password_weak") from None
    found.set_password(password)
    found.must_change_password = by.pk != found.pk and not is_office_hand(by)
    found.save(update_fields=["password", "must_change_password"])
    record(by=by, act="set_password", subject=f"user:{username}", region_code=found.region_code)
    return found


@transaction.atomic
def close_account(username: str, *, by: User) -> User:
    """Close an account, as when a clerk leaves: it can no longer sign in, and its keys no longer open anything."""
    found = account(username)
    if not is_office_hand(by):
        require(by, Act.MANAGE_USERS, region_code=found.region_code)
    found.is_active = False
    found.save(update_fields=["is_active"])
    record(by=by, act="close_account", subject=f"user:{username}", region_code=found.region_code)
    return found


def usernames() -> set[str]:
    """All account names."""
    return set(User.objects.values_list("username", flat=True))


def account(username: str) -> User:
    """The account of that name, for the office's own command line."""
    found = User.objects.filter(username=username).first()
    if found is None:
        raise DoudiError(f"没有账号“{username}”。", f"No account {username!r}.", code="user_unknown")
    return found


def name_behind(username: str) -> str:
    """The name of the person whose account it is (显示姓名), the text itself where no account is called so.

    For papers and pages that already show who acted: a name tells a reader more than an account does.
    """
    if username == SYSTEM:
        return system_user().display_name
    shown = User.objects.filter(username=username).values_list("display_name", flat=True).first()
    return shown or username


def managed_account(username: str, *, by: User) -> User:
    """An account that an administrator looks after, or a refusal that gives nothing away."""
    require(by, Act.MANAGE_USERS)
    found = User.objects.filter(username=username, region_code__startswith=by.region_code).first()
    if found is None:
        raise DoudiError(f"没有账号“{username}”。", f"No account {username!r}.", code="user_not_found")
    return found


def any_users() -> bool:
    """Whether anybody has an account here."""
    return User.objects.exists()


def users(*, by: User) -> QuerySet[User]:
    """The accounts that an administrator looks after; all of them at the command line."""
    if not is_office_hand(by):
        require(by, Act.MANAGE_USERS)
    return User.objects.filter(region_code__startswith=by.region_code).order_by("role", "username")


def areas_of(*roles: Role) -> set[str]:
    """The areas of active accounts of these roles; '' is an account for everything."""
    return set(User.objects.filter(role__in=roles, is_active=True).values_list("region_code", flat=True))


def users_of(region_code: str, role: Role) -> QuerySet[User]:
    """Active accounts of ``role`` whose area contains or lies within ``region_code``."""
    prefixes = [region_code[:end] for end in (0, 2, 4, 6, 9, 12) if end <= len(region_code)]
    return User.objects.filter(role=role, is_active=True).filter(
        Q(region_code__in=prefixes) | Q(region_code__startswith=region_code)
    )
