"""Public fundraising (公开募捐) and what is told of it (信息公开): plans, duties to disclose, what was disclosed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from doudi.contexts.accounts.services import AppendOnly, TimelineLine
from doudi.contexts.charity.fund_models import Fund


class Campaign(models.Model):
    """A fundraising plan (募捐方案) with the fields of 慈善法第二十四条, filed before it starts."""

    class Status(models.TextChoices):
        DRAFT = "draft", "草稿"
        FILED = "filed", "已报送备案"
        RETURNED = "returned", "退回补正"
        RECORDED = "recorded", "已备案"
        STOPPED = "stopped", "已停止"

    class Way(models.TextChoices):
        STREET = "street", "公共场所设置募捐箱"
        EVENT = "event", "义演、义赛、义卖、义展、义拍、慈善晚会"
        MEDIA = "media", "广播、电视、报刊"
        ONLINE = "online", "互联网"

    number = models.CharField("方案编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="campaigns"
    )
    fund = models.ForeignKey(
        Fund, on_delete=models.PROTECT, related_name="campaigns", verbose_name="入账资金"
    )
    title = models.CharField("募捐活动名称", max_length=120)
    purpose = models.TextField("募捐目的")
    starts_on = models.DateField("开始日期")
    ends_on = models.DateField("结束日期")
    regions = models.JSONField("活动地域", default=list, help_text="行政区划代码前缀")
    person = models.CharField("活动负责人", max_length=60)
    address = models.CharField("办公地址", max_length=120)
    ways = models.JSONField("募捐方式", default=list)
    receiving = models.TextField("接受捐赠方式")
    account_name = models.CharField("银行账户名称", max_length=120)
    account_number = models.CharField("银行账号", max_length=40)
    bank = models.CharField("开户银行", max_length=80)
    beneficiaries = models.TextField("受益人")
    use = models.TextField("募得款物用途")
    cost_fen = models.BigIntegerField("募捐成本（分）", default=0)
    goal_fen = models.BigIntegerField("募捐目标（分）", null=True)
    remainder = models.TextField("剩余财产的处理")
    platform = models.CharField("互联网平台", max_length=20, blank=True)
    emergency = models.BooleanField("应对突发事件", default=False)
    partner = models.CharField("合作方", max_length=120, blank=True)
    partner_assessed = models.CharField("对合作方的评估", max_length=200, blank=True)
    partner_agreement = models.CharField("合作协议", max_length=120, blank=True)
    place_filing = models.CharField("活动地备案文号", max_length=120, blank=True)
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.DRAFT, db_index=True
    )
    made_by = models.CharField("登记人", max_length=150)
    filed_on = models.DateField("报送日期", null=True)
    filed_by = models.CharField("报送人", max_length=150, blank=True)
    filing_due = models.DateField("报送期限", null=True)
    filed_late = models.BooleanField("逾期报送", default=False)
    record_no = models.CharField("备案编号", max_length=60, blank=True)
    decided_by = models.CharField("备案经办人", max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.title


class CampaignLine(TimelineLine):
    """A line of a plan's timeline."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="events")


class DisclosureDuty(models.Model):
    """A disclosure that is owed (应公开事项): of a fundraising, a project or a year, by a day."""

    class Part(models.TextChoices):
        INTERIM = "interim", "进展情况"
        FINAL = "final", "全面情况"
        ANNUAL = "annual", "年度工作报告和财务会计报告"

    organisation = models.ForeignKey("charity.Organisation", on_delete=models.PROTECT, related_name="duties")
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, null=True, related_name="duties")
    project = models.ForeignKey("charity.Project", on_delete=models.PROTECT, null=True, related_name="duties")
    part = models.CharField("内容", max_length=10, choices=Part.choices)
    place = models.PositiveSmallIntegerField("第几次")
    from_on = models.DateField("自")
    until_on = models.DateField("至")
    due_on = models.DateField("公开期限", db_index=True)
    dropped = models.BooleanField("不再需要", default=False)

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "part", "place"],
                condition=Q(campaign__isnull=False) & Q(dropped=False),
                name="one_duty_per_campaign_part",
            ),
            models.UniqueConstraint(
                fields=["project", "part", "place"],
                condition=Q(project__isnull=False) & Q(dropped=False),
                name="one_duty_per_project_part",
            ),
            models.UniqueConstraint(
                fields=["organisation", "part", "until_on"],
                condition=Q(part="annual"),
                name="one_annual_report_a_year",
            ),
        ]


class Disclosure(AppendOnly):
    """What was published (信息公开), as it stood then: a correction is another one."""

    duty = models.ForeignKey(DisclosureDuty, on_delete=models.PROTECT, related_name="published")
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="disclosures"
    )
    number = models.CharField("公开编号", max_length=40, unique=True)
    content = models.JSONField("内容")
    note = models.TextField("说明", blank=True)
    published_on = models.DateField("公开日期", db_index=True)
    published_by = models.CharField("公开人", max_length=150)
    late = models.BooleanField("逾期", default=False)

    class Meta:
        ordering = ["-pk"]


class YearFigures(models.Model):
    """What a charity says of its year where the ledger does not know it (年度数据): earlier incomes, net assets, class."""

    organisation = models.ForeignKey("charity.Organisation", on_delete=models.PROTECT, related_name="years")
    year = models.PositiveSmallIntegerField("年度")
    class_code = models.CharField("组织类别", max_length=40)
    last_income_fen = models.BigIntegerField("上年总收入（分）", null=True)
    mean_income_fen = models.BigIntegerField("前三年平均收入（分）", null=True)
    net_fen = models.BigIntegerField("上年末净资产（分）", null=True)
    other_spent_fen = models.BigIntegerField("账外登记的慈善活动支出（分）", default=0)
    other_admin_fen = models.BigIntegerField("账外登记的管理费用（分）", default=0)
    explanation = models.TextField("向登记机关报告并公开的说明", blank=True)
    told_by = models.CharField("填报人", max_length=150)
    told_at = models.DateTimeField("填报时间", auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "year"], name="one_row_per_charity_year")
        ]
