"""Doubts, stops that deaths propose, the recovery ledger and the rectification figures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.registry import no_id_in_address, shown_name
from doudi.api.shapes import (
    Body,
    Day,
    Fen,
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
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring

router = Router(tags=["doubts 疑点与追缴"])


# ---- doubts -------------------------------------------------------------------------------------------------------


class DoubtOut(Schema):
    """One doubt on a person or household."""

    number: str = Field(title="疑点编号")
    kind: str = Field(title="种类", description="政策包 doubts.yaml 的码")
    household_no: str = Field(title="户编号")
    person_name: str = Field(title="姓名", description="无权查看身份的账号只见姓")
    region_code: str = Field(title="负责地区")
    as_of: date = Field(title="数据日期")
    since: date | None = Field(title="起")
    until: date | None = Field(title="止")
    counted_fen: int | None = Field(title="按规则计多发（分）", description="单位：分；null 为须由核查人核定")
    overpaid_fen: int | None = Field(title="核定多发（分）", description="单位：分；null 为尚未核定或不追缴")
    status: str = Field(title="状态", description="found、assigned、checked、concluded、gone")
    due_on: date | None = Field(title="当前时限", description="按工作日推算的日期")
    assigned_to: str = Field(title="核查人")
    conclusion: str = Field(title="结论", description="政策包 doubts.yaml 的结论码，空为尚未核查")
    version: int = Field(title="版本", description="作 seen 送回，防止两人同时办")


class DoubtWhole(DoubtOut):
    """A doubt with what it stands on."""

    content: dict[str, Any] | None = Field(
        title="事实与逐笔发放", description="金额单位：分；null 为无权查看家庭经济状况"
    )
    how: str | None = Field(title="金额怎么来的")
    recovery: str | None = Field(title="追缴编号")


def _row(doubt: monitoring.Doubt, by: User) -> dict[str, Any]:
    plain = {name: getattr(doubt, name) for name in DoubtOut.model_fields}
    return {**plain, "person_name": shown_name(doubt.person_name, by)}


def _doubt(doubt: monitoring.Doubt, by: User) -> DoubtOut:
    return DoubtOut(**_row(doubt, by))


class DoubtFilters(Paging):
    """Which doubts."""

    status: Literal["open", "all", "found", "assigned", "checked", "concluded", "gone"] = Field(
        "open", title="状态", description="open 为全部未定性"
    )
    kind: Line = Field("", title="种类")
    region: RegionPrefix = Field("", title="负责地区")
    text: Line = Field("", title="户编号或疑点编号", description="不收证件号：地址会留在日志里")
    overdue: bool = Field(False, title="只看逾期")


@router.get("/doubts", response=Page[DoubtOut], summary="疑点列表", **behind(Act.VIEW_DOUBTS))
def list_doubts(request: HttpRequest, asked: Query[DoubtFilters]) -> Any:
    """本辖区的疑点，时限近的在前。"""
    by = caller(request)
    no_id_in_address(asked.text)
    found = monitoring.doubts(
        by=by,
        status=asked.status,
        kind=asked.kind,
        region_code=asked.region,
        text=asked.text,
        overdue=asked.overdue,
    )
    return page_of(found, asked, lambda doubt: _doubt(doubt, by))


class FindAsked(Body):
    """As of which date everybody is searched."""

    as_of: Day = Field(title="数据日期")


class FindOut(Schema):
    """What a search did."""

    as_of: date = Field(title="数据日期")
    counts: dict[str, int] = Field(title="计数", description="opened、updated、gone、standing，单位：条")
    unasked: dict[str, dict[str, str]] = Field(
        title="未查的种类", description="种类 → 缺的数据和原因；未查不等于没有"
    )


@router.post("/doubts/find", response=FindOut, summary="疑点筛查", **behind(Act.FIND_DOUBTS))
def find(request: HttpRequest, asked: FindAsked, retry_key: RetryKey = None) -> Any:
    """按政策包的疑点规则筛查全部在册家庭。"""
    by = caller(request)

    def act() -> FindOut:
        done = chain.find_doubts(as_of=asked.as_of, by=by)
        return FindOut(as_of=done.as_of, counts=done.counts, unasked=done.unasked)

    return retriable(request, retry_key, asked, act)


class Assign(Body):
    """Who checks it."""

    to: Line = Field(title="核查人")
    seen: int | None = Field(None, title="所见版本")


@router.post("/doubts/{path:number}/assign", response=DoubtOut, summary="派核", **behind(Act.ASSIGN_DOUBT))
def assign(request: HttpRequest, number: Number, asked: Assign, retry_key: RetryKey = None) -> Any:
    """把疑点派给乡镇或村的核查人。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: _doubt(chain.assign_doubt(number, to=asked.to, seen=asked.seen, by=by), by),
    )


