"""Events for departments that have systems of their own (部门接口推送): who wants which, what happened, what arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, Scope
from doudi.contexts.monitoring.services import Outgoing
from doudi.house.fields import SealedTextField

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User


class WebhookQuerySet(models.QuerySet["WebhookSubscription"]):
    def visible_to(self, user: User, scope: Scope) -> WebhookQuerySet:
        """Subscriptions of the account's area; for a department's account its own."""
        found = self.filter(region_code__startswith=user.region_code) if user.region_code else self
        return found.filter(department=user.department) if scope is Scope.DEPARTMENT else found


class WebhookSubscription(models.Model):
    """Where a department's events go, signed with a secret that both sides keep (订阅)."""

    number = models.CharField("订阅编号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    department = models.CharField("部门", max_length=40, db_index=True)
    url = models.CharField("接收地址", max_length=500)
    secret = SealedTextField("签名密钥", purpose="webhook.secret")
    algorithm = models.CharField("签名算法", max_length=12)
    types = models.JSONField("事件")
    active = models.BooleanField("在用", default=True)
    made_by = models.CharField("登记人", max_length=150)
    made_at = models.DateTimeField("登记时间", auto_now_add=True)
    ended_by = models.CharField("停用人", max_length=150, blank=True)
    ended_at = models.DateTimeField("停用时间", null=True)
    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class WebhookEvent(AppendOnly):
    """One thing that happened, as CloudEvents 1.0 tells it; ``event_id`` is the same at every try."""

    event_id = models.UUIDField("事件编号", unique=True)
    type = models.CharField("种类", max_length=60)
    region_code = models.CharField("地区", max_length=12)
    subject = models.CharField("推送编号", max_length=160)
    data = models.JSONField("内容")
    at = models.DateTimeField("时间")

    class Meta:
        ordering = ["pk"]


class WebhookDelivery(Outgoing):
    """An event on its way to a subscription."""

    event = models.ForeignKey(WebhookEvent, on_delete=models.PROTECT, related_name="deliveries")
    subscription = models.ForeignKey(WebhookSubscription, on_delete=models.PROTECT, related_name="deliveries")

    class Meta(Outgoing.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["event", "subscription"], name="each_event_once_for_a_subscription"
            )
        ]
