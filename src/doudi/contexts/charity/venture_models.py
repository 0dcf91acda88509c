"""Venture calls (公益创投), support and honours (支持激励), and ideas that a hub body brings up (项目孵化)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from doudi.contexts.accounts.services import AppendOnly, TimelineLine


class Call(models.Model):
    """A call for projects (公益创投) with its budget, its criteria and its days."""

    class Status(models.TextChoices):
        DRAFT = "draft", "草稿"
        PUBLISHED = "published", "申报中"
        SCORING = "scoring", "评审中"
        DECIDED = "decided", "已公布结果"
        FINISHED = "finished", "已结项"

    number = models.CharField("编号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    title = models.CharField("名称", max_length=120)
    text = models.TextField("支持方向和要求")
    budget_fen = models.BigIntegerField("总预算（分）")
    most_fen = models.BigIntegerField("单个项目最高（分）")
    money = models.CharField("资金来源", max_length=120)
    opens_on = models.DateField("申报开始")
    closes_on = models.DateField("申报截止")
    criteria = models.JSONField("评分标准", default=list, help_text="[{code, label, weight}]，权重合计 100")
    least_jurors = models.PositiveSmallIntegerField("每个项目最少评委")
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.DRAFT, db_index=True
    )
    made_by = models.CharField("经办人", max_length=150)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    decided_on = models.DateField("决定日期", null=True)
    document = models.CharField("决定文号", max_length=120, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.title


class CallLine(TimelineLine):
    """A line of a call's timeline."""

    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="events")


class Juror(models.Model):
    """A juror of a call (评委): appointed, and heard on conflicts before any application is seen."""

    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="jurors")
    username = models.CharField("账号", max_length=150)
    name = models.CharField("姓名", max_length=80)
    declared_at = models.DateTimeField("声明时间", null=True)
    conflicts = models.JSONField("回避的组织", default=list, help_text="统一社会信用代码")
    declaration = models.CharField("声明", max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["call", "username"], name="one_seat_per_juror")]


class Application(models.Model):
    """A charity's application to a call (申报书); jurors see it by its letter alone."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted", "已申报"
        WITHDRAWN = "withdrawn", "已撤回"
        AWARDED = "awarded", "获资助"
        REFUSED = "refused", "未获资助"

    number = models.CharField("申报编号", max_length=40, unique=True)
    blind = models.CharField("评审编号", max_length=8)
    call = models.ForeignKey(Call, on_delete=models.PROTECT, related_name="applications")
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="venture_applications"
    )
    title = models.CharField("项目名称", max_length=120)
    problem = models.TextField("要解决的问题")
    approach = models.TextField("做法和计划")
    beneficiaries = models.TextField("受益对象和人数")
    budget = models.JSONField("预算", default=list, help_text="[{item, fen}]")
    asked_fen = models.BigIntegerField("申请金额（分）")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.SUBMITTED)
    submitted_at = models.DateTimeField("申报时间", auto_now_add=True)
    submitted_by = models.CharField("申报人", max_length=150)
    proposed_fen = models.BigIntegerField("拟资助（分）", null=True)
    proposed_by = models.CharField("提出人", max_length=150, blank=True)
    awarded_fen = models.BigIntegerField("资助（分）", default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["call", "blind"], name="one_letter_per_application"),
            models.UniqueConstraint(
                fields=["call", "organisation", "title"],
                condition=~Q(status="withdrawn"),
                name="one_application_per_title",
            ),
        ]


class Score(AppendOnly):
    """One juror's score of one application (评分); it is given once."""

    juror = models.ForeignKey(Juror, on_delete=models.PROTECT, related_name="scores")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="scores")
    points = models.JSONField("各项得分", help_text="{标准: 0–100}")
    total = models.PositiveIntegerField("加权得分（百分之一分）")
    comment = models.CharField("评语", max_length=500)
    at = models.DateTimeField("评分时间", auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["juror", "application"], name="one_score_per_juror")]


class Milestone(models.Model):
    """A step of an awarded project with its share of the award (里程碑): reported, accepted, paid by three hands."""

    class Status(models.TextChoices):
        PLANNED = "planned", "未完成"
        REPORTED = "reported", "已报告，待验收"
        RETURNED = "returned", "退回补充"
        ACCEPTED = "accepted", "已验收，待拨付"
        PAID = "paid", "已拨付"

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="milestones")
    place = models.PositiveSmallIntegerField("序号")
    title = models.CharField("内容", max_length=200)
    due_on = models.DateField("完成期限")
    amount_fen = models.BigIntegerField("拨付（分）")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PLANNED)
    report = models.TextField("完成情况", blank=True)
    reported_by = models.CharField("报告人", max_length=150, blank=True)
    evidence = models.CharField("凭证摘要", max_length=64, blank=True)
    accepted_by = models.CharField("验收人", max_length=150, blank=True)
    accepted_on = models.DateField("验收日期", null=True)
    note = models.CharField("验收意见", max_length=300, blank=True)

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(fields=["application", "place"], name="one_milestone_per_place")
        ]

    @property
    def payment(self) -> VenturePayment | None:
        """The payment in force: the last one that was not reversed."""
        standing = self.payments.exclude(reversals__status=VentureReversal.Status.CONFIRMED)
        return standing.order_by("-turn").first()

    @property
    def reversals(self) -> models.QuerySet[VentureReversal]:
        """What was asked and decided about reversing its payments, the earliest first."""
        return VentureReversal.objects.filter(payment__milestone=self).select_related("payment")


