"""A county of three households in two townships, small enough to reckon by hand.

张家 (520102016, 低保): 张伟 the head and 李丽, no income.
王家 (520102016): 王强 alone, a serious illness and 30,000 yuan of own-paid cost.
赵家 (520102017): 赵敏 with her father 赵国, who died on 2024-10-01.
Every ID lies on the unassigned district code 529900.
"""

from __future__ import annotations

import csv
from pathlib import Path

AS_OF = "2024-11-15"
TOWNSHIP_A, TOWNSHIP_B = "520102016", "520102017"


def make_id(birth: str, serial: int) -> str:
    """A valid 18-digit ID on 529900 with a birth date ``YYYYMMDD`` and a serial number."""
    body = f"529900{birth}{serial:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


ZHANG_WEI = make_id("19800101", 11)
LI_LI = make_id("19820202", 22)
WANG_QIANG = make_id("19750303", 33)
ZHAO_MIN = make_id("19900404", 44)
ZHAO_GUO = make_id("19500505", 55)

REGISTER_HEADER = [
    "姓名", "身份证号", "户编号", "与户主关系", "行政区划代码", "城乡类型", "是否共同生活", "现有类别", "认定日期",
    "退出日期", "联系电话", "住址",
]  # fmt: skip
REGISTER = [
    ["张伟", ZHANG_WEI, "H001", "户主", TOWNSHIP_A, "城镇", "是", "低保", "2024-01-01", "", "10012345678", "虚构路1号"],
    ["李丽", LI_LI, "H001", "配偶", TOWNSHIP_A, "城镇", "是", "低保", "2024-01-01", "", "", "虚构路1号"],
    ["王强", WANG_QIANG, "H002", "户主", TOWNSHIP_A, "城镇", "是", "", "", "", "10087654321", "虚构路2号"],
    ["赵敏", ZHAO_MIN, "H003", "户主", TOWNSHIP_B, "农村", "是", "低保", "2024-01-01", "", "", "虚构村3号"],
    ["赵国", ZHAO_GUO, "H003", "父", TOWNSHIP_B, "农村", "是", "低保", "2024-01-01", "", "", "虚构村3号"],
]  # fmt: skip
MEDICAL_HEADER = ["姓名", "身份证号", "结算日期", "总费用", "个人自付", "重病登记"]
MEDICAL = [["王强", WANG_QIANG, "2024-06-01", "60000", "30000", "是"]]
DEATH_HEADER = ["姓名", "身份证号", "死亡日期", "火化日期"]
DEATH = [["赵国", ZHAO_GUO, "2024-10-01", "2024-10-03"]]


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    """One department file in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([header, *rows])
    return path


def write_county(folder: Path) -> Path:
    """The files of the small county: three with rows, and every other feed with its header alone (nothing to tell)."""
    from doudi.engine.feeds import load_feed_specs

    rows = {
        "household_register": (REGISTER_HEADER, REGISTER),
        "medical": (MEDICAL_HEADER, MEDICAL),
        "death": (DEATH_HEADER, DEATH),
    }
    packs = Path(__file__).resolve().parents[1] / "packs"
    for spec in load_feed_specs(packs / "reference" / "feeds").values():
        header, body = rows.get(spec.name, ([column.label for column in spec.columns], []))
        write_csv(folder / f"{spec.label}.csv", header, body)
    return folder
