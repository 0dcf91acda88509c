"""Benefits, rosters and payment figures for programs; checking and paying by program need the same two other people."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.registry import no_id_in_address, shown_name
from doudi.api.shapes import (
    Body,
    Day,
    Line,
    Number,
    Page,
    Paging,
    RegionPrefix,
    RetryKey,
    Text,
    page_of,
    retriable,
)
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.assistance import payroll
from doudi.engine.benefits import Line as Reckoned

router = Router(tags=["payroll 待遇与发放"])


class RosterOut(Schema):
    """A county's roster for a month."""

    number: str = Field(title="名册编号")
    region_code: str = Field(title="地区")
    month: date = Field(title="发放月", description="当月第一天")
    status: str = Field(title="状态", description="computed、frozen、withdrawn")
    rows_count: int = Field(title="行数")
    payees: int = Field(title="发放对象数")
    held_count: int = Field(title="待核行数")
    total_fen: int = Field(title="合计（分）", description="单位：分")
    sha256: str = Field(title="摘要", description="全部行的 SHA-256，冻结后不变")
    computed_by: str = Field(title="计算人")
    computed_at: datetime = Field(title="计算时间")
    checked_by: str = Field(title="核对人")
    checked_at: datetime | None = Field(title="核对时间")


class RosterWhole(RosterOut):
    """A roster with where its money is; nulls before it is frozen."""

    paid_fen: int | None = Field(title="已发放（分）", description="单位：分")
    sent_fen: int | None = Field(title="在途（分）", description="单位：分")
    failed_fen: int | None = Field(title="失败（分）", description="单位：分")
    unsent_fen: int | None = Field(title="未送银行（分）", description="单位：分")
    whole: bool | None = Field(title="三方相符")


class ReckoningLine(Schema):
    """One line of a reckoning."""

    item: str = Field(title="项目")
    text: str = Field(title="计算")
    fen: int | None = Field(title="金额（分）", description="单位：分")
    parameter: str = Field(title="用到的数")
    value: str = Field(title="值")
    valid_from: str = Field(title="自")
    document: str = Field(title="文件")
    clause: str = Field(title="依据")


class RowOut(Schema):
    """One row of a roster."""

    place: int = Field(title="序号")
    kind: str = Field(title="种类", description="regular、backpay、clawback、offset、held")
    benefit: str = Field(title="待遇", description="政策包 benefits.yaml 的码")
    for_month: date = Field(title="所属月")
    household_no: str = Field(title="户编号")
    person_id: int = Field(title="人员", description="0 为全户")
    payee_name: str = Field(title="姓名", description="无权查看身份的账号只见姓")
    region_code: str = Field(title="负责地区")
    persons: int = Field(title="人数")
    amount_fen: int = Field(title="金额（分）", description="单位：分；扣回、扣抵为负")
    decision: str = Field(title="决定编号")
    remark: str = Field(title="说明")
    lines: list[ReckoningLine] = Field(title="计算")


def _whole(roster: payroll.Roster, by: User) -> RosterWhole:
    tied = payroll.tie_out(roster, by=by) if roster.is_frozen else None
    plain: dict[str, Any] = {name: getattr(roster, name) for name in RosterOut.model_fields}
    money = ("paid_fen", "sent_fen", "failed_fen", "unsent_fen", "whole")
    return RosterWhole(**plain | {name: getattr(tied, name, None) for name in money})


def _row(row: payroll.RosterRow, by: User) -> RowOut:
    plain = {name: getattr(row, name) for name in RowOut.model_fields if name not in ("lines", "payee_name")}
    fields = list(Reckoned.__dataclass_fields__)
    return RowOut(
        **plain,
        payee_name=shown_name(row.payee_name, by),
        lines=[ReckoningLine(**dict(zip(fields, line, strict=True))) for line in row.lines],
    )


class RosterFilters(Paging):
    """Which rosters."""

    status: Literal["", "computed", "frozen", "withdrawn"] = Field("", title="状态")


