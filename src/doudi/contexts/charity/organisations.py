"""Bodies that give: entered by the county, their codes checked, their public-fundraising qualification by its year rule."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity.errors import OrganisationNotFound, StepRefused
from doudi.contexts.charity.models import Organisation, Qualification
from doudi.engine import identity
from doudi.engine.charity import qualified_from
from doudi.engine.packs.giving import GivingRules


@transaction.atomic
def register_organisation(
    *,
    code: str,
    name: str,
    kind: str,
    region_code: str,
    registered_on: date | None = None,
    contact: str = "",
    phone: str = "",
    by: User,
) -> Organisation:
    """Enter a body that gives; the same code twice gives the one that is there.

    A charity or hub has a unified code right by GB 32100-2015 and a date of registration; a member body a short code.
    """
    require(by, Act.MANAGE_ORGANISATIONS, region_code=region_code)
    take_turn()
    code, name = code.strip().upper() if kind != Organisation.Kind.MEMBER else code.strip(), name.strip()
    standing = Organisation.objects.filter(code=code).first()
    if standing is not None:
        require(by, Act.MANAGE_ORGANISATIONS, region_code=standing.region_code)
        return standing
    if kind not in Organisation.Kind.values:
        raise StepRefused("请选择类型。", f"Choose a kind: {', '.join(Organisation.Kind.values)}.")
    if len(name) < 2 or not code:
        raise StepRefused("请填写编号和名称。", "Give a code and a name.")
    if kind != Organisation.Kind.MEMBER:
        if not identity.valid_uscc(code):
            raise StepRefused(
                f"统一社会信用代码 {code} 不对（18 位，末位是校验码）。请对照登记证书核对。",
                f"{code} is no valid unified social credit code; compare the certificate.",
                code="uscc_invalid",
            )
        if registered_on is None:
            raise StepRefused("慈善组织请填写登记日期。", "A charity needs its date of registration.")
    if registered_on is not None and registered_on > timezone.localdate():
        raise StepRefused("登记日期不能晚于今天。", "The date of registration cannot lie in the future.")
    new = Organisation.objects.create(
        code=code,
        name=name,
        kind=kind,
        region_code=region_code,
        registered_on=registered_on,
        contact=contact.strip(),
        phone=phone.strip(),
    )
    record(
        by=by,
        act=Act.MANAGE_ORGANISATIONS,
        subject=f"organisation:{code}",
        region_code=region_code,
        detail={"step": "register", "kind": kind},
    )
    return new


@transaction.atomic
def close_organisation(code: str, *, why: str, by: User) -> Organisation:
    """Close a body: it files and claims no more; what it did stays."""
    found = organisation(code, by=by)
    require(by, Act.MANAGE_ORGANISATIONS, region_code=found.region_code)
    take_turn()
    if len(why.strip()) < 4:
        raise StepRefused("请写明停用理由（至少四个字）。", "State the reason (four characters or more).")
    if not Organisation.objects.filter(pk=found.pk, closed_on=None).update(closed_on=timezone.localdate()):
        raise StepRefused("该组织已停用。", "The organisation is closed already.", code="already_closed")
    record(
        by=by,
        act=Act.MANAGE_ORGANISATIONS,
        subject=f"organisation:{code}",
        region_code=found.region_code,
        reason=why,
        detail={"step": "close"},
    )
    found.refresh_from_db()
    return found


def organisations(*, by: User, kind: str = "", closed: bool = False) -> QuerySet[Organisation]:
    """The bodies of the account's area; a body's own account sees itself. ``closed`` shows closed ones too."""
    scope = require(by, Act.VIEW_NEEDS)
    found = Organisation.objects.all() if closed else Organisation.objects.filter(closed_on=None)
    if scope is Scope.ORGANISATION:
        found = found.filter(code=by.organisation)
    elif by.region_code:
        # a body of the county works in all its townships
        found = found.filter(region_code__startswith=by.region_code[:6])
    return found.filter(kind=kind) if kind else found


def organisation(code: str, *, by: User) -> Organisation:
    """One body that ``by`` may see, or :class:`OrganisationNotFound`."""
    found = organisations(by=by, closed=True).filter(code=code).first()
    if found is None:
        raise OrganisationNotFound(f"没有找到组织 {code}。", f"No organisation {code} for you.")
    return found


def open_organisation(code: str, *, by: User) -> Organisation:
    """One body that ``by`` may see and that is not closed; refused where it is."""
    found = organisation(code, by=by)
    if found.closed_on is not None:
        raise StepRefused(f"{found.name}已停用。", f"{found.name} is closed.", code="already_closed")
    return found


def own_organisation(by: User) -> Organisation:
    """The body an account belongs to, standing; refused where it is not entered or closed."""
    found = (
        Organisation.objects.filter(code=by.organisation, closed_on=None).first() if by.organisation else None
    )
    if found is None:
        raise OrganisationNotFound(
            f"账号“{by.username}”所属的组织“{by.organisation}”没有登记或已停用。请联系县级民政。",
            f"The organisation {by.organisation!r} of the account is not entered or closed; ask the county.",
        )
    return found


# ---- the qualification ------------------------------------------------------------------------------------------


def may_apply_from(registered_on: date, rules: GivingRules) -> date:
    """The first day on which a charity may apply: a full year after registration (慈善法 第二十二条)."""
    return qualified_from(registered_on, rules.registered_years)


@transaction.atomic
def apply_for_qualification(code: str, *, applied_on: date, rules: GivingRules, by: User) -> Qualification:
    """Enter a charity's application for public fundraising; refused before the year is full (公开募捐资格申请)."""
    found = organisation(code, by=by)
    require(by, Act.MANAGE_ORGANISATIONS, region_code=found.region_code)
    take_turn()
    if found.kind == Organisation.Kind.MEMBER or found.registered_on is None:
        raise StepRefused("只有登记的慈善组织可以申请。", "Only a registered charity applies.")
    if found.fundraising_since is not None:
        raise StepRefused(
            "已有公开募捐资格。", "It holds the qualification already.", code="already_qualified"
        )
    first = may_apply_from(found.registered_on, rules)
    if applied_on < first:
        raise StepRefused(
            f"{found.name} {found.registered_on} 登记，满一年即 {first} 起才可以申请公开募捐资格（慈善法第二十二条）。",
            f"Registered on {found.registered_on}; it may apply from {first} on (Charity Law art. 22).",
            code="under_a_year",
        )
    if applied_on > timezone.localdate():
        raise StepRefused("申请日期不能晚于今天。", "The application cannot lie in the future.")
    asked = found.qualifications.filter(status=Qualification.Status.ASKED).first()
    if asked is not None:
        return asked
    asked = Qualification.objects.create(
        organisation=found,
        applied_on=applied_on,
        decide_by=applied_on + timedelta(days=rules.decision_days),
        entered_by=by.username,
    )
    record(
        by=by,
        act=Act.MANAGE_ORGANISATIONS,
        subject=f"organisation:{code}",
        region_code=found.region_code,
        detail={"step": "apply_qualification", "applied_on": applied_on},
    )
    return asked


