"""Rosters and payment: what the demonstration shows on its first day."""

from __future__ import annotations

from dateutil.relativedelta import relativedelta
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.assistance import payroll
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import Recipient, first_of

CASHIER, DECIDER = "county2", "county3"


def seed(people: dict[Role, User], township: str) -> None:
    """Two months of the sample county: the first paid with a few failed cards, the second waiting to be checked."""
    county, director = people[Role.COUNTY], people[Role.DIRECTOR]
    region = township[:6]
    decider, cashier = (_officer(name, shown) for name, shown in ((DECIDER, "林审批"), (CASHIER, "何出纳")))
    this_month = first_of(timezone.localdate())
    before = this_month - relativedelta(months=1)
    chain.open_books(region_code=region, month=before, decision_no="演示民发〔虚构〕1号", by=decider)
    first = chain.compute_roster(region_code=region, month=before, by=county)
    payroll.freeze_roster(first.number, note="抽查二十户，无误（演示）。", by=director)
    _accounts(first, decider, cashier)
    batch = chain.make_batch(region_code=region, layout="card", by=cashier)
    content = _answer(batch, cashier)
    chain.take_bank_return(batch.number, content=content, file_name="回盘（虚构）.csv", by=cashier)
    chain.compute_roster(region_code=region, month=this_month, by=county)
    payroll.record_budget(
        year=this_month.year, region_code=region, benefit="DB", amount_fen=first.total_fen * 12,
        document="虚构财社〔演示〕1号", rules=chain.benefit_rules(), by=county,
    )  # fmt: skip
    _help_and_its_outcome(decider, county, region)


def _help_and_its_outcome(decider: User, county: User, region: str) -> None:
    """Temporary aid some months ago, with looks that are due and one that was taken."""
    today = timezone.localdate()
    homes = [
        found
        for found in registry.households(by=county, region_code=region, category="低保边缘")[:4]
        if registry.counted_members(found.household_no)
    ]
    for place, home in enumerate(homes):
        people = [
            Recipient(one.person_id)
            for one in registry.counted_members(home.household_no)
            if one.died_on is None
        ]
        chain.record_decision(
            kind="grant", benefit="LS", household_no=home.household_no, region_code=home.responsible_region,
            urban_rural=home.urban_rural, persons=people[:1], amount_fen=60000 + 10000 * place,
            decided_on=today - relativedelta(days=40 + 60 * place), decision_no=f"演示临救〔虚构〕{place + 1}号", by=decider,
        )  # fmt: skip
    payroll.plan_follow_ups(chain.benefit_rules())
    payroll.open_reviews(chain.benefit_rules())
    look = payroll.follow_ups(by=county, state="due").first()
    if look is not None:
        payroll.record_follow_up(
            look.pk, result="partly", done_on=today, note="老人已出院，仍需定期复诊（虚构）。", satisfaction=4,
            unmet="每月复诊交通费", by=county,
        )  # fmt: skip


def _officer(username: str, shown: str) -> User:
    from doudi.cli.demonstration import PASSWORD

    known = accounts.usernames()
    if username in known:
        return accounts.account(username)
    return accounts.create_user(
        username=username,
        password=PASSWORD,
        display_name=shown,
        role=Role.COUNTY,
        region_code="",
        by=accounts.system_user(),
        check_password=False,
    )


def card_of(place: int) -> str:
    """An invented card of the 62 range with a right check digit."""
    body = f"62229999{place:010d}"
    return next(body + digit for digit in "0123456789" if _passes(body + digit))


def _passes(card: str) -> bool:
    try:
        payroll.check_card(card)
    except payroll.StepRefused:
        return False
    return True


def _accounts(roster: payroll.Roster, decider: User, cashier: User) -> None:
    """An account for every payee but the last two, confirmed by another."""
    payees = list(
        payroll.rows_of(roster, by=decider)
        .exclude(kind="held")
        .values_list("household_no", "person_id", "payee_name")
    )
    for place, (number, person, name) in enumerate(payees[:-2]):
        payroll.propose_account(
            household_no=number,
            person_id=person,
            holder_name=name,
            card=card_of(place),
            bank="虚构银行",
            by=decider,
        )
    payroll.confirm_imported(by=cashier)


def _answer(batch: payroll.PayBatch, cashier: User) -> bytes:
    """The bank paid everybody but three."""
    lines = ["序号,卡号,金额,处理结果,失败原因"]
    for item in payroll.items_of(batch, by=cashier):
        word = "失败,账户已销户（虚构）" if item.serial in (3, 11, 20) else "成功,"
        lines.append(
            f"{item.serial},{item.account.card},{item.amount_fen // 100}.{item.amount_fen % 100:02d},{word}"
        )
    return "\r\n".join(lines).encode("gb18030")
