"""The small county with its linkage at work: two bodies, aid from all sides, a published need, a claim, a meeting."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import openpyxl
import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity import services as charity
from tests.cast import CHARITY, UNION, Cast
from tests.small_county import LI_LI, WANG_QIANG, ZHANG_WEI, ZHAO_MIN

TEXT = "家中有人重病，自付费用较高，希望补充部分医疗费用。"
STORY = "王强患白血病，已借款八万元，账户余额三百元。"
SECRETS = (
    "王强", "张伟", "李丽", "赵敏", "王*", "张*", WANG_QIANG, ZHANG_WEI, LI_LI, ZHAO_MIN, "H001", "H002", "H003",
    "10087654321", "10012345678", "虚构路", "白血病", "八万元", "三百元", "YJ20241115",
)  # fmt: skip
"""What no page or answer for a body may hold that does not come from the body itself."""


@dataclass
class Linked:
    """What stands in the county."""

    cast: Cast
    need: Any
    raised: Any
    project: Any
    claim: Any
    filing: Any
    batch: Any
    run: Any
    meeting: Any
    today: date


def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small county holds three households: its pack asks for two alike, and says that any may have any need."""
    rules = chain.linkage_rules()
    kinds = {code: replace(term, ages=(0, 150)) for code, term in rules.kinds.items()}
    rules = replace(rules, smallest_cell=2, kinds=kinds)
    monkeypatch.setattr("doudi.chain.packs.linkage_rules", lambda: rules)
    monkeypatch.setattr("doudi.chain.linkage_rules", lambda: rules)


def bodies(cast: Cast) -> None:
    """The union and the charity are entered."""
    charity.register_organisation(
        code=UNION, name="虚构县总工会", kind="member", region_code="520102", by=cast.county
    )
    charity.register_organisation(
        code=CHARITY, name="虚构县慈善会", kind="charity", region_code="520102",
        registered_on=date(2020, 1, 1), by=cast.county,
    )  # fmt: skip


def workbook(rows: list[list[Any]] | None = None) -> bytes:
    """The union's own monthly workbook."""
    made = openpyxl.Workbook()
    page = made.active
    page.append(["虚构县总工会本月帮扶情况"])
    page.append(["序号", "困难职工姓名", "身份证号码", "慰问时间", "慰问金（元）", "救助类型"])
    for row in rows or [["1", "王强", WANG_QIANG, f"{timezone.localdate():%Y-%m-%d}", "2000", "大病"]]:
        page.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def link(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Linked:
    """Put the linkage to work."""
    small_cells(monkeypatch)
    bodies(cast)
    today = timezone.localdate()
    assistance.give_measure(
        warning_number="YJ20241115-H002", household_no="H002", region_code="520102016", code="MED_AID",
        label="医疗救助", amount_fen=18_000_00, given_on=today, ground="手工报销", by=cast.township,
    )  # fmt: skip
    filing = chain.file_aid(
        charity.Aid(
            aided_on=today, kind="MEDICAL", way="cash", money="UNION", name="王强", id_number=WANG_QIANG,
            amount_fen=5_000_00, project="大病帮扶",
        ),
        by=cast.member,
    )  # fmt: skip
    batch = chain.receive_batch(workbook(), file_name="本月.xlsx", by=cast.member)
    common = {
        "kind": "MEDICAL",
        "group": "ILL",
        "tier": 1,
        "origin": "window",
        "story": STORY,
        "by": cast.township,
    }
    need = chain.raise_need("H002", need_fen=50_000_00, **common)
    raised = chain.raise_need("H001", need_fen=10_000_00, **common)
    for one in (need, raised):
        chain.give_consent(
            one.code, kind="publish", given="paper", signer="王强", given_on=today,
            evidence=b"%PDF-1.4 signed", by=cast.township,
        )  # fmt: skip
    need = chain.publish_need(need.code, public_text=TEXT, by=cast.county)
    project = charity.open_project(
        name="大病补充", kinds=["MEDICAL"], regions=["520102"], budget_fen=100_000_00, starts_on=date(2024, 1, 1),
        by=cast.charity,
    )  # fmt: skip
    run = chain.propose_matches(by=cast.county)
    claim = chain.claim_need(need.code, project_number=project.number, by=cast.charity)
    meeting = charity.call_meeting(
        title="十一月联席会议", held_on=today, bodies=[UNION, CHARITY], by=cast.county
    )
    charity.add_item(meeting.number, subject="重病个案的缺口", need_code=need.code, by=cast.county)
    charity.resolve(
        meeting.number, 1, what="慈善会补足缺口", responsible=CHARITY, due_on=today, by=cast.county
    )
    return Linked(cast, need, raised, project, claim, filing, batch, run, meeting, today)
