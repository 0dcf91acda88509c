"""Needs: raised after public aid is counted, with the person's consent, checked by another and published without identity.

民发〔2023〕46号: charity reaches those who do not meet government conditions or are still in difficulty after aid, and
the person's consent comes first.
"""

from __future__ import annotations

import secrets
from datetime import date

from dateutil.relativedelta import relativedelta
from django.db import IntegrityError, transaction
from django.db.models import Count, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity.errors import NeedNotFound, StepRefused
from doudi.contexts.charity.models import AidFiling, Claim, Consent, Need, NeedEvent
from doudi.contexts.charity.need_models import NeedQuerySet
from doudi.contexts.charity.publishing import fault_in_text, what_to_show
from doudi.contexts.charity.telling import tell_taken_down
from doudi.contexts.registry import services as registry
from doudi.engine.packs.linking import LinkageRules
from doudi.engine.workdays import add_workdays
from doudi.house.attachments import keep_attachment

_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
COUNTED_MONTHS = 12
"""For how long back aid of the same kind is counted where nobody says otherwise."""
_Status = Need.Status


def needs(*, by: User, status: str = "", kind: str = "") -> NeedQuerySet:
    """Needs that ``by`` may see, the most urgent and longest waiting first; ``status`` one of them or ``open``."""
    scope = require(by, Act.VIEW_NEEDS)
    found = registry.but_own(
        Need.objects.visible_to(by, scope, timezone.localdate()), by=by, household="household_no"
    )
    if status == "open":
        found = found.filter(status__in=Need.OPEN)
    elif status:
        found = found.filter(status=status)
    if kind:
        found = found.filter(**{"public_kind" if scope is Scope.ORGANISATION else "kind": kind})
    return found.order_by("tier", "published_on", "pk")


def need_of(code: str, *, by: User) -> Need:
    """One need that ``by`` may see, or :class:`NeedNotFound`."""
    scope = require(by, Act.VIEW_NEEDS)
    found = Need.objects.visible_to(by, scope, timezone.localdate()).filter(code=code).first()
    if found is None:
        raise NeedNotFound(
            f"没有找到需求 {code}，或已经撤下。", f"No need {code} for you, or it has been taken down."
        )
    registry.refuse_own_record(f"need:{code}", by=by, household_no=found.household_no)
    return found


@transaction.atomic
def look_at_need(code: str, *, by: User) -> Need:
    """:func:`need_of`, with the look in the audit log."""
    found = need_of(code, by=by)
    record(
        by=by, act=Act.VIEW_NEEDS, subject=f"household:{found.household_no}", region_code=found.region_code,
        reason=f"需求 {code}",
    )  # fmt: skip
    return found


def note(need: Need, *, by: User, kind: str, text: str) -> None:
    """One line on the timeline."""
    NeedEvent.write(need=need, by=by, kind=kind, text=text)


def parts_of(need: Need) -> tuple[int, int]:
    """How many gifts a need has had already, and their fen (分担情况)."""
    given = need.claims.filter(status=Claim.Status.GRANTED).aggregate(
        count=Count("pk"), fen=Sum("granted_fen")
    )
    return given["count"], given["fen"] or 0


def aid_counted(household_no: str, kind: str, since: date, rules: LinkageRules) -> tuple[int, int]:
    """What the household got of a kind since a day: from the public hand, and from all others, fen."""
    public = sum(
        given.amount_fen
        for given in assistance.aid_given([household_no], since=since)
        if rules.meets(kind, measure=given.code, giver=given.giver)
    )
    other = (
        AidFiling.objects.standing()
        .filter(household_no=household_no, kind=kind, aided_on__gte=since)
        .aggregate(fen=Sum("amount_fen"))["fen"]
    )
    return public, other or 0


def recount(need: Need, rules: LinkageRules) -> Need:
    """Count public and other aid anew; the caller holds the turn."""
    public, other = aid_counted(need.household_no, need.kind, need.counted_since, rules)
    Need.objects.filter(pk=need.pk).update(
        public_aid_fen=public, other_aid_fen=other, counted_on=timezone.localdate()
    )
    need.refresh_from_db()
    return need


