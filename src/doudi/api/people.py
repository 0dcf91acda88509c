"""Lists of people, and people who stand in the registry twice: the queue, the look before entry, the decision."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.registry import no_id_in_address
from doudi.api.shapes import (
    Body,
    Day,
    Line,
    Page,
    Paging,
    RegionPrefix,
    RetryKey,
    page_of,
    retriable,
)
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.registry import services as registry
from doudi.engine.linkage import Reason

router = Router(tags=["people 人员与查重"])
Age = Annotated[int, Field(ge=0, le=150)]
Mark = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$", max_length=600)]


# ---- lists --------------------------------------------------------------------------------------------------------


class PersonRow(Schema):
    """A person of a household; ID and telephone are masked."""

    person_id: int = Field(title="人员序号", description="用于 reveal")
    name: str = Field(title="姓名", description="无权查看身份的账号只见姓")
    id_shown: str = Field(title="证件号（遮蔽）")
    sex: str = Field(title="性别")
    age: int | None = Field(title="年龄", description="单位：岁；null 为出生日期不详")
    relation: str = Field(title="与户主关系")
    phone: str = Field(title="联系电话（遮蔽）")
    household_no: str = Field(title="户编号")
    category: str = Field(title="现有类别", description="家庭的类别，空为不在类别内")
    urban_rural: str = Field(title="城乡类型")
    region_code: str = Field(title="行政区划代码")
    responsible_region: str = Field(title="负责地区")
    region_name: str = Field(title="负责地区名称")
    disability: str | None = Field(
        title="残疾", description="如 肢体2级；空为没有有效的残疾人证；null 为无权查看，或残疾人证数据没有到"
    )


class PersonPage(Schema):
    """One page of people; the next is asked for with its mark, so that a page of a million costs what one of ten does."""

    items: list[PersonRow] = Field(title="本页")
    next: str = Field(title="下一页标记", description="作 after 送回；空为最后一页")
    count: int | None = Field(title="人数", description="只数到 1000，1001 为超过 1000；查找和续页时为 null")
    kinds: list[str] = Field(title="按什么查找", description="text 被当作姓名、拼音、证件号末位等")


class PersonFilters(Schema):
    """Which people of the area; what is left out narrows nothing."""

    text: Line = Field(
        "",
        title="姓名、拼音、证件号末位、电话、户编号",
        description="完整证件号用 POST /persons/search，放在请求体里",
    )
    region: RegionPrefix = Field("", title="负责地区代码前缀")
    category: Line = Field("", title="现有类别", description="none 为不在类别内")
    urban_rural: Literal["", "城镇", "农村"] = Field("", title="城乡类型")
    sex: Literal["", "男", "女"] = Field("", title="性别")
    age_from: Age | None = Field(None, title="年龄从", description="单位：岁")
    age_to: Age | None = Field(None, title="年龄到", description="单位：岁")
    alone: bool = Field(False, title="独居")
    disability: Literal["", "any", "severe", "1", "2", "3", "4"] = Field(
        "", title="残疾", description="any 有残疾人证、severe 一、二级、或某一级；要有查看家庭经济状况的权限"
    )
    disability_kind: Line = Field("", title="残疾类别", description="如 肢体、精神；权限同上")
    warned: bool = Field(False, title="有未办结预警")
    since: Day | None = Field(None, title="认定日期自")
    after: Mark = Field("", title="下一页标记")
    limit: int = Field(25, ge=1, le=100, title="每页人数")


class PersonSearch(PersonFilters, Body):
    """The same in a request body, with a whole ID or telephone allowed."""


def _person(row: registry.Row, by: User, *, arrived: bool) -> PersonRow:
    columns = ("name", "id_shown", "sex", "age", "relation", "phone", "disability")
    told = registry.told(row, columns, by=by)
    if not arrived or not may(by, Act.VIEW_FINANCES):
        told["disability"] = None
    home = row.household
    assert row.person is not None
    return PersonRow(
        person_id=row.person.pk,
        household_no=home.household_no,
        category=home.category,
        urban_rural=home.urban_rural,
        region_code=home.region_code,
        responsible_region=home.responsible_region,
        region_name=registry.region_path(home.responsible_region),
        **told,
    )


def _people(request: HttpRequest, asked: PersonFilters) -> PersonPage:
    by = caller(request)
    conditions = registry.Conditions.read(asked.model_dump(exclude={"after", "limit"}))
    page = chain.list_page(registry.PERSONS, conditions, by=by, after=asked.after, limit=asked.limit)
    arrived = chain.disabilities_at_hand()
    registry.with_disabilities(page.rows)
    return PersonPage(
        items=[_person(row, by, arrived=arrived) for row in page.rows],
        next=page.next,
        count=page.count,
        kinds=[registry.KIND_LABELS[kind] for kind in page.kinds],
    )


@router.get("/persons", response=PersonPage, summary="人员列表", **behind(Act.VIEW_HOUSEHOLDS))
def list_people(request: HttpRequest, asked: Query[PersonFilters]) -> Any:
    """本辖区在册人员，按地区和户编号排列；条件与工作台“按人”列表相同。"""
    no_id_in_address(asked.text)
    return _people(request, asked)


@router.post(
    "/persons/search", response=PersonPage, summary="按证件号等查找人员", **behind(Act.VIEW_HOUSEHOLDS)
)
def search_people(request: HttpRequest, asked: PersonSearch) -> Any:
    """与列表相同，但放在请求体里，可以是完整证件号或电话；按证件号、电话查找记入审计日志。"""
    return _people(request, asked)


# ---- people who stand twice ---------------------------------------------------------------------------------------


class ReasonOut(Schema):
    """Why two records are alike or not."""

    zh: str = Field(title="理由")
    en: str = Field(title="理由（英文）")
    speaks: str = Field(title="说明什么", description="for 像同一人、against 不像、empty 缺少可比内容")


def _reasons(found: tuple[Reason, ...]) -> list[ReasonOut]:
    return [ReasonOut(zh=one.zh, en=one.en, speaks=str(one.speaks)) for one in found]


class SideOut(Schema):
    """One of the two records."""

    person_id: int = Field(title="人员序号")
    name: str = Field(title="姓名")
    id_shown: str = Field(title="证件号（遮蔽）", description="只露出两条记录不同的那一位")
    sex: str = Field(title="性别")
    born_on: date | None = Field(title="出生日期")
    phone: str = Field(title="联系电话（遮蔽）")
    household_no: str = Field(title="户编号", description="空为现在不在任何一户")
    region_code: str = Field(title="负责地区")


class PairOut(Schema):
    """Two records that may be one person."""

    pair: int = Field(title="编号")
    status: str = Field(title="状态", description="waiting、doubtful、same、different、gone")
    probability: float = Field(title="概率", description="0 到 1")
    sides: list[SideOut] = Field(title="两条记录")
    reasons: list[ReasonOut] = Field(title="理由")
    found_at: datetime = Field(title="发现时间")
    decided_by: str = Field(title="判定人")
    decided_at: datetime | None = Field(title="判定时间")
    ground: str = Field(title="判定理由")
    merge_number: str = Field(title="合并事项编号", description="用于 /changes；空为没有合并")


def _pair(found: registry.PairShown) -> PairOut:
    pair = found.pair
    same = ("status", "probability", "found_at", "decided_by", "decided_at", "ground", "merge_number")
    return PairOut(
        pair=pair.pk,
        sides=[
            SideOut(
                id_shown="".join(sign for sign, _differs in side.id_signs),
                **{name: getattr(side, name) for name in SideOut.model_fields if name != "id_shown"},
            )
            for side in found.sides
        ],
        reasons=_reasons(found.reasons),
        **{name: getattr(pair, name) for name in same},
    )


class PairFilters(Paging):
    """Which pairs."""

    status: Literal["", "open", "waiting", "doubtful", "same", "different", "gone"] = Field(
        "open", title="状态", description="open 为待判定和存疑，空为全部"
    )
    region: RegionPrefix = Field("", title="负责地区代码前缀", description="任一方在内")


@router.get("/duplicates", response=Page[PairOut], summary="疑似重复", **behind(Act.VIEW_DUPLICATES))
def list_pairs(request: HttpRequest, asked: Query[PairFilters]) -> Any:
    """本辖区的疑似重复，最像的在前；一方在辖区外的由上级判定。"""
    by = caller(request)
    found = registry.duplicate_pairs(by=by, status=asked.status, region_code=asked.region)
    return page_of(found, asked, lambda pair: _pair(registry.shown(pair, by=by)))


PairId = Annotated[int, Field(ge=1, le=2**62)]


class EntryAsked(Body):
    """What is known of a person about to be entered."""

    name: Line = Field("", title="姓名", description="姓名和证件号至少一项")
    id_number: Annotated[Line, StringConstraints(max_length=40)] = Field(
        "", title="证件号", description="15 位、18 位都可以"
    )
    born_on: Day | None = Field(None, title="出生日期", description="空为取自证件号")
    address: Annotated[Line, StringConstraints(max_length=200)] = Field("", title="住址")
    phone: Annotated[Line, StringConstraints(max_length=30)] = Field("", title="联系电话")


class PossibleOut(Schema):
    """Somebody of the register who may be the person."""

    person_id: int = Field(title="人员序号")
    name: str = Field(title="姓名", description="辖区外的只见姓")
    id_shown: str = Field(title="证件号（遮蔽）", description="辖区外的为空")
    household_no: str = Field(title="户编号", description="辖区外的为空")
    region_code: str = Field(title="负责地区")
    probability: float = Field(title="概率", description="0 到 1")
    elsewhere: bool = Field(title="在辖区外")
    former_number: bool = Field(title="曾用号", description="所填证件号是曾用号，或已并入的记录的号码")
    reasons: list[ReasonOut] = Field(title="理由")


def show_possible(one: registry.PossibleDuplicate) -> PossibleOut:
    """Somebody of the register who may be the person about to be entered."""
    same = {name: getattr(one, name) for name in PossibleOut.model_fields if name != "reasons"}
    return PossibleOut(reasons=_reasons(one.reasons), **same)


@router.post(
    "/duplicates/check", response=list[PossibleOut], summary="录入前查重", **behind(Act.CHECK_DUPLICATE)
)
def check(request: HttpRequest, asked: EntryAsked) -> Any:
    """要录入的人是不是已经在册；每查一次记入审计日志。"""
    found = chain.possible_duplicates(by=caller(request), **asked.model_dump())
    return [show_possible(one) for one in found]


class SearchAsked(Body):
    """Which area is searched."""

    region: RegionPrefix = Field("", title="行政区划代码", description="空为本账号的辖区")


class SearchOut(Schema):
    """What a search came to, in pairs."""

    people: int = Field(title="比对人数")
    new: int = Field(title="新增")
    again: int = Field(title="仍待判定")
    settled: int = Field(title="已判定，不再问")
    gone: int = Field(title="不再相似")
    merged: int = Field(title="自动合并", description="政策包的自动合并概率以上；默认不自动合并")
    keys_too_common: int = Field(title="没有使用的比对键", description="过于常见")


@router.post("/duplicates/find", response=SearchOut, summary="批量查重", **behind(Act.FIND_DUPLICATES))
def find(request: HttpRequest, asked: SearchAsked, retry_key: RetryKey = None) -> Any:
    """比对辖区内全部在册人员，疑似的进入待判定清单。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: SearchOut(**vars(chain.find_duplicates(by=by, region_code=asked.region))),
    )


