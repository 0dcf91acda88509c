"""The meal network for other programs: places, diners, orders, the till, settlements (老年助餐)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from doudi import chain
from doudi.api.door import behind, caller
from doudi.api.shapes import Body, Day, Fen, Line, Number, Page, Paging, RetryKey, page_of, retriable
from doudi.contexts.accounts.services import Act
from doudi.contexts.meals import services as meals

router = Router(tags=["meals 老年助餐"])
Meal = Literal["breakfast", "lunch", "dinner"]


class SiteOut(Schema):
    """A place of the network."""

    code: str = Field(title="编号")
    name: str = Field(title="名称")
    kind: str = Field(title="类型", description="kitchen、canteen、point、table、mutual")
    state: str = Field(title="状态", description="planned、open、suspended、closed")
    region_code: str = Field(title="地区")
    operator: str = Field(title="运营单位")
    seats: int = Field(title="座位")
    licence_until: date | None = Field(title="许可证有效期至")
    longitude: float | None = Field(title="经度", description="CGCS2000 / WGS84")
    latitude: float | None = Field(title="纬度")


def _site(found: meals.Site) -> SiteOut:
    return SiteOut(**{name: getattr(found, name) for name in SiteOut.model_fields})


@router.get("/meals/sites", response=Page[SiteOut], summary="助餐点", **behind(Act.VIEW_SITES))
def sites(request: HttpRequest, asked: Query[Paging]) -> Any:
    """辖区（或本单位）的助餐点。"""
    return page_of(meals.sites(by=caller(request)), asked, _site)


class DinerOut(Schema):
    """A diner, without illness and identity."""

    number: str = Field(title="助餐编号")
    name: str = Field(title="姓名")
    status: str = Field(title="状态", description="applied、active、left")
    category: str = Field(title="救助类别", description="取自低收入人口登记，空为没有")
    site: str = Field(title="常去助餐点编号")
    delivered: bool = Field(title="送餐上门")
    texture: str = Field(title="食物质地", description="ordinary、soft、minced、liquid")
    diets: list[str] = Field(title="膳食要求")
    allergies: list[str] = Field(title="过敏原")
    halal: bool = Field(title="清真")


def _diner(found: meals.Diner) -> DinerOut:
    plain = {name: getattr(found, name) for name in DinerOut.model_fields if name != "site"}
    return DinerOut(**plain, site=found.site.code)


class DinerFilters(Paging):
    """Which diners."""

    text: Line = Field("", title="姓名、电话、取餐码或编号")
    status: Literal["all", "applied", "active", "left"] = Field("active", title="状态")


@router.get("/meals/diners", response=Page[DinerOut], summary="助餐对象", **behind(Act.VIEW_DINERS))
def diners(request: HttpRequest, asked: Query[DinerFilters]) -> Any:
    """辖区（或本单位）的助餐对象。"""
    return page_of(meals.diners(by=caller(request), text=asked.text, status=asked.status), asked, _diner)


@router.get("/meals/diners/{number}", response=DinerOut, summary="一名助餐对象", **behind(Act.VIEW_DINERS))
def one_diner(request: HttpRequest, number: Number) -> Any:
    """一名助餐对象的饮食要求；查看记入审计日志。"""
    return _diner(meals.look_at_diner(number, by=caller(request)))


class OrderOut(Schema):
    """An order."""

    number: str = Field(title="订餐编号")
    diner: str = Field(title="助餐编号")
    site: str = Field(title="助餐点编号")
    day: date = Field(title="日期")
    meal: str = Field(title="餐次")
    delivery: bool = Field(title="送餐上门")
    state: str = Field(title="状态", description="ordered、cancelled、served、missed")
    clash: list[str] = Field(title="忌口冲突")


def _order(found: meals.MealOrder) -> OrderOut:
    return OrderOut(
        number=found.number,
        diner=found.diner.number,
        site=found.site.code,
        day=found.day,
        meal=found.meal,
        delivery=found.delivery,
        state=found.state,
        clash=found.clash,
    )


class OrderFilters(Paging):
    """Which orders."""

    day: Day = Field(title="日期")
    meal: Meal | None = Field(None, title="餐次")


@router.get("/meals/orders", response=Page[OrderOut], summary="订餐", **behind(Act.VIEW_DINERS))
def orders(request: HttpRequest, asked: Query[OrderFilters]) -> Any:
    """某天的订餐。"""
    return page_of(meals.orders(by=caller(request), day=asked.day, meal=asked.meal or ""), asked, _order)


class NewOrder(Body):
    """A meal to be ordered."""

    diner: Number = Field(title="助餐编号")
    site: Number = Field(title="助餐点编号")
    day: Day = Field(title="日期")
    meal: Meal = Field(title="餐次")
    channel: Literal["phone", "family", "desk"] = Field("phone", title="方式")
    delivery: bool | None = Field(None, title="送餐上门", description="不填按登记")
    placed_for: Line = Field("", title="代订家属")


@router.post("/meals/orders", response=OrderOut, summary="登记订餐", **behind(Act.TAKE_ORDER))
def new_order(request: HttpRequest, asked: NewOrder, retry_key: RetryKey = None) -> Any:
    """登记一份订餐；同一人同一餐再订得到原来的一份。"""
    by = caller(request)

    def act() -> OrderOut:
        made = chain.place_order(
            asked.diner,
            site_code=asked.site,
            day=asked.day,
            meal=asked.meal,
            channel=asked.channel,
            delivery=asked.delivery,
            placed_for=asked.placed_for,
            by=by,
        )
        return _order(made)

    return retriable(request, retry_key, asked, act)


@router.post("/meals/orders/{number}/cancel", response=OrderOut, summary="取消订餐", **behind(Act.TAKE_ORDER))
def cancel_order(request: HttpRequest, number: Number, retry_key: RetryKey = None) -> Any:
    """取消还没有取的一份。"""
    by = caller(request)
    return retriable(request, retry_key, None, lambda: _order(meals.cancel_order(number, by=by)))


class ReceiptLineOut(Schema):
    """One step of a price."""

    code: str = Field(title="步骤")
    zh: str = Field(title="说明")
    en: str = Field(title="English")
    fen: int = Field(title="变动（分）", description="单位：分；负为减少")
    left_fen: int = Field(title="余（分）", description="单位：分")
    clause: str = Field(title="依据")


class ServedOut(Schema):
    """A meal handed out, each fen explained."""

    number: str = Field(title="就餐编号")
    token: UUID = Field(title="终端流水号")
    diner: str = Field(title="助餐编号")
    site: str = Field(title="助餐点编号")
    day: date = Field(title="日期")
    meal: str = Field(title="餐次")
    at: datetime = Field(title="就餐时间")
    list_fen: int = Field(title="标价（分）", description="单位：分")
    discount_fen: int = Field(title="优惠（分）", description="单位：分")
    subsidy_fen: int = Field(title="补贴（分）", description="单位：分")
    given_fen: int = Field(title="慈善捐助（分）", description="单位：分；由慈善资金付")
    paid_fen: int = Field(title="自付（分）", description="单位：分")
    subsidy_code: str = Field(title="补贴规则")
    payer: str = Field(title="补贴资金")
    state: str = Field(title="状态", description="valid、reversed")
    receipt: list[ReceiptLineOut] = Field(title="小票")


def _served(found: meals.MealServed) -> ServedOut:
    aside = ("diner", "site", "receipt")
    plain = {name: getattr(found, name) for name in ServedOut.model_fields if name not in aside}
    lines = [ReceiptLineOut(**line) for line in found.receipt]
    return ServedOut(**plain, diner=found.diner.number, site=found.site.code, receipt=lines)


class TapIn(Body):
    """A meal handed out, as a till sends it."""

    token: UUID = Field(title="终端流水号", description="终端为每餐生成一个；重发用同一个，得到同一餐")
    site: Number = Field(title="助餐点编号")
    key: Number = Field(title="取餐码或卡号")
    meal: Meal = Field(title="餐次")
    at: AwareDatetime = Field(title="就餐时间", description="带时区；只补收七天内的")
    list_fen: Fen | None = Field(None, title="标价（分）", description="单位：分；空为菜单价")
    offline: bool = Field(False, title="断网期间就餐，事后补传")


@router.post("/meals/served", response=ServedOut, summary="登记就餐", **behind(Act.SERVE_MEAL))
def serve(request: HttpRequest, asked: TapIn) -> Any:
    """登记一餐并开出小票；重发同一流水号不会登记两次。"""
    tap = meals.Tap(
        asked.token, asked.key, asked.meal, asked.at, list_fen=asked.list_fen, offline=asked.offline
    )
    return _served(chain.serve_meal(asked.site, tap, by=caller(request)).serving)


@router.get("/meals/served/{number}", response=ServedOut, summary="小票", **behind(Act.VIEW_DINERS))
def one_served(request: HttpRequest, number: Number) -> Any:
    """一餐的小票。"""
    return _served(meals.serving(number, by=caller(request)))


class SettlementOut(Schema):
    """A settlement of a place and month."""

    number: str = Field(title="结算编号")
    site: str = Field(title="助餐点编号")
    month: str = Field(title="月份")
    state: str = Field(title="状态", description="draft、checked、paid、withdrawn")
    meals: int = Field(title="补贴餐数")
    due_fen: int = Field(title="应拨（分）", description="单位：分")
    given_fen: int = Field(title="慈善捐助（分）", description="单位：分；由慈善资金另付")
    disputed_meals: int = Field(title="存疑餐数")
    disputed_fen: int = Field(title="存疑（分）", description="单位：分")
    voucher: str = Field(title="拨付凭证号")


def _settlement(found: meals.Settlement) -> SettlementOut:
    plain = {name: getattr(found, name) for name in SettlementOut.model_fields if name != "site"}
    return SettlementOut(**plain, site=found.site.code)


class SettlementFilters(Paging):
    """Which settlements."""

    month: str = Field("", title="月份", pattern=r"^([0-9]{4}-[0-9]{2})?$")


@router.get(
    "/meals/settlements", response=Page[SettlementOut], summary="助餐结算", **behind(Act.VIEW_SETTLEMENT)
)
def settlements(request: HttpRequest, asked: Query[SettlementFilters]) -> Any:
    """月度结算。"""
    return page_of(meals.settlements(by=caller(request), month=asked.month), asked, _settlement)
