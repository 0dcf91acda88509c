"""Applications with their papers, visits, opinions, notices, objections and decisions; kin of staff; samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, TimelineLine
from doudi.contexts.assistance.procedure import State
from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from datetime import date

    from doudi.contexts.accounts.services import User


class ApplicationQuerySet(models.QuerySet["Application"]):
    def visible_to(self, user: User) -> ApplicationQuerySet:
        """Applications of the account's area; the prefix is part of the query."""
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self

    def open(self) -> ApplicationQuerySet:
        """Applications in which somebody has still to act."""
        return self.filter(state__in=[state.value for state in State if state.open])

    def overdue(self, today: date) -> ApplicationQuerySet:
        """Open ones whose own limit or whose step's limit has run out; a pause that is over holds nothing up."""
        late = models.Q(due_on__lt=today) | models.Q(step_due_on__lt=today)
        running = ApplicationPause.objects.filter(
            application=models.OuterRef("pk"), ended_on=None, until_on__gte=today
        )
        return self.open().filter(late).exclude(models.Exists(running))


class Application(models.Model):
    """One application at the window (申请): who asks for what, how far it is, and until when the office has time."""

    class Channel(models.TextChoices):
        WINDOW = "window", "窗口"
        SELF = "self", "本人手机提交"
        OFFICE = "office", "主动发现代为申请"

    number = models.CharField("受理编号", max_length=40, unique=True)
    receipt = models.CharField("查询码", max_length=12, unique=True)
    token = models.CharField("表单标记", max_length=40, unique=True)
    kind = models.CharField("事项", max_length=12, db_index=True)
    channel = models.CharField("渠道", max_length=8, choices=Channel.choices)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True, blank=True)
    applicant_name = models.CharField("申请人", max_length=80)
    id_number = SealedTextField("身份证号", purpose="application.id_number")
    id_blind = BlindIndexField("证件号索引")
    phone = SealedTextField("联系电话", purpose="application.phone", blank=True, default="")
    reason = SealedTextField("申请理由", purpose="application.reason", blank=True, default="")
    persons = models.JSONField("申请对象", default=list)
    """Keys of the people of the register whom the application covers; empty: the whole household."""
    alone = models.BooleanField("单独申请", default=False)
    kin = models.BooleanField("工作人员近亲属", default=False)
    kin_of = models.CharField("与哪名工作人员有近亲属关系", max_length=120, blank=True)
    warning_number = models.CharField("预警编号", max_length=100, blank=True)
    verification_number = models.CharField("核对委托单", max_length=40, blank=True)
    report_number = models.CharField("核对报告", max_length=60, blank=True)
    state = models.CharField(
        "状态",
        max_length=14,
        choices=[(state.value, state.label) for state in State],
        default=State.SUBMITTED,
        db_index=True,
    )
    submitted_on = models.DateField("申请日期")
    accepted_on = models.DateField("受理日期", null=True)
    accepted_by = models.CharField("受理人", max_length=150, blank=True)
    extended = models.BooleanField("特殊情况延长", default=False)
    paused_on = models.DateField("中止起", null=True)
    due_on = models.DateField("办结期限", null=True, db_index=True)
    step_began_on = models.DateField("本步骤起", null=True)
    step_limit = models.CharField("本步骤时限", max_length=12, blank=True)
    step_due_on = models.DateField("本步骤期限", null=True, db_index=True)
    ended_why = models.TextField("说明", blank=True)
    created_by = models.CharField("登记人", max_length=150)
    created_at = models.DateTimeField("登记时间", auto_now_add=True)
    objects = ApplicationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "region_code"], name="application_by_state")]

    def __str__(self) -> str:
        return self.number


class ApplicationPaper(AppendOnly):
    """A paper handed in (材料): which, a scan where there is one; a newer row stands for the same paper."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="papers")
    code = models.CharField("材料", max_length=20)
    seen_original = models.BooleanField("已核对原件", default=False)
    evidence_hash = models.CharField("凭证摘要", max_length=64, blank=True)
    evidence_name = models.CharField("文件名", max_length=255, blank=True)
    taken_at = models.DateTimeField("收件时间", auto_now_add=True)
    taken_by = models.CharField("收件人", max_length=150)

    class Meta:
        ordering = ["pk"]


class SupplementNotice(AppendOnly):
    """The one notice of what is missing (一次性告知); there is never a second for the same application."""

    application = models.OneToOneField(Application, on_delete=models.PROTECT, related_name="supplement")
    missing = models.JSONField("缺件")
    told_on = models.DateField("告知日期")
    told_by = models.CharField("告知人", max_length=150)


class ApplicationPause(models.Model):
    """A stretch in which the clock stands still (时限中止)."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="pauses")
    begins_on = models.DateField("自")
    until_on = models.DateField("最迟至")
    ended_on = models.DateField("恢复", null=True)
    ground = models.CharField("理由", max_length=300)
    set_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["pk"]


