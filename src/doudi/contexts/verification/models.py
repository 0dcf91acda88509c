"""Requests with their people and declarations, authorisations, queries with their replies, reports, objections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, TimelineLine, User
from doudi.engine.status import Status
from doudi.engine.verification import State
from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from datetime import date

_STATES = [(state.value, state.label) for state in State]
_STATUSES = [(status.value, status.label) for status in Status]


class RequestQuerySet(models.QuerySet["VerificationRequest"]):
    def visible_to(self, user: User) -> RequestQuerySet:
        """Requests of the account's area; the prefix is part of the query."""
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self

    def open(self) -> RequestQuerySet:
        """Requests in which somebody has still to act."""
        return self.filter(state__in=[state.value for state in State if state.open])

    def overdue(self, today: date) -> RequestQuerySet:
        return self.open().filter(due_on__lt=today)


class RequestBatch(models.Model):
    """Requests opened together (批量委托): from a workbook, or a periodic re-check of everyone on a programme."""

    class Origin(models.TextChoices):
        FILE = "file", "表格"
        RECHECK = "recheck", "定期复查"

    number = models.CharField("批次号", max_length=40, unique=True)
    origin = models.CharField("来由", max_length=10, choices=Origin.choices)
    purpose = models.CharField("用途", max_length=20, blank=True)
    as_of = models.DateField("核对基准日", null=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    made_by = models.CharField("建立人", max_length=150)
    made_at = models.DateTimeField("建立时间", auto_now_add=True)
    file_name = models.CharField("文件名", max_length=255, blank=True)
    file_hash = models.CharField("文件摘要", max_length=64, blank=True)
    marked = models.CharField("标注结果的表格", max_length=80, blank=True)
    opened = models.PositiveIntegerField("建立委托单", default=0)
    refused = models.PositiveIntegerField("未建立", default=0)
    whole = models.BooleanField("整批比对", default=False)
    """A re-check of everybody in one pass over loaded files; what came of it is its :class:`Recheck`."""
    since = models.DateField("与哪天比", null=True)
    requested_by = models.CharField("委托单位", max_length=80, blank=True)
    asked_by = models.CharField("办理整批比对的人", max_length=150, blank=True)
    asked_at = models.DateTimeField("交办时间", null=True)
    problem = models.CharField("没有办成的原因", max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "as_of", "region_code"],
                condition=models.Q(whole=True),
                name="one_whole_recheck_a_date",
            )
        ]


class Recheck(AppendOnly):
    """What came of a re-check of everybody (整批复查): what it stood on, how many of each result, and the list by its digest.

    The list lies beside the screens' results, by household number; it holds no name and no identity number.
    """

    batch = models.OneToOneField(RequestBatch, on_delete=models.PROTECT, related_name="outcome")
    begun_at = models.DateTimeField("开始时间")
    finished_at = models.DateTimeField("完成时间", auto_now_add=True)
    swept_by = models.CharField("办理人", max_length=150)
    pack_hash = models.CharField("政策包摘要", max_length=64)
    snapshots = models.CharField("现在的数据摘要", max_length=64)
    snapshots_then = models.CharField("当时的数据摘要", max_length=64)
    loads = models.JSONField("现在的装载", default=list)
    loads_then = models.JSONField("当时的装载", default=list)
    counts = models.JSONField("户数", default=dict)
    sources = models.JSONField("各来源人数", default=dict)
    listed = models.CharField("名单文件", max_length=80)
    list_hash = models.CharField("名单摘要", max_length=64)

    class Meta:
        ordering = ["-pk"]