@router.get("/rosters", response=Page[RosterOut], summary="发放名册", **behind(Act.VIEW_ROSTERS))
def list_rosters(request: HttpRequest, asked: Query[RosterFilters]) -> Any:
    """本辖区的发放名册，月份近的在前。"""
    by = caller(request)
    return page_of(
        payroll.rosters(by=by, status=asked.status),
        asked,
        lambda row: RosterOut(**{name: getattr(row, name) for name in RosterOut.model_fields}),
    )


class ComputeAsked(Body):
    """Which county's month."""

    region: RegionPrefix = Field(title="县级区划代码")
    month: Day = Field(title="发放月", description="当月任一天")


@router.post("/rosters/compute", response=RosterOut, summary="计算名册", **behind(Act.COMPUTE_ROSTER))
def compute(request: HttpRequest, asked: ComputeAsked, retry_key: RetryKey = None) -> Any:
    """计算一个县一个月的名册；等待另一人核对。"""
    by = caller(request)

    def act() -> RosterOut:
        made = chain.compute_roster(region_code=asked.region, month=asked.month, by=by)
        return RosterOut(**{name: getattr(made, name) for name in RosterOut.model_fields})

    return retriable(request, retry_key, asked, act)


@router.get("/rosters/{number}", response=RosterWhole, summary="一份名册", **behind(Act.VIEW_ROSTERS))
def one_roster(request: HttpRequest, number: Number) -> Any:
    """一份名册和三方核对；查看记入审计日志。"""
    by = caller(request)
    return _whole(payroll.look_at_roster(number, by=by), by)


class RowFilters(Paging):
    """Which rows."""

    kind: Literal["", "regular", "backpay", "clawback", "offset", "held"] = Field("", title="种类")
    benefit: Line = Field("", title="待遇")
    region: RegionPrefix = Field("", title="负责地区")
    text: Line = Field("", title="姓名或户编号", description="不收证件号：地址会留在日志里")


@router.get("/rosters/{number}/rows", response=Page[RowOut], summary="名册行", **behind(Act.VIEW_ROSTERS))
def roster_rows(request: HttpRequest, number: Number, asked: Query[RowFilters]) -> Any:
    """名册的行和逐项计算；查看记入审计日志。"""
    by = caller(request)
    no_id_in_address(asked.text)
    roster = payroll.look_at_roster(number, by=by)
    found = payroll.rows_of(
        roster, by=by, kind=asked.kind, benefit=asked.benefit, region_code=asked.region, text=asked.text
    )
    return page_of(found, asked, lambda row: _row(row, by))


class FreezeAsked(Body):
    """The roster that was looked at, found right."""

    sha256: Line = Field(title="摘要", description="核对时看到的摘要；名册已变的不冻结")
    note: Text = Field("", title="核对意见")


@router.post("/rosters/{number}/freeze", response=RosterWhole, summary="核对冻结", **behind(Act.CHECK_ROSTER))
def freeze(request: HttpRequest, number: Number, asked: FreezeAsked) -> Any:
    """核对无误并冻结；核对人不得是计算人。"""
    by = caller(request)
    return _whole(payroll.freeze_roster(number, note=asked.note, sha256=asked.sha256, by=by), by)


class BenefitDecisionOut(Schema):
    """A decision on a benefit."""

    number: str = Field(title="决定编号")
    kind: str = Field(title="种类", description="grant、change、taper、stop、reverse")
    benefit: str = Field(title="待遇")
    household_no: str = Field(title="户编号")
    decision_no: str = Field(title="文号")
    decided_on: date = Field(title="决定日期")
    starts_on: date = Field(title="起始月")
    ends_on: date | None = Field(title="最后一个月")
    single: bool = Field(title="单人保")
    recorded_by: str = Field(title="登记人")


@router.get(
    "/benefits/{household_no}",
    response=Page[BenefitDecisionOut],
    summary="一户的待遇决定",
    **behind(Act.VIEW_ROSTERS),
)
def benefits(request: HttpRequest, household_no: Number, asked: Query[Paging]) -> Any:
    """一户的待遇决定，按起始月。"""
    by = caller(request)
    found = payroll.decisions(by=by, household_no=household_no)
    return page_of(
        found,
        asked,
        lambda row: BenefitDecisionOut(
            **{name: getattr(row, name) for name in BenefitDecisionOut.model_fields}
        ),
    )
