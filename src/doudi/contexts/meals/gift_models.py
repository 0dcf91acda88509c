"""Charity's money that pays for meals (助餐捐助): out of which arrangement, at which place, and what was paid of it."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.services import AppendOnly
from doudi.contexts.meals.settlement_models import Settlement
from doudi.contexts.meals.site_models import Site


class MealGift(models.Model):
    """An arrangement of a charity fund that pays a part of the meals of a place; ``budget_fen`` is never overrun."""

    allocation = models.CharField("安排编号", max_length=40, unique=True)
    organisation = models.CharField("慈善组织编号", max_length=40, db_index=True)
    payer = models.CharField("资金名称", max_length=80)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="gifts")
    per_meal_fen = models.BigIntegerField("每餐最多（分）")
    categories = models.JSONField("救助类别", default=list, help_text="空为全部助餐对象")
    budget_fen = models.BigIntegerField("总额（分）")
    since = models.DateField("起")
    until = models.DateField("止")
    stopped_on = models.DateField("停止日期", null=True)
    kept_by = models.CharField("登记人", max_length=150)
    kept_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["since", "pk"]


class MealGiftPayment(AppendOnly):
    """What of a settlement a fund paid to the operator (捐助拨付): the meals, and how many people ate them."""

    gift = models.ForeignKey(MealGift, on_delete=models.PROTECT, related_name="payments")
    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="gift_payments")
    amount_fen = models.BigIntegerField("金额（分）")
    meals = models.PositiveIntegerField("餐数")
    people = models.PositiveIntegerField("人数")
    voucher = models.CharField("慈善资金凭证号", max_length=40)
    paid_on = models.DateField("拨付日期")
    by = models.CharField("拨付人", max_length=150)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["gift", "settlement"], name="one_payment_per_gift_and_settlement")
        ]
