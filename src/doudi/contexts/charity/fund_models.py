"""Charity's money (慈善资金): funds inside a charity, gifts, what is done with them, and the ledger underneath.

A special or named fund is an account inside a charity without legal personality: it has no bank account and no name of
its own to raise money under, so it has no field for either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import models
from django.db.models import Q, QuerySet

from doudi.contexts.accounts.services import Act, AppendOnly, Scope, require
from doudi.house.fields import BlindIndexField, SealedTextField

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User

Row = TypeVar("Row", bound=models.Model)


class Asset(models.TextChoices):
    """What a gift consists of."""

    MONEY = "money", "资金"
    GOODS = "goods", "物资"


def visible(found: QuerySet[Row], user: User, act: Act) -> QuerySet[Row]:
    """Rows with an ``organisation``: those of the account's own body, or of the bodies of its area."""
    if require(user, act) is Scope.ORGANISATION:
        return found.filter(organisation__code=user.organisation)
    if user.region_code:
        return found.filter(organisation__region_code__startswith=user.region_code)
    return found


class Fund(models.Model):
    """A fund of a charity (资金): what its money may be used for, and how much of it is free and how much is held.

    Empty ``purposes``, ``groups`` or ``regions`` allow any. The four sums follow from the ledger; they are kept so that a
    list can sort them and the database itself refuses one below nought.
    """

    class Kind(models.TextChoices):
        GENERAL = "general", "非限定资金"
        RESTRICTED = "restricted", "限定用途资金"
        SPECIAL = "special", "专项基金"
        NAMED = "named", "冠名基金"

    number = models.CharField("资金编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="funds", verbose_name="慈善组织"
    )
    kind = models.CharField("种类", max_length=12, choices=Kind.choices)
    name = models.CharField("名称", max_length=80)
    purposes = models.JSONField("用途", default=list)
    groups = models.JSONField("受益群体", default=list)
    regions = models.JSONField("使用地区", default=list, help_text="行政区划代码前缀")
    terms = models.TextField("使用约定", blank=True)
    remainder = models.TextField("剩余财产的处理", blank=True)
    admin_permille = models.PositiveSmallIntegerField("约定管理费用（千分比）", default=0)
    project = models.ForeignKey("charity.Project", on_delete=models.PROTECT, null=True, related_name="funds")
    opened_on = models.DateField("设立日期")
    expires_on = models.DateField("期满日期", null=True)
    closed_on = models.DateField("终止日期", null=True)
    opened_by = models.CharField("登记人", max_length=150)
    free_money_fen = models.BigIntegerField("未安排资金（分）", default=0)
    free_goods_fen = models.BigIntegerField("未安排物资（分）", default=0)
    held_money_fen = models.BigIntegerField("已安排待支付资金（分）", default=0)
    held_goods_fen = models.BigIntegerField("已安排待发放物资（分）", default=0)
    admin_fen = models.BigIntegerField("已列支管理费用（分）", default=0)
    given_fen = models.BigIntegerField("累计接受捐赠（分）", default=0)

    class Meta:
        ordering = ["kind", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(free_money_fen__gte=0)
                & Q(free_goods_fen__gte=0)
                & Q(held_money_fen__gte=0)
                & Q(held_goods_fen__gte=0),
                name="no_fund_below_nought",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def free_fen(self, asset: str) -> int:
        """What is not yet arranged of an asset."""
        return int(self.free_goods_fen if asset == Asset.GOODS else self.free_money_fen)

    @property
    def balance_fen(self) -> int:
        """Everything the fund holds."""
        return self.free_money_fen + self.free_goods_fen + self.held_money_fen + self.held_goods_fen


class Account(models.TextChoices):
    """The accounts of a fund (科目); what a debit raises is an asset. ``free`` and ``held`` are its net assets."""

    MONEY = "money", "货币资金"
    GOODS = "goods", "捐赠物资"
    FREE_MONEY = "free_money", "净资产（未安排资金）"
    FREE_GOODS = "free_goods", "净资产（未安排物资）"
    HELD_MONEY = "held_money", "净资产（已安排资金）"
    HELD_GOODS = "held_goods", "净资产（已安排物资）"


class FundEntry(AppendOnly):
    """One entry (记账凭证): its lines sum to nought within each fund; a wrong one is reversed by another."""

    class Kind(models.TextChoices):
        GIFT = "gift", "接受捐赠"
        ALLOT = "allot", "安排使用"
        RELEASE = "release", "撤回安排"
        GRANT = "grant", "拨付"
        RETURN = "return", "退回拨付"
        ADMIN = "admin", "管理费用"
        MOVE = "move", "划转"
        EXPIRY = "expiry", "物资过期报废"
        REVERSAL = "reversal", "冲正"

    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="fund_entries"
    )
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    voucher = models.CharField("凭证号", max_length=40, unique=True)
    token = models.CharField("重复标识", max_length=80, unique=True, null=True)
    on = models.DateField("日期", db_index=True)
    memo = models.CharField("摘要", max_length=300)
    amount_fen = models.BigIntegerField("金额（分）")
    by = models.CharField("经办人", max_length=150)
    second = models.CharField("另一人", max_length=150, blank=True)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="followed_by", verbose_name="所属安排"
    )

    class Meta:
        ordering = ["pk"]


