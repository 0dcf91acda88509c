"""Everything a household may get, at once (一户一策): yes, no or unknown, with reason, clause and what is missing.

Three answers, never two: a household that a screen holds for within a category without a decision is unknown, and so
is one whose data did not arrive. Nothing is granted by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.assistance.application_models import Decision
from doudi.contexts.assistance.models import MeasureGiven
from doudi.contexts.assistance.resource_models import Resource
from doudi.contexts.assistance.resources import is_stale, terms_of
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack
from doudi.engine.packs.model import Measure
from doudi.engine.packs.procedures import Procedures
from doudi.engine.screening import Explanation

YES, NO, UNKNOWN = "yes", "no", "unknown"
_NOBODY = "NONE"


@dataclass(frozen=True)
class Entitlement:
    """One measure or project as it stands for a household; ``answer`` is yes, no or unknown."""

    code: str
    name: str
    source: str
    """``measure`` of the policy pack or ``resource`` of the county's list."""
    layer: str
    department: str
    answer: str
    reason: str
    clause: str
    amount: str
    missing: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    stackable: tuple[str, ...] = ()
    held: bool = False
    """The household has it already."""
    stale: bool = False
    channel: str = ""
    papers: str = ""
    note: str = ""


@dataclass(frozen=True)
class Standing:
    """What is known of a household that the answers follow from."""

    registered: frozenset[str]
    """Codes of the categories its people hold in the register."""
    found: str
    """The category by the latest screen, UNKNOWN where data are missing, '' where there is no screen of it."""
    raised: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    values: Mapping[str, bool | None] = field(default_factory=dict)
    member_values: Mapping[str, tuple[bool | None, ...]] = field(default_factory=dict)
    members: tuple[tuple[int | None, str], ...] = ()
    """Age and sex of those who live there."""
    held: frozenset[str] = frozenset()


def standing_of(
    household: registry.Household,
    members: Sequence[registry.Member],
    explanation: Explanation | None,
    pack: Pack,
) -> Standing:
    """The facts of a household from the register and the latest screen."""
    labels = {label for member in members for label in member.labels}
    codes = {c.code for c in pack.categories if labels & set(c.registered_as)}
    codes |= {registry.CATEGORY_CODES[label] for label in labels if label in registry.CATEGORY_CODES}
    held = set(
        MeasureGiven.objects.filter(household_no=household.household_no, reversed_by=None).values_list(
            "code", flat=True
        )
    )
    held |= {
        f"{code}_AID"
        for code in Decision.objects.filter(
            household_no=household.household_no,
            result__in=("granted", "changed"),
            followed_by=None,
            amount_fen=None,
        ).values_list("kind", flat=True)
    }
    living = tuple((m.age, m.sex) for m in members if m.living_together)
    if explanation is None:
        return Standing(frozenset(codes), "", members=living, held=frozenset(held))
    of_household = {
        v.name: v.value
        for v in explanation.variables
        if v.member is None and isinstance(v.value, bool | None)
    }
    of_members: dict[str, list[bool | None]] = {}
    for v in explanation.variables:
        if v.member is not None and isinstance(v.value, bool | None):
            of_members.setdefault(v.name, []).append(v.value)
    return Standing(
        registered=frozenset(codes),
        found=explanation.category,
        raised=frozenset(explanation.row["warnings"]),
        undecided=frozenset(explanation.row["undecided"]),
        missing=tuple(
            f"{pack.label(feed)}（{status.label}）" for feed, status in explanation.missing.items()
        ),
        values=of_household,
        member_values={name: tuple(values) for name, values in of_members.items()},
        members=living,
        held=frozenset(held),
    )


def entitlements(
    standing: Standing, *, pack: Pack, listed: Iterable[Resource], rules: Procedures, on: date
) -> list[Entitlement]:
    """Every measure of the pack and every project of the list, the yes first, then what might be."""
    listed = list(listed)
    against = _exclusives(rules, listed)
    found = [_of_measure(measure, standing, pack, against) for measure in pack.measures.values()]
    found += [_of_resource(one, standing, pack, against, on) for one in listed]
    order = {YES: 0, UNKNOWN: 1, NO: 2}
    return sorted(found, key=lambda one: (order[one.answer], one.source, one.code))


@transaction.atomic
def entitlements_of(
    household_no: str, *, explanation: Explanation | None, pack: Pack, rules: Procedures, by: User
) -> tuple[registry.Household, list[Entitlement]]:
    """:func:`entitlements` of a household of the asker's area; the look is in the audit log."""
    require(by, Act.VIEW_ENTITLEMENTS)
    household = registry.household(household_no, by=by)
    standing = standing_of(household, registry.members(household, by=by), explanation, pack)
    today = timezone.localdate()
    listed = Resource.objects.in_force(today).filter(
        region_code__in=[household.responsible_region[:end] for end in (0, 2, 4, 6)]
    )
    record(
        by=by,
        act=Act.VIEW_ENTITLEMENTS,
        subject=f"household:{household_no}",
        region_code=household.responsible_region,
        detail={"fields": ["categories", "warnings", "measures"]},
    )
    return household, entitlements(standing, pack=pack, listed=listed, rules=rules, on=today)


def _exclusives(rules: Procedures, listed: Iterable[Resource]) -> dict[str, set[str]]:
    against: dict[str, set[str]] = {}
    pairs = [(one, other) for group in rules.exclusive for one in group for other in group if one != other]
    pairs += [(found.resource_no, code) for found in listed for code in found.exclusive_with]
    for one, other in pairs:
        against.setdefault(one, set()).add(other)
        against.setdefault(other, set()).add(one)
    return against