class Check(Body):
    """What a check found."""

    checked_on: Day = Field(title="核查日期")
    checkers: list[Line] = Field(title="核查人员", max_length=6)
    finding: Text = Field(title="核查情况", description="至少十个字")
    conclusion: Line = Field(title="结论", description="政策包 doubts.yaml 的结论码")
    overpaid_fen: Fen | None = Field(None, title="核定多发（分）", description="单位：分；null 取按规则计的")
    heard: Text = Field("", title="家庭陈述", description="停发、追缴之前须听取")
    seen: int | None = Field(None, title="所见版本")


@router.post("/doubts/{path:number}/check", response=DoubtOut, summary="核查", **behind(Act.CHECK_DOUBT))
def check(request: HttpRequest, number: Number, asked: Check, retry_key: RetryKey = None) -> Any:
    """记录核查和结论，等另一人复核。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: _doubt(chain.check_doubt(number, by=by, **dict(asked)), by)
    )


class Review(Body):
    """Whether a check stands."""

    approve: bool = Field(title="同意", description="false 为退回重核")
    note: Text = Field(title="复核意见", description="至少四个字")
    seen: int | None = Field(None, title="所见版本")


@router.post("/doubts/{path:number}/review", response=DoubtOut, summary="复核", **behind(Act.REVIEW_DOUBT))
def review(request: HttpRequest, number: Number, asked: Review, retry_key: RetryKey = None) -> Any:
    """复核人不得是核查人；同意后停发、立追缴案。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: _doubt(chain.review_doubt(number, by=by, **dict(asked)), by)
    )


@router.get("/doubts/{path:number}", response=DoubtWhole, summary="疑点", **behind(Act.VIEW_DOUBTS))
def one_doubt(request: HttpRequest, number: Number) -> Any:
    """一条疑点；每次查看记入审计日志。"""
    by = caller(request)
    doubt = monitoring.look_at_doubt(number, by=by)
    finances = may(by, Act.VIEW_FINANCES)
    recovery = assistance.recovery_for(number, by=by) if may(by, Act.VIEW_RECOVERY) else None
    return DoubtWhole(
        **_row(doubt, by),
        content=monitoring.content_of(doubt, by=by) if finances else None,
        how=doubt.how if finances else None,
        recovery=recovery.number if recovery else None,
    )


# ---- stops --------------------------------------------------------------------------------------------------------


class StopOut(Schema):
    """A stop that a death proposes."""

    number: str = Field(title="建议编号")
    household_no: str = Field(title="户编号")
    person_name: str = Field(title="姓名", description="无权查看身份的账号只见姓")
    category: str = Field(title="类别")
    region_code: str = Field(title="负责地区")
    grade: str = Field(title="匹配等级", description="A 一致，B 只差异体字，C 姓名不同")
    died_on: date = Field(title="死亡日期")
    opened_on: date = Field(title="提出日期")
    due_on: date = Field(title="决定期限", description="下一个工作日")
    status: str = Field(title="状态", description="open、confirmed、refused")
    stop_from: date | None = Field(title="停发起始月")
    event_number: str = Field(title="登记事项编号", description="本办登记的死亡；空为部门数据提出的")