class FundLine(AppendOnly):
    """One line of an entry: a debit is positive, a credit negative, in whole fen; ``balance_fen`` is the account after it."""

    entry = models.ForeignKey(FundEntry, on_delete=models.PROTECT, related_name="lines")
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="lines")
    account = models.CharField("科目", max_length=12, choices=Account.choices)
    on = models.DateField("日期")
    amount_fen = models.BigIntegerField("金额（分）", help_text="借为正，贷为负")
    balance_fen = models.BigIntegerField("记账后余额（分）")

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["fund", "account", "-id"], name="fund_account_latest"),
            # the sum is in the index: the days of a busy month are added up without a look at the rows
            models.Index(fields=["fund", "account", "on", "amount_fen"], name="fund_account_day_sum"),
        ]


class FundMonth(models.Model):
    """What one month moved on one account of one fund (月度发生额): the balance of any day is a short sum."""

    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="months")
    account = models.CharField("科目", max_length=12, choices=Account.choices)
    month = models.DateField("月份", help_text="当月一日")
    moved_fen = models.BigIntegerField("发生额（分）", default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["fund", "account", "month"], name="one_row_per_fund_account_month"
            )
        ]


class Donation(models.Model):
    """A gift (捐赠) with what a receipt tells of it: donor, kind and quantity, charity, handler, day (慈善法第三十八条).

    A donor who stays anonymous or declines a receipt leaves this record instead. Only ``reversed_on`` is ever set later.
    """

    class DonorKind(models.TextChoices):
        PERSON = "person", "个人"
        BODY = "body", "单位"

    class Way(models.TextChoices):
        BANK = "bank", "银行转账"
        CASH = "cash", "现金"
        PLATFORM = "platform", "互联网平台"
        HANDED = "handed", "物资交付"

    number = models.CharField("捐赠编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="donations"
    )
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="donations")
    campaign = models.ForeignKey(
        "charity.Campaign", on_delete=models.PROTECT, null=True, related_name="donations"
    )
    entry = models.OneToOneField(FundEntry, on_delete=models.PROTECT, related_name="donation")
    anonymous = models.BooleanField("匿名", default=False)
    donor_kind = models.CharField(
        "捐赠人类型", max_length=8, choices=DonorKind.choices, default=DonorKind.PERSON
    )
    donor_name = SealedTextField("捐赠人", purpose="donation.donor", default="")
    donor_phone = SealedTextField("联系电话", purpose="donation.phone", default="")
    show_name = models.BooleanField("同意公开姓名", default=False)
    asset = models.CharField("种类", max_length=6, choices=Asset.choices)
    amount_fen = models.BigIntegerField("金额或公允价值（分）")
    goods_name = models.CharField("物资名称", max_length=80, blank=True)
    unit = models.CharField("计量单位", max_length=10, blank=True)
    quantity = models.PositiveIntegerField("数量", null=True)
    goods_expire_on = models.DateField("有效期至", null=True)
    way = models.CharField("捐赠方式", max_length=10, choices=Way.choices)
    received_on = models.DateField("收到日期", db_index=True)
    handler = models.CharField("经手人", max_length=60)
    intent = models.TextField("捐赠意愿", blank=True)
    receipt_no = models.CharField(
        "票据号", max_length=40, blank=True, help_text="财政部门统一监（印）制的公益事业捐赠票据号"
    )
    receipt_declined = models.BooleanField("不要票据", default=False)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)
    recorded_by = models.CharField("登记人", max_length=150)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "receipt_no"],
                condition=~Q(receipt_no=""),
                name="one_gift_per_receipt",
            )
        ]


