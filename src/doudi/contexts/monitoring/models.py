"""Screening runs, warnings with their signals, visits and timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, User
from doudi.contexts.monitoring.doubt_models import (  # Django looks for a context's models here
    DeathScan,
    Doubt,
    DoubtEvent,
    DoubtEvidence,
    DoubtRound,
    StopProposal,
)

if TYPE_CHECKING:
    from datetime import date

__all__ = [
    "LEVELS", "LEVEL_WORDS", "OPEN", "CaseEvent", "DeathScan", "Doubt", "DoubtEvent", "DoubtEvidence", "DoubtRound", "ScreeningRun",
    "Signal", "StopProposal", "Visit", "WarningCase", "WarningQuerySet",
]  # fmt: skip

LEVELS = ("none", "blue", "yellow", "orange", "red")
"""From no warning to the most urgent; a level's rank is its place here."""
LEVEL_WORDS = {"none": "无", "blue": "蓝", "yellow": "黄", "orange": "橙", "red": "红"}


class ScreeningRun(models.Model):
    """One screen of everyone on a date (筛查): with which pack, on which snapshots, with what result."""

    class Status(models.TextChoices):
        RUNNING = "running", "进行中"
        DONE = "done", "完成"

    as_of = models.DateField("数据日期", db_index=True)
    pack = models.CharField("政策包", max_length=80)
    pack_version = models.CharField("版本", max_length=40)
    pack_hash = models.CharField("政策包摘要", max_length=64)
    snapshots = models.CharField("快照摘要", max_length=64)
    loads = models.JSONField("所依据的装载", default=list)
    result_hash = models.CharField("结果摘要", max_length=64, blank=True)
    doudi_version = models.CharField("程序版本", max_length=20, blank=True)
    engine = models.CharField("引擎", max_length=20, default="duckdb")
    result = models.CharField("结果文件夹", max_length=200)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.RUNNING)
    households = models.PositiveIntegerField("户数", default=0)
    persons = models.PositiveIntegerField("人数", default=0)
    seconds = models.FloatField("用时（秒）", default=0)
    missing = models.JSONField("缺少的数据", default=dict)
    warnings = models.JSONField("预警变化", default=dict)
    started_at = models.DateTimeField("开始", auto_now_add=True)
    finished_at = models.DateTimeField("结束", null=True)
    by = models.CharField("操作人", max_length=150)

    class Meta:
        ordering = ["-pk"]


class WarningQuerySet(models.QuerySet["WarningCase"]):
    def visible_to(self, user: User) -> WarningQuerySet:
        """Warnings the account's area answers for; the prefix is part of the query."""
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self

    def open(self) -> WarningQuerySet:
        """Warnings that still ask for something to be done."""
        return self.filter(status__in=OPEN)

    def in_region(self, region_code: str) -> WarningQuerySet:
        return self.filter(region_code__startswith=region_code)

    def overdue(self, today: date) -> WarningQuerySet:
        return self.open().filter(due_on__lt=today)


class WarningCase(models.Model):
    """A warning on a household (预警): its signals, its level, who answers for it, and how far it has come.

    ``level`` is the upward side (可能致困), ``risk_level`` the downward side (疑似不符); neither changes the other.
    """

    class Status(models.TextChoices):
        NEW = "new", "待派单"
        DISPATCHED = "dispatched", "待核实"
        VISITED = "visited", "处置中"
        CLOSED = "closed", "已办结"
        CLEARED = "cleared", "信号消失"

    number = models.CharField("预警编号", max_length=100, unique=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    head_name = models.CharField("户主姓名", max_length=80, blank=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    level = models.CharField("预警级别", max_length=8, db_index=True)
    level_rank = models.PositiveSmallIntegerField("级别序", db_index=True)
    risk_level = models.CharField("风险级别", max_length=8, default="none")
    register_category = models.CharField("现有类别", max_length=20, blank=True)
    found_category = models.CharField("筛查类别", max_length=10)
    change = models.CharField("变化", max_length=10)
    status = models.CharField(
        "状态", max_length=12, choices=Status.choices, default=Status.NEW, db_index=True
    )
    opened_on = models.DateField("发现日期")
    as_of = models.DateField("数据日期")
    opened_at = models.DateTimeField("立案时间", auto_now_add=True)
    dispatched_at = models.DateTimeField("派单时间", null=True)
    due_on = models.DateField("当前时限", null=True, db_index=True)
    result_code = models.CharField("核实结果", max_length=4, blank=True)
    closed_at = models.DateTimeField("办结时间", null=True)
    closing_note = models.TextField("办结说明", blank=True)
    revisit_on = models.DateField("回访日期", null=True)
    version = models.PositiveIntegerField("版本", default=0)
    objects = WarningQuerySet.as_manager()

    class Meta:
        ordering = ["-level_rank", "due_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["household_no"],
                condition=models.Q(status__in=["new", "dispatched", "visited"]),
                name="one_open_warning_per_household",
            )
        ]
        indexes = [models.Index(fields=["status", "region_code", "-level_rank"])]

    def __str__(self) -> str:
        return self.number

    @property
    def urgency(self) -> str:
        """The level whose clocks apply: the higher of the two sides."""
        return max(self.level, self.risk_level, key=LEVELS.index)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


OPEN = (WarningCase.Status.NEW, WarningCase.Status.DISPATCHED, WarningCase.Status.VISITED)


class Signal(models.Model):
    """One indicator raised on a warning (信号): each code once, with the screens that saw it."""

    case = models.ForeignKey(WarningCase, on_delete=models.CASCADE, related_name="signals")
    code = models.CharField("代码", max_length=10, db_index=True)
    first_seen = models.DateField("首次发现")
    last_seen = models.DateField("最近发现")
    active = models.BooleanField("仍在", default=True)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["case", "code"], name="each_code_once")]


class Visit(models.Model):
    """A visit to the household and what was found (入户核实)."""

    case = models.ForeignKey(WarningCase, on_delete=models.CASCADE, related_name="visits")
    visited_on = models.DateField("入户日期")
    visitors = models.CharField("入户人员", max_length=120)
    result_code = models.CharField("核实结果", max_length=4)
    finding = models.TextField("核实情况")
    consent = models.BooleanField("本人同意转介", default=False)
    recorded_by = models.CharField("记录人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class CaseEvent(AppendOnly):
    """One line of a warning's timeline (时间线): who did what, when."""

    case = models.ForeignKey(WarningCase, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField("时间", auto_now_add=True)
    actor = models.CharField("办理人", max_length=150)
    actor_name = models.CharField("姓名", max_length=80)
    kind = models.CharField("事项", max_length=20)
    text = models.TextField("内容")

    class Meta:
        ordering = ["at", "pk"]
