"""Screening runs, warnings with their signals, visits and timelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from doudi.contexts.accounts.services import TimelineLine, User
from doudi.contexts.monitoring.chain_models import (  # Django looks for a context's models here
    Attempt,
    Notice,
    Outgoing,
    Push,
    Reminder,
    Revisit,
    Suspension,
    ThresholdChange,
)
from doudi.contexts.monitoring.doubt_models import (
    DeathScan,
    Doubt,
    DoubtEvent,
    DoubtEvidence,
    DoubtRound,
    StopProposal,
)
from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from datetime import date

__all__ = [  # the models of other files too: Django looks for a context's models here
    "LEVELS",
    "LEVEL_WORDS",
    "OPEN",
    "REPORTED",
    "Attempt",
    "CaseEvent",
    "DeathScan",
    "Doubt",
    "DoubtEvent",
    "DoubtEvidence",
    "DoubtRound",
    "FamilyReport",
    "FieldFile",
    "FieldTask",
    "FieldVisit",
    "Knock",
    "Notice",
    "Outgoing",
    "Push",
    "Reminder",
    "Revisit",
    "ScreeningRun",
    "Signal",
    "StopProposal",
    "Suspension",
    "ThresholdChange",
    "Visit",
    "WarningCase",
    "WarningQuerySet",
]

LEVELS = ("none", "blue", "yellow", "orange", "red")
"""From no warning to the most urgent; a level's rank is its place here."""
REPORTED = "REPORT"
"""The signal of a family that people told of (群众报告); screens neither raise nor clear it."""
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
    recomputed = models.PositiveIntegerField("重算户数", null=True, help_text="空为全部重算")
    why_full = models.CharField("全部重算的原因", max_length=80, blank=True)
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
        return self.in_region(user.region_code) if user.region_code else self

    def open(self) -> WarningQuerySet:
        """Warnings that still ask for something to be done."""
        return self.filter(status__in=OPEN)

    def in_region(self, region_code: str) -> WarningQuerySet:
        # the range says the same of codes of up to twelve digits, and unlike the beginning it is found by any index
        return self.filter(
            region_code__startswith=region_code, region_code__range=(region_code, region_code.ljust(12, "9"))
        )

    def overdue(self, today: date) -> WarningQuerySet:
        """Open warnings past their limit; a limit in hours is missed within its day."""
        return self.open().filter(models.Q(due_on__lt=today) | models.Q(due_at__lt=timezone.now()))

    def to_revisit(self) -> WarningQuerySet:
        """Closed warnings whose household is still to be looked at again."""
        return self.filter(status=WarningCase.Status.CLOSED, revisit_on__isnull=False, revisited=False)


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

    class Source(models.TextChoices):
        SCREEN = "screen", "数据筛查"
        REPORT = "report", "群众报告"
        SERVICE = "service", "服务发现"

    number = models.CharField("预警编号", max_length=100, unique=True)
    source = models.CharField("发现方式", max_length=8, choices=Source.choices, default=Source.SCREEN)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    provisional = models.BooleanField(
        "临时户号", default=False, help_text="报告的家庭尚不在册；查明后换成户编号"
    )
    head_name = models.CharField("户主姓名", max_length=80, blank=True, db_index=True)
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
    revisited = models.BooleanField("已回访", default=False)
    assignee = models.CharField("经办账号", max_length=150, blank=True, db_index=True)
    reopens = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="reopened",
        verbose_name="回访未解决的原预警",
    )
    due_at = models.DateTimeField("以小时计的时限", null=True)
    clock_rank = models.PositiveSmallIntegerField("时限所按级别", null=True)
    wound = models.BooleanField("时限已排", default=False, help_text="否：提醒时刻待算")
    remind_at = models.DateTimeField("下次提醒", null=True)
    version = models.PositiveIntegerField("版本", default=0)
    unknown = models.JSONField(
        "不知道的指标", default=dict, blank=True, help_text="代码 → late（来源迟到）或 undecided（待核）"
    )
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
        indexes = [
            models.Index(fields=["status", "region_code", "-level_rank"]),
            # one for each order of the list, so that the first page of a million is read and not sorted; PostgreSQL
            # keeps the empty limits last of itself
            models.Index(fields=["-level_rank", "due_on", "id"], name="by_urgency"),
            models.Index(fields=["due_on", "-level_rank", "id"], name="by_limit"),
            models.Index(fields=["-opened_at", "-id"], name="by_opening"),
            models.Index(fields=["region_code", "-level_rank", "id"], name="by_region"),
            models.Index(
                fields=["revisit_on"],
                condition=models.Q(status="closed", revisited=False, revisit_on__isnull=False),
                name="revisits_to_come",
            ),
            models.Index(
                fields=["remind_at"], condition=models.Q(remind_at__isnull=False), name="reminders_to_come"
            ),
        ]

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
    level = models.CharField("级别", max_length=8, blank=True)
    value = models.BigIntegerField("数额", null=True, help_text="各人中最大的；金额以分计")
    in_fen = models.BooleanField("数额是金额", default=False)
    amounts = models.JSONField("各人数额", default=dict, blank=True, help_text="证件号索引（空为全户）→ 数额")
    observations = models.PositiveIntegerField("观察次数", default=1)
    observed_on = models.DateField("来源数据日期", null=True)
    unknown = models.CharField("不知道的原因", max_length=12, blank=True)
    name_differs = models.BooleanField("姓名有异体字出入", default=False)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["case", "code"], name="each_code_once")]


