"""A member body files what it gave: by page, by its own monthly workbook, late or in time, and what comes back to it."""

from __future__ import annotations

import io
from datetime import date

import openpyxl
import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import audit
from doudi.contexts.accounts.services import NotAllowed, audit_entries
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity import services as charity
from doudi.contexts.charity.models import AidFiling, FilingBatch
from doudi.contexts.charity.services import Aid, StepRefused
from tests.cast import CHARITY, UNION, assemble
from tests.small_county import LI_LI, WANG_QIANG, ZHANG_WEI


@pytest.fixture
def cast(county):
    people = assemble()
    charity.register_organisation(
        code=UNION, name="虚构县总工会", kind="member", region_code="520102", by=people.county
    )
    charity.register_organisation(
        code=CHARITY, name="虚构县慈善会", kind="charity", region_code="520102",
        registered_on=date(2020, 1, 1), by=people.county,
    )  # fmt: skip
    return people


@pytest.fixture
def on(monkeypatch):
    """Set the office's today."""

    def set_(day: date) -> date:
        monkeypatch.setattr(timezone, "localdate", lambda *_: day)
        return day

    return set_


def aid(**more) -> Aid:
    return Aid(
        **{
            "aided_on": date(2024, 11, 4), "kind": "MEDICAL", "way": "cash", "money": "UNION", "name": "王强",
            "id_number": WANG_QIANG, "amount_fen": 2_000_00, "project": "大病帮扶", **more,
        }
    )  # fmt: skip


def test_case_10_the_eleventh_working_day_is_one_day_late(cast, on) -> None:
    on(date(2025, 3, 18))

    filed = chain.file_aid(aid(aided_on=date(2025, 3, 3)), by=cast.member)

    assert filed.due_on == date(2025, 3, 17)
    assert filed.late_workdays == 1
    assert charity.limit(date(2025, 3, 3), date(2025, 3, 17), 10) == (date(2025, 3, 17), 0)


def test_a_person_of_the_register_is_matched_and_the_id_sealed(cast, on) -> None:
    on(date(2024, 11, 15))

    filed = chain.file_aid(aid(), by=cast.member)

    assert (filed.household_no, filed.region_code, filed.late_workdays) == ("H002", "520102016", 0)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select id_number from charity_aidfiling")
        assert WANG_QIANG.encode() not in bytes(cursor.fetchone()[0])
    assert audit_entries(by=cast.auditor, act="file_aid").count() == 1


