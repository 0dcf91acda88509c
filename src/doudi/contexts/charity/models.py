"""Who gives: member bodies of the mechanism, charities, hub bodies."""

from __future__ import annotations

from django.db import models


class Organisation(models.Model):
    """A body that gives (帮扶主体): a member body of the mechanism, a charity, or a hub of charities."""

    class Kind(models.TextChoices):
        MEMBER = "member", "成员单位"
        CHARITY = "charity", "慈善组织"
        HUB = "hub", "枢纽型慈善组织"

    code = models.CharField("编号", max_length=40, unique=True, help_text="统一社会信用代码；成员单位用简码")
    name = models.CharField("名称", max_length=120)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    region_code = models.CharField("地区", max_length=12, blank=True, db_index=True)
    registered_on = models.DateField("登记日期", null=True)
    fundraising_since = models.DateField("公开募捐资格取得日期", null=True)
    contact = models.CharField("联系人", max_length=60, blank=True)
    phone = models.CharField("办公电话", max_length=40, blank=True)
    closed_on = models.DateField("停用日期", null=True)

    class Meta:
        ordering = ["kind", "name"]

    def __str__(self) -> str:
        return self.name