class Observation(models.Model):
    """What one delivery of an indicator's sources said of a signal (观察): a later one is one more, not a new case."""

    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="history")
    observed_on = models.DateField("来源数据日期")
    seen_on = models.DateField("筛查日期")
    level = models.CharField("级别", max_length=8, blank=True)
    value = models.BigIntegerField("数额", null=True)
    amounts = models.JSONField("各人数额", default=dict, blank=True)

    class Meta:
        ordering = ["observed_on"]
        constraints = [
            models.UniqueConstraint(fields=["signal", "observed_on"], name="one_observation_per_delivery")
        ]


class Visit(models.Model):
    """A visit to the household and what was found (入户核实)."""

    case = models.ForeignKey(WarningCase, on_delete=models.CASCADE, related_name="visits")
    visited_on = models.DateField("入户日期")
    visitors = models.CharField("入户人员", max_length=120)
    result_code = models.CharField("核实结果", max_length=4)
    finding = models.TextField("核实情况")
    consent = models.BooleanField("本人同意转介", default=False)
    consent_by = models.CharField("同意人", max_length=60, blank=True)
    consent_how = models.CharField("同意方式", max_length=20, blank=True)
    signed = models.BooleanField("本人已签字", default=False)
    witnesses = models.CharField("见证人", max_length=120, blank=True)
    recorded_by = models.CharField("记录人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class CaseEvent(TimelineLine):
    """One line of a warning's timeline (时间线): who did what, when."""

    case = models.ForeignKey(WarningCase, on_delete=models.PROTECT, related_name="events")


class FamilyReport(models.Model):
    """A family in difficulty that somebody told of (主动发现): by the public form, or through the 12345 hotline.

    What was said and who said it are sealed. ``receipt`` opens the progress and nothing of the family.
    """

    class Status(models.TextChoices):
        NEW = "new", "待分办"
        OPENED = "opened", "已转为预警"
        ANSWERED = "answered", "已答复，不立预警"

    number = models.CharField("线索编号", max_length=30, unique=True)
    receipt = models.CharField("查询码", max_length=16, unique=True)
    token = models.CharField("表单标记", max_length=40, unique=True, help_text="同一张表单重复提交只算一次")
    channel = models.CharField("来源", max_length=12, db_index=True)
    hotline_no = models.CharField("工单号", max_length=60, null=True, unique=True)
    said_at = models.DateTimeField("来电（报告）时间")
    received_at = models.DateTimeField("收到时间", auto_now_add=True)
    region_code = models.CharField("所在地区", max_length=12, db_index=True)
    difficulty = models.CharField("困难类型", max_length=20)
    family_name = SealedTextField("困难家庭姓名", purpose="report.family_name", blank=True, default="")
    place = SealedTextField("住址", purpose="report.place", blank=True, default="")
    text = SealedTextField("情况", purpose="report.text", blank=True, default="")
    contact = SealedTextField("报告人联系方式", purpose="report.contact", blank=True, default="")
    told = models.BooleanField("家庭知情", default=False)
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.NEW, db_index=True
    )
    case = models.ForeignKey(WarningCase, on_delete=models.PROTECT, null=True, related_name="reports")
    answer = models.CharField("对报告人的答复", max_length=300, blank=True)
    ground = models.CharField("分办理由", max_length=300, blank=True)
    settled_by = models.CharField("分办人", max_length=150, blank=True)
    settled_at = models.DateTimeField("分办时间", null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class Knock(models.Model):
    """One use of a public form by an address or a device, both only as keyed digests; kept for the limits' window."""

    who = BlindIndexField("摘要")
    what = models.CharField("用途", max_length=10)
    at = models.DateTimeField("时间", auto_now_add=True, db_index=True)


class FieldTask(models.Model):
    """A warning that an officer took along on a phone (带走的任务): which version, when, until when it may stay there."""

    case = models.ForeignKey(WarningCase, on_delete=models.CASCADE, related_name="taken_along")
    account = models.CharField("账号", max_length=150, db_index=True)
    version = models.PositiveIntegerField("带走时的版本")
    last_event = models.BigIntegerField("带走时的最后一行时间线", default=0)
    taken_at = models.DateTimeField("带走时间", auto_now_add=True)
    keep_until = models.DateField("最晚保留到")

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["case", "account"])]


