"""Random small families that like to sit exactly on a line, a fen or a day beside it."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from tests.engine.screening.oracle import back, parameters

REGIONS = ["520102", "520102001", "520103007001", "610102", "610102003002", "140105", "511402"]
DAYS = [
    date(2024, 2, 29), date(2025, 2, 28), date(2024, 6, 30), date(2024, 7, 1), date(2024, 12, 31),
    date(2024, 11, 15), date(2024, 3, 31), date(2023, 1, 1),
]  # fmt: skip
FEEDS = (
    "population", "vehicle", "real_estate", "deposit", "securities", "insurance_policy", "social_insurance",
    "pension", "unemployment", "housing_fund", "business", "tax_income", "medical", "disability", "death",
    "custody", "education", "marriage", "dangerous_house", "disaster", "grant",
)  # fmt: skip


class Families:
    """Families of one seed and one day."""

    def __init__(self, seed: int, day: date) -> None:
        self.r = random.Random(seed)
        self.day = day
        self.month = day.year * 12 + day.month - 1
        self.edges = [
            day, day - timedelta(1), day + timedelta(1), back(day, 12), back(day, 12) + timedelta(1),
            back(day, 12) - timedelta(1), back(day, 6), back(day, 20), day.replace(day=1),
        ]  # fmt: skip

    def some(self, count: int) -> list[list[dict[str, Any]]]:
        return [self.family(i) for i in range(count)]

    def when(self) -> date:
        return self.r.choice(self.edges)

    def a_month(self) -> int:
        return self.month - self.r.choice([-1, 0, 1, 2, 3, 6, 12, 13])

    def family(self, number: int) -> list[dict[str, Any]]:
        r = self.r
        region, urban = r.choice(REGIONS), r.choice(["城镇", "农村"])
        category = r.choice(["", "特困", "低保", "低保", "低保边缘", "刚性支出困难", "防返贫监测"])
        size = r.choice([1, 1, 2, 2, 3, 4])
        members = []
        for i in range(size):
            members.append(
                {
                    "id_number": number * 10 + i,
                    "relation": "户主"
                    if i == 0 and r.random() < 0.9
                    else r.choice(["配偶", "子", "父", "其他"]),
                    "living_together": r.random() < 0.9,
                    "category": category if r.random() < 0.95 else "",
                    "urban_rural": urban if r.random() < 0.97 else r.choice(["城镇", "农村"]),
                    "region_code": region,
                    "category_since": None,
                    "left_on": self.when() if r.random() < 0.15 else None,
                    "rows": self.rows(),
                }
            )
        self.to_the_line(members, parameters(region, self.day), urban, size)
        return members

    def to_the_line(self, members: list[dict[str, Any]], p: dict[str, Any], urban: str, size: int) -> None:
        """Now and then put the income, the assets or the spending on a line, or one fen off."""
        r = self.r
        rows = members[-1]["rows"]
        off = r.choice([-1, 0, 1])
        if r.random() < 0.4:
            line = r.choice([p[urban] * size, p[urban] * size * 3 // 2, p["可支配" + urban] * size // 12])
            rows.setdefault("pension", []).append({"scheme": "职工养老金", "monthly_amount": line + off})
        if r.random() < 0.3:
            line = p[urban] * size * r.choice([24, 36])
            rows.setdefault("deposit", []).append(
                {"institution": "甲", "balance": line + off, "balance_on": self.day}
            )
        if r.random() < 0.2:
            line = p["可支配" + urban] // r.choice([1, 2])
            rows.setdefault("medical", []).append(
                {"settled_on": self.day, "total_cost": line, "own_paid": line + off, "serious_illness": False}
            )

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for feed in self.r.sample(FEEDS, self.r.choice([0, 1, 2, 3, 5])):
            found[feed] = [getattr(self, f"_{feed}")() for _ in range(self.r.choice([1, 1, 2, 3]))]
        return found

    def money(self) -> int:
        return self.r.choice([0, 1, 1199, 50_000, 123_457, 700_000, 3_000_001])

    def _population(self) -> dict[str, Any]:
        status = self.r.choice(["正常", "死亡", "迁出"])
        return {"sex": "男", "status": status, "status_on": None if status == "正常" else self.when(),
                "region_code": "520102"}  # fmt: skip

    def _vehicle(self) -> dict[str, Any]:
        return {"plate": "x", "vehicle_type": "小型", "use": self.r.choice(["非营运", "残疾人专用", "农用"]),
                "registered_on": self.when(), "status": self.r.choice(["正常", "正常", "注销"])}  # fmt: skip

    def _real_estate(self) -> dict[str, Any]:
        return {"unit_no": self.r.choice(["A", "B", "C"]), "use": self.r.choice(["住宅", "住宅", "商业", "其他"]),
                "registered_on": self.when()}  # fmt: skip

    def _deposit(self) -> dict[str, Any]:
        return {"institution": "甲", "balance": self.money(), "balance_on": self.when()}

    def _securities(self) -> dict[str, Any]:
        return {"institution": "甲", "market_value": self.money(), "balance_on": self.when()}

    def _insurance_policy(self) -> dict[str, Any]:
        return {"product": "甲", "cash_value": self.money()}

    def _social_insurance(self) -> dict[str, Any]:
        return {"scheme": "养老", "employer": "甲", "base": self.money(), "month": self.a_month()}

    def _pension(self) -> dict[str, Any]:
        return {"scheme": self.r.choice(["职工养老金", "城乡居民基础养老金", "其他"]),
                "monthly_amount": self.money()}  # fmt: skip

    def _unemployment(self) -> dict[str, Any]:
        return {"registered_on": self.when(), "benefit": self.r.choice([None, self.money()]),
                "benefit_until": self.r.choice([None, self.when()])}  # fmt: skip

    def _housing_fund(self) -> dict[str, Any]:
        return {"base": self.money(), "month": self.a_month(), "balance": self.money()}

    def _business(self) -> dict[str, Any]:
        return {"entity": "甲", "uscc": "x", "role": "股东", "status": self.r.choice(["存续", "注销"]),
                "registered_on": self.when()}  # fmt: skip

    def _tax_income(self) -> dict[str, Any]:
        return {"kind": self.r.choice(["工资薪金", "经营所得", "利息股息"]), "amount": self.money(),
                "month": self.a_month()}  # fmt: skip

    def _medical(self) -> dict[str, Any]:
        return {"settled_on": self.when(), "total_cost": 0, "own_paid": self.money(),
                "serious_illness": self.r.random() < 0.3}  # fmt: skip

    def _disability(self) -> dict[str, Any]:
        return {"kind": self.r.choice(["肢体", "智力", "精神"]), "grade": self.r.choice([1, 2, 3, 4]),
                "issued_on": self.when(), "status": self.r.choice(["有效", "注销"])}  # fmt: skip

    def _death(self) -> dict[str, Any]:
        return {"died_on": self.when(), "cremated_on": None}

    def _custody(self) -> dict[str, Any]:
        return {"from_on": self.when(), "to_on": self.r.choice([None, self.when()])}

    def _education(self) -> dict[str, Any]:
        return {"school": "甲", "stage": self.r.choice(["初中", "高中", "本科", "研究生"]), "full_time": True,
                "yearly_fee": self.r.choice([None, self.money()]), "status": self.r.choice(["在读", "休学", "辍学"]),
                "enrolled_on": self.when()}  # fmt: skip

    def _marriage(self) -> dict[str, Any]:
        return {"event": self.r.choice(["结婚", "离婚"]), "event_on": self.when()}

    def _dangerous_house(self) -> dict[str, Any]:
        return {"grade": self.r.choice(["C", "D"]), "assessed_on": self.when()}

    def _disaster(self) -> dict[str, Any]:
        return {"event": "洪涝", "event_on": self.when(), "loss": self.money()}

    def _grant(self) -> dict[str, Any]:
        return {"programme": self.r.choice(["低保金", "特困供养", "临时救助"]), "amount": self.money(),
                "granted_on": self.when()}  # fmt: skip
