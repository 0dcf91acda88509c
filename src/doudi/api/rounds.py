"""The courier's telephone: rounds to take along, pictures in parts, and what happened at each door, once it comes back."""

from __future__ import annotations

import base64
from datetime import datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import AwareDatetime, Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.fieldwork import FileName, PartIn, PartOut
from doudi.api.problems import ApiRefused
from doudi.api.shapes import Body, Line
from doudi.contexts.accounts.services import Act
from doudi.contexts.meals import services as meals
from doudi.contexts.monitoring import services as monitoring

router = Router(tags=["rounds 送餐员手机"])
Key = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ContactOut(Schema):
    """Whom to call where nobody opens."""

    whom: str = Field(title="联系谁", description="diner、carer、worker")
    label: str = Field(title="称呼")
    name: str = Field(title="姓名")
    phone: str = Field(title="电话")
    called: str = Field(title="联络结果", description="空为还没有打")


class DoorOut(Schema):
    """A door of a round."""

    stop: int = Field(title="送餐点")
    place: int = Field(title="顺序")
    due_at: time = Field(title="预计到达")
    name: str = Field(title="姓名")
    address: str = Field(title="住址")
    phone: str = Field(title="电话")
    remark: str = Field(title="送餐提示")
    texture: str = Field(title="食物质地")
    proof: str = Field(title="领餐凭据", description="code、card、signature")
    check: str = Field(title="取餐码校验", description="手机离线时用来发现输错的取餐码，不能还原取餐码")
    state: str = Field(title="状态", description="waiting、handed、shut、safe")
    warning_no: str = Field(title="预警编号")
    contacts: list[ContactOut] = Field(title="联系顺序")


class RoundOut(Schema):
    """A round of today."""

    round: int = Field(title="路线")
    site: str = Field(title="助餐点")
    meal: str = Field(title="餐次")
    place: int = Field(title="第几趟")
    leaves_at: time = Field(title="出发")
    load: int = Field(title="份数")
    mine: bool = Field(title="已由本账号接走")
    doors: list[DoorOut] = Field(title="送餐点", description="接走之后才有")


class RoundsOut(Schema):
    """What a courier's telephone takes along."""

    account: str = Field(title="账号")
    taken_at: datetime = Field(title="带走时间")
    rounds: list[RoundOut] = Field(title="今天的路线")


def _door(door: meals.Door) -> DoorOut:
    person, stop = door.diner, door.stop
    return DoorOut(
        stop=stop.pk,
        place=stop.place,
        due_at=stop.due_at,
        name=person.name,
        address=door.address,
        phone=door.phone,
        remark=person.remark,
        texture=str(person.get_texture_display()),
        proof=person.proof,
        check=meals.code_check(stop),
        state=stop.state,
        warning_no=stop.warning_no,
        contacts=[
            ContactOut(whom=one.whom, label=one.label, name=one.name, phone=one.phone, called=one.called)
            for one in door.contacts
        ],
    )


@router.post("/rounds/along", response=RoundsOut, summary="带走路线", **behind(Act.DELIVER_MEAL))
def take_rounds(request: HttpRequest) -> Any:
    """本账号今天的送餐路线，供手机离线使用；已接走的带姓名、住址和电话，记入审计日志。"""
    by = caller(request)
    return RoundsOut(
        account=by.username,
        taken_at=timezone.now(),
        rounds=[
            RoundOut(
                round=one.round.pk,
                site=one.round.delivery.site.name,
                meal=str(meals.Meal(one.round.delivery.meal).label),
                place=one.round.place,
                leaves_at=one.round.leaves_at,
                load=one.round.load,
                mine=one.round.courier == by.username,
                doors=[_door(door) for door in one.doors],
            )
            for one in chain.take_rounds_along(by=by)
        ],
    )


class RoundIn(Body):
    """A round to be taken on."""

    round: Key = Field(title="路线")


class RoundTakenOut(Schema):
    """A round that was taken on."""

    round: int = Field(title="路线")
    left_at: datetime | None = Field(title="出发时间")


@router.post("/rounds/take", response=RoundTakenOut, summary="接走路线", **behind(Act.DELIVER_MEAL))
def take_round(request: HttpRequest, asked: RoundIn) -> Any:
    """接走一条路线并出发；再接一次仍是原来那次。"""
    found = meals.take_round(asked.round, by=caller(request))
    return RoundTakenOut(round=found.pk, left_at=found.left_at)


@router.post("/rounds/files", response=PartOut, summary="传照片或签字", **behind(Act.DELIVER_MEAL))
def take_proof_part(request: HttpRequest, asked: PartIn) -> Any:
    """分段传一张交付照片或签字，可断点续传；收齐后去掉元数据并加密保存。"""
    try:
        content = base64.b64decode(asked.data, validate=True)
    except ValueError:
        raise ApiRefused("内容不是 Base64。", "The data are not Base64.", code="not_base64") from None
    part = {name: getattr(asked, name) for name in PartIn.model_fields if name != "data"}
    file = monitoring.take_part(**part, content=content, by=caller(request), act=Act.DELIVER_MEAL)
    return PartOut(received=file.received, complete=bool(file.stored))


class DoorActIn(Body):
    """What happened at a door."""

    client_id: UUID = Field(title="手机编号", description="手机为每件事产生一次；重传用同一个")
    stop: Key = Field(title="送餐点")
    kind: Literal["hand", "shut", "call"] = Field(title="事项", description="交付、敲门无人应、联络")
    at: AwareDatetime = Field(title="时间", description="带时区；手机上的时间")
    key: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=40)] = Field(
        "", title="取餐码或卡号"
    )
    picture: FileName | None = Field(None, title="照片或签字的名称", description="没有取餐码和卡时，先传图")
    whom: Literal["", "diner", "carer", "worker"] = Field("", title="联系了谁")
    result: Literal["", "safe", "no_answer", "unknown"] = Field("", title="联络结果")
    note: Line = Field("", title="说明")


class DoorActOut(Schema):
    """What became of it."""

    client_id: UUID = Field(title="手机编号")
    state: str = Field(title="结果", description="recorded、already、noted")
    door_state: str = Field(title="送餐点状态", description="waiting、handed、shut、safe")
    warning_no: str = Field(title="预警编号", description="联系不上老人时立的预警")


@router.post("/rounds/acts", response=DoorActOut, summary="登记送餐点的事", **behind(Act.DELIVER_MEAL))
def take_door_act(request: HttpRequest, asked: DoorActIn) -> Any:
    """登记一处送餐点的交付、敲门无人应或联络。重传同一编号不会登记两次；他人先登记的不改动，记入时间线。"""
    by = caller(request)
    sent = meals.SentAct(
        token=asked.client_id,
        stop=asked.stop,
        kind=asked.kind,
        at=asked.at,
        key=asked.key.strip(),
        picture=asked.picture or "",
        whom=asked.whom,
        result=asked.result,
        note=asked.note,
    )
    kept = chain.take_door_act(sent, by=by)
    stop = meals.stop_of(asked.stop, by=by)
    return DoorActOut(
        client_id=kept.token, state=kept.state, door_state=stop.state, warning_no=stop.warning_no
    )
