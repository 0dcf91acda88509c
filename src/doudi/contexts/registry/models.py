"""Regions, people, households, dated memberships and categories, and the loads they came with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from datetime import date, datetime

    from doudi.contexts.accounts.services import User


class Region(models.Model):
    """A division (行政区划, GB/T 2260 and the statistics bureau's extension to the village)."""

    code = models.CharField("代码", max_length=12, primary_key=True)
    name = models.CharField("名称", max_length=80)
    parent_code = models.CharField("上级", max_length=12, blank=True, db_index=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class FeedLoad(models.Model):
    """One department file that was taken in (数据装载): its source, hash, date, who and when, and what came of it."""

    class Status(models.TextChoices):
        IN_FORCE = "in_force", "已装载"
        SUPERSEDED = "superseded", "已被同日文件取代"
        REFUSED = "refused", "未通过"

    feed = models.CharField("数据种类", max_length=40, db_index=True)
    as_of = models.DateField("数据日期", db_index=True)
    source = models.CharField("来源单位", max_length=80, blank=True)
    file_name = models.CharField("文件名", max_length=255)
    file_hash = models.CharField("文件摘要", max_length=64, db_index=True)
    status = models.CharField("状态", max_length=12, choices=Status.choices)
    problem = models.TextField("问题", blank=True)
    problem_en = models.TextField(blank=True)
    counts = models.JSONField("计数", default=dict)
    loaded_at = models.DateTimeField("装载时间", auto_now_add=True)
    loaded_by = models.CharField("装载人", max_length=150)

    class Meta:
        ordering = ["-loaded_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["feed", "as_of", "source", "file_hash"],
                condition=models.Q(status="in_force"),
                name="one_load_of_a_file_for_a_date",
            )
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.as_of} {self.file_name}"


class Grading(models.Model):
    """How the rows of a load were matched to one register (匹配等级); a later register grades again."""

    load = models.ForeignKey(FeedLoad, on_delete=models.CASCADE, related_name="gradings", verbose_name="装载")
    register_hash = models.CharField("花名册摘要", max_length=64)
    grades = models.JSONField("等级", default=dict)
    graded_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["load", "register_hash"], name="one_grading_per_register")
        ]


class UnreadRow(models.Model):
    """Of whom a quarantined row of a load speaks (被隔离的行所说的人): the blind index of the ID, or of the name without one.

    About such a person the load said something that was not understood, so it never says 查无.
    """

    load = models.ForeignKey(FeedLoad, on_delete=models.CASCADE, related_name="unread", verbose_name="装载")
    blind = BlindIndexField("证件号或姓名索引")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["load", "blind"], name="each_unread_once_a_load")]


class HouseholdQuerySet(models.QuerySet["Household"]):
    def visible_to(self, user: User) -> HouseholdQuerySet:
        """Households the account's area answers for; the prefix is part of the query."""
        return self.filter(responsible_region__startswith=user.region_code) if user.region_code else self

    def current(self) -> HouseholdQuerySet:
        """Households that stand in the latest register."""
        return self.filter(listed=True)


class Household(models.Model):
    """A household of the register (户), known by its number."""

    household_no = models.CharField("户编号", max_length=60, unique=True)
    region_code = models.CharField("行政区划代码", max_length=12, db_index=True)
    responsible_region = models.CharField(
        "负责地区", max_length=12, db_index=True, help_text="人户分离或花名册只到县时，与住址地区不同"
    )
    urban_rural = models.CharField("城乡类型", max_length=4)
    category = models.CharField("现有类别", max_length=20, blank=True, db_index=True)
    head_name = models.CharField("户主姓名", max_length=80, blank=True, db_index=True)
    persons = models.PositiveIntegerField("人数", default=0)
    listed = models.BooleanField("在册", default=True, db_index=True)
    register_date = models.DateField("花名册日期", null=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="merged_from", verbose_name="并入"
    )
    remark = models.CharField("备注", max_length=200, blank=True, default="")
    objects = HouseholdQuerySet.as_manager()

    class Meta:
        ordering = ["household_no"]
        indexes = [
            models.Index(fields=["responsible_region", "household_no"], name="household_in_list_order")
        ]

    def __str__(self) -> str:
        return self.household_no


class Person(models.Model):
    """A person (人员), known by the ID, which the database holds sealed and finds by its blind index."""

    id_blind = BlindIndexField("证件号索引", unique=True, db_index=False)
    id_number = SealedTextField("身份证号", purpose="person.id_number")
    name = models.CharField("姓名", max_length=80, db_index=True)
    sex = models.CharField("性别", max_length=2, blank=True)
    born_on = models.DateField("出生日期", null=True)
    phone = SealedTextField("联系电话", purpose="person.phone", blank=True, default="")
    address = SealedTextField("住址", purpose="person.address", blank=True, default="")
    died_on = models.DateField("死亡日期", null=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="merged_from", verbose_name="并入"
    )

    class Meta:
        indexes = [models.Index(fields=["born_on"], name="person_by_birth_date")]

    def __str__(self) -> str:
        return self.name


