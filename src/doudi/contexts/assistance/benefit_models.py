"""What was decided on a household's money (待遇决定), where it is paid to, and what a family agreed to have kept back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly
from doudi.engine.benefits import Claim, Recipient
from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User


class DecisionQuerySet(models.QuerySet["BenefitDecision"]):
    def visible_to(self, user: User) -> DecisionQuerySet:
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self


class BenefitDecision(AppendOnly):
    """A decision on a benefit of a household (待遇决定): granted, changed, tapering, stopped, or an earlier one undone.

    The last one that has begun by a month is in force in it; one that was reversed never was. Nothing is altered.
    """

    class Kind(models.TextChoices):
        GRANT = "grant", "批准"
        CHANGE = "change", "调整"
        TAPER = "taper", "渐退"
        STOP = "stop", "停止"
        REVERSE = "reverse", "撤销"

    number = models.CharField("决定编号", max_length=60, unique=True)
    source = models.CharField("来源", max_length=200, unique=True)
    kind = models.CharField("种类", max_length=8, choices=Kind.choices)
    benefit = models.CharField("待遇", max_length=6, db_index=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    urban_rural = models.CharField("城乡类型", max_length=4)
    people = SealedTextField("待遇人员", purpose="benefit.people", blank=True, default="")
    per_capita_fen = models.BigIntegerField("人均月收入（分）", default=0)
    band = models.CharField("档", max_length=4, blank=True)
    fixed_fen = models.BigIntegerField("核定金额（分）", null=True)
    single = models.BooleanField("单人保", default=False)
    decided_on = models.DateField("决定日期")
    decision_no = models.CharField("文号", max_length=80)
    starts_on = models.DateField("起始月", db_index=True)
    ends_on = models.DateField("最后一个月", null=True)
    opening = models.BooleanField("开账", default=False)
    ground = models.TextField("依据与说明", blank=True)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    objects = DecisionQuerySet.as_manager()

    class Meta:
        ordering = ["starts_on", "pk"]
        indexes = [models.Index(fields=["household_no", "benefit"], name="decisions_of_a_household")]

    def __str__(self) -> str:
        return self.number

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """The people who receive, as they were decided on."""
        return tuple(Recipient(row[0], "", tuple(row[1]), row[2]) for row in json.loads(self.people or "[]"))

    @property
    def claim(self) -> Claim:
        """The facts from which the sum of a month follows."""
        return Claim(
            benefit=self.benefit,
            region_code=self.region_code,
            urban_rural=self.urban_rural,
            recipients=self.recipients,
            per_capita_fen=self.per_capita_fen,
            band=self.band,
            fixed_fen=self.fixed_fen,
            single=self.single,
            taper=self.kind == self.Kind.TAPER,
        )


class PayAccount(models.Model):
    """Where a household or person is paid (收款账户): proposed by one, confirmed by another; an old one is kept."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待确认"
        IN_FORCE = "in_force", "使用中"
        REPLACED = "replaced", "已更换"
        REFUSED = "refused", "未同意"

    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员", default=0, help_text="0 为全户")
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    holder_name = models.CharField("户名", max_length=80)
    card = SealedTextField("账号", purpose="pay.card")
    card_blind = BlindIndexField("账号索引")
    last4 = models.CharField("末四位", max_length=4)
    bank = models.CharField("开户行", max_length=80, blank=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    ground = models.CharField("说明", max_length=200, blank=True)
    proposed_by = models.CharField("登记人", max_length=150)
    proposed_at = models.DateTimeField("登记时间", auto_now_add=True)
    decided_by = models.CharField("确认人", max_length=150, blank=True)
    decided_at = models.DateTimeField("确认时间", null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["household_no", "person_id"],
                condition=models.Q(status="in_force"),
                name="one_account_in_force",
            ),
            models.UniqueConstraint(
                fields=["household_no", "person_id"],
                condition=models.Q(status="proposed"),
                name="one_account_proposed",
            ),
        ]


class OffsetAgreement(models.Model):
    """A family's written consent that up to so much a month is kept back towards a recovery (扣抵协议)."""

    recovery_number = models.CharField("追缴编号", max_length=140, unique=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12)
    monthly_fen = models.BigIntegerField("每月最多扣抵（分）")
    agreed_on = models.DateField("同意日期")
    ground = models.CharField("协议或凭据", max_length=200)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)
    ended_at = models.DateTimeField("终止时间", null=True)
    ended_by = models.CharField("终止人", max_length=150, blank=True)

    class Meta:
        ordering = ["pk"]
