"""An independent reading of the reference pack's rules in plain Python, written from their text.

It knows nothing of packs, SQL or compilers. A household is a list of members; a member is a dict of register
cells plus ``rows``: feed → list of row dicts (money in fen, months as year*12+month-1). None is unknown; logic is
three-valued.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

DEFAULT = {
    "城镇": 70000, "农村": 56000, "可支配城镇": 4200000, "可支配农村": 1500000,
    "占比": 60, "倍数": Fraction(3, 2), "月数": 24, "月数刚性": 36, "观察期": 12,
}  # fmt: skip
GUIYANG = DEFAULT | {"城镇": 74500, "农村": 62000, "可支配城镇": 4600000, "可支配农村": 1900000}
XIAN = DEFAULT | {"城镇": 78000, "农村": 64000, "可支配城镇": 4500000, "可支配农村": 1850000, "占比": 50}
PAYING = {"高中", "中职", "专科", "本科"}
RANK = {"TK": 4, "DB": 3, "BY": 2, "GX": 1, "NONE": 0}
REGISTERED = {"特困": "TK", "低保": "DB", "低保边缘": "BY", "刚性支出困难": "GX"}
COLOURS = ["none", "yellow", "orange", "red"]


def parameters(region: str, day: date) -> dict[str, Any]:
    if region.startswith("520102"):
        return GUIYANG
    if region.startswith("610102") and day >= date(2024, 7, 1):
        return XIAN
    return DEFAULT


def back(day: date, months: int) -> date:
    year, month = day.year, day.month - months
    while month < 1:
        year, month = year - 1, month + 12
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def both(*parts: bool | None) -> bool | None:
    if any(part is False for part in parts):
        return False
    return None if any(part is None for part in parts) else True


def either(parts: Iterable[bool | None]) -> bool | None:
    listed = list(parts)
    if any(part is True for part in listed):
        return True
    return None if any(part is None for part in listed) else False


def negated(part: bool | None) -> bool | None:
    return None if part is None else not part


def known(*values: Any) -> bool:
    return all(value is not None for value in values)


class Household:
    """One household on a day, with some feeds missing."""

    def __init__(self, members: list[dict[str, Any]], day: date, missing: Iterable[str] = ()) -> None:
        self.members = members
        self.day = day
        self.month = day.year * 12 + day.month - 1
        self.missing = set(missing)
        heads = [m for m in members if m["relation"] == "户主"] or members
        self.head = min(heads, key=lambda m: m["id_number"])
        self.p = parameters(self.head["region_code"], day)
        self.standard = self.p[self.head["urban_rural"]]
        self.disposable = self.p["可支配" + self.head["urban_rural"]]

    # -- one member ----------------------------------------------------------------------------------------

    def rows(self, member: dict[str, Any], feed: str) -> list[dict[str, Any]] | None:
        return None if feed in self.missing else member["rows"].get(feed, [])

    def recent(self, day: date | None, months: int = 12) -> bool:
        return day is not None and back(self.day, months) < day <= self.day

    def within(self, month: int) -> bool:
        return self.month - 12 <= month <= self.month - 1

    def quarter(self, month: int) -> bool:
        return self.month - 2 <= month <= self.month

    def has(self, member: dict[str, Any], feed: str, test: Any) -> bool | None:
        rows = self.rows(member, feed)
        return None if rows is None else any(test(row) for row in rows)

    def total(self, member: dict[str, Any], feed: str, amount: Any) -> int | None:
        rows = self.rows(member, feed)
        return None if rows is None else sum(amount(row) for row in rows)

    def dead(self, m: dict[str, Any]) -> bool | None:
        return either(
            [
                self.has(m, "death", lambda r: r["died_on"] <= self.day),
                self.has(
                    m,
                    "population",
                    lambda r: (
                        r["status"] == "死亡" and r["status_on"] is not None and r["status_on"] <= self.day
                    ),
                ),
            ]
        )

    def died_lately(self, m: dict[str, Any]) -> bool | None:
        return either(
            [
                self.has(m, "death", lambda r: self.recent(r["died_on"])),
                self.has(m, "population", lambda r: r["status"] == "死亡" and self.recent(r["status_on"])),
            ]
        )

    def in_custody(self, m: dict[str, Any]) -> bool | None:
        return self.has(
            m, "custody", lambda r: r["from_on"] <= self.day and (r["to_on"] is None or r["to_on"] > self.day)
        )

    def counted(self, m: dict[str, Any]) -> bool | None:
        graduate = self.has(m, "education", lambda r: r["stage"] == "研究生" and r["status"] == "在读")
        return both(
            m["living_together"], negated(self.dead(m)), negated(self.in_custody(m)), negated(graduate)
        )

    def insured_base(self, m: dict[str, Any]) -> int | None:
        rows = self.rows(m, "social_insurance")
        if rows is None:
            return None
        past = [r for r in rows if r["month"] <= self.month]
        if not past:
            return 0
        latest = max(r["month"] for r in past)
        return max(r["base"] for r in past if r["month"] == latest) if latest >= self.month - 2 else 0

    def fund_base(self, m: dict[str, Any]) -> int | None:
        rows = self.rows(m, "housing_fund")
        return None if rows is None else max((r["base"] for r in rows if self.quarter(r["month"])), default=0)

    def taxed(self, m: dict[str, Any], *, wages: bool) -> int | None:
        total = self.total(
            m,
            "tax_income",
            lambda r: r["amount"] if self.within(r["month"]) and (r["kind"] == "工资薪金") == wages else 0,
        )
        return None if total is None else total // 12

    def benefit(self, m: dict[str, Any]) -> int | None:
        rows = self.rows(m, "unemployment")
        if rows is None:
            return None
        past = [r for r in rows if r["registered_on"] <= self.day]
        if not past:
            return 0
        latest = max(r["registered_on"] for r in past)
        return max(
            (
                r["benefit"] or 0
                for r in past
                if r["registered_on"] == latest
                and r["benefit_until"] is not None
                and r["benefit_until"] >= self.day
            ),
            default=0,
        )

    def income(self, m: dict[str, Any]) -> int | None:
        wages = [self.insured_base(m), self.fund_base(m), self.taxed(m, wages=True)]
        pension = self.total(
            m, "pension", lambda r: 0 if r["scheme"] == "城乡居民基础养老金" else r["monthly_amount"]
        )
        parts = [self.taxed(m, wages=False), pension, self.benefit(m)]
        if not known(*wages, *parts):
            return None
        return max(wages) + sum(parts)  # type: ignore[type-var, arg-type]

    def assets(self, m: dict[str, Any]) -> int | None:
        parts = [
            self.total(m, "deposit", lambda r: r["balance"]),
            self.total(m, "securities", lambda r: r["market_value"]),
            self.total(m, "insurance_policy", lambda r: r["cash_value"]),
        ]
        return sum(parts) if known(*parts) else None  # type: ignore[arg-type]

    def vehicles(self, m: dict[str, Any]) -> int | None:
        return self.total(
            m, "vehicle", lambda r: int(r["status"] == "正常" and r["use"] not in ("残疾人专用", "农用"))
        )

    def own_paid(self, m: dict[str, Any]) -> int | None:
        return self.total(m, "medical", lambda r: r["own_paid"] if self.recent(r["settled_on"]) else 0)

    def fees(self, m: dict[str, Any]) -> int | None:
        return self.total(
            m,
            "education",
            lambda r: (r["yearly_fee"] or 0) if r["status"] == "在读" and r["stage"] in PAYING else 0,
        )

    def temporary(self, m: dict[str, Any], *, count: bool) -> int | None:
        return self.total(
            m,
            "grant",
            lambda r: (
                (1 if count else r["amount"])
                if r["programme"] == "临时救助" and self.recent(r["granted_on"])
                else 0
            ),
        )

    # -- the household -------------------------------------------------------------------------------------

    def over_counted(self, value: Any) -> int | None:
        """A sum over the counted members; unknown where it is unknown who counts or what one has."""
        total = 0
        for m in self.members:
            counts = self.counted(m)
            if counts is False:
                continue
            if counts is None or value(m) is None:
                return None
            total += value(m)
        return total

    def units(self, use: str, members: str) -> int | None:
        if "real_estate" in self.missing:
            return None
        found = set()
        for m in self.members:
            counts = True if members == "all" else self.counted(m)
            if counts is None:
                return None
            if counts:
                found |= {r["unit_no"] for r in m["rows"].get("real_estate", []) if r["use"] == use}
        return len(found)

    def persons(self) -> int | None:
        return self.over_counted(lambda m: 1)

    def rigid(self) -> int | None:
        spent = self.over_counted(
            lambda m: None if not known(self.own_paid(m), self.fees(m)) else self.own_paid(m) + self.fees(m)
        )
        helped = [self.temporary(m, count=False) for m in self.members]
        if spent is None or not known(*helped):
            return None
        return max(0, spent - sum(helped))  # type: ignore[arg-type]

    def figures(self) -> dict[str, int | None]:
        return {
            "counted_persons": self.persons(),
            "monthly_income": self.over_counted(self.income),
            "financial_assets": self.over_counted(self.assets),
            "vehicles": self.over_counted(self.vehicles),
            "dwellings": self.units("住宅", "counted"),
            "shops": self.units("商业", "counted"),
            "rigid_expenditure": self.rigid(),
        }

    def category(self) -> str:
        f = self.figures()
        n, income = f["counted_persons"], f["monthly_income"]
        if n == 0:
            return "NONE"
        if self.head["category"] == "特困":
            return "TK"
        s = self.standard

        def test(left: Any, right: Any, compare: Any) -> bool | None:
            return compare(left, right) if known(left, right) else None

        def less(a: Any, b: Any) -> bool:
            return a < b

        def times(a: Any, b: Any) -> Any:
            return a * b if known(a, b) else None

        def property_test(months: int) -> bool | None:
            return both(
                test(f["financial_assets"], times(months * s, n), lambda a, b: a <= b),
                test(f["vehicles"], 0, lambda a, b: a == b),
                test(f["dwellings"], 1, lambda a, b: a <= b),
                test(f["shops"], 0, lambda a, b: a == b),
            )

        tests = [
            ("DB", both(test(income, times(s, n), less), property_test(self.p["月数"]))),
            ("BY", both(test(income, times(self.p["倍数"] * s, n), less), property_test(self.p["月数"]))),
            (
                "GX",
                both(
                    test(times(12, income), times(self.disposable, n), less),
                    property_test(self.p["月数刚性"]),
                    test(
                        times(100, f["rigid_expenditure"]),
                        times(12 * self.p["占比"], income),
                        lambda a, b: a > b,
                    ),
                ),
            ),
        ]
        for code, holds in tests:
            if holds is None:
                return "UNKNOWN"
            if holds:
                return code
        return "NONE"

    def any_counted(self, test: Any) -> bool | None:
        return either(both(self.counted(m), test(m)) for m in self.members)

    def any_member(self, test: Any) -> bool | None:
        return either(test(m) for m in self.members)

    def upward(self) -> dict[str, list[tuple[int, bool | None]]]:
        """Each upward code with its (rank, holds) conditions."""
        recent = self.recent

        def share(m: dict[str, Any], percent: int) -> bool | None:
            own = self.own_paid(m)
            return None if own is None else 100 * own > percent * self.disposable

        def certificate(m: dict[str, Any], *, strong: bool) -> bool | None:
            return self.has(
                m,
                "disability",
                lambda r: (
                    r["status"] == "有效"
                    and recent(r["issued_on"])
                    and (not strong or r["grade"] <= 2 or (r["grade"] == 3 and r["kind"] in ("智力", "精神")))
                ),
            )

        def out_of_work(m: dict[str, Any]) -> bool | None:
            return both(
                self.has(m, "unemployment", lambda r: recent(r["registered_on"])),
                negated(self.has(m, "social_insurance", lambda r: self.quarter(r["month"]))),
            )

        def earner(m: dict[str, Any]) -> bool:
            return m["relation"] in ("户主", "配偶")

        def house(grade: str) -> bool | None:
            return self.any_counted(
                lambda m: self.has(
                    m, "dangerous_house", lambda r: r["grade"] == grade and r["assessed_on"] <= self.day
                )
            )

        grants = self.over_counted(lambda m: self.temporary(m, count=True))
        return {
            "M1": [
                (3, self.any_counted(lambda m: share(m, 100))),
                (2, self.any_counted(lambda m: share(m, 50))),
            ],
            "M2": [
                (
                    1,
                    self.any_counted(
                        lambda m: self.has(
                            m, "medical", lambda r: r["serious_illness"] and recent(r["settled_on"])
                        )
                    ),
                )
            ],
            "D1": [
                (2, self.any_counted(lambda m: certificate(m, strong=True))),
                (1, self.any_counted(lambda m: certificate(m, strong=False))),
            ],
            "U1": [(1, self.any_counted(out_of_work))],
            "E1": [
                (
                    1,
                    self.any_counted(
                        lambda m: self.has(
                            m,
                            "education",
                            lambda r: (
                                r["status"] == "在读" and r["stage"] in PAYING and recent(r["enrolled_on"])
                            ),
                        )
                    ),
                )
            ],
            "E2": [
                (2, self.any_counted(lambda m: self.has(m, "education", lambda r: r["status"] == "辍学")))
            ],
            "S1": [(3, self.any_counted(lambda m: self.has(m, "disaster", lambda r: recent(r["event_on"]))))],
            "H1": [(3, house("D")), (2, house("C"))],
            "P1": [(2, self.any_member(lambda m: both(earner(m), self.in_custody(m))))],
            "P2": [(3, self.any_member(lambda m: both(earner(m), self.died_lately(m))))],
            "R1": [(1, None if grants is None else grants >= 2)],
        }

    def downward(self) -> dict[str, list[tuple[int, bool | None]]]:
        watched = self.head["category"] in ("特困", "低保", "低保边缘")
        n, income = self.persons(), self.over_counted(self.income)
        cars = [self.vehicles(m) for m in self.members]
        car_count = sum(cars) if known(*cars) else None  # type: ignore[arg-type]
        homes, shops = self.units("住宅", "all"), self.units("商业", "all")

        def contributes(m: dict[str, Any]) -> bool | None:
            return either(
                None if base is None else base > 0 for base in (self.insured_base(m), self.fund_base(m))
            )

        above = None if not known(n, income) else income >= self.standard * n  # type: ignore[operator]
        months: dict[str, set[int]] | None = None
        if "grant" not in self.missing:
            months = {"低保金": set(), "特困供养": set()}
            for m in self.members:
                for r in m["rows"].get("grant", []):
                    if r["programme"] in months and self.recent(r["granted_on"]):
                        months[r["programme"]].add(r["granted_on"].year * 12 + r["granted_on"].month)
        double = None if months is None else bool(months["低保金"] & months["特困供养"])
        found = {
            "K1": (3, self.any_member(self.dead)),
            "K2": (2, self.any_member(self.in_custody)),
            "K3": (2, None if car_count is None else car_count >= 1),
            "K4": (
                2,
                either([None if homes is None else homes >= 2, None if shops is None else shops >= 1]),
            ),
            "K5": (1, self.any_member(lambda m: self.has(m, "business", lambda r: r["status"] == "存续"))),
            "K6": (1, both(above, self.any_counted(contributes))),
            "K7": (
                1,
                self.any_member(lambda m: self.has(m, "marriage", lambda r: self.recent(r["event_on"]))),
            ),
            "K8": (2, double),
            "K9": (1, self.any_member(lambda m: self.has(m, "population", lambda r: r["status"] == "迁出"))),
        }
        return {code: [(rank, both(watched, holds))] for code, (rank, holds) in found.items()}

    def result(self) -> dict[str, Any]:
        up, down = self.upward(), self.downward()
        raised = {code: either(holds for _, holds in tests) for code, tests in (up | down).items()}
        left = any(self.recent(m["left_on"], self.p["观察期"]) for m in self.members)
        raised["X1"] = both(left, either(raised[code] for code in ("M1", "U1", "E1")))

        def rank(tests: list[tuple[int, bool | None]]) -> int:
            return max((level for level, holds in tests if holds), default=0)

        ups = [rank(tests) for tests in up.values()]
        level = max(ups)
        if ups.count(1) >= 2:
            level = max(level, 2)
        if ups.count(2) >= 2:
            level = 3
        if raised["X1"]:
            level = min(3, level + 1)
        category = self.category()
        registered = REGISTERED.get(self.head["category"], "NONE")
        change = "unknown"
        if category != "UNKNOWN":
            gap = RANK[category] - RANK[registered]
            change = "up" if gap > 0 else "down" if gap < 0 else "same"
        return {
            **self.figures(),
            "category": category,
            "change": change,
            "warnings": sorted(code for code, holds in raised.items() if holds),
            "undecided": sorted(code for code, holds in raised.items() if holds is None),
            "level": COLOURS[level],
            "risk_level": COLOURS[max(rank(tests) for tests in down.values())],
        }
