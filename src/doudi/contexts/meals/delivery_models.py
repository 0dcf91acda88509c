"""Rounds of couriers, what happened at each door, and who was called where it stayed shut (送餐)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from doudi.contexts.accounts.services import AppendOnly
from doudi.contexts.meals.order_models import MealOrder
from doudi.contexts.meals.site_models import Meal, Site


class Delivery(models.Model):
    """The rounds of one meal of one place, as planned (送餐计划); planned again, the earlier plan is put aside."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="deliveries")
    day = models.DateField("日期")
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    minutes = models.FloatField("总车程（分钟）")
    usual_minutes = models.FloatField("按惯常顺序的车程（分钟）", null=True)
    kept_usual = models.BooleanField("沿用惯常顺序", default=False)
    unserved = models.JSONField("热食送不到", default=list)
    planned_by = models.CharField("安排人", max_length=150)
    planned_at = models.DateTimeField("安排时间", auto_now_add=True)
    current = models.BooleanField("现行", default=True)

    class Meta:
        ordering = ["-day", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "day", "meal"],
                condition=models.Q(current=True),
                name="one_current_delivery_plan",
            )
        ]


class Round(models.Model):
    """One trip from the kitchen and back (送餐路线), taken on by one courier."""

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="rounds")
    place = models.PositiveSmallIntegerField("路线序号")
    courier = models.CharField("送餐员账号", max_length=150, blank=True, db_index=True)
    leaves_at = models.TimeField("出发")
    minutes = models.FloatField("车程（分钟）")
    load = models.PositiveIntegerField("份数")
    left_at = models.DateTimeField("实际出发", null=True)

    class Meta:
        ordering = ["delivery", "place"]


class Stop(models.Model):
    """One door of a round (送餐点)."""

    class State(models.TextChoices):
        WAITING = "waiting", "待送"
        HANDED = "handed", "已交付"
        SHUT = "shut", "敲门无人应"
        SAFE = "safe", "已联系上，平安"

    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="stops")
    order = models.ForeignKey(MealOrder, on_delete=models.PROTECT, related_name="stops")
    place = models.PositiveSmallIntegerField("顺序")
    due_at = models.TimeField("预计到达")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.WAITING)
    done_at = models.DateTimeField("时间", null=True)
    warning_no = models.CharField("预警编号", max_length=40, blank=True)

    class Meta:
        ordering = ["round", "place"]


class DoorCall(AppendOnly):
    """One call after a door stayed shut (联络记录): whom, and what was heard."""

    class Whom(models.TextChoices):
        DINER = "diner", "老人本人"
        CARER = "carer", "紧急联系人"
        WORKER = "worker", "村（社区）联系人"

    class Result(models.TextChoices):
        SAFE = "safe", "平安"
        NO_ANSWER = "no_answer", "未接通"
        UNKNOWN = "unknown", "不知去向"

    stop = models.ForeignKey(Stop, on_delete=models.PROTECT, related_name="calls")
    whom = models.CharField("联系谁", max_length=10, choices=Whom.choices)
    result = models.CharField("结果", max_length=10, choices=Result.choices)
    note = models.CharField("说明", max_length=200, blank=True)
    by = models.CharField("联系人", max_length=150)
    at = models.DateTimeField("时间", default=timezone.now)

    class Meta:
        ordering = ["pk"]


class DoorAct(AppendOnly):
    """What a courier's telephone sent of a door, perhaps hours later (手机登记): the same ``token`` again is the same act."""

    class Kind(models.TextChoices):
        HAND = "hand", "交付"
        SHUT = "shut", "敲门无人应"
        CALL = "call", "联络"

    class State(models.TextChoices):
        RECORDED = "recorded", "已登记"
        ALREADY = "already", "此前已登记"
        NOTED = "noted", "只记入时间线"

    token = models.UUIDField("手机编号", unique=True)
    stop = models.ForeignKey(Stop, on_delete=models.PROTECT, related_name="acts")
    kind = models.CharField("事项", max_length=6, choices=Kind.choices)
    state = models.CharField("结果", max_length=10, choices=State.choices)
    at = models.DateTimeField("手机上的时间")
    account = models.CharField("账号", max_length=150)
    taken_at = models.DateTimeField("收到时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
