"""Volunteers, their shifts, and the ledger of service points (志愿者、班次、服务积分), handbook 05 §5.7."""

from __future__ import annotations

from django.db import models

from doudi.contexts.accounts.services import AppendOnly
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.site_models import Site
from doudi.house.fields import BlindIndexField, SealedTextField


class Volunteer(models.Model):
    """Somebody who serves, or a relative who only receives points (志愿者、积分受赠人).

    ``account`` is the log-in that is this person's own; ``heir`` gets the points that are left at death.
    """

    number = models.CharField("志愿者编号", max_length=24, unique=True)
    account = models.CharField("账号", max_length=150, blank=True, db_index=True)
    name = models.CharField("姓名", max_length=60)
    id_number = SealedTextField("身份证号", purpose="volunteer.id_number")
    id_blind = BlindIndexField("证件号索引", unique=True, db_index=False)
    phone = SealedTextField("电话", purpose="volunteer.phone", blank=True, default="")
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, related_name="volunteers", verbose_name="所属助餐点"
    )
    serves = models.BooleanField("参加服务", default=True, help_text="否：只接收积分的亲属")
    heir = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="+", verbose_name="积分继承人"
    )
    registered_on = models.DateField("注册日期")
    registered_by = models.CharField("登记人", max_length=150)
    left_on = models.DateField("退出日期", null=True)
    died_on = models.DateField("去世日期", null=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=~models.Q(account=""), name="one_volunteer_per_account"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}（{self.number}）"


class VolunteerRecord(AppendOnly):
    """A training, an honour or an evaluation of a volunteer (志愿服务条例 art.19)."""

    class Kind(models.TextChoices):
        TRAINING = "training", "培训"
        HONOUR = "honour", "表彰"
        EVALUATION = "evaluation", "评价"

    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="records")
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    title = models.CharField("内容", max_length=120)
    on = models.DateField("日期")
    minutes = models.PositiveIntegerField("学时（分钟）", default=0)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["-on", "-pk"]


class VolunteerInsurance(AppendOnly):
    """An accident insurance of a volunteer (志愿服务条例 art.17)."""

    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="insurances")
    policy_no = models.CharField("保单号", max_length=60)
    insurer = models.CharField("保险公司", max_length=80)
    from_on = models.DateField("起")
    until_on = models.DateField("止")
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["-until_on", "-pk"]


class Shift(models.Model):
    """A piece of work at a place at a time, for so many volunteers (班次)."""

    number = models.CharField("班次号", max_length=24, unique=True)
    token = models.CharField(max_length=32, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="shifts")
    post = models.CharField("岗位", max_length=20)
    day = models.DateField("日期")
    starts_at = models.DateTimeField("开始")
    ends_at = models.DateTimeField("结束")
    places = models.PositiveSmallIntegerField("人数")
    receiver = models.ForeignKey(
        Diner, on_delete=models.PROTECT, null=True, related_name="+", verbose_name="受助人"
    )
    receiver_name = models.CharField("受助人或就餐老人代表", max_length=60)
    made_by = models.CharField("排班人", max_length=150)
    cancelled_at = models.DateTimeField("取消时间", null=True)

    class Meta:
        ordering = ["starts_at", "pk"]
        indexes = [models.Index(fields=["site", "day"], name="shifts_of_a_day")]

    def __str__(self) -> str:
        return self.number


class Service(models.Model):
    """A volunteer's place in a shift, from signing up to points (服务记录).

    ``minutes`` is what counts. It earns points only when the place and the receiver both confirmed it.
    """

    class State(models.TextChoices):
        SIGNED_UP = "signed_up", "已报名"
        CANCELLED = "cancelled", "已取消"
        IN = "in", "服务中"
        OUT = "out", "待确认"
        CONFIRMED = "confirmed", "已确认"
        REFUSED = "refused", "未获确认"
        NO_SHOW = "no_show", "未到"

    shift = models.ForeignKey(Shift, on_delete=models.PROTECT, related_name="services")
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="services")
    state = models.CharField("状态", max_length=10, choices=State.choices, db_index=True)
    in_at = models.DateTimeField("签到", null=True)
    out_at = models.DateTimeField("签退", null=True)
    minutes = models.PositiveIntegerField("服务分钟", default=0)
    counted = models.PositiveIntegerField("计分分钟", default=0)
    site_by = models.CharField("助餐点确认人", max_length=150, blank=True)
    site_at = models.DateTimeField("助餐点确认时间", null=True)
    receiver_by = models.CharField("受助方确认", max_length=150, blank=True)
    receiver_how = models.CharField("受助方确认方式", max_length=10, blank=True)
    receiver_at = models.DateTimeField("受助方确认时间", null=True)
    refused_why = models.CharField("不确认的理由", max_length=200, blank=True)

    class Meta:
        ordering = ["-shift__starts_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["shift", "volunteer"],
                condition=~models.Q(state="cancelled"),
                name="one_place_per_volunteer_and_shift",
            )
        ]


