"""A provider's own system reads its orders and proves visits."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.charity import services as charity
from doudi.contexts.registry import services as registry
from tests.cast import CHARITY
from tests.payday import COUNTY, PayOffice, open_office


@pytest.fixture
def pay(county) -> PayOffice:
    charity.register_organisation(
        code=CHARITY, name="虚构慈善会", kind="charity", region_code=COUNTY, registered_on=date(2020, 1, 1), by=county.county
    )  # fmt: skip
    return open_office(county)


@pytest.fixture
def first() -> date:
    return (timezone.localdate().replace(day=1) - timedelta(days=1)).replace(day=1)


def test_a_provider_proves_a_visit_by_program(pay: PayOffice, desk, first: date) -> None:
    made = chain.order_care(
        household_no="H002", person_id=registry.counted_members("H002")[0].person_id, item="counsel", units=3,
        starts_on=first, ends_on=first + timedelta(days=60), address="虚构路2号", consent_on=first,
        consent="本人签字同意书", by=pay.cast.township,
    )  # fmt: skip
    order = chain.assign_care(made.number, provider=CHARITY, by=pay.decider)
    body = desk(pay.cast.charity)

    (listed,) = body.get("/care").json()["items"]
    assert (listed["number"], listed["receiver"]) == (order.number, "王*")
    whole = body.get(f"/care/{order.number}").json()
    assert (whole["receiver"], whole["address"], whole["left"]) == ("王强", "虚构路2号", 3)
    at = timezone.make_aware(datetime(first.year, first.month, 2, 10)).isoformat()
    told = {"begun_at": at, "place": "虚构路2号", "units": 2, "worker": "咨询师乙", "code": order.code}
    proven = body.post(f"/care/{order.number}/visits", told)
    assert proven.status_code == 200
    assert body.post(f"/care/{order.number}/visits", told).json() == proven.json()
    assert body.get(f"/care/{order.number}").json()["left"] == 1
    assert desk(pay.cast.township).post(f"/care/{order.number}/visits", told).status_code == 403
