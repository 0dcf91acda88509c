"""Doubts with their evidence and timelines, and proposals to stop a payment (疑点核查、停发建议)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, TimelineLine, User
from doudi.house.fields import SealedTextField

if TYPE_CHECKING:
    from datetime import date


class DoubtRound(AppendOnly):
    """One search for doubts on a date (疑点筛查): on which evidence, what was found, what could not be asked."""

    as_of = models.DateField("数据日期", db_index=True)
    household_no = models.CharField("只查一户", max_length=60, blank=True)
    pack_hash = models.CharField("政策包摘要", max_length=64)
    snapshots = models.CharField("快照摘要", max_length=64)
    unasked = models.JSONField("未查的种类", default=dict)
    counts = models.JSONField("计数", default=dict)
    by = models.CharField("操作人", max_length=150)
    at = models.DateTimeField("时间", auto_now_add=True)

    class Meta:
        ordering = ["-pk"]


class DoubtQuerySet(models.QuerySet["Doubt"]):
    def visible_to(self, user: User) -> DoubtQuerySet:
        """Doubts the account's area answers for; the prefix is part of the query."""
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self

    def open(self) -> DoubtQuerySet:
        return self.filter(status__in=OPEN_DOUBTS)

    def overdue(self, today: date) -> DoubtQuerySet:
        return self.open().filter(due_on__lt=today)


class Doubt(models.Model):
    """One doubt on one person or household (疑点): what it stands on, who checks it, and what came of it.

    What the departments say of the person (facts, payments) is sealed. ``counted_fen`` is what the rules count as
    overpaid, None where a person must; ``overpaid_fen`` is what the check settled.
    """

    class Status(models.TextChoices):
        FOUND = "found", "待派核"
        ASSIGNED = "assigned", "待核查"
        CHECKED = "checked", "待复核"
        CONCLUDED = "concluded", "已定性"
        GONE = "gone", "疑点消失"

    number = models.CharField("疑点编号", max_length=120, unique=True)
    kind = models.CharField("种类", max_length=8, db_index=True)
    subject = models.CharField("对象", max_length=120, db_index=True)
    """Kind, household and person: one doubt of a kind is open on one subject."""
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员", null=True, db_index=True)
    person_name = models.CharField("姓名", max_length=80, blank=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    as_of = models.DateField("数据日期")
    since = models.DateField("起", null=True)
    until = models.DateField("止", null=True)
    content = SealedTextField("事实与发放", purpose="doubt.content")
    digest = models.CharField("内容摘要", max_length=64)
    how = models.CharField("金额怎么来的", max_length=300)
    counted_fen = models.BigIntegerField("按规则计多发（分）", null=True)
    overpaid_fen = models.BigIntegerField("核定多发（分）", null=True)
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.FOUND, db_index=True
    )
    due_on = models.DateField("当前时限", null=True, db_index=True)
    found_at = models.DateTimeField("发现时间", auto_now_add=True)
    assigned_to = models.CharField("核查人", max_length=80, blank=True)
    assigned_by = models.CharField("派核人", max_length=150, blank=True)
    checked_on = models.DateField("核查日期", null=True)
    checkers = models.CharField("核查人员", max_length=160, blank=True)
    finding = models.TextField("核查情况", blank=True)
    heard = models.TextField("家庭陈述", blank=True)
    conclusion = models.CharField("结论", max_length=4, blank=True, db_index=True)
    checked_by = models.CharField("核查账号", max_length=150, blank=True)
    reviewed_by = models.CharField("复核账号", max_length=150, blank=True)
    review_note = models.TextField("复核意见", blank=True)
    concluded_at = models.DateTimeField("定性时间", null=True, db_index=True)
    version = models.PositiveIntegerField("版本", default=0)
    objects = DoubtQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=models.Q(status__in=["found", "assigned", "checked"]),
                name="one_open_doubt_per_subject",
            )
        ]
        indexes = [models.Index(fields=["status", "region_code"])]

    def __str__(self) -> str:
        return self.number

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_DOUBTS


OPEN_DOUBTS = (Doubt.Status.FOUND, Doubt.Status.ASSIGNED, Doubt.Status.CHECKED)


class DoubtEvidence(AppendOnly):
    """A paper, photo or scan that a check stands on (证据); the file is sealed in the state folder by its hash."""

    doubt = models.ForeignKey(Doubt, on_delete=models.PROTECT, related_name="evidence")
    label = models.CharField("说明", max_length=120)
    sha256 = models.CharField("内容摘要", max_length=64)
    media_type = models.CharField("类型", max_length=60)
    size = models.PositiveIntegerField("字节")
    added_by = models.CharField("上传人", max_length=150)
    added_at = models.DateTimeField("上传时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["doubt", "sha256"], name="each_paper_once_on_a_doubt")]


class DoubtEvent(TimelineLine):
    """One line of a doubt's timeline: who did what, when."""

    doubt = models.ForeignKey(Doubt, on_delete=models.PROTECT, related_name="events")


class StopProposalQuerySet(models.QuerySet["StopProposal"]):
    def visible_to(self, user: User) -> StopProposalQuerySet:
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self


class StopProposal(models.Model):
    """A death of a recipient that asks whether payment stops (停发建议); a person decides, never the system."""

    class Status(models.TextChoices):
        OPEN = "open", "待决定"
        CONFIRMED = "confirmed", "已确认停发"
        REFUSED = "refused", "不停发"

    class Grade(models.TextChoices):
        A = "A", "证件号和姓名一致"
        B = "B", "姓名只差异体字或间隔号"
        C = "C", "证件号相同、姓名不同"

    number = models.CharField("建议编号", max_length=120, unique=True)
    fact = models.CharField("事实", max_length=120, unique=True)
    """Person, day of death and grade: the same death reported twice is one proposal; of an event its number."""
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员", db_index=True)
    person_name = models.CharField("姓名", max_length=80)
    category = models.CharField("类别", max_length=20)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    grade = models.CharField("匹配等级", max_length=1, choices=Grade.choices)
    name_reported = SealedTextField("来文姓名", purpose="stop.name_reported")
    died_on = models.DateField("死亡日期")
    load_number = models.BigIntegerField("来源装载", null=True)
    event_number = models.CharField("来源登记事项", max_length=40, blank=True, default="", db_index=True)
    """The event of the registry that told of the death, where no file did."""
    opened_on = models.DateField("提出日期")
    due_on = models.DateField("决定期限", db_index=True)
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.OPEN, db_index=True
    )
    stop_from = models.DateField("停发起始月", null=True)
    ground = models.TextField("理由", blank=True)
    identity_confirmed = models.BooleanField("已核对身份", default=False)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    decided_at = models.DateTimeField("决定时间", null=True)
    objects = StopProposalQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]

    @property
    def name_differs(self) -> bool:
        return self.grade != self.Grade.A


class DeathScan(AppendOnly):
    """A load of deaths that was held against a register for recipients; done once for each pair."""

    load_number = models.BigIntegerField("装载")
    register_number = models.BigIntegerField("花名册装载")
    at = models.DateTimeField("时间", auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["load_number", "register_number"], name="each_load_once_per_register"
            )
        ]
