"""The monthly roster (发放名册), what went to the bank, what came back, and the ledger of it.

A row is written once. From freezing on the database itself refuses any change (:mod:`frozen`); later changes are
补发/扣回 rows of a later roster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly
from doudi.contexts.assistance.benefit_models import PayAccount

if TYPE_CHECKING:
    from doudi.contexts.accounts.services import User


class RosterQuerySet(models.QuerySet["Roster"]):
    def visible_to(self, user: User) -> RosterQuerySet:
        """Rosters that touch the account's area: a county's roster is also its township's, by rows of its own."""
        if not user.region_code:
            return self
        area = user.region_code
        above = [area[:length] for length in (2, 4, 6, 9) if length <= len(area)]
        return self.filter(models.Q(region_code__startswith=area) | models.Q(region_code__in=above))


class Roster(models.Model):
    """A month's roster of an area (发放名册): reckoned by one person, checked and frozen by another."""

    class Status(models.TextChoices):
        COMPUTING = "computing", "计算中"
        COMPUTED = "computed", "待核对"
        FROZEN = "frozen", "已冻结"
        WITHDRAWN = "withdrawn", "已退回"

    number = models.CharField("名册编号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    month = models.DateField("发放月", db_index=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, db_index=True)
    pack_hash = models.CharField("政策包摘要", max_length=64)
    rows_count = models.PositiveIntegerField("行数", default=0)
    payees = models.PositiveIntegerField("发放对象数", default=0)
    total_fen = models.BigIntegerField("合计（分）", default=0)
    held_count = models.PositiveIntegerField("待核行数", default=0)
    sha256 = models.CharField("摘要", max_length=64, blank=True)
    computed_by = models.CharField("计算人", max_length=150)
    computed_at = models.DateTimeField("计算时间", auto_now_add=True)
    checked_by = models.CharField("核对人", max_length=150, blank=True)
    checked_at = models.DateTimeField("核对时间", null=True)
    note = models.TextField("核对意见", blank=True)
    objects = RosterQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["region_code"],
                condition=models.Q(status__in=["computing", "computed"]),
                name="one_open_roster_of_an_area",
            )
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_frozen(self) -> bool:
        return self.status == self.Status.FROZEN


class RosterRow(AppendOnly):
    """One sum of a roster (名册行) with the lines it follows from; ``held`` rows carry no money and say why."""

    class Kind(models.TextChoices):
        REGULAR = "regular", "本月"
        BACKPAY = "backpay", "补发"
        CLAWBACK = "clawback", "扣回"
        OFFSET = "offset", "扣抵"
        HELD = "held", "待核"

    roster = models.ForeignKey(Roster, on_delete=models.PROTECT, related_name="rows")
    place = models.PositiveIntegerField("序号")
    kind = models.CharField("种类", max_length=8, choices=Kind.choices)
    benefit = models.CharField("待遇", max_length=6)
    for_month = models.DateField("所属月")
    household_no = models.CharField("户编号", max_length=60)
    person_id = models.BigIntegerField("人员", default=0, help_text="0 为全户")
    payee_name = models.CharField("姓名", max_length=80)
    region_code = models.CharField("负责地区", max_length=12)
    persons = models.PositiveSmallIntegerField("人数", default=0)
    amount_fen = models.BigIntegerField("金额（分）")
    decision = models.CharField("决定编号", max_length=140, blank=True)
    lines = models.JSONField("计算", default=list)
    remark = models.CharField("说明", max_length=300, blank=True)

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["roster", "place"], name="one_row_for_a_place")]
        indexes = [
            models.Index(fields=["household_no", "for_month"], name="rows_of_a_household"),
            models.Index(fields=["roster", "region_code"], name="rows_of_an_area"),
        ]

    def canonical(self) -> list[object]:
        """The row as it is hashed."""
        return [
            self.place, self.kind, self.benefit, self.for_month.isoformat(), self.household_no, self.person_id,
            self.payee_name, self.region_code, self.persons, self.amount_fen, self.decision, self.lines, self.remark,
        ]  # fmt: skip


