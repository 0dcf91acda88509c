"""Payment stops, and the recovery ledger (追缴台账): double entry, written once, corrected by counter-entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

from doudi.contexts.accounts.services import AppendOnly

if TYPE_CHECKING:
    from datetime import date

    from doudi.contexts.accounts.services import User


class PaymentStop(AppendOnly):
    """From which month a person is no longer paid (停发), on whose decision and ground."""

    source = models.CharField("依据的建议或疑点", max_length=120, unique=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    person_id = models.BigIntegerField("人员", null=True)
    person_name = models.CharField("姓名", max_length=80, blank=True)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    stop_from = models.DateField("停发起始月")
    ground = models.TextField("理由")
    decided_by = models.CharField("决定人", max_length=150)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)

    class Meta:
        ordering = ["pk"]


class RecoveryQuerySet(models.QuerySet["Recovery"]):
    def visible_to(self, user: User) -> RecoveryQuerySet:
        return self.filter(region_code__startswith=user.region_code) if user.region_code else self


class Recovery(models.Model):
    """One sum to be recovered from one family (追缴案): opened by a concluded doubt, lived through in the ledger.

    ``outstanding_fen`` and the sums beside it follow from the entries; they are kept so that a list can sort and add
    them, and :func:`recovery.prove` holds them against the entries.
    """

    number = models.CharField("追缴编号", max_length=140, unique=True)
    doubt_number = models.CharField("疑点编号", max_length=120, unique=True)
    kind = models.CharField("疑点种类", max_length=8, db_index=True)
    household_no = models.CharField("户编号", max_length=60, db_index=True)
    debtor_name = models.CharField("退款人", max_length=80)
    region_code = models.CharField("负责地区", max_length=12, db_index=True)
    opened_on = models.DateField("立案日期", db_index=True)
    document = models.CharField("追缴决定文号", max_length=80)
    due_fen = models.BigIntegerField("应追缴（分）", default=0)
    received_fen = models.BigIntegerField("已追回（分）", default=0)
    written_off_fen = models.BigIntegerField("已核销（分）", default=0)
    outstanding_fen = models.BigIntegerField("未追回（分）", default=0, db_index=True)
    refund_fen = models.BigIntegerField("应退还家庭（分）", default=0)
    next_due_on = models.DateField("下一期", null=True, db_index=True)
    plan_number = models.PositiveIntegerField("分期方案序号", default=0)
    objects = RecoveryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    @property
    def settled(self) -> bool:
        return self.outstanding_fen == 0 and self.refund_fen == 0


class Account(models.TextChoices):
    """The accounts of the ledger (科目); what a debit raises is an asset or an expense."""

    RECEIVABLE = "receivable", "应收追缴款"
    EXPENSE = "expense", "救助支出（多发部分）"
    CASH = "cash", "库存现金"
    BANK = "bank", "银行存款"
    WRITTEN_OFF = "written_off", "核销"
    REFUND = "refund", "应退还家庭"


class LedgerEntry(AppendOnly):
    """One entry (记账凭证): its lines sum to nought; a wrong one is reversed by another."""

    class Kind(models.TextChoices):
        OPENING = "opening", "立案应收"
        RECEIPT = "receipt", "收款"
        DEPOSIT = "deposit", "现金缴存银行"
        REDUCTION = "reduction", "核减应追缴"
        WRITE_OFF = "write_off", "核销"
        REFUND = "refund", "退还家庭"
        REVERSAL = "reversal", "冲正"

    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField("种类", max_length=10, choices=Kind.choices)
    voucher = models.CharField("凭证号", max_length=80, unique=True)
    on = models.DateField("日期", db_index=True)
    memo = models.CharField("摘要", max_length=300)
    by = models.CharField("经办人", max_length=150)
    second = models.CharField("另一人", max_length=150, blank=True)
    recorded_at = models.DateTimeField("记录时间", auto_now_add=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")

    class Meta:
        ordering = ["pk"]


class LedgerLine(AppendOnly):
    """One line of an entry: a debit is positive, a credit negative, in whole fen."""

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="lines")
    account = models.CharField("科目", max_length=12, choices=Account.choices, db_index=True)
    amount_fen = models.BigIntegerField("金额（分）", help_text="借为正，贷为负")

    class Meta:
        ordering = ["pk"]


class Instalment(AppendOnly):
    """One instalment of a plan (分期); a later plan takes the place of the earlier one."""

    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, related_name="instalments")
    plan = models.PositiveIntegerField("方案序号")
    place = models.PositiveSmallIntegerField("期次")
    due_on = models.DateField("应缴日期")
    amount_fen = models.BigIntegerField("应缴（分）")
    agreed_by = models.CharField("经办人", max_length=150)

    class Meta:
        ordering = ["plan", "place"]
        constraints = [
            models.UniqueConstraint(fields=["recovery", "plan", "place"], name="each_instalment_once")
        ]

    def late(self, today: date) -> bool:
        return self.due_on < today


class WriteOffRequest(models.Model):
    """A request to write a sum off (核销申请), which another person decides with a document."""

    class Status(models.TextChoices):
        OPEN = "open", "待决定"
        APPROVED = "approved", "已核销"
        REFUSED = "refused", "不同意"

    recovery = models.ForeignKey(Recovery, on_delete=models.PROTECT, related_name="write_offs")
    amount_fen = models.BigIntegerField("金额（分）")
    ground = models.TextField("理由")
    asked_by = models.CharField("申请人", max_length=150)
    asked_at = models.DateTimeField("申请时间", auto_now_add=True)
    status = models.CharField("状态", max_length=10, choices=Status.choices, default=Status.OPEN)
    document = models.CharField("核销决定文号", max_length=80, blank=True)
    decided_by = models.CharField("决定人", max_length=150, blank=True)
    decided_at = models.DateTimeField("决定时间", null=True)
    note = models.TextField("意见", blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["recovery"], condition=models.Q(status="open"), name="one_open_write_off_request"
            )
        ]
