"""Households, what is known of them, divisions, and department files."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller, why
from doudi.api.problems import ApiRefused
from doudi.api.shapes import Body, Day, Line, Number, Page, Paging, RegionPrefix, page_of
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.packs.units import Kind
from doudi.house.paths import home

router = Router(tags=["registry 家庭与数据"])
MAX_UPLOAD_BYTES = 200 << 20
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def shown_name(name: str, by: User) -> str:
    """A person's name, masked for those who may not see who it is."""
    return name if may(by, Act.REVEAL_IDENTITY) or not name else identity.mask_name(name)


def no_id_in_address(text: str) -> None:
    """Refuse a whole ID in a query string, which stays in logs on the way."""
    if identity.mend_id(text) is not None:
        raise ApiRefused(
            "证件号不能写在网址里（会留在沿途的日志中）。请用 POST /households/search，把它放在请求体里。",
            "A whole ID does not belong in an address, which stays in logs; send it in the body of "
            "POST /households/search.",
            code="id_in_address",
        )


# ---- households ---------------------------------------------------------------------------------------------------


class HouseholdRow(Schema):
    """A household in a list."""

    household_no: str = Field(title="户编号")
    head_name: str = Field(title="户主姓名", description="无权查看身份的账号只见姓")
    region_code: str = Field(title="行政区划代码")
    responsible_region: str = Field(title="负责地区")
    region_name: str = Field(title="负责地区名称")
    urban_rural: str = Field(title="城乡类型")
    category: str = Field(title="现有类别", description="空为不在类别内")
    persons: int = Field(title="人数", description="单位：人")
    listed: bool = Field(title="在册")
    register_date: date | None = Field(title="花名册日期")


class MemberOut(Schema):
    """A member of a household; ID and telephone are masked."""

    person_id: int = Field(title="人员序号", description="用于 reveal")
    name: str = Field(title="姓名")
    id_shown: str = Field(title="证件号（遮蔽）")
    sex: str = Field(title="性别")
    age: int | None = Field(title="年龄", description="单位：岁")
    relation: str = Field(title="与户主关系")
    living_together: bool = Field(title="是否共同生活")
    category: str = Field(title="类别")
    category_since: date | None = Field(title="认定日期")
    left_on: date | None = Field(title="退出日期")
    phone: str = Field(title="联系电话（遮蔽）")
    address: str = Field(title="住址", description="无权查看身份的账号为空")
    registered: bool = Field(title="户籍在此", description="户籍家庭成员")
    basis: str = Field(title="计入依据", description="本办登记的计入或不计入共同生活的依据")
    labels: list[str] = Field(title="全部类别")


class TieOut(Schema):
    """A duty of support."""

    obligor: str = Field(title="义务人")
    supported: str = Field(title="被供养人")
    kind: str = Field(title="种类", description="parent 赡养、child 抚养、spouse 扶养")
    amount_fen: int | None = Field(title="每月金额（分）", description="单位：分；null 为未知，不是 0")
    amount_basis: str = Field(title="金额依据")
    valid_from: date = Field(title="起")


class HouseholdOut(HouseholdRow):
    """A household with its members; head, size, category and areas are of the day and as known at the moment asked for."""

    on: date | None = Field(
        title="有效日期", description="户主、人数、类别、地区、成员和供养关系所属日期，空为现在"
    )
    known_on: date | None = Field(title="当时所知", description="按这一天终了时所知，空为现在")
    members: list[MemberOut] = Field(title="成员")
    ties: list[TieOut] = Field(title="赡养、抚养、扶养")


class HouseholdFilters(Paging):
    """What to look for in the list."""

    text: Line = Field(
        "", title="户编号或姓名", description="不能是证件号；按证件号查找用 POST /households/search"
    )
    region: RegionPrefix = Field("", title="行政区划代码前缀")
    category: Line = Field("", title="现有类别", description="none 为不在类别内")


class HouseholdSearch(Body):
    """What to look for, with a whole ID allowed."""

    text: Line = Field("", title="户编号、姓名或完整证件号")
    region: RegionPrefix = Field("", title="行政区划代码前缀")
    category: Line = Field("", title="现有类别")
    page: int = Field(1, ge=1, le=100_000, title="页码")
    page_size: int = Field(25, ge=1, le=100, title="每页条数")