class VerificationRequest(models.Model):
    """A request to verify a household (委托单): what for, whom, which sources, as of when, and how far it has come."""

    number = models.CharField("委托单号", max_length=40, unique=True)
    kind = models.CharField("种类", max_length=20)
    purpose = models.CharField("用途", max_length=20)
    household_no = models.CharField("户编号", max_length=60, db_index=True, blank=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    urban_rural = models.CharField("城乡类型", max_length=4)
    sources = models.JSONField("查询范围", default=list)
    as_of = models.DateField("核对基准日")
    requested_by = models.CharField("委托单位", max_length=80)
    warning_number = models.CharField("预警编号", max_length=100, blank=True)
    state = models.CharField("状态", max_length=12, choices=_STATES, default=State.DRAFT, db_index=True)
    created_at = models.DateTimeField("建立时间", auto_now_add=True)
    created_by = models.CharField("建立人", max_length=150)
    accepted_on = models.DateField("受理日期", null=True)
    start_due_on = models.DateField("启动期限", null=True)
    due_on = models.DateField("出报告期限", null=True, db_index=True)
    ended_why = models.TextField("退回或撤销理由", blank=True)
    version = models.PositiveIntegerField("版本", default=0)
    batch = models.ForeignKey(
        RequestBatch, on_delete=models.PROTECT, null=True, related_name="requests", verbose_name="批次"
    )
    sifted = models.CharField("复查比对", max_length=10, blank=True)
    """Of a periodic re-check: unchanged, changed, first (no earlier report), incomplete; empty: not compared yet."""
    hold_why = models.CharField("暂缓删除理由", max_length=300, blank=True)
    """Legal hold (证据保全): while it is there, nothing of the request is deleted."""
    held_by = models.CharField("保全人", max_length=150, blank=True)
    entrusted_by = models.CharField("委托的异地单位", max_length=40, blank=True)
    entrusted_number = models.CharField("异地单位的协查编号", max_length=60, blank=True)
    objects = RequestQuerySet.as_manager()

    class Meta:
        ordering = ["due_on", "pk"]
        indexes = [models.Index(fields=["state", "region_code", "due_on"])]
        constraints = [
            models.UniqueConstraint(
                fields=["entrusted_by", "entrusted_number"],
                condition=~models.Q(entrusted_number=""),
                name="each_entrusted_check_once",
            )
        ]

    def __str__(self) -> str:
        return self.number


class RequestPerson(models.Model):
    """A person of a request: the applicant, a jointly living member, or a legal supporter (赡养抚养扶养义务人)."""

    class Part(models.TextChoices):
        MEMBER = "member", "共同生活成员"
        SUPPORTER = "supporter", "赡养抚养扶养义务人"

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="people")
    position = models.PositiveSmallIntegerField("次序")
    part = models.CharField("身份", max_length=10, choices=Part.choices, default=Part.MEMBER)
    name = models.CharField("姓名", max_length=80)
    id_number = SealedTextField("身份证号", purpose="verification.id_number")
    id_blind = BlindIndexField("证件号索引")
    relation = models.CharField("与户主关系", max_length=10)
    living_together = models.BooleanField("是否共同生活", default=True)
    category = models.CharField("现有类别", max_length=20, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["request", "id_blind"], name="each_person_once_a_request")
        ]

    def __str__(self) -> str:
        return self.name


class DeclaredItem(models.Model):
    """One item that a person declared (申报): a year's income or a balance in fen, or a count."""

    person = models.ForeignKey(RequestPerson, on_delete=models.PROTECT, related_name="declared")
    item = models.CharField("申报项", max_length=20)
    amount = models.BigIntegerField("数额（分或件）")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "item"], name="each_item_once_a_person")]


class Authorisation(models.Model):
    """A person's authorisation of queries (核对授权书): signed by the person or the guardian, for purposes and a time.

    It belongs to the person and not to one request, so that periodic re-checks stand on it while it is in force.
    """

    class Way(models.TextChoices):
        PAPER = "paper", "纸质签字并捺印（扫描或拍照）"
        SCREEN = "screen", "屏幕签名"
        ELECTRONIC = "electronic", "可靠电子签名"

    number = models.CharField("授权书编号", max_length=40, unique=True)
    id_blind = BlindIndexField("证件号索引")
    name = models.CharField("授权人", max_length=80)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    purposes = models.JSONField("用途")
    sources = models.JSONField("查询范围")
    signed_on = models.DateField("签署日期")
    valid_to = models.DateField("有效至")
    way = models.CharField("签署方式", max_length=12, choices=Way.choices)
    signer = models.CharField("签署人", max_length=80)
    guardian_relation = models.CharField("监护关系", max_length=20, blank=True)
    evidence_hash = models.CharField("凭证摘要", max_length=64)
    evidence_name = models.CharField("凭证文件名", max_length=255)
    collected_by = models.CharField("收集人", max_length=150)
    collected_at = models.DateTimeField("登记时间", auto_now_add=True)
    withdrawn_at = models.DateTimeField("撤回时间", null=True)
    withdrawn_why = models.CharField("撤回说明", max_length=300, blank=True)

    class Meta:
        ordering = ["-signed_on", "-pk"]
        indexes = [models.Index(fields=["id_blind", "valid_to"])]

    def covers(self, *, purpose: str, source: str, on: date) -> bool:
        """Whether it authorises a query for the purpose to the source on a day."""
        return (
            self.withdrawn_at is None
            and purpose in self.purposes
            and source in self.sources
            and self.signed_on <= on <= self.valid_to
        )


