"""What the network owes its operators for a month, and what a place earns and spends (结算和运营账)."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, TimelineLine
from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.site_models import Site


class Settlement(models.Model):
    """The subsidy of a month owed for one place (月度结算): made from proofs alone, checked and paid by other people."""

    class State(models.TextChoices):
        DRAFT = "draft", "待复核"
        CHECKED = "checked", "已复核"
        PAID = "paid", "已拨付"
        WITHDRAWN = "withdrawn", "已作废"

    number = models.CharField("结算编号", max_length=40, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="settlements")
    month = models.CharField("月份", max_length=7)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.DRAFT)
    meals = models.PositiveIntegerField("补贴餐数")
    due_fen = models.BigIntegerField("应拨（分）")
    given_fen = models.BigIntegerField("慈善捐助（分）", default=0, help_text="由慈善资金另付")
    disputed_meals = models.PositiveIntegerField("存疑餐数", default=0)
    disputed_fen = models.BigIntegerField("存疑（分）", default=0)
    made_by = models.CharField("编制人", max_length=150)
    made_at = models.DateTimeField("编制时间", auto_now_add=True)
    checked_by = models.CharField("复核人", max_length=150, blank=True)
    checked_at = models.DateTimeField("复核时间", null=True)
    paid_by = models.CharField("拨付人", max_length=150, blank=True)
    paid_on = models.DateField("拨付日期", null=True)
    voucher = models.CharField("拨付凭证号", max_length=60, blank=True)

    class Meta:
        ordering = ["-month", "site", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "month"],
                condition=~models.Q(state="withdrawn"),
                name="one_settlement_per_site_and_month",
            )
        ]


class SettlementLine(models.Model):
    """One subsidised meal of a settlement; a disputed one is not paid until a person has decided (存疑)."""

    class State(models.TextChoices):
        DUE = "due", "应拨"
        DISPUTED = "disputed", "存疑"
        ALLOWED = "allowed", "核实无误"
        REJECTED = "rejected", "不予结算"
        CARRIED = "carried", "核实无误，下月补拨"

    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="lines")
    serving = models.ForeignKey(MealServed, on_delete=models.PROTECT, related_name="settled")
    amount_fen = models.BigIntegerField("金额（分）")
    given_fen = models.BigIntegerField("慈善捐助（分）", default=0)
    anomalies = models.JSONField("异常", default=list)
    state = models.CharField("状态", max_length=10, choices=State.choices)
    decided_by = models.CharField("认定人", max_length=150, blank=True)
    ground = models.CharField("认定理由", max_length=300, blank=True)

    class Meta:
        ordering = ["settlement", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["settlement", "serving"], name="one_line_per_meal_settled")
        ]


class SettlementEvent(TimelineLine):
    """One line of a settlement's history."""

    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="events")


class AccountLine(AppendOnly):
    """One line of a place's operating account (运营账): income positive, cost negative, in fen; undone by its opposite."""

    class Kind(models.TextChoices):
        PAID = "paid", "老人自付"
        SUBSIDY = "subsidy", "补贴"
        PUBLIC = "public", "对外营业"
        DONATION = "donation", "捐赠"
        FOOD = "food", "食材"
        WAGES = "wages", "人工"
        RENT = "rent", "房租水电"
        OTHER = "other", "其他支出"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="account")
    on = models.DateField("日期", db_index=True)
    kind = models.CharField("科目", max_length=10, choices=Kind.choices)
    amount_fen = models.BigIntegerField("金额（分）", help_text="收入为正，支出为负")
    memo = models.CharField("摘要", max_length=200)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["on", "pk"]
