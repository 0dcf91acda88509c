"""What the chain of a warning keeps beside the warning: suspensions, reminders, tries, revisits, notices, pushes,
and the changes of an indicator's number with their approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from doudi.contexts.accounts.services import AppendOnly, User

if TYPE_CHECKING:
    from datetime import datetime


class Suspension(models.Model):
    """A clock that stands still (时限中止), with its ground and the day it goes on; ``ended_at`` may come earlier."""

    case = models.ForeignKey("monitoring.WarningCase", on_delete=models.PROTECT, related_name="suspensions")
    began_at = models.DateTimeField("中止时间")
    until_on = models.DateField("恢复日期", help_text="那天起重新计算")
    ended_at = models.DateTimeField("提前恢复时间", null=True)
    ground = models.CharField("事由", max_length=300)
    by = models.CharField("办理人", max_length=150)
    ended_by = models.CharField("恢复人", max_length=150, blank=True)

    class Meta:
        ordering = ["began_at"]


class Reminder(AppendOnly):
    """A stage of a limit that was told (时限提醒): once for each clock, level and stage, whatever the clock on the wall did."""

    case = models.ForeignKey("monitoring.WarningCase", on_delete=models.PROTECT, related_name="reminders")
    step = models.CharField("环节", max_length=12)
    started_at = models.DateTimeField("时限起点")
    rank = models.PositiveSmallIntegerField("级别序")
    percent = models.PositiveSmallIntegerField("进度（%）")
    due_on = models.DateField("时限")
    at = models.DateTimeField("提醒时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["case", "step", "started_at", "rank", "percent"], name="each_stage_told_once"
            )
        ]


class Attempt(AppendOnly):
    """A visit at which nobody was found (寻访未遇)."""

    case = models.ForeignKey("monitoring.WarningCase", on_delete=models.PROTECT, related_name="attempts")
    tried_on = models.DateField("寻访日期")
    visitors = models.CharField("寻访人员", max_length=120)
    finding = models.CharField("情况", max_length=300)
    recorded_by = models.CharField("记录人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["tried_on", "pk"]


class Revisit(AppendOnly):
    """A revisit after the closing and whether the difficulty is over (回访)."""

    class Result(models.TextChoices):
        SOLVED = "solved", "困难已解决"
        UNSOLVED = "unsolved", "困难未解决"

    case = models.OneToOneField("monitoring.WarningCase", on_delete=models.PROTECT, related_name="revisit")
    visited_on = models.DateField("回访日期")
    visitors = models.CharField("回访人员", max_length=120)
    result = models.CharField("回访结果", max_length=10, choices=Result.choices)
    finding = models.TextField("回访情况")
    led_to = models.ForeignKey(
        "monitoring.WarningCase", on_delete=models.PROTECT, null=True, related_name="reopened_by"
    )
    recorded_by = models.CharField("记录人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class NoticeQuerySet(models.QuerySet["Notice"]):
    def of(self, user: User) -> NoticeQuerySet:
        return self.filter(account=user.username)

    def unread(self) -> NoticeQuerySet:
        return self.filter(read_at=None)


class Notice(models.Model):
    """A word to one account inside the workbench (站内消息); it names a warning's number and nobody's circumstances."""

    account = models.CharField("收件账号", max_length=150)
    key = models.CharField("事项标识", max_length=160, help_text="同一事项对同一人只发一次")
    kind = models.CharField("种类", max_length=20)
    text = models.CharField("内容", max_length=300)
    text_en = models.CharField(max_length=400, blank=True)
    link = models.CharField("去处", max_length=200, blank=True)
    at = models.DateTimeField("时间", auto_now_add=True)
    read_at = models.DateTimeField("已读时间", null=True)
    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="told_once")]
        indexes = [models.Index(fields=["account", "read_at", "-id"])]


class OutgoingQuerySet(models.QuerySet[Any]):
    def ready(self, now: datetime) -> OutgoingQuerySet:
        """What waits and whose next try has come."""
        return self.filter(status=Outgoing.Status.WAITING, next_at__lte=now)


class Outgoing(models.Model):
    """Something on its way out of the house, kept until the other side said it has it.

    It is written in the transaction of the act it tells of, tried by the worker with growing pauses, and known to the
    receiver by a lasting key, so that one sent twice after a kill is one.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "待发送"
        SENT = "sent", "已送达"
        GIVEN_UP = "given_up", "多次失败，已停止"

    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField("已试次数", default=0)
    created_at = models.DateTimeField("产生时间", auto_now_add=True)
    next_at = models.DateTimeField("下次发送")
    sent_at = models.DateTimeField("送达时间", null=True)
    last_error = models.CharField("最近一次失败", max_length=300, blank=True)
    objects = OutgoingQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["-pk"]
        indexes = [models.Index(fields=["status", "next_at"])]


class Push(Outgoing):
    """A message to the gateway (外发消息), known there by ``key``."""

    key = models.CharField("幂等键", max_length=160, unique=True)
    kind = models.CharField("种类", max_length=20)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    body = models.JSONField("内容", default=dict)


class ThresholdChange(models.Model):
    """Another value of an indicator's number from a future day on (阈值调整): proposed by one, approved by another."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted", "待审批"
        APPROVED = "approved", "已批准"
        RETURNED = "returned", "已退回"
        WITHDRAWN = "withdrawn", "已撤回"

    number = models.CharField("编号", max_length=30, unique=True)
    indicator = models.CharField("指标", max_length=10, db_index=True)
    parameter = models.CharField("参数", max_length=60, help_text="按城乡分的写明城镇或农村")
    region_code = models.CharField("适用地区", max_length=12, db_index=True)
    before = models.CharField("现值", max_length=40, blank=True)
    value = models.CharField("新值", max_length=40)
    from_on = models.DateField("生效日期")
    ground = models.TextField("理由")
    tested = models.JSONField("回测结果", default=dict)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.SUBMITTED)
    submitted_by = models.CharField("提交人", max_length=150)
    submitted_name = models.CharField("提交人姓名", max_length=80, blank=True)
    submitted_at = models.DateTimeField("提交时间", auto_now_add=True)
    decided_by = models.CharField("审批人", max_length=150, blank=True)
    decided_name = models.CharField("审批人姓名", max_length=80, blank=True)
    decided_at = models.DateTimeField("审批时间", null=True)
    decision = models.CharField("审批意见", max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["parameter", "region_code", "from_on"],
                condition=Q(status__in=["submitted", "approved"]),
                name="one_live_change_per_number_and_day",
            )
        ]

    def __str__(self) -> str:
        return self.number
