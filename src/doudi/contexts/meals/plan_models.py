"""Siting plans as they were asked and answered (选址方案)."""

from __future__ import annotations

from django.db import models


class SitePlan(models.Model):
    """One siting question with its answer; another question is another plan, nothing of a plan is changed.

    ``demand``: [id, lon, lat, persons, hard persons, radius or null, group]; ``candidates``: [id, lon, lat, name,
    capacity or null, cost or null, group, existing, synthetic]; coordinates are CGCS2000/WGS84. ``roads``: [row of
    demand, row of candidates, metres] where the plan goes by a road table, else empty.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "测算"
        ADOPTED = "adopted", "已采纳"

    number = models.CharField("方案号", max_length=24, unique=True)
    token = models.CharField(max_length=32, unique=True)
    name = models.CharField("名称", max_length=80)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="children", verbose_name="由此改出"
    )
    settings = models.JSONField("条件", default=dict)
    demand = models.JSONField("需求点", default=list)
    candidates = models.JSONField("候选点", default=list)
    roads = models.JSONField("路网距离", default=list)
    result = models.JSONField("结果", default=dict)
    notes = models.JSONField("说明", default=list, help_text="[[中文, English]]")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.DRAFT)
    made_by = models.CharField("编制人", max_length=150)
    made_at = models.DateTimeField("编制时间", auto_now_add=True)
    adopted_by = models.CharField("采纳人", max_length=150, blank=True)
    adopted_at = models.DateTimeField("采纳时间", null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class PlacePoint(models.Model):
    """Where a village or community lies (村、社区坐标), CGCS2000/WGS84; ``synthetic`` where no real point is known."""

    region_code = models.CharField("区划代码", max_length=12, primary_key=True)
    longitude = models.FloatField("经度")
    latitude = models.FloatField("纬度")
    synthetic = models.BooleanField("合成坐标", default=False)
    source = models.CharField("来源", max_length=80, blank=True)

    class Meta:
        ordering = ["region_code"]
