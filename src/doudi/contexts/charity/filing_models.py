"""Filings of aid by member bodies (备案): what was given, by file or by page, what overlaps, and each month's closing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, Scope
from doudi.contexts.charity.organisation_models import Organisation
from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User


class Way(models.TextChoices):
    """In what form aid is given (帮扶方式)."""

    CASH = "cash", "资金"
    GOODS = "goods", "物资"
    SERVICE = "service", "服务"


class ColumnMapping(models.Model):
    """How a body's own workbook is read (列对应): learnt from its first upload, kept for each layout of header.

    ``columns`` maps a field of the filing to the header as the body writes it; ``defaults`` says what holds for every
    row where the body has no column.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="mappings")
    layout = models.CharField("表头摘要", max_length=64)
    columns = models.JSONField("列对应", default=dict)
    defaults = models.JSONField("固定值", default=dict)
    made_by = models.CharField("指定人", max_length=150)
    made_at = models.DateTimeField("指定时间", auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "layout"], name="one_mapping_per_layout")
        ]


class FilingBatch(models.Model):
    """A workbook a body sent (月报表): kept sealed as it came, read by its mapping, taken once.

    ``verdicts`` says of each row by its number what became of it; no personal content stands in it.
    """

    class Status(models.TextChoices):
        MAPPING = "mapping", "待指定列"
        READ = "read", "待确认"
        TAKEN = "taken", "已备案"
        DROPPED = "dropped", "已作废"

    number = models.CharField("批次编号", max_length=40, unique=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="batches")
    month = models.DateField("所报月份", help_text="当月一日")
    file_name = models.CharField("文件名", max_length=255)
    file_hash = models.CharField("文件摘要", max_length=64, db_index=True)
    sealed = models.CharField("原件", max_length=80)
    header = models.JSONField("表头", default=list)
    header_row = models.PositiveIntegerField("表头行", default=1)
    mapping = models.ForeignKey(ColumnMapping, on_delete=models.PROTECT, null=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    verdicts = models.JSONField("逐行结果", default=dict)
    counts = models.JSONField("计数", default=dict)
    sent_at = models.DateTimeField("上传时间", auto_now_add=True)
    sent_by = models.CharField("上传人", max_length=150)
    taken_at = models.DateTimeField("备案时间", null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "file_hash"],
                condition=models.Q(status__in=["mapping", "read", "taken"]),
                name="one_batch_of_a_file",
            )
        ]


class AidFilingQuerySet(models.QuerySet["AidFiling"]):
    def visible_to(self, user: User, scope: Scope) -> AidFilingQuerySet:
        """A body its own filings; an office those of its area."""
        if scope is Scope.ORGANISATION:
            return self.filter(organisation__code=user.organisation)
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self

    def standing(self) -> AidFilingQuerySet:
        """Filings that hold: neither counter-entries nor countered."""
        return self.filter(reverses=None, reversed_by=None)


class AidFiling(AppendOnly):
    """One aid a body gave and filed (帮扶备案); a wrong one is corrected by a counter-entry, never changed.

    A person is known by the ID; a group aid (集体帮扶) has only a count. ``amount_fen`` is the value of goods and
    services too, 0 where it is not known.
    """

    number = models.CharField("备案编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="filings", verbose_name="帮扶主体"
    )
    region_code = models.CharField("地区", max_length=12, db_index=True)
    household_no = models.CharField("户编号", max_length=60, blank=True, db_index=True)
    name = models.CharField("姓名", max_length=80, blank=True)
    id_number = SealedTextField("身份证号", purpose="charity.filing", blank=True, default="")
    id_blind = BlindIndexField("证件号索引", null=True)
    group_count = models.PositiveIntegerField("集体帮扶人数", null=True)
    category = models.CharField("当时类别", max_length=20, blank=True)
    kind = models.CharField("需求种类", max_length=20)
    way = models.CharField("帮扶方式", max_length=10, choices=Way.choices)
    amount_fen = models.BigIntegerField("金额或折价（分）", default=0)
    what = models.CharField("内容", max_length=300, blank=True)
    aided_on = models.DateField("帮扶日期", db_index=True)
    project = models.CharField("项目或基金", max_length=120, blank=True)
    money = models.CharField("资金来源", max_length=20)
    consent = models.BooleanField("本人同意", null=True, help_text="空为没有填")
    need_code = models.CharField("需求编号", max_length=40, blank=True, db_index=True)
    filed_at = models.DateTimeField("备案时间", auto_now_add=True)
    filed_on = models.DateField("备案日期")
    filed_by = models.CharField("备案人", max_length=150)
    due_on = models.DateField("备案期限")
    late_workdays = models.PositiveIntegerField("迟报工作日", default=0)
    supplements = models.BooleanField("补报", default=False, help_text="所属月份已月结")
    batch = models.ForeignKey(FilingBatch, on_delete=models.PROTECT, null=True, related_name="filings")
    batch_row = models.PositiveIntegerField("表内行", null=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    reverse_ground = models.CharField("冲正理由", max_length=300, blank=True)
    objects = AidFilingQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["organisation", "aided_on"], name="filings_of_a_body_by_day")]


