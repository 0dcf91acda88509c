"""Who looked at a person's data and why, and people's requests by their limit."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller, why
from doudi.api.shapes import Line, Page, Paging, page_of
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act
from doudi.engine import identity

router = Router(tags=["privacy 个人信息保护"])


class LooksIn(Schema):
    """Whose data, and who asks."""

    id_number: str = Field(title="证件号", min_length=15, max_length=30)
    reason: str = Field(title="由谁提出，怎样核对了身份", min_length=4, max_length=200)


class LookOut(Schema):
    """One look, as the person is told of it."""

    at: str = Field(title="时间", description="YYYY-MM-DD HH:MM，北京时间")
    who: str = Field(title="人员", description="角色和遮蔽的姓名")
    office: str = Field(title="单位", description="部门，或行政区划代码")
    act: str = Field(title="事项")
    reason: str = Field(title="事由")
    fields: str = Field(title="涉及信息")


class ConsentOut(Schema):
    """One consent of the person."""

    kind: str = Field(title="种类")
    number: str = Field(title="编号")
    given_on: date = Field(title="日期")
    valid_to: date | None = Field(title="有效至")
    withdrawn_on: date | None = Field(title="撤回日期")
    scope: str = Field(title="范围")


class LooksOut(Schema):
    """Who looked, and what the person agreed to."""

    name: str = Field(title="姓名（遮蔽）")
    looks: list[LookOut] = Field(title="查阅记录，新的在前")
    consents: list[ConsentOut] = Field(title="授权和同意")


@router.post("/privacy/looks", response=LooksOut, summary="告知本人：谁看过", **behind(Act.TELL_LOOKS))
def looks(request: HttpRequest, asked: LooksIn) -> Any:
    """某人的信息由谁、何时、因何查阅；须写明由谁提出、怎样核对了身份，这次查询也记入日志。"""
    person, found, consents = chain.who_looked(
        asked.id_number, reason=why(request, asked.reason), by=caller(request)
    )
    return {"name": identity.mask_name(person.name), "looks": found, "consents": consents}


class DataRequestOut(Schema):
    """A person's request about the own data; no name and no number."""

    number: str = Field(title="编号")
    kind: str = Field(title="事项")
    region_code: str = Field(title="地区")
    received_on: date = Field(title="收到日期")
    due_on: date = Field(title="办理期限")
    status: str = Field(title="状态")


class DataRequestFilters(Paging):
    """Which requests."""

    status: Line = Field("", title="状态")


@router.get(
    "/privacy/requests", response=Page[DataRequestOut], summary="个人信息请求", **behind(Act.VIEW_PRIVACY)
)
def data_requests(request: HttpRequest, asked: Query[DataRequestFilters]) -> Any:
    """本辖区的个人信息请求，最急的在前；不含姓名和证件号。"""
    return page_of(
        accounts.data_requests(by=caller(request), status=asked.status), asked, DataRequestOut.model_validate
    )