def _stop(stop: monitoring.StopProposal, by: User) -> StopOut:
    plain = {name: getattr(stop, name) for name in StopOut.model_fields}
    return StopOut(**{**plain, "person_name": shown_name(stop.person_name, by)})


class StopFilters(Paging):
    """Which proposals."""

    status: Literal["open", "confirmed", "refused", "all"] = Field("open", title="状态")


@router.get("/stops", response=Page[StopOut], summary="停发建议", **behind(Act.VIEW_DOUBTS))
def list_stops(request: HttpRequest, asked: Query[StopFilters]) -> Any:
    """死亡数据或本办登记的死亡提出的停发建议；系统只建议，不停发。"""
    by = caller(request)
    return page_of(monitoring.stops(by=by, status=asked.status), asked, lambda stop: _stop(stop, by))


class Decide(Body):
    """The officer's decision."""

    confirm: bool = Field(title="停发", description="false 为不停发")
    ground: Text = Field(title="理由", description="至少四个字")
    stop_from: Day | None = Field(None, title="停发起始月", description="该月任一天；null 为死亡次月")
    identity_confirmed: bool = Field(False, title="已核对是同一人", description="姓名不同时必须为 true")


@router.post("/stops/{path:number}/decide", response=StopOut, summary="决定停发", **behind(Act.DECIDE_STOP))
def decide(request: HttpRequest, number: Number, asked: Decide, retry_key: RetryKey = None) -> Any:
    """确认或拒绝停发建议。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: _stop(chain.decide_stop(number, by=by, **dict(asked)), by)
    )


# ---- the ledger ---------------------------------------------------------------------------------------------------


class RecoveryOut(Schema):
    """A sum to be recovered from a family."""

    number: str = Field(title="追缴编号")
    doubt_number: str = Field(title="疑点编号")
    kind: str = Field(title="疑点种类")
    household_no: str = Field(title="户编号")
    debtor_name: str = Field(title="退款人", description="无权查看身份的账号只见姓")
    region_code: str = Field(title="负责地区")
    opened_on: date = Field(title="立案日期")
    due_fen: int = Field(title="应追缴（分）", description="单位：分")
    received_fen: int = Field(title="已追回（分）", description="单位：分")
    written_off_fen: int = Field(title="已核销（分）", description="单位：分")
    outstanding_fen: int = Field(title="未追回（分）", description="单位：分")
    refund_fen: int = Field(title="应退还家庭（分）", description="单位：分")
    next_due_on: date | None = Field(title="下一期应缴日期")


class EntryOut(Schema):
    """One entry of the ledger."""

    kind: str = Field(title="种类")
    voucher: str = Field(title="凭证号")
    on: date = Field(title="日期")
    lines: dict[str, int] = Field(title="分录", description="科目 → 金额，借为正，贷为负，单位：分")
    recorded_at: datetime = Field(title="记录时间")


class RecoveryWhole(RecoveryOut):
    """A recovery with its entries."""

    entries: list[EntryOut] = Field(title="凭证")


def _recovery(found: assistance.Recovery, by: User) -> dict[str, Any]:
    plain = {name: getattr(found, name) for name in RecoveryOut.model_fields}
    return {**plain, "debtor_name": shown_name(found.debtor_name, by)}


def _entry(entry: assistance.LedgerEntry) -> EntryOut:
    lines = {line.account: line.amount_fen for line in entry.lines.all()}
    return EntryOut(
        kind=entry.kind, voucher=entry.voucher, on=entry.on, lines=lines, recorded_at=entry.recorded_at
    )


class RecoveryFilters(Paging):
    """Which recoveries."""

    status: Literal["open", "late", "settled", "all"] = Field("open", title="状态")
    kind: Line = Field("", title="疑点种类")
    region: RegionPrefix = Field("", title="负责地区")


@router.get("/recoveries", response=Page[RecoveryOut], summary="追缴台账", **behind(Act.VIEW_RECOVERY))
def list_recoveries(request: HttpRequest, asked: Query[RecoveryFilters]) -> Any:
    """本辖区的追缴，未追回多的在前。"""
    by = caller(request)
    found = assistance.recoveries(by=by, status=asked.status, kind=asked.kind, region_code=asked.region)
    return page_of(found, asked, lambda row: RecoveryOut(**_recovery(row, by)))


class Receipt(Body):
    """Money that came back."""

    amount_fen: Annotated[Fen, Field(ge=1)] = Field(title="金额（分）", description="单位：分")
    voucher: Line = Field(title="凭证号", description="同一凭证号再送一次不会记两笔")
    on: Day = Field(title="日期")
    into: Literal["bank", "cash"] = Field("bank", title="收到")


@router.post(
    "/recoveries/{path:number}/receipts", response=EntryOut, summary="登记收款", **behind(Act.KEEP_RECOVERY)
)
def receive(request: HttpRequest, number: Number, asked: Receipt, retry_key: RetryKey = None) -> Any:
    """登记退款；超过未追回的不收。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: _entry(assistance.receive(number, by=by, **dict(asked)))
    )