class Verdict(Body):
    """Whether two records are one person."""

    verdict: Literal["same", "different", "doubtful"] = Field(title="判定")
    ground: Annotated[Line, StringConstraints(max_length=300)] = Field(
        title="判定理由", description="至少四个字"
    )
    keep: int | None = Field(None, title="同一人时保留的人员序号", ge=1, le=2**62)


@router.post(
    "/duplicates/{pair}/decide", response=PairOut, summary="判定疑似重复", **behind(Act.DECIDE_DUPLICATE)
)
def decide(request: HttpRequest, pair: PairId, asked: Verdict, retry_key: RetryKey = None) -> Any:
    """同一人随即合并，改变了什么见 merge_number；两人同时判定，先到的算数。"""
    by = caller(request)

    def act() -> PairOut:
        return _pair(registry.shown(chain.decide_pair(pair, by=by, **asked.model_dump()), by=by))

    return retriable(request, retry_key, asked, act)


class Reopen(Body):
    """Why a decision is taken back."""

    ground: Annotated[Line, StringConstraints(max_length=300)] = Field(
        title="撤销理由", description="至少四个字"
    )


@router.post(
    "/duplicates/{pair}/reopen", response=PairOut, summary="撤销判定", **behind(Act.DECIDE_DUPLICATE)
)
def reopen(request: HttpRequest, pair: PairId, asked: Reopen, retry_key: RetryKey = None) -> Any:
    """这一对重新存疑；已合并的恢复为两人，后来的变动以合并为前提时拒绝。"""
    by = caller(request)

    def act() -> PairOut:
        return _pair(registry.shown(chain.reopen_pair(pair, ground=asked.ground, by=by), by=by))

    return retriable(request, retry_key, asked, act)


@router.get("/duplicates/{pair}", response=PairOut, summary="一对疑似重复", **behind(Act.VIEW_DUPLICATES))
def one_pair(request: HttpRequest, pair: PairId) -> Any:
    """两条记录对照和理由；查看记入审计日志。"""
    return _pair(registry.look_at_pair(pair, by=caller(request)))
