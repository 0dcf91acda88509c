"""The places of the meal network."""

from __future__ import annotations

from django.db import models


class Site(models.Model):
    """A place of the meal network (助餐服务设施), handbook 05 §5.2."""

    class Kind(models.TextChoices):
        KITCHEN = "kitchen", "中央厨房"
        CANTEEN = "canteen", "社区老年食堂"
        POINT = "point", "老年助餐点"
        TABLE = "table", "老年餐桌"
        MUTUAL = "mutual", "邻里互助点"

    code = models.CharField("编号", max_length=40, unique=True)
    name = models.CharField("名称", max_length=120)
    kind = models.CharField("类型", max_length=10, choices=Kind.choices)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    address = models.CharField("地址", max_length=200, blank=True)
    longitude = models.FloatField("经度", null=True, help_text="CGCS2000 / WGS84")
    latitude = models.FloatField("纬度", null=True)
    operator = models.CharField("运营单位", max_length=120, blank=True)
    seats = models.PositiveIntegerField("座位", default=0)
    licence_no = models.CharField("食品经营许可证", max_length=40, blank=True)
    licence_until = models.DateField("许可证有效期至", null=True)
    opened_on = models.DateField("启用日期", null=True)
    closed_on = models.DateField("停用日期", null=True)

    class Meta:
        ordering = ["region_code", "name"]

    def __str__(self) -> str:
        return self.name