def _row(found: registry.Household, by: User) -> dict[str, Any]:
    return {
        "household_no": found.household_no,
        "head_name": shown_name(found.head_name, by),
        "region_code": found.region_code,
        "responsible_region": found.responsible_region,
        "region_name": registry.region_path(found.responsible_region),
        "urban_rural": found.urban_rural,
        "category": found.category,
        "persons": found.persons,
        "listed": found.listed,
        "register_date": found.register_date,
    }


def _found(request: HttpRequest, asked: HouseholdFilters | HouseholdSearch) -> dict[str, Any]:
    by = caller(request)
    found = registry.households(by=by, text=asked.text, region_code=asked.region, category=asked.category)
    paging = Paging(page=asked.page, page_size=asked.page_size)
    return page_of(found, paging, lambda row: HouseholdRow(**_row(row, by)))


@router.get("/households", response=Page[HouseholdRow], summary="家庭列表", **behind(Act.VIEW_HOUSEHOLDS))
def list_households(request: HttpRequest, asked: Query[HouseholdFilters]) -> Any:
    """本辖区在册家庭，按户编号排列。"""
    no_id_in_address(asked.text)
    return _found(request, asked)


@router.post(
    "/households/search",
    response=Page[HouseholdRow],
    summary="按证件号等查找家庭",
    **behind(Act.VIEW_HOUSEHOLDS),
)
def search_households(request: HttpRequest, asked: HouseholdSearch) -> Any:
    """与列表相同，但查找内容在请求体里，可以是完整证件号。"""
    return _found(request, asked)


class FactRowOut(Schema):
    """One row of a department's file."""

    member: str = Field(title="成员姓名")
    values: dict[str, str] = Field(title="各列", description="列名 → 写给人看的值，金额带“元”字")


class FeedFactsOut(Schema):
    """What one department says."""

    feed: str = Field(title="数据种类")
    label: str = Field(title="名称")
    supplier: str = Field(title="来源部门")
    as_of: date | None = Field(title="数据日期", description="空为没有到")
    file_name: str = Field(title="文件名")
    status: str = Field(title="状态", description="已知、查无、未到、失败：没有到不等于没有")
    rows: list[FactRowOut] = Field(title="各行")


class FactsOut(Schema):
    """What every department says about a household on a date."""

    household_no: str = Field(title="户编号")
    as_of: date = Field(title="数据日期")
    feeds: list[FeedFactsOut] = Field(title="各部门")


class AsOf(Schema):
    """The date asked for."""

    as_of: Day | None = Field(None, title="数据日期", description="YYYY-MM-DD；空为最近的花名册日期")
    reason: Line = Field("", title="事由", description="记入审计日志")


def _day(asked: Day | None) -> date:
    on = asked or registry.latest_register_date()
    if on is None:
        raise ApiRefused(
            "还没有装载过花名册，请写明 as_of。", "No register has been loaded yet.", code="register_missing"
        )
    return on


@router.get(
    "/households/{path:household_no}/facts",
    response=FactsOut,
    summary="部门数据",
    **behind(Act.VIEW_FINANCES),
)
def household_facts(request: HttpRequest, household_no: Number, asked: Query[AsOf]) -> Any:
    """各部门对该户的记载，连同来源和日期。每次查看记入审计日志。"""
    by = caller(request)
    found = registry.look_at_household(household_no, by=by, reason=why(request, asked.reason))
    on = _day(asked.as_of)
    feeds = registry.facts(found, chain.rules()[0].feeds, on=on, by=by)
    return {
        "household_no": household_no,
        "as_of": on,
        "feeds": [
            {
                **{
                    key: getattr(feed, key)
                    for key in ("feed", "label", "supplier", "as_of", "file_name", "status")
                },
                "rows": [
                    {"member": shown_name(row.member, by), "values": dict(row.values)} for row in feed.rows
                ],
            }
            for feed in feeds
        ],
    }


class ParameterOut(Schema):
    """A parameter that a value rests on."""

    name: str = Field(title="参数")
    value: str = Field(title="数值", description="带单位，如 745.00元")
    region: str = Field(title="地区")
    urban_rural: str = Field(title="城乡类型")
    valid_from: str = Field(title="起")
    document: str = Field(title="文件")
    clause: str = Field(title="条款")
    mark: str = Field(title="标记")


