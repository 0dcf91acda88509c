"""The charity of the small county with three people of its own: one keeps, one decides, one pays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from tests.cast import CHARITY, PASSWORD, Cast


@dataclass(frozen=True)
class House:
    """A charity at work."""

    cast: Cast
    keeper: User
    decider: User
    payer: User
    body: charity.Organisation

    def fund(self, name: str = "困难群众帮扶", **how: Any) -> giving.Fund:
        asked = {"kind": "restricted", "purposes": ["MEDICAL"], **how}
        return giving.open_fund(name=name, rules=chain.giving_rules(), by=self.keeper, **asked)

    def gift(self, fund: giving.Fund, fen: int, **how: Any) -> giving.Donation:
        asked: dict[str, Any] = {
            "received_on": timezone.localdate(),
            "handler": "冯经手",
            "way": "bank",
            "donor_name": "热心市民",
            "receipt_declined": not how.get("receipt_no"),
            **how,
        }
        return giving.record_gift(fund_number=fund.number, amount_fen=fen, by=self.keeper, **asked)

    def arranged(self, fund: giving.Fund, fen: int = 0, **how: Any) -> giving.Allocation:
        asked = {"purpose": "MEDICAL", "region_code": "520102016", "use": "大病住院自付费用", **how}
        proposed = giving.propose_allocation(
            fund_number=fund.number, amount_fen=fen, rules=chain.giving_rules(), by=self.keeper, **asked
        )
        return giving.decide_allocation(proposed.number, approve=True, note="同意", by=self.decider)

    def paid(self, fund: giving.Fund, fen: int, **how: Any) -> giving.Allocation:
        found = self.arranged(fund, fen, **how)
        giving.pay(found.number, on=timezone.localdate(), by=self.payer)
        found.refresh_from_db()
        return found


def open_house(cast: Cast, *, since: date | None = None) -> House:
    """Register the charity, let it raise funds, and open two more accounts for it."""
    body = charity.register_organisation(
        code=CHARITY,
        name="虚构区慈善会",
        kind="charity",
        region_code="520102",
        registered_on=since or timezone.localdate() - timedelta(days=800),
        by=cast.county,
    )
    more = [
        accounts.create_user(
            username=name,
            password=PASSWORD,
            display_name=shown,
            role=Role.CHARITY,
            region_code="520102",
            organisation=CHARITY,
            by=accounts.system_user(),
            check_password=False,
        )
        for name, shown in (("decider", "沈审批"), ("payer", "韩出纳"))
    ]
    return House(cast, cast.charity, more[0], more[1], body)