class VenturePayment(AppendOnly):
    """A payment on an accepted milestone (拨付); the database keeps it from being made twice.

    ``turn`` counts how often the milestone was paid: a second time only after the first was reversed.
    """

    milestone = models.ForeignKey(Milestone, on_delete=models.PROTECT, related_name="payments")
    turn = models.PositiveSmallIntegerField("第几次", default=1)
    amount_fen = models.BigIntegerField("金额（分）")
    on = models.DateField("日期")
    voucher = models.CharField("凭证号", max_length=80, unique=True)
    paid_by = models.CharField("支付人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["turn"]
        constraints = [models.UniqueConstraint(fields=["milestone", "turn"], name="one_payment_per_turn")]


class VentureReversal(models.Model):
    """The counter-entry of a payment that was wrong or came back (冲正): asked by who pays, decided by another.

    ``amount_fen`` is what comes off the award's payments, the negative of the payment; the payment itself stays.
    """

    class Status(models.TextChoices):
        ASKED = "asked", "待确认"
        CONFIRMED = "confirmed", "已冲正"
        REFUSED = "refused", "不予冲正"

    payment = models.ForeignKey(VenturePayment, on_delete=models.PROTECT, related_name="reversals")
    amount_fen = models.BigIntegerField("金额（分）")
    on = models.DateField("日期")
    voucher = models.CharField("冲正凭证号", max_length=80, unique=True)
    ground = models.CharField("原因", max_length=300)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.ASKED)
    asked_by = models.CharField("提出人", max_length=150)
    asked_at = models.DateTimeField("提出时间", auto_now_add=True)
    decided_by = models.CharField("确认人", max_length=150, blank=True)
    decided_at = models.DateTimeField("确认时间", null=True)
    note = models.CharField("意见", max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["payment"],
                condition=~models.Q(status="refused"),
                name="one_reversal_per_payment",
            )
        ]


class Evaluation(AppendOnly):
    """What a funded project came to (绩效评价), published with its name."""

    class Grade(models.TextChoices):
        EXCELLENT = "excellent", "优秀"
        GOOD = "good", "良好"
        PASS = "pass", "合格"
        FAIL = "fail", "不合格"

    application = models.OneToOneField(Application, on_delete=models.PROTECT, related_name="evaluation")
    grade = models.CharField("等次", max_length=10, choices=Grade.choices)
    people = models.PositiveIntegerField("受益人数")
    text = models.CharField("评价", max_length=500)
    on = models.DateField("日期")
    by = models.CharField("评价人", max_length=150)


class Support(models.Model):
    """A subsidy, reward, free premises or fee reduction for a charity (支持激励): proposed by one, decided by another."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待决定"
        APPROVED = "approved", "已同意"
        REFUSED = "refused", "不同意"

    number = models.CharField("编号", max_length=40, unique=True)
    organisation = models.ForeignKey("charity.Organisation", on_delete=models.PROTECT, related_name="support")
    kind = models.CharField("种类", max_length=20)
    year = models.PositiveSmallIntegerField("年度")
    amount_fen = models.BigIntegerField("金额（分）", default=0)
    ground = models.CharField("事由", max_length=300)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PROPOSED)
    proposed_by = models.CharField("提出人", max_length=150)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    document = models.CharField("文号", max_length=120, blank=True)

    class Meta:
        ordering = ["-pk"]


class Honour(AppendOnly):
    """An honour of a charity (荣誉), as of 中华慈善奖 or a good rating."""

    organisation = models.ForeignKey("charity.Organisation", on_delete=models.PROTECT, related_name="honours")
    title = models.CharField("荣誉", max_length=120)
    year = models.PositiveSmallIntegerField("年度")
    issuer = models.CharField("授予单位", max_length=120)
    document = models.CharField("文号", max_length=120, blank=True)
    recorded_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["-year", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "title", "year"], name="one_honour_a_year")
        ]


class Idea(models.Model):
    """A project idea that a hub body brings up (项目孵化): idea, review by the county, launch as a project, brand."""

    class Status(models.TextChoices):
        IDEA = "idea", "待评审"
        RETURNED = "returned", "退回完善"
        READY = "ready", "可以启动"
        REFUSED = "refused", "不予孵化"
        LAUNCHED = "launched", "已启动"

    number = models.CharField("编号", max_length=40, unique=True)
    organisation = models.ForeignKey("charity.Organisation", on_delete=models.PROTECT, related_name="ideas")
    title = models.CharField("项目名称", max_length=120)
    problem = models.TextField("看到的问题")
    approach = models.TextField("做法")
    kinds = models.JSONField("用途", default=list)
    groups = models.JSONField("对象人群", default=list)
    budget_fen = models.BigIntegerField("预算（分）")
    partner = models.CharField("承接组织", max_length=120, blank=True)
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.IDEA, db_index=True
    )
    made_by = models.CharField("提出人", max_length=150)
    reviewed_by = models.CharField("评审人", max_length=150, blank=True)
    project = models.OneToOneField(
        "charity.Project", on_delete=models.PROTECT, null=True, related_name="idea"
    )
    brand_since = models.DateField("成为品牌项目", null=True)
    results = models.TextField("成果", blank=True)

    class Meta:
        ordering = ["-pk"]


class IdeaLine(TimelineLine):
    """A line of an idea's timeline."""

    idea = models.ForeignKey(Idea, on_delete=models.PROTECT, related_name="events")
