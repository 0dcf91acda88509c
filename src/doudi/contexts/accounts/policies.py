"""Who may do what on which scope: the one table that web, API and command line all ask.

A scope is applied in the query, never in a template. What is not in the table is refused.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from doudi.contexts.accounts.acts import ACT_LABELS, Act
from doudi.engine.errors import DoudiError

if TYPE_CHECKING:
    from doudi.contexts.accounts.models import User

SYSTEM = "system"
"""The name of the office's own hand in the log; no account may bear it."""


def is_office_hand(user: User) -> bool:
    """Whether this is the command line's own hand: it was never an account, and a name does not make one."""
    return user.pk is None and getattr(user, "office_hand", False) is True


class Role(StrEnum):
    """The parts people play; one account plays one part."""

    COUNTY = "county"
    TOWNSHIP = "township"
    DEPARTMENT = "department"
    DIRECTOR = "director"
    AUDITOR = "auditor"
    ADMIN = "admin"
    VERIFIER = "verifier"
    MEMBER = "member"
    CHARITY = "charity"
    CANTEEN = "canteen"
    COURIER = "courier"
    VOLUNTEER = "volunteer"

    @property
    def label(self) -> str:
        return _ROLE_LABELS[self]


_ROLE_LABELS = {
    Role.COUNTY: "县级民政经办",
    Role.TOWNSHIP: "乡镇（街道）经办",
    Role.DEPARTMENT: "部门用户",
    Role.DIRECTOR: "分管领导",
    Role.AUDITOR: "审计人员",
    Role.ADMIN: "系统管理员",
    Role.VERIFIER: "核对经办",
    Role.MEMBER: "成员单位用户",
    Role.CHARITY: "慈善组织用户",
    Role.CANTEEN: "助餐机构用户",
    Role.COURIER: "送餐员",
    Role.VOLUNTEER: "志愿者",
}


OF_ORGANISATIONS = frozenset({Role.MEMBER, Role.CHARITY, Role.CANTEEN, Role.COURIER, Role.VOLUNTEER})
"""Roles whose account belongs to one organisation: a member body, a charity, a meal place."""


class Scope(StrEnum):
    """How far an act reaches."""

    REGION = "region"
    """Rows of the account's own region and below."""
    DEPARTMENT = "department"
    """Rows sent to the account's own department, within its region."""
    AGGREGATE = "aggregate"
    """Figures of the account's region, no single person."""
    ORGANISATION = "organisation"
    """Rows of the account's own organisation: a member body, a charity, a meal place."""