class ApplicationVisit(AppendOnly):
    """A household visit on an application (入户调查): at least two investigators, and what they found."""

    class Level(models.TextChoices):
        TOWNSHIP = "township", "乡镇调查"
        COUNTY = "county", "县级入户"
        SAMPLE = "sample", "县级抽查"

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="visits")
    level = models.CharField("层级", max_length=10, choices=Level.choices)
    visited_on = models.DateField("入户日期")
    investigators = models.JSONField("调查人")
    findings = SealedTextField("调查情况", purpose="application.findings")
    agrees = models.BooleanField("与申报一致", default=True)
    income_fen = models.BigIntegerField("调查核定家庭月收入（分）", null=True)
    evidence_hash = models.CharField("凭证摘要", max_length=64, blank=True)
    evidence_name = models.CharField("文件名", max_length=255, blank=True)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class ReviewMeeting(AppendOnly):
    """A villagers' review on an objection (民主评议): who took part, how many held the application for true."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="meetings")
    held_on = models.DateField("评议日期")
    present = models.PositiveSmallIntegerField("参加人数")
    in_favour = models.PositiveSmallIntegerField("认为属实人数")
    summary = models.TextField("评议意见")
    evidence_hash = models.CharField("凭证摘要", max_length=64)
    evidence_name = models.CharField("文件名", max_length=255)
    recorded_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["pk"]


class Opinion(AppendOnly):
    """A township's first opinion (初审意见); after an objection a new one follows the old."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="opinions")
    grant = models.BooleanField("拟予确认")
    ground = models.TextField("理由")
    given_on = models.DateField("日期")
    given_by = models.CharField("初审人", max_length=150)

    class Meta:
        ordering = ["pk"]


