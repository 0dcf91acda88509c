"""Food safety as the pack says (食品安全): how long papers hold, when a dish is safe, what a place scores.

Temperatures are tenths of a degree Celsius, weights grams. Verdicts say why; the code knows no limit of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from dateutil.relativedelta import relativedelta

from doudi.engine.packs.sections import read_section
from doudi.engine.packs.source import Node

_SCHEMA = Path(__file__).with_name("food_safety.schema.json")


@dataclass(frozen=True)
class Named:
    """Something the pack names, in both languages."""

    code: str
    label: str
    label_en: str


@dataclass(frozen=True)
class Range(Named):
    """Temperatures that are safe at one point (测温点): at least and at most, tenths °C; None: no bound."""

    at_least: int | None
    at_most: int | None


@dataclass(frozen=True)
class Tour(Named):
    """A kind of inspection (日管控、周排查、月调度、监督检查): due every so many days, None where it has no rhythm."""

    every_days: int | None
    mend_days: int
    items: tuple[Named, ...]


@dataclass(frozen=True)
class Grade:
    """A grade that the public reads, from so many points on."""

    label: str
    label_en: str
    at_least: int


@dataclass(frozen=True)
class Verdict:
    """Whether something holds, and the reasons where it does not."""

    passed: bool
    zh: str = ""
    en: str = ""


@dataclass(frozen=True)
class FoodSafety:
    """The food safety rules of a pack."""

    licence_warning_days: int
    certificate_months: int
    certificate_warning_days: int
    months_after_shelf_life: int
    months_without_shelf_life: int
    months_fresh_produce: int
    fever: int
    unfit: tuple[str, ...]
    ranges: Mapping[str, Range]
    warm_minutes: int
    warm_above: int
    warm_below: int
    sample_grams: int
    sample_hours: int
    tours: Mapping[str, Tour]
    report_hours: int
    report_to: tuple[str, ...]
    score_days: int
    weights: Mapping[str, int]
    grades: tuple[Grade, ...]
    window_minutes: int
    per_address: int

    # ---- papers --------------------------------------------------------------------------------------------------

    def certificate_until(self, issued_on: date) -> date:
        """The last day of a health certificate (食品安全法 art.45: yearly; civil code art.201: the day itself not counted)."""
        return issued_on + relativedelta(months=self.certificate_months)

    def keep_until(self, *, received_on: date, shelf_life_until: date | None, fresh_produce: bool) -> date:
        """Until when a purchase record is kept at least (食品安全法 art.50 para.2, art.65)."""
        if shelf_life_until is not None:
            return shelf_life_until + relativedelta(months=self.months_after_shelf_life)
        months = self.months_fresh_produce if fresh_produce else self.months_without_shelf_life
        return received_on + relativedelta(months=months)

    def report_due(self, found_at: datetime) -> datetime:
        """By when an incident is reported."""
        return found_at + timedelta(hours=self.report_hours)

    # ---- verdicts ------------------------------------------------------------------------------------------------

    def fit_for_work(
        self, *, tenths: int, symptoms: list[str], certificate_until: date | None, on: date
    ) -> Verdict:
        """Whether somebody may touch ready-to-eat food on a day: certificate in force, no fever, none of the symptoms."""
        if certificate_until is None:
            return Verdict(False, "没有健康证", "no health certificate")
        if on > certificate_until:
            return Verdict(
                False,
                f"健康证已于 {certificate_until} 到期",
                f"the health certificate ended on {certificate_until}",
            )
        if tenths >= self.fever:
            return Verdict(False, f"体温 {degrees(tenths)} ℃", f"temperature {degrees(tenths)} °C")
        if found := [one for one in symptoms if one in self.unfit]:
            return Verdict(False, "、".join(found), "symptoms: " + ", ".join(found))
        return Verdict(True)

    def measured(self, code: str, tenths: int) -> Verdict:
        """Whether a temperature is in the range of its point."""
        point = self.ranges[code]
        if point.at_least is not None and tenths < point.at_least:
            return Verdict(
                False,
                f"{point.label} {degrees(tenths)} ℃，低于 {degrees(point.at_least)} ℃",
                f"{point.label_en} {degrees(tenths)} °C, below {degrees(point.at_least)} °C",
            )
        if point.at_most is not None and tenths > point.at_most:
            return Verdict(
                False,
                f"{point.label} {degrees(tenths)} ℃，高于 {degrees(point.at_most)} ℃",
                f"{point.label_en} {degrees(tenths)} °C, above {degrees(point.at_most)} °C",
            )
        return Verdict(True)

    def kept_warm(self, tenths: int, minutes: int) -> Verdict:
        """Whether food may still be eaten after so many minutes at a temperature between cold and hot."""
        between = self.warm_above < tenths < self.warm_below
        if between and minutes > self.warm_minutes:
            return Verdict(
                False,
                f"在 {degrees(tenths)} ℃ 存放 {minutes} 分钟，超过 {self.warm_minutes} 分钟",
                f"{minutes} minutes at {degrees(tenths)} °C, more than {self.warm_minutes}",
            )
        return Verdict(True)

    def sample(self, *, grams: int, hours: float) -> Verdict:
        """Whether a kept sample (留样) is heavy enough and was kept long enough."""
        if grams < self.sample_grams:
            return Verdict(
                False,
                f"留样 {grams} 克，少于 {self.sample_grams} 克",
                f"{grams} g, less than {self.sample_grams} g",
            )
        if hours < self.sample_hours:
            return Verdict(
                False,
                f"只保留 {hours:.1f} 小时，少于 {self.sample_hours} 小时",
                f"kept {hours:.1f} hours, less than {self.sample_hours}",
            )
        return Verdict(True)

    # ---- the public's score --------------------------------------------------------------------------------------

    def score(self, shares: Mapping[str, tuple[int, int]], *, red_lines: list[str]) -> int:
        """Points of 100 from what was done of what was due (weight name → done, due); a red line makes it nought.

        Nothing done where something was due earns nothing; where nothing was due, the weight is left out of the sum.
        """
        if red_lines:
            return 0
        due = {name: weight for name, weight in self.weights.items() if shares.get(name, (0, 0))[1]}
        whole = sum(due.values())
        if not whole:
            return 0
        earned = sum(Decimal(weight) * shares[name][0] / shares[name][1] for name, weight in due.items())
        return int(earned * 100 / whole)

    def grade(self, points: int) -> Grade:
        """The grade of so many points."""
        return next((one for one in self.grades if points >= one.at_least), self.grades[-1])


def degrees(tenths: int) -> str:
    """Tenths of a degree as written: 705 → 70.5."""
    return f"{Decimal(tenths) / 10:f}"


def load_food_safety(folder: Path) -> FoodSafety:
    """The rules of a pack folder: its own ``food_safety.yaml``, or that of the nearest layer below it."""
    raw = read_section(folder, "food_safety.yaml", _SCHEMA, about="食品安全")

    def whole(group: str, key: str) -> int:
        return int(_group(raw, group).text_of(key))

    morning, score, warm = _group(raw, "晨检"), _group(raw, "公开评分"), _group(raw, "常温存放")
    grades = sorted(
        (
            Grade(row.text_of("名"), row.text_of("英"), int(row.text_of("至少")))
            for row in _group(score, "等级").elements()
        ),
        key=lambda grade: -grade.at_least,
    )
    return FoodSafety(
        licence_warning_days=whole("许可证", "预警天数"),
        certificate_months=whole("健康证", "有效月数"),
        certificate_warning_days=whole("健康证", "预警天数"),
        months_after_shelf_life=whole("进货记录", "保质期后月数"),
        months_without_shelf_life=whole("进货记录", "无保质期月数"),
        months_fresh_produce=whole("进货记录", "农产品月数"),
        fever=tenths_of(morning.text_of("体温低于")),
        unfit=tuple(one.text for one in _group(morning, "不得上岗").elements()),
        ranges={row.text_of("码"): _range(row) for row in _group(raw, "温度").elements()},
        warm_minutes=int(warm.text_of("分钟")),
        warm_above=tenths_of(warm.text_of("高于")),
        warm_below=tenths_of(warm.text_of("低于")),
        sample_grams=whole("留样", "克"),
        sample_hours=whole("留样", "小时"),
        tours={row.text_of("码"): _tour(row) for row in _group(raw, "检查").elements()},
        report_hours=whole("事件", "报告小时"),
        report_to=tuple(one.text for one in _group(_group(raw, "事件"), "报告对象").elements()),
        score_days=int(score.text_of("天数")),
        weights={name: int(node.text) for name, node in _group(score, "权重").items()},
        grades=tuple(grades),
        window_minutes=whole("公众提交", "时段分钟"),
        per_address=whole("公众提交", "每地址"),
    )


def tenths_of(text: str) -> int:
    """A temperature as typed (70.5) in tenths of a degree; ValueError where it is none."""
    try:
        value = Decimal(text.strip()) * 10
    except ArithmeticError:
        raise ValueError(text) from None
    if not value.is_finite() or value != int(value) or abs(value) > 3000:
        raise ValueError(text)
    return int(value)


def _group(node: Node, key: str) -> Node:
    found = node.get(key)
    assert found is not None  # the schema asks for it
    return found


def _named(row: Node) -> tuple[str, str, str]:
    return row.text_of("码"), row.text_of("名"), row.text_of("英")


def _range(row: Node) -> Range:
    least, most = row.text_of("至少"), row.text_of("至多")
    return Range(*_named(row), tenths_of(least) if least else None, tenths_of(most) if most else None)


def _tour(row: Node) -> Tour:
    every = row.text_of("每天数")
    items = tuple(Named(*_named(item)) for item in _group(row, "项目").elements())
    return Tour(*_named(row), int(every) if every else None, int(row.text_of("整改天数")), items)