R, A = Role, Act
POLICY: dict[Act, dict[Role, Scope]] = {
    A.LOAD_FEEDS: {R.COUNTY: Scope.REGION},
    A.VIEW_LOADS: {R.COUNTY: Scope.REGION, R.AUDITOR: Scope.REGION},
    A.SCREEN: {R.COUNTY: Scope.REGION},
    A.SIMULATE: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.AGGREGATE},
    A.VIEW_DASHBOARD: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.AGGREGATE,
        R.AUDITOR: Scope.AGGREGATE,
    },
    A.VIEW_HOUSEHOLDS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.VIEW_FINANCES: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION, R.AUDITOR: Scope.REGION},
    A.REVEAL_IDENTITY: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.VIEW_WARNINGS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.DISPATCH_WARNING: {R.COUNTY: Scope.REGION},
    A.RECORD_VISIT: {R.TOWNSHIP: Scope.REGION},
    A.GIVE_MEASURE: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.SEND_REFERRAL: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.VIEW_REFERRALS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DEPARTMENT: Scope.DEPARTMENT,
        R.AUDITOR: Scope.REGION,
    },
    A.ANSWER_REFERRAL: {R.DEPARTMENT: Scope.DEPARTMENT},
    A.CLOSE_WARNING: {R.COUNTY: Scope.REGION},
    A.REASSIGN_WARNING: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.SUSPEND_CLOCK: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.RECORD_REVISIT: {R.TOWNSHIP: Scope.REGION},
    A.HAND_OVER: {R.COUNTY: Scope.REGION, R.ADMIN: Scope.REGION},
    A.VIEW_OUTBOX: {R.COUNTY: Scope.REGION, R.ADMIN: Scope.REGION},
    A.VIEW_INDICATORS: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.AGGREGATE, R.AUDITOR: Scope.AGGREGATE},
    A.PROPOSE_THRESHOLD: {R.COUNTY: Scope.REGION},
    A.APPROVE_THRESHOLD: {R.DIRECTOR: Scope.REGION},
    A.VIEW_DOUBTS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.FIND_DOUBTS: {R.COUNTY: Scope.REGION},
    A.ASSIGN_DOUBT: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.CHECK_DOUBT: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.REVIEW_DOUBT: {R.COUNTY: Scope.REGION},
    A.DECIDE_STOP: {R.COUNTY: Scope.REGION},
    A.VIEW_RECOVERY: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.KEEP_RECOVERY: {R.COUNTY: Scope.REGION},
    A.DECIDE_WRITE_OFF: {R.DIRECTOR: Scope.REGION},
    A.VIEW_RECTIFICATION: {
        R.COUNTY: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.VIEW_REPORTS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.TRIAGE_REPORT: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.CHANGE_REGISTRY: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.CONFIRM_CHANGE: {R.COUNTY: Scope.REGION},
    A.CHECK_DUPLICATE: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.FIND_DUPLICATES: {R.COUNTY: Scope.REGION},
    A.VIEW_DUPLICATES: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.DECIDE_DUPLICATE: {R.COUNTY: Scope.REGION},
    A.EXPORT_LIST: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.VIEW_EXPORTS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.RETURN_LIST: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.APPROVE_EXPORT: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION},
    A.VIEW_QUALITY: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION, R.AUDITOR: Scope.REGION},
    A.VIEW_AUDIT: {R.AUDITOR: Scope.REGION, R.ADMIN: Scope.REGION},
    A.MANAGE_USERS: {R.ADMIN: Scope.REGION},
    # collector, verifier, decision-maker and auditor are different people (handbook 03 §3.7)
    A.VIEW_VERIFICATION: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.VERIFIER: Scope.REGION,
        # who decides on an application reads the report it rests on
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.REQUEST_VERIFICATION: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.COLLECT_AUTHORISATION: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.QUERY_SOURCES: {R.VERIFIER: Scope.REGION},
    A.ISSUE_REPORT: {R.VERIFIER: Scope.REGION},
    # another house's account, with a key for this act alone and its signature on every request (异地协查)
    A.TAKE_ENTRUSTED: {R.COUNTY: Scope.REGION},
    A.HOLD_EVIDENCE: {R.COUNTY: Scope.REGION},
    A.VIEW_SECURITY: {R.COUNTY: Scope.REGION, R.ADMIN: Scope.REGION, R.AUDITOR: Scope.REGION},
    A.HANDLE_SECURITY: {R.COUNTY: Scope.REGION, R.ADMIN: Scope.REGION},
    # one window and applications
    A.VIEW_APPLICATIONS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.TAKE_APPLICATION: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.REGISTER_FAMILY: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.INVESTIGATE_APPLICATION: {R.TOWNSHIP: Scope.REGION},
    A.VISIT_FOR_COUNTY: {R.COUNTY: Scope.REGION},
    A.GIVE_OPINION: {R.TOWNSHIP: Scope.REGION},
    A.DECIDE_APPLICATION: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.REGISTER_KIN: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.DRAW_SAMPLE: {R.COUNTY: Scope.REGION},
    A.SUPERVISE_TRANSFER: {R.COUNTY: Scope.REGION},
    A.VIEW_ENTITLEMENTS: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.VIEW_RESOURCES: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DEPARTMENT: Scope.DEPARTMENT,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.KEEP_RESOURCES: {R.COUNTY: Scope.REGION, R.DEPARTMENT: Scope.DEPARTMENT},
    # amounts, rosters, payment
    A.VIEW_ROSTERS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    # who decides, who reckons, who checks and who pays are different people: the services hold each pair apart
    A.DECIDE_BENEFIT: {R.COUNTY: Scope.REGION},
    A.COMPUTE_ROSTER: {R.COUNTY: Scope.REGION},
    A.CHECK_ROSTER: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION},
    A.PAY_ROSTER: {R.COUNTY: Scope.REGION},
    A.PROPOSE_ACCOUNT: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.CONFIRM_ACCOUNT: {R.COUNTY: Scope.REGION},
    A.KEEP_BUDGET: {R.COUNTY: Scope.REGION},
    A.VIEW_CARE: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
        R.MEMBER: Scope.ORGANISATION,
        R.CHARITY: Scope.ORGANISATION,
    },
    A.ORDER_CARE: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.ASSIGN_CARE: {R.COUNTY: Scope.REGION},
    A.PROVE_CARE: {R.MEMBER: Scope.ORGANISATION, R.CHARITY: Scope.ORGANISATION},
    A.SETTLE_CARE: {R.COUNTY: Scope.REGION},
    A.CHECK_CARE: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION},
    A.PAY_CARE: {R.COUNTY: Scope.REGION},
    A.VIEW_UPWARD: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION, R.AUDITOR: Scope.REGION},
    A.REPORT_UPWARD: {R.COUNTY: Scope.REGION},
    # where a department's events go is the county's to say, who answers for what leaves the house
    A.VIEW_WEBHOOKS: {
        R.COUNTY: Scope.REGION,
        R.DEPARTMENT: Scope.DEPARTMENT,
        R.AUDITOR: Scope.REGION,
    },
    A.KEEP_WEBHOOKS: {R.COUNTY: Scope.REGION},
    A.FOLLOW_UP: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.REVIEW_BENEFIT: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    # member bodies, charities, needs
    A.VIEW_NEEDS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.MEMBER: Scope.ORGANISATION,
        R.CHARITY: Scope.ORGANISATION,
        R.AUDITOR: Scope.REGION,
    },
    A.RAISE_NEED: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    # who raised a need does not publish it: the service compares the accounts
    A.PUBLISH_NEED: {R.COUNTY: Scope.REGION},
    A.MATCH_NEEDS: {R.COUNTY: Scope.REGION},
    A.CLAIM_NEED: {R.MEMBER: Scope.ORGANISATION, R.CHARITY: Scope.ORGANISATION},
    A.MANAGE_ORGANISATIONS: {R.COUNTY: Scope.REGION},
    A.VIEW_PROJECTS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.MEMBER: Scope.ORGANISATION,
        R.CHARITY: Scope.ORGANISATION,
        R.AUDITOR: Scope.REGION,
    },
    A.KEEP_PROJECTS: {R.MEMBER: Scope.ORGANISATION, R.CHARITY: Scope.ORGANISATION},
    A.VIEW_FILINGS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.MEMBER: Scope.ORGANISATION,
        R.CHARITY: Scope.ORGANISATION,
        R.AUDITOR: Scope.REGION,
    },
    A.FILE_AID: {R.MEMBER: Scope.ORGANISATION, R.CHARITY: Scope.ORGANISATION},
    A.RECEIVE_FILINGS: {R.COUNTY: Scope.REGION},
    A.VIEW_RECEIVED: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION, R.AUDITOR: Scope.REGION},
    A.VIEW_MEETINGS: {
        R.COUNTY: Scope.REGION,
        R.MEMBER: Scope.ORGANISATION,
        R.CHARITY: Scope.ORGANISATION,
        R.AUDITOR: Scope.REGION,
    },
    A.HOLD_MEETING: {R.COUNTY: Scope.REGION},
    A.REPORT_RESOLUTION: {
        R.COUNTY: Scope.REGION,
        R.MEMBER: Scope.ORGANISATION,
        R.CHARITY: Scope.ORGANISATION,
    },
    # charity's money
    A.VIEW_FUNDS: {R.COUNTY: Scope.REGION, R.CHARITY: Scope.ORGANISATION, R.AUDITOR: Scope.REGION},
    A.KEEP_FUNDS: {R.CHARITY: Scope.ORGANISATION},
    A.DECIDE_FUNDS: {R.CHARITY: Scope.ORGANISATION},
    A.PAY_FUNDS: {R.CHARITY: Scope.ORGANISATION},
    A.FILE_FUNDRAISING: {R.CHARITY: Scope.ORGANISATION},
    A.RECORD_FUNDRAISING: {R.COUNTY: Scope.REGION},
    A.VIEW_VENTURES: {
        R.COUNTY: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
        R.CHARITY: Scope.ORGANISATION,
        R.TOWNSHIP: Scope.REGION,
        R.DEPARTMENT: Scope.REGION,
        R.MEMBER: Scope.REGION,
        R.VERIFIER: Scope.REGION,
    },
    A.RUN_VENTURE: {R.COUNTY: Scope.REGION},
    A.APPLY_VENTURE: {R.CHARITY: Scope.ORGANISATION},
    # jurors are appointed one by one; the county that runs a call and the director who decides it do not score
    A.SCORE_VENTURE: {
        R.TOWNSHIP: Scope.REGION,
        R.DEPARTMENT: Scope.REGION,
        R.MEMBER: Scope.REGION,
        R.VERIFIER: Scope.REGION,
    },
    A.DECIDE_VENTURE: {R.DIRECTOR: Scope.REGION},
    A.PAY_VENTURE: {R.COUNTY: Scope.REGION},
    A.INCUBATE: {R.CHARITY: Scope.ORGANISATION},
    A.REVIEW_IDEA: {R.COUNTY: Scope.REGION},
    A.SUPPORT_CHARITY: {R.COUNTY: Scope.REGION},
    # the meal network's places, diners, orders
    A.VIEW_SITES: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.CANTEEN: Scope.ORGANISATION,
        R.COURIER: Scope.ORGANISATION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.MANAGE_SITES: {R.COUNTY: Scope.REGION},
    A.VIEW_DINERS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.CANTEEN: Scope.ORGANISATION,
        R.AUDITOR: Scope.REGION,
    },
    A.ENROL_DINER: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION, R.CANTEEN: Scope.ORGANISATION},
    # who serves and is paid for it does not confirm who is served
    A.CONFIRM_DINER: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.KEEP_MENU: {R.CANTEEN: Scope.ORGANISATION},
    A.TAKE_ORDER: {R.TOWNSHIP: Scope.REGION, R.CANTEEN: Scope.ORGANISATION},
    A.SERVE_MEAL: {R.CANTEEN: Scope.ORGANISATION},
    A.PLAN_DELIVERY: {R.CANTEEN: Scope.ORGANISATION},
    A.DELIVER_MEAL: {R.COURIER: Scope.ORGANISATION},
    A.RAISE_WARNING: {R.COURIER: Scope.ORGANISATION, R.CANTEEN: Scope.ORGANISATION},
    # who makes a settlement does not check it, who checks it does not pay it
    A.VIEW_SETTLEMENT: {
        R.COUNTY: Scope.REGION,
        R.CANTEEN: Scope.ORGANISATION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.MAKE_SETTLEMENT: {R.COUNTY: Scope.REGION},
    A.CHECK_SETTLEMENT: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION},
    A.PAY_SETTLEMENT: {R.COUNTY: Scope.REGION},
    A.KEEP_SITE_ACCOUNT: {R.CANTEEN: Scope.ORGANISATION},
    # food safety, volunteers, points
    A.VIEW_SAFETY: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.CANTEEN: Scope.ORGANISATION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.KEEP_SAFETY: {R.CANTEEN: Scope.ORGANISATION},
    # who cooks does not accept the rectification, nor free what was stopped
    A.SUPERVISE_SAFETY: {R.COUNTY: Scope.REGION},
    A.STOP_MEAL: {R.COUNTY: Scope.REGION, R.CANTEEN: Scope.ORGANISATION},
    A.TRACE_MEAL: {R.COUNTY: Scope.REGION, R.CANTEEN: Scope.ORGANISATION},
    # who is rated neither holds the codes nor enters the stars
    A.ISSUE_RATING_CODES: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.RECORD_RATING: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.VIEW_VOLUNTEERS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.CANTEEN: Scope.ORGANISATION,
        R.VOLUNTEER: Scope.ORGANISATION,
        R.AUDITOR: Scope.REGION,
    },
    A.MANAGE_VOLUNTEERS: {R.COUNTY: Scope.REGION, R.CANTEEN: Scope.ORGANISATION},
    A.SERVE_SHIFT: {R.VOLUNTEER: Scope.ORGANISATION},
    # a service counts when its place and its receiver both confirm it, never by the volunteer
    A.CONFIRM_SERVICE: {R.CANTEEN: Scope.ORGANISATION},
    A.CONFIRM_RECEIPT: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.USE_POINTS: {R.CANTEEN: Scope.ORGANISATION, R.VOLUNTEER: Scope.ORGANISATION},
    A.CORRECT_POINTS: {R.COUNTY: Scope.REGION},
    A.VIEW_PLANS: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.PLAN_SITES: {R.COUNTY: Scope.REGION},
    # who plans does not adopt
    A.ADOPT_PLAN: {R.DIRECTOR: Scope.REGION},
    # accounts, exports, privacy, security
    A.VIEW_PRIVACY: {
        R.COUNTY: Scope.REGION,
        R.TOWNSHIP: Scope.REGION,
        R.DIRECTOR: Scope.REGION,
        R.AUDITOR: Scope.REGION,
    },
    A.KEEP_PRIVACY: {R.COUNTY: Scope.REGION},
    A.RECEIVE_PRIVACY: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
    A.DECIDE_PRIVACY: {R.COUNTY: Scope.REGION, R.DIRECTOR: Scope.REGION},
    A.TELL_LOOKS: {R.COUNTY: Scope.REGION, R.TOWNSHIP: Scope.REGION},
}


