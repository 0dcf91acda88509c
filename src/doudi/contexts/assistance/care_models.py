"""Help given as a service (服务类救助): orders, visits with their proof, complaints, and a month's settlement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, Scope, TimelineLine
from doudi.house.fields import SealedTextField

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User


class CareQuerySet(models.QuerySet["CareOrder"]):
    def visible_to(self, user: User, scope: Scope) -> CareQuerySet:
        """Orders of the account's area; for a provider those assigned to it alone."""
        found = self.filter(region_code__startswith=user.region_code) if user.region_code else self
        return (
            found.filter(provider=user.organisation).exclude(provider="")
            if scope is Scope.ORGANISATION
            else found
        )


class CareOrder(models.Model):
    """So many units of a service for one person, with the consent it rests on (服务单)."""

    class State(models.TextChoices):
        ORDERED = "ordered", "待派单"
        ASSIGNED = "assigned", "服务中"
        ENDED = "ended", "已结束"

    number = models.CharField("服务单号", max_length=40, unique=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员")
    receiver = models.CharField("服务对象", max_length=80)
    address = SealedTextField("服务地址和联系", purpose="care.address")
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    item = models.CharField("服务", max_length=30)
    item_label = models.CharField("服务名称", max_length=80)
    unit = models.CharField("单位", max_length=20)
    price_fen = models.BigIntegerField("单价（分）")
    payer = models.CharField("付款方", max_length=40)
    photo = models.BooleanField("要照片")
    units = models.PositiveIntegerField("数量")
    starts_on = models.DateField("开始日期")
    ends_on = models.DateField("结束日期")
    consent_on = models.DateField("同意日期")
    consent = models.CharField("同意的凭据", max_length=200)
    code = SealedTextField("确认码", purpose="care.code")
    wrong_codes = models.PositiveSmallIntegerField("输错次数", default=0)
    provider = models.CharField("服务机构", max_length=40, blank=True, db_index=True)
    provider_name = models.CharField("服务机构名称", max_length=120, blank=True)
    state = models.CharField("状态", max_length=10, choices=State.choices, db_index=True)
    ordered_by = models.CharField("下单人", max_length=150)
    ordered_at = models.DateTimeField("下单时间", auto_now_add=True)
    assigned_by = models.CharField("派单人", max_length=150, blank=True)
    objects = CareQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class CareEvent(TimelineLine):
    """One line of an order's timeline."""

    order = models.ForeignKey(CareOrder, on_delete=models.PROTECT, related_name="timeline")


class CareVisit(AppendOnly):
    """One visit of the provider and what proves it (服务凭证); a wrong one is taken back by a row of its own."""

    class Proof(models.TextChoices):
        CODE = "code", "确认码"
        SIGNATURE = "signature", "签字"

    order = models.ForeignKey(CareOrder, on_delete=models.PROTECT, related_name="visits")
    begun_at = models.DateTimeField("开始时间", db_index=True)
    place = models.CharField("地点", max_length=120)
    units = models.PositiveIntegerField("数量")
    worker = models.CharField("服务人员", max_length=60)
    note = models.TextField("服务情况", blank=True)
    photo = models.CharField("照片摘要", max_length=64, blank=True)
    proof = models.CharField("确认方式", max_length=10, choices=Proof.choices)
    signature = models.CharField("签字摘要", max_length=64, blank=True)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")

    class Meta:
        ordering = ["begun_at", "pk"]

    @property
    def amount_fen(self) -> int:
        return self.units * self.order.price_fen


class CareComplaint(models.Model):
    """What a receiver or a clerk says against a service (投诉), or that nobody came (爽约), until another person decides."""

    class Kind(models.TextChoices):
        NO_SHOW = "no_show", "没有来"
        QUALITY = "quality", "服务不到位"
        FALSE = "false", "凭证不实"

    class State(models.TextChoices):
        OPEN = "open", "待处理"
        UPHELD = "upheld", "属实"
        REJECTED = "rejected", "不属实"

    order = models.ForeignKey(CareOrder, on_delete=models.PROTECT, related_name="complaints")
    visit = models.ForeignKey(CareVisit, on_delete=models.PROTECT, null=True, related_name="complaints")
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    said_on = models.DateField("日期")
    text = models.TextField("内容")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)
    finding = models.TextField("处理结果", blank=True)
    decided_by = models.CharField("处理人", max_length=150, blank=True)
    decided_at = models.DateTimeField("处理时间", null=True)

    class Meta:
        ordering = ["pk"]


class CareSettlement(models.Model):
    """What a county owes a provider for a month, from proofs alone (服务结算); made, checked and paid by three people."""

    class State(models.TextChoices):
        MADE = "made", "待复核"
        CHECKED = "checked", "待拨付"
        PAID = "paid", "已拨付"
        WITHDRAWN = "withdrawn", "已作废"

    number = models.CharField("结算编号", max_length=60, unique=True)
    region_code = models.CharField("县级地区", max_length=6, db_index=True)
    provider = models.CharField("服务机构", max_length=40, db_index=True)
    provider_name = models.CharField("服务机构名称", max_length=120)
    month = models.DateField("月份")
    due_fen = models.BigIntegerField("应拨（分）", default=0)
    state = models.CharField("状态", max_length=10, choices=State.choices, db_index=True)
    made_by = models.CharField("编制人", max_length=150)
    made_at = models.DateTimeField("编制时间", auto_now_add=True)
    checked_by = models.CharField("复核人", max_length=150, blank=True)
    paid_by = models.CharField("拨付人", max_length=150, blank=True)
    paid_on = models.DateField("拨付日期", null=True)
    voucher = models.CharField("拨付凭证", max_length=80, blank=True)
    note = models.CharField("说明", max_length=200, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class CareLine(models.Model):
    """One visit of a settlement: paid, held back with the reason, or taken back because it turned out untrue."""

    class State(models.TextChoices):
        DUE = "due", "计入"
        HELD = "held", "暂缓"
        BACK = "back", "扣回"
        RELEASED = "released", "随结算作废"

    settlement = models.ForeignKey(CareSettlement, on_delete=models.PROTECT, related_name="lines")
    visit = models.ForeignKey(CareVisit, on_delete=models.PROTECT, related_name="lines")
    state = models.CharField("状态", max_length=10, choices=State.choices)
    amount_fen = models.BigIntegerField("金额（分）")
    why = models.CharField("原因", max_length=120, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["visit", "state"],
                condition=models.Q(state__in=("due", "back")),
                name="a_care_visit_is_paid_once",
            )
        ]
