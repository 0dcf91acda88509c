"""How charity's money is kept, as the pack says (慈善资金): fundraising, ratios, disclosure, purposes, calls, support."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from doudi.engine.charity import Band, Class, DisclosureRules
from doudi.engine.errors import DoudiError
from doudi.engine.packs.linking import LinkageRules, load_linkage
from doudi.engine.packs.linking import Term as Kind
from doudi.engine.packs.sections import nearest_file
from doudi.engine.packs.units import parse_quantity


@dataclass(frozen=True)
class Term:
    """A code of the pack with its words."""

    code: str
    label: str
    label_en: str


@dataclass(frozen=True)
class SupportKind(Term):
    """A kind of support to a charity; ``yearly_fen`` 0 where it is not money."""

    yearly_fen: int = 0


@dataclass(frozen=True)
class GivingRules:
    """The rules of charity's money of a pack."""

    registered_years: int
    """Years of registration before the qualification may be applied for (第二十二条)."""
    decision_days: int
    emergency_days: int
    platforms: Mapping[str, Term]
    disclosure: DisclosureRules
    annual_due: tuple[int, int]
    """Month and day by which the annual report of the year before is public."""
    remind_days: tuple[int, ...]
    classes: Mapping[str, Class]
    purposes: Mapping[str, Kind]
    """What money may be given for: the kinds of need of the same pack, so that a need fits a fund."""
    groups: Mapping[str, Kind]
    smallest_cell: int
    """Families that a cell of a published table holds at least."""
    jurors_least: int
    first_payment_most: Fraction
    support: Mapping[str, SupportKind]


def load_giving(folder: Path) -> GivingRules:
    """The rules of a pack folder: its own ``giving.yaml``, or that of the nearest layer below it."""
    return _read(
        nearest_file(folder, "giving.yaml", about="慈善资金", code="giving_missing"), load_linkage(folder)
    )


def _value(raw: Any) -> str:
    """A figure, alone or with its mark: ``90`` or ``{为: 90, 标: 假定}``."""
    return str(raw["为"] if isinstance(raw, dict) else raw)


def _count(raw: Any, least: int = 0) -> int:
    number = int(_value(raw))
    if number < least:
        raise ValueError(number)
    return number


def _share(raw: Any) -> Fraction:
    share = parse_quantity(_value(raw), "%")
    if share is None or not 0 <= share <= 1:
        raise ValueError(f"比例 {_value(raw)}")
    return share


def _fen(text: str) -> int:
    fen = parse_quantity(text, "元")
    if fen is None or fen < 0:
        raise ValueError(f"金额 {text}")
    return int(fen)


def _terms(rows: list[Any]) -> dict[str, Term]:
    return {row["码"]: Term(row["码"], row["名"], row["英"]) for row in rows}


def _class(row: Mapping[str, Any]) -> Class:
    bands = tuple(
        Band(
            from_net_fen=_fen(band["净资产起"]),
            base={"收入": "income", "净资产": "net"}[band["基数"]],
            spend_at_least=_share(band["支出不低于"]),
            admin_at_most=_share(band["管理费不高于"]),
            mean_instead=band["三年平均可代"] == "是",
        )
        for band in row["档"]
    )
    floors = [band.from_net_fen for band in bands]
    if not bands or floors[-1] != 0 or floors != sorted(set(floors), reverse=True):
        raise ValueError(f"{row['码']} 的档须自高到低，最后一档净资产起为 0元")
    return Class(row["码"], row["名"], row["英"], row["依据"], row["标"], bands)


def _read(path: Path, linkage: LinkageRules) -> GivingRules:
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 — BaseLoader builds text only
    try:
        raising, told, call = raw["公开募捐"], raw["信息公开"], raw["公益创投"]
        month, day = (int(part) for part in _value(told["年度报告截止"]).split("-"))
        return GivingRules(
            registered_years=_count(raising["资格登记满年"]),
            decision_days=_count(raising["资格审批天数"], 1),
            emergency_days=_count(raising["应急补备天数"]),
            platforms=_terms(raising["指定平台"]),
            disclosure=DisclosureRules(
                long_months=_count(told["长期限月数"], 1),
                every_months=_count(told["中期间隔月数"], 1),
                after_months=_count(told["结束后月数"], 1),
            ),
            annual_due=(month, day),
            remind_days=tuple(
                sorted((int(part) for part in _value(told["提前提醒天数"]).split()), reverse=True)
            ),
            classes={row["码"]: _class(row) for row in raw["年度支出"]},
            purposes=linkage.kinds,
            groups=linkage.groups,
            smallest_cell=linkage.smallest_cell,
            jurors_least=_count(call["评委不少于"], 1),
            first_payment_most=_share(call["首款最高比例"]),
            support={
                row["码"]: SupportKind(row["码"], row["名"], row["英"], _fen(row["每年最高"]))
                for row in raw["支持激励"]
            },
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise DoudiError(
            f"{path}：慈善资金的规则缺项或写法不对（{problem}）。请对照 packs/reference/giving.yaml。",
            f"{path}: a rule is missing or malformed ({problem}); compare packs/reference/giving.yaml.",
            code="giving_invalid",
        ) from None
