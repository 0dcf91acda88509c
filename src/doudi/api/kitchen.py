"""Food safety, siting and volunteers for other programs: probes, scales, a supervisor's platform (食品安全、选址、志愿)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Line, Number, Page, Paging, RetryKey, page_of, retriable
from doudi.contexts.accounts.services import Act
from doudi.contexts.meals import planning, safety, volunteering
from doudi.contexts.meals import services as meals

router = Router(tags=["kitchen 食品安全、选址、志愿"])


class ScoreOut(Schema):
    """How a place stands in food safety."""

    site: str = Field(title="助餐点编号")
    name: str = Field(title="名称")
    points: int = Field(title="评分", description="0–100；有红线为 0")
    grade: str = Field(title="等级")
    red_lines: list[str] = Field(title="红线", description="licence、incident、stopped")
    shares: dict[str, list[int]] = Field(title="各项", description="项目 → [已做, 应做]")
    last_supervision: date | None = Field(title="最近监督检查")
    stars: float | None = Field(title="满意度（星）")
    replies: int = Field(title="评价数")


@router.get(
    "/meals/safety/scores", response=list[ScoreOut], summary="食品安全评分", **behind(Act.VIEW_SAFETY)
)
def scores(request: HttpRequest) -> Any:
    """辖区（或本单位）营业助餐点的评分，差的在前。"""
    return [
        ScoreOut(
            site=one.site.code,
            name=one.site.name,
            points=one.points,
            grade=one.grade.label,
            red_lines=[code for code, _words in one.red_lines],
            shares={name: list(share) for name, share in one.shares.items()},
            last_supervision=one.last_tour,
            stars=one.stars,
            replies=one.replies,
        )
        for one in safety.scores(by=caller(request), rules=chain.food_safety())
    ]


class ReadingIn(Body):
    """A temperature, as a probe sends it."""

    site: Number = Field(title="助餐点编号")
    point: Line = Field(
        title="测温点", description="core、hot、cold、frozen、arrival，见政策包 food_safety.yaml"
    )
    what: Line = Field(title="菜品或设备")
    tenths: Annotated[int, Field(ge=-1000, le=3000)] = Field(
        title="温度", description="0.1 ℃，例如 705 为 70.5 ℃"
    )
    at: AwareDatetime = Field(title="测温时间", description="带时区")
    minutes: Annotated[int, Field(ge=0, le=2880)] | None = Field(None, title="已存放分钟")
    action: Line = Field("", title="处理", description="不合格时必填")


class ReadingOut(Schema):
    """What became of it."""

    site: str = Field(title="助餐点编号")
    point: str = Field(title="测温点")
    what: str = Field(title="菜品或设备")
    tenths: int = Field(title="温度（0.1 ℃）")
    at: datetime = Field(title="测温时间")
    passed: bool = Field(title="合格")
    why: str = Field(title="不合格原因")
    action: str = Field(title="处理")


@router.post("/meals/safety/readings", response=ReadingOut, summary="登记温度", **behind(Act.KEEP_SAFETY))
def take_reading(request: HttpRequest, asked: ReadingIn, retry_key: RetryKey = None) -> Any:
    """登记一次测温；不合格的要写怎样处理。同一时刻同一数值重发是同一条。"""
    by = caller(request)

    def act() -> ReadingOut:
        place = meals.site(asked.site, by=by)
        typed = {name: value for name, value in dict(asked).items() if name != "site"}
        kept = safety.take_reading(place, rules=chain.food_safety(), by=by, **typed)
        plain = {name: getattr(kept, name) for name in ReadingOut.model_fields if name != "site"}
        return ReadingOut(site=place.code, **plain)

    return retriable(request, retry_key, asked, act)


class BatchOut(Schema):
    """A delivery of the purchase ledger."""

    number: str = Field(title="进货号")
    site: str = Field(title="助餐点编号")
    product: str = Field(title="品名")
    batch_no: str = Field(title="生产批号")
    supplier: str = Field(title="供货者")
    received_on: date = Field(title="进货日期")
    shelf_life_until: date | None = Field(title="保质期至")
    keep_until: date = Field(title="记录至少保存至")


class BatchFilters(Paging):
    """Which deliveries."""

    text: Line = Field("", title="品名、批号、供货者或进货号")


def _batch(found: safety.FoodBatch) -> BatchOut:
    aside = ("site", "supplier")
    plain = {name: getattr(found, name) for name in BatchOut.model_fields if name not in aside}
    return BatchOut(**plain, site=found.site.code, supplier=found.supplier.name)


@router.get(
    "/meals/safety/batches", response=Page[BatchOut], summary="进货查验记录", **behind(Act.VIEW_SAFETY)
)
def batches(request: HttpRequest, asked: Query[BatchFilters]) -> Any:
    """进货查验记录，新的在前。"""
    return page_of(safety.batches(by=caller(request), text=asked.text), asked, _batch)


class EatenOut(Schema):
    """A meal that may have held a bad delivery."""

    diner: str = Field(title="助餐编号")
    site: str = Field(title="助餐点编号")
    day: date = Field(title="日期")
    meal: str = Field(title="餐次")
    sure: bool = Field(title="菜品已记", description="false：这餐没有记菜品，可能吃过")


class RecallOut(Schema):
    """Whom a delivery reached."""

    batch: str = Field(title="进货号")
    people: int = Field(title="人数")
    meals: list[EatenOut] = Field(title="就餐")


@router.post(
    "/meals/safety/batches/{number}/recall", response=RecallOut, summary="召回追溯", **behind(Act.TRACE_MEAL)
)
def recall(request: HttpRequest, number: Number) -> Any:
    """从一个批次查出所有吃过的人（助餐编号）；查看记入审计日志。"""
    found = safety.recall(number, by=caller(request))
    return RecallOut(
        batch=found.batch.number,
        people=found.people,
        meals=[
            EatenOut(
                diner=row.meal.diner.number,
                site=row.meal.site.code,
                day=row.meal.day,
                meal=row.meal.meal,
                sure=row.sure,
            )
            for row in found.eaten
        ],
    )


class IncidentOut(Schema):
    """A food incident, without its text."""

    number: str = Field(title="事件号")
    site: str = Field(title="助餐点编号")
    kind: str = Field(title="种类", description="illness、batch、other")
    state: str = Field(title="状态", description="open、reported、closed")
    people: int = Field(title="出现症状人数")
    found_at: datetime = Field(title="发现时间")
    report_due_at: datetime = Field(title="报告期限")
    reported_at: datetime | None = Field(title="报告时间")


class IncidentFilters(Paging):
    """Which incidents."""

    state: Literal["", "open", "reported", "closed", "late"] = Field(
        "", title="状态", description="late：超时未报"
    )


def _incident(found: safety.Incident) -> IncidentOut:
    plain = {name: getattr(found, name) for name in IncidentOut.model_fields if name != "site"}
    return IncidentOut(**plain, site=found.site.code)


@router.get(
    "/meals/safety/incidents", response=Page[IncidentOut], summary="食品安全事件", **behind(Act.VIEW_SAFETY)
)
def incidents(request: HttpRequest, asked: Query[IncidentFilters]) -> Any:
    """食品安全事件，新的在前。"""
    return page_of(safety.incidents(by=caller(request), state=asked.state), asked, _incident)


class PlanOut(Schema):
    """A siting plan."""

    number: str = Field(title="方案号")
    name: str = Field(title="名称")
    region_code: str = Field(title="地区")
    state: str = Field(title="状态", description="draft、adopted")
    status: str = Field(title="求解状态", description="optimal、feasible、infeasible、given")
    gap: float | None = Field(title="与最优的差距", description="0.01 为 1 %")
    sites: list[str] = Field(title="点位编号")
    covered: float = Field(title="步行覆盖（人）")
    total: float = Field(title="老年人")
    hard_covered: float = Field(title="困难老人覆盖")
    hard_total: float = Field(title="困难老人")


def _plan(found: Any) -> PlanOut:
    own = ("number", "name", "region_code", "state")
    result = {name: found.result[name] for name in PlanOut.model_fields if name not in own}
    return PlanOut(**{name: getattr(found, name) for name in own}, **result)


@router.get("/meals/plans", response=Page[PlanOut], summary="选址方案", **behind(Act.VIEW_PLANS))
def plans(request: HttpRequest, asked: Query[Paging]) -> Any:
    """辖区的选址方案，新的在前。"""
    return page_of(planning.plans(by=caller(request)), asked, _plan)


@router.get("/meals/plans/{number}", response=PlanOut, summary="一个选址方案", **behind(Act.VIEW_PLANS))
def one_plan(request: HttpRequest, number: Number) -> Any:
    """一个方案的结果。"""
    return _plan(planning.site_plan(number, by=caller(request)))


class TotalsOut(Schema):
    """The ledger of service points as a whole."""

    issued: int = Field(title="已发放")
    held: int = Field(title="个人持有")
    redeemed: int = Field(title="已兑换")
    expired: int = Field(title="已到期")
    pool: int = Field(title="公益池")
    whole: bool = Field(title="总账平", description="已发放 = 个人持有 + 已兑换 + 已到期 + 公益池")


@router.get("/meals/points", response=TotalsOut, summary="服务积分总账", **behind(Act.CORRECT_POINTS))
def points(request: HttpRequest) -> Any:
    """全部服务积分在哪里；一分不多一分不少。"""
    found = volunteering.totals()
    return TotalsOut(**{name: getattr(found, name) for name in TotalsOut.model_fields})