class GiftPart(models.Model):
    """A part of a gift that lies in one fund, and how much of it is not yet arranged (捐赠余额).

    Money is used first in, first out; goods by the date they expire. So each gift can be told what it did.
    """

    donation = models.ForeignKey(Donation, on_delete=models.PROTECT, related_name="parts")
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="parts")
    entry = models.ForeignKey(FundEntry, on_delete=models.PROTECT, related_name="made_parts")
    asset = models.CharField("种类", max_length=6, choices=Asset.choices)
    amount_fen = models.BigIntegerField("金额（分）")
    left_fen = models.BigIntegerField("未安排（分）")
    quantity = models.PositiveIntegerField("数量", null=True)
    left_quantity = models.PositiveIntegerField("未安排数量", null=True)
    expires_on = models.DateField("有效期至", null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(left_fen__gte=0) & Q(left_fen__lte=models.F("amount_fen")),
                name="no_part_below_nought",
            )
        ]
        indexes = [
            models.Index(fields=["fund", "asset"], condition=Q(left_fen__gt=0), name="parts_not_used_up")
        ]


class PartUse(AppendOnly):
    """How much of a gift's part an entry took, or gave back as a negative (捐赠去向)."""

    entry = models.ForeignKey(FundEntry, on_delete=models.PROTECT, related_name="uses")
    part = models.ForeignKey(GiftPart, on_delete=models.PROTECT, related_name="uses")
    amount_fen = models.BigIntegerField("金额（分）")
    quantity = models.IntegerField("数量", null=True)

    class Meta:
        ordering = ["pk"]


class TiedPerson(AppendOnly):
    """Who may not be helped out of a fund, or by a charity at all: tied to its donor or manager (利害关系人, 慈善法第四十条)."""

    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="tied_people"
    )
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, null=True, related_name="tied_people")
    name = SealedTextField("姓名", purpose="charity.tied")
    id_blind = BlindIndexField("证件号索引")
    relation = models.CharField("与捐赠人或管理人的关系", max_length=60)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)


