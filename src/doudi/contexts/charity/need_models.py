"""Needs with consent, claims on them, and proposals of who should serve whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, Scope, TimelineLine
from doudi.contexts.charity.filing_models import AidFiling, Way
from doudi.contexts.charity.organisation_models import Organisation, Project
from doudi.engine.charity import gap_after_aid
from doudi.house.fields import SealedTextField

if TYPE_CHECKING:
    from datetime import date

    from doudi.contexts.accounts.services import User


class NeedQuerySet(models.QuerySet["Need"]):
    def consented(self, on: date) -> NeedQuerySet:
        """Needs whose publication the person agrees to on a day: given, neither withdrawn nor run out."""
        return self.filter(
            pk__in=Consent.objects.filter(
                kind=Consent.Kind.PUBLISH, withdrawn_on=None, expires_on__gte=on
            ).values("need")
        )

    def published(self, on: date) -> NeedQuerySet:
        """Needs that bodies may read on a day; an expired consent takes a need away without anybody's doing."""
        return self.consented(on).filter(status__in=(Need.Status.PUBLISHED, Need.Status.CLAIMED))

    def visible_to(self, user: User, scope: Scope, on: date) -> NeedQuerySet:
        """An office the needs of its area; a body the published ones of its county."""
        if scope is Scope.ORGANISATION:
            body = Organisation.objects.filter(code=user.organisation, closed_on=None).first()
            if body is None:
                return self.none()
            return self.published(on).filter(region_code__startswith=body.region_code[:6])
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self