def test_a_second_click_files_nothing_twice(cast, on) -> None:
    on(date(2024, 11, 15))

    assert chain.file_aid(aid(), by=cast.member).pk == chain.file_aid(aid(), by=cast.member).pk
    assert AidFiling.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"id_number": "520102198001011234"}, "id_invalid"),
        ({"name": ""}, "name_missing"),
        ({"name": "王小强"}, "name_differs"),
        ({"aided_on": date(2024, 11, 16)}, "date_future"),
        ({"amount_fen": 0}, "amount_missing"),
        ({"way": "goods", "amount_fen": 0}, "nothing_given"),
        ({"kind": "MOON"}, "kind_unknown"),
        ({"group_count": 30}, "person_and_group"),
        ({"group_count": 0, "id_number": "", "name": ""}, "count_invalid"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_kept(cast, on, wrong, code) -> None:
    on(date(2024, 11, 15))

    with pytest.raises(StepRefused) as refused:
        chain.file_aid(aid(**wrong), by=cast.member)

    assert refused.value.code == code
    assert not AidFiling.objects.exists()


def test_who_may_file_and_who_may_see(cast, on) -> None:
    on(date(2024, 11, 15))
    filed = chain.file_aid(aid(), by=cast.member)

    for person in (cast.county, cast.township, cast.auditor, cast.canteen):
        with pytest.raises(NotAllowed):
            chain.file_aid(aid(), by=person)
    assert charity.filings(by=cast.member).count() == charity.filings(by=cast.township).count() == 1
    assert not charity.filings(by=cast.charity).exists()
    assert not charity.filings(by=cast.other_township).exists()
    assert not charity.filings(by=cast.stranger).exists()
    with pytest.raises(charity.FilingNotFound):
        charity.reverse_filing(filed.number, ground="不是我的", by=cast.charity)


def test_a_wrong_filing_is_countered_and_the_year_adds_up(cast, on) -> None:
    on(date(2024, 11, 15))
    wrong = chain.file_aid(aid(amount_fen=20_000_00), by=cast.member)
    chain.file_aid(aid(), by=cast.member)

    counter = charity.reverse_filing(wrong.number, ground="多写了一个零", by=cast.member)
    again = charity.reverse_filing(wrong.number, ground="多写了一个零", by=cast.member)

    assert counter.pk == again.pk
    assert counter.amount_fen == -20_000_00
    with pytest.raises(TypeError):
        wrong.save()
    november = charity.year_table(2024, organisation=UNION, by=cast.member)[10]
    assert (november.filings, november.people, november.amount_fen) == (1, 1, 2_000_00)
    here = next(row for row in chain.coverage(2024, by=cast.member) if row.area == "520102016")
    assert (here.homes, here.filings, here.amount_fen, here.in_need) == (1, 1, 2_000_00, None)


def test_public_aid_and_another_bodys_aid_of_the_same_kind_are_shown(cast, on) -> None:
    on(date(2024, 11, 15))
    assistance.give_measure(
        warning_number="YJ20241115-H002", household_no="H002", region_code="520102016", code="MED_AID",
        label="医疗救助", amount_fen=18_000_00, given_on=date(2024, 10, 20), ground="手工报销", by=cast.township,
    )  # fmt: skip
    assistance.give_measure(
        warning_number="YJ20241115-H002", household_no="H002", region_code="520102016", code="EDU_AID",
        label="教育救助", amount_fen=1_000_00, given_on=date(2024, 10, 21), ground="学费减免", by=cast.township,
    )  # fmt: skip
    chain.file_aid(aid(money="DONATION"), by=cast.charity)

    filed = chain.file_aid(aid(), by=cast.member)

    met = {(row.source, row.label if row.source == "public" else row.giver) for row in filed.overlaps.all()}
    assert met == {("public", "医疗救助"), ("other", "虚构县慈善会")}
    assert charity.overlaps(by=cast.county).count() == 3
    assert {row.filing.number for row in charity.overlaps(by=cast.member)} == {filed.number}


# ---- the workbook ---------------------------------------------------------------------------------------------

HEADER = ["序号", "困难职工姓名", "身份证号码", "慰问时间", "慰问金（元）", "救助类型", "所属工会"]
ROWS = [
    ["1", "王强", WANG_QIANG, "2024-10-08", "2000", "大病", "第一分会"],
    ["2", "张伟", ZHANG_WEI, "2024/10/9", 500.5, "送温暖", "第一分会"],
    ["3", "李丽", "52010219820202222", "2024-10-10", "300", "慰问", "第二分会"],
    ["4", "赵丽", LI_LI, "2024-10-10", "300", "慰问", "第二分会"],
    ["5", "孙八", "529900197001010014", "2024-10-11", "壹佰", "慰问", "第二分会"],
    ["6", "王强", WANG_QIANG, "2024-10-08", "2000", "大病", "第一分会"],
    ["合计", "", "", "", "2800.5", "", ""],
]  # fmt: skip


def book(rows=ROWS, header=HEADER, title="虚构县总工会2024年10月帮扶情况") -> bytes:
    made = openpyxl.Workbook()
    page = made.active
    page.append([title])
    page.append(header)
    for row in rows:
        page.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def sent(cast, content=None, month=date(2024, 10, 1)):
    return chain.receive_batch(
        book() if content is None else content, file_name="十月.xlsx", month=month, by=cast.member
    )


def test_the_unions_own_layout_is_assigned_once_and_known_next_month(cast, on) -> None:
    on(date(2024, 11, 1))
    batch = sent(cast)
    guessed, _defaults = charity.suggested_columns(batch, chain.linkage_rules())
    assert batch.status == FilingBatch.Status.MAPPING
    assert guessed == {
        "姓名": "困难职工姓名", "身份证号": "身份证号码", "帮扶日期": "慰问时间", "金额": "慰问金（元）", "需求种类": "救助类型",
    }  # fmt: skip

    with pytest.raises(StepRefused, match="资金来源"):
        chain.assign_columns(batch.number, columns=guessed, defaults={"帮扶方式": "cash"}, by=cast.member)
    chain.assign_columns(
        batch.number, columns=guessed, defaults={"帮扶方式": "cash", "资金来源": "UNION"}, by=cast.member
    )
    seen = chain.preview_batch(batch.number, by=cast.member)
    assert [row.number for row in seen.bad] == [5, 7]
    assert not AidFiling.objects.exists()

    taken = chain.take_batch(batch.number, by=cast.member)

    assert (taken.counts["filed"], taken.counts["known"], taken.counts["bad"]) == (2, 1, 3)
    assert sum(AidFiling.objects.values_list("amount_fen", flat=True)) == 2_500_50
    assert chain.take_batch(batch.number, by=cast.member).counts == taken.counts
    assert AidFiling.objects.count() == 2
    later = sent(
        cast, book(rows=[["1", "王强", WANG_QIANG, "2024-10-30", "100", "大病", "一"]], title="十一月")
    )
    assert later.status == FilingBatch.Status.READ


def test_the_marked_workbook_is_the_bodys_own_with_an_answer_to_each_row(cast, on) -> None:
    on(date(2024, 11, 1))
    batch = sent(cast)
    guessed, _ = charity.suggested_columns(batch, chain.linkage_rules())
    chain.assign_columns(
        batch.number, columns=guessed, defaults={"帮扶方式": "cash", "资金来源": "UNION"}, by=cast.member
    )
    chain.take_batch(batch.number, by=cast.member)

    content = chain.marked_batch(batch.number, by=cast.member)

    page = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = [[cell.value for cell in row] for row in page.iter_rows()]
    assert rows[0][0] == "虚构县总工会2024年10月帮扶情况"
    assert rows[1][:7] == HEADER
    assert rows[1][7] == "备案结果"
    assert [row[2] for row in rows[2:5]] == [WANG_QIANG, ZHANG_WEI, "52010219820202222"]
    assert "已备案 BA2024" in rows[2][7]
    assert "身份证号不对" in rows[4][7]
    assert "姓名与证件号对不上" in rows[5][7]
    assert "金额读不懂" in rows[6][7]
    assert "与第 3 行完全相同" in rows[7][7]
    assert "FFC7CE" in str(page["C5"].fill.fgColor.rgb)

    mended = book(rows=[row[:7] for row in rows[2:]], title="改后再报")
    again = chain.receive_batch(mended, file_name="改.xlsx", month=date(2024, 10, 1), by=cast.member)
    taken = chain.take_batch(again.number, by=cast.member)
    assert (taken.counts["filed"], taken.counts["known"]) == (0, 3)


def test_a_hostile_or_empty_file_is_refused_in_plain_words(cast, on) -> None:
    on(date(2024, 11, 1))
    for content in (b"", b"MZ\x90\x00 not a workbook", b"PK\x03\x04 broken", book(rows=[])):
        with pytest.raises(Exception) as refused:
            sent(cast, content)
        assert hasattr(refused.value, "code"), refused.value
    assert not FilingBatch.objects.exists()


def test_formulas_in_a_cell_stay_text_in_the_answer(cast, on) -> None:
    on(date(2024, 11, 1))
    batch = sent(cast, book(rows=[["=1+1", "=cmd()", WANG_QIANG, "2024-10-08", "1", "大病", "@x"]]))
    guessed, _ = charity.suggested_columns(batch, chain.linkage_rules())
    chain.assign_columns(
        batch.number, columns=guessed, defaults={"帮扶方式": "cash", "资金来源": "UNION"}, by=cast.member
    )

    page = openpyxl.load_workbook(io.BytesIO(chain.marked_batch(batch.number, by=cast.member))).active

    assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)


