"""Measures given and referrals pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, Scope
from doudi.contexts.assistance.application_models import (
    Application,
    ApplicationEvent,
    ApplicationPaper,
    ApplicationPause,
    ApplicationVisit,
    Decision,
    KinRecord,
    LetterIssue,
    NoticeObjection,
    Opinion,
    PublicNotice,
    ReviewMeeting,
    SampleDraw,
    SampleResult,
    SampleVisit,
    SupplementNotice,
)
from doudi.contexts.assistance.benefit_models import BenefitDecision, OffsetAgreement, PayAccount
from doudi.contexts.assistance.care_models import (
    CareComplaint,
    CareEvent,
    CareLine,
    CareOrder,
    CareSettlement,
    CareVisit,
)
from doudi.contexts.assistance.outcome_models import FollowUp, Review, WorkRefusal
from doudi.contexts.assistance.recovery_models import (
    Account,
    Instalment,
    LedgerEntry,
    LedgerLine,
    PaymentStop,
    Recovery,
    WriteOffRequest,
)
from doudi.contexts.assistance.resource_models import Resource, ResourceVersion
from doudi.contexts.assistance.roster_models import (
    BankReturn,
    Budget,
    PayBatch,
    PayEntry,
    PayItem,
    PayLine,
    PayResult,
    Roster,
    RosterRow,
)
from doudi.contexts.assistance.upward_models import UpwardAnswer, UpwardBatch, UpwardReturn, UpwardRow
from doudi.contexts.assistance.webhook_models import WebhookDelivery, WebhookEvent, WebhookSubscription
from doudi.house.fields import SealedTextField

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User

__all__ = [  # the models of other files too: Django looks for a context's models here
    "PENDING",
    "Account",
    "Application",
    "ApplicationEvent",
    "ApplicationPaper",
    "ApplicationPause",
    "ApplicationVisit",
    "BankReturn",
    "BenefitDecision",
    "Budget",
    "CareComplaint",
    "CareEvent",
    "CareLine",
    "CareOrder",
    "CareSettlement",
    "CareVisit",
    "Decision",
    "FollowUp",
    "Instalment",
    "KinRecord",
    "LedgerEntry",
    "LedgerLine",
    "LetterIssue",
    "MeasureGiven",
    "NoticeObjection",
    "OffsetAgreement",
    "Opinion",
    "PayAccount",
    "PayBatch",
    "PayEntry",
    "PayItem",
    "PayLine",
    "PayResult",
    "PaymentStop",
    "PublicNotice",
    "Recovery",
    "Referral",
    "ReferralQuerySet",
    "Resource",
    "ResourceVersion",
    "Review",
    "ReviewMeeting",
    "Roster",
    "RosterRow",
    "SampleDraw",
    "SampleResult",
    "SampleVisit",
    "SupplementNotice",
    "UpwardAnswer",
    "UpwardBatch",
    "UpwardReturn",
    "UpwardRow",
    "WebhookDelivery",
    "WebhookEvent",
    "WebhookSubscription",
    "WorkRefusal",
    "WriteOffRequest",
]


class MeasureGiven(AppendOnly):
    """A measure given to a household (救助措施); a wrong one is corrected by a counter-entry, never changed."""

    warning_number = models.CharField("预警编号", max_length=100, db_index=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    code = models.CharField("措施", max_length=40)
    label = models.CharField("措施名称", max_length=80)
    amount_fen = models.BigIntegerField("金额（分）", default=0)
    given_on = models.DateField("给予日期")
    ground = models.TextField("依据与说明")
    given_by = models.CharField("经办人", max_length=150)
    given_by_name = models.CharField("经办人姓名", max_length=80)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")

    class Meta:
        ordering = ["pk"]


class ReferralQuerySet(models.QuerySet["Referral"]):
    def visible_to(self, user: User, scope: Scope) -> ReferralQuerySet:
        """Referrals of the account's area; for a department user those sent to the own department only."""
        found = self.filter(region_code__startswith=user.region_code) if user.region_code else self
        return found.filter(department=user.department) if scope is Scope.DEPARTMENT else found

    def pending(self) -> ReferralQuerySet:
        """Referrals that the department has still to answer."""
        return self.filter(status__in=PENDING)


class Referral(models.Model):
    """A need pushed to a department (需求推送) with the least that it needs: identity, contact, category, need.

    The financial facts stay here (handbook 02 §2.6). Only the receiver's answer ends it (社会救助暂行办法 第六十条).
    """

    class Status(models.TextChoices):
        SENT = "sent", "待接收"
        ACCEPTED = "accepted", "办理中"
        ANSWERED = "answered", "已反馈"
        RETURNED = "returned", "已退回"

    class Result(models.TextChoices):
        SOLVED = "solved", "解决"
        PARTLY = "partly", "部分解决"
        UNSOLVED = "unsolved", "未解决"
        NOT_NEEDED = "not_needed", "不需要"

    number = models.CharField("推送编号", max_length=160, unique=True)
    warning_number = models.CharField("预警编号", max_length=100, db_index=True, blank=True)
    application_number = models.CharField("受理编号", max_length=40, db_index=True, blank=True, default="")
    """The application at the one window that was transferred with it (转办); its result closes that."""
    household_no = models.CharField("户编号", max_length=60, db_index=True, blank=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    department = models.CharField("部门", max_length=40, db_index=True)
    person_name = models.CharField("姓名", max_length=80)
    id_number = SealedTextField("身份证号", purpose="referral.id_number")
    phone = SealedTextField("联系电话", purpose="referral.phone", blank=True, default="")
    category = models.CharField("类别", max_length=20, blank=True)
    need = models.TextField("需求")
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.SENT, db_index=True
    )
    why_here = models.TextField("转办理由", blank=True, default="")
    accept_due_on = models.DateField("接收期限", null=True, db_index=True)
    due_on = models.DateField("反馈期限", db_index=True)
    sent_at = models.DateTimeField("推送时间", auto_now_add=True)
    sent_by = models.CharField("推送人", max_length=150)
    accepted_at = models.DateTimeField("接收时间", null=True)
    accepted_by = models.CharField("接收人", max_length=150, blank=True)
    result = models.CharField("结果", max_length=12, choices=Result.choices, blank=True)
    amount_fen = models.BigIntegerField("金额（分）", default=0)
    answer = models.TextField("反馈内容", blank=True)
    answered_at = models.DateTimeField("反馈时间", null=True)
    answered_by = models.CharField("反馈人", max_length=150, blank=True)
    objects = ReferralQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]

    def __str__(self) -> str:
        return self.number

    @property
    def is_pending(self) -> bool:
        return self.status in PENDING


PENDING = (Referral.Status.SENT, Referral.Status.ACCEPTED)
