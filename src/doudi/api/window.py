"""The one window by program: what a household may get, applications, decisions, the resource list."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.registry import no_id_in_address, shown_name
from doudi.api.shapes import Body, Line, Number, Page, Paging, RetryKey, Text, page_of, retriable
from doudi.contexts.accounts.services import Act, User
from doudi.contexts.assistance import services as assistance
from doudi.engine import identity

router = Router(tags=["window 一门受理"])


class EntitlementOut(Schema):
    """One measure or project as it stands for a household."""

    code: str = Field(title="措施码或项目编号")
    name: str = Field(title="名称")
    source: str = Field(title="出处", description="measure 政策包措施，resource 县资源清单")
    layer: str = Field(title="层次")
    department: str = Field(title="部门或提供单位")
    answer: str = Field(title="结论", description="yes 符合，unknown 待核或可申请，no 不符合")
    reason: str = Field(title="理由")
    clause: str = Field(title="依据")
    standard: str = Field(title="标准或算法")
    missing: list[str] = Field(title="还缺什么")
    exclusive: list[str] = Field(title="不能同时享受")
    stackable: list[str] = Field(title="可以叠加")
    held: bool = Field(title="已享受")
    stale: bool = Field(title="超过六个月未核对")
    channel: str = Field(title="申请渠道")


def _but_standard(shape: type[Schema], one: Any) -> dict[str, Any]:
    """The fields of the same name; the sum or formula is text there and called otherwise."""
    return {name: getattr(one, name) for name in shape.model_fields if name != "standard"}


class EntitlementsOut(Schema):
    """Everything a household may get."""

    household_no: str = Field(title="户编号")
    category: str = Field(title="现有类别")
    entitlements: list[EntitlementOut] = Field(title="逐项结论")


@router.get(
    "/households/{path:household_no}/entitlements",
    response=EntitlementsOut,
    summary="一户一策",
    **behind(Act.VIEW_ENTITLEMENTS),
)
def household_entitlements(request: HttpRequest, household_no: Number) -> Any:
    """政策包每项措施和县资源清单每个项目：符合、待核、不符合，各有理由和依据。查看记入审计日志。"""
    household, found = chain.entitlements(household_no, by=caller(request))
    return EntitlementsOut(
        household_no=household.household_no,
        category=household.category,
        entitlements=[
            EntitlementOut(**_but_standard(EntitlementOut, one), standard=one.amount) for one in found
        ],
    )


class ApplicationOut(Schema):
    """An application; the ID masked."""

    number: str = Field(title="受理编号")
    kind: str = Field(title="事项", description="政策包 procedures.yaml 的码")
    household_no: str = Field(title="户编号")
    region_code: str = Field(title="负责地区")
    applicant_name: str = Field(title="申请人", description="无权查看身份的账号只见姓")
    id_shown: str = Field(title="证件号（遮蔽）")
    state: str = Field(title="状态")
    channel: str = Field(title="渠道", description="window、self、office")
    alone: bool = Field(title="单人申请")
    kin: bool = Field(title="工作人员近亲属")
    submitted_on: date = Field(title="申请日期")
    accepted_on: date | None = Field(title="受理日期")
    step_due_on: date | None = Field(title="本步骤期限")
    due_on: date | None = Field(title="办结期限")
    verification_number: str = Field(title="核对委托单")
    report_number: str = Field(title="核对报告")


def _application(found: assistance.Application, by: User) -> ApplicationOut:
    plain = {n: getattr(found, n) for n in ApplicationOut.model_fields if hasattr(found, n)}
    return ApplicationOut(
        **{
            **plain,
            "applicant_name": shown_name(found.applicant_name, by),
            "id_shown": identity.mask_id(found.id_number),
        }
    )


class ApplicationFilters(Paging):
    """Which applications."""

    state: Literal[
        "open", "overdue", "all", "submitted", "supplement", "investigating", "notice", "objected", "proposed", "aided",
        "transferred", "granted", "refused", "closed", "withdrawn",
    ] = Field("open", title="状态")  # fmt: skip
    kind: Line = Field("", title="事项")
    text: Line = Field("", title="受理编号、户编号或姓名", description="不能是证件号")


@router.get(
    "/applications", response=Page[ApplicationOut], summary="申请列表", **behind(Act.VIEW_APPLICATIONS)
)
def list_applications(request: HttpRequest, asked: Query[ApplicationFilters]) -> Any:
    """本辖区的申请。"""
    by = caller(request)
    no_id_in_address(asked.text)
    state = "" if asked.state == "all" else asked.state
    found = assistance.applications(by=by, state=state, kind=asked.kind, text=asked.text)
    return page_of(found, asked, lambda one: _application(one, by))


class NewApplication(Body):
    """An application by program, for a household of the register or for somebody who is not on it."""

    kind: Line = Field(title="事项")
    name: Line = Field(title="申请人姓名", min_length=1)
    id_number: Line = Field(title="申请人证件号", min_length=15)
    phone: Line = Field("", title="联系电话")
    reason: Text = Field(title="申请理由", description="至少四个字")
    household_no: Line = Field("", title="户编号", description="不在册的留空，并写 region_code")
    region_code: Line = Field("", title="负责地区")
    token: Line = Field(
        title="表单标记", description="同一标记再次提交是同一件申请", min_length=8, max_length=40
    )


@router.post("/applications", response=ApplicationOut, summary="登记申请", **behind(Act.TAKE_APPLICATION))
def new_application(request: HttpRequest, asked: NewApplication, retry_key: RetryKey = None) -> Any:
    """登记一件申请；材料和后续步骤在窗口办理。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: _application(
            chain.start_application(
                kind=asked.kind,
                applicant=assistance.Applicant(asked.name, asked.id_number, asked.phone),
                reason=asked.reason,
                household_no=asked.household_no,
                region_code=asked.region_code,
                token=asked.token,
                by=by,
            ),
            by,
        ),
    )