@transaction.atomic
def raise_need(
    household_no: str,
    *,
    kind: str,
    group: str,
    tier: int,
    need_fen: int | None,
    story: str,
    origin: str,
    origin_no: str = "",
    counted_since: date | None = None,
    income_fen: int | None = None,
    whole: bool = False,
    rules: LinkageRules,
    by: User,
) -> Need:
    """Raise a household's need; refused where public and other aid meet it already. One open need of a kind at a time:
    a second click gives the first.

    ``whole``: a part does not help (an operation's deposit), one project gives all that is missing (须一次给足).
    """
    household = registry.household(household_no, by=by)
    require(by, Act.RAISE_NEED, region_code=household.responsible_region)
    take_turn()
    standing = Need.objects.filter(household_no=household_no, kind=kind, status__in=Need.OPEN).first()
    if standing is not None:
        return standing
    for value, known, zh, en in (
        (kind, rules.kinds, "需求种类", "kind"), (group, rules.groups, "人群", "group"), (tier, rules.tiers, "紧急等级", "tier"),
        (origin, Need.Origin.values, "来源", "origin"),
    ):  # fmt: skip
        if value not in known:
            raise StepRefused(f"请选择{zh}。", f"Choose the {en}.")
    if need_fen is not None and need_fen <= 0:
        raise StepRefused(
            "需求金额应大于零；只要服务或物资请留空。",
            "The amount is positive; leave it empty for services or goods.",
        )
    if len(story.strip()) < 10:
        raise StepRefused("请写明情况（至少十个字）。", "Describe the situation (ten characters or more).")
    today = timezone.localdate()
    since = counted_since or today - relativedelta(months=COUNTED_MONTHS)
    public, other = aid_counted(household_no, kind, since, rules)
    need = Need(
        code=_free_code(),
        household_no=household_no,
        region_code=household.responsible_region,
        lives_in=household.region_code,
        kind=kind,
        group=group,
        tier=tier,
        need_fen=need_fen,
        whole=whole and need_fen is not None,
        public_aid_fen=public,
        other_aid_fen=other,
        counted_since=since,
        counted_on=today,
        income_fen=income_fen,
        story=story.strip(),
        origin=origin,
        origin_no=origin_no,
        status=_Status.RAISED,
        raised_by=by.username,
    )
    _refuse_without_gap(need)
    try:
        with transaction.atomic():
            need.save()
    except IntegrityError:  # another office's process was first
        return Need.objects.get(household_no=household_no, kind=kind, status__in=Need.OPEN)
    note(need, by=by, kind="raise", text=f"登记需求：{rules.kinds[kind].label}，{rules.tiers[tier].label}")
    record(
        by=by, act=Act.RAISE_NEED, subject=f"household:{household_no}", region_code=need.region_code,
        detail={"need": need.code, "kind": kind, "origin": origin},
    )  # fmt: skip
    return need


def _refuse_without_gap(need: Need) -> None:
    if need.gap_fen == 0:
        counted = need.public_aid_fen + need.other_aid_fen
        over = need.need_fen is not None and counted > need.need_fen
        raise StepRefused(
            "扣除政府救助和其他帮扶后没有缺口" + ("，且各方帮扶合计已超过需求，请先核对是否重复。" if over else "，不需要慈善补充。"),
            "Nothing is missing after public and other aid" + ("; the aid exceeds the need: check for duplicates." if over else "."),
            code="no_gap",
        )  # fmt: skip


def _free_code() -> str:
    while True:
        code = "XQ-" + "".join(secrets.choice(_LETTERS) for _ in range(7))
        if not Need.objects.filter(code=code).exists():
            return code


# ---- consent ---------------------------------------------------------------------------------------------------