def test_the_same_file_again_is_the_same_batch_and_a_strangers_is_not_there(cast, on) -> None:
    on(date(2024, 11, 1))
    batch = sent(cast)

    assert sent(cast).pk == batch.pk
    for person in (cast.charity, cast.stranger):
        with pytest.raises(charity.FilingNotFound):
            chain.take_batch(batch.number, by=person)
    charity.drop_batch(batch.number, by=cast.member)
    assert sent(cast).pk != batch.pk


# ---- the month -------------------------------------------------------------------------------------------------


def test_the_fifth_passes_and_the_county_sees_who_is_missing(cast, on) -> None:
    charity.register_organisation(
        code="women-520102", name="虚构县妇联", kind="member", region_code="520102", by=cast.county
    )
    on(date(2024, 11, 5))
    chain.file_aid(aid(aided_on=date(2024, 10, 28)), by=cast.member)
    assert not any(row.missing for row in chain.filers(date(2024, 10, 1), by=cast.county))

    chain.close_month(date(2024, 10, 1), by=cast.member)
    on(date(2024, 11, 6))

    rows = {row.organisation.code: row for row in chain.filers(date(2024, 10, 1), by=cast.county)}
    assert rows["women-520102"].missing
    assert not rows[UNION].missing
    assert (rows[UNION].filings, rows[UNION].closing.due_on) == (1, date(2024, 11, 5))


def test_a_nil_return_is_said_and_what_comes_later_is_a_supplement(cast, on) -> None:
    on(date(2024, 11, 4))
    with pytest.raises(StepRefused, match="零报告"):
        chain.close_month(date(2024, 10, 1), by=cast.member)
    with pytest.raises(StepRefused, match="没有过完"):
        chain.close_month(date(2024, 11, 1), nothing=True, by=cast.member)

    closed = chain.close_month(date(2024, 10, 1), nothing=True, by=cast.member)
    assert chain.close_month(date(2024, 10, 1), nothing=True, by=cast.member).pk == closed.pk

    assert chain.file_aid(aid(aided_on=date(2024, 10, 28)), by=cast.member).supplements
    chain.file_aid(aid(aided_on=date(2024, 10, 30), money="DONATION"), by=cast.charity)
    with pytest.raises(StepRefused, match="不是零报告"):
        chain.close_month(date(2024, 10, 1), nothing=True, by=cast.charity)