class VariableOut(Schema):
    """One value on the way to the category."""

    name: str = Field(title="变量")
    entity: str = Field(title="对象", description="household 或 person")
    member: int | None = Field(title="第几名成员")
    value: bool | int | str | None = Field(
        title="数值", description="金额为元的十进制数；null 为待核，不是 0 也不是否"
    )
    value_fen: int | None = Field(title="金额（分）", description="单位：分；不是金额或不足整分时为 null")
    unit: str = Field(title="单位")
    status: str = Field(title="状态", description="已知或待核")
    missing: list[str] = Field(title="缺少的数据")
    inputs: dict[str, Any] = Field(title="用到的值")
    parameter: ParameterOut | None = Field(title="参数")
    parameters: list[ParameterOut] = Field(title="全部参数")
    feeds: list[str] = Field(title="用到的数据")
    clause: str = Field(title="依据")
    mark: str = Field(
        "", title="标记", description="[verified] 已核对原文、[recalled] 待核对、[assumed] 假定"
    )
    reason: str = Field(title="说明")
    formula: str = Field(title="公式")
    sentence: str = Field(title="句子")


class ExplanationOut(Schema):
    """Why a household is what it is on a date."""

    household_no: str = Field(title="户编号")
    as_of: date = Field(title="数据日期")
    region_code: str = Field(title="行政区划代码")
    category: str = Field(title="筛查类别", description="TK DB BY GX NONE UNKNOWN")
    category_label: str = Field(title="筛查类别名称")
    register_category: str | None = Field(title="现有类别")
    change: str = Field(title="变化")
    level: str = Field(title="预警级别")
    risk_level: str = Field(title="风险级别")
    warnings: list[str] = Field(title="信号")
    undecided: list[str] = Field(title="待核的信号")
    missing: dict[str, str] = Field(title="缺少的数据", description="数据种类 → not_arrived、failed 等")
    variables: list[VariableOut] = Field(title="各变量")
    sentence: str = Field(title="说明", description="可以读给家庭听的一段话")
    pack: str = Field(title="政策包")
    pack_hash: str = Field(title="政策包摘要")


@router.get(
    "/households/{path:household_no}/explanation",
    response=ExplanationOut,
    summary="解释",
    **behind(Act.VIEW_FINANCES),
)
def household_explanation(request: HttpRequest, household_no: Number, asked: Query[AsOf]) -> Any:
    """该户在某日为什么是这个类别：每一个变量、参数和条款。与筛查是同一个查询。每次查看记入审计日志。"""
    found = registry.look_at_household(household_no, by=caller(request), reason=why(request, asked.reason))
    explanation = chain.explain(found.household_no, as_of=_day(asked.as_of))
    told = explanation.to_json()
    for variable, explained in zip(told["variables"], explanation.variables, strict=True):
        whole = explained.kind == Kind.MONEY and explained.value is not None and explained.value % 1 == 0
        variable["value_fen"] = int(explained.value) if whole else None
    return told


