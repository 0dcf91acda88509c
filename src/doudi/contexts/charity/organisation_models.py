"""Who gives and with what: member bodies, charities, hub bodies, their projects, goods and services."""

from __future__ import annotations

from django.db import models

from doudi.house.fields import BlindIndexField, SealedTextField


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


class Qualification(models.Model):
    """A charity's application for the public-fundraising qualification (公开募捐资格, 慈善法 第二十二条)."""

    class Status(models.TextChoices):
        ASKED = "asked", "待决定"
        GRANTED = "granted", "已取得"
        REFUSED = "refused", "不予取得"

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="qualifications", verbose_name="慈善组织"
    )
    applied_on = models.DateField("申请日期")
    decide_by = models.DateField("决定期限")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.ASKED)
    entered_by = models.CharField("登记人", max_length=150)
    decided_on = models.DateField("决定日期", null=True)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    ground = models.CharField("理由", max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"], condition=models.Q(status="asked"), name="one_open_qualification"
            )
        ]


class Project(models.Model):
    """A charity project (慈善项目): for what, for whom, where, until when, with how much, and what its donors meant.

    Empty ``kinds``, ``groups`` or ``regions`` take any. ``budget_fen`` and ``places`` None are no limit.
    """

    class Status(models.TextChoices):
        OPEN = "open", "进行中"
        PAUSED = "paused", "暂停"
        ENDED = "ended", "已结束"

    number = models.CharField("项目编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="projects", verbose_name="组织"
    )
    name = models.CharField("项目名称", max_length=120)
    kinds = models.JSONField("用途", default=list, help_text="需求种类的码；空为不限")
    groups = models.JSONField("对象人群", default=list, help_text="人群的码；空为不限")
    regions = models.JSONField("地区", default=list, help_text="行政区划代码前缀；空为不限")
    places = models.PositiveIntegerField("名额", null=True)
    budget_fen = models.BigIntegerField("预算（分）", null=True)
    most_fen = models.BigIntegerField("每户最高（分）", null=True)
    starts_on = models.DateField("开始日期")
    ends_on = models.DateField("结束日期", null=True)
    donor_intent = models.TextField("捐赠人意愿", blank=True)
    content = models.TextField("项目内容", blank=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.OPEN)
    made_at = models.DateTimeField("登记时间", auto_now_add=True)
    made_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class ActivityPhoto(models.Model):
    """A picture of what a project did (活动照片): a sealed file of its own, so that it can go when a consent is withdrawn."""

    class Who(models.TextChoices):
        NOBODY = "nobody", "看不出是谁"
        AGREED = "agreed", "画面中的人都书面同意公开"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="photos", verbose_name="项目")
    taken_on = models.DateField("拍摄日期")
    caption = models.CharField("说明", max_length=200)
    who = models.CharField("画面中的人", max_length=10, choices=Who.choices)
    consent = models.CharField("同意书存放处", max_length=200, blank=True)
    stored = models.CharField("文件", max_length=80)
    added_by = models.CharField("上传人", max_length=150)
    added_at = models.DateTimeField("上传时间", auto_now_add=True)
    down_on = models.DateField("撤下日期", null=True)
    down_by = models.CharField("撤下人", max_length=150, blank=True)
    down_why = models.CharField("撤下理由", max_length=200, blank=True)

    class Meta:
        ordering = ["-taken_on", "-pk"]


class InterestedPerson(models.Model):
    """A person tied to a project's donor or manager, who may not be helped by it (利害关系人, 慈善法 第四十、五十九条)."""

    class Tie(models.TextChoices):
        DONOR = "donor", "捐赠人的利害关系人"
        MANAGER = "manager", "管理人员的利害关系人"

    project = models.ForeignKey(
        Project, on_delete=models.PROTECT, related_name="interested", verbose_name="项目"
    )
    name = models.CharField("姓名", max_length=80)
    id_number = SealedTextField("身份证号", purpose="charity.interested")
    id_blind = BlindIndexField("证件号索引")
    tie = models.CharField("关系类别", max_length=10, choices=Tie.choices)
    relation = models.CharField("关系", max_length=60)
    entered_by = models.CharField("登记人", max_length=150)
    entered_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "id_blind"], name="one_interested_person_per_project")
        ]
