"""Another value of an indicator's number for a future day: proposed with its back-test, approved by a second person."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Day, Line, Number, Page, Paging, RetryKey, Text, page_of, retriable
from doudi.contexts.accounts.services import Act
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry

router = Router(tags=["thresholds 阈值调整"])


class ThresholdRow(Schema):
    """A change in a list."""

    number: str = Field(title="编号")
    indicator: str = Field(title="指标")
    parameter: str = Field(title="参数", description="按城乡分的写明城镇或农村")
    region_code: str = Field(title="适用地区")
    before: str = Field(title="现值", description="提交时的值，空为未填")
    value: str = Field(title="新值")
    from_on: date = Field(title="生效日期")
    ground: str = Field(title="理由")
    status: str = Field(title="状态", description="submitted、approved、returned、withdrawn")
    submitted_by: str = Field(title="提交人")
    submitted_at: datetime = Field(title="提交时间")
    decided_by: str = Field(title="审批人")
    decided_at: datetime | None = Field(title="审批时间")
    decision: str = Field(title="审批意见")


class ThresholdOut(ThresholdRow):
    """A change with the back-test it was submitted with."""

    tested: dict[str, Any] = Field(
        title="回测结果", description="months、households、missing、trials；只有合计数，没有任何一户"
    )


class ThresholdFilters(Paging):
    """Which changes."""

    indicator: Line = Field("", title="指标")
    status: Literal["", "submitted", "approved", "returned", "withdrawn"] = Field("", title="状态")


@router.get("/thresholds", response=Page[ThresholdRow], summary="阈值调整", **behind(Act.VIEW_INDICATORS))
def list_thresholds(request: HttpRequest, asked: Query[ThresholdFilters]) -> Any:
    """本辖区的阈值调整，新的在前。"""
    found = monitoring.threshold_changes(by=caller(request), indicator=asked.indicator)
    if asked.status:
        found = found.filter(status=asked.status)
    return page_of(found, asked, ThresholdRow.model_validate)


Value = Annotated[Line, StringConstraints(min_length=1, max_length=40)]


class Proposal(Body):
    """Another value of a number, from a day on."""

    indicator: Annotated[Line, StringConstraints(max_length=10)] = Field(title="指标", description="如 U1")
    parameter: Annotated[Line, StringConstraints(max_length=60)] = Field(
        title="参数", description="政策包里的参数名；按城乡分的写明城镇或农村"
    )
    value: Value = Field(title="新值", description="写法同政策包")
    from_on: Day = Field(title="生效日期", description="今天之后")
    ground: Text = Field(title="理由", description="至少十个字")
    as_of: Day | None = Field(None, title="回测到哪一天", description="空为最近的花名册日期")


@router.post(
    "/thresholds",
    response=ThresholdOut,
    summary="提交阈值调整",
    **behind(Act.PROPOSE_THRESHOLD),
)
def propose(request: HttpRequest, asked: Proposal, retry_key: RetryKey = None) -> Any:
    """回测一个指标的新值并提交，适用于本账号的辖区；由另一人审批后，自生效日期起使用。"""
    by = caller(request)
    typed = dict(asked) | {"as_of": asked.as_of or registry.require_register_date()}
    return retriable(
        request,
        retry_key,
        asked,
        lambda: ThresholdOut.model_validate(chain.propose_threshold(by=by, **typed)),
    )


Word = Annotated[Text, StringConstraints(max_length=300)]


class ThresholdDecision(Body):
    """Approved or returned."""

    approve: bool = Field(title="批准", description="false 为退回")
    decision: Word = Field("", title="审批意见", description="退回须至少四个字")


@router.post(
    "/thresholds/{number}/decide",
    response=ThresholdOut,
    summary="审批阈值调整",
    **behind(Act.APPROVE_THRESHOLD),
)
def decide(request: HttpRequest, number: Number, asked: ThresholdDecision, retry_key: RetryKey = None) -> Any:
    """批准或退回；提交人不能审批自己的，生效日期已到的不能批准。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: ThresholdOut.model_validate(chain.decide_threshold(number, by=by, **dict(asked))),
    )


class Withdrawal(Body):
    """Why a change is taken back."""

    ground: Word = Field(title="撤回理由", description="至少四个字")


@router.post(
    "/thresholds/{number}/withdraw",
    response=ThresholdOut,
    summary="撤回阈值调整",
    **behind(Act.PROPOSE_THRESHOLD),
)
def withdraw(request: HttpRequest, number: Number, asked: Withdrawal, retry_key: RetryKey = None) -> Any:
    """在生效之前撤回，不论是否已批准。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: ThresholdOut.model_validate(
            monitoring.withdraw_threshold(number, ground=asked.ground, by=by)
        ),
    )


@router.get(
    "/thresholds/{number}", response=ThresholdOut, summary="一份阈值调整", **behind(Act.VIEW_INDICATORS)
)
def one_threshold(request: HttpRequest, number: Number) -> Any:
    """一份阈值调整和提交时的回测结果。"""
    return ThresholdOut.model_validate(monitoring.threshold_change(number, by=caller(request)))