class PersonAlias(models.Model):
    """A former number of a person (曾用证件号): after a correction the old number still finds the person."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="aliases")
    id_blind = BlindIndexField("证件号索引", unique=True, db_index=False)
    id_number = SealedTextField("身份证号", purpose="person.alias")
    event = models.ForeignKey("RegistryEvent", on_delete=models.PROTECT, related_name="+")


class RegistryEvent(models.Model):
    """Something that happened to people or households (业务事项): who says so, on what ground, and what it changed.

    A township proposes, the county confirms; nothing of the register changes before. ``changes`` names the rows that
    were made, ended and altered, in order, and by them the event is undone.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待确认"
        IN_FORCE = "in_force", "已生效"
        REFUSED = "refused", "未同意"
        UNDONE = "undone", "已撤销"

    number = models.CharField("事项编号", max_length=40, unique=True)
    kind = models.CharField("事项", max_length=20, db_index=True)
    happened_on = models.DateField("发生日期")
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, related_name="events", verbose_name="家庭"
    )
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    ground = models.TextField("依据与说明")
    details = SealedTextField("内容", purpose="registry.event")
    told = SealedTextField("变化", purpose="registry.event.told", blank=True, default="")
    changes = SealedTextField("改动", purpose="registry.event.changes", blank=True, default="")
    proposed_at = models.DateTimeField("提出时间", default=timezone.now)
    proposed_by = models.CharField("提出人", max_length=150)
    decided_at = models.DateTimeField("决定时间", null=True)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    decision_note = models.TextField("决定说明", blank=True)
    undone_at = models.DateTimeField("撤销时间", null=True)
    undone_by = models.CharField("撤销人", max_length=150, blank=True)
    undo_ground = models.TextField("撤销理由", blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class EventPerson(models.Model):
    """A person whom an event concerns; with ``asserted`` the office's word on that person stands beside the register's.

    A register dated before the event cannot speak of it; a later one that says the same confirms it, and one that says
    otherwise is a difference for somebody to settle, and changes nothing by itself.
    """

    class Word(models.TextChoices):
        NONE = "none", "不涉及"
        STANDING = "standing", "待花名册印证"
        CONFIRMED = "confirmed", "花名册已印证"
        DISPUTED = "disputed", "与花名册不一致"
        KEPT = "kept", "以本办登记为准"
        YIELDED = "yielded", "以花名册为准"
        UNDONE = "undone", "已撤销"

    event = models.ForeignKey(RegistryEvent, on_delete=models.PROTECT, related_name="people")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="events")
    word = models.CharField("与花名册", max_length=10, choices=Word.choices, db_index=True)
    load = models.ForeignKey(FeedLoad, on_delete=models.PROTECT, null=True, verbose_name="所对花名册")
    said = models.JSONField("花名册所记", default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "person"], name="one_word_per_event_and_person")
        ]


class DatedQuerySet(models.QuerySet[Any]):
    """Dated facts by the day on which they held and the moment at which they were known."""

    def as_known(self, *, at: datetime | None = None, valid_on: date | None = None) -> Self:
        """The facts that held on ``valid_on`` (有效日期) as they were known at ``at`` (当时所知), each default: now.

        "What did we know on 1 March of 1 January" is ``as_known(at=1 March, valid_on=1 January)``.
        """
        if at is None:
            known = self.filter(retracted_at=None)
            if valid_on is None:
                return known.filter(valid_to=None)
            return known.filter(valid_from__lte=valid_on).filter(Q(valid_to=None) | Q(valid_to__gt=valid_on))
        on = valid_on if valid_on is not None else timezone.localdate(at)
        known = self.filter(recorded_at__lte=at).filter(Q(retracted_at=None) | Q(retracted_at__gt=at))
        return known.filter(valid_from__lte=on).filter(
            Q(valid_to=None) | Q(valid_to__gt=on) | Q(ended_at__gt=at)
        )


class DatedFact(models.Model):
    """A fact with the time it held (valid) and the time it was known (recorded); nothing is overwritten.

    ``valid_to`` is the first day on which it no longer held, and ``ended_at`` the moment at which that became known
    (None: it was known from the beginning). Both are set once; whatever else turns out otherwise retracts the fact
    (``retracted_at``) and records another. It comes from a register (``load``) or from an ``event`` of the office.
    """

    valid_from = models.DateField("起")
    valid_to = models.DateField("止", null=True, blank=True)
    recorded_at = models.DateTimeField("记录时间", default=timezone.now)
    ended_at = models.DateTimeField("终止记录时间", null=True, blank=True)
    retracted_at = models.DateTimeField("撤回时间", null=True, blank=True)
    load = models.ForeignKey(
        FeedLoad, on_delete=models.PROTECT, null=True, related_name="+", verbose_name="来源装载"
    )
    event = models.ForeignKey(
        RegistryEvent, on_delete=models.PROTECT, null=True, related_name="+", verbose_name="来源事项"
    )
    objects = DatedQuerySet.as_manager()

    class Meta:
        abstract = True


