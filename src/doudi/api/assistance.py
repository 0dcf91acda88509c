"""Needs pushed to departments: the department's inbox, and for the others the state of what they pushed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.registry import shown_name
from doudi.api.shapes import Body, Fen, Number, Page, Paging, RetryKey, Text, page_of, retriable
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import services as assistance
from doudi.engine import identity

router = Router(tags=["assistance 措施与推送"])


class MeasureOut(Schema):
    """A measure given to a household."""

    id: int = Field(title="序号")
    code: str = Field(title="措施")
    label: str = Field(title="措施名称")
    amount_fen: int = Field(title="金额（分）", description="单位：分；冲正为负")
    given_on: date = Field(title="给予日期")
    ground: str = Field(title="依据与说明")
    given_by: str = Field(title="经办人")


def show_measure(given: assistance.MeasureGiven) -> MeasureOut:
    """A measure as the API tells it."""
    return MeasureOut(
        id=given.pk, **{name: getattr(given, name) for name in MeasureOut.model_fields if name != "id"}
    )


class ReferralOut(Schema):
    """A need pushed to a department."""

    number: str = Field(title="推送编号")
    household_no: str = Field(title="户编号")
    region_code: str = Field(title="负责地区")
    department: str = Field(title="部门")
    person_name: str = Field(title="姓名", description="收件部门和有权查看身份的账号见全名，其余只见姓")
    id_shown: str = Field(title="证件号（遮蔽）")
    category: str = Field(title="类别")
    need: str = Field(title="需求")
    status: str = Field(title="状态", description="sent、accepted、answered、returned")
    due_on: date = Field(title="反馈期限", description="按工作日推算的日期")
    sent_at: datetime = Field(title="推送时间")
    accepted_at: datetime | None = Field(title="接收时间")
    answered_at: datetime | None = Field(title="反馈时间")
    result: str = Field(title="结果", description="solved、partly、unsolved、not_needed，空为没有反馈")
    amount_fen: int = Field(title="金额（分）", description="单位：分")
    answer: str = Field(title="反馈内容或退回理由")


class ReferralWhole(ReferralOut):
    """A referral as its receiver needs it; the look is in the audit log."""

    id_number: str | None = Field(title="证件号", description="只给收件部门，其余为 null")
    phone: str | None = Field(title="联系电话", description="只给收件部门，其余为 null")


def _row(sent: assistance.Referral, by: User) -> dict[str, Any]:
    plain = {name: getattr(sent, name) for name in ReferralOut.model_fields if hasattr(sent, name)}
    receiver = may(by, Act.ANSWER_REFERRAL)
    return {
        **plain,
        "person_name": sent.person_name if receiver else shown_name(sent.person_name, by),
        "id_shown": identity.mask_id(sent.id_number),
    }


def show_referral(sent: assistance.Referral, by: User) -> ReferralOut:
    """A referral as the API tells it, the ID masked."""
    return ReferralOut(**_row(sent, by))


class ReferralFilters(Paging):
    """Which referrals."""

    status: Literal["pending", "all", "sent", "accepted", "answered", "returned"] = Field(
        "pending", title="状态", description="pending 为待反馈"
    )


@router.get("/referrals", response=Page[ReferralOut], summary="推送列表", **behind(Act.VIEW_REFERRALS))
def list_referrals(request: HttpRequest, asked: Query[ReferralFilters]) -> Any:
    """部门账号见推送给本部门的，其余账号见本辖区的。"""
    by = caller(request)
    found = assistance.referrals(by=by, status="" if asked.status == "all" else asked.status)
    return page_of(found, asked, lambda sent: show_referral(sent, by))


@router.post(
    "/referrals/{path:number}/accept", response=ReferralOut, summary="接收", **behind(Act.ANSWER_REFERRAL)
)
def accept(request: HttpRequest, number: Number, retry_key: RetryKey = None) -> Any:
    """部门接收推送。"""
    by = caller(request)
    return retriable(
        request, retry_key, None, lambda: show_referral(chain.accept_referral(number, by=by), by)
    )


class Answer(Body):
    """What the department did."""

    result: Literal["solved", "partly", "unsolved", "not_needed"] = Field(title="办理结果")
    answer: Text = Field(title="办理情况", description="至少四个字")
    amount_fen: Fen = Field(0, title="金额（分）", description="单位：分；没有金额为 0")


@router.post(
    "/referrals/{path:number}/answer", response=ReferralOut, summary="反馈", **behind(Act.ANSWER_REFERRAL)
)
def answer(request: HttpRequest, number: Number, asked: Answer, retry_key: RetryKey = None) -> Any:
    """部门反馈办理结果。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_referral(chain.answer_referral(number, by=by, **dict(asked)), by),
    )


class Return(Body):
    """Why the department sends it back."""

    why: Text = Field(title="退回理由", description="至少四个字")


@router.post(
    "/referrals/{path:number}/return", response=ReferralOut, summary="退回", **behind(Act.ANSWER_REFERRAL)
)
def send_back(request: HttpRequest, number: Number, asked: Return, retry_key: RetryKey = None) -> Any:
    """部门退回推送，并说明理由。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_referral(chain.return_referral(number, why=asked.why, by=by), by),
    )


@router.get("/referrals/{path:number}", response=ReferralWhole, summary="推送", **behind(Act.VIEW_REFERRALS))
def one_referral(request: HttpRequest, number: Number) -> Any:
    """一件推送。收件部门见完整证件号和电话；每次查看记入审计日志。"""
    by = caller(request)
    sent = assistance.look_at_referral(number, by=by)
    receiver = may(by, Act.ANSWER_REFERRAL)
    return ReferralWhole(
        **_row(sent, by),
        id_number=sent.id_number if receiver else None,
        phone=sent.phone if receiver else None,
    )
