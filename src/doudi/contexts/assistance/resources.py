"""Keeping the list of resource projects (救助资源项目清单): by its owners, checked every six months, never overwritten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.resource_models import Resource, ResourceQuerySet, ResourceVersion
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack
from doudi.engine.packs.terms import HOUSEHOLD, PERSON
from doudi.engine.packs.units import Kind

STALE_MONTHS = 6
"""Shaanxi's implementing opinion asks for a list that is checked; a check older than this is shown (手册 04 §4.2)."""
FIELDS = (
    "name", "layer", "provider", "department", "basis", "categories", "age_from", "age_to", "sex", "rule", "condition",
    "content", "description", "amount", "channel", "papers", "time_limit", "contact", "address", "valid_from",
    "valid_to", "budget_fen", "balance_fen", "exclusive_with", "stackable_with", "public",
)  # fmt: skip
_NEEDED = {
    "name": "项目名称",
    "provider": "提供单位",
    "department": "主管部门",
    "basis": "依据",
    "channel": "申请渠道",
}
_TERM = re.compile(r"(非)?\s*(任一成员)?\s*[（(]?\s*([^\s（）()]+)\s*[）)]?")


class ResourceNotFound(DoudiError):
    """No such project that the asker may see."""

    code = "resource_not_found"


@dataclass(frozen=True)
class Term:
    """One part of a project's condition: a yes/no value of the pack that must hold, or must not."""

    name: str
    wanted: bool
    of_member: bool
    """Of any member instead of the household (任一成员)."""


def is_stale(found: Resource, on: date) -> bool:
    """Whether nobody checked the project within six months."""
    return bool(found.checked_on + relativedelta(months=STALE_MONTHS) < on)


def terms_of(rule: str) -> list[Term]:
    """A condition such as ``任一成员(重度残疾) 且 非 有车``; what is no such condition raises ValueError."""
    if not rule.strip():
        return []
    found = []
    for part in re.split(r"\s+且\s+|(?<=[）)])且", rule.strip()):
        read = _TERM.fullmatch(part.strip())
        if read is None:
            raise ValueError(part)
        found.append(Term(read[3], read[1] is None, read[2] is not None))
    return found


def resources(
    *, by: User, text: str = "", layer: str = "", stale: bool = False, mine: bool = False, ended: bool = False
) -> ResourceQuerySet:
    """Projects of the list: those in force (or all, ``ended``), by text, layer, staleness, or what the asker keeps."""
    scope = require(by, Act.VIEW_RESOURCES)
    today = timezone.localdate()
    found = Resource.objects.visible_to(by)
    if mine:
        found = found.kept_by(by, scope)
    if not ended:
        found = found.in_force(today)
    if text.strip():
        found = found.filter(name__icontains=text.strip())
    if layer:
        found = found.filter(layer=layer)
    if stale:
        found = found.filter(checked_on__lt=today - relativedelta(months=STALE_MONTHS))
    return found


def resource(resource_no: str, *, by: User) -> Resource:
    """One project that the asker may see, or :class:`ResourceNotFound`."""
    found = resources(by=by, ended=True).filter(resource_no=resource_no).first()
    if found is None:
        raise ResourceNotFound(f"没有资源项目 {resource_no}。", f"No resource {resource_no}.")
    return found


def public_resources() -> ResourceQuerySet:
    """What anybody may read: projects in force that their owners made public."""
    return Resource.objects.in_force(timezone.localdate()).filter(public=True).order_by("resource_no")


@transaction.atomic
def keep_resource(
    facts: Mapping[str, Any], *, pack: Pack, by: User, resource_no: str = "", seen: int | None = None
) -> Resource:
    """Enter a project, or change one; the version before stays readable. ``seen`` is the version the asker saw."""
    scope = require(by, Act.KEEP_RESOURCES)
    take_turn()
    clean = _clean(facts, pack)
    require(by, Act.KEEP_RESOURCES, department=clean["department"])
    standing = (
        Resource.objects.kept_by(by, scope).filter(resource_no=resource_no).first() if resource_no else None
    )
    if resource_no and standing is None:
        raise ResourceNotFound(
            f"没有您维护的资源项目 {resource_no}。", f"You keep no resource {resource_no}."
        )
    today = timezone.localdate()
    if standing is None:
        standing = Resource(
            resource_no=_next_number(by.region_code[:6]), region_code=by.region_code[:6], version=0
        )
    elif seen is not None and seen != standing.version:
        raise StepRefused(
            "这个项目刚被他人修改，请刷新后再改。",
            "Somebody else changed it; reload the page.",
            code="changed",
        )
    if standing.version and all(getattr(standing, name) == clean[name] for name in FIELDS):
        return standing
    for name in FIELDS:
        setattr(standing, name, clean[name])
    standing.checked_on, standing.checked_by = today, by.username
    standing.version += 1
    standing.save()
    ResourceVersion.objects.create(
        resource=standing, version=standing.version, content=_written(clean), saved_by=by.username
    )
    _log(standing, by, "keep")
    return standing


