"""Impact assessments and the requests that people make about their own data."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.models import TimelineLine
from doudi.house.fields import BlindIndexField, SealedTextField


class ImpactAssessment(models.Model):
    """Of a use of personal data: is it right and needed, what may go wrong, what is done against it (影响评估)."""

    class Status(models.TextChoices):
        WAITING = "waiting", "待审定"
        APPROVED = "approved", "已审定"
        RETURNED = "returned", "已退回"

    number = models.CharField("编号", max_length=30, unique=True)
    purpose = models.CharField("用途", max_length=30, db_index=True)
    region_code = models.CharField("地区", max_length=12, blank=True, db_index=True)
    necessity = models.TextField("合法、正当、必要性")
    risks = models.TextField("对个人权益的影响和风险")
    measures = models.TextField("保护措施是否合法有效并与风险相适应")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.WAITING)
    made_by = models.CharField("评估人", max_length=150)
    made_at = models.DateTimeField("评估时间", auto_now_add=True)
    decided_by = models.CharField("审定人", max_length=150, blank=True)
    decided_at = models.DateTimeField("审定时间", null=True)
    decision_note = models.CharField("审定意见", max_length=300, blank=True)
    valid_to = models.DateField("有效至", null=True)
    keep_until = models.DateField("至少保存到", null=True)

    class Meta:
        ordering = ["-pk"]


class DataRequest(models.Model):
    """What a person asks for about the own data (个人信息请求): to see, correct, delete them, or take a consent back."""

    class Status(models.TextChoices):
        OPEN = "open", "办理中"
        GRANTED = "granted", "已同意"
        REFUSED = "refused", "不予办理"

    number = models.CharField("编号", max_length=30, unique=True)
    kind = models.CharField("事项", max_length=10)
    region_code = models.CharField("地区", max_length=12, blank=True, db_index=True)
    person_name = SealedTextField("姓名", purpose="privacy.name")
    id_number = SealedTextField("身份证号", purpose="privacy.id_number")
    id_blind = BlindIndexField("证件号索引")
    asked = SealedTextField("请求内容", purpose="privacy.asked")
    asked_by = models.CharField("由谁提出", max_length=30, default="本人")
    received_on = models.DateField("收到日期")
    due_on = models.DateField("办理期限", db_index=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.OPEN)
    received_by = models.CharField("受理人", max_length=150)
    decided_by = models.CharField("办理人", max_length=150, blank=True)
    decided_at = models.DateTimeField("办理时间", null=True)
    answer = SealedTextField("答复", purpose="privacy.answer", blank=True, default="")

    class Meta:
        ordering = ["due_on", "pk"]


class DataRequestLine(TimelineLine):
    """One line of a request's timeline."""

    request = models.ForeignKey(DataRequest, on_delete=models.PROTECT, related_name="lines")