class Membership(DatedFact):
    """A person's place in a household: in the register of households (户籍家庭), in the family that lives together
    (共同生活家庭, 最低生活保障审核确认办法 第六条), or in both; a person may be registered here and live there.

    ``basis`` says why the office counts or does not count the person, where it has said so itself.
    """

    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    relation = models.CharField("与户主关系", max_length=10)
    registered = models.BooleanField("户籍在此", default=True)
    living_together = models.BooleanField("是否共同生活")
    basis = models.CharField("计入依据", max_length=20, blank=True)

    class Meta:
        indexes = [models.Index(fields=["household", "valid_to"])]


class SupportTie(DatedFact):
    """A duty of support between two persons (赡养、抚养、扶养, 民法典 第一千零五十九、一千零六十七条).

    ``amount_fen`` is the monthly sum in fen where it is known, and ``amount_basis`` how: unknown is not nothing.
    """

    class Kind(models.TextChoices):
        PARENT = "parent", "赡养"
        CHILD = "child", "抚养"
        SPOUSE = "spouse", "扶养"

    class AmountBasis(models.TextChoices):
        COURT = "court", "判决或调解"
        AGREED = "agreed", "协议"
        PAID = "paid", "实际给付"
        FORMULA = "formula", "公式推算"
        UNKNOWN = "unknown", "未知"

    obligor = models.ForeignKey(
        Person, on_delete=models.PROTECT, related_name="supports", verbose_name="义务人"
    )
    supported = models.ForeignKey(
        Person, on_delete=models.PROTECT, related_name="supported_by", verbose_name="被供养人"
    )
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    amount_fen = models.BigIntegerField("每月金额（分）", null=True)
    amount_basis = models.CharField("金额依据", max_length=10, choices=AmountBasis.choices)
    evidence = models.CharField("凭据", max_length=200, blank=True)


class AreaRecord(DatedFact):
    """Where a household is registered and which area answers for it (人户分离: the two differ), dated."""

    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="areas")
    region_code = models.CharField("行政区划代码", max_length=12)
    responsible_region = models.CharField("负责地区", max_length=12)


class CategoryRecord(DatedFact):
    """A category a person holds or held (救助类别及其历史), by the register or by a decision entered here.

    A person may hold several at once; each is kept. ``source`` tells an own decision from one that another department
    took and this office imports (防返贫监测由农业农村部门认定).
    """

    class Source(models.TextChoices):
        REGISTER = "register", "花名册"
        OWN = "own", "本办决定"
        IMPORTED = "imported", "外部导入"

    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="categories")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="categories")
    category = models.CharField("类别", max_length=20, blank=True)
    since = models.DateField("认定日期", null=True, blank=True)
    left_on = models.DateField("退出日期", null=True, blank=True)
    decided_on = models.DateField("决定日期", null=True, blank=True)
    document_no = models.CharField("文号", max_length=80, blank=True)
    decided_by = models.CharField("决定机关", max_length=80, blank=True)
    exit_reason = models.CharField("退出原因", max_length=200, blank=True)
    source = models.CharField("来源", max_length=10, choices=Source.choices, default=Source.REGISTER)

    class Meta:
        indexes = [
            models.Index(fields=["household", "valid_to"]),
            models.Index(fields=["person", "valid_to"]),
        ]


class DuplicatePairQuerySet(models.QuerySet["DuplicatePair"]):
    def visible_to(self, user: User) -> DuplicatePairQuerySet:
        """Pairs of which the account's area answers for both; one across two areas is for the level above both."""
        area = user.region_code
        return self.filter(first_region__startswith=area, second_region__startswith=area) if area else self


