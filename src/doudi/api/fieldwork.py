"""The telephone's side of a visit: tasks to take along, photos and signatures in parts, and visits that come back."""

from __future__ import annotations

import base64
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.monitoring import ConsentBy, ConsentHow, Level, Visitor
from doudi.api.problems import ApiRefused
from doudi.api.shapes import Body, Day, Line, Number, Text
from doudi.contexts.accounts.services import Act
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError

router = Router(tags=["fieldwork 离线入户"])


class FieldPersonOut(Schema):
    """A member of the family, without ID."""

    name: str = Field(title="姓名")
    relation: str = Field(title="与户主关系")
    age: int | None = Field(title="年龄")


class TaskOut(Schema):
    """A warning to visit."""

    number: str = Field(title="预警编号")
    version: int = Field(title="版本", description="回传时作为 seen 送回")
    household_no: str = Field(title="户编号")
    head_name: str = Field(title="户主姓名")
    region_name: str = Field(title="负责地区")
    level: Level = Field(title="级别")
    due_on: date | None = Field(title="当前时限")
    address: str = Field(title="住址")
    phone: str = Field(title="联系电话")
    people: list[FieldPersonOut] = Field(title="成员")
    signals: list[str] = Field(title="信号")
    tried_on: list[date] = Field(title="寻访未遇的日期")


class BundleOut(Schema):
    """What a telephone takes along."""

    account: str = Field(title="账号")
    taken_at: datetime = Field(title="带走时间")
    keep_days: int = Field(title="保留天数")
    tasks: list[TaskOut] = Field(title="任务")
    results: list[dict[str, Any]] = Field(title="核实结果", description="政策包 handling.yaml，及各自的要求")


@router.post("/field/tasks", response=BundleOut, summary="带走任务", **behind(Act.RECORD_VISIT))
def take_along(request: HttpRequest) -> Any:
    """本账号辖区待入户的预警，最多 100 件，供手机离线使用；每户记一次查看。不含证件号和经济状况。"""
    by = caller(request)
    taken = monitoring.take_along(by=by, keep_days=settings.FIELD_DAYS)
    pack, handling = chain.rules()
    return BundleOut(
        account=by.username,
        taken_at=timezone.now(),
        keep_days=settings.FIELD_DAYS,
        tasks=[_task(one, pack) for one in taken],
        results=[asdict(result) for result in handling.results.values()],
    )


def _task(one: monitoring.TakenAlong, pack: Any) -> TaskOut:
    case = one.case
    return TaskOut(
        number=case.number,
        version=case.version,
        household_no=case.household_no,
        head_name=case.head_name,
        region_name=registry.region_path(case.region_code),
        level=cast(Level, case.urgency),
        due_on=case.due_on,
        address=one.place,
        phone=one.phone,
        people=[FieldPersonOut(name=who.name, relation=who.relation, age=who.age) for who in one.people],
        tried_on=one.tried_on,
        signals=[_label(pack, signal.code) for signal in case.signals.all() if signal.active],
    )


def _label(pack: Any, code: str) -> str:
    try:
        return f"{code} {pack.label(code)}"
    except DoudiError:
        return "群众报告"


FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]


class PartIn(Body):
    """A part of a photo or signature."""

    client_id: UUID = Field(title="手机编号")
    name: FileName = Field(title="名称")
    kind: Annotated[str, StringConstraints(pattern="^(photo|signature)$")] = Field(title="种类")
    size: int = Field(title="总字节数", ge=1, le=3 << 20)
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(title="全文摘要")
    offset: int = Field(title="从第几个字节起", ge=0)
    data: Annotated[str, StringConstraints(max_length=400_000)] = Field(title="内容（Base64）")


class PartOut(Schema):
    """How much has come."""

    received: int = Field(title="已收到字节数", description="下一部分从这里起；断线后照此续传")
    complete: bool = Field(title="收齐")


@router.post("/field/files", response=PartOut, summary="传照片或签名", **behind(Act.RECORD_VISIT))
def take_part(request: HttpRequest, asked: PartIn) -> Any:
    """分段传一张照片或签名，可断点续传；收齐后去掉拍摄地点等元数据并加密保存。"""
    try:
        content = base64.b64decode(asked.data, validate=True)
    except ValueError:
        raise ApiRefused("内容不是 Base64。", "The data are not Base64.", code="not_base64") from None
    part = {name: getattr(asked, name) for name in PartIn.model_fields if name != "data"}
    file = monitoring.take_part(**part, content=content, by=caller(request))
    return PartOut(received=file.received, complete=bool(file.stored))


class FieldVisitIn(Body):
    """A visit from a telephone."""

    client_id: UUID = Field(title="手机编号", description="手机为每次入户产生一次；重传用同一个")
    number: Number = Field(title="预警编号")
    seen: int = Field(title="带走时的版本", ge=0, le=2**31 - 1)
    filled_at: datetime = Field(title="填写时间")
    visited_on: Day = Field(title="入户日期")
    visitors: list[Visitor] = Field(title="入户人员", min_length=1, max_length=5)
    result_code: Line = Field("", title="核实结果", description="寻访未遇时为空")
    attempt: bool = Field(False, title="寻访未遇")
    finding: Text = Field(title="核实情况")
    consent: bool = Field(False, title="本人同意转介")
    consent_by: ConsentBy = Field("", title="同意人", description="空为户主")
    consent_how: ConsentHow = Field("", title="同意方式", description="书面、口头（两人在场）、监护人")
    signed: bool = Field(False, title="本人已签字", description="须有一张 signature")
    witnesses: list[Visitor] = Field(default_factory=list, title="见证人", max_length=2)
    location: Annotated[str, StringConstraints(pattern=r"^(-?[0-9.]{1,12},-?[0-9.]{1,12},[0-9.]{1,9})?$")] = (
        Field("", title="位置", description="纬度,经度,误差米（WGS 84）；家庭同意才有")
    )
    files: list[FileName] = Field(default_factory=list, title="照片和签名的名称", max_length=8)


class FieldVisitOut(Schema):
    """What became of a visit."""

    client_id: UUID = Field(title="手机编号")
    state: str = Field(title="状态", description="recorded、conflict、duplicate、noted、set_aside")
    zh: str = Field(title="说明")
    en: str = Field(title="说明（英文）")


@router.post("/field/visits", response=FieldVisitOut, summary="回传入户", **behind(Act.RECORD_VISIT))
def take_field_visit(request: HttpRequest, asked: FieldVisitIn) -> Any:
    """收下手机填写的入户。重传同一编号得到同一答复；他人先办或疑似重复的留待人工处理，不覆盖、不丢弃。"""
    kept = chain.take_field_visit(
        monitoring.SentVisit(**{name: getattr(asked, name) for name in FieldVisitIn.model_fields}),
        by=caller(request),
    )
    return FieldVisitOut(
        client_id=kept.client_id,
        state=kept.state,
        zh=kept.why or kept.get_state_display(),
        en=kept.why_en or kept.state,
    )