@transaction.atomic
def confirm_resource(resource_no: str, *, by: User) -> Resource:
    """Say that a project is still right (核对); its six months begin anew."""
    scope = require(by, Act.KEEP_RESOURCES)
    take_turn()
    found = Resource.objects.kept_by(by, scope).filter(resource_no=resource_no).first()
    if found is None:
        raise ResourceNotFound(
            f"没有您维护的资源项目 {resource_no}。", f"You keep no resource {resource_no}."
        )
    Resource.objects.filter(pk=found.pk).update(checked_on=timezone.localdate(), checked_by=by.username)
    found.refresh_from_db()
    _log(found, by, "confirm")
    return found


@transaction.atomic
def end_resource(resource_no: str, *, on: date, by: User) -> Resource:
    """End a project after a day; it stays readable (停止)."""
    scope = require(by, Act.KEEP_RESOURCES)
    take_turn()
    found = Resource.objects.kept_by(by, scope).filter(resource_no=resource_no).first()
    if found is None:
        raise ResourceNotFound(
            f"没有您维护的资源项目 {resource_no}。", f"You keep no resource {resource_no}."
        )
    if on < found.valid_from:
        raise StepRefused("停止日期早于开始日期。", "It ends before it begins.")
    found.valid_to = on
    found.version += 1
    found.save(update_fields=["valid_to", "version"])
    ResourceVersion.objects.create(
        resource=found,
        version=found.version,
        content=_written({name: getattr(found, name) for name in FIELDS}),
        saved_by=by.username,
    )
    _log(found, by, "end")
    return found


def _clean(facts: Mapping[str, Any], pack: Pack) -> dict[str, Any]:
    defaults: dict[str, Any] = dict.fromkeys(FIELDS, "")
    defaults |= {
        "categories": [], "exclusive_with": [], "stackable_with": [], "age_from": None, "age_to": None,
        "valid_to": None, "budget_fen": None, "balance_fen": None, "public": True,
    }  # fmt: skip
    clean = {**defaults, **{name: facts[name] for name in FIELDS if name in facts}}
    for name, label in _NEEDED.items():
        if not str(clean[name]).strip():
            raise StepRefused(f"请填写“{label}”。", f"Give the {name}.")
    known = _category_codes(pack)
    if strange := set(clean["categories"]) - known:
        raise StepRefused(
            f"不认识的类别：{'、'.join(sorted(strange))}。可用：{'、'.join(sorted(known))}。",
            f"Unknown categories: {', '.join(sorted(strange))}.",
        )
    if clean["layer"] not in Resource.Layer.values or clean["content"] not in Resource.Content.values:
        raise StepRefused("请选择层次和内容。", "Choose the layer and the content.")
    if not isinstance(clean["valid_from"], date):
        raise StepRefused("请填写有效期的起日。", "Give the day from which it holds.")
    if clean["valid_to"] is not None and clean["valid_to"] < clean["valid_from"]:
        raise StepRefused("有效期止日早于起日。", "It ends before it begins.")
    low, high = clean["age_from"], clean["age_to"]
    if low is not None and high is not None and low > high:
        raise StepRefused("年龄下限大于上限。", "The lower age is above the upper.")
    if any((clean[name] or 0) < 0 for name in ("budget_fen", "balance_fen")):
        raise StepRefused("金额不能为负。", "A sum is not negative.")
    try:
        terms = terms_of(clean["rule"])
    except ValueError as wrong:
        raise StepRefused(
            f"条件式“{wrong}”读不懂。写成：任一成员(重度残疾) 且 非 有车。",
            f"The condition {wrong} cannot be read.",
        ) from None
    for term in terms:
        variable = pack.variables.get(term.name)
        entity = PERSON if term.of_member else HOUSEHOLD
        if variable is None or variable.entity != entity or variable.kind is not Kind.BOOL:
            raise StepRefused(
                f"条件式里的“{term.name}”不是政策包里{'人员' if term.of_member else '家庭'}的是否变量。",
                f"{term.name} is no yes/no variable of the pack's {entity}.",
            )
    return clean


def _category_codes(pack: Pack) -> set[str]:
    codes = {category.code for category in pack.categories} | {"FP", "TC", "LS", "QT", "NONE"}
    return codes | {code for measure in pack.measures.values() for code in measure.categories}


def _next_number(region: str) -> str:
    prefix = f"ZY-{region or '0'}-"
    numbers: Iterable[str] = Resource.objects.filter(resource_no__startswith=prefix).values_list(
        "resource_no", flat=True
    )
    return f"{prefix}{max((int(n.rpartition('-')[2]) for n in numbers), default=0) + 1:04d}"


def _written(clean: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(dict(clean), cls=DjangoJSONEncoder)))


def _log(found: Resource, by: User, step: str) -> None:
    record(
        by=by,
        act=Act.KEEP_RESOURCES,
        subject=f"resource:{found.resource_no}",
        region_code=found.region_code,
        detail={"step": step, "version": found.version},
    )


def keeps(found: Resource, *, by: User, scope: Scope | None) -> bool:
    """Whether ``by`` keeps the project."""
    return scope is not None and Resource.objects.kept_by(by, scope).filter(pk=found.pk).exists()