class FieldVisit(models.Model):
    """A visit as a phone sent it (手机回传), known by the phone's own number; it is never changed and never dropped.

    ``state`` says whether it became a visit of the warning or waits for a person, who sees both sides.
    """

    class State(models.TextChoices):
        RECORDED = "recorded", "已记录"
        CONFLICT = "conflict", "有冲突，待人工处理"
        DUPLICATE = "duplicate", "疑似重复，待人工处理"
        NOTED = "noted", "已记入时间线"
        SET_ASIDE = "set_aside", "已搁置"

    client_id = models.UUIDField("手机编号", unique=True)
    case = models.ForeignKey(WarningCase, on_delete=models.PROTECT, related_name="field_visits")
    region_code = models.CharField("带走时的负责地区", max_length=12, db_index=True)
    account = models.CharField("账号", max_length=150)
    content = SealedTextField("内容", purpose="field.content")
    digest = BlindIndexField("内容摘要", db_index=False)
    seen = models.PositiveIntegerField("带走时的版本")
    state = models.CharField("状态", max_length=10, choices=State.choices, db_index=True)
    why = models.CharField("原因", max_length=300, blank=True)
    why_en = models.CharField(max_length=300, blank=True)
    visit = models.ForeignKey(Visit, on_delete=models.PROTECT, null=True, related_name="field_visits")
    filled_at = models.DateTimeField("填写时间（手机）")
    received_at = models.DateTimeField("收到时间", auto_now_add=True)
    settled_by = models.CharField("处理人", max_length=150, blank=True)
    settled_at = models.DateTimeField("处理时间", null=True)
    ground = models.CharField("处理理由", max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]


class FieldFile(models.Model):
    """A photo or signature of a visit (照片、签名), sealed; it comes in parts and stands once its digest is right."""

    account = models.CharField("账号", max_length=150)
    client_id = models.UUIDField("手机编号", db_index=True)
    name = models.CharField("名称", max_length=40)
    kind = models.CharField("种类", max_length=10)
    size = models.PositiveIntegerField("字节数")
    sha256 = models.CharField("摘要", max_length=64)
    received = models.PositiveIntegerField("已收到字节数", default=0)
    content = models.BinaryField("已收到的部分（加密）", default=b"")
    stored = models.CharField("存放", max_length=80, blank=True)
    begun_at = models.DateTimeField("开始时间", auto_now_add=True, db_index=True)
    field_visit = models.ForeignKey(FieldVisit, on_delete=models.PROTECT, null=True, related_name="files")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["client_id", "name"], name="one_file_of_a_name")]
