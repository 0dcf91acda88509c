"""Screens, warnings, and the steps from dispatch to closing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.assistance import MeasureOut, ReferralOut, show_measure, show_referral
from doudi.api.door import behind, caller, why
from doudi.api.registry import no_id_in_address, shown_name
from doudi.api.shapes import (
    Body,
    Day,
    Fen,
    Line,
    Number,
    Page,
    Paging,
    RegionPrefix,
    RetryKey,
    Text,
    page_of,
    retriable,
)
from doudi.contexts.accounts.services import Act, User, may, record
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry

router = Router(tags=["monitoring 筛查与预警"])


# ---- screens ------------------------------------------------------------------------------------------------------


class ScreenOut(Schema):
    """One screen of everyone."""

    id: int = Field(title="序号")
    as_of: date = Field(title="数据日期")
    pack: str = Field(title="政策包")
    pack_version: str = Field(title="版本")
    pack_hash: str = Field(title="政策包摘要")
    households: int = Field(title="户数", description="单位：户")
    persons: int = Field(title="人数", description="单位：人")
    seconds: float = Field(title="用时", description="单位：秒")
    missing: dict[str, str] = Field(title="缺少的数据")
    warnings: dict[str, int] = Field(title="预警变化", description="opened、updated、closed，单位：件")
    finished_at: datetime | None = Field(title="完成时间")
    by: str = Field(title="操作人")


class ScreenAsked(Body):
    """The date to screen everyone as of."""

    as_of: Day = Field(title="数据日期")


def _screen(run: monitoring.ScreeningRun) -> ScreenOut:
    return ScreenOut(
        id=run.pk, **{name: getattr(run, name) for name in ScreenOut.model_fields if name != "id"}
    )


@router.get("/screens", response=Page[ScreenOut], summary="筛查列表", **behind(Act.VIEW_DASHBOARD))
def list_screens(request: HttpRequest, asked: Query[Paging]) -> Any:
    """完成的筛查，新的在前；只有合计数。"""
    return page_of(monitoring.runs(by=caller(request)), asked, _screen)


@router.post("/screens", response={201: ScreenOut}, summary="筛查", **behind(Act.SCREEN))
def screen(request: HttpRequest, asked: ScreenAsked) -> Any:
    """筛查全部在册家庭并更新预警。数据不变时再筛一次，结果和预警都不变，可放心重试。"""
    return _screen(chain.screen(as_of=asked.as_of, by=caller(request)))


# ---- warnings -----------------------------------------------------------------------------------------------------

Level = Literal["none", "blue", "yellow", "orange", "red"]


class WarningRow(Schema):
    """A warning in a list."""

    number: str = Field(title="预警编号")
    household_no: str = Field(title="户编号")
    head_name: str = Field(title="户主姓名", description="无权查看身份的账号只见姓")
    region_code: str = Field(title="负责地区")
    region_name: str = Field(title="负责地区名称")
    level: Level = Field(title="预警级别", description="可能致困")
    risk_level: Level = Field(title="风险级别", description="疑似不符")
    register_category: str = Field(title="现有类别")
    found_category: str = Field(title="筛查类别")
    change: str = Field(title="变化")
    status: str = Field(title="状态", description="new、dispatched、visited、closed、cleared")
    codes: list[str] = Field(title="仍在的信号")
    opened_on: date = Field(title="发现日期")
    as_of: date = Field(title="数据日期")
    assignee: str = Field(title="经办账号", description="空为全乡镇（街道）")
    due_on: date | None = Field(title="当前时限", description="按工作日推算的日期")
    closed_at: datetime | None = Field(title="办结时间")
    revisit_on: date | None = Field(title="回访日期")
    version: int = Field(title="版本", description="办理时作为 seen 送回，他人先办则答 409")


class SignalOut(Schema):
    """One indicator raised."""

    code: str = Field(title="代码")
    first_seen: date = Field(title="首次发现")
    last_seen: date = Field(title="最近发现")
    active: bool = Field(title="仍在")
    level: str = Field(title="级别")
    observations: int = Field(title="观察次数", description="来源分别报来几次；同一次报来只算一次")
    observed_on: date | None = Field(title="来源数据日期")
    value: int | None = Field(
        None, title="数额", description="in_fen 为真时以分计；无权查看经济状况的账号为 null"
    )
    in_fen: bool = Field(title="数额是金额，以分计")
    unknown: str = Field(title="不知道的原因", description="late 来源迟到，undecided 待核，空为已知")
    name_differs: bool = Field(title="姓名有异体字出入")


class EventOut(Schema):
    """One line of the timeline."""

    at: datetime = Field(title="时间")
    actor: str = Field(title="办理人")
    kind: str = Field(title="事项")
    text: str | None = Field(title="内容", description="无权查看家庭经济状况的账号为 null")


class VisitOut(Schema):
    """A visit and what was found."""

    visited_on: date = Field(title="入户日期")
    visitors: str = Field(title="入户人员")
    result_code: str = Field(title="核实结果")
    finding: str = Field(title="核实情况")
    consent: bool = Field(title="本人同意转介")
    consent_by: str = Field(title="同意人")
    consent_how: str = Field(title="同意方式")
    signed: bool = Field(title="本人已签字")
    witnesses: str = Field(title="见证人")
    recorded_at: datetime = Field(title="记录时间")


class AttemptOut(Schema):
    """A visit at which nobody was found."""

    tried_on: date = Field(title="寻访日期")
    visitors: str = Field(title="寻访人员")
    finding: str = Field(title="寻访情况")
    recorded_at: datetime = Field(title="记录时间")


class SuspensionOut(Schema):
    """A clock that stood or stands still."""

    began_at: datetime = Field(title="中止时间")
    until_on: date = Field(title="恢复日期", description="那天起重新计算")
    ended_at: datetime | None = Field(title="提前恢复时间")
    ground: str | None = Field(title="事由", description="无权查看家庭经济状况的账号为 null")
    by: str = Field(title="办理人")


class RevisitOut(Schema):
    """A revisit and whether the difficulty is over."""

    visited_on: date = Field(title="回访日期")
    visitors: str = Field(title="回访人员")
    result: str = Field(title="回访结果", description="solved、unsolved")
    finding: str = Field(title="回访情况")
    led_to: str = Field(title="转入的预警", description="困难未解决时接着办的预警编号，否则为空")
    recorded_at: datetime = Field(title="记录时间")


class WarningOut(WarningRow):
    """A warning with everything that was done."""

    result_code: str = Field(title="核实结果")
    signals: list[SignalOut] = Field(title="信号")
    unknown: dict[str, str] = Field(title="不知道的指标", description="代码 → late 或 undecided；不等于没有")
    timeline: list[EventOut] = Field(title="时间线")
    visits: list[VisitOut] | None = Field(title="入户核实", description="无权查看家庭经济状况的账号为 null")
    attempts: list[AttemptOut] | None = Field(
        title="寻访未遇", description="无权查看家庭经济状况的账号为 null"
    )
    suspensions: list[SuspensionOut] = Field(title="时限中止")
    revisit: RevisitOut | None = Field(title="回访", description="未回访，或无权查看家庭经济状况，为 null")
    measures: list[MeasureOut] | None = Field(
        title="救助措施", description="无权查看家庭经济状况的账号为 null"
    )
    referrals: list[ReferralOut] | None = Field(title="推送", description="无权查看推送的账号为 null")


class WarningFilters(Paging):
    """Which warnings."""

    status: Literal["open", "all", "new", "dispatched", "visited", "closed", "cleared"] = Field(
        "open", title="状态"
    )
    level: Literal["", "none", "blue", "yellow", "orange", "red"] = Field("", title="级别（任一侧）")
    code: Line = Field("", title="信号代码")
    region: RegionPrefix = Field("", title="负责地区代码前缀")
    text: Line = Field("", title="户编号、预警编号或户主姓名")
    overdue: bool = Field(False, title="只看超期")
    sort: Literal["urgent", "due", "new", "region", "household"] = Field("urgent", title="排序")


def _row(case: monitoring.WarningCase, by: User) -> dict[str, Any]:
    plain = {name: getattr(case, name) for name in WarningRow.model_fields if hasattr(case, name)}
    return {
        **plain,
        "head_name": shown_name(case.head_name, by),
        "region_name": registry.region_path(case.region_code),
        "codes": [signal.code for signal in case.signals.all() if signal.active],
    }


def _signal(signal: Any, *, finances: bool) -> SignalOut:
    shown = SignalOut.model_validate(signal)
    return shown if finances else shown.model_copy(update={"value": None})


def show_revisit(revisit: monitoring.Revisit) -> RevisitOut:
    """A revisit with the number of the warning it led to."""
    led_to = revisit.led_to.number if revisit.led_to is not None else ""
    told = {name: getattr(revisit, name) for name in RevisitOut.model_fields if name != "led_to"}
    return RevisitOut(**told, led_to=led_to)


def show_warning(case: monitoring.WarningCase, by: User) -> WarningOut:
    """A warning with everything that was done, as far as the account may see it."""
    finances = may(by, Act.VIEW_FINANCES)
    suspensions = [SuspensionOut.model_validate(one) for one in case.suspensions.all()]
    revisit = monitoring.revisit_of(case) if finances else None
    return WarningOut(
        **_row(case, by),
        result_code=case.result_code if finances else "",
        signals=[_signal(signal, finances=finances) for signal in case.signals.all()],
        unknown=case.unknown,
        timeline=[
            EventOut(at=event.at, actor=event.actor, kind=event.kind, text=event.text if finances else None)
            for event in case.events.all()
        ],
        visits=[VisitOut.model_validate(visit) for visit in case.visits.all()] if finances else None,
        attempts=[AttemptOut.model_validate(one) for one in case.attempts.all()] if finances else None,
        suspensions=suspensions
        if finances
        else [one.model_copy(update={"ground": None}) for one in suspensions],
        revisit=show_revisit(revisit) if revisit is not None else None,
        measures=[
            show_measure(given) for given in assistance.measures_given(by=by, warning_number=case.number)
        ]
        if finances
        else None,
        referrals=[show_referral(sent, by) for sent in assistance.referrals_of(case.number, by=by)]
        if may(by, Act.VIEW_REFERRALS)
        else None,
    )


@router.get("/warnings", response=Page[WarningRow], summary="预警列表", **behind(Act.VIEW_WARNINGS))
def list_warnings(request: HttpRequest, asked: Query[WarningFilters]) -> Any:
    """本辖区的预警，默认未办结的、紧急的在前。"""
    by = caller(request)
    no_id_in_address(asked.text)
    found = monitoring.warnings(
        by=by,
        status=asked.status,
        level=asked.level,
        code=asked.code,
        region_code=asked.region,
        text=asked.text,
        overdue=asked.overdue,
        sort=asked.sort,
    )
    return page_of(found, asked, lambda case: WarningRow(**_row(case, by)))


# ---- steps --------------------------------------------------------------------------------------------------------

Account = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f]*$", max_length=150)]
"""The name of an account."""
Seen = Annotated[int | None, Field(ge=0, le=2**31 - 1, title="看到的版本", description="空为不核对")]


class Dispatch(Body):
    """To which township."""

    to: RegionPrefix = Field(title="派往的乡镇（街道）代码", description="9 位或 12 位")
    assignee: Account = Field("", title="经办账号", description="空为全乡镇（街道）")
    remark: Annotated[Line, StringConstraints(max_length=200)] = Field("", title="派单说明")
    seen: Seen = None


@router.post(
    "/warnings/{path:number}/dispatch", response=WarningOut, summary="派单", **behind(Act.DISPATCH_WARNING)
)
def dispatch(request: HttpRequest, number: Number, asked: Dispatch, retry_key: RetryKey = None) -> Any:
    """把预警派给乡镇（街道）。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_warning(chain.dispatch(number, by=by, **dict(asked)), by),
    )