def test_a_batch_that_waits_holds_the_closing_up(cast, on) -> None:
    on(date(2024, 11, 1))
    batch = sent(cast)

    with pytest.raises(StepRefused, match=batch.number):
        chain.close_month(date(2024, 10, 1), nothing=True, by=cast.member)


def test_the_chain_is_whole_after_all_of_it(cast, on) -> None:
    on(date(2024, 11, 1))
    batch = sent(cast)
    guessed, _ = charity.suggested_columns(batch, chain.linkage_rules())
    chain.assign_columns(
        batch.number, columns=guessed, defaults={"帮扶方式": "cash", "资金来源": "UNION"}, by=cast.member
    )
    chain.take_batch(batch.number, by=cast.member)

    assert audit.verify_audit().whole
    told = str([(e.subject, e.detail) for e in audit_entries(by=cast.auditor)])
    assert WANG_QIANG not in told
    assert "王强" not in told


# ---- what is told without asking -----------------------------------------------------------------------------------


def test_the_county_acknowledges_a_month_once_and_nobody_else_does(cast, on) -> None:
    on(date(2024, 11, 4))
    closed = chain.close_month(date(2024, 10, 1), nothing=True, by=cast.member)

    first, again = (charity.acknowledge_month(closed.pk, by=cast.county) for _ in range(2))

    assert first.pk == again.pk
    for person in (cast.member, cast.township, cast.stranger):
        with pytest.raises(NotAllowed):
            charity.acknowledge_month(closed.pk, by=person)


def test_a_month_is_told_before_its_day_and_to_the_county_after_it(cast, on) -> None:
    from doudi.contexts.monitoring import services as monitoring

    on(date(2024, 11, 2))
    assert chain.run_jobs()["months_told"] == 1
    assert chain.run_jobs()["months_told"] == 0
    assert "2024-11-05" in monitoring.notices(by=cast.member)[0].text
    assert not monitoring.notices(by=cast.county).exists()

    on(date(2024, 11, 6))
    assert chain.run_jobs()["months_told"] == 2
    assert "没有在 2024-11-05 前月结" in monitoring.notices(by=cast.county)[0].text

    chain.close_month(date(2024, 10, 1), nothing=True, by=cast.member)
    on(date(2024, 11, 7))
    assert chain.run_jobs()["months_told"] == 0


def test_a_decision_of_a_meeting_is_told_before_it_is_due(cast, on) -> None:
    from doudi.contexts.monitoring import services as monitoring

    on(date(2024, 11, 1))
    meeting = charity.call_meeting(
        title="十一月联席会议", held_on=date(2024, 11, 1), bodies=[UNION], by=cast.county
    )
    charity.add_item(meeting.number, subject="冬季取暖物资", by=cast.county)
    charity.resolve(
        meeting.number, 1, what="工会核对名单", responsible=UNION, due_on=date(2024, 11, 20), by=cast.county
    )
    assert chain.run_jobs()["resolutions_told"] == 0

    on(date(2024, 11, 17))
    assert chain.run_jobs()["resolutions_told"] == 1
    on(date(2024, 11, 21))
    assert chain.run_jobs()["resolutions_told"] == 2
    assert any("已过期限" in notice.text for notice in monitoring.notices(by=cast.county))


def test_a_meeting_is_for_those_invited_and_names_nobody(cast, on) -> None:
    on(date(2024, 11, 1))
    meeting = charity.call_meeting(
        title="十一月联席会议", held_on=date(2024, 11, 1), bodies=[UNION], by=cast.county
    )

    assert charity.meetings(by=cast.member).get() == meeting
    assert not charity.meetings(by=cast.charity).exists()
    with pytest.raises(StepRefused) as refused:
        charity.add_item(meeting.number, subject=f"王强 {WANG_QIANG} 的困难", by=cast.county)
    assert refused.value.code == "identity_in_text"
    charity.add_item(meeting.number, subject="重病个案", by=cast.county)
    with pytest.raises(StepRefused, match="参会单位"):
        charity.resolve(
            meeting.number,
            1,
            what="慈善会补足",
            responsible=CHARITY,
            due_on=date(2024, 11, 20),
            by=cast.county,
        )
    with pytest.raises(NotAllowed):
        charity.add_item(meeting.number, subject="工会自己加的", by=cast.member)
