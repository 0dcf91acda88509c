"""A pay office on the small county: who decides, reckons, checks and pays, and the bank's answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.assistance import payroll
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import Recipient
from tests.cast import PASSWORD, Cast

COUNTY = "520102"
NOV, DEC, JAN = date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1)
CARDS = {"H001": "6222020000000000018", "H002": "6222020000000000026", "H003": "6222020000000000034"}


@dataclass
class PayOffice:
    """``cast.county`` reckons, ``cast.director`` checks, ``cashier`` pays, ``decider`` decides."""

    cast: Cast
    decider: User
    cashier: User

    def people(self, number: str) -> list[Recipient]:
        return [Recipient(one.person_id) for one in registry.counted_members(number) if one.died_on is None]

    def decide(
        self, number: str, kind: str = "grant", benefit: str = "DB", **more: Any
    ) -> payroll.BenefitDecision:
        found = registry.household_briefs([number])[number]
        told: dict[str, Any] = {
            "persons": () if kind == "stop" else self.people(number),
            "decided_on": date(2024, 10, 20),
            "decision_no": f"虚构民决〔2024〕{number}{kind}",
            "per_capita_income_fen": 10000,
        }
        return chain.record_decision(
            kind=kind,
            benefit=benefit,
            household_no=number,
            region_code=found.responsible_region,
            urban_rural=found.urban_rural,
            by=self.decider,
            **{**told, **more},
        )

    def accounts(self, numbers: Iterable[str] = CARDS) -> None:
        for number in numbers:
            made = payroll.propose_account(
                household_no=number, holder_name="户主", card=CARDS[number], by=self.decider
            )
            payroll.confirm_account(made.pk, agree=True, by=self.cashier)

    def frozen(self, month: date = NOV) -> payroll.Roster:
        made = chain.compute_roster(region_code=COUNTY, month=month, by=self.cast.county)
        return payroll.freeze_roster(made.number, note="核对无误", by=self.cast.director)

    def sent(self, layout: str = "card") -> payroll.PayBatch:
        return chain.make_batch(region_code=COUNTY, layout=layout, by=self.cashier)

    def answer(
        self, batch: payroll.PayBatch, failed: Iterable[int] = (), only: Iterable[int] | None = None
    ) -> bytes:
        """What the bank says of a batch in the card layout."""
        lines = ["序号,卡号,金额,处理结果,失败原因"]
        for item in batch.items.select_related("account").order_by("serial"):
            if only is not None and item.serial not in only:
                continue
            word = "失败,账户已销户" if item.serial in failed else "成功,"
            yuan = f"{item.amount_fen // 100}.{item.amount_fen % 100:02d}"
            lines.append(f"{item.serial},{item.account.card},{yuan},{word}")
        return "\r\n".join(lines).encode("gb18030")

    def returned(
        self, batch: payroll.PayBatch, failed: Iterable[int] = (), **more: Any
    ) -> payroll.BankReturn:
        return chain.take_bank_return(
            batch.number, content=self.answer(batch, failed, **more), file_name="回盘.csv", by=self.cashier
        )


def open_office(cast: Cast) -> PayOffice:
    """The cast with two more county officers."""

    def officer(username: str, shown: str) -> User:
        return accounts.create_user(
            username=username,
            password=PASSWORD,
            display_name=shown,
            role=Role.COUNTY,
            region_code=COUNTY,
            by=accounts.system_user(),
        )

    return PayOffice(cast, officer("decider", "林审批"), officer("cashier", "何出纳"))
