"""What a kitchen must be able to show (食品安全台账): who cooked, from what, how warm, what was kept, what went wrong."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, TimelineLine
from doudi.contexts.meals.order_models import Dish
from doudi.contexts.meals.site_models import Meal, Site
from doudi.house.fields import SealedTextField


class Record(AppendOnly):
    """One entry of a kitchen's ledger: where, by whom, when; an entry is corrected by another, never changed."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+", verbose_name="助餐点")
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        abstract = True


class KitchenWorker(models.Model):
    """Somebody who works with food (从业人员)."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="workers")
    name = models.CharField("姓名", max_length=60)
    job = models.CharField("岗位", max_length=40)
    ready_food = models.BooleanField("接触直接入口食品", default=True)
    joined_on = models.DateField("上岗日期")
    left_on = models.DateField("离岗日期", null=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "name"], condition=models.Q(left_on=None), name="one_worker_of_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class HealthCertificate(Record):
    """A worker's health certificate (健康证); the newest one counts."""

    worker = models.ForeignKey(KitchenWorker, on_delete=models.PROTECT, related_name="certificates")
    number = models.CharField("证号", max_length=40)
    issued_on = models.DateField("发证日期")
    valid_until = models.DateField("有效期至")
    paper = models.CharField("扫描件摘要", max_length=64, blank=True)

    class Meta:
        ordering = ["-issued_on", "-pk"]


class MorningCheck(Record):
    """One worker's check before work (晨检): temperature in tenths °C, symptoms, and whether the person may work."""

    worker = models.ForeignKey(KitchenWorker, on_delete=models.PROTECT, related_name="checks")
    on = models.DateField("日期")
    tenths = models.SmallIntegerField("体温（0.1 ℃）")
    symptoms = models.JSONField("症状", default=list)
    fit = models.BooleanField("可以上岗")
    why = models.CharField("不能上岗的原因", max_length=200, blank=True)
    why_en = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-on", "-pk"]
        indexes = [models.Index(fields=["site", "on"], name="morning_of_a_kitchen")]


