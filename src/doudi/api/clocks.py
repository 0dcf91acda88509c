"""A warning's limit and who answers for it: another hand, a clock that stands still, tries, and the revisit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.monitoring import (
    Account,
    AttemptOut,
    RevisitOut,
    Seen,
    SuspensionOut,
    Visitor,
    WarningOut,
    show_revisit,
    show_warning,
)
from doudi.api.shapes import Body, Day, Number, RegionPrefix, RetryKey, Text, retriable
from doudi.contexts.accounts.services import Act

router = Router(tags=["clocks 时限与回访"])

Ground = Annotated[Text, StringConstraints(max_length=300)]


class Reassign(Body):
    """To whom instead, and why."""

    to: RegionPrefix = Field(title="乡镇（街道）代码", description="9 位或 12 位")
    assignee: Account = Field("", title="经办账号", description="空为全乡镇（街道）")
    ground: Ground = Field(title="改派理由", description="至少四个字")
    seen: Seen = None


@router.post(
    "/warnings/{path:number}/reassign", response=WarningOut, summary="改派", **behind(Act.REASSIGN_WARNING)
)
def reassign(request: HttpRequest, number: Number, asked: Reassign, retry_key: RetryKey = None) -> Any:
    """把已派的预警改派给另一名经办人或另一个乡镇（街道）；换了乡镇，入户时限重新计算。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_warning(chain.reassign(number, by=by, **dict(asked)), by),
    )


class Suspend(Body):
    """Until when the clock stands still, and why."""

    until_on: Day = Field(
        title="恢复日期", description="那天起重新计算；一次最长的天数见政策包 handling.yaml"
    )
    ground: Ground = Field(title="中止事由", description="至少四个字")


@router.post(
    "/warnings/{path:number}/suspend",
    response=SuspensionOut,
    summary="中止时限",
    **behind(Act.SUSPEND_CLOCK),
)
def suspend(request: HttpRequest, number: Number, asked: Suspend, retry_key: RetryKey = None) -> Any:
    """让未办结预警的时限中止到某日，并告知督办的人。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: SuspensionOut.model_validate(chain.suspend_clock(number, by=by, **dict(asked))),
    )


@router.post(
    "/warnings/{path:number}/resume",
    response=SuspensionOut,
    summary="恢复计时",
    **behind(Act.SUSPEND_CLOCK),
)
def resume(request: HttpRequest, number: Number, retry_key: RetryKey = None) -> Any:
    """提前恢复中止的时限。"""
    by = caller(request)
    return retriable(
        request, retry_key, None, lambda: SuspensionOut.model_validate(chain.resume_clock(number, by=by))
    )


class AttemptAsked(Body):
    """A visit at which nobody was found."""

    tried_on: Day = Field(title="寻访日期")
    visitors: list[Visitor] = Field(title="寻访人员", min_length=1, max_length=5)
    finding: Ground = Field(title="寻访情况", description="至少四个字，例如问过哪位邻居")


@router.post(
    "/warnings/{path:number}/attempt", response=AttemptOut, summary="寻访未遇", **behind(Act.RECORD_VISIT)
)
def attempt(request: HttpRequest, number: Number, asked: AttemptAsked, retry_key: RetryKey = None) -> Any:
    """记录一次没有找到人的寻访；入户时限照常计算。同一天只算一次。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: AttemptOut.model_validate(chain.record_attempt(number, by=by, **dict(asked))),
    )


class RevisitAsked(Body):
    """Whether the difficulty is over."""

    visited_on: Day = Field(title="回访日期")
    visitors: list[Visitor] = Field(title="回访人员", min_length=1, max_length=5)
    result: Literal["solved", "unsolved"] = Field(title="回访结果")
    finding: Text = Field(title="回访情况", description="至少四个字")


@router.post(
    "/warnings/{path:number}/revisit", response=RevisitOut, summary="回访", **behind(Act.RECORD_REVISIT)
)
def revisit(request: HttpRequest, number: Number, asked: RevisitAsked, retry_key: RetryKey = None) -> Any:
    """记录办结后的回访；困难未解决的另立一件预警，或转入该户未办结的那一件。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_revisit(chain.record_revisit(number, by=by, **dict(asked))),
    )