def _category(codes: Iterable[str], standing: Standing, pack: Pack) -> tuple[str, str, tuple[str, ...]]:
    """Whether the household is of one of the categories: answer, reason, missing facts."""
    wanted = list(codes)
    if not wanted or standing.registered & set(wanted):
        named = "、".join(_label(code, pack) for code in wanted if code in standing.registered)
        return YES, f"登记为{named}" if named else "不限类别", ()
    if _NOBODY in wanted:
        return YES, "不限类别", ()
    told = "、".join(_label(code, pack) for code in wanted)
    if standing.found in wanted:
        return UNKNOWN, f"筛查结果可能属于{pack.label(standing.found)}，还没有认定；先申请认定", ("审核确认",)
    if standing.found in ("", "UNKNOWN"):
        return UNKNOWN, f"限{told}；本户类别待核", standing.missing or ("筛查结果",)
    return NO, f"限{told}；{_own(standing, pack)}", ()


def _own(standing: Standing, pack: Pack) -> str:
    """What the household is: by the register, else by the screen, which has decided nothing."""
    if standing.registered:
        return "本户登记为" + "、".join(_label(code, pack) for code in sorted(standing.registered))
    return f"本户筛查为{_label(standing.found, pack)}"


def _label(code: str, pack: Pack) -> str:
    """A category or signal by name; one that the pack does not know by the register's name for it."""
    names = {known: label for label, known in registry.CATEGORY_CODES.items()}
    try:
        return pack.label(code)
    except DoudiError:
        return names.get(code, code)


def _of_measure(
    measure: Measure, standing: Standing, pack: Pack, against: Mapping[str, set[str]]
) -> Entitlement:
    answer, reason, missing = _category(measure.categories, standing, pack)
    if answer == YES and measure.indicators:
        raised = [code for code in measure.indicators if code in standing.raised]
        needs = "、".join(measure.needs)
        if raised:
            reason += "；" + "、".join(f"{code}{pack.label(code)}" for code in raised)
        else:
            # no data about a need is no proof that there is none: a person asks
            open_ones = [code for code in measure.indicators if code in standing.undecided]
            answer = UNKNOWN
            reason += f"；数据里没有看到{needs}方面的需求，有需求即可申请"
            missing = (*missing, *(f"{_label(code, pack)}待核" for code in open_ones)) or (f"{needs}需求",)
    return Entitlement(
        code=measure.code,
        name=measure.name,
        source="measure",
        layer="",
        department=measure.department,
        answer=answer,
        reason=reason,
        clause=measure.clause,
        amount=measure.amount,
        missing=tuple(missing),
        exclusive=tuple(sorted(against.get(measure.code, ()))),
        held=measure.code in standing.held,
        note=measure.note,
    )


def _of_resource(
    one: Resource, standing: Standing, pack: Pack, against: Mapping[str, set[str]], on: date
) -> Entitlement:
    parts = [
        _category(one.categories, standing, pack),
        _people(one, standing),
        *_conditions(one, standing, pack),
    ]
    if one.balance_fen == 0:
        parts.append((NO, "本期资金已用完", ()))
    answers = [part[0] for part in parts]
    answer = NO if NO in answers else UNKNOWN if UNKNOWN in answers else YES
    telling = [part for part in parts if part[0] == answer and part[1]]
    return Entitlement(
        code=one.resource_no,
        name=one.name,
        source="resource",
        layer=one.get_layer_display(),
        department=one.provider,
        answer=answer,
        reason="；".join(part[1] for part in telling),
        clause=one.basis,
        amount=one.amount or one.get_content_display(),
        missing=tuple(fact for part in telling for fact in part[2]) if answer == UNKNOWN else (),
        exclusive=tuple(sorted(against.get(one.resource_no, ()))),
        stackable=tuple(one.stackable_with),
        held=one.resource_no in standing.held,
        stale=is_stale(one, on),
        channel=one.channel,
        papers=one.papers,
        note=one.condition,
    )


def _people(one: Resource, standing: Standing) -> tuple[str, str, tuple[str, ...]]:
    """Whether somebody who lives there is of the age and sex."""
    if one.age_from is None and one.age_to is None and not one.sex:
        return YES, "", ()
    told = f"{one.age_from or 0}–{one.age_to}岁" if one.age_to is not None else f"{one.age_from or 0}岁以上"
    told += {"男": "男性", "女": "女性"}.get(one.sex[:1], "") if one.sex else ""
    unknown = False
    for age, sex in standing.members:
        if one.sex and sex and not sex.startswith(one.sex[:1]):
            continue
        if age is None or (one.sex and not sex):
            unknown = True
        elif (one.age_from is None or age >= one.age_from) and (one.age_to is None or age <= one.age_to):
            return YES, f"有{told}成员", ()
    return (UNKNOWN, f"限{told}成员", ("成员年龄或性别",)) if unknown else (NO, f"限{told}成员，本户没有", ())


def _conditions(one: Resource, standing: Standing, pack: Pack) -> list[tuple[str, str, tuple[str, ...]]]:
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for term in terms_of(one.rule):
        if term.of_member:
            values = standing.member_values.get(term.name, (None,))
            value = True if True in values else None if None in values else False
        else:
            value = standing.values.get(term.name)
        said = ("" if term.wanted else "非") + term.name
        if value is None:
            found.append((UNKNOWN, f"{said}待核", (term.name,)))
        elif value is term.wanted:
            found.append((YES, said, ()))
        else:
            found.append((NO, f"须{said}", ()))
    return found
