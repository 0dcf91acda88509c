"""Who eats in the network: old people, what they may not eat, how they prove who they are, when no subsidy is due."""

from __future__ import annotations

from datetime import date

from django.db import models

from doudi.contexts.accounts.services import AppendOnly, TimelineLine
from doudi.contexts.meals.site_models import Site
from doudi.house.fields import BlindIndexField, SealedTextField


class Diner(models.Model):
    """An old person enrolled for meals (助餐对象); found by number, card or the six-digit meal code."""

    class Status(models.TextChoices):
        APPLIED = "applied", "待核实"
        ACTIVE = "active", "在用"
        LEFT = "left", "已退出"

    class Channel(models.TextChoices):
        VILLAGE = "village", "村（社区）代办"
        FAMILY = "family", "家属代办"
        SELF = "self", "本人申请"

    class Texture(models.TextChoices):
        ORDINARY = "ordinary", "普食"
        SOFT = "soft", "软食"
        MINCED = "minced", "碎食"
        LIQUID = "liquid", "流食"

    class Proof(models.TextChoices):
        CODE = "code", "取餐码"
        CARD = "card", "刷卡"
        SIGNATURE = "signature", "签字"

    number = models.CharField("助餐编号", max_length=24, unique=True)
    code = models.CharField("取餐码", max_length=6, unique=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    channel = models.CharField("登记方式", max_length=10, choices=Channel.choices)
    name = models.CharField("姓名", max_length=80, db_index=True)
    id_number = SealedTextField("身份证号", purpose="diner.id_number")
    id_blind = BlindIndexField("证件号索引", unique=True, db_index=False)
    card_blind = BlindIndexField("卡号索引", null=True, unique=True, db_index=False)
    card_last = models.CharField("卡号末四位", max_length=4, blank=True)
    phone = SealedTextField("电话", purpose="diner.phone", blank=True, default="")
    phone_blind = BlindIndexField("电话索引", null=True)
    address = SealedTextField("住址", purpose="diner.address", blank=True, default="")
    born_on = models.DateField("出生日期")
    sex = models.CharField("性别", max_length=2, blank=True)
    region_code = models.CharField("居住地", max_length=12, db_index=True)
    registered_region = models.CharField("户籍地", max_length=12)
    longitude = models.FloatField("经度", null=True)
    latitude = models.FloatField("纬度", null=True)
    household_no = models.CharField("户编号", max_length=60, blank=True, db_index=True)
    category = models.CharField("救助类别", max_length=20, blank=True, help_text="取自低收入人口登记")
    category_on = models.DateField("类别核对日期", null=True)
    disability = models.PositiveSmallIntegerField("残疾等级", null=True)
    living = models.CharField("居住情况", max_length=20, blank=True)
    texture = models.CharField("食物质地", max_length=10, choices=Texture.choices, default=Texture.ORDINARY)
    diets = models.JSONField("饮食要求", default=list, help_text="政策包 meal_price.yaml 的膳食码")
    allergies = models.JSONField("过敏原", default=list)
    illness = SealedTextField("病情", purpose="diner.illness", blank=True, default="")
    halal = models.BooleanField("清真", default=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="diners", verbose_name="常去助餐点")
    delivered = models.BooleanField("送餐上门", default=False)
    carer_name = models.CharField("紧急联系人", max_length=80, blank=True)
    carer_phone = SealedTextField("紧急联系电话", purpose="diner.carer_phone", blank=True, default="")
    worker_name = models.CharField("村（社区）联系人", max_length=80, blank=True)
    worker_phone = models.CharField("村（社区）联系电话", max_length=40, blank=True)
    consent_on = models.DateField("同意日期", null=True)
    consent_by = models.CharField("同意人", max_length=80, blank=True)
    consent_how = models.CharField("同意方式", max_length=20, blank=True)
    proof = models.CharField("领餐凭据", max_length=10, choices=Proof.choices, default=Proof.CODE)
    signature = models.CharField("签字", max_length=64, blank=True, help_text="签字图的摘要，图加密保存")
    remark = models.CharField("送餐提示", max_length=200, blank=True)
    enrolled_on = models.DateField("登记日期")
    enrolled_by = models.CharField("登记人", max_length=150)
    left_on = models.DateField("退出日期", null=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return f"{self.name}（{self.number}）"


class DinerEvent(TimelineLine):
    """One line of a diner's history."""

    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="events")


class NeedAssessment(AppendOnly):
    """What an old person needs (助餐需求评估): living, moving, cooking, and how meals should come."""

    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="assessments")
    assessed_on = models.DateField("评估日期")
    living = models.CharField("居住情况", max_length=20)
    mobility = models.CharField("行动能力", max_length=20)
    cooking = models.CharField("做饭能力", max_length=20)
    way = models.CharField("建议方式", max_length=20)
    note = models.CharField("说明", max_length=300, blank=True)
    by = models.CharField("评估人", max_length=150)

    class Meta:
        ordering = ["-assessed_on", "-pk"]


class DinerStop(models.Model):
    """From when to when nothing is subsidised (不补贴期间): death, hospital, custody; ``until`` is the last such day."""

    class Kind(models.TextChoices):
        DEATH = "death", "死亡"
        HOSPITAL = "hospital", "住院"
        CUSTODY = "custody", "在押服刑"

    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="stops")
    kind = models.CharField("事项", max_length=10, choices=Kind.choices)
    since = models.DateField("起")
    until = models.DateField("止", null=True)
    source = models.CharField("来源", max_length=80)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)
    recorded_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["-since", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["diner", "kind", "since"], name="one_stop_of_a_kind_a_day")
        ]

    def covers(self, on: date) -> bool:
        """A meal after the death date, or on a day of hospital or custody (§5.4)."""
        if self.kind == self.Kind.DEATH:
            return on > self.since
        return self.since <= on and (self.until is None or on <= self.until)


class FamilyCode(models.Model):
    """A code by which a relative orders for a diner (家属码); only its digest is kept, the diner agreed to it."""

    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, related_name="family_codes")
    digest = models.BinaryField("摘要", max_length=32, unique=True)
    who = models.CharField("家属", max_length=80)
    consent_how = models.CharField("同意方式", max_length=20)
    issued_on = models.DateField("发放日期")
    issued_by = models.CharField("发放人", max_length=150)
    until = models.DateField("有效期至")
    ended_on = models.DateField("停用日期", null=True)
    ended_by = models.CharField("停用人", max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]
