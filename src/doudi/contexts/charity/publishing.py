"""How a need is shown without identity: the place widened until enough households are alike, the text without a trace.

Place, group and kind of need are what a neighbour could know (准标识); the cell counts the households of the register
that share all three. Who is ill or whose house burnt down a village knows: of such kinds only the households count that
are known to have had such a need or such help. A group the register cannot count is never shown to the village.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta

from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.models import AidFiling, Need
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.packs.linking import LinkageRules

_LEVELS = (12, 9, 6)


@dataclass(frozen=True)
class Shown:
    """What everybody may read of a need: a division, a kind or a class of kinds, and how many households are alike."""

    place: str
    kind: str
    cell: int


def what_to_show(lives_in: str, group: str, kind: str, rules: LinkageRules, *, on: date) -> Shown:
    """The finest division, village at most, in which at least k households are alike in group and kind.

    Where even the county holds fewer of the kind, its class is shown in its stead; where that is too few as well it is
    refused: then the need goes by hand, and is not published.
    """
    for shown in filter(None, dict.fromkeys((kind, rules.kinds[kind].broader))):
        for length in _LEVELS:
            if length > len(lives_in) or (length == 12 and rules.groups[group].ages is None):
                continue
            cell = _alike(lives_in[:length], group, shown, rules, on)
            if cell >= rules.smallest_cell:
                return Shown(lives_in[:length], shown, cell)
    raise StepRefused(
        f"全县有同类需求的同类家庭不足 {rules.smallest_cell} 户，发布会认出本人。请不发布，直接与慈善组织个案对接。",
        f"Fewer than {rules.smallest_cell} households in the county are alike in group and need; that would identify.",
        code="cell_small",
    )


def _alike(place: str, group: str, shown: str, rules: LinkageRules, on: date) -> int:
    """Households of a place alike in group and in a kind or class, the larger of who might and who is known to need it."""
    kinds, group_ages = rules.kinds_in(shown), rules.groups[group].ages
    ages = [] if group_ages is None else [group_ages]
    might = [
        registry.households_alike(place, ages=[*ages, term.ages], on=on)
        for code, term in rules.kinds.items()
        if code in kinds and term.ages is not None
    ]
    known = _known_to_need(place, kinds, on - relativedelta(months=rules.known_months))
    return max([registry.households_alike(place, ages=ages, on=on, among=known), *might])


def _known_to_need(place: str, kinds: frozenset[str], since: date) -> set[str]:
    """Households with a need of these kinds raised, or aid of these kinds filed, since a day."""
    needs = Need.objects.filter(lives_in__startswith=place, kind__in=kinds, raised_at__date__gte=since)
    aided = AidFiling.objects.standing().filter(
        region_code__startswith=place[:6], kind__in=kinds, aided_on__gte=since
    )
    return {
        *needs.values_list("household_no", flat=True),
        *aided.exclude(household_no="").values_list("household_no", flat=True),
    }


def fault_in_text(
    text: str, *, household_no: str, lives_in: str, kind: str, shown: Shown, rules: LinkageRules
) -> tuple[str, str, str] | None:
    """What in a public text would give a person away: a code, Chinese, English; None where nothing does."""
    plain = text.strip()
    if not 10 <= len(plain) <= 300:
        return "text_length", "公开说明须有 10 到 300 个字。", "The public text has 10 to 300 characters."
    if identity.holds_number(plain):
        return (
            "identity_in_text",
            "公开说明里有像证件号或电话的数字，请删去。",
            "The text holds an ID or telephone number.",
        )
    if household_no and household_no in plain:
        return "identity_in_text", "公开说明里有户编号，请删去。", "The text holds the household number."
    squeezed = identity.normal_name(plain)
    for name, _blind in registry.people_in(household_no):
        if len(name) >= 2 and identity.normal_name(name) in squeezed:
            return (
                "name_in_text",
                "公开说明里有家庭成员的姓名，请删去。",
                "The text names a member of the household.",
            )
    disease = next((word for word in rules.diseases if word in plain), None)
    if disease is not None:
        return (
            "disease_in_text",
            f"公开说明里有病名“{disease}”。病名不与地区同时公开，请改写为“重病”之类。",
            f"The text names a disease ({disease}); a disease is not shown with a place.",
        )
    if shown.kind != kind:
        word = next(
            (word for word in (rules.kinds[kind].label, *rules.kinds[kind].written) if word in plain), None
        )
        if word is not None:
            return (
                "kind_in_text",
                f"同类需求太少，只公开大类；公开说明里有“{word}”，请删去或改写。",
                f"So few have this need that only its class is shown; the text says {word}.",
            )
    for length in (12, 9):
        if length > len(shown.place) and length <= len(lives_in):
            place = registry.region_name(lives_in[:length])
            core = place.removesuffix("委会").removesuffix("居").rstrip("村社区镇乡街道办事处")
            if len(core) >= 2 and core in plain:
                return (
                    "place_in_text",
                    f"公开说明里有地名“{core}”，比可以公开的地区更细，请删去。",
                    f"The text names {core}, finer than the place that may be shown.",
                )
    return None