@router.get(
    "/recoveries/{path:number}", response=RecoveryWhole, summary="一案追缴", **behind(Act.VIEW_RECOVERY)
)
def one_recovery(request: HttpRequest, number: Number) -> Any:
    """一案的合计和全部凭证；每次查看记入审计日志。"""
    by = caller(request)
    found = assistance.look_at_recovery(number, by=by)
    entries = [_entry(entry) for entry in found.entries.prefetch_related("lines")]
    return RecoveryWhole(**_recovery(found, by), entries=entries)


# ---- the report ---------------------------------------------------------------------------------------------------


class FiguresOut(Schema):
    """One row of the report."""

    found: int = Field(title="发现", description="单位：条")
    checked: int = Field(title="已核查", description="单位：条")
    true: int = Field(title="属实", description="单位：条")
    untrue: int = Field(title="不属实", description="单位：条")
    waiting: int = Field(title="在办", description="单位：条")
    stopped: int = Field(title="已停发", description="单位：条")
    due_fen: int = Field(title="应追缴（分）", description="单位：分")
    received_fen: int = Field(title="已追回（分）", description="单位：分")
    written_off_fen: int = Field(title="已核销（分）", description="单位：分")
    outstanding_fen: int = Field(title="未追回（分）", description="单位：分")


class RectificationOut(Schema):
    """The figures of a rectification report."""

    since: date = Field(title="自")
    until: date = Field(title="至")
    total: FiguresOut = Field(title="合计")
    by_kind: dict[str, FiguresOut] = Field(title="分种类")
    by_township: dict[str, FiguresOut] = Field(title="分乡镇（街道）")
    unasked: list[str] = Field(title="未查的种类")


class Period(Schema):
    """Which period and area."""

    since: Day = Field(title="自")
    until: Day = Field(title="至")
    region: RegionPrefix = Field("", title="负责地区")


@router.get("/rectification", response=RectificationOut, summary="整改报告", **behind(Act.VIEW_RECTIFICATION))
def rectification(request: HttpRequest, asked: Query[Period]) -> Any:
    """一段时间里发现的疑点和追缴，与页面、Word、PDF 同一份数字。"""
    report = chain.rectify(since=asked.since, until=asked.until, region_code=asked.region, by=caller(request))

    def shown(figures: Any) -> FiguresOut:
        return FiguresOut(**{name: getattr(figures, name) for name in FiguresOut.model_fields})

    return RectificationOut(
        since=report.since,
        until=report.until,
        total=shown(report.total),
        by_kind={key: shown(row) for key, row in report.by_kind.items()},
        by_township={key: shown(row) for key, row in report.by_township.items()},
        unasked=list(report.unasked),
    )