class PayBatch(models.Model):
    """One payment file to the bank (发放批次)."""

    number = models.CharField("批号", max_length=40, unique=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    layout = models.CharField("版式", max_length=20)
    made_on = models.DateField("日期")
    count = models.PositiveIntegerField("笔数")
    total_fen = models.BigIntegerField("金额（分）")
    file_sha256 = models.CharField("文件摘要", max_length=64)
    made_by = models.CharField("发放人", max_length=150)
    made_at = models.DateTimeField("生成时间", auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.number


class PayItem(AppendOnly):
    """One payment of a batch: what a roster makes due to one payee, in one attempt."""

    batch = models.ForeignKey(PayBatch, on_delete=models.PROTECT, related_name="items")
    serial = models.PositiveIntegerField("序号")
    roster = models.ForeignKey(Roster, on_delete=models.PROTECT, related_name="items")
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员", default=0)
    attempt = models.PositiveSmallIntegerField("第几次")
    region_code = models.CharField("负责地区", max_length=12)
    account = models.ForeignKey(PayAccount, on_delete=models.PROTECT, related_name="+")
    holder_name = models.CharField("户名", max_length=80)
    amount_fen = models.BigIntegerField("金额（分）")
    purpose = models.CharField("摘要", max_length=60)

    class Meta:
        ordering = ["serial"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "serial"], name="one_payment_for_a_serial"),
            models.UniqueConstraint(
                fields=["roster", "household_no", "person_id", "attempt"], name="one_payment_for_an_attempt"
            ),
        ]


class BankReturn(AppendOnly):
    """A return file (回盘) of a batch; the same file again is the same return."""

    batch = models.ForeignKey(PayBatch, on_delete=models.PROTECT, related_name="returns")
    sha256 = models.CharField("文件摘要", max_length=64)
    file_name = models.CharField("文件名", max_length=255)
    paid_count = models.PositiveIntegerField("成功笔数")
    paid_fen = models.BigIntegerField("成功金额（分）")
    failed_count = models.PositiveIntegerField("失败笔数")
    failed_fen = models.BigIntegerField("失败金额（分）")
    taken_by = models.CharField("上传人", max_length=150)
    taken_at = models.DateTimeField("上传时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["batch", "sha256"], name="one_return_of_a_file")]


class PayResult(AppendOnly):
    """What the bank said of a payment; the last one counts (a paid one may bounce later, 退汇)."""

    class Kind(models.TextChoices):
        PAID = "paid", "成功"
        FAILED = "failed", "失败"
        BOUNCED = "bounced", "退汇"

    item = models.ForeignKey(PayItem, on_delete=models.PROTECT, related_name="results")
    kind = models.CharField("结果", max_length=8, choices=Kind.choices)
    reason = models.CharField("原因", max_length=200, blank=True)
    returned = models.ForeignKey(BankReturn, on_delete=models.PROTECT, null=True, related_name="results")
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["item", "kind"], name="each_result_of_a_payment_once")]


class PayEntry(AppendOnly):
    """An entry of the payment ledger (发放账凭证): its lines sum to nought."""

    class Kind(models.TextChoices):
        ACCRUAL = "accrual", "名册冻结"
        BATCH = "batch", "送银行代发"
        PAID = "paid", "代发成功"
        FAILED = "failed", "代发失败"
        BOUNCED = "bounced", "退汇"

    voucher = models.CharField("凭证号", max_length=80, unique=True)
    kind = models.CharField("种类", max_length=8, choices=Kind.choices)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    on = models.DateField("日期")
    memo = models.CharField("摘要", max_length=200)
    by = models.CharField("经办人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class PayLine(AppendOnly):
    """One line of an entry: a debit is positive, a credit negative, in whole fen."""

    class Account(models.TextChoices):
        EXPENSE = "expense", "救助支出"
        PAYABLE = "payable", "应付救助款"
        OFFSET = "offset", "扣抵追缴款"
        TRANSIT = "transit", "银行代发在途"
        BANK = "bank", "财政专户存款"

    entry = models.ForeignKey(PayEntry, on_delete=models.PROTECT, related_name="lines")
    account = models.CharField("科目", max_length=10, choices=Account.choices, db_index=True)
    amount_fen = models.BigIntegerField("金额（分）", help_text="借为正，贷为负")

    class Meta:
        ordering = ["pk"]


class Budget(AppendOnly):
    """A year's appropriation for a benefit in an area (预算); a later one takes the place of the earlier."""

    year = models.PositiveSmallIntegerField("年度", db_index=True)
    region_code = models.CharField("地区", max_length=12, db_index=True)
    benefit = models.CharField("待遇", max_length=6)
    amount_fen = models.BigIntegerField("预算（分）")
    document = models.CharField("文号", max_length=80)
    recorded_by = models.CharField("登记人", max_length=150)
    recorded_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]