@transaction.atomic
def decide_qualification(pk: int, *, grant: bool, ground: str = "", by: User) -> Qualification:
    """Decide an application; another person than who entered it, and a refusal with its ground."""
    take_turn()
    found = Qualification.objects.select_related("organisation").filter(pk=pk).first()
    if found is None:
        raise OrganisationNotFound("没有找到这份申请。", "No such application.")
    require(by, Act.MANAGE_ORGANISATIONS, region_code=found.organisation.region_code)
    if found.entered_by == by.username:
        raise StepRefused(
            "登记申请的人不能自己决定，请由另一人办理。",
            "Who entered the application does not decide it.",
            code="same_person",
        )
    if not grant and len(ground.strip()) < 4:
        raise StepRefused("不予取得须写明理由。", "A refusal states its ground.")
    today = timezone.localdate()
    status = Qualification.Status.GRANTED if grant else Qualification.Status.REFUSED
    if not Qualification.objects.filter(pk=pk, status=Qualification.Status.ASKED).update(
        status=status, decided_on=today, decided_by=by.username, ground=ground.strip()
    ):
        raise StepRefused("这份申请已有决定。", "The application is decided already.", code="already_decided")
    if grant:
        Organisation.objects.filter(pk=found.organisation_id).update(fundraising_since=today)
    record(
        by=by,
        act=Act.MANAGE_ORGANISATIONS,
        subject=f"organisation:{found.organisation.code}",
        region_code=found.organisation.region_code,
        reason=ground,
        detail={"step": "decide_qualification", "status": status},
    )
    found.refresh_from_db()
    return found


def may_raise_funds(found: Organisation, on: date) -> bool:
    """Whether a body holds the public-fundraising qualification on a day."""
    return found.fundraising_since is not None and found.fundraising_since <= on