class Supplier(models.Model):
    """Who delivers food (供货者), with the licence that was looked at (食品安全法 第五十三条)."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="suppliers")
    name = models.CharField("供货者", max_length=120)
    licence_no = models.CharField("许可证号", max_length=40, blank=True)
    licence_until = models.DateField("许可证有效期至", null=True)
    contact = SealedTextField("联系方式", purpose="meals.supplier.contact")

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_supplier_of_a_name")]

    def __str__(self) -> str:
        return self.name


class FoodBatch(Record):
    """One delivery of one product (进货查验记录): name, spec, quantity, batch, shelf life, supplier, voucher.

    ``keep_until`` is the last day until which the record must be kept; nothing here deletes it afterwards either.
    """

    number = models.CharField("进货号", max_length=24, unique=True)
    token = models.CharField(max_length=32, unique=True)
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="batches")
    product = models.CharField("品名", max_length=80)
    spec = models.CharField("规格", max_length=60, blank=True)
    quantity = models.DecimalField("数量", max_digits=10, decimal_places=2)
    unit = models.CharField("单位", max_length=10)
    produced_on = models.DateField("生产日期", null=True)
    batch_no = models.CharField("生产批号", max_length=60, blank=True)
    shelf_life_until = models.DateField("保质期至", null=True)
    fresh_produce = models.BooleanField("食用农产品", default=False)
    received_on = models.DateField("进货日期")
    keep_until = models.DateField("记录至少保存至")
    voucher = models.CharField("凭证摘要", max_length=64, blank=True)
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="corrected_by", verbose_name="更正"
    )
    ground = models.CharField("更正理由", max_length=200, blank=True)

    class Meta:
        ordering = ["-received_on", "-pk"]
        indexes = [models.Index(fields=["site", "batch_no"], name="batch_by_its_number")]

    def __str__(self) -> str:
        return f"{self.number} {self.product}"


class DishUse(Record):
    """Which delivery went into which dish of which meal (用料)."""

    batch = models.ForeignKey(FoodBatch, on_delete=models.PROTECT, related_name="uses")
    dish = models.ForeignKey(Dish, on_delete=models.PROTECT, related_name="uses")
    day = models.DateField("日期")
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)

    class Meta:
        ordering = ["-day", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "dish", "day", "meal"], name="one_use_of_a_batch_in_a_dish"
            )
        ]


class Reading(Record):
    """A temperature that was taken (测温), tenths °C; one out of range says what was done."""

    point = models.CharField("测温点", max_length=20)
    what = models.CharField("菜品或设备", max_length=80)
    tenths = models.SmallIntegerField("温度（0.1 ℃）")
    minutes = models.PositiveIntegerField("已存放分钟", null=True)
    at = models.DateTimeField("测温时间")
    passed = models.BooleanField("合格")
    why = models.CharField("不合格原因", max_length=200, blank=True)
    why_en = models.CharField(max_length=200, blank=True)
    action = models.CharField("处理", max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["site", "at"], name="readings_of_a_kitchen")]


class FoodSample(models.Model):
    """A kept sample of a dish (留样): its label, its clock, and how it ended."""

    number = models.CharField("留样号", max_length=24, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="samples")
    dish = models.ForeignKey(Dish, on_delete=models.PROTECT, related_name="samples")
    day = models.DateField("日期")
    meal = models.CharField("餐次", max_length=10, choices=Meal.choices)
    grams = models.PositiveIntegerField("克数")
    taken_at = models.DateTimeField("留样时间")
    taken_by = models.CharField("留样人", max_length=60)
    keep_until = models.DateTimeField("至少保留至")
    recorded_by = models.CharField("登记人", max_length=150)
    held = models.BooleanField("因事件封存", default=False)
    ended_at = models.DateTimeField("销毁时间", null=True)
    ended_by = models.CharField("销毁人", max_length=60, blank=True)
    ended_why = models.CharField("提前取走的原因", max_length=200, blank=True)
    passed = models.BooleanField("合格", null=True)
    why = models.CharField("不合格原因", max_length=200, blank=True)
    why_en = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-taken_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "dish", "day", "meal"], name="one_sample_of_a_dish_and_meal"
            )
        ]


class Tour(Record):
    """One inspection (检查): what was looked at and what was found; faults become rectifications."""

    number = models.CharField("检查号", max_length=24, unique=True)
    token = models.CharField(max_length=32, unique=True)
    kind = models.CharField("种类", max_length=20)
    on = models.DateField("检查日期")
    inspector = models.CharField("检查人", max_length=60)
    findings = models.JSONField("检查项", default=list, help_text="[{code, ok, note}]")
    note = models.TextField("说明", blank=True)

    class Meta:
        ordering = ["-on", "-pk"]
        indexes = [models.Index(fields=["site", "kind", "on"], name="tours_of_a_kitchen")]


class Mending(models.Model):
    """A fault that has to be put right by a day (整改): done by the place, accepted by somebody else."""

    class State(models.TextChoices):
        OPEN = "open", "待整改"
        DONE = "done", "待验收"
        ACCEPTED = "accepted", "已验收"

    tour = models.ForeignKey(Tour, on_delete=models.PROTECT, related_name="mendings")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="mendings")
    item = models.CharField("检查项", max_length=20)
    fault = models.CharField("问题", max_length=300)
    due_on = models.DateField("整改期限", db_index=True)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    done_on = models.DateField("整改日期", null=True)
    done_by = models.CharField("整改人", max_length=150, blank=True)
    done_how = models.CharField("整改情况", max_length=300, blank=True)
    accepted_on = models.DateField("验收日期", null=True)
    accepted_by = models.CharField("验收人", max_length=150, blank=True)
    returned = models.PositiveSmallIntegerField("退回次数", default=0)

    class Meta:
        ordering = ["due_on", "pk"]


class SafetyPhoto(Record):
    """A photo or scan of an inspection or a rectification, kept sealed by its digest."""

    tour = models.ForeignKey(Tour, on_delete=models.PROTECT, related_name="photos")
    mending = models.ForeignKey(Mending, on_delete=models.PROTECT, null=True, related_name="photos")
    digest = models.CharField("摘要", max_length=64)
    media_type = models.CharField(max_length=40)

    class Meta:
        ordering = ["pk"]


class Incident(models.Model):
    """Something that went wrong with food (食品安全事件): found, stopped, reported within the limit, closed."""

    class Kind(models.TextChoices):
        ILLNESS = "illness", "疑似食源性疾病"
        BATCH = "batch", "问题批次"
        OTHER = "other", "其他"

    class State(models.TextChoices):
        OPEN = "open", "待报告"
        REPORTED = "reported", "已报告"
        CLOSED = "closed", "已结案"

    number = models.CharField("事件号", max_length=24, unique=True)
    token = models.CharField(max_length=32, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="incidents")
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.OPEN, db_index=True)
    found_at = models.DateTimeField("发现时间")
    report_due_at = models.DateTimeField("报告期限", db_index=True)
    text = SealedTextField("情况", purpose="meals.incident.text")
    people = models.PositiveIntegerField("出现症状人数", default=0)
    batch = models.ForeignKey(FoodBatch, on_delete=models.PROTECT, null=True, related_name="incidents")
    opened_by = models.CharField("登记人", max_length=150)
    opened_at = models.DateTimeField("登记时间", auto_now_add=True)
    reported_at = models.DateTimeField("报告时间", null=True)
    reported_to = models.JSONField("报告对象", default=list)
    closed_at = models.DateTimeField("结案时间", null=True)
    conclusion = models.TextField("结论", blank=True)

    class Meta:
        ordering = ["-found_at", "-pk"]

    def __str__(self) -> str:
        return self.number


class IncidentLine(TimelineLine):
    """One line of an incident's timeline."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="lines")