class PointMovement(AppendOnly):
    """One entry of the points ledger (积分凭证): its legs sum to nought; it is corrected by a counter-entry alone."""

    class Kind(models.TextChoices):
        EARN = "earn", "服务获得"
        GIFT = "gift", "转赠"
        TRANSFER = "transfer", "换点使用"
        REDEEM = "redeem", "兑换"
        EXPIRE = "expire", "到期"
        INHERIT = "inherit", "继承或转入公益池"
        POOL = "pool", "公益池发放"
        REVERSE = "reverse", "冲销"

    number = models.CharField("凭证号", max_length=24, unique=True)
    token = models.CharField(max_length=40, unique=True)
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    on = models.DateField("日期")
    note = models.CharField("说明", max_length=200)
    service = models.OneToOneField(Service, on_delete=models.PROTECT, null=True, related_name="movement")
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    by = models.CharField("经办人", max_length=150)
    at = models.DateTimeField("时间", auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class PointLeg(AppendOnly):
    """One side of a movement (分录): points of one lot that an account gets (+) or gives (−).

    A lot (批次) is what was earned at once; it keeps its expiry wherever it goes.
    """

    class Account(models.TextChoices):
        ISSUED = "issued", "发放"
        HELD = "held", "个人"
        REDEEMED = "redeemed", "已兑换"
        EXPIRED = "expired", "已到期"
        POOL = "pool", "公益池"

    movement = models.ForeignKey(PointMovement, on_delete=models.PROTECT, related_name="legs")
    account = models.CharField("账户", max_length=10, choices=Account.choices)
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, null=True, related_name="legs")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    lot = models.ForeignKey(PointMovement, on_delete=models.PROTECT, related_name="lot_legs")
    expires_on = models.DateField("有效期至", null=True)
    points = models.IntegerField("积分")

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["volunteer", "site"], name="points_of_a_volunteer")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account="held", volunteer__isnull=False)
                | (~models.Q(account="held") & models.Q(volunteer__isnull=True)),
                name="held_points_have_a_holder",
            )
        ]


class Redemption(models.Model):
    """Points given for a meal or a service (兑换): asked for, handed over by the place; never cash."""

    class State(models.TextChoices):
        ASKED = "asked", "待兑付"
        GIVEN = "given", "已兑付"
        CANCELLED = "cancelled", "已撤销"

    number = models.CharField("兑换号", max_length=24, unique=True)
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="redemptions")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="redemptions")
    movement = models.OneToOneField(PointMovement, on_delete=models.PROTECT, related_name="redemption")
    offer = models.CharField("兑换项目", max_length=20)
    label = models.CharField("项目名称", max_length=60)
    points = models.PositiveIntegerField("积分")
    state = models.CharField("状态", max_length=10, choices=State.choices, default=State.ASKED)
    asked_at = models.DateTimeField("申请时间", auto_now_add=True)
    given_at = models.DateTimeField("兑付时间", null=True)
    given_by = models.CharField("兑付人", max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]


class MutualGroup(models.Model):
    """Neighbours who help one another (互助小组)."""

    number = models.CharField("小组编号", max_length=24, unique=True)
    name = models.CharField("名称", max_length=60)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="groups")
    leader = models.ForeignKey(Volunteer, on_delete=models.PROTECT, related_name="leads", verbose_name="组长")
    formed_on = models.DateField("成立日期")
    dissolved_on = models.DateField("解散日期", null=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_group_of_a_name")]

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """Who belongs to a group: a volunteer who helps, or a diner who is helped."""

    group = models.ForeignKey(MutualGroup, on_delete=models.PROTECT, related_name="members")
    volunteer = models.ForeignKey(Volunteer, on_delete=models.PROTECT, null=True, related_name="groups")
    diner = models.ForeignKey(Diner, on_delete=models.PROTECT, null=True, related_name="groups")
    joined_on = models.DateField("加入日期")
    left_on = models.DateField("退出日期", null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(volunteer__isnull=False, diner__isnull=True)
                | models.Q(volunteer__isnull=True, diner__isnull=False),
                name="a_member_is_one_person",
            ),
            models.UniqueConstraint(
                fields=["group", "volunteer"],
                condition=models.Q(left_on=None, volunteer__isnull=False),
                name="a_volunteer_once_in_a_group",
            ),
            models.UniqueConstraint(
                fields=["group", "diner"],
                condition=models.Q(left_on=None, diner__isnull=False),
                name="a_diner_once_in_a_group",
            ),
        ]