class Allocation(models.Model):
    """Money or goods of a fund arranged for a use (安排): proposed by one, decided by another, paid by a third."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "待审批"
        APPROVED = "approved", "已批准"
        REFUSED = "refused", "未批准"
        RELEASED = "released", "已撤回"
        PAID = "paid", "已拨付"

    number = models.CharField("安排编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="allocations"
    )
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="allocations")
    project = models.ForeignKey(
        "charity.Project", on_delete=models.PROTECT, null=True, related_name="allocations"
    )
    token = models.CharField("重复标识", max_length=80, unique=True, null=True)
    asset = models.CharField("种类", max_length=6, choices=Asset.choices)
    amount_fen = models.BigIntegerField("金额（分）")
    goods_name = models.CharField("物资名称", max_length=80, blank=True)
    quantity = models.PositiveIntegerField("数量", null=True)
    purpose = models.CharField("用途", max_length=20)
    group = models.CharField("受益群体", max_length=40, blank=True)
    region_code = models.CharField("使用地区", max_length=12)
    need_code = models.CharField("需求编号", max_length=40, blank=True, db_index=True)
    claim = models.CharField("认领编号", max_length=40, blank=True, db_index=True)
    recipient_name = SealedTextField("受助人", purpose="allocation.recipient", default="")
    recipient_blind = BlindIndexField("受助人证件号索引", default=b"")
    use = models.CharField("用于", max_length=200)
    status = models.CharField(
        "状态", max_length=10, choices=Status.choices, default=Status.PROPOSED, db_index=True
    )
    paid_fen = models.BigIntegerField("已拨付（分）", default=0)
    proposed_by = models.CharField("提出人", max_length=150)
    proposed_at = models.DateTimeField("提出时间", auto_now_add=True)
    decided_by = models.CharField("审批人", max_length=150, blank=True)
    decided_at = models.DateTimeField("审批时间", null=True)
    note = models.CharField("意见", max_length=300, blank=True)
    entry = models.OneToOneField(FundEntry, on_delete=models.PROTECT, null=True, related_name="allocation")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(paid_fen__gte=0) & Q(paid_fen__lte=models.F("amount_fen")),
                name="not_more_paid_than_arranged",
            ),
            models.UniqueConstraint(
                fields=["claim"],
                condition=~Q(claim="") & Q(status__in=["proposed", "approved", "paid"]),
                name="one_allocation_per_claim",
            ),
        ]


class Grant(AppendOnly):
    """Money paid or goods handed out on an allocation (拨付); a negative one came back."""

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="grants")
    entry = models.OneToOneField(FundEntry, on_delete=models.PROTECT, related_name="grant")
    amount_fen = models.BigIntegerField("金额（分）")
    paid_on = models.DateField("拨付日期")
    paid_by = models.CharField("支付人", max_length=150)

    class Meta:
        ordering = ["pk"]


class Outcome(AppendOnly):
    """What an allocation did (帮扶结果), in words that name nobody; a later one takes the earlier one's place."""

    class Result(models.TextChoices):
        SOLVED = "solved", "解决"
        PARTLY = "partly", "部分解决"
        UNSOLVED = "unsolved", "未解决"
        NOT_NEEDED = "not_needed", "不需要"

    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="outcomes")
    result = models.CharField("结果", max_length=12, choices=Result.choices)
    people = models.PositiveIntegerField("受益人数")
    text = models.CharField("情况", max_length=500)
    on = models.DateField("日期")
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class MoveRequest(models.Model):
    """A request to use money otherwise (变更用途, 慈善法第五十六条) or to settle a remainder (剩余财产, 第五十八条)."""

    class Basis(models.TextChoices):
        CONSENT = "consent", "捐赠人书面同意（第五十六条）"
        REFILED = "refiled", "变更后的募捐方案已备案（第五十六条）"
        AGREED = "agreed", "按募捐方案或捐赠协议处理剩余（第五十八条）"
        SIMILAR = "similar", "用于目的相同或相近的项目并公开（第五十八条）"

    class Status(models.TextChoices):
        OPEN = "open", "待审批"
        APPROVED = "approved", "已划转"
        REFUSED = "refused", "未批准"

    number = models.CharField("编号", max_length=40, unique=True)
    organisation = models.ForeignKey(
        "charity.Organisation", on_delete=models.PROTECT, related_name="move_requests"
    )
    source = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="moves_out")
    target = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="moves_in")
    donation = models.ForeignKey(Donation, on_delete=models.PROTECT, null=True, related_name="moves")
    basis = models.CharField("依据", max_length=10, choices=Basis.choices)
    document = models.CharField("文件", max_length=120)
    reason = models.CharField("理由", max_length=300)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.OPEN)
    asked_by = models.CharField("提出人", max_length=150)
    asked_at = models.DateTimeField("提出时间", auto_now_add=True)
    decided_by = models.CharField("审批人", max_length=150, blank=True)
    decided_at = models.DateTimeField("审批时间", null=True)
    moved_fen = models.BigIntegerField("划转（分）", null=True)
    entry = models.OneToOneField(FundEntry, on_delete=models.PROTECT, null=True, related_name="move")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["source"], condition=Q(status="open"), name="one_open_move_per_fund"
            )
        ]
