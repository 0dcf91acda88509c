"""The places of the meal network, their papers and their evaluation (助餐服务设施)."""

from __future__ import annotations

from datetime import date

from django.db import models

from doudi.contexts.accounts.services import AppendOnly


class Meal(models.TextChoices):
    """The meals of a day (餐次)."""

    BREAKFAST = "breakfast", "早餐"
    LUNCH = "lunch", "午餐"
    DINNER = "dinner", "晚餐"


class Site(models.Model):
    """A place of the meal network (助餐服务设施), handbook 05 §5.2.

    ``organisation`` is the number by which accounts of its operator see it; one operator may run several places.
    """

    class Kind(models.TextChoices):
        KITCHEN = "kitchen", "中央厨房"
        CANTEEN = "canteen", "社区老年食堂"
        POINT = "point", "老年助餐点"
        TABLE = "table", "老年餐桌"
        MUTUAL = "mutual", "邻里互助点"

    class State(models.TextChoices):
        PLANNED = "planned", "规划中"
        OPEN = "open", "营业"
        SUSPENDED = "suspended", "暂停"
        CLOSED = "closed", "停用"

    code = models.CharField("编号", max_length=40, unique=True)
    name = models.CharField("名称", max_length=120)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    organisation = models.CharField("运营单位编号", max_length=40, blank=True, db_index=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    address = models.CharField("地址", max_length=200, blank=True)
    longitude = models.FloatField("经度", null=True, help_text="CGCS2000 / WGS84")
    latitude = models.FloatField("纬度", null=True)
    operator = models.CharField("运营单位", max_length=120, blank=True)
    operator_account = models.CharField("收款账号（户名和账号）", max_length=120, blank=True)
    phone = models.CharField("订餐电话", max_length=40, blank=True)
    seats = models.PositiveIntegerField("座位", default=0)
    area_m2 = models.PositiveIntegerField("就餐面积（平方米）", null=True)
    licence_no = models.CharField("食品经营许可证", max_length=40, blank=True)
    licence_until = models.DateField("许可证有效期至", null=True)
    supplied_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="supplies", verbose_name="供餐厨房"
    )
    demonstration_on = models.DateField("认定示范机构日期", null=True)
    opened_on = models.DateField("启用日期", null=True)
    closed_on = models.DateField("停用日期", null=True)

    class Meta:
        ordering = ["region_code", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def kitchen(self) -> Site:
        """Where its dishes are cooked: itself, or the kitchen that supplies it."""
        return self.supplied_by or self

    def licensed(self, on: date) -> bool:
        """Whether it holds a food licence on a day; neighbours' mutual help is filed more simply (§5.2)."""
        if self.kind == self.Kind.MUTUAL:
            return True
        return bool(self.licence_no) and self.licence_until is not None and self.licence_until >= on


class SiteHours(models.Model):
    """When a meal is handed out at a place, and how many portions it can make (供餐时段)."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="hours")
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    serves_from = models.TimeField("开始")
    serves_until = models.TimeField("结束")
    capacity = models.PositiveIntegerField("每餐最多份数", help_text="座位 × 周转，或厨房的出餐能力")

    class Meta:
        ordering = ["site", "serves_from"]
        constraints = [models.UniqueConstraint(fields=["site", "meal"], name="one_time_per_site_and_meal")]


class SitePaper(AppendOnly):
    """A paper of a place (证照): licence, fire safety, contract; a later one of a kind takes the earlier one's place."""

    class Kind(models.TextChoices):
        LICENCE = "licence", "食品经营许可证"
        FIRE = "fire", "消防验收或备案"
        CONTRACT = "contract", "助餐服务协议"
        INSURANCE = "insurance", "责任保险"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="papers")
    kind = models.CharField("证照", max_length=10, choices=Kind.choices)
    number = models.CharField("证号", max_length=60)
    issued_on = models.DateField("发证日期", null=True)
    valid_until = models.DateField("有效期至", null=True)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["-pk"]


class SiteEvaluation(AppendOnly):
    """One evaluation of a demonstration agency (示范机构评价), handbook 05 §5.8: scores by item, red lines, result."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="evaluations")
    evaluated_on = models.DateField("评价日期")
    scores = models.JSONField("各项得分", default=dict)
    red_lines = models.JSONField("红线", default=list)
    total = models.PositiveSmallIntegerField("总分")
    passed = models.BooleanField("合格")
    valid_until = models.DateField("有效期至", null=True)
    replies = models.PositiveIntegerField("满意度答卷数", default=0)
    ground = models.TextField("评价说明", blank=True)
    by = models.CharField("评价人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["-evaluated_on", "-pk"]