class DuplicatePair(models.Model):
    """Two records that may be one person (疑似重复), why, and what a person decided (判定).

    Holds grades and no personal data. ``compared`` is a keyed digest of what was compared: as long as that stays the
    same, a decided pair is not asked about again.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "待判定"
        DOUBTFUL = "doubtful", "存疑"
        SAME = "same", "同一人"
        DIFFERENT = "different", "不是同一人"
        GONE = "gone", "更正后不再相似"

    first = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", verbose_name="甲")
    second = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", verbose_name="乙")
    first_region = models.CharField("甲负责地区", max_length=12, db_index=True)
    second_region = models.CharField("乙负责地区", max_length=12)
    probability = models.FloatField("概率", db_index=True)
    grades = models.JSONField("比对结果", default=dict)
    compared = BlindIndexField("比对内容摘要", db_index=False)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    found_at = models.DateTimeField("发现时间", auto_now_add=True)
    decided_by = models.CharField("判定人", max_length=150, blank=True)
    decided_at = models.DateTimeField("判定时间", null=True)
    ground = models.CharField("判定理由", max_length=300, blank=True)
    merge_number = models.CharField("合并事项编号", max_length=40, blank=True)
    objects = DuplicatePairQuerySet.as_manager()

    class Meta:
        ordering = ["-probability", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="one_question_for_two_people")
        ]

    def __str__(self) -> str:
        return f"DP{self.pk:06d}"


class SearchTerm(models.Model):
    """One way to find a person of a household (查找索引): a name from one of its characters on, pinyin, or a digest.

    Terms are bytes, so that both databases order them alike; the area stands beside them, so that a search reads one
    stretch of one index. Kept by ``finding.index_households``, never by hand.
    """

    term = models.BinaryField(max_length=80)
    county = models.CharField(max_length=6)
    region_code = models.CharField(max_length=12)
    household = models.ForeignKey(Household, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    person = models.ForeignKey(
        Person, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(fields=["term", "region_code", "id"], name="term_everywhere"),
            models.Index(fields=["county", "term", "region_code", "id"], name="term_in_county"),
        ]


class Disability(models.Model):
    """What the disability certificates in force say of a person (残疾类别、等级), so that lists can be narrowed by it.

    Derived from the department's file, never typed: :mod:`disabilities` makes it again.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="disabilities")
    kind = models.CharField("类别", max_length=20)
    grade = models.PositiveSmallIntegerField("等级")

    class Meta:
        ordering = ["grade", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["person", "kind", "grade"], name="each_disability_once")
        ]


class SavedList(models.Model):
    """Conditions and columns of a list that somebody keeps (常用条件); shared ones are for all of the same area."""

    name = models.CharField("名称", max_length=40)
    subject = models.CharField("列表", max_length=12)
    owner = models.CharField("账号", max_length=150, db_index=True)
    region_code = models.CharField("辖区", max_length=12, blank=True)
    shared = models.BooleanField("同单位可用", default=False)
    asked = models.JSONField("条件", default=dict)
    columns = models.JSONField("列", default=list)
    saved_at = models.DateTimeField("保存时间", auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "subject", "name"], name="one_saved_list_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class ListColumns(models.Model):
    """The columns a person chose to see in a list (显示列)."""

    owner = models.CharField("账号", max_length=150)
    subject = models.CharField("列表", max_length=12)
    columns = models.JSONField("列", default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "subject"], name="one_choice_of_columns")]


class ListExport(models.Model):
    """A list asked for as a workbook (导出申请): why, what, how many rows, who agreed, and the file that was built."""

    class Status(models.TextChoices):
        WAITING = "waiting", "待审批"
        GRANTED = "granted", "可下载"
        REFUSED = "refused", "未批准"

    subject = models.CharField("列表", max_length=12)
    region_code = models.CharField("辖区", max_length=12, blank=True, db_index=True)
    asked = SealedTextField("条件", purpose="export.asked")
    told = models.CharField("条件说明", max_length=500, blank=True)
    columns = models.JSONField("列", default=list)
    reason = models.CharField("事由", max_length=200)
    rows = models.PositiveIntegerField("行数", default=0)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    requested_by = models.CharField("申请人", max_length=150, db_index=True)
    requested_name = models.CharField("申请人姓名", max_length=80)
    requested_at = models.DateTimeField("申请时间", auto_now_add=True)
    decided_by = models.CharField("审批人", max_length=150, blank=True)
    decided_at = models.DateTimeField("审批时间", null=True)
    decision_note = models.CharField("审批意见", max_length=200, blank=True)
    expires_at = models.DateTimeField("有效期至", null=True)
    sha256 = models.CharField("内容摘要", max_length=64, blank=True)
    downloads = models.PositiveIntegerField("下载次数", default=0)

    class Meta:
        ordering = ["-pk"]

    @property
    def number(self) -> str:
        """The number that stands in the watermark and in the log."""
        return f"DC{self.pk:06d}"

    def __str__(self) -> str:
        return self.number


class ListChange(models.Model):
    """A cell that was changed through a returned workbook (表格回传), with what stood there before; never altered."""

    export = models.ForeignKey(ListExport, on_delete=models.PROTECT, related_name="changes")
    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    field = models.CharField("项目", max_length=24)
    before = SealedTextField("原值", purpose="list.change", blank=True, default="")
    after = SealedTextField("新值", purpose="list.change", blank=True, default="")
    at = models.DateTimeField("时间", auto_now_add=True)
    by = models.CharField("操作人", max_length=150)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["person", "field"])]