class Need(models.Model):
    """A need that public aid leaves open (帮扶需求): what is missing, how urgent, and how it is shown without identity.

    ``need_fen`` None asks for a service or goods and no money. Bodies see ``code``, ``public_text`` and
    ``public_region``; the household stays with the office.
    """

    class Status(models.TextChoices):
        RAISED = "raised", "待审核发布"
        PUBLISHED = "published", "已发布"
        CLAIMED = "claimed", "已认领"
        MET = "met", "已落实"
        WITHDRAWN = "withdrawn", "已撤下"
        CLOSED = "closed", "已关闭"

    class Origin(models.TextChoices):
        WARNING = "warning", "预警"
        VISIT = "visit", "入户"
        ASSISTANCE = "assistance", "救助"
        WINDOW = "window", "窗口"

    OPEN = (Status.RAISED, Status.PUBLISHED, Status.CLAIMED)
    code = models.CharField("需求编号", max_length=20, unique=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    lives_in = models.CharField("居住地", max_length=12)
    kind = models.CharField("需求种类", max_length=20)
    group = models.CharField("人群", max_length=20)
    tier = models.PositiveSmallIntegerField("紧急等级", help_text="1 最急")
    need_fen = models.BigIntegerField("需求金额（分）", null=True)
    whole = models.BooleanField(
        "须一次给足", default=False, help_text="一个项目给足全部缺口；否则可以由几个项目分担"
    )
    public_aid_fen = models.BigIntegerField("政府救助（分）", default=0)
    other_aid_fen = models.BigIntegerField("其他帮扶（分）", default=0)
    counted_since = models.DateField("计入起日")
    counted_on = models.DateField("核算日期")
    income_fen = models.BigIntegerField("家庭年收入（分）", null=True)
    story = SealedTextField("情况说明", purpose="charity.need")
    origin = models.CharField("来源", max_length=12, choices=Origin.choices)
    origin_no = models.CharField("来源编号", max_length=100, blank=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    public_text = models.CharField("公开说明", max_length=300, blank=True)
    public_region = models.CharField("公开地区", max_length=12, blank=True)
    public_kind = models.CharField("公开种类", max_length=20, blank=True, help_text="需求种类，或其大类")
    cell = models.PositiveIntegerField("同格户数", null=True)
    raised_at = models.DateTimeField("登记时间", auto_now_add=True)
    raised_by = models.CharField("登记人", max_length=150)
    published_on = models.DateField("发布日期", null=True)
    published_by = models.CharField("发布人", max_length=150, blank=True)
    ended_on = models.DateField("结束日期", null=True)
    ended_why = models.CharField("结束理由", max_length=300, blank=True)
    objects = NeedQuerySet.as_manager()

    class Meta:
        ordering = ["tier", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["household_no", "kind"],
                condition=models.Q(status__in=["raised", "published", "claimed"]),
                name="one_open_need_of_a_kind",
            )
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def gap_fen(self) -> int | None:
        """What is missing once public and other aid are counted (缺口); None where no money is asked for."""
        if self.need_fen is None:
            return None
        return gap_after_aid(self.need_fen, public_aid=self.public_aid_fen, other_aid=self.other_aid_fen)


class Consent(models.Model):
    """The person's word on what may be done with the need (本人同意): kind, until when, and when it was withdrawn."""

    class Kind(models.TextChoices):
        PUBLISH = "publish", "匿名发布"
        CONTACT = "contact", "向认领单位提供姓名和电话"

    class Given(models.TextChoices):
        PAPER = "paper", "书面签字"
        WITNESSED = "witnessed", "口头（两人在场）"
        GUARDIAN = "guardian", "监护人签字"

    need = models.ForeignKey(Need, on_delete=models.PROTECT, related_name="consents")
    kind = models.CharField("同意事项", max_length=10, choices=Kind.choices)
    given = models.CharField("方式", max_length=10, choices=Given.choices)
    signer = SealedTextField("同意人", purpose="charity.consent")
    given_on = models.DateField("同意日期")
    expires_on = models.DateField("有效期至")
    evidence = models.CharField("凭证摘要", max_length=64, blank=True)
    entered_by = models.CharField("登记人", max_length=150)
    withdrawn_on = models.DateField("撤回日期", null=True)
    withdraw_by = models.DateField("撤下期限", null=True)
    taken_down_on = models.DateField("撤下日期", null=True)
    withdrawn_by = models.CharField("撤回登记人", max_length=150, blank=True)

    class Meta:
        ordering = ["pk"]


class NeedEvent(TimelineLine):
    """One line on a need's timeline; bodies do not read it."""

    need = models.ForeignKey(Need, on_delete=models.PROTECT, related_name="events")


class MatchRun(models.Model):
    """One reckoning of who should serve whom (供需匹配): reproducible, explained, decided by a person."""

    number = models.CharField("匹配编号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    run_at = models.DateTimeField("时间", auto_now_add=True)
    run_by = models.CharField("经办人", max_length=150)
    needs = models.PositiveIntegerField("需求数")
    projects = models.PositiveIntegerField("项目数")
    optimal = models.BooleanField("已证明最优")
    served = models.JSONField("各等级落实数", default=dict)
    unserved = models.JSONField("未匹配及理由", default=list)

    class Meta:
        ordering = ["-pk"]


class Proposal(models.Model):
    """One pair of a reckoning with its reason; nothing happens until a person accepts it (匹配建议)."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待决定"
        ACCEPTED = "accepted", "已采纳"
        REFUSED = "refused", "未采纳"
        STALE = "stale", "已过时"

    run = models.ForeignKey(MatchRun, on_delete=models.PROTECT, related_name="proposals")
    need = models.ForeignKey(Need, on_delete=models.PROTECT, related_name="proposals")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="proposals")
    amount_fen = models.BigIntegerField("金额（分）", null=True)
    fit = models.FloatField("契合度")
    why = models.TextField("理由")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PROPOSED)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    decided_at = models.DateTimeField("决定时间", null=True)
    ground = models.CharField("不采纳理由", max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]


class Claim(models.Model):
    """A body's hold on a need (认领): reserved for some days, then granted, sent back, released or lapsed.

    The database itself keeps a need from being held by two at once.
    """

    class Status(models.TextChoices):
        RESERVED = "reserved", "已认领"
        GRANTED = "granted", "已给予"
        REFUSED = "refused", "已退回"
        RELEASED = "released", "已收回"
        LAPSED = "lapsed", "逾期放回"

    class Result(models.TextChoices):
        SOLVED = "solved", "解决"
        PARTLY = "partly", "部分解决"
        UNSOLVED = "unsolved", "未解决"
        NOT_NEEDED = "not_needed", "不需要"

    number = models.CharField("认领编号", max_length=40, unique=True)
    need = models.ForeignKey(Need, on_delete=models.PROTECT, related_name="claims")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="claims")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="claims")
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, null=True, related_name="claim")
    asked_fen = models.BigIntegerField("拟给金额（分）", null=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    reserved_on = models.DateField("认领日期")
    keep_until = models.DateField("保留至")
    reserved_by = models.CharField("认领人", max_length=150)
    granted_fen = models.BigIntegerField("给予金额（分）", null=True)
    way = models.CharField("帮扶方式", max_length=10, choices=Way.choices, blank=True)
    what = models.CharField("给予内容", max_length=300, blank=True)
    granted_on = models.DateField("给予日期", null=True)
    granted_by = models.CharField("给予经办人", max_length=150, blank=True)
    filing = models.OneToOneField(AidFiling, on_delete=models.PROTECT, null=True, related_name="claim")
    why = models.CharField("退回或放回理由", max_length=300, blank=True)
    ended_on = models.DateField("结束日期", null=True)
    result = models.CharField("结果", max_length=12, choices=Result.choices, blank=True)
    outcome = models.TextField("结果说明", blank=True)
    outcome_on = models.DateField("结果日期", null=True)
    outcome_by = models.CharField("结果登记人", max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["need"], condition=models.Q(status="reserved"), name="one_hold_on_a_need"
            )
        ]


class GoodsLot(models.Model):
    """Goods of one body with one date of expiry (物资批次); ``left`` is what has not been given out."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="lots")
    name = models.CharField("名称", max_length=80)
    unit = models.CharField("单位", max_length=12)
    kind = models.CharField("需求种类", max_length=20)
    quantity = models.PositiveIntegerField("数量")
    left = models.PositiveIntegerField("余量")
    expires_on = models.DateField("有效期至", null=True)
    received_on = models.DateField("入库日期")
    source = models.CharField("来源", max_length=120, blank=True)
    entered_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["name", models.F("expires_on").asc(nulls_last=True), "received_on", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(left__lte=models.F("quantity")), name="no_more_left_than_came"
            )
        ]


class GoodsMove(AppendOnly):
    """Goods that left a lot (出库): given for a claim, or written off after their date."""

    class Kind(models.TextChoices):
        GIVEN = "given", "发放"
        EXPIRED = "expired", "过期报废"

    lot = models.ForeignKey(GoodsLot, on_delete=models.PROTECT, related_name="moves")
    kind = models.CharField("类别", max_length=10, choices=Kind.choices)
    quantity = models.PositiveIntegerField("数量")
    claim = models.ForeignKey(Claim, on_delete=models.PROTECT, null=True, related_name="goods")
    retry_key = models.CharField("防重", max_length=64, blank=True, db_index=True)
    moved_on = models.DateField("日期")
    moved_by = models.CharField("经办人", max_length=150)

    class Meta:
        ordering = ["pk"]


class ServiceOffer(models.Model):
    """A service with its capacity a month (服务资源): visits, counselling, tutoring, repairs."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="services")
    name = models.CharField("名称", max_length=80)
    unit = models.CharField("单位", max_length=12)
    kind = models.CharField("需求种类", max_length=20)
    per_month = models.PositiveIntegerField("每月容量")
    regions = models.JSONField("地区", default=list)
    ended_on = models.DateField("停止日期", null=True)
    entered_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["name", "pk"]


class ServiceBooking(AppendOnly):
    """Capacity of a month taken for a claim (预约)."""

    offer = models.ForeignKey(ServiceOffer, on_delete=models.PROTECT, related_name="bookings")
    month = models.DateField("月份")
    units = models.PositiveIntegerField("数量")
    claim = models.ForeignKey(Claim, on_delete=models.PROTECT, related_name="bookings")
    booked_by = models.CharField("经办人", max_length=150)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["offer", "month", "claim"], name="one_booking_per_claim_and_month"
            )
        ]
