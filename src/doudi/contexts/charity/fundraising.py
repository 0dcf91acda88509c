"""Public fundraising: a plan with its legal fields, filed before it starts, recorded by the county, stopped where it must be.

Only a qualified charity raises funds publicly; whoever is not works with one, under its plan, into its accounts (慈善法第二十二
至二十六条). In an emergency that left no time a plan is filed within days of the start (第七十三条).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import Fund, FundEntry, visible
from doudi.contexts.charity.fundraising_models import Campaign, CampaignLine, DisclosureDuty
from doudi.contexts.charity.funds import FundNotFound, numbered, own_fund, reasoned
from doudi.contexts.charity.organisations import may_raise_funds, own_organisation
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.charity import due_disclosures, filing_due
from doudi.engine.packs.giving import GivingRules

FIELDS = (
    "title", "purpose", "starts_on", "ends_on", "regions", "person", "address", "ways", "receiving", "account_name",
    "account_number", "bank", "beneficiaries", "use", "cost_fen", "goal_fen", "remainder", "platform", "emergency",
    "partner", "partner_assessed", "partner_agreement", "place_filing",
)  # fmt: skip
_NEEDED = {
    "title": "募捐活动名称", "purpose": "募捐目的", "person": "活动负责人", "address": "办公地址", "receiving": "接受捐赠方式",
    "account_name": "银行账户名称", "account_number": "银行账号", "bank": "开户银行", "beneficiaries": "受益人",
    "use": "募得款物用途", "remainder": "剩余财产的处理",
}  # fmt: skip
"""The fields of art. 24 that are words; dates, area and cost are checked apart."""


def campaigns(*, by: User, status: str = "") -> QuerySet[Campaign]:
    """Plans that ``by`` may see; the county sees drafts of nobody."""
    found = visible(Campaign.objects.all(), by, Act.VIEW_FUNDS).select_related("organisation", "fund")
    if not by.organisation:
        found = found.exclude(status=Campaign.Status.DRAFT)
    return found.filter(status=status) if status else found


def campaign_of(number: str, *, by: User) -> Campaign:
    """One plan, or :class:`FundNotFound`."""
    found = campaigns(by=by).filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到募捐方案 {number}。", f"No plan {number} for you.")
    return found


def raised(campaign: Campaign) -> dict[str, int]:
    """How many gifts a plan brought and what they are worth, reversed ones left out; fen."""
    gifts = campaign.donations.exclude(entry__reversed_by__kind=FundEntry.Kind.REVERSAL)
    sums = dict(gifts.order_by().values_list("asset").annotate(total=Sum("amount_fen")))
    return {
        "gifts": gifts.count(),
        "money_fen": int(sums.get("money", 0)),
        "goods_fen": int(sums.get("goods", 0)),
    }


@transaction.atomic
def draft_campaign(
    *, fund_number: str, by: User, number: str = "", token: str = "", **fields: Any
) -> Campaign:
    """Write a plan, or write on at one that is a draft or came back (填写募捐方案)."""
    take_turn()
    body = own_organisation(by)
    require(by, Act.FILE_FUNDRAISING, region_code=body.region_code, organisation=body.code)
    if strange := set(fields) - set(FIELDS):
        raise ValueError(f"no fields of a plan: {strange}")
    fund = own_fund(fund_number, by=by, act=Act.FILE_FUNDRAISING)
    if number:
        found = campaign_of(number, by=by)
        if found.status not in (Campaign.Status.DRAFT, Campaign.Status.RETURNED):
            raise StepRefused(
                "已报送的方案不能改；请等民政部门备案或退回。",
                "A filed plan is not changed; wait for the county.",
            )
        found.fund = fund
        for name, value in fields.items():
            setattr(found, name, value)
    else:
        again = Campaign.objects.filter(
            organisation=body,
            title=str(fields.get("title", "")),
            starts_on=fields.get("starts_on") or date.min,
            status=Campaign.Status.DRAFT,
        ).first()
        if again is not None:
            return again
        found = Campaign(
            number=numbered(Campaign, "MJ", timezone.localdate()),
            organisation=body,
            fund=fund,
            made_by=by.username,
            **fields,
        )
    if not found.title or not found.starts_on or not found.ends_on:
        raise StepRefused("请填写名称和起止日期。", "Give the title and the dates.")
    found.save()
    _note(found, by, "draft", "填写募捐方案")
    _log(found, by, Act.FILE_FUNDRAISING, step="draft")
    return found


def what_is_missing(campaign: Campaign, rules: GivingRules, today: date) -> list[str]:
    """What stands against filing a plan, in words with the article; empty where it may be filed."""
    body = campaign.organisation
    against = [
        f"缺“{label}”（慈善法第二十四条）"
        for name, label in _NEEDED.items()
        if not str(getattr(campaign, name)).strip()
    ]
    if campaign.ends_on < campaign.starts_on:
        against.append("结束日期早于开始日期")
    if not campaign.regions or not campaign.ways:
        against.append("缺活动地域或募捐方式（第二十四条）")
    if not may_raise_funds(body, campaign.starts_on):
        against.append(
            "本组织在开始日期没有公开募捐资格，只能与有资格的慈善组织合作，由其报送方案（第二十二、二十六条）"
        )
    if campaign.account_name.strip() != body.name:
        against.append(
            f"银行账户须是本组织“{body.name}”的账户；专项、冠名基金和合作方没有自己的募捐账户（第二十六条）"
        )
    if campaign.fund.expires_on is not None and campaign.fund.expires_on < campaign.ends_on:
        against.append("入账的资金在募捐结束前期满")
    outside = any(not code.startswith(body.region_code) for code in campaign.regions)
    on_site = {Campaign.Way.STREET, Campaign.Way.EVENT} & set(campaign.ways)
    if outside and on_site and not campaign.place_filing.strip():
        against.append("在登记地以外现场募捐，须先向活动地民政部门备案并填备案文号（第二十三条）")
    if Campaign.Way.ONLINE in campaign.ways and campaign.platform not in rules.platforms:
        against.append("互联网募捐须选民政部指定的平台或本组织网站（第二十七条）")
    if campaign.partner.strip() and not (
        campaign.partner_assessed.strip() and campaign.partner_agreement.strip()
    ):
        against.append("合作募捐须评估合作方并签订书面协议（第二十六条）")
    if not campaign.emergency and today >= campaign.starts_on:
        against.append("须在募捐开始之前报送；请改开始日期，应对突发事件的请注明（第二十四、七十三条）")
    return against


@transaction.atomic
def file_campaign(number: str, *, rules: GivingRules, by: User) -> Campaign:
    """File a plan with the county (报送备案); a second click is the same filing."""
    take_turn()
    found = campaign_of(number, by=by)
    require(
        by,
        Act.FILE_FUNDRAISING,
        region_code=found.organisation.region_code,
        organisation=found.organisation.code,
    )
    if found.status in (Campaign.Status.FILED, Campaign.Status.RECORDED):
        return found
    if found.status == Campaign.Status.STOPPED:
        raise StepRefused("方案已停止。", "The plan was stopped.")
    today = timezone.localdate()
    if against := what_is_missing(found, rules, today):
        raise StepRefused(
            f"方案还不能报送：{'；'.join(against)}。",
            "The plan cannot be filed yet; see what is missing.",
            code="plan_incomplete",
        )
    found.filing_due = filing_due(found.starts_on, emergency=found.emergency, grace_days=rules.emergency_days)
    found.filed_late = today > found.filing_due
    found.status, found.filed_on, found.filed_by = Campaign.Status.FILED, today, by.username
    found.save()
    _note(found, by, "file", "报送备案" + ("（逾期）" if found.filed_late else ""))
    _log(found, by, Act.FILE_FUNDRAISING, step="file", late=found.filed_late)
    monitoring.tell(
        monitoring.people(Role.COUNTY, found.organisation.region_code),
        monitoring.Word(
            "fundraising",
            f"{found.organisation.name}报送募捐方案“{found.title}”，{found.starts_on} 开始。",
            f"A fundraising plan was filed: {found.number}, starting {found.starts_on}.",
            f"/funds/campaigns/{found.number}/",
        ),
        key=f"campaign:{found.number}:{today}",
    )
    return found


@transaction.atomic
def decide_campaign(
    number: str, *, accept: bool, record_no: str = "", note: str = "", rules: GivingRules, by: User
) -> Campaign:
    """The county records a filed plan, from when its disclosures are owed, or returns it (备案、退回补正)."""
    take_turn()
    found = campaign_of(number, by=by)
    require(by, Act.RECORD_FUNDRAISING, region_code=found.organisation.region_code)
    if found.status != Campaign.Status.FILED:
        raise StepRefused("方案不在待备案状态。", "The plan is not waiting.")
    if accept:
        if len(record_no.strip()) < 2:
            raise StepRefused("请填写备案编号。", "Give the record number.")
        found.status, found.record_no = Campaign.Status.RECORDED, record_no.strip()
        _owe(found, rules)
        _note(found, by, "record", f"备案 {record_no.strip()}")
    else:
        found.status = Campaign.Status.RETURNED
        _note(found, by, "return", f"退回补正：{reasoned(note)}")
    found.decided_by = by.username
    found.save()
    _log(found, by, Act.RECORD_FUNDRAISING, step="record" if accept else "return")
    return found


@transaction.atomic
def stop_campaign(number: str, *, reason: str, rules: GivingRules, by: User) -> Campaign:
    """The charity ends a fundraising early; what is owed is counted from today (停止募捐)."""
    take_turn()
    found = campaign_of(number, by=by)
    require(
        by,
        Act.FILE_FUNDRAISING,
        region_code=found.organisation.region_code,
        organisation=found.organisation.code,
    )
    if found.status not in (Campaign.Status.FILED, Campaign.Status.RECORDED):
        raise StepRefused("只有已报送或已备案的方案可以停止。", "Only a filed or recorded plan is stopped.")
    today = timezone.localdate()
    if found.ends_on < today:
        raise StepRefused("募捐期已经结束。", "The fundraising is over already.")
    was_owed = found.status == Campaign.Status.RECORDED and found.starts_on <= today
    found.status, found.ends_on = Campaign.Status.STOPPED, max(today, found.starts_on)
    found.save()
    found.duties.filter(published=None).update(dropped=True)
    if was_owed:
        _owe(found, rules)
    _note(found, by, "stop", f"停止募捐：{reasoned(reason)}")
    _log(found, by, Act.FILE_FUNDRAISING, step="stop")
    return found


def _owe(campaign: Campaign, rules: GivingRules) -> None:
    """Enter the disclosures that a plan owes; one that was published already is not owed again."""
    for due in due_disclosures(campaign.starts_on, campaign.ends_on, rules.disclosure):
        DisclosureDuty.objects.get_or_create(
            campaign=campaign,
            part=due.part.value,
            place=due.place,
            dropped=False,
            defaults={
                "organisation": campaign.organisation,
                "from_on": due.from_on,
                "until_on": due.until_on,
                "due_on": due.due_on,
            },
        )


# ---- for everybody ----------------------------------------------------------------------------------------------


def public_campaigns(today: date) -> QuerySet[Campaign]:
    """Plans that everybody may read: recorded ones, and stopped ones, the latest first (第二十五条)."""
    return (
        Campaign.objects.filter(status__in=(Campaign.Status.RECORDED, Campaign.Status.STOPPED))
        .exclude(record_no="")
        .select_related("organisation", "fund")
        .order_by("-starts_on")
    )


def public_campaign(number: str) -> Campaign:
    """One plan that everybody may read."""
    found = public_campaigns(timezone.localdate()).filter(number=number).first()
    if found is None:
        raise FundNotFound("没有找到这次募捐。", "No such fundraising.")
    return found


def campaign_events(campaign: Campaign) -> Sequence[CampaignLine]:
    """The plan's timeline."""
    return list(campaign.events.all())


def open_to_gifts(fund: Fund, today: date) -> QuerySet[Campaign]:
    """Plans under which a fund takes gifts today."""
    return Campaign.objects.filter(
        fund=fund, starts_on__lte=today, ends_on__gte=today, status=Campaign.Status.RECORDED
    )


def _note(campaign: Campaign, by: User, kind: str, text: str) -> None:
    CampaignLine.write(by=by, kind=kind, text=text, campaign=campaign)


def _log(campaign: Campaign, by: User, act: Act, **detail: Any) -> None:
    record(
        by=by,
        act=act,
        subject=f"campaign:{campaign.number}",
        region_code=campaign.organisation.region_code,
        detail=detail,
    )
