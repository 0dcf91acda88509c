"""Raw bank rows go ninety days after the final report, totals and digests stay, and the report can still be computed again."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from django.utils import timezone

from doudi.contexts.accounts.services import NotAllowed, audit_entries
from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import Erasure, Reply
from doudi.contexts.verification.services import StepRefused
from doudi.engine.verification import State
from tests.contexts.verification.desk import answer_all, feed_file, started
from tests.small_county import LI_LI, ZHANG_WEI


def saved(name, number, bank, balance):
    return {
        "name": name,
        "id_number": number,
        "institution": bank,
        "balance": balance,
        "balance_on": "2024-11-01",
    }


ROWS = {
    "deposit": [
        saved("张伟", ZHANG_WEI, "甲银行", "10000.00"), saved("张伟", ZHANG_WEI, "乙银行", "20000.50"),
        saved("王五", ZHANG_WEI, "丙银行", "7.00"), saved("李丽", LI_LI, "甲银行", "1.00"),
    ],
    "tax_income": [
        {"name": "张伟", "id_number": ZHANG_WEI, "kind": "工资薪金", "amount": "12450", "month": "2024-10"}
    ],
}  # fmt: skip


@pytest.fixture
def reported(opened, sign, rules, verifier, clerk, pack, tmp_path):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier, rows=ROWS)
    return verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)


def wait(days: int) -> date:
    """So many days go by: replies came, and the report was issued, that long ago."""
    Reply.objects.update(received_at=timezone.now() - timedelta(days=1))
    return timezone.localdate() + timedelta(days=days)


def test_rows_go_and_totals_stay(reported, rules, pack, make_user):
    before = dict(Reply.objects.values_list("pk", "raw_hash"))
    assert verification.erase_raw(rules, pack.feeds, today=wait(89)) == 0
    assert verification.erase_raw(rules, pack.feeds, today=wait(90)) == 2
    assert verification.erase_raw(rules, pack.feeds, today=wait(90)) == 0

    left = "".join(str(one.rows) for one in [*Reply.objects.all(), *Erasure.objects.all()])
    assert not any(part in left for part in ("甲银行", "乙银行", "丙银行", "20000", "2000050"))
    husband = Erasure.objects.get(reply__query__person__name="张伟")
    assert [(row["name"], row["balance"]) for row in json.loads(husband.rows)] == [
        ("张伟", 30000_50), ("张伟", 0), ("王五", 7_00),
    ]  # fmt: skip
    assert (husband.days, husband.since, husband.reply.row_count) == (90, reported.issued_on, 3)
    assert dict(Reply.objects.values_list("pk", "raw_hash")) == before
    # wages are no bank rows
    assert "工资薪金" in Reply.objects.get(query__source="tax_income", row_count=1).rows
    entry = audit_entries(by=make_user("auditor1", "auditor", "520102"), act="erase_raw").get()
    assert entry.detail["replies"] == 2

    assert verification.check_report(reported, pack=pack, rules=rules).equal
    Erasure.objects.filter(pk=husband.pk).update(rows=husband.rows.replace("3000050", "3000051"))
    assert not verification.check_report(reported, pack=pack, rules=rules).equal


def test_a_hold_keeps_them_until_it_is_lifted(reported, rules, pack, clerk, make_user):
    number = reported.request.number
    county = make_user("county1", "county", "520102")
    with pytest.raises(NotAllowed):
        verification.hold_evidence(number, why="法院要求保全", by=clerk)
    with pytest.raises(StepRefused):
        verification.hold_evidence(number, why="无", by=county)
    verification.hold_evidence(number, why="法院要求保全", by=county)
    assert verification.erase_raw(rules, pack.feeds, today=wait(400)) == 0
    verification.hold_evidence(number, why="", by=county)
    assert verification.erase_raw(rules, pack.feeds, today=wait(400)) == 2


def test_an_objection_keeps_them_and_a_second_report_starts_the_time_anew(
    reported, rules, pack, clerk, verifier, tmp_path
):
    verification.object_to(
        reported.number, sources=["deposit"], ground="余额不对，请重查", rules=rules, by=clerk
    )
    assert verification.erase_raw(rules, pack.feeds, today=wait(400)) == 0
    number = reported.request.number
    verification.begin_review(number, by=verifier)
    verification.start_queries(number, rules=rules, by=verifier, again=["deposit"])
    verification.take_reply_file(
        "deposit", feed_file(pack, tmp_path, "deposit", ROWS["deposit"][:1]), rules=rules, specs=pack.feeds,
        as_of=date(2024, 11, 10), by=verifier,
    )  # fmt: skip
    second = verification.issue_report(number, pack=pack, rules=rules, by=verifier)
    assert verification.erase_raw(rules, pack.feeds, today=wait(90)) == 3
    for report in (reported, second):
        assert verification.check_report(report, pack=pack, rules=rules).equal


def test_a_request_that_was_withdrawn_keeps_nothing_either(
    opened, sign, rules, verifier, clerk, pack, tmp_path
):
    request = started(opened, sign, rules, verifier, clerk)
    verification.take_reply_file(
        "deposit", feed_file(pack, tmp_path, "deposit", ROWS["deposit"]), rules=rules, specs=pack.feeds,
        as_of=date(2024, 11, 10), by=verifier,
    )  # fmt: skip
    assert verification.erase_raw(rules, pack.feeds, today=wait(400)) == 0
    verification.end_request(request.number, to=State.WITHDRAWN, why="申请人撤回申请", by=clerk)
    assert verification.erase_raw(rules, pack.feeds, today=wait(90)) == 2
