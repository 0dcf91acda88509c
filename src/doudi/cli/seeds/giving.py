"""Charity's money: what the demonstration shows on its first day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.charity import giving, ventures
from doudi.contexts.charity import services as charity


def seed(people: dict[Role, User], township: str) -> None:
    """Add the room's work in hand; called once, with one account per role and the busiest township's code."""
    county, keeper = people[Role.COUNTY], people[Role.CHARITY]
    body = charity.register_organisation(
        code=keeper.organisation,
        name="虚构县慈善会",
        kind="charity",
        region_code=township[:6],
        registered_on=timezone.localdate() - timedelta(days=1200),
        by=county,
    )
    if body.fundraising_since is None:
        asked = charity.apply_for_qualification(
            body.code, applied_on=timezone.localdate(), rules=chain.giving_rules(), by=county
        )
        charity.decide_qualification(asked.pk, grant=True, by=accounts.system_user())
        body.refresh_from_db()
    from doudi.cli.demonstration import PASSWORD  # the demonstration strings the seeds together

    decider, payer = (
        accounts.create_user(
            username=username,
            password=PASSWORD,
            display_name=name,
            role=Role.CHARITY,
            region_code=keeper.region_code,
            organisation=body.code,
            by=accounts.system_user(),
            check_password=False,
        )
        for username, name in (("charity-decider", "沈审批"), ("charity-payer", "韩出纳"))
    )
    illness = _gifts(keeper)
    _uses(illness, township, keeper, decider, payer)
    _plan(illness, body, keeper)
    _call(county, people, keeper, township[:6])


def _fund(keeper: User, **fund: Any) -> giving.Fund:
    opened = timezone.localdate() - timedelta(days=60)
    return giving.open_fund(opened_on=opened, rules=chain.giving_rules(), by=keeper, **fund)


def _gifts(keeper: User) -> giving.Fund:
    """Three funds with gifts of every kind; gives the one for serious illness."""
    day = timezone.localdate() - timedelta(days=12)
    illness = _fund(
        keeper, kind="special", name="大病帮扶专项基金", purposes=["MEDICAL"], admin_permille=50,
        terms="只用于本县困难家庭大病自付费用（虚构协议）。", remainder="转入本会同类项目",
    )  # fmt: skip
    study = _fund(
        keeper, kind="named", name="虚构公司助学基金", purposes=["EDUCATION"], groups=["CHILD"],
        terms="资助困难家庭学生，每人每学年不超过 2000 元（虚构协议）。",
    )  # fmt: skip
    general = _fund(keeper, kind="general", name="日常帮扶资金")
    common: dict[str, Any] = {"received_on": day, "handler": "冯慈善", "by": keeper}
    giving.record_gift(fund_number=illness.number, amount_fen=3_000_000, way="bank", donor_name="虚构公司",
                       donor_kind="body", show_name=True, receipt_no="虚构捐0001", **common)  # fmt: skip
    giving.record_gift(fund_number=illness.number, amount_fen=80_000, way="cash", anonymous=True, **common)
    giving.record_gift(fund_number=study.number, amount_fen=1_000_000, way="bank", donor_name="虚构公司",
                       donor_kind="body", receipt_no="虚构捐0002", **common)  # fmt: skip
    giving.record_gift(
        fund_number=general.number, amount_fen=500_000, asset="goods", way="handed", donor_name="热心市民",
        goods_name="大米", unit="袋", quantity=100, goods_expire_on=timezone.localdate() + timedelta(days=120),
        receipt_no="虚构捐0003", **common,
    )  # fmt: skip
    return illness


def _uses(fund: giving.Fund, township: str, keeper: User, decider: User, payer: User) -> None:
    """One use that waits for its decision, one for its payment, and one with its outcome."""
    today = timezone.localdate()
    uses = [
        giving.propose_allocation(
            fund_number=fund.number, amount_fen=fen, purpose="MEDICAL", group="ILL", region_code=township,
            use=use, rules=chain.giving_rules(), by=keeper,
        )
        for fen, use in ((600_000, "住院自付费用"), (450_000, "康复治疗费用"), (300_000, "门诊慢病用药"))
    ]  # fmt: skip
    for use in uses[:2]:
        giving.decide_allocation(use.number, approve=True, note="同意", by=decider)
    chain.pay_use(uses[0].number, on=today, by=payer)
    giving.record_outcome(
        uses[0].number, result="solved", people=1, text="住院费用已结清，病情稳定。", on=today, by=keeper
    )


def _plan(fund: giving.Fund, body: charity.Organisation, keeper: User) -> None:
    """A fundraising plan that waits for the county's record."""
    today = timezone.localdate()
    plan = giving.draft_campaign(
        fund_number=fund.number, by=keeper, title="冬日暖阳大病帮扶募捐", purpose="帮助本县困难家庭支付大病自付费用",
        starts_on=today + timedelta(days=5), ends_on=today + timedelta(days=95), regions=[body.region_code],
        person="冯慈善", address="虚构路8号", ways=["event"], receiving="现场募捐箱和银行转账", account_name=body.name,
        account_number="0000 0000 0000 0001", bank="虚构银行", beneficiaries="本县低保、低保边缘和刚性支出困难家庭的大病患者",
        use="住院和门诊自付费用", cost_fen=200_000, goal_fen=20_000_000, remainder="转入大病帮扶专项基金继续使用",
    )  # fmt: skip
    giving.file_campaign(plan.number, rules=chain.giving_rules(), by=keeper)


def _call(county: User, people: dict[Role, User], keeper: User, region_code: str) -> None:
    """A venture call that takes applications, with one, and its jurors."""
    today = timezone.localdate()
    call = ventures.draft_call(
        title="银龄助餐公益创投", text="支持助老助餐、探访关爱的小项目。", budget_fen=10_000_000, most_fen=5_000_000,
        money="福利彩票公益金（虚构）", opens_on=today, closes_on=today + timedelta(days=20),
        criteria=[("需求真实", 30), ("做法可行", 40), ("预算合理", 30)], rules=chain.giving_rules(), by=county,
        region_code=region_code,
    )  # fmt: skip
    for role in (Role.TOWNSHIP, Role.DEPARTMENT, Role.VERIFIER):
        ventures.appoint_juror(call.number, username=people[role].username, by=county)
    ventures.publish_call(call.number, by=county)
    ventures.apply(
        call.number, title="邻里送餐", problem="高龄独居老人吃饭难，子女多在外地。", approach="邻里志愿者每天送餐两次，顺便探访登记。",
        beneficiaries="独居老人六十人", budget=[("志愿者补贴", 2_400_000), ("保温箱", 300_000)], by=keeper,
    )  # fmt: skip
