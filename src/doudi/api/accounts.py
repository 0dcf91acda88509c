"""Who am I, and the audit log for those who check the others."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi.api.door import behind, caller
from doudi.api.shapes import Line, Page, Paging, page_of
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act, may

router = Router(tags=["accounts 账号与审计"])


class Me(Schema):
    """The account that acts."""

    username: str = Field(title="账号")
    role: str = Field(title="角色")
    region_code: str = Field(title="辖区", description="行政区划代码前缀，空为全部；用密钥时为密钥的辖区")
    department: str = Field(title="部门")
    acts: list[str] = Field(title="能办的事项")
    key_prefix: str | None = Field(title="密钥前缀")
    key_expires_at: datetime | None = Field(title="密钥到期时间")


@router.get("/me", response=Me, summary="本账号", **behind(None))
def me(request: HttpRequest) -> Any:
    """本账号（或密钥）的角色、辖区和能办的事项；用来试密钥是否可用。"""
    by = caller(request)
    key = getattr(request, "api_key", None)
    return {
        "username": by.username,
        "role": by.role,
        "region_code": by.region_code,
        "department": by.department,
        "acts": [act.value for act in Act if may(by, act)],
        "key_prefix": key.prefix if key else None,
        "key_expires_at": key.expires_at if key else None,
    }


class AuditOut(Schema):
    """One entry of the audit log."""

    number: int = Field(title="序号")
    at: datetime = Field(title="时间")
    actor: str = Field(title="账号")
    role: str = Field(title="角色")
    act: str = Field(title="事项")
    subject: str = Field(title="对象", description="如 household:H001")
    region_code: str = Field(title="行政区划代码")
    reason: str = Field(title="事由")
    detail: dict[str, Any] = Field(title="详情", description="字段名和计数，不含个人内容")


class AuditFilters(Paging):
    """Which entries."""

    actor: Line = Field("", title="账号")
    act: Line = Field("", title="事项")
    subject: Line = Field("", title="对象（部分）")


class ChainState(Schema):
    """Whether the hash chain is whole."""

    entries: int = Field(title="条数", description="单位：条")
    whole: bool = Field(title="完整")
    first_break: int | None = Field(title="第一处断裂的序号")


@router.get("/audit", response=Page[AuditOut], summary="审计日志", **behind(Act.VIEW_AUDIT))
def audit(request: HttpRequest, asked: Query[AuditFilters]) -> Any:
    """查看、更改、导出和决定，新的在前；读日志本身也记入日志。"""
    found = accounts.read_audit(by=caller(request), actor=asked.actor, act=asked.act, subject=asked.subject)
    return page_of(found, asked, AuditOut.model_validate)


@router.get("/audit/verify", response=ChainState, summary="核验日志链", **behind(Act.VIEW_AUDIT))
def verify(request: HttpRequest) -> Any:
    """从头走一遍哈希链；改动、删除、插入任何一条都会断。"""
    return accounts.verify_audit()
