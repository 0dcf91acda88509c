"""How a need is shown without identity: the place widened until enough households are alike, the text without a trace.

Place and group are what a neighbour could know (准标识); the cell counts the households of the register that share
both. A group the register cannot count is never shown to the village.
"""

from __future__ import annotations

from datetime import date

from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.packs.linking import LinkageRules

_LEVELS = (12, 9, 6)


def place_to_show(lives_in: str, group: str, rules: LinkageRules, *, on: date) -> tuple[str, int]:
    """The finest division, village at most, in which at least k households are alike, and how many they are.

    Refused where even the county holds fewer: then the need goes by hand, and is not published.
    """
    ages = rules.groups[group].ages
    for length in _LEVELS:
        if length > len(lives_in) or (length == 12 and ages is None):
            continue
        place = lives_in[:length]
        cell = registry.households_alike(place, ages=ages, on=on)
        if cell >= rules.smallest_cell:
            return place, cell
    raise StepRefused(
        f"全县同类家庭不足 {rules.smallest_cell} 户，发布会认出本人。请不发布，直接与慈善组织个案对接。",
        f"Fewer than {rules.smallest_cell} households in the county are alike; publishing would identify the person.",
        code="cell_small",
    )


def fault_in_text(
    text: str, *, household_no: str, lives_in: str, shown: str, rules: LinkageRules
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
    for length in (12, 9):
        if length > len(shown) and length <= len(lives_in):
            place = registry.region_name(lives_in[:length])
            core = place.removesuffix("委会").removesuffix("居").rstrip("村社区镇乡街道办事处")
            if len(core) >= 2 and core in plain:
                return (
                    "place_in_text",
                    f"公开说明里有地名“{core}”，比可以公开的地区更细，请删去。",
                    f"The text names {core}, finer than the place that may be shown.",
                )
    return None