ConsentBy = Annotated[str, StringConstraints(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
ConsentHow = Annotated[str, StringConstraints(pattern=f"^({'|'.join(monitoring.CONSENT_WAYS)})?$")]
Visitor = Annotated[str, StringConstraints(min_length=1, max_length=18, pattern=r"^[^\x00-\x1f\x7f]*$")]


class VisitAsked(Body):
    """What the visitors found."""

    visited_on: Day = Field(title="入户日期")
    visitors: list[Visitor] = Field(title="入户人员", min_length=1, max_length=5)
    result_code: Line = Field(title="核实结果", description="政策包 handling.yaml 的码，如 A–J")
    finding: Text = Field(title="核实情况")
    consent: bool = Field(False, title="本人同意转介")
    consent_by: ConsentBy = Field("", title="同意人", description="空为户主")
    consent_how: ConsentHow = Field("", title="同意方式", description="书面、口头（两人在场）、监护人")
    signed: bool = Field(False, title="本人已签字", description="拒绝救助（J）须有本人签字，或写明两名见证人")
    witnesses: list[Visitor] = Field(default_factory=list, title="见证人", max_length=2)
    seen: Seen = None


@router.post(
    "/warnings/{path:number}/visit", response=VisitOut, summary="入户核实", **behind(Act.RECORD_VISIT)
)
def visit(request: HttpRequest, number: Number, asked: VisitAsked, retry_key: RetryKey = None) -> Any:
    """记录入户核实的结果。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: VisitOut.model_validate(chain.record_visit(number, by=by, **dict(asked))),
    )


class MeasureAsked(Body):
    """A measure of the pack."""

    code: Annotated[Line, StringConstraints(max_length=40)] = Field(
        title="措施", description="政策包 measures 的码"
    )
    amount_fen: Fen = Field(0, title="金额（分）", description="单位：分；实物或服务为 0")
    given_on: Day = Field(title="给予日期")
    ground: Text = Field(title="依据与说明")


@router.post(
    "/warnings/{path:number}/measure", response=MeasureOut, summary="给予措施", **behind(Act.GIVE_MEASURE)
)
def measure(request: HttpRequest, number: Number, asked: MeasureAsked, retry_key: RetryKey = None) -> Any:
    """给予一项救助措施。网络不稳时务必带 Idempotency-Key，否则重发会再记一次。"""
    by = caller(request)
    return retriable(
        request, retry_key, asked, lambda: show_measure(chain.give_measure(number, by=by, **dict(asked)))
    )


class Push(Body):
    """Which department is asked for what."""

    department: Annotated[Line, StringConstraints(max_length=40)] = Field(title="推送部门")
    need: Text = Field(title="需求", description="只写需要什么，不写家庭经济状况")


@router.post(
    "/warnings/{path:number}/referral", response=ReferralOut, summary="推送部门", **behind(Act.SEND_REFERRAL)
)
def push(request: HttpRequest, number: Number, asked: Push, retry_key: RetryKey = None) -> Any:
    """把需求推送给部门。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_referral(
            chain.push_need(number, department=asked.department, need=asked.need, by=by), by
        ),
    )


class Close(Body):
    """How the case ended."""

    closing_note: Text = Field(title="办结情况")
    seen: Seen = None


@router.post(
    "/warnings/{path:number}/close", response=WarningOut, summary="办结", **behind(Act.CLOSE_WARNING)
)
def close(request: HttpRequest, number: Number, asked: Close, retry_key: RetryKey = None) -> Any:
    """办结预警；还有部门没有反馈时不能办结。"""
    by = caller(request)
    return retriable(
        request,
        retry_key,
        asked,
        lambda: show_warning(
            chain.close(number, closing_note=asked.closing_note, seen=asked.seen, by=by), by
        ),
    )


@router.get("/warnings/{path:number}", response=WarningOut, summary="预警", **behind(Act.VIEW_WARNINGS))
def one_warning(request: HttpRequest, number: Number) -> Any:
    """一件预警及其时间线。查看该户记入审计日志。"""
    by = caller(request)
    case = monitoring.warning(number, by=by)
    try:
        registry.look_at_household(case.household_no, by=by, reason=why(request, f"预警 {number}"))
    except registry.HouseholdNotFound:
        # another township answers for the household now; the warning is still the asker's, and so is the look
        record(
            by=by,
            act=Act.VIEW_WARNINGS,
            subject=f"household:{case.household_no}",
            region_code=case.region_code,
            reason=why(request, f"预警 {number}"),
        )
    return show_warning(case, by)
