"""Menus, orders and meals that were really handed out (菜单、订餐、就餐)."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.services import AppendOnly
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.site_models import Meal, Site


class Dish(models.Model):
    """A dish of a kitchen (菜品): what is in it, for whom it is not, and what it gives, per portion."""

    kitchen = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="dishes", verbose_name="厨房")
    name = models.CharField("菜名", max_length=60)
    ingredients = models.JSONField("配料", default=list)
    allergens = models.JSONField("过敏原", default=list)
    flags = models.JSONField("特点", default=list, help_text="高糖、高盐、高嘌呤、含猪肉……，见政策包")
    textures = models.JSONField("可做成的质地", default=list)
    amounts = models.JSONField("每份用量", default=dict, help_text="WS/T 556 各类，克或毫升；盐、油用毫克")
    energy_kcal = models.PositiveIntegerField("能量（千卡）", null=True)
    retired_on = models.DateField("停用日期", null=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["kitchen", "name"], name="one_dish_of_a_name")]

    def __str__(self) -> str:
        return self.name


class Menu(models.Model):
    """The set meal of a kitchen on a day (菜单), published a week ahead; its list price in fen."""

    kitchen = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="menus", verbose_name="厨房")
    day = models.DateField("日期", db_index=True)
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    price_fen = models.BigIntegerField("标价（分）")
    dishes = models.ManyToManyField(Dish, related_name="menus", verbose_name="菜品")
    published_at = models.DateTimeField("公布时间", null=True)
    published_by = models.CharField("公布人", max_length=150, blank=True)

    class Meta:
        ordering = ["day", "meal"]
        constraints = [
            models.UniqueConstraint(fields=["kitchen", "day", "meal"], name="one_menu_per_kitchen_and_meal")
        ]


class OrderPattern(models.Model):
    """Meals wanted on the same weekdays until told otherwise (按周订餐); ``weekdays`` holds 1 (Monday) to 7."""

    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="patterns")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="patterns")
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    weekdays = models.JSONField("星期", default=list)
    delivery = models.BooleanField("送餐上门", default=False)
    since = models.DateField("起")
    until = models.DateField("止", null=True)
    placed_by = models.CharField("登记人", max_length=150)
    placed_for = models.CharField("订餐人", max_length=80, blank=True, help_text="家属代订时写家属")

    class Meta:
        ordering = ["pk"]


class OrderPause(models.Model):
    """Days on which a diner wants nothing (暂停订餐)."""

    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="pauses")
    since = models.DateField("起")
    until = models.DateField("止")
    ground = models.CharField("原因", max_length=120, blank=True)
    placed_by = models.CharField("登记人", max_length=150)
    placed_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["-since"]


class MealOrder(models.Model):
    """One meal ordered by one diner for one day (订餐)."""

    class State(models.TextChoices):
        ORDERED = "ordered", "已订"
        CANCELLED = "cancelled", "已取消"
        SERVED = "served", "已取餐"
        MISSED = "missed", "未取餐"

    class Channel(models.TextChoices):
        PATTERN = "pattern", "按周"
        PHONE = "phone", "电话"
        FAMILY = "family", "家属"
        DESK = "desk", "柜台"

    number = models.CharField("订餐编号", max_length=32, unique=True)
    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="orders")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="orders")
    day = models.DateField("日期")
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    delivery = models.BooleanField("送餐上门", default=False)
    channel = models.CharField("方式", max_length=10, choices=Channel.choices)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.ORDERED)
    clash = models.JSONField("忌口冲突", default=list)
    placed_by = models.CharField("登记人", max_length=150)
    placed_for = models.CharField("订餐人", max_length=80, blank=True)
    placed_at = models.DateTimeField("登记时间", auto_now_add=True)
    cancelled_by = models.CharField("取消人", max_length=150, blank=True)

    class Meta:
        ordering = ["day", "meal", "pk"]
        indexes = [models.Index(fields=["site", "day", "meal"], name="orders_of_a_meal")]
        constraints = [
            models.UniqueConstraint(
                fields=["diner", "day", "meal"],
                condition=~models.Q(state="cancelled"),
                name="one_order_per_diner_and_meal",
            )
        ]


class MealServed(models.Model):
    """A meal handed out, with the proof of who got it and the receipt (就餐记录).

    Money in fen: ``list_fen`` − ``discount_fen`` − ``subsidy_fen`` − ``given_fen`` = ``paid_fen``. ``token`` is made where the meal is
    handed out, so that the same one sent again is the same one. ``kitchen`` cooked it, ``dishes`` are keys of dishes.
    """

    class Proof(models.TextChoices):
        CARD = "card", "刷卡"
        CODE = "code", "取餐码"
        SIGNATURE = "signature", "签字"
        PHOTO = "photo", "照片"

    class State(models.TextChoices):
        VALID = "valid", "有效"
        REVERSED = "reversed", "已冲销"

    token = models.UUIDField("终端流水号", unique=True)
    number = models.CharField("就餐编号", max_length=32, unique=True)
    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="meals")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="served")
    kitchen = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="cooked")
    order = models.ForeignKey(MealOrder, on_delete=models.PROTECT, null=True, related_name="served")
    day = models.DateField("日期", db_index=True)
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    at = models.DateTimeField("就餐时间")
    taken_at = models.DateTimeField("收到时间", auto_now_add=True)
    offline = models.BooleanField("离线补传", default=False)
    delivered = models.BooleanField("送餐", default=False)
    proof = models.CharField("凭据", max_length=10, choices=Proof.choices)
    proof_file = models.CharField("凭据文件", max_length=80, blank=True)
    dishes = models.CharField("菜品", max_length=200, blank=True, help_text="菜品主键，写作 ,3,17,")
    list_fen = models.BigIntegerField("标价（分）")
    discount_fen = models.BigIntegerField("折扣（分）")
    subsidy_fen = models.BigIntegerField("补贴（分）")
    given_fen = models.BigIntegerField("慈善捐助（分）", default=0)
    gift = models.ForeignKey("meals.MealGift", on_delete=models.PROTECT, null=True, related_name="meals")
    paid_fen = models.BigIntegerField("自付（分）")
    subsidy_code = models.CharField("补贴规则", max_length=20, blank=True)
    payer = models.CharField("补贴资金", max_length=40, blank=True)
    receipt = models.JSONField("小票", default=list)
    pack_hash = models.CharField("规则摘要", max_length=64)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.VALID)
    served_by = models.CharField("经办人", max_length=150)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["site", "day", "meal"], name="served_at_a_site"),
            models.Index(fields=["kitchen", "day"], name="served_of_a_kitchen"),
            models.Index(fields=["diner", "day"], name="served_to_a_diner"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["diner", "day", "meal"],
                condition=models.Q(state="valid", subsidy_fen__gt=0),
                name="one_subsidy_per_diner_and_meal",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    paid_fen=models.F("list_fen")
                    - models.F("discount_fen")
                    - models.F("subsidy_fen")
                    - models.F("given_fen")
                ),
                name="a_receipt_adds_up",
            ),
        ]


class ServingReversal(AppendOnly):
    """The counter-entry of a meal that was entered wrongly (冲销)."""

    serving = models.OneToOneField(MealServed, on_delete=models.PROTECT, related_name="reversal")
    ground = models.CharField("理由", max_length=300)
    by = models.CharField("经办人", max_length=150)
    at = models.DateTimeField("时间", auto_now_add=True)
