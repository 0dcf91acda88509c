"""A village knows who is ill: a need that few have is shown for a wider area, then by its class, or not at all."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from doudi import chain
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.models import Need
from doudi.contexts.charity.publishing import what_to_show
from doudi.contexts.registry.models import Household
from doudi.engine.packs.linking import load_linkage
from tests.cast import CHARITY, Cast, assemble
from tests.linked_county import TEXT

VILLAGE, TOWNSHIP, COUNTY = "520102016001", "520102016", "520102"
K = 5
TEXT_BY_CLASS = "家中有人需要长期照顾，家里积蓄已经用完，希望得到补充。"


@pytest.fixture
def cast(county) -> Cast:
    """A county of 60 more households, 20 of them in one village, 20 in the rest of its township; k is the pack's 5."""
    people = assemble()
    charity.register_organisation(
        code=CHARITY, name="虚构县慈善会", kind="charity", region_code=COUNTY, registered_on=date(2020, 1, 1),
        by=people.county,
    )  # fmt: skip
    for number in range(60):
        lives_in = VILLAGE if number < 20 else f"{TOWNSHIP}002" if number < 40 else f"{COUNTY}017001"
        Household.objects.create(
            household_no=f"V{number:03d}",
            region_code=lives_in,
            responsible_region=lives_in[:9],
            urban_rural="农村",
        )
    return people


def need(cast: Cast, number: int, kind: str) -> Need:
    return chain.raise_need(
        f"V{number:03d}", kind=kind, group="ANY", tier=1, need_fen=5_000_00, origin="window",
        story="长期困难，家里积蓄已经用完。", by=cast.township if number < 40 else cast.county,
    )  # fmt: skip


def shown(kind: str, lives_in: str = VILLAGE) -> tuple[str, str, int]:
    found = what_to_show(
        lives_in, "ANY", kind, chain.linkage_rules(), on=Need.objects.latest("pk").counted_on
    )
    return found.place, found.kind, found.cell


def test_one_ill_household_among_twenty_is_not_hidden_by_the_healthy(cast: Cast) -> None:
    need(cast, 0, "MEDICAL")

    with pytest.raises(StepRefused, match="不足 5 户") as refused:
        shown("MEDICAL")

    assert refused.value.code == "cell_small"


def test_what_anybody_may_lack_is_shown_for_the_village(cast: Cast) -> None:
    need(cast, 0, "LIVING")

    assert shown("LIVING") == (VILLAGE, "LIVING", 20)


def test_the_place_is_widened_until_as_many_have_the_same_need(cast: Cast) -> None:
    for number in (0, 1, 20, 21):
        need(cast, number, "MEDICAL")
    for number in (41,):
        need(cast, number, "MEDICAL")

    assert shown("MEDICAL") == (COUNTY, "MEDICAL", 5)

    need(cast, 22, "MEDICAL")
    assert shown("MEDICAL") == (TOWNSHIP, "MEDICAL", 5)


def test_a_kind_that_the_county_hardly_knows_is_shown_by_its_class(cast: Cast) -> None:
    need(cast, 0, "REHAB")
    for number in (1, 2, 3, 4):
        need(cast, number, "MEDICAL")

    assert shown("REHAB") == (VILLAGE, "HEALTH", 5)
    # one family with two needs is one family
    need(cast, 1, "REHAB")
    assert shown("REHAB")[2] == 5


def publish(cast: Cast, found: Need, text: str) -> Need:
    chain.give_consent(
        found.code,
        kind="publish",
        given="witnessed",
        signer="户主",
        given_on=found.counted_on,
        by=cast.township,
    )
    return chain.publish_need(found.code, public_text=text, by=cast.county)


def test_neither_the_public_nor_a_body_reads_the_kind_behind_the_class(cast: Cast) -> None:
    rare = need(cast, 0, "REHAB")
    for number in (1, 2, 3, 4):
        need(cast, number, "MEDICAL")
    with pytest.raises(StepRefused) as refused:
        publish(cast, rare, "家中有人需要康复，家里积蓄已经用完，希望得到补充。")
    assert refused.value.code == "kind_in_text"

    done = publish(cast, rare, TEXT_BY_CLASS)

    assert (done.public_kind, done.kind, done.public_region) == ("HEALTH", "REHAB", VILLAGE)
    assert [one.kind for one in giving.public_needs()] == ["HEALTH"]
    assert giving.public_needs(kind="REHAB") == []
    assert not charity.needs(by=cast.charity, kind="REHAB").exists()
    assert charity.needs(by=cast.charity, kind="HEALTH").count() == 1
    assert charity.need_fields(charity.need_of(rare.code, by=cast.charity), cast.charity)["kind"] == "HEALTH"
    assert chain.demand(by=cast.charity).kinds == ("HEALTH",)
    assert charity.need_fields(charity.need_of(rare.code, by=cast.county), cast.county)["kind"] == "REHAB"


def test_a_need_of_a_kind_with_enough_alike_keeps_its_kind(cast: Cast) -> None:
    for number in range(5):
        found = need(cast, number, "MEDICAL")

    assert publish(cast, found, TEXT).public_kind == "MEDICAL"


def test_a_countys_pack_from_before_kinds_were_counted_still_loads_and_is_the_stricter(
    cast: Cast, tmp_path: Path
) -> None:
    text = Path("packs/reference/linkage.yaml").read_text(encoding="utf-8")
    text = re.sub(r"需求大类:\n(?:  .*\n)+", "", text)
    text = re.sub(r"  记录月数: .*\n|, 大类: \w+|, 年龄: \[3, 25\]", "", text)
    (tmp_path / "linkage.yaml").write_text(text, encoding="utf-8")
    shutil.copy("packs/reference/pack.yaml", tmp_path)
    old = load_linkage(tmp_path)
    assert (old.known_months, dict(old.broader_kinds)) == (old.consent_months, {})
    found = need(cast, 0, "EDUCATION")

    with pytest.raises(StepRefused):
        what_to_show(VILLAGE, "ANY", "EDUCATION", old, on=found.counted_on)
