"""What happens to people and households, and how many stand in which category."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, StringConstraints

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.people import PossibleOut, show_possible
from doudi.api.shapes import (
    Body,
    Day,
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
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.registry import services as registry

router = Router(tags=["registry 登记变动"])
Said = str | int | list[str] | None


class ChangeEventOut(Schema):
    """An event of a household or person."""

    number: str = Field(title="事项编号")
    kind: str = Field(title="事项")
    happened_on: date = Field(title="发生日期")
    household_no: str = Field(title="户编号", description="人员合并为空")
    region_code: str = Field(title="负责地区")
    status: str = Field(title="状态", description="proposed、in_force、refused、undone")
    ground: str = Field(title="依据与说明")
    proposed_by: str = Field(title="提出人")
    proposed_at: datetime = Field(title="提出时间")
    decided_by: str = Field(title="决定人")
    decided_at: datetime | None = Field(title="决定时间")
    lines: list[str] = Field(title="变化", description="无权查看身份的账号为空")


def _event(event: registry.RegistryEvent, by: User) -> ChangeEventOut:
    same = set(ChangeEventOut.model_fields) - {"household_no", "lines"}
    return ChangeEventOut(
        **{name: getattr(event, name) for name in same},
        household_no=event.household.household_no if event.household else "",
        lines=registry.told_of(event, by=by),
    )


class ChangeFilters(Paging):
    """Which events."""

    status: Line = Field("", title="状态")
    household_no: Line = Field("", title="户编号")


@router.get("/changes", response=Page[ChangeEventOut], summary="登记变动", **behind(Act.VIEW_HOUSEHOLDS))
def list_changes(request: HttpRequest, asked: Query[ChangeFilters]) -> Any:
    """本辖区的登记变动，新的在前。"""
    by = caller(request)
    found = registry.changes(by=by, status=asked.status, household_no=asked.household_no)
    return page_of(found, asked, lambda event: _event(event, by))


@router.get("/changes/{number}", response=ChangeEventOut, summary="一项变动", **behind(Act.VIEW_HOUSEHOLDS))
def one_change(request: HttpRequest, number: Number) -> Any:
    """一项变动和它改变的内容；查看记入审计日志。"""
    by = caller(request)
    return _event(registry.change_of(number, by=by), by)


class ChangeAsked(Body):
    """An event to record: its kind, date, what the kind asks for, and the ground."""

    kind: Line = Field(
        title="事项", description="、".join(f"{k} {v.label}" for k, v in registry.KINDS.items())
    )
    on: Day = Field(title="发生日期")
    said: dict[str, Said] = Field(
        title="内容", description="各事项所需的项，见 docs/how-to/record-changes.md"
    )
    ground: Text = Field("", title="依据与说明", description="至少四个字；预览时可空")


class PreviewOut(Schema):
    """What an event would change."""

    lines: list[str] = Field(title="变化")
    possible: list[PossibleOut] = Field(
        title="可能已经在册", description="要录入的人可能是谁；证件号已登记的就是那个人，不在此列"
    )


@router.post(
    "/households/{path:household_no}/changes/preview",
    response=PreviewOut,
    summary="预览变动",
    **behind(Act.CHANGE_REGISTRY),
)
def preview(request: HttpRequest, household_no: Number, asked: ChangeAsked) -> Any:
    """会改变什么；什么都不保存。"""
    by = caller(request)
    lines = registry.preview(household_no, asked.kind, on=asked.on, said=asked.said, by=by)
    entered = registry.entered_in(registry.KINDS[asked.kind], asked.said)
    found = chain.possible_duplicates_of(entered, by=by) if may(by, Act.CHECK_DUPLICATE) else []
    return {"lines": lines, "possible": [show_possible(one) for one in found]}


@router.post(
    "/households/{path:household_no}/changes",
    response=ChangeEventOut,
    summary="登记变动",
    **behind(Act.CHANGE_REGISTRY),
)
def record(request: HttpRequest, household_no: Number, asked: ChangeAsked, retry_key: RetryKey = None) -> Any:
    """县级登记即生效，乡镇提出待县级确认。"""
    by = caller(request)

    def act() -> ChangeEventOut:
        event = chain.record_change(
            household_no, asked.kind, on=asked.on, said=asked.said, ground=asked.ground, by=by
        )
        return _event(event, by)

    return retriable(request, retry_key, asked, act)


class Note(Body):
    """A note on a decision."""

    note: Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f]*$")] = Field(
        "", title="说明", description="不同意和撤销时必填，至少四个字"
    )


@router.post(
    "/changes/{number}/confirm", response=ChangeEventOut, summary="确认变动", **behind(Act.CONFIRM_CHANGE)
)
def confirm(request: HttpRequest, number: Number, asked: Note) -> Any:
    """县级确认乡镇提出的变动。"""
    by = caller(request)
    return _event(chain.confirm_change(number, by=by, note=asked.note), by)


@router.post(
    "/changes/{number}/refuse", response=ChangeEventOut, summary="不同意变动", **behind(Act.CONFIRM_CHANGE)
)
def refuse(request: HttpRequest, number: Number, asked: Note) -> Any:
    """县级不同意，写明理由。"""
    by = caller(request)
    return _event(chain.refuse_change(number, by=by, note=asked.note), by)


@router.post(
    "/changes/{number}/undo", response=ChangeEventOut, summary="撤销变动", **behind(Act.CONFIRM_CHANGE)
)
def undo(request: HttpRequest, number: Number, asked: Note) -> Any:
    """撤销已生效的变动；后来的事实以它为前提时拒绝。"""
    by = caller(request)
    return _event(chain.undo_change(number, ground=asked.note, by=by), by)


class StatisticsAsked(Schema):
    """Which day, as known when, and which area."""

    valid_on: Day = Field(title="有效日期")
    known_on: Day | None = Field(None, title="当时所知", description="按这一天终了时所知；空为现在")
    region: RegionPrefix = Field("", title="行政区划代码前缀")


class TownshipLine(Schema):
    """One township."""

    region_code: str = Field(title="乡镇（街道）")
    once: dict[str, int] = Field(title="计一次", description="类别代码 → 人数，每人只计一次")
    labelled: dict[str, int] = Field(title="持有标签", description="类别代码 → 持有该标签的人数")
    people: int = Field(title="人数")


class StatisticsOut(Schema):
    """People by township and category."""

    valid_on: date = Field(title="有效日期")
    known_on: date | None = Field(title="当时所知")
    lines: list[TownshipLine] = Field(title="各乡镇")
    total: TownshipLine = Field(title="合计")


@router.get("/statistics", response=StatisticsOut, summary="低收入人口统计", **behind(Act.VIEW_DASHBOARD))
def statistics(request: HttpRequest, asked: Query[StatisticsAsked]) -> Any:
    """按乡镇和类别的人数：按 TK DB BY GX FP TC LS QT 的次序每人只计一次，标签全部保留。"""
    table = registry.statistics(
        on=asked.valid_on,
        known_at=registry.end_of(asked.known_on),
        region_code=asked.region,
        tails=chain.tails(),
        by=caller(request),
    )
    codes = [code for _label, code in table.categories]
    shown = [
        {
            "region_code": line.region_code.rstrip("-"),
            "once": dict(zip(codes, line.once, strict=True)),
            "labelled": dict(zip(codes, line.labelled, strict=True)),
            "people": line.people,
        }
        for line in (*table.lines, table.total)
    ]
    return {
        "valid_on": asked.valid_on,
        "known_on": asked.known_on,
        "lines": shown[:-1],
        "total": shown[-1],
    }
