"""The sections of a pack that the meal network lives by: prices (``meal_price.yaml``) and running (``meal_network.yaml``).

Each has a schema of its own; a fault is told with file and line. A county's file takes the place of the whole file of
its parent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from doudi.engine.errors import DoudiError
from doudi.engine.meals.pricing import Condition, Discount, PriceScheme, Subsidy
from doudi.engine.money import parse_fen
from doudi.engine.packs.food_safety import load_food_safety
from doudi.engine.packs.problems import PackError, Problem, Report
from doudi.engine.packs.sections import read_section
from doudi.engine.packs.siting import load_siting_rules
from doudi.engine.packs.source import Node
from doudi.engine.packs.volunteers import load_volunteer_rules

PRICE, NETWORK = "meal_price.yaml", "meal_network.yaml"


@dataclass(frozen=True)
class Diet:
    """A diet (膳食要求) with the flags and words of ingredients that it avoids."""

    code: str
    label: str
    label_en: str
    avoids: tuple[str, ...]


@dataclass(frozen=True)
class DeliveryRules:
    """How meals are carried: minutes until the last hand-over, portions a vehicle, vehicles, speed in km/h."""

    hot_minutes: int
    capacity: int
    vehicles: int
    service_minutes: float
    detour: float
    speed_kmh: float
    change_gain: Fraction
    """The usual sequence is kept unless a new one drives less by this share."""
    search_seconds: float


@dataclass(frozen=True)
class DoorRules:
    """What follows an unopened door: whom to call in which order, and the warning that is raised at the end."""

    chain: tuple[str, ...]
    signal: str
    label: str
    label_en: str
    level: str
    difficulty: str


@dataclass(frozen=True)
class EvaluationRules:
    """Marks of a demonstration agency by item, the pass mark, and what takes the marks of an item."""

    full: Mapping[str, int]
    pass_mark: int
    least_replies: int
    heard_days: int
    """Ratings of so many days before the evaluation make the marks for satisfaction."""
    least_result: int
    """(income − cost) ÷ cost in %, under which the marks for operation are lost."""
    valid_years: int


@dataclass(frozen=True)
class CutOff:
    """Until when an order may be made or undone (截止): so many days before the meal's day, at a time of day."""

    days_before: int
    at: time

    def until(self, day: date) -> datetime:
        """The last moment for a meal of ``day``, as local time without a zone."""
        return datetime.combine(day - timedelta(days=self.days_before), self.at)


@dataclass(frozen=True)
class NetworkRules:
    """How the network is run."""

    expiry_days: int
    allergens: tuple[str, ...]
    diets: Mapping[str, Diet]
    flags: tuple[str, ...]
    amounts: Mapping[str, tuple[str, float | None, float | None]]
    """Food group → unit, least and most a day."""
    shares: Mapping[str, Fraction]
    order_days: int
    menu_days: int
    cut_offs: Mapping[str, CutOff]
    """By meal, until when a family orders or cancels by itself."""
    family_days: int
    """For so many days a family's code is good."""
    queue_days: int
    """For so many days a till's queue is taken in."""
    delivery: DeliveryRules
    door: DoorRules
    most_a_minute: int
    gift_purposes: tuple[str, ...]
    """Purposes of charity's money that may pay for meals (捐助用途)."""
    gifts_a_day: int
    evaluation: EvaluationRules


@dataclass(frozen=True)
class PriceRules:
    """The price schemes of a pack, oldest first, with the digest that a receipt names."""

    schemes: tuple[PriceScheme, ...]

    def on(self, day: date) -> PriceScheme:
        """The scheme in force on a day, or a refusal that says since when there is one."""
        begun = [scheme for scheme in self.schemes if scheme.since <= day]
        if not begun:
            raise DoudiError(
                f"{day} 还没有助餐价格方案，最早的从 {self.schemes[0].since} 起。",
                f"No price scheme on {day}; the first is in force from {self.schemes[0].since} on.",
                code="no_price_scheme",
            )
        return begun[-1]


