"""What leaves for other systems, by program: reports upward with their answers, and events of departments."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import (
    Body,
    Day,
    Line,
    Number,
    Page,
    Paging,
    RegionPrefix,
    RetryKey,
    page_of,
    retriable,
)
from doudi.contexts.accounts.services import Act
from doudi.contexts.assistance import upward, webhooks

router = Router(tags=["upward 上报与事件"])
_STATES = Literal["", "sent", "accepted", "rejected", "held", "resent", "dropped"]


class UpwardOut(Schema):
    """A report to a system above."""

    number: str = Field(title="上报编号")
    pack: str = Field(title="上报包", description="政策包 upward.yaml 的码")
    region_code: str = Field(title="地区")
    month: date = Field(title="月份", description="当月第一天")
    count: int = Field(title="行数")
    total_fen: int = Field(title="金额（分）", description="单位：分")
    held_count: int = Field(title="缺项行数")
    sha256: str = Field(title="内容摘要")
    made_by: str = Field(title="生成人")
    made_at: datetime = Field(title="生成时间")


class UpwardRowOut(Schema):
    """One row of a report, without its cells: who is in it stands in the file."""

    key: str = Field(title="业务编号")
    household_no: str = Field(title="户编号")
    region_code: str = Field(title="负责地区")
    amount_fen: int = Field(title="金额（分）", description="单位：分")
    state: str = Field(title="状态", description="sent、accepted、rejected、held、resent、dropped")
    reason: str = Field(title="说明")


class UpwardFilters(Paging):
    """Which reports."""

    code: Line = Field("", title="上报包")


def _out(row: upward.UpwardBatch) -> UpwardOut:
    return UpwardOut(**{name: getattr(row, name) for name in UpwardOut.model_fields})


@router.get("/upward", response=Page[UpwardOut], summary="上报", **behind(Act.VIEW_UPWARD))
def list_reports(request: HttpRequest, asked: Query[UpwardFilters]) -> Any:
    """本辖区向上级系统的上报，新的在前。"""
    return page_of(upward.upward_batches(by=caller(request), code=asked.code), asked, _out)


class UpwardAsked(Body):
    """Which layout, county and month."""

    code: Line = Field(title="上报包")
    region: RegionPrefix = Field(title="县级区划代码")
    month: Day = Field(title="月份", description="当月任一天")


@router.post("/upward", response=UpwardOut, summary="生成上报", **behind(Act.REPORT_UPWARD))
def make_report(request: HttpRequest, asked: UpwardAsked, retry_key: RetryKey = None) -> Any:
    """把当月还没有上报或被退回的行做成一份上报；文件在工作台或命令行下载。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: _out(chain.make_upward(code=asked.code, region_code=asked.region, month=asked.month, by=by)),
    )


class UpwardRowFilters(Paging):
    """Which rows."""

    state: _STATES = Field("", title="状态")


@router.get(
    "/upward/{number}/rows", response=Page[UpwardRowOut], summary="上报的行", **behind(Act.VIEW_UPWARD)
)
def report_rows(request: HttpRequest, number: Number, asked: Query[UpwardRowFilters]) -> Any:
    """一份上报的行和各行的状态，不含证件号。"""
    by = caller(request)
    found = upward.upward_rows(upward.upward_of(number, by=by), by=by, state=asked.state)
    return page_of(
        found,
        asked,
        lambda row: UpwardRowOut(**{name: getattr(row, name) for name in UpwardRowOut.model_fields}),
    )


class UpwardAnswerAsked(Schema):
    """What the system above says of one row."""

    key: Number = Field(title="业务编号")
    accepted: bool = Field(title="接受")
    reason: Line = Field("", title="退回原因")


class UpwardAnswersAsked(Body):
    """Answers to rows of one report."""

    answers: list[UpwardAnswerAsked] = Field(title="逐行结果", min_length=1, max_length=10_000)


class UpwardReturnOut(Schema):
    """A return that was taken in."""

    accepted_count: int = Field(title="接受行数")
    rejected_count: int = Field(title="退回行数")


@router.post(
    "/upward/{number}/answers", response=UpwardReturnOut, summary="登记回执", **behind(Act.REPORT_UPWARD)
)
def answers(request: HttpRequest, number: Number, asked: UpwardAnswersAsked) -> Any:
    """登记上级系统的逐行结果；同样的结果再发一次不重复登记，有一行对不上的整份不受理。"""
    told = {one.key: "" if one.accepted else one.reason or "退回" for one in asked.answers}
    made = upward.answer_upward(number, told, by=caller(request))
    return UpwardReturnOut(accepted_count=made.accepted_count, rejected_count=made.rejected_count)


class DeliveryOut(Schema):
    """An event on its way to a department's system."""

    id: int = Field(title="推送序号")
    event_id: str = Field(title="事件编号", description="CloudEvents 的 id，重发不变")
    type: str = Field(title="种类")
    subject: str = Field(title="推送编号")
    subscription: str = Field(title="订阅编号")
    status: str = Field(title="状态", description="waiting、sent、given_up")
    tries: int = Field(title="已试次数")
    last_error: str = Field(title="最近一次失败")


class DeliveryFilters(Paging):
    """Which events."""

    status: Literal["", "waiting", "sent", "given_up"] = Field("", title="状态")


@router.get("/webhook-events", response=Page[DeliveryOut], summary="部门事件", **behind(Act.VIEW_WEBHOOKS))
def events(request: HttpRequest, asked: Query[DeliveryFilters]) -> Any:
    """推送给部门系统的事件；部门账号只见自己的。漏收的可以据此补查。"""
    found = webhooks.deliveries(by=caller(request), status=asked.status)
    return page_of(
        found,
        asked,
        lambda one: DeliveryOut(
            id=one.pk,
            event_id=str(one.event.event_id),
            type=one.event.type,
            subject=one.event.subject,
            subscription=one.subscription.number,
            status=one.status,
            tries=one.tries,
            last_error=one.last_error,
        ),
    )