class NotAllowed(DoudiError):
    """The account may not do this, or not here."""

    code = "not_allowed"


def scope_of(user: User, act: Act) -> Scope | None:
    """The scope in which ``user`` may do ``act``, or None; an API key leaves no more than it names."""
    if not user.is_active or (user.narrowed_to is not None and act not in user.narrowed_to):
        return None
    return POLICY[act].get(Role(user.role))


def may(user: User, act: Act) -> bool:
    """Whether ``user`` may do ``act`` anywhere."""
    return scope_of(user, act) is not None


@cache
def _acts_of_role(role: Role) -> frozenset[Act]:
    return frozenset(act for act, scopes in POLICY.items() if role in scopes)


def acts_of(user: User) -> frozenset[Act]:
    """All that ``user`` may do anywhere: the acts for which :func:`may` says yes, asked at once for a page's frame."""
    if not user.is_active:
        return frozenset()
    acts = _acts_of_role(Role(user.role))
    return acts if user.narrowed_to is None else acts & user.narrowed_to


def require(
    user: User,
    act: Act,
    *,
    region_code: str | None = None,
    department: str | None = None,
    organisation: str | None = None,
) -> Scope:
    """The scope of ``user`` for ``act``, or :class:`NotAllowed`.

    ``region_code``, ``department`` and ``organisation`` are those of the row acted on, where there is one.
    """
    scope = scope_of(user, act)
    within = scope is not None
    if within and region_code is not None:
        within = region_code.startswith(user.region_code)
    if within and scope is Scope.DEPARTMENT and department is not None:
        within = department == user.department
    if within and scope is Scope.ORGANISATION and organisation is not None:
        within = bool(user.organisation) and organisation == user.organisation
    if scope is None or not within:
        raise NotAllowed(
            f"账号“{user.username}”（{Role(user.role).label}）无权在此处办理“{ACT_LABELS[act]}”。"
            "如确需办理，请联系系统管理员。",
            f"Account {user.username!r} ({user.role}) may not {act.value.replace('_', ' ')} here.",
        )
    return scope
