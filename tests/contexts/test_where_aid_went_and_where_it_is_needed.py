"""A body sees on one table where its aid went and where households are in need, also where nobody went, and no small count."""

from __future__ import annotations

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.charity import services as charity
from doudi.contexts.registry.models import Household
from tests import small_county as sc
from tests.cast import UNION, Cast, assemble


@pytest.fixture
def cast(county) -> Cast:
    people = assemble()
    charity.register_organisation(
        code=UNION, name="虚构县总工会", kind="member", region_code="520102", by=people.county
    )
    for number in range(12):
        township = "520102016" if number < 8 else "520102018" if number < 11 else "520102019"
        Household.objects.create(
            household_no=f"W{number:03d}", region_code=township, responsible_region=township, urban_rural="农村",
            category="LS",
        )  # fmt: skip
    Household.objects.create(
        household_no="X001",
        region_code="522701001",
        responsible_region="522701001",
        urban_rural="农村",
        category="LS",
    )
    return people


def file_one(cast: Cast) -> None:
    chain.file_aid(
        charity.Aid(
            name="王强", id_number=sc.WANG_QIANG, aided_on=timezone.localdate(), kind="MEDICAL", way="cash",
            amount_fen=2_000_00, money="UNION", consent=True,
        ),
        by=cast.member,
    )  # fmt: skip


def test_townships_without_aid_are_listed_and_small_counts_are_not_told(cast: Cast) -> None:
    file_one(cast)

    rows = {row.area: row for row in chain.coverage(timezone.localdate().year, by=cast.member)}

    assert rows["520102016"].filings == 1 and rows["520102016"].in_need >= 8
    assert (rows["520102018"].filings, rows["520102018"].in_need) == (0, None)
    assert "522701001" not in rows


def test_a_body_that_asks_for_another_ones_area_reads_its_own(cast: Cast) -> None:
    rows = chain.coverage(2024, organisation="someone-else", by=cast.member)

    assert {row.area[:6] for row in rows} == {"520102"}
    charity.Organisation.objects.update(closed_on=timezone.localdate())
    assert chain.coverage(2024, by=cast.member) == []