@transaction.atomic
def give_consent(
    code: str,
    *,
    kind: str,
    given: str,
    signer: str,
    given_on: date,
    expires_on: date | None = None,
    evidence: bytes = b"",
    rules: LinkageRules,
    by: User,
) -> Consent:
    """Register the person's consent, with its end; a signed one with its scan. A standing one of the kind is given back."""
    take_turn()
    need = need_of(code, by=by)
    require(by, Act.RAISE_NEED, region_code=need.region_code)
    today = timezone.localdate()
    if kind not in Consent.Kind.values or given not in Consent.Given.values:
        raise StepRefused("请选择同意事项和方式。", "Choose what is agreed to and how.")
    if len(signer.strip()) < 2:
        raise StepRefused("请填写同意人。", "Say who agrees.")
    if given_on > today:
        raise StepRefused("同意日期不能晚于今天。", "Consent cannot lie in the future.")
    latest = given_on + relativedelta(months=rules.consent_months)
    ends = expires_on or latest
    if not today <= ends <= latest:
        raise StepRefused(
            f"有效期须在今天和 {latest} 之间（最长 {rules.consent_months} 个月）。",
            f"Consent ends between today and {latest}.",
        )
    if given != Consent.Given.WITNESSED and not evidence:
        raise StepRefused(
            "书面同意须上传签字照片或扫描件。",
            "Signed consent needs its picture or scan.",
            code="evidence_missing",
        )
    standing = need.consents.filter(kind=kind, withdrawn_on=None, expires_on__gte=ends).first()
    if standing is not None:
        return standing
    kept = keep_attachment(evidence).digest if evidence else ""
    consent = Consent.objects.create(
        need=need, kind=kind, given=given, signer=signer.strip(), given_on=given_on, expires_on=ends,
        evidence=kept, entered_by=by.username,
    )  # fmt: skip
    note(need, by=by, kind="consent", text=f"登记本人同意：{consent.get_kind_display()}，有效期至 {ends}")
    record(
        by=by, act=Act.RAISE_NEED, subject=f"household:{need.household_no}", region_code=need.region_code,
        detail={"need": code, "consent": kind, "expires_on": ends},
    )  # fmt: skip
    return consent


@transaction.atomic
def withdraw_consent(
    code: str, *, told_on: date, kind: str = Consent.Kind.PUBLISH, rules: LinkageRules, by: User
) -> Need:
    """Register that the person takes the consent back: the need is taken down in the same moment, a hold on it ends.

    ``told_on`` is the day the person said so; the pack's working days count from it, and a late entry shows as late.
    """
    take_turn()
    need = need_of(code, by=by)
    require(by, Act.RAISE_NEED, region_code=need.region_code)
    today = timezone.localdate()
    if told_on > today:
        raise StepRefused("撤回日期不能晚于今天。", "The day cannot lie in the future.")
    limit = add_workdays(told_on, rules.withdraw_workdays)
    changed = need.consents.filter(kind=kind, withdrawn_on=None).update(
        withdrawn_on=told_on, withdraw_by=limit, taken_down_on=today, withdrawn_by=by.username
    )
    if not changed:
        raise StepRefused("没有有效的同意可以撤回。", "There is no consent to take back.", code="no_consent")
    late = today > limit
    note(
        need,
        by=by,
        kind="withdraw",
        text=f"本人 {told_on} 撤回同意，已撤下" + ("（超过时限）" if late else ""),
    )
    if kind == Consent.Kind.PUBLISH:
        _take_down(need, by=by, why="本人撤回同意")
    record(
        by=by, act=Act.RAISE_NEED, subject=f"household:{need.household_no}", region_code=need.region_code,
        detail={"need": code, "withdrawn": kind, "late": late},
    )  # fmt: skip
    need.refresh_from_db()
    return need


def _take_down(need: Need, *, by: User, why: str) -> None:
    today = timezone.localdate()
    for held in need.claims.filter(status=Claim.Status.RESERVED).select_related("organisation", "need"):
        tell_taken_down(held)
    need.claims.filter(status=Claim.Status.RESERVED).update(
        status=Claim.Status.RELEASED, why=why, ended_on=today
    )
    Need.objects.filter(pk=need.pk, status__in=Need.OPEN).update(
        status=_Status.WITHDRAWN, ended_on=today, ended_why=why
    )


def run_out(by: User) -> int:
    """Take down what the person's consent no longer covers; the office's own hand does it, once however often (同意到期)."""
    today = timezone.localdate()
    gone = Need.objects.filter(status__in=(_Status.PUBLISHED, _Status.CLAIMED)).exclude(
        pk__in=Need.objects.consented(today).values("pk")
    )
    count = 0
    for pk in list(gone.values_list("pk", flat=True)):
        with transaction.atomic():
            take_turn()
            need = Need.objects.get(pk=pk)
            if need.status not in (_Status.PUBLISHED, _Status.CLAIMED):
                continue
            _take_down(need, by=by, why="同意到期")
            note(need, by=by, kind="expire", text="本人同意已到期，自动撤下")
            record(
                by=by, act=Act.PUBLISH_NEED, subject=f"household:{need.household_no}",
                region_code=need.region_code, detail={"need": need.code, "step": "consent_expired"},
            )  # fmt: skip
            count += 1
    return count