@router.get(
    "/applications/{number}", response=ApplicationOut, summary="申请", **behind(Act.VIEW_APPLICATIONS)
)
def one_application(request: HttpRequest, number: Number) -> Any:
    """一件申请。每次查看记入审计日志。"""
    by = caller(request)
    return _application(assistance.look_at_application(number, by=by), by)


class ApplicationDecisionOut(Schema):
    """A decision on an application."""

    number: str = Field(title="决定文号")
    result: str = Field(title="结果", description="granted、refused、changed、stopped")
    kind: str = Field(title="事项")
    category: str = Field(title="类别")
    household_no: str = Field(title="户编号")
    region_code: str = Field(title="负责地区")
    amount_fen: int | None = Field(title="一次性金额（分）")
    decided_on: date = Field(title="决定日期")
    valid_from: date | None = Field(title="自")
    valid_to: date | None = Field(title="至（不含）")
    clause: str = Field(title="依据")
    report_number: str = Field(title="核对报告")
    departs: bool = Field(title="与核对意见不同")


class DecisionFilters(Paging):
    """Which decisions."""

    household_no: Line = Field("", title="户编号")
    result: Literal["", "granted", "refused", "changed", "stopped"] = Field("", title="结果")


@router.get(
    "/decisions", response=Page[ApplicationDecisionOut], summary="决定列表", **behind(Act.VIEW_APPLICATIONS)
)
def list_decisions(request: HttpRequest, asked: Query[DecisionFilters]) -> Any:
    """本辖区的审核确认决定，新的在前。"""
    by = caller(request)
    found = assistance.decisions(by=by, household_no=asked.household_no, result=asked.result)
    return page_of(
        found,
        asked,
        lambda one: ApplicationDecisionOut(
            **{name: getattr(one, name) for name in ApplicationDecisionOut.model_fields}
        ),
    )


class ResourceOut(Schema):
    """A project of the county's list."""

    resource_no: str = Field(title="项目编号")
    name: str = Field(title="项目名称")
    layer: str = Field(title="层次")
    provider: str = Field(title="提供单位")
    department: str = Field(title="主管部门")
    basis: str = Field(title="依据")
    categories: list[str] = Field(title="对象类别")
    standard: str = Field(title="标准或算法")
    channel: str = Field(title="申请渠道")
    valid_from: date = Field(title="有效自")
    valid_to: date | None = Field(title="有效至")
    checked_on: date = Field(title="最近核对")
    version: int = Field(title="版本")


class ResourceFilters(Paging):
    """Which projects."""

    layer: Literal["", "basic", "special", "urgent", "charity"] = Field("", title="层次")
    stale: bool = Field(False, title="只要超过六个月未核对的")


@router.get(
    "/resources", response=Page[ResourceOut], summary="救助资源项目清单", **behind(Act.VIEW_RESOURCES)
)
def list_resources(request: HttpRequest, asked: Query[ResourceFilters]) -> Any:
    """本县清单中有效的项目；对外公开的部分另见 /hsds/。"""
    found = assistance.resources(by=caller(request), layer=asked.layer, stale=asked.stale)
    return page_of(
        found,
        asked,
        lambda one: ResourceOut(**_but_standard(ResourceOut, one), standard=one.amount),
    )
