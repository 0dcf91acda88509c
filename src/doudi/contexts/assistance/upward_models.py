"""What was reported to a system above (上报), row by row, and what that system answered."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.services import AppendOnly
from doudi.house.fields import SealedTextField


class UpwardBatch(AppendOnly):
    """One file for a system above (上报批次), with the digest of its content."""

    number = models.CharField("上报编号", max_length=60, unique=True)
    pack = models.CharField("上报包", max_length=30)
    label = models.CharField("上报包名称", max_length=80)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    month = models.DateField("月份")
    header = models.JSONField("列")
    count = models.PositiveIntegerField("行数")
    total_fen = models.BigIntegerField("金额（分）")
    held_count = models.PositiveIntegerField("缺项行数")
    sha256 = models.CharField("内容摘要", max_length=64)
    """SHA-256 of header and rows as JSON lines: the same in a workbook and in CSV."""
    made_by = models.CharField("生成人", max_length=150)
    made_at = models.DateTimeField("生成时间", auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["region_code", "pack", "month"], name="reported_in_a_month")]

    def __str__(self) -> str:
        return self.number


class UpwardRow(models.Model):
    """One row of a file, or one kept back because something is missing; its cells are sealed."""

    class State(models.TextChoices):
        SENT = "sent", "待回"
        ACCEPTED = "accepted", "已接受"
        REJECTED = "rejected", "被退回"
        HELD = "held", "缺项未报"
        RESENT = "resent", "已重报"
        DROPPED = "dropped", "不再上报"

    batch = models.ForeignKey(UpwardBatch, on_delete=models.PROTECT, related_name="rows")
    serial = models.PositiveIntegerField("序号", help_text="0 为缺项未报")
    key = models.CharField("业务编号", max_length=80)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12)
    amount_fen = models.BigIntegerField("金额（分）")
    cells = SealedTextField("内容", purpose="upward.cells")
    state = models.CharField("状态", max_length=8, choices=State.choices, db_index=True)
    reason = models.CharField("说明", max_length=300, blank=True)

    class Meta:
        ordering = ["serial", "pk"]
        constraints = [models.UniqueConstraint(fields=["batch", "key"], name="each_row_once_in_a_report")]


class UpwardReturn(AppendOnly):
    """A return file of a system above (上报回执); the same file again is the same return."""

    batch = models.ForeignKey(UpwardBatch, on_delete=models.PROTECT, related_name="returns")
    sha256 = models.CharField("文件摘要", max_length=64)
    file_name = models.CharField("文件名", max_length=255)
    accepted_count = models.PositiveIntegerField("接受行数")
    rejected_count = models.PositiveIntegerField("退回行数")
    taken_by = models.CharField("上传人", max_length=150)
    taken_at = models.DateTimeField("上传时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["batch", "sha256"], name="each_upward_return_once")]


class UpwardAnswer(AppendOnly):
    """What became of a row and when: answered by a return, sent again, dropped (核销)."""

    row = models.ForeignKey(UpwardRow, on_delete=models.PROTECT, related_name="answers")
    returned = models.ForeignKey(UpwardReturn, on_delete=models.PROTECT, null=True, related_name="answers")
    state = models.CharField("状态", max_length=8, choices=UpwardRow.State.choices)
    reason = models.CharField("说明", max_length=300, blank=True)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