class FoodStop(models.Model):
    """A dish, a delivery or a whole place that serves nothing until it is freed (暂停供应)."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="food_stops")
    dish = models.ForeignKey(Dish, on_delete=models.PROTECT, null=True, related_name="food_stops")
    batch = models.ForeignKey(FoodBatch, on_delete=models.PROTECT, null=True, related_name="food_stops")
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, null=True, related_name="stops")
    why = models.CharField("原因", max_length=200)
    stopped_at = models.DateTimeField("暂停时间", auto_now_add=True)
    stopped_by = models.CharField("暂停人", max_length=150)
    lifted_at = models.DateTimeField("恢复时间", null=True)
    lifted_by = models.CharField("恢复人", max_length=150, blank=True)
    lifted_why = models.CharField("恢复理由", max_length=200, blank=True)

    class Meta:
        ordering = ["-stopped_at", "-pk"]
        indexes = [
            models.Index(fields=["site"], condition=models.Q(lifted_at=None), name="food_stops_in_force")
        ]


class PublicWord(models.Model):
    """What somebody at the public's door said of a place (公众评价、投诉): stars with a paper code, or a complaint."""

    class Kind(models.TextChoices):
        RATING = "rating", "评价"
        COMPLAINT = "complaint", "投诉"

    class Channel(models.TextChoices):
        CODE = "code", "纸质评价码"
        PHONE = "phone", "电话回访"
        PAPER = "paper", "纸质问卷"
        WEB = "web", "网上"

    number = models.CharField("编号", max_length=24, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="words")
    kind = models.CharField("种类", max_length=10, choices=Kind.choices, db_index=True)
    channel = models.CharField("途径", max_length=10, choices=Channel.choices)
    stars = models.PositiveSmallIntegerField("星", null=True)
    text = SealedTextField("内容", purpose="meals.word.text", blank=True, default="")
    contact = SealedTextField("联系方式", purpose="meals.word.contact", blank=True, default="")
    on = models.DateField("就餐日期")
    said_at = models.DateTimeField("时间", auto_now_add=True)
    token = models.CharField(max_length=64, unique=True)
    recorded_by = models.CharField("登记人", max_length=150, blank=True)
    answer = models.TextField("答复", blank=True)
    answered_at = models.DateTimeField("答复时间", null=True)
    answered_by = models.CharField("答复人", max_length=150, blank=True)

    class Meta:
        ordering = ["-said_at", "-pk"]
        indexes = [models.Index(fields=["site", "kind", "said_at"], name="words_on_a_place")]


class RatingCode(models.Model):
    """A code on paper that rates one meal once (评价码); only its digest is kept."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rating_codes")
    digest = models.BinaryField("摘要", max_length=32, unique=True)
    issued_on = models.DateField("发放日期")
    issued_by = models.CharField("发放人", max_length=150)
    used_at = models.DateTimeField("使用时间", null=True)