# ---- publication -----------------------------------------------------------------------------------------------


@transaction.atomic
def publish_need(code: str, *, public_text: str, rules: LinkageRules, by: User) -> Need:
    """Publish a need without identity: consent stands, a gap is left, the text names nobody, the cell is large enough.

    Another person than who raised it; the place is widened until as many households of the register as the pack asks
    for are alike in place, group and kind of need, and then the kind to its class (k-匿名).
    """
    take_turn()
    need = need_of(code, by=by)
    require(by, Act.PUBLISH_NEED, region_code=need.region_code)
    if need.raised_by == by.username:
        raise StepRefused(
            "登记需求的人不能自己审核发布，请由另一人办理。",
            "Who raised the need does not publish it.",
            code="same_person",
        )
    if need.status == _Status.PUBLISHED and need.public_text == public_text.strip():
        return need
    if need.status != _Status.RAISED:
        raise StepRefused(f"需求现为“{need.get_status_display()}”，不能发布。", f"The need is {need.status}.")
    today = timezone.localdate()
    if not Need.objects.consented(today).filter(pk=need.pk).exists():
        raise StepRefused(
            "没有本人有效的同意，不能发布。请先登记同意。",
            "Without the person's consent it is not published.",
            code="no_consent",
        )
    recount(need, rules)
    _refuse_without_gap(need)
    shown = what_to_show(need.lives_in, need.group, need.kind, rules, on=today)
    fault = fault_in_text(
        public_text,
        household_no=need.household_no,
        lives_in=need.lives_in,
        kind=need.kind,
        shown=shown,
        rules=rules,
    )
    if fault is not None:
        raise StepRefused(fault[1], fault[2], code=fault[0])
    if not Need.objects.filter(pk=need.pk, status=_Status.RAISED).update(
        status=_Status.PUBLISHED, public_text=public_text.strip()[:300], public_region=shown.place, public_kind=shown.kind,
        cell=shown.cell,        published_on=today, published_by=by.username,
    ):  # fmt: skip
        raise StepRefused("刚被他人处理，请刷新。", "Somebody else was first; reload.", code="outrun")
    need.refresh_from_db()
    note(
        need,
        by=by,
        kind="publish",
        text=f"审核发布：地区到 {registry.region_name(shown.place)}，同格 {shown.cell} 户"
        + ("" if shown.kind == need.kind else "，只公开需求大类"),
    )
    record(
        by=by, act=Act.PUBLISH_NEED, subject=f"household:{need.household_no}", region_code=need.region_code,
        detail={"need": code, "place": shown.place, "kind": shown.kind, "cell": shown.cell, "k": rules.smallest_cell},
    )  # fmt: skip
    return need


@transaction.atomic
def close_need(code: str, *, why: str, by: User) -> Need:
    """Close a need that is no more, with the reason; a held one is first given back (关闭)."""
    take_turn()
    need = need_of(code, by=by)
    require(by, Act.RAISE_NEED, region_code=need.region_code)
    if len(why.strip()) < 4:
        raise StepRefused("请写明关闭理由（至少四个字）。", "State the reason.")
    if not Need.objects.filter(pk=need.pk, status__in=(_Status.RAISED, _Status.PUBLISHED)).update(
        status=_Status.CLOSED, ended_on=timezone.localdate(), ended_why=why.strip()[:300]
    ):
        raise StepRefused(
            f"需求现为“{need.get_status_display()}”，不能关闭；已认领的请先收回。",
            f"The need is {need.status}.",
        )
    note(need, by=by, kind="close", text=f"关闭：{why.strip()}")
    record(
        by=by, act=Act.RAISE_NEED, subject=f"household:{need.household_no}", region_code=need.region_code,
        reason=why, detail={"need": code, "step": "close"},
    )  # fmt: skip
    need.refresh_from_db()
    return need
