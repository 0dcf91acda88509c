"""Reports of families in difficulty: the list, one report, a warning or an answer, and how families were found."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Line, Number, Page, Paging, RetryKey, Text, page_of, retriable
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry

router = Router(tags=["outreach 主动发现"])


class ReportRow(Schema):
    """A report in a list, without what was said."""

    number: str = Field(title="线索编号")
    channel: str = Field(title="来源", description="self、neighbour、village、other、hotline")
    hotline_no: str | None = Field(title="工单号")
    region_code: str = Field(title="所在地区")
    region_name: str = Field(title="地区名称")
    difficulty: str = Field(title="困难类型", description="政策包 outreach.yaml 的码")
    status: str = Field(title="状态", description="new、opened、answered")
    step: str = Field(
        title="报告人看到的进度", description="received、waiting、sent、helping、done、answered"
    )
    said_at: datetime = Field(title="报告时间")
    warning: str = Field(title="预警编号")
    answer: str = Field(title="对报告人的答复")


class ReportOut(ReportRow):
    """A report with what was said; null for an account that may not triage."""

    family_name: str | None = Field(title="困难家庭的姓名")
    place: str | None = Field(title="住在哪里")
    text: str | None = Field(title="情况")
    contact: str | None = Field(title="报告人联系方式")


class ReportFilters(Paging):
    """Which reports."""

    status: Literal["all", "new", "opened", "answered"] = Field("new", title="状态")
    channel: Literal["", "self", "neighbour", "village", "other", "hotline"] = Field("", title="来源")


def _row(found: monitoring.FamilyReport) -> dict[str, Any]:
    plain = {name: getattr(found, name) for name in ReportRow.model_fields if hasattr(found, name)}
    return {
        **plain,
        "region_name": registry.region_path(found.region_code),
        "step": monitoring.step_of(found),
        "warning": found.case.number if found.case is not None else "",
    }


def _whole(found: monitoring.FamilyReport, by: User) -> ReportOut:
    triage = may(by, Act.TRIAGE_REPORT)
    names = ("family_name", "place", "text", "contact")
    said = {name: getattr(found, name) if triage else None for name in names}
    return ReportOut.model_validate({**_row(found), **said})


@router.get("/reports", response=Page[ReportRow], summary="群众报告列表", **behind(Act.VIEW_REPORTS))
def list_reports(request: HttpRequest, asked: Query[ReportFilters]) -> Any:
    """本辖区的群众报告，默认待分办的、先来的在前。"""
    found = monitoring.reports(by=caller(request), status=asked.status, channel=asked.channel)
    return page_of(found, asked, lambda one: ReportRow(**_row(one)))


@router.get("/reports/{number}", response=ReportOut, summary="群众报告", **behind(Act.VIEW_REPORTS))
def one_report(request: HttpRequest, number: Number) -> Any:
    """一件群众报告。查看记入审计日志。"""
    by = caller(request)
    return _whole(monitoring.look_at_report(number, by=by), by)


class OpenAsked(Body):
    """Which household the report is of."""

    household_no: Annotated[Line, StringConstraints(max_length=60)] = Field(
        "", title="户编号", description="空为不在册的家庭，用临时户号"
    )
    ground: Line = Field("", title="分办说明")


@router.post("/reports/{number}/open", response=ReportOut, summary="转为预警", **behind(Act.TRIAGE_REPORT))
def open_warning(request: HttpRequest, number: Number, asked: OpenAsked, retry_key: RetryKey = None) -> Any:
    """把报告转为预警；该户已有未办结的预警时并入那一件。"""
    by = caller(request)

    def act() -> ReportOut:
        chain.open_from_report(number, household_no=asked.household_no, ground=asked.ground, by=by)
        return _whole(monitoring.report(number, by=by), by)

    return retriable(request, retry_key, asked, act)


class AnswerAsked(Body):
    """The answer to who told."""

    answer: Annotated[Text, StringConstraints(max_length=300)] = Field(
        title="答复", description="报告人能看到，不写个人情况"
    )
    ground: Line = Field("", title="不立预警的理由", description="待分办的报告须写")


@router.post(
    "/reports/{number}/answer", response=ReportOut, summary="答复报告人", **behind(Act.TRIAGE_REPORT)
)
def answer(request: HttpRequest, number: Number, asked: AnswerAsked, retry_key: RetryKey = None) -> Any:
    """答复报告人；待分办的报告由此结束，不立预警。"""
    by = caller(request)

    def act() -> ReportOut:
        found = monitoring.report(number, by=by)
        return _whole(monitoring.answer_report(found, answer=asked.answer, ground=asked.ground, by=by), by)

    return retriable(request, retry_key, asked, act)


class FoundByOut(Schema):
    """How families were found, in warnings."""

    source: str = Field(title="发现方式", description="screen 数据筛查、report 群众报告")
    found: int = Field(title="发现")
    visited: int = Field(title="已核实")
    helped: int = Field(title="得到帮助")
    open: int = Field(title="未办结")
    precision: float | None = Field(title="准确率", description="得到帮助 ÷ 已核实；没有核实过为 null")


@router.get("/found-by", response=list[FoundByOut], summary="怎样发现的", **behind(Act.VIEW_DASHBOARD))
def found_by(request: HttpRequest) -> Any:
    """群众报告和数据筛查各发现多少、核实多少、帮助多少。"""
    return [
        FoundByOut(**{name: getattr(row, name) for name in FoundByOut.model_fields})
        for row in monitoring.found_by(by=caller(request))
    ]


class IdentifyAsked(Body):
    """The household of the register."""

    household_no: Annotated[Line, StringConstraints(min_length=1, max_length=60)] = Field(title="户编号")


class IdentifiedOut(Schema):
    """A warning whose household is known now."""

    number: str = Field(title="预警编号")
    household_no: str = Field(title="户编号")


@router.post(
    "/warnings/{path:number}/identify",
    response=IdentifiedOut,
    summary="查明是哪一户",
    **behind(Act.TRIAGE_REPORT),
)
def identify(request: HttpRequest, number: Number, asked: IdentifyAsked, retry_key: RetryKey = None) -> Any:
    """把群众报告的临时户号换成花名册上的户编号。"""
    by = caller(request)

    def act() -> IdentifiedOut:
        case = chain.identify(number, household_no=asked.household_no, by=by)
        return IdentifiedOut(number=case.number, household_no=case.household_no)

    return retriable(request, retry_key, asked, act)
