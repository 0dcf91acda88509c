"""Personal data and accounts in the demonstration: uses assessed, a person's request in hand, the log's end signed."""

from __future__ import annotations

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User


def seed(people: dict[Role, User], township: str) -> None:
    """Two assessments, one of them approved, a request that waits for its answer, and today's anchor."""
    rules = chain.privacy_rules()
    written = accounts.write_assessment(
        purpose="VERIFY",
        necessity="申请人应如实申报，核对结果是作出决定的法定依据；只查授权书写明的来源。",
        risks="涉及银行存款、证券、保险等敏感信息，泄露会伤害家庭财产安全和名誉。",
        measures="本人授权后才能发出查询；加密保存，页面遮蔽；每次查看入日志；银行明细九十天后删除。",
        by=people[Role.COUNTY],
        rules=rules,
    )
    accounts.decide_assessment(
        written.number, approve=True, note="同意", by=people[Role.DIRECTOR], rules=rules
    )
    accounts.write_assessment(
        purpose="CHARITY",
        necessity="困难群众同意后转介慈善组织，只给困难类型、年龄段和需求，不给身份和住址。",
        risks="描述过细会被认出；慈善组织保管不当会外泄。",
        measures="须本人单独同意并可随时撤回；到期自动停止；慈善组织只见本组织认领的需求。",
        by=people[Role.COUNTY],
        rules=rules,
    )
    accounts.receive_request(
        kind="更正",
        name="覃万福",
        id_number="522730195603070212",
        asked="登记的联系电话是前年的号码，请改成现在用的。",
        by=people[Role.TOWNSHIP],
        rules=rules,
    )
    accounts.anchor_audit(by=accounts.system_user())
