"""What an audit asks: found by rule, checked in the village, reviewed by another, and the money in the ledger."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, system_user, verify_audit
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring import stops as stops_module
from doudi.engine.errors import DoudiError
from doudi.house.attachments import LIMIT
from doudi.house.paths import home
from tests import small_county as sc
from tests.cast import Cast, assemble

AS_OF = date(2024, 12, 31)
GRANT_HEADER = ["姓名", "身份证号", "救助项目", "金额", "发放日期"]
PDF = b"%PDF-1.4 fictitious"


def give_file(
    folder: Path, label: str, header: list[str], rows: list[list[str]], as_of: date = AS_OF
) -> None:
    path = sc.write_csv(folder / "later" / f"{label}.csv", header, rows)
    chain.take_in_file(None, path, as_of=as_of, by=system_user())


def pay(folder: Path, *rows: tuple[str, str, str, str, str]) -> None:
    give_file(folder, "救助发放", GRANT_HEADER, [list(row) for row in rows])


@pytest.fixture
def people(county: Path) -> Cast:
    return assemble()


def paid_after_death(folder: Path) -> None:
    months = ["2024-09-10", "2024-10-10", "2024-11-10", "2024-12-10"]
    pay(folder, *[("赵国", sc.ZHAO_GUO, "低保金", "452.30", day) for day in months])


def open_doubts(by) -> dict[str, monitoring.Doubt]:
    return {doubt.kind: doubt for doubt in monitoring.doubts(by=by)}


# ---- rules → list -------------------------------------------------------------------------------------------------


def test_the_month_of_death_is_paid_and_every_later_one_is_counted(county: Path, people: Cast) -> None:
    paid_after_death(county)

    done = chain.find_doubts(as_of=AS_OF, by=people.county)
    doubt = open_doubts(people.county)["Y1"]

    assert done.counts == {"opened": 1, "updated": 0, "gone": 0, "standing": 0}
    assert (doubt.household_no, doubt.person_name, doubt.since) == ("H003", "赵国", date(2024, 10, 1))
    assert doubt.counted_fen == 2 * 45230
    payments = monitoring.content_of(doubt, by=people.county)["payments"]
    assert [(row["on"], row["counted"]) for row in payments] == [
        ("2024-09-10", False), ("2024-10-10", False), ("2024-11-10", True), ("2024-12-10", True),
    ]  # fmt: skip
    assert "2024-11 至 2024-12 共 2 个月" in doubt.how


def test_money_on_the_heads_account_waits_for_a_person_to_set_the_sum(county: Path, people: Cast) -> None:
    pay(county, ("赵敏", sc.ZHAO_MIN, "低保金", "900", "2024-11-10"))

    chain.find_doubts(as_of=AS_OF, by=people.county)
    doubt = open_doubts(people.county)["Y1"]

    assert doubt.counted_fen is None
    assert "本人份额由核查人核定" in doubt.how


def test_nobody_paid_is_no_doubt_and_a_repeat_changes_nothing(county: Path, people: Cast) -> None:
    assert chain.find_doubts(as_of=AS_OF, by=people.county).counts["opened"] == 0

    paid_after_death(county)
    chain.find_doubts(as_of=AS_OF, by=people.county)
    again = chain.find_doubts(as_of=AS_OF, by=people.county)

    assert again.counts == {"opened": 0, "updated": 0, "gone": 0, "standing": 1}
    assert monitoring.doubts(by=people.county).count() == 1


def test_in_custody_counts_the_months_between_and_no_other(county: Path, people: Cast) -> None:
    give_file(
        county, "在押服刑", ["姓名", "身份证号", "开始日期", "结束日期"],
        [["李丽", sc.LI_LI, "2024-03-15", "2024-05-20"]],
    )  # fmt: skip
    pay(county, *[("李丽", sc.LI_LI, "低保金", "300", f"2024-0{month}-05") for month in range(2, 8)])

    chain.find_doubts(as_of=AS_OF, by=people.county)
    doubt = open_doubts(people.county)["Y2"]

    assert (doubt.since, doubt.until) == (date(2024, 3, 15), date(2024, 5, 20))
    assert doubt.counted_fen == 2 * 30000  # April and May


def test_paid_twice_counts_the_dibao_of_the_months_with_both(county: Path, people: Cast) -> None:
    pay(
        county,
        ("张伟", sc.ZHANG_WEI, "低保金", "500", "2024-08-05"),
        ("张伟", sc.ZHANG_WEI, "低保金", "500", "2024-09-05"),
        ("张伟", sc.ZHANG_WEI, "特困供养", "800", "2024-09-06"),
        ("李丽", sc.LI_LI, "特困供养", "800", "2024-08-06"),
    )

    chain.find_doubts(as_of=AS_OF, by=people.county)

    assert open_doubts(people.county)["Y3"].counted_fen == 50000


def test_a_car_a_second_home_and_a_company_are_doubts_for_a_person_to_judge(
    county: Path, people: Cast
) -> None:
    give_file(
        county, "机动车", ["姓名", "身份证号", "号牌号码", "车辆类型", "使用性质", "初次登记日期", "状态"],
        [["李丽", sc.LI_LI, "贵A00001", "小型轿车", "非营运", "2024-02-01", "正常"]],
    )  # fmt: skip
    give_file(
        county, "不动产", ["姓名", "身份证号", "不动产单元号", "用途", "面积", "份额", "登记日期"],
        [["张伟", sc.ZHANG_WEI, f"U{n}", "住宅", "80", "100", "2020-01-01"] for n in (1, 2)],
    )  # fmt: skip
    give_file(
        county, "市场主体", ["姓名", "身份证号", "主体名称", "统一社会信用代码", "身份", "状态", "成立日期"],
        [["张伟", sc.ZHANG_WEI, "虚构小店", "91520102MA6FICT00X", "经营者", "存续", "2023-01-01"]],
    )  # fmt: skip
    pay(county, ("张伟", sc.ZHANG_WEI, "低保金", "500", "2024-12-05"))

    chain.find_doubts(as_of=AS_OF, by=people.county)
    found = open_doubts(people.county)

    assert {"Y5", "Y6", "Y7"} <= set(found)
    assert all(found[kind].counted_fen is None for kind in ("Y5", "Y6", "Y7"))
    cells = monitoring.content_of(found["Y5"], by=people.county)["facts"][0]["cells"]
    assert ["号牌号码", "贵A00001"] in cells


def test_the_same_person_on_the_roll_of_two_counties(county: Path, people: Cast) -> None:
    moved = [row[:] for row in sc.REGISTER]
    twin = sc.REGISTER[0][:]
    twin[2], twin[4] = "X001", "520103001"
    give_file(county, "低收入家庭花名册", sc.REGISTER_HEADER, [*moved, twin], date(2024, 12, 1))
    pay(county, ("张伟", sc.ZHANG_WEI, "低保金", "500", "2024-12-05"))

    chain.find_doubts(as_of=AS_OF, by=system_user())
    both = monitoring.doubts(by=system_user(), kind="Y8")

    assert sorted(doubt.household_no for doubt in both) == ["H001", "X001"]


def test_what_is_in_the_file_is_sealed_in_the_database(county: Path, people: Cast) -> None:
    from django.db import connection

    paid_after_death(county)
    chain.find_doubts(as_of=AS_OF, by=people.county)
    with connection.cursor() as cursor:
        cursor.execute("select content from monitoring_doubt")
        raw = bytes(cursor.fetchone()[0])

    assert "低保金".encode() not in raw and b"2024-11-10" not in raw


# ---- list → check → conclusion ------------------------------------------------------------------------------------


def found_doubt(folder: Path, people: Cast) -> str:
    paid_after_death(folder)
    chain.find_doubts(as_of=AS_OF, by=people.county)
    return open_doubts(people.county)["Y1"].number


TRUE = {
    "checked_on": date(2024, 12, 20),
    "checkers": ["吴乡办", "钱村干"],
    "finding": "火化证明和流水核对一致，家属已领取。",
    "conclusion": "A",
    "overpaid_fen": None,
    "heard": "家属承认领取，愿意退还。",
}


def test_a_doubt_walks_from_list_to_recovery(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)
    worker = people.other_township  # the household is of the second township

    assigned = chain.assign_doubt(number, to="钱村干", by=people.county)
    monitoring.add_evidence(assigned, label="火化证明", content=PDF, by=worker)
    chain.check_doubt(number, by=worker, **TRUE)
    done = chain.review_doubt(number, approve=True, note="同意，证据充分。", by=people.county)

    assert done.status == monitoring.Doubt.Status.CONCLUDED
    recovery = assistance.recovery_for(number, by=people.county)
    assert (recovery.outstanding_fen, recovery.due_fen) == (90460, 90460)
    assert assistance.is_stopped("H003", done.person_id)
    assert [event.kind for event in done.events.all()] == ["open", "assign", "check", "review", "recovery"]
    assert verify_audit().whole


def test_the_checker_never_reviews_and_the_reviewer_may_send_it_back(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)
    doubt = chain.assign_doubt(number, to="陈县办", by=people.county)
    monitoring.add_evidence(doubt, label="火化证明", content=PDF, by=people.county)
    chain.check_doubt(number, by=people.county, **TRUE)

    with pytest.raises(DoudiError) as refused:
        chain.review_doubt(number, approve=True, note="同意。同意。", by=people.county)
    assert "另一人" in refused.value.zh

    sent_back = chain.review_doubt(number, approve=False, note="流水缺十二月。", by=system_user())
    assert sent_back.status == monitoring.Doubt.Status.ASSIGNED
    assert assistance.recovery_for(number, by=people.county) is None


def test_a_conclusion_that_takes_money_back_asks_for_more(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)
    chain.assign_doubt(number, to="钱村干", by=people.county)

    for change, said in (
        ({"heard": ""}, "听取家庭陈述"),
        ({"checkers": ["吴乡办", "吴乡办"]}, "2 人共同核查"),
        ({"finding": "属实"}, "十个字"),
        ({"conclusion": "Z"}, "核查结论"),
        ({}, "须有证据"),
    ):
        with pytest.raises(DoudiError) as refused:
            chain.check_doubt(number, by=people.other_township, **{**TRUE, **change})
        assert said in refused.value.zh


def test_data_that_are_wrong_end_the_doubt_and_take_nothing(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)
    chain.assign_doubt(number, to="钱村干", by=people.county)
    wrong = {
        **TRUE,
        "conclusion": "D",
        "finding": "本人健在，殡葬数据登记错人。",
        "heard": "",
        "checkers": ["吴乡办"],
    }

    chain.check_doubt(number, by=people.other_township, **wrong)
    chain.review_doubt(number, approve=True, note="同意，告知殡葬。", by=people.county)

    assert assistance.recovery_for(number, by=people.county) is None
    again = chain.find_doubts(as_of=AS_OF, by=people.county)
    assert again.counts["opened"] == 0  # the same facts were judged


def test_papers_are_sealed_sniffed_and_bounded(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)
    doubt = chain.assign_doubt(number, to="钱村干", by=people.county)

    kept = monitoring.add_evidence(doubt, label="火化证明", content=PDF, by=people.county)
    same = monitoring.add_evidence(doubt, label="再传一次", content=PDF, by=people.county)

    assert kept.pk == same.pk and kept.media_type == "application/pdf"
    stored = (home().evidence / f"{kept.sha256}.sealed").read_bytes()
    assert PDF not in stored
    assert monitoring.open_evidence(doubt, kept.pk, by=people.county)[1] == PDF
    for content in (b"MZ\x90 an exe named pdf", b"", b"%PDF-" + b"0" * (LIMIT)):
        with pytest.raises(DoudiError):
            monitoring.add_evidence(doubt, label="不收的", content=content, by=people.county)
    with pytest.raises(NotAllowed):
        monitoring.open_evidence(doubt, kept.pk, by=people.director)


def test_another_township_and_a_stranger_see_nothing(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)

    for person in (people.township, people.stranger):
        assert not monitoring.doubts(by=person).exists()
        with pytest.raises(monitoring.DoubtNotFound):
            monitoring.doubt_of(number, by=person)
    with pytest.raises(NotAllowed):
        monitoring.content_of(monitoring.doubt_of(number, by=people.director), by=people.director)


def test_of_two_officers_one_wins(county: Path, people: Cast) -> None:
    number = found_doubt(county, people)
    seen = monitoring.doubt_of(number, by=people.county).version
    chain.assign_doubt(number, to="钱村干", by=people.county, seen=seen)

    with pytest.raises(monitoring.Outrun):
        chain.assign_doubt(number, to="孙村干", by=people.other_township, seen=seen)


# ---- a death proposes a stop --------------------------------------------------------------------------------------


def stop_named(people: Cast) -> monitoring.StopProposal:
    return monitoring.stops(by=people.county).get()


def test_a_death_in_the_file_opens_one_proposal_and_stops_nothing(county: Path, people: Cast) -> None:
    proposal = stop_named(people)

    assert (proposal.person_name, proposal.grade, proposal.died_on) == ("赵国", "A", date(2024, 10, 1))
    assert not assistance.stops_recorded(by=people.county)
    chain.screen(as_of=date(2024, 11, 15), by=people.county)
    give_file(
        county, "死亡殡葬", sc.DEATH_HEADER, sc.DEATH, date(2024, 11, 20)
    )  # the second office reports it too
    assert monitoring.stops(by=people.county, status="all").count() == 1


def test_a_registration_cancelled_for_death_asks_too_but_not_twice(county: Path, people: Cast) -> None:
    header = ["姓名", "身份证号", "性别", "状态", "状态日期", "行政区划代码"]
    rows = [
        ["赵国", sc.ZHAO_GUO, "男", "死亡", "2024-10-20", "520102"],  # the crematorium said 1 October
        ["张伟", sc.ZHANG_WEI, "男", "死亡", "2024-11-05", "520102"],
        ["李丽", sc.LI_LI, "女", "迁出", "2024-11-05", "520102"],
    ]

    give_file(county, "户籍人口", header, rows, date(2024, 11, 20))

    asked = {proposal.person_name: proposal.died_on for proposal in monitoring.stops(by=people.county)}
    assert asked == {"赵国": date(2024, 10, 1), "张伟": date(2024, 11, 5)}

    refused = monitoring.stops(by=people.county).get(person_name="张伟")
    chain.decide_stop(refused.number, confirm=False, ground="本人健在，户籍误注销。", by=people.county)
    give_file(county, "户籍人口", header, rows, date(2024, 12, 20))
    assert monitoring.stops(by=people.county).filter(person_name="张伟").count() == 0


@pytest.mark.parametrize(
    ("arrived", "due"),
    [
        ("2024-09-30", "2024-10-08"),  # before the National Day week: the next working day is after it
        ("2024-09-13", "2024-09-14"),  # Friday, and the Saturday makes up for Mid-Autumn
        ("2024-02-09", "2024-02-18"),  # the eve of Spring Festival; 18 February is a make-up Sunday
        ("2024-11-15", "2024-11-18"),  # Friday to Monday
        ("2024-11-18", "2024-11-19"),
    ],
)
def test_the_proposal_is_due_on_the_next_working_day(arrived: str, due: str) -> None:
    assert chain.doubt_rules().stop.due(date.fromisoformat(arrived)) == date.fromisoformat(due)


def test_a_death_that_arrives_before_the_holidays_is_due_after_them(
    county: Path, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stops_module.timezone, "localdate", lambda *_: date(2025, 9, 30))

    give_file(
        county, "死亡殡葬", sc.DEATH_HEADER, [["张伟", sc.ZHANG_WEI, "2025-09-20", ""]], date(2025, 9, 29)
    )

    proposal = monitoring.stops(by=people.county).get(person_name="张伟")
    assert (proposal.opened_on, proposal.due_on) == (date(2025, 9, 30), date(2025, 10, 9))


def test_a_variant_character_is_marked_and_confirmed_by_a_person(county: Path, people: Cast) -> None:
    """Handbook 02, worked case 7."""
    give_file(
        county, "死亡殡葬", sc.DEATH_HEADER, [["张偉", sc.ZHANG_WEI, "2024-11-01", ""]], date(2024, 11, 18)
    )
    give_file(county, "死亡殡葬", sc.DEATH_HEADER, [["李麗", sc.LI_LI, "2024-11-02", ""]], date(2024, 11, 19))
    found = {row.person_name: row for row in monitoring.stops(by=people.county)}

    assert (found["李丽"].grade, found["李丽"].name_differs) == ("B", True)
    number = found["李丽"].number
    with pytest.raises(DoudiError) as refused:
        chain.decide_stop(number, confirm=True, ground="火化证明已核。", by=people.county)
    assert "核对身份" in refused.value.zh
    assert not assistance.stops_recorded(by=people.county)

    done = chain.decide_stop(
        number, confirm=True, ground="火化证明已核，是同一人。", identity_confirmed=True, by=people.county
    )
    assert done.stop_from == date(2024, 12, 1)
    assert [stop.person_name for stop in assistance.stops_recorded(by=people.county)] == ["李丽"]


def test_a_confirmed_stop_is_recorded_and_the_overpaid_months_become_a_doubt(
    county: Path, people: Cast
) -> None:
    paid_after_death(county)
    number = stop_named(people).number

    chain.decide_stop(number, confirm=True, ground="火化证明已核对。", by=people.county)

    stop = assistance.stops_recorded(by=people.county)[0]
    assert (stop.stop_from, stop.source) == (date(2024, 11, 1), number)
    assert open_doubts(people.county)["Y1"].counted_fen == 90460
    with pytest.raises(monitoring.Outrun):
        chain.decide_stop(number, confirm=False, ground="改主意了。", by=people.county)


def test_a_refused_stop_says_why_and_does_not_come_back(county: Path, people: Cast) -> None:
    number = stop_named(people).number

    chain.decide_stop(number, confirm=False, ground="本人健在，殡葬登记错人。", by=people.county)
    chain.screen(as_of=date(2024, 11, 15), by=people.county)

    assert not monitoring.stops(by=people.county).exists()
    assert not assistance.stops_recorded(by=people.county)
    assert "登记错人" in monitoring.stop_of(number, by=people.county).ground


def test_a_township_may_not_stop_a_payment(county: Path, people: Cast) -> None:
    with pytest.raises(NotAllowed):
        chain.decide_stop(
            stop_named(people).number, confirm=True, ground="火化证明已核对。", by=people.other_township
        )