class Reveal(Body):
    """Whose whole ID is asked for, and why."""

    person_id: int = Field(title="人员序号", ge=1, le=2**62)
    reason: Annotated[
        str, StringConstraints(min_length=4, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    ] = Field(title="事由", description="至少四个字，记入审计日志")


class Revealed(Schema):
    """A member with the whole ID and telephone."""

    person_id: int = Field(title="人员序号")
    name: str = Field(title="姓名")
    id_number: str = Field(title="证件号")
    phone: str = Field(title="联系电话")


@router.post(
    "/households/{path:household_no}/reveal",
    response=Revealed,
    summary="查看完整证件号",
    **behind(Act.REVEAL_IDENTITY),
)
def reveal(request: HttpRequest, household_no: Number, asked: Reveal) -> Any:
    """一名成员的完整证件号和电话；事由、账号和时间记入审计日志。"""
    by = caller(request)
    found = registry.household(household_no, by=by)
    person = registry.reveal_identity(found, asked.person_id, by=by, reason=why(request, asked.reason))
    return {"person_id": person.pk, "name": person.name, "id_number": person.id_number, "phone": person.phone}


class On(Schema):
    """The date whose members are asked for."""

    on: Day | None = Field(None, title="日期", description="YYYY-MM-DD；空为现在")
    valid_on: Day | None = Field(None, title="有效日期", description="哪一天的情况；与 on 相同，两者取其一")
    known_on: Day | None = Field(None, title="当时所知", description="按这一天终了时所知；空为现在")
    reason: Line = Field("", title="事由", description="记入审计日志")


@router.get(
    "/households/{path:household_no}", response=HouseholdOut, summary="家庭", **behind(Act.VIEW_HOUSEHOLDS)
)
def one_household(request: HttpRequest, household_no: Number, asked: Query[On]) -> Any:
    """一户及其成员，证件号和电话遮蔽。每次查看记入审计日志。"""
    by = caller(request)
    found = registry.look_at_household(household_no, by=by, reason=why(request, asked.reason))
    on, known_at = asked.valid_on or asked.on or asked.known_on, registry.end_of(asked.known_on)
    then = registry.household_then(found, on=on, known_at=known_at)
    members = registry.members(found, by=by, on=on, known_at=known_at)
    ties = [
        {
            "obligor": shown_name(tie.obligor.name, by),
            "supported": shown_name(tie.supported.name, by),
            **{name: getattr(tie, name) for name in ("kind", "amount_fen", "amount_basis", "valid_from")},
        }
        for tie in registry.ties(found, by=by, on=on, known_at=known_at)
    ]
    return {
        **_row(found, by),
        **vars(then),
        "head_name": shown_name(then.head_name, by),
        "region_name": registry.region_path(then.responsible_region),
        "on": on,
        "known_on": asked.known_on,
        "members": members,
        "ties": ties,
    }


# ---- divisions ----------------------------------------------------------------------------------------------------


class RegionRow(Schema):
    """A division."""

    code: str = Field(title="行政区划代码")
    name: str = Field(title="名称")


class RegionOut(RegionRow):
    """A division between those above and below it."""

    level: str = Field(title="层级")
    path: list[RegionRow] = Field(title="从省到本级")
    children: list[RegionRow] = Field(title="下一级")


_CODE = re.compile(r"\d{2}|\d{4}|\d{6}|\d{9}|\d{12}", re.ASCII)


@router.get("/regions/{code}", response=RegionOut, summary="行政区划", **behind(None))
def region(request: HttpRequest, code: Annotated[str, StringConstraints(pattern=r"^[0-9]{2,12}$")]) -> Any:
    """一个区划的名称、上级和下级（GB/T 2260 及统计用区划代码，到村）。"""
    path = registry.path_of(code)
    above = path[-2] if len(path) > 1 else ""
    if not _CODE.fullmatch(code) or code not in dict(registry.children(above)):
        raise ApiRefused(f"没有区划 {code}。", f"No division {code}.", code="region_not_found")
    return {
        "code": code,
        "name": registry.region_name(code),
        "level": registry.LEVEL_NAMES[len(code)],
        "path": [{"code": step, "name": registry.region_name(step)} for step in path],
        "children": [{"code": below, "name": name} for below, name in registry.children(code)],
    }


# ---- department files ---------------------------------------------------------------------------------------------


class LoadOut(Schema):
    """One department file that was sent."""

    id: int = Field(title="序号")
    feed: str = Field(title="数据种类")
    label: str = Field(title="名称")
    as_of: date = Field(title="数据日期")
    source: str = Field(title="来源单位")
    file_name: str = Field(title="文件名")
    sha256: str = Field(title="文件摘要")
    status: str = Field(title="状态", description="in_force、superseded、refused")
    problem_zh: str = Field(title="问题")
    problem_en: str = Field(title="Problem")
    counts: dict[str, Any] = Field(title="计数", description="单位：行；拒收的文件为空")
    loaded_at: datetime = Field(title="装载时间")
    loaded_by: str = Field(title="装载人")


class LoadTaken(LoadOut):
    """What came of a file just sent."""

    unchanged: bool = Field(title="此前已装载", description="同一文件再装一次没有变化")


def _load(load: registry.FeedLoad, counts: dict[str, Any]) -> dict[str, Any]:
    spec = chain.rules()[0].feeds.get(load.feed)
    return {
        "id": load.pk,
        "feed": load.feed,
        "label": spec.label if spec else load.feed,
        "as_of": load.as_of,
        "source": load.source,
        "file_name": load.file_name,
        "sha256": load.file_hash,
        "status": load.status,
        "problem_zh": load.problem,
        "problem_en": load.problem_en,
        "counts": counts,
        "loaded_at": load.loaded_at,
        "loaded_by": load.loaded_by,
    }


def _one_load(load_id: int, by: User) -> registry.FeedLoad:
    found = registry.loads(by=by).filter(pk=load_id).first()
    if found is None:
        raise ApiRefused(f"没有装载 {load_id}。", f"No load {load_id}.", code="load_not_found")
    return found


@router.get("/loads", response=Page[LoadOut], summary="数据装载列表", **behind(Act.VIEW_LOADS))
def list_loads(request: HttpRequest, asked: Query[Paging]) -> Any:
    """收到的每一个文件，新的在前。"""
    page = page_of(registry.loads(by=caller(request)), asked, lambda load: load)
    shown = [LoadOut(**_load(load, counts)) for load, counts in registry.counted(page["items"])]
    return page | {"items": shown}


class LoadForm(Schema):
    """What comes with a file."""

    as_of: Day = Field(title="数据日期", description="YYYY-MM-DD，数据截至哪一天")
    feed: Line = Field("", title="数据种类", description="空为按表头和文件名识别")
    source: Line = Field("", title="来源单位")


@router.post(
    "/loads", response={200: LoadTaken, 201: LoadTaken}, summary="装载文件", **behind(Act.LOAD_FEEDS)
)
def take_in(request: HttpRequest, form: Form[LoadForm], file: File[UploadedFile]) -> Any:
    """装载一个部门文件（xlsx、xls、csv、parquet，不超过 200 MB）。同一文件重发没有变化，答 200。"""
    with _set_down(file) as path:
        outcome = chain.take_in_file(
            form.feed or None, path, as_of=form.as_of, by=caller(request), source=form.source.strip()
        )
    assert outcome.load is not None
    shown = LoadTaken(**_load(outcome.load, outcome.counts), unchanged=outcome.unchanged)
    return Status(200 if outcome.unchanged else 201, shown)


@contextmanager
def _set_down(upload: UploadedFile) -> Iterator[Path]:
    """The uploaded file under its own name in a folder only this office's account can read, gone afterwards."""
    if (upload.size or 0) > MAX_UPLOAD_BYTES:
        raise ApiRefused("文件超过 200 MB。", "The file is larger than 200 MB.", code="file_too_large")
    sent = Path(re.sub(r"[\x00-\x1f\x7f]", "", upload.name or "") or "upload")
    folder = home().work / f"upload-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        # a name is at most 255 bytes on disk, and a Chinese character is three
        path = folder / f"{sent.stem[:60]}{sent.suffix[:10]}"
        with path.open("wb") as out:
            for block in upload.chunks():
                out.write(block)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


LoadId = Annotated[int, Field(ge=1, le=2**62)]


@router.get("/loads/{load_id}", response=LoadOut, summary="一次装载", **behind(Act.VIEW_LOADS))
def one_load(request: HttpRequest, load_id: LoadId) -> Any:
    """一个文件及其计数。"""
    load = _one_load(load_id, caller(request))
    return _load(load, registry.counts_of(load))


@router.get(
    "/loads/{load_id}/return",
    summary="退回单",
    **behind(
        Act.VIEW_LOADS,
        responses={
            200: {
                "description": "xlsx",
                "content": {_WORKBOOK: {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    ),
)
def load_return(request: HttpRequest, load_id: LoadId) -> HttpResponse:
    """来源单位的原表，错误的格子已标出，用于退回更正。下载记入审计日志。"""
    by = caller(request)
    load = _one_load(load_id, by)
    content = registry.quarantine_workbook(load, by=by)
    name = quote(f"退回_{Path(load.file_name).stem}_{load.as_of}.xlsx")
    return HttpResponse(
        content,
        content_type=_WORKBOOK,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )
