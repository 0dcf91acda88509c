"""Member bodies, needs and claims by program: filing aid, reading the list of needs, claiming, giving.

What a body may see of a need or a filing is one table (:mod:`field_rules`); a field it may not see is not in the answer.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Day, Fen, Line, Number, Page, Paging, RetryKey, Text, page_of, retriable
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.charity import services as charity
from doudi.engine import identity

router = Router(tags=["linkage 慈善衔接"])
Code = Annotated[str, StringConstraints(pattern=r"^[A-Z_]{1,20}$")]
"""A word of the pack's linkage.yaml: a kind of need, a source of money."""


class Sparse(Schema):
    """An answer without the fields that its reader may not see: not null, not there."""

    def model_dump(self, **how: Any) -> dict[str, Any]:
        return super().model_dump(**{"exclude_unset": True, **how})


class FilingOut(Sparse):
    """An aid that was filed; what the register adds to it is for the office alone."""

    number: str = Field(title="备案编号")
    organisation: str = Field(title="帮扶主体")
    name: str = Field(title="姓名", description="本单位填的全名；其他账号为遮蔽的姓名")
    id_shown: str = Field(title="证件号（遮蔽）")
    group_count: int | None = Field(title="集体帮扶人数")
    kind: str = Field(title="需求种类")
    way: str = Field(title="帮扶方式", description="cash、goods、service")
    amount_fen: int = Field(title="金额或折价（分）", description="单位：分；冲正为负")
    what: str = Field(title="内容")
    aided_on: date = Field(title="帮扶日期")
    project: str = Field(title="项目或基金")
    money: str = Field(title="资金来源")
    consent: bool | None = Field(title="本人同意", description="null 为没有问")
    need_code: str = Field(title="需求编号")
    filed_on: date = Field(title="备案日期")
    due_on: date = Field(title="备案期限")
    late_workdays: int = Field(title="迟报工作日")
    supplements: bool = Field(title="补报")
    state: str = Field(title="状态", description="standing 有效、countered 已冲正、counter 冲正分录")
    reverse_ground: str = Field(title="冲正理由")
    household_no: str | None = Field(None, title="户编号", description="只给民政部门，其余没有这一项")
    region_code: str | None = Field(None, title="负责地区", description="只给民政部门，其余没有这一项")
    category: str | None = Field(None, title="当时类别", description="只给民政部门，其余没有这一项")


def show_filing(found: charity.AidFiling, by: User) -> FilingOut:
    """A filing as the API tells it."""
    own = charity.viewer(by) is charity.Viewer.BODY
    state = "counter" if found.reverses_id else "countered" if hasattr(found, "reversed_by") else "standing"
    plain = {name: getattr(found, name) for name in charity.FILING_FIELDS if name not in _MADE}
    values = {
        **plain,
        "organisation": found.organisation.code,
        "name": found.name if own else identity.mask_name(found.name),
        "id_shown": identity.mask_id(found.id_number) if found.id_number else "",
        "state": state,
    }
    return FilingOut(**charity.allowed(values, charity.FILING_FIELDS, by))


_MADE = ("organisation", "name", "id_shown", "state")


class FilingFilters(Paging):
    """Which filings."""

    late: bool = Field(False, title="只看迟报的")


@router.get(
    "/linkage/filings",
    response=Page[FilingOut],
    exclude_unset=True,
    summary="备案列表",
    **behind(Act.VIEW_FILINGS),
)
def list_filings(request: HttpRequest, asked: Query[FilingFilters]) -> Any:
    """成员单位和慈善组织见本单位的，民政部门见辖区的。"""
    by = caller(request)
    return page_of(charity.filings(by=by, late=asked.late), asked, lambda found: show_filing(found, by))


class AidIn(Body):
    """One aid: a person by name and ID, or a group by its count."""

    name: Line = Field("", title="姓名")
    id_number: Line = Field("", title="身份证号")
    group_count: Annotated[int, Field(ge=1, le=999_999)] | None = Field(None, title="集体帮扶人数")
    aided_on: Day = Field(title="帮扶日期")
    kind: Code = Field(title="需求种类", description="政策包 linkage.yaml 的码")
    way: Literal["cash", "goods", "service"] = Field(title="帮扶方式")
    amount_fen: Fen = Field(0, title="金额或折价（分）", description="单位：分")
    what: Text = Field("", title="内容", max_length=300)
    project: Line = Field("", title="项目或基金")
    money: Code = Field(title="资金来源", description="政策包 linkage.yaml 的码")
    consent: bool | None = Field(None, title="本人同意")


@router.post(
    "/linkage/filings", response=FilingOut, exclude_unset=True, summary="备案一笔", **behind(Act.FILE_AID)
)
def file_aid(request: HttpRequest, asked: AidIn, retry_key: RetryKey = None) -> Any:
    """为本单位备案一笔帮扶；完全相同的一笔再报，答复原来那一笔。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_filing(chain.file_aid(charity.Aid(**dict(asked)), by=by), by),
    )


@router.get(
    "/linkage/filings/{number}",
    response=FilingOut,
    exclude_unset=True,
    summary="备案",
    **behind(Act.VIEW_FILINGS),
)
def one_filing(request: HttpRequest, number: Number) -> Any:
    """一笔备案；每次查看记入审计日志。"""
    by = caller(request)
    return show_filing(charity.look_at_filing(number, by=by), by)


class GroundIn(Body):
    """A reason."""

    ground: Text = Field(title="理由", description="至少四个字")


@router.post(
    "/linkage/filings/{number}/reverse",
    response=FilingOut,
    exclude_unset=True,
    summary="冲正",
    **behind(Act.FILE_AID),
)
def reverse_filing(request: HttpRequest, number: Number, asked: GroundIn, retry_key: RetryKey = None) -> Any:
    """冲正一笔备案，答复冲正分录。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_filing(charity.reverse_filing(number, ground=asked.ground, by=by), by),
    )


class NeedOut(Sparse):
    """A need without identity; what only the office may see is not in a body's answer."""

    code: str = Field(title="需求编号")
    kind: str = Field(title="需求种类")
    group: str = Field(title="人群")
    tier: int = Field(title="紧急等级", description="1 最急")
    status: str = Field(title="状态", description="raised、published、claimed、met、withdrawn、closed")
    public_text: str = Field(title="公开说明")
    public_region: str = Field(title="公开地区")
    published_on: date | None = Field(title="发布日期")
    waiting_days: int = Field(title="等候天数")
    need_fen: int | None = Field(title="需求金额（分）", description="null 为只要服务或物资")
    public_aid_fen: int = Field(title="已有政府救助（分）")
    other_aid_fen: int = Field(title="已有其他帮扶（分）")
    gap_fen: int | None = Field(title="缺口（分）")
    whole: bool = Field(title="须一次给足", description="false 为可以由几个项目分担")
    household_no: str | None = Field(None, title="户编号", description="只给民政部门，其余没有这一项")
    region_code: str | None = Field(None, title="负责地区", description="只给民政部门，其余没有这一项")
    income_fen: int | None = Field(
        None, title="家庭年收入（分）", description="只给民政部门，其余没有这一项；null 为未知"
    )
    origin: str | None = Field(None, title="来源", description="只给民政部门，其余没有这一项")
    cell: int | None = Field(None, title="同格户数", description="只给民政部门，其余没有这一项")


def show_need(need: charity.Need, by: User) -> NeedOut:
    """A need as the API tells it."""
    seen = charity.need_fields(need, by)
    return NeedOut(**{name: value for name, value in seen.items() if name in NeedOut.model_fields})


class NeedFilters(Paging):
    """Which needs."""

    status: Literal["open", "all", "raised", "published", "claimed", "met", "withdrawn", "closed"] = Field(
        "open", title="状态", description="open 为在办"
    )


@router.get(
    "/linkage/needs", response=Page[NeedOut], exclude_unset=True, summary="需求列表", **behind(Act.VIEW_NEEDS)
)
def list_needs(request: HttpRequest, asked: Query[NeedFilters]) -> Any:
    """成员单位和慈善组织见本县已发布、本人同意有效的，不含身份；民政部门见辖区的。"""
    by = caller(request)
    found = charity.needs(by=by, status="" if asked.status == "all" else asked.status)
    return page_of(found, asked, lambda need: show_need(need, by))


@router.get(
    "/linkage/needs/{code}", response=NeedOut, exclude_unset=True, summary="需求", **behind(Act.VIEW_NEEDS)
)
def one_need(request: HttpRequest, code: Number) -> Any:
    """一个需求；每次查看记入审计日志。"""
    by = caller(request)
    return show_need(charity.look_at_need(code, by=by), by)


class ClaimOut(Schema):
    """A body's hold on a need, and what came of it."""

    number: str = Field(title="认领编号")
    need_code: str = Field(title="需求编号")
    organisation: str = Field(title="组织")
    project: str = Field(title="项目编号")
    status: str = Field(title="状态", description="reserved、granted、refused、released、lapsed")
    asked_fen: int | None = Field(title="拟给金额（分）")
    granted_fen: int | None = Field(title="给予金额（分）")
    reserved_on: date = Field(title="认领日期")
    keep_until: date = Field(title="保留至", description="按工作日推算的日期")
    granted_on: date | None = Field(title="给予日期")
    result: str = Field(title="结果", description="solved、partly、unsolved、not_needed，空为没有登记")


def show_claim(claim: charity.Claim) -> ClaimOut:
    """A claim as the API tells it."""
    made = ("need_code", "organisation", "project")
    return ClaimOut(
        need_code=claim.need.code,
        organisation=claim.organisation.code,
        project=claim.project.number,
        **{name: getattr(claim, name) for name in ClaimOut.model_fields if name not in made},
    )


class ClaimIn(Body):
    """For which own project."""

    project: Number = Field(title="项目编号")


@router.post("/linkage/needs/{code}/claim", response=ClaimOut, summary="认领", **behind(Act.CLAIM_NEED))
def claim_need(request: HttpRequest, code: Number, asked: ClaimIn, retry_key: RetryKey = None) -> Any:
    """用本单位的一个项目认领；已被他人认领的答复 409。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_claim(chain.claim_need(code, project_number=asked.project, by=by)),
    )


class ClaimFilters(Paging):
    """Which claims."""

    status: Literal["all", "reserved", "granted", "refused", "released", "lapsed"] = Field(
        "all", title="状态"
    )


@router.get("/linkage/claims", response=Page[ClaimOut], summary="认领列表", **behind(Act.VIEW_NEEDS))
def list_claims(request: HttpRequest, asked: Query[ClaimFilters]) -> Any:
    """成员单位和慈善组织见本单位的，民政部门见辖区的。"""
    found = charity.claims(by=caller(request), status="" if asked.status == "all" else asked.status)
    return page_of(found, asked, show_claim)


class GrantIn(Body):
    """What is given."""

    way: Literal["cash", "goods", "service"] = Field(title="帮扶方式")
    amount_fen: Fen = Field(0, title="金额或折价（分）", description="单位：分")
    what: Text = Field("", title="内容", max_length=300)
    granted_on: Day = Field(title="给予日期")
    money: Code = Field(title="资金来源", description="政策包 linkage.yaml 的码")
    cut_to_gap: bool = Field(False, title="超过缺口的，按缺口给予")


@router.post("/linkage/claims/{number}/grant", response=ClaimOut, summary="给予", **behind(Act.CLAIM_NEED))
def grant(request: HttpRequest, number: Number, asked: GrantIn, retry_key: RetryKey = None) -> Any:
    """登记给予并备案；不得超过缺口。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: show_claim(chain.grant_claim(number, by=by, **dict(asked)))
    )


@router.post("/linkage/claims/{number}/refuse", response=ClaimOut, summary="退回", **behind(Act.CLAIM_NEED))
def refuse(request: HttpRequest, number: Number, asked: GroundIn, retry_key: RetryKey = None) -> Any:
    """退回，需求回到清单。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_claim(charity.refuse_claim(number, why=asked.ground, by=by)),
    )


class ReceivedLineOut(Schema):
    """One aid a household received."""

    given_on: date = Field(title="日期")
    layer: str = Field(title="来源", description="public 政府救助、member 成员单位、charity 慈善")
    giver: str = Field(title="给予方")
    label: str = Field(title="名称")
    kind: str = Field(title="需求种类")
    amount_fen: int = Field(title="金额（分）", description="单位：分")
    number: str = Field(title="备案编号", description="空为政府救助")


class ReceivedOut(Schema):
    """What a household received from all sides."""

    household_no: str = Field(title="户编号")
    by_layer_fen: dict[str, int] = Field(title="各来源合计（分）")
    by_kind_fen: dict[str, int] = Field(title="各种类合计（分）")
    lines: list[ReceivedLineOut] = Field(title="逐笔")


@router.get(
    "/linkage/received/{path:household_no}",
    response=ReceivedOut,
    summary="家庭所受帮扶",
    **behind(Act.VIEW_RECEIVED),
)
def received(request: HttpRequest, household_no: Number) -> Any:
    """一户从政府、成员单位和慈善得到的全部帮扶；只给民政部门，每次查看记入审计日志。"""
    found = chain.received(household_no, by=caller(request))
    return ReceivedOut(
        household_no=found.household.household_no,
        by_layer_fen=found.by_layer,
        by_kind_fen=found.by_kind,
        lines=[
            ReceivedLineOut(**{name: getattr(line, name) for name in ReceivedLineOut.model_fields})
            for line in found.lines
        ],
    )