def check_meals(folder: Path) -> list[Problem]:
    """Everything wrong with the folder's own sections on meals; one it does not have is its parent's."""
    found: list[Problem] = []
    sections: tuple[tuple[str, Callable[[Path], object]], ...] = (
        (PRICE, load_prices),
        (NETWORK, load_network),
        ("food_safety.yaml", load_food_safety),
        ("volunteers.yaml", load_volunteer_rules),
        ("siting.yaml", load_siting_rules),
    )
    for name, load in sections:
        if (folder / name).is_file():
            try:
                load(folder)
            except PackError as error:
                found += error.problems
    return found


def load_prices(folder: Path) -> PriceRules:
    """The price schemes of a pack's folder, its own or those of the nearest layer below it."""
    node = _section(folder, PRICE)
    report = Report()
    schemes = [_scheme(one, report) for one in _list(node, "方案")]
    whole = sorted((one for one in schemes if one is not None), key=lambda one: one.since)
    for earlier, later in pairwise(whole):
        if earlier.since == later.since:
            report.add(
                node.place, "overlap", f"两个方案都从 {later.since} 起", "two schemes begin on one day"
            )
    if report.problems:
        raise PackError(report.problems)
    return PriceRules(tuple(whole))


def load_network(folder: Path) -> NetworkRules:
    """How a pack's folder has the network run, its own file or that of the nearest layer below it."""
    node = _section(folder, NETWORK)
    day = _node(node, "营养")
    carry, door, marks = _node(node, "送餐"), _node(node, "敲门"), _node(node, "评价")
    return NetworkRules(
        expiry_days=int(node.text_of("到期提醒天数")),
        allergens=_texts(node, "过敏原"),
        diets={
            one.text_of("码"): Diet(
                one.text_of("码"), one.text_of("名"), one.text_of("英"), _texts(one, "忌")
            )
            for one in _list(node, "膳食")
        },
        flags=_texts(node, "菜品特点"),
        amounts={
            one.text_of("组"): (one.text_of("单位"), _number(one.text_of("少")), _number(one.text_of("多")))
            for one in _list(day, "每天")
        },
        shares={name: _percent(part.text) for name, part in _node(day, "占比").items()},
        order_days=int(_node(node, "订餐").text_of("最多提前天数")),
        menu_days=int(_node(node, "订餐").text_of("菜单提前天数")),
        cut_offs={
            meal: CutOff(int(one.text_of("提前天数")), time.fromisoformat(one.text_of("时刻")))
            for meal, one in _node(_node(node, "订餐"), "截止").items()
        },
        family_days=int(_node(node, "订餐").text_of("家属码天数")),
        queue_days=int(_node(node, "订餐").text_of("补收天数")),
        delivery=DeliveryRules(
            hot_minutes=int(carry.text_of("热食分钟")),
            capacity=int(carry.text_of("每车份数")),
            vehicles=int(carry.text_of("车辆")),
            service_minutes=float(carry.text_of("交付分钟")),
            detour=float(carry.text_of("绕行系数")),
            speed_kmh=float(carry.text_of("车速公里")),
            change_gain=_percent(carry.text_of("换线收益")),
            search_seconds=float(carry.text_of("搜索秒数")),
        ),
        door=DoorRules(
            chain=_texts(door, "联系顺序"),
            signal=door.text_of("信号"),
            label=door.text_of("名"),
            label_en=door.text_of("英"),
            level=door.text_of("级"),
            difficulty=door.text_of("困难类型"),
        ),
        most_a_minute=int(_node(node, "结算异常").text_of("一分钟最多份数")),
        gift_purposes=_texts(_node(node, "捐助"), "用途"),
        gifts_a_day=int(_node(node, "捐助").text_of("每人每天次数")),
        evaluation=EvaluationRules(
            full={name: int(part.text) for name, part in _node(marks, "满分").items()},
            pass_mark=int(marks.text_of("合格")),
            least_replies=int(marks.text_of("最少答卷")),
            heard_days=int(marks.text_of("满意度天数")),
            least_result=int(marks.text_of("最低收支率")),
            valid_years=int(marks.text_of("有效年数")),
        ),
    )