class PublicNotice(models.Model):
    """A public notice (公示): masked text, where and from when it hung, until when, and the proof of both ends."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="notices")
    text = models.TextField("公示内容（已隐去）")
    place = models.CharField("公示地点", max_length=120)
    posted_on = models.DateField("张贴日期")
    last_day = models.DateField("公示期满")
    evidence_hash = models.CharField("张贴凭证摘要", max_length=64)
    evidence_name = models.CharField("文件名", max_length=255)
    posted_by = models.CharField("张贴人", max_length=150)
    closed_on = models.DateField("撤下日期", null=True)
    closed_by = models.CharField("撤下人", max_length=150, blank=True)
    outcome = models.CharField("结果", max_length=10, blank=True)
    """``clear`` (无异议), ``objected`` or empty while it hangs."""

    class Meta:
        ordering = ["pk"]


class NoticeObjection(AppendOnly):
    """An objection to a public notice (公示异议); who objects stays sealed."""

    notice = models.ForeignKey(PublicNotice, on_delete=models.PROTECT, related_name="objections")
    filed_on = models.DateField("提出日期")
    ground = models.TextField("异议内容")
    by_whom = SealedTextField("异议人", purpose="application.objector", blank=True, default="")
    recorded_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["pk"]


class Decision(AppendOnly):
    """A decision (审核确认决定): granted or refused, a change or an end of an earlier one; corrected by a further one."""

    class Result(models.TextChoices):
        GRANTED = "granted", "确认"
        REFUSED = "refused", "不予确认"
        CHANGED = "changed", "变更"
        STOPPED = "stopped", "停止"

    number = models.CharField("决定文号", max_length=40, unique=True)
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, related_name="decisions"
    )
    follows = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="followed_by", verbose_name="接续的决定"
    )
    result = models.CharField("结果", max_length=8, choices=Result.choices)
    kind = models.CharField("事项", max_length=12, db_index=True)
    category = models.CharField("类别", max_length=20, blank=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    urban_rural = models.CharField("城乡类型", max_length=4, blank=True)
    persons = models.JSONField("对象", default=list)
    """Keys of the people of the register whom it covers."""
    income_fen = models.BigIntegerField("家庭月收入（分）", null=True)
    counted = models.PositiveSmallIntegerField("计入人口", null=True)
    amount_fen = models.BigIntegerField("一次性金额（分）", null=True)
    decided_on = models.DateField("决定日期")
    valid_from = models.DateField("自", null=True, db_index=True)
    valid_to = models.DateField("至（不含）", null=True)
    ground = models.TextField("理由")
    sentence = models.TextField("条文、数值和标准", blank=True)
    change_sentence = models.TextField("什么变化会改变结论", blank=True)
    clause = models.CharField("依据", max_length=300)
    report_number = models.CharField("核对报告", max_length=60, blank=True)
    departs = models.BooleanField("与核对意见不同", default=False)
    registry_event = models.CharField("登记事项", max_length=40, blank=True)
    delegated = models.BooleanField("乡镇受委托确认", default=False)
    decided_by = models.CharField("决定人", max_length=150)
    decided_by_name = models.CharField("决定人姓名", max_length=80)
    decided_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.number

    @property
    def is_followed(self) -> bool:
        """Whether a change or an end came after it."""
        return Decision.objects.filter(follows=self).exists()

    @property
    def per_capita_fen(self) -> int | None:
        """Monthly income a head in whole fen, rounded down; None where it is not known."""
        if self.income_fen is None or not self.counted:
            return None
        return self.income_fen // self.counted


class KinRecord(models.Model):
    """A near relative of staff or village cadres (近亲属备案): found again by the blind index of the number."""

    region_code = models.CharField("地区", max_length=12, db_index=True)
    staff_name = models.CharField("工作人员", max_length=80)
    staff_post = models.CharField("单位和职务", max_length=120)
    relation = models.CharField("关系", max_length=20)
    name = models.CharField("近亲属姓名", max_length=80)
    id_number = SealedTextField("身份证号", purpose="kin.id_number")
    id_blind = BlindIndexField("证件号索引")
    registered_on = models.DateField("备案日期")
    registered_by = models.CharField("备案人", max_length=150)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["id_blind", "staff_name"], name="each_kin_of_staff_once")
        ]


class SampleDraw(AppendOnly):
    """A random sample of delegated decisions (县级抽查): population, seed, share, and whom it hit; drawn again it is the same."""

    number = models.CharField("抽查编号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    first = models.DateField("自")
    last = models.DateField("至")
    population = models.JSONField("全部决定")
    share = models.CharField("比例", max_length=10)
    seed = models.CharField("种子", max_length=64)
    chosen = models.JSONField("抽中")
    drawn_at = models.DateTimeField("抽取时间", auto_now_add=True)
    drawn_by = models.CharField("抽取人", max_length=150)

    class Meta:
        ordering = ["-pk"]


class SampleVisit(models.Model):
    """Who of the county goes to a sampled household, and by when (抽查入户)."""

    draw = models.ForeignKey(SampleDraw, on_delete=models.PROTECT, related_name="visits")
    decision_number = models.CharField("决定文号", max_length=40)
    assigned_to = models.CharField("抽查人", max_length=150, blank=True, db_index=True)
    due_on = models.DateField("入户期限")
    done_on = models.DateField("办结日期", null=True)

    class Meta:
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["draw", "decision_number"], name="each_sampled_visited_once")
        ]


class SampleResult(AppendOnly):
    """What the county found at a sampled household (抽查结果)."""

    draw = models.ForeignKey(SampleDraw, on_delete=models.PROTECT, related_name="results")
    decision_number = models.CharField("决定文号", max_length=40)
    correct = models.BooleanField("认定准确")
    findings = models.TextField("抽查情况")
    checked_on = models.DateField("抽查日期")
    checked_by = models.CharField("抽查人", max_length=150)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["draw", "decision_number"], name="each_sampled_once")]


class ApplicationEvent(TimelineLine):
    """One line of an application's timeline (时间线)."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="events")


class LetterIssue(AppendOnly):
    """A letter that was issued (文书): which, on what content, by whom; the same content again is the same letter."""

    number = models.CharField("文书编号", max_length=60, unique=True)
    letter = models.CharField("文书", max_length=10)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, null=True, related_name="letters")
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, null=True, related_name="letters")
    digest = models.CharField("内容摘要", max_length=64)
    content = SealedTextField("内容", purpose="assistance.letter")
    issued_on = models.DateField("日期")
    issued_by = models.CharField("出具人", max_length=150)

    class Meta:
        ordering = ["pk"]