class Query(models.Model):
    """One question to one source about one person (查询); asked again it is another row, its replies are kept."""

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="queries")
    person = models.ForeignKey(RequestPerson, on_delete=models.PROTECT, related_name="queries")
    source = models.CharField("来源", max_length=40)
    round = models.PositiveSmallIntegerField("轮次", default=1)
    status = models.CharField("结果状态", max_length=14, choices=_STATUSES, default=Status.NOT_ASKED)
    authorisation = models.ForeignKey(
        Authorisation, on_delete=models.PROTECT, null=True, related_name="queries", verbose_name="依据的授权"
    )
    asked_at = models.DateTimeField("发出时间", null=True)
    asked_by = models.CharField("查询人", max_length=150, blank=True)
    due_on = models.DateField("回复期限", null=True)
    via = models.CharField("途径", max_length=12, blank=True)
    place = models.CharField("异地协查单位", max_length=40, blank=True)
    """The other house that was entrusted with the question (异地协查); empty: a source of this one."""
    batch = models.CharField("询问批次", max_length=40, blank=True)
    claimed_until = models.DateTimeField("占用至", null=True)
    tries = models.PositiveSmallIntegerField("已试次数", default=0)
    next_try_at = models.DateTimeField("下次再试", null=True)
    answered_at = models.DateTimeField("回复时间", null=True)
    problem = models.CharField("问题", max_length=300, blank=True)

    class Meta:
        ordering = ["person__position", "source", "round"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "person", "source", "place", "round"], name="each_question_once_a_round"
            )
        ]
        indexes = [models.Index(fields=["source", "status"])]


class Reply(AppendOnly):
    """What a source answered to a query (回复): the rows sealed, with date, match grades and the digest of the raw form."""

    query = models.ForeignKey(Query, on_delete=models.PROTECT, related_name="replies")
    received_at = models.DateTimeField("收到时间", auto_now_add=True)
    received_by = models.CharField("收件人", max_length=150)
    source_as_of = models.DateField("数据日期")
    rows = SealedTextField("记录", purpose="verification.reply")
    row_count = models.PositiveIntegerField("条数")
    raw_hash = models.CharField("原始摘要", max_length=64)
    file_name = models.CharField("文件名", max_length=255, blank=True)

    class Meta:
        ordering = ["pk"]


class Erasure(AppendOnly):
    """Proof that the rows of a reply were deleted when their time was over (到期删除): when, why, what is left.

    The reply keeps its count and the digest of what it was; ``rows`` hold the totals that are left, and their digest.
    """

    reply = models.OneToOneField(Reply, on_delete=models.PROTECT, related_name="erasure")
    at = models.DateTimeField("删除时间", auto_now_add=True, db_index=True)
    days = models.PositiveIntegerField("保存天数")
    since = models.DateField("起算日期")
    rows = SealedTextField("保留的合计", purpose="verification.totals")
    kept_hash = models.CharField("合计摘要", max_length=64)


class QueryBatch(models.Model):
    """A query list sent to a source as a file (查询清单), and the reply files that came back."""

    number = models.CharField("批次号", max_length=40, unique=True)
    source = models.CharField("来源", max_length=40)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    made_at = models.DateTimeField("制表时间", auto_now_add=True)
    made_by = models.CharField("制表人", max_length=150)
    file_hash = models.CharField("清单摘要", max_length=64)
    queries = models.ManyToManyField(Query, related_name="batches")

    class Meta:
        ordering = ["-pk"]


class SourceState(models.Model):
    """How a connected source fares (来源状态): its failures in a row, its rate, whether somebody stopped it."""

    source = models.CharField("来源", max_length=80, unique=True)
    failures = models.PositiveIntegerField("连续失败", default=0)
    open_until = models.DateTimeField("熔断至", null=True)
    window_start = models.DateTimeField("计次起点", null=True)
    window_calls = models.PositiveIntegerField("本分钟次数", default=0)
    last_problem = models.CharField("最近的问题", max_length=300, blank=True)
    password = SealedTextField("约定口令", purpose="verification.zip_password", default="")
    suspended_at = models.DateTimeField("停用时间", null=True)
    suspended_by = models.CharField("停用人", max_length=150, blank=True)
    suspended_why = models.CharField("停用理由", max_length=300, blank=True)


class Exchange(AppendOnly):
    """One call of a connected source (往来记录): how many were asked, what came back, how long it took."""

    source = models.CharField("来源", max_length=80, db_index=True)
    way = models.CharField("途径", max_length=12)
    batch = models.CharField("批次", max_length=40)
    at = models.DateTimeField("时间", auto_now_add=True, db_index=True)
    region_code = models.CharField("地区", max_length=12, blank=True)
    asked_by = models.CharField("查询人", max_length=150)
    milliseconds = models.PositiveIntegerField("耗时毫秒")
    asked = models.PositiveIntegerField("询问")
    known = models.PositiveIntegerField("查得", default=0)
    no_record = models.PositiveIntegerField("查无", default=0)
    pending = models.PositiveIntegerField("尚未答复", default=0)
    failed = models.PositiveIntegerField("失败", default=0)
    refused = models.PositiveIntegerField("拒收", default=0)
    """Answers that were not used: about nobody who was asked, about somebody else, answered already."""
    fee_fen = models.BigIntegerField("费用（分）", default=0)
    problem = models.CharField("问题", max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]


class EntrustedCheck(models.Model):
    """A check that another house is entrusted with (异地协查): which sources, sent and receipted when, due when."""

    class State(models.TextChoices):
        SENDING = "sending", "待送达"
        RECEIVED = "received", "已签收"
        ANSWERED = "answered", "已答复"
        REFUSED = "refused", "对方不受理"

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="entrusted")
    number = models.CharField("协查编号", max_length=60, unique=True)
    peer = models.CharField("异地单位", max_length=40)
    peer_label = models.CharField("异地单位名称", max_length=80)
    sources = models.JSONField("查询范围")
    state = models.CharField(
        "状态", max_length=10, choices=State.choices, default=State.SENDING, db_index=True
    )
    asked_on = models.DateField("委托日期")
    asked_by = models.CharField("委托人", max_length=150)
    due_on = models.DateField("答复期限")
    receipt = models.CharField("回执编号", max_length=60, blank=True)
    received_at = models.DateTimeField("签收时间", null=True)
    answered_at = models.DateTimeField("答复时间", null=True)
    withdrawn = models.JSONField("已告知撤回的人", default=list)
    tries = models.PositiveSmallIntegerField("已试次数", default=0)
    next_try_at = models.DateTimeField("下次再试", null=True)
    problem = models.CharField("问题", max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]


class SeenNonce(models.Model):
    """A signed request of another house that has come (已收的签名请求): it is let in once."""

    key = models.CharField("账号", max_length=80)
    nonce = models.CharField("随机数", max_length=64)
    at = models.DateTimeField("时间", auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "nonce"], name="each_nonce_once")]


class Report(AppendOnly):
    """A verification report (核对报告): its canonical content sealed, the digests over it, and the one it follows."""

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="reports")
    number = models.CharField("报告编号", max_length=60, unique=True)
    content = SealedTextField("内容", purpose="verification.report")
    sha256 = models.CharField("SHA-256", max_length=64)
    sm3 = models.CharField("SM3", max_length=64)
    pack_hash = models.CharField("政策包摘要", max_length=64)
    advice = models.CharField("意见", max_length=10)
    partial = models.BooleanField("部分结果", default=False)
    issued_on = models.DateField("出具日期")
    valid_to = models.DateField("有效至")
    issued_by = models.CharField("出具人", max_length=150)
    check_code = models.CharField("查验码", max_length=24, unique=True)
    follows = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="followers")
    evidence = models.JSONField("所依据的查询与回复", default=list)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.number