class FilingOverlap(AppendOnly):
    """What a filing met (重叠): the same kind of aid to the same household near that day, from whom and when."""

    class Source(models.TextChoices):
        PUBLIC = "public", "政府救助"
        OTHER = "other", "其他单位帮扶"
        SAME = "same", "本单位另一笔"

    filing = models.ForeignKey(AidFiling, on_delete=models.PROTECT, related_name="overlaps")
    source = models.CharField("来源", max_length=10, choices=Source.choices)
    giver = models.CharField("给予方", max_length=120)
    label = models.CharField("名称", max_length=120)
    amount_fen = models.BigIntegerField("金额（分）")
    given_on = models.DateField("日期")

    class Meta:
        ordering = ["pk"]


class MonthClosing(AppendOnly):
    """A body's word that a month's aid is filed whole (月结); ``nothing`` says that none was given (零报告)."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="closings")
    month = models.DateField("月份", help_text="当月一日")
    filings = models.PositiveIntegerField("笔数")
    amount_fen = models.BigIntegerField("金额（分）")
    nothing = models.BooleanField("零报告", default=False)
    due_on = models.DateField("月结期限")
    closed_on = models.DateField("月结日期")
    closed_by = models.CharField("月结人", max_length=150)

    class Meta:
        ordering = ["-month", "organisation"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "month"], name="one_closing_per_month")
        ]


class ClosingReceipt(AppendOnly):
    """The county's word that it has a body's month (收讫): by whom and when."""

    closing = models.OneToOneField(MonthClosing, on_delete=models.PROTECT, related_name="receipt")
    received_on = models.DateField("收讫日期")
    received_by = models.CharField("收讫人", max_length=150)


class Meeting(models.Model):
    """A meeting of the mechanism (联席会议): who comes, what is on the agenda, what is decided."""

    class Status(models.TextChoices):
        PLANNED = "planned", "筹备中"
        HELD = "held", "已召开"
        CANCELLED = "cancelled", "已取消"

    number = models.CharField("会议编号", max_length=40, unique=True)
    title = models.CharField("会议名称", max_length=120)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    held_on = models.DateField("日期")
    place = models.CharField("地点", max_length=120, blank=True)
    bodies = models.ManyToManyField(Organisation, related_name="meetings", verbose_name="参会单位")
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.PLANNED)
    minutes = models.TextField("纪要", blank=True)
    called_by = models.CharField("召集人", max_length=150)

    class Meta:
        ordering = ["-held_on", "-pk"]


class AgendaItem(models.Model):
    """A case or problem on the agenda (议题); a household's case goes by the code of its need, never by a name."""

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField("序号")
    subject = models.CharField("议题", max_length=200)
    need_code = models.CharField("需求编号", max_length=40, blank=True)
    raised_by = models.CharField("提出人", max_length=150)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["meeting", "position"], name="one_item_per_position")]


class Resolution(models.Model):
    """What was decided on an item (议定事项): who does what by when, and what came of it."""

    class Status(models.TextChoices):
        OPEN = "open", "办理中"
        DONE = "done", "已办结"

    item = models.ForeignKey(AgendaItem, on_delete=models.PROTECT, related_name="resolutions")
    what = models.CharField("事项", max_length=300)
    responsible = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, null=True, related_name="resolutions", verbose_name="责任单位",
        help_text="空为县级民政",
    )  # fmt: skip
    due_on = models.DateField("期限", db_index=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.OPEN)
    decided_by = models.CharField("登记人", max_length=150)
    outcome = models.TextField("办理结果", blank=True)
    done_on = models.DateField("办结日期", null=True)
    done_by = models.CharField("办结人", max_length=150, blank=True)

    class Meta:
        ordering = ["due_on", "pk"]
