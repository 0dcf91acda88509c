"""The county's list of resource projects (救助资源项目清单), with every version that stood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, Scope

if TYPE_CHECKING:
    from datetime import date

    from doudi.contexts.accounts.services import User


class ResourceQuerySet(models.QuerySet["Resource"]):
    def visible_to(self, user: User) -> ResourceQuerySet:
        """Projects of the account's county and of the levels above it."""
        area = user.region_code[:6]
        prefixes = [area[:end] for end in (0, 2, 4, 6) if end <= len(area)]
        return self.filter(region_code__in=prefixes) if area else self

    def kept_by(self, user: User, scope: Scope) -> ResourceQuerySet:
        """Projects that the account keeps: a department its own, the county all of its area."""
        found = self.filter(region_code__startswith=user.region_code)
        return found.filter(department=user.department) if scope is Scope.DEPARTMENT else found

    def in_force(self, on: date) -> ResourceQuerySet:
        return self.filter(valid_from__lte=on).filter(models.Q(valid_to=None) | models.Q(valid_to__gte=on))


class Resource(models.Model):
    """One project of the list (资源项目): who gives what to whom, on what ground, how and where it is asked for."""

    class Layer(models.TextChoices):
        BASIC = "basic", "基本"
        SPECIAL = "special", "专项"
        URGENT = "urgent", "急难"
        CHARITY = "charity", "慈善"

    class Content(models.TextChoices):
        CASH = "cash", "资金"
        GOODS = "goods", "实物"
        SERVICE = "service", "服务"

    resource_no = models.CharField("项目编号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True, blank=True)
    name = models.CharField("项目名称", max_length=80)
    layer = models.CharField("层次", max_length=8, choices=Layer.choices)
    provider = models.CharField("提供单位", max_length=80)
    department = models.CharField("主管部门", max_length=40, db_index=True)
    basis = models.CharField("依据", max_length=200)
    categories = models.JSONField("对象类别", default=list)
    age_from = models.PositiveSmallIntegerField("年龄自", null=True)
    age_to = models.PositiveSmallIntegerField("年龄至", null=True)
    sex = models.CharField("性别", max_length=2, blank=True)
    rule = models.CharField("条件式", max_length=200, blank=True)
    condition = models.CharField("条件说明", max_length=300, blank=True)
    content = models.CharField("内容", max_length=8, choices=Content.choices)
    description = models.TextField("内容说明", blank=True)
    amount = models.CharField("标准或算法", max_length=200, blank=True)
    channel = models.CharField("申请渠道", max_length=200)
    papers = models.CharField("材料", max_length=300, blank=True)
    time_limit = models.CharField("时限", max_length=80, blank=True)
    contact = models.CharField("联系方式", max_length=120, blank=True)
    address = models.CharField("地址", max_length=200, blank=True)
    valid_from = models.DateField("有效自")
    valid_to = models.DateField("有效至", null=True)
    budget_fen = models.BigIntegerField("预算（分）", null=True)
    balance_fen = models.BigIntegerField("余额（分）", null=True)
    exclusive_with = models.JSONField("不能同时享受", default=list)
    stackable_with = models.JSONField("可以叠加", default=list)
    public = models.BooleanField("对外公开", default=True)
    checked_on = models.DateField("最近核对", db_index=True)
    checked_by = models.CharField("核对人", max_length=150)
    version = models.PositiveIntegerField("版本", default=1)
    objects = ResourceQuerySet.as_manager()

    class Meta:
        ordering = ["layer", "resource_no"]

    def __str__(self) -> str:
        return self.resource_no


class ResourceVersion(AppendOnly):
    """What a project said from one change to the next (历次版本)."""

    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField("版本")
    content = models.JSONField("内容")
    saved_at = models.DateTimeField("时间", auto_now_add=True)
    saved_by = models.CharField("修改人", max_length=150)

    class Meta:
        ordering = ["version"]
        constraints = [
            models.UniqueConstraint(fields=["resource", "version"], name="one_content_of_a_resource_version")
        ]