class SupportStatement(AppendOnly):
    """What the township found out of the legal supporters who live apart (赡养情况); the newest of a request counts."""

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="support")
    lines = SealedTextField("赡养人", purpose="verification.support")
    stated_at = models.DateTimeField("登记时间", auto_now_add=True)
    stated_by = models.CharField("登记人", max_length=150)
    evidence_hash = models.CharField("凭证摘要", max_length=64, blank=True)
    evidence_name = models.CharField("凭证文件名", max_length=255, blank=True)

    class Meta:
        ordering = ["pk"]


class Explanation(models.Model):
    """A difference that the applicant is asked to explain (差异说明), with the clock and the answer."""

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="explanations")
    item = models.CharField("申报项", max_length=20)
    grade = models.CharField("差异级别", max_length=10)
    declared = models.BigIntegerField("申报")
    found = models.BigIntegerField("查得")
    asked_on = models.DateField("通知日期")
    due_on = models.DateField("答复期限", db_index=True)
    answer = models.TextField("申请人说明", blank=True)
    answered_on = models.DateField("答复日期", null=True)
    evidence_hash = models.CharField("凭证摘要", max_length=64, blank=True)
    evidence_name = models.CharField("凭证文件名", max_length=255, blank=True)
    accepted = models.BooleanField("说明成立", null=True)
    judged_by = models.CharField("认定人", max_length=150, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["request", "item"], name="each_item_asked_once")]


class Objection(models.Model):
    """An objection to a report (异议): what is contested, why, and the report that answered it."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="objections")
    sources = models.JSONField("有异议的来源")
    ground = models.TextField("理由")
    evidence_hash = models.CharField("凭证摘要", max_length=64, blank=True)
    evidence_name = models.CharField("凭证文件名", max_length=255, blank=True)
    filed_on = models.DateField("提出日期")
    due_on = models.DateField("复核期限", db_index=True)
    recorded_by = models.CharField("登记人", max_length=150)
    answered_by_report = models.ForeignKey(
        Report, on_delete=models.PROTECT, null=True, related_name="answers_objections"
    )
    outcome = models.TextField("结论", blank=True)

    class Meta:
        ordering = ["pk"]


class RequestEvent(TimelineLine):
    """One line of a request's timeline (时间线): who did what, when."""

    request = models.ForeignKey(VerificationRequest, on_delete=models.PROTECT, related_name="events")


class ReplyReview(models.Model):
    """What was wrong with a reply file (数据质量): rows that cannot be read, repeats, rows of nobody asked, how old it is."""

    source = models.CharField("来源", max_length=40, db_index=True)
    region_code = models.CharField("地区", max_length=12)
    at = models.DateTimeField("收到时间", auto_now_add=True)
    received_by = models.CharField("收件人", max_length=150)
    file_name = models.CharField("文件名", max_length=255)
    file_hash = models.CharField("文件摘要", max_length=64)
    source_as_of = models.DateField("数据日期")
    read = models.PositiveIntegerField("读到行数")
    bad = models.PositiveIntegerField("坏行")
    repeated = models.PositiveIntegerField("重复行")
    strangers = models.PositiveIntegerField("未委托的行")
    reasons = models.JSONField("坏行原因", default=dict)
    overdue_days = models.PositiveIntegerField("超过更新周期的天数", default=0)
    workbook = models.CharField("退回单", max_length=80, blank=True)
    """Sealed, for one taking: its rows may be about people who were not asked for."""

    class Meta:
        ordering = ["-pk"]


class SecurityWarning(models.Model):
    """Looks at people that are unusual (安全预警): whose, of which kind, how many on a day, and what was found out."""

    class Kind(models.TextChoices):
        NIGHT = "night", "夜间查看"
        MOST = "most", "超过每日上限"
        JUMP = "jump", "比平常突增"
        OWN = "own", "查看本人或亲属"

    account = models.CharField("账号", max_length=150)
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    day = models.DateField("日期", db_index=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    count = models.PositiveIntegerField("次数")
    usual = models.PositiveIntegerField("平常每日", default=0)
    raised_at = models.DateTimeField("发现时间", auto_now_add=True)
    handled_at = models.DateTimeField("处置时间", null=True)
    handled_by = models.CharField("处置人", max_length=150, blank=True)
    finding = models.CharField("核实情况", max_length=300, blank=True)

    class Meta:
        ordering = ["-day", "-pk"]
        constraints = [models.UniqueConstraint(fields=["account", "kind", "day"], name="one_warning_a_day")]
