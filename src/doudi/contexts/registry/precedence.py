"""The categories of the low-income list in the order in which a person is counted once (陕西十四部门实施意见; 国办发〔2023〕39号).

The order is the handbook's (01 §1.1, [assumed]); every label is kept, the order only settles where one is counted.
"""

from __future__ import annotations

TEMPORARY_AID = "临时救助"
"""A decision of temporary aid (社会救助暂行办法 第四十七条): no category of its own, but the ground of LS."""
CODES = {
    "特困": "TK",
    "低保": "DB",
    "低保边缘": "BY",
    "刚性支出困难": "GX",
    "防返贫监测": "FP",
    "退出监测": "TC",
    "临时救助监测": "LS",
    "其他困难": "QT",
}
"""Label → code, in the order of precedence TK > DB > BY > GX > FP > TC > LS > QT."""
RANKS = {label: rank for rank, label in enumerate(CODES)}
DERIVED = ("退出监测", "临时救助监测")
"""TC and LS: they follow from decisions and a number of months, and nobody types them."""
TAILED = ("特困", "低保")
"""Leaving one of these gives TC."""
IMPORTED_ONLY = ("防返贫监测",)
"""Agriculture and rural affairs decide; civil affairs only import."""
