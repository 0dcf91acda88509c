"""Services for providers' own systems: which orders are theirs, and the proof of a visit."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.registry import shown_name
from doudi.api.shapes import Body, Line, Number, Page, Paging, Text, page_of
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.assistance import care

router = Router(tags=["care 救助服务"])


class CareOut(Schema):
    """An order of a service."""

    number: str = Field(title="服务单号")
    item: str = Field(title="服务", description="政策包 care_services.yaml 的码")
    item_label: str = Field(title="服务名称")
    unit: str = Field(title="单位")
    units: int = Field(title="数量")
    price_fen: int = Field(title="单价（分）", description="单位：分")
    region_code: str = Field(title="负责地区")
    starts_on: date = Field(title="开始日期")
    ends_on: date = Field(title="结束日期")
    provider: str = Field(title="服务机构")
    state: str = Field(title="状态", description="ordered、assigned、ended")
    receiver: str = Field(title="服务对象", description="只有承担这一单的机构和下单的单位看得到全名")


class CareWhole(CareOut):
    """An order for who serves it."""

    address: str | None = Field(title="服务地址和联系方式", description="无权查看的为空")
    left: int = Field(title="剩余数量")


def _out(row: care.CareOrder, by: User, receiver: str = "") -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in CareOut.model_fields if name != "receiver"}
    return plain | {"receiver": receiver or shown_name(row.receiver, by)}


class CareFilters(Paging):
    """Which orders."""

    state: Literal["", "ordered", "assigned", "ended"] = Field("", title="状态")


@router.get("/care", response=Page[CareOut], summary="服务单", **behind(Act.VIEW_CARE))
def orders(request: HttpRequest, asked: Query[CareFilters]) -> Any:
    """本辖区的服务单；服务机构只见派给自己的。"""
    by = caller(request)
    return page_of(care.care_orders(by=by, state=asked.state), asked, lambda row: CareOut(**_out(row, by)))


@router.get("/care/{number}", response=CareWhole, summary="一张服务单", **behind(Act.VIEW_CARE))
def one(request: HttpRequest, number: Number) -> Any:
    """一张服务单；查看记入审计日志。"""
    by = caller(request)
    found = care.look_at_care(number, by=by)
    provider = care.is_provider(by)
    shown = _out(found, by, found.receiver if provider else "")
    return CareWhole(
        **shown, address=found.address if provider else None, left=found.units - care.used_units(found)
    )


class CareVisitAsked(Body):
    """A visit confirmed by the receiver's code; services that need a picture are proven on the page."""

    begun_at: AwareDatetime = Field(title="开始时间", description="带时区")
    place: Line = Field(title="地点")
    units: int = Field(1, ge=1, le=1000, title="数量")
    worker: Line = Field(title="服务人员")
    code: Line = Field(title="服务对象的确认码")
    note: Text = Field("", title="服务情况")


class CareVisitOut(Schema):
    """A visit that was proven."""

    id: int = Field(title="凭证编号")
    begun_at: datetime = Field(title="开始时间")
    units: int = Field(title="数量")
    proof: str = Field(title="确认方式")


@router.post("/care/{number}/visits", response=CareVisitOut, summary="登记服务凭证", **behind(Act.PROVE_CARE))
def prove(request: HttpRequest, number: Number, asked: CareVisitAsked) -> Any:
    """登记一次服务；同一时间再次发送是同一次，不重复计。输错的确认码计次。"""
    made = chain.record_care_visit(number, **asked.model_dump(), by=caller(request))
    return CareVisitOut(
        id=made.pk, begun_at=timezone.localtime(made.begun_at), units=made.units, proof=made.proof
    )
