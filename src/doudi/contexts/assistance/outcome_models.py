"""Whether help helped (成效), when recipients are looked at again (复查), and work that was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User


class _OfAnArea(models.QuerySet):  # type: ignore[type-arg]
    def visible_to(self, user: User) -> _OfAnArea:
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self


class FollowUp(models.Model):
    """A look at what a measure came to, so many days after it (成效随访): before and after, solved or not."""

    class Result(models.TextChoices):
        SOLVED = "solved", "解决"
        PARTLY = "partly", "部分解决"
        UNSOLVED = "unsolved", "未解决"
        NOT_NEEDED = "not_needed", "不需要"

    source = models.CharField("来源", max_length=200)
    day = models.PositiveSmallIntegerField("第几天")
    measure = models.CharField("措施", max_length=40, db_index=True)
    measure_label = models.CharField("措施名称", max_length=80)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    given_on = models.DateField("给予日期")
    due_on = models.DateField("随访日期", db_index=True)
    before_income_fen = models.BigIntegerField("救助前人均月收入（分）", null=True)
    after_income_fen = models.BigIntegerField("救助后人均月收入（分）", null=True)
    before_ratio = models.PositiveIntegerField("救助前刚性支出占比（%）", null=True)
    after_ratio = models.PositiveIntegerField("救助后刚性支出占比（%）", null=True)
    result = models.CharField("结果", max_length=12, choices=Result.choices, blank=True, db_index=True)
    satisfaction = models.PositiveSmallIntegerField("满意度（1–5）", null=True)
    repeat_need = models.BooleanField("同样的困难又出现", default=False)
    unmet = models.CharField("未满足的需求", max_length=300, blank=True)
    note = models.TextField("情况", blank=True)
    done_on = models.DateField("实际随访日期", null=True)
    done_by = models.CharField("随访人", max_length=150, blank=True)
    objects = _OfAnArea.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [models.UniqueConstraint(fields=["source", "day"], name="one_follow_up_for_a_day")]


class Review(models.Model):
    """A periodic review of a recipient (定期复查), and an exit that needs a hearing first."""

    class Status(models.TextChoices):
        DUE = "due", "待复查"
        HEARING = "hearing", "已提出退出，待听取陈述"
        DONE = "done", "已完成"

    class Result(models.TextChoices):
        KEEP = "keep", "继续享受"
        CHANGE = "change", "调整金额"
        EXIT = "exit", "退出"

    source = models.CharField("来源", max_length=200, unique=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    benefit = models.CharField("待遇", max_length=6)
    rhythm = models.CharField("复查种类", max_length=20)
    due_on = models.DateField("应复查日期", db_index=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    result = models.CharField("结果", max_length=8, choices=Result.choices, blank=True)
    finding = models.TextField("复查情况", blank=True)
    reviewed_on = models.DateField("复查日期", null=True)
    reviewed_by = models.CharField("复查人", max_length=150, blank=True)
    heard_on = models.DateField("听取陈述日期", null=True)
    heard = models.TextField("家庭陈述", blank=True)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    decision = models.CharField("决定编号", max_length=60, blank=True)
    objects = _OfAnArea.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]


class WorkRefusal(AppendOnly):
    """Suitable work that a recipient refused (拒绝接受介绍的工作), with whether there was a good reason."""

    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员")
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    offered_on = models.DateField("介绍日期")
    job = models.CharField("岗位", max_length=120)
    reason = models.CharField("拒绝理由", max_length=200, blank=True)
    justified = models.BooleanField("有正当理由", default=False)
    accepted = models.BooleanField("接受", default=False)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)
    objects = _OfAnArea.as_manager()

    class Meta:
        ordering = ["offered_on", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["person_id", "offered_on", "job"], name="one_offer_once")
        ]