def _section(folder: Path, name: str) -> Node:
    schema = Path(__file__).with_name(f"{name.removesuffix('.yaml')}.schema.json")
    return read_section(folder, name, schema, about="助餐")


def _node(node: Node, key: str) -> Node:
    found = node.get(key)
    assert found is not None, key  # the schema asks for it
    return found


def _list(node: Node, key: str) -> list[Node]:
    return _node(node, key).elements()


def _texts(node: Node, key: str) -> tuple[str, ...]:
    found = node.get(key)
    return tuple(part.text for part in found.elements()) if found is not None else ()


def _percent(text: str) -> Fraction:
    return Fraction(text.removesuffix("%")) / 100


def _number(text: str) -> float | None:
    return None if text == "无" else float(text)


def _fen(text: str) -> int:
    fen, fault = parse_fen(text)
    assert fen is not None and fault is None, text  # the schema's pattern lets nothing else through
    return fen


def _fen_or_none(text: str) -> int | None:
    return None if text == "无" else _fen(text)


def _condition(node: Node) -> Condition:
    grade = node.text_of("残疾等级止")
    return Condition(
        age_from=int(node.text_of("年龄起", "0")),
        age_to=int(node.text_of("年龄止", "200")),
        registered=node.text_of("户籍"),
        categories=frozenset(_texts(node, "类别")),
        disability_to=int(grade) if grade else None,
        living=frozenset(_texts(node, "居住情况")),
    )


def _scheme(node: Node, report: Report) -> PriceScheme | None:
    since = _node(node, "自")
    try:
        begins = date.fromisoformat(since.text)
    except ValueError:
        report.add(since.place, "date", f"“{since.text}”不是日期", f"{since.text!r} is no date")
        return None
    discounts = [
        Discount(
            one.text_of("码"),
            one.text_of("名"),
            one.text_of("英"),
            _condition(_node(one, "条件")),
            _percent(one.text_of("折扣")),
            one.text_of("依据"),
        )
        for one in _list(node, "优惠")
    ]
    subsidies = [
        Subsidy(
            one.text_of("码"),
            one.text_of("名"),
            one.text_of("英"),
            _condition(_node(one, "条件")),
            _fen(one.text_of("起付")),
            _fen(one.text_of("补")),
            one.text_of("出资"),
            one.text_of("依据"),
        )
        for one in _list(node, "补贴")
    ]
    written_rules: list[Node] = [*_list(node, "优惠"), *_list(node, "补贴")]
    rules: list[Discount | Subsidy] = [*discounts, *subsidies]
    seen: set[str] = set()
    for written, rule in zip(written_rules, rules, strict=True):
        if rule.code in seen:
            report.add(written.place, "twice", f"码 {rule.code} 写了两次", f"code {rule.code} stands twice")
        seen.add(rule.code)
        if rule.when.age_from > rule.when.age_to:
            report.add(written.place, "age", "年龄起大于年龄止", "the ages are the wrong way round")
    for written, one in zip(_list(node, "优惠"), discounts, strict=True):
        if one.share > 1:
            report.add(written.place, "share", "折扣超过 100%", "a discount above 100 %")
    times = node.text_of("每人每天次数")
    return PriceScheme(
        name=node.text_of("名"),
        since=begins,
        clause=node.text_of("依据"),
        base_discounted=node.text_of("起付基数") == "折后",
        stack=node.text_of("叠加") == "是",
        discounts=tuple(discounts),
        subsidies=tuple(subsidies),
        times_a_day=None if times == "无" else int(times),
        per_meal_fen=_fen_or_none(node.text_of("每餐上限")),
        per_day_fen=_fen_or_none(node.text_of("每天上限")),
        per_month_fen=_fen_or_none(node.text_of("每月上限")),
        least_paid_fen=_fen(node.text_of("最低自付")),
        free_categories=frozenset(_texts(node, "免自付类别")),
    )
