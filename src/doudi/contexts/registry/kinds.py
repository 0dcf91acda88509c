"""The kinds of events with what each asks for: the one table that pages, API and the services read (业务事项)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from doudi.contexts.registry.ledger import Ledger
from doudi.contexts.registry.models import (
    Household,
    SupportTie,
)
from doudi.contexts.registry.operations import (
    BASES,
    ID_REASONS,
    RELATIONS,
    birth,
    death,
    divorce,
    head_change,
    id_change,
    leave,
    leave_category,
    living,
    lodger,
    marriage,
    merge_households,
    move,
    recognise,
    split,
    tie,
)
from doudi.contexts.registry.precedence import RANKS, TEMPORARY_AID
from doudi.contexts.registry.standing import OTHER


@dataclass(frozen=True)
class Asked:
    """One thing that an event's form asks for; ``kind`` says how it is read."""

    name: str
    label: str
    kind: str
    choices: dict[str, str] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of event: its name, what it asks for, what it does, and whether only the county may record it."""

    code: str
    label: str
    label_en: str
    asks: tuple[Asked, ...]
    act: Callable[[Ledger, Household, date, dict[str, Any]], None]
    county_only: bool = False


def entered_in(kind: Kind, said: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and number, as typed, of everybody whom an event of this kind enters."""
    names = [ask.name for ask in kind.asks if ask.kind == "name"]
    numbers = [ask.name for ask in kind.asks if ask.kind == "id"]
    return [
        (str(said.get(name, "")), str(said.get(number, "")))
        for name, number in zip(
            names, numbers, strict=False
        )  # a changed number enters nobody and has no name
    ]


_RELATION = {name: name for name in RELATIONS}


_PERSON = Asked("person", "哪一名成员", "member")


_NEW_HEAD = Asked("new_head", "新户主（户主离开时）", "member", optional=True)


_NUMBER = Asked("id_number", "身份证号", "id")


_PEOPLE = Asked("people", "成员（可多选）", "members")


_BASIS = Asked("basis", "依据", "choice", BASES)


_LABELS = {name: name for name in RANKS if name not in ("退出监测", "临时救助监测")} | {
    TEMPORARY_AID: "临时救助（一次性）"
}


KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind(
            "birth",
            "出生",
            "Birth",
            (
                Asked("name", "姓名", "name"),
                _NUMBER,
                Asked("relation", "与户主关系", "choice", {k: k for k in ("子", "女", "孙子女", OTHER)}),
            ),
            birth,
        ),
        Kind("death", "死亡", "Death", (_PERSON, _NEW_HEAD), death),
        Kind(
            "marriage",
            "结婚",
            "Marriage",
            (
                _PERSON,
                Asked("spouse_name", "配偶姓名", "name"),
                Asked("spouse_id", "配偶身份证号", "id"),
                Asked(
                    "where",
                    "婚后",
                    "choice",
                    {"joins": "配偶迁入本户", "leaves": "本人迁往配偶家", "stays": "各在原户"},
                ),
                _NEW_HEAD,
            ),
            marriage,
        ),
        Kind(
            "divorce",
            "离婚",
            "Divorce",
            (
                _PERSON,
                Asked("spouse", "配偶", "member"),
                Asked(
                    "where",
                    "离婚后",
                    "choice",
                    {"person_leaves": "前者离开本户", "spouse_leaves": "后者离开本户", "stays": "都留在本户"},
                ),
                Asked("new_number", "离开者另立户的户编号（不另立则留空）", "number", optional=True),
                _NEW_HEAD,
            ),
            divorce,
        ),
        Kind(
            "split",
            "分户",
            "Split",
            (
                _PEOPLE,
                Asked("head", "新户的户主", "member"),
                Asked("new_number", "新户编号", "number"),
                _NEW_HEAD,
            ),
            split,
        ),
        Kind(
            "merge_households",
            "并户",
            "Households merged",
            (
                Asked("other_number", "并入本户的户编号", "number"),
                Asked("relation", "对方户主与本户户主的关系", "choice", _RELATION),
            ),
            merge_households,
        ),
        Kind(
            "head_change",
            "户主变更",
            "Change of head",
            (
                Asked("new_head", "新户主", "member"),
                Asked("leaves", "原户主", "choice", {"yes": "离开本户", "no": "留在本户"}),
            ),
            head_change,
        ),
        Kind(
            "leave",
            "成员迁出",
            "Member leaves",
            (
                _PERSON,
                Asked("to_number", "转入的户编号（迁出本地或不再在册则留空）", "number", optional=True),
                Asked(
                    "relation", "与转入户户主的关系（已是该户成员则留空）", "choice", _RELATION, optional=True
                ),
                _NEW_HEAD,
            ),
            leave,
        ),
        Kind(
            "move",
            "迁移和人户分离",
            "Move",
            (
                Asked("region_code", "新的住址地区（不变则留空）", "region", optional=True),
                Asked("responsible_region", "新的负责地区（不变则留空）", "region", optional=True),
            ),
            move,
        ),
        Kind(
            "id_change",
            "证件号更正或换发",
            "ID corrected or renewed",
            (_PERSON, Asked("id_number", "新身份证号", "id"), Asked("reason", "原因", "choice", ID_REASONS)),
            id_change,
            county_only=True,
        ),
        Kind(
            "living",
            "共同生活变更",
            "Living together",
            (_PERSON, Asked("living", "是否计入", "choice", {"yes": "计入", "no": "不计入"}), _BASIS),
            living,
        ),
        Kind(
            "lodger",
            "他处户籍共同生活",
            "Living here, registered elsewhere",
            (
                Asked("name", "姓名", "name"),
                _NUMBER,
                Asked("relation", "与户主关系", "choice", _RELATION),
                _BASIS,
            ),
            lodger,
        ),
        Kind(
            "tie",
            "赡养、抚养、扶养",
            "Support tie",
            (
                _PERSON,
                Asked("side", "该成员", "choice", {"receives": "被供养", "pays": "是义务人"}),
                Asked("name", "对方姓名", "name"),
                Asked("id_number", "对方身份证号", "id"),
                Asked("kind", "种类", "choice", dict(SupportTie.Kind.choices)),
                Asked("amount_fen", "每月金额（元，不知道则留空）", "money", optional=True),
                Asked("amount_basis", "金额依据", "choice", dict(SupportTie.AmountBasis.choices)),
                Asked("evidence", "凭据", "text", optional=True),
            ),
            tie,
        ),
        Kind(
            "recognise",
            "类别认定",
            "Category recognised",
            (
                _PEOPLE,
                Asked("category", "类别", "choice", _LABELS),
                Asked("decided_on", "决定日期（空为生效日期）", "date", optional=True),
                Asked("document_no", "文号", "text", optional=True),
                Asked("decided_by", "决定机关", "text"),
                Asked("source", "认定来源", "choice", {"own": "本办决定", "imported": "外部导入"}),
            ),
            recognise,
            county_only=True,
        ),
        Kind(
            "leave_category",
            "类别退出",
            "Category left",
            (
                _PEOPLE,
                Asked("category", "类别", "choice", {k: v for k, v in _LABELS.items() if k != TEMPORARY_AID}),
                Asked("exit_reason", "退出原因", "text"),
            ),
            leave_category,
            county_only=True,
        ),
    )
}
